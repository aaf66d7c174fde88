// Arrivals are functions of (seed, workload, number): their laws, and their independence of everything else.
#include "models/workload/arrivals.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace podwire::workload {
namespace {

constexpr Arrivals kPoisson{.kind = Arrivals::Kind::poisson, .per_second = 200.0};
constexpr Arrivals kConstant{.kind = Arrivals::Kind::constant, .per_second = 200.0};

std::vector<Time> first(std::size_t count, std::uint64_t seed, std::uint32_t workload, const Arrivals& arrivals) {
  ArrivalProcess process(seed, workload, arrivals);
  std::vector<Time> times;
  for (std::size_t i = 0; i < count; ++i) {
    times.push_back(process.next());
  }
  return times;
}

TEST(Arrivals, PoissonGapsHaveTheirMeanAndTheirSpread) {
  // 100,000 exponential gaps of mean 5 ms: the mean's standard error is 5 ms / sqrt(100,000) = 0.0158 ms, and that of
  // the standard deviation (whose square has a relative variance of 8 / n) is 5 ms × sqrt(8 / n) / 2 = 0.0224 ms.
  // Four of each.
  constexpr int kCount = 100'000;
  const std::vector<Time> times = first(kCount, 1, 0, kPoisson);
  double sum = 0.0;
  double squares = 0.0;
  Time last = Time::start();
  for (const Time time : times) {
    ASSERT_GT(time, last);
    const double gap = (time - last).seconds() * 1e3;
    sum += gap;
    squares += gap * gap;
    last = time;
  }
  const double mean = sum / kCount;
  EXPECT_NEAR(mean, 5.0, 4 * 0.0158);
  EXPECT_NEAR(std::sqrt(squares / kCount - mean * mean), 5.0, 4 * 0.0224);
}

TEST(Arrivals, PoissonCountsInDisjointSecondsVaryAsMuchAsTheirMean) {
  // 500 seconds of 200 arrivals each: variance / mean is 1, with a standard error of sqrt(2 / 500) = 0.063.
  std::vector<double> counts(500, 0.0);
  ArrivalProcess process(3, 0, kPoisson);
  for (Time time = process.next(); time < Time::start() + 500_s; time = process.next()) {
    counts[static_cast<std::size_t>(time.since_start().seconds())] += 1.0;
  }
  double mean = 0.0;
  for (const double count : counts) {
    mean += count / 500.0;
  }
  double variance = 0.0;
  for (const double count : counts) {
    variance += (count - mean) * (count - mean) / 499.0;
  }
  EXPECT_NEAR(variance / mean, 1.0, 4 * 0.063);
}

TEST(Arrivals, ConstantOnesKeepTheirDistanceFromAPhaseWithinTheFirstGap) {
  const std::vector<Time> times = first(1'000, 1, 0, kConstant);
  EXPECT_GE(times.front(), Time::start());
  EXPECT_LT(times.front(), Time::start() + 5_ms);
  for (std::size_t i = 1; i < times.size(); ++i) {
    ASSERT_EQ(times[i] - times[0], Duration::from_ms(5) * static_cast<std::int64_t>(i));
  }
}

TEST(Arrivals, LoopsOfOneRateDoNotMarchInStep) {
  std::set<std::int64_t> phases;
  for (std::uint32_t workload = 0; workload < 50; ++workload) {
    phases.insert(first(1, 1, workload, kConstant).front().ps());
  }
  EXPECT_EQ(phases.size(), 50u);
}

TEST(Arrivals, AreTheSameWhateverOtherLoopsDrawInBetween) {
  for (const Arrivals& arrivals : {kPoisson, kConstant}) {
    const std::vector<Time> alone = first(100, 9, 1, arrivals);
    ArrivalProcess other(9, 0, kPoisson);
    ArrivalProcess process(9, 1, arrivals);
    for (std::size_t i = 0; i < 100; ++i) {
      other.next();
      if (i % 3 == 0) {
        other.next();
      }
      ASSERT_EQ(process.next(), alone[i]) << i;
    }
    EXPECT_EQ(process.count(), 100u);
    EXPECT_NE(alone, first(100, 10, 1, arrivals)) << "another seed";
    EXPECT_NE(alone, first(100, 9, 2, arrivals)) << "another loop";
  }
}

TEST(Arrivals, ALoopThatHardlyEverAsksDoesNotOverflowTime) {
  ArrivalProcess process(1, 0, {.kind = Arrivals::Kind::poisson, .per_second = 1e-12});
  EXPECT_GE(process.next(), Time::start());
  EXPECT_GE(process.next(), Time::start());
}

}  // namespace
}  // namespace podwire::workload
