// Counts by an enumeration or a dense id: drops by reason, outcomes of requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace podwire::stats {

/// One count for each key; a key is an enumerator or an Id, and unseen keys count zero.
template <class Key>
class Counters {
 public:
  void add(Key key, std::uint64_t count = 1) {
    const std::size_t index = index_of(key);
    if (index >= counts_.size()) {
      counts_.resize(index + 1, 0);
    }
    counts_[index] += count;
  }
  std::uint64_t operator[](Key key) const {
    const std::size_t index = index_of(key);
    return index < counts_.size() ? counts_[index] : 0;
  }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : counts_) {
      sum += count;
    }
    return sum;
  }
  void merge(const Counters& other) {
    if (other.counts_.size() > counts_.size()) {
      counts_.resize(other.counts_.size(), 0);
    }
    for (std::size_t i = 0; i < other.counts_.size(); ++i) {
      counts_[i] += other.counts_[i];
    }
  }
  void clear() { counts_.assign(counts_.size(), 0); }

 private:
  static std::size_t index_of(Key key) {
    if constexpr (requires { key.index(); }) {
      return key.index();
    } else {
      return static_cast<std::size_t>(key);
    }
  }
  std::vector<std::uint64_t> counts_;
};

}  // namespace podwire::stats
