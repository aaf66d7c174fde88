// `podwire impact -o json` and `-o csv`: every row that was kept. Times are RFC 3339 in UTC, shares are fractions.
#include <fmt/format.h>

#include <array>

#include "app/report/escape.hpp"
#include "app/report/impact_report.hpp"
#include "app/report/json.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

using analysis::ImpactOutcome;

std::string_view key_of(ImpactOutcome outcome) {
  constexpr std::array<std::string_view, analysis::kImpactOutcomes> kKeys = {"newlyDenied", "newlyAllowed", "unknown",
                                                                             "stillAllowed", "stillDenied"};
  return kKeys[static_cast<std::size_t>(outcome)];
}

std::string_view key_of(analysis::ImpactDoubt doubt) {
  constexpr std::array<std::string_view, analysis::kImpactDoubts> kKeys = {
      "", "unmapped", "model", "contradiction", "gone", "noAddress", "backends", "icmp"};
  return kKeys[static_cast<std::size_t>(doubt)];
}

std::string_view word_of(policy::Action action) {
  constexpr std::array<std::string_view, 3> kWords = {"allowed", "denied", "unknown"};
  return kWords[static_cast<std::size_t>(action)];
}

ordered_json side_json(const analysis::ImpactSide& side, const SourceMap& sources) {
  return {{"action", word_of(side.action)},
          {"direction", std::string(to_string(side.direction))},
          {"rule", side.rule},
          {"place", sources.file_and_line(side.span)}};
}

void add_seen(ordered_json& object, const analysis::ImpactSeen& seen) {
  object["flows"] = seen.count;
  object["first"] = flows::format_time(seen.first);
  object["last"] = flows::format_time(seen.last);
}

std::string inline_json(const ordered_json& value) {
  std::string text = write_json(value, false);
  text.pop_back();  // the line break
  return text;
}

/// A row a line, as text: a tree of all rows would take many times their size.
std::string rows_json(const ImpactView& view) {
  std::string text = "[";
  for (const analysis::ImpactRow& row : view.report.rows) {
    ordered_json object{{"outcome", key_of(row.outcome)}};
    if (row.doubt != analysis::ImpactDoubt::none) {
      object["doubt"] = key_of(row.doubt);
    }
    object["source"] = row.source;
    object["destination"] = row.destination;
    object["protocol"] = std::string(to_string(row.protocol));
    object["port"] = row.port == 0 ? ordered_json(nullptr) : ordered_json(row.port);
    add_seen(object, row.seen);
    object["before"] = side_json(row.before, *view.sources);
    object["after"] = side_json(row.after, *view.sources);
    text += (text.size() == 1 ? "\n" : ",\n") + inline_json(object);
  }
  return text + "\n]";
}

ordered_json totals_json(const ImpactView& view) {
  ordered_json totals{{"flows", view.report.connections}};
  for (std::size_t i = 0; i < analysis::kImpactOutcomes; ++i) {
    totals[std::string(key_of(static_cast<ImpactOutcome>(i)))] = view.report.totals[i];
  }
  ordered_json doubts = ordered_json::object();
  for (std::size_t i = 1; i < analysis::kImpactDoubts; ++i) {
    if (view.report.doubts[i] > 0) {
      doubts[std::string(key_of(static_cast<analysis::ImpactDoubt>(i)))] = view.report.doubts[i];
    }
  }
  totals["unknownBecause"] = std::move(doubts);
  totals["droppedAnyway"] = view.report.dropped_anyway;
  totals["withoutRow"] = view.report.without_row;
  return totals;
}

ordered_json backtest_json(const ImpactView& view) {
  const analysis::ImpactBacktest& backtest = view.report.backtest;
  ordered_json causes = ordered_json::array();
  for (const analysis::ImpactDisagreement& cause : backtest.disagreements) {
    ordered_json object{{"recorded", cause.recorded == flows::Recorded::dropped ? "dropped" : "forwarded"},
                        {"direction", cause.direction},
                        {"reason", cause.drop_reason},
                        {"rule", cause.rule},
                        {"place", view.sources->file_and_line(cause.span)}};
    add_seen(object, cause.seen);
    object["withNewLabels"] = cause.with_new_labels;
    object["withGonePods"] = cause.with_gone_pods;
    object["example"] = cause.example;
    object["exampleAt"] =
        cause.file < view.logs.size() ? fmt::format("{}:{}", view.logs[cause.file].name, cause.line) : "";
    causes.push_back(std::move(object));
  }
  return {{"compared", backtest.compared},
          {"agree", backtest.agree},
          {"disagree", backtest.disagree()},
          {"withoutVerdict", backtest.without_verdict},
          {"notComparable", backtest.not_comparable},
          {"maxDisagreement", view.max_disagreement},
          {"disagreements", std::move(causes)}};
}

ordered_json logs_json(const ImpactView& view) {
  ordered_json logs = ordered_json::array();
  for (const ImpactLog& log : view.logs) {
    const flows::LogStatistics& s = log.statistics;
    ordered_json skipped = ordered_json::object();
    for (std::size_t k = 0; k < flows::kSkippedKinds; ++k) {
      if (s.skipped[k] > 0) {
        skipped[std::string(to_string(static_cast<flows::Skipped>(k)))] = s.skipped[k];
      }
    }
    ordered_json damaged = ordered_json::array();
    for (const flows::DamagedLine& line : s.first_damaged) {
      damaged.push_back({{"line", line.line}, {"reason", line.reason}});
    }
    logs.push_back({{"name", log.name},
                    {"format", std::string(to_string(log.format))},
                    {"lines", s.lines},
                    {"records", s.records},
                    {"skipped", std::move(skipped)},
                    {"lostEvents", s.lost_events},
                    {"damagedLines", s.damaged},
                    {"firstDamaged", std::move(damaged)},
                    {"isCutOff", s.is_cut_off},
                    {"problem", s.problem}});
  }
  return logs;
}

ordered_json evidence_json(const ImpactView& view) {
  const flows::MergeStatistics& merge = view.merge;
  return {{"first", flows::format_time(view.report.coverage.first)},
          {"last", flows::format_time(view.report.coverage.last)},
          {"logs", logs_json(view)},
          {"replies", merge.replies},
          {"assumedReplies", merge.assumed_replies},
          {"merged", merge.merged},
          {"restarts", merge.restarts}};
}

ordered_json policies_json(const std::vector<std::pair<std::string, Span>>& policies, const SourceMap& sources) {
  ordered_json list = ordered_json::array();
  for (const auto& [name, span] : policies) {
    list.push_back({{"policy", name}, {"place", sources.file_and_line(span)}});
  }
  return list;
}

ordered_json coverage_json(const ImpactView& view) {
  const analysis::ImpactCoverage& coverage = view.report.coverage;
  return {{"workloads", coverage.workloads},
          {"silentWorkloads", coverage.silent},
          {"idleCronJobs", coverage.idle_cron_jobs},
          {"policies", {{"before", coverage.policies_before}, {"after", coverage.policies_after}}},
          {"unexercised",
           {{"before", policies_json(coverage.unexercised_before, *view.sources)},
            {"after", policies_json(coverage.unexercised_after, *view.sources)}}}};
}

ordered_json strangers_json(const ImpactView& view) {
  ordered_json list = ordered_json::array();
  for (const analysis::ImpactStranger& stranger : view.report.strangers) {
    ordered_json object{{"end", stranger.name}, {"reason", std::string(to_string(stranger.reason))}};
    add_seen(object, stranger.seen);
    list.push_back(std::move(object));
  }
  return list;
}

}  // namespace

std::string impact_json(const ImpactView& view) {
  std::string text = "{\"apiVersion\":\"podwire/v1\"";
  const auto member = [&](std::string_view key, const std::string& value) {
    text += fmt::format(",\n\"{}\":", key);
    text += value;
  };
  member("candidate", inline_json(view.candidate));
  member("result", inline_json(view.result));
  member("inconclusive", inline_json(view.inconclusive));
  member("failOn", inline_json(view.fail_on));
  member("answer", inline_json(impact_answer(view)));
  member("totals", inline_json(totals_json(view)));
  member("backtest", inline_json(backtest_json(view)));
  member("evidence", inline_json(evidence_json(view)));
  member("rows", rows_json(view));
  if (view.declared) {
    member("declared", declared_json(view));
  }
  member("unmapped", inline_json(strangers_json(view)));
  member("coverage", inline_json(coverage_json(view)));
  member("pruned", inline_json(view.pruned));
  member("basis", inline_json({{"before", basis_json(view.before)}, {"after", basis_json(view.after)}}));
  return text + "}\n";
}

std::string impact_csv(const ImpactView& view) {
  std::string text =
      "outcome,doubt,source,destination,protocol,port,flows,first,last,before,rule_before,place_before,after,rule_"
      "after,"
      "place_after";
  text += view.declared ? ",declared\n" : "\n";
  const auto line = [&](std::vector<std::string> fields) {
    if (view.declared) {
      fields.emplace_back();
    }
    text += csv_line(fields);
  };
  for (const analysis::ImpactRow& row : view.report.rows) {
    line({std::string(to_string(row.outcome)), std::string(key_of(row.doubt)), row.source, row.destination,
          std::string(to_string(row.protocol)), row.port == 0 ? "" : std::to_string(row.port),
          std::to_string(row.seen.count), flows::format_time(row.seen.first), flows::format_time(row.seen.last),
          std::string(word_of(row.before.action)), row.before.rule, view.sources->file_and_line(row.before.span),
          std::string(word_of(row.after.action)), row.after.rule, view.sources->file_and_line(row.after.span)});
  }
  for (const analysis::ImpactStranger& stranger : view.report.strangers) {
    // A log's names are checked by nobody: control characters do not reach a terminal that shows the table.
    line({"unknown", "unmapped", stranger.name.empty() ? "(others)" : printable(stranger.name, 400), "", "", "",
          std::to_string(stranger.seen.count), flows::format_time(stranger.seen.first),
          flows::format_time(stranger.seen.last), "unknown", std::string(to_string(stranger.reason)), "", "unknown",
          std::string(to_string(stranger.reason)), ""});
  }
  return view.declared ? text + declared_csv(view) : text;
}

}  // namespace podwire::report
