// Time, Duration, Bytes and BitRate: conversions, arithmetic, and serialization delays derived by hand.
#include "sim/base/time.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "sim/base/quantity.hpp"

namespace podwire {
namespace {

TEST(Duration, UnitsAreThousandsOfEachOther) {
  EXPECT_EQ((1_ns).ps(), 1'000);
  EXPECT_EQ(1_us, 1'000_ns);
  EXPECT_EQ(1_ms, 1'000_us);
  EXPECT_EQ(1_s, 1'000_ms);
  EXPECT_EQ(Duration::from_s(3), 3_s);
  EXPECT_EQ(Duration(), Duration::zero());
}

TEST(Duration, LongestSpanIsOver106Days) {
  // 2^63 ps = 9,223,372 s = 106.75 days.
  EXPECT_GT(Duration::max(), Duration::from_s(106 * 86'400));
  EXPECT_LT(Duration::max() - Duration::from_s(106 * 86'400), Duration::from_s(86'400));
}

TEST(Duration, NanosecondsRoundTowardsZero) {
  EXPECT_EQ((1'999_ps).ns(), 1);
  EXPECT_EQ(Duration::from_ps(-1'999).ns(), -1);
  EXPECT_EQ((999_ps).ns(), 0);
}

TEST(Duration, SecondsAreForReports) {
  EXPECT_DOUBLE_EQ((1'500_ms).seconds(), 1.5);
  EXPECT_DOUBLE_EQ((80_ps).seconds(), 8e-11);
}

TEST(Duration, ArithmeticIsExact) {
  Duration span = 5_ms + 3_us - 1_ps;
  EXPECT_EQ(span.ps(), 5'002'999'999);
  span += 1_ps;
  span -= 3_us;
  EXPECT_EQ(span, 5_ms);
  EXPECT_EQ(span * 3, 15_ms);
  EXPECT_EQ(span / 2, 2'500_us);
  EXPECT_EQ(7_ms / (2_ms), 3);  // how often it fits
  EXPECT_LT(1_us - 2_us, Duration::zero());
}

TEST(Time, PointsAndSpansCombine) {
  const Time start = Time::start() + 2_s;
  EXPECT_EQ(start.ns(), 2'000'000'000);
  EXPECT_EQ((start + 5_ns) - start, 5_ns);
  EXPECT_EQ(start - 2_s, Time::start());
  EXPECT_EQ(start.since_start(), 2_s);
  Time moving = start;
  moving += 1_ps;
  EXPECT_GT(moving, start);
}

TEST(Time, NeverIsAfterEveryEvent) {
  EXPECT_EQ(Time::never().ps(), std::numeric_limits<std::int64_t>::max());
}

TEST(Bytes, LiteralsAreBinaryMultiples) {
  EXPECT_EQ((4_KiB).count(), 4'096);
  EXPECT_EQ((2_MiB).count(), 2'097'152);
  Bytes sum = 1_KiB + 1_B;
  sum += 3_B;
  EXPECT_EQ(sum - 1_KiB, 4_B);
}

TEST(SerializationDelay, AByteAt100GbpsTakes80Picoseconds) {
  // 8 bit / 100·10^9 bit/s = 80 ps.
  EXPECT_EQ(serialization_delay(1_B, 100_Gbps), 80_ps);
  EXPECT_EQ(serialization_delay(1'500_B, 10_Gbps), 1'200_ns);  // 12,000 bit / 10^10 bit/s
}

TEST(SerializationDelay, RoundsUpToAPicosecond) {
  // 8 bit / 3 bit/s = 2.666… s.
  EXPECT_EQ(serialization_delay(1_B, BitRate::from_bps(3)).ps(), 2'666'666'666'667);
  // 8·10^12 / (10^12 + 1) = 7.99…, so 8 ps; exactly 8 at 10^12 bit/s.
  EXPECT_EQ(serialization_delay(1_B, BitRate::from_bps(1'000'000'000'001)), 8_ps);
  EXPECT_EQ(serialization_delay(1_B, BitRate::from_bps(1'000'000'000'000)), 8_ps);
}

TEST(SerializationDelay, NothingTakesNoTime) {
  EXPECT_EQ(serialization_delay(0_B, 1_Gbps), Duration::zero());
}

TEST(SerializationDelay, LargeTransfersDoNotOverflow) {
  // 1 TiB at 1 Gbit/s: 2^43 bit / 10^9 bit/s = 8,796.093022208 s. In 64 bits, 2^43 · 10^12 would overflow.
  EXPECT_EQ(serialization_delay(Bytes(std::int64_t{1} << 40), 1_Gbps).ps(), 8'796'093'022'208'000);
}

}  // namespace
}  // namespace podwire
