// The admin and baseline tiers' objects as their CRDs validate them: each mistake is found, with its code and place.
#include <gtest/gtest.h>

#include <string>

#include "models/policy/policy.hpp"
#include "tests/support/policy_lab.hpp"
#include "tests/support/policy_reading.hpp"

namespace podwire::policy {
namespace {

using Reading = test::PolicyReading;

std::string document(const std::string& kind, const std::string& version, const std::string& name,
                     const std::string& spec) {
  return "---\napiVersion: policy.networking.k8s.io/" + version + "\nkind: " + kind + "\nmetadata: {name: " + name +
         "}\nspec: {" + spec + "}\n";
}
std::string anp(const std::string& members, const std::string& subject = "namespaces: {}",
                const std::string& priority = "10") {
  return document("AdminNetworkPolicy", "v1alpha1", "p",
                  "priority: " + priority + ", subject: {" + subject + "}, " + members);
}
std::string banp(const std::string& members, const std::string& name = "default") {
  return document("BaselineAdminNetworkPolicy", "v1alpha1", name, "subject: {namespaces: {}}, " + members);
}
std::string cnp(const std::string& members, const std::string& name = "p", const std::string& tier = "Admin") {
  return document("ClusterNetworkPolicy", "v1alpha2", name,
                  "tier: " + tier + ", priority: 10, subject: {namespaces: {}}, " + members);
}
std::string egress(const std::string& peer, const std::string& rest = "") {
  return "egress: [{action: Deny, to: [{" + peer + "}]" + rest + "}]";
}

TEST(ReadAdmin, ReadsEveryFormOfPeerAndPort) {
  const Reading reading(anp(
      "egress: [{name: all, action: Pass, to: [{namespaces: {}}, {pods: {namespaceSelector: {}, podSelector: "
      "{matchLabels: {app: a}}}}, {nodes: {}}, {networks: [10.0.0.0/8, 'fd00::/8']}], ports: [{portNumber: {protocol: "
      "UDP, port: 53}}, {portRange: {start: 1, end: 9}}]}, {action: Allow, to: [{domainNames: "
      "['*.Example.org.']}]}], ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{namedPort: http}]}]"));
  ASSERT_TRUE(reading.set) << reading.problems();
  const AdminPolicy& policy = reading.admin_policy();
  EXPECT_EQ(policy.priority, 10);
  EXPECT_EQ(policy.tier, Tier::admin);
  EXPECT_EQ(policy.full_name(), "adminnetworkpolicy/p");
  const AdminRule& rule = policy.egress.at(0);
  EXPECT_EQ(rule.name, "all");
  EXPECT_EQ(rule.action, RuleAction::pass);
  ASSERT_EQ(rule.peers.size(), 4u);
  EXPECT_EQ(rule.peers[1].kind, AdminPeer::Kind::pods);
  EXPECT_EQ(rule.peers[2].kind, AdminPeer::Kind::nodes);
  EXPECT_EQ(rule.peers[3].networks.at(1).to_string(), "fd00::/8");
  EXPECT_EQ(rule.ports.at(0).protocol, IpProtocol::udp);
  EXPECT_EQ(rule.ports.at(1).protocol, IpProtocol::tcp);  // the default
  EXPECT_EQ(rule.ports.at(1).last, Port(9));
  EXPECT_EQ(policy.egress.at(1).peers.at(0).domain_names.at(0), "*.example.org");
  EXPECT_TRUE(policy.ingress.at(0).ports.at(0).has_any_protocol);
}

TEST(ReadAdmin, ReadsTheProtocolsOfAClusterNetworkPolicy) {
  const Reading reading(
      cnp("ingress: [{action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}, "
          "{sctp: {destinationPort: {range: {start: 5, end: 6}}}}, {destinationNamedPort: dns}]}]",
          "p", "Baseline"));
  ASSERT_TRUE(reading.set) << reading.problems();
  EXPECT_EQ(reading.admin_policy().tier, Tier::baseline);
  const std::vector<PortRule>& ports = reading.admin_policy().ingress.at(0).ports;
  EXPECT_EQ(ports.at(0).first, Port(80));
  EXPECT_EQ(ports.at(1).protocol, IpProtocol::sctp);
  EXPECT_EQ(ports.at(1).last, Port(6));
  EXPECT_EQ(ports.at(2).name, "dns");
}

TEST(ReadAdmin, PrioritiesAreFromZeroToAThousand) {
  EXPECT_EQ(Reading(anp("", "namespaces: {}", "1001")).problems(), "out-of-range at 1001");
  EXPECT_EQ(Reading(anp("", "namespaces: {}", "-1")).problems(), "out-of-range at -1");
  EXPECT_EQ(Reading(anp("", "namespaces: {}", "1000")).problems(), "");
  EXPECT_EQ(Reading(document("AdminNetworkPolicy", "v1alpha1", "p", "subject: {namespaces: {}}")).problems(),
            "missing-key at {subject: {namespaces: {}}}");
  EXPECT_EQ(Reading(banp("priority: 1")).problems(), "unknown-key at priority");
}

TEST(ReadAdmin, ASubjectIsExactlyOneOfNamespacesAndPods) {
  EXPECT_EQ(Reading(anp("", "")).problems(), "bad-subject at {}");
  EXPECT_EQ(Reading(anp("", "namespaces: {}, pods: {namespaceSelector: {}, podSelector: {}}")).problems(),
            "bad-subject at {namespaces: {}, pods: {namespaceSelector: {}, podSelector: {}}}");
  EXPECT_EQ(Reading(anp("", "pods: {podSelector: {}}")).problems(), "missing-selector at {podSelector: {}}");
}

TEST(ReadAdmin, TheBaselineIsOneAndHasNoPass) {
  EXPECT_EQ(Reading(banp("", "other")).problems(), "bad-name at other");
  EXPECT_EQ(Reading(banp("egress: [{action: Pass, to: [{namespaces: {}}]}]")).problems(), "bad-value at Pass");
  EXPECT_EQ(Reading(banp(egress("domainNames: [a.org]"))).problems(),
            "unknown-key at domainNames; empty-peer at {domainNames: [a.org]}");
}

TEST(ReadAdmin, EachKindHasItsOwnWordForAllow) {
  EXPECT_EQ(Reading(anp("ingress: [{action: Accept, from: [{namespaces: {}}]}]")).problems(), "bad-value at Accept");
  EXPECT_EQ(Reading(cnp("ingress: [{action: Allow, from: [{namespaces: {}}]}]")).problems(), "bad-value at Allow");
  EXPECT_EQ(Reading(cnp("", "p", "Middle")).problems(), "bad-value at Middle");
}

TEST(ReadAdmin, ListsMayNotBeEmptyOrTooLong) {
  EXPECT_EQ(Reading(anp("ingress: [{action: Deny, from: []}]")).problems(), "empty-list at []");
  EXPECT_EQ(Reading(anp("ingress: [{action: Deny}]")).problems(), "missing-key at {action: Deny}");
  EXPECT_EQ(Reading(anp(egress("namespaces: {}", ", ports: []"))).problems(), "empty-list at []");
  EXPECT_EQ(Reading(cnp(egress("namespaces: {}", ", protocols: []"))).problems(), "empty-list at []");
  EXPECT_EQ(Reading(anp(egress("networks: []"))).problems(), "empty-list at []");
  const auto rules = [](std::size_t count) {
    std::string text = "ingress: [";
    for (std::size_t i = 0; i < count; ++i) {
      text += "{action: Deny, from: [{namespaces: {}}]}, ";
    }
    return text + "]";
  };
  EXPECT_TRUE(Reading(anp(rules(100))).set);
  EXPECT_EQ(Reading(anp(rules(101))).diagnostics.all().at(0).code, "too-many-rules");
  EXPECT_TRUE(Reading(cnp(rules(25))).set);
  EXPECT_EQ(Reading(cnp(rules(26))).diagnostics.all().at(0).code, "too-many-rules");
}

TEST(ReadAdmin, ItemsOfASetAreDifferentTexts) {
  EXPECT_EQ(Reading(anp(egress("networks: [10.0.0.0/8, 10.0.0.0/8]"))).problems(), "duplicate-item at 10.0.0.0/8");
  // One block written in two ways is two items to the API server.
  EXPECT_TRUE(Reading(anp(egress("networks: [10.0.0.0/8, 10.0.0.1/8]"))).set);
  EXPECT_EQ(Reading(anp("egress: [{action: Allow, to: [{domainNames: [a.org, b.org, a.org]}]}]")).problems(),
            "duplicate-item at a.org");
  EXPECT_TRUE(Reading(anp("egress: [{action: Allow, to: [{domainNames: [a.org, A.org]}]}]")).set);
}

TEST(ReadAdmin, ARulesNameHasAtMostAHundredCharacters) {
  const auto named = [](std::size_t count) {
    std::string name;
    for (std::size_t i = 0; i < count; ++i) {
      name += "\u00e9";  // two bytes
    }
    return anp("ingress: [{name: " + name + ", action: Deny, from: [{namespaces: {}}]}]");
  };
  EXPECT_TRUE(Reading(named(100)).set);
  EXPECT_EQ(Reading(named(101)).diagnostics.all().at(0).code, "bad-name");
}

TEST(ReadAdmin, APeerHasExactlyOneField) {
  EXPECT_EQ(Reading(anp(egress(""))).problems(), "empty-peer at {}");
  EXPECT_EQ(Reading(cnp(egress(""))).problems(), "empty-peer at {}");
  EXPECT_EQ(Reading(anp(egress("namespaces: {}, nodes: {}"))).problems(),
            "conflicting-peer at {namespaces: {}, nodes: {}}");
  EXPECT_EQ(Reading(anp("ingress: [{action: Deny, from: [{networks: [10.0.0.0/8]}]}]")).problems(),
            "unknown-key at networks; empty-peer at {networks: [10.0.0.0/8]}");
}

TEST(ReadAdmin, AClusterNetworkPolicysPeerOfALaterVersionFailsClosedWithAWarning) {
  const Reading reading(cnp(egress("serviceAccounts: {}")));
  EXPECT_EQ(reading.problems(), "unknown-peer at {serviceAccounts: {}}");
  ASSERT_TRUE(reading.set);
  EXPECT_EQ(reading.admin_policy().egress.at(0).peers.at(0).kind, AdminPeer::Kind::unknown);
}

TEST(ReadAdmin, PortsAreExactlyOneFormAndNeverEmptyRanges) {
  const auto ports = [](const std::string& items) { return anp(egress("namespaces: {}", ", ports: [" + items + "]")); };
  const auto protocols = [](const std::string& items) {
    return cnp(egress("namespaces: {}", ", protocols: [" + items + "]"));
  };
  EXPECT_EQ(Reading(ports("{}")).problems(), "bad-port at {}");
  EXPECT_EQ(Reading(ports("{portNumber: {port: 1}, namedPort: a}")).problems(),
            "bad-port at {portNumber: {port: 1}, namedPort: a}");
  EXPECT_EQ(Reading(ports("{portNumber: {port: 0}}")).problems(), "out-of-range at 0");
  EXPECT_EQ(Reading(ports("{portRange: {start: 9, end: 8}}")).problems(), "bad-port-range at {start: 9, end: 8}");
  EXPECT_EQ(Reading(ports("{portRange: {start: 9, end: 9}}")).problems(), "");
  EXPECT_EQ(Reading(protocols("{tcp: {destinationPort: {range: {start: 9, end: 9}}}}")).problems(),
            "bad-port-range at {start: 9, end: 9}");
  EXPECT_EQ(Reading(protocols("{tcp: {}}")).problems(), "bad-port at {}");
  EXPECT_EQ(Reading(protocols("{tcp: {destinationPort: {}}}")).problems(), "bad-port at {}");
  EXPECT_EQ(Reading(protocols("{icmp: {}}")).problems(), "unknown-key at icmp; bad-port at {icmp: {}}");
}

TEST(ReadAdmin, NamedPortsNeedPods) {
  for (const char* peer : {"networks: [10.0.0.0/8]", "nodes: {}"}) {
    EXPECT_EQ(Reading(anp(egress(peer, ", ports: [{namedPort: http}]"))).problems(),
              "named-port-without-pods at {namedPort: http}");
  }
  EXPECT_EQ(Reading(cnp("egress: [{action: Accept, to: [{domainNames: [a.org]}], protocols: [{destinationNamedPort: "
                        "http}]}]"))
                .problems(),
            "named-port-without-pods at {destinationNamedPort: http}");
}

TEST(ReadAdmin, DomainNamesAreForAllowAndWellFormed) {
  EXPECT_EQ(Reading(cnp(egress("domainNames: [a.org]"))).problems(), "domain-names-not-allowed at [a.org]");
  for (const char* name : {"org", "'*.*.org'", "'*'", "a..org", "'-a.org'", "'a.*.org'"}) {
    const Reading reading(cnp("egress: [{action: Accept, to: [{domainNames: [" + std::string(name) + "]}]}]"));
    ASSERT_EQ(reading.diagnostics.all().size(), 1u) << name;
    EXPECT_EQ(reading.diagnostics.all().at(0).code, "bad-domain-name") << name;
  }
}

TEST(ReadAdmin, EqualPrioritiesOfATierAreAWarningAtTheLater) {
  const Reading reading(cnp("", "a") + cnp("", "b") + cnp("", "c", "Baseline"));
  ASSERT_TRUE(reading.set);
  EXPECT_EQ(reading.problems(), "equal-priority at 10");
  EXPECT_EQ(reading.diagnostics.all().at(0).object, "clusternetworkpolicy/b");
}

TEST(ReadAdmin, AnotherVersionIsRefused) {
  EXPECT_EQ(
      Reading(document("AdminNetworkPolicy", "v1alpha2", "p", "priority: 1, subject: {namespaces: {}}")).problems(),
      "unsupported-api-version at policy.networking.k8s.io/v1alpha2");
}

TEST(DomainNames, AWildcardIsOneLabelOrMoreAndNeverTheApex) {
  EXPECT_TRUE(domain_matches("kubernetes.io", "kubernetes.io"));
  EXPECT_TRUE(domain_matches("kubernetes.io", "Kubernetes.IO."));
  EXPECT_FALSE(domain_matches("kubernetes.io", "www.kubernetes.io"));
  EXPECT_TRUE(domain_matches("*.kubernetes.io", "www.kubernetes.io"));
  EXPECT_TRUE(domain_matches("*.kubernetes.io", "latest.blog.kubernetes.io"));
  EXPECT_FALSE(domain_matches("*.kubernetes.io", "kubernetes.io"));
  EXPECT_FALSE(domain_matches("*.kubernetes.io", "my-kubernetes.io"));
  EXPECT_FALSE(domain_matches("*.kubernetes.io", ".kubernetes.io"));
}

}  // namespace
}  // namespace podwire::policy
