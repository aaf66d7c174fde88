// A small network of FIFO servers, timers, zero delays and random routes, played with the event set and with a plain
// heap in its place: the fingerprint must be the same, and the same as it has always been, whatever the compiler and
// preset.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "sim/des/fifo_server.hpp"
#include "sim/des/simulator.hpp"
#include "sim/random/draw.hpp"

namespace podwire::des {
namespace {

using namespace podwire::literals;

constexpr std::uint32_t kNodes = 40;
constexpr std::uint32_t kPackets = 2'000;

// Packets wander over nodes for a number of hops; each has a timer that every hop pushes back and that fires when the
// packet was lost. Node 0 hands on without delay.
class Wanderers {
 public:
  Wanderers(Simulator& simulator, std::uint64_t seed)
      : simulator_(simulator),
        routes_(seed, random::Purpose("test/route")),
        services_(seed, random::Purpose("test/service")),
        servers_(kNodes, FifoServer::limited_by_time(3_us)),
        hops_(kPackets, 0),
        timers_(kPackets) {
    arrive_ = simulator.on<&Wanderers::arrive>(*this, "arrive");
    lost_ = simulator.on<&Wanderers::on_lost>(*this, "lost");
    nodes_ = simulator.add_sources(kNodes);
    packets_ = simulator.add_sources(kPackets);
    for (std::uint32_t packet = 0; packet < kPackets; ++packet) {
      simulator.at(Time::from_ps(packet % 16), nodes_, arrive_, packet);
    }
  }

  void arrive(std::uint32_t packet) {
    const std::uint32_t hop = hops_[packet]++;
    random::Draw route = routes_.draw(packet, hop);
    const std::uint32_t node = route.below(kNodes);
    if (hop == 200) {
      simulator_.cancel(timers_[packet]);
      simulator_.fingerprint().add(1, simulator_.now(), packet, hop);
      return;
    }
    simulator_.arm(timers_[packet], simulator_.now() + 1_ms, packets_.plus(packet), lost_, packet);
    if (node == 0) {
      simulator_.at(simulator_.now(), nodes_, arrive_, packet);
      return;
    }
    const Duration work = services_.draw(packet, hop).exponential(30_ns);
    const Booking booking = servers_[node].book(simulator_.now(), work);
    if (!booking.is_accepted) {
      simulator_.fingerprint().add(2, simulator_.now(), packet, node);
      return;  // the timer brings the packet back
    }
    simulator_.at(booking.finish + 1_us, nodes_.plus(node), arrive_, packet);
  }
  void on_lost(std::uint32_t packet) {
    simulator_.fingerprint().add(3, simulator_.now(), packet);
    simulator_.call(arrive_, packet);
  }

 private:
  Simulator& simulator_;
  random::Stream routes_;
  random::Stream services_;
  std::vector<FifoServer> servers_;
  std::vector<std::uint32_t> hops_;
  std::vector<Timer> timers_;
  Kind arrive_;
  Kind lost_;
  EventSource nodes_;
  EventSource packets_;
};

struct Outcome {
  std::uint64_t fingerprint;
  std::uint64_t items;
  std::uint64_t events;
  bool operator==(const Outcome&) const = default;
};

Outcome play(std::uint64_t seed, bool plain_heap, Duration slice) {
  Simulator simulator({.seed = seed, .plain_heap = plain_heap});
  Wanderers wanderers(simulator, seed);
  for (Time end = Time::start() + slice; simulator.pending() > 0; end += slice) {
    simulator.run_until(end);
  }
  return {simulator.fingerprint().value(), simulator.fingerprint().items(), simulator.event_count()};
}

TEST(FingerprintOfARun, IsTheSameWithAPlainHeapAndHoweverTheRunIsSliced) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Outcome outcome = play(seed, false, 1_s);
    EXPECT_GE(outcome.items, kPackets) << "every packet arrives in the end";
    EXPECT_EQ(outcome, play(seed, true, 1_s)) << "seed " << seed;
    EXPECT_EQ(outcome, play(seed, false, 777_ns)) << "seed " << seed;
  }
}

TEST(FingerprintOfARun, IsTheSameOnEveryCompilerAndPreset) {
  const Outcome outcome = play(1, false, 1_s);
  EXPECT_EQ(outcome.fingerprint, 7477145322079237542u) << "items " << outcome.items << " events " << outcome.events;
}

TEST(FingerprintOfARun, DiffersBetweenSeeds) {
  EXPECT_NE(play(1, false, 1_s).fingerprint, play(2, false, 1_s).fingerprint);
}

}  // namespace
}  // namespace podwire::des
