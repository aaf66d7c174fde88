// podwire reach: all allowed connections, streamed; with several profiles, where they disagree.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/cli/cli.hpp"
#include "app/report/profiles_report.hpp"
#include "app/report/reach_report.hpp"
#include "app/scenario/batch.hpp"
#include "models/analysis/compare_profiles.hpp"
#include "models/analysis/reach.hpp"

namespace podwire::cli {
namespace {

std::unique_ptr<report::ReachPrinter> printer_for(const CommandLine& line, const OutputRequest& request,
                                                  const scenario::Scenario& scenario, report::Sink sink) {
  const bool names_sets = scenario.policy_sets.size() > 1;
  switch (request.format) {
    case Format::json:
      return report::reach_json(std::move(sink), scenario.name());
    case Format::csv:
      return report::reach_csv(std::move(sink), names_sets);
    default:  // table
      break;
  }
  return report::reach_table(std::move(sink), style_for(line, request), names_sets);
}

// Rows under every profile that a version between two leaves possible; where they disagree, nobody knows.
analysis::ReachSummary reach_under_all(const scenario::PolicySetPlan& plan,
                                       const std::vector<analysis::ComparedRow>& rows,
                                       const std::function<void(const analysis::ReachRow&)>& visit) {
  policy::PolicyEngine engine(plan.cluster(), plan.policies, plan.profile());
  analysis::ReachSummary summary{
      .rows = rows.size(),
      .unknown_rows = 0,
      .ends = analysis::reach(engine, {.includes_external = false}, [](const analysis::ReachRow&) {}).ends};
  for (const analysis::ComparedRow& row : rows) {
    const analysis::ComparedCell& played = row.cells.front();
    const bool is_unknown = played.is_unknown || row.differs();
    summary.unknown_rows += is_unknown ? 1 : 0;
    visit({.source = {.name = row.source, .workload = {}, .pod = {}},
           .destination = {.name = row.destination, .workload = {}, .pod = {}},
           .ports = &played.ports,
           .is_unknown = is_unknown,
           .varies = played.varies});
  }
  return summary;
}

std::vector<cni::Profile> candidates_of(const scenario::PolicySetPlan& plan) {
  std::vector<cni::Profile> profiles = {plan.profile()};
  profiles.insert(profiles.end(), plan.state->others.begin(), plan.state->others.end());
  return profiles;
}

// What the profiles disagree about, for the head of the output.
std::vector<std::string> doubts(const std::vector<cni::Profile>& profiles,
                                const std::vector<analysis::ComparedRow>& rows) {
  std::vector<std::string> texts;
  for (const analysis::ComparedRow& row : rows) {
    if (!row.differs()) {
      continue;
    }
    const std::string text =
        fmt::format("profiles {} and {} disagree: {}", profiles[0].name, profiles[1].name,
                    row.fields.empty() ? "several values together" : fmt::format("{}", fmt::join(row.fields, ", ")));
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) {
      texts.push_back(text);
    }
  }
  return texts;
}

// --cni A,B,C
Exit compare(const CommandLine& line, const scenario::Scenario& scenario, const SourceMap& sources) {
  std::vector<report::ProfilesView> views;
  Exit exit = Exit::ok;
  for (const scenario::PolicySetPlan& plan : scenario.policy_sets) {
    std::vector<cni::Profile> profiles;
    for (const std::string& name : line.compared_profiles) {
      if (name == "auto") {
        profiles.push_back(plan.profile());
        continue;
      }
      auto candidates = cni::load_candidates(name, {}, {});
      show(candidates.diagnostics(), sources, line);
      if (!candidates) {
        return Exit::bad_input;
      }
      for (cni::Profile& profile : candidates->profiles) {
        profiles.push_back(std::move(profile));
      }
    }
    auto rows = analysis::compare_profiles(plan.cluster(), plan.policies, profiles, {});
    views.push_back(
        report::profiles_view(plan.name, report::basis_of(scenario, plan, sources, false), profiles, std::move(rows)));
    for (const analysis::ComparedRow& row : views.back().rows) {
      const bool is_unknown =
          std::any_of(row.cells.begin(), row.cells.end(), [](const auto& c) { return c.is_unknown; });
      exit = worse(exit, is_unknown ? Exit::inconclusive : Exit::ok);
    }
  }
  return worse(exit, write_outputs(line, [&](Format format, const report::Style& style) {
                 switch (format) {
                   case Format::json:
                     return report::profiles_json(views, scenario.name());
                   case Format::csv:
                     return report::profiles_csv(views);
                   default:  // the verb's other formats are refused before
                     break;
                 }
                 return report::profiles_table(views, style);
               }));
}

}  // namespace

Exit verb_reach(const CommandLine& line) {
  const std::vector<std::string> paths = paths_of(line);
  if (paths.empty()) {
    say("reach: which manifests or scenario? Give files or folders, or - for standard input");
    return Exit::bad_input;
  }
  scenario::LoadOptions options = line.load;
  if (!read_standard_input(paths, options)) {
    return Exit::bad_input;
  }
  SourceMap sources;
  const auto scenario = scenario::load(sources, paths, options);
  show(scenario.diagnostics(), sources, line);
  if (!scenario) {
    return Exit::bad_input;
  }
  if (!line.compared_profiles.empty()) {
    return compare(line, *scenario, sources);
  }
  Exit exit = Exit::ok;
  for (const OutputRequest& request : line.outputs) {
    OutputWriter writer(request);
    const auto printer =
        printer_for(line, request, *scenario, [&writer](std::string_view text) { writer.write(text); });
    printer->begin();
    for (const scenario::PolicySetPlan& plan : scenario->policy_sets) {
      const auto print = [&](const analysis::ReachRow& row) { printer->row(row); };
      report::Basis basis = report::basis_of(*scenario, plan, sources, false);
      analysis::ReachSummary summary;
      if (plan.state->others.empty()) {
        policy::PolicyEngine engine(plan.cluster(), plan.policies, plan.profile());
        printer->begin_set(plan.name, basis, plan.cluster());
        summary = analysis::reach(engine, {}, print);
      } else {
        const std::vector<cni::Profile> profiles = candidates_of(plan);
        const auto rows = analysis::compare_profiles(plan.cluster(), plan.policies, profiles, {});
        const std::vector<std::string> texts = doubts(profiles, rows);
        basis.unknown.insert(basis.unknown.end(), texts.begin(), texts.end());
        printer->begin_set(plan.name, basis, plan.cluster());
        summary = reach_under_all(plan, rows, print);
      }
      printer->end_set(summary);
      exit = worse(exit, summary.unknown_rows > 0 ? Exit::inconclusive : Exit::ok);
    }
    printer->end();
    exit = worse(exit, finish(writer, request));
  }
  return exit;
}

}  // namespace podwire::cli
