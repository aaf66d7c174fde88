// A known flow whose conntrack entry ran out: the next packet is a first packet again, in cost and in what the node
// asks; and an entry that did not run out is not.
// Timeouts are the kernel's defaults (nf_conntrack-sysctl.rst): UDP 30 s while no answer was seen, 120 s for a stream.
// TCP established is kube-proxy's: it sets 24 h (--conntrack-tcp-timeout-established).
#include <gtest/gtest.h>

#include "tests/support/town.hpp"

namespace podwire::dataplane {
namespace {

using test::pod_yaml;
using test::Recorder;
using test::Town;
using test::TownOptions;
using transport::EventKind;

const std::string kPods = pod_yaml("a", "client", 1, "app: client") + pod_yaml("b", "server", 2, "app: server");

// A datagram of 32 bytes between nodes under profile spec: node-cpu 2.88 µs and conntrack 0.1 at either end, delivery
// 2.69, the card 2, two lines of 0.5 µs and 98 - 60 + 60 bytes, (60 + 38) × 0.8 ns = 78.4 ns, each.
constexpr std::int64_t kKnown = 2 * (2'880'000 + 100'000) + 2'690'000 + 2'000'000 + 2 * (500'000 + 78'400);
// The first packet's entry at one end.
constexpr std::int64_t kEntry = 1'500'000;

class Dialogue {
 public:
  explicit Dialogue(Town& town) : town_(town), client(town), server(town) {
    town.transport().serve_all(IpProtocol::udp, server.id);
    town.transport().serve_all(IpProtocol::tcp, server.id);
  }
  transport::ConnectOptions options() {
    return {.source = town_.pod("a", "client"),
            .destination = town_.ip("b", "server"),
            .port = Port(8080),
            .identity = {.who = 1, .which = 0},
            .application = client.id,
            .cookie = 1,
            .account = 0,
            .is_traced = false};
  }
  /// Sends one datagram now and says how long it took to arrive.
  std::int64_t datagram(transport::SocketHandle socket) {
    const Time sent = town_.simulator().now();
    const std::size_t before = server.entries.size();
    town_.transport().send_datagram(socket, 32, 9);
    town_.run_for(1_ms);
    return server.entries.size() == before ? -1 : (server.entries.back().at - sent).ps();
  }

 private:
  Town& town_;

 public:
  Recorder client;
  Recorder server;
};

TEST(ExpiredEntry, UnansweredUdpFlowIsNewAgainAfterThirtySeconds) {
  Town town(kPods);
  Dialogue dialogue(town);
  const auto socket = town.transport().open_udp(dialogue.options());
  EXPECT_EQ(dialogue.datagram(socket), kKnown + 2 * kEntry);
  EXPECT_EQ(dialogue.datagram(socket), kKnown);
  town.run_for(29_s);
  EXPECT_EQ(dialogue.datagram(socket), kKnown);  // refreshed: idle for less than the timeout
  town.run_for(31_s);
  EXPECT_EQ(dialogue.datagram(socket), kKnown + 2 * kEntry);
  EXPECT_EQ(dialogue.datagram(socket), kKnown);
}

TEST(ExpiredEntry, AnsweredUdpStreamLivesForTwoMinutes) {
  Town town(kPods);
  Dialogue dialogue(town);
  dialogue.server.then = [&](const transport::Event& event) {
    if (event.kind == EventKind::received) {
      town.transport().send_datagram(event.socket, 32, event.tag);
    }
  };
  const auto socket = town.transport().open_udp(dialogue.options());
  EXPECT_EQ(dialogue.datagram(socket), kKnown + 2 * kEntry);
  town.run_for(3_s);  // older than 2 s when the next reply passes: a stream
  EXPECT_EQ(dialogue.datagram(socket), kKnown);
  town.run_for(100_s);
  EXPECT_EQ(dialogue.datagram(socket), kKnown);
  town.run_for(121_s);
  EXPECT_EQ(dialogue.datagram(socket), kKnown + 2 * kEntry);
}

TEST(ExpiredEntry, PolicyIsAskedAgainWhenAnIdleUdpFlowGoesOn) {
  // The flow was allowed before the node heard of a change; after the entry ran out the verdict of the newer version is
  // asked for, although established flows survive.
  Town town(kPods);
  Dialogue dialogue(town);
  const auto socket = town.transport().open_udp(dialogue.options());
  EXPECT_EQ(dialogue.datagram(socket), kKnown + 2 * kEntry);
  const dataplane::Flow* half = nullptr;
  half = &town.network().flow(socket);
  EXPECT_EQ(half->verdict_version, 0u);
  town.log().append(town.simulator().now(), std::vector<Duration>(town.cluster().nodes.size(), Duration::zero()));
  EXPECT_EQ(dialogue.datagram(socket), kKnown);
  EXPECT_EQ(half->verdict_version, 0u);  // an established flow keeps its verdict
  town.run_for(31_s);
  EXPECT_EQ(dialogue.datagram(socket), kKnown + 2 * kEntry);
  EXPECT_EQ(half->verdict_version, 1u);
}

TEST(ExpiredEntry, EstablishedTcpIsPickedUpInMidStreamAfterAnIdleDay) {
  // nf_conntrack_tcp_loose: a segment without an entry makes one, established at once. Twenty hours are no
  // matter.
  Town town(kPods);
  Dialogue dialogue(town);
  const auto socket = town.transport().connect(dialogue.options());
  town.run_for(1_ms);
  ASSERT_EQ(dialogue.client.count(EventKind::connected), 1u);
  const auto took = [&] {
    const Time sent = town.simulator().now();
    town.transport().send(socket, 20);  // a segment of 72 bytes (headers 52), 110 on the wire: 88 ns
    town.run_for(1_s);
    return (dialogue.server.entries.back().at - sent).ps();
  };
  const std::int64_t known = kKnown + 2 * (88'000 - 78'400);
  EXPECT_EQ(took(), known);
  town.run_for(Duration::from_s(20 * 3'600));
  EXPECT_EQ(took(), known);
  town.run_for(Duration::from_s(25 * 3'600));
  EXPECT_EQ(took(), known + 2 * kEntry);
  EXPECT_EQ(took(), known);
  EXPECT_EQ(town.network().conntrack_count(cluster::NodeId(0u)), 1u);  // remade, not doubled
  EXPECT_EQ(town.network().conntrack_count(cluster::NodeId(1u)), 1u);
}

}  // namespace
}  // namespace podwire::dataplane
