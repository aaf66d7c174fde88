// What `podwire probe` found: truth tables for people, CSV that measured meshes can be compared with, JSON for scripts.
#pragma once

#include <optional>
#include <string>

#include "app/report/run_report.hpp"
#include "app/scenario/probe.hpp"

namespace podwire::report {

struct ProbeView {
  std::string name;  // of the scenario or the manifests
  Basis basis;
  const scenario::ProbeResult* result = nullptr;
  const scenario::ProbeOptions* options = nullptr;
  std::optional<scenario::ProbeComparison> comparison = {};
  const SourceMap* sources = nullptr;
};

/// Sources as rows, destinations as columns: "." allowed, "X" denied, "r" nothing listens, "?" unknown. Ports with the
/// same table share it; after each step what changed.
std::string probe_table(const ProbeView& view, const Style& style);
/// step,source,destination,protocol,port,allowed
std::string probe_csv(const ProbeView& view);
std::string probe_json(const ProbeView& view);
/// The disagreements with a measured mesh, for people; printed below the table, or alone on standard error.
std::string comparison_text(const ProbeView& view, const Style& style);

}  // namespace podwire::report
