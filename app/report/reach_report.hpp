// `podwire reach`: rows are written as they come, so that the output may be larger than memory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "app/report/run_report.hpp"
#include "app/report/text_table.hpp"
#include "models/analysis/reach.hpp"

namespace podwire::report {

/// Takes a piece of output.
using Sink = std::function<void(std::string_view)>;

/// Writes the connections of one or more policy sets in one format. Call begin(), then for each policy set begin_set(),
/// row() for each row, end_set(), then end().
class ReachPrinter {
 public:
  virtual ~ReachPrinter() = default;
  virtual void begin() {}
  virtual void begin_set(const std::string& name, const Basis& basis, const cluster::Cluster& cluster) = 0;
  virtual void row(const analysis::ReachRow& row) = 0;
  virtual void end_set(const analysis::ReachSummary& summary) = 0;
  virtual void end() {}
};

/// `names_sets`: there is more than one policy set, so rows need their set's name.
std::unique_ptr<ReachPrinter> reach_table(Sink sink, const Style& style, bool names_sets);
/// One object: {"apiVersion", "scenario", "policySets": [{"policySet", "basis", "reachability": […]}]}, a row a line.
std::unique_ptr<ReachPrinter> reach_json(Sink sink, const std::string& scenario_name);
/// `source,destination,connections`, with a first column `policySet` when there are several.
std::unique_ptr<ReachPrinter> reach_csv(Sink sink, bool names_sets);

}  // namespace podwire::report
