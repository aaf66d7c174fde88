// The corner cases of NetworkPolicy v1, one situation a test, in the order of the specification's points: isolation,
// peers, selectors, ports, named ports, ipBlocks, both sides, nodes and own address, hostNetwork and finished pods.
#include <gtest/gtest.h>

#include "models/policy/engine.hpp"
#include "tests/support/policy_lab.hpp"

namespace podwire::policy {
namespace {

using test::name_space;
using test::network_policy;
using test::pod;
using test::PolicyLab;

/// Two namespaces with a web and a debug pod in one, an api and a db pod in the other.
std::string two_namespaces() {
  return name_space("frontend", "team: web") + name_space("backend", "team: core") +
         pod("frontend", "web", "app: web") + pod("frontend", "debug", "app: debug") +
         pod("backend", "api", "app: api, tier: backend", "{name: http, containerPort: 8080}") +
         pod("backend", "db", "app: db, tier: backend", "{name: sql, containerPort: 5432}");
}

PolicyLab with(const std::string& policies, const std::string& profile = "spec") {
  return PolicyLab(two_namespaces() + policies, profile);
}

// --- 1 and 2: what isolates ---

TEST(Isolation, EverythingIsAllowedWithoutPolicies) {
  PolicyLab lab = with("");
  EXPECT_TRUE(lab.allows("frontend/web", "backend/api", "8080"));
  EXPECT_EQ(lab.ingress("frontend/web", "backend/api", "8080").cause, Cause::no_policy);
  EXPECT_TRUE(lab.allows("203.0.113.9", "backend/api", "22"));
}

TEST(Isolation, WithoutPolicyTypesOnlyIngressIsIsolated) {
  PolicyLab lab = with(network_policy("backend", "p", "  podSelector: {}"));
  EXPECT_EQ(lab.ingress("frontend/web", "backend/api", "80").cause, Cause::default_deny);
  EXPECT_EQ(lab.egress("backend/api", "frontend/web", "80").cause, Cause::no_policy);
}

TEST(Isolation, EmptyEgressWithoutPolicyTypesDoesNotIsolateEgress) {
  PolicyLab lab = with(network_policy("backend", "p", "  podSelector: {}\n  egress: []"));
  EXPECT_EQ(lab.egress("backend/api", "frontend/web", "80").cause, Cause::no_policy);
}

TEST(Isolation, AnEgressRuleWithoutPolicyTypesIsolatesBothDirections) {
  PolicyLab lab = with(network_policy("backend", "p", "  podSelector: {}\n  egress: [{ports: [{port: 53}]}]"));
  EXPECT_TRUE(lab.egress("backend/api", "frontend/web", "53").is_allowed());
  EXPECT_FALSE(lab.egress("backend/api", "frontend/web", "80").is_allowed());
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
}

TEST(Isolation, PolicyTypeEgressAloneLeavesIngressOpenWhateverIngressSays) {
  PolicyLab lab = with(network_policy("backend", "p", "  podSelector: {}\n  policyTypes: [Egress]\n  ingress: []"));
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
  EXPECT_FALSE(lab.egress("backend/api", "frontend/web", "80").is_allowed());
}

TEST(Isolation, AnEmptyIngressListDeniesAndAnEmptyRuleAllowsEverything) {
  PolicyLab none = with(network_policy("backend", "p", "  podSelector: {}\n  ingress: []"));
  EXPECT_FALSE(none.ingress("frontend/web", "backend/api", "80").is_allowed());
  PolicyLab all = with(network_policy("backend", "p", "  podSelector: {}\n  ingress: [{}]"));
  EXPECT_TRUE(all.ingress("frontend/web", "backend/api", "80").is_allowed());
  EXPECT_TRUE(all.ingress("203.0.113.9", "backend/api", "9/SCTP").is_allowed());
}

TEST(Isolation, AnEmptyFromAdmitsNodesAndTheWorldOnItsPorts) {
  PolicyLab lab =
      with(network_policy("backend", "p", "  podSelector: {}\n  ingress: [{from: [], ports: [{port: 80}]}]"));
  EXPECT_TRUE(lab.ingress("203.0.113.9", "backend/api", "80").is_allowed());
  EXPECT_FALSE(lab.ingress("203.0.113.9", "backend/api", "81").is_allowed());
}

// --- 3: subjects ---

TEST(Subject, AnAbsentOrEmptyPodSelectorIsEveryPodOfTheNamespace) {
  for (const char* spec : {"  policyTypes: [Ingress]", "  podSelector: {}\n  policyTypes: [Ingress]"}) {
    PolicyLab lab = with(network_policy("backend", "p", spec));
    EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
    EXPECT_FALSE(lab.ingress("frontend/web", "backend/db", "80").is_allowed());
    EXPECT_TRUE(lab.ingress("backend/api", "frontend/web", "80").is_allowed());  // another namespace
  }
}

TEST(Subject, OnlySelectedPodsAreIsolated) {
  PolicyLab lab = with(network_policy("backend", "p", "  podSelector: {matchLabels: {app: db}}"));
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/db", "80").is_allowed());
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
}

// --- 4: peers ---

TEST(Peer, ALonePodSelectorMeansThePolicysOwnNamespace) {
  PolicyLab lab = with(pod("backend", "web", "app: web") +
                       network_policy("backend", "p",
                                      "  podSelector: {matchLabels: {app: api}}\n"
                                      "  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]"));
  EXPECT_TRUE(lab.ingress("backend/web", "backend/api", "80").is_allowed());
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
}

TEST(Peer, ALoneNamespaceSelectorMeansAllItsPods) {
  PolicyLab lab = with(network_policy("backend", "p",
                                      "  podSelector: {}\n"
                                      "  ingress: [{from: [{namespaceSelector: {matchLabels: {team: web}}}]}]"));
  EXPECT_TRUE(lab.ingress("frontend/debug", "backend/api", "80").is_allowed());
  EXPECT_FALSE(lab.ingress("backend/db", "backend/api", "80").is_allowed());
}

TEST(Peer, BothSelectorsInOneItemMustHold) {
  PolicyLab lab = with(network_policy("backend", "p",
                                      "  podSelector: {}\n"
                                      "  ingress:\n"
                                      "  - from:\n"
                                      "    - namespaceSelector: {matchLabels: {team: web}}\n"
                                      "      podSelector: {matchLabels: {app: web}}"));
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
  EXPECT_FALSE(lab.ingress("frontend/debug", "backend/api", "80").is_allowed());
}

TEST(Peer, TwoItemsAreAlternativesTheCommonestMistake) {
  PolicyLab lab = with(network_policy("backend", "p",
                                      "  podSelector: {}\n"
                                      "  ingress:\n"
                                      "  - from:\n"
                                      "    - namespaceSelector: {matchLabels: {team: web}}\n"
                                      "    - podSelector: {matchLabels: {app: web}}"));
  EXPECT_TRUE(lab.ingress("frontend/debug", "backend/api", "80").is_allowed());  // the namespace is enough
}

TEST(Peer, SelectorsNeverMatchAddressesOfNoPod) {
  PolicyLab lab = with(network_policy("backend", "p",
                                      "  podSelector: {}\n"
                                      "  ingress: [{from: [{namespaceSelector: {}}]}]"));
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
  EXPECT_FALSE(lab.ingress("203.0.113.9", "backend/api", "80").is_allowed());
}

// --- 5: selectors ---

TEST(Selector, NotInAndDoesNotExistMatchPodsWithoutTheKey) {
  for (const char* expression : {"{key: zone, operator: NotIn, values: [a]}", "{key: zone, operator: DoesNotExist}"}) {
    PolicyLab lab =
        with(network_policy("backend", "p", std::string("  podSelector: {matchExpressions: [") + expression + "]}"));
    EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "80").is_allowed()) << expression;
  }
}

TEST(Selector, MatchLabelsAndMatchExpressionsBothHaveToHold) {
  PolicyLab lab = with(network_policy("backend", "p",
                                      "  podSelector: {matchLabels: {tier: backend}, matchExpressions: [{key: app, "
                                      "operator: In, values: [db, cache]}]}"));
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/db", "80").is_allowed());
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "80").is_allowed());
}

TEST(Selector, TheNamespacesNameLabelIsSetAndCannotBeFaked) {
  PolicyLab lab(name_space("honest") + name_space("liar", "kubernetes.io/metadata.name: honest") +
                pod("honest", "a", "") + pod("liar", "b", "") + pod("honest", "target", "app: t") +
                network_policy("honest", "p",
                               "  podSelector: {matchLabels: {app: t}}\n"
                               "  ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "
                               "honest}}}]}]"));
  EXPECT_TRUE(lab.ingress("honest/a", "honest/target", "80").is_allowed());
  EXPECT_FALSE(lab.ingress("liar/b", "honest/target", "80").is_allowed());
}

// --- 6: ports ---

TEST(Ports, AnAbsentProtocolIsTcp) {
  PolicyLab lab = with(network_policy("backend", "p", "  podSelector: {}\n  ingress: [{ports: [{port: 53}]}]"));
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "53").is_allowed());
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "53/UDP").is_allowed());
}

TEST(Ports, AProtocolWithoutPortIsAllItsPortsAndNoOtherProtocol) {
  PolicyLab lab = with(network_policy("backend", "p", "  podSelector: {}\n  ingress: [{ports: [{protocol: UDP}]}]"));
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "1/UDP").is_allowed());
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "65535/UDP").is_allowed());
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "53").is_allowed());
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "53/SCTP").is_allowed());
}

TEST(Ports, EndPortIsInclusive) {
  PolicyLab lab =
      with(network_policy("backend", "p", "  podSelector: {}\n  ingress: [{ports: [{port: 8000, endPort: 8099}]}]"));
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "7999").is_allowed());
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "8000").is_allowed());
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "8099").is_allowed());
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "8100").is_allowed());
}

// --- 7: named ports ---

std::string named_port_pods() {
  return name_space("a") + pod("a", "client", "app: client") +
         pod("a", "one", "app: server", "{name: http, containerPort: 8080}") +
         pod("a", "two", "app: server", "{name: http, containerPort: 9090}") +
         pod("a", "udp", "app: server", "{name: http, containerPort: 7070, protocol: UDP}") +
         pod("a", "none", "app: server", "{name: other, containerPort: 8080}");
}

TEST(NamedPort, OnIngressResolvesOnEachSubject) {
  PolicyLab lab(named_port_pods() + network_policy("a", "p",
                                                   "  podSelector: {matchLabels: {app: server}}\n"
                                                   "  ingress: [{ports: [{port: http}]}]"));
  EXPECT_TRUE(lab.ingress("a/client", "a/one", "8080").is_allowed());
  EXPECT_FALSE(lab.ingress("a/client", "a/one", "9090").is_allowed());
  EXPECT_TRUE(lab.ingress("a/client", "a/two", "9090").is_allowed());
  EXPECT_FALSE(lab.ingress("a/client", "a/two", "8080").is_allowed());
  EXPECT_FALSE(lab.ingress("a/client", "a/udp", "7070").is_allowed());  // the rule says TCP
  EXPECT_FALSE(lab.ingress("a/client", "a/udp", "7070/UDP").is_allowed());
  EXPECT_FALSE(lab.ingress("a/client", "a/none", "8080").is_allowed());
}

TEST(NamedPort, OnEgressResolvesOnEachDestination) {
  PolicyLab lab(named_port_pods() + network_policy("a", "p",
                                                   "  podSelector: {matchLabels: {app: client}}\n"
                                                   "  egress: [{ports: [{port: http}]}]"));
  EXPECT_TRUE(lab.egress("a/client", "a/one", "8080").is_allowed());
  EXPECT_TRUE(lab.egress("a/client", "a/two", "9090").is_allowed());
  EXPECT_FALSE(lab.egress("a/client", "a/two", "8080").is_allowed());
  EXPECT_FALSE(lab.egress("a/client", "a/none", "8080").is_allowed());
  EXPECT_FALSE(lab.egress("a/client", "203.0.113.9", "8080").is_allowed());  // an address has no names
}

// --- 8: ipBlocks ---

TEST(IpBlock, ExceptHoldsInsideItsOwnPeerOnly) {
  PolicyLab lab = with(network_policy("backend", "p",
                                      "  podSelector: {}\n"
                                      "  ingress:\n"
                                      "  - from: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.128/25]}}]\n"
                                      "  - from: [{ipBlock: {cidr: 203.0.113.200/32}}]"));
  EXPECT_TRUE(lab.ingress("203.0.113.1", "backend/api", "80").is_allowed());
  EXPECT_FALSE(lab.ingress("203.0.113.129", "backend/api", "80").is_allowed());
  EXPECT_TRUE(lab.ingress("203.0.113.200", "backend/api", "80").is_allowed());  // the second rule again
}

TEST(IpBlock, HostBitsAreMasked) {
  PolicyLab lab = with(network_policy("backend", "p",
                                      "  podSelector: {}\n"
                                      "  ingress: [{from: [{ipBlock: {cidr: 203.0.113.77/24}}]}]"));
  EXPECT_TRUE(lab.ingress("203.0.113.1", "backend/api", "80").is_allowed());
}

TEST(IpBlock, MatchesAPodsAddressOnlyWhereTheProfileSaysSo) {
  const std::string policy = network_policy("backend", "p",
                                            "  podSelector: {}\n"
                                            "  ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]");
  PolicyLab spec = with(policy);
  EXPECT_TRUE(spec.ingress("frontend/web", "backend/api", "80").is_allowed());
  PolicyLab identities = with(policy, "netpol-analyzer");
  EXPECT_FALSE(identities.ingress("frontend/web", "backend/api", "80").is_allowed());
  EXPECT_TRUE(identities.ingress("203.0.113.9", "backend/api", "80").is_allowed());
}

// --- 9: additive, both sides ---

TEST(BothSides, EgressOfTheSourceAndIngressOfTheDestinationMustAllow) {
  const std::string in =
      network_policy("backend", "in", "  podSelector: {}\n  ingress: [{}]\n  policyTypes: [Ingress]");
  const std::string out = network_policy("frontend", "out", "  podSelector: {}\n  policyTypes: [Egress]");
  EXPECT_TRUE(with(in).allows("frontend/web", "backend/api", "80"));
  EXPECT_FALSE(with(in + out).allows("frontend/web", "backend/api", "80"));
}

TEST(BothSides, PoliciesAddUpAndTheLeastGrantingRuleIsNamed) {
  PolicyLab lab = with(network_policy("backend", "b-deny", "  podSelector: {}") +
                       network_policy("backend", "c-web",
                                      "  podSelector: {}\n"
                                      "  ingress: [{ports: [{port: 80}]}, {ports: [{port: 443}]}]") +
                       network_policy("backend", "d-all", "  podSelector: {}\n  ingress: [{}]"));
  const Verdict https = lab.ingress("frontend/web", "backend/api", "443");
  EXPECT_EQ(lab.engine().policy(https.policy).name, "c-web");
  EXPECT_EQ(https.rule, 1);
  const Verdict other = lab.ingress("frontend/web", "backend/api", "444");
  EXPECT_EQ(lab.engine().policy(other.policy).name, "d-all");
  EXPECT_EQ(lab.engine().deciding_rule(Direction::ingress, https), "backend/c-web ingress rule 1");
}

TEST(BothSides, APolicyThatOnlyMentionsSctpIsolatesTcpToo) {
  PolicyLab lab =
      with(network_policy("backend", "p", "  podSelector: {}\n  ingress: [{ports: [{protocol: SCTP, port: 7777}]}]"));
  EXPECT_TRUE(lab.ingress("frontend/web", "backend/api", "7777/SCTP").is_allowed());
  EXPECT_FALSE(lab.ingress("frontend/web", "backend/api", "7777").is_allowed());
}

// --- 12: own node, own address ---

std::string pods_on_nodes() {
  return "---\n{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: "
         "192.168.0.1}]}}\n"
         "---\n{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: "
         "192.168.0.2}]}}\n" +
         name_space("a") + pod("a", "server", "app: server", "", "nodeName: n1") +
         pod("a", "agent-1", "app: agent", "", "nodeName: n1, hostNetwork: true") +
         pod("a", "agent-2", "app: agent", "", "nodeName: n2, hostNetwork: true") +
         pod("a", "neighbour", "app: other", "", "nodeName: n1");
}

TEST(OwnNode, ReachesItsPodAndOtherNodesDoNot) {
  PolicyLab lab(pods_on_nodes() + network_policy("a", "deny", "  podSelector: {}\n  policyTypes: [Ingress, Egress]"));
  EXPECT_EQ(lab.ingress("192.168.0.1", "a/server", "80").cause, Cause::own_node);
  EXPECT_FALSE(lab.ingress("192.168.0.2", "a/server", "80").is_allowed());
  EXPECT_EQ(lab.ingress("a/agent-1", "a/server", "80").cause, Cause::own_node);  // counts as its node
  EXPECT_FALSE(lab.ingress("a/agent-2", "a/server", "80").is_allowed());
  EXPECT_FALSE(lab.ingress("a/neighbour", "a/server", "80").is_allowed());  // a pod on the node is not the node
}

TEST(OwnAddress, IsNeverFiltered) {
  PolicyLab lab = with(network_policy("backend", "deny", "  podSelector: {}\n  policyTypes: [Ingress, Egress]"));
  EXPECT_EQ(lab.ingress("backend/api", "backend/api", "80").cause, Cause::same_pod);
  EXPECT_EQ(lab.egress("backend/api", "backend/api", "80").cause, Cause::same_pod);
}

// --- 13: hostNetwork ---

TEST(HostNetwork, PodsAreNeitherSubjectsNorSelectorPeers) {
  PolicyLab lab(pods_on_nodes() + network_policy("a", "p",
                                                 "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n"
                                                 "  ingress: [{from: [{podSelector: {matchLabels: {app: agent}}}]}]\n"
                                                 "  egress: [{to: [{ipBlock: {cidr: 192.168.0.2/32}}]}]"));
  EXPECT_EQ(lab.ingress("a/server", "a/agent-2", "80").cause, Cause::not_a_subject);
  EXPECT_FALSE(lab.ingress("a/agent-2", "a/server", "80").is_allowed());  // the selector does not see it
  EXPECT_TRUE(lab.egress("a/server", "a/agent-2", "80").is_allowed());    // its node's address is what counts
  EXPECT_FALSE(lab.egress("a/server", "a/agent-1", "80").is_allowed());
}

TEST(HostNetwork, IsDisregardedWhereTheProfileSaysSo) {
  PolicyLab lab(pods_on_nodes() + network_policy("a", "p",
                                                 "  podSelector: {}\n"
                                                 "  ingress: [{from: [{podSelector: {matchLabels: {app: agent}}}]}]"),
                "netpol-analyzer");
  EXPECT_EQ(lab.ingress("a/agent-2", "a/server", "80").cause, Cause::rule);
  EXPECT_FALSE(lab.ingress("a/server", "a/agent-2", "80").is_allowed());
}

// --- 14: finished pods ---

TEST(FinishedPod, IsMatchedByNoSelectorWhereTheProfileIgnoresIt) {
  const std::string manifests =
      name_space("a") + pod("a", "done", "app: job", "", "", "phase: Succeeded, podIP: 10.244.9.9") +
      pod("a", "server", "app: server") +
      network_policy("a", "p", "  podSelector: {}\n  ingress: [{from: [{podSelector: {matchLabels: {app: job}}}]}]");
  PolicyLab ignoring(manifests);
  EXPECT_FALSE(ignoring.ingress("a/done", "a/server", "80").is_allowed());
  EXPECT_EQ(ignoring.ingress("a/server", "a/done", "80").cause, Cause::not_a_subject);
  PolicyLab keeping(manifests, "netpol-analyzer");
  EXPECT_TRUE(keeping.ingress("a/done", "a/server", "80").is_allowed());
}

// --- 17: DNS ---

TEST(Dns, DefaultDenyEgressBreaksUdpAndTcp53UntilBothAreAllowed) {
  const std::string manifests = name_space("kube-system") + name_space("a") + pod("a", "web", "app: web") +
                                pod("kube-system", "coredns", "k8s-app: kube-dns") +
                                network_policy("a", "deny", "  podSelector: {}\n  policyTypes: [Egress]");
  PolicyLab denied(manifests);
  EXPECT_FALSE(denied.allows("a/web", "kube-system/coredns", "53/UDP"));
  EXPECT_FALSE(denied.allows("a/web", "kube-system/coredns", "53"));
  PolicyLab udp_only(manifests + network_policy("a", "dns",
                                                "  podSelector: {}\n  policyTypes: [Egress]\n"
                                                "  egress:\n"
                                                "  - to: [{namespaceSelector: {}, podSelector: "
                                                "{matchLabels: {k8s-app: kube-dns}}}]\n"
                                                "    ports: [{protocol: UDP, port: 53}]"));
  EXPECT_TRUE(udp_only.allows("a/web", "kube-system/coredns", "53/UDP"));
  EXPECT_FALSE(udp_only.allows("a/web", "kube-system/coredns", "53"));
  // NodeLocal DNSCache answers on an address of the node, which no selector matches.
  EXPECT_FALSE(udp_only.allows("a/web", "169.254.20.10", "53/UDP"));
}

// --- 18: source address translation ---

TEST(SourceTranslation, AnIpBlockSeesTheNodesAddress) {
  PolicyLab lab(pods_on_nodes() + network_policy("a", "p",
                                                 "  podSelector: {}\n"
                                                 "  ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]"));
  EXPECT_TRUE(lab.ingress("203.0.113.9", "a/server", "80").is_allowed());
  EXPECT_FALSE(lab.ingress("192.168.0.2", "a/server", "80").is_allowed());  // the same client behind another node
}

// --- profiles and unmodelled objects ---

TEST(Profile, ThatEnforcesNothingAllowsEverythingAndSaysSo) {
  PolicyLab lab = with(network_policy("backend", "deny", "  podSelector: {}"), "flannel");
  const Verdict verdict = lab.ingress("frontend/web", "backend/api", "80");
  EXPECT_TRUE(verdict.is_allowed());
  EXPECT_EQ(verdict.cause, Cause::not_enforced);
}

TEST(Unmodelled, AnObjectMakesTheVerdictsOfItsNamespaceUnknown) {
  PolicyLab lab = with(
      "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: l7, namespace: backend}\nspec: {}\n" +
      network_policy("backend", "deny", "  podSelector: {}") + name_space("else") + pod("else", "x", ""));
  const Verdict verdict = lab.ingress("frontend/web", "backend/api", "80");
  EXPECT_EQ(verdict.action, Action::unknown);
  EXPECT_EQ(verdict.cause, Cause::unmodelled);
  EXPECT_NE(lab.engine().deciding_rule(Direction::ingress, verdict).find("CiliumNetworkPolicy"), std::string::npos);
  EXPECT_EQ(lab.egress("frontend/web", "backend/api", "80").action, Action::unknown);
  EXPECT_EQ(lab.ingress("frontend/web", "else/x", "80").action, Action::allow);  // it reaches none of the two
  bool is_unknown = false;
  // What the modelled policies alone say is a deny.
  EXPECT_TRUE(lab.engine()
                  .allowed_ports(Direction::ingress, lab.end("backend/api"), lab.end("frontend/web"), is_unknown)
                  .empty());
  EXPECT_TRUE(is_unknown);
}

TEST(Unmodelled, AClusterWideObjectMakesEveryVerdictUnknown) {
  PolicyLab lab =
      with("---\napiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {name: all}\nspec: {}\n");
  EXPECT_EQ(lab.ingress("frontend/web", "backend/api", "80").action, Action::unknown);
  EXPECT_EQ(lab.ingress("203.0.113.9", "backend/api", "80").action, Action::unknown);
  EXPECT_EQ(lab.ingress("backend/api", "backend/api", "80").cause, Cause::same_pod);
}

}  // namespace
}  // namespace podwire::policy
