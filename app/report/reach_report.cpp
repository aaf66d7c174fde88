// Texts that the formats of `podwire reach` have in common.
#include "app/report/reach_report.hpp"

#include <fmt/format.h>

namespace podwire::report {

std::string reach_ports_text(const analysis::ReachRow& row) {
  return fmt::format("{}{}{}", row.ports->to_string(), row.is_unknown ? " (unknown)" : "",
                     row.varies ? " (not between every two pods)" : "");
}

std::string entry_outcome_text(const analysis::EntryRow& row) {
  return fmt::format("{}{}{}", to_string(row.outcome), row.note.empty() ? "" : ": ", row.note);
}

std::string_view exposure_side(const analysis::ExposureLine& line) {
  return line.direction == policy::Direction::ingress ? "from" : "to";
}

}  // namespace podwire::report
