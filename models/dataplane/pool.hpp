// A pool of records addressed by a 32-bit index, in chunks, so that records never move and growth copies nothing.
// Freed places are reused last in, first out: they are the ones still in cache.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/base/check.hpp"
#include "sim/base/huge_pages.hpp"

namespace podwire::dataplane {

/// Asks for the cache line at `address`, to be written to soon. GCC takes a function that only prefetches for one
/// without effect, and leaves out the calls of it that it can see into; the empty instruction says otherwise.
inline void prefetch_to_write(const void* address) {
  asm volatile("" : : "r"(address));
  __builtin_prefetch(address, 1);
}

template <class T, unsigned kChunkBits>
class Pool {
 public:
  /// `limit`: the most records that may ever exist at one time.
  explicit Pool(std::uint32_t limit) : limit_(limit) {}

  T& operator[](std::uint32_t index) { return chunks_[index >> kChunkBits][index & kMask]; }
  const T& operator[](std::uint32_t index) const { return chunks_[index >> kChunkBits][index & kMask]; }

  /// A place; its record holds what its last user left (a default-constructed one the first time).
  std::uint32_t allocate() {
    if (!free_.empty()) [[likely]] {
      const std::uint32_t index = free_.back();
      free_.pop_back();
      return index;
    }
    return grow();
  }
  void release(std::uint32_t index) { free_.push_back(index); }

  /// Places that were ever used; indices are below it.
  std::uint32_t size() const { return size_; }
  std::uint32_t live() const { return size_ - static_cast<std::uint32_t>(free_.size()); }
  std::size_t memory_bytes() const {
    return chunks_.size() * sizeof(T) * kChunkSize + free_.capacity() * sizeof(std::uint32_t);
  }

 private:
  static constexpr std::uint32_t kChunkSize = 1u << kChunkBits;
  static constexpr std::uint32_t kMask = kChunkSize - 1;

  std::uint32_t grow() {
    PODWIRE_CHECK(size_ < limit_, "dataplane", "no more records can exist at one time");
    if (size_ % kChunkSize == 0) {
      chunks_.push_back(memory_.allocate<T>(kChunkSize));
      free_.reserve(size_ + kChunkSize);
    }
    return size_++;
  }

  HugePages memory_;
  std::vector<T*> chunks_;
  HugePageVector<std::uint32_t> free_;
  std::uint32_t size_ = 0;
  std::uint32_t limit_ = 0;
};

}  // namespace podwire::dataplane
