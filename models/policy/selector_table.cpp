// Matching follows apimachinery labels.Requirement.Matches: NotIn and DoesNotExist hold for sets that lack the key.
#include "models/policy/selector_table.hpp"

#include <algorithm>
#include <limits>

namespace podwire::policy {

namespace {

using cluster::SelectorOperator;

constexpr std::uint32_t kNever = 0xffff'ffff;

/// One requirement as words; empty when nothing in the cluster can fail it, {kNever} when nothing can satisfy it.
std::vector<std::uint32_t> encode(const cluster::Requirement& requirement, const cluster::StringPool& strings,
                                  std::vector<std::string>* unknown) {
  const bool is_positive = requirement.op == SelectorOperator::in || requirement.op == SelectorOperator::exists;
  const cluster::StringId key = strings.find(requirement.key);
  if (!key.is_valid()) {
    if (unknown != nullptr) {
      unknown->push_back(requirement.key);
    }
    return is_positive ? std::vector<std::uint32_t>{kNever} : std::vector<std::uint32_t>{};
  }
  std::vector<std::uint32_t> values;
  for (const std::string& value : requirement.values) {
    if (const cluster::StringId id = strings.find(value); id.is_valid()) {
      values.push_back(id.value());
    } else if (unknown != nullptr) {
      unknown->push_back(value);
    }
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (requirement.op == SelectorOperator::in && values.empty()) {
    return {kNever};
  }
  if (requirement.op == SelectorOperator::not_in && values.empty()) {
    return {};
  }
  std::vector<std::uint32_t> words = {key.value(), static_cast<std::uint32_t>(requirement.op),
                                      static_cast<std::uint32_t>(values.size())};
  words.insert(words.end(), values.begin(), values.end());
  return words;
}

cluster::StringId value_under(std::span<const cluster::Label> labels, std::uint32_t key) {
  for (const cluster::Label& label : labels) {
    if (label.key.value() == key) {
      return label.value;
    }
  }
  return {};
}

}  // namespace

SelectorId SelectorTable::intern(const cluster::LabelSelector& selector, const cluster::StringPool& strings,
                                 std::vector<std::string>* unknown) {
  std::vector<std::vector<std::uint32_t>> requirements;
  for (const cluster::Requirement& requirement : selector.requirements) {
    std::vector<std::uint32_t> words = encode(requirement, strings, unknown);
    if (words.size() == 1) {
      return SelectorId(table_.intern(words).id);
    }
    if (!words.empty()) {
      requirements.push_back(std::move(words));
    }
  }
  std::sort(requirements.begin(), requirements.end());
  requirements.erase(std::unique(requirements.begin(), requirements.end()), requirements.end());
  std::vector<std::uint32_t> words;
  for (const std::vector<std::uint32_t>& requirement : requirements) {
    words.insert(words.end(), requirement.begin(), requirement.end());
  }
  return SelectorId(table_.intern(words).id);
}

bool SelectorTable::matches_nothing(SelectorId id) const {
  const std::span<const std::uint32_t> words = table_[id.value()];
  return words.size() == 1 && words[0] == kNever;
}

bool SelectorTable::matches(SelectorId id, std::span<const cluster::Label> labels) const {
  const std::span<const std::uint32_t> words = table_[id.value()];
  if (words.size() == 1) {
    return false;
  }
  for (std::size_t i = 0; i < words.size();) {
    const auto op = static_cast<SelectorOperator>(words[i + 1]);
    const std::span<const std::uint32_t> values = words.subspan(i + 3, words[i + 2]);
    const cluster::StringId value = value_under(labels, words[i]);
    i += 3 + values.size();
    bool holds = false;
    switch (op) {
      case SelectorOperator::exists:
        holds = value.is_valid();
        break;
      case SelectorOperator::does_not_exist:
        holds = !value.is_valid();
        break;
      case SelectorOperator::in:
        holds = value.is_valid() && std::binary_search(values.begin(), values.end(), value.value());
        break;
      case SelectorOperator::not_in:
        holds = !value.is_valid() || !std::binary_search(values.begin(), values.end(), value.value());
        break;
    }
    if (!holds) {
      return false;
    }
  }
  return true;
}

std::vector<cluster::Label> SelectorTable::entrances(SelectorId id, const LabelCounts& counts) const {
  const std::span<const std::uint32_t> words = table_[id.value()];
  std::vector<cluster::Label> best;
  std::uint64_t best_count = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t i = 0; i + 2 < words.size(); i += 3 + words[i + 2]) {
    if (static_cast<SelectorOperator>(words[i + 1]) != SelectorOperator::in) {
      continue;
    }
    std::vector<cluster::Label> labels;
    std::uint64_t count = 0;
    for (const std::uint32_t value : words.subspan(i + 3, words[i + 2])) {
      labels.push_back({cluster::StringId(words[i]), cluster::StringId(value)});
      count += counts[labels.back()];
    }
    if (count < best_count) {
      best_count = count;
      best = std::move(labels);
    }
  }
  return best;
}

void LabelIndex::finish() {
  std::sort(entries_.begin(), entries_.end());
}

std::size_t LabelIndex::lower_bound(const Entry& entry) const {
  return static_cast<std::size_t>(std::lower_bound(entries_.begin(), entries_.end(), entry) - entries_.begin());
}

}  // namespace podwire::policy
