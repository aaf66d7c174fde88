// What network plugins do differently from the NetworkPolicy API: one tiny cluster for each deviation that a verdict
// shows, judged under the specification and under the plugin's profile. What acts in time alone is data
// (tests/unit/cni).
#include <gtest/gtest.h>

#include <functional>
#include <tuple>

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

/// A Service before the server, at 10.96.0.9: 80 and 81 lead to its 8080, 90 to the port it calls assoc.
std::string service_of_server(const std::string& selector = "selector: {app: server}, ") {
  return "---\n{apiVersion: v1, kind: Service, metadata: {name: web, namespace: a}, spec: {" + selector +
         "clusterIP: 10.96.0.9, ports: [{name: a, port: 80, targetPort: 8080}, {name: b, port: 81, targetPort: http}, "
         "{name: c, port: 90, targetPort: assoc, protocol: SCTP}]}}\n";
}

/// The client's egress to the server through the Service, which sends `dialled` on to 8080.
Cause dial_service(PolicyLab& lab, std::uint16_t dialled, IpProtocol protocol = IpProtocol::tcp,
                   std::uint16_t target = 8080) {
  Peer destination = lab.end("a/server");
  destination.service_ip = IpAddress::v4(10, 96, 0, 9);
  destination.service_port = Port(dialled);
  return lab.engine().verdict(Direction::egress, lab.end("a/client"), destination, protocol, Port(target)).cause;
}

TEST(Deviations, AwsJudgesABlockByTheServicesOwnAddressAndPort) {
  const auto causes = [](const std::string& rules) {
    PolicyLab spec(egress_of_client(rules) + service_of_server());
    PolicyLab aws(egress_of_client(rules) + service_of_server(), "aws-vpc-cni");
    return std::pair(dial_service(spec, 80), dial_service(aws, 80));
  };
  const std::pair allowed_by_aws_alone(Cause::default_deny, Cause::rule);
  const std::pair denied_by_aws_alone(Cause::rule, Cause::default_deny);
  EXPECT_EQ(causes("[{to: [{ipBlock: {cidr: 10.96.0.0/16}}]}]"), allowed_by_aws_alone);
  EXPECT_EQ(causes("[{to: [{ipBlock: {cidr: 10.0.0.0/24}}]}]"), denied_by_aws_alone);
  // A rule without peers is a block of every address.
  EXPECT_EQ(causes("[{ports: [{port: 80}]}]"), allowed_by_aws_alone);
  EXPECT_EQ(causes("[{ports: [{port: 8080}]}]"), denied_by_aws_alone);
}

TEST(Deviations, AwsOpensAServiceBehindASelectorByThePortItLeadsTo) {
  const std::string by_target = egress_of_client("[{to: [{podSelector: {}}], ports: [{port: 8080}]}]");
  const std::string by_service_port = egress_of_client("[{to: [{podSelector: {}}], ports: [{port: 80}]}]");
  PolicyLab target(by_target + service_of_server(), "aws-vpc-cni");
  PolicyLab service_port(by_service_port + service_of_server(), "aws-vpc-cni");
  EXPECT_EQ(dial_service(target, 80), Cause::rule);
  EXPECT_EQ(dial_service(service_port, 80), Cause::default_deny) << "nothing leads to 80";
  // 81 leads to 8080 too, by its name; the controller takes the first that it finds.
  EXPECT_EQ(dial_service(target, 81), Cause::default_deny);
  PolicyLab by_name(egress_of_client("[{to: [{podSelector: {}}], ports: [{port: http}]}]") + service_of_server(),
                    "aws-vpc-cni");
  EXPECT_EQ(dial_service(by_name, 81), Cause::rule) << "its targetPort is written so";
  EXPECT_EQ(dial_service(by_name, 80), Cause::default_deny);
  // A number that only the pod's declaration joins to the Service's target.
  PolicyLab declared(
      egress_of_client("[{to: [{podSelector: {}}], ports: [{port: 9090, protocol: SCTP}]}]") + service_of_server(),
      "aws-vpc-cni");
  EXPECT_EQ(dial_service(declared, 90, IpProtocol::sctp, 9090), Cause::rule);
  // The end of a range is taken as it is written: 80 to 8081.
  PolicyLab range(
      egress_of_client("[{to: [{podSelector: {}}], ports: [{port: 8080, endPort: 8081}]}]") + service_of_server(),
      "aws-vpc-cni");
  EXPECT_EQ(dial_service(range, 80), Cause::rule);
  EXPECT_EQ(dial_service(range, 81), Cause::rule);
  // What is dialled as what it is has nothing to do with it.
  EXPECT_EQ(target.egress("a/client", "a/server", "8080").cause, Cause::rule);
  EXPECT_EQ(service_port.egress("a/client", "a/server", "8080").cause, Cause::default_deny);
}

TEST(Deviations, AwsMatchesAServicesOwnSelectorAndNotItsPodsLabels) {
  const std::string pods = nodes() + pod("a", "server", "app: server, tier: back", "{containerPort: 8080}", "", "") +
                           pod("a", "client", "app: client", "", "", at("10.0.0.2"));
  const auto cause = [&](const std::string& peer, const std::string& selector) {
    PolicyLab lab(pods + service_of_server(selector) +
                      network_policy("a", "out",
                                     "  podSelector: {matchLabels: {app: client}}\n  policyTypes: [Egress]\n  egress: "
                                     "[{to: [" +
                                         peer + "]}]"),
                  "aws-vpc-cni");
    return dial_service(lab, 80);
  };
  const std::string app = "selector: {app: server}, ";
  EXPECT_EQ(cause("{podSelector: {matchLabels: {app: server}}}", app), Cause::rule);
  EXPECT_EQ(cause("{podSelector: {matchLabels: {app: server, tier: back}}}", app), Cause::default_deny);
  EXPECT_EQ(cause("{podSelector: {matchLabels: {tier: back}}}", app), Cause::default_deny);
  EXPECT_EQ(cause("{podSelector: {matchLabels: {tier: back}}}", "selector: {app: server, tier: back}, "), Cause::rule);
  // Every pod of every namespace: every Service too, one without a selector included.
  EXPECT_EQ(cause("{namespaceSelector: {}}", app), Cause::rule);
  EXPECT_EQ(cause("{namespaceSelector: {}}", ""), Cause::rule);
  EXPECT_EQ(cause("{podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}}", ""), Cause::rule);
  EXPECT_EQ(cause("{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: elsewhere}}}", app),
            Cause::default_deny);
}

TEST(Deviations, AnAddressThatIsNoServicesIsAMatterOfBlocksAlone) {
  // A load balancer's address, say: the controller adds cluster addresses and no others.
  const auto cause = [](const std::string& rules) {
    PolicyLab lab(egress_of_client(rules) + service_of_server(), "aws-vpc-cni");
    Peer destination = lab.end("a/server");
    destination.service_ip = IpAddress::v4(198, 51, 100, 7);
    destination.service_port = Port(80);
    return lab.engine().verdict(Direction::egress, lab.end("a/client"), destination, IpProtocol::tcp, Port(8080)).cause;
  };
  EXPECT_EQ(cause("[{to: [{namespaceSelector: {}}]}]"), Cause::default_deny);
  EXPECT_EQ(cause("[{to: [{ipBlock: {cidr: 198.51.100.0/24}}]}]"), Cause::rule);
}

TEST(Deviations, WithoutThatHelpSelectorsOpenNoService) {
  const std::string manifests =
      egress_of_client("[{to: [{podSelector: {}}], ports: [{port: 8080}]}]") + service_of_server();
  PolicyLab lab(manifests, with("aws-vpc-cni", [](cni::PolicySemantics& p) { p.selectors_open_services = false; }));
  EXPECT_EQ(dial_service(lab, 80), Cause::default_deny);
  EXPECT_EQ(lab.egress("a/client", "a/server", "8080").cause, Cause::rule);
}

TEST(Deviations, AnExplanationSaysWhatASelectorSeesOfAService) {
  PolicyLab lab(egress_of_client("[{to: [{podSelector: {matchLabels: {app: server}}}], ports: [{port: 80}]}, "
                                 "{to: [{podSelector: {matchLabels: {app: db}}}]}]") +
                    service_of_server(),
                "aws-vpc-cni");
  Peer destination = lab.end("a/server");
  destination.service_ip = IpAddress::v4(10, 96, 0, 9);
  destination.service_port = Port(80);
  const Explanation why =
      lab.engine().explain(Direction::egress, lab.end("a/client"), destination, IpProtocol::tcp, Port(8080));
  ASSERT_EQ(why.nearest.size(), 2u);
  EXPECT_EQ(why.nearest[0].criterion,
            "port TCP 80 of Service a/web is not behind TCP 80 (no port of the Service leads there)");
  EXPECT_EQ(why.nearest[1].criterion, "podSelector app=db does not match Service a/web (its selector: app=server)");
}

TEST(Deviations, AHairpinThatIsLetInIsJudgedWhereItLeavesThePod) {
  // AntreaProxy lets it in; what leaves the pod is judged like anything else.
  for (const char* name : {"antrea", "aws-vpc-cni"}) {
    PolicyLab in(ingress_of_server("[]") + service_of_server(), name);
    EXPECT_EQ(hairpin(in, Direction::ingress).cause, Cause::same_pod) << name;
    PolicyLab out(
        two_pods() + service_of_server() + network_policy("a", "out", "  podSelector: {}\n  policyTypes: [Egress]"),
        name);
    EXPECT_EQ(hairpin(out, Direction::egress).cause, Cause::default_deny) << name;
    EXPECT_EQ(out.egress("a/server", "a/server", "8080").cause, Cause::same_pod) << "its own address, " << name;
  }
  // OVN-Kubernetes lets it through on both sides.
  PolicyLab ovn(two_pods() + network_policy("a", "out", "  podSelector: {}\n  policyTypes: [Egress]"),
                "ovn-kubernetes");
  EXPECT_EQ(hairpin(ovn, Direction::egress).cause, Cause::same_pod);
}

TEST(Deviations, WhatWindowsCannotSayIsLeftOutWhole) {
  // Each of these alone makes Azure's policies for Windows go without effect; on Linux it isolates.
  const char* const rules[] = {
      "[{ports: [{port: 80, protocol: SCTP}]}]", "[{ports: [{port: http}]}]",
      "[{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}]",
      "[{from: [{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [x]}]}}]}]"};
  for (const char* rule : rules) {
    PolicyLab windows(ingress_of_server(rule), "azure-npm-windows");
    PolicyLab linux_nodes(ingress_of_server(rule), "azure-npm");
    EXPECT_EQ(windows.ingress("203.0.113.1", "a/server", "443").cause, Cause::no_policy) << rule;
    EXPECT_NE(linux_nodes.ingress("203.0.113.1", "a/server", "443").cause, Cause::no_policy) << rule;
  }
  PolicyLab plain(ingress_of_server("[{from: [{podSelector: {}}]}]"), "azure-npm-windows");
  EXPECT_EQ(plain.ingress("203.0.113.1", "a/server", "443").cause, Cause::default_deny);
}

TEST(Deviations, TheLiteModeTakesBlocksAloneAndForgetsTheirExceptions) {
  PolicyLab block(ingress_of_server("[{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}]"),
                  "azure-npm-lite");
  EXPECT_EQ(block.ingress("10.1.2.3", "a/server", "443").cause, Cause::rule);
  EXPECT_EQ(block.ingress("203.0.113.1", "a/server", "443").cause, Cause::default_deny);
  PolicyLab selector(ingress_of_server("[{from: [{podSelector: {}}]}]"), "azure-npm-lite");
  EXPECT_EQ(selector.ingress("203.0.113.1", "a/server", "443").cause, Cause::no_policy);
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
      "  ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 82}}}]}]\n"
      "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: "
      "default}\nspec:\n  subject: {namespaces: {}}\n"
      "  ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{portNumber: {protocol: TCP, port: 83}}]}]\n";
  const auto denied = [&](cni::AdminTiers tiers) {
    PolicyLab lab(manifests, with("spec", [tiers](cni::PolicySemantics& p) { p.admin_tiers = tiers; }));
    return std::tuple(lab.ingress("a/client", "a/server", "81").action == Action::deny,
                      lab.ingress("a/client", "a/server", "82").action == Action::deny,
                      lab.ingress("a/client", "a/server", "83").action == Action::deny);
  };
  EXPECT_EQ(denied(cni::AdminTiers::enforced), std::tuple(true, true, true));
  EXPECT_EQ(denied(cni::AdminTiers::v1alpha1), std::tuple(true, false, true));
  EXPECT_EQ(denied(cni::AdminTiers::v1alpha2), std::tuple(false, true, false));
  EXPECT_EQ(denied(cni::AdminTiers::admin_alone), std::tuple(true, false, false));
  EXPECT_EQ(denied(cni::AdminTiers::ignored), std::tuple(false, false, false));
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
