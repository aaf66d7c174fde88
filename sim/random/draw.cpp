#include "sim/random/draw.hpp"

#include <cmath>

#include "sim/base/check.hpp"
#include "sim/random/math.hpp"
#include "sim/random/philox.hpp"

namespace podwire::random {

namespace {

constexpr double kTwoToMinus53 = 0x1p-53;

// Stafford's "Mix13" finaliser of SplitMix64.
constexpr std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9u;
  z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebu;
  return z ^ (z >> 31);
}

// To the nearest picosecond; the addition and the truncation are exact operations of IEEE 754, llround is not needed.
Duration to_duration(double ps) {
  constexpr double kLimit = 0x1p63;
  return ps + 0.5 < kLimit ? Duration::from_ps(static_cast<std::int64_t>(ps + 0.5)) : Duration::max();
}

}  // namespace

Stream::Stream(std::uint64_t seed, Purpose purpose) : key_(mix(mix(seed + 0x9e37'79b9'7f4a'7c15u) ^ purpose.hash())) {}

void Draw::refill() {
  words_ = philox({block_, which_, static_cast<std::uint32_t>(who_), static_cast<std::uint32_t>(who_ >> 32)},
                  {static_cast<std::uint32_t>(key_), static_cast<std::uint32_t>(key_ >> 32)});
  ++block_;
  left_ = 4;
}

std::uint32_t Draw::bits32() {
  if (left_ == 0) {
    refill();
  }
  return words_[4 - left_--];
}

std::uint64_t Draw::bits() {
  const std::uint64_t high = bits32();
  return high << 32 | bits32();
}

double Draw::uniform() {
  return static_cast<double>(bits() >> 11) * kTwoToMinus53;
}

double Draw::uniform_positive() {
  return static_cast<double>((bits() >> 11) + 1) * kTwoToMinus53;
}

std::uint32_t Draw::below(std::uint32_t n) {
  PODWIRE_CHECK(n > 0, "random", "there is something to choose from");
  // The high half of a 32 x 32-bit product; the 2^32 mod n values of the low half that would favour some are redrawn.
  std::uint64_t product = std::uint64_t{bits32()} * n;
  if (static_cast<std::uint32_t>(product) < n) {
    const std::uint32_t favoured = (0u - n) % n;
    while (static_cast<std::uint32_t>(product) < favoured) {
      product = std::uint64_t{bits32()} * n;
    }
  }
  return static_cast<std::uint32_t>(product >> 32);
}

bool Draw::chance(double probability) {
  return uniform() < probability;
}

double Draw::exponential(double mean) {
  return -mean * log(uniform_positive());
}

double Draw::normal() {
  for (;;) {
    const double x = 2.0 * uniform() - 1.0;
    const double y = 2.0 * uniform() - 1.0;
    const double square = x * x + y * y;
    if (square < 1.0 && square > 0.0) {
      return x * std::sqrt(-2.0 * log(square) / square);
    }
  }
}

double Draw::lognormal(double median, double sigma) {
  return median * exp(sigma * normal());
}

Duration Draw::exponential(Duration mean) {
  return to_duration(exponential(static_cast<double>(mean.ps())));
}

Duration Draw::lognormal(Duration median, double sigma) {
  return to_duration(lognormal(static_cast<double>(median.ps()), sigma));
}

Duration Draw::uniform(Duration low, Duration high) {
  PODWIRE_CHECK(low < high, "random", "an interval to draw from is not empty");
  // The high half of a 64 x 64-bit product. Its bias is below span / 2^64, under 2^-20 for spans of up to 16 s.
  const auto span = static_cast<unsigned __int128>(static_cast<std::uint64_t>((high - low).ps()));
  return low + Duration::from_ps(static_cast<std::int64_t>(span * bits() >> 64));
}

}  // namespace podwire::random
