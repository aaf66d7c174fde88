// podwire diff: what a change opens and closes, judged against what was approved.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "app/cli/cli.hpp"
#include "app/report/diff_report.hpp"
#include "app/scenario/approved.hpp"
#include "app/scenario/diff_input.hpp"
#include "models/analysis/diff.hpp"
#include "sim/base/text.hpp"
#include "sim/config/files.hpp"

namespace podwire::cli {
namespace {

/// An output with its printer.
struct Written {
  Written(const CommandLine& line, const OutputRequest& request_in) : request(request_in), writer(request_in) {
    report::Sink sink = [this](std::string_view text) { writer.write(text); };
    switch (request.format) {
      case Format::json:
        printer = report::diff_json(std::move(sink));
        break;
      case Format::csv:
        printer = report::diff_csv(std::move(sink));
        break;
      case Format::md:
        printer = report::diff_md(std::move(sink));
        break;
      case Format::dot:
        printer = report::diff_dot(std::move(sink));
        break;
      default:  // table
        printer = report::diff_table(std::move(sink), style_for(line, request));
        break;
    }
  }
  const OutputRequest& request;
  OutputWriter writer;
  std::unique_ptr<report::DiffPrinter> printer;
};

/// What differs and was not approved.
struct Left {
  std::uint64_t opened = 0;  // by policies
  std::uint64_t closed = 0;
  std::uint64_t any = 0;
  std::uint64_t unknown = 0;
  std::uint64_t approved = 0;
};

std::optional<scenario::Date> today_of(const CommandLine& line) {
  if (!line.today.empty()) {
    return scenario::parse_date(line.today);
  }
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
  return scenario::Date{int(day.year()), unsigned(day.month()), unsigned(day.day())};
}

bool check_words(const CommandLine& line) {
  if (line.words.size() != 2) {
    say(fmt::format("diff: give two sides, OLD and NEW{}",
                    line.words.size() > 2 ? fmt::format("; here are {}", line.words.size()) : ""));
    say("see `podwire diff --help`");
    return false;
  }
  if (line.fail_on != "any" && line.fail_on != "opened" && line.fail_on != "closed") {
    say(fmt::format("--fail-on: \"{}\" is not any, opened or closed", printable(line.fail_on, 40)));
    return false;
  }
  if (!line.scenario.empty() && !line.cluster.empty()) {
    say("diff: a scenario brings its own cluster; give either --scenario or --cluster");
    return false;
  }
  return true;
}

std::optional<scenario::Approvals> read_approvals(const CommandLine& line, SourceMap& sources, scenario::Date today) {
  if (line.approved.empty()) {
    return scenario::Approvals();
  }
  Diagnostics problems;
  std::vector<scenario::Approval> entries;
  if (const auto document = config::read_file(sources, line.approved, line.approved, {}, {}, problems)) {
    entries = scenario::read_approvals(*document, problems);
  }
  show(problems, sources, line);
  return problems.has_errors() ? std::nullopt : std::optional(scenario::Approvals(std::move(entries), today));
}

std::string shown_name(const CommandLine& line, std::size_t side) {
  return line.scenario.empty() ? line.words[side] : fmt::format("policy set {}", line.words[side]);
}

report::DiffTail tail_of(const CommandLine& line, analysis::DiffSummary summary, const scenario::Approvals& approvals,
                         const Left& left, Exit exit, const SourceMap& sources) {
  report::DiffTail tail;
  tail.policies = report::diff_policies(summary.policies, sources);
  const bool has_rows = summary.totals.rows() > 0;
  tail.summary = std::move(summary);
  for (const scenario::Approval& entry : approvals.entries()) {
    if (approvals.is_expired(entry)) {
      tail.expired.push_back(report::diff_approval(entry, sources));
    } else if (entry.matches == 0) {
      tail.stale.push_back(report::diff_approval(entry, sources));
    }
  }
  tail.has_approvals = !line.approved.empty();
  tail.approved = left.approved;
  tail.fail_on = line.fail_on;
  tail.result = exit == Exit::failed         ? "different"
                : exit == Exit::inconclusive ? "unknown"
                : !has_rows                  ? "same"
                : left.any == 0              ? "approved"
                                             : "tolerated";
  return tail;
}

/// Adds to what analysis knows of changed policies those that were only rewritten, and kinds that it does not know.
void add_rewritten(std::vector<analysis::PolicyChange>& known, const std::vector<analysis::PolicyChange>& rewritten) {
  const std::size_t count = known.size();
  for (const analysis::PolicyChange& change : rewritten) {
    const auto end = known.begin() + static_cast<std::ptrdiff_t>(count);
    const auto at =
        std::lower_bound(known.begin(), end, change.name,
                         [](const analysis::PolicyChange& a, const std::string& name) { return a.name < name; });
    if (at == end || at->name != change.name) {
      known.push_back(change);
    }
  }
  std::sort(known.begin(), known.end(),
            [](const analysis::PolicyChange& a, const analysis::PolicyChange& b) { return a.name < b.name; });
}

/// What the domain names of both sides stand for.
policy::DomainTable names_of(const scenario::DiffInput& input) {
  policy::DomainTable table;
  table.is_complete = false;
  for (const scenario::PolicySetPlan* const plan : {input.before, input.after}) {
    if (plan->names == nullptr) {
      continue;
    }
    for (const policy::DomainTable::Entry& entry : plan->names->entries) {
      const bool is_known = std::any_of(table.entries.begin(), table.entries.end(),
                                        [&](const auto& known) { return known.name == entry.name; });
      if (!is_known) {
        table.entries.push_back(entry);
      }
    }
  }
  return table;
}

Exit exit_for(const CommandLine& line, const Left& left) {
  const std::uint64_t counted = line.fail_on == "opened"   ? left.opened
                                : line.fail_on == "closed" ? left.closed
                                                           : left.any;
  return counted > 0 ? Exit::failed : left.unknown > 0 ? Exit::inconclusive : Exit::ok;
}

}  // namespace

Exit verb_diff(const CommandLine& line) {
  if (!check_words(line)) {
    return Exit::bad_input;
  }
  const auto today = today_of(line);
  if (!today) {
    say(fmt::format("--today: \"{}\" is no day of the calendar (write it as 2026-12-31)", printable(line.today, 40)));
    return Exit::bad_input;
  }
  scenario::LoadOptions options = line.load;
  std::vector<std::string> paths = line.words;
  paths.insert(paths.end(), line.cluster.begin(), line.cluster.end());
  paths.push_back(line.scenario);
  if (!read_standard_input(paths, options)) {
    return Exit::bad_input;
  }
  SourceMap sources;
  auto approvals = read_approvals(line, sources, *today);
  const auto input = scenario::load_diff(
      sources, {.before = line.words[0], .after = line.words[1], .cluster = line.cluster, .scenario = line.scenario},
      options);
  show(input.diagnostics(), sources, line);
  if (!input || !approvals) {
    return Exit::bad_input;
  }
  std::vector<std::unique_ptr<Written>> outputs;
  for (const OutputRequest& request : line.outputs) {
    outputs.push_back(std::make_unique<Written>(line, request));
    outputs.back()->printer->begin(
        {.before = shown_name(line, 0),
         .after = shown_name(line, 1),
         .basis_before = report::basis_of_change(*input->first, *input->before, sources),
         .basis_after = report::basis_of_change(input->scenario_after(), *input->after, sources)});
  }
  policy::PolicyEngine before(input->before->cluster(), input->before->policies, input->before->profile(),
                              input->before->names.get());
  policy::PolicyEngine after(input->after->cluster(), input->after->policies, input->after->profile(),
                             input->after->names.get());
  Left left;
  const policy::DomainTable names = names_of(*input);
  const analysis::DiffOptions diff_options{.unmodelled_differ = input->unmodelled_differ, .names = &names};
  analysis::DiffSummary summary = analysis::diff(before, after, diff_options, [&](const analysis::DiffRow& row) {
    const scenario::Unapproved rest = approvals->judge(row);
    const bool is_unknown = row.cause == analysis::DiffCause::unknown;
    const bool is_policy = row.cause == analysis::DiffCause::policy;
    left.unknown += is_unknown ? 1 : 0;
    left.opened += is_policy && !rest.opened.empty() ? 1 : 0;
    left.closed += is_policy && !rest.closed.empty() ? 1 : 0;
    left.any += !is_unknown && !rest.empty() ? 1 : 0;
    left.approved += !is_unknown && rest.empty() ? 1 : 0;
    const report::DiffLine shown = report::diff_line(row, rest, sources);
    for (const auto& output : outputs) {
      output->printer->row(shown);
    }
  });
  add_rewritten(summary.policies, input->rewritten);
  Exit exit = exit_for(line, left);
  report::DiffTail tail = tail_of(line, std::move(summary), *approvals, left, exit, sources);
  tail.routes = input->routes;
  for (const auto& output : outputs) {
    output->printer->end(tail);
    exit = worse(exit, finish(output->writer, output->request));
  }
  return exit;
}

}  // namespace podwire::cli
