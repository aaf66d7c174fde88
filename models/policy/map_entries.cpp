#include "models/policy/map_entries.hpp"

#include <algorithm>
#include <utility>

namespace podwire::policy {

namespace {

/// Prefixes that cover [first, last] of 16-bit ports.
std::uint64_t port_prefixes(std::uint32_t first, std::uint32_t last) {
  if (first <= 1 && last == 0xffff) {
    return 1;  // the whole protocol
  }
  std::uint64_t count = 0;
  while (first <= last) {
    std::uint32_t size = first == 0 ? 0x1'0000 : first & (~first + 1);
    while (first + size - 1 > last) {
      size /= 2;
    }
    first += size;
    ++count;
  }
  return count;
}

}  // namespace

void MapEntries::count_identities(const cluster::Cluster& cluster, const Compiled& compiled, const View& view) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> found;  // class, labels
  for (std::size_t p = 0; p < cluster.pods.size(); ++p) {
    const ClassId id = compiled.class_of(view.pods[p].peer);
    if (id.is_valid()) {
      found.emplace_back(id.value(), cluster.shapes[cluster.pods[p].shape.index()].labels.value());
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  identities_.assign(compiled.classes.size(), 0);
  classes_.assign(cluster.namespaces.size(), {});
  for (const auto& [id, labels] : found) {
    if (identities_[id]++ == 0) {
      classes_[compiled.classes[id].name_space].emplace_back(id);
    }
  }
}

std::uint64_t MapEntries::of_rule(const Compiled& compiled, PeerRuleId rule) {
  const std::span<const std::uint32_t> words = compiled.peer_rules[rule.value()];
  if (words[0] == Compiled::kAny) {
    return 1;  // the wildcard identity
  }
  if (words[0] == Compiled::kIpBlock) {
    return compiled.ranges_of_block(words[1]).size();
  }
  if (words[0] == Compiled::kServices) {
    return 0;  // no identities
  }
  const auto [known, is_new] = by_rule_.try_emplace(rule.value(), 0);
  if (!is_new) {
    return known->second;
  }
  std::uint64_t count = 0;
  const std::span<const std::uint32_t> spaces = compiled.namespace_sets[words[1]];
  for (std::size_t i = 0; i < spaces.size(); i += 2) {
    for (std::uint32_t space = spaces[i]; space < spaces[i + 1]; ++space) {
      for (const ClassId id : classes_[space]) {
        if (compiled.selectors.matches(SelectorId(words[2]), compiled.labels_of(id))) {
          count += identities_[id.index()];
        }
      }
    }
  }
  known->second = count;
  return count;
}

std::uint64_t MapEntries::of_group(Compiled& compiled, GroupId group) {
  const auto [known, is_new] = by_group_.try_emplace(group.value(), 0);
  if (!is_new) {
    return known->second;
  }
  std::uint64_t count = 0;
  for (const std::uint32_t s : compiled.segments_of(group)) {
    for (const Grant& grant : compiled.segments[s].grants) {
      const std::span<const std::uint32_t> words = compiled.port_specs[grant.ports.value()];
      std::uint64_t ports = (words.size() - 1) / 2;  // names
      if (PortSetId(words[0]) == PortSets::kAll) {
        ports = 1;
      } else {
        for (const PortSet::Range& range : compiled.port_sets[PortSetId(words[0])].ranges) {
          ports += port_prefixes(range.first, range.last);
        }
      }
      count += ports * of_rule(compiled, grant.peer);
    }
  }
  by_group_[group.value()] = count;
  return count;
}

bool MapEntries::overflow(const cluster::Cluster& cluster, Compiled& compiled, const View& view, cluster::PodId pod,
                          std::uint64_t limit) {
  if (limit == 0) {
    return false;
  }
  if (known_.size() != cluster.pods.size()) {
    known_.assign(cluster.pods.size(), 0);
    count_identities(cluster, compiled, view);
  }
  std::uint8_t& known = known_[pod.index()];
  if (known == 0) {
    std::uint64_t entries = 0;
    for (const Direction direction : kDirections) {
      const GroupId group = view.pods[pod.index()].group(direction);
      entries += group.is_valid() ? of_group(compiled, group) : 0;
    }
    known = entries > limit ? 2 : 1;
  }
  return known == 2;
}

}  // namespace podwire::policy
