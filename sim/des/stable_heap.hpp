// A plain binary heap of events that keeps their order of insertion among ties: the simplest event set there is.
//
// It stands in the event set's place in tests (SimulatorOptions::plain_heap), and inside it for the rare insertions
// that would shift too much of a long run. The order among ties is explicit: a count of insertions beside each event.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/des/event.hpp"

namespace podwire::des {

/// A priority queue over (time, source, insertion).
class StableHeap {
 public:
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  /// The earliest event. Precondition: not empty.
  const Event& top() const { return entries_.front().event; }
  void push(Event event) {
    entries_.push_back({event, inserted_++});
    std::push_heap(entries_.begin(), entries_.end(), Later{});
  }
  void pop() {
    std::pop_heap(entries_.begin(), entries_.end(), Later{});
    entries_.pop_back();
  }
  /// Moves all events, in order, to `out`; returns their end. The heap is empty after.
  Event* drain_sorted(Event* out) {
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return Later{}(b, a); });
    for (const Entry& entry : entries_) {
      *out++ = entry.event;
    }
    entries_.clear();
    return out;
  }

 private:
  struct Entry {
    Event event;
    std::uint64_t inserted;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return b.event.is_before(a.event) || (!a.event.is_before(b.event) && b.inserted < a.inserted);
    }
  };

  std::vector<Entry> entries_;
  std::uint64_t inserted_ = 0;
};

}  // namespace podwire::des
