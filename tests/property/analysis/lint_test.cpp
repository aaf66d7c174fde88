// lint on random clusters: it ends, says the same each time, and each finding is there once, worst first. What single
// rules find is tested on manifests (tests/lint); here the shapes that nobody thought of.
#include "models/analysis/lint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
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

}  // namespace
}  // namespace podwire::analysis
