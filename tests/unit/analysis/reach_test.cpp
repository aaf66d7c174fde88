// reach on situations small enough to be read: the rows and their text.
#include "models/analysis/reach.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/policy_lab.hpp"

namespace podwire::analysis {
namespace {

using test::name_space;
using test::network_policy;
using test::pod;
using test::PolicyLab;
using Lines = std::vector<std::string>;

Lines lines_of(PolicyLab& lab, const ReachOptions& options) {
  Lines lines;
  reach(lab.engine(), options, [&](const ReachRow& row) {
    lines.push_back(std::string(row.source.name) + " => " + std::string(row.destination.name) + " : " +
                    row.ports->to_string() + (row.varies ? " (varies)" : "") + (row.is_unknown ? " (unknown)" : ""));
  });
  return lines;
}

constexpr ReachOptions kInside = {.includes_external = false, .is_pod_level = false};

std::string deployment(const std::string& where, const std::string& name, int replicas) {
  return "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", namespace: " + where +
         "}\nspec: {replicas: " + std::to_string(replicas) + ", selector: {matchLabels: {app: " + name +
         "}}, template: {metadata: {labels: {app: " + name + "}}, spec: {containers: [{name: c, image: i}]}}}\n";
}

TEST(Reach, ListsWhatBothSidesAllow) {
  PolicyLab lab(name_space("a") + deployment("a", "web", 2) + deployment("a", "db", 1) +
                network_policy("a", "db",
                               "  podSelector: {matchLabels: {app: db}}\n"
                               "  policyTypes: [Ingress, Egress]\n"
                               "  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], "
                               "ports: [{port: 5432}, {port: 9000, endPort: 9010}]}]") +
                network_policy("a", "web",
                               "  podSelector: {matchLabels: {app: web}}\n"
                               "  policyTypes: [Egress]\n"
                               "  egress: [{ports: [{port: 5000, endPort: 9005}]}]"));
  EXPECT_EQ(lines_of(lab, kInside), (Lines{
                                        "a/web[Deployment] => a/db[Deployment] : TCP 5432,9000-9005",
                                        "a/web[Deployment] => a/web[Deployment] : TCP 5000-9005",  // its two replicas
                                    }));
}

TEST(Reach, WritesExternalRangesAsNeighboursThatFareAlike) {
  PolicyLab lab(name_space("a") + deployment("a", "web", 1) +
                network_policy("a", "web",
                               "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n"
                               "  ingress:\n"
                               "  - from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]\n"
                               "    ports: [{port: 80}]\n"
                               // splits an atom without making a difference
                               "  - from: [{ipBlock: {cidr: 10.2.0.0/16}}]\n"
                               "    ports: [{port: 80}]\n"));
  EXPECT_EQ(lines_of(lab, {}), (Lines{
                                   "10.0.0.0-10.0.255.255[External] => a/web[Deployment] : TCP 80",
                                   "10.2.0.0-10.255.255.255[External] => a/web[Deployment] : TCP 80",
                               }));
}

TEST(Reach, ShowsTheWholeIpv4SpaceAsOneRangeWhenNothingIsIsolated) {
  PolicyLab lab(name_space("a") + deployment("a", "web", 1));
  EXPECT_EQ(lines_of(lab, {}), (Lines{
                                   "0.0.0.0-255.255.255.255[External] => a/web[Deployment] : All Connections",
                                   "a/web[Deployment] => 0.0.0.0-255.255.255.255[External] : All Connections",
                               }));
}

TEST(Reach, PodLevelHasALineForEachPod) {
  PolicyLab lab(name_space("a") + pod("a", "one", "app: one") + pod("a", "two", "app: two") +
                network_policy("a", "two", "  podSelector: {matchLabels: {app: two}}"));
  EXPECT_EQ(lines_of(lab, {.includes_external = false, .is_pod_level = true}),
            (Lines{"a/two => a/one : All Connections"}));
}

TEST(Reach, AWorkloadWhosePodsDifferHasTheUnionAndSaysSo) {
  const std::string owner =
      "metadata: {namespace: a, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: rs, controller: true, "
      "uid: u}], ";
  const std::string tail = "spec: {containers: [{name: c, image: i}]}\n";
  PolicyLab lab(name_space("a") + "---\napiVersion: v1\nkind: Pod\n" + owner +
                "name: rs-1, labels: {app: q, canary: \"yes\"}}\n" + tail + "---\napiVersion: v1\nkind: Pod\n" + owner +
                "name: rs-2, labels: {app: q}}\n" + tail + pod("a", "target", "app: t") +
                network_policy("a", "p",
                               "  podSelector: {matchLabels: {app: t}}\n"
                               "  ingress: [{from: [{podSelector: {matchLabels: {canary: \"yes\"}}}]}]"));
  const Lines lines = lines_of(lab, kInside);
  EXPECT_NE(std::find(lines.begin(), lines.end(), "a/rs[ReplicaSet] => a/target[Pod] : All Connections (varies)"),
            lines.end())
      << testing::PrintToString(lines);
}

TEST(Reach, AnUnmodelledObjectMarksItsNamespacesRowsUnknownEvenWhereNothingIsAllowed) {
  PolicyLab lab(
      "---\napiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: c, namespace: b}\nspec: {}\n" +
      name_space("a") + name_space("b") + pod("a", "x", "") + pod("b", "y", "") +
      network_policy("b", "deny", "  podSelector: {}\n  policyTypes: [Ingress, Egress]"));
  EXPECT_EQ(lines_of(lab, kInside), (Lines{
                                        "a/x[Pod] => b/y[Pod] : No Connections (unknown)",
                                        "b/y[Pod] => a/x[Pod] : No Connections (unknown)",
                                    }));
}

TEST(Reach, APodOnItsNodesNetworkReachesThePodsOfThatNode) {
  const std::string node =
      "---\n{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, "
      "address: 192.168.0.1}]}}\n";
  PolicyLab lab(node + name_space("a") + pod("a", "agent", "", "", "nodeName: n1, hostNetwork: true") +
                pod("a", "server", "app: s", "", "nodeName: n1") +
                network_policy("a", "deny", "  podSelector: {}\n  policyTypes: [Ingress, Egress]"));
  const Lines lines = lines_of(lab, kInside);
  ASSERT_EQ(lines.size(), 1u) << testing::PrintToString(lines);
  EXPECT_EQ(lines[0].substr(0, 47), "a/agent[Pod] => a/server[Pod] : All Connections");
}

TEST(Reach, WithoutEnforcementEverythingIsAllowed) {
  PolicyLab lab(
      name_space("a") + pod("a", "x", "") + pod("a", "y", "") + network_policy("a", "deny", "  podSelector: {}"),
      "flannel");
  EXPECT_EQ(lines_of(lab, kInside),
            (Lines{"a/x[Pod] => a/y[Pod] : All Connections", "a/y[Pod] => a/x[Pod] : All Connections"}));
}

}  // namespace
}  // namespace podwire::analysis
