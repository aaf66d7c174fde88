// lint on random clusters: it ends, says the same each time, and each finding is there once, worst first. What single
// rules find is tested on manifests (tests/lint); here the shapes that nobody thought of.
#include "models/analysis/lint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <random>
#include <set>
#include <tuple>

#include "tests/property/policy/random_world.hpp"

namespace podwire::analysis {
namespace {

std::uint64_t cluster_count() {
  if (const char* text = std::getenv("PODWIRE_PROPERTY_CLUSTERS")) {
    return std::strtoull(text, nullptr, 10);
  }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
  return 300;
#else
  return 3'000;
#endif
}

TEST(LintProperty, RandomClustersGiveOrderedDistinctFindingsTheSameEachTime) {
  const std::uint64_t first = 1;
  std::size_t findings = 0;
  std::set<std::string> rules;
  for (std::uint64_t seed = first; seed < first + cluster_count(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    test::RandomWorld world(seed);
    const cluster::Cluster cluster = world.cluster.build();
    const std::vector<LintInput> inputs = {{.policy_set = "random",
                                            .cluster = &cluster,
                                            .policies = &world.policies,
                                            .profile = &world.profile,
                                            .stores = {}}};
    Diagnostics notes;
    const LintReport report = lint(inputs, {}, notes);
    const LintReport again = lint(inputs, {}, notes);
    ASSERT_EQ(report.findings.size(), again.findings.size());
    std::set<std::tuple<std::string, std::string, std::string, Span>> seen;
    for (std::size_t i = 0; i < report.findings.size(); ++i) {
      const LintFinding& finding = report.findings[i];
      EXPECT_EQ(finding.message, again.findings[i].message);
      EXPECT_TRUE(seen.emplace(finding.rule, finding.object, finding.message, finding.span).second) << finding.message;
      EXPECT_TRUE(i == 0 || report.findings[i - 1].severity <= finding.severity);
      rules.emplace(finding.rule);
    }
    findings += report.findings.size();
    // A profile that enforces nothing has one finding about that, and none that rests on verdicts.
    const bool has_unenforced = std::any_of(report.findings.begin(), report.findings.end(),
                                            [](const auto& f) { return f.rule == "cni-does-not-enforce"; });
    EXPECT_EQ(has_unenforced, !world.profile.policy.is_enforced && !world.policies.network_policies.empty());
  }
  std::cout << findings << " findings of " << rules.size() << " rules on " << cluster_count()
            << " clusters, seeds from " << first << "\n";
  EXPECT_TRUE(rules.contains("one-sided-allow"));
  EXPECT_TRUE(rules.contains("redundant-rule"));
  EXPECT_TRUE(rules.contains("or-instead-of-and"));
}

/// A finding with all that is said of it.
std::string all_of(const LintFinding& finding) {
  std::string text = std::string(finding.rule) + " " + finding.object + ": " + finding.message + " | " + finding.remedy;
  for (const LintPlace& place : finding.related) {
    text += " | " + std::to_string(place.span.begin) + " " + place.text;
  }
  return text;
}

/// one-sided-allow looks at each pair of a rule, or at blocks of pairs: the findings are the same.
TEST(LintProperty, OneSidedAllowInBlocksTellsWhatItTellsPairByPair) {
  const std::uint64_t first = 1;
  const std::uint64_t count = 5 * cluster_count();
  std::size_t findings = 0;
  std::size_t doubts = 0;
  std::size_t of_admins = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    test::RandomWorld world(seed, seed % 3 != 0);
    if (seed % 2 == 0) {  // more of the same, so that workloads stand for several kinds and kinds for several pods
      const std::size_t pods = world.cluster.pods.size();
      for (std::size_t p = 0; p < 2 * pods; ++p) {
        test::SmallPod pod = world.cluster.pods[world.pick(pods)];
        pod.name += "-" + std::to_string(p);
        pod.ip = pod.is_host_network ? pod.ip : IpAddress::v4(10, 0, 1, static_cast<unsigned>(100 + p));
        world.cluster.pods.push_back(pod);
      }
      for (test::SmallPod& pod : world.cluster.pods) {
        pod.owner = world.chance(50) ? "shared-" + std::to_string(world.pick(3)) : "";
      }
    }
    cluster::Cluster cluster = world.cluster.build();
    if (seed % 5 == 0) {
      cluster.unmodelled.push_back({.kind = "CiliumNetworkPolicy", .full_name = "x", .name_space = {}, .span = {}});
    }
    std::array<LintReport, 2> reports;
    for (const std::size_t way : {0u, 1u}) {
      const std::vector<LintInput> inputs = {{.policy_set = "random",
                                              .cluster = &cluster,
                                              .policies = &world.policies,
                                              .profile = &world.profile,
                                              .stores = {},
                                              .pairs_one_by_one = way == 0 ? std::size_t{1} << 40 : 0}};
      Diagnostics notes;
      reports[way] = lint(inputs, {.only = {"one-sided-allow"}, .skip = {}}, notes);
      ASSERT_TRUE(notes.all().empty());
    }
    ASSERT_EQ(reports[0].findings.size(), reports[1].findings.size());
    for (std::size_t i = 0; i < reports[0].findings.size(); ++i) {
      ASSERT_EQ(all_of(reports[0].findings[i]), all_of(reports[1].findings[i]));
      of_admins += reports[0].findings[i].object.find("adminnetworkpolicy") != std::string::npos ||
                   reports[0].findings[i].object.find("clusternetworkpolicy") != std::string::npos;
    }
    ASSERT_EQ(reports[0].doubts, reports[1].doubts);
    findings += reports[0].findings.size();
    doubts += reports[0].doubts.size();
  }
  std::cout << findings << " findings, " << of_admins << " of them of admin policies, and " << doubts << " doubts on "
            << count << " clusters, seeds from " << first << "\n";
  EXPECT_GT(findings, count / 25);
  EXPECT_GT(of_admins, count / 80);
  EXPECT_GT(doubts, count / 100);
}

/// The ports that the one item of a rule grants towards a pod; every port where there is no item.
policy::PortSet granted(const cluster::Cluster& cluster, const std::vector<policy::PortRule>& ports,
                        cluster::PodId destination) {
  if (ports.empty()) {
    return policy::PortSet::all();
  }
  const policy::PortRule& port = ports.front();
  if (!port.name.empty()) {
    const Port number = cluster.named_port(cluster.pods[destination.index()].shape, port.protocol, port.name);
    return number.is_valid() ? policy::PortSet::of({{port.protocol, number.number(), number.number()}})
                             : policy::PortSet();
  }
  return port.first.is_valid()
             ? policy::PortSet::of({{port.protocol, port.first.number(), std::max(port.first, port.last).number()}})
             : policy::PortSet::whole(port.protocol);
}

/// The only peer of the policy's only rule, with its direction.
struct Half {
  policy::Direction direction;
  const policy::Rule* rule;
};
std::optional<Half> only_half(const policy::NetworkPolicy& policy) {
  std::vector<Half> halves;
  for (const policy::Direction direction : policy::kDirections) {
    for (const policy::Rule& rule : policy.rules(direction)) {
      for (std::size_t i = 0; i < rule.peers.size(); ++i) {
        halves.push_back({direction, &rule});
      }
    }
  }
  const bool is_exact = halves.size() == 1 && halves.front().rule->ports.size() <= 1;
  return is_exact ? std::optional(halves.front()) : std::nullopt;
}

/// Pairs of pods of a cluster whom a finding says cannot connect; checks each.
std::size_t check_half(const cluster::Cluster& cluster, policy::PolicyEngine& engine,
                       const policy::NetworkPolicy& policy, const Half& half) {
  const bool is_egress = half.direction == policy::Direction::egress;
  const policy::PeerRule& peer = half.rule->peers.front();
  const auto has = [&](const cluster::LabelSelector& selector, cluster::LabelSetId labels) {
    return selector.matches(labels, cluster.label_sets, cluster.strings);
  };
  const auto is_filtered = [&](const cluster::Pod& pod) {
    return pod.phase == cluster::PodPhase::running && !cluster.shapes[pod.shape.index()].is_host_network &&
           !pod.ip.is_unspecified();
  };
  std::size_t checked = 0;
  for (std::size_t s = 0; s < cluster.pods.size(); ++s) {
    const cluster::PodShape& subject = cluster.shapes[cluster.pods[s].shape.index()];
    if (cluster.namespaces[subject.name_space.index()].name != policy.name_space ||
        !has(policy.pod_selector, subject.labels) || !is_filtered(cluster.pods[s])) {
      continue;
    }
    for (std::size_t o = 0; o < cluster.pods.size(); ++o) {
      const cluster::PodShape& other = cluster.shapes[cluster.pods[o].shape.index()];
      const bool is_meant =
          (peer.namespace_selector ? has(*peer.namespace_selector, cluster.namespaces[other.name_space.index()].labels)
                                   : other.name_space == subject.name_space) &&
          (!peer.pod_selector || has(*peer.pod_selector, other.labels));
      if (o == s || !is_meant || !is_filtered(cluster.pods[o])) {
        continue;
      }
      bool is_unknown = false;
      const policy::PortSet allowed =
          engine.allowed_ports(is_egress ? policy::Direction::ingress : policy::Direction::egress,
                               {.pod = cluster::PodId(o)}, {.pod = cluster::PodId(s)}, is_unknown);
      const policy::PortSet wanted = granted(cluster, half.rule->ports, cluster::PodId(is_egress ? o : s));
      EXPECT_TRUE(allowed.intersected_with(wanted).empty())
          << cluster.full_pod_name(cluster::PodId(s)) << " and " << cluster.full_pod_name(cluster::PodId(o)) << ": "
          << allowed.to_string();
      ++checked;
    }
  }
  return checked;
}

/// Two namespaces that deny by default more often than not, policies with one rule of one peer each, and pods to fill
/// them with; words are few, so that halves meet about as often as they miss.
class Town {
 public:
  explicit Town(std::uint64_t seed) : random_(seed) {
    for (const char* name : {"alpha", "beta"}) {
      cluster.namespaces[name] = {{"team", one_of("a", "b")}};
      if (chance(80)) {
        policies.network_policies.push_back(policy(name, "deny", {}, chance(50), true));
      }
      for (int i = 0; i < 3; ++i) {
        add_rule(
            policies.network_policies.emplace_back(policy(name, "p" + std::to_string(i), selector(), false, false)));
      }
    }
  }

  void fill() {
    cluster.pods.clear();
    for (unsigned p = 0; p < 8; ++p) {
      test::SmallPod pod{.name_space = one_of("alpha", "beta"), .name = "pod-" + std::to_string(p)};
      for (const char* key : {"app", "tier"}) {
        if (chance(70)) {
          pod.labels[key] = one_of("x", "y");
        }
      }
      pod.ip = IpAddress::v4(10, 0, 0, p + 1);
      if (chance(70)) {
        pod.ports = {{.name = "http", .protocol = IpProtocol::tcp, .number = Port(chance(50) ? 80 : 81)}};
      }
      cluster.pods.push_back(pod);
    }
  }

  test::SmallCluster cluster;
  policy::PolicySet policies;

 private:
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  std::string one_of(const char* a, const char* b) { return chance(50) ? a : b; }

  cluster::LabelSelector selector() {
    cluster::LabelSelector result;
    for (const char* key : {"app", "tier"}) {
      if (chance(45)) {
        const bool is_by_value = chance(80);
        result.requirements.push_back(
            {.key = key,
             .op = is_by_value
                       ? (chance(80) ? cluster::SelectorOperator::in : cluster::SelectorOperator::not_in)
                       : (chance(50) ? cluster::SelectorOperator::exists : cluster::SelectorOperator::does_not_exist),
             .values = is_by_value ? std::vector{one_of("x", "y")} : std::vector<std::string>()});
      }
    }
    return result;
  }

  static policy::NetworkPolicy policy(const std::string& name_space, const std::string& name,
                                      cluster::LabelSelector pods, bool in, bool out) {
    policy::NetworkPolicy result;
    result.name_space = name_space;
    result.name = name;
    result.pod_selector = std::move(pods);
    result.isolates_ingress = in || name == "deny";
    result.isolates_egress = out;
    return result;
  }

  void add_rule(policy::NetworkPolicy& policy) {
    policy::PeerRule peer;
    if (chance(10)) {
      peer.ip_block = {.cidr = *Cidr::parse(chance(50) ? "10.0.0.0/30" : "203.0.113.0/24"), .except = {}, .span = {}};
    } else {
      if (chance(80)) {
        const bool is_by_name = chance(75);
        peer.namespace_selector = cluster::LabelSelector{
            .requirements = {{.key = is_by_name ? "kubernetes.io/metadata.name" : "team",
                              .values = {is_by_name ? one_of("alpha", "beta") : one_of("a", "b")}}},
            .span = {}};
      }
      if (chance(80)) {
        peer.pod_selector = selector();
      } else if (!peer.namespace_selector) {
        peer.pod_selector = cluster::LabelSelector();
      }
    }
    policy::Rule rule{.peers = {peer}, .ports = {}, .span = {}};
    if (chance(60)) {
      policy::PortRule port;
      if (chance(25)) {
        port.name = "http";
      } else if (chance(90)) {
        port.first = Port(chance(50) ? 80 : 81);
        port.last = chance(80) ? port.first : Port(81);
      }
      rule.ports = {port};
    }
    const bool is_egress = chance(50);
    policy.isolates_ingress = !is_egress;
    policy.isolates_egress = is_egress;
    (is_egress ? policy.egress : policy.ingress) = {rule};
  }

  std::mt19937_64 random_;
};

TEST(LintProperty, WhatSelectorsSayWithoutPodsHoldsForAllPodsThatComeLater) {
  const cni::Profile profile = cni::load_builtin("spec").value();
  std::size_t findings = 0;
  std::size_t checked = 0;
  for (std::uint64_t seed = 1; seed <= cluster_count(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Town town(seed);
    // Half of the towns define their namespaces; the labels of the others are not known.
    const bool is_assumed = seed % 2 == 0;
    test::SmallCluster bare = town.cluster;
    for (auto& [name, labels] : bare.namespaces) {
      labels = is_assumed ? test::LabelMap() : labels;
    }
    cluster::Cluster cluster = bare.build();
    for (cluster::Namespace& name_space : cluster.namespaces) {
      name_space.is_assumed = is_assumed;
    }
    const std::vector<LintInput> inputs = {
        {.policy_set = "random", .cluster = &cluster, .policies = &town.policies, .profile = &profile, .stores = {}}};
    Diagnostics notes;
    const LintReport report = lint(inputs, {.only = {"one-sided-allow"}}, notes);
    findings += report.findings.size();
    for (int later = 0; later < 6 && !report.findings.empty(); ++later) {
      town.fill();
      const cluster::Cluster with_pods = town.cluster.build();
      policy::PolicyEngine engine(with_pods, town.policies, profile);
      for (const LintFinding& finding : report.findings) {
        for (const policy::NetworkPolicy& policy : town.policies.network_policies) {
          const std::optional<Half> half = only_half(policy);
          if (half && finding.object == policy.name_space + "/networkpolicy/" + policy.name) {
            SCOPED_TRACE(finding.message);
            checked += check_half(with_pods, engine, policy, *half);
          }
        }
      }
    }
  }
  std::cout << findings << " findings without pods, " << checked << " pairs of pods checked, seeds from 1\n";
  EXPECT_GT(findings, cluster_count() / 10);
  EXPECT_GT(checked, cluster_count());
}

}  // namespace
}  // namespace podwire::analysis
