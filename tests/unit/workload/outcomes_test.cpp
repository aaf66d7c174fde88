// Each outcome from a situation made for it. A loop of 20 requests a second at even distances is played for one second
// after half a second of warm-up: 20 are counted, all alike, so each test expects one outcome 20 times and no other.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/stage.hpp"
#include "tests/support/town.hpp"

namespace podwire::workload {
namespace {

using namespace test;

constexpr std::uint64_t kRequests = 20;
const IpAddress kOutside = IpAddress::v4(203, 0, 113, 7);

std::string service(const std::string& name, const std::string& rest) {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: b, name: " + name + "}\nspec: {" + rest + "}\n";
}

const std::string kManifests =
    pod_yaml("a", "client", 1, "app: client") + pod_yaml("b", "server", 2, "app: server") +
    "---\napiVersion: v1\nkind: Pod\nmetadata: {namespace: b, name: done, labels: {app: done}}\n"
    "spec:\n  nodeName: node-2\n  containers:\n  - {name: main, ports: [{containerPort: 8080}]}\n"
    "status: {phase: Succeeded}\n" +
    service("web", "selector: {app: server}, ports: [{name: t, port: 80, targetPort: 8080}]") +
    service("peers", "selector: {app: server}, clusterIP: None, ports: [{port: 8080}]") +
    service("nobody", "selector: {app: nobody}, ports: [{port: 80}]");

const std::string kDenyIngress =
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: b, name: closed}\n"
    "spec: {podSelector: {}, policyTypes: [Ingress]}\n";
const std::string kDenyEgress =
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: a, name: closed}\n"
    "spec: {podSelector: {}, policyTypes: [Egress]}\n";

struct OutcomesTest : testing::TestWithParam<const char*> {
  Stage stage{kManifests, {.profile = GetParam()}};
  Source client = from_pods({stage.pod("a", "client")});
  IpAddress server = stage.ip("b", "server");

  WorkloadResult play(const WorkloadSpec& spec) {
    RunInput input;
    input.warmup = 500_ms;
    played = stage.play_rows({spec}, input);
    EXPECT_EQ(played.rows.size(), kRequests) << "a row for each counted request";
    return played.result.workloads.at(0);
  }
  void expect(Outcome outcome, const WorkloadSpec& spec) {
    const WorkloadResult result = play(spec);
    EXPECT_EQ(result.requests, kRequests);
    for (std::size_t o = 0; o < kOutcomeCount; ++o) {
      EXPECT_EQ(result.outcomes[o], o == static_cast<std::size_t>(outcome) ? kRequests : 0u) << kOutcomeNames[o];
    }
    for (const RequestRow& row : played.rows) {
      EXPECT_EQ(row.how(), outcome);
    }
    EXPECT_EQ(played.result.packets.sent,
              played.result.packets.delivered + played.result.packets.dropped + played.result.packets.in_flight);
  }
  std::uint64_t drops(const std::string& reason) const {
    std::uint64_t packets = 0;
    for (const DropRow& row : played.result.drops) {
      packets += row.reason == reason ? row.packets : 0;
    }
    return packets;
  }
  Played played;
};

TEST_P(OutcomesTest, ARequestToAListeningPodIsOk) {
  expect(Outcome::ok, loop(client, at_address(server, 8080)));
  const WorkloadResult& result = played.result.workloads[0];
  EXPECT_EQ(result.dns.count(), 0u) << "nothing was resolved";
  EXPECT_EQ(result.connect.count(), kRequests);
  EXPECT_EQ(result.total.count(), kRequests);
  for (const RequestRow& row : played.rows) {
    EXPECT_EQ(row.resolved, -1);
    EXPECT_EQ(row.dialled, row.arrived);
    EXPECT_LT(row.dialled, row.established);
    EXPECT_LT(row.established, row.ended);
    EXPECT_EQ(row.client, stage.pod("a", "client").value());
    EXPECT_EQ(row.server, stage.pod("b", "server").value());
  }
}

TEST_P(OutcomesTest, ARequestByNameResolvesFirst) {
  expect(Outcome::ok, loop(client, at_host("web.b", 80)));
  EXPECT_EQ(played.result.workloads[0].dns.count(), kRequests);
  for (const RequestRow& row : played.rows) {
    EXPECT_LT(row.arrived, row.resolved);
    EXPECT_EQ(row.resolved, row.dialled);
    EXPECT_EQ(row.server, stage.pod("b", "server").value()) << "as translated";
  }
}

TEST_P(OutcomesTest, AHeadlessServiceIsReachedAtAPodsOwnAddress) {
  expect(Outcome::ok, loop(client, at_service(stage.service("b", "peers"), 8080)));
  expect(Outcome::ok, loop(client, at_host("peers.b", 8080)));
}

TEST_P(OutcomesTest, AClientOutsideReachesABackendOfTheServiceAndPaysTheEdge) {
  expect(Outcome::ok, loop(from_outside(kOutside), at_service(stage.service("b", "web"), 80)));
  for (const RequestRow& row : played.rows) {
    EXPECT_EQ(row.client, -1);
    EXPECT_GT(row.established - row.dialled, 10'000'000) << "twice 5 ms of edge delay";
  }
}

TEST_P(OutcomesTest, ANameThatDoesNotExistIsNxdomain) {
  expect(Outcome::dns_nxdomain, loop(client, at_host("missing.b.svc.cluster.local.", 80)));
  expect(Outcome::dns_nxdomain, loop(client, at_host("missing.b", 80), RequestKind::dns_probe));
}

TEST_P(OutcomesTest, ANameWithoutAddressIsNodata) {
  expect(Outcome::dns_nodata, loop(client, at_host("b.svc.cluster.local.", 80)));
}

TEST_P(OutcomesTest, ADnsProbeEndsWithTheAnswer) {
  expect(Outcome::ok, loop(client, at_host("web.b", 0), RequestKind::dns_probe));
  for (const RequestRow& row : played.rows) {
    EXPECT_EQ(row.resolved, row.ended);
    EXPECT_EQ(row.dialled, -1);
  }
}

TEST_P(OutcomesTest, DeniedEgressEndsInTheResolverAtTheDeadline) {
  stage.policies = stage.read_policies(kDenyEgress);
  expect(Outcome::dns_timeout, loop(client, at_host("web.b", 80)));
  for (const RequestRow& row : played.rows) {
    EXPECT_EQ(row.ended - row.arrived, 500'000'000) << "the deadline";
    EXPECT_EQ(row.dialled, -1);
  }
  EXPECT_GT(drops("policy-denied"), 0u);
}

TEST_P(OutcomesTest, ResolverAttemptsThatRunOutAreADnsTimeoutToo) {
  // One candidate (a trailing dot): two attempts of 5 s at one server, long before the deadline of a minute.
  stage.policies = stage.read_policies(kDenyEgress);
  WorkloadSpec spec = loop(client, at_host("web.b.svc.cluster.local.", 80));
  spec.timeout = 60_s;
  expect(Outcome::dns_timeout, spec);
  for (const RequestRow& row : played.rows) {
    EXPECT_EQ(row.ended - row.arrived, 10'000'000'000);
  }
}

TEST_P(OutcomesTest, AClosedPortRefuses) {
  expect(Outcome::refused, loop(client, at_address(server, 81)));
  ASSERT_EQ(played.result.notes.size(), 1u);
  EXPECT_NE(played.result.notes[0].find("no manifest says that anything listens on TCP 81"), std::string::npos)
      << played.result.notes[0];
  expect(Outcome::refused, loop(client, at_address(server, 81), RequestKind::tcp_probe));
  expect(Outcome::refused, loop(client, at_address(server, 81, IpProtocol::udp), RequestKind::udp_probe));
  EXPECT_EQ(played.rows[0].server, stage.pod("b", "server").value());
}

TEST_P(OutcomesTest, AServiceWithoutEndpointsRefuses) {
  expect(Outcome::refused, loop(client, at_service(stage.service("b", "nobody"), 80)));
  EXPECT_TRUE(played.result.notes.empty()) << "nothing is assumed about listeners here";
}

TEST_P(OutcomesTest, WithoutRunningPodsThereIsNobodyToAsk) {
  expect(Outcome::unreachable, loop(client, at_pods({stage.pod("b", "done")}, 8080)));
  expect(Outcome::unreachable, loop(from_pods({stage.pod("b", "done")}), at_address(server, 8080)));
  EXPECT_EQ(played.result.notes.size(), 1u);
  EXPECT_EQ(played.result.packets.sent, 0u);
}

TEST_P(OutcomesTest, ADroppedSynIsAConnectTimeout) {
  stage.policies = stage.read_policies(kDenyIngress);
  expect(Outcome::connect_timeout, loop(client, at_address(server, 8080)));
  for (const RequestRow& row : played.rows) {
    EXPECT_EQ(row.ended - row.dialled, 500'000'000);
    EXPECT_EQ(row.established, -1);
  }
  // The first SYN alone: the next would leave after a second. 10 more came in the warm-up, as many in the drain.
  EXPECT_GE(drops("policy-denied"), 30u);
  expect(Outcome::connect_timeout, loop(client, at_address(server, 8080), RequestKind::tcp_probe));
}

TEST_P(OutcomesTest, ASlowServerIsAResponseTimeout) {
  WorkloadSpec spec = loop(client, at_address(server, 8080));
  spec.server.mean = 600_ms;
  expect(Outcome::response_timeout, spec);
  for (const RequestRow& row : played.rows) {
    EXPECT_EQ(row.ended - row.arrived, 500'000'000);
    EXPECT_NE(row.established, -1);
  }
  spec.kind = RequestKind::udp_probe;
  spec.to.protocol = IpProtocol::udp;
  expect(Outcome::response_timeout, spec);
}

TEST_P(OutcomesTest, ATcpProbeEndsAtTheHandshake) {
  expect(Outcome::ok, loop(client, at_address(server, 8080), RequestKind::tcp_probe));
  for (const RequestRow& row : played.rows) {
    EXPECT_EQ(row.established, row.ended);
  }
}

TEST_P(OutcomesTest, AUdpProbeEndsWithItsAnswer) {
  WorkloadSpec spec = loop(client, at_address(server, 8080, IpProtocol::udp), RequestKind::udp_probe);
  spec.server.mean = 3_ms;
  expect(Outcome::ok, spec);
  EXPECT_EQ(played.result.workloads[0].connect.count(), 0u);
  for (const RequestRow& row : played.rows) {
    EXPECT_EQ(row.established, -1);
    EXPECT_GT(row.ended - row.dialled, 3'000'000);
    EXPECT_LT(row.ended - row.dialled, 4'000'000);
  }
}

TEST_P(OutcomesTest, MessagesOfNoBytesStillTakeTheirTurn) {
  WorkloadSpec spec = loop(client, at_address(server, 8080));
  spec.request = Bytes(0);
  spec.response = Bytes(0);
  expect(Outcome::ok, spec);
}

TEST_P(OutcomesTest, AnInterruptedRunCountsWhatIsUnderWayAsUnfinished) {
  RunControl control;
  control.stop = true;
  WorkloadSpec spec = loop(client, at_address(server, 8080));
  spec.arrivals.per_second = 1'000.0;
  spec.server.mean = 400_ms;
  RunInput input;
  input.control = &control;
  input.duration = 1'000_s;
  const RunResult result = stage.play({spec}, input);
  EXPECT_TRUE(result.is_interrupted);
  EXPECT_LT(result.simulated, 1'000_s);
  const WorkloadResult& loop_result = result.workloads[0];
  EXPECT_EQ(loop_result.requests, loop_result.count(Outcome::ok) + loop_result.count(Outcome::unfinished));
  EXPECT_LE(loop_result.count(Outcome::unfinished), 402u) << "those of the last 400 ms";
}

TEST_P(OutcomesTest, OnlyArrivalsOfTheWindowAreCountedAndTheyAreDrained) {
  WorkloadSpec spec = loop(client, at_address(server, 8080));
  spec.server.mean = 300_ms;  // the last ones end after the window
  const WorkloadResult result = play(spec);
  EXPECT_EQ(result.count(Outcome::ok), kRequests);
  EXPECT_EQ(played.rows.front().ordinal, 10) << "10 of 20 a second came in half a second of warm-up";
  for (const RequestRow& row : played.rows) {
    EXPECT_GE(row.arrived, 500'000'000);
    EXPECT_LT(row.arrived, 1'500'000'000);
  }
  EXPECT_EQ(played.result.simulated.ns(), played.rows.back().ended) << "the run ends with the last counted request";
  EXPECT_GT(played.result.simulated, 1'700_ms);
}

TEST_P(OutcomesTest, ARunOfASlowLoopEndsWithItsWindow) {
  WorkloadSpec spec = loop(client, at_address(server, 8080));
  spec.arrivals = {.kind = Arrivals::Kind::constant, .per_second = 1e-3};
  RunInput input;
  input.warmup = 500_ms;
  const RunResult result = stage.play({spec}, input);
  EXPECT_EQ(result.workloads[0].requests, 0u);
  EXPECT_EQ(result.simulated, 1'500_ms);
}

TEST_P(OutcomesTest, HistogramsHoldWhatTheRowsSay) {
  play(loop(client, at_host("web.b", 80)));
  const WorkloadResult& result = played.result.workloads[0];
  std::int64_t most = 0;
  for (const RequestRow& row : played.rows) {
    most = std::max(most, row.ended - row.arrived);
  }
  ASSERT_TRUE(result.total.max().has_value());
  EXPECT_EQ(*result.total.max() / 1000, most) << "picoseconds there, nanoseconds here";
}

INSTANTIATE_TEST_SUITE_P(Profiles, OutcomesTest, testing::Values("spec", "calico-vxlan"), [](const auto& instance) {
  return std::string(instance.index == 0 ? "Spec" : "CalicoVxlan");
});

TEST(Outcomes, ARejectingPolicyRefusesAtOnce) {
  Stage stage(kManifests, {.adjust = [](cni::Profile& p) { p.policy.deny_action = cni::DenyAction::reject; }});
  stage.policies = stage.read_policies(kDenyIngress);
  const Played played =
      stage.play_rows({loop(from_pods({stage.pod("a", "client")}), at_address(stage.ip("b", "server"), 8080))});
  EXPECT_EQ(played.result.workloads[0].count(Outcome::refused), kRequests);
  for (const RequestRow& row : played.rows) {
    EXPECT_LT(row.ended - row.arrived, 10'000'000);
  }
}

TEST(Outcomes, ForwardsThatCoreDnsCannotSendAreServfail) {
  // CoreDNS gives a query up 6 s after it began to ask the servers outside, whom policy keeps it from; glibc's second
  // attempt, at 5 s, hears the same.
  Stage stage(kManifests);
  stage.policies = stage.read_policies(
      "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: kube-system, name: closed}\n"
      "spec: {podSelector: {}, policyTypes: [Egress]}\n");
  WorkloadSpec spec = loop(from_pods({stage.pod("a", "client")}), at_host("api.example.com.", 443));
  spec.timeout = 20_s;
  RunInput input;
  input.externals = {{"api.example.com", {kOutside}}};
  const RunResult result = stage.play({spec}, input);
  EXPECT_EQ(result.workloads.at(0).count(Outcome::dns_servfail), kRequests);
}

TEST(Outcomes, AServerThatGaveTheHandshakeUpResets) {
  // Each of the two links of a way loses 60 % of all packets, so that a packet arrives in 16 of 100 cases. A client
  // that has heard a SYN-ACK sends its request about 9 times within the minute in which the server still waits for an
  // ACK (0.2 s doubled: 0.2 … 51 s); all are lost in about 0.84^9 = 21 % of the cases. The next to arrive meets no
  // socket.
  Stage stage(kManifests);
  WorkloadSpec spec = loop(from_pods({stage.pod("a", "client")}), at_address(stage.ip("b", "server"), 8080));
  spec.timeout = Duration::from_s(1200);
  RunInput input;
  input.duration = 10_s;
  input.underlay.loss = 0.6;
  const RunResult result = stage.play({spec}, input);
  const WorkloadResult& loops = result.workloads.at(0);
  EXPECT_EQ(loops.requests, 200u);
  EXPECT_GE(loops.count(Outcome::reset), 5u);
  EXPECT_GE(loops.count(Outcome::ok), 50u);
}

TEST(Outcomes, OutsideNamesExistWhenTheyAreDeclaredAndAreNotedWhenTheyAreNot) {
  Stage stage(kManifests);
  WorkloadSpec spec =
      loop(from_pods({stage.pod("a", "client")}), at_host("api.example.com.", 0), RequestKind::dns_probe);
  RunInput input;
  const RunResult undeclared = stage.play({spec}, input);
  EXPECT_EQ(undeclared.workloads.at(0).count(Outcome::dns_nxdomain), kRequests);
  ASSERT_EQ(undeclared.notes.size(), 1u);
  EXPECT_NE(undeclared.notes[0].find("outside name api.example.com is declared nowhere"), std::string::npos);
  input.externals = {{"api.example.com", {kOutside}}};
  const RunResult declared = stage.play({spec}, input);
  EXPECT_EQ(declared.workloads.at(0).count(Outcome::ok), kRequests);
  EXPECT_TRUE(declared.notes.empty());
}

TEST(Outcomes, ADnsServiceWithoutEndpointsRefusesQueries) {
  Stage stage(pod_yaml("a", "client", 1) +
                  "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: kube-system, name: kube-dns}\n"
                  "spec: {clusterIP: 10.96.0.10, selector: {app: nobody}, ports: [{port: 53, protocol: UDP}]}\n",
              {.adds_dns = false});
  const Played played = stage.play_rows({loop(from_pods({stage.pod("a", "client")}), at_host("web.b", 80))});
  EXPECT_EQ(played.result.workloads[0].count(Outcome::dns_refused), kRequests);
}

}  // namespace
}  // namespace podwire::workload
