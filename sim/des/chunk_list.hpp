// Unsorted events in arrival order, as lists of fixed-size chunks from one pool.
//
// A thousand buckets that grow and empty in turn share the memory that one of them just gave back, so what is pending
// stays as dense in the cache as one array would be. A chunk is aligned to its size: a write pointer at a multiple of
// it is at the end of a chunk (or null, in an empty list), and one test covers both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "sim/base/huge_pages.hpp"
#include "sim/des/event.hpp"

namespace podwire::des {

inline constexpr std::size_t kChunkBytes = 512;

struct alignas(kChunkBytes) Chunk {
  static constexpr std::size_t kEvents = kChunkBytes / sizeof(Event) - 1;
  Chunk* next = nullptr;
  std::uint64_t unused = 0;
  Event events[kEvents];
};
static_assert(sizeof(Chunk) == kChunkBytes);

/// Hands out chunks, the one given back last first. Memory is kept until the pool goes.
class ChunkPool {
 public:
  Chunk* take() {
    if (free_ == nullptr) {
      add_slab();
    }
    return std::exchange(free_, free_->next);
  }
  void give(Chunk* chunk) {
    chunk->next = free_;
    free_ = chunk;
  }
  std::size_t bytes() const { return slabs_ * kSlabChunks * sizeof(Chunk); }

 private:
  static constexpr std::size_t kSlabChunks = 128;
  void add_slab() {
    Chunk* const slab = memory_.allocate<Chunk>(kSlabChunks);
    ++slabs_;
    for (std::size_t i = kSlabChunks; i-- > 0;) {
      give(&slab[i]);
    }
  }

  Chunk* free_ = nullptr;
  HugePages memory_;
  std::size_t slabs_ = 0;
};

/// A list of events; its chunks belong to the pool that every call is given. 16 bytes, copied as a handle.
class ChunkList {
 public:
  bool is_empty() const { return first_ == nullptr; }
  /// Whether the next append needs a chunk first.
  bool is_at_chunk_end() const { return (reinterpret_cast<std::uintptr_t>(write_) & (kChunkBytes - 1)) == 0; }
  void add_chunk(ChunkPool& pool) {
    Chunk* chunk = pool.take();
    chunk->next = nullptr;
    (first_ == nullptr ? first_ : last()->next) = chunk;
    write_ = chunk->events;
  }
  /// Precondition: not at a chunk's end.
  void append(Event event) { *write_++ = event; }
  void push(Event event, ChunkPool& pool) {
    if (is_at_chunk_end()) [[unlikely]] {
      add_chunk(pool);
    }
    append(event);
  }

  const Chunk* first() const { return first_; }
  /// One past the last event of `chunk`, a chunk of this list.
  const Event* end_of(const Chunk* chunk) const {
    return chunk->next == nullptr ? write_ : chunk->events + Chunk::kEvents;
  }
  /// O(chunks).
  std::size_t size() const {
    std::size_t count = 0;
    for (const Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
      count += static_cast<std::size_t>(end_of(chunk) - chunk->events);
    }
    return count;
  }
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
      if (chunk->next != nullptr) {
        __builtin_prefetch(chunk->next);
      }
      const Event* const end = end_of(chunk);
      for (const Event* event = chunk->events; event != end; ++event) {
        visit(*event);
      }
    }
  }
  /// Visits in order and gives each chunk back once it is read; the list is empty after.
  template <class Visit>
  void consume(ChunkPool& pool, Visit visit) {
    const ChunkList list = std::exchange(*this, ChunkList());
    for (Chunk* chunk = list.first_; chunk != nullptr;) {
      const Event* const end = list.end_of(chunk);
      for (const Event* event = chunk->events; event != end; ++event) {
        visit(*event);
      }
      pool.give(std::exchange(chunk, chunk->next));
    }
  }
  void clear(ChunkPool& pool) {
    for (Chunk* chunk = first_; chunk != nullptr;) {
      pool.give(std::exchange(chunk, chunk->next));
    }
    *this = ChunkList();
  }

 private:
  Chunk* last() const {
    return reinterpret_cast<Chunk*>((reinterpret_cast<std::uintptr_t>(write_) - 1) & ~(kChunkBytes - 1));
  }

  Event* write_ = nullptr;
  Chunk* first_ = nullptr;
};
static_assert(sizeof(ChunkList) == 16);

}  // namespace podwire::des
