// What network plugins do differently from the NetworkPolicy API: one tiny cluster for each deviation that a verdict
// shows, judged under the specification and under the plugin's profile. What acts in time alone is data
// (tests/unit/cni).
#include <gtest/gtest.h>

#include <functional>

#include "models/policy/engine.hpp"
#include "tests/support/policy_lab.hpp"

namespace podwire::policy {
namespace {

using test::network_policy;
using test::pod;
using test::PolicyLab;

cni::Profile with(std::string_view name, const std::function<void(cni::PolicySemantics&)>& adjust) {
  cni::Profile profile = cni::load_builtin(name).value();
  adjust(profile.policy);
  return profile;
}

std::string nodes() {
  return "---\n{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: "
         "192.168.0.1}]}}\n"
         "---\n{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: "
         "192.168.0.2}]}}\n";
}

std::string at(const std::string& ip, const std::string& more = "") {
  return "podIP: " + ip + (more.empty() ? "" : ", " + more);
}

/// A server that declares http and assoc, and a client that declares http at another number.
std::string two_pods() {
  return nodes() +
         pod("a", "server", "app: server",
             "{name: http, containerPort: 8080}, {name: assoc, containerPort: 9090, protocol: SCTP}", "nodeName: n1",
             at("10.0.0.1")) +
         pod("a", "client", "app: client", "{name: http, containerPort: 666}", "nodeName: n2", at("10.0.0.2"));
}

std::string ingress_of_server(const std::string& rules) {
  return two_pods() + network_policy("a", "in", "  podSelector: {matchLabels: {app: server}}\n  ingress: " + rules);
}

std::string egress_of_client(const std::string& rules) {
  return two_pods() +
         network_policy("a", "out",
                        "  podSelector: {matchLabels: {app: client}}\n  policyTypes: [Egress]\n  egress: " + rules);
}

/// The verdict of one direction for a pod that a Service at 10.96.0.9:80 sends to itself, at its port 8080.
Verdict hairpin(PolicyLab& lab, Direction direction, const char* name = "a/server") {
  Peer destination = lab.end(name);
  destination.service_ip = IpAddress::v4(10, 96, 0, 9);
  destination.service_port = Port(80);
  const Peer source = lab.end(name);
  return direction == Direction::ingress
             ? lab.engine().verdict(direction, destination, source, IpProtocol::tcp, Port(8080))
             : lab.engine().verdict(direction, source, destination, IpProtocol::tcp, Port(8080));
}

TEST(Deviations, APodsOwnServiceIsFilteredByTheSpecificationAndLetInByAntreaProxy) {
  const std::string manifests = ingress_of_server("[{from: [{podSelector: {matchLabels: {app: client}}}]}]");
  for (const char* name : {"spec", "antrea-0.13", "calico-3.18"}) {
    PolicyLab lab(manifests, name);
    EXPECT_EQ(hairpin(lab, Direction::ingress).cause, Cause::default_deny) << name;
    // Its own address is exempt everywhere.
    EXPECT_EQ(lab.ingress("a/server", "a/server", "8080").cause, Cause::same_pod) << name;
  }
  PolicyLab antrea(manifests, "antrea");
  EXPECT_EQ(hairpin(antrea, Direction::ingress).cause, Cause::same_pod);
}

TEST(Deviations, AHairpinIsTheWorldOnTheWayOutAndThePodOnTheWayInUnderCilium19) {
  const auto policy = [](const std::string& types, const std::string& rules) {
    return two_pods() +
           network_policy("a", "own", "  podSelector: {matchLabels: {app: server}}\n  policyTypes: " + types + rules);
  };
  const std::string by_label = policy("[Egress, Ingress]",
                                      "\n  ingress: [{from: [{podSelector: {matchLabels: {app: server}}}]}]"
                                      "\n  egress: [{to: [{podSelector: {matchLabels: {app: server}}}]}]");
  PolicyLab spec(by_label);
  EXPECT_TRUE(hairpin(spec, Direction::egress).is_allowed() && hairpin(spec, Direction::ingress).is_allowed());
  PolicyLab cilium(by_label, "cilium-1.9");
  EXPECT_EQ(hairpin(cilium, Direction::egress).cause, Cause::default_deny);
  EXPECT_EQ(hairpin(cilium, Direction::ingress).cause, Cause::rule);
  // Only an ipBlock can match it.
  const std::string by_block = policy("[Egress]", "\n  egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]");
  PolicyLab block(by_block, "cilium-1.9");
  EXPECT_EQ(hairpin(block, Direction::egress).cause, Cause::rule);
  // Another pod is never matched by one there.
  EXPECT_EQ(block.egress("a/server", "a/client", "80").cause, Cause::default_deny);
}

TEST(Deviations, ANamedSctpPortNeverResolvesUnderCalico318) {
  const std::string manifests = ingress_of_server("[{ports: [{port: assoc, protocol: SCTP}, {port: http}]}]");
  PolicyLab spec(manifests);
  PolicyLab calico(manifests, "calico-3.18");
  EXPECT_EQ(spec.ingress("a/client", "a/server", "9090/SCTP").cause, Cause::rule);
  EXPECT_EQ(calico.ingress("a/client", "a/server", "9090/SCTP").cause, Cause::default_deny);
  EXPECT_EQ(calico.ingress("a/client", "a/server", "8080").cause, Cause::rule) << "a TCP name does resolve";
  // A rule that is left without ports grants nothing, not everything.
  PolicyLab alone(ingress_of_server("[{ports: [{port: assoc, protocol: SCTP}]}]"), "calico-3.18");
  EXPECT_EQ(alone.ingress("a/client", "a/server", "8080").cause, Cause::default_deny);
  const Explanation why = alone.engine().explain(Direction::ingress, alone.end("a/server"), alone.end("a/client"),
                                                 IpProtocol::sctp, Port(9090));
  ASSERT_EQ(why.nearest.size(), 1u);
  EXPECT_NE(why.nearest[0].criterion.find("does not resolve"), std::string::npos) << why.nearest[0].criterion;
}

TEST(Deviations, AnIpBlockMatchesPodsUnderCalicoAndNeitherPodsNorNodesUnderCilium) {
  const std::string manifests = ingress_of_server("[{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]");
  for (const char* name : {"spec", "calico-3.18", "calico"}) {
    PolicyLab lab(manifests, name);
    EXPECT_EQ(lab.ingress("a/client", "a/server", "80").cause, Cause::rule) << name;
    EXPECT_EQ(lab.ingress("192.168.0.2", "a/server", "80").cause, Cause::rule) << name;
  }
  for (const char* name : {"cilium", "cilium-1.9", "cilium-ebpf"}) {
    PolicyLab lab(manifests, name);
    EXPECT_EQ(lab.ingress("a/client", "a/server", "80").cause, Cause::default_deny) << name;
    EXPECT_EQ(lab.ingress("192.168.0.2", "a/server", "80").cause, Cause::default_deny) << name;
    EXPECT_EQ(lab.ingress("192.168.0.1", "a/server", "80").cause, Cause::own_node) << name;
    EXPECT_EQ(lab.ingress("203.0.113.1", "a/server", "80").cause, Cause::rule) << name;
  }
  // policyCIDRMatchMode: nodes
  PolicyLab nodes(manifests, with("cilium", [](cni::PolicySemantics& p) { p.ip_block_matches_nodes = true; }));
  EXPECT_EQ(nodes.ingress("192.168.0.2", "a/server", "80").cause, Cause::rule);
  // netpol-analyzer: no pod matches a block, addresses of nodes are addresses.
  PolicyLab analyzer(manifests, "netpol-analyzer");
  EXPECT_EQ(analyzer.ingress("a/client", "a/server", "80").cause, Cause::default_deny);
  EXPECT_EQ(analyzer.ingress("192.168.0.2", "a/server", "80").cause, Cause::rule);
}

TEST(Deviations, APolicyWithSctpOrABareProtocolIsRejectedWholeByCilium19) {
  for (const char* port : {"{port: 7000, protocol: SCTP}", "{protocol: UDP}"}) {
    const std::string manifests =
        two_pods() + network_policy("a", "both",
                                    "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n  ingress: [{ports: [" +
                                        std::string(port) + "]}]");
    PolicyLab spec(manifests);
    EXPECT_EQ(spec.ingress("a/client", "a/server", "80").cause, Cause::default_deny) << port;
    EXPECT_EQ(spec.egress("a/client", "a/server", "80").cause, Cause::default_deny) << port;
    PolicyLab cilium(manifests, "cilium-1.9");
    EXPECT_EQ(cilium.ingress("a/client", "a/server", "80").cause, Cause::no_policy) << port;
    EXPECT_EQ(cilium.egress("a/client", "a/server", "80").cause, Cause::no_policy) << port;
  }
  PolicyLab numbered(ingress_of_server("[{ports: [{port: 7000}]}]"), "cilium-1.9");
  EXPECT_EQ(numbered.ingress("a/client", "a/server", "80").cause, Cause::default_deny);
}

TEST(Deviations, EndPortIsIgnoredByCiliumUpTo114) {
  const std::string manifests = ingress_of_server("[{ports: [{port: 8000, endPort: 8100}]}]");
  for (const char* name : {"spec", "cilium"}) {
    PolicyLab lab(manifests, name);
    EXPECT_EQ(lab.ingress("a/client", "a/server", "8080").cause, Cause::rule) << name;
  }
  for (const char* name : {"cilium-1.14", "cilium-1.9"}) {
    PolicyLab lab(manifests, name);
    EXPECT_EQ(lab.ingress("a/client", "a/server", "8000").cause, Cause::rule) << name;
    EXPECT_EQ(lab.ingress("a/client", "a/server", "8080").cause, Cause::default_deny) << name;
  }
}

TEST(Deviations, MorePolicyMapEntriesThanThereAreMakeVerdictsUnknown) {
  // Two identities (server, client) x ports 8000-8007 (one prefix: 8000 = 0b1111101000000 has six trailing zeros) and
  // 443: 2 x 2 = 4 entries.
  const std::string manifests =
      ingress_of_server("[{from: [{podSelector: {}}], ports: [{port: 8000, endPort: 8007}, {port: 443}]}]");
  const auto verdict = [&](std::uint64_t entries) {
    PolicyLab lab(manifests, with("cilium", [&](cni::PolicySemantics& p) { p.policy_map_entries = entries; }));
    return lab.ingress("a/client", "a/server", "443");
  };
  EXPECT_EQ(verdict(4).cause, Cause::rule);
  EXPECT_EQ(verdict(3).cause, Cause::map_overflow);
  EXPECT_EQ(verdict(3).action, Action::unknown);
  EXPECT_EQ(verdict(0).cause, Cause::rule) << "no limit";
  PolicyLab lab(manifests, with("cilium", [](cni::PolicySemantics& p) { p.policy_map_entries = 1; }));
  EXPECT_EQ(lab.ingress("a/server", "a/client", "443").cause, Cause::no_policy) << "a pod without policies has no map";
}

TEST(Deviations, AwsJudgesEgressBeforeTranslation) {
  // A Service at 10.96.0.9:80 sends to the server's 8080.
  const auto dial = [](PolicyLab& lab) {
    Peer destination = lab.end("a/server");
    destination.service_ip = IpAddress::v4(10, 96, 0, 9);
    destination.service_port = Port(80);
    return lab.engine().verdict(Direction::egress, lab.end("a/client"), destination, IpProtocol::tcp, Port(8080)).cause;
  };
  const std::string by_port = egress_of_client("[{to: [{podSelector: {}}], ports: [{port: 8080}]}]");
  const std::string by_service_port = egress_of_client("[{to: [{podSelector: {}}], ports: [{port: 80}]}]");
  const std::string by_address = egress_of_client("[{to: [{ipBlock: {cidr: 10.96.0.0/16}}]}]");
  PolicyLab spec_port(by_port);
  PolicyLab aws_port(by_port, "aws-vpc-cni");
  EXPECT_EQ(dial(spec_port), Cause::rule);
  EXPECT_EQ(dial(aws_port), Cause::default_deny);
  EXPECT_EQ(aws_port.egress("a/client", "a/server", "8080").cause, Cause::rule) << "dialled directly";
  PolicyLab spec_service(by_service_port);
  PolicyLab aws_service(by_service_port, "aws-vpc-cni");
  EXPECT_EQ(dial(spec_service), Cause::default_deny);
  EXPECT_EQ(dial(aws_service), Cause::rule);
  PolicyLab spec_address(by_address);
  PolicyLab aws_address(by_address, "aws-vpc-cni");
  EXPECT_EQ(dial(spec_address), Cause::default_deny);
  EXPECT_EQ(dial(aws_address), Cause::rule);
}

TEST(Deviations, APluginThatResolvesNamesOfIngressRulesOnTheSourcesPods) {
  // AWS's network policy controller did until January 2024.
  const std::string manifests = ingress_of_server("[{from: [{podSelector: {}}], ports: [{port: http}]}]");
  PolicyLab spec(manifests);
  PolicyLab aws(manifests, with("aws-vpc-cni", [](cni::PolicySemantics& p) {
                  p.named_ports_resolve_on = cni::NamedPortsOn::source_pods;
                }));
  PolicyLab today(manifests, "aws-vpc-cni");
  EXPECT_EQ(today.ingress("a/client", "a/server", "8080").cause, Cause::rule);
  EXPECT_EQ(spec.ingress("a/client", "a/server", "8080").cause, Cause::rule);
  EXPECT_EQ(spec.ingress("a/client", "a/server", "666").cause, Cause::default_deny);
  EXPECT_EQ(aws.ingress("a/client", "a/server", "8080").cause, Cause::default_deny);
  EXPECT_EQ(aws.ingress("a/client", "a/server", "666").cause, Cause::rule);
}

TEST(Deviations, APluginThatDropsAPortNameBesideAnIpBlock) {
  // AWS's network policy controller did until March 2024.
  const std::string manifests =
      ingress_of_server("[{from: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: http}, {port: 443}]}]");
  PolicyLab spec(manifests);
  PolicyLab aws(manifests, with("aws-vpc-cni", [](cni::PolicySemantics& p) {
                  p.ip_block_with_named_port = cni::NamedPortInBlock::dropped;
                }));
  PolicyLab today(manifests, "aws-vpc-cni");
  EXPECT_EQ(today.ingress("203.0.113.1", "a/server", "8080").cause, Cause::rule);
  EXPECT_EQ(spec.ingress("203.0.113.1", "a/server", "8080").cause, Cause::rule);
  EXPECT_EQ(aws.ingress("203.0.113.1", "a/server", "8080").cause, Cause::default_deny);
  EXPECT_EQ(aws.ingress("203.0.113.1", "a/server", "443").cause, Cause::rule);
}

TEST(Deviations, KubeRouterFiltersFinishedPodsAllTheSame) {
  const std::string manifests =
      ingress_of_server("[]") + pod("a", "job", "app: server", "", "nodeName: n2", at("10.0.0.9", "phase: Succeeded"));
  PolicyLab spec(manifests);
  PolicyLab router(manifests, "kube-router");
  EXPECT_EQ(spec.ingress("a/client", "a/job", "80").cause, Cause::not_a_subject);
  EXPECT_EQ(router.ingress("a/client", "a/job", "80").cause, Cause::default_deny);
  EXPECT_EQ(router.ingress("a/client", "a/server", "9090/SCTP").cause, Cause::default_deny);
}

TEST(Deviations, APluginThatFiltersNoSctpLetsAllOfItIn) {
  const std::string manifests = ingress_of_server("[]");
  PolicyLab spec(manifests);
  PolicyLab lax(manifests, with("spec", [](cni::PolicySemantics& p) { p.sctp_is_enforced = false; }));
  EXPECT_EQ(spec.ingress("a/client", "a/server", "9090/SCTP").cause, Cause::default_deny);
  EXPECT_EQ(lax.ingress("a/client", "a/server", "9090/SCTP").cause, Cause::not_enforced);
  EXPECT_EQ(lax.ingress("a/client", "a/server", "9090").cause, Cause::default_deny);
  bool unknown = false;
  const PortSet ports =
      lax.engine().allowed_ports(Direction::ingress, lax.end("a/server"), lax.end("a/client"), unknown);
  EXPECT_EQ(ports, PortSet::whole(IpProtocol::sctp));
}

TEST(Deviations, APluginThatIgnoresExceptOpensWhatItExcludes) {
  // Azure's lite mode did.
  const std::string manifests =
      ingress_of_server("[{from: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.128/25]}}]}]");
  PolicyLab spec(manifests);
  PolicyLab lite(manifests, with("spec", [](cni::PolicySemantics& p) { p.except_is_honoured = false; }));
  EXPECT_EQ(spec.ingress("203.0.113.200", "a/server", "80").cause, Cause::default_deny);
  EXPECT_EQ(lite.ingress("203.0.113.200", "a/server", "80").cause, Cause::rule);
  EXPECT_EQ(spec.ingress("203.0.113.7", "a/server", "80").cause, Cause::rule);
}

TEST(Deviations, AdminTiersAreEnforcedOrIgnored) {
  const std::string manifests =
      two_pods() +
      "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: deny}\nspec:\n"
      "  priority: 1\n  subject: {namespaces: {}}\n  ingress: [{action: Deny, from: [{namespaces: {}}]}]\n";
  for (const char* name : {"spec", "ovn-kubernetes"}) {
    PolicyLab lab(manifests, name);
    EXPECT_EQ(lab.ingress("a/client", "a/server", "80").action, Action::deny) << name;
  }
  for (const char* name : {"cilium", "weave", "calico-3.18"}) {
    PolicyLab lab(manifests, name);
    EXPECT_EQ(lab.ingress("a/client", "a/server", "80").cause, Cause::no_policy) << name;
  }
}

TEST(Deviations, APluginReadsTheAdminPoliciesOfOneApiVersion) {
  // One deny a version, each of a port of its own.
  const std::string manifests =
      two_pods() +
      "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: old}\nspec:\n"
      "  priority: 1\n  subject: {namespaces: {}}\n"
      "  ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{portNumber: {protocol: TCP, port: 81}}]}]\n"
      "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: new}\nspec:\n"
      "  tier: Admin\n  priority: 1\n  subject: {namespaces: {}}\n"
      "  ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 82}}}]}]\n";
  const auto denied = [&](cni::AdminTiers tiers) {
    PolicyLab lab(manifests, with("spec", [tiers](cni::PolicySemantics& p) { p.admin_tiers = tiers; }));
    return std::pair(lab.ingress("a/client", "a/server", "81").action == Action::deny,
                     lab.ingress("a/client", "a/server", "82").action == Action::deny);
  };
  EXPECT_EQ(denied(cni::AdminTiers::enforced), std::pair(true, true));
  EXPECT_EQ(denied(cni::AdminTiers::v1alpha1), std::pair(true, false));
  EXPECT_EQ(denied(cni::AdminTiers::v1alpha2), std::pair(false, true));
  EXPECT_EQ(denied(cni::AdminTiers::ignored), std::pair(false, false));
}

TEST(Deviations, APolicyWithANamedPortMayBeRejectedWhole) {
  const std::string manifests = ingress_of_server("[{ports: [{port: http}]}]");
  PolicyLab spec(manifests);
  EXPECT_EQ(spec.ingress("a/client", "a/server", "666").cause, Cause::default_deny);
  PolicyLab weave(manifests, "weave");
  EXPECT_EQ(weave.ingress("a/client", "a/server", "666").cause, Cause::no_policy);
}

TEST(Deviations, AdminRulesNamePortsOfTheDestinationWhateverNamesMeanInNetworkPolicies) {
  const std::string manifests =
      two_pods() +
      "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: deny}\nspec:\n"
      "  priority: 1\n  subject: {namespaces: {}}\n"
      "  ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{namedPort: http}]}]\n";
  PolicyLab lab(manifests, with("spec", [](cni::PolicySemantics& p) {
                  p.named_ports_resolve_on = cni::NamedPortsOn::source_pods;
                }));
  EXPECT_EQ(lab.ingress("a/client", "a/server", "8080").action, Action::deny);  // the server's http
  EXPECT_EQ(lab.ingress("a/client", "a/server", "666").cause, Cause::no_policy);
}

TEST(Deviations, FlannelEnforcesNothing) {
  PolicyLab lab(ingress_of_server("[]"), "flannel");
  EXPECT_EQ(lab.ingress("a/client", "a/server", "80").cause, Cause::not_enforced);
  EXPECT_EQ(hairpin(lab, Direction::ingress).cause, Cause::same_pod);
}

}  // namespace
}  // namespace podwire::policy
