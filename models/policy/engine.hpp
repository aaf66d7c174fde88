// The verdict engine: the one object that `reach` and `explain` query and that filters packets in the simulation.
//
// Pods are grouped into classes (what selectors and named ports of this policy set can tell apart), addresses into
// atoms (intervals between sorted ipBlock boundaries); a peer is a (class, atom). A group is the ordered list of
// policies that isolate a class in one direction. A cell is a memoised (group, peer) → port map. Order of evaluation
// per direction: admin tier (none yet) → NetworkPolicy → baseline tier (none yet) → allow. Design: section 4, "The
// verdict engine".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/cni/profile.hpp"
#include "models/policy/atoms.hpp"
#include "models/policy/policy.hpp"
#include "models/policy/port_set.hpp"

namespace podwire::policy {

using ClassId = Id<struct ClassTag>;
using PeerId = Id<struct PeerTag>;  // hash-consed (class, atom); immutable content
using PolicyIndex = Id<struct PolicyIndexTag>;
using GroupId = Id<struct GroupTag>;  // hash-consed list of the policies that isolate a class in one direction

class Compiled;

enum class Action : std::uint8_t { allow, deny, unknown };

/// Why, in a word; the details are in Explanation.
enum class Cause : std::uint8_t {
  no_policy,      // no policy isolates the pod on this side
  rule,           // `rule` of `policy` grants it
  default_deny,   // policies isolate the pod and none grants it
  not_enforced,   // the profile enforces nothing
  same_pod,       // a pod always reaches itself
  own_node,       // the pod's own node always reaches it
  not_a_subject,  // no pod (external address, node, hostNetwork pod): not filtered on this side
  unmodelled,     // an object that is not modelled may decide
};
std::string_view to_string(Cause cause);

/// One direction's verdict: 16 bytes, cheap to keep with a flow.
struct Verdict {
  Action action = Action::allow;
  Cause cause = Cause::no_policy;
  std::uint16_t rule = 0;        // index into rules(direction), when cause is rule
  PolicyIndex policy = {};       // granting policy, or the first isolating one of a default deny
  std::uint32_t unmodelled = 0;  // index into Cluster::unmodelled, when cause is unmodelled
  bool is_allowed() const { return action == Action::allow; }
};

/// One end of a connection as the engine sees it: a pod, or an address that is no pod's.
struct Peer {
  cluster::PodId pod = {};    // none: not a pod
  cluster::NodeId node = {};  // the node whose address it is, for host traffic; none otherwise
  IpAddress ip = {};          // of a pod: not read, the cluster knows it
};

/// How near a rule came to granting a denied connection.
struct NearMiss {
  PolicyIndex policy;
  std::uint16_t rule = 0;
  std::string
      criterion;  // the first criterion that failed: "port TCP 8080 is not 9090", "namespace label team=a is absent" …
  Span span;      // where that criterion is written
};

/// One direction's verdict for people.
struct Explanation {
  Direction direction = Direction::egress;
  Verdict verdict;
  std::vector<PolicyIndex> isolating;  // every policy that isolates the pod on this side
  std::vector<NearMiss> nearest;       // at most three, for a default deny
  std::string text;                    // one line: "allowed by rule 1 of backend/allow-web"
  Span span;                           // of the deciding rule or policy
};

class PolicyEngine {
 public:
  /// Compiles. The cluster and the policies must outlive the engine. O(policies × distinct selectors + classes).
  PolicyEngine(const cluster::Cluster& cluster, const PolicySet& policies, const cni::Profile& profile);
  PolicyEngine(PolicyEngine&&) noexcept;
  PolicyEngine& operator=(PolicyEngine&&) noexcept;
  ~PolicyEngine();

  /// The verdict for `subject` (source on egress, destination on ingress) towards or from `other` at the destination's
  /// port. Warm: a few loads. Not const: it fills the cell memo; one engine serves one thread.
  Verdict verdict(Direction direction, const Peer& subject, const Peer& other, IpProtocol protocol, Port port);

  Explanation explain(Direction direction, const Peer& subject, const Peer& other, IpProtocol protocol, Port port);

  // What reach works on.
  std::size_t class_count() const;
  ClassId class_of(cluster::PodId pod) const;
  std::size_t atom_count() const;
  AtomId atom_of(IpAddress ip) const;
  /// First and last address of an atom; atoms partition both families' space in order.
  std::pair<IpAddress, IpAddress> atom_range(AtomId atom) const;
  /// The ports on which `direction` lets `subject` and `other` talk; named ports resolve on the destination. `unknown`
  /// is set when an unmodelled object may decide; the ports are then what the policies alone allow.
  PortSet allowed_ports(Direction direction, const Peer& subject, const Peer& other, bool& unknown);

  /// The first unmodelled object (index into Cluster::unmodelled) that may decide between the two, or 2^32 - 1.
  std::uint32_t unmodelled_between(const Peer& a, const Peer& b) const;
  /// The compiled content, for what works on classes and groups (models/policy/port_rows.hpp).
  Compiled& compiled();

  const cluster::Cluster& cluster() const;
  const PolicySet& policies() const;
  const cni::Profile& profile() const;
  const NetworkPolicy& policy(PolicyIndex index) const { return policies().network_policies[index.index()]; }
  /// Short name of what decided: "backend/allow-web ingress rule 0", "default deny ingress
  /// (backend/default-deny-all)".
  std::string deciding_rule(Direction direction, const Verdict& verdict) const;
  std::size_t memory_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace podwire::policy
