#include "models/policy/grant_index.hpp"

#include <span>

namespace podwire::policy {

namespace {

constexpr std::size_t kManyGrants = 128;     // fewer are looked through in less than a microsecond or two
constexpr std::uint32_t kManyQuestions = 4;  // making an index costs about as much as looking through this often
constexpr std::size_t kMostBytes = std::size_t{64} << 20;

}  // namespace

GrantIndex::GrantIndex(const Compiled& compiled, GroupId group, const LabelCounts& counts) {
  for (const std::uint32_t s : compiled.segments_of(group)) {
    const std::vector<Grant>& grants = compiled.segments[s].grants;
    for (std::size_t g = 0; g < grants.size(); ++g) {
      const auto place = static_cast<std::uint32_t>(places_.size());
      places_.push_back({.segment = s, .grant = static_cast<std::uint32_t>(g)});
      const std::span<const std::uint32_t> rule = compiled.peer_rules[grants[g].peer.value()];
      std::vector<cluster::Label> entrances;
      if (rule[0] == Compiled::kPods) {
        entrances = compiled.selectors.entrances(SelectorId(rule[2]), counts);
      }
      if (entrances.empty()) {
        entrances.emplace_back();
      }
      for (const cluster::Label& label : entrances) {
        by_label_.add(label, 0, place);
      }
    }
  }
  by_label_.finish();
}

const GrantIndex* GrantIndexes::of(const Compiled& compiled, GroupId group) {
  auto known = by_group_.find(group.value());
  if (known == by_group_.end()) {
    std::size_t count = 0;
    for (const std::uint32_t s : compiled.segments_of(group)) {
      count += compiled.segments[s].grants.size();
    }
    if (count < kManyGrants) {
      return nullptr;
    }
    known = by_group_.try_emplace(group.value()).first;
  }
  Entry& entry = known->second;
  if (entry.index == Compiled::kNone) {
    if (++entry.questions <= kManyQuestions || bytes_ > kMostBytes) {
      return nullptr;
    }
    for (std::uint32_t c = 0; indexes_.empty() && c < compiled.classes.size(); ++c) {
      compiled.for_each_read_label(ClassId(c), [this](const cluster::Label& label) { counts_.add(label); });
    }
    entry.index = static_cast<std::uint32_t>(indexes_.size());
    indexes_.emplace_back(compiled, group, counts_);
    bytes_ += indexes_.back().memory_bytes();
  }
  return &indexes_[entry.index];
}

}  // namespace podwire::policy
