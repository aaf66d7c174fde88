// A packet's way between pods: Services, the order of hooks, where the time goes, and where packets are lost.
#include <gtest/gtest.h>

#include "tests/support/town.hpp"

namespace podwire::dataplane {
namespace {

using test::pod_yaml;
using test::Recorder;
using test::Town;
using test::TownOptions;
using transport::EventKind;
using transport::Failure;

const std::string kPods = pod_yaml("a", "client", 1, "app: client") + pod_yaml("b", "server", 2, "app: server") +
                          pod_yaml("b", "other", 2, "app: other") + pod_yaml("a", "neighbour", 1, "app: near");

const std::string kService =
    "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: b, name: web}\n"
    "spec: {selector: {app: server}, clusterIP: 10.96.7.7, ports: [{port: 80, targetPort: 8080}, "
    "{name: dns, port: 53, protocol: UDP, targetPort: 8080}]}\n";
const std::string kEmptyService =
    "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: b, name: empty}\n"
    "spec: {selector: {app: nobody}, clusterIP: 10.96.7.8, ports: [{port: 80}]}\n";

std::string egress_policy(const std::string& rules) {
  return "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: a, name: out}\nspec:\n"
         "  podSelector: {matchLabels: {app: client}}\n  policyTypes: [Egress]\n  egress:\n" +
         rules;
}

/// Connects the client to an address and plays one second.
struct Attempt {
  Attempt(Town& town, IpAddress to, std::uint16_t port, End from) : client(town), server(town) {
    town.transport().serve_all(IpProtocol::tcp, server.id);
    socket = town.transport().connect({.source = from,
                                       .destination = to,
                                       .port = Port(port),
                                       .identity = {.who = 1, .which = 0},
                                       .application = client.id,
                                       .cookie = 1,
                                       .account = 5,
                                       .is_traced = false});
    town.run_for(Duration::from_ms(900));
  }
  bool connected() const { return client.count(EventKind::connected) == 1; }
  Failure failure() const {
    const auto* entry = client.first(EventKind::failed);
    return entry == nullptr ? Failure::none : entry->event.failure;
  }
  Time connected_at() const { return client.first(EventKind::connected)->at; }

  Recorder client;
  Recorder server;
  transport::SocketHandle socket;
};

TEST(PodPath, ClusterIpLeadsToABackendAndTheReplyComesBack) {
  Town town(kPods + kService);
  Attempt attempt(town, IpAddress::v4(10, 96, 7, 7), 80, town.pod("a", "client"));
  ASSERT_TRUE(attempt.connected());
  const auto info = town.transport().info(attempt.socket);
  EXPECT_EQ(info.remote, IpAddress::v4(10, 96, 7, 7));
  EXPECT_EQ(info.remote_port, Port(80));
  EXPECT_EQ(info.translated, town.ip("b", "server"));
  EXPECT_EQ(info.translated_port, Port(8080));
  ASSERT_EQ(attempt.server.count(EventKind::accepted), 1u);
  EXPECT_EQ(town.transport().local_end(attempt.server.entries[0].event.socket), town.pod("b", "server"));
}

TEST(PodPath, ServiceWithoutEndpointsIsRefusedOnTheClientsOwnNode) {
  Town town(kPods + kEmptyService);
  Attempt attempt(town, IpAddress::v4(10, 96, 7, 8), 80, town.pod("a", "client"));
  EXPECT_EQ(attempt.failure(), Failure::refused);
  EXPECT_EQ(town.network().counts().hops, 0u);  // nothing left the node
  const DropRow& row = town.network().drops().rows().at(0);
  EXPECT_EQ(row.reason, DropReason::service_rejected);
  EXPECT_EQ(row.account, 5u);
  EXPECT_EQ(town.network().describe(row).where, "node-1");
}

TEST(PodPath, UndeclaredPortOfAServiceGetsNoAnswer) {
  Town town(kPods + kService);
  Attempt attempt(town, IpAddress::v4(10, 96, 7, 7), 81, town.pod("a", "client"));
  EXPECT_FALSE(attempt.connected());
  EXPECT_EQ(attempt.failure(), Failure::none);  // still trying
  EXPECT_EQ(town.network().drops().packets(DropReason::no_route), 1u);
}

TEST(PodPath, UnusedPodAddressGetsNoAnswer) {
  Town town(kPods);
  Attempt attempt(town, IpAddress::v4(10, 244, 2, 200), 8080, town.pod("a", "client"));
  EXPECT_EQ(attempt.failure(), Failure::none);
  EXPECT_EQ(town.network().drops().packets(DropReason::no_route), 1u);
}

TEST(PodPath, EgressPolicySeesTheBackendAndItsOwnPort) {
  // Allowed: the server's label and port 8080. The Service's address and port 80 appear nowhere.
  const std::string rule =
      "  - to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: server}}}]\n    ports: [{port: 8080}]\n";
  Town town(kPods + kService + egress_policy(rule));
  EXPECT_TRUE(Attempt(town, IpAddress::v4(10, 96, 7, 7), 80, town.pod("a", "client")).connected());

  const std::string by_service_port =
      "  - to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: server}}}]\n    ports: [{port: 80}]\n";
  Town wrong_port(kPods + kService + egress_policy(by_service_port));
  EXPECT_FALSE(Attempt(wrong_port, IpAddress::v4(10, 96, 7, 7), 80, wrong_port.pod("a", "client")).connected());

  Town by_cluster_ip(kPods + kService + egress_policy("  - to: [{ipBlock: {cidr: 10.96.0.0/12}}]\n"));
  EXPECT_FALSE(Attempt(by_cluster_ip, IpAddress::v4(10, 96, 7, 7), 80, by_cluster_ip.pod("a", "client")).connected());
}

TEST(PodPath, DenialsNameHookNodeAndRule) {
  Town town(kPods + egress_policy("  - to: [{ipBlock: {cidr: 192.0.2.0/24}}]\n"));
  Attempt attempt(town, town.ip("b", "server"), 8080, town.pod("a", "client"));
  ASSERT_EQ(town.network().drops().rows().size(), 1u);
  const DropText text = town.network().describe(town.network().drops().rows()[0]);
  EXPECT_EQ(text.reason, "policy-denied");
  EXPECT_EQ(text.where, "egress-policy on node-1");
  EXPECT_NE(text.rule.find("a/out"), std::string::npos);
  EXPECT_TRUE(text.span.is_known());
}

TEST(PodPath, RepliesPassPoliciesThatIsolateBothEnds) {
  // The client may send and receives nothing; the server may receive and sends nothing: conntrack lets the replies by.
  const std::string server_only_in =
      "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: b, name: in}\nspec:\n"
      "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n  ingress: [{}]\n";
  const std::string client_only_out =
      "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: a, name: both}\nspec:\n"
      "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n  egress: [{}]\n";
  Town town(kPods + server_only_in + client_only_out);
  EXPECT_TRUE(Attempt(town, town.ip("b", "server"), 8080, town.pod("a", "client")).connected());
  Town reverse(kPods + server_only_in + client_only_out);
  EXPECT_FALSE(Attempt(reverse, reverse.ip("a", "client"), 8080, reverse.pod("b", "server")).connected());
}

TEST(PodPath, NeighboursOnOneNodeTouchNoWireAndAreFilteredAllTheSame) {
  Town town(kPods);
  EXPECT_TRUE(Attempt(town, town.ip("a", "neighbour"), 8080, town.pod("a", "client")).connected());
  EXPECT_EQ(town.network().counts().hops, 0u);
  const std::string deny =
      "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: a, name: closed}\nspec:\n"
      "  podSelector: {matchLabels: {app: near}}\n  policyTypes: [Ingress]\n";
  Town filtered(kPods + deny);
  EXPECT_FALSE(Attempt(filtered, filtered.ip("a", "neighbour"), 8080, filtered.pod("a", "client")).connected());
  EXPECT_EQ(filtered.network().describe(filtered.network().drops().rows().at(0)).where, "ingress-policy on node-1");
}

TEST(PodPath, PodAlwaysReachesItself) {
  const std::string deny_all =
      "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: a, name: closed}\nspec:\n"
      "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n";
  Town town(kPods + deny_all);
  EXPECT_TRUE(Attempt(town, town.ip("a", "client"), 8080, town.pod("a", "client")).connected());
}

TEST(PodPath, OutsideClientsAndServersAreReachedThroughTheGateway) {
  TownOptions options;
  options.underlay.edge_link.propagation = 5_ms;
  Town town(kPods + kService, options);
  const End outside = End::external(town.network().external(IpAddress::v4(203, 0, 113, 7)));
  Attempt in(town, town.ip("b", "server"), 8080, outside);
  ASSERT_TRUE(in.connected());
  EXPECT_GE(in.connected_at(), Time::start() + 10_ms);  // there and back, 5 ms each
  EXPECT_LT(in.connected_at(), Time::start() + 11_ms);
  EXPECT_TRUE(Attempt(town, IpAddress::v4(198, 51, 100, 1), 443, town.pod("a", "client")).connected());
}

TEST(PodPath, RoundTripOfACalmNetworkIsTheProfilesOwn) {
  // Spec: a visit costs 2.88 µs (node-cpu) + 0.1 µs (conntrack), a delivery 2.69 µs more, the NIC 2 µs. SYN there and
  // SYN+ACK back are two ways; first packets pay 1.5 µs more for each of the two conntrack entries. 60-byte SYNs are 98
  // bytes on the wire: 78.4 ns at 10 Gbit/s on each of 2 × 2 links; 0.5 µs propagation each.
  const std::int64_t way = (2 * (2'880 + 100) + 2'690 + 2'000) * 1'000;
  const std::int64_t wire = 2 * (78'400 + 500'000);
  const std::int64_t expected = 2 * (way + wire) + 2 * 1'500'000;
  Town town(kPods, {.network = {.uses_ecmp = false}});
  Attempt attempt(town, town.ip("b", "server"), 8080, town.pod("a", "client"));
  ASSERT_TRUE(attempt.connected());
  EXPECT_EQ(attempt.connected_at().ps(), expected);
}

TEST(PodPath, TraceShowsEachStepOnceAndTheyAddUp) {
  TownOptions options;
  options.profile = "calico-vxlan";
  Town town(kPods + kService, options);
  Recorder client(town);
  const auto socket = town.transport().open_udp({.source = town.pod("a", "client"),
                                                 .destination = IpAddress::v4(10, 96, 7, 7),
                                                 .port = Port(53),
                                                 .identity = {},
                                                 .application = client.id,
                                                 .cookie = 0,
                                                 .account = 0,
                                                 .is_traced = true});
  town.transport().send_datagram(socket, 100, 0);
  town.run_for(1_ms);
  ASSERT_EQ(town.network().trace().size(), 1u);
  const TracedPacket& packet = town.network().trace().front();
  std::vector<std::string_view> names;
  Time end = Time::start();
  for (const TraceStep& step : packet.steps) {
    names.push_back(to_string(step.step));
    EXPECT_EQ(step.start, end) << names.back();
    EXPECT_EQ(step.wait, Duration::zero()) << names.back();  // a calm network
    end = step.end();
  }
  EXPECT_TRUE(packet.is_delivered(town.simulator().now()));
  // No policy isolates the pods, but Calico's chains are walked for each pod's packet; DNAT comes before them.
  EXPECT_EQ(names, (std::vector<std::string_view>{"node-cpu", "conntrack", "service-nat", "egress-policy",
                                                  "encapsulate", "nic-tx", "switch", "decapsulate", "node-cpu",
                                                  "conntrack", "ingress-policy", "deliver"}));
}

TEST(PodPath, OverlayAddsItsBytesBetweenNodesOnly) {
  TownOptions options;
  options.profile = "calico-vxlan";
  Town town(kPods, options);
  Recorder client(town);
  const auto send = [&](const char* name_space, const char* name) {
    const auto socket = town.transport().open_udp({.source = town.pod("a", "client"),
                                                   .destination = town.ip(name_space, name),
                                                   .port = Port(8080),
                                                   .identity = {},
                                                   .application = client.id,
                                                   .cookie = 0,
                                                   .account = 0,
                                                   .is_traced = false});
    town.transport().send_datagram(socket, 100, 0);
    town.run_for(1_ms);
  };
  const OutputPort& nic = town.network().port(topology::PortId(0u));  // node-1's
  send("a", "neighbour");
  EXPECT_EQ(nic.bytes, 0u);
  send("b", "server");
  EXPECT_EQ(nic.bytes, 100u + 8 + 20 + 38 + 50);
}

TEST(PodPath, LargeDatagramIsFragmentedByThePodsMtu) {
  TownOptions options;
  options.profile = "calico-vxlan";
  Town town(kPods, options);
  Recorder client(town);
  Recorder server(town);
  town.transport().serve_all(IpProtocol::udp, server.id);
  const auto socket = town.transport().open_udp({.source = town.pod("a", "client"),
                                                 .destination = town.ip("b", "server"),
                                                 .port = Port(8080),
                                                 .identity = {},
                                                 .application = client.id,
                                                 .cookie = 0,
                                                 .account = 0,
                                                 .is_traced = false});
  town.transport().send_datagram(socket, 4'000, 77);
  town.run_for(1_ms);
  ASSERT_EQ(server.entries.size(), 1u);
  EXPECT_EQ(server.entries[0].event.bytes, 4'000u);
  EXPECT_EQ(server.entries[0].event.tag, 77u);
  // 4,008 bytes in pieces of 1,424 (1,450 - 20, a multiple of 8): 3, each with IP 20, frame 38 and VXLAN 50.
  EXPECT_EQ(town.network().port(topology::PortId(0u)).bytes, 4'008u + 3 * (20 + 38 + 50));
}

TEST(Udp, ClosedPortIsReportedByIcmp) {
  Town town(kPods);
  Recorder client(town);
  for (const IpAddress to : {town.ip("b", "server"), town.ip("a", "neighbour")}) {
    client.entries.clear();
    const auto socket = town.transport().open_udp({.source = town.pod("a", "client"),
                                                   .destination = to,
                                                   .port = Port(9),
                                                   .identity = {},
                                                   .application = client.id,
                                                   .cookie = 3,
                                                   .account = 0,
                                                   .is_traced = false});
    town.transport().send_datagram(socket, 50, 0);
    town.run_for(1_ms);
    ASSERT_EQ(client.entries.size(), 1u);
    EXPECT_EQ(client.entries[0].event.kind, EventKind::failed);
    EXPECT_EQ(client.entries[0].event.failure, Failure::refused);
    EXPECT_TRUE(town.transport().is_open(socket));  // the error is told, the socket stays
    town.transport().close_udp(socket);
  }
  EXPECT_EQ(town.network().drops().packets(DropReason::no_listener), 2u);
  EXPECT_EQ(town.network().live_flows(), 0u);
  EXPECT_TRUE(town.network().audit().is_conserved());
}

TEST(Udp, TwoQueriesFromOneSocketMeetOneServerSocketAndBothAreAnswered) {
  Town town(kPods + kService);
  Recorder client(town);
  Recorder server(town);
  town.transport().serve_all(IpProtocol::udp, server.id);
  server.then = [&](const transport::Event& e) {
    town.transport().send_datagram(e.socket, 200, e.tag + 1'000);
    town.transport().close_udp(e.socket);  // after each answer
  };
  const auto socket = town.transport().open_udp({.source = town.pod("a", "client"),
                                                 .destination = IpAddress::v4(10, 96, 7, 7),
                                                 .port = Port(53),
                                                 .identity = {},
                                                 .application = client.id,
                                                 .cookie = 3,
                                                 .account = 0,
                                                 .is_traced = false});
  town.transport().send_datagram(socket, 60, 1);
  town.transport().send_datagram(socket, 60, 2);
  town.run_for(1_ms);
  town.transport().send_datagram(socket, 60, 3);  // long after the server was done with the others
  town.run_for(1_ms);
  ASSERT_EQ(client.entries.size(), 3u);
  EXPECT_EQ(client.entries[0].event.tag, 1'001u);
  EXPECT_EQ(client.entries[1].event.tag, 1'002u);
  EXPECT_EQ(client.entries[2].event.tag, 1'003u);
  EXPECT_EQ(client.entries[2].event.bytes, 200u);
  EXPECT_EQ(town.network().conntrack_count(cluster::NodeId(1u)), 1u);  // one tuple at the server's node
  EXPECT_EQ(town.network().live_flows(), 2u);
  town.transport().close_udp(socket);
  EXPECT_EQ(town.network().live_flows(), 0u);  // the server's half lives no longer than the client's socket
  EXPECT_EQ(town.network().conntrack_count(cluster::NodeId(1u)), 1u);  // the entry waits for its timeout
  town.run_for(31_s);
  EXPECT_EQ(town.network().conntrack_count(cluster::NodeId(1u)), 0u);
}

TEST(Udp, ForgottenServerSocketGoesWithItsConntrackEntry) {
  Town town(kPods);
  Recorder client(town);
  Recorder server(town);
  town.transport().serve_all(IpProtocol::udp, server.id);
  const auto socket = town.transport().open_udp({.source = town.pod("a", "client"),
                                                 .destination = town.ip("b", "server"),
                                                 .port = Port(8080),
                                                 .identity = {},
                                                 .application = client.id,
                                                 .cookie = 0,
                                                 .account = 0,
                                                 .is_traced = false});
  town.transport().send_datagram(socket, 60, 1);
  town.run_for(1_ms);
  EXPECT_EQ(town.transport().open_sockets(), 2u);
  town.run_for(31_s);
  EXPECT_EQ(town.network().conntrack_count(cluster::NodeId(1u)), 0u);  // asking takes out what ran out
  EXPECT_EQ(town.transport().open_sockets(), 1u);
  town.transport().send_datagram(socket, 60, 2);  // a new entry, a new server socket
  town.run_for(1_ms);
  EXPECT_EQ(server.entries.size(), 2u);
  EXPECT_EQ(town.transport().open_sockets(), 2u);
}

TEST(Conntrack, EntriesFollowTheConnectionAndLingerAfterIt) {
  Town town(kPods);
  const cluster::NodeId node(0u);
  Recorder client(town);
  Recorder server(town);
  town.transport().serve_all(IpProtocol::tcp, server.id);
  server.then = [&](const transport::Event& e) {
    if (e.kind == EventKind::peer_closed) {
      town.transport().close(e.socket);
    }
  };
  client.then = [&](const transport::Event& e) {
    if (e.kind == EventKind::connected) {
      town.transport().close(e.socket);
    }
  };
  town.transport().connect({.source = town.pod("a", "client"),
                            .destination = town.ip("b", "server"),
                            .port = Port(8080),
                            .identity = {},
                            .application = client.id,
                            .cookie = 0,
                            .account = 0,
                            .is_traced = false});
  town.run_for(1_s);
  EXPECT_EQ(client.count(EventKind::closed), 1u);
  EXPECT_EQ(town.network().conntrack_count(node), 1u);  // TIME_WAIT, 120 s
  town.run_for(118_s);
  EXPECT_EQ(town.network().conntrack_count(node), 1u);
  town.run_for(2_s);
  EXPECT_EQ(town.network().conntrack_count(node), 0u);
}

TEST(Conntrack, FullTableLosesNewConnectionsOnly) {
  TownOptions options;
  options.adjust = [](cni::Profile& p) {
    p.conntrack.max_entries = 2;
    p.conntrack.max_entries_per_core = 0;
  };
  Town town(kPods, options);
  Recorder client(town);
  for (std::uint64_t i = 0; i < 3; ++i) {
    town.transport().connect({.source = town.pod("a", "client"),
                              .destination = town.ip("b", "server"),
                              .port = Port(8080),
                              .identity = {.who = i, .which = 0},
                              .application = client.id,
                              .cookie = i,
                              .account = 0,
                              .is_traced = false});
  }
  town.run_for(Duration::from_ms(500));
  EXPECT_EQ(client.count(EventKind::connected), 2u);
  EXPECT_EQ(town.network().drops().packets(DropReason::conntrack_full), 1u);
}

TEST(Views, CutProfileAsksAgainWhenTheNodesViewMoves) {
  // Cilium consults its policy map for each forward packet. Here the view's content is the same, so that nothing is
  // cut; that the verdict is asked anew shows in its version.
  TownOptions options;
  options.profile = "cilium-vxlan";
  Town town(kPods, options);
  Attempt attempt(town, town.ip("b", "server"), 8080, town.pod("a", "client"));
  ASSERT_TRUE(attempt.connected());
  EXPECT_EQ(town.network().flow(attempt.socket).verdict_version, 0u);
  town.log().append(town.simulator().now(), std::vector<Duration>(3, 10_ms));
  town.transport().send(attempt.socket, 100);
  EXPECT_EQ(town.network().flow(attempt.socket).verdict_version, 0u);  // not applied yet
  town.run_for(20_ms);
  town.transport().send(attempt.socket, 100);
  EXPECT_EQ(town.network().flow(attempt.socket).verdict_version, 1u);
}

}  // namespace
}  // namespace podwire::dataplane
