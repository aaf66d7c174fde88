// log: x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)). With s = f / (2 + f) and z = s^2,
//   log(1 + f) = 2 artanh(s) = 2s + 2 s z P(z),  P(z) = 1/3 + z/5 + z^2/7 + ...
// and 2s = f - s f, so log(1 + f) = f - s (f - 2 z P(z)): the exact f carries the weight and the rest is a correction.
// z <= 0.0295, so the first term left out, z^12/27, is below 2^-65.
//
// exp: x = k log 2 + r with |r| <= log(2) / 2, and e^r by its Taylor series; the first term left out, r^15/15!, is
// below 2^-62. log 2 is split in two so that k times its upper 42 bits is exact.
#include "sim/random/math.hpp"

#include <bit>
#include <cstdint>
#include <limits>

namespace podwire::random {

namespace {

constexpr double kLog2High = 0x1.62e42fefa38p-1;
constexpr double kLog2Low = 0x1.ef35793c7673p-45;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr std::uint64_t kMantissa = (std::uint64_t{1} << 52) - 1;

// 2^exponent for a normal result.
double power_of_two(int exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

}  // namespace

double log(double x) {
  if (!(x > 0.0)) {
    return x == 0.0 ? -kInfinity : std::numeric_limits<double>::quiet_NaN();
  }
  if (x == kInfinity) {
    return x;
  }
  int k = 0;
  if (x < std::numeric_limits<double>::min()) {
    x *= 0x1p54;
    k = -54;
  }
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  k += static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & kMantissa) | std::uint64_t{1023} << 52);
  if (m >= 0x1.6a09e667f3bcdp0) {  // sqrt(2)
    m *= 0.5;
    ++k;
  }
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double p = 1.0 / 25;
  p = 1.0 / 23 + z * p;
  p = 1.0 / 21 + z * p;
  p = 1.0 / 19 + z * p;
  p = 1.0 / 17 + z * p;
  p = 1.0 / 15 + z * p;
  p = 1.0 / 13 + z * p;
  p = 1.0 / 11 + z * p;
  p = 1.0 / 9 + z * p;
  p = 1.0 / 7 + z * p;
  p = 1.0 / 5 + z * p;
  p = 1.0 / 3 + z * p;
  const double correction = s * (f - 2.0 * (z * p));
  const auto scale = static_cast<double>(k);
  return scale * kLog2High + (f - (correction - scale * kLog2Low));
}

double exp(double x) {
  if (!(x < 710.0)) {
    return x >= 710.0 ? kInfinity : x;  // NaN stays NaN
  }
  if (x < -746.0) {
    return 0.0;
  }
  constexpr double kOneOverLog2 = 0x1.71547652b82fep0;
  const double scaled = x * kOneOverLog2;
  const int k = static_cast<int>(scaled + (scaled < 0.0 ? -0.5 : 0.5));
  const auto steps = static_cast<double>(k);
  const double high = x - steps * kLog2High;
  const double low = steps * kLog2Low;
  const double r = high - low;
  double p = 1.0 / 87178291200.0;  // 1/14!
  p = 1.0 / 6227020800.0 + r * p;
  p = 1.0 / 479001600.0 + r * p;
  p = 1.0 / 39916800.0 + r * p;
  p = 1.0 / 3628800.0 + r * p;
  p = 1.0 / 362880.0 + r * p;
  p = 1.0 / 40320.0 + r * p;
  p = 1.0 / 5040.0 + r * p;
  p = 1.0 / 720.0 + r * p;
  p = 1.0 / 120.0 + r * p;
  p = 1.0 / 24.0 + r * p;
  p = 1.0 / 6.0 + r * p;
  p = 1.0 / 2.0 + r * p;
  // What rounding took from r is put back beside the small terms.
  const double lost = (high - r) - low;
  const double result = 1.0 + (r + (r * r * p + lost));
  // Twice half of k: the result may be subnormal or just below infinity where 2^k alone is out of range.
  const int half = k / 2;
  return result * power_of_two(half) * power_of_two(k - half);
}

}  // namespace podwire::random
