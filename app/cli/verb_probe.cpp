// podwire probe: meshes of probes, played; compared with measured ones.
#include <fmt/format.h>

#include <algorithm>

#include "app/cli/cli.hpp"
#include "app/report/probe_report.hpp"
#include "app/scenario/probe.hpp"
#include "sim/base/text.hpp"
#include "sim/config/byte_stream.hpp"
#include "sim/config/reader.hpp"

namespace podwire::cli {
namespace {

constexpr std::size_t kMostProbes = 5'000'000;

// What --to, --ports, --at and --seed say; nothing when one of them is no use.
std::optional<scenario::ProbeOptions> read_options(const CommandLine& line) {
  scenario::ProbeOptions options;
  if (line.probe_target == "pod") {
    options.target = scenario::ProbeTarget::pod;
  } else if (line.probe_target == "service-ip") {
    options.target = scenario::ProbeTarget::service_ip;
  } else if (line.probe_target != "service") {
    say(fmt::format("probe: --to: \"{}\" is not service, service-ip or pod", printable(line.probe_target, 40)));
    return std::nullopt;
  }
  for (const std::string& text : line.ports) {
    const auto port = scenario::parse_probe_port(text);
    if (!port) {
      say(fmt::format("probe: --ports: \"{}\" is no protocol and port (TCP/80, UDP/53 or SCTP/3868)",
                      printable(text, 40)));
      return std::nullopt;
    }
    if (std::find(options.ports.begin(), options.ports.end(), *port) == options.ports.end()) {
      options.ports.push_back(*port);
    }
  }
  if (options.ports.empty()) {
    say("probe: which ports? Give --ports, for example --ports TCP/80,UDP/53");
    return std::nullopt;
  }
  if (!line.at.empty()) {
    options.at = config::parse_duration(line.at);
    if (!options.at || *options.at < Duration::zero()) {
      say(fmt::format("probe: --at: \"{}\" is no duration (500ms, 2s)", printable(line.at, 40)));
      return std::nullopt;
    }
  }
  if (line.load.seeds && line.load.seeds->size() != 1) {
    say("probe: --seed: one seed at a time");
    return std::nullopt;
  }
  options.seed = line.load.seeds ? line.load.seeds->front() : 1;
  options.explains_allowed = !line.measured.empty();
  return options;
}

// The text of --compare, before anything is played. `paths` are those of the manifests.
std::optional<std::string> read_measured(const CommandLine& line, const std::vector<std::string>& paths,
                                         const SourceMap& sources) {
  if (line.measured == "-") {
    if (std::find(paths.begin(), paths.end(), "-") != paths.end()) {
      say("probe: --compare: standard input is one of the manifests already");
      return std::nullopt;
    }
    scenario::LoadOptions options;
    return read_standard_input({"-"}, options) ? options.standard_input : std::nullopt;
  }
  Diagnostics problems;
  auto text = config::read_whole(line.measured, {}, {}, problems);
  show(problems, sources, line);
  return text;
}

Exit exit_of(const report::ProbeView& view) {
  Exit exit = Exit::ok;
  for (const scenario::ProbeStep& step : view.result->steps) {
    const bool is_unknown = std::any_of(step.rows.begin(), step.rows.end(), [](const scenario::ProbeRow& row) {
      return row.verdict == workload::ProbeVerdict::unknown;
    });
    exit = worse(exit, is_unknown ? Exit::inconclusive : Exit::ok);
  }
  const bool differs = view.comparison && !view.comparison->is_empty();
  return worse(exit, differs ? Exit::failed : Exit::ok);
}

}  // namespace

Exit verb_probe(const CommandLine& line) {
  const std::vector<std::string> paths = paths_of(line);
  if (paths.empty()) {
    say("probe: which manifests or scenario? Give files or folders, or - for standard input");
    return Exit::bad_input;
  }
  const auto options = read_options(line);
  scenario::LoadOptions load = line.load;
  load.is_probe = true;
  load.adds_dns = true;
  if (!options) {
    return Exit::bad_input;
  }
  SourceMap sources;
  const auto scenario = load_input(sources, paths, load, line);
  if (!scenario) {
    return Exit::bad_input;
  }
  if (scenario->policy_sets.size() != 1) {
    say(fmt::format("probe: the scenario has {} policy sets; choose one with -p NAME", scenario->policy_sets.size()));
    return Exit::bad_input;
  }
  const auto measured =
      line.measured.empty() ? std::optional<std::string>(std::string()) : read_measured(line, paths, sources);
  if (!measured) {
    return Exit::bad_input;
  }
  const scenario::PolicySetPlan& plan = scenario->policy_sets.front();
  const std::size_t destinations =
      options->target == scenario::ProbeTarget::pod ? plan.cluster().pods.size() : plan.cluster().services.size();
  if (plan.cluster().pods.size() * destinations * options->ports.size() * (load.steps.size() + 1) > kMostProbes) {
    say(fmt::format("probe: more than {} probes; give fewer ports, or a part of the cluster", kMostProbes));
    return Exit::bad_input;
  }
  const scenario::ProbeResult result = scenario::probe(*scenario, plan, *options);
  report::ProbeView view{.name = scenario->name(),
                         .basis = report::basis_of(*scenario, plan, sources, false),
                         .result = &result,
                         .options = &*options,
                         .comparison = {},
                         .sources = &sources};
  view.basis.in_time.clear();  // it was played
  if (!line.measured.empty()) {
    const SourceId source = sources.add(line.measured, *measured);
    Diagnostics problems;
    view.comparison = scenario::compare_probes(result, *options, *measured, source, problems);
    show(problems, sources, line);
    if (!view.comparison) {
      return Exit::bad_input;
    }
  }
  const Exit exit = exit_of(view);
  return worse(exit, write_outputs(line, [&](Format format, const report::Style& style) {
                 switch (format) {
                   case Format::json:
                     return report::probe_json(view);
                   case Format::csv:
                     return report::probe_csv(view);
                   default:  // table
                     break;
                 }
                 return report::probe_table(view, style);
               }));
}

}  // namespace podwire::cli
