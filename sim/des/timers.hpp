// Timers: events that are mostly moved or cancelled before they fire.
//
// A timer's event points to a small node which lives until that event is popped or swept; cancelling marks the node
// dead, moving it later only writes the node's deadline. So a retransmission timer that each acknowledgement pushes
// back costs one event a timeout, not one a packet. Handles carry a generation: a fired timer's handle never reaches a
// reused node.
#pragma once

#include <cstdint>

#include "sim/base/huge_pages.hpp"
#include "sim/des/event.hpp"

namespace podwire::des {

/// A handle that its owner keeps by value; default-constructed it is not set.
struct Timer {
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  std::uint32_t node = kNone;
  std::uint32_t generation = 0;
};

/// The store of timer nodes; used through Simulator::arm and Simulator::cancel.
class TimerNodes {
 public:
  struct Node {
    Time deadline;
    EventSource source;
    std::uint32_t argument = 0;
    std::uint32_t generation = 0;
    Kind kind;
    bool is_live = false;
  };

  bool is_armed(Timer timer) const {
    return timer.node < nodes_.size() && nodes_[timer.node].generation == timer.generation &&
           nodes_[timer.node].is_live;
  }
  Time deadline(Timer timer) const { return is_armed(timer) ? nodes_[timer.node].deadline : Time::never(); }

  /// A live node for a new event; the caller schedules the event with the handle's node as its argument.
  Timer add(Time deadline, EventSource source, Kind kind, std::uint32_t argument) {
    std::uint32_t index = first_free_;
    if (index == Timer::kNone) {
      index = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
    } else {
      first_free_ = nodes_[index].argument;
    }
    Node& node = nodes_[index];
    node.deadline = deadline;
    node.source = source;
    node.kind = kind;
    node.argument = argument;
    node.is_live = true;
    return {index, node.generation};
  }
  Node& operator[](std::uint32_t index) { return nodes_[index]; }
  /// Marks an armed timer's node dead; its event is still pending.
  void kill(Timer timer) {
    nodes_[timer.node].is_live = false;
    ++dead_;
  }
  /// Gives back a node whose event is gone.
  void release(std::uint32_t index) {
    Node& node = nodes_[index];
    dead_ -= node.is_live ? 0 : 1;
    node.is_live = false;
    ++node.generation;
    node.argument = first_free_;
    first_free_ = index;
  }
  /// Dead nodes whose events are still pending.
  std::uint64_t dead() const { return dead_; }
  std::size_t capacity() const { return nodes_.size(); }

 private:
  HugePageVector<Node> nodes_;
  std::uint32_t first_free_ = Timer::kNone;
  std::uint64_t dead_ = 0;
};

}  // namespace podwire::des
