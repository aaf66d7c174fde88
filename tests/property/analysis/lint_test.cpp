// lint on random clusters: it ends, says the same each time, and each finding is there once, worst first. What single
// rules find is tested on manifests (tests/lint); here the shapes that nobody thought of.
#include "models/analysis/lint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
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

}  // namespace
}  // namespace podwire::analysis
