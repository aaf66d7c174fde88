#include "app/scenario/expectations.hpp"

#include <gtest/gtest.h>

namespace podwire::scenario {
namespace {

using Status = ExpectationResult::Status;
using workload::Outcome;

// One workload with `ok` requests of 1 ms and `timeouts` that ended in connect-timeout.
struct ExpectationsTest : testing::Test {
  PolicySetPlan plan;
  ExpectationFile file;
  workload::RunResult run;
  std::size_t state = 0;

  void SetUp() override {
    plan.workloads.emplace_back();
    plan.workloads[0].name = "browse";
  }
  void play(std::uint64_t ok, std::uint64_t timeouts) {
    workload::WorkloadResult& result = run.workloads.emplace_back();
    result.requests = ok + timeouts;
    result.outcomes[static_cast<std::size_t>(Outcome::ok)] = ok;
    result.outcomes[static_cast<std::size_t>(Outcome::connect_timeout)] = timeouts;
    if (ok > 0) {
      result.total.add((1_ms).ps(), ok);
    }
  }
  void expect(Measure measure, Threshold::Compare compare, double value, double quantile = 0.0) {
    MeasureBound bound{.measure = measure, .quantile = quantile, .name = "bound"};
    bound.threshold = {compare, value, "written", {}};
    file.bounds.push_back(bound);
  }
  ExpectationResult check() {
    const Expectation expectation{.file = &file, .state = state};
    return check_workload(plan, expectation, run);
  }
};

TEST_F(ExpectationsTest, ABoundThatHoldsPasses) {
  play(999, 1);
  expect(Measure::success, Threshold::Compare::at_least, 0.999);
  EXPECT_EQ(check().status, Status::passed);
}

TEST_F(ExpectationsTest, ABoundAtATimeIsOnTheRequestsBetweenTwoChanges) {
  // 60 requests before the change, all ok; 40 after it, of which 10 are.
  play(70, 30);
  run.workloads[0].phases.resize(2);
  run.workloads[0].phases[0].requests = 60;
  run.workloads[0].phases[0].outcomes[static_cast<std::size_t>(Outcome::ok)] = 60;
  run.workloads[0].phases[1].requests = 40;
  run.workloads[0].phases[1].outcomes[static_cast<std::size_t>(Outcome::ok)] = 10;
  expect(Measure::success, Threshold::Compare::equal, 0.25);
  EXPECT_EQ(check().status, Status::failed);  // of all: 70 %
  file.at = 5_s;
  state = 1;
  EXPECT_EQ(check().status, Status::passed);
  EXPECT_EQ(check().measured, "bound 25.0% (10 of 40)");
  EXPECT_EQ(check().subject, "workload browse at 5.00s");
  state = 2;  // a change after the run's end was never made: nothing arrived after it
  EXPECT_EQ(check().status, Status::inconclusive);
}

TEST_F(ExpectationsTest, APercentileAtATimeIsOfTheRequestsBetweenTwoChanges) {
  // 2000 requests of 1 ms before the change, 1000 of 9 ms after it, 15 after a second one.
  play(3015, 0);
  run.workloads[0].phases.resize(3);
  const std::pair<std::uint64_t, Duration> parts[] = {{2000, 1_ms}, {1000, 9_ms}, {15, 9_ms}};
  for (std::size_t i = 0; i < 3; ++i) {
    run.workloads[0].phases[i].requests = parts[i].first;
    run.workloads[0].phases[i].outcomes[static_cast<std::size_t>(Outcome::ok)] = parts[i].first;
    run.workloads[0].phases[i].total.add(parts[i].second.ps(), parts[i].first);
    run.workloads[0].phases[i].connect.add((parts[i].second / 2).ps(), parts[i].first);
  }
  expect(Measure::total_quantile, Threshold::Compare::less, 0.005, 0.99);
  file.at = 5_s;
  EXPECT_EQ(check().status, Status::passed);
  state = 1;
  EXPECT_EQ(check().status, Status::failed);
  EXPECT_EQ(check().measured.substr(0, 8), "bound 9.") << check().measured;
  // A p99 needs a thousand requests, a p50 twenty: fifteen support neither.
  state = 2;
  EXPECT_EQ(check().status, Status::inconclusive);
  EXPECT_EQ(check().measured, "bound: 15 samples are too few");
  file.bounds.clear();
  expect(Measure::connect_quantile, Threshold::Compare::less, 0.005, 0.5);
  EXPECT_EQ(check().status, Status::inconclusive);
  state = 1;
  EXPECT_EQ(check().status, Status::passed);  // 4.5 ms
  file.bounds.clear();
  expect(Measure::dns_quantile, Threshold::Compare::less, 0.005, 0.5);
  EXPECT_EQ(check().measured, "bound: no request got that far");
}

TEST_F(ExpectationsTest, AMissedBoundSaysWhatWasMeasuredAndWhy) {
  play(900, 100);
  run.drops.push_back({.reason = "policy-denied",
                       .where = "ingress-policy on node-1",
                       .rule = "default deny (a/b)",
                       .span = {SourceId(std::size_t{0}), 3, 4},
                       .workload = workload::WorkloadIndex(std::size_t{0}),
                       .packets = 300});
  expect(Measure::success, Threshold::Compare::at_least, 0.999);
  const ExpectationResult result = check();
  EXPECT_EQ(result.status, Status::failed);
  EXPECT_EQ(result.measured, "bound 90.0% (900 of 1000)");
  EXPECT_NE(result.because.find("100 of 1000 requests ended in connect-timeout"), std::string::npos);
  EXPECT_NE(result.because.find("default deny (a/b)"), std::string::npos);
  EXPECT_TRUE(result.rule.is_known());
}

TEST_F(ExpectationsTest, DropsOfOtherWorkloadsExplainNothing) {
  play(900, 100);
  run.drops.push_back({.reason = "queue-full", .where = "x", .rule = "", .packets = 300});
  expect(Measure::success, Threshold::Compare::at_least, 0.999);
  EXPECT_EQ(check().because.find("queue-full"), std::string::npos);
}

TEST_F(ExpectationsTest, AShareOfOneOutcomeIsBounded) {
  play(0, 100);
  file.bounds.push_back({.measure = Measure::outcome,
                         .outcome = Outcome::connect_timeout,
                         .name = "outcome connect-timeout",
                         .threshold = {Threshold::Compare::at_least, 0.99, ">= 99%", {}}});
  EXPECT_EQ(check().status, Status::passed);
}

TEST_F(ExpectationsTest, AQuantileThatTheSampleCannotSupportIsInconclusive) {
  // A p99 needs 10 samples above it, 1,000 in all.
  play(999, 0);
  expect(Measure::total_quantile, Threshold::Compare::less, 0.005, 0.99);
  EXPECT_EQ(check().status, Status::inconclusive);
}

TEST_F(ExpectationsTest, AQuantileOfEnoughSamplesIsMeasured) {
  play(1000, 0);
  expect(Measure::total_quantile, Threshold::Compare::less, 0.005, 0.99);
  EXPECT_EQ(check().status, Status::passed);
  file.bounds[0].threshold.value = 0.0005;
  EXPECT_EQ(check().status, Status::failed);
}

TEST_F(ExpectationsTest, ALatencyThatNothingHasMissesItsBound) {
  play(0, 100);
  expect(Measure::total_quantile, Threshold::Compare::less, 0.005, 0.5);
  EXPECT_EQ(check().status, Status::failed);
}

TEST_F(ExpectationsTest, WithoutRequestsAShareIsInconclusive) {
  play(0, 0);
  expect(Measure::success, Threshold::Compare::at_least, 0.5);
  EXPECT_EQ(check().status, Status::inconclusive);
}

TEST_F(ExpectationsTest, OneMissedBoundFailsTheWhole) {
  play(1000, 0);
  expect(Measure::success, Threshold::Compare::at_least, 0.5);
  expect(Measure::requests, Threshold::Compare::greater, 5000);
  EXPECT_EQ(check().status, Status::failed);
}

TEST_F(ExpectationsTest, AnInterruptedRunProvesNothing) {
  play(1000, 0);
  run.is_interrupted = true;
  expect(Measure::success, Threshold::Compare::at_least, 0.5);
  EXPECT_EQ(check().status, Status::inconclusive);
}

TEST(Formatting, SharesAreNeverRoundedToAllOrNothing) {
  EXPECT_EQ(format_share(0, 0), "–");
  EXPECT_EQ(format_share(0, 10), "0%");
  EXPECT_EQ(format_share(10, 10), "100%");
  EXPECT_EQ(format_share(1, 2), "50.0%");
  EXPECT_EQ(format_share(9999, 10000), "99.99%");  // 100.0 with one decimal
  EXPECT_EQ(format_share(1, 10000), "0.01%");      // 0.0 with one decimal
  EXPECT_EQ(format_share(9'999'999, 10'000'000), ">99.999%");
  EXPECT_EQ(format_share(1, 10'000'000), "<0.001%");
}

TEST(Formatting, TimesHaveThreeDigitsAndTheirUnit) {
  EXPECT_EQ(format_seconds(0.0), "0s");
  EXPECT_EQ(format_seconds(1.25e-9), "1.25ns");
  EXPECT_EQ(format_seconds(870e-6), "870µs");
  EXPECT_EQ(format_seconds(0.99949e-3), "999µs");
  EXPECT_EQ(format_seconds(0.9996e-3), "1.00ms");
  EXPECT_EQ(format_seconds(12.34e-3), "12.3ms");
  EXPECT_EQ(format_seconds(2.0), "2.00s");
  EXPECT_EQ(format_seconds(90.0), "90.0s");
}

}  // namespace
}  // namespace podwire::scenario
