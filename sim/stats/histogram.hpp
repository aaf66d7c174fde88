// A log-linear histogram of non-negative integers (latencies in ps or ns, sizes): bounded memory, bounded relative
// error.
//
// As in HdrHistogram: each power of two is cut into 128 equal parts, so a bucket is at most 1/128 of its lower end wide
// and the middle that a percentile answers with is at most 1/256 = 0.4 % off; values below 256 are exact. Counts are
// exact, so histograms merge without loss, in any order. Left out: values above 2^63 - 1, negative values.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace podwire::stats {

/// Counts of values by magnitude. Memory grows to the largest value, at most 57 x 128 counts.
class Histogram {
 public:
  /// How many samples must lie beyond a percentile, on its scarcer side, before it is told.
  static constexpr std::uint64_t kLeastBeyond = 10;

  /// Adds `value` (>= 0) `count` times. O(1).
  void add(std::int64_t value, std::uint64_t count = 1);
  /// Adds all of `other`'s values.
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  /// Exact least, greatest and mean value; nothing when empty.
  std::optional<std::int64_t> min() const;
  std::optional<std::int64_t> max() const;
  std::optional<double> mean() const;

  /// The value that a share `q` of the samples does not exceed (the sample of rank ceil(q n)), within 1/256 of the
  /// exact one; or nothing when the sample cannot support it: fewer than kLeastBeyond samples are expected below or
  /// above it, n q < 10 or n (1 - q) < 10. So a p50 needs 20 samples, a p99 1,000, a p99.9 10,000. Precondition: 0 <= q
  /// <= 1; 0 and 1 are the minimum and maximum of what was seen, told from the first sample on. O(buckets).
  std::optional<std::int64_t> percentile(double q) const;

  /// Calls `visit(lower, upper, count)` for each filled bucket [lower, upper], ascending.
  template <class Visit>
  void for_each_bucket(Visit visit) const {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] != 0) {
        visit(lower_end(i), upper_end(i), counts_[i]);
      }
    }
  }
  bool operator==(const Histogram&) const = default;

 private:
  static std::size_t index_of(std::uint64_t value);
  static std::int64_t lower_end(std::size_t index);
  static std::int64_t upper_end(std::size_t index);

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::int64_t min_ = 0;
  std::int64_t max_ = 0;
  // The exact sum in 128 bits, so that the mean does not depend on the order of adding.
  unsigned __int128 sum_ = 0;
};

}  // namespace podwire::stats
