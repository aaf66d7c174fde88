// The event set against a naive oracle: a std::multimap over (time, source), which keeps the order of insertion among
// equal keys. Random schedules of every shape that could upset one of the tiers; a failure prints its seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sim/des/event_set.hpp"
#include "sim/random/draw.hpp"

namespace podwire::des {
namespace {

using random::Draw;
using random::Purpose;
using random::Stream;

class Oracle {
 public:
  void push(const Event& event) { events_.emplace(std::pair(event.time(), event.source()), event); }
  bool pop_before(Time limit, Event& event) {
    if (events_.empty() || events_.begin()->first.first >= limit) {
      return false;
    }
    event = events_.begin()->second;
    events_.erase(events_.begin());
    return true;
  }
  std::size_t size() const { return events_.size(); }
  void erase_if_odd_argument_from(Time from) {
    for (auto at = events_.begin(); at != events_.end();) {
      at = at->first.first >= from && at->second.argument() % 2 == 1 ? events_.erase(at) : std::next(at);
    }
  }

 private:
  std::multimap<std::pair<Time, EventSource>, Event> events_;
};

struct Shape {
  std::string name;
  std::uint32_t sources;
  std::size_t pending;  // about how many events are kept in the set
  std::function<std::int64_t(Draw&)> delay;
};

std::int64_t below_64(Draw& draw, std::int64_t limit) {
  return static_cast<std::int64_t>(draw.bits() % static_cast<std::uint64_t>(limit));
}

std::vector<Shape> shapes() {
  const auto of_power = [](Draw& draw) { return below_64(draw, std::int64_t{1} << draw.below(45)); };
  return {
      {"exponential", 1000, 3000, [](Draw& d) { return d.exponential(Duration::from_us(100)).ps(); }},
      {"zero delays", 50, 200, [](Draw&) { return std::int64_t{0}; }},
      {"zero delays, one source", 1, 2000, [](Draw&) { return std::int64_t{0}; }},
      {"zero delays, many pending", 100000, 5000, [](Draw&) { return std::int64_t{0}; }},
      {"ties", 8, 1000, [](Draw& d) { return std::int64_t{d.below(3)}; }},
      {"ties far away", 4, 3000, [](Draw& d) { return std::int64_t{d.below(3)} * 1'000'000'000'000; }},
      {"lockstep", 1000, 1000, [](Draw&) { return std::int64_t{1'000'000}; }},
      {"into the bucket being played", 100, 3000, [](Draw& d) { return std::int64_t{d.below(2000)}; }},
      {"network", 64, 2000,
       [](Draw& d) {
         const std::uint32_t pick = d.below(100);
         return pick < 50   ? std::int64_t{1'824'000}
                : pick < 95 ? std::int64_t{1'206'000}
                : pick < 99 ? std::int64_t{0}
                            : std::int64_t{200'000'000'000};
       }},
      {"bimodal", 300, 4000,
       [](Draw& d) { return d.below(10) < 9 ? below_64(d, 1000) : 3'600'000'000'000'000 + below_64(d, 1000); }},
      {"every magnitude", 300, 1000, of_power},
      {"every magnitude, few pending", 3, 3, of_power},
      {"one pending", 1, 1, of_power},
      {"skewed to now", 20, 3000,
       [](Draw& d) { return static_cast<std::int64_t>(1e15 / (1.0 + 1e15 * d.uniform() * d.uniform())); }},
      {"geometric clusters", 20, 5000,
       [](Draw& d) { return (std::int64_t{1} << (4 * d.below(11))) + std::int64_t{d.below(4)}; }},
  };
}

// Plays `turns` pops on both; every pop puts about one event back so that the number pending hovers around the shape's,
// in waves between half and twice of it.
void compare(const Shape& shape, EventSet::Layout layout, std::uint64_t seed, int turns) {
  SCOPED_TRACE(shape.name + ", seed " + std::to_string(seed));
  EventSet events(layout);
  Oracle oracle;
  Draw draw = random::draw(seed, Purpose("test/event-set"), 0);
  std::int64_t now = 0;
  std::uint32_t argument = 0;
  const auto push = [&](std::int64_t delay) {
    // No run comes near the end of time; a longer delay is cut there.
    const std::int64_t time = std::min(Time::never().ps() - 1, now + std::min(delay, Time::never().ps() - 1 - now));
    const Event event(Time::from_ps(time), EventSource(draw.below(shape.sources)), Kind(draw.below(64)), argument++);
    events.push(event);
    oracle.push(event);
  };
  for (int turn = 0; turn < turns; ++turn) {
    const std::size_t wave = (turn / 5000) % 2 == 0 ? shape.pending / 2 : shape.pending * 2;
    const std::uint32_t pushes = oracle.size() < wave ? draw.below(4) : draw.below(2);
    for (std::uint32_t i = 0; i < pushes + (oracle.size() == 0 ? 1 : 0); ++i) {
      push(shape.delay(draw));
    }
    // Sometimes the run halts before a limit, as run_until does, and more arrives before what is next.
    const Time limit =
        draw.below(8) == 0 ? Time::from_ps(now) + Duration::from_ps(shape.delay(draw) / 2) : Time::never();
    Event expected;
    Event popped;
    const bool is_expected = oracle.pop_before(limit, expected);
    ASSERT_EQ(events.pop_before(limit, popped), is_expected) << "turn " << turn;
    if (is_expected) {
      ASSERT_EQ(popped, expected) << "turn " << turn << " at " << now;
      now = popped.time().ps();
    } else if (limit != Time::never()) {
      now = std::max(now, limit.ps());
    }
    ASSERT_EQ(events.size(), oracle.size());
  }
  Event expected;
  Event popped;
  while (oracle.pop_before(Time::never(), expected)) {
    ASSERT_TRUE(events.pop_before(Time::never(), popped));
    ASSERT_EQ(popped, expected);
  }
  EXPECT_FALSE(events.pop_before(Time::never(), popped));
  EXPECT_TRUE(events.empty());
}

TEST(EventSetOrder, IsTheOraclesOnRandomSchedules) {
  for (const Shape& shape : shapes()) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      compare(shape, EventSet::Layout::two_tiers, seed, 20'000);
    }
  }
}

TEST(EventSetOrder, IsTheOraclesInAPlainHeap) {
  for (const Shape& shape : shapes()) {
    compare(shape, EventSet::Layout::plain_heap, 9, 10'000);
  }
}

// The density changes by orders of magnitude within one run, so that the width has to follow in both directions.
TEST(EventSetOrder, HoldsWhileTheWidthAdapts) {
  EventSet events;
  Oracle oracle;
  const std::uint64_t seed = 77;
  Draw draw = random::draw(seed, Purpose("test/event-set"), 1);
  std::int64_t now = 0;
  unsigned narrowest = 64;
  unsigned widest = 0;
  std::uint32_t argument = 0;
  for (const std::int64_t mean_ps : {1'000'000LL, 100LL, 1'000'000'000LL, 10'000LL, 100'000'000'000LL, 1'000LL}) {
    for (int turn = 0; turn < 60'000; ++turn) {
      for (std::uint32_t i = oracle.size() < 2'000 ? 2 : 1; i > 0; --i) {
        const Time time = Time::from_ps(now + draw.exponential(Duration::from_ps(mean_ps)).ps());
        const EventSource source(draw.below(100));  // drawn after the time: compilers order arguments as they like
        const Event event(time, source, Kind(), argument++);
        events.push(event);
        oracle.push(event);
      }
      Event expected;
      Event popped;
      ASSERT_TRUE(oracle.pop_before(Time::never(), expected));
      ASSERT_TRUE(events.pop_before(Time::never(), popped));
      ASSERT_EQ(popped, expected) << "seed " << seed << " turn " << turn << " mean " << mean_ps;
      now = popped.time().ps();
      narrowest = std::min(narrowest, events.width_bits());
      widest = std::max(widest, events.width_bits());
    }
  }
  // 2,000 events over 10 ns need no wider bucket than 2^14 ps (16 ns), over 100 ms, one in 50 us, no narrower one than
  // 2^22 ps (4 us). While they lie within 100 ps or 1 ns, the bucket being played may outlast the turns, and its width
  // is judged only when it has ended.
  EXPECT_LE(narrowest, 14u);
  EXPECT_GE(widest, 22u);
}

TEST(EventSetOrder, SurvivesSweepsOfTheFarTier) {
  const std::uint64_t seed = 5;
  EventSet events;
  Oracle oracle;
  Draw draw = random::draw(seed, Purpose("test/event-set"), 2);
  std::int64_t now = 0;
  std::uint32_t argument = 0;
  std::size_t swept = 0;
  for (int turn = 0; turn < 100'000; ++turn) {
    for (std::uint32_t i = draw.below(oracle.size() < 3'000 ? 4 : 2); i > 0; --i) {
      // Half near, half 10 ms to 20 ms away, where no width that 3,000 events ask for reaches.
      const std::int64_t delay =
          draw.below(2) == 0 ? std::int64_t{draw.below(2'000'000)} : 10'000'000'000 + below_64(draw, 10'000'000'000);
      const Event event(Time::from_ps(now + delay), EventSource(draw.below(10)), Kind(), argument++);
      events.push(event);
      oracle.push(event);
    }
    if (turn % 1'000 == 999) {
      // The oracle knows no tiers: it takes the dead events out of all, the set those it meets when they come up.
      swept += events.sweep_far([](const Event& event) { return event.argument() % 2 == 1; });
      oracle.erase_if_odd_argument_from(Time::start());
      std::vector<Event> kept;
      Event popped;
      Event expected;
      const Time until = Time::from_ps(now + 1'000'000);
      while (events.pop_before(until, popped)) {
        if (popped.argument() % 2 == 1) {
          continue;
        }
        ASSERT_TRUE(oracle.pop_before(until, expected));
        ASSERT_EQ(popped, expected) << "seed " << seed << " turn " << turn;
      }
      ASSERT_FALSE(oracle.pop_before(until, expected));
      now = until.ps();
    }
  }
  EXPECT_GT(swept, 1'000u);
}

}  // namespace
}  // namespace podwire::des
