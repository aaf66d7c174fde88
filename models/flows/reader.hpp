// Flow logs, one record at a time: memory is a line and a few counters, whatever the log's length.
//
// Formats, told by the first line that is not blank:
// - Hubble: `hubble observe -o json|jsonpb` and exporter files, one object a line; also a bare flow a line.
// - Calico: Goldmane's flows as Whisker's API lists or streams them, as its emitter posts them, and Felix's own logs.
// - CSV: a head line naming columns (time, source, destination, port, protocol, verdict …), or these in this order.
// Field names and their sources stand in hubble.cpp, goldmane.cpp and csv.cpp. A line that cannot be read is counted
// and the first ones are kept with number and reason; nothing is lost silently.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/flows/flow.hpp"
#include "sim/config/byte_stream.hpp"

namespace podwire::flows {

enum class LogFormat : std::uint8_t { unknown, hubble, goldmane, csv };
/// "Hubble", "Calico", "CSV".
std::string_view to_string(LogFormat format);

/// Records that are read and are no flow to judge.
enum class Skipped : std::uint8_t {
  layer7,       // requests and responses: their connection has records of its own
  socket,       // address translation at the socket: no packet yet
  other_event,  // agents, nodes, debugging
  not_ip,       // ARP and the like, protocols that no policy names (IGMP, VRRP)
};
inline constexpr std::size_t kSkippedKinds = 4;
/// "layer 7", "socket translation", "other events", "other protocols".
std::string_view to_string(Skipped kind);

struct DamagedLine {
  std::uint64_t line = 0;
  std::string reason;  // quotes nothing of the line
};

struct LogStatistics {
  std::uint64_t lines = 0;  // not blank
  std::uint64_t records = 0;
  std::uint64_t damaged = 0;
  std::vector<DamagedLine> first_damaged;  // at most kMostDamaged
  std::uint64_t loss_reports = 0;          // "lost_events" records
  std::uint64_t lost_events = 0;           // what they add up to
  std::array<std::uint64_t, kSkippedKinds> skipped{};
  bool is_cut_off = false;  // the last line is no whole record
  std::string problem;      // why reading stopped before the end; "" when it did not
};
inline constexpr std::size_t kMostDamaged = 10;

/// What a parser of lines makes of one.
enum class LineResult : std::uint8_t { flow, skipped, damaged, loss };

class LineParser;

class FlowReader {
 public:
  /// `name` is the file as the user wrote it, or "-".
  FlowReader(std::string name, std::unique_ptr<config::ByteStream> stream, config::LineLimits limits = {});
  ~FlowReader();
  FlowReader(FlowReader&&) noexcept;
  FlowReader& operator=(FlowReader&&) noexcept;

  /// The next record; false at the end. Views of `flow` hold until the next call.
  bool next(Flow& flow);
  const std::string& name() const;
  LogFormat format() const;
  /// Of the record that next() gave last.
  std::uint64_t line_number() const;
  const LogStatistics& statistics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// RFC 3339 ("2023-08-21T12:12:13.517394084Z", with an offset too), or seconds since 1970 with a fraction; kNoTime when
/// it is neither.
Nanoseconds parse_time(std::string_view text);
/// "2023-08-21T12:12:13Z".
std::string format_time(Nanoseconds time);

}  // namespace podwire::flows
