// Random small worlds for the comparison with netfilter, and their naive translation into nftables rules: for each
// isolated pod a chain of what its policies grant by address and port, ending in a rejection. Written apart from
// models/policy and without its data structures; CIDR blocks are left to the kernel to match.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "models/policy/policy.hpp"
#include "tests/support/small_cluster.hpp"

namespace podwire::kernel {

inline constexpr std::uint16_t kTcpPorts[] = {80, 81, 8080};
inline constexpr std::uint16_t kUdpPort = 53;
inline constexpr unsigned kPods = 6;

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {
    for (const char* name : {"alpha", "beta", "gamma"}) {
      cluster.namespaces[name] = labels();
    }
    cluster.node_addresses = {IpAddress::v4(192, 168, 0, 1)};
    for (unsigned p = 0; p < kPods; ++p) {
      test::SmallPod pod;
      pod.name_space = any({"alpha", "beta", "gamma"});
      pod.name = "pod-" + std::to_string(p);
      pod.labels = labels();
      pod.ip = IpAddress::v4(10, 77, 0, p + 1);
      pod.node = 0;
      if (chance(70)) {
        pod.ports.push_back({.name = "http", .protocol = IpProtocol::tcp, .number = Port(chance(50) ? 80 : 8080)});
      }
      cluster.pods.push_back(pod);
    }
    for (std::size_t i = 0, count = 1 + pick(5); i < count; ++i) {
      policy::NetworkPolicy policy;
      policy.name_space = any({"alpha", "beta", "gamma"});
      policy.name = "policy-" + std::to_string(i);
      policy.pod_selector = selector();
      policy.isolates_ingress = chance(65);
      policy.isolates_egress = !policy.isolates_ingress || chance(40);
      policy.ingress = rules();
      policy.egress = rules();
      policies.network_policies.push_back(policy);
    }
    std::sort(policies.network_policies.begin(), policies.network_policies.end(), [](const auto& a, const auto& b) {
      return std::tie(a.name_space, a.name) < std::tie(b.name_space, b.name);
    });
  }

  test::SmallCluster cluster;
  policy::PolicySet policies;

  /// The whole ruleset for the machine that the pods hang on.
  std::string nftables() const {
    std::string chains;
    std::string dispatch[2];
    for (unsigned p = 0; p < kPods; ++p) {
      for (const policy::Direction direction : {policy::Direction::egress, policy::Direction::ingress}) {
        const bool is_egress = direction == policy::Direction::egress;
        std::string grants;
        bool is_isolated = false;
        for (const policy::NetworkPolicy& policy : policies.network_policies) {
          if (policy.isolates(direction) && policy.name_space == cluster.pods[p].name_space &&
              matches(policy.pod_selector, cluster.pods[p].labels)) {
            is_isolated = true;
            for (const policy::Rule& rule : policy.rules(direction)) {
              grants += grant(policy, rule, p, is_egress);
            }
          }
        }
        if (is_isolated) {
          const std::string name = (is_egress ? "out_" : "in_") + std::to_string(p);
          chains += "chain " + name + " {\n" + grants +
                    "meta l4proto tcp reject with tcp reset\nreject with icmp admin-prohibited\n}\n";
          dispatch[is_egress ? 0 : 1] +=
              std::string(is_egress ? "ip saddr " : "ip daddr ") + ip(p) + " jump " + name + "\n";
        }
      }
    }
    return "flush ruleset\ntable inet pods {\n" + chains +
           "chain forward {\ntype filter hook forward priority 0;\nct state established,related accept\n" +
           dispatch[0] + dispatch[1] + "}\n}\n";
  }

 private:
  std::string ip(unsigned p) const { return cluster.pods[p].ip.to_string(); }
  std::size_t pick(std::size_t count) { return static_cast<std::size_t>(random_() % count); }
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  std::string any(const std::vector<std::string>& values) { return values[pick(values.size())]; }

  test::LabelMap labels() {
    test::LabelMap result;
    for (const char* key : {"app", "env", "tier"}) {
      if (chance(60)) {
        result[key] = any({"a", "b"});
      }
    }
    return result;
  }
  cluster::LabelSelector selector() {
    cluster::LabelSelector result;
    for (std::size_t i = pick(3); i > 0; --i) {
      cluster::Requirement requirement;
      requirement.key = any({"app", "env", "tier"});
      requirement.op = static_cast<cluster::SelectorOperator>(pick(4));
      if (requirement.op == cluster::SelectorOperator::in || requirement.op == cluster::SelectorOperator::not_in) {
        requirement.values = {any({"a", "b"})};
      }
      result.requirements.push_back(requirement);
    }
    return result;
  }
  std::vector<policy::Rule> rules() {
    std::vector<policy::Rule> result(pick(4));
    for (policy::Rule& rule : result) {
      for (std::size_t i = pick(3); i > 0; --i) {
        rule.peers.push_back(peer());
      }
      for (std::size_t i = pick(3); i > 0; --i) {
        rule.ports.push_back(port());
      }
    }
    return result;
  }
  policy::PeerRule peer() {
    policy::PeerRule result;
    const std::size_t kind = pick(4);
    if (kind == 0) {
      const std::string cidr = any({"10.77.0.0/30", "10.77.0.0/24", "10.77.0.4/31", "0.0.0.0/0", "10.77.0.6/32"});
      result.ip_block = policy::IpBlock{*Cidr::parse(cidr), {}, {}};
      if (result.ip_block->cidr.length() < 30) {
        for (std::size_t i = pick(3); i > 0; --i) {
          result.ip_block->except.push_back(*Cidr::parse(any({"10.77.0.2/31", "10.77.0.1/32", "10.77.0.4/30"})));
        }
      }
    }
    if (kind == 1 || kind == 3) {
      result.pod_selector = selector();
    }
    if (kind >= 2) {
      result.namespace_selector = selector();
    }
    return result;
  }
  policy::PortRule port() {
    policy::PortRule result;
    result.protocol = chance(75) ? IpProtocol::tcp : IpProtocol::udp;
    switch (pick(4)) {
      case 0:
        break;
      case 1:
        result.name = "http";
        break;
      case 2:
        result.first = Port(result.protocol == IpProtocol::udp ? kUdpPort : kTcpPorts[pick(3)]);
        break;
      default:
        result.first = Port(static_cast<std::uint16_t>(50 + pick(31)));
        result.last = Port(static_cast<std::uint16_t>(80 + pick(2)));
    }
    return result;
  }

  // ---- the translation

  static bool matches(const cluster::LabelSelector& selector, const test::LabelMap& labels) {
    return std::all_of(selector.requirements.begin(), selector.requirements.end(), [&](const auto& requirement) {
      const auto found = labels.find(requirement.key);
      const bool is_there = found != labels.end();
      const bool is_listed =
          is_there && std::count(requirement.values.begin(), requirement.values.end(), found->second);
      switch (requirement.op) {
        case cluster::SelectorOperator::in:
          return is_listed;
        case cluster::SelectorOperator::not_in:
          return !is_listed;
        case cluster::SelectorOperator::exists:
          return is_there;
        default:
          return !is_there;
      }
    });
  }
  bool is_selected(const policy::NetworkPolicy& policy, const policy::PeerRule& peer, unsigned p) const {
    const test::SmallPod& pod = cluster.pods[p];
    const bool is_in_namespace = peer.namespace_selector
                                     ? matches(*peer.namespace_selector, cluster.namespace_labels(pod.name_space))
                                     : pod.name_space == policy.name_space;
    return is_in_namespace && (!peer.pod_selector || matches(*peer.pod_selector, pod.labels));
  }
  /// Lines that let through what one rule grants pod `p`, one for each other pod and port item.
  std::string grant(const policy::NetworkPolicy& policy, const policy::Rule& rule, unsigned p, bool is_egress) const {
    std::string text;
    const std::string field = is_egress ? "ip daddr " : "ip saddr ";
    for (unsigned other = 0; other < kPods; ++other) {
      std::vector<std::string> addresses;
      if (rule.peers.empty()) {
        addresses.push_back(field + ip(other));
      }
      for (const policy::PeerRule& peer : rule.peers) {
        if (peer.ip_block) {
          std::string match = field + ip(other) + " " + field + peer.ip_block->cidr.to_string();
          for (const Cidr& except : peer.ip_block->except) {
            match += " " + field + "!= " + except.to_string();
          }
          addresses.push_back(match);
        } else if (is_selected(policy, peer, other)) {
          addresses.push_back(field + ip(other));
        }
      }
      for (const std::string& address : addresses) {
        if (rule.ports.empty()) {
          text += address + " return\n";
        }
        for (const policy::PortRule& port : rule.ports) {
          text += port_match(address, port, cluster.pods[is_egress ? other : p]);
        }
      }
    }
    return text;
  }
  static std::string port_match(const std::string& address, const policy::PortRule& port,
                                const test::SmallPod& destination) {
    const std::string protocol = port.protocol == IpProtocol::tcp ? "tcp" : "udp";
    if (port.is_all()) {
      return address + " meta l4proto " + protocol + " return\n";
    }
    if (port.name.empty()) {
      const std::string last = port.last.is_valid() ? "-" + std::to_string(port.last.number()) : "";
      return address + " " + protocol + " dport " + std::to_string(port.first.number()) + last + " return\n";
    }
    for (const cluster::ContainerPort& declared : destination.ports) {
      if (declared.name == port.name && declared.protocol == port.protocol) {
        return address + " " + protocol + " dport " + std::to_string(declared.number.number()) + " return\n";
      }
    }
    return "";
  }

  std::mt19937_64 random_;
};

}  // namespace podwire::kernel
