// Texts that the formats of `podwire reach` have in common.
#include "app/report/reach_report.hpp"

#include <fmt/format.h>

namespace podwire::report {

std::string reach_ports_text(const analysis::ReachRow& row) {
  return fmt::format("{}{}{}", connections_text(row), row.is_unknown ? " (unknown)" : "",
                     row.varies ? " (not between every two pods)" : "");
}

std::string entry_outcome_text(const analysis::EntryRow& row) {
  return fmt::format("{}{}{}", to_string(row.outcome), row.note.empty() ? "" : ": ", row.note);
}

std::string unreached_end(const analysis::UnreachedUse& use, bool is_source) {
  const bool is_outside = is_source ? !use.source_workload.is_valid() : !use.destination_workload.is_valid();
  std::string name = is_source ? use.source : use.destination;
  const std::size_t bracket = name.find("[External]");
  if (is_outside && use.addresses > 1 && bracket != std::string::npos) {
    name.insert(bracket, fmt::format(" and {} other{}", use.addresses - 1, use.addresses == 2 ? "" : "s"));
  }
  return name;
}

std::string unreached_text(const analysis::UnreachedUse& use) {
  const std::string_view word = use.side.action == policy::Action::deny    ? "denied"
                                : use.side.action == policy::Action::allow ? "allowed"
                                                                           : "unknown";
  const std::string why = use.side.action == policy::Action::unknown && use.side.rule.empty()
                              ? ": " + std::string(to_string(use.side.doubt))
                          : use.side.rule.empty() || use.side.action == policy::Action::allow ? ""
                                                                                              : " by " + use.side.rule;
  return fmt::format("{} ({}{})", use.ports.to_string(), word, why);
}

std::string uses_text(const ReachUses& uses) {
  return fmt::format("{} allowed connection{} used by {}; {} allowed {} not used, and not shown; {} used {} denied",
                     uses.shown, uses.shown == 1 ? "" : "s", uses.by, uses.unused, uses.unused == 1 ? "is" : "are",
                     uses.denied, uses.denied == 1 ? "is" : "are");
}

std::string_view exposure_side(const analysis::ExposureLine& line) {
  return line.direction == policy::Direction::ingress ? "from" : "to";
}

}  // namespace podwire::report
