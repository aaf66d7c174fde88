// Result files: what is written is read back, the same run gives the same bytes, and whatever ends a writer early
// leaves nothing that looks complete.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include "sim/base/environment_error.hpp"
#include "sim/record/run_reader.hpp"
#include "sim/record/run_writer.hpp"

namespace podwire::record {
namespace {

namespace fs = std::filesystem;

enum class Outcome : std::uint8_t { ok, refused, timeout };

struct Request {
  std::int64_t start_ns;
  std::int64_t latency_ns;
  double bytes;
  std::uint32_t pod;
  float weight;
  std::int16_t delta;
  Outcome outcome;
};

StreamSpec request_spec() {
  StreamSpec spec{
      .path = "/requests",
      .dimension = "request",
      .columns = {PODWIRE_STREAM_COLUMN(Request, start_ns, "ns", "when the request began"),
                  PODWIRE_STREAM_COLUMN(Request, latency_ns, "ns", "until its outcome"),
                  PODWIRE_STREAM_COLUMN(Request, bytes, "byte", "of the response"),
                  PODWIRE_STREAM_COLUMN(Request, pod, "", "row of /objects/pods"),
                  PODWIRE_STREAM_COLUMN(Request, weight, "", ""), PODWIRE_STREAM_COLUMN(Request, delta, "", ""),
                  PODWIRE_STREAM_COLUMN(Request, outcome, "", "how it ended")}};
  spec.columns.back().names = {"ok", "refused", "timeout"};
  return spec;
}

/// Numbers that reach every byte of their types.
Request request(std::int64_t i) {
  return {.start_ns = i * 1'000'003,
          .latency_ns = -i * i,
          .bytes = static_cast<double>(i) / 3,
          .pod = static_cast<std::uint32_t>(i * 2'654'435'761),
          .weight = static_cast<float>(i) * 0.5F,
          .delta = static_cast<std::int16_t>(i * 7),
          .outcome = static_cast<Outcome>(i % 3)};
}

std::string content(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

class RunFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "podwire-record-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ / "run.h5";
    partial_ = folder_ / "run.h5.partial";
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// A whole run with every kind of content and `requests` rows; not closed.
  static void fill(RunWriter& writer, std::int64_t requests) {
    writer.set_attribute("seed", std::uint64_t{0xffff'ffff'ffff'ffff});
    writer.set_attribute("version", std::string("0.1.0"));
    writer.set_attribute("duration", 30.5);
    writer.set_attribute("empty", std::string());
    writer.write_text("/scenario", std::string(100'000, 's') + "\xc3\xa9");
    auto stream = writer.add_stream<Request>(request_spec());
    auto marks = writer.add_stream<std::int64_t>({.path = "/trace/marks",
                                                  .dimension = "mark",
                                                  .columns = {{.name = "at", .type = NumberType::i64, .unit = "ns"}}});
    for (std::int64_t i = 0; i < requests; ++i) {
      stream.append(request(i));
      if (i % 3 == 0) {
        marks.append(i);
      }
    }
    writer.write_table("/summary",
                       {.columns = {{.name = "workload", .type = CellType::text},
                                    {.name = "requests", .type = CellType::integer},
                                    {.name = "p99", .type = CellType::number, .unit = "s", .description = "99th"}},
                        .cells = {std::string("browse"), std::int64_t{-5}, 0.25, std::string("\xc3\xa9"),
                                  std::int64_t{1} << 60, 1e-9}});
    writer.write_table("/objects/pods", {.columns = {{.name = "name", .type = CellType::text}}, .cells = {}});
    writer.write_series("/series/links", {.dimensions = {{.name = "time", .unit = "s", .numbers = {0.0, 0.5, 1.0}},
                                                         {.name = "link", .labels = {"node-1→leaf", "leaf→node-2"}}},
                                          .variables = {{.name = "load",
                                                         .unit = "1",
                                                         .description = "busy share",
                                                         .dimensions = {"time", "link"},
                                                         .values = {0, 1, 2, 3, 4, 5}}}});
  }

  fs::path folder_;
  fs::path path_;
  fs::path partial_;
};

TEST_F(RunFileTest, WhatIsWrittenIsReadBack) {
  // Two whole blocks and a rest: 65,536 × 2 + 1,000.
  constexpr std::int64_t kRows = 132'072;
  {
    RunWriter writer(path_);
    fill(writer, kRows);
    EXPECT_TRUE(fs::exists(partial_));
    EXPECT_FALSE(fs::exists(path_));
    writer.close();
  }
  EXPECT_FALSE(fs::exists(partial_));
  auto opened = RunFile::open(path_);
  ASSERT_TRUE(opened.has_value()) << opened.diagnostics().all()[0].message;
  const RunFile& file = *opened;
  EXPECT_EQ(file.attribute("seed"), Value(std::uint64_t{0xffff'ffff'ffff'ffff}));
  EXPECT_EQ(file.attribute("version"), Value(std::string("0.1.0")));
  EXPECT_EQ(file.attribute("duration"), Value(30.5));
  EXPECT_EQ(file.attribute("empty"), Value(std::string()));
  EXPECT_EQ(file.attribute("complete"), Value(std::int64_t{1}));
  EXPECT_FALSE(file.attribute("nothing").has_value());
  EXPECT_EQ(file.text("/scenario")->size(), 100'002u);
  EXPECT_EQ(file.names("/"),
            (std::vector<std::string>{"scenario", "requests", "trace", "summary", "objects", "series"}));
  EXPECT_EQ(file.names("/requests"), (std::vector<std::string>{"start_ns", "latency_ns", "bytes", "pod", "weight",
                                                               "delta", "outcome", "request"}));
  const auto start = file.integers("/requests/start_ns");
  const auto latency = file.integers("/requests/latency_ns");
  const auto bytes = file.numbers("/requests/bytes");
  const auto pod = file.integers("/requests/pod");
  const auto weight = file.numbers("/requests/weight");
  const auto delta = file.integers("/requests/delta");
  const auto outcome = file.integers("/requests/outcome");
  ASSERT_EQ(start->size(), static_cast<std::size_t>(kRows));
  ASSERT_EQ(outcome->size(), static_cast<std::size_t>(kRows));
  for (std::int64_t i = 0; i < kRows; ++i) {
    const Request wanted = request(i);
    const auto at = static_cast<std::size_t>(i);
    ASSERT_EQ((*start)[at], wanted.start_ns);
    ASSERT_EQ((*latency)[at], wanted.latency_ns);
    ASSERT_EQ((*bytes)[at], wanted.bytes);
    ASSERT_EQ((*pod)[at], wanted.pod);
    ASSERT_EQ((*weight)[at], wanted.weight);
    ASSERT_EQ((*delta)[at], wanted.delta);
    ASSERT_EQ((*outcome)[at], static_cast<std::int64_t>(wanted.outcome));
  }
  EXPECT_EQ(file.integers("/trace/marks/at")->size(), static_cast<std::size_t>(kRows / 3));
  EXPECT_EQ(file.attribute("/requests/latency_ns", "units"), Value(std::string("ns")));
  EXPECT_EQ(file.attribute("/requests/outcome", "flag_meanings"), Value(std::string("ok refused timeout")));
  const auto summary = file.table("/summary");
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->rows(), 2u);
  EXPECT_EQ(summary->cells[0], Value(std::string("browse")));
  EXPECT_EQ(summary->cells[4], Value(std::int64_t{1} << 60));
  EXPECT_EQ(summary->cells[5], Value(1e-9));
  EXPECT_EQ(summary->columns[2].unit, "s");
  EXPECT_EQ(summary->columns[2].description, "99th");
  EXPECT_EQ(file.table("/objects/pods")->rows(), 0u);
  EXPECT_EQ(*file.numbers("/series/links/load"), (std::vector<double>{0, 1, 2, 3, 4, 5}));
  EXPECT_FALSE(file.integers("/series/links/load").has_value()) << "not whole numbers";
  EXPECT_FALSE(file.numbers("/nowhere").has_value());
  EXPECT_FALSE(file.numbers("/requests").has_value());
  EXPECT_FALSE(file.table("/scenario").has_value());
}

TEST_F(RunFileTest, TheSameRunGivesTheSameBytes) {
  std::string first;
  for (int i = 0; i < 3; ++i) {
    // Blocks of other counts and pauses of the loop change the threads' timing, not the file.
    RunWriter writer(path_, {.rows_per_block = 1000, .blocks_per_stream = static_cast<std::size_t>(2 + 3 * i)});
    fill(writer, 20'500);
    if (i == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // another second on the clock
    }
    writer.close();
    if (i == 0) {
      first = content(path_);
    }
    EXPECT_TRUE(content(path_) == first) << "run " << i << " differs";
  }
  EXPECT_GT(first.size(), 10'000u);
}

TEST_F(RunFileTest, AnEmptyRunIsAFileToo) {
  {
    RunWriter writer(path_);
    fill(writer, 0);
    writer.close();
  }
  auto file = RunFile::open(path_);
  ASSERT_TRUE(file.has_value());
  EXPECT_TRUE(file->integers("/requests/start_ns")->empty());
}

TEST_F(RunFileTest, AWriterThatIsNotClosedLeavesNothing) {
  {
    RunWriter writer(path_, {.rows_per_block = 1000});
    fill(writer, 5000);
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(RunFileTest, AnEarlierResultStaysUntilTheNewOneIsWhole) {
  std::ofstream(path_) << "earlier";
  std::ofstream(partial_) << "of a killed run";
  RunWriter writer(path_, {.rows_per_block = 1000});
  fill(writer, 5000);
  EXPECT_EQ(content(path_), "earlier");
  writer.close();
  EXPECT_TRUE(RunFile::open(path_).has_value());
}

TEST_F(RunFileTest, APartialNameThatIsALinkIsNotFollowed) {
  std::ofstream(folder_ / "precious") << "kept";
  fs::create_symlink(folder_ / "precious", partial_);
  RunWriter writer(path_);
  writer.close();
  EXPECT_EQ(content(folder_ / "precious"), "kept");
}

TEST_F(RunFileTest, AKilledRunLeavesNoFileThatLooksComplete) {
  std::mt19937 random(7);
  for (int round = 0; round < 12; ++round) {
    fs::remove(path_);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      RunWriter writer(path_, {.rows_per_block = 1000});
      fill(writer, 1'000'000'000);  // until killed
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(random() % 120'000));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_FALSE(fs::exists(path_));
    if (fs::exists(partial_)) {
      EXPECT_FALSE(RunFile::open(partial_).has_value()) << "even under its partial name it is not complete";
    }
  }
}

/// Writes until the environment refuses; the message it gives, or "" if it never does.
std::string message_of_failure(const fs::path& path, int rows) {
  try {
    RunWriter writer(path, {.rows_per_block = 10'000});
    auto stream = writer.add_stream<std::int64_t>(
        {.path = "/x", .dimension = "row", .columns = {{.name = "value", .type = NumberType::i64}}});
    std::mt19937_64 random(1);  // incompressible
    for (int i = 0; i < rows; ++i) {
      stream.append(static_cast<std::int64_t>(random()));
    }
    writer.close();
  } catch (const EnvironmentError& error) {
    return error.what();
  }
  return "";
}

TEST_F(RunFileTest, AFullDiskIsReportedAndThePartialFileRemoved) {
  const fs::path mount = folder_ / "small";
  fs::create_directory(mount);
  if (::mount("none", mount.c_str(), "tmpfs", 0, "size=384k") != 0) {
    GTEST_SKIP() << "no permission to mount a small tmpfs";
  }
  // 393,216 bytes hold 49,152 numbers of 8 bytes: the disk is full while the loop runs, in the last block at close(),
  // or only when the library writes its own structures.
  int failures = 0;
  for (const int rows : {10'000'000, 60'000, 49'999, 49'500, 49'000, 48'900, 48'800, 48'700, 48'600, 48'500}) {
    const std::string message = message_of_failure(mount / "run.h5", rows);
    if (message.empty()) {
      EXPECT_TRUE(RunFile::open(mount / "run.h5").has_value()) << rows;
      fs::remove(mount / "run.h5");
    } else {
      ++failures;
      EXPECT_NE(message.find("No space left on device"), std::string::npos) << message;
    }
    EXPECT_TRUE(fs::is_empty(mount)) << "the partial file is removed; rows " << rows;
  }
  EXPECT_GE(failures, 4);
  // And the library still works after it.
  EXPECT_EQ(message_of_failure(path_, 45'000), "");
  EXPECT_TRUE(RunFile::open(path_).has_value());
  ::umount(mount.c_str());
}

TEST_F(RunFileTest, AFileSizeLimitIsReportedAndThePartialFileRemoved) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{300'000, 300'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string message = message_of_failure(path_, 10'000'000);
    ::_exit(message.find("File too large") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_FALSE(fs::exists(partial_));
}

TEST_F(RunFileTest, AFolderThatIsNotThereIsReported) {
  try {
    RunWriter writer(folder_ / "nowhere" / "run.h5");
    FAIL() << "it was created";
  } catch (const EnvironmentError& error) {
    EXPECT_NE(std::string(error.what()).find("No such file or directory"), std::string::npos) << error.what();
  }
}

TEST_F(RunFileTest, ManyWritersInThreadsDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      RunWriter writer(folder_ / ("run-" + std::to_string(i) + ".h5"),
                       {.rows_per_block = 1000, .blocks_per_stream = 2});
      fill(writer, 20'000);
      writer.close();
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::string first = content(folder_ / "run-0.h5");
  for (int i = 1; i < 4; ++i) {
    EXPECT_TRUE(content(folder_ / ("run-" + std::to_string(i) + ".h5")) == first);
  }
}

TEST_F(RunFileTest, FilesThatAreNoResultsAreRefused) {
  EXPECT_EQ(RunFile::open(folder_ / "nowhere.h5").diagnostics().all()[0].code, "no-such-file");
  EXPECT_EQ(RunFile::open(folder_).diagnostics().all()[0].code, "bad-run-file");
  std::ofstream(path_) << "not HDF5 at all";
  EXPECT_EQ(RunFile::open(path_).diagnostics().all()[0].code, "bad-run-file");
  std::ofstream(path_, std::ios::trunc);
  EXPECT_EQ(RunFile::open(path_).diagnostics().all()[0].code, "bad-run-file");
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_FALSE(RunFile::open(folder_ / "fifo").has_value());
}

TEST_F(RunFileTest, TruncatedAndDamagedFilesGiveErrorsOrValuesButNoCrash) {
  {
    RunWriter writer(path_, {.rows_per_block = 500});
    fill(writer, 1200);
    writer.close();
  }
  const std::string whole = content(path_);
  const auto read_everything = [](const fs::path& path) {
    const auto file = RunFile::open(path, {.max_bytes = 64 << 20});
    if (!file.has_value()) {
      return;
    }
    for (const char* name : {"start_ns", "bytes", "pod", "outcome"}) {
      (void)file->integers(std::string("/requests/") + name);
      (void)file->numbers(std::string("/requests/") + name);
    }
    (void)file->table("/summary");
    (void)file->text("/scenario");
    (void)file->names("/series/links");
    (void)file->attribute("version");
  };
  // A library written in C reads the bytes: each try is a process of its own, so that a crash is seen and counted.
  std::mt19937 random(3);
  int crashes = 0;
  for (int round = 0; round < 150; ++round) {
    std::string damaged = whole;
    if (round % 3 == 0) {
      damaged.resize(random() % whole.size());
    } else {
      for (auto i = random() % 20 + 1; i > 0; --i) {
        damaged[random() % std::min<std::size_t>(whole.size(), 40'000)] = static_cast<char>(random());
      }
    }
    const fs::path damaged_path = folder_ / "damaged.h5";
    std::ofstream(damaged_path, std::ios::binary) << damaged;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::alarm(20);
      read_everything(damaged_path);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    crashes += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
    if (round % 3 == 0) {
      EXPECT_FALSE(RunFile::open(damaged_path).has_value()) << "truncated";
    }
  }
  EXPECT_EQ(crashes, 0);
}

TEST_F(RunFileTest, PythonReadsTheFile) {
  if (std::system("python3 -c 'import h5py' 2>/dev/null") != 0) {  // NOLINT
    GTEST_SKIP() << "python3 has no h5py";
  }
  RunWriter writer(path_);
  fill(writer, 10);
  writer.close();
  const std::string script = R"(
import h5py, sys
f = h5py.File(sys.argv[1])
assert f.attrs["complete"] == 1 and f.attrs["version"] == b"0.1.0", dict(f.attrs)
assert list(f["requests/outcome"]) == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
assert f["summary"]["workload"][0] == b"browse"
assert [d.keys()[0] for d in f["series/links/load"].dims] == ["time", "link"]
assert f["requests/latency_ns"].dims[0].keys()[0].startswith("This is a netCDF dimension")
)";
  std::ofstream(folder_ / "check.py") << script;
  EXPECT_EQ(std::system(("python3 " + (folder_ / "check.py").string() + " " + path_.string()).c_str()), 0);  // NOLINT
}

}  // namespace
}  // namespace podwire::record
