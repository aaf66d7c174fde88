// Random draws that are functions of identity: (seed, purpose, who, which one), never of the order of drawing.
//
// Each draw is a block of Random123's Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC'11): key = hash(seed, purpose), counter = (block, which, who). So one more drop in one policy set shifts nothing
// else, and two policy sets under one seed differ by the policy alone. There is no state to share, copy or save.
// Distributions are our own, from + - * / sqrt alone (see math.hpp): the same bits with every compiler.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sim/base/time.hpp"

namespace podwire::random {

/// What a draw is for: the hash of a name such as "workload/arrival". Different names give independent streams.
class Purpose {
 public:
  consteval explicit Purpose(std::string_view name) {
    // FNV-1a, 64 bits; Stream mixes it.
    for (const char c : name) {
      hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x0000'0100'0000'01b3u;
    }
  }
  constexpr std::uint64_t hash() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf2'9ce4'8422'2325u;
};

/// One draw: as many numbers as its distribution asks for, all fixed by the draw's identity.
/// Ask a draw for one variate; a second call continues its sequence and is fixed by identity and position.
class Draw {
 public:
  Draw(std::uint64_t key, std::uint64_t who, std::uint32_t which) : key_(key), who_(who), which_(which) {}

  /// 32 or 64 uniform bits.
  std::uint32_t bits32();
  std::uint64_t bits();
  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform();
  /// Uniform in (0, 1], a multiple of 2^-53.
  double uniform_positive();
  /// Uniform in {0, ..., n - 1}, without bias (Lemire 2019). Precondition: n > 0.
  std::uint32_t below(std::uint32_t n);
  /// True with `probability` (0 never, 1 always).
  bool chance(double probability);
  /// Exponential with `mean` (> 0), by inversion.
  double exponential(double mean);
  /// Standard normal, by Marsaglia's polar method.
  double normal();
  /// exp(N(log(median), sigma)).
  double lognormal(double median, double sigma);

  /// The same for times, rounded to a picosecond and bounded by Duration::max().
  Duration exponential(Duration mean);
  Duration lognormal(Duration median, double sigma);
  /// Uniform in [low, high), to a picosecond. Precondition: low < high.
  Duration uniform(Duration low, Duration high);

 private:
  void refill();

  std::uint64_t key_;
  std::uint64_t who_;
  std::uint32_t which_;
  std::uint32_t block_ = 0;
  std::uint32_t left_ = 0;
  std::array<std::uint32_t, 4> words_;
};

/// All draws of one purpose under one seed; 8 bytes, to be kept by the model.
class Stream {
 public:
  Stream(std::uint64_t seed, Purpose purpose);
  /// The draw of `who` (a request, a flow) numbered `which` (an attempt, a packet's ordinal).
  Draw draw(std::uint64_t who, std::uint32_t which = 0) const { return Draw(key_, who, which); }

 private:
  std::uint64_t key_;
};

/// The same for a single draw.
inline Draw draw(std::uint64_t seed, Purpose purpose, std::uint64_t who, std::uint32_t which = 0) {
  return Stream(seed, purpose).draw(who, which);
}

/// Makes one 64-bit identity of two ids, for draws whose party has two names (node, core). A bijection of (a, b).
constexpr std::uint64_t identity(std::uint32_t a, std::uint32_t b) {
  return std::uint64_t{a} << 32 | b;
}

}  // namespace podwire::random
