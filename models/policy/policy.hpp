// Policies as read from manifests: the typed form that the engine compiles and that explanations point into.
//
// NetworkPolicy (networking.k8s.io/v1) has its own structs; AdminNetworkPolicy and BaselineAdminNetworkPolicy
// (policy.networking.k8s.io/v1alpha1) and ClusterNetworkPolicy (v1alpha2) share AdminPolicy, whose kind says by which
// rules it was read. PolicySet holds them in the order of evaluation: admin tier → NetworkPolicy → baseline tier.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/cluster/labels.hpp"
#include "models/cluster/objects.hpp"
#include "sim/base/ip.hpp"
#include "sim/base/result.hpp"

namespace podwire::policy {

enum class Direction : std::uint8_t { ingress, egress };
inline constexpr Direction kDirections[] = {Direction::ingress, Direction::egress};
std::string_view to_string(Direction direction);

/// Where a policy is evaluated, in order; `none`: no policy decided.
enum class Tier : std::uint8_t { none, admin, network_policy, baseline };
/// "admin", "NetworkPolicy", "baseline", "" for none.
std::string_view to_string(Tier tier);

/// ipBlock; `except` subtracts inside this peer only.
struct IpBlock {
  Cidr cidr;
  std::vector<Cidr> except;
  Span span;
};

/// One item of `from` or `to`: either an ipBlock, or selectors (an absent namespaceSelector means the policy's own
/// namespace).
struct PeerRule {
  std::optional<IpBlock> ip_block;
  std::optional<cluster::LabelSelector> pod_selector;
  std::optional<cluster::LabelSelector> namespace_selector;
  Span span;
};

/// One item of `ports`. Neither number nor name: every port of the protocol.
struct PortRule {
  IpProtocol protocol = IpProtocol::tcp;
  Port first;  // with `last`: a range, inclusive; both unset: named or all
  Port last;
  std::string name;  // named port, resolved on the destination pod
  Span span;
  bool has_any_protocol = false;  // a named port of the admin tiers: of whatever protocol the pod declares it for
  bool is_all() const { return !first.is_valid() && name.empty(); }
};

/// One item of `ingress` or `egress`; no peers: any peer; no ports: every port of every protocol.
struct Rule {
  std::vector<PeerRule> peers;
  std::vector<PortRule> ports;
  Span span;
};

struct NetworkPolicy {
  std::string name_space;
  std::string name;
  cluster::LabelSelector pod_selector;
  bool isolates_ingress = true;
  bool isolates_egress = false;
  std::vector<Rule> ingress;
  std::vector<Rule> egress;
  Span span;  // of metadata.name
  /// "backend/allow-web"
  std::string full_name() const { return name_space + "/" + name; }
  bool isolates(Direction d) const { return d == Direction::ingress ? isolates_ingress : isolates_egress; }
  const std::vector<Rule>& rules(Direction d) const { return d == Direction::ingress ? ingress : egress; }
};

enum class AdminKind : std::uint8_t { admin_network_policy, baseline_admin_network_policy, cluster_network_policy };
/// "AdminNetworkPolicy" …
std::string_view to_string(AdminKind kind);

/// What a rule of the admin tiers does; ClusterNetworkPolicy's Accept is `allow`.
enum class RuleAction : std::uint8_t { allow, deny, pass };
/// As the kind writes it: "Allow" or "Accept", "Deny", "Pass".
std::string_view to_string(RuleAction action, AdminKind kind);

/// One item of `from` or `to` in the admin tiers: exactly one kind of peer.
struct AdminPeer {
  enum class Kind : std::uint8_t {
    namespaces,    // all pods of the namespaces that namespace_selector matches
    pods,          // those of them that pod_selector matches
    nodes,         // egress: addresses of the nodes that node_selector matches
    networks,      // egress: addresses in one of `networks`, pods' included
    domain_names,  // egress, Allow only: addresses that one of `domain_names` resolves to
    unknown,       // a field of a later version: an Allow matches nothing, Deny and Pass match everything
  };
  Kind kind = Kind::namespaces;
  cluster::LabelSelector namespace_selector = {};
  cluster::LabelSelector pod_selector = {};
  cluster::LabelSelector node_selector = {};
  std::vector<Cidr> networks = {};
  std::vector<std::string> domain_names = {};  // "example.org", "*.example.org"; lower case, no final dot
  std::vector<Span> item_spans = {};           // of the items of networks or domain_names
  Span span = {};
};

/// One item of `ingress` or `egress`; no ports: every port of every protocol.
struct AdminRule {
  std::string name;  // "" when unnamed
  RuleAction action = RuleAction::allow;
  std::vector<AdminPeer> peers;
  std::vector<PortRule> ports;
  Span span;
};

struct AdminPolicy {
  AdminKind kind = AdminKind::admin_network_policy;
  Tier tier = Tier::admin;
  std::uint16_t priority = 0;  // 0–1000, lower first; kBaselinePriority for a BaselineAdminNetworkPolicy
  std::string name;
  cluster::LabelSelector subject_namespaces;
  cluster::LabelSelector subject_pods;
  std::vector<AdminRule> ingress;
  std::vector<AdminRule> egress;
  Span span;           // of metadata.name
  Span priority_span;  // of spec.priority, unknown where there is none
  /// kubectl's form: "adminnetworkpolicy/deny-all".
  std::string full_name() const;
  const std::vector<AdminRule>& rules(Direction d) const { return d == Direction::ingress ? ingress : egress; }
};

/// A BaselineAdminNetworkPolicy has no priority. Beside ClusterNetworkPolicies of the Baseline tier its place is not
/// known: the APIs' texts are silent, and the one plugin that reads both (antrea-io/antrea
/// docs/cluster-network-policy.md, both gates on) says of each that it comes last. It is listed last, and a verdict
/// that depends on it is unknown.
inline constexpr std::uint16_t kBaselinePriority = 1001;

/// The order of evaluation: by (tier, priority, name, kind).
bool precedes(const AdminPolicy& a, const AdminPolicy& b);

/// The policies in force.
struct PolicySet {
  std::string name;                             // as the scenario calls it
  std::vector<NetworkPolicy> network_policies;  // sorted by (namespace, name), names unique
  std::vector<std::string> notes;               // "stamped default-deny.yaml into 3 namespaces" …
  std::vector<AdminPolicy> admin_policies;      // in the order of precedes(), names unique within a kind
};

/// What domain names stand for, as whoever plays DNS knows it: a pattern of a rule matches the addresses of every name
/// that matches it. Where the table is not complete, a rule one of whose patterns matches no name of it is unresolved.
struct DomainTable {
  struct Entry {
    std::string name;  // "www.example.org"
    std::vector<IpAddress> addresses;
  };
  std::vector<Entry> entries;
  bool is_complete = true;
  /// Whether what a rule's patterns stand for is known.
  bool resolves(const std::vector<std::string>& patterns) const;
};

/// Whether a domainNames item matches a name: itself, or "*." and one label or more before the rest. Case and a final
/// dot do not count.
bool domain_matches(std::string_view pattern, std::string_view name);

/// Reads one NetworkPolicy, strictly, as the API server validates it (unknown fields, selectors, ports, endPort, CIDRs,
/// an empty peer, except outside cidr …). `name_space` overrides the object's (a policy stamped into namespaces).
std::optional<NetworkPolicy> read_network_policy(const cluster::Object& object, Diagnostics& diagnostics);

/// Whether the object is one that read_admin_policy reads.
bool is_admin_policy(const cluster::Object& object);

/// Reads one AdminNetworkPolicy, BaselineAdminNetworkPolicy or ClusterNetworkPolicy, strictly, as their CRDs validate
/// them (priority, tier, subject, rule and peer counts, actions, exactly one field where one is asked for, named ports
/// beside peers that have none …).
std::optional<AdminPolicy> read_admin_policy(const cluster::Object& object, Diagnostics& diagnostics);

/// Warns of policies of one tier and priority (equal-priority), whose order the API leaves open; at the later one.
void warn_of_equal_priorities(const PolicySet& policies, Diagnostics& diagnostics);

/// All policies of a store, of every tier.
Result<PolicySet> read_policies(const cluster::ObjectStore& store);

}  // namespace podwire::policy
