// `podwire impact -o md`: a comment for a pull request, below GitHub's 65,536 characters; rows with most flows first.
// All that comes from the input stands in code spans. And `-o sarif`: findings at the rules responsible.
#include <fmt/format.h>

#include "app/report/escape.hpp"
#include "app/report/impact_report.hpp"
#include "app/report/sarif.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

using analysis::ImpactOutcome;

constexpr std::size_t kMostBytes = 60'000;
constexpr std::size_t kCell = 160;
constexpr std::size_t kMostRows = 300;       // of one outcome
constexpr std::size_t kMostNames = 20;       // of a list
constexpr std::size_t kMostResults = 5'000;  // of SARIF: what code scanning shows of a run (GitHub's documentation)

/// Adds what fits.
class Comment {
 public:
  bool add(const std::string& text) {
    if (text_.size() + text.size() > kMostBytes) {
      is_cut_ = true;
      return false;
    }
    text_ += text;
    return true;
  }
  std::string finish() {
    return is_cut_ ? text_ + "\nThe rest does not fit here; `-o csv` and `-o json` have all of it.\n" : text_;
  }

 private:
  std::string text_;
  bool is_cut_ = false;
};

void add_rows(Comment& comment, const ImpactView& view, ImpactOutcome outcome) {
  std::size_t count = 0;
  for (const analysis::ImpactRow& row : view.report.rows) {
    if (row.outcome != outcome || ++count > kMostRows) {
      continue;
    }
    if (count == 1) {
      comment.add(
          fmt::format("\n#### {} ({} flows)\n\n| source | destination | port | flows | before | after |\n"
                      "|---|---|---|---|---|---|\n",
                      to_string(outcome), grouped(view.report.totals[static_cast<std::size_t>(outcome)])));
    }
    const std::string after =
        outcome == ImpactOutcome::unknown ? std::string(to_string(row.doubt)) : side_text(row.after, *view.sources);
    comment.add(fmt::format("| {} | {} | {} | {} | {} | {} |\n", md_code(row.source, kCell),
                            md_code(row.destination, kCell), port_text(row.protocol, row.port), grouped(row.seen.count),
                            md_code(side_text(row.before, *view.sources), kCell), md_code(after, kCell)));
  }
  if (count > kMostRows) {
    comment.add(fmt::format("\n{} more of these are not shown.\n", count - kMostRows));
  }
}

template <class Range, class Text>
void add_list(Comment& comment, const std::string& title, const Range& items, Text text_of) {
  if (items.empty()) {
    return;
  }
  std::string text = fmt::format("- {}: ", title);
  std::size_t shown = 0;
  for (const auto& item : items) {
    if (shown == kMostNames) {
      text += fmt::format(" and {} more", items.size() - shown);
      break;
    }
    text += (shown++ == 0 ? "" : ", ") + md_code(text_of(item), kCell);
  }
  comment.add(text + "\n");
}

struct Finding {
  std::string_view rule;
  std::string_view level;
};
constexpr Finding kFindings[] = {{"newly-denied", "error"}, {"newly-allowed", "warning"}, {"unknown", "note"}};

/// At the value that declares the connection: that is what its owner changes, or the policy.
void add_declared_results(const ImpactView& view, ordered_json& results) {
  if (!view.declared) {
    return;
  }
  for (const analysis::DeclaredRow& row : view.declared->impact.rows) {
    const auto index = static_cast<std::size_t>(row.outcome);
    if (index >= std::size(kFindings) || results.size() >= kMostResults || row.connection.places.empty()) {
      continue;
    }
    const analysis::DeclaredPlace& place = row.connection.places.front();
    const std::string text =
        fmt::format("{}, declared: {} → {} {} {} ({}). After: {}", to_string(row.outcome), row.source,
                    row.connection.destination, to_string(row.connection.protocol), row.connection.port.number(),
                    declared_place(place, *view.sources), side_text(row.after, *view.sources));
    results.push_back({{"ruleId", kFindings[index].rule},
                       {"ruleIndex", index},
                       {"level", kFindings[index].level},
                       {"message", {{"text", printable(text, 4000)}}},
                       {"locations", ordered_json::array({sarif_location(place.span, *view.sources)})}});
  }
}

}  // namespace

std::string impact_md(const ImpactView& view) {
  Comment comment;
  comment.add(fmt::format("### podwire impact: {}\n\n{}: **{}**\n\n",
                          view.inconclusive.empty() ? impact_answer(view) : "inconclusive",
                          md_code(view.candidate, kCell), view.result));
  for (const std::string& reason : view.inconclusive) {
    comment.add(fmt::format("- inconclusive: {}\n", md_code(reason, 2 * kCell)));
  }
  if (view.has_flows()) {
    comment.add(fmt::format("- backtest: {}\n", backtest_text(view)));
    for (const std::string& text : evidence_texts(view)) {
      comment.add(fmt::format("- {}\n", md_code(text, 2 * kCell)));
    }
  }
  for (const ImpactLog& log : view.logs) {
    if (log.statistics.damaged > 0 || log.statistics.lost_events > 0) {
      comment.add(fmt::format("- {}: {} damaged lines, {} lost events\n", md_code(log.name, kCell),
                              grouped(log.statistics.damaged), grouped(log.statistics.lost_events)));
    }
  }
  comment.add(fmt::format("- {}, {}\n", md_code(view.after.cni, 2 * kCell), md_code(view.after.cluster, 2 * kCell)));
  for (const ImpactOutcome outcome :
       {ImpactOutcome::newly_denied, ImpactOutcome::newly_allowed, ImpactOutcome::unknown}) {
    add_rows(comment, view, outcome);
  }
  for (const std::string& piece : declared_md(view)) {
    comment.add(piece);
  }
  const auto& disagreements = view.report.backtest.disagreements;
  if (!disagreements.empty()) {
    comment.add(fmt::format("\n#### disagreements by cause ({})\n\n", disagreements.size()));
    for (std::size_t i = 0; i < std::min(disagreements.size(), kMostNames); ++i) {
      comment.add(fmt::format("- {}\n", md_code(disagreement_text(disagreements[i], view), 3 * kCell)));
    }
  }
  if (!view.has_flows()) {
    return comment.finish();
  }
  const analysis::ImpactCoverage& coverage = view.report.coverage;
  comment.add("\n#### not covered\n\n");
  add_list(comment, "ends that are not in the dump", view.report.strangers,
           [](const analysis::ImpactStranger& s) { return s.name.empty() ? std::string("(others)") : s.name; });
  const auto same = [](const std::string& name) { return name; };
  add_list(comment, "workloads without a flow", coverage.silent, same);
  add_list(comment, "CronJobs that did not run", coverage.idle_cron_jobs, same);
  add_list(comment, "policies that select no end of a flow", coverage.unexercised_after,
           [](const std::pair<std::string, Span>& policy) { return policy.first; });
  return comment.finish();
}

std::string impact_sarif(const ImpactView& view) {
  ordered_json rules = ordered_json::array();
  for (const Finding& finding : kFindings) {
    rules.push_back({{"id", finding.rule},
                     {"shortDescription", {{"text", fmt::format("Recorded flows {}", finding.rule)}}},
                     {"defaultConfiguration", {{"level", finding.level}}}});
  }
  ordered_json results = ordered_json::array();
  for (const analysis::ImpactRow& row : view.report.rows) {
    const auto index = static_cast<std::size_t>(row.outcome);
    if (index >= std::size(kFindings) || results.size() >= kMostResults) {
      continue;
    }
    const std::string text =
        fmt::format("{}: {} → {} {} ({}). Before: {}. After: {}", to_string(row.outcome), row.source, row.destination,
                    port_text(row.protocol, row.port), seen_text(row.seen), side_text(row.before, *view.sources),
                    side_text(row.after, *view.sources));
    const Span& span = row.after.span.is_known() ? row.after.span : row.before.span;
    ordered_json location = sarif_location(span, *view.sources);
    location["logicalLocations"] = ordered_json::array(
        {{{"fullyQualifiedName", fmt::format("{} → {}", row.source, row.destination)}, {"kind", "object"}}});
    results.push_back({{"ruleId", kFindings[index].rule},
                       {"ruleIndex", index},
                       {"level", kFindings[index].level},
                       {"message", {{"text", printable(text, 4000)}}},
                       {"locations", ordered_json::array({std::move(location)})}});
  }
  add_declared_results(view, results);
  ordered_json run = {
      {"tool", {{"driver", {{"name", "podwire"}, {"version", view.version}, {"rules", std::move(rules)}}}}},
      {"columnKind", "unicodeCodePoints"},
      {"results", std::move(results)}};
  return write_json({{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                     {"version", "2.1.0"},
                     {"runs", ordered_json::array({std::move(run)})}},
                    true);
}

}  // namespace podwire::report
