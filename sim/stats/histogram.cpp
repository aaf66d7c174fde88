#include "sim/stats/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "sim/base/check.hpp"

namespace podwire::stats {

namespace {
// Each power of two has 2^kPartBits buckets; below 2^(kPartBits + 1) a bucket is one value.
constexpr unsigned kPartBits = 7;
constexpr std::uint64_t kParts = std::uint64_t{1} << kPartBits;
}  // namespace

std::size_t Histogram::index_of(std::uint64_t value) {
  if (value < kParts) {
    return static_cast<std::size_t>(value);
  }
  const auto shift = static_cast<unsigned>(std::bit_width(value)) - kPartBits - 1;
  return static_cast<std::size_t>(kParts * shift + (value >> shift));
}

std::int64_t Histogram::lower_end(std::size_t index) {
  if (index < 2 * kParts) {
    return static_cast<std::int64_t>(index);
  }
  const std::uint64_t shift = index / kParts - 1;
  return static_cast<std::int64_t>((kParts + index % kParts) << shift);
}

std::int64_t Histogram::upper_end(std::size_t index) {
  const std::uint64_t shift = index < 2 * kParts ? 0 : index / kParts - 1;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(lower_end(index)) + ((std::uint64_t{1} << shift) - 1));
}

void Histogram::add(std::int64_t value, std::uint64_t count) {
  PODWIRE_CHECK(value >= 0, "stats", "a histogram counts non-negative values");
  if (count == 0) {
    return;
  }
  const std::size_t index = index_of(static_cast<std::uint64_t>(value));
  if (index >= counts_.size()) {
    counts_.resize(index + 1, 0);
  }
  counts_[index] += count;
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = std::max(max_, value);
  count_ += count;
  sum_ += static_cast<unsigned __int128>(value) * count;
}

void Histogram::merge(const Histogram& other) {
  if (other.count_ == 0) {
    return;
  }
  if (other.counts_.size() > counts_.size()) {
    counts_.resize(other.counts_.size(), 0);
  }
  for (std::size_t i = 0; i < other.counts_.size(); ++i) {
    counts_[i] += other.counts_[i];
  }
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
  sum_ += other.sum_;
}

std::optional<std::int64_t> Histogram::min() const {
  return count_ == 0 ? std::nullopt : std::optional(min_);
}

std::optional<std::int64_t> Histogram::max() const {
  return count_ == 0 ? std::nullopt : std::optional(max_);
}

std::optional<double> Histogram::mean() const {
  if (count_ == 0) {
    return std::nullopt;
  }
  return static_cast<double>(sum_) / static_cast<double>(count_);
}

std::optional<std::int64_t> Histogram::percentile(double q) const {
  PODWIRE_CHECK(q >= 0.0 && q <= 1.0, "stats", "a percentile is a share between 0 and 1");
  if (q == 0.0) {
    return min();
  }
  if (q == 1.0) {
    return max();
  }
  // A hair of tolerance: 1 - 0.99 is not exactly 0.01, and 1,000 samples do support a p99.
  constexpr double kTolerance = 1e-6;
  const auto n = static_cast<double>(count_);
  if (n * std::min(q, 1.0 - q) < static_cast<double>(kLeastBeyond) - kTolerance) {
    return std::nullopt;
  }
  const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(q * n - kTolerance)), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) {
      const std::int64_t lower = lower_end(i);
      return std::clamp(lower + (upper_end(i) - lower) / 2, min_, max_);
    }
  }
  return max_;
}

}  // namespace podwire::stats
