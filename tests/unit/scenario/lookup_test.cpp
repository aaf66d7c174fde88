// Host names as a pod's resolver takes them, and whether policies let it ask.
#include "app/scenario/lookup.hpp"

#include <gtest/gtest.h>

#include "tests/support/policy_lab.hpp"

namespace podwire::scenario {
namespace {

using test::name_space;
using test::network_policy;
using test::pod;
using test::PolicyLab;

std::string shop() {
  return name_space("front") + name_space("back") + name_space("kube-system") +
         pod("front", "web", "app: web", "", "", "podIP: 10.0.0.1") +
         pod("back", "api", "app: api", "{containerPort: 8080}", "", "podIP: 10.0.0.2") +
         pod("kube-system", "dns", "k8s-app: kube-dns", "{containerPort: 53, protocol: UDP}, {containerPort: 53}", "",
             "podIP: 10.0.0.3") +
         "---\n{apiVersion: v1, kind: Service, metadata: {name: api, namespace: back}, spec: {clusterIP: 10.96.7.7, "
         "selector: {app: api}, ports: [{port: 80, targetPort: 8080}]}}\n"
         "---\n{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system}, spec: {clusterIP: "
         "10.96.0.10, selector: {k8s-app: kube-dns}, ports: [{name: udp, port: 53, protocol: UDP}, {name: tcp, port: "
         "53}]}}\n";
}

Lookup looked_up(PolicyLab& lab, std::string_view host, const dns::ExternalRecords& externals = {}) {
  Diagnostics diagnostics;
  const auto result = look_up(lab.engine(), "front/web", host, externals, {}, diagnostics);
  EXPECT_TRUE(result.has_value());
  return result.value_or(Lookup());
}

std::vector<std::string> asked(const Lookup& lookup) {
  std::vector<std::string> names;
  for (const LookupQuery& query : lookup.queries) {
    names.push_back(query.name);
  }
  return names;
}

TEST(Lookup, ANameOfOtherNamespacesServiceIsFoundAtTheSecondSearchDomain) {
  PolicyLab lab(shop());
  const Lookup lookup = looked_up(lab, "api.back");
  // One dot is fewer than ndots 5: the search list comes first, the pod's own namespace at its head.
  EXPECT_EQ(asked(lookup),
            (std::vector<std::string>{"api.back.front.svc.cluster.local", "api.back.svc.cluster.local"}));
  EXPECT_TRUE(lookup.is_found());
  EXPECT_FALSE(lookup.is_cut_off());
  EXPECT_EQ(lookup.answer().addresses, std::vector<IpAddress>{IpAddress::v4(10, 96, 7, 7)});
  EXPECT_EQ(destination_of(lab.cluster(), lookup, "80"), "back/service/api:80");
}

TEST(Lookup, AShortNameOfAnotherNamespaceDoesNotResolveAndTheLongerOneIsNamed) {
  PolicyLab lab(shop());
  const Lookup lookup = looked_up(lab, "api");
  EXPECT_EQ(lookup.status, dns::LookupStatus::nxdomain);
  EXPECT_EQ(asked(lookup), (std::vector<std::string>{"api.front.svc.cluster.local", "api.svc.cluster.local",
                                                     "api.cluster.local", "api"}));
  EXPECT_EQ(names_that_would_do(lab.cluster(), lookup), std::vector<std::string>{"api.back"});
}

// A name is no advice unless the pod's own resolver finds it.
TEST(Lookup, OnlyNamesThatThePodsResolverFindsWouldDo) {
  const auto advised = [](const std::string& pod_spec) {
    PolicyLab lab(
        shop() +
        "---\n{apiVersion: v1, kind: Pod, metadata: {name: odd, namespace: front}, spec: {containers: [{name: "
        "c, image: i}], " +
        pod_spec + "}}\n");
    Diagnostics diagnostics;
    const auto lookup = look_up(lab.engine(), "front/odd", "api", {}, {}, diagnostics);
    return lookup ? names_that_would_do(lab.cluster(), *lookup) : std::vector<std::string>{"no lookup"};
  };
  EXPECT_EQ(advised("dnsPolicy: ClusterFirst"), std::vector<std::string>{"api.back"});
  EXPECT_EQ(advised("dnsPolicy: Default"), std::vector<std::string>{});  // asks servers that know no Services
  EXPECT_EQ(advised("hostNetwork: true"), std::vector<std::string>{});
  // Without the usual search list api.back is nobody's name.
  EXPECT_EQ(advised("dnsPolicy: None, dnsConfig: {nameservers: [10.96.0.10]}"),
            std::vector<std::string>{"api.back.svc.cluster.local"});
}

TEST(Lookup, EgressIsolationWithoutADnsRuleCutsTheResolverOff) {
  PolicyLab lab(shop() + network_policy("front", "out",
                                        "  podSelector: {}\n  policyTypes: [Egress]\n  egress: [{to: "
                                        "[{namespaceSelector: {}}], ports: [{port: 8080}]}]"));
  const Lookup lookup = looked_up(lab, "api.back");
  EXPECT_TRUE(lookup.is_cut_off());
  EXPECT_EQ(lookup.tcp->answer, analysis::Answer::denied);
}

TEST(Lookup, UdpAloneIsEnoughToBeAnswered) {
  PolicyLab lab(shop() + network_policy("front", "out",
                                        "  podSelector: {}\n  policyTypes: [Egress]\n  egress: [{ports: [{port: 53, "
                                        "protocol: UDP}]}]"));
  const Lookup lookup = looked_up(lab, "api.back");
  EXPECT_FALSE(lookup.is_cut_off());
  EXPECT_EQ(lookup.udp->answer, analysis::Answer::allowed);
  EXPECT_EQ(lookup.tcp->answer, analysis::Answer::denied);
}

TEST(Lookup, AnOutsideNameIsAskedLastAndKnownWhereDeclared) {
  PolicyLab lab(shop());
  const Lookup declared = looked_up(lab, "db.example.org", {{"db.example.org", {IpAddress::v4(203, 0, 113, 9)}}});
  EXPECT_EQ(declared.queries.size(), 4u);  // three search domains, then as it is
  EXPECT_EQ(destination_of(lab.cluster(), declared, "5432"), "203.0.113.9:5432");
  const Lookup other = looked_up(lab, "db.example.org");
  EXPECT_EQ(other.status, dns::LookupStatus::nxdomain);
  EXPECT_TRUE(other.answer().is_assumed);
}

TEST(HostText, UrlsAndHostNamesAreNamesAndObjectsAndAddressesAreNot) {
  const auto url = parse_host("http://backend-api/health");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "backend-api");
  EXPECT_EQ(url->port_text, "80");
  const auto udp = parse_host("udp://dns.back:53");
  ASSERT_TRUE(udp);
  EXPECT_EQ(udp->port_text, "53/UDP");
  const auto bare = parse_host("api.back.svc.cluster.local:80/TCP");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->host, "api.back.svc.cluster.local");
  EXPECT_EQ(bare->port_text, "80/TCP");
  EXPECT_FALSE(parse_host("back/service/api:80"));
  EXPECT_FALSE(parse_host("back/api:80/UDP"));
  EXPECT_FALSE(parse_host("10.96.7.7:80"));
  EXPECT_FALSE(parse_host("http://10.96.7.7:80/"));
  EXPECT_FALSE(parse_host("[fd00::1]:53/UDP"));
  EXPECT_FALSE(parse_host("fd00::1"));
  EXPECT_FALSE(parse_host("tcp://db"));  // no port: nothing to explain
}

}  // namespace
}  // namespace podwire::scenario
