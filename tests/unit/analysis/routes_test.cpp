// Which Gateways take an HTTPRoute, for which hosts, and where its rules lead.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/analysis/entry_points.hpp"
#include "tests/support/policy_lab.hpp"

namespace podwire::analysis {
namespace {

using test::name_space;
using test::pod;
using test::PolicyLab;

/// "host path service: problem" (or "gateway host path service" where something may come in) of each way in.
std::vector<std::string> ways(const std::string& listeners, const std::string& route) {
  const std::string manifests =
      name_space("shop") + name_space("infra") + pod("shop", "web", "app: web", "{containerPort: 8080}") +
      "---\n{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, "
      "ports: "
      "[{port: 80, targetPort: 8080}]}}\n" +
      "---\n{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: edge, namespace: infra}, spec: "
      "{gatewayClassName: c, listeners: [" +
      listeners +
      "]}}\n---\n{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: shop}, "
      "spec: {" +
      route + "}}\n";
  PolicyLab lab(manifests);
  SourceMap sources;
  Diagnostics diagnostics;
  cluster::ObjectStore store;
  store.add_layer(sources, {.path = "-", .shown_as = "lab.yaml", .text = manifests, .span = {}}, {}, diagnostics);
  const EntryPoints entries = read_entry_points(store, lab.cluster(), diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << config::render(diagnostics, sources);
  std::vector<std::string> texts;
  for (const EntryPoint& point : entries.points) {
    texts.push_back(point.gateway + " " + point.host + point.path + " " + point.service +
                    (point.problem.empty() ? "" : ": " + point.problem) +
                    (point.assumption.empty() ? "" : " (" + point.assumption + ")"));
  }
  return texts;
}

using Texts = std::vector<std::string>;
const std::string kOpen = "allowedRoutes: {namespaces: {from: All}}";
const std::string kParent = "parentRefs: [{name: edge, namespace: infra}]";
const std::string kRules = "rules: [{backendRefs: [{name: web, port: 80}]}]";

std::string listener(const std::string& rest) {
  return "{name: web, port: 80, protocol: HTTP, " + kOpen + rest + "}";
}

TEST(Routes, AreTakenForTheHostsThatTheListenerHasInCommon) {
  const std::string example = listener(", hostname: '*.example.org'");
  EXPECT_EQ(ways(example, kParent + ", hostnames: [a.example.org], " + kRules),
            (Texts{"infra/edge a.example.org web"}));
  EXPECT_EQ(ways(example, kParent + ", hostnames: [a.b.example.org], " + kRules),
            (Texts{"infra/edge a.b.example.org web"}));
  // The apex is not below its own wildcard.
  EXPECT_EQ(ways(example, kParent + ", hostnames: [example.org], " + kRules),
            (Texts{"infra/edge example.org web: no listener of gateway infra/edge has a hostname of the route's"}));
  EXPECT_EQ(ways(example, kParent + ", hostnames: [a.example.com, b.example.org], " + kRules),
            (Texts{"infra/edge b.example.org web",
                   "infra/edge a.example.com web: no listener of gateway infra/edge takes host a.example.com"}));
  EXPECT_EQ(ways(example, kParent + ", " + kRules), (Texts{"infra/edge *.example.org web"}));
  EXPECT_EQ(ways(listener(", hostname: a.example.org"), kParent + ", hostnames: ['*.example.org'], " + kRules),
            (Texts{"infra/edge a.example.org web"}));
  EXPECT_EQ(ways(listener(""), kParent + ", " + kRules), (Texts{"infra/edge  web"}));
}

TEST(Routes, AreTakenOnlyByTheListenersThatAreMeantAndSpeakHttp) {
  const std::string parent = "parentRefs: [{name: edge, namespace: infra, ";
  EXPECT_EQ(ways(listener(""), parent + "sectionName: other}], " + kRules),
            (Texts{"infra/edge  web: gateway infra/edge has no listener \"other\""}));
  EXPECT_EQ(ways(listener(""), parent + "port: 443}], " + kRules),
            (Texts{"infra/edge  web: gateway infra/edge has no listener on port 443"}));
  EXPECT_EQ(ways(listener(""), parent + "sectionName: web, port: 80}], " + kRules), (Texts{"infra/edge  web"}));
  EXPECT_EQ(ways("{name: web, port: 80, protocol: TCP, " + kOpen + "}", kParent + ", " + kRules),
            (Texts{"infra/edge  web: no listener of gateway infra/edge that is meant speaks HTTP"}));
  EXPECT_EQ(ways("{name: web, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}, kinds: [{kind: "
                 "GRPCRoute}]}}",
                 kParent + ", " + kRules),
            (Texts{"infra/edge  web: no listener of gateway infra/edge takes HTTPRoutes"}));
  EXPECT_EQ(ways("{name: web, port: 80, protocol: HTTP}", kParent + ", " + kRules),
            (Texts{"infra/edge  web: no listener of gateway infra/edge takes routes of namespace shop"}));
}

TEST(Routes, ComeInThroughEachGatewayThatTakesThem) {
  EXPECT_EQ(ways(listener(""), "parentRefs: [{name: gone}, {name: edge, namespace: infra}], " + kRules),
            (Texts{"shop/gone  web (gateway shop/gone is not among the objects: taken to accept the route)",
                   "infra/edge  web"}));
  // Two sections of one Gateway are one way in.
  EXPECT_EQ(
      ways(listener(", hostname: a.org") + ", {name: b, port: 81, protocol: HTTP, hostname: b.org, " + kOpen + "}",
           "parentRefs: [{name: edge, namespace: infra, sectionName: web}, {name: edge, namespace: infra, "
           "sectionName: b}], hostnames: [a.org, b.org], " +
               kRules),
      (Texts{"infra/edge a.org web", "infra/edge b.org web"}));
}

TEST(Routes, OfAMeshLetNothingInFromOutside) {
  EXPECT_EQ(ways(listener(""), "parentRefs: [{group: '', kind: Service, name: web}], " + kRules), Texts{});
}

TEST(Routes, LeadNowhereWithoutABackendThatIsSentRequests) {
  EXPECT_EQ(ways(listener(""), kParent + ", rules: [{backendRefs: [{name: web, port: 80, weight: 0}]}]"),
            (Texts{"infra/edge  web: its weight is 0: no request is sent there"}));
  EXPECT_EQ(ways(listener(""), kParent + ", rules: [{matches: [{path: {value: /x}}]}]"),
            (Texts{"infra/edge /x : its rule names no backend: requests fail"}));
  EXPECT_EQ(ways(listener(""), kParent), (Texts{"infra/edge  : it has no rule that names a backend: requests fail"}));
  // A redirect is an answer.
  EXPECT_EQ(ways(listener(""), kParent + ", rules: [{filters: [{type: RequestRedirect, requestRedirect: {scheme: "
                                         "https}}]}]"),
            Texts{});
  EXPECT_EQ(ways(listener(""), kParent + ", rules: [{backendRefs: [{group: example.org, name: web, port: 80}]}]"),
            (Texts{"infra/edge  web: its backend is a Service of group example.org, not a Service"}));
}

TEST(Routes, SendCopiesWhereTheyMirrorRequests) {
  EXPECT_EQ(ways(listener(""), kParent + ", rules: [{backendRefs: [{name: web, port: 80}], filters: [{type: "
                                         "RequestMirror, requestMirror: {backendRef: {name: web, port: 80}}}]}]"),
            (Texts{"infra/edge  web", "infra/edge  web (copies of requests (RequestMirror))"}));
}

// 16 hosts × 2 Gateways × 128 matches × 16 backends, each of which the API takes, are 65,536.
TEST(Routes, AreRefusedWhereTheirListsMultiplyBeyondMeasure) {
  std::string hosts, matches, backends;
  for (int i = 0; i < 16; ++i) {
    hosts += "h" + std::to_string(i) + ".org, ";
    backends += "{name: web, port: 80}, ";
  }
  for (int i = 0; i < 64; ++i) {
    matches += "{path: {value: /" + std::to_string(i) + "}}, ";
  }
  const std::string rule = "{matches: [" + matches + "], backendRefs: [" + backends + "]}";
  const std::string manifests =
      name_space("shop") +
      "---\n{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: shop}, spec: "
      "{parentRefs: [{name: a}, {name: b}], hostnames: [" +
      hosts + "], rules: [" + rule + ", " + rule + "]}}\n";
  PolicyLab lab(name_space("shop"));
  SourceMap sources;
  Diagnostics diagnostics;
  cluster::ObjectStore store;
  store.add_layer(sources, {.path = "-", .shown_as = "lab.yaml", .text = manifests, .span = {}}, {}, diagnostics);
  const EntryPoints entries = read_entry_points(store, lab.cluster(), diagnostics);
  ASSERT_EQ(diagnostics.error_count(), 1u) << config::render(diagnostics, sources);
  EXPECT_EQ(diagnostics.all()[0].message,
            "its Gateways, hostnames, matches and backends make 65536 ways in; at most 20000 are looked at");
  EXPECT_TRUE(entries.points.empty());
}

}  // namespace
}  // namespace podwire::analysis
