// diff on situations small enough to be read: rows, totals, rules responsible, and what is no policy's effect.
#include "models/analysis/diff.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/policy_lab.hpp"

namespace podwire::analysis {
namespace {

using policy::PortSet;
using test::name_space;
using test::network_policy;
using test::pod;
using test::PolicyLab;
using Lines = std::vector<std::string>;

struct Outcome {
  Lines lines;
  Lines reasons;
  DiffSummary summary;
};

Outcome difference(PolicyLab& before, PolicyLab& after, DiffOptions options = {}) {
  Outcome outcome;
  outcome.summary = diff(before.engine(), after.engine(), options, [&](const DiffRow& row) {
    outcome.lines.push_back(std::string(to_string(row.cause)) + ": " + row.source.name + " => " + row.destination.name +
                            " : " + row.before.to_string() + " -> " + row.after.to_string());
    for (const RuleChange& change : row.reasons()) {
      outcome.reasons.push_back(std::string(policy::to_string(change.direction)) + ": " + change.before.text + " @ " +
                                before.place(change.before.span) + " -> " + change.after.text + " @ " +
                                after.place(change.after.span));
    }
  });
  return outcome;
}

constexpr DiffOptions kInside = {.includes_external = false};

std::string town() {
  return name_space("a") + pod("a", "web", "app: web") + pod("a", "db", "app: db");
}

std::string db_policy(const std::string& ports) {
  return network_policy("a", "db",
                        "  podSelector: {matchLabels: {app: db}}\n"
                        "  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [" +
                            ports + "]}]");
}

PortSet tcp(std::uint16_t first, std::uint16_t last) {
  return PortSet::of({{IpProtocol::tcp, first, last}});
}

TEST(Diff, ADirectionThatAllowsAllTheSameIsNotResponsible) {
  // Egress of a/web closes; ingress of a/db is allowed by default before and by a rule after.
  const std::string deny =
      network_policy("a", "deny", "  podSelector: {matchLabels: {app: web}}\n  policyTypes: [Egress]");
  const std::string allow = network_policy("a", "allow", "  podSelector: {matchLabels: {app: db}}\n  ingress: [{}]");
  PolicyLab before(town());
  PolicyLab after(town() + deny + allow);
  const Outcome outcome = difference(before, after, kInside);
  ASSERT_EQ(outcome.lines, (Lines{"policy: a/web[Pod] => a/db[Pod] : All Connections -> No Connections"}));
  ASSERT_EQ(outcome.reasons.size(), 1u) << outcome.reasons.back();
  EXPECT_TRUE(outcome.reasons[0].starts_with("egress: no policy isolates it")) << outcome.reasons[0];
}

TEST(PortsWithout, CutsRangesAtBothEndsAndInTheMiddle) {
  EXPECT_EQ(ports_without(tcp(10, 20), tcp(12, 14)),
            PortSet::of({{IpProtocol::tcp, 10, 11}, {IpProtocol::tcp, 15, 20}}));
  EXPECT_EQ(ports_without(tcp(10, 20), tcp(1, 10)), tcp(11, 20));
  EXPECT_EQ(ports_without(tcp(10, 20), tcp(20, 65535)), tcp(10, 19));
  EXPECT_TRUE(ports_without(tcp(10, 20), PortSet::all()).empty());
  EXPECT_EQ(ports_without(PortSet::all(), PortSet()), PortSet::all());
  EXPECT_EQ(ports_without(tcp(1, 65535), PortSet::of({{IpProtocol::udp, 1, 65535}})), tcp(1, 65535));
  EXPECT_TRUE(ports_without(tcp(65535, 65535), tcp(65535, 65535)).empty());
}

TEST(Diff, APortThatMovesIsOpenedAndClosed) {
  PolicyLab before(town() + db_policy("{port: 5432}"));
  PolicyLab after(town() + db_policy("{port: 5433}"));
  const Outcome outcome = difference(before, after, kInside);
  EXPECT_EQ(outcome.lines, (Lines{"policy: a/web[Pod] => a/db[Pod] : TCP 5432 -> TCP 5433"}));
  // The town takes 2 + 6 + 6 lines; the policy's fourth line holds its name: line 18.
  ASSERT_EQ(outcome.reasons.size(), 2u);
  EXPECT_EQ(outcome.reasons[0].substr(0, 60), "ingress: default deny ingress (a/db) @ lab.yaml:18:18 -> a/d");
  EXPECT_EQ(outcome.summary.totals.opened, 1u);
  EXPECT_EQ(outcome.summary.totals.closed, 1u);
  EXPECT_EQ(outcome.summary.totals.both, 1u);
  EXPECT_EQ(outcome.summary.totals.changed, 1u);
  EXPECT_EQ(outcome.summary.totals.rows(), 1u);
}

TEST(Diff, ARemovedPolicyOpensToTheOutsideToo) {
  PolicyLab before(town() + db_policy("{port: 5432}"));
  PolicyLab after(town());
  const Outcome outcome = difference(before, after);
  EXPECT_EQ(outcome.lines,
            (Lines{"policy: 0.0.0.0-255.255.255.255[External] => a/db[Pod] : No Connections -> All Connections",
                   "policy: a/web[Pod] => a/db[Pod] : TCP 5432 -> All Connections"}));
  EXPECT_EQ(outcome.summary.totals.opened, 2u);
  EXPECT_EQ(outcome.summary.totals.opened_outside, 1u);
  ASSERT_EQ(outcome.summary.policies.size(), 1u);
  EXPECT_EQ(outcome.summary.policies[0].kind, ChangeKind::removed);
  EXPECT_EQ(outcome.summary.policies[0].effect, PolicyChange::Effect::some);
}

TEST(Diff, ExternalRangesAreCutWhereEitherSideCuts) {
  const auto from = [](const std::string& cidr) {
    return network_policy(
        "a", "p", "  podSelector: {matchLabels: {app: db}}\n  ingress: [{from: [{ipBlock: {cidr: " + cidr + "}}]}]");
  };
  PolicyLab before(name_space("a") + pod("a", "db", "app: db") + from("10.0.0.0/9"));
  PolicyLab after(name_space("a") + pod("a", "db", "app: db") + from("10.64.0.0/10"));
  // 10.0.0.0/9 is 10.0.0.0-10.127.255.255, of which 10.64.0.0/10 is the upper half: the lower half closes.
  EXPECT_EQ(difference(before, after).lines,
            (Lines{"policy: 10.0.0.0-10.63.255.255[External] => a/db[Pod] : All Connections -> No Connections"}));
}

TEST(Diff, ARewrittenPolicyWithTheSameEffectIsNamedAsSuch) {
  PolicyLab before(town() + db_policy("{port: 80}, {port: 81}"));
  PolicyLab after(town() + db_policy("{port: 80, endPort: 81}"));
  const Outcome outcome = difference(before, after);
  EXPECT_TRUE(outcome.lines.empty());
  ASSERT_EQ(outcome.summary.policies.size(), 1u);
  EXPECT_EQ(outcome.summary.policies[0].kind, ChangeKind::changed);
  EXPECT_EQ(outcome.summary.policies[0].effect, PolicyChange::Effect::none);
}

TEST(Diff, APolicyChangedInVainIsToldFromOneThatMatters) {
  const std::string idle = network_policy("a", "idle", "  podSelector: {matchLabels: {app: nobody}}");
  PolicyLab before(town() + db_policy("{port: 80}"));
  PolicyLab after(town() + idle);
  const Outcome outcome = difference(before, after);
  ASSERT_EQ(outcome.summary.policies.size(), 2u);
  EXPECT_EQ(outcome.summary.policies[0].name, "a/db");
  EXPECT_EQ(outcome.summary.policies[0].effect, PolicyChange::Effect::some);
  EXPECT_EQ(outcome.summary.policies[1].name, "a/idle");
  EXPECT_EQ(outcome.summary.policies[1].effect, PolicyChange::Effect::none);
}

std::string admin_policy(const std::string& kind, const std::string& name, const std::string& spec) {
  const bool is_v2 = kind == "ClusterNetworkPolicy";
  return "---\napiVersion: policy.networking.k8s.io/v1alpha" + std::string(is_v2 ? "2" : "1") + "\nkind: " + kind +
         "\nmetadata: {name: " + name + "}\nspec:\n" + spec + "\n";
}

std::string subject(const std::string& app) {
  return "  subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: " + app + "}}}}\n";
}

std::string deny_port(const std::string& name, const std::string& app, const std::string& port) {
  return admin_policy("AdminNetworkPolicy", name,
                      "  priority: " + std::string(name == "idle" ? "6" : "5") + "\n" + subject(app) +
                          "  ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{portNumber: {protocol: TCP, "
                          "port: " +
                          port + "}}]}]");
}

TEST(Diff, PoliciesOfAdminTiersOpenAndCloseAndTheirEffectIsTried) {
  PolicyLab before(town() + deny_port("tier", "db", "80") + deny_port("idle", "nobody", "80"));
  PolicyLab after(town() + deny_port("tier", "db", "81") + deny_port("idle", "nobody", "81"));
  const Outcome outcome = difference(before, after, kInside);
  EXPECT_EQ(outcome.lines, (Lines{"policy: a/web[Pod] => a/db[Pod] : SCTP 1-65535,TCP 1-79,81-65535,UDP 1-65535 -> "
                                  "SCTP 1-65535,TCP 1-80,82-65535,UDP 1-65535"}));
  EXPECT_EQ(outcome.summary.totals.opened, 1u);
  EXPECT_EQ(outcome.summary.totals.closed, 1u);
  ASSERT_EQ(outcome.reasons.size(), 2u);
  EXPECT_NE(outcome.reasons[0].find("adminnetworkpolicy/tier ingress rule 0"), std::string::npos);
  ASSERT_EQ(outcome.summary.policies.size(), 2u);
  EXPECT_EQ(outcome.summary.policies[0].name, "AdminNetworkPolicy idle");
  EXPECT_EQ(outcome.summary.policies[0].effect, PolicyChange::Effect::none);
  EXPECT_EQ(outcome.summary.policies[1].name, "AdminNetworkPolicy tier");
  EXPECT_EQ(outcome.summary.policies[1].effect, PolicyChange::Effect::some);
}

TEST(Diff, EachKindOfAdminPolicyIsUndoneForItself) {
  // The baseline closes web for the whole cluster, the Admin tier closes what web may dial outside; taking the
  // NetworkPolicy of db away opens nothing, because the admin tier that was added denies the same.
  const std::string deny_all =
      admin_policy("AdminNetworkPolicy", "tier",
                   "  priority: 5\n" + subject("db") + "  ingress: [{action: Deny, from: [{namespaces: {}}]}]");
  PolicyLab before(town() + network_policy("a", "db",
                                           "  podSelector: {matchLabels: {app: db}}\n  ingress: [{from: "
                                           "[{ipBlock: {cidr: 0.0.0.0/0}}]}]"));
  PolicyLab after(town() + deny_all +
                  admin_policy("BaselineAdminNetworkPolicy", "default",
                               subject("web") + "  ingress: [{action: Deny, from: [{namespaces: {}}]}]") +
                  admin_policy("ClusterNetworkPolicy", "out",
                               "  tier: Admin\n  priority: 1\n" + subject("web") +
                                   "  egress: [{action: Deny, to: [{networks: [203.0.113.0/24]}]}]"));
  const Outcome outcome = difference(before, after);
  EXPECT_EQ(outcome.lines,
            (Lines{"policy: a/db[Pod] => a/web[Pod] : All Connections -> No Connections",
                   "policy: a/web[Pod] => 203.0.113.0-203.0.113.255[External] : All Connections -> No Connections",
                   "policy: a/web[Pod] => a/db[Pod] : All Connections -> No Connections"}));
  ASSERT_EQ(outcome.summary.policies.size(), 4u);
  const std::pair<const char*, PolicyChange::Effect> wanted[] = {
      {"AdminNetworkPolicy tier", PolicyChange::Effect::some},
      {"BaselineAdminNetworkPolicy default", PolicyChange::Effect::some},
      {"ClusterNetworkPolicy out", PolicyChange::Effect::some},
      {"a/db", PolicyChange::Effect::none}};
  for (std::size_t i = 0; i < std::size(wanted); ++i) {
    EXPECT_EQ(outcome.summary.policies[i].name, wanted[i].first);
    EXPECT_EQ(outcome.summary.policies[i].effect, wanted[i].second) << wanted[i].first;
  }
}

TEST(Diff, WhereTooManyPoliciesChangedTheirEffectIsNotTried) {
  PolicyLab before(town());
  PolicyLab after(town() + deny_port("tier", "db", "81") + deny_port("idle", "nobody", "81"));
  DiffOptions options = kInside;
  options.most_reversals = 1;
  for (const PolicyChange& change : difference(before, after, options).summary.policies) {
    EXPECT_EQ(change.effect, PolicyChange::Effect::not_tried);
  }
}

TEST(Diff, CommentsAndLayoutChangeNoPolicy) {
  PolicyLab before(town() + "# a comment\n" + db_policy("{port: 80}"));
  PolicyLab after(town() + db_policy("{protocol: TCP, port: 80}"));
  EXPECT_TRUE(difference(before, after).summary.policies.empty());
}

TEST(Diff, AWorkloadThatVanishedWasNotClosedByPolicy) {
  PolicyLab before(town());
  PolicyLab after(name_space("a") + pod("a", "web", "app: web"));
  const Outcome outcome = difference(before, after, kInside);
  EXPECT_EQ(outcome.lines, (Lines{"workload-removed: a/db[Pod] => a/web[Pod] : All Connections -> No Connections",
                                  "workload-removed: a/web[Pod] => a/db[Pod] : All Connections -> No Connections"}));
  EXPECT_EQ(outcome.summary.totals.closed, 0u);
  EXPECT_EQ(outcome.summary.totals.workload_removed, 2u);
  ASSERT_EQ(outcome.summary.workloads.size(), 1u);
  EXPECT_EQ(outcome.summary.workloads[0].name, "a/db[Pod]");
  EXPECT_EQ(outcome.summary.workloads[0].connections, 2u);
}

TEST(Diff, ALabelThatAPolicySelectsByIsAPolicysEffect) {
  PolicyLab before(name_space("a") + pod("a", "web", "app: web") + pod("a", "db", "app: db") + db_policy("{port: 1}"));
  PolicyLab after(name_space("a") + pod("a", "web", "app: other") + pod("a", "db", "app: db") + db_policy("{port: 1}"));
  const Outcome outcome = difference(before, after, kInside);
  EXPECT_EQ(outcome.lines, (Lines{"policy: a/web[Pod] => a/db[Pod] : TCP 1 -> No Connections"}));
  EXPECT_TRUE(outcome.summary.policies.empty());
}

std::string pods_of_one_owner(const std::string& first_labels, const std::string& second_labels) {
  const std::string head =
      "---\napiVersion: v1\nkind: Pod\nmetadata: {namespace: a, ownerReferences: [{apiVersion: apps/v1, kind: "
      "ReplicaSet, name: rs, controller: true, uid: u}], ";
  const std::string tail = "}}\nspec: {containers: [{name: c, image: i}]}\n";
  return head + "name: rs-1, labels: {" + first_labels + tail + head + "name: rs-2, labels: {" + second_labels + tail;
}

TEST(Diff, AChangeThatTheUnionOverPodsHidesIsFound) {
  const std::string policy = network_policy("a", "p",
                                            "  podSelector: {matchLabels: {app: t}}\n"
                                            "  ingress: [{from: [{podSelector: {matchLabels: {canary: \"yes\"}}}]}]");
  const std::string rest = name_space("a") + pod("a", "target", "app: t") + policy;
  PolicyLab before(rest + pods_of_one_owner("canary: \"yes\"", "canary: \"no\""));
  PolicyLab after(rest + pods_of_one_owner("canary: \"no\"", "canary: \"yes\""));
  // Before rs-1 alone reaches the target, after rs-2 alone: as a whole the workload reaches it on both sides.
  const Outcome outcome = difference(before, after, kInside);
  ASSERT_EQ(outcome.lines, (Lines{"policy: a/rs[ReplicaSet] => a/target[Pod] : All Connections -> All Connections"}));
  EXPECT_EQ(outcome.summary.totals.both, 1u);
}

const std::string kCilium =
    "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: a}\nspec: {}\n";

TEST(Diff, WhatAnUnmodelledObjectMayDecideIsUnknown) {
  PolicyLab before(town() + kCilium + db_policy("{port: 1}"));
  PolicyLab after(town() + kCilium + db_policy("{port: 2}"));
  const Outcome outcome = difference(before, after, kInside);
  EXPECT_EQ(outcome.lines, (Lines{"unknown: a/web[Pod] => a/db[Pod] : TCP 1 -> TCP 2"}));
  EXPECT_EQ(outcome.summary.totals.opened, 0u);
  EXPECT_EQ(outcome.summary.totals.unknown, 1u);
  EXPECT_EQ(outcome.summary.unknown_alike, 1u);  // db => web: nothing that could change it differs
}

TEST(Diff, AnUnmodelledObjectOnOneSideOrChangedMakesItsPairsUnknown) {
  PolicyLab without(town());
  PolicyLab with(town() + kCilium);
  EXPECT_EQ(difference(without, with, kInside).summary.totals.unknown, 2u);
  EXPECT_EQ(difference(with, with, kInside).summary.totals.unknown, 0u);
  EXPECT_EQ(difference(with, with, {.includes_external = false, .unmodelled_differ = true}).summary.totals.unknown, 2u);
}

TEST(Diff, LabelsThatAnUnmodelledObjectMaySelectByMakeThePairUnknown) {
  PolicyLab before(town() + kCilium);
  PolicyLab after(name_space("a") + pod("a", "web", "app: changed") + pod("a", "db", "app: db") + kCilium);
  EXPECT_EQ(difference(before, after, kInside).summary.totals.unknown, 2u);
}

TEST(Diff, ASingleReplicaHasNoLineToItselfThatScalingCouldOpen) {
  const auto deployment = [](int replicas) {
    return name_space("a") +
           "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: a}\nspec: {replicas: " +
           std::to_string(replicas) +
           ", selector: {matchLabels: {app: d}}, template: {metadata: {labels: {app: d}}, spec: {containers: [{name: "
           "c, image: i}]}}}\n";
  };
  PolicyLab before(deployment(1));
  PolicyLab after(deployment(3));
  EXPECT_TRUE(difference(before, after).lines.empty());
}

TEST(Diff, Ipv6OutsideIsComparedWhereAPolicyOfEitherSideNamesIt) {
  // No pod has an IPv6 address: the next one may.
  const auto policy = [](const std::string& cidr) {
    return network_policy(
        "a", "out",
        "  podSelector: {}\n  policyTypes: [Egress]\n  egress: [{to: [{ipBlock: {cidr: '" + cidr + "'}}]}]");
  };
  PolicyLab none(name_space("a") + pod("a", "web", "app: web"));
  PolicyLab local(name_space("a") + pod("a", "web", "app: web") + policy("fd00::/8"));
  PolicyLab other(name_space("a") + pod("a", "web", "app: web") + policy("fe00::/8"));
  EXPECT_EQ(
      difference(local, other).lines,
      (Lines{"policy: a/web[Pod] => fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff[External] : All Connections -> "
             "No Connections",
             "policy: a/web[Pod] => fe00::-feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff[External] : No Connections -> "
             "All Connections"}));
  EXPECT_EQ(
      difference(none, local).lines,
      (Lines{"policy: a/web[Pod] => 0.0.0.0-255.255.255.255[External] : All Connections -> No Connections",
             "policy: a/web[Pod] => ::-fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff[External] : All Connections -> No "
             "Connections",
             "policy: a/web[Pod] => fe00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff[External] : All Connections -> "
             "No Connections"}));
}

TEST(Diff, Ipv6OutsideIsNotComparedWhereOneSideHasNone) {
  PolicyLab before(name_space("a") + pod("a", "web", "", "", "", "podIP: 10.0.0.1, phase: Running"));
  PolicyLab after(name_space("a") + pod("a", "web", "", "", "", "podIP: \"fd00::1\", phase: Running"));
  const Outcome outcome = difference(before, after);
  EXPECT_TRUE(outcome.lines.empty());
  EXPECT_TRUE(outcome.summary.families_differ);
}

}  // namespace
}  // namespace podwire::analysis
