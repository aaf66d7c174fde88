// The case that ns-3, OMNeT++ and a bare loop agree on to the nanosecond (documented in docs/models.md): constant-rate
// UDP between 64 machines of a leaf-spine.
#include <gtest/gtest.h>

#include "tests/support/plain_network.hpp"

namespace podwire::dataplane {
namespace {

constexpr std::uint32_t kHosts = 64;

topology::UnderlayOptions fabric() {
  topology::UnderlayOptions options;
  options.preset = topology::Preset::leaf_spine;
  options.hosts = kHosts;
  options.leaves = 8;
  options.spines = 4;
  options.host_link.rate = 10_Gbps;
  options.fabric_link.rate = 40_Gbps;
  options.host_link.propagation = 1_us;
  options.fabric_link.propagation = 1_us;
  return options;
}

struct Outcome {
  std::uint64_t received;
  std::int64_t mean_ps;
  std::int64_t most_ps;
  std::uint64_t fingerprint;
  PacketCounts counts;
};

Outcome play(std::uint64_t packets, bool plain_heap) {
  NetworkOptions options;
  options.frame_overhead = Bytes(0);
  options.uses_ecmp = false;  // all over spine 0
  options.tracks_connections = false;
  PlainNetwork plain(fabric(), options, {.seed = 0, .plain_heap = plain_heap});
  ConstantRate traffic(plain);
  std::uint64_t state = 777;
  for (std::uint32_t h = 0; h < kHosts; ++h) {
    state += 0xa0761d6478bd642fu;
    const unsigned __int128 product = static_cast<unsigned __int128>(state) * (state ^ 0xe7037ed1a0b428dbu);
    const std::uint64_t r = static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
    traffic.add({.flow = plain.open_udp(h, (h + 17) % kHosts, 9),
                 .start = Time::start() + 1_ms + Duration::from_ns(static_cast<std::int64_t>(r % 8000)),
                 .interval = 8_us,
                 .bytes = 1030,
                 .packets = packets});
  }
  traffic.start();
  plain.simulator.run();
  return {traffic.received, traffic.total_ps / static_cast<std::int64_t>(traffic.received), traffic.most_ps,
          plain.simulator.fingerprint().value(), plain.network.audit()};
}

TEST(LeafSpine, MeanAndMaximumLatencyAreThoseOfFourEngines) {
  const Outcome outcome = play(10'000, false);
  EXPECT_EQ(outcome.received, kHosts * 10'000u);
  EXPECT_EQ((outcome.mean_ps + 50) / 100, 60'940);       // 6.0940 us, the four digits that were published
  EXPECT_EQ(outcome.most_ps, 6'585'000);                 // 6.585 us, to the nanosecond
  EXPECT_EQ(outcome.counts.hops, kHosts * 10'000u * 4);  // host, leaf, spine, leaf: four links a packet
  EXPECT_TRUE(outcome.counts.is_conserved());
  EXPECT_EQ(outcome.counts.in_flight, 0u);
}

TEST(LeafSpine, FingerprintIsTheSameWithAHeapInTheEventSetsPlace) {
  const Outcome two_tiers = play(300, false);
  const Outcome heap = play(300, true);
  EXPECT_EQ(two_tiers.fingerprint, heap.fingerprint);
  EXPECT_EQ(two_tiers.mean_ps, heap.mean_ps);
}

}  // namespace
}  // namespace podwire::dataplane
