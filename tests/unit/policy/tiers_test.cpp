// The order of the tiers, one situation a test: admin → NetworkPolicy → baseline → allow.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/policy_lab.hpp"

namespace podwire::policy {
namespace {

using test::network_policy;
using test::PolicyLab;

std::string admin(const std::string& name, int priority, const std::string& rules,
                  const std::string& subject = "namespaces: {matchLabels: {team: api}}") {
  return "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: " + name +
         "}\nspec: {priority: " + std::to_string(priority) + ", subject: {" + subject + "}, " + rules + "}\n";
}
std::string cluster_policy(const std::string& name, const std::string& tier, int priority, const std::string& rules) {
  return "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: " + name +
         "}\nspec: {tier: " + tier + ", priority: " + std::to_string(priority) +
         ", subject: {namespaces: {matchLabels: {team: api}}}, " + rules + "}\n";
}
std::string baseline(const std::string& rules) {
  return "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: "
         "default}\nspec: {subject: {namespaces: {matchLabels: {team: api}}}, " +
         rules + "}\n";
}
std::string ingress(const std::string& action, const std::string& team, const std::string& rest = "") {
  return "ingress: [{action: " + action + ", from: [{namespaces: {matchLabels: {team: " + team + "}}}]" + rest + "}]";
}

const std::string kCluster =
    test::name_space("frontend", "team: web") + test::name_space("backend", "team: api") +
    "---\n{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {zone: east}}, status: {addresses: [{type: "
    "InternalIP, address: 192.168.0.1}]}}\n" +
    "---\n{apiVersion: v1, kind: Node, metadata: {name: n2, labels: {zone: west}}, status: {addresses: [{type: "
    "InternalIP, address: 192.168.0.2}]}}\n" +
    test::pod("frontend", "web", "app: web", "", "nodeName: n1", "podIP: 10.1.0.1") +
    test::pod("frontend", "agent", "app: agent", "", "nodeName: n2, hostNetwork: true", "podIP: 192.168.0.2") +
    test::pod("backend", "api", "app: api",
              "{name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}", "nodeName: n1",
              "podIP: 10.1.0.2") +
    test::pod("backend", "db", "app: db", "{name: http, containerPort: 9090}", "nodeName: n1", "podIP: 10.1.0.3");

const std::string kDenyAll = network_policy("backend", "deny", "  podSelector: {}");

PolicyLab with(const std::string& policies) {
  return PolicyLab(kCluster + policies);
}

TEST(Tiers, AnAdminAllowIsFinalWhateverNetworkPoliciesSay) {
  PolicyLab lab = with(kDenyAll + admin("a", 5, ingress("Allow", "web")));
  const Verdict verdict = lab.ingress("frontend/web", "backend/api", "80");
  EXPECT_TRUE(verdict.is_allowed());
  EXPECT_EQ(verdict.tier, Tier::admin);
  EXPECT_FALSE(lab.ingress("backend/db", "backend/api", "80").is_allowed());
}

TEST(Tiers, AnAdminDenyIsFinalWhateverNetworkPoliciesSay) {
  PolicyLab lab = with(network_policy("backend", "allow", "  podSelector: {}\n  ingress: [{}]") +
                       admin("a", 5, ingress("Deny", "web")));
  const Verdict verdict = lab.ingress("frontend/web", "backend/api", "80");
  EXPECT_EQ(verdict.action, Action::deny);
  EXPECT_EQ(verdict.cause, Cause::rule);
  EXPECT_EQ(lab.engine().deciding_rule(Direction::ingress, verdict), "adminnetworkpolicy/a ingress rule 0");
}

TEST(Tiers, TheLowerNumberComesFirst) {
  PolicyLab lab = with(admin("z", 1, ingress("Deny", "web")) + admin("a", 2, ingress("Allow", "web")));
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
}

TEST(Tiers, RulesAreReadTopDownAndByPort) {
  PolicyLab lab = with(admin("a", 1,
                             "ingress: [{action: Allow, from: [{namespaces: {}}], ports: [{portNumber: {port: 80}}]}, "
                             "{action: Deny, from: [{namespaces: {}}], ports: [{portRange: {start: 1, end: 100}}]}]"));
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "81").is_allowed());
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "101").is_allowed());
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "81/UDP").is_allowed());
}

TEST(Tiers, PassSkipsTheRestOfItsTierOnly) {
  const std::string tiers = admin("a", 1, ingress("Pass", "web")) + admin("b", 2, ingress("Deny", "web"));
  PolicyLab lab = with(tiers);
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
  PolicyLab isolated = with(tiers + kDenyAll);
  EXPECT_EQ(isolated.ingress("frontend/web", "backend/api", "80").cause, Cause::default_deny);
  PolicyLab based = with(tiers + baseline(ingress("Deny", "web")));
  const Verdict verdict = based.ingress("frontend/web", "backend/api", "80");
  EXPECT_EQ(verdict.action, Action::deny);
  EXPECT_EQ(verdict.tier, Tier::baseline);
}

TEST(Tiers, TheBaselineIsAskedOnlyWhereNoNetworkPolicyIsolates) {
  const std::string base = baseline(ingress("Deny", "web"));
  PolicyLab lab =
      with(base + network_policy("backend", "allow", "  podSelector: {matchLabels: {app: api}}\n  ingress: [{}]"));
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/db", "80").is_allowed());
  PolicyLab passing = with(cluster_policy("a", "Baseline", 1, ingress("Pass", "web")) +
                           cluster_policy("b", "Baseline", 2, ingress("Deny", "web")));
  EXPECT_TRUE(passing.ingress("frontend/web", "backend/api", "80").is_allowed());
}

TEST(Tiers, ABaselineBesideClusterPoliciesOfItsTierIsAskedBeforeThemOrAfter) {
  // Denied by both whatever the order; by one of them where the other does not match; else nobody knows.
  const auto action = [](const std::string& cluster_action, const std::string& baseline_action) {
    PolicyLab lab =
        with((cluster_action.empty() ? "" : cluster_policy("a", "Baseline", 1, ingress(cluster_action, "web"))) +
             baseline(ingress(baseline_action, "web")));
    return lab.ingress("frontend/web", "backend/api", "80").action;
  };
  EXPECT_EQ(action("Deny", "Deny"), Action::deny);
  EXPECT_EQ(action("Accept", "Allow"), Action::allow);
  EXPECT_EQ(action("", "Deny"), Action::deny);
  EXPECT_EQ(action("Accept", "Deny"), Action::unknown);
  EXPECT_EQ(action("Deny", "Allow"), Action::unknown);
  EXPECT_EQ(action("Pass", "Allow"), Action::allow) << "what it passes to allows as well";
  EXPECT_EQ(action("Pass", "Deny"), Action::unknown) << "whether the other stands in the tier that it leaves";
  PolicyLab other =
      with(cluster_policy("a", "Baseline", 1, ingress("Accept", "ops")) + baseline(ingress("Deny", "web")));
  EXPECT_EQ(other.ingress("frontend/web", "backend/api", "80").action, Action::deny);
}

TEST(Tiers, AConflictWithTheBaselineNamesBoth) {
  PolicyLab lab = with(cluster_policy("a", "Baseline", 1, ingress("Accept", "web")) + baseline(ingress("Deny", "web")));
  const Verdict verdict = lab.ingress("frontend/web", "backend/api", "80");
  EXPECT_EQ(verdict.cause, Cause::conflict);
  EXPECT_EQ(lab.engine().deciding_rule(Direction::ingress, verdict),
            "clusternetworkpolicy/a and baselineadminnetworkpolicy/default, whose order is not known, disagree");
  const Explanation why = lab.explain_ingress("frontend/web", "backend/api", "80");
  EXPECT_EQ(why.text,
            "unknown: clusternetworkpolicy/a and baselineadminnetworkpolicy/default both match and disagree, and which "
            "of them comes first is not known");
  ASSERT_EQ(why.chain.size(), 1u);
  EXPECT_EQ(why.chain[0].outcome, TierStep::Outcome::unknown);
  bool unknown = false;
  lab.engine().allowed_ports(Direction::ingress, lab.end("backend/api"), lab.end("frontend/web"), unknown);
  EXPECT_TRUE(unknown);
}

TEST(Tiers, NamedPortsAreThoseOfTheDestinationInWhateverProtocol) {
  PolicyLab lab = with(admin("a", 1, ingress("Deny", "web", ", ports: [{namedPort: http}, {namedPort: dns}]")));
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "8080").is_allowed());
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "53/UDP").is_allowed());
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "53").is_allowed());
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/db", "9090").is_allowed());
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/db", "8080").is_allowed());
}

TEST(Tiers, PoliciesOfOnePriorityThatDisagreeMakeTheVerdictUnknown) {
  const std::string two = admin("a", 1, ingress("Allow", "web")) + admin("b", 1, ingress("Deny", "web"));
  PolicyLab lab = with(two);
  const Verdict verdict = lab.ingress("frontend/web", "backend/api", "80");
  EXPECT_EQ(verdict.action, Action::unknown);
  EXPECT_EQ(verdict.cause, Cause::conflict);
  EXPECT_EQ(lab.engine().policy_name(verdict.policy), "adminnetworkpolicy/a");
  EXPECT_EQ(lab.engine().policy_name(verdict.rival()), "adminnetworkpolicy/b");
  EXPECT_EQ(lab.explain_ingress("frontend/web", "backend/api", "80").text,
            "unknown: adminnetworkpolicy/a and adminnetworkpolicy/b both match, have priority 1 in the admin tier and "
            "disagree");
  EXPECT_TRUE(lab.ingress("backend/db", "backend/api", "80").is_allowed());  // neither matches
}

TEST(Tiers, PoliciesOfOnePriorityThatComeToTheSameAreCertain) {
  // Pass leads to an allow here, so that it does not matter which applies.
  PolicyLab lab = with(admin("a", 1, ingress("Pass", "web")) + admin("b", 1, ingress("Allow", "web")));
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
  PolicyLab isolated = with(kDenyAll + admin("a", 1, ingress("Pass", "web")) + admin("b", 1, ingress("Allow", "web")));
  EXPECT_EQ(isolated.ingress("frontend/web", "backend/api", "80").action, Action::unknown);
}

TEST(Tiers, NetworksMatchPodsToo) {
  PolicyLab lab =
      with(admin("a", 1, "egress: [{action: Deny, to: [{networks: [10.1.0.1/32, 'fd00::/8', 203.0.113.0/24]}]}]"));
  EXPECT_FALSE(lab.egress("backend/api", "frontend/web", "80").is_allowed());
  EXPECT_TRUE(lab.egress("backend/api", "backend/db", "80").is_allowed());
  EXPECT_FALSE(lab.egress("backend/api", "203.0.113.9", "80").is_allowed());
  EXPECT_FALSE(lab.egress("backend/api", "fd12::1", "80").is_allowed());
  EXPECT_TRUE(lab.egress("backend/api", "2001:db8::1", "80").is_allowed());
}

TEST(Tiers, NodesMatchTheirAddressesAndTheirHostNetworkPods) {
  PolicyLab lab = with(admin("a", 1, "egress: [{action: Deny, to: [{nodes: {matchLabels: {zone: west}}}]}]"));
  EXPECT_FALSE(lab.egress("backend/api", "192.168.0.2", "80").is_allowed());
  EXPECT_FALSE(lab.egress("backend/api", "frontend/agent", "80").is_allowed());
  EXPECT_TRUE(lab.egress("backend/api", "192.168.0.1", "80").is_allowed());
  EXPECT_TRUE(lab.egress("backend/api", "203.0.113.9", "80").is_allowed());
}

TEST(Tiers, HostNetworkPodsAreNeitherSubjectsNorPeersAndAPodReachesItself) {
  PolicyLab lab = with(admin("a", 1,
                             "ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: "
                             "[{namespaces: {}}]}]",
                             "namespaces: {}"));
  EXPECT_TRUE(lab.ingress("frontend/agent", "backend/api", "80").is_allowed());
  EXPECT_TRUE(lab.egress("frontend/agent", "backend/api", "80").is_allowed());
  EXPECT_TRUE(lab.egress("backend/api", "backend/api", "80").is_allowed());
  EXPECT_FALSE(lab.egress("backend/api", "backend/db", "80").is_allowed());
}

TEST(Tiers, APeerOfAnUnknownFieldFailsClosed) {
  PolicyLab accepts =
      with(kDenyAll + cluster_policy("a", "Admin", 1, "ingress: [{action: Accept, from: [{later: {}}]}]"));
  EXPECT_FALSE(accepts.ingress("frontend/web", "backend/api", "80").is_allowed());
  PolicyLab denies = with(cluster_policy("a", "Admin", 1, "ingress: [{action: Deny, from: [{later: {}}]}]"));
  EXPECT_FALSE(denies.ingress("203.0.113.9", "backend/api", "80").is_allowed());
}

TEST(Tiers, AnUnresolvedDomainNameIsUnknownWhereItMatters) {
  const std::string policies = cluster_policy(
      "a", "Admin", 1,
      "egress: [{action: Accept, to: [{domainNames: ['*.example.org']}], protocols: [{tcp: {destinationPort: {number: "
      "443}}}]}, {action: Deny, to: [{networks: [0.0.0.0/0]}]}]");
  PolicyLab lab = with(policies);
  const Verdict verdict = lab.egress("backend/api", "203.0.113.9", "443");
  EXPECT_EQ(verdict.action, Action::unknown);
  EXPECT_EQ(verdict.cause, Cause::unresolved);
  EXPECT_EQ(lab.explain_egress("backend/api", "203.0.113.9", "443").text,
            "unknown: egress rule 0 of clusternetworkpolicy/a allows unresolved domain names (*.example.org)");
  EXPECT_EQ(lab.egress("backend/api", "203.0.113.9", "80").action, Action::deny);
  EXPECT_EQ(lab.egress("backend/api", "2001:db8::1", "443").action, Action::allow);  // allowed anyway
  EXPECT_EQ(lab.egress("backend/api", "frontend/web", "443").action, Action::deny);  // a pod
  bool is_unknown = false;
  lab.engine().allowed_ports(Direction::egress, lab.end("backend/api"), lab.end("203.0.113.9"), is_unknown);
  EXPECT_TRUE(is_unknown);

  const DomainTable names = {{{"www.example.org", {IpAddress::v4(203, 0, 113, 9)}}}};
  PolicyEngine resolved(lab.cluster(), lab.engine().policies(), lab.engine().profile(), &names);
  const auto ask = [&](std::string_view ip) {
    return resolved.verdict(Direction::egress, lab.end("backend/api"), lab.end(ip), IpProtocol::tcp, Port(443)).action;
  };
  EXPECT_EQ(ask("203.0.113.9"), Action::allow);
  EXPECT_EQ(ask("203.0.113.10"), Action::deny);
}

TEST(TierChain, TellsWhatPassedWhatNearlyMatchedAndWhatDecided) {
  PolicyLab lab = with(kDenyAll + admin("a", 1,
                                        "ingress: [{action: Deny, from: [{namespaces: {matchLabels: {team: web}}}], "
                                        "ports: [{portNumber: {port: 22}}]}, {name: rest, action: Pass, from: "
                                        "[{namespaces: {matchLabels: {team: web}}}]}]"));
  const Explanation explanation = lab.explain_ingress("frontend/web", "backend/api", "80");
  ASSERT_EQ(explanation.chain.size(), 2u);
  const TierStep& first = explanation.chain[0];
  EXPECT_EQ(first.tier, Tier::admin);
  EXPECT_EQ(first.outcome, TierStep::Outcome::pass);
  EXPECT_EQ(first.text, "passed on by ingress rule 1 of adminnetworkpolicy/a (\"rest\")");
  ASSERT_EQ(first.nearest.size(), 1u);
  EXPECT_EQ(first.nearest[0].criterion, "port TCP 80 is not among TCP 22");
  EXPECT_EQ(lab.written_at(first.nearest[0].span), "{portNumber: {port: 22}}");
  EXPECT_EQ(explanation.chain[1].tier, Tier::network_policy);
  EXPECT_TRUE(explanation.chain[1].is_default_deny);
  EXPECT_EQ(explanation.chain[1].text, explanation.text);
}

TEST(TierChain, ATierThatDoesNotMatchSaysWhy) {
  PolicyLab lab = with(admin("a", 1, ingress("Deny", "ops")) + baseline(ingress("Deny", "web")));
  const Explanation explanation = lab.explain_ingress("frontend/web", "backend/api", "80");
  ASSERT_EQ(explanation.chain.size(), 2u);
  EXPECT_EQ(explanation.chain[0].outcome, TierStep::Outcome::skipped);
  EXPECT_EQ(explanation.chain[0].nearest.at(0).criterion,
            "namespaces team=ops does not match namespace frontend (labels: "
            "kubernetes.io/metadata.name=frontend,team=web)");
  EXPECT_EQ(explanation.chain[1].outcome, TierStep::Outcome::deny);
  EXPECT_EQ(explanation.text, "denied by ingress rule 0 of baselineadminnetworkpolicy/default");
  EXPECT_EQ(lab.written_at(explanation.span), "{action: Deny, from: [{namespaces: {matchLabels: {team: web}}}]}");
}

}  // namespace
}  // namespace podwire::policy
