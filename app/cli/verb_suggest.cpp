// podwire suggest: least-privilege NetworkPolicies from recorded or simulated traffic.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/cli/cli.hpp"
#include "app/cli/flow_logs.hpp"
#include "app/report/suggest_report.hpp"
#include "app/scenario/batch.hpp"
#include "app/scenario/played_traffic.hpp"
#include "app/scenario/pod_starts.hpp"
#include "models/analysis/suggest.hpp"
#include "sim/base/text.hpp"

namespace podwire::cli {
namespace {

bool read_options(const CommandLine& line, analysis::SuggestOptions& options) {
  options.namespaces = line.namespaces;
  if (line.min_count.empty()) {
    return true;
  }
  const std::string& text = line.min_count;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), options.threshold);
  if (error != std::errc() || stop != text.data() + text.size() || options.threshold == 0) {
    say(fmt::format("--min-count: \"{}\" is no number from 1", printable(text, 40)));
    return false;
  }
  return true;
}

bool check_namespaces(const cluster::Cluster& cluster, const CommandLine& line) {
  std::vector<std::string_view> known;
  for (const cluster::Namespace& name_space : cluster.namespaces) {
    known.push_back(name_space.name);
  }
  for (const std::string& name : line.namespaces) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string nearest = nearest_word(name, known);
      say(fmt::format("--namespace: there is no \"{}\"{}", printable(name, 60),
                      nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest)));
      return false;
    }
  }
  return true;
}

Exit write(const CommandLine& line, const report::SuggestView& view) {
  if (!line.is_quiet) {
    for (const std::string& note : view.suggestion.notes) {
      say(printable(note, 500));
    }
  }
  return write_outputs(line, [&](Format format, const report::Style&) {
    return format == Format::json ? report::suggest_json(view) : report::suggest_yaml(view);
  });
}

Exit suggest_recorded(const CommandLine& line, analysis::SuggestOptions options) {
  if (std::count(line.words.begin(), line.words.end(), "-") +
          std::count(line.cluster.begin(), line.cluster.end(), "-") >
      1) {
    say("suggest: standard input can be one of the inputs, and here it is two");
    return Exit::bad_input;
  }
  SourceMap sources;
  scenario::LoadOptions load = line.load;
  load.keeps_objects = true;
  const auto loaded = load_input(sources, line.cluster, load, line);
  if (!loaded || !check_namespaces(loaded->policy_sets.front().cluster(), line)) {
    return Exit::bad_input;
  }
  Diagnostics problems;
  FlowLogs logs(line.words);
  const bool is_open = logs.open(problems);
  show(problems, sources, line);
  if (!is_open) {
    return Exit::bad_input;
  }
  const cluster::Cluster& cluster = loaded->policy_sets.front().cluster();
  options.objects = loaded->stores.back().get();
  options.profile = &loaded->policy_sets.front().profile();
  analysis::Suggester suggester(cluster, options);
  flows::MappingOptions mapping;
  mapping.pod_starts = scenario::pod_starts(*options.objects, cluster);
  flows::EndMapper mapper(cluster, std::move(mapping));
  flows::Merger merger(cluster, [&](const flows::Connection& connection) { suggester.add(connection); });
  logs.play_into(mapper, merger);
  if (logs.records() == 0) {
    say("suggest: no flow could be read");
    return Exit::bad_input;
  }
  return write(line, {.inputs = line.words, .version = PODWIRE_VERSION, .suggestion = suggester.suggest()});
}

Exit suggest_played(const CommandLine& line, analysis::SuggestOptions options) {
  SourceMap sources;
  scenario::LoadOptions load = line.load;
  load.requires_scenario = true;
  load.keeps_objects = true;
  const auto loaded = load_input(sources, {line.scenario}, load, line);
  if (!loaded) {
    return Exit::bad_input;
  }
  if (loaded->policy_sets.size() != 1) {
    say(fmt::format("suggest: the scenario has {} policy sets; choose the one under which all works with -p NAME",
                    loaded->policy_sets.size()));
    return Exit::bad_input;
  }
  const scenario::PolicySetPlan& plan = loaded->policy_sets.front();
  if (!check_namespaces(plan.cluster(), line)) {
    return Exit::bad_input;
  }
  scenario::BatchControl control(scenario::run_count(*loaded));
  const scenario::BatchResult batch = scenario::play_batch(*loaded, {}, control);
  options.objects = plan.stores.empty() ? nullptr : plan.stores.front();
  options.profile = &plan.profile();
  analysis::Suggester suggester(plan.cluster(), options);
  for (const scenario::RunRecord& run : batch.runs) {
    scenario::each_played(
        plan, run.result, loaded->file->cluster.externals,
        [&](const flows::Connection& connection, std::uint64_t count) { suggester.add(connection, count); });
  }
  return write(line, {.inputs = {fmt::format("{} ({})", loaded->name(), plan.name)},
                      .version = PODWIRE_VERSION,
                      .suggestion = suggester.suggest()});
}

}  // namespace

Exit verb_suggest(const CommandLine& line) {
  analysis::SuggestOptions options;
  if (!read_options(line, options)) {
    return Exit::bad_input;
  }
  const bool is_recorded = !line.words.empty() && !line.cluster.empty();
  if (is_recorded == !line.scenario.empty() || (!is_recorded && !(line.words.empty() && line.cluster.empty()))) {
    say("suggest: give recorded flows and --cluster DUMP, or --scenario SCENARIO to play one");
    say("see `podwire suggest --help`");
    return Exit::bad_input;
  }
  return is_recorded ? suggest_recorded(line, std::move(options)) : suggest_played(line, std::move(options));
}

}  // namespace podwire::cli
