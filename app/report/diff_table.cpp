// The table of `podwire diff`: the answer, what it rests on, then rows by severity with the rules responsible.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/report/diff_report.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

constexpr std::size_t kMostRows = 5'000;  // of one severity; csv and json have all
constexpr std::size_t kMostReasons = 6;   // of one row

class TablePrinter : public DiffPrinter {
 public:
  TablePrinter(Sink sink, const Style& style) : sink_(std::move(sink)), style_(style) {}

  void begin(const DiffHead& head) override { head_ = head; }

  void row(const DiffLine& line) override {
    Section& section = sections_[static_cast<std::size_t>(line.severity)];
    if (++section.rows > kMostRows) {
      return;
    }
    const bool is_opening = line.severity <= DiffSeverity::opened;
    std::string ports = printable(diff_ports_text(line), 1000);
    ports = is_opening ? style_.bad(ports) : line.severity == DiffSeverity::unknown ? style_.doubtful(ports) : ports;
    section.text += fmt::format("  {} → {}  {}{}{}\n", printable(line.source), printable(line.destination), ports,
                                line.varies ? " *" : "", approval(line));
    notes_varying_ = notes_varying_ || line.varies;
    const std::vector<DiffReason> reasons = line.reasons();
    for (std::size_t i = 0; i < std::min(reasons.size(), kMostReasons); ++i) {
      section.text += fmt::format("    {:<8} {}\n", reasons[i].direction,
                                  wrapped(printable(diff_reason_text(reasons[i]), 2000), 13));
    }
    if (reasons.size() > kMostReasons) {
      section.text += fmt::format("             and {} more\n", reasons.size() - kMostReasons);
    }
  }

  void end(const DiffTail& tail) override {
    sink_(fmt::format("{}\n", style_.bold(fmt::format("{} → {}: {}", printable(head_.before), printable(head_.after),
                                                      diff_answer(tail)))));
    for (const std::string& note : diff_notes(tail)) {
      sink_(fmt::format("  {}\n", wrapped(printable(note, 4000), 2)));
    }
    if (tail.policies.empty() && tail.summary.totals.rows() == 0) {
      head_.basis_before.in_time.clear();  // nothing changes, at no time
      head_.basis_after.in_time.clear();
    }
    write_bases();
    for (std::size_t i = 0; i < sections_.size(); ++i) {
      write(static_cast<DiffSeverity>(i), sections_[i]);
    }
    if (notes_varying_) {
      sink_("\n  " + style_.dim("* not between every two pods of these workloads") + "\n");
    }
    write_policies(tail);
    write_approvals("approved changes that have expired and do not count", tail.expired);
    write_approvals("approved changes that match nothing", tail.stale);
  }

 private:
  struct Section {
    std::uint64_t rows = 0;
    std::string text;
  };

  /// One block where the sides rest on the same but for the cluster and the policies.
  void write_bases() {
    const Basis& before = head_.basis_before;
    Basis after = head_.basis_after;
    const auto is_same = [&] {
      return before.cni == after.cni && before.assumptions == after.assumptions && before.unknown == after.unknown &&
             before.ignored == after.ignored && before.skipped == after.skipped && before.settings == after.settings;
    };
    if (!is_same()) {
      sink_(style_.dim("old") + "\n" + basis_table(before, style_));
      sink_(style_.dim("new") + "\n" + basis_table(after, style_));
      return;
    }
    const auto joined = [](const std::string& a, const std::string& b) {
      return a == b ? a : fmt::format("old: {}; new: {}", a, b);
    };
    after.cluster = joined(before.cluster, after.cluster);
    after.policies = joined(before.policies, after.policies);
    sink_(basis_table(after, style_));
  }

  std::string approval(const DiffLine& line) const { return line.is_approved ? style_.good("  approved") : ""; }

  void write(DiffSeverity severity, const Section& section) {
    if (section.rows == 0) {
      return;
    }
    sink_(
        fmt::format("\n{}\n{}", style_.bold(fmt::format("{} ({})", to_string(severity), section.rows)), section.text));
    if (section.rows > kMostRows) {
      sink_(fmt::format("  … and {} more (-o csv and -o json have all)\n", section.rows - kMostRows));
    }
  }

  void write_policies(const DiffTail& tail) {
    if (tail.policies.empty()) {
      return;
    }
    sink_(fmt::format("\n{}\n", style_.bold(fmt::format("policies ({})", tail.policies.size()))));
    TextTable table;
    for (int i = 0; i < 3; ++i) {
      table.column("");
    }
    for (std::size_t i = 0; i < std::min(tail.policies.size(), kMostRows); ++i) {
      const DiffPolicy& policy = tail.policies[i];
      const bool is_idle = policy.effect == analysis::PolicyChange::Effect::none;
      const std::string place = policy.before_place.empty()  ? policy.after_place
                                : policy.after_place.empty() ? policy.before_place
                                                             : policy.before_place + " → " + policy.after_place;
      table.row({policy.change, printable(policy.name), printable(place, 500) + (is_idle ? "  (no effect)" : "")});
    }
    sink_(table.to_string(2, style_));
    if (tail.policies.size() > kMostRows) {
      sink_(fmt::format("  … and {} more\n", tail.policies.size() - kMostRows));
    }
  }

  void write_approvals(std::string_view title, const std::vector<DiffApproval>& approvals) {
    if (approvals.empty()) {
      return;
    }
    sink_(fmt::format("\n{}\n", style_.bold(title)));
    for (const DiffApproval& approval : approvals) {
      sink_(fmt::format("  {}\n",
                        wrapped(printable(fmt::format("{}: until {}, {}: {}; at {}", approval.text, approval.expires,
                                                      approval.owner, approval.reason, approval.place),
                                          2000),
                                4)));
    }
  }

  Sink sink_;
  Style style_;
  DiffHead head_;
  std::array<Section, kDiffSeverities> sections_;
  bool notes_varying_ = false;
};

}  // namespace

std::unique_ptr<DiffPrinter> diff_table(Sink sink, const Style& style) {
  return std::make_unique<TablePrinter>(std::move(sink), style);
}

}  // namespace podwire::report
