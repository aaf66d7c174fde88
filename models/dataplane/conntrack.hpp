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

#include <algorithm>
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

/// The queues of one node.
class ConntrackTable {
 public:
  struct Entry {
    Time due;
    FlowHandle flow;  // none: nobody's any more, it only waits to run out
  };

  /// Entries, those that ran out but were not taken out yet included: call expire first.
  std::uint64_t count() const { return count_; }
  std::uint64_t inserted() const { return inserted_; }
  std::uint64_t refused() const { return refused_; }
  void refuse() { ++refused_; }
  /// Whether something may be due: expire does nothing before this.
  Time next_due() const { return next_due_; }

  /// A new entry in `state`.
  void insert(ConntrackState state, Entry entry) {
    ++count_;
    ++inserted_;
    queue(state, entry);
  }
  /// The entry changes its state; what was queued under the old one is stale from now on.
  void move(ConntrackState from, ConntrackState to, Entry entry) {
    --queues_[static_cast<std::size_t>(from)].live;
    queue(to, entry);
  }
  /// An entry that ran out but was not taken out yet goes now; what was queued for it is stale.
  void remove(ConntrackState state) {
    --queues_[static_cast<std::size_t>(state)].live;
    --count_;
  }
  /// The flow is gone, its entry stays until `due`.
  void orphan(ConntrackState state, Time due) { move(state, state, {due, FlowHandle()}); }

  /// Takes out all entries due at or before `now`. `true_due(entry, state, is_due)` says when the entry really runs
  /// out: never (Time::never()) when what was queued is stale, after `now` when it was refreshed since (it is queued
  /// again), else it has run out and, with `is_due`, the callback has told its flow. Amortised O(1) an entry, O(log)
  /// for refreshed ones.
  template <class TrueDue>
  void expire(Time now, TrueDue true_due) {
    if (now < next_due_) {
      return;
    }
    next_due_ = Time::never();
    for (std::size_t s = 1; s < kConntrackStates; ++s) {
      Queue& q = queues_[s];
      const auto state = static_cast<ConntrackState>(s);
      while (q.head < q.fifo.size() && q.fifo[q.head].due <= now) {
        settle(state, q.fifo[q.head++], now, true_due);
      }
      while (!q.heap.empty() && q.heap.front().due <= now) {
        settle(state, q.pop_heap(), now, true_due);
      }
      q.tidy(state, true_due);
      next_due_ = std::min(next_due_, q.first_due());
    }
  }
  std::size_t memory_bytes() const;

 private:
  struct Queue {
    std::vector<Entry> fifo;  // [head, end), in order of `due`
    std::size_t head = 0;
    std::vector<Entry> heap;  // entries out of order, earliest first
    std::uint64_t live = 0;   // entries of this state; the others queued are stale

    Time first_due() const;
    Entry pop_heap();
    void push(Entry entry);
    /// Forgets the played part of the FIFO, and stale entries once they outnumber the live ones.
    template <class TrueDue>
    void tidy(ConntrackState state, TrueDue& true_due) {
      if (fifo.size() + heap.size() - head > 2 * live + kLeastTidy) {
        const auto is_stale = [&](const Entry& entry) {
          return entry.flow.is_valid() && true_due(entry, state, false) == Time::never();
        };
        fifo.erase(fifo.begin(), fifo.begin() + static_cast<std::ptrdiff_t>(head));
        head = 0;
        std::erase_if(fifo, is_stale);
        std::erase_if(heap, is_stale);
        restore_heap();
      } else if (head > kLeastTidy && head * 2 > fifo.size()) {
        fifo.erase(fifo.begin(), fifo.begin() + static_cast<std::ptrdiff_t>(head));
        head = 0;
      }
    }
    void restore_heap();
  };
  static constexpr std::size_t kLeastTidy = 64;

  void queue(ConntrackState state, Entry entry);

  template <class TrueDue>
  void settle(ConntrackState state, Entry entry, Time now, TrueDue& true_due) {
    Queue& q = queues_[static_cast<std::size_t>(state)];
    const Time due = entry.flow.is_valid() ? true_due(entry, state, true) : entry.due;
    if (due == Time::never()) {
      return;
    }
    if (due > now) {
      q.push({due, entry.flow});
      return;
    }
    --q.live;
    --count_;
  }

  std::array<Queue, kConntrackStates> queues_;
  Time next_due_ = Time::never();
  std::uint64_t count_ = 0;
  std::uint64_t inserted_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace podwire::dataplane
