// Flow logs from strangers: any bytes, read at once and in small steps. What must hold: no harm; the same records and
// counts however the bytes come; every record is whole; every line is a record, skipped, a report of losses or damaged.
#include <algorithm>
#include <compare>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "models/flows/reader.hpp"

namespace {

using namespace podwire;

void must(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "flows: %s\n", what);
    std::abort();
  }
}

struct Outcome {
  std::uint64_t lines = 0, records = 0, damaged = 0, skipped = 0, losses = 0, lost = 0, hash = 0;
  auto operator<=>(const Outcome&) const = default;
};

Outcome read(std::string_view bytes, std::size_t step) {
  config::LineLimits limits;
  limits.max_line = 4096;
  std::size_t at = 0;
  flows::FlowReader reader("fuzz", config::stream_of([&](char* out, std::size_t room) {
                             const std::size_t count = std::min({room, step, bytes.size() - at});
                             bytes.copy(out, count, at);
                             at += count;
                             return count;
                           }),
                           limits);
  Outcome outcome;
  flows::Flow flow;
  const auto mix = [&](std::uint64_t value) { outcome.hash = (outcome.hash ^ value) * 0x100'0000'01b3u; };
  while (reader.next(flow)) {
    must(flow.time != flows::kNoTime, "a record has a time");
    must(flow.protocol > flows::FlowProtocol::sctp || flow.destination_port != 0, "a record has a port");
    mix(static_cast<std::uint64_t>(flow.time));
    mix(flow.destination_port);
    for (const flows::FlowEnd* end : {&flow.source, &flow.destination}) {
      for (const std::string_view text : {end->name_space, end->pod, end->workload}) {
        for (const char c : text) {
          mix(static_cast<unsigned char>(c));
        }
      }
    }
  }
  const flows::LogStatistics& s = reader.statistics();
  outcome.lines = s.lines;
  outcome.records = s.records;
  outcome.damaged = s.damaged;
  outcome.losses = s.loss_reports;
  outcome.lost = s.lost_events;
  for (const std::uint64_t count : s.skipped) {
    outcome.skipped += count;
  }
  must(s.lines <= s.records + s.damaged + s.loss_reports + outcome.skipped, "no line is lost silently");
  must(s.first_damaged.size() <= flows::kMostDamaged, "few damaged lines are kept");
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  must(read(bytes, 1 << 20) == read(bytes, 3), "the steps in which bytes come do not matter");
  return 0;
}
