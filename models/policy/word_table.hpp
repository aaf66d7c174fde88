// Hash-consed sequences of 32-bit words: the one container behind selectors, label sets, classes, peers, groups and
// port maps. Equal content has equal id; ids are dense, immutable and never reused, so that whatever is remembered
// under an id stays true when the policies change.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace podwire::policy {

/// Open addressing over ids; the words of all sequences lie one after another.
class WordTable {
 public:
  WordTable() : begins_{0}, slots_(16, kEmptySlot) {}

  struct Interned {
    std::uint32_t id = 0;
    bool is_new = false;
  };
  /// The id of the sequence, new or known. Amortised O(length).
  Interned intern(std::span<const std::uint32_t> words);
  /// Valid until the next intern().
  std::span<const std::uint32_t> operator[](std::uint32_t id) const {
    return {words_.data() + begins_[id], begins_[id + 1] - begins_[id]};
  }
  std::size_t size() const { return begins_.size() - 1; }
  std::size_t word_count() const { return words_.size(); }
  std::size_t memory_bytes() const {
    return words_.capacity() * 4 + begins_.capacity() * 8 + hashes_.capacity() * 4 + slots_.capacity() * 4;
  }
  /// Forgets everything; for memos only, whose ids are kept nowhere else.
  void clear();

 private:
  static constexpr std::uint32_t kEmptySlot = 0xffff'ffff;
  void grow();

  std::vector<std::uint32_t> words_;
  std::vector<std::size_t> begins_;  // one more than there are sequences
  std::vector<std::uint32_t> hashes_;
  std::vector<std::uint32_t> slots_;  // a power of two of them, at most half full
};

}  // namespace podwire::policy
