// Entry points and exposure on situations small enough to be read.
#include "models/analysis/entry_points.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/analysis/exposure.hpp"
#include "tests/support/policy_lab.hpp"

namespace podwire::analysis {
namespace {

using test::name_space;
using test::network_policy;
using test::pod;
using test::PolicyLab;
using Outcome = EntryRow::Outcome;

const char* const kService =
    "---\n{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, ports: "
    "[{port: 80, targetPort: 8080}]}}\n";
const char* const kIngress =
    "---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: shop}, spec: {rules: "
    "[{host: shop.example.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: "
    "{number: 80}}}}]}}]}}\n";
const char* const kController = "app.kubernetes.io/name: ingress-nginx, app.kubernetes.io/component: controller";

std::vector<EntryRow> rows_of(const std::string& manifests) {
  PolicyLab lab(manifests);
  SourceMap sources;
  Diagnostics diagnostics;
  cluster::ObjectStore store;
  store.add_layer(sources, {.path = "-", .shown_as = "lab.yaml", .text = manifests, .span = {}}, {}, diagnostics);
  const EntryPoints entries = read_entry_points(store, lab.cluster(), diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << config::render(diagnostics, sources);
  return resolve_entry_points(lab.engine(), entries);
}

std::string web() {
  return name_space("shop") + pod("shop", "web", "app: web", "{containerPort: 8080}") + kService;
}

TEST(EntryPoints, AssumesAControllerWhereNoneIsFound) {
  const auto rows = rows_of(web() + kIngress);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].source, "{ingress-controller}");
  EXPECT_EQ(rows[0].destination, "shop/web[Pod]");
  EXPECT_EQ(rows[0].connections, "TCP 8080");
  EXPECT_EQ(rows[0].service, "shop/web:80");
  EXPECT_EQ(rows[0].outcome, Outcome::allowed);
}

TEST(EntryPoints, NamesThePolicyThatDeniesTheIngress) {
  const auto rows = rows_of(web() + kIngress + network_policy("shop", "deny", "  podSelector: {}\n"));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].outcome, Outcome::denied);
  EXPECT_EQ(rows[0].note, "exposed by ingress shop/web, but ingress policy shop/deny denies it");
}

TEST(EntryPoints, LeavesOpenWhatDependsOnTheAssumedControllersLabels) {
  const auto rows = rows_of(web() + kIngress +
                            network_policy("shop", "edge",
                                           "  podSelector: {}\n"
                                           "  ingress: [{from: [{namespaceSelector: {matchLabels: {team: edge}}}]}]"));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].outcome, Outcome::unknown);
  EXPECT_NE(rows[0].note.find("any namespace with team=edge"), std::string::npos) << rows[0].note;
}

TEST(EntryPoints, JudgesTheControllersPodsWhereTheyAreFound) {
  const std::string policy = network_policy("shop", "edge",
                                            "  podSelector: {}\n"
                                            "  ingress: [{from: [{namespaceSelector: {matchLabels: {team: edge}}}]}]");
  const auto admitted =
      rows_of(name_space("edge", "team: edge") + pod("edge", "nginx", kController) + web() + kIngress + policy);
  ASSERT_EQ(admitted.size(), 1u);
  EXPECT_EQ(admitted[0].source, "edge/nginx[Pod]");
  EXPECT_EQ(admitted[0].outcome, Outcome::allowed);
  const auto refused = rows_of(name_space("edge") + pod("edge", "nginx", kController) + web() + kIngress + policy);
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].outcome, Outcome::denied);
  EXPECT_EQ(refused[0].note, "exposed by ingress shop/web, but ingress policy shop/edge denies it");
}

/// The family of a pod with these labels and this image, "" of none.
std::string family_of(const std::string& where, const std::string& labels, const std::string& image) {
  const std::string manifests = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: " + where +
                                ", labels: {" + labels + "}}\nspec: {containers: [{name: c, image: \"" + image +
                                "\"}]}\n";
  PolicyLab lab(manifests);
  SourceMap sources;
  Diagnostics diagnostics;
  cluster::ObjectStore store;
  store.add_layer(sources, {.path = "-", .shown_as = "lab.yaml", .text = manifests, .span = {}}, {}, diagnostics);
  const EntryPoints entries = read_entry_points(store, lab.cluster(), diagnostics);
  return entries.controllers.empty() ? "" : entries.controllers[0].family;
}

TEST(Controllers, AreKnownByTheirImages) {
  const std::pair<const char*, const char*> cases[] = {
      {"registry.k8s.io/ingress-nginx/controller:v1.12.1@sha256:abc", "ingress-nginx"},
      {"rancher/nginx-ingress-controller:v1.12.1-hardened1", "ingress-nginx"},
      {"nginx/nginx-ingress:5.0.0", "nginx-ingress"},
      {"ghcr.io/nginx/nginx-gateway-fabric/nginx:2.0.0", "nginx-gateway-fabric"},
      {"docker.io/traefik:v3.4.0", "traefik"},
      {"rancher/mirrored-library-traefik:3.3.6", "traefik"},
      {"registry:5000/haproxytech/kubernetes-ingress", "haproxy"},
      {"quay.io/jcmoraisjr/haproxy-ingress:v0.14.8", "haproxy"},
      {"kong:3.9", "kong"},
      {"traefik/whoami:v1.11", ""},
      {"ghcr.io/nginx/nginx-gateway-fabric:2.0.0", ""},  // its control plane
      {"kong/kubernetes-ingress-controller:3.4", ""},    // likewise
      {"envoyproxy/envoy:v1.34", ""},
  };
  for (const auto& [image, family] : cases) {
    EXPECT_EQ(family_of("edge", "app: x", image), family) << image;
  }
}

TEST(Controllers, AreKnownByTheirLabels) {
  const std::string name = "app.kubernetes.io/name: ";
  const std::string component = ", app.kubernetes.io/component: ";
  EXPECT_EQ(family_of("edge", kController, "x"), "ingress-nginx");
  EXPECT_EQ(family_of("edge", name + "ingress-nginx" + component + "default-backend", "x"), "");
  EXPECT_EQ(family_of("edge", name + "kong" + component + "app", "x"), "kong");
  EXPECT_EQ(family_of("edge", name + "kong" + component + "init-migrations", "kong:3.9"), "");
  EXPECT_EQ(family_of("edge", name + "kubernetes-ingress", "x"), "haproxy");
  EXPECT_EQ(family_of("edge", "istio: ingressgateway, app: istio-ingressgateway", "x"), "istio");
  EXPECT_EQ(family_of("edge", "gateway.istio.io/managed: istio.io-gateway-controller", "x"), "istio");
  EXPECT_EQ(family_of("edge", name + "envoy" + component + "proxy, app.kubernetes.io/managed-by: envoy-gateway", "x"),
            "envoy-gateway");
  EXPECT_EQ(family_of("projectcontour", "app: envoy", "envoyproxy/envoy:v1.34"), "contour");
  EXPECT_EQ(family_of("shop", "app: envoy", "envoyproxy/envoy:v1.34"), "");
  EXPECT_EQ(family_of("edge", name + "contour" + component + "contour", "x"), "");
}

TEST(Controllers, BelongToTheFamilyOfTheirClass) {
  EXPECT_EQ(controller_family("k8s.io/ingress-nginx"), "ingress-nginx");
  EXPECT_EQ(controller_family("haproxy.org/ingress-controller/haproxy"), "haproxy");
  EXPECT_EQ(controller_family("haproxy-ingress.github.io/controller"), "haproxy");
  EXPECT_EQ(controller_family("gateway.nginx.org/nginx-gateway-controller"), "nginx-gateway-fabric");
  EXPECT_EQ(controller_family("gateway.envoyproxy.io/gatewayclass-controller"), "envoy-gateway");
  EXPECT_EQ(controller_family("istio.io/gateway-controller"), "istio");
  EXPECT_EQ(controller_family("example.org/other"), "");
}

TEST(EntryPoints, SaysWhatIsMissingBehindABackend) {
  const auto rows = rows_of(name_space("shop") + pod("shop", "other", "app: other") + kIngress);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].outcome, Outcome::broken);
  EXPECT_EQ(rows[0].note, "there is no Service shop/web");
}

// Local keeps the client's address, so that only the part of the block within the Service's own ranges gets in.
TEST(EntryPoints, CutsClientRangesWhereTheTrafficPolicyIsLocal) {
  const auto rows =
      rows_of(name_space("shop") + pod("shop", "web", "app: web", "{containerPort: 8080}") +
              "---\n{apiVersion: v1, kind: Service, metadata: {name: edge, namespace: shop}, spec: {type: "
              "LoadBalancer, externalTrafficPolicy: Local, loadBalancerSourceRanges: [198.51.100.0/24], "
              "selector: {app: web}, ports: [{port: 443, targetPort: 8080}]}}\n" +
              network_policy("shop", "web",
                             "  podSelector: {}\n"
                             "  ingress: [{from: [{ipBlock: {cidr: 198.51.100.128/25}}]}]"));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].source, "198.51.100.128-198.51.100.255[External]");
  EXPECT_EQ(rows[0].outcome, Outcome::allowed);
}

// The pods speak IPv4 alone; a load balancer's clients need not.
TEST(EntryPoints, ClientsMayBeOfAFamilyThatNoPodSpeaks) {
  const std::string manifests =
      name_space("shop") + pod("shop", "web", "app: web", "{containerPort: 8080}") +
      "---\n{apiVersion: v1, kind: Service, metadata: {name: edge, namespace: shop}, spec: {type: LoadBalancer, "
      "externalTrafficPolicy: Local, loadBalancerSourceRanges: ['2001:db8::/32'], selector: {app: web}, ports: [{port: "
      "443, targetPort: 8080}]}}\n";
  const auto open = rows_of(manifests);
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].source, "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff[External]");
  EXPECT_EQ(open[0].outcome, Outcome::allowed);
  const auto cut = rows_of(manifests + network_policy("shop", "web",
                                                      "  podSelector: {}\n"
                                                      "  ingress: [{from: [{ipBlock: {cidr: '2001:db8:1::/48'}}]}]"));
  ASSERT_EQ(cut.size(), 1u);
  EXPECT_EQ(cut[0].source, "2001:db8:1::-2001:db8:1:ffff:ffff:ffff:ffff:ffff[External]");
  EXPECT_EQ(cut[0].outcome, Outcome::allowed);
}

// What a route lets in is the product of its hosts, matches and backends: 20 of each would be 8,000 lines.
TEST(EntryPoints, RefusesRoutesThatTheApiWouldNotTake) {
  std::string hosts, matches, backends;
  for (int i = 0; i < 20; ++i) {
    hosts += "h" + std::to_string(i) + ", ";
    matches += "{path: {value: /" + std::to_string(i) + "}}, ";
    backends += "{name: web, port: 80}, ";
  }
  const std::string manifests =
      web() +
      "---\n{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: shop}, " +
      "spec: {parentRefs: [{name: g}], hostnames: [" + hosts + "], rules: [{matches: [" + matches +
      "], backendRefs: [" + backends + "]}]}}\n";
  PolicyLab lab(web());
  SourceMap sources;
  Diagnostics diagnostics;
  cluster::ObjectStore store;
  store.add_layer(sources, {.path = "-", .shown_as = "lab.yaml", .text = manifests, .span = {}}, {}, diagnostics);
  const EntryPoints entries = read_entry_points(store, lab.cluster(), diagnostics);
  ASSERT_EQ(diagnostics.error_count(), 2u) << config::render(diagnostics, sources);
  EXPECT_EQ(diagnostics.all()[0].code, "too-many-values");
  EXPECT_EQ(diagnostics.all()[0].message, "hostnames lists 20 items; the API takes at most 16");
  EXPECT_EQ(diagnostics.all()[1].message, "backendRefs lists 20 items; the API takes at most 16");
  EXPECT_TRUE(entries.points.empty());
}

// Cluster hides the client behind the node it came through: the block of clients is of no use, and only the pod's own
// node gets in.
TEST(EntryPoints, SeesNodeAddressesWhereTheTrafficPolicyIsCluster) {
  const auto rows =
      rows_of(name_space("shop") + pod("shop", "web", "app: web", "{containerPort: 8080}") +
              "---\n{apiVersion: v1, kind: Service, metadata: {name: edge, namespace: shop}, spec: {type: "
              "NodePort, selector: {app: web}, ports: [{port: 443, targetPort: 8080, nodePort: 30443}]}}\n" +
              network_policy("shop", "web",
                             "  podSelector: {}\n"
                             "  ingress: [{from: [{ipBlock: {cidr: 198.51.100.128/25}}]}]"));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].via, "NodePort service shop/edge, node port 30443");
  EXPECT_EQ(rows[0].outcome, Outcome::partly) << rows[0].note;
}

// DNS is served on one number over both protocols, and the policy admits one of them.
TEST(EntryPoints, TellsTheProtocolsOfOnePortNumberApart) {
  const auto rows =
      rows_of(name_space("shop") + pod("shop", "dns", "app: dns", "{containerPort: 53, protocol: UDP}") +
              "---\n{apiVersion: v1, kind: Service, metadata: {name: dns, namespace: shop}, spec: {type: LoadBalancer, "
              "selector: {app: dns}, ports: [{name: tcp, port: 53}, {name: udp, port: 53, protocol: UDP}]}}\n" +
              network_policy("shop", "dns", "  podSelector: {}\n  ingress: [{ports: [{port: 53, protocol: TCP}]}]"));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].connections, "TCP 53");
  EXPECT_EQ(rows[0].outcome, Outcome::allowed);
  EXPECT_EQ(rows[1].connections, "UDP 53");
  EXPECT_EQ(rows[1].outcome, Outcome::partly) << rows[1].note;  // the pod's own node always may
}

TEST(EntryPoints, HttpIsSpokenOverTcp) {
  const auto rows = rows_of(
      name_space("shop") + pod("shop", "web", "app: web", "{containerPort: 8080, protocol: UDP}") +
      "---\n{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, "
      "ports: [{port: 80, targetPort: 8080, protocol: UDP}]}}\n" +
      kIngress);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].outcome, Outcome::broken);
  EXPECT_EQ(rows[0].note, "Service shop/web has no TCP port 80");
}

TEST(EntryPoints, ExternalAddressesOfAServiceLetClientsIn) {
  const auto rows =
      rows_of(name_space("shop") + pod("shop", "web", "app: web", "{containerPort: 8080}") +
              "---\n{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {externalIPs: "
              "[203.0.113.9, 203.0.113.10], selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}}\n");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].via, "external address 203.0.113.9, 203.0.113.10 of service shop/web");
  EXPECT_EQ(rows[0].outcome, Outcome::allowed);
}

std::string of_class(const std::string& name) {
  std::string text = kIngress;
  return text.replace(text.find("spec: {"), 7, "spec: {ingressClassName: " + name + ", ");
}

// What a cloud's load balancer sends is no pod's: a rule for pods of every namespace does not admit it.
TEST(EntryPoints, ACloudsLoadBalancerIsNoPod) {
  const auto from = [](const std::string& peer) {
    return network_policy("shop", "p", "  podSelector: {}\n  ingress: [{from: [" + peer + "]}]");
  };
  const auto rows = rows_of(web() + of_class("alb") + from("{namespaceSelector: {}}"));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].source, "{load-balancer}");
  EXPECT_EQ(rows[0].outcome, Outcome::denied);
  EXPECT_EQ(rows[0].note,
            "exposed by ingress shop/web, but ingress policy shop/p denies it (traffic comes from a load balancer "
            "outside the cluster, not from a pod)");
  EXPECT_EQ(rows_of(web() + of_class("alb")).at(0).outcome, Outcome::allowed);
  EXPECT_EQ(rows_of(web() + of_class("gce") + from("{ipBlock: {cidr: 0.0.0.0/0}}")).at(0).outcome, Outcome::allowed);
  const auto some = rows_of(web() + of_class("gce") + from("{ipBlock: {cidr: 35.191.0.0/16}}"));
  EXPECT_EQ(some.at(0).outcome, Outcome::unknown);
  EXPECT_EQ(some.at(0).note,
            "it comes from a load balancer outside the cluster whose addresses are not known; policies admit "
            "35.191.0.0-35.191.255.255");
}

TEST(EntryPoints, AClassWithoutAnObjectTellsByItsName) {
  const std::string edge = name_space("edge") + pod("edge", "nginx", kController);
  const auto fitting = rows_of(edge + web() + of_class("nginx-internal"));
  EXPECT_EQ(fitting.at(0).source, "edge/nginx[Pod]");
  EXPECT_EQ(fitting.at(0).note, "no object defines the class nginx-internal: taken to be this controller's");
  EXPECT_EQ(rows_of(edge + web() + of_class("internal")).at(0).source, "edge/nginx[Pod]");
  EXPECT_EQ(rows_of(edge + web() + of_class("traefik")).at(0).source, "{ingress-controller}");
  EXPECT_EQ(rows_of(edge + web() + kIngress).at(0).note, "");  // no class: the only controller's
}

// The names of IngressClasses and GatewayClasses have nothing to do with each other.
TEST(EntryPoints, AGatewayClassIsNoIngressClass) {
  const auto rows =
      rows_of(name_space("edge") + pod("edge", "nginx", kController) + web() + of_class("nginx") +
              "---\n{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: nginx}, spec: {controller: "
              "k8s.io/ingress-nginx}}\n"
              "---\n{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: nginx}, spec: "
              "{controllerName: gateway.nginx.org/nginx-gateway-controller}}\n");
  EXPECT_EQ(rows.at(0).source, "edge/nginx[Pod]");
}

std::vector<std::string> exposure_lines(const std::string& manifests) {
  PolicyLab lab(manifests);
  std::vector<std::string> lines;
  for (const ExposureLine& line :
       exposure_of(lab.engine(), cluster::WorkloadId(std::size_t{0}), policy::Direction::ingress)) {
    lines.push_back(line.region.to_string() + ": " + line.ports_text());
  }
  return lines;
}

TEST(Exposure, IsTheEntireClusterWhereNothingIsolates) {
  EXPECT_EQ(exposure_lines(name_space("shop") + pod("shop", "web", "app: web")),
            (std::vector<std::string>{"entire cluster: All Connections"}));
}

TEST(Exposure, SaysWhichPodsEachRuleAdmits) {
  EXPECT_EQ(
      exposure_lines(name_space("shop") + pod("shop", "web", "app: web", "{name: http, containerPort: 8080}") +
                     network_policy("shop", "web",
                                    "  podSelector: {}\n"
                                    "  ingress:\n"
                                    "  - from: [{namespaceSelector: {matchLabels: {team: a}}}]\n"
                                    "    ports: [{port: http}]\n"
                                    "  - from: [{podSelector: {matchLabels: {app: shop}}}]\n"
                                    "  - from: [{namespaceSelector: {}, podSelector: {matchLabels: {role: probe}}}]\n"
                                    "    ports: [{port: 9090}, {port: nobodys}]")),
      (std::vector<std::string>{"any pod in any namespace with team=a: TCP 8080",
                                "pods with app=shop in namespace shop: All Connections",
                                "pods with role=probe in any namespace: TCP 9090"}));
}

std::string tier_policy(const std::string& name, int priority, const std::string& ingress) {
  return "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: " + name +
         "}\nspec:\n  priority: " + std::to_string(priority) +
         "\n  subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: shop}}}\n  ingress:\n" + ingress;
}

TEST(Exposure, WhatAnAdminTierDeniesIsTakenOutOfTheRegion) {
  // No NetworkPolicy: all is open but port 22, and for pods of team b everything.
  EXPECT_EQ(exposure_lines(name_space("shop") + pod("shop", "web", "app: web") +
                           tier_policy("deny", 5,
                                       "  - {action: Deny, from: [{namespaces: {matchLabels: {team: b}}}]}\n"
                                       "  - {action: Deny, from: [{namespaces: {}}], ports: [{portNumber: {protocol: "
                                       "TCP, port: 22}}]}\n")),
            (std::vector<std::string>{"entire cluster but not any pod in any namespace with team=b: SCTP 1-65535,TCP "
                                      "1-21,23-65535,UDP 1-65535"}));
}

TEST(Exposure, AnAdminTiersAllowAndPassMeetTheNetworkPolicies) {
  // The tier lets probes in on 9090, leaves team a to the NetworkPolicies, and denies all others. These open 8080 to
  // pods of app x and isolate the pod for the rest.
  EXPECT_EQ(
      exposure_lines(
          name_space("shop") + pod("shop", "web", "app: web") +
          network_policy("shop", "web",
                         "  podSelector: {}\n"
                         "  ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: x}}}], ports: "
                         "[{port: 8080}]}]") +
          tier_policy("tier", 5,
                      "  - {action: Allow, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {role: "
                      "probe}}}}], ports: [{portNumber: {protocol: TCP, port: 9090}}]}\n"
                      "  - {action: Pass, from: [{namespaces: {matchLabels: {team: a}}}]}\n"
                      "  - {action: Deny, from: [{namespaces: {}}]}\n")),
      (std::vector<std::string>{"pods with app=x in any namespace with team=a: TCP 8080",
                                "pods with role=probe in any namespace: TCP 9090"}));
}

TEST(Exposure, ABaselineDecidesForWhatNoNetworkPolicyIsolates) {
  EXPECT_EQ(
      exposure_lines(
          name_space("shop") + pod("shop", "web", "app: web") +
          "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: "
          "default}\nspec:\n  subject: {namespaces: {}}\n  ingress:\n"
          "  - {action: Allow, from: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}\n"
          "  - {action: Deny, from: [{namespaces: {}}]}\n"),
      (std::vector<std::string>{"any pod in namespace shop: All Connections"}));
}

TEST(Exposure, PoliciesOfOnePriorityLeaveItOpen) {
  PolicyLab lab(name_space("shop") + pod("shop", "web", "app: web") +
                tier_policy("one", 5, "  - {action: Deny, from: [{namespaces: {}}]}\n") +
                tier_policy("two", 5, "  - {action: Allow, from: [{namespaces: {}}]}\n"));
  const auto lines = exposure_of(lab.engine(), cluster::WorkloadId(0u), policy::Direction::ingress);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(lines[0].is_unknown);
  EXPECT_EQ(lines[0].region.to_string(), "entire cluster");
}

TEST(Exposure, IsEmptyWhereNoPodIsAdmitted) {
  EXPECT_TRUE(exposure_lines(name_space("shop") + pod("shop", "web", "app: web") +
                             network_policy("shop", "deny", "  podSelector: {}\n"))
                  .empty());
}

}  // namespace
}  // namespace podwire::analysis
