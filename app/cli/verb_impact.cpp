// podwire impact: recorded flows judged under the policies in force and under a candidate's.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "app/cli/cli.hpp"
#include "app/cli/flow_logs.hpp"
#include "app/report/impact_report.hpp"
#include "app/scenario/approved.hpp"
#include "app/scenario/diff_input.hpp"
#include "models/analysis/impact.hpp"
#include "models/flows/merge.hpp"
#include "models/flows/reader.hpp"
#include "sim/base/text.hpp"

namespace podwire::cli {
namespace {

using analysis::ImpactOutcome;
using flows::Nanoseconds;

struct Settings {
  std::vector<std::string> fail_on;
  double max_disagreement = 0.001;
  std::optional<Nanoseconds> max_age;
  Nanoseconds now = 0;
};

/// "0.1%", "0.1 %" or "0.001"; nothing when it is no share.
std::optional<double> read_share(std::string_view text) {
  const bool is_percent = text.ends_with('%');
  if (is_percent) {
    text.remove_suffix(1);
    while (text.ends_with(' ')) {
      text.remove_suffix(1);
    }
  }
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || !(value >= 0)) {
    return std::nullopt;
  }
  value = is_percent ? value / 100 : value;
  return value <= 1 ? std::optional(value) : std::nullopt;
}

/// "90s", "45m", "24h", "7d"; nothing when it is no age.
std::optional<Nanoseconds> read_age(std::string_view text) {
  std::int64_t count = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(stop, static_cast<std::size_t>(text.data() + text.size() - stop));
  const std::int64_t seconds = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86'400 : 0;
  constexpr std::int64_t kMostSeconds = 9'000'000'000;
  if (error != std::errc() || seconds == 0 || count < 0 || count > kMostSeconds / seconds) {
    return std::nullopt;
  }
  return count * seconds * flows::kSecond;
}

bool read_settings(const CommandLine& line, Settings& settings) {
  for (const std::string& word : line.fail_on_list) {
    if (word != "newly-denied" && word != "newly-allowed" && word != "unknown" && word != "none") {
      say(fmt::format("--fail-on: \"{}\" is not newly-denied, newly-allowed, unknown or none", printable(word, 40)));
      return false;
    }
    settings.fail_on.push_back(word);
  }
  if (settings.fail_on.empty()) {
    settings.fail_on = {"newly-denied"};
  }
  if (!line.max_disagreement.empty()) {
    const auto share = read_share(line.max_disagreement);
    if (!share) {
      say(fmt::format("--max-disagreement: \"{}\" is no share (write 0.1% or 0.001)",
                      printable(line.max_disagreement, 40)));
      return false;
    }
    settings.max_disagreement = *share;
  }
  if (!line.max_age.empty()) {
    settings.max_age = read_age(line.max_age);
    if (!settings.max_age) {
      say(fmt::format("--max-age: \"{}\" is no age (write 90s, 45m, 24h or 7d)", printable(line.max_age, 40)));
      return false;
    }
  }
  if (line.today.empty()) {
    settings.now =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    return true;
  }
  if (!scenario::parse_date(line.today)) {
    say(fmt::format("--today: \"{}\" is no day of the calendar (write it as 2026-12-31)", printable(line.today, 40)));
    return false;
  }
  settings.now = flows::parse_time(line.today + "T23:59:59Z");
  return true;
}

bool check_words(const CommandLine& line) {
  const bool has_evidence = !line.words.empty() || line.wants_declared;
  if (!has_evidence || line.cluster.empty() || line.candidate.empty()) {
    say(!has_evidence          ? "impact: give recorded flows (a file, or - for standard input), or --from-env"
        : line.cluster.empty() ? "impact: give the cluster that the flows were recorded in with --cluster DUMP"
                               : "impact: give the policies that are to be tried with --candidate PATH");
    say("see `podwire impact --help`");
    return false;
  }
  std::vector<std::string> all = line.words;
  all.insert(all.end(), line.cluster.begin(), line.cluster.end());
  all.push_back(line.candidate);
  if (std::count(all.begin(), all.end(), "-") > 1) {
    say("impact: standard input can be one of the inputs, and here it is two");
    return false;
  }
  return true;
}

std::vector<report::ImpactLog> summaries(const FlowLogs& logs) {
  std::vector<report::ImpactLog> all;
  for (std::size_t i = 0; i < logs.size(); ++i) {
    const flows::FlowReader& reader = logs.reader(i);
    all.push_back({reader.name(), reader.format(), reader.statistics()});
  }
  return all;
}

std::vector<std::string> why_inconclusive(const report::ImpactView& view, const Settings& settings) {
  std::vector<std::string> reasons;
  const analysis::ImpactBacktest& backtest = view.report.backtest;
  const auto unknown = static_cast<std::size_t>(ImpactOutcome::unknown);
  if (view.declared && !view.has_flows()) {
    const analysis::DeclaredImpact& declared = view.declared->impact;
    if (declared.rows.empty()) {
      reasons.emplace_back("no container declares a connection");
    } else if (declared.totals[unknown] == declared.rows.size()) {
      reasons.emplace_back("no declared connection could be judged: all of them are unknown");
    }
    return reasons;
  }
  if (view.report.connections == 0) {
    reasons.emplace_back("no flow was recorded");
  } else if (view.report.totals[unknown] == view.report.connections) {
    reasons.emplace_back("no flow could be judged: all of them are unknown");
  }
  if (static_cast<double>(backtest.disagree()) > settings.max_disagreement * static_cast<double>(backtest.compared)) {
    reasons.push_back(fmt::format("the model disagrees with {} of {} recorded verdicts, more than {:g} %",
                                  report::grouped(backtest.disagree()), report::grouped(backtest.compared),
                                  100 * settings.max_disagreement));
  }
  const Nanoseconds last = view.report.coverage.last;
  if (settings.max_age && view.report.connections > 0 && last < settings.now - *settings.max_age) {
    reasons.push_back(
        fmt::format("the last flow is of {}, which is longer ago than --max-age allows", flows::format_time(last)));
  }
  for (const report::ImpactLog& log : view.logs) {
    if (!log.statistics.problem.empty()) {
      reasons.push_back(fmt::format("{} was not read to its end: {}", log.name, log.statistics.problem));
    }
  }
  return reasons;
}

Exit exit_for(report::ImpactView& view) {
  const auto total = [&](ImpactOutcome outcome) {
    const auto index = static_cast<std::size_t>(outcome);
    return view.report.totals[index] + (view.declared ? view.declared->impact.totals[index] : 0);
  };
  const auto fails_on = [&](std::string_view word) {
    return std::find(view.fail_on.begin(), view.fail_on.end(), word) != view.fail_on.end();
  };
  const std::uint64_t denied = total(ImpactOutcome::newly_denied);
  const std::uint64_t allowed = total(ImpactOutcome::newly_allowed);
  if (!view.inconclusive.empty()) {
    view.result = "inconclusive";
    return Exit::inconclusive;
  }
  if ((fails_on("newly-denied") && denied > 0) || (fails_on("newly-allowed") && allowed > 0)) {
    view.result = "impact";
    return Exit::failed;
  }
  if (fails_on("unknown") && total(ImpactOutcome::unknown) > 0) {
    view.result = "unknown";
    return Exit::inconclusive;
  }
  view.result = denied + allowed > 0                ? "tolerated"
                : total(ImpactOutcome::unknown) > 0 ? "no known impact"
                                                    : "no impact";
  return Exit::ok;
}

/// What the candidate's containers declare, judged; `recorded` to compare with, if there are flows.
report::ImpactDeclared declared_of(const scenario::DiffInput& input, policy::PolicyEngine& before,
                                   policy::PolicyEngine& after, const analysis::ImpactReport* recorded) {
  const scenario::DeclaredTraffic& meant = input.after->state->declared;
  const cluster::Cluster& cluster = input.after->cluster();
  report::ImpactDeclared declared;
  declared.impact =
      analysis::judge_declared(before, after, input.before->state->declared.connections, meant.connections);
  if (recorded != nullptr) {
    analysis::compare_with_flows(declared.impact, *recorded, cluster);
  }
  for (const scenario::UnresolvedPeer& peer : meant.unresolved) {
    declared.unresolved.push_back({.source = cluster.workload_name(peer.source),
                                   .name = peer.name,
                                   .text = peer.text,
                                   .reason = peer.reason + (peer.help.empty() ? "" : "; " + peer.help),
                                   .span = peer.span});
  }
  for (const scenario::UnreadPeer& peer : meant.unread) {
    declared.unread.push_back({.source = cluster.workload_name(peer.source),
                               .name = peer.name,
                               .text = {},
                               .reason = peer.from,
                               .span = peer.span});
  }
  declared.values = meant.values;
  return declared;
}

void say_damaged(const report::ImpactView& view, const CommandLine& line) {
  for (const report::ImpactLog& log : view.logs) {
    const flows::LogStatistics& s = log.statistics;
    if (s.damaged > 0 && !line.is_quiet) {
      say(fmt::format("{}: {} of {} lines cannot be read; the first: {}:{}: {}", printable(log.name), s.damaged,
                      s.lines, printable(log.name), s.first_damaged.front().line,
                      printable(s.first_damaged.front().reason)));
    }
  }
}

}  // namespace

Exit verb_impact(const CommandLine& line) {
  Settings settings;
  if (!check_words(line) || !read_settings(line, settings)) {
    return Exit::bad_input;
  }
  scenario::LoadOptions options = line.load;
  options.reads_declared = line.wants_declared;
  std::vector<std::string> paths = line.cluster;
  paths.push_back(line.candidate);
  if (!read_standard_input(paths, options)) {
    return Exit::bad_input;
  }
  SourceMap sources;
  auto loaded = scenario::load_candidate(
      sources, {.cluster = line.cluster, .candidate = line.candidate, .pruned = line.pruned}, options);
  Diagnostics diagnostics = loaded.diagnostics();
  FlowLogs logs(line.words);
  const bool is_open = logs.open(diagnostics);
  show(diagnostics, sources, line);
  if (!loaded || !is_open) {
    return Exit::bad_input;
  }
  const scenario::DiffInput& input = *loaded;
  policy::PolicyEngine before(input.before->cluster(), input.before->policies, input.before->profile());
  policy::PolicyEngine after(input.after->cluster(), input.after->policies, input.after->profile());
  flows::MappingOptions mapping;
  mapping.pod_starts = input.pod_starts;
  flows::EndMapper mapper(input.before->cluster(), std::move(mapping));
  analysis::Impact* judge = nullptr;  // it needs the merger's texts, and the merger needs a sink
  flows::Merger merger(input.before->cluster(), [&](const flows::Connection& c) { judge->add(c); });
  analysis::Impact impact(before, after, mapper, merger.reasons());
  judge = &impact;
  logs.play_into(mapper, merger);
  report::ImpactView view;
  view.candidate = line.candidate;
  view.cluster = line.cluster;
  view.pruned = input.pruned;
  view.before = report::basis_of_change(*input.first, *input.before, sources);
  view.after = report::basis_of_change(*input.second, *input.after, sources);
  view.logs = summaries(logs);
  view.merge = merger.statistics();
  view.report = impact.report();
  if (line.wants_declared) {
    view.declared = declared_of(input, before, after, line.words.empty() ? nullptr : &view.report);
  }
  view.fail_on = settings.fail_on;
  view.max_disagreement = settings.max_disagreement;
  view.version = PODWIRE_VERSION;
  view.sources = &sources;
  view.inconclusive = why_inconclusive(view, settings);
  Exit exit = exit_for(view);
  say_damaged(view, line);
  const bool has_records =
      std::any_of(view.logs.begin(), view.logs.end(), [](const auto& log) { return log.statistics.records > 0; });
  if (!has_records && !line.words.empty()) {
    say("impact: no flow could be read");
    return Exit::bad_input;
  }
  return worse(exit, write_outputs(line, [&](Format format, const report::Style& style) {
                 switch (format) {
                   case Format::json:
                     return report::impact_json(view);
                   case Format::csv:
                     return report::impact_csv(view);
                   case Format::md:
                     return report::impact_md(view);
                   case Format::sarif:
                     return report::impact_sarif(view);
                   default:
                     return report::impact_table(view, style);
                 }
               }));
}

}  // namespace podwire::cli
