// The oracle of the verdict engine: policies evaluated sentence by sentence from the APIs' texts (k8s.io/api
// networking/v1 types.go and the documentation page; network-policy-api v1alpha1 and v1alpha2), on string maps, one
// connection at a time. It shares with the engine the structs that policies are read into and domain_matches(), whose
// cases have a test of their own.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/cni/profile.hpp"
#include "models/policy/engine.hpp"
#include "models/policy/policy.hpp"
#include "tests/support/small_cluster.hpp"

namespace podwire::test {

/// One end: a pod by its number, or an address.
struct NaiveEnd {
  int pod = -1;
  int node = -1;
  IpAddress ip = {};          // of a pod with two addresses: the one that is used; unspecified: its first
  IpAddress service_ip = {};  // of a destination: the Service's address that was dialled
  std::uint16_t service_port = 0;
};

struct NaiveVerdict {
  bool is_allowed = true;
  policy::Cause cause = policy::Cause::no_policy;
  std::vector<std::size_t> isolating;                         // policies, ascending
  std::vector<std::pair<std::size_t, std::size_t>> granting;  // (policy, rule), ascending
  policy::Action action = policy::Action::allow;
  policy::Tier tier = policy::Tier::none;
  /// Of an admin tier, where it alone decided by one rule: (index in admin_policies, rule). None where several policies
  /// of one priority or a domain name have a say; then only the action is certain.
  std::optional<std::pair<std::size_t, std::size_t>> admin_rule;
  bool is_entangled = false;
};

/// What a tier may do with a connection.
struct NaiveTier {
  std::set<policy::RuleAction> possible;
  std::vector<std::pair<std::size_t, std::size_t>> certain;  // the rules of the deciding priority that match
  bool is_doubtful = false;                                  // a domain name had a say
  bool has_policies = false;                                 // that select the pod and have rules in the direction
};

class NaiveEvaluator {
 public:
  NaiveEvaluator(const SmallCluster& cluster, const policy::PolicySet& policies, const cni::PolicySemantics& semantics,
                 const policy::DomainTable* domains = nullptr)
      : cluster_(cluster), policies_(policies), semantics_(semantics), domains_(domains) {}

  NaiveVerdict verdict(policy::Direction direction, const NaiveEnd& subject, const NaiveEnd& other, IpProtocol protocol,
                       std::uint16_t port) const {
    NaiveVerdict result;
    const NaiveEnd& destination = direction == policy::Direction::ingress ? subject : other;
    const bool is_dialled = !destination.service_ip.is_unspecified();
    if (subject.pod >= 0 && subject.pod == other.pod &&
        (!is_dialled || !semantics_.is_enforced || semantics_.hairpin == cni::Hairpin::allowed ||
         (semantics_.hairpin == cni::Hairpin::egress && direction == policy::Direction::ingress))) {
      result.cause = policy::Cause::same_pod;
      return result;
    }
    if (!semantics_.is_enforced) {
      result.cause = policy::Cause::not_enforced;
      return result;
    }
    if (subject.pod < 0 || is_ignored(pod(subject))) {
      result.cause = policy::Cause::not_a_subject;
      return result;
    }
    const Seen seen = seen_by(direction, subject, other, port);
    for (std::size_t p = 0; p < policies_.network_policies.size(); ++p) {
      const policy::NetworkPolicy& policy = policies_.network_policies[p];
      if (policy.name_space != pod(subject).name_space || !selects(policy.pod_selector, pod(subject).labels) ||
          !policy.isolates(direction) || is_refused(policy)) {
        continue;
      }
      result.isolating.push_back(p);
      const std::vector<policy::Rule>& rules = policy.rules(direction);
      for (std::size_t r = 0; r < rules.size(); ++r) {
        if (grants(rules[r], policy.name_space, seen, protocol)) {
          result.granting.emplace_back(p, r);
        }
      }
    }
    const NaiveTier admin = tier(policy::Tier::admin, direction, subject, seen, protocol);
    const NaiveTier baseline = tier(policy::Tier::baseline, direction, subject, seen, protocol);
    if (result.isolating.empty() && !admin.has_policies && !baseline.has_policies) {
      return result;
    }
    if (direction == policy::Direction::ingress && semantics_.own_node_is_allowed && is_node_of(other, subject)) {
      result.cause = policy::Cause::own_node;
      return result;
    }
    if (protocol == IpProtocol::sctp && !semantics_.sctp_is_enforced) {
      result.cause = policy::Cause::not_enforced;
      return result;
    }
    // What comes after the admin tier.
    std::set<policy::RuleAction> rest;
    if (!result.isolating.empty()) {
      rest = {result.granting.empty() ? policy::RuleAction::deny : policy::RuleAction::allow};
      result.cause = result.granting.empty() ? policy::Cause::default_deny : policy::Cause::rule;
      result.tier = policy::Tier::network_policy;
    } else {
      rest = baseline.possible;
      if (rest.erase(policy::RuleAction::pass) > 0) {
        rest.insert(policy::RuleAction::allow);
      }
      take(baseline, policy::Tier::baseline, result);
    }
    std::set<policy::RuleAction> possible = admin.possible;
    if (possible.erase(policy::RuleAction::pass) > 0) {
      possible.merge(rest);
    }
    take(admin, policy::Tier::admin, result);
    result.action = possible.size() > 1                              ? policy::Action::unknown
                    : *possible.begin() == policy::RuleAction::allow ? policy::Action::allow
                                                                     : policy::Action::deny;
    result.is_allowed = result.action == policy::Action::allow;
    return result;
  }

  static bool selects(const cluster::LabelSelector& selector, const LabelMap& labels) {
    for (const cluster::Requirement& requirement : selector.requirements) {
      const auto found = labels.find(requirement.key);
      const bool has_key = found != labels.end();
      const bool is_listed = has_key && std::find(requirement.values.begin(), requirement.values.end(),
                                                  found->second) != requirement.values.end();
      bool holds = false;
      switch (requirement.op) {
        case cluster::SelectorOperator::in:
          holds = is_listed;
          break;
        case cluster::SelectorOperator::not_in:
          holds = !is_listed;
          break;
        case cluster::SelectorOperator::exists:
          holds = has_key;
          break;
        case cluster::SelectorOperator::does_not_exist:
          holds = !has_key;
          break;
      }
      if (!holds) {
        return false;
      }
    }
    return true;
  }

 private:
  /// What a side's rules are held against.
  struct Seen {
    NaiveEnd other;           // as selectors see it
    IpAddress block_ip = {};  // as ipBlocks see it; unspecified: no block matches
    IpAddress ip = {};        // the address itself
    NaiveEnd named;           // whose ports names mean
    std::uint16_t port = 0;
    const SmallService* service = nullptr;  // whose address it is, where selectors open Services
  };

  /// Notes who decided, if the tier did.
  void take(const NaiveTier& tier, policy::Tier which, NaiveVerdict& result) const {
    const bool has_passed = tier.possible == std::set<policy::RuleAction>{policy::RuleAction::pass};
    if (has_passed) {
      return;
    }
    if (tier.certain.size() != 1 || tier.is_doubtful) {
      result.is_entangled = true;
      return;
    }
    result.is_entangled = false;
    result.cause = policy::Cause::rule;
    result.tier = which;
    result.admin_rule = tier.certain.front();
  }

  /// A BaselineAdminNetworkPolicy is asked before the others of its tier or after them: what comes of either.
  NaiveTier tier(policy::Tier which, policy::Direction direction, const NaiveEnd& subject, const Seen& seen,
                 IpProtocol protocol) const {
    const NaiveTier placed = tier_of(which, false, direction, subject, seen, protocol);
    const NaiveTier placeless = tier_of(which, true, direction, subject, seen, protocol);
    NaiveTier both = placed;
    both.possible.insert(placeless.possible.begin(), placeless.possible.end());
    both.certain.insert(both.certain.end(), placeless.certain.begin(), placeless.certain.end());
    both.is_doubtful = placed.is_doubtful || placeless.is_doubtful;
    both.has_policies = placed.has_policies || placeless.has_policies;
    if (both.certain.empty()) {
      both.possible.insert(policy::RuleAction::pass);
    }
    return both;
  }

  /// What its rules that match or may match do; nothing where none does. `has_no_place`: of the kind that has no
  /// priority, else of the others.
  NaiveTier tier_of(policy::Tier which, bool has_no_place, policy::Direction direction, const NaiveEnd& subject,
                    const Seen& seen, IpProtocol protocol) const {
    NaiveTier result;
    // By the API version that defines a kind.
    const auto is_read = [&](policy::AdminKind kind) {
      if (has_no_place != (kind == policy::AdminKind::baseline_admin_network_policy)) {
        return false;
      }
      switch (semantics_.admin_tiers) {
        case cni::AdminTiers::enforced:
          return true;
        case cni::AdminTiers::v1alpha1:
          return kind != policy::AdminKind::cluster_network_policy;
        case cni::AdminTiers::v1alpha2:
          return kind == policy::AdminKind::cluster_network_policy;
        case cni::AdminTiers::admin_alone:
          return kind == policy::AdminKind::admin_network_policy;
        case cni::AdminTiers::ignored:
          return false;
      }
      return false;
    };
    const NaiveEnd& destination = direction == policy::Direction::ingress ? subject : seen.other;
    const std::vector<policy::AdminPolicy>& all = policies_.admin_policies;
    std::set<std::uint16_t> priorities;
    for (const policy::AdminPolicy& policy : all) {
      if (policy.tier == which) {
        priorities.insert(policy.priority);
      }
    }
    for (const std::uint16_t priority : priorities) {
      for (std::size_t p = 0; p < all.size(); ++p) {
        if (all[p].tier != which || all[p].priority != priority || !is_read(all[p].kind) ||
            all[p].rules(direction).empty() ||
            !selects(all[p].subject_namespaces, cluster_.namespace_labels(pod(subject).name_space)) ||
            !selects(all[p].subject_pods, pod(subject).labels)) {
          continue;
        }
        result.has_policies = true;
        if (!result.certain.empty() && all[result.certain.front().first].priority != priority) {
          continue;  // decided
        }
        const std::vector<policy::AdminRule>& rules = all[p].rules(direction);
        for (std::size_t r = 0; r < rules.size(); ++r) {
          const bool is_port_right = ports_match(rules[r].ports, destination, protocol, seen.port);
          const auto matches = [&](bool with_doubt) {
            return std::any_of(rules[r].peers.begin(), rules[r].peers.end(), [&](const policy::AdminPeer& peer) {
              return (is_port_right && admin_peer_matches(peer, rules[r].action, seen, with_doubt)) ||
                     admin_peer_opens(peer, rules[r].ports, seen, protocol);
            });
          };
          if (matches(false)) {
            result.possible.insert(rules[r].action);
            result.certain.emplace_back(p, r);
            break;
          }
          if (matches(true)) {
            result.possible.insert(rules[r].action);
            result.is_doubtful = true;
          }
        }
      }
    }
    return result;
  }

  /// `with_doubt`: whether it may match.
  bool admin_peer_matches(const policy::AdminPeer& peer, policy::RuleAction action, const Seen& seen,
                          bool with_doubt) const {
    using Kind = policy::AdminPeer::Kind;
    const NaiveEnd& other = seen.other;
    const bool is_pod = other.pod >= 0 && !is_ignored(pod(other));
    switch (peer.kind) {
      case Kind::namespaces:
      case Kind::pods:
        return is_pod && selects(peer.namespace_selector, cluster_.namespace_labels(pod(other).name_space)) &&
               selects(peer.pod_selector, pod(other).labels);
      case Kind::nodes:
        for (std::size_t n = 0; n < cluster_.node_addresses.size() && !is_pod; ++n) {
          if (cluster_.node_addresses[n] == seen.ip && selects(peer.node_selector, cluster_.node_labels[n])) {
            return true;
          }
        }
        return false;
      case Kind::networks:
        return !seen.block_ip.is_unspecified() &&
               std::any_of(peer.networks.begin(), peer.networks.end(),
                           [&](const Cidr& cidr) { return holds(cidr, seen.block_ip); });
      case Kind::domain_names:
        if (domains_ == nullptr) {
          return with_doubt && !is_pod;
        }
        return !seen.block_ip.is_unspecified() && is_named(peer.domain_names, seen.block_ip);
      case Kind::unknown:
        return action != policy::RuleAction::allow;
    }
    return false;
  }

  bool is_named(const std::vector<std::string>& patterns, IpAddress ip) const {
    for (const policy::DomainTable::Entry& entry : domains_->entries) {
      const bool is_asked = std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
        return policy::domain_matches(pattern, entry.name);
      });
      if (is_asked && std::find(entry.addresses.begin(), entry.addresses.end(), ip) != entry.addresses.end()) {
        return true;
      }
    }
    return false;
  }

  IpAddress address(const NaiveEnd& end) const {
    if (end.pod < 0) {
      return end.ip;
    }
    return !end.ip.is_unspecified() && end.ip == pod(end).second_ip ? end.ip : pod(end).ip;
  }

  const SmallPod& pod(const NaiveEnd& end) const { return cluster_.pods[static_cast<std::size_t>(end.pod)]; }

  bool is_host(const SmallPod& pod) const { return pod.is_host_network && semantics_.host_network_is_node; }
  /// Neither a subject nor a selector peer.
  bool is_ignored(const SmallPod& pod) const {
    const bool is_finished = pod.phase == cluster::PodPhase::succeeded || pod.phase == cluster::PodPhase::failed;
    return is_host(pod) || (is_finished && semantics_.finished_pods_are_ignored);
  }

  bool is_node_of(const NaiveEnd& other, const NaiveEnd& subject) const {
    int node = other.node;
    if (other.pod >= 0) {
      node = is_host(pod(other)) ? pod(other).node : -1;
    }
    return node >= 0 && node == pod(subject).node;
  }

  Seen seen_by(policy::Direction direction, const NaiveEnd& subject, const NaiveEnd& other, std::uint16_t port) const {
    const bool is_egress = direction == policy::Direction::egress;
    const bool is_dialled = !other.service_ip.is_unspecified();
    Seen seen{.other = other, .block_ip = {}, .ip = address(other), .named = is_egress ? other : subject, .port = port};
    if (!is_egress && semantics_.named_ports_resolve_on == cni::NamedPortsOn::source_pods) {
      seen.named = other;
    }
    if (is_egress && subject.pod == other.pod && semantics_.hairpin == cni::Hairpin::world) {
      // The world: an address, and nobody's ports. Before translation it is dialled at the Service's port.
      seen.other = {};
      seen.named = {};
      seen.ip = other.service_ip;
      seen.block_ip = other.service_ip;
    } else if (is_egress && is_dialled && semantics_.enforcement_point == cni::EnforcementPoint::before_dnat) {
      // An address that is no pod's, and perhaps a Service's.
      seen.other = {};
      seen.named = {};
      seen.ip = other.service_ip;
      seen.block_ip = other.service_ip;
      for (const SmallService& service : cluster_.services) {
        if (service.ip == other.service_ip && semantics_.selectors_open_services && seen.service == nullptr) {
          seen.service = &service;
        }
      }
    } else {
      seen.block_ip = block_address(other);
    }
    if (is_egress && is_dialled && semantics_.enforcement_point == cni::EnforcementPoint::before_dnat) {
      seen.port = other.service_port;
    }
    return seen;
  }

  /// The address by which blocks know an end; unspecified where they do not know it.
  IpAddress block_address(const NaiveEnd& end) const {
    if (end.pod < 0) {
      bool is_node = end.node >= 0;
      for (const IpAddress& address : cluster_.node_addresses) {
        is_node = is_node || address == end.ip;
      }
      return is_node && !semantics_.ip_block_matches_nodes ? IpAddress() : end.ip;
    }
    if (is_host(pod(end))) {
      return semantics_.ip_block_matches_nodes ? address(end) : IpAddress();
    }
    return is_ignored(pod(end)) || semantics_.ip_block_matches_pods ? address(end) : IpAddress();
  }

  /// Rejected whole by the plugin.
  bool is_refused(const policy::NetworkPolicy& policy) const {
    for (const std::vector<policy::Rule>* rules : {&policy.ingress, &policy.egress}) {
      for (const policy::Rule& rule : *rules) {
        for (const policy::PortRule& port : rule.ports) {
          const bool is_bare = port.name.empty() && !port.first.is_valid();
          if ((semantics_.rejects_policies_with_sctp && port.protocol == IpProtocol::sctp) ||
              (semantics_.rejects_policies_with_named_ports && !port.name.empty()) ||
              (semantics_.rejects_policies_with_any_port && is_bare)) {
            return true;
          }
        }
        for (const policy::PeerRule& peer : rule.peers) {
          const bool is_negated = (peer.pod_selector && asks_for_absence(*peer.pod_selector)) ||
                                  (peer.namespace_selector && asks_for_absence(*peer.namespace_selector));
          const bool has_except = peer.ip_block && !peer.ip_block->except.empty();
          if ((semantics_.rejects_policies_with_except && has_except) ||
              (semantics_.rejects_policies_with_negation && is_negated) ||
              (semantics_.rejects_policies_with_selectors && !peer.ip_block)) {
            return true;
          }
        }
      }
    }
    return semantics_.rejects_policies_with_negation && asks_for_absence(policy.pod_selector);
  }

  static bool asks_for_absence(const cluster::LabelSelector& selector) {
    for (const cluster::Requirement& requirement : selector.requirements) {
      if (requirement.op == cluster::SelectorOperator::not_in ||
          requirement.op == cluster::SelectorOperator::does_not_exist) {
        return true;
      }
    }
    return false;
  }

  /// What the AWS controller adds for a selector peer: the Service's address, on the port that the rule's means there.
  bool opens_service(const SmallService& service, const cluster::LabelSelector& pods,
                     const std::vector<policy::PortRule>& ports, bool is_of_network_policy, IpProtocol protocol,
                     std::uint16_t dialled) const {
    if (!selects(pods, service.has_selector ? service.selector : LabelMap())) {
      return false;
    }
    if (ports.empty()) {
      return true;
    }
    for (const policy::PortRule& wanted : ports) {
      if (wanted.protocol != protocol && !wanted.has_any_protocol) {
        continue;
      }
      const bool is_bare = wanted.name.empty() && !wanted.first.is_valid();
      const bool is_unresolved = is_of_network_policy && !wanted.name.empty() && protocol == IpProtocol::sctp &&
                                 !semantics_.named_sctp_ports_resolve;
      if (is_bare) {
        return true;
      }
      const std::uint16_t first = is_unresolved ? std::uint16_t{0} : port_of_service(service, wanted, protocol);
      const bool is_range = wanted.first < wanted.last && (!is_of_network_policy || semantics_.end_port_is_honoured);
      if (first != 0 && (dialled == first || (is_range && first < dialled && dialled <= wanted.last.number()))) {
        return true;
      }
    }
    return false;
  }

  /// 0: no port of the Service leads there.
  std::uint16_t port_of_service(const SmallService& service, const policy::PortRule& wanted,
                                IpProtocol protocol) const {
    const auto number_of = [](const SmallServicePort& port) {
      return port.target_number == 0 ? port.port : port.target_number;
    };
    for (const SmallServicePort& port : service.ports) {
      if (port.protocol != protocol) {
        continue;
      }
      if (wanted.name.empty() ? port.target_name.empty() && number_of(port) == wanted.first.number()
                              : port.target_name == wanted.name) {
        return port.port;
      }
    }
    for (const std::size_t p : cluster_.pods_behind(service)) {
      // The declared port that the rule's means in this pod.
      std::string name;
      std::uint16_t number = wanted.name.empty() ? wanted.first.number() : std::uint16_t{0};
      for (const cluster::ContainerPort& declared : cluster_.pods[p].ports) {
        const bool is_meant = wanted.name.empty() ? declared.number == wanted.first : declared.name == wanted.name;
        if (declared.protocol == protocol && is_meant) {
          name = declared.name;
          number = declared.number.number();
          break;
        }
      }
      if (number == 0) {
        continue;
      }
      for (const SmallServicePort& port : service.ports) {
        const bool leads_there = port.target_name.empty() ? number_of(port) == number : port.target_name == name;
        if (port.protocol == protocol && leads_there) {
          return port.port;
        }
      }
    }
    return 0;
  }

  bool admin_peer_opens(const policy::AdminPeer& peer, const std::vector<policy::PortRule>& ports, const Seen& seen,
                        IpProtocol protocol) const {
    const bool is_of_pods =
        peer.kind == policy::AdminPeer::Kind::namespaces || peer.kind == policy::AdminPeer::Kind::pods;
    return is_of_pods && seen.service != nullptr &&
           selects(peer.namespace_selector, cluster_.namespace_labels(seen.service->name_space)) &&
           opens_service(*seen.service, peer.pod_selector, ports, false, protocol, seen.port);
  }

  bool grants(const policy::Rule& rule, const std::string& policy_namespace, const Seen& seen,
              IpProtocol protocol) const {
    if (rule.peers.empty()) {
      return ports_match(rule, seen, protocol, false);
    }
    return std::any_of(rule.peers.begin(), rule.peers.end(), [&](const policy::PeerRule& peer) {
      const bool is_block = peer.ip_block.has_value();
      if (!is_block && seen.service != nullptr) {
        const bool is_namespace_right =
            peer.namespace_selector
                ? selects(*peer.namespace_selector, cluster_.namespace_labels(seen.service->name_space))
                : seen.service->name_space == policy_namespace;
        return is_namespace_right && opens_service(*seen.service, peer.pod_selector.value_or(cluster::LabelSelector()),
                                                   rule.ports, true, protocol, seen.port);
      }
      return (is_block ? block_matches(*peer.ip_block, seen.block_ip)
                       : pods_match(peer, policy_namespace, seen.other)) &&
             ports_match(rule, seen, protocol, is_block);
    });
  }

  bool pods_match(const policy::PeerRule& peer, const std::string& policy_namespace, const NaiveEnd& other) const {
    if (other.pod < 0 || is_ignored(pod(other))) {
      return false;
    }
    const bool is_namespace_right =
        peer.namespace_selector ? selects(*peer.namespace_selector, cluster_.namespace_labels(pod(other).name_space))
                                : pod(other).name_space == policy_namespace;
    return is_namespace_right && (!peer.pod_selector || selects(*peer.pod_selector, pod(other).labels));
  }

  bool block_matches(const policy::IpBlock& block, IpAddress ip) const {
    if (ip.is_unspecified() || !holds(block.cidr, ip)) {
      return false;
    }
    return !semantics_.except_is_honoured ||
           std::none_of(block.except.begin(), block.except.end(), [&](const Cidr& c) { return holds(c, ip); });
  }

  /// Prefix comparison bit by bit.
  static bool holds(const Cidr& cidr, IpAddress ip) {
    if (cidr.family() != ip.family()) {
      return false;
    }
    const unsigned skipped = cidr.family() == IpFamily::v4 ? 96 : 0;
    for (unsigned bit = 0; bit < cidr.length() + skipped; ++bit) {
      const auto bit_of = [bit](IpAddress a) {
        return bit < 64 ? a.high() >> (63 - bit) & 1 : a.low() >> (127 - bit) & 1;
      };
      if (bit_of(cidr.first()) != bit_of(ip)) {
        return false;
      }
    }
    return true;
  }

  /// A rule's ports as the plugin takes them.
  bool ports_match(const policy::Rule& rule, const Seen& seen, IpProtocol protocol, bool is_block) const {
    if (rule.ports.empty()) {
      return true;
    }
    return std::any_of(rule.ports.begin(), rule.ports.end(), [&](const policy::PortRule& wanted) {
      if (wanted.protocol != protocol) {
        return false;
      }
      if (!wanted.name.empty()) {
        const bool resolves = (protocol != IpProtocol::sctp || semantics_.named_sctp_ports_resolve) &&
                              (!is_block || semantics_.ip_block_with_named_port == cni::NamedPortInBlock::matches);
        return resolves && named_port(seen.named, protocol, wanted.name) == seen.port;
      }
      if (!wanted.first.is_valid()) {
        return true;
      }
      const bool is_range = wanted.last.is_valid() && semantics_.end_port_is_honoured;
      return wanted.first.number() <= seen.port &&
             seen.port <= (is_range ? wanted.last.number() : wanted.first.number());
    });
  }

  bool ports_match(const std::vector<policy::PortRule>& ports, const NaiveEnd& destination, IpProtocol protocol,
                   std::uint16_t port) const {
    if (ports.empty()) {
      return true;
    }
    return std::any_of(ports.begin(), ports.end(), [&](const policy::PortRule& wanted) {
      if (wanted.protocol != protocol && !wanted.has_any_protocol) {
        return false;
      }
      if (!wanted.name.empty()) {
        return named_port(destination, protocol, wanted.name) == port;
      }
      if (!wanted.first.is_valid()) {
        return true;
      }
      const std::uint16_t last = wanted.last.is_valid() ? wanted.last.number() : wanted.first.number();
      return wanted.first.number() <= port && port <= last;
    });
  }

  /// The number the name has on that pod; 0 where there is none.
  std::uint16_t named_port(const NaiveEnd& destination, IpProtocol protocol, const std::string& name) const {
    if (destination.pod < 0 || is_ignored(pod(destination))) {
      return 0;
    }
    for (const cluster::ContainerPort& port : pod(destination).ports) {
      if (port.name == name && port.protocol == protocol) {
        return port.number.number();
      }
    }
    return 0;
  }

  const SmallCluster& cluster_;
  const policy::PolicySet& policies_;
  cni::PolicySemantics semantics_;
  const policy::DomainTable* domains_;
};

}  // namespace podwire::test
