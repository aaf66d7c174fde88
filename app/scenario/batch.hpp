// Plays a Scenario: every policy set under every seed, on as many threads as asked for, and evaluates the expectations.
//
// Invariants: results stand in the order of (policy set, seed), whatever the threads did; -j 1 and -j 8 give the same
// results. What needs no clock (reachability, verdicts) is judged once for each policy set. An exception of one run
// (a bug of ours, a full disk) stops the batch and is thrown again on the caller's thread, the first run's first.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "app/scenario/expectations.hpp"
#include "app/scenario/load.hpp"
#include "models/analysis/reach.hpp"
#include "models/workload/play.hpp"

namespace podwire::scenario {

/// One run and what its expectations came to.
struct RunRecord {
  std::size_t policy_set = 0;
  std::uint64_t seed = 1;
  workload::RunResult result;
  std::vector<ExpectationResult> expectations;
};

/// Who reaches whom.
struct ReachRecord {
  std::string source;
  std::string destination;
  std::string connections;
  bool is_unknown = false;  // an object that is not modelled may decide
  bool varies = false;      // not every pair of pods has all these ports
};

/// What holds for a policy set whatever the seed.
struct PolicySetRecord {
  std::vector<ReachRecord> reachability;    // at most kMostReachRecords
  std::uint64_t reach_rows = 0;             // all of them
  std::vector<ExpectationResult> verdicts;  // of expectations on connections
  std::size_t class_count = 0;              // pods that policies tell apart
};

inline constexpr std::size_t kMostReachRecords = 500'000;

struct BatchResult {
  std::vector<PolicySetRecord> policy_sets;  // as Scenario::policy_sets
  std::vector<RunRecord> runs;               // by policy set, then seed
  bool is_interrupted = false;               // some runs were stopped or not begun; those not begun are left out
};

/// Shared with the thread that shows progress and receives signals.
class BatchControl {
 public:
  explicit BatchControl(std::size_t runs) : controls_(runs) {}
  /// Stops every run, begun or not. Safe from any thread.
  void stop();
  bool is_stopped() const { return is_stopped_.load(std::memory_order_relaxed); }
  std::size_t run_count() const { return controls_.size(); }
  std::size_t finished() const { return finished_.load(std::memory_order_relaxed); }
  /// Share of the simulated time of all runs that was played, 0 to 1.
  double progress(Duration of_each) const;

 private:
  friend class BatchPlayer;
  std::deque<workload::RunControl> controls_;
  std::atomic<std::size_t> finished_{0};
  std::atomic<bool> is_stopped_{false};
};

struct BatchOptions {
  unsigned jobs = 1;                    // threads, at least 1
  std::filesystem::path record_folder;  // HDF5 files <policy set>-seed<N>.h5; empty: none
  std::string provenance;               // canonical JSON for those files
  std::function<workload::RunResult(const workload::RunInput&)> play = workload::play;
};

/// What a policy set goes through, to be compiled by difference as a run comes to it.
std::unique_ptr<control::States> states_of(const TimelinePlan& plan, const cni::Profile& profile,
                                           bool keeps_all = false);
/// The same for a run; `states` outlives it.
control::TimelineInput timeline_of(const TimelinePlan& plan, const cni::Profile& profile, Duration warmup,
                                   control::States& states);

/// Number of runs that play_batch() will play.
std::size_t run_count(const Scenario& scenario);

/// Plays everything. Without workloads no time passes: runs are empty and their expectations are verdicts alone.
BatchResult play_batch(const Scenario& scenario, const BatchOptions& options, BatchControl& control);

}  // namespace podwire::scenario
