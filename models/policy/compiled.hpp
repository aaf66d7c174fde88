// What PolicyEngine compiles a policy set into, and the questions that need no memo.
//
//   policy ─ subject selector ─→ segment (policies of one namespace and direction with one subject selector)
//     └ rules → grants (peer rule, port spec, policy, rule), deduplicated within the segment
//   pod shape ─→ class ─→ group per direction = its segments (+ the class's named ports where ingress needs them)
//   address ─→ atom;  peer = (class, atom)
//   (group, peer) ─→ matching grants ─→ port map or port set
//
// All content is hash-consed, ids are never reused, and nothing here is as large as classes × classes: memory is
// O(pods + classes × segments that select each + rules). The View alone says what is the case now (pod → peer and
// groups); a change in time replaces entries of the View and adds content. Tiers: a group's segments are NetworkPolicy
// ones; an admin tier is evaluated before and a baseline tier after them, in add_grants(), and takes part in a group's
// identity by its segments.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <span>
#include <vector>

#include "models/policy/atoms.hpp"
#include "models/policy/engine.hpp"
#include "models/policy/port_set.hpp"
#include "models/policy/selector_table.hpp"
#include "models/policy/word_table.hpp"

namespace podwire::policy {

using PeerRuleId = Id<struct PeerRuleTag>;
using PortSpecId = Id<struct PortSpecTag>;
using SegmentId = Id<struct SegmentTag>;
using NamedPortsId = Id<struct NamedPortsTag>;

/// "Peers that match `peer` may talk on `ports`", with the rule that says so.
struct Grant {
  PeerRuleId peer;
  PortSpecId ports;
  PolicyIndex policy;
  std::uint16_t rule = 0;
};

struct Segment {
  Direction direction = Direction::ingress;
  cluster::NamespaceId name_space;
  SelectorId subject;
  bool uses_named_ports = false;
  std::vector<PolicyIndex> policies;  // ascending
  std::vector<Grant> grants;          // by (policy, rule); of equal (peer, ports) the least
};

struct Group {
  Direction direction = Direction::ingress;
  NamedPortsId named_ports;   // of the subject, where ingress rules use names; none otherwise
  PolicyIndex first_policy;   // the least isolating one
  std::uint32_t content = 0;  // in group_contents: direction, named ports, segments
};

/// A pod in the View.
struct PodEntry {
  PeerId peer;
  GroupId ingress;  // none: not isolated
  GroupId egress;
  bool is_stranger = false;      // neither subject nor selector peer: its address is all that counts
  bool is_node_traffic = false;  // a hostNetwork pod that counts as its node
  GroupId group(Direction d) const { return d == Direction::ingress ? ingress : egress; }
  auto operator<=>(const PodEntry&) const = default;
};

/// What is the case at one time.
struct View {
  std::vector<PodEntry> pods;  // by PodId
};

class Compiled {
 public:
  Compiled(const cluster::Cluster& cluster, const PolicySet& policies, const cni::PolicySemantics& semantics,
           const DomainTable* names);

  // Content.
  SelectorTable selectors;
  Atoms atoms;
  WordTable namespace_sets;  // [first, last) pairs
  WordTable ip_blocks;       // [first, last) pairs of atoms
  WordTable peer_rules;      // kind, then kAny: nothing; kIpBlock: ip block; kPods: namespace set, selector
  WordTable port_specs;      // PortSetId of the numbers, then (name, protocol) pairs
  WordTable named_ports;     // (name, protocol << 16 | number) pairs
  WordTable classes;         // namespace, label row, named ports
  WordTable peers;           // class, atom; either may be none
  WordTable group_contents;
  std::vector<Segment> segments;
  std::vector<Group> groups;
  PortSets port_sets;
  View view;

  enum PeerKind : std::uint32_t { kAny, kIpBlock, kPods };
  static constexpr std::uint32_t kNone = 0xffff'ffff;

  bool peer_matches(PeerRuleId rule, PeerId peer) const;
  /// The ports of a spec where `named` says what names stand for.
  PortSetId resolve(PortSpecId spec, NamedPortsId named);
  bool has_names(PortSpecId spec) const { return port_specs[spec.value()].size() > 1; }
  std::span<const std::uint32_t> segments_of(GroupId group) const {
    return group_contents[groups[group.index()].content].subspan(2);
  }
  /// Every policy of the group, ascending.
  std::vector<PolicyIndex> policies_of(GroupId group) const;
  /// The named ports that count for a group and a peer: the destination's.
  NamedPortsId names_for(GroupId group, PeerId peer) const;
  ClassId class_of(PeerId peer) const { return ClassId(peers[peer.value()][0]); }
  NamedPortsId names_of(ClassId id) const { return NamedPortsId(classes[id.value()][2]); }
  std::span<const cluster::Label> labels_of(ClassId id) const;
  /// The row of these (key, value) pairs, sorted by key.
  std::uint32_t intern_labels(std::span<const std::uint32_t> words);
  /// The peer of an address that is no pod's.
  PeerId peer_at(IpAddress ip) const { return PeerId(atoms.atom_of(ip).value()); }
  /// The ports that `group` lets `peer` have; evaluates the rules.
  PortSetId ports_for(GroupId group, PeerId peer);
  std::size_t memory_bytes() const;

 private:
  WordTable label_rows_;  // key, value pairs: labels under the keys that selectors read
  std::vector<cluster::Label> row_labels_;
  std::vector<std::size_t> row_begins_ = {0};                     // one more than there are rows
  boost::unordered_flat_map<std::uint64_t, PortSetId> resolved_;  // spec << 32 | named ports
};

}  // namespace podwire::policy
