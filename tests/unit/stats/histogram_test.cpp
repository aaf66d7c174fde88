#include "sim/stats/histogram.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "sim/base/check.hpp"

namespace podwire::stats {
namespace {

TEST(Histogram, EmptyTellsNothing) {
  const Histogram histogram;
  EXPECT_EQ(histogram.min(), std::nullopt);
  EXPECT_EQ(histogram.max(), std::nullopt);
  EXPECT_EQ(histogram.mean(), std::nullopt);
  EXPECT_EQ(histogram.percentile(0.5), std::nullopt);
  EXPECT_EQ(histogram.percentile(1.0), std::nullopt);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (std::int64_t value = 0; value < 256; ++value) {
    histogram.add(value);
  }
  // The sample of rank ceil(q n): n = 256.
  EXPECT_EQ(histogram.percentile(0.5), 127);   // rank 128
  EXPECT_EQ(histogram.percentile(0.25), 63);   // rank 64
  EXPECT_EQ(histogram.percentile(0.95), 243);  // 243.2, rank 244
  EXPECT_EQ(histogram.mean(), 127.5);
}

TEST(Histogram, RefusesPercentilesTheSampleCannotSupport) {
  Histogram histogram;
  histogram.add(5, 19);
  EXPECT_EQ(histogram.percentile(0.5), std::nullopt);  // 9.5 beyond
  histogram.add(5);
  EXPECT_EQ(histogram.percentile(0.5), 5);
  histogram.add(5, 979);
  EXPECT_EQ(histogram.percentile(0.99), std::nullopt);  // 999: 9.99 beyond
  EXPECT_EQ(histogram.percentile(0.01), std::nullopt);
  histogram.add(5);
  EXPECT_EQ(histogram.percentile(0.99), 5);
  EXPECT_EQ(histogram.percentile(0.01), 5);
  EXPECT_EQ(histogram.percentile(0.999), std::nullopt);
  histogram.add(5, 9'000);
  EXPECT_EQ(histogram.percentile(0.999), 5);
}

TEST(Histogram, ExtremesAreExactFromTheFirstSample) {
  Histogram histogram;
  histogram.add(1'000'003);
  EXPECT_EQ(histogram.percentile(0.0), 1'000'003);
  EXPECT_EQ(histogram.percentile(1.0), 1'000'003);
  histogram.add(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(histogram.max(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(histogram.min(), 1'000'003);
}

TEST(Histogram, BucketsTileTheValuesWithinTheStatedError) {
  Histogram histogram;
  for (unsigned bit = 0; bit < 63; ++bit) {
    for (const std::int64_t offset : {-1, 0, 1}) {
      const std::int64_t value = (std::int64_t{1} << bit) + offset;
      Histogram one;
      one.add(value);
      one.for_each_bucket([&](std::int64_t lower, std::int64_t upper, std::uint64_t count) {
        EXPECT_LE(lower, value);
        EXPECT_GE(upper, value);
        EXPECT_EQ(count, 1u);
        EXPECT_LE(upper - lower, lower / 128);
      });
      histogram.add(value);
    }
  }
  std::int64_t next = 0;
  histogram.for_each_bucket([&](std::int64_t lower, std::int64_t upper, std::uint64_t) {
    EXPECT_GE(lower, next);
    next = upper;
  });
}

TEST(Histogram, NegativeValuesAreABrokenContract) {
  Histogram histogram;
  EXPECT_THROW(histogram.add(-1), BrokenContract);
  EXPECT_THROW(static_cast<void>(histogram.percentile(1.5)), BrokenContract);
}

}  // namespace
}  // namespace podwire::stats
