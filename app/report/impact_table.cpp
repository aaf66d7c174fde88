// The table of `podwire impact`: the answer, the backtest and the evidence, what it rests on, then flows by outcome
// with the rules responsible, disagreements, ends that nobody knows, what the evidence does not cover, and the next
// step.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/report/impact_report.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

using analysis::ImpactOutcome;

constexpr std::size_t kMostRows = 200;  // of one outcome
constexpr std::size_t kMostNames = 20;  // of a list
constexpr std::size_t kIndent = 13;

class Table {
 public:
  Table(const ImpactView& view, const Style& style) : view_(view), style_(style) {}

  std::string text() {
    head();
    out_ += basis_table(view_.after, style_);
    for (const ImpactOutcome outcome :
         {ImpactOutcome::newly_denied, ImpactOutcome::newly_allowed, ImpactOutcome::unknown}) {
      rows(outcome);
    }
    out_ += declared_table(view_, style_);
    strangers();
    disagreements();
    damaged();
    coverage();
    if (const std::string next = next_step(view_); !next.empty()) {
      out_ += fmt::format("\n{}\n  {}\n", style_.dim("why:"), next);
    }
    return std::move(out_);
  }

 private:
  void line(std::string_view topic, const std::string& text, bool is_doubtful = false) {
    const std::string shown = wrapped(printable(text, 4000), kIndent, style_.text_width());
    out_ += fmt::format("  {}{} {}\n", style_.dim(topic), std::string(kIndent - 3 - topic.size(), ' '),
                        is_doubtful ? style_.doubtful(shown) : shown);
  }

  void head() {
    out_ += style_.bold(fmt::format("{}: {}", printable(view_.candidate),
                                    view_.inconclusive.empty() ? impact_answer(view_) : "inconclusive")) +
            "\n";
    for (const std::string& reason : view_.inconclusive) {
      line("because", reason, true);
    }
    if (!view_.inconclusive.empty()) {
      line("would be", impact_answer(view_));
    }
    if (!view_.has_flows()) {
      line("declared", fmt::format("{} of them in {} values of env, command and args",
                                   view_.declared->impact.rows.size(), grouped(view_.declared->values)));
      line("evidence", "no flows: nothing is compared with what was recorded");
      return pruned();
    }
    line("backtest", backtest_text(view_), view_.report.backtest.disagree() > 0);
    if (view_.declared) {
      line("declared", declared_answer(view_));
    }
    bool is_first = true;
    for (const std::string& text : evidence_texts(view_)) {
      line(is_first ? "evidence" : "", text);
      is_first = false;
    }
    for (const ImpactLog& log : view_.logs) {
      if (log.statistics.loss_reports > 0) {
        line("lost",
             fmt::format("{}: {} events were lost before they were recorded", log.name,
                         grouped(log.statistics.lost_events)),
             true);
      }
    }
    pruned();
  }

  void pruned() {
    if (!view_.pruned.empty()) {
      line("pruned", fmt::format("policies that the candidate does not have, in {}", fmt::join(view_.pruned, ", ")));
    }
  }

  void rows(ImpactOutcome outcome) {
    std::uint64_t count = view_.report.totals[static_cast<std::size_t>(outcome)];
    if (outcome == ImpactOutcome::unknown) {  // those have a list of their own
      count -= view_.report.doubts[static_cast<std::size_t>(analysis::ImpactDoubt::unmapped)];
    }
    std::size_t pairs = 0;
    std::string text;
    for (const analysis::ImpactRow& row : view_.report.rows) {
      if (row.outcome != outcome || ++pairs > kMostRows) {
        continue;
      }
      const std::string port = port_text(row.protocol, row.port);
      text += fmt::format("  {} → {}  {}  {}\n", printable(row.source), printable(row.destination),
                          outcome == ImpactOutcome::newly_denied ? style_.bad(port) : port, seen_text(row.seen));
      if (outcome == ImpactOutcome::unknown) {
        text += fmt::format("    because  {}\n", wrapped(doubt_text(row), kIndent));
        continue;
      }
      text +=
          fmt::format("    before   {}\n", wrapped(printable(side_text(row.before, *view_.sources), 2000), kIndent));
      text += fmt::format("    after    {}\n", wrapped(printable(side_text(row.after, *view_.sources), 2000), kIndent));
    }
    if (pairs == 0) {
      return;
    }
    out_ += fmt::format("\n{}\n{}",
                        style_.bold(fmt::format("{} ({} flow{}, {} pair{})", to_string(outcome), grouped(count),
                                                count == 1 ? "" : "s", pairs, pairs == 1 ? "" : "s")),
                        text);
    if (pairs > kMostRows) {
      out_ += fmt::format("  … and {} pairs more (-o csv and -o json have all)\n", pairs - kMostRows);
    }
  }

  std::string doubt_text(const analysis::ImpactRow& row) const {
    if (row.doubt != analysis::ImpactDoubt::model) {
      return std::string(to_string(row.doubt));
    }
    const analysis::ImpactSide& side = row.after.action == policy::Action::unknown ? row.after : row.before;
    return printable(side.rule, 1000);
  }

  void strangers() {
    const auto& list = view_.report.strangers;
    if (list.empty()) {
      return;
    }
    const std::uint64_t count = view_.report.doubts[static_cast<std::size_t>(analysis::ImpactDoubt::unmapped)];
    out_ += fmt::format("\n{}\n",
                        style_.bold(fmt::format("ends that are not in the dump ({} flow{}, {} end{})", grouped(count),
                                                count == 1 ? "" : "s", list.size(), list.size() == 1 ? "" : "s")));
    for (std::size_t i = 0; i < std::min(list.size(), kMostNames); ++i) {
      out_ += fmt::format("  {}  {}: {}\n", printable(list[i].name.empty() ? "(others)" : list[i].name),
                          seen_text(list[i].seen), to_string(list[i].reason));
    }
    if (list.size() > kMostNames) {
      out_ += fmt::format("  … and {} more (-o csv and -o json have all)\n", list.size() - kMostNames);
    }
  }

  void disagreements() {
    const auto& list = view_.report.backtest.disagreements;
    if (list.empty()) {
      return;
    }
    out_ += fmt::format("\n{}\n", style_.bold(fmt::format("disagreements by cause ({})", list.size())));
    for (std::size_t i = 0; i < std::min(list.size(), kMostNames); ++i) {
      out_ +=
          fmt::format("  {}\n", wrapped(printable(disagreement_text(list[i], view_), 4000), 4, style_.text_width()));
    }
    if (list.size() > kMostNames) {
      out_ += fmt::format("  … and {} more (-o json has all)\n", list.size() - kMostNames);
    }
  }

  void damaged() {
    for (const ImpactLog& log : view_.logs) {
      const flows::LogStatistics& s = log.statistics;
      if (s.damaged == 0 && s.problem.empty()) {
        continue;
      }
      out_ += fmt::format("\n{}\n", style_.bold(fmt::format("{} damaged line{} in {}", grouped(s.damaged),
                                                            s.damaged == 1 ? "" : "s", printable(log.name))));
      for (const flows::DamagedLine& line : s.first_damaged) {
        out_ += fmt::format("  {}:{}: {}\n", printable(log.name), line.line, printable(line.reason));
      }
      if (s.damaged > s.first_damaged.size()) {
        out_ += fmt::format("  … and {} more\n", grouped(s.damaged - s.first_damaged.size()));
      }
      if (!s.problem.empty()) {
        out_ += fmt::format("  {}: {}; what follows is not read\n", printable(log.name), printable(s.problem));
      }
    }
  }

  void list(const std::string& title, const std::vector<std::string>& names) {
    if (names.empty()) {
      return;
    }
    const std::size_t shown = std::min(names.size(), kMostNames);
    std::string text = fmt::format("{}: {}", title,
                                   fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
    if (names.size() > shown) {
      text += fmt::format(" and {} more", names.size() - shown);
    }
    out_ += fmt::format("  {}\n", wrapped(printable(text, 8000), 4, style_.text_width()));
  }

  void coverage() {
    const analysis::ImpactCoverage& coverage = view_.report.coverage;
    std::vector<std::string> policies;
    for (const auto& [name, span] : coverage.unexercised_after) {
      const std::string place = view_.sources->file_and_line(span);
      policies.push_back(place.empty() ? name : fmt::format("{} ({})", name, place));
    }
    if (!view_.has_flows()) {
      return;
    }
    if (coverage.silent.empty() && coverage.idle_cron_jobs.empty() && policies.empty()) {
      return;
    }
    out_ += fmt::format("\n{}\n", style_.bold("what the evidence does not cover"));
    list(fmt::format("{} of {} workloads took part in no flow", coverage.silent.size(), coverage.workloads),
         coverage.silent);
    list(fmt::format("{} CronJob{} did not run", coverage.idle_cron_jobs.size(),
                     coverage.idle_cron_jobs.size() == 1 ? "" : "s"),
         coverage.idle_cron_jobs);
    list(fmt::format("{} of {} policies under the candidate select no end of a flow", policies.size(),
                     coverage.policies_after),
         policies);
  }

  const ImpactView& view_;
  const Style& style_;
  std::string out_;
};

}  // namespace

std::string impact_table(const ImpactView& view, const Style& style) {
  return Table(view, style).text();
}

}  // namespace podwire::report
