// Who reaches whom, as a matrix of workloads while it fits a page, as a list beyond that.
#pragma once

#include <string>
#include <vector>

#include "app/report/run_report.hpp"

namespace podwire::report {

/// Workloads against workloads; external ranges are listed below it. Cells: "all", "TCP 8080", "?" (unknown), "–" (no).
/// Up to 12 workloads make a matrix, more a list of the connections.
std::string reach_matrix(const std::vector<ReachRecord>& lines, const Style& style);

}  // namespace podwire::report
