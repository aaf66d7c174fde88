// What PolicyEngine compiles a policy set into, and the questions that need no memo.
//
//   NetworkPolicy ─ subject selector ─→ segment (policies of one namespace and direction with one subject selector)
//   admin policy ─→ a segment of its own per direction
//     └ rules → grants (peer rule, port spec, policy, rule, action); of NetworkPolicies deduplicated within the segment
//   pod shape ─→ class ─→ group per direction = its segments in the order of evaluation (+ the class's named ports
//                         where ingress needs them)
//   address ─→ atom;  peer = (class, atom)
//   (group, peer) ─→ matching grants ─→ port map or port sets
//
// All content is hash-consed, ids are never reused, and nothing here is as large as classes × classes: memory is
// O(pods + classes × segments that select each + rules). Views alone say what is the case (view.hpp); a change in time
// makes another View and adds content. A group lists its segments in the order of evaluation (admin tier by priority,
// NetworkPolicies, baseline tier). A tier list is what groups have in common but for their NetworkPolicies: few, where
// groups are many. A number of an atom stands for the address it begins at: an atom that a new boundary splits keeps
// its number for the lower part, and whatever was found out about it stays true.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "models/policy/engine.hpp"
#include "models/policy/port_set.hpp"
#include "models/policy/selector_table.hpp"
#include "models/policy/view.hpp"
#include "models/policy/word_table.hpp"

namespace podwire::policy {

using PeerRuleId = Id<struct PeerRuleTag>;
using PortSpecId = Id<struct PortSpecTag>;
using SegmentId = Id<struct SegmentTag>;
using NamedPortsId = Id<struct NamedPortsTag>;
using TierListId = Id<struct TierListTag>;

/// "Peers that match `peer` may (or, in an admin tier, shall or shall not) talk on `ports`", with the rule that says
/// so.
struct Grant {
  PeerRuleId peer;
  PortSpecId ports;
  PolicyNumber policy;
  std::uint16_t rule = 0;
  RuleAction action = RuleAction::allow;
  bool is_uncertain = false;  // whether the peer matches is not known (an unresolved domain name)
  bool operator==(const Grant&) const = default;
};

struct Segment {
  Direction direction = Direction::ingress;
  Tier tier = Tier::network_policy;
  std::uint16_t priority = 0;       // of an admin policy
  cluster::NamespaceId name_space;  // of NetworkPolicies
  std::uint32_t namespaces = 0;     // of an admin policy's subject, a namespace set
  SelectorId subject;
  bool uses_named_ports = false;
  /// Whether where it stands among the tier's others is not known: a BaselineAdminNetworkPolicy.
  bool has_no_place() const { return priority == kBaselinePriority; }
  std::vector<PolicyNumber> policies;  // in the order of their names
  std::vector<Grant> grants;           // in the order of (policy, rule); of a NetworkPolicy's equal (peer, ports) the
                                       // least
  bool operator==(const Segment&) const = default;
};

struct Group {
  Direction direction = Direction::ingress;
  NamedPortsId named_ports;                // of the subject, where ingress rules use names; none otherwise
  PolicyNumber first_policy;               // the least isolating one; none: NetworkPolicies do not isolate
  std::uint32_t content = 0;               // in group_contents: direction, named ports, segments
  std::uint32_t admin_count = 0;           // segments of the admin tier, which come first
  std::uint32_t network_policy_count = 0;  // segments of NetworkPolicies, which come next
  TierListId tiers;                        // none: no segments of other tiers
  bool is_isolated() const { return network_policy_count > 0; }
};

/// The segments of the admin and baseline tiers that groups share.
struct TierList {
  Direction direction = Direction::ingress;
  NamedPortsId named_ports;   // as of a group, where these segments use names
  std::uint32_t content = 0;  // in tier_contents: direction, named ports, number of admin segments, segments
};

/// What a tier may do, by port; every port is in one of the sets, in several where the policies leave it open.
struct TierPorts {
  PortSetId allow, deny, pass;
};

/// Ports that are allowed for sure, and those that may be; they differ where a verdict is unknown.
struct AllowedPorts {
  PortSetId certain = PortSets::kAll;
  PortSetId possible = PortSets::kAll;
};

/// Pods that nothing which is read tells apart, described by one of them, the model: its labels and named ports, read
/// or not. A key that is read later splits the class only if its pods differ under it; what agrees with the model
/// stays.
struct PodClass {
  std::uint32_t name_space = 0;
  std::uint32_t label_row = 0;
  NamedPortsId named_ports;
};

/// Whether `value` lies in one of the ordered [first, last) pairs.
bool is_inside(std::span<const std::uint32_t> ranges, std::uint32_t value);

class Compiled {
 public:
  // Content.
  SelectorTable selectors;
  WordTable namespace_sets;  // [first, last) pairs
  WordTable peer_rules;      // kind, then kAny, kStrangers: nothing; kIpBlock, kNodes: ip block; kPods, kServices:
                             // namespace set, selector
  WordTable port_specs;      // PortSetId of the numbers, then (name, protocol, and << 16 the port up to which it goes
                             // or 0) pairs
  WordTable named_ports;     // (name, protocol << 16 | number) pairs
  WordTable services;        // namespace, label row of its selector, the ports that rules of kServices open: as names
  WordTable peers;           // class, number of the atom; either may be none. Of a Service's address no class, and its
                             // number in `services`
  WordTable group_contents;
  WordTable tier_contents;
  std::vector<PodClass> classes;
  std::vector<bool> is_key_read;  // by string: some selector reads labels under it
  std::vector<Segment> segments;
  std::vector<Group> groups;
  std::vector<TierList> tier_lists;
  PortSets port_sets;
  std::vector<IpAddress> atom_starts;  // by number
  PeerId no_address;                   // a stranger that nothing by address matches
  bool names_on_peers = false;         // names in ingress rules are resolved on the other end

  enum PeerKind : std::uint32_t {
    kAny,
    kIpBlock,
    kPods,
    kNodes,      // addresses of a block that are no pod's
    kStrangers,  // every address that is no pod's
    kServices,   // addresses of Services that are seen as such, by the Service's own selector
  };
  /// Set in a name of port_specs and named_ports that stands for a rule's port as Services have it.
  static constexpr std::uint32_t kServiceName = 0x8000'0000;
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  /// Stands for the class of a node that ipBlocks do not match.
  static constexpr std::uint32_t kNodeOnly = 0xffff'fffe;

  bool peer_matches(PeerRuleId rule, PeerId peer) const;
  /// The ports of a spec where `named` says what names stand for.
  PortSetId resolve(PortSpecId spec, NamedPortsId named);
  bool has_names(PortSpecId spec) const { return port_specs[spec.value()].size() > 1; }
  /// The segments of NetworkPolicies.
  std::span<const std::uint32_t> segments_of(GroupId group) const {
    const Group& g = groups[group.index()];
    return group_contents[g.content].subspan(2 + g.admin_count, g.network_policy_count);
  }
  /// The segments of another tier, in the order of evaluation.
  std::span<const std::uint32_t> segments_of(GroupId group, Tier tier) const;
  /// The named ports that count for a group and a peer: the destination's, or the peer's with names_on_peers.
  NamedPortsId names_for(GroupId group, PeerId peer) const;
  /// Those of the peer; none where it is no pod.
  NamedPortsId names_of_peer(PeerId peer) const {
    const std::span<const std::uint32_t> words = peers[peer.value()];
    if (words.size() > 2) {
      return NamedPortsId(services[words[2]][2]);
    }
    return words[0] < kNodeOnly ? names_of(ClassId(words[0])) : NamedPortsId();
  }
  ClassId class_of(PeerId peer) const {
    const std::uint32_t id = peers[peer.value()][0];
    return id == kNodeOnly ? ClassId() : ClassId(id);
  }
  NamedPortsId names_of(ClassId id) const { return classes[id.index()].named_ports; }
  /// All labels of the class's model; its other pods have the same under the keys that are read.
  std::span<const cluster::Label> labels_of(ClassId id) const { return labels_of_row(classes[id.index()].label_row); }
  /// Calls visit(label) for each label of the class whose key some selector reads.
  template <class Visit>
  void for_each_read_label(ClassId id, Visit visit) const {
    for (const cluster::Label& label : labels_of(id)) {
      if (label.key.index() < is_key_read.size() && is_key_read[label.key.index()]) {
        visit(label);
      }
    }
  }
  /// A new row of labels.
  std::uint32_t add_label_row(std::span<const cluster::Label> labels);
  /// The row of these (key, value) pairs, sorted by key: of the same pairs always the same one.
  std::uint32_t intern_labels(std::span<const std::uint32_t> words);
  bool is_stranger(PeerId peer) const { return peers[peer.value()][0] >= kNodeOnly; }
  /// A set of addresses: ordered ranges with gaps between them.
  std::uint32_t intern_block(std::span<const AddressRange> ranges);
  std::span<const AddressRange> ranges_of_block(std::uint32_t block) const {
    return {block_ranges_.data() + block_begins_[block], block_begins_[block + 1] - block_begins_[block]};
  }
  std::size_t block_count() const { return ip_blocks_.size(); }
  /// The ports that `group` lets `peer` have; evaluates the rules of every tier.
  AllowedPorts ports_for(GroupId group, PeerId peer);
  /// The same from what the group's NetworkPolicies grant.
  AllowedPorts ports_for(GroupId group, PeerId peer, PortSetId granted);
  /// What the admin and the baseline segments of a list do to a peer.
  std::pair<TierPorts, TierPorts> tier_ports(TierListId list, PeerId peer);
  /// The outcome of a group whose NetworkPolicies grant `granted`.
  AllowedPorts combine(const std::pair<TierPorts, TierPorts>& tiers, bool is_isolated, PortSetId granted);
  std::size_t memory_bytes() const;

 private:
  bool matches_service(std::span<const std::uint32_t> rule, std::span<const std::uint32_t> peer) const;
  std::span<const cluster::Label> labels_of_row(std::uint32_t row) const {
    return {row_labels_.data() + row_begins_[row], row_begins_[row + 1] - row_begins_[row]};
  }
  TierPorts ports_of_tier(std::span<const std::uint32_t> segment_ids, NamedPortsId named, PeerId peer);
  /// Adds what these segments take to `result`, passes that a rule asks for included, and returns what they leave.
  PortSetId take_ports(std::span<const std::uint32_t> segment_ids, NamedPortsId named, PeerId peer, TierPorts& result);
  AllowedPorts after(const TierPorts& tier, const AllowedPorts& rest);

  WordTable ip_blocks_;  // first and last address of each range
  std::vector<AddressRange> block_ranges_;
  std::vector<std::size_t> block_begins_ = {0};  // one more than there are blocks
  std::vector<cluster::Label> row_labels_;
  std::vector<std::size_t> row_begins_ = {0};                     // one more than there are rows
  WordTable selector_labels_;                                     // (key, value) pairs of Services' selectors
  std::vector<std::uint32_t> selector_rows_;                      // by number in there: the row
  boost::unordered_flat_map<std::uint64_t, PortSetId> resolved_;  // spec << 32 | named ports
};

}  // namespace podwire::policy
