// NetworkPolicy objects as read from manifests: the typed form that the engine compiles and that explanations point
// into. The admin tiers get their own structs beside these; PolicySet orders them (admin → NetworkPolicy → baseline).
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
std::string_view to_string(Direction direction);

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

/// The policies in force, sorted by (namespace, name), names unique.
struct PolicySet {
  std::string name;  // as the scenario calls it
  std::vector<NetworkPolicy> network_policies;
  std::vector<std::string> notes;  // "stamped default-deny.yaml into 3 namespaces" …
};

/// Reads one NetworkPolicy, strictly, as the API server validates it (unknown fields, selectors, ports, endPort, CIDRs,
/// an empty peer, except outside cidr …). `name_space` overrides the object's (a policy stamped into namespaces).
std::optional<NetworkPolicy> read_network_policy(const cluster::Object& object, Diagnostics& diagnostics);

/// All NetworkPolicies of a store.
Result<PolicySet> read_policies(const cluster::ObjectStore& store);

}  // namespace podwire::policy
