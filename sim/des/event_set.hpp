// The set of pending events.
#pragma once

#include "sim/des/event.hpp"
#include "sim/des/stable_heap.hpp"

namespace podwire::des {

class EventSet {
 public:
  enum class Layout : std::uint8_t { two_tiers, plain_heap };
  explicit EventSet(Layout layout = Layout::two_tiers) { (void)layout; }
  std::size_t size() const { return heap_.size(); }
  void push(const Event& event) { heap_.push(event); }
  /// Takes the earliest event into `event` if there is one before `limit`.
  bool pop_before(Time limit, Event& event) {
    if (heap_.empty() || heap_.top().time() >= limit) {
      return false;
    }
    event = heap_.top();
    heap_.pop();
    return true;
  }
  std::size_t far_size() const { return 0; }
  template <class IsDead>
  std::size_t sweep_far(IsDead) {
    return 0;
  }

 private:
  StableHeap heap_;
};

}  // namespace podwire::des
