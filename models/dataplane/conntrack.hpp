// The nodes' connection tracking tables: how many entries each holds at each moment, exactly, without hashing a tuple.
//
// The state of an entry lives in the flow's half (or nowhere, once the flow is gone and only the timeout remains). Here
// are the counts, and the queues by which entries expire. A flow is queued once, at the earliest its entry could run
// out; when that time comes and it was refreshed or changed its state meanwhile, it is queued again at its true time.
// So packets and changes of state cost nothing here, unless the new state runs out before what is queued. Each queue is
// a FIFO, as its timeouts are alike, with a small heap for what comes back out of order. All nodes share the queues: a
// new entry is then written where the last one was, not into one of thousands of places that have left the cache.
// Nothing expires by an event: whoever asks for a count, or finds a table full, first takes out what is due; new
// entries do so now and then, for the memory's sake.
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
#include "sim/base/huge_pages.hpp"
#include "sim/base/time.hpp"

namespace podwire::dataplane {

/// Timeouts by state.
class ConntrackTimeouts {
 public:
  explicit ConntrackTimeouts(const cni::ConntrackTimes& times);
  Duration operator[](ConntrackState state) const { return by_state_[static_cast<std::size_t>(state)]; }
  /// The shortest of all but `close`'s (which follows an RST) and SCTP's (rare): when a new entry is first looked at.
  Duration shortest() const { return shortest_; }

 private:
  std::array<Duration, kConntrackStates> by_state_ = {};
  Duration shortest_;
};

/// By state, TCP flags, and whether the packet is the initiator's; conntrack.cpp has the rules.
extern const std::array<ConntrackState, kConntrackStates * 32> kTcpTransitions;

/// The state after a TCP packet with `flags`, seen by a node that forwards it. `from_initiator`: it goes the way the
/// SYN went. A look-up: connections open and close at their own times, so no branch could be predicted.
inline ConntrackState next_tcp_state(ConntrackState state, std::uint8_t flags, bool from_initiator) {
  return kTcpTransitions[static_cast<std::size_t>(state) << 5 | static_cast<std::size_t>(flags) << 1 |
                         (from_initiator ? 1u : 0u)];
}

/// All machines' tables.
class ConntrackTables {
 public:
  struct Entry {
    Time due;
    FlowHandle flow;  // none: nobody's any more, it only waits to run out
    std::uint32_t machine = 0;
  };

  /// Tables for one more machine, which holds at most `limit` entries.
  void add_machine(std::uint64_t limit) { tables_.push_back({.count = 0, .limit = limit}); }
  bool has(std::size_t machine) const { return machine < tables_.size(); }
  /// Entries, those that ran out but were not taken out yet included: call expire first.
  std::uint64_t count(std::size_t machine) const { return tables_[machine].count; }
  bool is_full(std::size_t machine) const { return tables_[machine].count >= tables_[machine].limit; }
  /// Whether it is time to take out what ran out, lest it pile up; exact counts need expire itself.
  bool wants_expiry(Time now) const { return now >= next_expiry_; }

  /// A new entry; `entry.due` is now + ConntrackTimeouts::shortest.
  void insert(Entry entry) {
    ++tables_[entry.machine].count;
    queue(ConntrackState::none, entry);
  }
  /// The entry is to be looked at earlier than what is queued for it, which becomes stale.
  void queue(ConntrackState state, Entry entry) {
    queues_[static_cast<std::size_t>(state)].push(entry);
    next_due_ = std::min(next_due_, entry.due);
  }
  /// An entry that ran out but was not taken out yet goes now; what was queued for it is stale.
  void remove(std::size_t machine) { --tables_[machine].count; }
  /// The flow is gone, its entry stays until `due`; what was queued for it is stale.
  void orphan(ConntrackState state, std::uint32_t machine, Time due) { queue(state, {due, FlowHandle(), machine}); }

  /// When an entry really runs out, and the state it is in. Never: what was queued is stale.
  struct TrueDue {
    Time due = Time::never();
    ConntrackState state = ConntrackState::none;
  };

  /// Takes out all entries due at or before `now`. `true_due(entry, is_due)` is asked for each with a flow: never means
  /// stale; after `now`, that it was refreshed (it is queued again); else it has run out and, with `is_due`, the
  /// callback has told its flow. Amortised O(1) an entry, O(log) for what is out of order.
  template <class Ask>
  void expire(Time now, Ask ask) {
    next_expiry_ = now + kExpiryInterval;
    if (now < next_due_) {
      return;
    }
    for (std::size_t s = 0; s < kConntrackStates; ++s) {
      Queue& q = queues_[s];
      while (q.head < q.fifo.size() && q.fifo[q.head].due <= now) {
        settle(static_cast<ConntrackState>(s), q.fifo[q.head++], now, ask);
      }
      while (!q.heap.empty() && q.heap.front().due <= now) {
        settle(static_cast<ConntrackState>(s), q.pop_heap(), now, ask);
      }
    }
    next_due_ = Time::never();
    for (Queue& q : queues_) {
      q.tidy(ask);
      next_due_ = std::min(next_due_, q.first_due());
    }
  }
  std::size_t memory_bytes() const;

 private:
  struct Queue {
    HugePageVector<Entry> fifo;  // [head, end), in order of `due`
    std::size_t head = 0;
    std::vector<Entry> heap;  // entries out of order, earliest first
    std::size_t tidy_size = kLeastTidy;

    Time first_due() const;
    Entry pop_heap();
    void push(Entry entry);
    void forget_played();
    void restore_heap();
    /// Forgets the played part of the FIFO, and what is stale each time the queue has doubled.
    template <class Ask>
    void tidy(Ask& ask) {
      if (head > kLeastTidy && head * 2 > fifo.size()) {
        forget_played();
      }
      if (fifo.size() - head + heap.size() < tidy_size) {
        return;
      }
      const auto is_stale = [&](const Entry& entry) {
        return entry.flow.is_valid() && ask(entry, false).due == Time::never();
      };
      forget_played();
      std::erase_if(fifo, is_stale);
      std::erase_if(heap, is_stale);
      restore_heap();
      tidy_size = 2 * (fifo.size() + heap.size()) + kLeastTidy;
    }
  };
  static constexpr std::size_t kLeastTidy = 64;
  static constexpr Duration kExpiryInterval = Duration::from_ms(1);
  struct Table {
    std::uint64_t count = 0;
    std::uint64_t limit = 0;
  };

  template <class Ask>
  void settle(ConntrackState state, Entry entry, Time now, Ask& ask) {
    const TrueDue truth = entry.flow.is_valid() ? ask(entry, true) : TrueDue{entry.due, state};
    if (truth.due == Time::never()) {
      return;
    }
    if (truth.due > now) {
      queues_[static_cast<std::size_t>(truth.state)].push({truth.due, entry.flow, entry.machine});
      return;
    }
    --tables_[entry.machine].count;
  }

  std::array<Queue, kConntrackStates> queues_;  // by state; of `none`: new entries
  Time next_due_ = Time::never();
  Time next_expiry_;
  std::vector<Table> tables_;
};

}  // namespace podwire::dataplane
