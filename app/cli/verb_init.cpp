// podwire init: a dump becomes a scenario, with what was detected and what is assumed beside each line; recorded flows
// become its workloads.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "app/cli/cli.hpp"
#include "app/cli/flow_logs.hpp"
#include "app/report/text_table.hpp"
#include "app/scenario/init.hpp"
#include "app/scenario/pod_starts.hpp"
#include "sim/base/text.hpp"

namespace podwire::cli {
namespace {

namespace fs = std::filesystem;

bool write_file(const fs::path& path, const std::string& text) {
  OutputWriter writer({.format = Format::text, .file = path.string()});
  writer.write(text);
  if (const std::string problem = writer.finish(); !problem.empty()) {
    say(fmt::format("{}: {}", printable(path.string()), problem));
    return false;
  }
  return true;
}

// A scenario that someone may have changed is not replaced.
bool may_write(const fs::path& folder, bool replaces) {
  std::error_code error;
  for (const char* name : {"scenario.yaml", scenario::kInitDumpName}) {
    if (!replaces && fs::exists(folder / name, error)) {
      say(fmt::format("{} is there already; give another folder, or --force to replace it",
                      printable((folder / name).string())));
      return false;
    }
  }
  return true;
}

bool make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || !fs::is_directory(folder, error)) {
    say(fmt::format("{}: {}", printable(folder.string()), error ? error.message() : "is no folder"));
    return false;
  }
  return true;
}

std::string summary(const scenario::InitPlan& plan, bool plays, const std::string& folder, const report::Style& style) {
  std::size_t assumed = 0;
  report::TextTable table;
  table.column("");
  table.column("");
  table.column("");
  for (const scenario::InitFact& fact : plan.facts) {
    assumed += fact.is_assumed ? 1 : 0;
    table.row({fact.topic, fact.value.empty() ? "none" : printable(fact.value, 200), printable(fact.basis, 500)});
  }
  const std::string shown = printable(folder, 200);
  return fmt::format("wrote {}/scenario.yaml and {}/{}: {} objects, {} of {} facts assumed\n{}\nnext: podwire {} {}\n",
                     shown, shown, scenario::kInitDumpName, plan.dump.objects, assumed, plan.facts.size(),
                     table.to_string(2, style), plays ? "run" : "reach", shown);
}

bool check_words(const CommandLine& line, const std::vector<std::string>& dumps) {
  if (dumps.empty() || line.folder.empty()) {
    say(dumps.empty() ? "init: which dump? Give --cluster FILE or FOLDER, or - for standard input"
                      : "init: where to? Give -o FOLDER");
    say("`podwire init --print-collect` prints the commands that collect a dump");
    return false;
  }
  if (std::count(dumps.begin(), dumps.end(), "-") + std::count(line.flows.begin(), line.flows.end(), "-") > 1) {
    say("init: standard input can be one of the inputs, and here it is two");
    return false;
  }
  return true;
}

bool read_limit(const CommandLine& line, std::size_t& limit) {
  const std::string& text = line.max_workloads;
  if (text.empty()) {
    return true;
  }
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || stop != text.data() + text.size() || limit == 0) {
    say(fmt::format("--max-workloads: \"{}\" is no number from 1", printable(text, 40)));
    return false;
  }
  return true;
}

// Recorded flows become traffic record by record. Nothing, with what is wrong said, when none could be read.
std::optional<scenario::InitTraffic> read_traffic(const CommandLine& line, const scenario::Scenario& loaded,
                                                  const SourceMap& sources, scenario::InitTrafficOptions options) {
  Diagnostics problems;
  FlowLogs logs(line.flows);
  const bool is_open = logs.open(problems);
  show(problems, sources, line);
  if (!is_open) {
    return std::nullopt;
  }
  const cluster::Cluster& cluster = loaded.policy_sets.front().cluster();
  scenario::RecordedTraffic traffic(cluster);
  flows::MappingOptions mapping;
  mapping.pod_starts = scenario::pod_starts(*loaded.stores.back(), cluster);
  flows::EndMapper mapper(cluster, std::move(mapping));
  flows::Merger merger(cluster, [&](const flows::Connection& connection) { traffic.add(connection); });
  logs.play_into(mapper, merger);
  if (logs.records() == 0) {
    say("init: no flow could be read");
    return std::nullopt;
  }
  for (std::size_t i = 0; i < logs.size(); ++i) {
    const flows::FlowReader& reader = logs.reader(i);
    for (std::string& note : scenario::log_notes(reader.name(), reader.format(), reader.statistics())) {
      if (!line.is_quiet) {
        say(note);
      }
      options.notes.push_back(std::move(note));
    }
  }
  options.inputs = line.flows;
  return scenario::plan_traffic(traffic, mapper.strangers(), options);
}

}  // namespace

Exit verb_init(const CommandLine& line) {
  if (line.prints_collect) {
    return write_one({.format = Format::text, .file = ""}, scenario::collect_script());
  }
  std::vector<std::string> dumps = line.cluster;
  for (const std::string& path : paths_of(line)) {
    dumps.push_back(path);
  }
  scenario::InitTrafficOptions traffic_options;
  if (!check_words(line, dumps) || !read_limit(line, traffic_options.most_workloads)) {
    return Exit::bad_input;
  }
  const fs::path folder = line.folder;
  if (!may_write(folder, line.is_forced)) {
    return Exit::bad_input;
  }
  scenario::LoadOptions options = line.load;
  options.adds_dns = true;
  options.keeps_objects = true;
  SourceMap sources;
  const auto loaded = load_input(sources, dumps, options, line);
  if (!loaded) {
    return Exit::bad_input;
  }
  if (!loaded->is_manifests) {
    say("init: a scenario was given; init makes one out of a dump");
    return Exit::bad_input;
  }
  std::string name = fs::absolute(folder).lexically_normal().filename().string();
  name = name.empty() ? fs::absolute(folder).lexically_normal().parent_path().filename().string() : name;
  std::optional<scenario::InitTraffic> traffic;
  if (!line.flows.empty()) {
    traffic = read_traffic(line, *loaded, sources, std::move(traffic_options));
    if (!traffic) {
      return Exit::bad_input;
    }
  }
  const scenario::InitPlan plan = scenario::plan_init(sources, *loaded, name, traffic ? &*traffic : nullptr);
  const bool plays = traffic && traffic->workloads > 0;
  // The scenario last: whoever finds one finds what it reads, too.
  if (!make_folder(folder) || !write_file(folder / scenario::kInitDumpName, plan.dump.text) ||
      !write_file(folder / "scenario.yaml", plan.scenario_text)) {
    return Exit::bad_input;
  }
  return write_outputs(line,
                       [&](Format, const report::Style& style) { return summary(plan, plays, line.folder, style); });
}

}  // namespace podwire::cli
