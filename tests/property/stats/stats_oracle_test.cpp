// Histograms and moments against the sorted sample itself, on random samples; a failure prints its seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "sim/random/draw.hpp"
#include "sim/stats/histogram.hpp"
#include "sim/stats/summary.hpp"

namespace podwire::stats {
namespace {

using random::Draw;
using random::Purpose;

std::vector<std::int64_t> sample(std::uint64_t seed, Draw& draw) {
  std::vector<std::int64_t> values(20 + draw.below(5'000));
  for (std::int64_t& value : values) {
    switch (seed % 4) {
      case 0:
        value = static_cast<std::int64_t>(draw.bits() >> (1 + draw.below(63)));
        break;
      case 1:
        value = draw.lognormal(Duration::from_us(200), 1.5).ps();
        break;
      case 2:
        value = draw.below(40);
        break;
      default:
        value = draw.exponential(Duration::from_ns(50)).ns();
    }
  }
  return values;
}

TEST(HistogramOracle, PercentilesAreWithinTheStatedErrorOrRefusedByTheRule) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Draw draw = random::draw(seed, Purpose("test/histogram"), 0);
    std::vector<std::int64_t> values = sample(seed, draw);
    Histogram histogram;
    for (const std::int64_t value : values) {
      histogram.add(value);
    }
    std::sort(values.begin(), values.end());
    const auto n = static_cast<double>(values.size());
    for (const double q : {0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999}) {
      const auto told = histogram.percentile(q);
      ASSERT_EQ(told.has_value(), n * std::min(q, 1 - q) >= 10.0 - 1e-6) << "seed " << seed << " q " << q << " n " << n;
      if (told) {
        const std::int64_t exact = values[static_cast<std::size_t>(std::ceil(q * n - 1e-6)) - 1];
        ASSERT_LE(std::abs(*told - exact), exact / 256 + (exact < 256 ? 0 : 1)) << "seed " << seed << " q " << q;
      }
    }
    EXPECT_EQ(histogram.min(), values.front());
    EXPECT_EQ(histogram.max(), values.back());
  }
}

TEST(HistogramOracle, MergingPartsInAnyOrderIsAddingAll) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Draw draw = random::draw(seed, Purpose("test/histogram"), 1);
    const std::vector<std::int64_t> values = sample(seed, draw);
    Histogram all;
    std::vector<Histogram> parts(3);
    for (std::size_t i = 0; i < values.size(); ++i) {
      all.add(values[i]);
      parts[i % 3].add(values[i]);
    }
    Histogram forwards;
    Histogram backwards;
    for (std::size_t i = 0; i < 3; ++i) {
      forwards.merge(parts[i]);
      backwards.merge(parts[2 - i]);
    }
    EXPECT_EQ(forwards, all) << "seed " << seed;
    EXPECT_EQ(backwards, all) << "seed " << seed;
  }
}

TEST(MomentsOracle, AreTheTwoPassFormulasWholeOrMerged) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Draw draw = random::draw(seed, Purpose("test/moments"), 0);
    std::vector<double> values(2 + draw.below(1'000));
    Moments all;
    Moments left;
    Moments right;
    const double centre = 1e6 * draw.normal();
    for (double& value : values) {
      value = centre + draw.normal();
      all.add(value);
      (draw.below(3) == 0 ? left : right).add(value);
    }
    left.merge(right);
    const auto n = static_cast<long double>(values.size());
    long double mean = 0;
    for (const double value : values) {
      mean += value / n;
    }
    long double squares = 0;
    for (const double value : values) {
      squares += (value - mean) * (value - mean);
    }
    const auto variance = static_cast<double>(squares / (n - 1));
    for (const Moments& moments : {all, left}) {
      ASSERT_NEAR(*moments.mean(), static_cast<double>(mean), 1e-9 * std::abs(centre)) << "seed " << seed;
      ASSERT_NEAR(*moments.variance(), variance, 1e-7 * variance) << "seed " << seed;
    }
  }
}

TEST(MeanIntervalOracle, CoversTheMeanAsOftenAsItClaims) {
  // 4,000 samples of 8 normals: the 90 % interval covers in 3,600 +- 4 x sqrt(4000 x 0.9 x 0.1) = 76.
  const std::uint64_t seed = 3;
  int covered = 0;
  for (std::uint64_t trial = 0; trial < 4'000; ++trial) {
    Draw draw = random::draw(seed, Purpose("test/coverage"), trial);
    Moments moments;
    for (int i = 0; i < 8; ++i) {
      moments.add(5 + draw.normal());
    }
    const auto interval = mean_interval(moments, 0.9);
    covered += interval->low <= 5 && 5 <= interval->high ? 1 : 0;
  }
  EXPECT_NEAR(covered, 3'600, 76) << "seed " << seed;
}

}  // namespace
}  // namespace podwire::stats
