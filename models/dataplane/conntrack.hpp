// One node's connection tracking table: how many entries it holds at each moment, exactly, without hashing a tuple.
//
// The state of an entry lives in the flow's half (or nowhere, once the flow is gone and only the timeout remains). Here
// are the queues by which entries expire: one FIFO a state, since all entries of a state have one timeout, and a small
// heap for entries that come back out of order because they were refreshed since. Nothing expires by an event: whoever
// asks for the count, and each new entry, first takes out what is due.
// Source: Linux net/netfilter/nf_conntrack_core.c and nf_conntrack_proto_tcp.c (states and their meaning); a full table
// drops the packet of a new entry. Left out: early drop of unassured entries, window checks, a tuple that is reused
// while its old entry lingers (counted twice until that runs out).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "models/cni/profile.hpp"
#include "models/dataplane/conntrack_state.hpp"
#include "models/dataplane/packet.hpp"
#include "sim/base/time.hpp"

namespace podwire::dataplane {

/// Timeouts by state.
class ConntrackTimeouts {
 public:
  explicit ConntrackTimeouts(const cni::ConntrackTimes& times);
  Duration operator[](ConntrackState state) const { return by_state_[static_cast<std::size_t>(state)]; }

 private:
  std::array<Duration, kConntrackStates> by_state_ = {};
};

/// The state after a TCP packet with `flags`, seen by a node that forwards it. `from_initiator`: it goes the way the
/// SYN went.
ConntrackState next_tcp_state(ConntrackState state, std::uint8_t flags, bool from_initiator);

struct Flow;

/// The queues of one node. The owner passes what it knows of a flow by `Lookup`: a callable
/// (FlowHandle) → Flow* that gives null for a handle whose flow is gone.
class ConntrackTable {
 public:
  struct Entry {
    Time due;
    FlowHandle flow;  // none: nobody's any more, it only waits to run out
  };

  std::uint64_t count() const { return count_; }
  std::uint64_t inserted() const { return inserted_; }
  std::uint64_t refused() const { return refused_; }
  void refuse() { ++refused_; }

  /// A new entry, or an entry's first queueing under a new state. `due` >= every earlier `due` of that state.
  void insert() {
    ++count_;
    ++inserted_;
  }
  void queue(ConntrackState state, Entry entry);
  /// Takes out all entries due at or before `now`. `still_due(entry, state)` tells what a popped entry means: its
  /// flow's true due time (Time() when the entry is stale and must not count, `entry.due` when it has run out).
  template <class TrueDue>
  void expire(Time now, TrueDue true_due);
  std::size_t memory_bytes() const;

 private:
  struct Queue {
    std::vector<Entry> fifo;  // [head, end)
    std::size_t head = 0;
    std::vector<Entry> heap;  // by due, earliest first
  };
  template <class TrueDue>
  void settle(Queue& queue, ConntrackState state, const Entry& entry, Time now, TrueDue& true_due);

  std::array<Queue, kConntrackStates> queues_;
  std::uint64_t count_ = 0;
  std::uint64_t inserted_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace podwire::dataplane
