// Reasons for people: the rule of an allow, every isolating policy and the nearest rules of a default deny, each with
// the words that decided and their place.
#include <gtest/gtest.h>

#include "tests/support/policy_lab.hpp"

namespace podwire::policy {
namespace {

using test::name_space;
using test::network_policy;
using test::pod;
using test::PolicyLab;

std::string world() {
  return name_space("frontend") + name_space("backend", "team: core") + pod("frontend", "web", "app: web") +
         pod("backend", "web", "app: web") + pod("backend", "api", "app: api", "{name: http, containerPort: 8080}");
}

/// The one near miss of a single rule that guards backend/api's ingress.
NearMiss miss_of(PolicyLab& lab, std::string_view source, std::string_view port) {
  const Explanation explanation = lab.explain_ingress(source, "backend/api", port);
  EXPECT_EQ(explanation.verdict.cause, Cause::default_deny);
  EXPECT_EQ(explanation.nearest.size(), 1u);
  return explanation.nearest.empty() ? NearMiss() : explanation.nearest.front();
}

TEST(Explain, AnAllowNamesItsRuleAndPlace) {
  PolicyLab lab(world() + network_policy("backend", "allow-web",
                                         "  podSelector: {}\n"
                                         "  ingress:\n"
                                         "  - from: [{podSelector: {}}]\n"
                                         "  - ports: [{port: 8080}]"));
  const Explanation explanation = lab.explain_ingress("frontend/web", "backend/api", "8080");
  EXPECT_EQ(explanation.text, "allowed by ingress rule 1 of backend/allow-web");
  EXPECT_EQ(lab.written_at(explanation.span).substr(0, 5), "ports");
  EXPECT_TRUE(explanation.nearest.empty());
}

TEST(Explain, ADefaultDenyNamesEveryIsolatingPolicy) {
  PolicyLab lab(world() + network_policy("backend", "deny-all", "  podSelector: {}") +
                network_policy("backend", "api",
                               "  podSelector: {matchLabels: {app: api}}\n"
                               "  ingress: [{ports: [{port: 1}]}]") +
                network_policy("backend", "unrelated", "  podSelector: {matchLabels: {app: web}}") +
                network_policy("backend", "egress-only", "  podSelector: {}\n  policyTypes: [Egress]"));
  const Explanation explanation = lab.explain_ingress("frontend/web", "backend/api", "8080");
  ASSERT_EQ(explanation.isolating.size(), 2u);
  EXPECT_EQ(lab.engine().policy(explanation.isolating[0]).name, "api");
  EXPECT_EQ(lab.engine().policy(explanation.isolating[1]).name, "deny-all");
  EXPECT_EQ(
      explanation.text,
      "denied by default: backend/api, backend/deny-all isolate backend/api for ingress, and the only ingress rule "
      "does not grant this");
}

TEST(Explain, AFailedNamespaceSelectorIsShownWithTheNamespacesLabels) {
  PolicyLab lab(world() + network_policy("backend", "p",
                                         "  podSelector: {}\n"
                                         "  ingress: [{from: [{namespaceSelector: {matchLabels: {team: web}}}]}]"));
  const NearMiss miss = miss_of(lab, "frontend/web", "80");
  EXPECT_EQ(
      miss.criterion,
      "namespaceSelector team=web does not match namespace frontend (labels: kubernetes.io/metadata.name=frontend)");
  EXPECT_EQ(lab.written_at(miss.span), "team");
}

TEST(Explain, APodSelectorWithoutNamespaceSelectorIsShownToMeanItsOwnNamespace) {
  PolicyLab lab(world() + network_policy("backend", "p",
                                         "  podSelector: {}\n"
                                         "  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]"));
  EXPECT_EQ(miss_of(lab, "frontend/web", "80").criterion,
            "podSelector app=web without a namespaceSelector selects pods of namespace backend only, not of frontend");
}

TEST(Explain, AFailedPodSelectorIsShownWithThePodsLabels) {
  PolicyLab lab(world() + network_policy("backend", "p",
                                         "  podSelector: {}\n"
                                         "  ingress: [{from: [{podSelector: {matchLabels: {app: db}}}]}]"));
  EXPECT_EQ(miss_of(lab, "backend/web", "80").criterion,
            "podSelector app=db does not match pod backend/web (labels: app=web)");
}

TEST(Explain, AFailedPortIsShownWithThePortsThatWouldDo) {
  PolicyLab lab(world() + network_policy("backend", "p",
                                         "  podSelector: {}\n"
                                         "  ingress: [{ports: [{port: 80}, {port: http}, {port: admin}, "
                                         "{protocol: UDP, port: 10, endPort: 20}]}]"));
  const NearMiss miss = miss_of(lab, "frontend/web", "5432");
  EXPECT_EQ(miss.criterion,
            "port TCP 5432 is not among TCP 80, TCP http (8080), TCP admin (a name the destination does not declare), "
            "UDP 10-20");
}

TEST(Explain, AnExceptionIsShownWithTheBlockThatHoldsTheAddress) {
  PolicyLab lab(world() + network_policy("backend", "p",
                                         "  podSelector: {}\n"
                                         "  ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24, except: "
                                         "[203.0.113.128/25]}}]}]"));
  EXPECT_EQ(miss_of(lab, "203.0.113.200", "80").criterion,
            "ipBlock 203.0.113.0/24 excepts 203.0.113.128/25, which holds 203.0.113.200");
  EXPECT_EQ(miss_of(lab, "198.51.100.1", "80").criterion, "ipBlock 203.0.113.0/24 does not hold 198.51.100.1");
}

TEST(Explain, ASelectorIsShownNotToSelectAddresses) {
  PolicyLab lab(world() +
                network_policy("backend", "p", "  podSelector: {}\n  ingress: [{from: [{podSelector: {}}]}]"));
  EXPECT_EQ(miss_of(lab, "203.0.113.200", "80").criterion,
            "podSelector <everything> selects pods, and 203.0.113.200 is no pod's address");
}

TEST(Explain, TheRulesThatPassMoreCriteriaAreNearer) {
  PolicyLab lab(world() +
                network_policy("backend", "p",
                               "  podSelector: {}\n"
                               "  ingress:\n"
                               "  - from: [{ipBlock: {cidr: 10.99.0.0/16}}]\n"  // 0 passed: rule 0
                               "    ports: [{port: 1}]\n"
                               "  - from: [{podSelector: {matchLabels: {app: db}}}]\n"  // namespace: 1
                               "    ports: [{port: 1}]\n"
                               "  - from: [{podSelector: {matchLabels: {app: web}}}]\n"  // both, not the port: 2
                               "    ports: [{port: 1}]\n"
                               "  - from: [{podSelector: {matchLabels: {app: db}}}]\n"  // namespace and port: 2
                               "    ports: [{port: 80}]"));
  const Explanation explanation = lab.explain_ingress("backend/web", "backend/api", "80");
  ASSERT_EQ(explanation.nearest.size(), 3u);
  // Two criteria each; rule 2 has a matching requirement more.
  EXPECT_EQ(explanation.nearest[0].rule, 2);
  EXPECT_EQ(explanation.nearest[1].rule, 3);
  EXPECT_EQ(explanation.nearest[2].rule, 1);
}

TEST(Explain, AnOpenSideSaysWhy) {
  PolicyLab lab(world());
  EXPECT_EQ(lab.explain_egress("frontend/web", "backend/api", "80").text,
            "allowed: no policy isolates frontend/web for egress");
  EXPECT_EQ(lab.explain_egress("203.0.113.9", "backend/api", "80").text,
            "allowed: no policy applies to 203.0.113.9, which is no pod's address");
  EXPECT_EQ(lab.explain_ingress("backend/api", "backend/api", "80").text,
            "allowed: backend/api reaches itself, whatever policies say");
}

TEST(Explain, ADenyWithoutAnyRuleSaysSo) {
  PolicyLab lab(world() + network_policy("backend", "deny", "  podSelector: {}"));
  const Explanation explanation = lab.explain_ingress("frontend/web", "backend/api", "80");
  EXPECT_EQ(explanation.text,
            "denied by default: backend/deny isolates backend/api for ingress, and has no ingress rule");
  EXPECT_TRUE(explanation.nearest.empty());
  EXPECT_EQ(lab.written_at(explanation.span), "deny");
}

}  // namespace
}  // namespace podwire::policy
