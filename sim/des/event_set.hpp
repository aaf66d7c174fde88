// The set of pending events, in the order (time, source, insertion at that source).
//
//   run    the bucket being played, sorted; a cursor moves through it and insertions go behind the cursor
//   near   1,024 buckets of 2^shift ps each, a ring with a bitmap of the filled ones; unsorted until played
//   far    what lies past the horizon, the end of the ring: a radix heap, drained below the horizon before that moves
//   side   a heap for insertions that would shift too much of a long run; with Layout::plain_heap, everything
//
// Invariants: an event's tier follows from its bucket index alone (<= current: run or side; less than 1,024 ahead:
// near; else far), so events of one time always queue up in one place in the order of insertion, and stable moves keep
// it. The width adapts to the density of events at the cursor; it decides speed, never order. Nothing is virtual;
// storage grows to what was pending at most and is reused.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/des/chunk_list.hpp"
#include "sim/des/event.hpp"
#include "sim/des/far_tier.hpp"
#include "sim/des/sorter.hpp"
#include "sim/des/stable_heap.hpp"

namespace podwire::des {

/// A priority queue of events for a clock that never goes back.
class EventSet {
 public:
  enum class Layout : std::uint8_t { two_tiers, plain_heap };

  explicit EventSet(Layout layout = Layout::two_tiers);
  EventSet(const EventSet&) = delete;
  EventSet& operator=(const EventSet&) = delete;

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::size_t far_size() const { return far_.size(); }

  /// Adds an event. Amortised O(1). Precondition: its time is neither negative nor before the last popped event's.
  void push(Event event) {
    ++size_;
    const std::uint64_t index = static_cast<std::uint64_t>(event.time().ps()) >> shift_;
    const std::uint64_t ahead = index - current_;  // huge for an index before the current one
    // What happens less often is called last: a handler that ends with a push then needs no frame.
    if (ahead - 1 >= kBuckets - 1) [[unlikely]] {
      push_elsewhere(event, ahead);
      return;
    }
    ChunkList& bucket = near_[index % kBuckets];
    if (bucket.is_at_chunk_end()) [[unlikely]] {
      push_into_new_chunk(event, index % kBuckets);
      return;
    }
    bucket.append(event);
  }
  /// Takes the earliest event into `event` if there is one before `limit`.
  bool pop_before(Time limit, Event& event) {
    if (cursor_ < fast_end_) [[likely]] {
      if (cursor_->time() >= limit) {
        return false;
      }
      event = *cursor_++;
      --size_;
      return true;
    }
    return pop_slowly(limit, event);
  }
  /// The event `ahead` places after the next one if the run reaches that far, else null: a hint of what comes soon.
  const Event* upcoming(std::size_t ahead) const { return cursor_ + ahead < fast_end_ ? cursor_ + ahead : nullptr; }
  /// How many runs were loaded so far: a change says that upcoming() has news.
  std::uint64_t runs() const { return runs_; }
  /// Drops the events of the far tier for which `is_dead(event)`; returns how many. O(far tier).
  template <class IsDead>
  std::size_t sweep_far(IsDead is_dead) {
    const std::size_t swept = far_.sweep(is_dead);
    size_ -= swept;
    return swept;
  }

  /// log2 of the present bucket width in ps, for tests and benchmarks.
  unsigned width_bits() const { return shift_; }

 private:
  static constexpr std::size_t kBuckets = 1024;

  std::uint64_t horizon() const { return (current_ + kBuckets) << shift_; }
  [[gnu::noinline]] void push_elsewhere(Event event, std::uint64_t ahead);
  [[gnu::noinline]] void push_into_new_chunk(Event event, std::size_t slot);
  void push_into_run(Event event);
  void push_aside(Event event);
  void make_room_behind_run();
  bool pop_slowly(Time limit, Event& event);
  bool load_next(Time limit);
  void load(std::uint64_t index);
  std::uint64_t next_filled() const;
  void take_side_as_run();
  void drain_far();
  void adapt();
  void block_widening();
  void set_width(unsigned shift);

  // The hot members first.
  Event* cursor_ = nullptr;
  Event* fast_end_ = nullptr;  // the run's end while the side heap is empty, else null
  std::size_t size_ = 0;
  std::uint64_t runs_ = 0;
  std::uint64_t current_;  // index of the bucket in the run; one before the first until one is loaded
  unsigned shift_ = 20;    // about a microsecond to begin with
  bool is_plain_ = false;
  Event* end_ = nullptr;
  std::array<ChunkList, kBuckets> near_;
  std::array<std::uint64_t, kBuckets / 64> filled_ = {};
  ChunkPool pool_;
  FarTier far_;
  StableHeap side_;
  std::vector<Event> run_;
  Sorter sorter_;

  // What the width is judged by, since it was judged last.
  std::uint64_t far_pushes_ = 0;
  std::uint64_t shifted_ = 0;   // places that insertions into the run moved and narrower buckets would save
  std::uint64_t searched_ = 0;  // those insertions, as far as their place was not an end of the run
  std::uint64_t inserted_ = 0;
  std::uint64_t loaded_ = 0;
  std::uint64_t loads_ = 0;
  std::uint64_t judge_at_ = 1024;
  std::uint64_t widening_blocked_ = 0;
  std::uint64_t next_block_ = 64;
  bool saw_spread_ = false;
};

}  // namespace podwire::des
