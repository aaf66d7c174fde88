// The engine against the naive evaluator on random clusters: every pair of ends, both directions, ports at and between
// all boundaries; verdict, cause, tier, the deciding rule, the isolating policies, and allowed_ports() against
// verdict(). Every other cluster has policies of the admin and baseline tiers, some of equal priority and some by
// domain name.
#include "models/policy/engine.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <set>

#include "tests/property/policy/naive_evaluator.hpp"
#include "tests/property/policy/random_world.hpp"

namespace podwire::policy {
namespace {

using test::NaiveEnd;
using test::NaiveEvaluator;
using test::NaiveVerdict;
using test::RandomWorld;

constexpr std::uint16_t kPorts[] = {1, 2, 53, 80, 81, 443, 8080, 9090, 65535};

/// How many clusters to try: PODWIRE_PROPERTY_CLUSTERS, else ten thousand, fewer where sanitizers or no
/// optimisation slow them.
std::uint64_t cluster_count() {
  if (const char* text = std::getenv("PODWIRE_PROPERTY_CLUSTERS")) {
    return std::strtoull(text, nullptr, 10);
  }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
  return 1'000;
#else
  return 10'000;
#endif
}

/// PODWIRE_PROPERTY_FIRST_SEED, else 1.
std::uint64_t first_seed() {
  const char* text = std::getenv("PODWIRE_PROPERTY_FIRST_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

Peer peer_of(const NaiveEnd& end) {
  return {.pod = end.pod < 0 ? cluster::PodId() : cluster::PodId(static_cast<std::size_t>(end.pod)),
          .node = end.node < 0 ? cluster::NodeId() : cluster::NodeId(static_cast<std::size_t>(end.node)),
          .ip = end.ip,
          .service_ip = end.service_ip,
          .service_port = end.service_port == 0 ? Port() : Port(end.service_port)};
}

class Comparison {
 public:
  explicit Comparison(std::uint64_t seed)
      : world_(world_of(seed)),
        cluster_(world_.cluster.build()),
        engine_(cluster_, world_.policies, world_.profile, world_.known_domains()),
        naive_(world_.cluster, world_.policies, world_.profile.policy, world_.known_domains()) {}

  void run() {
    std::vector<NaiveEnd> ends;
    for (std::size_t p = 0; p < world_.cluster.pods.size(); ++p) {
      ends.push_back({.pod = static_cast<int>(p)});
      if (const IpAddress second = world_.cluster.pods[p].second_ip; !second.is_unspecified()) {
        ends.push_back({.pod = static_cast<int>(p), .ip = second});
      }
    }
    const std::vector<IpAddress> addresses = world_.interesting_addresses();
    for (std::size_t i = 0; i < std::min<std::size_t>(6, addresses.size()); ++i) {
      ends.push_back({.ip = addresses[world_.pick(addresses.size())]});
    }
    for (std::size_t n = 0; n < world_.cluster.node_addresses.size(); ++n) {
      ends.push_back({.node = static_cast<int>(n), .ip = world_.cluster.node_addresses[n]});
    }
    for (const NaiveEnd& subject : ends) {
      for (const NaiveEnd& other : ends) {
        if (subject.pod < 0 && (other.pod < 0 || &subject != &ends.back())) {
          continue;  // strangers are no subjects: one of them tells
        }
        for (const Direction direction : {Direction::ingress, Direction::egress}) {
          compare(direction, subject, other);
          const bool has_destination = direction == Direction::ingress || other.pod >= 0 || !other.ip.is_unspecified();
          if (subject.pod >= 0 && has_destination && world_.chance(40)) {
            compare_dialled(direction, subject, other);
          }
          if (testing::Test::HasFailure()) {
            return;
          }
        }
      }
    }
  }

  std::size_t verdicts = 0;
  std::size_t denied = 0;
  std::size_t unknown = 0;
  std::size_t dialled = 0;
  std::size_t explanations = 0;
  std::set<Cause> causes;
  std::set<Tier> tiers;

 private:
  static RandomWorld world_of(std::uint64_t seed) {
    RandomWorld world(seed, seed % 2 == 0);
    world.profile.policy.is_ipv4_only = seed % 5 == 0;  // concerns what reach asks, no verdict
    return world;
  }

  /// The same two, the destination dialled through a Service.
  void compare_dialled(Direction direction, NaiveEnd subject, NaiveEnd other) {
    const std::vector<IpAddress> addresses = world_.interesting_addresses();
    NaiveEnd& destination = direction == Direction::ingress ? subject : other;
    const std::vector<test::SmallService>& services = world_.cluster.services;
    destination.service_ip = world_.chance(30) || services.empty() ? addresses[world_.pick(addresses.size())]
                                                                   : services[world_.pick(services.size())].ip;
    destination.service_port = kPorts[world_.pick(std::size(kPorts))];
    if (!destination.service_ip.is_unspecified()) {
      ++dialled;
      compare(direction, subject, other);
    }
  }

  void compare(Direction direction, const NaiveEnd& subject, const NaiveEnd& other) {
    bool is_unknown = true;
    const PortSet allowed = engine_.allowed_ports(direction, peer_of(subject), peer_of(other), is_unknown);
    bool has_seen_unknown = false;
    for (const IpProtocol protocol : kProtocols) {
      for (std::size_t i = 0; i < 3; ++i) {
        const std::uint16_t port = kPorts[world_.pick(std::size(kPorts))];
        const NaiveVerdict expected = naive_.verdict(direction, subject, other, protocol, port);
        const Verdict actual = engine_.verdict(direction, peer_of(subject), peer_of(other), protocol, Port(port));
        ++verdicts;
        denied += expected.action == Action::deny ? 1 : 0;
        has_seen_unknown = has_seen_unknown || expected.action == Action::unknown;
        unknown += expected.action == Action::unknown ? 1 : 0;
        causes.insert(actual.cause);
        tiers.insert(actual.tier);
        // Before translation the ports are those of the Service, of which one was dialled.
        const bool is_translated_later = direction == Direction::egress && !other.service_ip.is_unspecified() &&
                                         world_.profile.policy.enforcement_point == cni::EnforcementPoint::before_dnat;
        const Port seen = is_translated_later ? Port(other.service_port) : Port(port);
        const bool agrees = actual.action == expected.action &&
                            allowed.contains(protocol, seen) == expected.is_allowed &&
                            (expected.is_entangled || actual.cause == expected.cause);
        EXPECT_TRUE(agrees) << describe(direction, subject, other) << ' ' << to_string(protocol) << ' ' << port
                            << ": expected " << to_string(expected.cause) << ' ' << static_cast<int>(expected.action)
                            << ", got " << to_string(actual.cause) << ' ' << static_cast<int>(actual.action)
                            << ", allowed ports " << allowed.to_string();
        compare_reason(expected, actual);
        if (i == 0 && world_.chance(expected.action == Action::allow ? 5 : 25)) {
          compare_explanation(direction, subject, other, protocol, Port(port), expected);
        }
      }
    }
    EXPECT_TRUE(is_unknown || !has_seen_unknown) << describe(direction, subject, other);
  }

  void compare_reason(const NaiveVerdict& expected, const Verdict& actual) {
    const std::size_t first_admin = world_.policies.network_policies.size();
    if (actual.cause == Cause::conflict) {
      const AdminPolicy& one = engine_.admin_policy(actual.policy);
      const AdminPolicy& other = engine_.admin_policy(actual.rival());
      // A BaselineAdminNetworkPolicy has no place among the ClusterNetworkPolicies of its tier.
      EXPECT_TRUE(one.priority == other.priority || other.kind == AdminKind::baseline_admin_network_policy);
      EXPECT_NE(one.name, other.name);
      EXPECT_EQ(actual.action, Action::unknown);
    }
    if (expected.is_entangled) {
      return;
    }
    EXPECT_EQ(actual.tier, expected.tier);
    if (expected.admin_rule) {
      EXPECT_EQ(std::pair(actual.policy.index() - first_admin, std::size_t{actual.rule}), *expected.admin_rule);
    } else if (expected.cause == Cause::rule) {
      EXPECT_EQ(std::pair(actual.policy.index(), std::size_t{actual.rule}), expected.granting.front());
    } else if (expected.cause == Cause::default_deny) {
      EXPECT_EQ(actual.policy.index(), expected.isolating.front());
    }
  }

  /// The reasons against the verdict and against the rules as the naive evaluator read them.
  void compare_explanation(Direction direction, const NaiveEnd& subject, const NaiveEnd& other, IpProtocol protocol,
                           Port port, const NaiveVerdict& expected) {
    using Outcome = TierStep::Outcome;
    ++explanations;
    const Explanation explanation = engine_.explain(direction, peer_of(subject), peer_of(other), protocol, port);
    const Verdict& verdict = explanation.verdict;
    if (verdict.tier != Tier::none || verdict.cause == Cause::no_policy) {
      std::vector<std::size_t> isolating;
      for (const PolicyIndex policy : explanation.isolating) {
        isolating.push_back(policy.index());
      }
      EXPECT_EQ(isolating, expected.isolating);
    }
    if (verdict.cause == Cause::default_deny) {
      std::size_t rules = 0;
      for (const PolicyIndex policy : explanation.isolating) {
        rules += engine_.policy(policy).rules(direction).size();
      }
      EXPECT_EQ(explanation.nearest.size(), std::min<std::size_t>(3, rules)) << describe(direction, subject, other);
    }
    for (const NearMiss& miss : explanation.nearest) {
      EXPECT_FALSE(miss.criterion.empty()) << describe(direction, subject, other);
    }
    for (std::size_t i = 0; i < explanation.chain.size(); ++i) {
      const TierStep& step = explanation.chain[i];
      EXPECT_FALSE(step.text.empty());
      EXPECT_FALSE(step.selecting.empty());
      EXPECT_TRUE(i == 0 || explanation.chain[i - 1].tier < step.tier);
      const bool is_last = i + 1 == explanation.chain.size();
      EXPECT_TRUE(is_last || step.outcome == Outcome::pass || step.outcome == Outcome::skipped);
      for (const NearMiss& miss : step.nearest) {
        EXPECT_FALSE(miss.criterion.empty()) << describe(direction, subject, other);
      }
    }
    if (verdict.tier == Tier::none) {
      EXPECT_TRUE(explanation.chain.empty() || explanation.chain.back().outcome == Outcome::pass ||
                  explanation.chain.back().outcome == Outcome::skipped)
          << describe(direction, subject, other);
      return;
    }
    ASSERT_FALSE(explanation.chain.empty());
    const TierStep& last = explanation.chain.back();
    EXPECT_EQ(last.tier, verdict.tier);
    EXPECT_EQ(last.outcome, verdict.action == Action::allow  ? Outcome::allow
                            : verdict.action == Action::deny ? Outcome::deny
                                                             : Outcome::unknown)
        << describe(direction, subject, other) << ' ' << to_string(protocol) << ' ' << port.number();
    EXPECT_EQ(last.policy, verdict.policy);
    EXPECT_EQ(last.rule, verdict.rule);
    EXPECT_EQ(last.is_default_deny, verdict.cause == Cause::default_deny);
  }

  static std::string describe(const NaiveEnd& end) {
    return end.pod >= 0 ? "pod-" + std::to_string(end.pod) : end.ip.to_string();
  }
  static std::string describe(Direction direction, const NaiveEnd& subject, const NaiveEnd& other) {
    return std::string(to_string(direction)) + " of " + describe(subject) + " with " + describe(other);
  }

  RandomWorld world_;
  cluster::Cluster cluster_;
  PolicyEngine engine_;
  NaiveEvaluator naive_;
};

TEST(Engine, AgreesWithTheNaiveEvaluatorOnRandomClusters) {
  const std::uint64_t count = cluster_count();
  std::size_t verdicts = 0;
  std::size_t denied = 0;
  std::size_t unknown = 0;
  std::size_t dialled = 0;
  std::size_t explanations = 0;
  std::set<Cause> causes;
  std::set<Tier> tiers;
  const std::uint64_t first = first_seed();
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Comparison comparison(seed);
    comparison.run();
    verdicts += comparison.verdicts;
    denied += comparison.denied;
    unknown += comparison.unknown;
    dialled += comparison.dialled;
    explanations += comparison.explanations;
    causes.merge(comparison.causes);
    tiers.merge(comparison.tiers);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  std::cout << count << " clusters, " << verdicts << " verdicts, " << denied << " denied, " << unknown << " unknown, "
            << dialled << " pairs dialled through a Service, " << explanations << " explained, seeds " << first
            << " to " << first + count - 1 << "\n";
  // Every cause but `unmodelled` occurs, and neither outcome is rare: the comparison is not vacuous.
  if (count >= 100) {
    EXPECT_EQ(causes.size(), 9u);
    EXPECT_EQ(tiers.size(), 4u);
    EXPECT_GT(unknown, verdicts / 2000);
    EXPECT_GT(denied, verdicts / 20);
    EXPECT_LT(denied, verdicts / 2);
  }
}

}  // namespace
}  // namespace podwire::policy
