// From what analysis found to the texts that every format of `podwire diff` prints.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/report/diff_report.hpp"

namespace podwire::report {
namespace {

using analysis::ChangeKind;
using analysis::DiffCause;
using analysis::DiffRow;
using Effect = analysis::PolicyChange::Effect;

constexpr std::size_t kNamed = 8;  // of a list in one line

std::string action_text(policy::Action action) {
  return action == policy::Action::allow ? "allowed" : action == policy::Action::deny ? "denied" : "unknown";
}

DiffSeverity severity_of(const DiffRow& row) {
  switch (row.cause) {
    case DiffCause::unknown:
      return DiffSeverity::unknown;
    case DiffCause::workload_added:
      return DiffSeverity::workload_added;
    case DiffCause::workload_removed:
      return DiffSeverity::workload_removed;
    case DiffCause::policy:
      break;
  }
  if (row.opened.empty()) {
    return DiffSeverity::closed;
  }
  return row.is_outside() ? DiffSeverity::opened_outside : DiffSeverity::opened;
}

std::string ports_text(const policy::PortSet& ports, bool is_unknown) {
  return ports.to_string() + (is_unknown ? " (unknown)" : "");
}

std::string text_or_nothing(const policy::PortSet& ports) {
  return ports.empty() ? "" : ports.to_string();
}

std::string connections(std::uint64_t count) {
  return fmt::format("{} {}", count, count == 1 ? "connection" : "connections");
}

std::string names(const std::vector<std::string>& all) {
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), kNamed));
  return fmt::format("{}{}", fmt::join(all.begin(), end, ", "),
                     all.size() > kNamed ? fmt::format(" and {} more", all.size() - kNamed) : "");
}

void add_workloads(const DiffTail& tail, ChangeKind kind, std::vector<std::string>& notes) {
  std::vector<std::string> texts;
  for (const analysis::WorkloadChange& workload : tail.summary.workloads) {
    if (workload.kind == kind) {
      texts.push_back(fmt::format("{} ({})", workload.name, connections(workload.connections)));
    }
  }
  if (!texts.empty()) {
    notes.push_back(fmt::format("{} {} {}: {}; no policy did this", texts.size(),
                                texts.size() == 1 ? "workload" : "workloads", to_string(kind), names(texts)));
  }
}

void add_policies(const DiffTail& tail, std::vector<std::string>& notes) {
  if (tail.policies.empty()) {
    return;
  }
  std::vector<std::string> counts;
  for (const std::string_view kind : {"added", "removed", "changed"}) {
    const auto count = std::count_if(tail.policies.begin(), tail.policies.end(),
                                     [&](const DiffPolicy& policy) { return policy.change == kind; });
    if (count > 0) {
      counts.push_back(fmt::format("{} {} {}", count, count == 1 ? "policy" : "policies", kind));
    }
  }
  std::string text = fmt::format("{}", fmt::join(counts, ", "));
  if (tail.summary.totals.rows() == 0) {
    notes.push_back(text + ", no connection affected");
    return;
  }
  notes.push_back(text);
  std::vector<std::string> idle;
  for (const DiffPolicy& policy : tail.policies) {
    if (policy.effect == Effect::none) {
      idle.push_back(fmt::format("{} ({})", policy.name, policy.change));
    }
  }
  if (!idle.empty()) {
    notes.push_back(
        fmt::format("without effect of their own (undoing one alone would change no connection): {}", names(idle)));
  }
}

}  // namespace

std::string_view to_string(DiffSeverity severity) {
  constexpr std::string_view kNames[] = {
      "opened with the outside",    "opened", "unknown", "closed", "new with added workloads",
      "gone with removed workloads"};
  return kNames[static_cast<std::size_t>(severity)];
}

DiffLine diff_line(const DiffRow& row, const scenario::Unapproved& left, const SourceMap& sources) {
  DiffLine line;
  line.severity = severity_of(row);
  line.cause = to_string(row.cause);
  line.change = row.cause == DiffCause::unknown ? "unknown"
                : row.family                    ? "changed"
                : row.before.empty()            ? "added"
                : row.after.empty()             ? "removed"
                                                : "changed";
  line.source = row.source.name;
  line.destination = row.destination.name;
  line.before = ports_text(row.before, row.is_unknown_before);
  line.after = ports_text(row.after, row.is_unknown_after);
  line.opened = text_or_nothing(row.opened);
  line.closed = text_or_nothing(row.closed);
  line.varies = row.varies;
  if (row.family) {
    line.family = *row.family == IpFamily::v4 ? "IPv4" : "IPv6";
    for (std::string* text : {&line.opened, &line.closed}) {
      *text += text->empty() ? "" : fmt::format(" ({} only)", line.family);
    }
  }
  line.is_approved = row.cause != DiffCause::unknown && left.empty();
  if (!left.empty()) {
    line.unapproved = fmt::format("{}{}{}", left.opened.empty() ? "" : "opened " + left.opened.to_string(),
                                  left.opened.empty() || left.closed.empty() ? "" : "; ",
                                  left.closed.empty() ? "" : "closed " + left.closed.to_string());
  }
  line.reasons = [&row, &sources] {
    std::vector<DiffReason> reasons;
    for (const analysis::RuleChange& change : row.reasons()) {
      reasons.push_back({.direction = std::string(policy::to_string(change.direction)),
                         .port = fmt::format("{} {}", podwire::to_string(change.protocol), change.port.number()),
                         .before = change.before.text,
                         .before_action = action_text(change.before.action),
                         .before_place = sources.file_and_line(change.before.span),
                         .after = change.after.text,
                         .after_action = action_text(change.after.action),
                         .after_place = sources.file_and_line(change.after.span)});
    }
    return reasons;
  };
  return line;
}

std::vector<DiffPolicy> diff_policies(const std::vector<analysis::PolicyChange>& changes, const SourceMap& sources) {
  std::vector<DiffPolicy> policies;
  for (const analysis::PolicyChange& change : changes) {
    policies.push_back({.name = change.name,
                        .change = std::string(to_string(change.kind)),
                        .before_place = sources.file_and_line(change.before),
                        .after_place = sources.file_and_line(change.after),
                        .effect = change.effect});
  }
  return policies;
}

DiffApproval diff_approval(const scenario::Approval& entry, const SourceMap& sources) {
  return {.text = fmt::format("{} → {} {} {}", entry.source, entry.destination, entry.connections,
                              entry.is_opening ? "opened" : "closed"),
          .owner = entry.owner,
          .reason = entry.reason,
          .expires = entry.expires.to_string(),
          .place = sources.file_and_line(entry.span),
          .matches = entry.matches};
}

std::string diff_answer(const DiffTail& tail) {
  const analysis::DiffTotals& totals = tail.summary.totals;
  if (totals.rows() == 0) {
    return "no connection differs";
  }
  std::vector<std::string> parts;
  const auto outside = [](std::uint64_t count) {
    return count == 0 ? std::string() : fmt::format(" ({} with the outside)", count);
  };
  parts.push_back(fmt::format("{} opened{}", connections(totals.opened), outside(totals.opened_outside)));
  parts.push_back(fmt::format("{} closed{}", totals.closed, outside(totals.closed_outside)));
  if (totals.both > 0) {
    parts.push_back(fmt::format("{} of them both", totals.both));
  }
  if (totals.unknown > 0) {
    parts.push_back(fmt::format("{} unknown", totals.unknown));
  }
  if (totals.workload_added > 0) {
    parts.push_back(fmt::format("{} new with added workloads", totals.workload_added));
  }
  if (totals.workload_removed > 0) {
    parts.push_back(fmt::format("{} gone with removed workloads", totals.workload_removed));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::vector<std::string> diff_notes(const DiffTail& tail) {
  std::vector<std::string> notes;
  if (tail.has_approvals) {
    const std::uint64_t rows = tail.summary.totals.rows();
    notes.push_back(fmt::format("{} of {} {} approved{}", tail.approved, rows, rows == 1 ? "difference" : "differences",
                                tail.result == "approved" ? ": all of them" : ""));
  }
  add_workloads(tail, ChangeKind::added, notes);
  add_workloads(tail, ChangeKind::removed, notes);
  add_policies(tail, notes);
  if (!tail.routes.empty()) {
    notes.push_back(fmt::format("not compared, as connections are those between pods: {}", names(tail.routes)));
  }
  if (tail.summary.unknown_alike > 0) {
    notes.push_back(fmt::format("{} unknown on both sides, and nothing that could change them differs",
                                connections(tail.summary.unknown_alike)));
  }
  if (tail.summary.families_differ) {
    notes.push_back("only one side has pods of both address families: the other's outside is not compared");
  }
  return notes;
}

std::string diff_reason_text(const DiffReason& reason) {
  const auto at = [](const std::string& place) { return place.empty() ? "" : " at " + place; };
  return fmt::format("{}{} → {}{}", reason.before, at(reason.before_place), reason.after, at(reason.after_place));
}

std::string diff_ports_text(const DiffLine& line) {
  constexpr std::string_view kNone = "No Connections";
  if (!line.family.empty()) {
    return fmt::format("{} → {} ({} only)", line.before, line.after, line.family);
  }
  if (line.severity == DiffSeverity::unknown) {
    return fmt::format("{} → {}", line.before, line.after);
  }
  if (line.before == kNone) {
    return line.after;
  }
  return line.after == kNone ? line.before : fmt::format("{} → {}", line.before, line.after);
}

}  // namespace podwire::report
