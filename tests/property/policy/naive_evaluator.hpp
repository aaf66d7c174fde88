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
        (!is_dialled || !semantics_.is_enforced || semantics_.hairpin == cni::Hairpin::allowed)) {
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

  NaiveTier tier(policy::Tier which, policy::Direction direction, const NaiveEnd& subject, const Seen& seen,
                 IpProtocol protocol) const {
    NaiveTier result;
    if (semantics_.admin_tiers == cni::AdminTiers::ignored) {
      result.possible = {policy::RuleAction::pass};
      return result;
    }
    // By the API version that defines a kind.
    const auto is_read = [this](policy::AdminKind kind) {
      const bool is_cluster_network_policy = kind == policy::AdminKind::cluster_network_policy;
      return semantics_.admin_tiers == cni::AdminTiers::enforced ||
             (semantics_.admin_tiers == cni::AdminTiers::v1alpha2) == is_cluster_network_policy;
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
          if (!ports_match(rules[r].ports, destination, protocol, seen.port)) {
            continue;
          }
          const auto matches = [&](bool with_doubt) {
            return std::any_of(rules[r].peers.begin(), rules[r].peers.end(), [&](const policy::AdminPeer& peer) {
              return admin_peer_matches(peer, rules[r].action, seen, with_doubt);
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
    if (result.certain.empty()) {
      result.possible.insert(policy::RuleAction::pass);
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
      seen.ip = other.service_ip;
      seen.block_ip = other.service_ip;
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
      }
    }
    return false;
  }

  bool grants(const policy::Rule& rule, const std::string& policy_namespace, const Seen& seen,
              IpProtocol protocol) const {
    if (rule.peers.empty()) {
      return ports_match(rule, seen, protocol, false);
    }
    return std::any_of(rule.peers.begin(), rule.peers.end(), [&](const policy::PeerRule& peer) {
      const bool is_block = peer.ip_block.has_value();
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
