#include "app/scenario/batch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>

#include "tests/unit/scenario/scratch_folder.hpp"

namespace podwire::scenario {
namespace {

struct BatchTest : testing::Test {
  test::ScratchFolder folder;
  SourceMap sources;
  std::optional<Scenario> scenario;

  // Two policy sets under four seeds; the second set denies what the workload asks for.
  void SetUp() override {
    folder.write("m/pods.yaml", test::kTwoPods);
    folder.write("m/policy.yaml", R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: x}
spec: {podSelector: {}, policyTypes: [Ingress]}
)");
    folder.write("scenario.yaml", R"(
apiVersion: podwire/v1
kind: Scenario
spec:
  cluster: {from: m, cni: spec}
  policySets: {open: {base: none}, closed: {base: cluster}}
  workloads: [{name: w, from: x/pod/a, to: x/pod/b, port: 80, rate: 10/s}]
  run: {duration: 10s, seeds: 1..4}
  expect:
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: allowed}
    - {policySet: open, workload: w, success: 100%}
)");
    auto loaded = load(sources, {folder.path()}, {});
    ASSERT_TRUE(loaded);
    scenario = std::move(loaded).value();
  }

  // What a run would give, told by its seed.
  static workload::RunResult pretend(const workload::RunInput& input) {
    workload::RunResult result;
    workload::WorkloadResult& w = result.workloads.emplace_back();
    w.requests = input.seed;
    w.outcomes[0] = input.seed;
    result.fingerprint = input.seed * 100 + input.engine->policies().network_policies.size();
    return result;
  }
  BatchResult play(BatchOptions options) {
    BatchControl control(run_count(*scenario));
    return play_batch(*scenario, options, control);
  }
};

TEST_F(BatchTest, RunsStandInOrderWhateverTheThreadsDid) {
  const auto uneven = [](const workload::RunInput& input) {
    std::this_thread::sleep_for(std::chrono::milliseconds(input.seed % 2 == 1 ? 10 : 1));
    return pretend(input);
  };
  for (const unsigned jobs : {1u, 3u, 16u}) {
    const BatchResult batch = play({.jobs = jobs, .play = uneven});
    ASSERT_EQ(batch.runs.size(), 8u);
    for (std::size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(batch.runs[i].policy_set, i / 4);
      EXPECT_EQ(batch.runs[i].seed, i % 4 + 1);
      EXPECT_EQ(batch.runs[i].result.fingerprint, (i % 4 + 1) * 100 + i / 4);
    }
  }
}

TEST_F(BatchTest, ExpectationsAreEvaluatedInEveryRun) {
  const BatchResult batch = play({.jobs = 2, .play = pretend});
  using Status = ExpectationResult::Status;
  ASSERT_EQ(batch.runs[0].expectations.size(), 2u);
  EXPECT_EQ(batch.runs[0].expectations[0].status, Status::passed);  // open: the verdict
  EXPECT_EQ(batch.runs[0].expectations[1].status, Status::passed);  // and the workload
  ASSERT_EQ(batch.runs[4].expectations.size(), 1u);
  EXPECT_EQ(batch.runs[4].expectations[0].status, Status::failed);
  EXPECT_EQ(batch.runs[4].expectations[0].measured, "denied");
  EXPECT_NE(batch.runs[4].expectations[0].because.find("x/closed"), std::string::npos);
}

TEST_F(BatchTest, ReachabilityIsListedForEachPolicySet) {
  const BatchResult batch = play({.jobs = 1, .play = pretend});
  const auto has = [](const PolicySetRecord& set, const std::string& source, const std::string& destination) {
    return std::any_of(set.reachability.begin(), set.reachability.end(),
                       [&](const ReachRecord& row) { return row.source == source && row.destination == destination; });
  };
  EXPECT_TRUE(has(batch.policy_sets[0], "x/a[Pod]", "x/b[Pod]"));
  EXPECT_FALSE(has(batch.policy_sets[1], "x/a[Pod]", "x/b[Pod]"));
}

TEST_F(BatchTest, AnExceptionOfARunReachesTheCaller) {
  const auto failing = [](const workload::RunInput& input) -> workload::RunResult {
    if (input.seed == 2) {
      throw std::runtime_error("seed 2");
    }
    return pretend(input);
  };
  EXPECT_THROW(play({.jobs = 4, .play = failing}), std::runtime_error);
  EXPECT_THROW(play({.jobs = 1, .play = failing}), std::runtime_error);
}

TEST_F(BatchTest, StoppingLeavesOutRunsThatWereNotBegun) {
  BatchControl control(run_count(*scenario));
  BatchOptions options;
  options.play = [&](const workload::RunInput& input) {
    if (input.seed == 2) {
      control.stop();
      EXPECT_TRUE(input.control->stop.load());
    }
    return pretend(input);
  };
  const BatchResult batch = play_batch(*scenario, options, control);
  EXPECT_TRUE(batch.is_interrupted);
  EXPECT_EQ(batch.runs.size(), 2u);
}

TEST_F(BatchTest, ProgressIsTheShareOfSimulatedTime) {
  BatchControl control(run_count(*scenario));
  BatchOptions options;
  std::mutex mutex;
  std::multiset<double> seen;
  options.play = [&](const workload::RunInput& input) {
    input.control->simulated_ps = input.end().since_start().ps();
    const std::scoped_lock lock(mutex);
    seen.insert(control.progress(input.end().since_start()));
    return pretend(input);
  };
  play_batch(*scenario, options, control);
  EXPECT_DOUBLE_EQ(*seen.begin(), 0.125);  // one of eight runs
  EXPECT_DOUBLE_EQ(*seen.rbegin(), 1.0);
  EXPECT_EQ(control.finished(), 8u);
}

}  // namespace
}  // namespace podwire::scenario
