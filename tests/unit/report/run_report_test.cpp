#include "app/report/run_report.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "app/report/matrix.hpp"
#include "tests/unit/scenario/scratch_folder.hpp"

namespace podwire::report {
namespace {

using nlohmann::json;

// One workload under two seeds: seed 1 has 1,500 requests of 1 ms, seed 2 has 1,000 of 3 ms and 500 that failed.
struct RunReportTest : testing::Test {
  test::ScratchFolder folder;
  SourceMap sources;
  std::vector<RunReport> reports;

  static workload::RunResult pretend(const workload::RunInput& input) {
    workload::RunResult result;
    workload::WorkloadResult& w = result.workloads.emplace_back();
    w.requests = 1500;
    w.outcomes[0] = input.seed == 1 ? 1500 : 1000;
    w.outcomes[static_cast<std::size_t>(workload::Outcome::connect_timeout)] = input.seed == 1 ? 0 : 500;
    w.total.add((input.seed == 1 ? 1_ms : 3_ms).ps(), w.outcomes[0]);
    result.drops.push_back({.reason = "policy-denied",
                            .where = "ingress-policy on node-1",
                            .rule = "default deny (x/\x1b[31mred)",
                            .workload = workload::WorkloadIndex(std::size_t{0}),
                            .packets = 10 * input.seed});
    result.packets = {.sent = 100, .delivered = 90, .dropped = 10, .in_flight = 0, .hops = 400};
    result.fingerprint = 0xabc;
    return result;
  }

  void SetUp() override {
    folder.write("m.yaml", test::kTwoPods);
    folder.write("scenario.yaml", R"(
apiVersion: podwire/v1
kind: Scenario
metadata: {name: pair}
spec:
  cluster: {from: m.yaml, cni: spec, dns: {replicas: 0}}
  workloads: [{name: w, from: x/pod/a, to: x/pod/b, port: 80, rate: 150/s}]
  run: {duration: 10s, seeds: 1..2}
  expect:
    - {workload: w, success: ">= 99%"}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: allowed}
)");
    const auto scenario = scenario::load(sources, {folder.path()}, {});
    ASSERT_TRUE(scenario);
    scenario::BatchControl control(scenario::run_count(*scenario));
    scenario::BatchOptions options;
    options.play = pretend;
    reports.push_back(summarise(*scenario, scenario::play_batch(*scenario, options, control), sources));
  }
};

TEST_F(RunReportTest, SeedsAreMergedByCountsAndHistograms) {
  const WorkloadRow& row = reports[0].policy_sets[0].merged.workloads[0];
  EXPECT_EQ(row.requests, 3000u);
  EXPECT_EQ(row.ok, 2500u);
  EXPECT_EQ(row.total.count, 2500u);
  // 1,500 of 2,500 took 1 ms: the median does, the 90th percentile took 3 ms; a bucket is 0.4 % wide.
  EXPECT_NEAR(*row.total.p50, 1e-3, 4e-6);
  EXPECT_NEAR(*row.total.p90, 3e-3, 12e-6);
  EXPECT_EQ(row.dns.count, 0u);
  EXPECT_EQ(reports[0].policy_sets[0].merged.drops[0].packets, 30u);
}

TEST_F(RunReportTest, AnExpectationFailsWithTheSeedsInWhichItDid) {
  const auto& lines = reports[0].policy_sets[0].merged.expectations;
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].result.status, scenario::ExpectationResult::Status::failed);
  EXPECT_EQ(lines[0].seeds, std::vector<std::uint64_t>{2});
  EXPECT_EQ(lines[1].result.status, scenario::ExpectationResult::Status::passed);
  const RunCounts counts = count(reports);
  EXPECT_EQ(counts.expectations, 2u);
  EXPECT_EQ(counts.passed, 1u);
  EXPECT_EQ(counts.failed, 1u);
}

TEST_F(RunReportTest, JsonHasTheDocumentedShape) {
  const json object = json::parse(run_json(reports));
  EXPECT_EQ(object["apiVersion"], "podwire/v1");
  EXPECT_EQ(object["scenario"], "pair");
  ASSERT_EQ(object["runs"].size(), 2u);
  const json& run = object["runs"][1];
  EXPECT_EQ(run["policySet"], "current");
  EXPECT_EQ(run["seed"], 2);
  EXPECT_EQ(run["fingerprint"], "0000000000000abc");
  const json& w = run["workloads"][0];
  EXPECT_EQ(w["name"], "w");
  EXPECT_EQ(w["requests"], 1500);
  EXPECT_EQ(w["outcomes"], (json{{"ok", 1000}, {"connect-timeout", 500}}));
  EXPECT_NEAR(w["latency"]["total"]["p50"].get<double>(), 3e-3, 12e-6);
  EXPECT_TRUE(w["latency"]["dns"]["p99"].is_null());
  EXPECT_EQ(run["drops"][0]["packets"], 20);
  EXPECT_EQ(run["drops"][0]["reason"], "policy-denied");
  bool found = false;
  for (const json& row : run["reachability"]) {
    found = found || (row["source"] == "x/a[Pod]" && row["destination"] == "x/b[Pod]" &&
                      row["connections"] == "All Connections");
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(run["expectations"][0]["status"], "failed");
}

TEST_F(RunReportTest, SeveralScenariosAreOneObjectALine) {
  reports.push_back(reports[0]);
  std::istringstream lines(run_json(reports));
  std::string line;
  int count = 0;
  while (std::getline(lines, line)) {
    EXPECT_EQ(json::parse(line)["scenario"], "pair");
    ++count;
  }
  EXPECT_EQ(count, 2);
}

TEST_F(RunReportTest, CsvHasALineForEachRunAndWorkload) {
  std::istringstream lines(run_csv(reports));
  std::string line;
  std::getline(lines, line);
  EXPECT_TRUE(line.starts_with("scenario,policySet,seed,fingerprint,workload,requests,ok,outcomes,dns_p50_s"));
  std::getline(lines, line);
  EXPECT_TRUE(line.starts_with("pair,current,1,0000000000000abc,w,1500,1500,ok=1500,,,,,,,0.00")) << line;
  std::getline(lines, line);
  EXPECT_NE(line.find("ok=1000;connect-timeout=500"), std::string::npos) << line;
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(RunReportTest, TheTableCountsExpectationsLastAndHidesControlCharacters) {
  const std::string table = run_table(reports, Style(false));
  EXPECT_TRUE(table.ends_with("1 scenario, 2 expectations: 1 passed, 1 failed\n")) << table;
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_NE(table.find("\\x1b[31mred"), std::string::npos);
  EXPECT_NE(table.find("2500"), std::string::npos);
}

TEST(Matrices, BecomeListsWhenTheyWouldNotFit) {
  std::vector<ReachRecord> rows;
  for (int i = 0; i < 13; ++i) {
    rows.push_back({"n/w" + std::to_string(i) + "[Pod]", "n/hub[Pod]", "TCP 80", false, false});
  }
  const std::string text = reach_matrix(rows, Style(false));
  EXPECT_NE(text.find("n/w12[Pod]"), std::string::npos);
  EXPECT_EQ(text.find("[1]"), std::string::npos);
}

TEST(Matrices, ShowUnknownAndAbsentConnections) {
  const std::vector<ReachRecord> rows = {{"n/a[Pod]", "n/b[Pod]", "No Connections", true, false},
                                         {"n/b[Pod]", "n/a[Pod]", "All Connections", false, false}};
  EXPECT_EQ(reach_matrix(rows, Style(false)),
            "  from ↓ to →   [1]  [2]\n"
            "  [1] n/a[Pod]  ·    ?\n"
            "  [2] n/b[Pod]  all  ·\n");
}

}  // namespace
}  // namespace podwire::report
