// podwire reach: all allowed connections, streamed.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/cli/cli.hpp"
#include "app/report/reach_report.hpp"
#include "app/scenario/batch.hpp"
#include "models/analysis/reach.hpp"
#include "sim/base/text.hpp"

namespace podwire::cli {
namespace {

std::unique_ptr<report::ReachPrinter> printer_for(const CommandLine& line, const OutputRequest& request,
                                                  const scenario::Scenario& scenario, report::Sink sink) {
  const report::ReachShown shown{
      .names_sets = scenario.policy_sets.size() > 1,
      .is_pod_level = line.is_pod_level,
      .is_focused = !line.focus.empty(),
      .has_entry_points = request.format != Format::csv || line.wants_entry_points,
      .has_exposure = line.wants_exposure,
  };
  switch (request.format) {
    case Format::json:
      return report::reach_json(std::move(sink), scenario.name(), shown);
    case Format::csv:
      return report::reach_csv(std::move(sink), shown);
    case Format::md:
      return report::reach_md(std::move(sink), shown);
    case Format::dot:
      return report::reach_dot(std::move(sink), shown);
    case Format::mermaid:
      return report::reach_mermaid(std::move(sink), shown);
    case Format::table:
      break;
  }
  return report::reach_table(std::move(sink), style_for(line, request), shown);
}

bool add_namespace(const cluster::Cluster& cluster, const std::string& name, analysis::ReachFocus& focus) {
  const cluster::NamespaceId home = cluster.find_namespace(name);
  if (!home.is_valid()) {
    return false;
  }
  for (std::size_t w = 0; w < cluster.workloads.size(); ++w) {
    if (cluster.workloads[w].name_space == home) {
      focus.workloads.emplace_back(w);
    }
  }
  return true;
}

// What --focus names in this cluster; problems are diagnostics.
analysis::ReachFocus focus_in(const cluster::Cluster& cluster, const CommandLine& line, Span span,
                              Diagnostics& diagnostics) {
  analysis::ReachFocus focus;
  focus.wants_in = line.direction != "out";
  focus.wants_out = line.direction != "in";
  for (const std::string& name : line.focus) {
    if (name.find('/') == std::string::npos && add_namespace(cluster, name, focus)) {
      continue;
    }
    const auto target = cluster::resolve_name(cluster, name, true, span, diagnostics);
    if (!target) {
      continue;
    }
    switch (target->kind) {
      case cluster::NamedTarget::Kind::workload:
        focus.workloads.push_back(target->workload);
        break;
      case cluster::NamedTarget::Kind::pod:
        focus.pods.push_back(target->pod);
        break;
      case cluster::NamedTarget::Kind::service:
        for (const cluster::ServicePort& port : cluster.services[target->service.index()].ports) {
          for (const cluster::Backend& backend : port.backends) {
            if (backend.pod.is_valid()) {
              focus.pods.push_back(backend.pod);
            }
          }
        }
        break;
      case cluster::NamedTarget::Kind::address:
        diagnostics.error("bad-target",
                          fmt::format("--focus {}: no workload, pod, Service or namespace", printable(name, 80)), span);
    }
  }
  std::sort(focus.pods.begin(), focus.pods.end());
  focus.pods.erase(std::unique(focus.pods.begin(), focus.pods.end()), focus.pods.end());
  return focus;
}

bool touches(const cluster::Cluster& cluster, const analysis::ReachFocus& focus, cluster::WorkloadId workload) {
  return workload.is_valid() &&
         (std::find(focus.workloads.begin(), focus.workloads.end(), workload) != focus.workloads.end() ||
          std::any_of(focus.pods.begin(), focus.pods.end(),
                      [&](cluster::PodId pod) { return cluster.pods[pod.index()].workload == workload; }));
}

std::vector<analysis::EntryRow> entry_rows(policy::PolicyEngine& engine, const analysis::EntryPoints& entries,
                                           const analysis::ReachFocus* focus) {
  std::vector<analysis::EntryRow> rows = analysis::resolve_entry_points(engine, entries);
  if (focus != nullptr) {
    std::erase_if(rows, [&](const analysis::EntryRow& row) {
      const bool is_in = focus->wants_in && touches(engine.cluster(), *focus, row.workload);
      const bool is_out = focus->wants_out && touches(engine.cluster(), *focus, row.source_workload);
      return !is_in && !is_out;
    });
  }
  return rows;
}

// Prints one policy set.
Exit print_set(const CommandLine& line, const OutputRequest& request, const scenario::PolicySetPlan& plan,
               const analysis::ReachFocus* focus, report::ReachPrinter& printer) {
  policy::PolicyEngine engine(plan.cluster(), plan.policies, plan.profile());
  const analysis::ReachOptions options{.is_pod_level = line.is_pod_level, .focus = focus, .includes_named_ipv6 = true};
  const analysis::ReachSummary summary =
      analysis::reach(engine, options, [&](const analysis::ReachRow& row) { printer.row(row); });
  bool is_unknown = summary.unknown_rows > 0;
  if (request.format != Format::csv || line.wants_entry_points) {
    const std::vector<analysis::EntryRow> rows = entry_rows(engine, plan.state->entry_points, focus);
    is_unknown = is_unknown || std::any_of(rows.begin(), rows.end(), [](const analysis::EntryRow& row) {
                   return row.outcome == analysis::EntryRow::Outcome::unknown;
                 });
    printer.entry_points(rows);
  }
  if (line.wants_exposure) {
    analysis::find_exposure(engine, focus, [&](const analysis::ExposureLine& exposed) {
      is_unknown = is_unknown || exposed.is_unknown;
      printer.exposure(exposed);
    });
  }
  printer.end_set(summary);
  return is_unknown ? Exit::inconclusive : Exit::ok;
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
  Diagnostics problems;
  // The names are shown as a source of their own, so that carets have something to point at.
  const SourceId words = sources.add("--focus", fmt::format("{}", fmt::join(line.focus, " ")));
  const Span span{words, 0, static_cast<std::uint32_t>(sources.text(words).size())};
  std::vector<analysis::ReachFocus> focuses;
  for (const scenario::PolicySetPlan& plan : scenario->policy_sets) {
    Diagnostics found;
    focuses.push_back(focus_in(plan.cluster(), line, span, found));
    if (!problems.has_errors()) {
      problems.append(found);  // the names are the same in every policy set
    }
  }
  show(problems, sources, line);
  if (problems.has_errors()) {
    return Exit::bad_input;
  }
  Exit exit = Exit::ok;
  for (const OutputRequest& request : line.outputs) {
    OutputWriter writer(request);
    const auto printer =
        printer_for(line, request, *scenario, [&writer](std::string_view text) { writer.write(text); });
    printer->begin();
    for (std::size_t i = 0; i < scenario->policy_sets.size(); ++i) {
      const scenario::PolicySetPlan& plan = scenario->policy_sets[i];
      printer->begin_set(plan.name, report::basis_of(*scenario, plan, sources, false), plan.cluster());
      exit = worse(exit, print_set(line, request, plan, line.focus.empty() ? nullptr : &focuses[i], *printer));
    }
    printer->end();
    exit = worse(exit, finish(writer, request));
  }
  return exit;
}

}  // namespace podwire::cli
