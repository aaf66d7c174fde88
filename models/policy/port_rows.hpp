// Ports of many pairs at once, for reach: what one source gets from every ingress group, and what one egress group
// gives to every peer. Works from the matching side (labels → rules → groups), so that the cost is that of the matches,
// not of groups × peers, and keeps one row of each kind: nothing quadratic is stored. What NetworkPolicies grant is
// found so; the other tiers are evaluated once a (tier list, peer), of which there are few.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "models/policy/compiled.hpp"
#include "models/policy/engine.hpp"

namespace podwire::policy {

class PortRows {
 public:
  /// Builds the indexes: O(peers × labels + rules + groups). The engine must outlive the rows.
  explicit PortRows(PolicyEngine& engine);

  /// Makes `source` the peer that ingress_ports() is about.
  void load_source(PeerId source);
  /// What the ingress group lets the loaded source have.
  AllowedPorts ingress_ports(GroupId group) {
    const PortSetId granted = from_source_[group.index()];
    return has_tiers_ ? with_tiers(group, source_, granted, source_tiers_) : AllowedPorts{granted, granted};
  }

  /// Makes `group` the one that egress_ports() is about.
  void load_egress(GroupId group);
  /// What the loaded egress group lets its pods have at `peer`.
  AllowedPorts egress_ports(PeerId peer) {
    PortSetId granted = to_peer_[peer.index()];
    if (given_to_anyone() != PortSets::kEmpty) {
      granted = with_anyone(peer, granted);
    }
    return has_tiers_ ? with_tiers(egress_, peer, granted, peer_tiers_) : AllowedPorts{granted, granted};
  }

  // Where something can be found, before tiers of admin policies: everywhere else nothing is granted.
  /// What rules without peers may give the loaded egress group at everyone's; rules with peers give something at
  /// peers_touched() and strangers only.
  PortSetId given_to_anyone() const { return named_to_anyone_.empty() ? to_anyone_ : PortSets::kAll; }
  std::span<const PeerId> peers_touched() const { return touched_peers_; }
  /// The ingress groups whose rules with peers let the loaded source in; repeated where several do.
  std::span<const GroupId> groups_touched() const { return touched_groups_; }
  /// What rules without peers let everyone have.
  PortSetId granted_to_anyone(GroupId group) const { return from_anyone_[group.index()]; }

  /// What a group of either direction lets addresses of no pod have, by atom; valid until the next call.
  std::span<const AllowedPorts> stranger_ports(GroupId group);

  /// Adds the pods' peers that rules with peers of the group's NetworkPolicies match, of either direction; repeated
  /// where several rules do.
  void add_named_peers(GroupId group, std::vector<PeerId>& peers) const;

  Compiled& compiled() { return compiled_; }

 private:
  struct Use {  // of a peer rule, by an ingress segment
    SegmentId segment;
    PortSpecId ports;
  };
  /// What the tiers of lists do to one peer, or those of one list to peers: remembered until the other changes.
  struct Remembered {
    std::uint32_t owner = Compiled::kNone;
    std::vector<std::uint32_t> stamps;  // by list or peer; current when equal to `round`
    std::vector<std::pair<TierPorts, TierPorts>> tiers;
    std::uint32_t round = 0;
  };
  PortSetId with_anyone(PeerId peer, PortSetId granted);
  AllowedPorts with_tiers(GroupId group, PeerId peer, PortSetId granted, Remembered& memo);
  std::span<const PortSetId> granted_to_strangers(GroupId group);
  void index_rules();
  void index_groups();
  void index_peers();
  template <class Visit>
  void for_each_matching_rule(PeerId peer, Visit visit) const;
  template <class Visit>
  void for_each_matching_pod_peer(PeerRuleId rule, Visit visit) const;
  void add_from_rule(PeerRuleId rule);
  void add_from(GroupId group, PortSpecId ports);
  /// The subject's named ports, as far as rules of NetworkPolicies mean them.
  NamedPortsId own_names(const Group& group) const {
    return compiled_.names_on_peers ? NamedPortsId() : group.named_ports;
  }

  Compiled& compiled_;
  const Addresses& addresses_;
  std::vector<std::pair<PeerId, std::uint32_t>> stranger_peers_;  // with the atom, none for nodes that are no addresses

  // Ingress: peer → rules → segments → groups.
  LabelIndex rule_index_;
  std::vector<PeerRuleId> block_rules_;
  std::vector<std::vector<Use>> uses_by_rule_;
  std::vector<std::vector<GroupId>> groups_by_segment_;
  std::vector<PortSetId> from_anyone_;                             // by group: what rules without peers grant
  std::vector<std::pair<GroupId, PortSpecId>> names_from_anyone_;  // such rules with names that the source resolves
  std::vector<PortSetId> from_source_;
  std::vector<GroupId> touched_groups_;
  PeerId source_;

  // Egress: group → rules → peers.
  LabelIndex peer_index_;
  LabelCounts peer_counts_;
  std::vector<std::pair<IpAddress, PeerId>> pods_by_atom_;  // by the start of the atom, sorted
  std::vector<PortSetId> to_peer_;                          // by rules with peers
  std::vector<PeerId> touched_peers_;
  PortSetId to_anyone_ = PortSets::kEmpty;   // by rules without peers
  std::vector<PortSpecId> named_to_anyone_;  // such rules with names, which the destination resolves
  GroupId egress_;

  std::vector<PortSetId> strangers_;  // by atom
  PortSetId for_anyone_;              // what rules without peers give to strangers
  std::vector<AllowedPorts> stranger_ports_;

  bool has_tiers_ = false;
  Remembered source_tiers_;  // by tier list, of the loaded source
  Remembered peer_tiers_;    // by peer, of one egress tier list
};

}  // namespace podwire::policy
