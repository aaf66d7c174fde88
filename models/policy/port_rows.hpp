// Ports of many pairs at once, for reach: what one source gets from every ingress group, and what one egress group
// gives to every peer. Works from the matching side (labels → rules → groups), so that the cost is that of the matches,
// not of groups × peers, and keeps one row of each kind: nothing quadratic is stored.
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
  PortSetId ingress_ports(GroupId group) const { return from_source_[group.index()]; }

  /// Makes `group` the one that egress_ports() is about.
  void load_egress(GroupId group);
  /// What the loaded egress group lets its pods have at `peer`.
  PortSetId egress_ports(PeerId peer) const { return to_peer_[peer.index()]; }

  /// What a group of either direction lets addresses of no pod have, by atom; valid until the next call.
  std::span<const PortSetId> stranger_ports(GroupId group);

  Compiled& compiled() { return compiled_; }

 private:
  struct Use {  // of a peer rule, by an ingress segment
    SegmentId segment;
    PortSpecId ports;
  };
  void index_rules();
  void index_groups();
  void index_peers();
  template <class Visit>
  void for_each_matching_rule(PeerId peer, Visit visit) const;
  template <class Visit>
  void for_each_matching_pod_peer(PeerRuleId rule, Visit visit) const;
  void add_from_rule(PeerRuleId rule);

  Compiled& compiled_;
  std::uint32_t stranger_count_ = 0;  // peers below this are strangers

  // Ingress: peer → rules → segments → groups.
  LabelIndex rule_index_;
  std::vector<PeerRuleId> block_rules_;
  std::vector<std::vector<Use>> uses_by_rule_;
  std::vector<std::vector<GroupId>> groups_by_segment_;
  std::vector<PortSetId> from_anyone_;  // by group: what rules without peers grant
  std::vector<PortSetId> from_source_;
  std::vector<GroupId> touched_groups_;
  PeerId source_;

  // Egress: group → rules → peers.
  LabelIndex peer_index_;
  LabelCounts peer_counts_;
  std::vector<std::pair<std::uint32_t, PeerId>> pods_by_atom_;  // sorted
  std::vector<PortSetId> to_peer_;
  GroupId egress_;

  std::vector<PortSetId> strangers_;
};

}  // namespace podwire::policy
