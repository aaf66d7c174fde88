#include "sim/random/math.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace podwire::random {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Log, KnowsItsSpecialValues) {
  EXPECT_EQ(log(1.0), 0.0);
  EXPECT_EQ(log(0.0), -kInfinity);
  EXPECT_EQ(log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(log(-1.0)));
  EXPECT_TRUE(std::isnan(log(std::numeric_limits<double>::quiet_NaN())));
  EXPECT_NEAR(log(std::numeric_limits<double>::denorm_min()), -1074 * 0.693147180559945309, 1e-12);
}

TEST(Exp, KnowsItsSpecialValues) {
  EXPECT_EQ(exp(0.0), 1.0);
  EXPECT_EQ(exp(-kInfinity), 0.0);
  EXPECT_EQ(exp(kInfinity), kInfinity);
  EXPECT_EQ(exp(1'000.0), kInfinity);
  EXPECT_EQ(exp(-1'000.0), 0.0);
  EXPECT_TRUE(std::isnan(exp(std::numeric_limits<double>::quiet_NaN())));
  EXPECT_EQ(exp(-745.0), std::numeric_limits<double>::denorm_min());  // e^-745 = 5.0e-324
  EXPECT_EQ(exp(709.8), kInfinity);                                   // above log(max) = 709.78
  EXPECT_LT(exp(709.7), kInfinity);
}

// Golden bits: recorded once, so that a compiler which computes otherwise is seen. Correctly rounded but for e,
// whose nearest double ends in 69.
TEST(LogAndExp, GiveTheSameBitsOnEveryCompiler) {
  EXPECT_EQ(std::bit_cast<std::uint64_t>(log(2.0)), 0x3fe62e42fefa39efu);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(log(10.0)), 0x40026bb1bbb55516u);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(exp(1.0)), 0x4005bf0a8b14576au);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(exp(-1.0)), 0x3fd78b56362cef38u);
  // A hash over many arguments: FNV-1a of the results' bits.
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325u;
  for (int i = 1; i <= 10'000; ++i) {
    for (const double result : {log(0.37 * i), exp(0.0631 * (i - 5'000))}) {
      hash = (hash ^ std::bit_cast<std::uint64_t>(result)) * 0x0000'0100'0000'01b3u;
    }
  }
  EXPECT_EQ(hash, 5442437738815805917u);
}

}  // namespace
}  // namespace podwire::random
