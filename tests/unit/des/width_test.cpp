#include <gtest/gtest.h>

#include <random>

#include "sim/des/event_set.hpp"

namespace podwire::des {
namespace {

/// Pops and pushes again `count` times, each `least` to twice `least` picoseconds later.
void hold(EventSet& set, std::mt19937_64& random, int count, std::uint64_t least) {
  Event event;
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(set.pop_before(Time::never(), event));
    const auto delay = static_cast<std::int64_t>(least + random() % least);
    set.push(Event(event.time() + Duration::from_ps(delay), event.source(), event.kind(), event.argument()));
  }
}

// 100 events that wait 1.5 us on average are 67 a microsecond. A bucket of 2^21 ps is longer than most delays, so that
// most insertions would search the run being played; one of 2^20 ps is nearly as short as the shortest.
TEST(EventSetWidth, IsNotLeftWiderThanTheDelays) {
  std::mt19937_64 random(3);
  EventSet set;
  for (std::uint32_t i = 0; i < 16; ++i) {  // few and far between at first: the width grows
    set.push(Event(Time::from_ps(std::int64_t{i} * 50'000'000), EventSource(i), Kind(), i));
  }
  hold(set, random, 100'000, 50'000'000);
  ASSERT_GT(set.width_bits(), 21u);
  for (std::uint32_t i = 0; i < 84; ++i) {
    Event event;
    ASSERT_TRUE(set.pop_before(Time::never(), event));
    set.push(event);
    set.push(Event(event.time(), EventSource(16 + i), Kind(), 16 + i));
  }
  hold(set, random, 200'000, 1'000'000);
  EXPECT_EQ(set.size(), 100u);
  EXPECT_LE(set.width_bits(), 20u);
}

}  // namespace
}  // namespace podwire::des
