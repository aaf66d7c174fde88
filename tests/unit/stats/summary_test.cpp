#include "sim/stats/summary.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "sim/base/check.hpp"
#include "sim/base/id.hpp"
#include "sim/stats/counters.hpp"

namespace podwire::stats {
namespace {

Moments of(const std::vector<double>& values) {
  Moments moments;
  for (const double value : values) {
    moments.add(value);
  }
  return moments;
}

TEST(Moments, MatchAHandComputedSample) {
  // 2 4 4 4 5 5 7 9: mean 5, squared deviations 9 1 1 1 0 0 4 16 = 32, variance 32 / 7.
  const Moments moments = of({2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_DOUBLE_EQ(*moments.mean(), 5.0);
  EXPECT_DOUBLE_EQ(*moments.variance(), 32.0 / 7.0);
}

TEST(Moments, KeepTheirDigitsBesideALargeMean) {
  // The textbook formula E[x^2] - E[x]^2 has no correct digit here.
  const Moments moments = of({1e12 + 4, 1e12 + 7, 1e12 + 13, 1e12 + 16});
  EXPECT_DOUBLE_EQ(*moments.variance(), 30.0);  // deviations -6 -3 3 6: 90 / 3
}

TEST(Moments, RefuseWhatTooFewSamplesCannotTell) {
  EXPECT_EQ(Moments().mean(), std::nullopt);
  EXPECT_EQ(of({1}).variance(), std::nullopt);
  EXPECT_EQ(mean_interval(of({1})), std::nullopt);
  EXPECT_EQ(share_interval(0, 0), std::nullopt);
}

TEST(MeanInterval, MatchesStudentsTable) {
  // n = 5, mean 3, s^2 = 10 / 4; t(4, 97.5 %) = 2.776445 (any table): 2.776445 x sqrt(2.5 / 5) = 1.963243.
  const auto interval = mean_interval(of({1, 2, 3, 4, 5}));
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, 3 - 1.963243, 1e-6);
  EXPECT_NEAR(interval->high, 3 + 1.963243, 1e-6);
  // t(4, 99.5 %) = 4.604095.
  EXPECT_NEAR(mean_interval(of({1, 2, 3, 4, 5}), 0.99)->half_width(), 4.604095 * 0.7071068, 1e-5);
}

TEST(PairedInterval, CancelsWhatThePairsShare) {
  // Differences 1 2 3: mean 2, s = 1, t(2, 97.5 %) = 4.302653: +- 2.484138. The pairs' common part has no weight.
  const std::vector<double> a = {100, -50, 7};
  const std::vector<double> b = {101, -48, 10};
  const auto interval = paired_interval(a, b);
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->mean(), 2.0, 1e-12);
  EXPECT_NEAR(interval->half_width(), 2.484138, 1e-6);
  EXPECT_THROW(static_cast<void>(paired_interval(a, std::vector<double>{1.0})), BrokenContract);
}

TEST(ShareInterval, MatchesWilsonsFormula) {
  // 8 of 10, z = 1.959964: centre (0.8 + 0.1920729) / 1.3841459 = 0.7167401, half 1.959964 x sqrt(0.016 + 0.0096036) /
  // 1.3841459 = 0.2265720.
  const auto interval = share_interval(8, 10);
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, 0.490162, 1e-5);
  EXPECT_NEAR(interval->high, 0.943318, 1e-5);
}

TEST(ShareInterval, HoldsAtNoneAndAll) {
  EXPECT_EQ(share_interval(0, 100)->low, 0.0);
  EXPECT_GT(share_interval(0, 100)->high, 0.0);
  EXPECT_EQ(share_interval(100, 100)->high, 1.0);
  EXPECT_LT(share_interval(100, 100)->low, 1.0);
}

TEST(TimeWeighted, WeighsEachValueByHowLongItHeld) {
  const auto at = [](std::int64_t ns) { return Time::from_ps(ns * 1000); };
  TimeWeighted length;
  EXPECT_EQ(length.mean(at(0)), std::nullopt);
  length.set(at(10), 4);
  length.add(at(20), -3);
  EXPECT_DOUBLE_EQ(*length.mean(at(40)), (0 * 10 + 4 * 10 + 1 * 20) / 40.0);
  EXPECT_EQ(length.max(), 4);
  length.restart(at(40));
  length.set(at(50), 3);
  EXPECT_DOUBLE_EQ(*length.mean(at(60)), (1 * 10 + 3 * 10) / 20.0);
  EXPECT_EQ(length.max(), 3);
  EXPECT_THROW(length.set(at(49), 0), BrokenContract);
}

enum class Reason : std::uint8_t { policy, queue, lost };

TEST(Counters, CountByKeyAndMerge) {
  Counters<Reason> drops;
  drops.add(Reason::queue);
  drops.add(Reason::lost, 5);
  Counters<Reason> more;
  more.add(Reason::queue, 2);
  more.merge(drops);
  EXPECT_EQ(more[Reason::policy], 0u);
  EXPECT_EQ(more[Reason::queue], 3u);
  EXPECT_EQ(more[Reason::lost], 5u);
  EXPECT_EQ(more.total(), 8u);
  Counters<Id<struct PodTag>> by_pod;
  by_pod.add(Id<PodTag>(7u));
  EXPECT_EQ(by_pod[Id<PodTag>(7u)], 1u);
  EXPECT_EQ(by_pod[Id<PodTag>(8u)], 0u);
}

}  // namespace
}  // namespace podwire::stats
