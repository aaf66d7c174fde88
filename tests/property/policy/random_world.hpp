// Random small clusters and policy sets from one seed. Vocabularies are small on purpose, so that selectors, named
// ports and blocks hit and miss about equally often, and names clash.
#pragma once

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "models/cni/profile.hpp"
#include "models/policy/policy.hpp"
#include "tests/property/policy/naive_evaluator.hpp"
#include "tests/support/small_cluster.hpp"

namespace podwire::test {

class RandomWorld {
 public:
  /// `has_tiers`: with policies of the admin and baseline tiers.
  explicit RandomWorld(std::uint64_t seed, bool has_tiers = false) : random_(seed) {
    make_cluster();
    add_second_addresses(seed);
    make_policies();
    make_profile();
    if (has_tiers) {
      make_admin_policies();
    }
    make_services();
  }

  SmallCluster cluster;
  policy::PolicySet policies;
  cni::Profile profile;
  std::optional<policy::DomainTable> domains;

  const policy::DomainTable* known_domains() const { return domains ? &*domains : nullptr; }

  std::size_t pick(std::size_t count) { return static_cast<std::size_t>(random_() % count); }
  bool chance(unsigned percent) { return random_() % 100 < percent; }

  /// Addresses at and around every boundary of the policies' blocks, and strangers to all of them.
  std::vector<IpAddress> interesting_addresses() const {
    std::vector<IpAddress> all = {IpAddress::v4(203, 0, 113, 9), IpAddress::v4(0, 0, 0, 0),
                                  IpAddress::v4(255, 255, 255, 255), *IpAddress::parse("2001:db8::7"),
                                  *IpAddress::parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")};
    for (const policy::NetworkPolicy& policy : policies.network_policies) {
      for (const policy::Direction direction : {policy::Direction::ingress, policy::Direction::egress}) {
        for (const policy::Rule& rule : policy.rules(direction)) {
          for (const policy::PeerRule& peer : rule.peers) {
            if (peer.ip_block) {
              add_edges(peer.ip_block->cidr, all);
              for (const Cidr& except : peer.ip_block->except) {
                add_edges(except, all);
              }
            }
          }
        }
      }
    }
    for (const policy::AdminPolicy& policy : policies.admin_policies) {
      for (const policy::AdminRule& rule : policy.egress) {
        for (const policy::AdminPeer& peer : rule.peers) {
          for (const Cidr& cidr : peer.networks) {
            add_edges(cidr, all);
          }
        }
      }
    }
    if (domains) {
      for (const policy::DomainTable::Entry& entry : domains->entries) {
        all.insert(all.end(), entry.addresses.begin(), entry.addresses.end());
      }
    }
    return all;
  }

 private:
  template <class T>
  const T& any_of(const std::vector<T>& values) {
    return values[pick(values.size())];
  }

  static void add_edges(const Cidr& cidr, std::vector<IpAddress>& all) {
    for (const IpAddress ip : {cidr.first(), cidr.last(), cidr.first().minus_one(), cidr.last().plus(1)}) {
      if (!ip.is_unspecified()) {
        all.push_back(ip);
      }
    }
  }

  LabelMap labels() {
    LabelMap result;
    for (const std::string& key : keys_) {
      if (chance(55)) {
        result[key] = any_of(values_);
      }
    }
    return result;
  }

  void make_cluster() {
    const std::vector<std::string> names = {"alpha", "beta", "delta", "gamma"};
    const std::size_t count = 1 + pick(names.size());
    for (std::size_t n = 0; n < count; ++n) {
      cluster.namespaces[names[n]] = labels();
    }
    cluster.node_addresses = {IpAddress::v4(192, 168, 0, 1),
                              chance(70) ? IpAddress::v4(192, 168, 0, 2) : IpAddress(0xfd00'0000'0000'0001u, 2)};
    const std::size_t pods = 1 + pick(7);
    for (std::size_t p = 0; p < pods; ++p) {
      SmallPod pod;
      pod.name_space = names[pick(count)];
      pod.name = "pod-" + std::to_string(p);
      pod.labels = labels();
      pod.node = static_cast<int>(pick(3)) - 1;
      pod.is_host_network = pod.node >= 0 && chance(15);
      pod.ip = pod_ip(pod, p);
      if (chance(15)) {
        pod.phase = chance(50) ? cluster::PodPhase::succeeded : cluster::PodPhase::failed;
      }
      for (std::size_t i = pick(4); i > 0; --i) {
        pod.ports.push_back({.name = chance(80) ? any_of(port_names_) : "",
                             .protocol = kProtocols[pick(3)],
                             .number = Port(any_of(numbers_))});
      }
      cluster.pods.push_back(pod);
    }
  }

  /// Some of whose addresses lie in blocks of policies; ports that lead to what pods declare, twice the same now and
  /// then.
  void make_services() {
    const std::vector<IpAddress> addresses = {IpAddress::v4(10, 96, 0, 7), IpAddress::v4(10, 0, 1, 200),
                                              IpAddress::v4(203, 0, 113, 9)};
    for (std::size_t s = pick(4); s > 0; --s) {
      SmallService service;
      service.name_space = any_of(cluster.pods).name_space;
      service.name = "service-" + std::to_string(s);
      service.ip = addresses[s - 1];
      service.has_selector = chance(85);
      for (const std::string& key : keys_) {
        if (service.has_selector && chance(35)) {
          service.selector[key] = any_of(values_);
        }
      }
      for (std::size_t i = 1 + pick(3); i > 0; --i) {
        SmallServicePort port;
        port.protocol = kProtocols[pick(3)];
        port.port = any_of(numbers_);
        if (chance(40)) {
          port.target_name = any_of(port_names_);
        } else if (chance(80)) {
          port.target_number = any_of(numbers_);
        }
        service.ports.push_back(port);
      }
      cluster.services.push_back(service);
    }
  }

  /// Drawn apart, so that the rest of the world is the same with and without them.
  void add_second_addresses(std::uint64_t seed) {
    std::mt19937_64 random(seed ^ 0x5eed'0f'2222u);
    if (random() % 100 >= 40) {
      return;
    }
    for (std::size_t p = 0; p < cluster.pods.size(); ++p) {
      SmallPod& pod = cluster.pods[p];
      const auto third = static_cast<unsigned>(random() % 3);
      if (!pod.ip.is_unspecified() && !pod.is_host_network && random() % 100 < 75) {
        pod.second_ip = pod.ip.is_v4() ? IpAddress(0xfd00'0000'0000'0000u, p + 1)
                                       : IpAddress::v4(10, 0, third, static_cast<unsigned>(p + 1));
      }
    }
  }

  IpAddress pod_ip(const SmallPod& pod, std::size_t p) {
    if (pod.is_host_network) {
      return cluster.node_addresses[static_cast<std::size_t>(pod.node)];
    }
    if (chance(8)) {
      return {};  // pending
    }
    return chance(80) ? IpAddress::v4(10, 0, static_cast<unsigned>(pick(3)), static_cast<unsigned>(p + 1))
                      : IpAddress(0xfd00'0000'0000'0000u, p + 1);
  }

  cluster::LabelSelector selector() {
    cluster::LabelSelector result;
    for (std::size_t i = pick(3); i > 0; --i) {
      cluster::Requirement requirement;
      // An unknown key and value now and then.
      requirement.key = chance(95) ? any_of(keys_) : "unheard-of";
      requirement.op = static_cast<cluster::SelectorOperator>(pick(4));
      if (requirement.op == cluster::SelectorOperator::in || requirement.op == cluster::SelectorOperator::not_in) {
        for (std::size_t v = 1 + pick(2); v > 0; --v) {
          requirement.values.push_back(chance(95) ? any_of(values_) : "nowhere");
        }
        std::sort(requirement.values.begin(), requirement.values.end());
        requirement.values.erase(std::unique(requirement.values.begin(), requirement.values.end()),
                                 requirement.values.end());
      }
      result.requirements.push_back(requirement);
    }
    return result;
  }

  cluster::LabelSelector namespace_selector() {
    if (chance(70)) {
      return selector();
    }
    cluster::LabelSelector result;
    result.requirements.push_back({.key = "kubernetes.io/metadata.name",
                                   .op = cluster::SelectorOperator::in,
                                   .values = {any_of(std::vector<std::string>{"alpha", "beta", "elsewhere"})},
                                   .span = {}});
    return result;
  }

  policy::IpBlock block() {
    const std::vector<std::string> cidrs = {"0.0.0.0/0",      "10.0.0.0/8",    "10.0.0.0/23", "10.0.1.0/24",
                                            "10.0.2.3/32",    "fd00::/64",     "fd00::/63",   "::/0",
                                            "192.168.0.0/31", "203.0.113.0/24"};
    policy::IpBlock result;
    result.cidr = *Cidr::parse(any_of(cidrs));
    for (std::size_t i = pick(3); i > 0; --i) {
      const Cidr except = *Cidr::parse(any_of(cidrs));
      // The API accepts exceptions strictly inside the block only.
      if (except.family() == result.cidr.family() && except.length() > result.cidr.length() &&
          result.cidr.contains(except.first())) {
        result.except.push_back(except);
      }
    }
    return result;
  }

  policy::AdminPeer admin_peer(policy::Direction direction, policy::AdminKind kind, policy::RuleAction action) {
    using Kind = policy::AdminPeer::Kind;
    policy::AdminPeer result;
    const bool is_egress = direction == policy::Direction::egress;
    result.kind = static_cast<Kind>(pick(is_egress ? 5 : 2));
    if (kind == policy::AdminKind::cluster_network_policy && chance(4)) {
      result.kind = Kind::unknown;
    } else if (result.kind == Kind::domain_names && action != policy::RuleAction::allow) {
      result.kind = Kind::networks;
    }
    switch (result.kind) {
      case Kind::pods:
        result.pod_selector = selector();
        [[fallthrough]];
      case Kind::namespaces:
        result.namespace_selector = namespace_selector();
        break;
      case Kind::nodes:
        if (chance(70)) {
          cluster::Requirement zone;
          zone.key = "zone";
          zone.op = chance(70) ? cluster::SelectorOperator::in : cluster::SelectorOperator::not_in;
          zone.values = {chance(50) ? "east" : "west"};
          result.node_selector.requirements = {zone};
        }
        break;
      case Kind::networks:
        for (std::size_t i = 1 + pick(2); i > 0; --i) {
          result.networks.push_back(block().cidr);
        }
        break;
      case Kind::domain_names:
        result.domain_names = {any_of(std::vector<std::string>{"example.org", "*.example.org", "api.example.net"})};
        break;
      case Kind::unknown:
        break;
    }
    return result;
  }

  std::vector<policy::AdminRule> admin_rules(policy::Direction direction, policy::AdminKind kind) {
    std::vector<policy::AdminRule> result(pick(4));
    for (policy::AdminRule& rule : result) {
      rule.action =
          static_cast<policy::RuleAction>(pick(kind == policy::AdminKind::baseline_admin_network_policy ? 2 : 3));
      for (std::size_t i = 1 + pick(2); i > 0; --i) {
        rule.peers.push_back(admin_peer(direction, kind, rule.action));
      }
      for (std::size_t i = chance(40) ? 0 : 1 + pick(2); i > 0; --i) {
        rule.ports.push_back(port());
        rule.ports.back().has_any_protocol = !rule.ports.back().name.empty();
      }
    }
    return result;
  }

  /// Few priorities, so that some are equal.
  void make_admin_policies() {
    cluster.node_labels = {{{"zone", "east"}}, {{"zone", "west"}}};
    const std::size_t count = 1 + pick(4);
    bool has_baseline = false;
    for (std::size_t p = 0; p < count; ++p) {
      policy::AdminPolicy policy;
      policy.kind = static_cast<policy::AdminKind>(pick(3));
      if (policy.kind == policy::AdminKind::baseline_admin_network_policy && has_baseline) {
        policy.kind = policy::AdminKind::cluster_network_policy;
      }
      policy.name = "admin-" + std::to_string(p);
      policy.priority = static_cast<std::uint16_t>(10 * pick(3));
      if (policy.kind == policy::AdminKind::baseline_admin_network_policy) {
        has_baseline = true;
        policy.name = "default";
        policy.priority = policy::kBaselinePriority;
        policy.tier = policy::Tier::baseline;
      } else if (policy.kind == policy::AdminKind::cluster_network_policy && chance(40)) {
        policy.tier = policy::Tier::baseline;
      }
      if (chance(50)) {
        policy.subject_namespaces = namespace_selector();
      }
      if (chance(40)) {
        policy.subject_pods = selector();
      }
      policy.ingress = admin_rules(policy::Direction::ingress, policy.kind);
      policy.egress = admin_rules(policy::Direction::egress, policy.kind);
      policies.admin_policies.push_back(policy);
    }
    std::sort(policies.admin_policies.begin(), policies.admin_policies.end(), policy::precedes);
    if (chance(40)) {
      domains.emplace();
      domains->entries = {{"example.org", {IpAddress::v4(203, 0, 113, 9)}},
                          {"www.example.org", {IpAddress::v4(203, 0, 113, 10), *IpAddress::parse("2001:db8::7")}},
                          {"deep.www.example.org", {IpAddress::v4(10, 0, 0, 1)}},
                          {"node.example.org", {cluster.node_addresses[pick(2)]}},
                          {"myexample.org", {IpAddress::v4(203, 0, 113, 11)}}};
    }
  }

  policy::PeerRule peer() {
    policy::PeerRule result;
    switch (pick(4)) {
      case 0:
        result.ip_block = block();
        break;
      case 1:
        result.pod_selector = selector();
        break;
      case 2:
        result.namespace_selector = namespace_selector();
        break;
      default:
        result.pod_selector = selector();
        result.namespace_selector = namespace_selector();
    }
    return result;
  }

  policy::PortRule port() {
    policy::PortRule result;
    result.protocol = kProtocols[pick(3)];
    switch (pick(4)) {
      case 0:
        break;  // the whole protocol
      case 1:
        result.name = chance(90) ? any_of(port_names_) : "nobodys";
        break;
      case 2:
        result.first = Port(any_of(numbers_));
        if (chance(50)) {
          result.last = result.first;
        }
        break;
      default: {
        const std::uint16_t a = any_of(numbers_);
        const std::uint16_t b = any_of(numbers_);
        result.first = Port(std::min(a, b));
        result.last = Port(std::max(a, b));
      }
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

  void make_policies() {
    policies.name = "random";
    const std::size_t count = pick(7);
    for (std::size_t p = 0; p < count; ++p) {
      policy::NetworkPolicy policy;
      policy.name_space = any_of(std::vector<std::string>{"alpha", "alpha", "beta", "delta", "gamma", "nowhere"});
      policy.name = "policy-" + std::to_string(p);
      policy.pod_selector = selector();
      policy.isolates_ingress = chance(65);
      policy.isolates_egress = !policy.isolates_ingress || chance(40);
      // Rules of a direction the policy does not isolate stay without effect.
      policy.ingress = rules();
      policy.egress = rules();
      policies.network_policies.push_back(policy);
    }
    std::sort(policies.network_policies.begin(), policies.network_policies.end(),
              [](const policy::NetworkPolicy& a, const policy::NetworkPolicy& b) {
                return std::tie(a.name_space, a.name) < std::tie(b.name_space, b.name);
              });
  }

  void make_profile() {
    profile.name = "random";
    profile.policy.is_enforced = chance(95);
    profile.policy.ip_block_matches_pods = chance(60);
    profile.policy.host_network_is_node = chance(60);
    profile.policy.finished_pods_are_ignored = chance(60);
    profile.policy.own_node_is_allowed = chance(70);
    profile.policy.admin_tiers = chance(60) ? cni::AdminTiers::enforced : static_cast<cni::AdminTiers>(pick(5));
    profile.policy.ip_block_matches_nodes = chance(60);
    profile.policy.except_is_honoured = chance(70);
    profile.policy.end_port_is_honoured = chance(70);
    profile.policy.named_sctp_ports_resolve = chance(70);
    profile.policy.sctp_is_enforced = chance(75);
    profile.policy.rejects_policies_with_sctp = chance(20);
    profile.policy.rejects_policies_with_any_port = chance(20);
    profile.policy.rejects_policies_with_named_ports = chance(15);
    profile.policy.rejects_policies_with_except = chance(15);
    profile.policy.rejects_policies_with_negation = chance(10);
    profile.policy.rejects_policies_with_selectors = chance(7);
    profile.policy.named_ports_resolve_on =
        chance(70) ? cni::NamedPortsOn::destination : cni::NamedPortsOn::source_pods;
    profile.policy.ip_block_with_named_port =
        chance(70) ? cni::NamedPortInBlock::matches : cni::NamedPortInBlock::dropped;
    profile.policy.enforcement_point =
        chance(60) ? cni::EnforcementPoint::after_dnat : cni::EnforcementPoint::before_dnat;
    profile.policy.selectors_open_services = chance(75);
    profile.policy.hairpin = static_cast<cni::Hairpin>(pick(4));
    // These must not matter to a verdict.
    profile.policy.policy_map_entries = chance(20) ? 1'000'000 : 0;
    profile.policy.deny_action = static_cast<cni::DenyAction>(pick(2));
    profile.policy.established = static_cast<cni::EstablishedFlows>(pick(2));
    profile.policy.judges_every_packet = chance(50);
    profile.policy.pod_start = static_cast<cni::PodStart>(pick(2));
    profile.policy.pod_start_window = Duration::from_s(static_cast<std::int64_t>(pick(60)));
  }

  std::mt19937_64 random_;
  std::vector<std::string> keys_ = {"app", "env", "tier"};
  std::vector<std::string> values_ = {"a", "b", "c"};
  std::vector<std::string> port_names_ = {"http", "dns", "metrics"};
  std::vector<std::uint16_t> numbers_ = {1, 53, 80, 81, 8080, 9090, 65535};
};

}  // namespace podwire::test
