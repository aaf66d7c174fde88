// Mean, variance and confidence of samples, and the time-weighted mean of a quantity that holds between changes.
//
// Sums of doubles depend on their order: add in a fixed order (by request, by seed), never in the order threads finish.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "sim/base/time.hpp"

namespace podwire::stats {

/// Running mean and variance by Welford's recurrence (Technometrics 4, 1962), which loses no digits to large means.
class Moments {
 public:
  void add(double value);
  /// As if `other`'s values had been added (Chan, Golub, LeVeque 1979), up to rounding.
  void merge(const Moments& other);

  std::uint64_t count() const { return count_; }
  /// Nothing without a sample.
  std::optional<double> mean() const;
  /// Unbiased (n - 1); nothing below two samples.
  std::optional<double> variance() const;
  std::optional<double> standard_deviation() const;

 private:
  std::uint64_t count_ = 0;
  double mean_ = 0.0;
  double squares_ = 0.0;  // sum of squared deviations from the mean
};

/// An interval around a mean.
struct Interval {
  double low = 0.0;
  double high = 0.0;
  double mean() const { return low + (high - low) / 2; }
  double half_width() const { return (high - low) / 2; }
};

/// The confidence interval of the mean of independent samples by Student's t: mean +- t(n - 1) s / sqrt(n). Samples of
/// one run are correlated: give it one value a seed or batch. Nothing below two samples. Precondition: 0 < confidence
/// < 1.
std::optional<Interval> mean_interval(const Moments& samples, double confidence = 0.95);

/// The interval of the mean of pairwise differences `b - a`, as for two policy sets under the same seeds, where common
/// random numbers cancel what they share. Nothing below two pairs. Precondition: equally many of both.
std::optional<Interval> paired_interval(std::span<const double> a, std::span<const double> b, double confidence = 0.95);

/// The share of successes with Wilson's interval (1927), which stays within [0, 1] and holds at 0 and n successes.
/// Nothing without trials. Precondition: successes <= trials, 0 < confidence < 1.
std::optional<Interval> share_interval(std::uint64_t successes, std::uint64_t trials, double confidence = 0.95);

/// The mean over time of a quantity that keeps its value until it is set anew: a queue's length, packets in flight.
class TimeWeighted {
 public:
  explicit TimeWeighted(Time start = Time::start(), std::int64_t value = 0)
      : start_(start), changed_(start), value_(value), max_(value) {}

  /// From `now` on (not before the last change) the quantity is `value`.
  void set(Time now, std::int64_t value);
  void add(Time now, std::int64_t change) { set(now, value_ + change); }
  /// Forgets what was before `now`, as at the end of a warm-up; the value stays.
  void restart(Time now);

  std::int64_t value() const { return value_; }
  std::int64_t max() const { return max_; }
  /// The mean from the start until `now` (not before the last change); nothing when that is no time.
  std::optional<double> mean(Time now) const;

 private:
  Time start_;
  Time changed_;
  std::int64_t value_;
  std::int64_t max_;
  __int128 area_ = 0;  // value x ps, exact
};

}  // namespace podwire::stats
