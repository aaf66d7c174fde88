// The control plane in time: an ordered log of changes, and each observer's place in it.
//
// An observer (a node's agent, a DNS replica) applies every entry in order: applied(n, k) = max(applied(n, k - 1),
// made(k) + delay(n, k)). So two observers may hold different views at one moment, and none ever skips or swaps
// changes. The first entry is the initial state, applied everywhere at the start. What an entry contains is its owner's
// matter: the log orders numbers. Left out: the delays' distributions and who makes changes (the timeline of a
// scenario).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/base/check.hpp"
#include "sim/base/id.hpp"
#include "sim/base/time.hpp"

namespace podwire::control {

/// An entry's number: 0 is the initial state.
using Version = std::uint32_t;

class ChangeLog {
 public:
  /// A log with its first entry, for observers 0 … count - 1.
  explicit ChangeLog(std::uint32_t observers);

  std::uint32_t observer_count() const { return static_cast<std::uint32_t>(cursors_.size()); }
  Version last() const { return static_cast<Version>(made_.size() - 1); }
  Time made(Version version) const { return made_[version]; }

  /// Appends an entry made at `made` (not before the last one), that reaches observer n after delays[n] (>= 0).
  /// O(observers).
  Version append(Time made, std::span<const Duration> delays);

  /// When `observer` has applied `version`.
  Time applied(std::uint32_t observer, Version version) const;

  /// The newest entry that `observer` has applied at `now`. Calls for one observer come in order of time. O(1) when
  /// nothing changed.
  Version version(std::uint32_t observer, Time now) {
    Version& cursor = cursors_[observer];
    while (cursor < last() && applied(observer, cursor + 1) <= now) [[unlikely]] {
        ++cursor;
      }
    return cursor;
  }

  /// The entry that every observer has applied at `now`: views older than this can be freed.
  Version slowest(Time now) const;

 private:
  std::vector<Time> made_;
  std::vector<Time> applied_;  // (version - 1) × observers + observer; the initial state needs none
  std::vector<Version> cursors_;
};

}  // namespace podwire::control
