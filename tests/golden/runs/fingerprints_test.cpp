// The repository's scenarios, played for two seconds under seed 1, against the fingerprints in fingerprints.txt: the
// same with every preset and compiler, with a plain heap for the event set, on one thread and on four, recorded or not.
//
// After a change that is meant to change results, write the file anew and look at what it changed:
//   PODWIRE_UPDATE_GOLDEN=1 build/release/bin/golden_runs --gtest_brief=1 && git diff tests/golden/runs
// Beside each fingerprint stand the run's requests, those that were ok, and its packets: a difference says at a glance
// whether outcomes changed or times alone.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "app/scenario/batch.hpp"
#include "app/scenario/load.hpp"
#include "tests/support/source_dir.hpp"

namespace podwire::scenario {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = PODWIRE_SOURCE_DIR;
const fs::path kGolden = kRoot / "tests/golden/runs/fingerprints.txt";

std::vector<std::string> scenario_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kRoot / "scenarios")) {
    if (fs::exists(entry.path() / "scenario.yaml")) {
      names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A line for each run of the scenario.
std::string play(const std::string& name, const BatchOptions& options) {
  SourceMap sources;
  LoadOptions load_options;
  load_options.seeds = std::vector<std::uint64_t>{1};
  // Long enough for the scenarios' own events, at 5 s and at 20 s.
  load_options.settings = {"run.warmup=500ms", name == "late-policy"    ? "run.duration=6s"
                                               : name == "domain-names" ? "run.duration=22s"
                                                                        : "run.duration=2s"};
  const Result<Scenario> loaded = load(sources, {(kRoot / "scenarios" / name).string()}, load_options);
  if (!loaded.has_value()) {
    ADD_FAILURE() << name << ": " << loaded.diagnostics().all().front().message;
    return {};
  }
  BatchControl control(run_count(loaded.value()));
  const BatchResult batch = play_batch(loaded.value(), options, control);
  std::string lines;
  for (const RunRecord& run : batch.runs) {
    std::uint64_t requests = 0;
    std::uint64_t ok = 0;
    for (const workload::WorkloadResult& result : run.result.workloads) {
      requests += result.requests;
      ok += result.count(workload::Outcome::ok);
    }
    lines += fmt::format("{} {} seed={} {:016x} requests={} ok={} packets={}\n", name,
                         loaded.value().policy_sets[run.policy_set].name, run.seed, run.result.fingerprint, requests,
                         ok, run.result.packets.sent);
  }
  return lines;
}

/// The file's lines of each scenario.
std::map<std::string, std::string> golden() {
  std::map<std::string, std::string> lines;
  std::ifstream in(kGolden);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line[0] != '#') {
      lines[line.substr(0, line.find(' '))] += line + "\n";
    }
  }
  return lines;
}

TEST(Fingerprints, AreThoseOfTheFile) {
  if (const char* const update = std::getenv("PODWIRE_UPDATE_GOLDEN"); update != nullptr && *update == '1') {
    std::ofstream out(kGolden);
    out << "# Written by golden_runs under PODWIRE_UPDATE_GOLDEN=1; see fingerprints_test.cpp.\n";
    for (const std::string& name : scenario_names()) {
      out << play(name, {});
    }
    ASSERT_TRUE(out.good());
    return;
  }
  const auto expected = golden();
  ASSERT_FALSE(expected.empty()) << kGolden << " is missing: write it with PODWIRE_UPDATE_GOLDEN=1";
  for (const std::string& name : scenario_names()) {
    const auto lines = expected.find(name);
    ASSERT_NE(lines, expected.end()) << name << " is not in the file: write it anew with PODWIRE_UPDATE_GOLDEN=1";
    EXPECT_EQ(play(name, {}), lines->second) << "if this is meant: PODWIRE_UPDATE_GOLDEN=1, and look at the diff";
  }
  EXPECT_EQ(expected.size(), scenario_names().size()) << "the file has a scenario that is gone";
}

struct ThreeTier : testing::Test {
  std::string plain = play("three-tier", {});
};

TEST_F(ThreeTier, IsTheSameWithAPlainHeapForTheEventSet) {
  BatchOptions options;
  options.play = [](const workload::RunInput& input) {
    workload::RunInput changed = input;
    changed.plain_heap = true;
    return workload::play(changed);
  };
  EXPECT_EQ(play("three-tier", options), plain);
}

TEST_F(ThreeTier, IsTheSameOnFourThreads) {
  BatchOptions options;
  options.jobs = 4;
  EXPECT_EQ(play("three-tier", options), plain);
}

TEST_F(ThreeTier, IsTheSameWhenItIsRecordedOrWatched) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("podwire-golden-{}", ::getpid());
  fs::create_directories(folder);
  BatchOptions options;
  options.record_folder = folder;
  options.provenance = "{}";
  EXPECT_EQ(play("three-tier", options), plain);
  EXPECT_FALSE(fs::is_empty(folder));
  fs::remove_all(folder);
  options = {};
  options.play = [](const workload::RunInput& input) {
    workload::RunInput changed = input;
    changed.control = nullptr;  // nobody watches; all others are watched
    return workload::play(changed);
  };
  EXPECT_EQ(play("three-tier", options), plain);
}

}  // namespace
}  // namespace podwire::scenario
