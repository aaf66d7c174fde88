// The far tier of the event set: a radix heap (Ahuja, Mehlhorn, Orlin, Tarjan 1990) that keeps the order of insertion
// among equal times.
//
// List k holds the events whose time differs from `base` in bit k - 1 as its highest; base never exceeds a time in the
// tier. Events of one time are always in one list, lists are appended to and redistributed in order, hence stability.
// Taking all events below a new base touches one list that straddles it; an event moves at most once a bit of its
// distance. Nothing to tune.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

#include "sim/des/chunk_list.hpp"
#include "sim/des/event.hpp"

namespace podwire::des {

/// Events at or after base(), unsorted but sorted enough.
class FarTier {
 public:
  explicit FarTier(ChunkPool& pool) : pool_(pool) {}
  FarTier(const FarTier&) = delete;
  FarTier& operator=(const FarTier&) = delete;

  std::size_t size() const { return size_; }
  std::uint64_t base() const { return base_; }
  /// No event is earlier; past every time when empty.
  std::uint64_t floor() const { return floor_; }

  /// Precondition: the event's time is not below base().
  void push(Event event) {
    const auto time = static_cast<std::uint64_t>(event.time().ps());
    const auto list = static_cast<std::size_t>(std::bit_width(time ^ base_));
    lists_[list].push(event, pool_);
    filled_ |= std::uint64_t{1} << list;
    floor_ = std::min(floor_, time);
    ++size_;
  }
  /// Gives every event below `base` to `take`, those of equal time in their order of insertion, and makes it the base.
  template <class Take>
  void take_below(std::uint64_t base, Take take);
  /// The earliest time, exactly. Precondition: not empty. O(events in the lowest list).
  std::uint64_t earliest() const;
  /// Lowers the base. O(size).
  void rebase(std::uint64_t base);
  /// Drops the events for which `is_dead(event)`; returns how many. O(size).
  template <class IsDead>
  std::size_t sweep(IsDead is_dead);

 private:
  static constexpr std::uint64_t kEmptyFloor = std::numeric_limits<std::uint64_t>::max();

  // The least time that list `list` can hold: base's bits above, a one, zeros.
  static std::uint64_t floor_of(std::size_t list, std::uint64_t base) {
    return list == 0 ? base : (base >> (list - 1) | 1) << (list - 1);
  }
  void recompute_floor() {
    floor_ = filled_ == 0 ? kEmptyFloor : floor_of(static_cast<std::size_t>(std::countr_zero(filled_)), base_);
  }

  ChunkPool& pool_;
  std::uint64_t base_ = 0;
  std::uint64_t floor_ = kEmptyFloor;
  std::uint64_t filled_ = 0;  // bit k: list k is not empty
  std::size_t size_ = 0;
  std::array<ChunkList, 64> lists_;
};

template <class Take>
void FarTier::take_below(std::uint64_t base, Take take) {
  const std::uint64_t old_base = std::exchange(base_, base);
  while (filled_ != 0) {
    const auto list = static_cast<std::size_t>(std::countr_zero(filled_));
    if (floor_of(list, old_base) > base) {
      break;
    }
    filled_ &= filled_ - 1;
    ChunkList events = std::exchange(lists_[list], ChunkList());
    events.consume(pool_, [&](const Event& event) {
      --size_;
      if (static_cast<std::uint64_t>(event.time().ps()) < base) {
        take(event);
      } else {
        push(event);
      }
    });
    // Of the lists that begin at or below the new base, all but the last lie below it entirely. What remains of that
    // one shares its highest bit with the new base and went to lower lists, which were empty.
    if (static_cast<std::size_t>(std::countr_zero(filled_)) < list) {
      break;
    }
  }
  recompute_floor();
}

template <class IsDead>
std::size_t FarTier::sweep(IsDead is_dead) {
  const std::size_t before = size_;
  for (std::uint64_t left = std::exchange(filled_, 0); left != 0; left &= left - 1) {
    ChunkList events = std::exchange(lists_[static_cast<std::size_t>(std::countr_zero(left))], ChunkList());
    events.consume(pool_, [&](const Event& event) {
      --size_;
      if (!is_dead(event)) {
        push(event);
      }
    });
  }
  recompute_floor();
  return before - size_;
}

}  // namespace podwire::des
