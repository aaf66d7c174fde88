// One connection explained: names, Services, target ports, both directions, and what is wrong with a question.
#include "models/analysis/explain.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/policy_lab.hpp"

namespace podwire::analysis {
namespace {

using test::name_space;
using test::network_policy;
using test::pod;
using test::PolicyLab;

std::string shop() {
  return name_space("front") + name_space("back") + pod("front", "web", "app: web") +
         "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api, namespace: back}\n"
         "spec: {replicas: 3, selector: {matchLabels: {app: api}}, template: {metadata: {labels: {app: api}}, spec: "
         "{containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080}]}]}}}\n"
         "---\napiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: back}\n"
         "spec: {clusterIP: 10.96.7.7, selector: {app: api}, ports: [{name: web, port: 80, targetPort: http}]}\n"
         "---\napiVersion: v1\nkind: Service\nmetadata: {name: nobody, namespace: back}\n"
         "spec: {selector: {app: nobody}, ports: [{port: 80}]}\n"
         "---\napiVersion: v1\nkind: Service\nmetadata: {name: outside, namespace: back}\n"
         "spec: {type: ExternalName, externalName: db.example.com}\n";
}

ConnectionExplanation explained(PolicyLab& lab, std::string_view source, std::string_view destination) {
  Diagnostics diagnostics;
  const auto result = explain(lab.engine(), source, destination, {}, diagnostics);
  EXPECT_TRUE(result.has_value()) << (diagnostics.all().empty() ? "" : diagnostics.all()[0].message);
  return result.value_or(ConnectionExplanation());
}

std::string error_of(PolicyLab& lab, std::string_view source, std::string_view destination) {
  Diagnostics diagnostics;
  EXPECT_FALSE(explain(lab.engine(), source, destination, {}, diagnostics).has_value());
  return diagnostics.all().empty() ? "" : diagnostics.all()[0].code;
}

TEST(ExplainConnection, AServiceIsJudgedAtItsBackendsPort) {
  PolicyLab lab(shop() + network_policy("back", "p", "  podSelector: {}\n  ingress: [{ports: [{port: 8080}]}]"));
  const ConnectionExplanation result = explained(lab, "front/web", "back/service/api:80");
  EXPECT_EQ(result.answer, Answer::allowed);
  ASSERT_EQ(result.paths.size(), 1u);  // three replicas that fare alike
  EXPECT_EQ(result.paths[0].destination_pods, 3u);
  EXPECT_EQ(result.paths[0].port, Port(8080));
  EXPECT_EQ(result.paths[0].ingress.text, "allowed by ingress rule 0 of back/p");
  EXPECT_TRUE(result.paths[0].is_listening);
}

TEST(ExplainConnection, APolicyOnTheServicesPortDeniesWhatItMeantToAllow) {
  PolicyLab lab(shop() + network_policy("back", "p", "  podSelector: {}\n  ingress: [{ports: [{port: 80}]}]"));
  const ConnectionExplanation result = explained(lab, "front/web", "back/service/api:80");
  EXPECT_EQ(result.answer, Answer::denied);
  EXPECT_EQ(result.paths.at(0).ingress.nearest.at(0).criterion, "port TCP 8080 is not among TCP 80");
  EXPECT_EQ(result.paths.at(0).egress.verdict.cause, policy::Cause::no_policy);
}

TEST(ExplainConnection, AClusterIpAndAPortsNameMeanTheService) {
  PolicyLab lab(shop());
  EXPECT_EQ(explained(lab, "front/web", "10.96.7.7:80").paths.at(0).port, Port(8080));
  EXPECT_EQ(explained(lab, "front/web", "back/service/api:web").paths.at(0).port, Port(8080));
  EXPECT_EQ(explained(lab, "front/web", "back/deployment/api:http").paths.at(0).port, Port(8080));
}

TEST(ExplainConnection, AServiceWithoutPodsOrPortHasNoBackend) {
  PolicyLab lab(shop());
  EXPECT_EQ(explained(lab, "front/web", "back/service/nobody:80").answer, Answer::no_backend);
  EXPECT_EQ(explained(lab, "front/web", "back/service/api:81").answer, Answer::no_backend);
  EXPECT_FALSE(explained(lab, "front/web", "back/service/api:81").notes.empty());
}

TEST(ExplainConnection, AnExternalNameLeavesTheCluster) {
  PolicyLab lab(shop());
  const ConnectionExplanation result = explained(lab, "front/web", "back/service/outside:5432");
  EXPECT_EQ(result.answer, Answer::external);
  EXPECT_NE(result.notes.at(0).find("db.example.com"), std::string::npos);
}

TEST(ExplainConnection, AnExternalNameThatIsDeclaredIsJudgedAtItsAddresses) {
  PolicyLab lab(shop() + network_policy("front", "p",
                                        "  podSelector: {}\n  policyTypes: [Egress]\n"
                                        "  egress: [{to: [{ipBlock: {cidr: 198.51.100.0/24}}]}]"));
  const OutsideNames inside_block = {{"db.example.com", {IpAddress::v4(198, 51, 100, 7)}}};
  const OutsideNames half = {{"db.example.com", {IpAddress::v4(198, 51, 100, 7), IpAddress::v4(192, 0, 2, 1)}}};
  Diagnostics problems;
  const auto to = [&](const OutsideNames& outside) {
    return explain(lab.engine(), "front/web", "back/service/outside:5432", {}, problems, outside).value();
  };
  EXPECT_EQ(to(inside_block).answer, Answer::allowed);
  EXPECT_EQ(to(inside_block).paths.at(0).port, Port(5432));
  EXPECT_EQ(to(half).answer, Answer::depends);
  EXPECT_EQ(to({{"other.example.com", {IpAddress::v4(198, 51, 100, 7)}}}).answer, Answer::external);
  EXPECT_FALSE(problems.has_errors());
}

TEST(ExplainConnection, AnExternalNameOfAServiceIsJudgedAtItsBackends) {
  PolicyLab lab(shop() +
                "---\napiVersion: v1\nkind: Service\nmetadata: {name: near, namespace: front}\n"
                "spec: {type: ExternalName, externalName: API.back.svc.cluster.local.}\n"
                "---\napiVersion: v1\nkind: Service\nmetadata: {name: loop, namespace: front}\n"
                "spec: {type: ExternalName, externalName: loop.front.svc.cluster.local}\n");
  EXPECT_EQ(explained(lab, "front/web", "front/service/near:80").answer, Answer::allowed);
  EXPECT_EQ(explained(lab, "front/web", "front/service/near:80").paths.at(0).port, Port(8080));
  EXPECT_EQ(explained(lab, "front/web", "front/service/near:81").answer, Answer::no_backend);
  EXPECT_EQ(explained(lab, "front/web", "front/service/loop:80").answer, Answer::external);
}

TEST(ExplainConnection, AnAddressMayBeEitherEnd) {
  PolicyLab lab(shop() + network_policy("back", "p",
                                        "  podSelector: {}\n"
                                        "  ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]"));
  EXPECT_EQ(explained(lab, "203.0.113.9", "back/deployment/api:8080").answer, Answer::allowed);
  EXPECT_EQ(explained(lab, "198.51.100.9", "back/deployment/api:8080").answer, Answer::denied);
  EXPECT_EQ(explained(lab, "front/web", "198.51.100.9:443").answer, Answer::allowed);
}

TEST(ExplainConnection, AWorkloadToItselfIsAboutDifferentReplicas) {
  PolicyLab lab(shop() + network_policy("back", "p", "  podSelector: {}"));
  const ConnectionExplanation result = explained(lab, "back/deployment/api", "back/deployment/api:8080");
  EXPECT_EQ(result.answer, Answer::denied);
  EXPECT_NE(result.paths.at(0).source_name, result.paths.at(0).destination_name);
}

TEST(ExplainConnection, ANodesOwnTrafficReachesThePodsOfThatNodeOnly) {
  std::string manifests = name_space("a");
  for (const char* number : {"1", "2"}) {
    const std::string node = std::string("n") + number;
    manifests += "---\n{apiVersion: v1, kind: Node, metadata: {name: " + node +
                 "}, status: {addresses: [{type: InternalIP, address: 192.168.0." + number + "}]}}\n";
    manifests += pod("a", std::string("server-") + number, "app: s", "", "nodeName: " + node);
  }
  manifests +=
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: a}\n"
      "spec: {selector: {app: s}, ports: [{port: 80}]}\n" +
      pod("a", "agent", "", "", "nodeName: n2, hostNetwork: true") +
      network_policy("a", "deny", "  podSelector: {}\n  policyTypes: [Ingress, Egress]");
  PolicyLab lab(manifests);
  for (const char* source : {"a/agent", "192.168.0.2"}) {
    const ConnectionExplanation result = explained(lab, source, "a/service/s:80");
    EXPECT_EQ(result.answer, Answer::depends) << source;
    ASSERT_EQ(result.paths.size(), 2u) << source;
    EXPECT_EQ(result.paths[0].destination_name, "a/server-2");
    EXPECT_EQ(result.paths[0].ingress.verdict.cause, policy::Cause::own_node);
    EXPECT_EQ(result.paths[1].destination_name, "a/server-1");
    EXPECT_EQ(result.paths[1].ingress.verdict.cause, policy::Cause::default_deny);
  }
}

TEST(ExplainConnection, APortThatNothingListensOnIsMarked) {
  PolicyLab lab(shop());
  const ConnectionExplanation result = explained(lab, "front/web", "back/deployment/api:9999");
  EXPECT_EQ(result.answer, Answer::allowed);  // policies do allow it
  EXPECT_FALSE(result.paths.at(0).is_listening);
}

TEST(ExplainConnection, AnUnmodelledObjectLeavesTheAnswerOpen) {
  PolicyLab lab(
      shop() + network_policy("back", "deny", "  podSelector: {}") +
      "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: back}\nspec: {}\n");
  EXPECT_EQ(explained(lab, "front/web", "back/service/api:80").answer, Answer::unknown);
}

TEST(ExplainConnection, ABadQuestionIsAnError) {
  PolicyLab lab(shop());
  EXPECT_EQ(error_of(lab, "front/web", "back/service/api"), "missing-port");
  EXPECT_EQ(error_of(lab, "front/web", "back/service/api:"), "missing-port");
  EXPECT_EQ(error_of(lab, "front/web", "back/service/api:0"), "bad-port");
  EXPECT_EQ(error_of(lab, "front/web", "back/service/api:70000"), "bad-port");
  EXPECT_EQ(error_of(lab, "front/web", "back/service/api:80/icmp"), "bad-protocol");
  EXPECT_EQ(error_of(lab, "front/wob", "back/service/api:80"), "unknown-object");
  EXPECT_EQ(error_of(lab, "back/service/api", "front/pod/web:80"), "not-a-source");
  EXPECT_EQ(error_of(lab, "front/web", "back/service/api:nope"), "unknown-port-name");
  EXPECT_EQ(error_of(lab, "front/web", "fd00::1"), "missing-port");
}

TEST(ParseDestination, TakesNamesAddressesPortsAndProtocolsApart) {
  Diagnostics diagnostics;
  const auto udp = parse_destination("back/api:53/udp", {}, diagnostics);
  ASSERT_TRUE(udp);
  EXPECT_EQ(udp->name, "back/api");
  EXPECT_EQ(udp->protocol, IpProtocol::udp);
  EXPECT_EQ(udp->port, Port(53));
  const auto v6 = parse_destination("[fd00::1]:443", {}, diagnostics);
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->name, "fd00::1");
  const auto named = parse_destination("back/api:http", {}, diagnostics);
  ASSERT_TRUE(named);
  EXPECT_EQ(named->port_name, "http");
  EXPECT_TRUE(diagnostics.all().empty());
}

// A client outside of a LoadBalancer Service whose policy admits the client's address.
struct Balanced {
  explicit Balanced(const std::string& spec, const std::string& peer = "{ipBlock: {cidr: 203.0.113.0/24}}")
      : manifests(name_space("back") + pod("back", "api", "app: api", "{containerPort: 8080}") +
                  "---\n{apiVersion: v1, kind: Service, metadata: {name: lb, namespace: back}, spec: {" + spec +
                  "selector: {app: api}, ports: [{port: 80, targetPort: 8080}]}}\n" +
                  network_policy("back", "p", "  podSelector: {}\n  ingress: [{from: [" + peer + "]}]")),
        lab(manifests) {
    SourceMap sources;
    Diagnostics diagnostics;
    cluster::ObjectStore store;
    store.add_layer(sources, {.path = "-", .shown_as = "lab.yaml", .text = manifests, .span = {}}, {}, diagnostics);
    const EntryPoints entries = read_entry_points(store, lab.cluster(), diagnostics);
    result = *explain(lab.engine(), "203.0.113.1", "back/service/lb:80", {}, diagnostics, {}, &entries);
  }
  std::string manifests;
  PolicyLab lab;
  ConnectionExplanation result;
};

// externalTrafficPolicy Cluster hides the client behind the node it came through: only the pod's own node is let in.
TEST(ExplainConnection, AClientOutsideIsSeenAsTheNodeThatItCameThrough) {
  const Balanced cluster("type: LoadBalancer, ");
  EXPECT_EQ(cluster.result.answer, Answer::depends);
  ASSERT_EQ(cluster.result.paths.size(), 2u);  // through the pod's own node, and through the others
  for (const ExplainedPath& path : cluster.result.paths) {
    EXPECT_TRUE(path.source.node.is_valid());
    EXPECT_EQ(path.action == policy::Action::allow,
              path.source.node == cluster.lab.cluster().pods[path.destination.pod.index()].node);
  }
  EXPECT_EQ(Balanced("type: NodePort, externalTrafficPolicy: Cluster, ").result.answer, Answer::depends);
  EXPECT_EQ(Balanced("externalIPs: [192.0.2.1], ").result.answer, Answer::depends);
}

TEST(ExplainConnection, AClientOutsideIsSeenAsItselfWhereTheTrafficPolicyIsLocal) {
  const Balanced local("type: LoadBalancer, externalTrafficPolicy: Local, ");
  EXPECT_EQ(local.result.answer, Answer::allowed);
  EXPECT_EQ(local.result.paths.at(0).source_name, "203.0.113.1");
  const Balanced refused(
      "type: LoadBalancer, externalTrafficPolicy: Local, loadBalancerSourceRanges: [198.51.100.0/24], ");
  EXPECT_EQ(refused.result.notes.back(), "loadBalancerSourceRanges of Service back/lb do not hold 203.0.113.1");
}

TEST(ExplainConnection, AServiceThatNothingExposesIsSaidToBeInside) {
  const Balanced inside("");
  EXPECT_EQ(inside.result.answer, Answer::allowed);
  EXPECT_EQ(inside.result.notes.back(),
            "nothing exposes Service back/lb outside the cluster: what follows is what policies say of a client that "
            "reaches its pods with its own address");
}

TEST(ExplainConnection, APortThatTheServiceLacksIsAnsweredWithThoseItHas) {
  PolicyLab lab(shop());
  EXPECT_EQ(explained(lab, "front/web", "back/service/api:81").notes.at(0),
            "Service back/api has no port TCP 81: nothing answers; its port is TCP 80 (web)");
}

}  // namespace
}  // namespace podwire::analysis
