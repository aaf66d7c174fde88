// Packet-hops a second. Plain UDP: 64 machines on a leaf-spine of 8 × 8 with 4 spines at 10/40 Gbit/s, 1,030-byte
// packets every 8 µs from each, ECMP, drop-tail; the case of the engines' comparison, played by the network that pods
// use, its machines' work taking no time. An item is one link traversal. Deliveries are counted and hashed.
#include <benchmark/benchmark.h>

#include "tests/support/plain_network.hpp"

namespace podwire::dataplane {
namespace {

topology::UnderlayOptions fabric(std::uint32_t hosts) {
  topology::UnderlayOptions options;
  options.preset = topology::Preset::leaf_spine;
  options.hosts = hosts;
  options.leaves = hosts / 8;
  options.spines = 4;
  options.fabric_link.rate = 40_Gbps;
  options.host_link.propagation = 1_us;
  options.fabric_link.propagation = 1_us;
  return options;
}

/// state.range(0) machines, each sending 10,000 packets (fewer in larger fabrics).
void BM_PlainUdp(benchmark::State& state) {
  const auto hosts = static_cast<std::uint32_t>(state.range(0));
  const std::uint64_t packets = 640'000 / hosts;
  std::uint64_t hops = 0;
  for (auto _ : state) {
    state.PauseTiming();
    NetworkOptions options;
    options.frame_overhead = Bytes(0);
    options.tracks_connections = false;
    auto plain = std::make_unique<PlainNetwork>(fabric(hosts), options);
    ConstantRate traffic(*plain);
    for (std::uint32_t h = 0; h < hosts; ++h) {
      traffic.add({.flow = plain->open_udp(h, (h + 17) % hosts, static_cast<std::uint16_t>(1'000 + h % 1'000)),
                   .start = Time::start() + Duration::from_ns(static_cast<std::int64_t>((h * 2'654'435'761u) % 8'000)),
                   .interval = 8_us,
                   .bytes = 1030,
                   .packets = packets});
    }
    traffic.start();
    state.ResumeTiming();
    plain->simulator.run();
    state.PauseTiming();
    hops += plain->network.counts().hops;
    plain.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(hops));
}
BENCHMARK(BM_PlainUdp)->Arg(64)->Arg(512)->Arg(4096)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace podwire::dataplane

BENCHMARK_MAIN();
