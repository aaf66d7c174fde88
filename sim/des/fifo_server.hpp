// Contention points as FIFO servers that remember when they fall idle: a link, a NIC, one core of a node's CPU.
//
// Because service is first in, first out and nothing leaves early, the whole queue is known from one number, the time
// it runs dry: a booking gets its start and its finish at once, and no event is needed inside the server (Lindley's
// recursion, start = max(now, idle), finish = start + work). Bookings arrive in order of time.
// Left out: priorities, fair queueing, preemption and changing rates, which need a queue that exists.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/base/check.hpp"
#include "sim/base/quantity.hpp"
#include "sim/base/time.hpp"

namespace podwire::des {

/// What a server answers: when the work starts and ends, or that it was dropped (then both times are `now`).
struct Booking {
  Time start;
  Time finish;
  bool is_accepted = true;
};

/// A FIFO server with an optional drop-tail bound on its unfinished work, 16 bytes.
/// The bound is kept as time: what is unfinished, the part of the job in service that is still to do included.
class FifoServer {
 public:
  /// Accepts everything.
  constexpr FifoServer() = default;
  /// Drops work that would make more than `limit` of unfinished work, itself included.
  static constexpr FifoServer limited_by_time(Duration limit) { return FifoServer(limit); }
  /// Drops a packet that would make more than `limit` unsent bytes on a line of `rate`, itself included.
  static constexpr FifoServer limited_by_bytes(Bytes limit, BitRate rate) {
    return FifoServer(serialization_delay(limit, rate));
  }

  /// Books `work` (>= 0) at `now`, or drops it. An idle server accepts any work: it enters service, not the queue.
  Booking book(Time now, Duration work) {
    // Whether the server is idle is a coin toss to the branch predictor, so the greater of 0 and the wait is masked.
    const std::int64_t wait = (idle_at_ - now).ps();
    const Duration backlog = Duration::from_ps(wait & ~(wait >> 63));
    if (backlog + work > limit_ && backlog > Duration::zero()) [[unlikely]] {
      return {now, now, false};
    }
    const Time start = now + backlog;
    const Time finish = start + work;
    idle_at_ = finish;
    return {start, finish, true};
  }
  /// Unfinished work at `now`.
  constexpr Duration backlog(Time now) const { return std::max(now, idle_at_) - now; }
  /// When the server runs dry if nothing more is booked; in the past when it is idle.
  constexpr Time idle_at() const { return idle_at_; }
  constexpr Duration limit() const { return limit_; }

 private:
  constexpr explicit FifoServer(Duration limit) : limit_(limit) {}

  Time idle_at_;
  Duration limit_ = Duration::max();
};
static_assert(sizeof(FifoServer) == 16);

/// A FIFO server that holds at most `capacity` packets, the one in service included.
/// The last `capacity` finish times are kept in a ring: there is room exactly when the oldest of them has passed.
class PacketLimitedServer {
 public:
  explicit PacketLimitedServer(std::uint32_t capacity) : finishes_(capacity) {
    PODWIRE_CHECK(capacity > 0, "des", "a server holds at least one packet");
  }
  /// Books `work` (>= 0) at `now`, or drops it. A packet that finishes at `now` has left. O(1).
  Booking book(Time now, Duration work) {
    Time& oldest = finishes_[next_];
    if (oldest > now) {
      return {now, now, false};
    }
    const Time start = std::max(now, idle_at_);
    idle_at_ = start + work;
    oldest = idle_at_;
    next_ = next_ + 1 == finishes_.size() ? 0 : next_ + 1;
    return {start, idle_at_, true};
  }
  Duration backlog(Time now) const { return std::max(now, idle_at_) - now; }

 private:
  Time idle_at_;
  std::uint32_t next_ = 0;
  std::vector<Time> finishes_;
};

}  // namespace podwire::des
