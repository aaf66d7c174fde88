// podwire run: play scenarios, print what happened, evaluate what was expected.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <set>

#include "app/cli/cli.hpp"
#include "app/cli/progress.hpp"
#include "app/report/run_report.hpp"
#include "app/scenario/batch.hpp"
#include "sim/base/text.hpp"

namespace podwire::cli {
namespace {

struct Loaded {
  SourceMap sources;
  std::optional<scenario::Scenario> scenario;
};

// All scenarios are loaded before any is played, so that a mistake in the last one shows at once.
Exit load_all(const CommandLine& line, const std::vector<std::string>& paths,
              std::vector<std::unique_ptr<Loaded>>& loaded) {
  scenario::LoadOptions options = line.load;
  options.requires_scenario = true;
  Exit exit = Exit::ok;
  for (const std::string& path : paths) {
    auto entry = std::make_unique<Loaded>();
    entry->scenario = load_input(entry->sources, {path}, options, line);
    if (!entry->scenario) {
      exit = Exit::bad_input;
    }
    loaded.push_back(std::move(entry));
  }
  return exit;
}

bool files_are_writable(const CommandLine& line) {
  for (const OutputRequest& request : line.outputs) {
    if (const std::string problem = request.file.empty() ? "" : problem_with_file(request.file); !problem.empty()) {
      say(fmt::format("{}: {}", printable(request.file), problem));
      return false;
    }
  }
  std::error_code error;
  if (!line.record_folder.empty() && !std::filesystem::create_directories(line.record_folder, error) && error) {
    say(fmt::format("{}: {}", printable(line.record_folder), error.message()));
    return false;
  }
  return true;
}

// Several scenarios' files go into folders named after them.
bool record_names_differ(const CommandLine& line, const std::vector<std::unique_ptr<Loaded>>& loaded) {
  std::set<std::string> names;
  for (const auto& entry : loaded) {
    const std::string& name = entry->scenario->file->name;
    if (!line.record_folder.empty() && loaded.size() > 1 && (name.empty() || !names.insert(name).second)) {
      say(fmt::format("--record: {} needs a metadata.name that no other scenario has",
                      printable(entry->scenario->path)));
      return false;
    }
  }
  return true;
}

scenario::BatchResult play(const CommandLine& line, const Loaded& loaded, bool is_alone) {
  const scenario::Scenario& scenario = *loaded.scenario;
  scenario::BatchOptions options;
  options.jobs = line.jobs;
  if (!line.record_folder.empty()) {
    options.record_folder = std::filesystem::path(line.record_folder) / (is_alone ? "" : scenario.file->name);
    std::filesystem::create_directories(options.record_folder);
  }
  options.provenance = report::provenance_json(scenario, loaded.sources, PODWIRE_VERSION);
  scenario::BatchControl control(scenario::run_count(scenario));
  // The batch has its own thread; this one watches signals and shows progress.
  auto batch = std::async(std::launch::async, [&] { return scenario::play_batch(scenario, options, control); });
  Progress progress(printable(scenario.name(), 40), line.is_quiet);
  const Duration of_each = scenario.run().warmup + scenario.run().duration;
  while (batch.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    if (InterruptGuard::is_interrupted()) {
      control.stop();
    }
    progress.update(control.progress(of_each), fmt::format("{} of {} runs", control.finished(), control.run_count()));
  }
  progress.clear();
  return batch.get();
}

Exit exit_of(const report::RunCounts& counts) {
  if (counts.failed > 0) {
    return Exit::failed;
  }
  return counts.inconclusive > 0 || counts.unknown_sets > 0 ? Exit::inconclusive : Exit::ok;
}

}  // namespace

Exit verb_run(const CommandLine& line) {
  const std::vector<std::string> paths = paths_of(line);
  if (paths.empty()) {
    say("run: which scenario? Give a folder with scenario.yaml, or the file");
    return Exit::bad_input;
  }
  std::vector<std::unique_ptr<Loaded>> loaded;
  if (!files_are_writable(line)) {
    return Exit::bad_input;
  }
  if (const Exit exit = load_all(line, paths, loaded); exit != Exit::ok) {
    return exit;
  }
  if (!record_names_differ(line, loaded)) {
    return Exit::bad_input;
  }
  const InterruptGuard guard;
  std::vector<report::RunReport> reports;
  for (const auto& entry : loaded) {
    const scenario::BatchResult batch = play(line, *entry, loaded.size() == 1);
    if (batch.is_interrupted) {
      const auto whole = std::count_if(batch.runs.begin(), batch.runs.end(),
                                       [](const scenario::RunRecord& run) { return !run.result.is_interrupted; });
      say(fmt::format("interrupted after {} of {} runs of {}; nothing is printed{}", whole,
                      scenario::run_count(*entry->scenario), printable(entry->scenario->name()),
                      line.record_folder.empty() || whole == 0 ? "" : ", the files of whole runs are kept"));
      return Exit::interrupted;
    }
    reports.push_back(report::summarise(*entry->scenario, batch, entry->sources));
  }
  const Exit written = write_outputs(line, [&](Format format, const report::Style& style) {
    switch (format) {
      case Format::json:
        return report::run_json(reports);
      case Format::csv:
        return report::run_csv(reports);
      default:  // table
        break;
    }
    return report::run_table(reports, style);
  });
  return worse(written, exit_of(report::count(reports)));
}

}  // namespace podwire::cli
