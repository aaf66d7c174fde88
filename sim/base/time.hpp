// Simulated time: int64 picoseconds behind strong types.
//
// A byte at 100 Gbit/s takes 80 ps, so nanoseconds would round small packets; 63 bits of picoseconds reach 106 days.
// Results carry nanoseconds (see sim/record). Overflow is a broken contract of the caller: inputs are bounded when
// read.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace podwire {

/// A signed span of simulated time in picoseconds.
class Duration {
 public:
  constexpr Duration() = default;
  static constexpr Duration from_ps(std::int64_t ps) { return Duration(ps); }
  static constexpr Duration from_ns(std::int64_t ns) { return Duration(ns * 1'000); }
  static constexpr Duration from_us(std::int64_t us) { return Duration(us * 1'000'000); }
  static constexpr Duration from_ms(std::int64_t ms) { return Duration(ms * 1'000'000'000); }
  static constexpr Duration from_s(std::int64_t s) { return Duration(s * 1'000'000'000'000); }
  static constexpr Duration zero() { return Duration(0); }
  static constexpr Duration max() { return Duration(std::numeric_limits<std::int64_t>::max()); }

  constexpr std::int64_t ps() const { return ps_; }
  /// Whole nanoseconds, rounded towards zero.
  constexpr std::int64_t ns() const { return ps_ / 1'000; }
  /// Seconds, for reports and statistics only: never feed it back into the simulation.
  constexpr double seconds() const { return static_cast<double>(ps_) * 1e-12; }

  constexpr auto operator<=>(const Duration&) const = default;
  constexpr Duration operator+(Duration other) const { return Duration(ps_ + other.ps_); }
  constexpr Duration operator-(Duration other) const { return Duration(ps_ - other.ps_); }
  constexpr Duration operator*(std::int64_t factor) const { return Duration(ps_ * factor); }
  constexpr Duration operator/(std::int64_t divisor) const { return Duration(ps_ / divisor); }
  constexpr std::int64_t operator/(Duration other) const { return ps_ / other.ps_; }
  constexpr Duration& operator+=(Duration other) {
    ps_ += other.ps_;
    return *this;
  }
  constexpr Duration& operator-=(Duration other) {
    ps_ -= other.ps_;
    return *this;
  }

 private:
  constexpr explicit Duration(std::int64_t ps) : ps_(ps) {}
  std::int64_t ps_ = 0;
};

/// A point of simulated time, counted from the start of the run.
class Time {
 public:
  constexpr Time() = default;
  static constexpr Time from_ps(std::int64_t ps) { return Time(ps); }
  static constexpr Time start() { return Time(0); }
  /// Later than every event of any run: "never".
  static constexpr Time never() { return Time(std::numeric_limits<std::int64_t>::max()); }

  constexpr std::int64_t ps() const { return ps_; }
  constexpr std::int64_t ns() const { return ps_ / 1'000; }
  constexpr Duration since_start() const { return Duration::from_ps(ps_); }

  constexpr auto operator<=>(const Time&) const = default;
  constexpr Time operator+(Duration span) const { return Time(ps_ + span.ps()); }
  constexpr Time operator-(Duration span) const { return Time(ps_ - span.ps()); }
  constexpr Duration operator-(Time other) const { return Duration::from_ps(ps_ - other.ps_); }
  constexpr Time& operator+=(Duration span) {
    ps_ += span.ps();
    return *this;
  }

 private:
  constexpr explicit Time(std::int64_t ps) : ps_(ps) {}
  std::int64_t ps_ = 0;
};

inline namespace literals {
constexpr Duration operator""_ps(unsigned long long n) {
  return Duration::from_ps(static_cast<std::int64_t>(n));
}
constexpr Duration operator""_ns(unsigned long long n) {
  return Duration::from_ns(static_cast<std::int64_t>(n));
}
constexpr Duration operator""_us(unsigned long long n) {
  return Duration::from_us(static_cast<std::int64_t>(n));
}
constexpr Duration operator""_ms(unsigned long long n) {
  return Duration::from_ms(static_cast<std::int64_t>(n));
}
constexpr Duration operator""_s(unsigned long long n) {
  return Duration::from_s(static_cast<std::int64_t>(n));
}
}  // namespace literals

}  // namespace podwire
