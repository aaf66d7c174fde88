// Traced packets: each step's time by hand from the profile's numbers, waiting told from work, and losses with their
// places.
#include <gtest/gtest.h>

#include "tests/support/town.hpp"

namespace podwire::dataplane {
namespace {

using test::pod_yaml;
using test::Recorder;
using test::Town;
using test::TownOptions;

const std::string kPods = pod_yaml("a", "client", 1, "app: client") + pod_yaml("b", "server", 2, "app: server") +
                          pod_yaml("a", "neighbour", 1, "app: near");

std::string deny_ingress(const std::string& where, const std::string& label) {
  return "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: " + where +
         ", name: closed}\nspec:\n  podSelector: {matchLabels: {app: " + label + "}}\n  policyTypes: [Ingress]\n";
}

std::string deny_egress() {
  return "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: a, name: silent}\nspec:\n"
         "  podSelector: {matchLabels: {app: client}}\n  policyTypes: [Egress]\n";
}

struct Sent {
  Sent(Town& town, IpAddress to, IpProtocol protocol = IpProtocol::udp) : client(town), server(town) {
    town.transport().serve_all(protocol, server.id);
    const transport::ConnectOptions options{.source = town.pod("a", "client"),
                                            .destination = to,
                                            .port = Port(8080),
                                            .identity = {.who = 1, .which = 0},
                                            .application = client.id,
                                            .cookie = 1,
                                            .account = 0,
                                            .is_traced = true};
    if (protocol == IpProtocol::tcp) {
      town.transport().connect(options);
    } else {
      town.transport().send_datagram(town.transport().open_udp(options), 32, 7);
    }
    town.run_for(Duration::from_ms(900));
  }
  Recorder client;
  Recorder server;
};

struct Row {
  std::string step;
  std::int64_t ns;
  std::int64_t first_ns;
  bool operator==(const Row&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Row& row) {
    return out << row.step << " " << row.ns << " (" << row.first_ns << ")";
  }
};

std::vector<Row> rows(const TracedPacket& packet) {
  std::vector<Row> out;
  for (const TraceStep& step : packet.steps) {
    out.push_back({std::string(to_string(step.step)), step.took().ns(), step.first.ns()});
  }
  return out;
}

TEST(Trace, StepsBetweenNodesTakeWhatCalicoVxlanSays) {
  // calico-vxlan.yaml: node-cpu 4.88 µs, conntrack 0.1 (+1.5 the first), policies 0.15 (+1.8), encapsulate 2.02,
  // decapsulate 2.03, deliver 1.64, nic-tx 2 µs; no policy, so no rule to walk. No Service is dialled, and its chain
  // holds no rule. A datagram of 32 bytes is 60, on the wire 60 + 38 + 50 = 148: 118.4 ns at 10 Gbit/s. Each line adds
  // 0.5 µs, the switch itself nothing here.
  TownOptions options;
  options.profile = "calico-vxlan";
  Town town(kPods, options);
  Sent sent(town, town.ip("b", "server"));
  ASSERT_EQ(town.network().trace().size(), 1u);
  const TracedPacket& packet = town.network().trace().front();
  const std::vector<Row> expected{{"node-cpu", 4'880, 0},
                                  {"conntrack", 1'600, 1'500},
                                  {"egress-policy", 1'950, 1'800},
                                  {"encapsulate", 2'020, 0},
                                  {"nic-tx", 118 + 500 + 2'000, 0},
                                  {"switch", 118 + 500, 0},
                                  {"decapsulate", 2'030, 0},
                                  {"node-cpu", 4'880, 0},
                                  {"conntrack", 1'600, 1'500},
                                  {"ingress-policy", 1'950, 1'800},
                                  {"deliver", 1'640, 0}};
  EXPECT_EQ(rows(packet), expected);
  EXPECT_EQ(packet.end(), sent.server.entries.at(0).at);
}

TEST(Trace, NeighboursPayBothEndsInOneVisit) {
  // As above without the wire: node-cpu twice, one conntrack entry, both policies.
  TownOptions options;
  options.profile = "calico-vxlan";
  Town town(kPods, options);
  Sent sent(town, town.ip("a", "neighbour"));
  const std::vector<Row> expected{{"node-cpu", 9'760, 0},
                                  {"conntrack", 1'600, 1'500},
                                  {"egress-policy", 1'950, 1'800},
                                  {"ingress-policy", 1'950, 1'800},
                                  {"deliver", 1'640, 0}};
  EXPECT_EQ(rows(town.network().trace().at(0)), expected);
  EXPECT_EQ(town.network().trace()[0].end(), sent.server.entries.at(0).at);
}

TEST(Trace, DenialAtTheSenderEndsAtItsEgressPolicy) {
  TownOptions options;
  options.profile = "calico-vxlan";
  Town town(kPods + deny_egress(), options);
  Sent sent(town, town.ip("b", "server"));
  const TracedPacket& packet = town.network().trace().at(0);
  // The policy has no rule to walk.
  EXPECT_EQ(rows(packet),
            (std::vector<Row>{{"node-cpu", 4'880, 0}, {"conntrack", 1'600, 1'500}, {"egress-policy", 1'950, 1'800}}));
  ASSERT_TRUE(packet.is_lost);
  const DropText text = town.network().describe(packet.loss);
  EXPECT_EQ(text.reason, "policy-denied");
  EXPECT_EQ(text.where, "egress-policy on node-1");
  EXPECT_EQ(text.rule, "default deny egress (a/silent)");
  EXPECT_TRUE(text.span.is_known());
}

TEST(Trace, DenialAtTheReceiverEndsAtItsIngressPolicy) {
  TownOptions options;
  options.profile = "calico-vxlan";
  Town town(kPods + deny_ingress("b", "server"), options);
  Sent sent(town, town.ip("b", "server"));
  const TracedPacket& packet = town.network().trace().at(0);
  ASSERT_TRUE(packet.is_lost);
  const std::vector<Row> all = rows(packet);
  EXPECT_EQ(std::vector<Row>(all.end() - 4, all.end()), (std::vector<Row>{{"decapsulate", 2'030, 0},
                                                                          {"node-cpu", 4'880, 0},
                                                                          {"conntrack", 1'600, 1'500},
                                                                          {"ingress-policy", 1'950, 1'800}}));
  EXPECT_EQ(town.network().describe(packet.loss).rule, "default deny ingress (b/closed)");
}

TEST(Trace, RejectionsAnswerIsPartOfTheRecord) {
  TownOptions options;
  options.profile = "spec";
  options.adjust = [](cni::Profile& profile) { profile.policy.deny_action = cni::DenyAction::reject; };
  Town town(kPods + deny_ingress("b", "server"), options);
  Sent sent(town, town.ip("b", "server"), IpProtocol::tcp);
  ASSERT_GE(town.network().trace().size(), 2u);
  const TracedPacket& syn = town.network().trace()[0];
  const TracedPacket& icmp = town.network().trace()[1];
  EXPECT_TRUE(syn.is_lost);
  EXPECT_TRUE(icmp.is_answer);
  EXPECT_EQ(icmp.kind, PacketKind::icmp_port_unreachable);
  EXPECT_EQ(icmp.to, town.pod("a", "client"));
  EXPECT_TRUE(icmp.is_delivered(town.simulator().now()));
  EXPECT_EQ(icmp.end(), sent.client.first(transport::EventKind::failed)->at);
  EXPECT_EQ(icmp.steps.front().step, cni::Step::node_cpu);
}

TEST(Trace, SecondDatagramWaitsForTheCoreAndSaysSo) {
  // Both leave at once on one core: the second begins when the first visit is over. Its own is that of a known flow.
  TownOptions options;
  options.profile = "spec";
  Town town(kPods, options);
  Recorder client(town);
  const auto socket = town.transport().open_udp({.source = town.pod("a", "client"),
                                                 .destination = town.ip("b", "server"),
                                                 .port = Port(8080),
                                                 .identity = {},
                                                 .application = client.id,
                                                 .cookie = 0,
                                                 .account = 0,
                                                 .is_traced = true});
  town.transport().send_datagram(socket, 32, 1);
  town.transport().send_datagram(socket, 32, 2);
  town.run_for(1_ms);
  ASSERT_EQ(town.network().trace().size(), 2u);
  const TracedPacket& second = town.network().trace()[1];
  // spec: node-cpu 2.88, conntrack 0.1 and 1.5 for the first packet's entry.
  EXPECT_EQ(second.steps.front().wait.ns(), 2'880 + 100 + 1'500);
  for (const TraceStep& step : second.steps) {
    if (step.place.kind == Place::Kind::port || step.place.index == 0) {
      EXPECT_EQ(step.first, Duration::zero());
    }
  }
}

TEST(Trace, TracingChangesNothing) {
  TownOptions options;
  options.profile = "calico-vxlan";
  Town traced(kPods, options);
  Sent(traced, traced.ip("b", "server"), IpProtocol::tcp);
  Town plain(kPods, options);
  Recorder client(plain);
  Recorder server(plain);
  plain.transport().serve_all(IpProtocol::tcp, server.id);
  plain.transport().connect({.source = plain.pod("a", "client"),
                             .destination = plain.ip("b", "server"),
                             .port = Port(8080),
                             .identity = {.who = 1, .which = 0},
                             .application = client.id,
                             .cookie = 1,
                             .account = 0,
                             .is_traced = false});
  plain.run_for(Duration::from_ms(900));
  EXPECT_EQ(traced.simulator().fingerprint().value(), plain.simulator().fingerprint().value());
  EXPECT_TRUE(plain.network().trace().empty());
}

}  // namespace
}  // namespace podwire::dataplane
