// The table of `probe --compare`: each line after the header is held against what was played, named as missing, or
// refused at its place. The played mesh is fixed: two pods, one Service, TCP/80 and UDP/53, two steps.
#include <algorithm>
#include <vector>

#include "app/scenario/probe.hpp"
#include "tests/fuzz/oracle.hpp"

namespace podwire::fuzz {
namespace {

scenario::ProbeResult played() {
  scenario::ProbeResult result;
  for (int s = 0; s < 2; ++s) {
    scenario::ProbeStep& step = result.steps.emplace_back();
    step.text = s == 0 ? "" : "apply NetworkPolicy y/deny";
    step.sources = {"x/a", "x/b"};
    step.destinations = {"y/web"};
    for (std::uint32_t source = 0; source < 2; ++source) {
      for (std::uint32_t port = 0; port < 2; ++port) {
        const auto verdict = s == 0 ? workload::ProbeVerdict::allowed : workload::ProbeVerdict::denied;
        step.rows.push_back({.source = source, .destination = 0, .port = port, .verdict = verdict});
      }
    }
  }
  return result;
}

std::size_t lines_of(std::string_view text) {
  std::size_t count = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    count += line.empty() || line == "\r" ? 0 : 1;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return count;
}

void check(const std::string& text) {
  static const scenario::ProbeResult result = played();
  scenario::ProbeOptions options;
  options.ports = {*scenario::parse_probe_port("TCP/80"), *scenario::parse_probe_port("UDP/53")};
  SourceMap sources;
  const SourceId source = sources.add("measured.csv", text);
  Diagnostics diagnostics;
  const auto comparison = scenario::compare_probes(result, options, sources.text(source), source, diagnostics);
  require(comparison.has_value() != diagnostics.has_errors(), "accepted or refused");
  check_diagnostics(diagnostics, sources);
  if (!comparison) {
    return;
  }
  const auto unplayed = static_cast<std::size_t>(std::count_if(comparison->missing.begin(), comparison->missing.end(),
                                                               [](const auto& row) { return row.played.empty(); }));
  require(comparison->compared + unplayed + 1 == lines_of(text), "every line is compared or named as missing");
  require(comparison->compared + comparison->missing.size() - unplayed == 8, "every probe is compared or missing");
  require(comparison->disagreements.size() <= comparison->compared, "only what was compared disagrees");
}

}  // namespace
}  // namespace podwire::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  podwire::fuzz::check(podwire::fuzz::text_of(data, size));
  return 0;
}
