// Interning of strings and label sets, and matching of selectors against them.
//
// Matching looks a requirement's strings up in the pool: a key or value that was never interned occurs on no object.
// Source: k8s.io/apimachinery pkg/labels/selector.go (Requirement.Matches, Requirement.String).
#include "models/cluster/labels.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/base/check.hpp"

namespace podwire::cluster {
namespace {

std::uint64_t mix(std::uint64_t h, std::uint64_t value) {
  h ^= value + 0x9e37'79b9'7f4a'7c15u + (h << 6) + (h >> 2);
  h *= 0xbf58'476d'1ce4'e5b9u;
  return h ^ (h >> 29);
}

std::uint64_t hash_of(std::span<const Label> labels) {
  std::uint64_t h = labels.size();
  for (const Label& label : labels) {
    h = mix(h, std::uint64_t{label.key.value()} << 32 | label.value.value());
  }
  return h;
}

/// Stable. By insertion while they are few, as nearly always, and mostly in order already.
void sort_by_key(std::vector<Label>& labels) {
  constexpr std::size_t kFew = 32;
  const auto is_before = [](const Label& a, const Label& b) { return a.key < b.key; };
  if (labels.size() > kFew) {
    std::stable_sort(labels.begin(), labels.end(), is_before);
    return;
  }
  for (auto next = labels.begin(); next != labels.end(); ++next) {
    std::rotate(std::upper_bound(labels.begin(), next, *next, is_before), next, next + 1);
  }
}

bool holds(const Requirement& requirement, LabelSetId labels, const LabelSets& sets, const StringPool& strings) {
  const StringId key = strings.find(requirement.key);
  const StringId value = key.is_valid() ? sets.value(labels, key) : StringId::none();
  switch (requirement.op) {
    case SelectorOperator::exists:
      return value.is_valid();
    case SelectorOperator::does_not_exist:
      return !value.is_valid();
    case SelectorOperator::in:
      return value.is_valid() &&
             std::binary_search(requirement.values.begin(), requirement.values.end(), strings[value]);
    case SelectorOperator::not_in:
      return !value.is_valid() ||
             !std::binary_search(requirement.values.begin(), requirement.values.end(), strings[value]);
  }
  return false;
}

}  // namespace

StringPool::StringPool(const StringPool& other) {
  for (const std::string& text : other.strings_) {
    intern(text);
  }
}

StringPool& StringPool::operator=(const StringPool& other) {
  if (this != &other) {
    *this = StringPool(other);
  }
  return *this;
}

StringId StringPool::intern(std::string_view text) {
  if (const auto found = ids_.find(text); found != ids_.end()) {
    return found->second;
  }
  const StringId id(strings_.size());
  const std::string& kept = strings_.emplace_back(text);
  ids_.emplace(std::string_view(kept), id);
  return id;
}

StringId StringPool::find(std::string_view text) const {
  const auto found = ids_.find(text);
  return found == ids_.end() ? StringId::none() : found->second;
}

LabelSetId LabelSets::intern(std::vector<Label> labels) {
  sort_by_key(labels);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (kept > 0 && labels[kept - 1].key == labels[i].key) {
      labels[kept - 1] = labels[i];  // of a repeated key the last counts
    } else {
      labels[kept++] = labels[i];
    }
  }
  labels.resize(kept);

  std::vector<LabelSetId>& same_hash = by_hash_[hash_of(labels)];
  for (const LabelSetId id : same_hash) {
    if (std::ranges::equal((*this)[id], labels)) {
      return id;
    }
  }
  const LabelSetId id(ranges_.size());
  ranges_.push_back(
      {.begin = static_cast<std::uint32_t>(labels_.size()), .count = static_cast<std::uint32_t>(labels.size())});
  labels_.insert(labels_.end(), labels.begin(), labels.end());
  same_hash.push_back(id);
  return id;
}

std::span<const Label> LabelSets::operator[](LabelSetId id) const {
  PODWIRE_CHECK(id.index() < ranges_.size(), "cluster", "a label set of this collection");
  const Range& range = ranges_[id.index()];
  return std::span(labels_).subspan(range.begin, range.count);
}

StringId LabelSets::value(LabelSetId id, StringId key) const {
  const auto labels = (*this)[id];
  const auto at = std::ranges::lower_bound(labels, key, {}, &Label::key);
  return at != labels.end() && at->key == key ? at->value : StringId::none();
}

bool LabelSelector::matches(LabelSetId labels, const LabelSets& sets, const StringPool& strings) const {
  return first_failing(labels, sets, strings) == nullptr;
}

const Requirement* LabelSelector::first_failing(LabelSetId labels, const LabelSets& sets,
                                                const StringPool& strings) const {
  for (const Requirement& requirement : requirements) {
    if (!holds(requirement, labels, sets, strings)) {
      return &requirement;
    }
  }
  return nullptr;
}

std::string LabelSelector::to_string() const {
  if (requirements.empty()) {
    return "<everything>";
  }
  std::string out;
  for (const Requirement& requirement : requirements) {
    out += out.empty() ? "" : ",";
    switch (requirement.op) {
      case SelectorOperator::exists:
        out += requirement.key;
        break;
      case SelectorOperator::does_not_exist:
        out += "!" + requirement.key;
        break;
      case SelectorOperator::in:
        out += requirement.values.size() == 1
                   ? fmt::format("{}={}", requirement.key, requirement.values[0])
                   : fmt::format("{} in ({})", requirement.key, fmt::join(requirement.values, ","));
        break;
      case SelectorOperator::not_in:
        out += requirement.values.size() == 1
                   ? fmt::format("{}!={}", requirement.key, requirement.values[0])
                   : fmt::format("{} notin ({})", requirement.key, fmt::join(requirement.values, ","));
        break;
    }
  }
  return out;
}

}  // namespace podwire::cluster
