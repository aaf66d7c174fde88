// Every rule against manifests: tests/lint/RULE/fires.yaml and quiet.yaml, and others whose names begin so
// (fires-….yaml). A line that ends with `# lint: RULE, …` has exactly these findings, all others have none; quiet ones
// never have RULE.
#include "models/analysis/lint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "sim/config/render.hpp"
#include "tests/support/source_dir.hpp"

namespace podwire::analysis {
namespace {

namespace fs = std::filesystem;
using Marks = std::multiset<std::pair<std::uint32_t, std::string>>;  // line, rule

const fs::path kFixtures = fs::path(PODWIRE_SOURCE_DIR) / "tests" / "lint";

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Marks marks_in(const fs::path& path) {
  Marks marks;
  std::stringstream lines(text_of(path));
  std::string line;
  for (std::uint32_t number = 1; std::getline(lines, line); ++number) {
    constexpr std::string_view kMark = "# lint: ";
    const std::size_t at = line.find(kMark);
    if (at == std::string::npos) {
      continue;
    }
    std::stringstream ids(line.substr(at + kMark.size()));
    std::string id;
    while (std::getline(ids, id, ',')) {
      id.erase(0, id.find_first_not_of(' '));
      EXPECT_NE(find_lint_rule(id), nullptr) << path << ":" << number << ": no rule " << id;
      marks.emplace(number, id);
    }
  }
  return marks;
}

/// What lint says about one input, with all that its findings point into.
struct Linted {
  SourceMap sources;
  LintReport report;
  Diagnostics notes;
};

/// As the command does: with cluster DNS, under the profile that a line `# cni: NAME` names.
Linted lint_text(std::string text, const LintOptions& options = {}) {
  Linted linted;
  constexpr std::string_view kCni = "# cni: ";
  const std::size_t at = text.find(kCni);
  const std::string name =
      at == std::string::npos ? "spec" : text.substr(at + kCni.size(), text.find('\n', at) - at - kCni.size());
  const cni::Profile profile = cni::load_builtin(name).value();
  Diagnostics problems;
  cluster::ObjectStore store;
  store.add_layer(linted.sources, {.path = "-", .shown_as = "lint.yaml", .text = std::move(text), .span = {}}, {},
                  problems);
  EXPECT_FALSE(problems.has_errors()) << config::render(problems, linted.sources);
  cluster::ClusterOptions cluster_options;
  cluster_options.adds_dns = true;
  const auto cluster = cluster::build_cluster(store, cluster_options);
  const auto policies = policy::read_policies(store);
  EXPECT_TRUE(cluster.has_value()) << config::render(cluster.diagnostics(), linted.sources);
  EXPECT_TRUE(policies.has_value()) << config::render(policies.diagnostics(), linted.sources);
  if (cluster && policies) {
    const std::vector<LintInput> inputs = {{.policy_set = "current",
                                            .cluster = &*cluster,
                                            .policies = &*policies,
                                            .profile = &profile,
                                            .stores = {&store}}};
    linted.report = lint(inputs, options, linted.notes);
  }
  return linted;
}

Marks found(const Linted& linted) {
  Marks marks;
  for (const LintFinding& finding : linted.report.findings) {
    const std::uint32_t line =
        finding.span.is_known() ? linted.sources.locate(finding.span.source, finding.span.begin).line : 0;
    marks.emplace(line, std::string(finding.rule));
  }
  return marks;
}

std::string shown(const Marks& marks) {
  std::string text;
  for (const auto& [line, rule] : marks) {
    text += "  " + std::to_string(line) + " " + rule + "\n";
  }
  return text;
}

class LintFixture : public testing::TestWithParam<std::string> {};

TEST_P(LintFixture, FiresWhereMarkedAndNowhereElse) {
  const std::string& rule = GetParam();
  std::set<fs::path> paths = {kFixtures / rule / "fires.yaml", kFixtures / rule / "quiet.yaml"};
  for (const fs::directory_entry& entry : fs::directory_iterator(kFixtures / rule)) {
    paths.insert(entry.path());
  }
  for (const fs::path& path : paths) {
    ASSERT_TRUE(fs::exists(path)) << path;
    const bool fires = path.filename().string().starts_with("fires");
    ASSERT_TRUE(fires || path.filename().string().starts_with("quiet")) << path;
    const Marks expected = marks_in(path);
    const Marks actual = found(lint_text(text_of(path)));
    EXPECT_EQ(actual, expected) << path << "\nexpected:\n" << shown(expected) << "found:\n" << shown(actual);
    const bool has_it =
        std::any_of(expected.begin(), expected.end(), [&](const auto& mark) { return mark.second == rule; });
    EXPECT_EQ(has_it, fires) << path;
  }
}

std::vector<std::string> rule_ids() {
  std::vector<std::string> ids;
  for (const LintRule& rule : lint_rules()) {
    ids.emplace_back(rule.id);
  }
  return ids;
}

INSTANTIATE_TEST_SUITE_P(Rules, LintFixture, testing::ValuesIn(rule_ids()),
                         [](const testing::TestParamInfo<std::string>& rule) {
                           std::string name = rule.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(LintRules, AreSortedDistinctAndComplete) {
  const std::vector<std::string> ids = rule_ids();
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
  for (const LintRule& rule : lint_rules()) {
    EXPECT_FALSE(rule.summary.empty() || rule.description.empty() || rule.remedy.empty() || rule.bad.empty() ||
                 rule.good.empty())
        << rule.id;
  }
}

constexpr std::string_view kTwoNamespaces = R"(
apiVersion: v1
kind: Namespace
metadata: {name: api, annotations: {podwire/ignore: "namespace-without-default-deny"}}
---
apiVersion: v1
kind: Namespace
metadata: {name: web}
---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: api, labels: {app: a}}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: web, labels: {app: b}}, spec: {containers: [{name: c, image: i}]}}
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: web, annotations: {podwire/ignore: "service-selects-nothing, no-such-rule"}}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: t, namespace: web}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
)";

TEST(Lint, AnAnnotationSuppressesItsRulesForItsObjectOrNamespace) {
  const Linted linted = lint_text(std::string(kTwoNamespaces));
  EXPECT_EQ(linted.report.suppressed, 2u);
  ASSERT_EQ(linted.report.findings.size(), 2u) << shown(found(linted));
  EXPECT_EQ(linted.report.findings[0].object, "namespace/web");
  EXPECT_EQ(linted.report.findings[1].object, "web/service/t");
  ASSERT_EQ(linted.notes.all().size(), 1u);
  EXPECT_EQ(linted.notes.all()[0].code, "unknown-rule");
}

TEST(Lint, NoIgnoreReportsWhatIsSuppressed) {
  const Linted linted = lint_text(std::string(kTwoNamespaces), {.only = {}, .skip = {}, .obeys_annotations = false});
  EXPECT_EQ(linted.report.suppressed, 0u);
  EXPECT_EQ(linted.report.findings.size(), 4u) << shown(found(linted));
}

TEST(Lint, RunsTheRulesThatAreAskedFor) {
  const LintOptions only = {.only = {"service-selects-nothing"}, .skip = {}, .obeys_annotations = true};
  EXPECT_EQ(lint_text(std::string(kTwoNamespaces), only).report.findings.size(), 1u);
  const LintOptions without = {.only = {}, .skip = {"service-selects-nothing"}, .obeys_annotations = true};
  EXPECT_EQ(lint_text(std::string(kTwoNamespaces), without).report.findings.size(), 1u);
}

/// Policies of one rule each in namespace big, all with the same rule but for `wide`, which lets everyone in on any
/// port and, twice, nobody else does: its second rule is contained in its first.
std::string many_policies(int count) {
  std::string text =
      "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: big, labels: {app: a}}, "
      "spec: {containers: [{name: c, image: i}]}}\n";
  for (int i = 0; i < count; ++i) {
    text += "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p" + std::to_string(i) +
            ", namespace: big}, spec: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}}\n";
  }
  return text +
         "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: wide, namespace: big}, "
         "spec: {podSelector: {}, ingress: [{}, {ports: [{port: 443}]}]}}\n";
}

TEST(Lint, RulesOfALargeNamespaceAreComparedWithinTheirPolicyAndThatIsSaid) {
  const LintOptions only = {.only = {"redundant-rule"}, .skip = {}, .obeys_annotations = true};
  // 998 rules and the two of `wide`: a thousand, all compared. Each is contained in wide's first rule.
  const Linted all = lint_text(many_policies(998), only);
  EXPECT_EQ(all.report.findings.size(), 999u);
  EXPECT_TRUE(all.notes.all().empty());
  // One more: only wide's own second rule is compared with its first.
  const Linted part = lint_text(many_policies(999), only);
  ASSERT_EQ(part.report.findings.size(), 1u) << shown(found(part));
  EXPECT_EQ(part.report.findings[0].object, "big/networkpolicy/wide");
  ASSERT_EQ(part.notes.all().size(), 1u);
  EXPECT_EQ(part.notes.all()[0].code, "compared-in-part");
  EXPECT_EQ(part.notes.all()[0].severity, Severity::warning);
  EXPECT_EQ(part.notes.all()[0].message,
            "redundant-rule: namespace big has 1001 ingress rules, more than 1000: each is compared with those of its "
            "own policy only");
  // Rules of the two directions are counted apart.
  std::string two = many_policies(998);
  two +=
      "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: out, namespace: big}, "
      "spec: {podSelector: {}, egress: [{ports: [{port: 80}]}], policyTypes: [Egress]}}\n";
  EXPECT_TRUE(lint_text(std::move(two), only).notes.all().empty());
}

TEST(Lint, AnUnmodelledPolicyLeavesTheNamespacesIsolationUndecided) {
  const Linted linted = lint_text(
      "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: api}, spec: {containers: [{name: c, image: i}]}}\n"
      "---\n{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: c, namespace: api}, spec: {}}\n");
  EXPECT_TRUE(linted.report.findings.empty()) << shown(found(linted));
  ASSERT_EQ(linted.report.doubts.size(), 1u);
  EXPECT_EQ(linted.report.doubts[0].rule, "namespace-without-default-deny");
  EXPECT_EQ(linted.report.doubts[0].because, "CiliumNetworkPolicy api/ciliumnetworkpolicy/c");
}

}  // namespace
}  // namespace podwire::analysis
