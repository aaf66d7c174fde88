// `podwire diff`: what differs, row by row, and the totals, in five formats.
//
// CSV and JSON are written as rows come and hold every row. The table, DOT and Markdown put the most severe first, so
// they keep rows, each up to a limit, and count the rest; totals are always whole.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/report/reach_report.hpp"
#include "app/report/run_report.hpp"
#include "app/report/text_table.hpp"
#include "app/scenario/approved.hpp"
#include "models/analysis/diff.hpp"

namespace podwire::report {

/// The most severe first.
enum class DiffSeverity : std::uint8_t { opened_outside, opened, unknown, closed, workload_added, workload_removed };
constexpr std::size_t kDiffSeverities = 6;
/// "opened to the outside", "opened", "unknown" …: a heading.
std::string_view to_string(DiffSeverity severity);

struct DiffHead {
  std::string before;  // as the user named them
  std::string after;
  Basis basis_before;
  Basis basis_after;
};

/// One direction's rules before and after, with places.
struct DiffReason {
  std::string direction;
  std::string port;    // "TCP 80", where the sides were asked
  std::string before;  // "default deny ingress (backend/deny)"
  std::string before_action;
  std::string before_place;  // file:line
  std::string after;
  std::string after_action;
  std::string after_place;
};

struct DiffLine {
  DiffSeverity severity = DiffSeverity::opened;
  std::string change;  // "added", "removed", "changed", "unknown"
  std::string cause;   // "policy", "workload-added" …
  std::string source;
  std::string destination;
  std::string before;  // "TCP 80", "No Connections"; "unknown" is added where an unmodelled object may decide
  std::string after;
  std::string opened;  // "" when nothing
  std::string closed;
  std::string unapproved;  // what no entry approves: "opened TCP 81", "" when all is approved
  bool is_approved = false;
  bool varies = false;
  std::string family;  // "IPv4" or "IPv6": the sides differ in that one alone; "" otherwise
  std::function<std::vector<DiffReason>()> reasons;  // to be asked before the next row comes
};

struct DiffPolicy {
  std::string name;
  std::string change;  // "added", "removed", "changed"
  std::string before_place;
  std::string after_place;
  analysis::PolicyChange::Effect effect = analysis::PolicyChange::Effect::not_tried;
};

/// An approved change that does not count: it is past its day, or it names nothing that differs.
struct DiffApproval {
  std::string text;  // "frontend/web[Deployment] → backend/api[Deployment] TCP 80 opened"
  std::string owner;
  std::string reason;
  std::string expires;
  std::string place;
  std::uint64_t matches = 0;
};

struct DiffTail {
  analysis::DiffSummary summary;
  std::vector<DiffPolicy> policies;
  std::vector<DiffApproval> expired;
  std::vector<DiffApproval> stale;
  std::vector<std::string> routes;  // what leads to pods and differs: "Service shop/api removed"
  bool has_approvals = false;
  std::uint64_t approved = 0;  // rows
  std::string fail_on;         // "any", "opened", "closed"
  std::string result;          // "same", "approved", "different", "unknown"
};

/// Writes one comparison in one format: begin(), row() for each row, end().
class DiffPrinter {
 public:
  virtual ~DiffPrinter() = default;
  virtual void begin(const DiffHead& head) = 0;
  virtual void row(const DiffLine& line) = 0;
  virtual void end(const DiffTail& tail) = 0;
};

std::unique_ptr<DiffPrinter> diff_table(Sink sink, const Style& style);
std::unique_ptr<DiffPrinter> diff_json(Sink sink);
/// `change,cause,source,destination,before,after,opened,closed,approved,direction,rule_before,…`: a line for each row
/// and reason.
std::unique_ptr<DiffPrinter> diff_csv(Sink sink);
std::unique_ptr<DiffPrinter> diff_dot(Sink sink);
/// For a comment on a pull request: less than 65,536 bytes, whatever the input.
std::unique_ptr<DiffPrinter> diff_md(Sink sink);

DiffLine diff_line(const analysis::DiffRow& row, const scenario::Unapproved& left, const SourceMap& sources);
std::vector<DiffPolicy> diff_policies(const std::vector<analysis::PolicyChange>& changes, const SourceMap& sources);
DiffApproval diff_approval(const scenario::Approval& entry, const SourceMap& sources);

// What formats for people share.

/// "3 connections opened (1 with the outside), 2 closed", "no connection differs".
std::string diff_answer(const DiffTail& tail);
/// Further facts, one a line: approved rows, workloads, policies without effect, unknown pairs. Names as they are.
std::vector<std::string> diff_notes(const DiffTail& tail);
/// "default deny ingress (backend/deny) at a.yaml:3 → backend/allow ingress rule 0 at b.yaml:9"
std::string diff_reason_text(const DiffReason& reason);
/// "TCP 80", or "TCP 80 → TCP 81" where there was something before and is something after.
std::string diff_ports_text(const DiffLine& line);

}  // namespace podwire::report
