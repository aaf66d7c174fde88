// A set of dense ids as a bitset: membership in O(1), union and intersection a word at a time, iteration in id order.
// For sets over a few thousand ids; sets over all pods are kept as ranges instead (see models/policy).
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "sim/base/check.hpp"
#include "sim/base/id.hpp"

namespace podwire {

/// An ordered set of Id<Tag>; grows to the largest id inserted.
template <class Tag>
class IdSet {
 public:
  /// `id` is valid.
  void insert(Id<Tag> id) {
    PODWIRE_CHECK(id.is_valid(), "base", "only valid ids go into a set");
    const std::size_t word = id.index() / 64;
    if (word >= words_.size()) {
      words_.resize(word + 1, 0);
    }
    words_[word] |= std::uint64_t{1} << (id.index() % 64);
  }
  void erase(Id<Tag> id) {
    const std::size_t word = id.index() / 64;
    if (word < words_.size()) {
      words_[word] &= ~(std::uint64_t{1} << (id.index() % 64));
    }
  }
  bool contains(Id<Tag> id) const {
    const std::size_t word = id.index() / 64;
    return word < words_.size() && (words_[word] >> (id.index() % 64) & 1) != 0;
  }
  bool empty() const {
    for (const std::uint64_t word : words_) {
      if (word != 0) {
        return false;
      }
    }
    return true;
  }
  /// Number of ids in the set; O(largest id / 64).
  std::size_t size() const {
    std::size_t count = 0;
    for (const std::uint64_t word : words_) {
      count += static_cast<std::size_t>(std::popcount(word));
    }
    return count;
  }
  void insert_all(const IdSet& other) {
    if (other.words_.size() > words_.size()) {
      words_.resize(other.words_.size(), 0);
    }
    for (std::size_t i = 0; i < other.words_.size(); ++i) {
      words_[i] |= other.words_[i];
    }
  }
  void keep_only(const IdSet& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      words_[i] &= i < other.words_.size() ? other.words_[i] : 0;
    }
  }
  /// Calls `visit(Id<Tag>)` for each id, ascending.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for (std::uint64_t word = words_[i]; word != 0; word &= word - 1) {
        visit(Id<Tag>(i * 64 + static_cast<std::size_t>(std::countr_zero(word))));
      }
    }
  }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace podwire
