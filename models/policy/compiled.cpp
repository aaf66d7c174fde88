#include "models/policy/compiled.hpp"

#include <algorithm>

namespace podwire::policy {

namespace {

/// Whether `value` lies in one of the ordered [first, last) pairs.
bool is_inside(std::span<const std::uint32_t> ranges, std::uint32_t value) {
  // The number of boundaries at or below the value is odd exactly inside a range.
  return (std::upper_bound(ranges.begin(), ranges.end(), value) - ranges.begin()) % 2 == 1;
}

}  // namespace

std::uint32_t Compiled::intern_labels(std::span<const std::uint32_t> words) {
  const auto [id, is_new] = label_rows_.intern(words);
  if (is_new) {
    for (std::size_t i = 0; i < words.size(); i += 2) {
      row_labels_.push_back({cluster::StringId(words[i]), cluster::StringId(words[i + 1])});
    }
    row_begins_.push_back(row_labels_.size());
  }
  return id;
}

std::span<const cluster::Label> Compiled::labels_of(ClassId id) const {
  const std::uint32_t row = classes[id.value()][1];
  return {row_labels_.data() + row_begins_[row], row_begins_[row + 1] - row_begins_[row]};
}

bool Compiled::peer_matches(PeerRuleId rule, PeerId peer) const {
  const std::span<const std::uint32_t> words = peer_rules[rule.value()];
  const std::uint32_t id = peers[peer.value()][0];
  switch (words[0]) {
    case kAny:
      return true;
    case kIpBlock: {
      const std::uint32_t atom = peers[peer.value()][1];
      return atom != kNone && is_inside(ip_blocks[words[1]], atom);
    }
    default:
      return id != kNone && is_inside(namespace_sets[words[1]], classes[id][0]) &&
             selectors.matches(SelectorId(words[2]), labels_of(ClassId(id)));
  }
}

PortSetId Compiled::resolve(PortSpecId spec, NamedPortsId named) {
  const std::span<const std::uint32_t> words = port_specs[spec.value()];
  const PortSetId numbers(words[0]);
  if (words.size() == 1 || !named.is_valid()) {
    return numbers;  // towards an address that is no pod a name grants nothing
  }
  const std::uint64_t key = static_cast<std::uint64_t>(spec.value()) << 32 | named.value();
  if (const auto known = resolved_.find(key); known != resolved_.end()) {
    return known->second;
  }
  std::vector<PortSet::Range> ranges = port_sets[numbers].ranges;
  const std::span<const std::uint32_t> targets = named_ports[named.value()];
  for (std::size_t i = 1; i < words.size(); i += 2) {
    for (std::size_t t = 0; t < targets.size(); t += 2) {
      if (targets[t] == words[i] && targets[t + 1] >> 16 == words[i + 1]) {
        const auto number = static_cast<std::uint16_t>(targets[t + 1] & 0xffff);
        ranges.push_back({.protocol = static_cast<IpProtocol>(words[i + 1]), .first = number, .last = number});
      }
    }
  }
  const PortSetId set = port_sets.intern(PortSet::of(std::move(ranges)));
  resolved_.emplace(key, set);
  return set;
}

std::vector<PolicyIndex> Compiled::policies_of(GroupId group) const {
  std::vector<PolicyIndex> all;
  for (const std::uint32_t s : segments_of(group)) {
    all.insert(all.end(), segments[s].policies.begin(), segments[s].policies.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

NamedPortsId Compiled::names_for(GroupId group, PeerId peer) const {
  const Group& g = groups[group.index()];
  if (g.direction == Direction::ingress) {
    return g.named_ports;
  }
  const ClassId id = class_of(peer);
  return id.is_valid() ? names_of(id) : NamedPortsId();
}

PortSetId Compiled::ports_for(GroupId group, PeerId peer) {
  PortSetId ports = PortSets::kEmpty;
  const NamedPortsId named = names_for(group, peer);
  for (const std::uint32_t s : segments_of(group)) {
    for (const Grant& grant : segments[s].grants) {
      if (peer_matches(grant.peer, peer)) {
        ports = port_sets.unite(ports, resolve(grant.ports, named));
      }
    }
  }
  return ports;
}

std::size_t Compiled::memory_bytes() const {
  std::size_t bytes = selectors.memory_bytes() + atoms.memory_bytes() + port_sets.memory_bytes();
  for (const WordTable* table : {&namespace_sets, &ip_blocks, &peer_rules, &port_specs, &label_rows_, &named_ports,
                                 &classes, &peers, &group_contents}) {
    bytes += table->memory_bytes();
  }
  bytes += row_labels_.capacity() * sizeof(cluster::Label) + row_begins_.capacity() * sizeof(std::size_t);
  bytes += segments.capacity() * sizeof(Segment) + groups.capacity() * sizeof(Group);
  for (const Segment& segment : segments) {
    bytes += segment.policies.capacity() * sizeof(PolicyIndex) + segment.grants.capacity() * sizeof(Grant);
  }
  return bytes + view.pods.capacity() * sizeof(PodEntry) + resolved_.bucket_count() * 16;
}

}  // namespace podwire::policy
