#include "sim/stats/summary.hpp"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "sim/base/check.hpp"

namespace podwire::stats {

void Moments::add(double value) {
  ++count_;
  const double off = value - mean_;
  mean_ += off / static_cast<double>(count_);
  squares_ += off * (value - mean_);
}

void Moments::merge(const Moments& other) {
  if (other.count_ == 0) {
    return;
  }
  const auto mine = static_cast<double>(count_);
  const auto theirs = static_cast<double>(other.count_);
  const double off = other.mean_ - mean_;
  count_ += other.count_;
  const auto all = static_cast<double>(count_);
  mean_ += off * theirs / all;
  squares_ += other.squares_ + off * off * mine * theirs / all;
}

std::optional<double> Moments::mean() const {
  return count_ == 0 ? std::nullopt : std::optional(mean_);
}

std::optional<double> Moments::variance() const {
  return count_ < 2 ? std::nullopt : std::optional(squares_ / static_cast<double>(count_ - 1));
}

std::optional<double> Moments::standard_deviation() const {
  const std::optional<double> square = variance();
  return square ? std::optional(std::sqrt(*square)) : std::nullopt;
}

std::optional<Interval> mean_interval(const Moments& samples, double confidence) {
  PODWIRE_CHECK(confidence > 0.0 && confidence < 1.0, "stats", "a confidence lies between 0 and 1");
  if (samples.count() < 2) {
    return std::nullopt;
  }
  const auto n = static_cast<double>(samples.count());
  const boost::math::students_t distribution(n - 1);
  const double t = boost::math::quantile(boost::math::complement(distribution, (1 - confidence) / 2));
  const double half = t * *samples.standard_deviation() / std::sqrt(n);
  return Interval{*samples.mean() - half, *samples.mean() + half};
}

std::optional<Interval> paired_interval(std::span<const double> a, std::span<const double> b, double confidence) {
  PODWIRE_CHECK(a.size() == b.size(), "stats", "paired samples are equally many");
  Moments differences;
  for (std::size_t i = 0; i < a.size(); ++i) {
    differences.add(b[i] - a[i]);
  }
  return mean_interval(differences, confidence);
}

std::optional<Interval> share_interval(std::uint64_t successes, std::uint64_t trials, double confidence) {
  PODWIRE_CHECK(successes <= trials, "stats", "successes are among the trials");
  PODWIRE_CHECK(confidence > 0.0 && confidence < 1.0, "stats", "a confidence lies between 0 and 1");
  if (trials == 0) {
    return std::nullopt;
  }
  const double z = boost::math::quantile(boost::math::complement(boost::math::normal(), (1 - confidence) / 2));
  const auto n = static_cast<double>(trials);
  const double share = static_cast<double>(successes) / n;
  const double shrink = 1 + z * z / n;
  const double centre = (share + z * z / (2 * n)) / shrink;
  const double half = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / shrink;
  // At the ends the formula gives 0 and 1 but for rounding.
  return Interval{successes == 0 ? 0.0 : centre - half, successes == trials ? 1.0 : centre + half};
}

void TimeWeighted::set(Time now, std::int64_t value) {
  PODWIRE_CHECK(now >= changed_, "stats", "a quantity changes in order of time");
  area_ += static_cast<__int128>(value_) * (now - changed_).ps();
  changed_ = now;
  value_ = value;
  max_ = std::max(max_, value);
}

void TimeWeighted::restart(Time now) {
  PODWIRE_CHECK(now >= changed_, "stats", "a quantity changes in order of time");
  start_ = changed_ = now;
  max_ = value_;
  area_ = 0;
}

std::optional<double> TimeWeighted::mean(Time now) const {
  PODWIRE_CHECK(now >= changed_, "stats", "a mean is asked for in order of time");
  if (now == start_) {
    return std::nullopt;
  }
  const __int128 area = area_ + static_cast<__int128>(value_) * (now - changed_).ps();
  return static_cast<double>(area) / static_cast<double>((now - start_).ps());
}

}  // namespace podwire::stats
