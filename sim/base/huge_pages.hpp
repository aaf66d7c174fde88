// Memory for tables that are touched in random order and live as long as their owner: pieces of 2 MiB slabs for which
// the kernel is asked to use huge pages. With 4 KiB pages a pool of 100 MB costs an address translation miss a record,
// more than the record's own cache miss (measured: bench/README.md). Where there are no huge pages, it is ordinary
// memory.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

namespace podwire {

/// Memory for HugePageAllocator, from malloc's family.
void* allocate_huge(std::size_t bytes);
void free_huge(void* memory);

/// Hands out pieces and frees them all at once, when it goes. Not for things with destructors.
class HugePages {
 public:
  HugePages() = default;
  HugePages(HugePages&&) noexcept = default;
  HugePages& operator=(HugePages&&) noexcept = default;

  /// `count` default-constructed T, aligned to a cache line at least.
  template <class T>
  T* allocate(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* const first = static_cast<T*>(allocate_bytes(count * sizeof(T), alignof(T)));
    std::uninitialized_default_construct_n(first, count);
    return first;
  }

 private:
  struct Free {
    void operator()(void* memory) const;
  };
  void* allocate_bytes(std::size_t bytes, std::size_t alignment);

  std::vector<std::unique_ptr<void, Free>> slabs_;
  std::byte* at_ = nullptr;
  std::size_t left_ = 0;
};

/// For std::vector: what is large lies in huge pages, what is small on a cache line's boundary in ordinary memory.
template <class T>
class HugePageAllocator {
 public:
  using value_type = T;
  HugePageAllocator() = default;
  template <class U>
  HugePageAllocator(const HugePageAllocator<U>&) {}  // NOLINT: allocators convert

  T* allocate(std::size_t count) { return static_cast<T*>(allocate_huge(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t) { free_huge(memory); }
  bool operator==(const HugePageAllocator&) const = default;
};

template <class T>
using HugePageVector = std::vector<T, HugePageAllocator<T>>;

}  // namespace podwire
