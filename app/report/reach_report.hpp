// `podwire reach`: rows are written as they come, so that the output may be larger than memory; what is kept is
// bounded by the number of workloads. Entry points and exposure follow the rows of their policy set.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/report/run_report.hpp"
#include "app/report/text_table.hpp"
#include "models/analysis/entry_points.hpp"
#include "models/analysis/exposure.hpp"
#include "models/analysis/reach.hpp"
#include "models/analysis/used_edges.hpp"

namespace podwire::report {

/// Takes a piece of output.
using Sink = std::function<void(std::string_view)>;

/// Which rows were asked for, as far as the output says so.
struct ReachShown {
  bool names_sets = false;    // there is more than one policy set, so rows need their set's name
  bool is_pod_level = false;  // rows are between pods
  bool is_focused = false;    // only rows that touch some ends
  bool has_entry_points = false;
  bool has_exposure = false;
  bool is_used_only = false;  // --used-by: rows are narrowed to what is used
};

/// What --used-by left of a policy set's rows.
struct ReachUses {
  std::string by;            // "what containers declare", "flows.json"
  std::uint64_t shown = 0;   // rows that are used
  std::uint64_t unused = 0;  // and that are not, and not shown
  std::uint64_t denied = 0;  // used, and denied
  std::vector<std::string> notes;
};

/// Writes the connections of one or more policy sets in one format. Call begin(), then for each policy set begin_set(),
/// row() for each row, entry_points() and exposure() for each line where they are wanted, end_set(), then end().
class ReachPrinter {
 public:
  virtual ~ReachPrinter() = default;
  virtual void begin() {}
  virtual void begin_set(const std::string& name, const Basis& basis, const cluster::Cluster& cluster) = 0;
  virtual void row(const analysis::ReachRow& row) = 0;
  virtual void entry_points(const std::vector<analysis::EntryRow>& /*rows*/) {}
  virtual void exposure(const analysis::ExposureLine& /*line*/) {}
  /// Of --used-by: a connection that is used and that no row has; then the sum.
  virtual void unreached(const analysis::UnreachedUse& /*use*/) {}
  virtual void uses(const ReachUses& /*uses*/) {}
  virtual void end_set(const analysis::ReachSummary& summary) = 0;
  virtual void end() {}
};

std::unique_ptr<ReachPrinter> reach_table(Sink sink, const Style& style, const ReachShown& shown);
/// One object: {"apiVersion", "scenario", "policySets": [{"policySet", "basis", "reachability": […], "entryPoints":
/// […], "exposure": […]}]}, a row a line.
std::unique_ptr<ReachPrinter> reach_json(Sink sink, const std::string& scenario_name, const ReachShown& shown);
/// `source,destination,connections`, with a first column `policySet` when there are several; with entry points or
/// exposure also `via,host,path,service,outcome,note`.
std::unique_ptr<ReachPrinter> reach_csv(Sink sink, const ReachShown& shown);
/// Tables whose cells are code spans.
std::unique_ptr<ReachPrinter> reach_md(Sink sink, const ReachShown& shown);
/// A Graphviz graph for each policy set: namespaces as clusters, arrows with ports.
std::unique_ptr<ReachPrinter> reach_dot(Sink sink, const ReachShown& shown);
/// A Mermaid flowchart for each policy set: namespaces as subgraphs, arrows with ports. Mermaid draws at most 500
/// arrows; what is left out is counted in the drawing.
std::unique_ptr<ReachPrinter> reach_mermaid(Sink sink, const ReachShown& shown);

// What formats have in common.

/// "TCP 8080", with " (unknown)" or " (not between every two pods)" where that is so.
std::string reach_ports_text(const analysis::ReachRow& row);
/// "allowed", "allowed, perhaps" …: the outcome of an entry point with its note.
std::string entry_outcome_text(const analysis::EntryRow& row);
/// "TCP 5432 (denied by default deny ingress (shop/db))".
std::string unreached_text(const analysis::UnreachedUse& use);
/// "198.51.100.7 and 3 others[External]": an end's name, where several addresses are taken together.
std::string unreached_end(const analysis::UnreachedUse& use, bool is_source);
/// "12 used connections; 30 allowed ones are not used, by what containers declare".
std::string uses_text(const ReachUses& uses);
/// "from" or "to".
std::string_view exposure_side(const analysis::ExposureLine& line);

}  // namespace podwire::report
