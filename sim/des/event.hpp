// What is scheduled: a 16-byte event, the source it is ordered by, and the kind that picks its handler.
//
// The order of events is total and belongs to the model, not to the event set: (time, source, order of insertion at
// that source). There is no global sequence number, so an observer or a partition that schedules events of its own
// cannot reorder the ties of others. Two events at one time and one source fire in the order in which they were
// scheduled.
#pragma once

#include <compare>
#include <cstdint>

#include "sim/base/check.hpp"
#include "sim/base/time.hpp"

namespace podwire::des {

/// Who schedules: the second key of the order of events. Below 2^26; Simulator::add_sources hands out unique ones.
class EventSource {
 public:
  static constexpr std::uint32_t kLimit = 1u << 26;

  constexpr EventSource() = default;
  constexpr explicit EventSource(std::uint32_t value) : value_(value) {
    PODWIRE_CHECK(value < kLimit, "des", "an event source fits 26 bits");
  }
  constexpr std::uint32_t value() const { return value_; }
  /// The source `count` further, as in a block that add_sources returned the first of.
  constexpr EventSource plus(std::uint32_t count) const { return EventSource(value_ + count); }
  constexpr auto operator<=>(const EventSource&) const = default;

 private:
  std::uint32_t value_ = 0;
};

/// An index into the simulator's table of handlers, below 64; Simulator::on returns it.
class Kind {
 public:
  static constexpr std::uint32_t kLimit = 64;

  constexpr Kind() = default;
  constexpr explicit Kind(std::uint32_t value) : value_(static_cast<std::uint8_t>(value)) {
    PODWIRE_CHECK(value < kLimit, "des", "an event kind fits 6 bits");
  }
  constexpr std::uint32_t value() const { return value_; }
  constexpr auto operator<=>(const Kind&) const = default;

 private:
  std::uint8_t value_ = 0;
};

/// One scheduled event, by value. `argument` is the handler's: a packet's, node's or connection's index.
class Event {
 public:
  constexpr Event() = default;
  constexpr Event(Time time, EventSource source, Kind kind, std::uint32_t argument)
      : who_(std::uint64_t{source.value()} << 38 | std::uint64_t{kind.value()} << 32 | argument), time_(time.ps()) {}

  constexpr Time time() const { return Time::from_ps(time_); }
  constexpr EventSource source() const { return EventSource(static_cast<std::uint32_t>(who_ >> 38)); }
  constexpr Kind kind() const { return Kind(static_cast<std::uint32_t>(who_ >> 32) & 63u); }
  constexpr std::uint32_t argument() const { return static_cast<std::uint32_t>(who_); }

  /// Strictly before in (time, source); neither before the other means "in the order of insertion".
  constexpr bool is_before(const Event& other) const { return order_key() < other.order_key(); }
  constexpr bool operator==(const Event&) const = default;

 private:
  // One subtraction with borrow compares both keys without a branch. Times are not negative.
  constexpr unsigned __int128 order_key() const {
    return static_cast<unsigned __int128>(static_cast<std::uint64_t>(time_)) << 64 | who_ >> 38;
  }

  // Two words, not three fields: an event that is made in registers is then copied as it was written, where a copy of
  // 16 bytes would wait for three smaller stores.
  std::uint64_t who_ = 0;  // source 26 bits, kind 6, argument 32
  std::int64_t time_ = 0;
};
static_assert(sizeof(Event) == 16);

}  // namespace podwire::des
