#include "sim/base/huge_pages.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace podwire {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kCacheLine = 64;

constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace

void* allocate_huge(std::size_t bytes) {
  const bool is_large = bytes >= kHugePage / 2;
  const std::size_t unit = is_large ? kHugePage : kCacheLine;
  void* const memory = std::aligned_alloc(unit, round_up(bytes, unit));
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  if (is_large) {
    static_cast<void>(madvise(memory, round_up(bytes, unit), MADV_HUGEPAGE));  // a request only, as below
  }
  return memory;
}

void free_huge(void* memory) {
  std::free(memory);
}

void HugePages::Free::operator()(void* memory) const {
  std::free(memory);
}

void* HugePages::allocate_bytes(std::size_t bytes, std::size_t alignment) {
  const std::size_t size = round_up(bytes, std::max(alignment, kCacheLine));
  const std::size_t skipped = round_up(reinterpret_cast<std::size_t>(at_), std::max(alignment, kCacheLine)) -
                              reinterpret_cast<std::size_t>(at_);
  if (left_ < skipped + size) {
    const std::size_t slab = round_up(size, kHugePage);
    void* const memory = std::aligned_alloc(kHugePage, slab);
    if (memory == nullptr) {
      throw std::bad_alloc();
    }
    slabs_.emplace_back(memory);
    // A request only: where the kernel refuses, the slab has ordinary pages.
    static_cast<void>(madvise(memory, slab, MADV_HUGEPAGE));
    at_ = static_cast<std::byte*>(memory);
    left_ = slab;
    at_ += size;
    left_ -= size;
    return memory;
  }
  std::byte* const piece = at_ + skipped;
  at_ = piece + size;
  left_ -= skipped + size;
  return piece;
}

}  // namespace podwire
