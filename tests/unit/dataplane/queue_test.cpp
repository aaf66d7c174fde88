// Ports as queues: closed forms for what waits, what is lost, and how long a packet takes.
#include <gtest/gtest.h>

#include "sim/random/draw.hpp"
#include "tests/support/plain_network.hpp"

namespace podwire::dataplane {
namespace {

/// `hosts` machines on one switch; frames carry nothing beside the packet, so that sizes are the wire's.
topology::UnderlayOptions one_switch(std::uint32_t hosts, BitRate rate, Bytes buffer) {
  topology::UnderlayOptions options;
  options.hosts = hosts;
  options.host_link = {.rate = rate, .propagation = 1_us, .buffer = buffer, .loss = 0};
  return options;
}

NetworkOptions bare() {
  NetworkOptions options;
  options.frame_overhead = Bytes(0);
  options.tracks_connections = false;
  return options;
}

TEST(Queue, LonePacketTakesTwoSerialisationsAndTwoPropagations) {
  PlainNetwork plain(one_switch(2, 10_Gbps, 64_KiB), bare());
  ConstantRate traffic(plain);
  traffic.add({.flow = plain.open_udp(0, 1, 1), .start = Time::start(), .interval = 1_ms, .bytes = 1250, .packets = 1});
  traffic.start();
  plain.simulator.run();
  EXPECT_EQ(traffic.most_ps, (1_us * 2 + 1_us * 2).ps());  // 1,250 bytes at 10 Gbit/s take 1 µs; twice, and 1 µs a link
}

TEST(Queue, SwitchLatencyAndFrameOverheadAreAddedOnTheWay) {
  topology::UnderlayOptions options = one_switch(2, 10_Gbps, 64_KiB);
  options.switch_latency = 700_ns;
  NetworkOptions network = bare();
  network.frame_overhead = Bytes(38);
  PlainNetwork plain(options, network);
  ConstantRate traffic(plain);
  traffic.add({.flow = plain.open_udp(0, 1, 1), .start = Time::start(), .interval = 1_ms, .bytes = 1212, .packets = 1});
  traffic.start();
  plain.simulator.run();
  EXPECT_EQ(traffic.most_ps, (1_us * 4 + 700_ns).ps());  // 1,212 + 38 = 1,250 bytes on the wire
}

TEST(Queue, BurstWaitsInOrderAndTheLastOneLongest) {
  // 8 senders at once to one receiver: their packets meet at the switch at one moment; the k-th waits for k - 1 others.
  PlainNetwork plain(one_switch(9, 10_Gbps, 64_KiB), bare());
  ConstantRate traffic(plain);
  for (std::uint32_t h = 1; h <= 8; ++h) {
    traffic.add(
        {.flow = plain.open_udp(h, 0, 1), .start = Time::start(), .interval = 1_ms, .bytes = 1250, .packets = 1});
  }
  traffic.start();
  plain.simulator.run();
  EXPECT_EQ(traffic.least_ps, (1_us * 4).ps());
  EXPECT_EQ(traffic.most_ps, (1_us * 4 + 1_us * 7).ps());
  EXPECT_EQ(traffic.total_ps, (1_us * 32 + 1_us * 28).ps());  // 0 + 1 + … + 7 = 28
}

TEST(Queue, DropTailHoldsWhatTheBufferHolds) {
  // Room for 4 packets, the one in service included: of 8 that arrive at once, 4 are lost at the switch's port.
  PlainNetwork plain(one_switch(9, 10_Gbps, Bytes(4 * 1250)), bare());
  ConstantRate traffic(plain);
  for (std::uint32_t h = 1; h <= 8; ++h) {
    traffic.add(
        {.flow = plain.open_udp(h, 0, 1), .start = Time::start(), .interval = 1_ms, .bytes = 1250, .packets = 1});
  }
  traffic.start();
  plain.simulator.run();
  EXPECT_EQ(traffic.received, 4u);
  ASSERT_EQ(plain.network.drops().rows().size(), 1u);
  const DropRow& row = plain.network.drops().rows().front();
  EXPECT_EQ(row.reason, DropReason::queue_full);
  EXPECT_EQ(row.packets, 4u);
  EXPECT_EQ(row.bytes, 4u * 1250);
  EXPECT_EQ(plain.network.describe(row).where, "switch to node-1");
  EXPECT_TRUE(plain.network.audit().is_conserved());
}

TEST(Queue, OverloadedLinkCarriesItsRateAndLosesTheRest) {
  // D/D/1/K: two senders of 8 Gbit/s each into 10 Gbit/s. Over 10 ms the port carries 12,500,000 bytes = 10,000 packets
  // of 1,250 bytes; 16,000 are sent; besides those under way some 10 are still queued when the senders stop.
  PlainNetwork plain(one_switch(3, 10_Gbps, Bytes(10 * 1250)), bare());
  ConstantRate traffic(plain);
  for (std::uint32_t h = 1; h <= 2; ++h) {
    traffic.add({.flow = plain.open_udp(h, 0, 1),
                 .start = Time::start() + Duration::from_ns(static_cast<std::int64_t>(h)),
                 .interval = Duration::from_ns(1'250),
                 .bytes = 1250,
                 .packets = 8'000});
  }
  traffic.start();
  plain.simulator.run();
  EXPECT_NEAR(static_cast<double>(traffic.received), 10'010.0, 3.0);
  EXPECT_EQ(traffic.received + plain.network.drops().packets(DropReason::queue_full), 16'000u);
  EXPECT_LE(traffic.most_ps, (1_us * 4 + 1_us * 10).ps());  // never more than a buffer's worth of waiting
}

/// A Poisson source on one machine's NIC.
class PoissonSource {
 public:
  PoissonSource(PlainNetwork& plain, FlowHandle flow, Duration mean, std::uint32_t packets)
      : plain_(plain), flow_(flow), mean_(mean), packets_(packets) {
    kind_ = plain.simulator.on<&PoissonSource::emit>(*this, "poisson");
    source_ = plain.simulator.add_sources(1);
    plain.simulator.at(Time::start(), source_, kind_, 0);
  }
  void emit(std::uint32_t n) {
    const auto now = static_cast<std::uint64_t>(plain_.simulator.now().ps());
    plain_.network.send(flow_, {.kind = PacketKind::udp,
                                .flags = 0,
                                .bytes = 1250,
                                .segments = 1,
                                .seq = static_cast<std::uint32_t>(now),
                                .ack = static_cast<std::uint32_t>(now >> 32)});
    if (n + 1 < packets_) {
      const Duration gap = random::draw(3, random::Purpose("test/poisson"), n).exponential(mean_);
      plain_.simulator.at(plain_.simulator.now() + gap, source_, kind_, n + 1);
    }
  }

 private:
  PlainNetwork& plain_;
  FlowHandle flow_;
  Duration mean_;
  std::uint32_t packets_;
  des::Kind kind_;
  des::EventSource source_;
};

TEST(Queue, PoissonArrivalsWaitAsMD1) {
  // Pollaczek-Khinchine for constant service: Wq = rho s / (2 (1 - rho)). s = 1 µs, rho = 0.8: Wq = 2 µs. The queue is
  // the NIC; behind it packets are 1 µs apart and never wait again. Latency = 4 µs + Wq.
  PlainNetwork plain(one_switch(2, 10_Gbps, Bytes(1 << 30)), bare());
  ConstantRate sink(plain);
  PoissonSource source(plain, plain.open_udp(0, 1, 1), Duration::from_ns(1'250), 400'000);
  plain.simulator.run();
  ASSERT_EQ(sink.received, 400'000u);
  const double mean_us = static_cast<double>(sink.total_ps) / 400'000.0 * 1e-6;
  EXPECT_NEAR(mean_us, 6.0, 0.15);  // the standard error of 400,000 correlated waits is about 0.03 µs
}

TEST(Loss, LinkLosesItsShareAndTheSamePacketsEachTime) {
  topology::UnderlayOptions options = one_switch(2, 10_Gbps, 64_KiB);
  options.host_link.loss = 0.1;
  std::uint64_t fingerprints[2] = {};
  for (std::uint64_t& fingerprint : fingerprints) {
    PlainNetwork plain(options, bare());
    ConstantRate traffic(plain);
    traffic.add(
        {.flow = plain.open_udp(0, 1, 1), .start = Time::start(), .interval = 2_us, .bytes = 1250, .packets = 20'000});
    traffic.start();
    plain.simulator.run();
    // Two links: 1 - 0.9² = 0.19 of 20,000 = 3,800; the binomial's deviation is 55.
    EXPECT_NEAR(static_cast<double>(plain.network.drops().packets(DropReason::link_loss)), 3'800.0, 5 * 55.0);
    EXPECT_TRUE(plain.network.audit().is_conserved());
    fingerprint = plain.simulator.fingerprint().value();
  }
  EXPECT_EQ(fingerprints[0], fingerprints[1]);
}

TEST(OutputPort, SerialisationIsExactForRatesThatDivideEightTrillion) {
  for (const std::int64_t gbps : {1, 10, 25, 40, 50, 100, 200, 400}) {
    PlainNetwork plain(one_switch(1, BitRate::from_gbps(gbps), 64_KiB), bare());
    const OutputPort& port = plain.network.port(topology::PortId(0u));
    for (const std::uint32_t size : {1u, 40u, 64u, 1'030u, 1'538u, 65'536u, 16'000'000u}) {
      EXPECT_EQ(port.serialization(size), serialization_delay(Bytes(size), BitRate::from_gbps(gbps))) << gbps << size;
    }
  }
}

TEST(OutputPort, SerialisationAtOtherRatesIsAtMostAPicosecondLong) {
  for (const std::int64_t bps : {3'000'000'000L, 7'777'777'777L, 123'456'789L}) {
    PlainNetwork plain(one_switch(1, BitRate::from_bps(bps), 64_KiB), bare());
    const OutputPort& port = plain.network.port(topology::PortId(0u));
    for (const std::uint32_t size : {1u, 1'030u, 65'536u}) {
      const Duration exact = serialization_delay(Bytes(size), BitRate::from_bps(bps));
      EXPECT_GE(port.serialization(size), exact);
      EXPECT_LE(port.serialization(size), exact + Duration::from_ps(1));
    }
  }
}

}  // namespace
}  // namespace podwire::dataplane
