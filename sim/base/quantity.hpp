// Amounts of data and rates, as strong types over int64.
#pragma once

#include <compare>
#include <cstdint>

#include "sim/base/time.hpp"

namespace podwire {

/// A number of bytes.
class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr explicit Bytes(std::int64_t count) : count_(count) {}
  constexpr std::int64_t count() const { return count_; }
  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes operator+(Bytes other) const { return Bytes(count_ + other.count_); }
  constexpr Bytes operator-(Bytes other) const { return Bytes(count_ - other.count_); }
  constexpr Bytes& operator+=(Bytes other) {
    count_ += other.count_;
    return *this;
  }

 private:
  std::int64_t count_ = 0;
};

/// A data rate in bits per second; positive wherever a transmission is computed from it.
class BitRate {
 public:
  constexpr BitRate() = default;
  static constexpr BitRate from_bps(std::int64_t bps) { return BitRate(bps); }
  static constexpr BitRate from_gbps(std::int64_t gbps) { return BitRate(gbps * 1'000'000'000); }
  constexpr std::int64_t bps() const { return bps_; }
  constexpr auto operator<=>(const BitRate&) const = default;

 private:
  constexpr explicit BitRate(std::int64_t bps) : bps_(bps) {}
  std::int64_t bps_ = 0;
};

/// How long `size` occupies a line of `rate` (> 0): size × 8 / rate, rounded up to a picosecond.
constexpr Duration serialization_delay(Bytes size, BitRate rate) {
  const __int128 bits = static_cast<__int128>(size.count()) * 8 * 1'000'000'000'000;
  return Duration::from_ps(static_cast<std::int64_t>((bits + rate.bps() - 1) / rate.bps()));
}

inline namespace literals {
constexpr Bytes operator""_B(unsigned long long n) {
  return Bytes(static_cast<std::int64_t>(n));
}
constexpr Bytes operator""_KiB(unsigned long long n) {
  return Bytes(static_cast<std::int64_t>(n) * 1024);
}
constexpr Bytes operator""_MiB(unsigned long long n) {
  return Bytes(static_cast<std::int64_t>(n) * 1024 * 1024);
}
constexpr BitRate operator""_Gbps(unsigned long long n) {
  return BitRate::from_gbps(static_cast<std::int64_t>(n));
}
}  // namespace literals

}  // namespace podwire
