// The record file of a run: what it holds, that the same run gives the same bytes, and what is left of it when the run
// is killed or the path cannot be written.
#include "models/workload/recording.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "sim/base/environment_error.hpp"
#include "tests/support/stage.hpp"
#include "tests/support/town.hpp"

namespace podwire::workload {
namespace {

using namespace test;
namespace fs = std::filesystem;

struct RecordingTest : testing::Test {
  Stage stage{pod_yaml("a", "client", 1) + pod_yaml("b", "server", 2)};
  ScratchFile file{"run.h5"};
  std::vector<WorkloadSpec> specs;
  std::vector<ReachabilityRow> reachability = {{"a/client[Pod]", "b/server[Pod]", "All Connections"}};

  void SetUp() override {
    specs.push_back(loop(from_pods({stage.pod("a", "client")}), at_address(stage.ip("b", "server"), 8080)));
    specs.push_back(loop(from_pods({stage.pod("a", "client")}), at_address(stage.ip("b", "server"), 81)));
    specs[1].name = "closed";
  }
  RunInput input(const fs::path& path) const {
    RunInput run;
    run.warmup = 250_ms;
    run.duration = 500_ms;
    run.record_path = path;
    run.provenance = R"({"scenario":"test"})";
    run.reachability = reachability;
    return run;
  }
  static std::string bytes(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::int64_t cell(const record::Table& table, std::size_t row, const std::string& column) const {
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      if (table.columns[c].name == column) {
        return std::get<std::int64_t>(table.cells.at(row * table.columns.size() + c));
      }
    }
    ADD_FAILURE() << "no column " << column;
    return -1;
  }
};

TEST_F(RecordingTest, TheFileHoldsTheCountedRequestsAndTheResult) {
  const RunResult result = stage.play(specs, input(file.path));
  const auto rows = read_rows(file.path);
  EXPECT_EQ(rows.size(), result.workloads[0].requests + result.workloads[1].requests);
  EXPECT_EQ(rows.size(), 20u) << "two loops of 20/s for half a second";
  for (const RequestRow& row : rows) {
    EXPECT_EQ(row.how(), row.workload == 0 ? Outcome::ok : Outcome::refused);
  }
  auto opened = record::RunFile::open(file.path);
  ASSERT_TRUE(opened.has_value());
  const record::RunFile& run = opened.value();
  const auto summary = run.table("/summary");
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(cell(summary.value(), 0, "requests"), 10);
  EXPECT_EQ(cell(summary.value(), 0, "ok"), 10);
  EXPECT_EQ(cell(summary.value(), 1, "refused"), 10);
  const auto packets = run.table("/packets");
  ASSERT_TRUE(packets.has_value());
  EXPECT_EQ(cell(packets.value(), 0, "packets"), static_cast<std::int64_t>(result.packets.sent));
  EXPECT_EQ(run.text("/provenance").value(), R"({"scenario":"test"})");
  EXPECT_EQ(run.table("/reachability").value().cells.size(), 3u);
  ASSERT_TRUE(run.attribute("interrupted").has_value());
  EXPECT_EQ(std::get<std::int64_t>(*run.attribute("interrupted")), 0);
  EXPECT_EQ(std::get<std::int64_t>(*run.attribute("simulated_ns")), result.simulated.ns());
  EXPECT_EQ(run.attribute("/requests/arrived", "units").has_value(), true);
}

TEST_F(RecordingTest, TheSameRunGivesTheSameBytesAndRecordingChangesNothing) {
  const ScratchFile again("run.h5");
  const RunResult one = stage.play(specs, input(file.path));
  const RunResult two = stage.play(specs, input(again.path));
  const RunResult none = stage.play(specs, input({}));
  EXPECT_EQ(bytes(file.path), bytes(again.path));
  EXPECT_EQ(one.fingerprint, two.fingerprint);
  EXPECT_EQ(one.fingerprint, none.fingerprint);
  EXPECT_EQ(one.events, none.events);
  RunInput other = input(again.path);
  other.seed = 2;
  EXPECT_NE(stage.play(specs, other).fingerprint, one.fingerprint);
  EXPECT_NE(bytes(file.path), bytes(again.path));
}

TEST_F(RecordingTest, AnInterruptedRunLeavesAFileThatSaysSo) {
  RunControl control;
  control.stop = true;
  RunInput run = input(file.path);
  run.control = &control;
  run.duration = 10'000_s;
  const RunResult result = stage.play(specs, run);
  EXPECT_TRUE(result.is_interrupted);
  EXPECT_EQ(read_rows(file.path).size(), result.workloads[0].requests + result.workloads[1].requests);
  const auto opened = record::RunFile::open(file.path);
  EXPECT_EQ(std::get<std::int64_t>(*opened.value().attribute("interrupted")), 1);
}

TEST_F(RecordingTest, AKilledRunLeavesNoFileThatLooksComplete) {
  for (unsigned round = 0; round < 4; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      RunInput run = input(file.path);
      run.duration = 1'000'000_s;  // until killed
      stage.play(specs, run);
      ::_exit(0);
    }
    ::usleep(30'000 + round * 70'000);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_FALSE(fs::exists(file.path));
    for (const auto& entry : fs::directory_iterator(file.path.parent_path())) {
      EXPECT_FALSE(record::RunFile::open(entry.path()).has_value()) << entry.path();
    }
  }
  stage.play(specs, input(file.path));  // what a killed run left is no obstacle
  EXPECT_TRUE(record::RunFile::open(file.path).has_value());
}

TEST_F(RecordingTest, APathThatCannotBeWrittenIsSaidBeforeAnythingIsPlayed) {
  const fs::path nowhere = file.path.parent_path() / "nowhere" / "run.h5";
  try {
    stage.play(specs, input(nowhere));
    FAIL() << "it was written";
  } catch (const EnvironmentError& error) {
    EXPECT_NE(std::string(error.what()).find("nowhere/run.h5"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("No such file or directory"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(fs::is_empty(file.path.parent_path()));
}

TEST_F(RecordingTest, SeriesTellTheRunFromIntervalToInterval) {
  RunInput run = input(file.path);
  run.sample = 100_ms;
  const RunResult result = stage.play(specs, run);
  auto opened = record::RunFile::open(file.path);
  ASSERT_TRUE(opened.has_value());
  const auto series = [&](const char* name) { return opened.value().numbers(name).value(); };
  const std::vector<double> time = series("/series/network/time");
  // 0.1, 0.2 … 0.7 s, and the moment at which the run ended, at 0.75 s or when the last request did.
  ASSERT_EQ(time.size(), 8u);
  EXPECT_DOUBLE_EQ(time[0], 0.1);
  EXPECT_DOUBLE_EQ(time[6], 0.7);
  EXPECT_DOUBLE_EQ(time[7], result.simulated.seconds());
  const auto sum = [](const std::vector<double>& values) {
    double total = 0.0;
    for (const double value : values) {
      total += value;
    }
    return total;
  };
  EXPECT_EQ(sum(series("/series/network/packets_sent")), static_cast<double>(result.packets.sent));
  EXPECT_EQ(sum(series("/series/network/packets_dropped")), static_cast<double>(result.packets.dropped));
  EXPECT_EQ(series("/series/network/packets_in_flight").back(), static_cast<double>(result.packets.in_flight));
  // One loop succeeds and the other is refused: 20/s from the start on, so 15 or 16 of each in 0.75 s.
  const std::vector<double> ok = series("/series/workloads/ok");
  const std::vector<double> failed = series("/series/workloads/failed");
  ASSERT_EQ(ok.size(), 16u) << "time × workload";
  double of_first = 0.0;
  double of_second = 0.0;
  for (std::size_t t = 0; t < 8; ++t) {
    of_first += ok[2 * t];
    of_second += failed[2 * t + 1];
    EXPECT_EQ(ok[2 * t + 1] + failed[2 * t], 0.0);
    EXPECT_LE(ok[2 * t], 3.0) << "20/s for 0.1 s";
  }
  EXPECT_GE(of_first, 14.0);
  EXPECT_GE(of_second, 14.0);
  for (const double use : series("/series/network/link_utilisation_max")) {
    EXPECT_GE(use, 0.0);
    EXPECT_LT(use, 0.01) << "a few kilobytes on lines of 10 Gbit/s";
  }
  EXPECT_GT(series("/series/network/conntrack_entries").back(), 0.0);
  EXPECT_FALSE(opened.value().table("/objects/links").value().cells.empty());
}

TEST_F(RecordingTest, SamplingChangesNothing) {
  const RunResult plain = stage.play(specs, input({}));
  for (const Duration interval : {1_us * 137, 10_ms, 3_s}) {
    RunInput run = input(file.path);
    run.sample = interval;
    const RunResult sampled = stage.play(specs, run);
    EXPECT_EQ(sampled.fingerprint, plain.fingerprint);
    EXPECT_EQ(sampled.events, plain.events);
    EXPECT_EQ(sampled.simulated, plain.simulated);
    EXPECT_EQ(sampled.packets.sent, plain.packets.sent);
    EXPECT_FALSE(sampled.is_interrupted);
  }
}

TEST_F(RecordingTest, ASampledRunCanBeInterruptedBetweenTwoSamples) {
  RunControl control;
  control.stop = true;
  RunInput run = input(file.path);
  run.sample = 1_ms;
  run.control = &control;
  const RunResult result = stage.play(specs, run);
  EXPECT_TRUE(result.is_interrupted);
  EXPECT_LT(result.simulated, 5_ms);
}

}  // namespace
}  // namespace podwire::workload
