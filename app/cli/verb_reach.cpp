// podwire reach: all allowed connections, streamed.
#include <algorithm>

#include "app/cli/cli.hpp"
#include "app/report/reach_report.hpp"
#include "app/scenario/batch.hpp"
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
  Exit exit = Exit::ok;
  for (const OutputRequest& request : line.outputs) {
    OutputWriter writer(request);
    const auto printer =
        printer_for(line, request, *scenario, [&writer](std::string_view text) { writer.write(text); });
    printer->begin();
    for (const scenario::PolicySetPlan& plan : scenario->policy_sets) {
      policy::PolicyEngine engine(plan.cluster(), plan.policies, plan.profile());
      printer->begin_set(plan.name, report::basis_of(*scenario, plan, sources, false), plan.cluster());
      const analysis::ReachSummary summary =
          analysis::reach(engine, {}, [&](const analysis::ReachRow& row) { printer->row(row); });
      printer->end_set(summary);
      exit = worse(exit, summary.unknown_rows > 0 ? Exit::inconclusive : Exit::ok);
    }
    printer->end();
    exit = worse(exit, finish(writer, request));
  }
  return exit;
}

}  // namespace podwire::cli
