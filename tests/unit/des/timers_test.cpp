#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "sim/des/simulator.hpp"

namespace podwire::des {
namespace {

using namespace podwire::literals;

struct Fired {
  std::int64_t ps;
  std::uint32_t argument;
  bool operator==(const Fired&) const = default;
};

class TimersTest : public testing::Test {
 protected:
  void SetUp() override {
    kind = simulator.on<&TimersTest::fire>(*this);
    step = simulator.on<&TimersTest::on_step>(*this);
  }
  void fire(std::uint32_t argument) { fired.push_back({simulator.now().ps(), argument}); }
  void on_step(std::uint32_t argument) { then(argument); }
  void arm(Timer& timer, std::int64_t ps, std::uint32_t argument) {
    simulator.arm(timer, Time::from_ps(ps), EventSource(1), kind, argument);
  }

  Simulator simulator;
  Kind kind;
  Kind step;
  std::vector<Fired> fired;
  std::function<void(std::uint32_t)> then;
};

TEST_F(TimersTest, FiresOnceAtItsTime) {
  Timer timer;
  EXPECT_FALSE(simulator.is_armed(timer));
  arm(timer, 100, 7);
  EXPECT_TRUE(simulator.is_armed(timer));
  EXPECT_EQ(simulator.deadline(timer), Time::from_ps(100));
  simulator.run();
  EXPECT_EQ(fired, (std::vector<Fired>{{100, 7}}));
  EXPECT_FALSE(simulator.is_armed(timer));
  EXPECT_EQ(simulator.deadline(timer), Time::never());
  EXPECT_EQ(simulator.event_count(), 1u);
}

TEST_F(TimersTest, CancelledDoesNotFire) {
  Timer timer;
  Timer other;
  arm(timer, 100, 1);
  arm(other, 100, 2);
  simulator.cancel(timer);
  EXPECT_FALSE(simulator.is_armed(timer));
  simulator.run();
  EXPECT_EQ(fired, (std::vector<Fired>{{100, 2}}));
  EXPECT_EQ(simulator.event_count(), 1u);
}

TEST_F(TimersTest, MovedLaterFiresLaterAndNeedsNoEventOfItsOwn) {
  Timer timer;
  arm(timer, 100, 1);
  for (std::int64_t ps = 101; ps <= 1'000; ++ps) {
    arm(timer, ps, 2);
  }
  EXPECT_EQ(simulator.pending(), 1u);
  simulator.run_until(Time::from_ps(1'000));
  EXPECT_TRUE(fired.empty());
  EXPECT_EQ(simulator.pending(), 1u);
  simulator.run();
  EXPECT_EQ(fired, (std::vector<Fired>{{1'000, 2}}));
}

TEST_F(TimersTest, MovedEarlierFiresEarlierAndOnlyThen) {
  Timer timer;
  arm(timer, 1'000, 1);
  arm(timer, 100, 2);
  EXPECT_EQ(simulator.deadline(timer), Time::from_ps(100));
  simulator.run();
  EXPECT_EQ(fired, (std::vector<Fired>{{100, 2}}));
}

TEST_F(TimersTest, AStaleHandleReachesNobodyElsesTimer) {
  Timer first;
  arm(first, 100, 1);
  const Timer stale = first;
  simulator.run();
  Timer second;
  arm(second, 200, 2);  // takes over the node
  EXPECT_EQ(second.node, stale.node);
  EXPECT_FALSE(simulator.is_armed(stale));
  Timer copy = stale;
  simulator.cancel(copy);
  EXPECT_TRUE(simulator.is_armed(second));
  simulator.run();
  EXPECT_EQ(fired, (std::vector<Fired>{{100, 1}, {200, 2}}));
}

TEST_F(TimersTest, MayBeArmedAgainFromItsOwnHandler) {
  Timer timer;
  then = [&](std::uint32_t argument) {
    EXPECT_FALSE(simulator.is_armed(timer));
    fired.push_back({simulator.now().ps(), argument});
    if (argument > 0) {
      simulator.arm(timer, simulator.now() + 10_ps, EventSource(1), step, argument - 1);
    }
  };
  simulator.arm(timer, Time::from_ps(10), EventSource(1), step, 2);
  simulator.run();
  EXPECT_EQ(fired, (std::vector<Fired>{{10, 2}, {20, 1}, {30, 0}}));
}

TEST_F(TimersTest, AnEventAtTheSameTimeAndSourceKeepsItsPlace) {
  Timer timer;
  simulator.at(Time::from_ps(100), EventSource(1), kind, 1);
  arm(timer, 100, 2);
  simulator.at(Time::from_ps(100), EventSource(1), kind, 3);
  simulator.run();
  EXPECT_EQ(fired, (std::vector<Fired>{{100, 1}, {100, 2}, {100, 3}}));
}

TEST_F(TimersTest, SweepKeepsTheDeadBelowHalfOfTheFarTier) {
  // 10,000 timers a second away, while others are moved and cancelled: each new connection cancels an old one's timer.
  constexpr std::size_t kTimers = 10'000;
  constexpr std::int64_t kSecond = 1'000'000'000'000;
  std::vector<Timer> timers(kTimers);
  for (std::size_t i = 0; i < kTimers; ++i) {
    arm(timers[i], kSecond + static_cast<std::int64_t>(i), static_cast<std::uint32_t>(i));
  }
  std::size_t most = 0;
  for (std::size_t round = 1; round <= 20; ++round) {
    for (std::size_t i = 0; i < kTimers; ++i) {
      simulator.cancel(timers[i]);
      arm(timers[i], kSecond + static_cast<std::int64_t>(round * kTimers + i), static_cast<std::uint32_t>(i));
      most = std::max(most, simulator.pending());
    }
  }
  // Live and as many dead again, and the least number that a sweep waits for.
  EXPECT_LE(most, 2 * kTimers + 512);
  simulator.run();
  ASSERT_EQ(fired.size(), kTimers);
  for (std::size_t i = 0; i < kTimers; ++i) {
    EXPECT_EQ(fired[i], (Fired{kSecond + static_cast<std::int64_t>(20 * kTimers + i), static_cast<std::uint32_t>(i)}));
  }
}

TEST_F(TimersTest, ALastCancelLeavesAlmostNothingPending) {
  std::vector<Timer> timers(5'000);
  for (Timer& timer : timers) {
    arm(timer, 1'000'000'000'000, 0);
  }
  for (Timer& timer : timers) {
    simulator.cancel(timer);
  }
  EXPECT_LE(simulator.pending(), 512u);
  simulator.run();
  EXPECT_TRUE(fired.empty());
  EXPECT_EQ(simulator.event_count(), 0u);
}

}  // namespace
}  // namespace podwire::des
