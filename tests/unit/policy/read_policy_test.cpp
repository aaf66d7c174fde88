// NetworkPolicy as the API server validates it: each mistake is found, with its code and at its place.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "models/policy/policy.hpp"
#include "tests/support/policy_lab.hpp"
#include "tests/support/policy_reading.hpp"

namespace podwire::policy {
namespace {

/// The policy a/p with this spec.
struct Reading : test::PolicyReading {
  explicit Reading(const std::string& spec) : PolicyReading(test::network_policy("a", "p", spec)) {}
};

std::string port(const std::string& members) {
  return "  ingress: [{ports: [{" + members + "}]}]";
}
std::string peer(const std::string& members) {
  return "  ingress: [{from: [{" + members + "}]}]";
}

TEST(ReadPolicy, FillsInTheDefaultsOfTheApi) {
  const Reading reading("  ingress: [{ports: [{port: 80}]}]");
  ASSERT_TRUE(reading.set) << reading.problems();
  EXPECT_TRUE(reading.network_policy().pod_selector.matches_everything());
  EXPECT_TRUE(reading.network_policy().isolates_ingress);
  EXPECT_FALSE(reading.network_policy().isolates_egress);
  const PortRule& rule = reading.network_policy().ingress.at(0).ports.at(0);
  EXPECT_EQ(rule.protocol, IpProtocol::tcp);
  EXPECT_EQ(rule.first, Port(80));
  EXPECT_EQ(rule.last, Port(80));
}

TEST(ReadPolicy, UnknownFieldsAreErrors) {
  EXPECT_EQ(Reading("  podSelectr: {}").problems(), "unknown-key at podSelectr");
  EXPECT_EQ(Reading("  egress: [{from: []}]").problems(), "unknown-key at from");
  EXPECT_EQ(Reading("  ingress: [{to: []}]").problems(), "unknown-key at to");
  EXPECT_EQ(Reading(port("port: 80, targetPort: 80")).problems(), "unknown-key at targetPort");
  EXPECT_EQ(Reading(peer("ipBlock: {cidr: 10.0.0.0/8, excepts: []}")).problems(), "unknown-key at excepts");
}

TEST(ReadPolicy, PolicyTypesAreIngressAndEgress) {
  EXPECT_EQ(Reading("  policyTypes: [ingress]").problems(), "bad-value at ingress");
  EXPECT_EQ(Reading("  policyTypes: [Ingress, Egress, Ingress]").problems(),
            "too-many-values at [Ingress, Egress, Ingress]");
}

TEST(ReadPolicy, AnEmptyPeerIsAnError) {
  EXPECT_EQ(Reading("  ingress: [{from: [{}]}]").problems(), "empty-peer at {}");
  // A null selector is an absent one.
  EXPECT_EQ(Reading("  ingress: [{from: [{podSelector: null}]}]").problems(), "empty-peer at {podSelector: null}");
  EXPECT_EQ(Reading("  ingress: [{from: []}]").problems(), "");
}

TEST(ReadPolicy, ANullSelectorBesideAnotherIsAbsent) {
  const Reading reading("  ingress:\n  - from:\n    - namespaceSelector: {}\n      podSelector:");
  ASSERT_TRUE(reading.set) << reading.problems();
  EXPECT_FALSE(reading.network_policy().ingress.at(0).peers.at(0).pod_selector.has_value());
}

TEST(ReadPolicy, AnIpBlockStandsAlone) {
  EXPECT_EQ(Reading(peer("ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}")).problems(),
            "conflicting-peer at {cidr: 10.0.0.0/8}");
}

TEST(ReadPolicy, ABlockNeedsAValidCidr) {
  EXPECT_EQ(Reading(peer("ipBlock: {except: []}")).diagnostics.all().at(0).code, "missing-key");
  EXPECT_NE(Reading(peer("ipBlock: {cidr: 10.0.0.0}")).problems().find(" at 10.0.0.0"), std::string::npos);
  EXPECT_NE(Reading(peer("ipBlock: {cidr: 10.0.0.0/33}")).problems().find(" at 10.0.0.0/33"), std::string::npos);
}

TEST(ReadPolicy, HostBitsAreMaskedWithAWarning) {
  const Reading reading(peer("ipBlock: {cidr: 10.10.1.6/24}"));
  ASSERT_TRUE(reading.set) << reading.problems();
  EXPECT_EQ(reading.network_policy().ingress.at(0).peers.at(0).ip_block->cidr.to_string(), "10.10.1.0/24");
  EXPECT_EQ(reading.problems(), "host-bits-in-cidr at 10.10.1.6/24");
  EXPECT_EQ(reading.diagnostics.all().at(0).severity, Severity::warning);
}

TEST(ReadPolicy, SpellingsThatOnlyOldApiServersTakeAreAWarning) {
  // Leading zeros are decimal (ParseCIDRSloppy); 104 - 96 bits of an IPv4 block in IPv6 notation.
  const std::pair<std::string, std::string> kOld[] = {{"010.001.000.000/08", "10.1.0.0/8"},
                                                      {"10.0.0.0/08", "10.0.0.0/8"},
                                                      {"'::ffff:10.0.0.0/104'", "10.0.0.0/8"},
                                                      {"'fd00::/08'", "fd00::/8"}};
  for (const auto& [written, meant] : kOld) {
    const Reading reading(peer("ipBlock: {cidr: " + written + "}"));
    ASSERT_TRUE(reading.set) << written << ": " << reading.problems();
    EXPECT_EQ(reading.network_policy().ingress.at(0).peers.at(0).ip_block->cidr, *Cidr::parse(meant)) << written;
    EXPECT_EQ(reading.problems(), "legacy-cidr at " + written);
  }
  for (const char* bad : {"10.0.0.256/8", "10.0.0/8", "0x0a.0.0.0/8", "'::ffff:10.0.0.0/95'", "010.0.0.0", "010.0.0.0/",
                          "/8", "010.0.0.0/033", "'fd00::/0129'", "....../08"}) {
    EXPECT_FALSE(Reading(peer("ipBlock: {cidr: " + std::string(bad) + "}")).set) << bad;
  }
}

TEST(ReadPolicy, ExceptLiesStrictlyInside) {
  EXPECT_EQ(Reading(peer("ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}")).problems(),
            "except-outside-cidr at 11.0.0.0/16");
  EXPECT_EQ(Reading(peer("ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}")).problems(),
            "except-outside-cidr at 10.0.0.0/8");
  EXPECT_EQ(Reading(peer("ipBlock: {cidr: 10.0.0.0/8, except: [\"fd00::/64\"]}")).problems(),
            "except-outside-cidr at \"fd00::/64\"");
  EXPECT_EQ(Reading(peer("ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/9]}")).problems(), "");
}

TEST(ReadPolicy, PortsAreNumbersFrom1To65535OrServiceNames) {
  for (const char* bad : {"0", "65536", "-1", "99999999999"}) {
    EXPECT_EQ(Reading(port(std::string("port: ") + bad)).diagnostics.error_count(), 1u) << bad;
  }
  for (const char* bad : {"HTTP", "a--b", "-a", "a-", "sixteen-letters-", "1234567890", "a_b"}) {
    const Reading reading(port(std::string("port: \"") + bad + "\""));
    EXPECT_EQ(reading.problems(), std::string("bad-port-name at \"") + bad + "\"");
  }
  for (const char* good : {"http", "8080-tcp", "a", "fifteen-letters"}) {
    EXPECT_EQ(Reading(port(std::string("port: ") + good)).problems(), "") << good;
  }
}

TEST(ReadPolicy, AQuotedNumberIsANameAndTheMessageSaysSo) {
  const Reading reading(port("port: \"80\""));
  ASSERT_EQ(reading.diagnostics.all().size(), 1u);
  EXPECT_EQ(reading.diagnostics.all()[0].code, "bad-port-name");
  EXPECT_NE(reading.diagnostics.all()[0].help.find("quotes"), std::string::npos);
}

TEST(ReadPolicy, EndPortNeedsANumericPortNotAboveIt) {
  EXPECT_EQ(Reading(port("port: 80, endPort: 79")).problems(), "bad-end-port at 79");
  EXPECT_EQ(Reading(port("port: http, endPort: 90")).problems(), "bad-end-port at 90");
  EXPECT_EQ(Reading(port("endPort: 90")).problems(), "bad-end-port at 90");
  EXPECT_EQ(Reading(port("port: 80, endPort: 80")).problems(), "");
}

TEST(ReadPolicy, ProtocolsAreTcpUdpAndSctp) {
  EXPECT_EQ(Reading(port("protocol: tcp, port: 80")).problems(), "bad-value at tcp");
  EXPECT_EQ(Reading(port("protocol: ICMP")).problems(), "bad-value at ICMP");
  EXPECT_EQ(Reading(port("protocol: SCTP")).problems(), "");
}

TEST(ReadPolicy, AllProblemsAreReportedAtOnce) {
  const Reading reading(
      "  policyTypes: [Both]\n"
      "  ingress:\n"
      "  - from: [{}]\n"
      "    ports: [{port: 0}, {port: 80, endPort: 70}]\n"
      "  egres: []");
  EXPECT_EQ(reading.diagnostics.error_count(), 5u) << reading.problems();
}

TEST(ReadPolicy, EveryRulePeerAndPortKnowsItsPlace) {
  const Reading reading("  ingress:\n  - from: [{podSelector: {}}]\n    ports: [{port: 80}]");
  ASSERT_TRUE(reading.set) << reading.problems();
  const Rule& rule = reading.network_policy().ingress.at(0);
  EXPECT_TRUE(rule.span.is_known());
  EXPECT_EQ(reading.sources.locate(rule.span.source, rule.peers.at(0).span.begin).line, 7u);
  EXPECT_EQ(reading.sources.locate(rule.span.source, rule.ports.at(0).span.begin).line, 8u);
}

TEST(ReadPolicy, PoliciesAreSortedByNamespaceAndName) {
  Diagnostics diagnostics;
  SourceMap sources;
  cluster::ObjectStore store;
  const std::string text = test::network_policy("b", "y", "  podSelector: {}") +
                           test::network_policy("b", "x", "  podSelector: {}") +
                           test::network_policy("a", "z", "  podSelector: {}");
  store.add_layer(sources, {.path = "-", .shown_as = "p.yaml", .text = text, .span = {}}, {}, diagnostics);
  const PolicySet set = read_policies(store).value();
  std::vector<std::string> names;
  for (const NetworkPolicy& policy : set.network_policies) {
    names.push_back(policy.full_name());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a/z", "b/x", "b/y"}));
}

}  // namespace
}  // namespace podwire::policy
