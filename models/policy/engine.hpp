// The verdict engine: the one object that `reach` and `explain` query and that filters packets in the simulation.
//
// Pods are grouped into classes (what selectors and named ports of this policy set can tell apart), addresses into
// atoms (intervals between sorted ipBlock boundaries); a peer is a (class, atom). A group is the ordered list of
// policies that select a class in one direction. A cell is a memoised (group, peer) → port map. Order of evaluation
// per direction: admin tier (by priority, rules top-down, first match) → NetworkPolicy (final if any isolates) →
// baseline tier → allow; Pass skips the rest of its own tier only.
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
using PeerId = Id<struct PeerTag>;              // hash-consed (class, atom); immutable content
using PolicyIndex = Id<struct PolicyIndexTag>;  // network_policies first, then admin_policies of the PolicySet
using GroupId = Id<struct GroupTag>;            // hash-consed list of the policies that select a class in one direction

class Compiled;
class RuleJudge;
struct PolicyChanges;
struct View;

enum class Action : std::uint8_t { allow, deny, unknown };

/// Why, in a word; the details are in Explanation.
enum class Cause : std::uint8_t {
  no_policy,      // no policy isolates the pod on this side, and no rule of another tier matches
  rule,           // `rule` of `policy` grants it, or denies it in an admin tier
  default_deny,   // policies isolate the pod and none grants it
  not_enforced,   // the profile enforces nothing, or nothing on this protocol
  same_pod,       // a pod always reaches itself
  own_node,       // the pod's own node always reaches it
  not_a_subject,  // no pod (external address, node, hostNetwork pod): not filtered on this side
  unmodelled,     // an object that is not modelled may decide
  conflict,       // `policy` and rival(), of one tier and priority, disagree: the API leaves open which applies
  unresolved,     // `rule` of `policy` asks for domain names, and what they resolve to is not known
  map_overflow,   // the pod's policies need more entries than the plugin's policy map has
};
std::string_view to_string(Cause cause);

/// One direction's verdict: 16 bytes, cheap to keep with a flow.
struct Verdict {
  Action action = Action::allow;
  Cause cause = Cause::no_policy;
  std::uint16_t rule = 0;        // index into rules(direction), when cause is rule, conflict or unresolved
  PolicyIndex policy = {};       // the policy of `rule`, or the first isolating one of a default deny
  std::uint32_t unmodelled = 0;  // index into Cluster::unmodelled, when cause is unmodelled
  Tier tier = Tier::none;        // that decided; none: no policy did
  bool is_allowed() const { return action == Action::allow; }
  /// The other policy of a conflict.
  PolicyIndex rival() const { return cause == Cause::conflict ? PolicyIndex(unmodelled) : PolicyIndex(); }
};
static_assert(sizeof(Verdict) == 16);

/// One end of a connection as the engine sees it: a pod, or an address that is no pod's.
struct Peer {
  cluster::PodId pod = {};    // none: not a pod
  cluster::NodeId node = {};  // the node whose address it is, for host traffic; none otherwise
  // Of a pod with addresses of both families: any address of the one that the two talk in; unspecified: its first. Of
  // other pods it is not read.
  IpAddress ip = {};
  // When this end is the destination and was dialled through a Service: the Service's address and port. Plugins that
  // judge before translation see these, and a pod that reaches itself so is a hairpin; unset: dialled directly.
  IpAddress service_ip = {};
  Port service_port = {};
  bool is_through_service() const { return !service_ip.is_unspecified(); }
};

/// The address that `end` talks from or to: of a pod, that of the family that `end.ip` is of, else its first.
IpAddress address_of(const cluster::Cluster& cluster, const Peer& end);

/// How near a rule came to granting a denied connection.
struct NearMiss {
  PolicyIndex policy;
  std::uint16_t rule = 0;
  std::string
      criterion;  // the first criterion that failed: "port TCP 8080 is not 9090", "namespace label team=a is absent" …
  Span span;      // where that criterion is written
};

/// What one tier said, for people. Tiers without a policy that selects the pod in this direction have no step, those
/// after the deciding one neither.
struct TierStep {
  /// `skipped`: policies of the tier select the pod, and no rule of theirs matches.
  enum class Outcome : std::uint8_t { allow, deny, pass, skipped, unknown };
  Tier tier = Tier::admin;
  Outcome outcome = Outcome::skipped;
  PolicyIndex policy = {};             // of the rule that matched; the first isolating one of a default deny
  std::uint16_t rule = 0;              // with a valid policy, but for a default deny
  bool is_default_deny = false;        // NetworkPolicy tier: isolated, and no rule grants it
  Span span = {};                      // of the rule or policy
  std::vector<PolicyIndex> selecting;  // every policy of the tier that selects the pod in this direction
  std::vector<NearMiss> nearest;       // at most three rules that came before and nearly matched
  std::string text;                    // one line: "passed on by egress rule 1 of adminnetworkpolicy/dns"
};
/// "allow", "deny", "pass", "skipped", "unknown".
std::string_view to_string(TierStep::Outcome outcome);

/// One direction's verdict for people.
struct Explanation {
  Direction direction = Direction::egress;
  Verdict verdict;
  std::vector<PolicyIndex> isolating;  // every NetworkPolicy that isolates the pod on this side
  std::vector<NearMiss> nearest;       // at most three, for a default deny
  std::vector<TierStep> chain;         // in order of evaluation; the last one decided, unless it was skipped or passed
  std::string text;                    // one line: "allowed by rule 1 of backend/allow-web"
  Span span;                           // of the deciding rule or policy
};

class PolicyEngine {
 public:
  /// Compiles. The cluster and the policies must outlive the engine. O(policies × distinct selectors + classes).
  /// `names` says what domain names stand for and must outlive the engine too; without it a rule by domain name makes
  /// unknown what it may decide.
  PolicyEngine(const cluster::Cluster& cluster, const PolicySet& policies, const cni::Profile& profile,
               const DomainTable* names = nullptr);
  /// The engine of the state that follows this one, by difference: the cluster is a later snapshot of the same one, and
  /// `changes` names every policy that differs between the two sets (null: they are compared). Verdicts are those of a
  /// new engine. Both answer from then on; what they have found out about rules they share, so that one thread asks
  /// them. Only the newest of a history can be followed. The first outlives all, each one the start of its successor;
  /// states are destroyed oldest first but for the first, or all at once. O(what differs): see compiler.hpp.
  PolicyEngine next(const cluster::Cluster& cluster, const PolicySet& policies, const DomainTable* names = nullptr,
                    const PolicyChanges* changes = nullptr);
  /// Frees what verdicts of this state need. Names, spans and deciding_rule() go on to be told; nothing else may be
  /// asked. Precondition: a state follows, and the earlier ones are released.
  void release();

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
  /// is set when an unmodelled object may decide, and the ports are then what the policies alone allow; or when the
  /// policies leave some port open to doubt (Cause::conflict, Cause::unresolved), which is then not among the ports.
  PortSet allowed_ports(Direction direction, const Peer& subject, const Peer& other, bool& unknown);

  /// The first unmodelled object (index into Cluster::unmodelled) that may decide between the two, or 2^32 - 1.
  std::uint32_t unmodelled_between(const Peer& a, const Peer& b) const;
  /// Whether the pod's policies need more entries than the profile's policy map has, so that its verdicts are unknown.
  bool overflows_policy_map(cluster::PodId pod);
  /// What is the case: peer and groups of each pod (models/policy/view.hpp).
  const View& view() const;
  /// Every NetworkPolicy of a group that is in force in this state, ascending.
  std::vector<PolicyIndex> policies_of(GroupId group) const;
  /// The compiled content, for what works on classes and groups (models/policy/port_rows.hpp).
  Compiled& compiled();

  const cluster::Cluster& cluster() const;
  const PolicySet& policies() const;
  const cni::Profile& profile() const;
  bool is_admin(PolicyIndex index) const { return index.index() >= policies().network_policies.size(); }
  /// Of the NetworkPolicy tier only.
  const NetworkPolicy& policy(PolicyIndex index) const { return policies().network_policies[index.index()]; }
  /// Of the admin and baseline tiers only.
  const AdminPolicy& admin_policy(PolicyIndex index) const {
    return policies().admin_policies[index.index() - policies().network_policies.size()];
  }
  // Of either: "backend/allow-web" or "adminnetworkpolicy/deny-all", where its name is written, its tier.
  std::string policy_name(PolicyIndex index) const;
  Span policy_span(PolicyIndex index) const;
  Tier policy_tier(PolicyIndex index) const;
  /// Where a rule is written.
  Span rule_span(PolicyIndex index, Direction direction, std::uint16_t rule) const;
  /// Short name of what decided: "backend/allow-web ingress rule 0", "default deny ingress
  /// (backend/default-deny-all)".
  std::string deciding_rule(Direction direction, const Verdict& verdict) const;
  std::size_t memory_bytes() const;

 private:
  void make_chain(const RuleJudge& judge, const Peer& subject, Explanation& result) const;

  struct Impl;
  explicit PolicyEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace podwire::policy
