// TCP between pods: the handshake and its failures, the schedule of SYNs, windows, timeouts, and the end.
#include <gtest/gtest.h>

#include "models/transport/endpoint.hpp"
#include "tests/support/town.hpp"

namespace podwire::transport {
namespace {

using test::pod_yaml;
using test::Recorder;
using test::Town;
using test::TownOptions;

const std::string kTwoPods = pod_yaml("a", "client", 1) + pod_yaml("b", "server", 2);

const std::string kDenyIngressToB =
    "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: b, name: deny}\n"
    "spec: {podSelector: {}, policyTypes: [Ingress]}\n";

const std::string kDenyEgressFromA =
    "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: a, name: deny}\n"
    "spec: {podSelector: {}, policyTypes: [Egress]}\n";

ConnectOptions from_client(const Town& town, const Recorder& client, std::uint16_t port = 8080) {
  return {.source = town.pod("a", "client"),
          .destination = town.ip("b", "server"),
          .port = Port(port),
          .identity = {.who = 7, .which = 0},
          .application = client.id,
          .cookie = 42,
          .account = 0,
          .is_traced = false};
}

std::int64_t seconds(Time at) {
  return at.ps() / 1'000'000'000'000;
}

/// Times at which packets left the client's machine, in whole seconds.
struct SynWatch {
  explicit SynWatch(Town& town) : town_(town) {}
  std::vector<std::int64_t> times;
  void run(Duration span) {
    const Time end = town_.simulator().now() + span;
    std::uint64_t seen = town_.network().counts().sent;
    while (town_.simulator().now() < end) {
      town_.run_for(Duration::from_ms(100));
      if (const std::uint64_t sent = town_.network().counts().sent; sent != seen) {
        seen = sent;
        times.push_back((town_.simulator().now().ps() - 1) / 1'000'000'000'000);
      }
    }
  }

 private:
  Town& town_;
};

TEST(TcpHandshake, ConnectsAcceptsAndClosesBothWays) {
  Town town(kTwoPods);
  Recorder client(town);
  Recorder server(town);
  town.transport().serve_all(IpProtocol::tcp, server.id);
  server.then = [&](const Event& e) {
    if (e.kind == EventKind::received && e.bytes == 300) {
      town.transport().send(e.socket, 4'000);
    } else if (e.kind == EventKind::peer_closed) {
      town.transport().close(e.socket);
    }
  };
  client.then = [&](const Event& e) {
    if (e.kind == EventKind::connected) {
      town.transport().send(e.socket, 300);
    } else if (e.kind == EventKind::received && e.bytes == 4'000) {
      town.transport().close(e.socket);
    }
  };
  const SocketHandle socket = town.transport().connect(from_client(town, client));
  EXPECT_TRUE(client.entries.empty());  // nothing before connect returns
  town.run_for(1_s);
  EXPECT_EQ(client.count(EventKind::connected), 1u);
  EXPECT_EQ(server.count(EventKind::accepted), 1u);
  EXPECT_EQ(server.count(EventKind::peer_closed), 1u);
  EXPECT_EQ(client.count(EventKind::peer_closed), 1u);
  EXPECT_EQ(client.count(EventKind::closed), 1u);
  EXPECT_EQ(server.count(EventKind::closed), 1u);
  EXPECT_EQ(client.entries.front().event.cookie, 42u);
  EXPECT_FALSE(town.transport().is_open(socket));
  EXPECT_EQ(town.transport().open_sockets(), 0u);
  EXPECT_EQ(town.network().live_flows(), 0u);  // TIME_WAIT holds no memory
  const auto counts = town.network().audit();
  EXPECT_TRUE(counts.is_conserved());
  EXPECT_EQ(counts.dropped, 0u);
  // SYN, SYN+ACK, ACK; request, its ACK; response of 3 segments (MSS 1,448), 3 ACKs; FIN, ACK; FIN, ACK.
  EXPECT_EQ(counts.sent, 3u + 2u + 6u + 4u);
}

TEST(TcpHandshake, ClosedPortIsRefusedAfterOneRoundTrip) {
  Town town(kTwoPods);
  Recorder client(town);
  town.transport().connect(from_client(town, client, 9999));
  town.run_for(1_s);
  ASSERT_EQ(client.entries.size(), 1u);
  EXPECT_EQ(client.entries[0].event.kind, EventKind::failed);
  EXPECT_EQ(client.entries[0].event.failure, Failure::refused);
  EXPECT_LT(client.entries[0].at, Time::start() + 1_ms);
  EXPECT_EQ(town.network().live_flows(), 0u);
}

TEST(TcpHandshake, DeniedSynIsRepeatedByTheLinearSchedule) {
  // 0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67 s; given up at 131 s (Linux 6.5 with tcp_syn_linear_timeouts 4).
  Town town(kTwoPods + kDenyIngressToB);
  Recorder client(town);
  SynWatch watch(town);
  town.transport().connect(from_client(town, client));
  std::vector<std::int64_t> expected = {1, 2, 3, 4, 5, 7, 11, 19, 35, 67};  // the first left inside connect()
  watch.run(140_s);
  EXPECT_EQ(watch.times, expected);
  ASSERT_EQ(client.entries.size(), 1u);
  EXPECT_EQ(client.entries[0].event.failure, Failure::timed_out);
  EXPECT_EQ(client.entries[0].at, Time::start() + 131_s);
  EXPECT_EQ(town.network().drops().packets(dataplane::DropReason::policy_denied), 11u);
  EXPECT_EQ(town.network().live_flows(), 0u);
}

TEST(TcpHandshake, ClassicScheduleDoublesFromOneSecond) {
  // 0, 1, 3, 7, 15, 31, 63 s; given up at 127 s (tcp_syn_retries 6).
  Town town(kTwoPods + kDenyEgressFromA, {.transport = {.syn_schedule = SynSchedule::classic}});
  Recorder client(town);
  SynWatch watch(town);
  town.transport().connect(from_client(town, client));
  watch.run(140_s);
  EXPECT_EQ(watch.times, (std::vector<std::int64_t>{1, 3, 7, 15, 31, 63}));
  ASSERT_EQ(client.entries.size(), 1u);
  EXPECT_EQ(client.entries[0].at, Time::start() + 127_s);
  EXPECT_EQ(town.network().drops().packets(dataplane::DropReason::policy_denied), 7u);
}

TEST(TcpHandshake, RejectingProfileRefusesAtOnce) {
  const auto reject = [](cni::Profile& p) { p.policy.deny_action = cni::DenyAction::reject; };
  for (const std::string& policy : {kDenyIngressToB, kDenyEgressFromA}) {
    Town town(kTwoPods + policy, {.adjust = reject});
    Recorder client(town);
    town.transport().connect(from_client(town, client));
    town.run_for(1_s);
    ASSERT_EQ(client.entries.size(), 1u);
    EXPECT_EQ(client.entries[0].event.failure, Failure::refused);
    EXPECT_TRUE(town.network().audit().is_conserved());
  }
}

TEST(TcpHandshake, AbortedConnectLeavesNothingBehind) {
  Town town(kTwoPods);
  Recorder client(town);
  Recorder server(town);
  town.transport().serve_all(IpProtocol::tcp, server.id);
  const SocketHandle socket = town.transport().connect(from_client(town, client));
  town.transport().abort(socket);  // while its SYN is under way: the server answers, and is told that nobody is there
  town.run_for(200_s);
  EXPECT_TRUE(client.entries.empty());
  EXPECT_TRUE(server.entries.empty());
  EXPECT_EQ(town.network().live_flows(), 0u);
  EXPECT_EQ(town.transport().open_sockets(), 0u);
  EXPECT_TRUE(town.network().audit().is_conserved());
}

TEST(TcpHandshake, AbortOfAConnectionResetsThePeer) {
  Town town(kTwoPods);
  Recorder client(town);
  Recorder server(town);
  town.transport().serve_all(IpProtocol::tcp, server.id);
  const SocketHandle socket = town.transport().connect(from_client(town, client));
  town.run_for(10_ms);
  town.transport().abort(socket);
  town.run_for(10_ms);
  ASSERT_NE(server.first(EventKind::failed), nullptr);
  EXPECT_EQ(server.first(EventKind::failed)->event.failure, Failure::reset);
  EXPECT_EQ(town.network().live_flows(), 0u);
}

TEST(TcpHandshake, SocketsOfOneIdentityHaveOnePort) {
  Town first(kTwoPods);
  Town second(kTwoPods + kDenyIngressToB);
  Recorder a(first);
  Recorder b(second);
  const Port p = first.transport().local_port(first.transport().connect(from_client(first, a)));
  const Port q = second.transport().local_port(second.transport().connect(from_client(second, b)));
  EXPECT_EQ(p, q);  // what policies differ in shifts no draw
  EXPECT_GE(p.number(), 32'768);
  EXPECT_LE(p.number(), 60'999);
}

/// Serves `size` bytes to each request over links so fast that only round trips take time.
struct Download {
  explicit Download(std::uint64_t size, AckPolicy acks = AckPolicy::every_segment)
      : town(kTwoPods, options(acks)), client(town), server(town) {
    town.transport().serve_all(IpProtocol::tcp, server.id);
    server.then = [this, size](const Event& e) {
      if (e.kind == EventKind::received) {
        town.transport().send(e.socket, size);
      }
    };
    client.then = [this, size](const Event& e) {
      if (e.kind == EventKind::connected) {
        town.transport().send(e.socket, 100);
      } else if (e.kind == EventKind::received && e.bytes == size) {
        done = town.simulator().now();
        town.simulator().stop();
      }
    };
    town.transport().connect(from_client(town, client));
    town.run_for(100_s);
  }
  static TownOptions options(AckPolicy acks) {
    TownOptions o;
    o.adjust = [](cni::Profile& p) {
      p.steps = {};
      p.first_steps = {};
      p.service_nat_per_rule = {};
    };
    o.underlay.host_link = {
        .rate = BitRate::from_gbps(4'000), .propagation = 25_ms, .buffer = Bytes(1 << 30), .loss = 0};
    o.transport.acks = acks;
    return o;
  }
  /// Whole round trips of 100 ms (four links of 25 ms); serialisation at 4 Tbit/s is far below one.
  std::int64_t round_trips() const { return done.ps() / Duration::from_ms(100).ps(); }

  Town town;
  Recorder client;
  Recorder server;
  Time done;
};

TEST(TcpSlowStart, RoundTripsForNBytesFollowTheInitialWindowOfTen) {
  // 1 for the handshake + ceil(log2(S / 10 + 1)) flights of S segments of 1,448 bytes (RFC 6928).
  EXPECT_EQ(Download(1'000).round_trips(), 2);
  EXPECT_EQ(Download(14'480).round_trips(), 2);  // 10 segments
  EXPECT_EQ(Download(14'481).round_trips(), 3);
  EXPECT_EQ(Download(43'440).round_trips(), 3);  // 30
  EXPECT_EQ(Download(43'441).round_trips(), 4);
  EXPECT_EQ(Download(101'360).round_trips(), 4);  // 70
  EXPECT_EQ(Download(101'361).round_trips(), 5);
  EXPECT_EQ(Download(217'200).round_trips(), 5);    // 150
  EXPECT_EQ(Download(448'880).round_trips(), 6);    // 310
  EXPECT_EQ(Download(1'048'576).round_trips(), 8);  // 725 segments: 7 flights
}

TEST(TcpSlowStart, DelayedAcknowledgementsHoldTheRequestBackOnlyForTheLastOddSegment) {
  // Every second segment is acknowledged, each for two segments: the window still doubles.
  EXPECT_EQ(Download(43'440, AckPolicy::every_second_segment).round_trips(), 3);
}

TEST(TcpTimeout, RetransmissionsDoubleFromTheMinimum) {
  Town town(kTwoPods);
  Recorder client(town);
  Recorder server(town);
  town.transport().serve_all(IpProtocol::tcp, server.id);
  std::vector<Duration> gaps;
  const SocketHandle socket = town.transport().connect(from_client(town, client));
  town.run_for(10_ms);
  ASSERT_EQ(client.count(EventKind::connected), 1u);
  // The server dies without a word: what is sent from now on goes nowhere, and nothing comes back.
  town.network().set_receiver(
      {.model = nullptr,
       .deliver = [](void*, const dataplane::Packet&, dataplane::Delivery) { return dataplane::Reception::taken; },
       .expired = nullptr});
  const Time sent_at = town.simulator().now();
  std::uint64_t seen = town.network().counts().sent;
  town.transport().send(socket, 100);
  std::vector<Time> times;
  while (client.count(EventKind::failed) == 0 && town.simulator().now() < sent_at + 2'000_s) {
    town.run_for(1_ms);
    if (const std::uint64_t sent = town.network().counts().sent; sent != seen) {
      seen = sent;
      times.push_back(town.simulator().now());
    }
  }
  // RTO = SRTT + 200 ms, doubled each time to 120 s; 15 retransmissions, then ETIMEDOUT. SRTT is some 30 µs here, so
  // the k-th comes 0.2 × (2^k - 1) s after the first sending, to the millisecond of this test's clock.
  ASSERT_EQ(times.size(), 16u);
  for (int k = 1; k <= 9; ++k) {
    const double expected = 0.2 * ((1 << k) - 1);
    EXPECT_NEAR((times[static_cast<std::size_t>(k)] - sent_at).seconds(), expected, 0.002 + expected * 0.001) << k;
  }
  EXPECT_NEAR((times[11] - times[10]).seconds(), 120.0, 0.002);  // 0.2 × 2^10 = 204.8 s is cut to 120 s
  ASSERT_NE(client.first(EventKind::failed), nullptr);
  EXPECT_EQ(client.first(EventKind::failed)->event.failure, Failure::timed_out);
  EXPECT_EQ(seconds(client.first(EventKind::failed)->at), 924);  // tcp_retries2 = 15: the known 924.6 s
}

TEST(TcpTimeout, LossyLinkDeliversEverythingInTheEnd) {
  TownOptions options;
  options.underlay.host_link.loss = 0.02;
  Town town(kTwoPods, options);
  Recorder client(town);
  Recorder server(town);
  town.transport().serve_all(IpProtocol::tcp, server.id);
  server.then = [&](const Event& e) {
    if (e.kind == EventKind::received && e.bytes == 100) {
      town.transport().send(e.socket, 500'000);
      town.transport().close(e.socket);
    }
  };
  client.then = [&](const Event& e) {
    if (e.kind == EventKind::connected) {
      town.transport().send(e.socket, 100);
    } else if (e.kind == EventKind::peer_closed) {
      town.transport().close(e.socket);
    }
  };
  town.transport().connect(from_client(town, client));
  town.run_for(1'000_s);
  ASSERT_NE(client.first(EventKind::peer_closed), nullptr);
  std::uint64_t most = 0;
  for (const auto& entry : client.entries) {
    if (entry.event.kind == EventKind::received) {
      EXPECT_GT(entry.event.bytes, most);  // the total only grows
      most = entry.event.bytes;
    }
  }
  EXPECT_EQ(most, 500'000u);
  EXPECT_GT(town.network().drops().packets(dataplane::DropReason::link_loss), 0u);
  EXPECT_EQ(town.network().live_flows(), 0u);
  EXPECT_TRUE(town.network().audit().is_conserved());
}

TEST(TcpRecord, RttEstimateFollowsRfc6298) {
  Endpoint e;
  sample_rtt(e, 100_ms);
  EXPECT_EQ(e.smoothed_rtt, 100_ms);
  EXPECT_EQ(e.rtt_variation, 50_ms);
  sample_rtt(e, 60_ms);  // RTTVAR = 3/4 × 50 + 1/4 × 40 = 47.5; SRTT = 7/8 × 100 + 1/8 × 60 = 95
  EXPECT_EQ(e.rtt_variation, Duration::from_us(47'500));
  EXPECT_EQ(e.smoothed_rtt, 95_ms);
  // 95 + max(200, 4 × 47.5 = 190) = 295 ms; doubled by each retry.
  EXPECT_EQ(retransmission_timeout(e, 200_ms, 120_s), 295_ms);
  e.retries = 3;
  EXPECT_EQ(retransmission_timeout(e, 200_ms, 120_s), 2'360_ms);
  e.retries = 20;
  EXPECT_EQ(retransmission_timeout(e, 200_ms, 120_s), 120_s);
}

TEST(TcpRecord, SequenceNumbersUnwrapAroundWhereTheyAreExpected) {
  EXPECT_EQ(unwrap(5, 0), 5u);
  EXPECT_EQ(unwrap(5, 0xffff'fffeu), 0x1'0000'0005u);             // just behind the wrap
  EXPECT_EQ(unwrap(0xffff'fff0u, 0x1'0000'0005u), 0xffff'fff0u);  // a late one from before it
}

}  // namespace
}  // namespace podwire::transport
