#include "models/policy/port_rows.hpp"

#include <algorithm>

#include "models/policy/read_keys.hpp"

namespace podwire::policy {

namespace {

constexpr std::uint32_t kNone = Compiled::kNone;
/// Stands for "more than a few namespaces" in the index of rules.
constexpr std::uint32_t kManyNamespaces = 0xffff'fffe;
constexpr std::uint32_t kFewNamespaces = 32;

}  // namespace

PortRows::PortRows(PolicyEngine& engine) : compiled_(engine.compiled()), addresses_(*engine.view().addresses) {
  has_tiers_ = !compiled_.tier_lists.empty();
  index_peers();
  index_rules();
  index_groups();
  to_peer_.assign(compiled_.peers.size(), PortSets::kEmpty);
}

void PortRows::index_peers() {
  for (std::uint32_t p = 0; p < compiled_.peers.size(); ++p) {
    const std::uint32_t number = compiled_.peers[p][1];
    if (compiled_.is_stranger(PeerId(p))) {
      const bool is_address = compiled_.peers[p][0] == kNone && number != kNone;
      stranger_peers_.emplace_back(
          PeerId(p), is_address ? addresses_.atoms.atom_of(compiled_.atom_starts[number]).value() : kNone);
      continue;
    }
    const ClassId id = compiled_.class_of(PeerId(p));
    const std::uint32_t name_space = compiled_.classes[id.index()].name_space;
    peer_index_.add({}, name_space, p);
    compiled_.for_each_read_label(id, [&](const cluster::Label& label) {
      peer_index_.add(label, name_space, p);
      peer_counts_.add(label);
    });
    if (number != kNone) {
      pods_by_atom_.emplace_back(compiled_.atom_starts[number], PeerId(p));
    }
  }
  peer_index_.finish();
  std::sort(pods_by_atom_.begin(), pods_by_atom_.end());
}

void PortRows::index_rules() {
  for (std::uint32_t r = 0; r < compiled_.peer_rules.size(); ++r) {
    const std::span<const std::uint32_t> words = compiled_.peer_rules[r];
    if (words[0] == Compiled::kIpBlock) {
      block_rules_.emplace_back(r);
    } else if (words[0] == Compiled::kPods) {
      const std::span<const std::uint32_t> spaces = compiled_.namespace_sets[words[1]];
      const bool is_of_few = size_of_ranges(spaces) <= kFewNamespaces;
      std::vector<cluster::Label> entrances = compiled_.selectors.entrances(SelectorId(words[2]), peer_counts_);
      if (entrances.empty()) {
        entrances.emplace_back();
      }
      // Under each namespace where they are few: thousands of teams may all ask for the same `app` in their own.
      for (const cluster::Label& label : entrances) {
        if (!is_of_few) {
          rule_index_.add(label, kManyNamespaces, r);
        }
        for (std::size_t i = 0; is_of_few && i < spaces.size(); i += 2) {
          for (std::uint32_t n = spaces[i]; n < spaces[i + 1]; ++n) {
            rule_index_.add(label, n, r);
          }
        }
      }
    }
  }
  rule_index_.finish();
}

void PortRows::index_groups() {
  uses_by_rule_.resize(compiled_.peer_rules.size());
  groups_by_segment_.resize(compiled_.segments.size());
  from_anyone_.assign(compiled_.groups.size(), PortSets::kEmpty);
  for (std::size_t s = 0; s < compiled_.segments.size(); ++s) {
    const Segment& segment = compiled_.segments[s];
    if (segment.direction == Direction::ingress && segment.tier == Tier::network_policy) {
      for (const Grant& grant : segment.grants) {
        uses_by_rule_[grant.peer.index()].push_back({.segment = SegmentId(s), .ports = grant.ports});
      }
    }
  }
  for (std::size_t g = 0; g < compiled_.groups.size(); ++g) {
    const Group& group = compiled_.groups[g];
    if (group.direction != Direction::ingress) {
      continue;
    }
    for (const std::uint32_t s : compiled_.segments_of(GroupId(g))) {
      groups_by_segment_[s].emplace_back(g);
      for (const Grant& grant : compiled_.segments[s].grants) {
        if (compiled_.peer_rules[grant.peer.value()][0] == Compiled::kAny) {
          from_anyone_[g] =
              compiled_.port_sets.unite(from_anyone_[g], compiled_.resolve(grant.ports, own_names(group)));
          if (compiled_.names_on_peers && compiled_.has_names(grant.ports)) {
            names_from_anyone_.emplace_back(GroupId(g), grant.ports);
          }
        }
      }
    }
  }
  from_source_ = from_anyone_;
}

/// Every rule but those without peers.
template <class Visit>
void PortRows::for_each_matching_rule(PeerId peer, Visit visit) const {
  for (const PeerRuleId rule : block_rules_) {
    if (compiled_.peer_matches(rule, peer)) {
      visit(rule);
    }
  }
  const ClassId id = compiled_.class_of(peer);
  if (!id.is_valid()) {
    return;
  }
  const std::uint32_t name_space = compiled_.classes[id.index()].name_space;
  const auto consider = [&](std::uint32_t, std::uint32_t rule) {
    if (compiled_.peer_matches(PeerRuleId(rule), peer)) {
      visit(PeerRuleId(rule));
    }
  };
  const auto look_under = [&](const cluster::Label& label) {
    rule_index_.for_each(label, name_space, name_space + 1, consider);
    rule_index_.for_each(label, kManyNamespaces, kManyNamespaces + 1, consider);
  };
  look_under({});
  compiled_.for_each_read_label(id, look_under);
}

void PortRows::add_from_rule(PeerRuleId rule) {
  for (const Use& use : uses_by_rule_[rule.index()]) {
    for (const GroupId group : groups_by_segment_[use.segment.index()]) {
      add_from(group, use.ports);
    }
  }
}

void PortRows::add_from(GroupId group, PortSpecId spec) {
  PortSetId& ports = from_source_[group.index()];
  const PortSetId added = compiled_.resolve(spec, compiled_.names_for(group, source_));
  const PortSetId both = compiled_.port_sets.unite(ports, added);
  if (both != ports) {
    ports = both;
    touched_groups_.push_back(group);
  }
}

void PortRows::load_source(PeerId source) {
  if (source == source_) {
    return;
  }
  source_ = source;
  for (const GroupId group : touched_groups_) {
    from_source_[group.index()] = from_anyone_[group.index()];
  }
  touched_groups_.clear();
  for_each_matching_rule(source, [this](PeerRuleId rule) { add_from_rule(rule); });
  for (const auto& [group, ports] : names_from_anyone_) {
    add_from(group, ports);
  }
}

template <class Visit>
void PortRows::for_each_matching_pod_peer(PeerRuleId rule, Visit visit) const {
  const std::span<const std::uint32_t> words = compiled_.peer_rules[rule.value()];
  if (words[0] == Compiled::kIpBlock) {
    for (const auto& [first, last] : compiled_.ranges_of_block(words[1])) {
      auto at = std::lower_bound(pods_by_atom_.begin(), pods_by_atom_.end(), std::pair(first, PeerId(0u)));
      for (; at != pods_by_atom_.end() && at->first <= last; ++at) {
        visit(at->second);
      }
    }
    return;
  }
  const SelectorId selector(words[2]);
  const std::span<const std::uint32_t> spaces = compiled_.namespace_sets[words[1]];
  std::vector<cluster::Label> entrances = compiled_.selectors.entrances(selector, peer_counts_);
  if (entrances.empty()) {
    entrances.emplace_back();
  }
  for (const cluster::Label& label : entrances) {
    for (std::size_t i = 0; i < spaces.size(); i += 2) {
      peer_index_.for_each(label, spaces[i], spaces[i + 1], [&](std::uint32_t, std::uint32_t peer) {
        if (compiled_.selectors.matches(selector, compiled_.labels_of(compiled_.class_of(PeerId(peer))))) {
          visit(PeerId(peer));
        }
      });
    }
  }
}

void PortRows::add_named_peers(GroupId group, std::vector<PeerId>& peers) const {
  for (const std::uint32_t s : compiled_.segments_of(group)) {
    for (const Grant& grant : compiled_.segments[s].grants) {
      if (compiled_.peer_rules[grant.peer.value()][0] != Compiled::kAny) {
        for_each_matching_pod_peer(grant.peer, [&](PeerId peer) { peers.push_back(peer); });
      }
    }
  }
}

void PortRows::load_egress(GroupId group) {
  if (group == egress_) {
    return;
  }
  egress_ = group;
  for (const PeerId peer : touched_peers_) {
    to_peer_[peer.index()] = PortSets::kEmpty;
  }
  touched_peers_.clear();
  to_anyone_ = PortSets::kEmpty;
  named_to_anyone_.clear();
  const std::span<const PortSetId> strangers = granted_to_strangers(group);
  for (const auto& [peer, atom] : stranger_peers_) {
    to_peer_[peer.index()] = atom == kNone ? for_anyone_ : strangers[atom];
  }
  for (const std::uint32_t s : compiled_.segments_of(group)) {
    for (const Grant& grant : compiled_.segments[s].grants) {
      const std::uint32_t kind = compiled_.peer_rules[grant.peer.value()][0];
      if (kind == Compiled::kServices) {
        continue;  // the rows are about what is dialled as what it is
      }
      if (kind != Compiled::kAny) {
        for_each_matching_pod_peer(grant.peer, [&](PeerId peer) {
          PortSetId& ports = to_peer_[peer.index()];
          if (ports == PortSets::kEmpty) {
            touched_peers_.push_back(peer);
          }
          const PortSetId added = compiled_.resolve(grant.ports, compiled_.names_of(compiled_.class_of(peer)));
          ports = compiled_.port_sets.unite(ports, added);
        });
      } else if (compiled_.has_names(grant.ports)) {
        named_to_anyone_.push_back(grant.ports);
      } else {
        to_anyone_ = compiled_.port_sets.unite(to_anyone_, compiled_.resolve(grant.ports, {}));
      }
    }
  }
}

PortSetId PortRows::with_anyone(PeerId peer, PortSetId granted) {
  granted = compiled_.port_sets.unite(granted, to_anyone_);
  const NamedPortsId names = compiled_.names_of_peer(peer);
  for (const PortSpecId spec : named_to_anyone_) {
    granted = compiled_.port_sets.unite(granted, compiled_.resolve(spec, names));
  }
  return granted;
}

AllowedPorts PortRows::with_tiers(GroupId group, PeerId peer, PortSetId granted, Remembered& memo) {
  const Group& g = compiled_.groups[group.index()];
  if (!g.tiers.is_valid()) {
    return {granted, granted};
  }
  const bool is_by_list = &memo == &source_tiers_;
  const std::uint32_t owner = is_by_list ? peer.value() : g.tiers.value();
  const std::size_t index = is_by_list ? g.tiers.index() : peer.index();
  if (memo.owner != owner) {
    memo.owner = owner;
    ++memo.round;
  }
  if (memo.stamps.size() <= index) {
    memo.stamps.resize(is_by_list ? compiled_.tier_lists.size() : compiled_.peers.size(), 0);
    memo.tiers.resize(memo.stamps.size());
  }
  if (memo.stamps[index] != memo.round) {
    memo.stamps[index] = memo.round;
    memo.tiers[index] = compiled_.tier_ports(g.tiers, peer);
  }
  return compiled_.combine(memo.tiers[index], g.is_isolated(), granted);
}

std::span<const AllowedPorts> PortRows::stranger_ports(GroupId group) {
  const std::span<const PortSetId> granted = granted_to_strangers(group);
  stranger_ports_.clear();
  for (std::uint32_t p = 0; p < granted.size(); ++p) {
    stranger_ports_.push_back(compiled_.ports_for(group, addresses_.strangers[p], granted[p]));
  }
  return stranger_ports_;
}

std::span<const PortSetId> PortRows::granted_to_strangers(GroupId id) {
  const Group& group = compiled_.groups[id.index()];
  for_anyone_ = PortSets::kEmpty;
  strangers_.assign(addresses_.atoms.size(), PortSets::kEmpty);
  for (const std::uint32_t s : compiled_.segments_of(id)) {
    for (const Grant& grant : compiled_.segments[s].grants) {
      const std::span<const std::uint32_t> words = compiled_.peer_rules[grant.peer.value()];
      const PortSetId ports = compiled_.resolve(grant.ports, own_names(group));
      if (words[0] == Compiled::kAny) {
        for_anyone_ = compiled_.port_sets.unite(for_anyone_, ports);
      } else if (words[0] == Compiled::kIpBlock) {
        for (const auto& [first, last] : compiled_.ranges_of_block(words[1])) {
          const std::uint32_t end = addresses_.atoms.atom_of(last).value();
          for (std::uint32_t atom = addresses_.atoms.atom_of(first).value(); atom <= end; ++atom) {
            strangers_[atom] = compiled_.port_sets.unite(strangers_[atom], ports);
          }
        }
      }
    }
  }
  for (PortSetId& ports : strangers_) {
    ports = compiled_.port_sets.unite(ports, for_anyone_);
  }
  return strangers_;
}

}  // namespace podwire::policy
