#include "sim/des/event_set.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace podwire::des {

namespace {

constexpr std::size_t kSlack = 64;         // places before and behind a fresh run
constexpr std::size_t kMostShifted = 128;  // an insertion that would move more goes to the side heap
constexpr unsigned kWidestShift = 40;
constexpr std::uint64_t kLongestRun = 4096;
constexpr std::uint64_t kShortRun = 32;  // shorter ones are not split for the sake of a few searches

}  // namespace

EventSet::EventSet(Layout layout)
    : current_(layout == Layout::plain_heap ? std::uint64_t{1} << 63 : ~std::uint64_t{0}),
      is_plain_(layout == Layout::plain_heap),
      far_(pool_),
      run_(2 * kSlack) {
  cursor_ = end_ = fast_end_ = run_.data() + kSlack;
}

void EventSet::push_elsewhere(Event event, std::uint64_t ahead) {
  if (static_cast<std::int64_t>(ahead) > 0) {
    ++far_pushes_;
    far_.push(event);
  } else {
    push_into_run(event);
  }
}

void EventSet::push_into_new_chunk(Event event, std::size_t slot) {
  near_[slot].add_chunk(pool_);
  filled_[slot / 64] |= std::uint64_t{1} << (slot % 64);
  near_[slot].append(event);
}

void EventSet::push_into_run(Event event) {
  ++inserted_;
  if (!side_.empty()) {
    if (!is_plain_ && event.is_before(side_.top()) && (cursor_ == end_ || event.is_before(*cursor_)) &&
        cursor_ != run_.data()) {
      *--cursor_ = event;  // the very next, as zero delays often are: the heap need not see it
      return;
    }
    shifted_ += event.time() > side_.top().time() ? kMostShifted : 0;
    side_.push(event);
    return;
  }
  if (is_plain_) {
    push_aside(event);
    return;
  }
  if (cursor_ == end_ || !event.is_before(end_[-1])) {
    if (end_ == run_.data() + run_.size()) {
      make_room_behind_run();
    }
    *end_++ = event;
    fast_end_ = end_;
    return;
  }
  if (event.is_before(*cursor_) && cursor_ != run_.data()) {
    *--cursor_ = event;
    return;
  }
  Event* const place =
      std::upper_bound(cursor_, end_, event, [](const Event& a, const Event& b) { return a.is_before(b); });
  const auto before = static_cast<std::size_t>(place - cursor_);
  const auto behind = static_cast<std::size_t>(end_ - place);
  const bool goes_left = before < behind && cursor_ != run_.data();
  const std::size_t moved = goes_left ? before : behind;
  // Narrower buckets would not part events of one time, such as those of zero delays.
  if (event.time() > cursor_->time()) {
    shifted_ += std::min(moved, kMostShifted);
    ++searched_;
  }
  if (moved > kMostShifted) {
    push_aside(event);
  } else if (goes_left) {
    --cursor_;
    std::move(cursor_ + 1, place, cursor_);
    place[-1] = event;
  } else {
    if (end_ == run_.data() + run_.size()) {
      make_room_behind_run();
    }
    std::move_backward(cursor_ + before, end_, end_ + 1);
    cursor_[before] = event;
    fast_end_ = ++end_;
  }
}

void EventSet::push_aside(Event event) {
  side_.push(event);
  fast_end_ = nullptr;
}

void EventSet::make_room_behind_run() {
  // Back to the front of the store if half of it was played, else into a store of twice the size.
  const auto played = static_cast<std::size_t>(cursor_ - run_.data());
  const auto left = static_cast<std::size_t>(end_ - cursor_);
  if (played < run_.size() / 2) {
    run_.resize(2 * run_.size());
  }
  Event* const begin = run_.data() + kSlack;
  std::memmove(static_cast<void*>(begin), run_.data() + played, left * sizeof(Event));
  cursor_ = begin;
  end_ = begin + left;
  fast_end_ = side_.empty() ? end_ : nullptr;
}

bool EventSet::pop_slowly(Time limit, Event& event) {
  for (;;) {
    if (!side_.empty()) {
      const bool run_is_empty = cursor_ == end_;
      if (run_is_empty && !is_plain_ && side_.size() > kSlack) {
        if (loaded_ + inserted_ >= judge_at_) {
          adapt();
        }
        if (!side_.empty()) {
          take_side_as_run();
        }
        continue;
      }
      // Among ties the run's event was inserted first.
      const bool takes_side = run_is_empty || side_.top().is_before(*cursor_);
      const Event& first = takes_side ? side_.top() : *cursor_;
      if (first.time() >= limit) {
        return false;
      }
      event = first;
      if (takes_side) {
        side_.pop();
        fast_end_ = side_.empty() ? end_ : nullptr;
      } else {
        ++cursor_;
      }
      --size_;
      return true;
    }
    if (cursor_ != end_) {
      if (cursor_->time() >= limit) {
        return false;
      }
      event = *cursor_++;
      --size_;
      return true;
    }
    if (size_ == 0 || !load_next(limit)) {
      return false;
    }
  }
}

void EventSet::take_side_as_run() {
  const std::size_t count = side_.size();
  if (run_.size() < count + 2 * kSlack) {
    run_.resize(2 * count + 2 * kSlack);
  }
  cursor_ = run_.data() + kSlack;
  end_ = side_.drain_sorted(cursor_);
  fast_end_ = end_;
}

bool EventSet::load_next(Time limit) {
  if (loaded_ + inserted_ >= judge_at_) {
    adapt();
  }
  std::uint64_t next = next_filled();
  const auto end = static_cast<std::uint64_t>(std::max<std::int64_t>(limit.ps(), 0));
  if (next == current_) {
    // Nothing near: the ring jumps to the far tier's earliest event, but never past `limit`, before which more may
    // come.
    if (far_.size() == 0 || far_.floor() >= end) {
      return false;
    }
    const std::uint64_t earliest = far_.earliest();
    if (earliest >= end) {
      return false;
    }
    current_ = (earliest >> shift_) - 1;
    drain_far();
    next = next_filled();
  }
  if (next << shift_ >= end) {
    return false;
  }
  current_ = next;
  if (far_.floor() < horizon()) {
    drain_far();
  }
  load(next);
  return true;
}

std::uint64_t EventSet::next_filled() const {
  constexpr std::size_t kWords = kBuckets / 64;
  const std::size_t start = (current_ + 1) % kBuckets;
  std::size_t word = start / 64;
  std::uint64_t bits = filled_[word] & ~std::uint64_t{0} << (start % 64);
  for (std::size_t i = 0; bits == 0; ++i) {
    if (i == kWords) {
      return current_;
    }
    word = (word + 1) % kWords;
    bits = filled_[word];
  }
  const std::size_t slot = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
  return current_ + 1 + (slot - start) % kBuckets;
}

void EventSet::load(std::uint64_t index) {
  const std::size_t slot = index % kBuckets;
  filled_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
  ChunkList bucket = std::exchange(near_[slot], ChunkList());
  const std::size_t count = bucket.size();
  if (run_.size() < count + 2 * kSlack) {
    run_.resize(2 * count + 2 * kSlack);
  }
  cursor_ = run_.data() + kSlack;
  fast_end_ = end_ = cursor_ + count;
  sorter_.sort(bucket, count, shift_, cursor_);
  bucket.clear(pool_);
  loaded_ += count;
  ++loads_;
  ++runs_;
  saw_spread_ |= cursor_->time() != end_[-1].time();
}

void EventSet::drain_far() {
  far_.take_below(horizon(), [this](const Event& event) {
    --size_;
    push(event);
  });
}

// Judges the width once in a while, by what it cost since: long runs are narrowed when many insertions have to search
// them or shift much of them, or when they leave the cache; short runs are widened when many events took the way
// through the far tier. Narrowing for the sake of insertions forbids widening for a while, longer each time, so that
// the width does not swing.
void EventSet::adapt() {
  const std::uint64_t events = loaded_ + inserted_;
  const std::uint64_t run_length = loads_ == 0 ? 0 : loaded_ / loads_;
  unsigned shift = shift_;
  if (shifted_ > 4 * events && shift > 0) {
    shift -= shifted_ > 32 * events ? std::min(shift, 2u) : 1;
    block_widening();
  } else if (8 * searched_ > events && run_length >= kShortRun && shift > 0) {
    --shift;  // a search costs several times what an event's way through a bucket does
    block_widening();
  } else if (run_length > kLongestRun && saw_spread_) {
    shift -= std::min(shift, static_cast<unsigned>(std::bit_width(run_length / kLongestRun)));
  } else if (run_length < 3 && size_ >= 16) {
    shift = std::min(shift + 2, kWidestShift);  // no insertion can shift much of so short a run
  } else if (widening_blocked_ > 0) {
    --widening_blocked_;
  } else if (8 * far_pushes_ > events && 2 * run_length <= kLongestRun) {
    shift = std::min(shift + (run_length < 64 ? 2 : 1), kWidestShift);
  }
  if (shift != shift_) {
    set_width(shift);
  }
  far_pushes_ = shifted_ = searched_ = inserted_ = loaded_ = loads_ = 0;
  saw_spread_ = false;
  judge_at_ = std::max<std::uint64_t>(1024, size_ / 4);
}

void EventSet::block_widening() {
  widening_blocked_ = next_block_;
  next_block_ = std::min<std::uint64_t>(2 * next_block_, 4096);
}

// Called with an empty run: pending events are aside, in buckets after the current one, or far; in this order of time.
void EventSet::set_width(unsigned shift) {
  std::vector<ChunkList> buckets;
  for (std::uint64_t next = next_filled(); next != current_; next = next_filled()) {
    const std::size_t slot = next % kBuckets;
    filled_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
    buckets.push_back(std::exchange(near_[slot], ChunkList()));
  }
  std::vector<Event> aside(side_.size());
  const auto begin = side_.empty() ? (current_ + 1) << shift_ : static_cast<std::uint64_t>(side_.top().time().ps());
  side_.drain_sorted(aside.data());
  fast_end_ = end_;
  shift_ = shift;
  current_ = (begin >> shift) - 1;
  if (horizon() < far_.base()) {
    far_.rebase(horizon());
  }
  size_ -= aside.size();
  for (const Event& event : aside) {
    push(event);
  }
  for (ChunkList& bucket : buckets) {
    bucket.consume(pool_, [this](const Event& event) {
      --size_;
      push(event);
    });
  }
  drain_far();
}

}  // namespace podwire::des
