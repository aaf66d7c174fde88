#include "models/policy/compiled.hpp"

#include <algorithm>

namespace podwire::policy {

namespace {

bool is_inside(std::span<const AddressRange> ranges, IpAddress address) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), address,
                                      [](IpAddress ip, const AddressRange& range) { return ip < range.first; });
  return after != ranges.begin() && address <= std::prev(after)->second;
}

}  // namespace

bool is_inside(std::span<const std::uint32_t> ranges, std::uint32_t value) {
  // The number of boundaries at or below the value is odd exactly inside a range.
  return (std::upper_bound(ranges.begin(), ranges.end(), value) - ranges.begin()) % 2 == 1;
}

std::uint32_t Compiled::intern_block(std::span<const AddressRange> ranges) {
  std::vector<std::uint32_t> words;
  for (const auto& [first, last] : ranges) {
    for (const std::uint64_t half : {first.high(), first.low(), last.high(), last.low()}) {
      words.push_back(static_cast<std::uint32_t>(half >> 32));
      words.push_back(static_cast<std::uint32_t>(half));
    }
  }
  const auto [id, is_new] = ip_blocks_.intern(words);
  if (is_new) {
    block_ranges_.insert(block_ranges_.end(), ranges.begin(), ranges.end());
    block_begins_.push_back(block_ranges_.size());
  }
  return id;
}

std::uint32_t Compiled::add_label_row(std::span<const cluster::Label> labels) {
  row_labels_.insert(row_labels_.end(), labels.begin(), labels.end());
  row_begins_.push_back(row_labels_.size());
  return static_cast<std::uint32_t>(row_begins_.size() - 2);
}

std::uint32_t Compiled::intern_labels(std::span<const std::uint32_t> words) {
  const auto [id, is_new] = selector_labels_.intern(words);
  if (is_new) {
    std::vector<cluster::Label> labels;
    for (std::size_t i = 0; i < words.size(); i += 2) {
      labels.push_back({cluster::StringId(words[i]), cluster::StringId(words[i + 1])});
    }
    selector_rows_.push_back(add_label_row(labels));
  }
  return selector_rows_[id];
}

bool Compiled::matches_service(std::span<const std::uint32_t> rule, std::span<const std::uint32_t> peer) const {
  if (peer.size() < 3) {
    return false;
  }
  const std::span<const std::uint32_t> service = services[peer[2]];
  return is_inside(namespace_sets[rule[1]], service[0]) &&
         selectors.matches(SelectorId(rule[2]), labels_of_row(service[1]));
}

bool Compiled::peer_matches(PeerRuleId rule, PeerId peer) const {
  const std::span<const std::uint32_t> words = peer_rules[rule.value()];
  const std::uint32_t id = peers[peer.value()][0];
  switch (words[0]) {
    case kAny:
      return true;
    case kNodes:
    case kIpBlock: {
      // A pod is no node, and where blocks do not match nodes a node is nothing else.
      const bool is_candidate = words[0] == kNodes ? id >= kNodeOnly : id != kNodeOnly;
      const std::uint32_t atom = peers[peer.value()][1];
      return is_candidate && atom != kNone && is_inside(ranges_of_block(words[1]), atom_starts[atom]);
    }
    case kStrangers:
      return id >= kNodeOnly;
    case kServices:
      return matches_service(words, peers[peer.value()]);
    default:
      return id < kNodeOnly && is_inside(namespace_sets[words[1]], classes[id].name_space) &&
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
      const std::uint32_t protocol = words[i + 1] & 0xffff;
      if (targets[t] == words[i] && targets[t + 1] >> 16 == protocol) {
        const auto number = static_cast<std::uint16_t>(targets[t + 1] & 0xffff);
        const auto last = static_cast<std::uint16_t>(words[i + 1] >> 16);
        ranges.push_back(
            {.protocol = static_cast<IpProtocol>(protocol), .first = number, .last = std::max(number, last)});
      }
    }
  }
  const PortSetId set = port_sets.intern(PortSet::of(std::move(ranges)));
  resolved_.emplace(key, set);
  return set;
}

NamedPortsId Compiled::names_for(GroupId group, PeerId peer) const {
  const Group& g = groups[group.index()];
  if (g.direction == Direction::ingress && !names_on_peers) {
    return g.named_ports;
  }
  return names_of_peer(peer);
}

std::span<const std::uint32_t> Compiled::segments_of(GroupId group, Tier tier) const {
  const Group& g = groups[group.index()];
  const std::span<const std::uint32_t> all = group_contents[g.content].subspan(2);
  return tier == Tier::admin ? all.first(g.admin_count) : all.subspan(g.admin_count + g.network_policy_count);
}

AllowedPorts Compiled::ports_for(GroupId group, PeerId peer) {
  PortSetId granted = PortSets::kEmpty;
  const NamedPortsId named = names_for(group, peer);
  for (const std::uint32_t s : segments_of(group)) {
    for (const Grant& grant : segments[s].grants) {
      if (peer_matches(grant.peer, peer)) {
        granted = port_sets.unite(granted, resolve(grant.ports, named));
      }
    }
  }
  return ports_for(group, peer, granted);
}

AllowedPorts Compiled::ports_for(GroupId group, PeerId peer, PortSetId granted) {
  const Group& g = groups[group.index()];
  if (!g.tiers.is_valid()) {
    return {granted, granted};
  }
  return combine(tier_ports(g.tiers, peer), g.is_isolated(), granted);
}

std::pair<TierPorts, TierPorts> Compiled::tier_ports(TierListId id, PeerId peer) {
  const TierList& list = tier_lists[id.index()];
  const NamedPortsId named = list.direction == Direction::egress ? names_of_peer(peer) : list.named_ports;
  const std::span<const std::uint32_t> words = tier_contents[list.content];
  const std::span<const std::uint32_t> ids = words.subspan(3);
  return {ports_of_tier(ids.first(words[2]), named, peer), ports_of_tier(ids.subspan(words[2]), named, peer)};
}

TierPorts Compiled::ports_of_tier(std::span<const std::uint32_t> segment_ids, NamedPortsId named, PeerId peer) {
  TierPorts result = {PortSets::kEmpty, PortSets::kEmpty, PortSets::kEmpty};
  // What has no place comes last in the list. It may be asked before the others or after them, so that what it takes
  // counts beside what they take, and only what both leave goes on.
  const bool has_both = segment_ids.size() > 1 && segments[segment_ids.back()].has_no_place();
  PortSetId rest = take_ports(has_both ? segment_ids.first(segment_ids.size() - 1) : segment_ids, named, peer, result);
  if (has_both) {
    rest = port_sets.intersect(rest, take_ports(segment_ids.last(1), named, peer, result));
  }
  result.pass = port_sets.unite(result.pass, rest);
  return result;
}

/// Rules top-down, policies by priority: what a rule matches is taken from what the later ones see. Policies of one
/// priority see the same, and what they take counts together.
PortSetId Compiled::take_ports(std::span<const std::uint32_t> segment_ids, NamedPortsId named, PeerId peer,
                               TierPorts& result) {
  PortSetId rest = PortSets::kAll;           // of earlier priorities
  PortSetId rest_of_level = PortSets::kAll;  // what no policy of this priority has taken
  for (std::size_t i = 0; i < segment_ids.size() && rest != PortSets::kEmpty; ++i) {
    const Segment& segment = segments[segment_ids[i]];
    PortSetId seen = rest;
    for (const Grant& grant : segment.grants) {
      if (seen == PortSets::kEmpty) {
        break;
      }
      if (!peer_matches(grant.peer, peer)) {
        continue;
      }
      const PortSetId ports = port_sets.intersect(resolve(grant.ports, named), seen);
      PortSetId& sum = grant.action == RuleAction::allow  ? result.allow
                       : grant.action == RuleAction::deny ? result.deny
                                                          : result.pass;
      sum = port_sets.unite(sum, ports);
      if (!grant.is_uncertain) {
        seen = port_sets.intersect(seen, port_sets.complement(ports));
      }
    }
    rest_of_level = port_sets.intersect(rest_of_level, seen);
    if (i + 1 == segment_ids.size() || segments[segment_ids[i + 1]].priority != segment.priority) {
      rest = rest_of_level;
    }
  }
  return rest_of_level;
}

AllowedPorts Compiled::after(const TierPorts& tier, const AllowedPorts& rest) {
  const PortSetId may_allow = port_sets.unite(tier.allow, port_sets.intersect(tier.pass, rest.possible));
  const PortSetId may_deny =
      port_sets.unite(tier.deny, port_sets.intersect(tier.pass, port_sets.complement(rest.certain)));
  return {.certain = port_sets.complement(may_deny), .possible = may_allow};
}

AllowedPorts Compiled::combine(const std::pair<TierPorts, TierPorts>& tiers, bool is_isolated, PortSetId granted) {
  return after(tiers.first, is_isolated ? AllowedPorts{granted, granted} : after(tiers.second, {}));
}

std::size_t Compiled::memory_bytes() const {
  std::size_t bytes = selectors.memory_bytes() + port_sets.memory_bytes();
  for (const WordTable* table : {&namespace_sets, &ip_blocks_, &peer_rules, &port_specs, &selector_labels_,
                                 &named_ports, &services, &peers, &group_contents, &tier_contents}) {
    bytes += table->memory_bytes();
  }
  bytes += selector_rows_.capacity() * 4 + block_ranges_.capacity() * sizeof(AddressRange) +
           block_begins_.capacity() * sizeof(std::size_t) + atom_starts.capacity() * sizeof(IpAddress);
  bytes += row_labels_.capacity() * sizeof(cluster::Label) + row_begins_.capacity() * sizeof(std::size_t) +
           classes.capacity() * sizeof(PodClass) + is_key_read.capacity() / 8;
  bytes += segments.capacity() * sizeof(Segment) + groups.capacity() * sizeof(Group) +
           tier_lists.capacity() * sizeof(TierList);
  for (const Segment& segment : segments) {
    bytes += segment.policies.capacity() * sizeof(PolicyNumber) + segment.grants.capacity() * sizeof(Grant);
  }
  return bytes + resolved_.bucket_count() * 16;
}

}  // namespace podwire::policy
