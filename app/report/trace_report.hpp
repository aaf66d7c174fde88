// The timeline of one played connection, for `podwire explain --trace`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/report/text_table.hpp"
#include "models/workload/trace.hpp"
#include "sim/base/diagnostic.hpp"

namespace podwire::report {

/// A played connection with the places of the rules that lost its packets.
struct TraceView {
  workload::TraceRun run;
  std::vector<std::string> places;  // by packet: file:line:column, or ""
  std::uint64_t seed = 1;
  std::string timing;  // "published", "guess": what the step times rest on
};

TraceView trace_view(workload::TraceRun run, std::uint64_t seed, const std::string& timing, const SourceMap& sources);

/// "connected after 57.31µs": what came of it, in one line.
std::string trace_summary(const TraceView& view);
/// Packet by packet. A lookup's packets are one line each unless they were lost; JSON has every step.
std::string trace_text(const TraceView& view, const Style& style);
/// Times in seconds since the beginning.
nlohmann::ordered_json trace_json(const TraceView& view);

}  // namespace podwire::report
