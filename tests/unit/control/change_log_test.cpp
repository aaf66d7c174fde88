// The change log's one law: applied(n, k) = max(applied(n, k - 1), made(k) + delay(n, k)).
#include "models/control/change_log.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace podwire::control {
namespace {

Time at_ms(std::int64_t ms) {
  return Time::start() + Duration::from_ms(ms);
}

TEST(ChangeLog, InitialStateIsAppliedEverywhereAtTheStart) {
  ChangeLog log(3);
  for (std::uint32_t n = 0; n < 3; ++n) {
    EXPECT_EQ(log.version(n, Time::start()), 0u);
    EXPECT_EQ(log.applied(n, 0), Time::start());
  }
  EXPECT_EQ(log.slowest(at_ms(100)), 0u);
}

TEST(ChangeLog, EachObserverMovesAfterItsOwnDelay) {
  ChangeLog log(2);
  log.append(at_ms(10), std::vector<Duration>{Duration::from_ms(5), Duration::from_ms(50)});
  EXPECT_EQ(log.version(0, at_ms(14)), 0u);
  EXPECT_EQ(log.version(0, at_ms(15)), 1u);  // made at 10, 5 later
  EXPECT_EQ(log.version(1, at_ms(59)), 0u);
  EXPECT_EQ(log.slowest(at_ms(59)), 0u);
  EXPECT_EQ(log.version(1, at_ms(60)), 1u);
  EXPECT_EQ(log.slowest(at_ms(60)), 1u);
}

TEST(ChangeLog, LaterChangeNeverOvertakesAnEarlierOne) {
  ChangeLog log(1);
  log.append(at_ms(10), std::vector<Duration>{Duration::from_ms(100)});
  log.append(at_ms(20), std::vector<Duration>{Duration::from_ms(1)});
  EXPECT_EQ(log.applied(0, 2), at_ms(110));  // max(110, 21)
  EXPECT_EQ(log.version(0, at_ms(109)), 0u);
  EXPECT_EQ(log.version(0, at_ms(110)), 2u);  // both at once
}

TEST(ChangeLog, CursorsAgreeWithTheRecursionOnRandomLogs) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const std::uint32_t observers = 4;
    ChangeLog log(observers);
    std::vector<std::vector<std::int64_t>> applied(observers, {0});
    std::int64_t made = 0;
    for (int k = 1; k <= 30; ++k) {
      made += random() % 20;
      std::vector<Duration> delays;
      for (std::uint32_t n = 0; n < observers; ++n) {
        const std::int64_t delay = random() % 60;
        delays.push_back(Duration::from_ms(delay));
        applied[n].push_back(std::max(applied[n].back(), made + delay));
      }
      log.append(at_ms(made), delays);
    }
    for (std::int64_t t = 0; t < 800; ++t) {
      for (std::uint32_t n = 0; n < observers; ++n) {
        const auto reached = std::upper_bound(applied[n].begin(), applied[n].end(), t) - applied[n].begin() - 1;
        ASSERT_EQ(log.version(n, at_ms(t)), reached) << "observer " << n << " at " << t << " ms";
      }
    }
  }
}

}  // namespace
}  // namespace podwire::control
