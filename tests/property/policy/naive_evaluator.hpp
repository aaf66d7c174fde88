// The oracle of the verdict engine: NetworkPolicy evaluated sentence by sentence from the API's text (k8s.io/api
// networking/v1 types.go and the documentation page), on string maps, one connection at a time. It shares with the
// engine the structs that policies are read into and nothing else.
#pragma once

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
  IpAddress ip = {};
};

struct NaiveVerdict {
  bool is_allowed = true;
  policy::Cause cause = policy::Cause::no_policy;
  std::vector<std::size_t> isolating;                         // policies, ascending
  std::vector<std::pair<std::size_t, std::size_t>> granting;  // (policy, rule), ascending
};

class NaiveEvaluator {
 public:
  NaiveEvaluator(const SmallCluster& cluster, const policy::PolicySet& policies, const cni::PolicySemantics& semantics)
      : cluster_(cluster), policies_(policies), semantics_(semantics) {}

  NaiveVerdict verdict(policy::Direction direction, const NaiveEnd& subject, const NaiveEnd& other, IpProtocol protocol,
                       std::uint16_t port) const {
    NaiveVerdict result;
    if (subject.pod >= 0 && subject.pod == other.pod) {
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
    const NaiveEnd& destination = direction == policy::Direction::ingress ? subject : other;
    for (std::size_t p = 0; p < policies_.network_policies.size(); ++p) {
      const policy::NetworkPolicy& policy = policies_.network_policies[p];
      if (policy.name_space != pod(subject).name_space || !selects(policy.pod_selector, pod(subject).labels) ||
          !policy.isolates(direction)) {
        continue;
      }
      result.isolating.push_back(p);
      const std::vector<policy::Rule>& rules = policy.rules(direction);
      for (std::size_t r = 0; r < rules.size(); ++r) {
        if (peers_match(rules[r], policy.name_space, other) && ports_match(rules[r], destination, protocol, port)) {
          result.granting.emplace_back(p, r);
        }
      }
    }
    if (result.isolating.empty()) {
      return result;
    }
    if (direction == policy::Direction::ingress && semantics_.own_node_is_allowed && is_node_of(other, subject)) {
      result.cause = policy::Cause::own_node;
      return result;
    }
    result.is_allowed = !result.granting.empty();
    result.cause = result.is_allowed ? policy::Cause::rule : policy::Cause::default_deny;
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

  bool peers_match(const policy::Rule& rule, const std::string& policy_namespace, const NaiveEnd& other) const {
    if (rule.peers.empty()) {
      return true;
    }
    return std::any_of(rule.peers.begin(), rule.peers.end(), [&](const policy::PeerRule& peer) {
      return peer.ip_block ? block_matches(*peer.ip_block, other) : pods_match(peer, policy_namespace, other);
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

  bool block_matches(const policy::IpBlock& block, const NaiveEnd& other) const {
    IpAddress ip = other.ip;
    if (other.pod >= 0) {
      if (!is_ignored(pod(other)) && !semantics_.ip_block_matches_pods) {
        return false;
      }
      ip = pod(other).ip;
      if (ip.is_unspecified()) {
        return false;
      }
    }
    return holds(block.cidr, ip) &&
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

  bool ports_match(const policy::Rule& rule, const NaiveEnd& destination, IpProtocol protocol,
                   std::uint16_t port) const {
    if (rule.ports.empty()) {
      return true;
    }
    return std::any_of(rule.ports.begin(), rule.ports.end(), [&](const policy::PortRule& wanted) {
      if (wanted.protocol != protocol) {
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
};

}  // namespace podwire::test
