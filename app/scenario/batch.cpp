#include "app/scenario/batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <thread>

#include "sim/base/check.hpp"

namespace podwire::scenario {

void BatchControl::stop() {
  is_stopped_.store(true, std::memory_order_relaxed);
  for (workload::RunControl& control : controls_) {
    control.stop.store(true, std::memory_order_relaxed);
  }
}

double BatchControl::progress(Duration of_each) const {
  double played = 0.0;
  for (const workload::RunControl& control : controls_) {
    played += static_cast<double>(control.simulated_ps.load(std::memory_order_relaxed));
  }
  const double whole = static_cast<double>(of_each.ps()) * static_cast<double>(controls_.size());
  return whole > 0.0 ? std::min(1.0, played / whole) : 1.0;
}

std::size_t run_count(const Scenario& scenario) {
  return scenario.policy_sets.size() * scenario.run().seeds.size();
}

// The jobs of one batch; each takes the next run that nobody has begun.
class BatchPlayer {
 public:
  BatchPlayer(const Scenario& scenario, const BatchOptions& options, BatchControl& control)
      : scenario_(scenario), options_(options), control_(control), slots_(run_count(scenario)) {
    PODWIRE_CHECK(control.run_count() == slots_.size(), "scenario", "a control for each run");
  }

  BatchResult play() {
    BatchResult batch;
    for (const PolicySetPlan& plan : scenario_.policy_sets) {
      batch.policy_sets.push_back(judge_policy_set(plan));
      reachability_.emplace_back();
      for (const ReachRecord& row : batch.policy_sets.back().reachability) {
        reachability_.back().push_back({row.source, row.destination, row.connections});
      }
    }
    play_all();
    for (Slot& slot : slots_) {
      if (slot.error) {
        std::rethrow_exception(slot.error);
      }
    }
    batch.is_interrupted = control_.is_stopped();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].is_done) {
        batch.runs.push_back(finish(i, batch.policy_sets));
      }
    }
    return batch;
  }

 private:
  struct Slot {
    workload::RunResult result;
    std::exception_ptr error;
    bool is_done = false;
  };

  std::size_t seed_count() const { return scenario_.run().seeds.size(); }

  static PolicySetRecord judge_policy_set(const PolicySetPlan& plan) {
    Judges judges(plan);
    policy::PolicyEngine& engine = judges.engine();
    PolicySetRecord record;
    const auto keep = [&](const analysis::ReachRow& row) {
      if (record.reachability.size() < kMostReachRecords) {
        record.reachability.push_back({std::string(row.source.name), std::string(row.destination.name),
                                       connections_text(row), row.is_unknown, row.varies});
      }
    };
    record.reach_rows = analysis::reach(engine, {}, keep).rows;
    record.class_count = engine.class_count();
    for (const Expectation& expectation : plan.expectations) {
      if (expectation.connection && expectation.state > 0) {
        Judges later(plan, *plan.timeline->clusters[expectation.state], *plan.timeline->policies[expectation.state]);
        record.verdicts.push_back(check_verdict(later, expectation));
      } else if (expectation.connection) {
        record.verdicts.push_back(check_verdict(judges, expectation));
      }
    }
    return record;
  }

  void play_one(std::size_t index) {
    const PolicySetPlan& plan = scenario_.policy_sets[index / seed_count()];
    const std::uint64_t seed = scenario_.run().seeds[index % seed_count()];
    Slot& slot = slots_[index];
    if (!plan.workloads.empty()) {
      std::unique_ptr<policy::PolicyEngine> engine;
      std::unique_ptr<control::States> states;
      control::TimelineInput timeline;
      workload::RunInput input;
      if (plan.timeline == nullptr) {
        engine = std::make_unique<policy::PolicyEngine>(plan.cluster(), plan.policies, plan.profile());
        input.engine = engine.get();
        input.workloads = plan.workloads;
      } else {
        states = states_of(*plan.timeline, plan.profile());
        timeline = timeline_of(*plan.timeline, plan.profile(), scenario_.run().warmup, *states);
        input.engine = &states->engine(0);
        input.timeline = &timeline;
        input.workloads = plan.timeline->workloads;
      }
      input.underlay = scenario_.file->cluster.underlay;
      input.externals = scenario_.file->cluster.externals;
      input.sample = scenario_.run().sample;
      input.seed = seed;
      input.warmup = scenario_.run().warmup;
      input.duration = scenario_.run().duration;
      input.control = &control_.controls_[index];
      input.provenance = options_.provenance;
      if (!options_.record_folder.empty()) {
        input.reachability = reachability_[index / seed_count()];
      }
      if (!options_.record_folder.empty()) {
        input.record_path = options_.record_folder / fmt::format("{}-seed{}.h5", plan.name, seed);
      }
      slot.result = options_.play(input);
      if (slot.result.is_interrupted && !input.record_path.empty()) {
        std::error_code error;  // what cannot be removed says itself that it was interrupted
        std::filesystem::remove(input.record_path, error);
      }
    }
    slot.is_done = true;
    control_.finished_.fetch_add(1, std::memory_order_relaxed);
  }

  void work() {
    while (!control_.is_stopped()) {
      const std::size_t index = next_.fetch_add(1, std::memory_order_relaxed);
      if (index >= slots_.size()) {
        return;
      }
      try {
        play_one(index);
      } catch (...) {
        slots_[index].error = std::current_exception();
        control_.stop();
        return;
      }
    }
  }

  void play_all() {
    const std::size_t jobs = std::min<std::size_t>(std::max(1u, options_.jobs), slots_.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < jobs; ++i) {
      threads.emplace_back([this] { work(); });
    }
    work();
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

  RunRecord finish(std::size_t index, const std::vector<PolicySetRecord>& policy_sets) {
    RunRecord run;
    run.policy_set = index / seed_count();
    run.seed = scenario_.run().seeds[index % seed_count()];
    run.result = std::move(slots_[index].result);
    const PolicySetPlan& plan = scenario_.policy_sets[run.policy_set];
    run.expectations = policy_sets[run.policy_set].verdicts;
    for (const Expectation& expectation : plan.expectations) {
      if (!expectation.connection) {
        run.expectations.push_back(check_workload(plan, expectation, run.result));
      }
    }
    std::sort(run.expectations.begin(), run.expectations.end(),
              [](const ExpectationResult& a, const ExpectationResult& b) { return a.number < b.number; });
    return run;
  }

  const Scenario& scenario_;
  const BatchOptions& options_;
  BatchControl& control_;
  std::vector<Slot> slots_;
  std::vector<std::vector<workload::ReachabilityRow>> reachability_;  // by policy set, for the record files
  std::atomic<std::size_t> next_{0};
};

namespace {

bool has_except(const policy::NetworkPolicy& policy) {
  const auto is_cut = [](const policy::Rule& rule) {
    return std::any_of(rule.peers.begin(), rule.peers.end(),
                       [](const policy::PeerRule& peer) { return peer.ip_block && !peer.ip_block->except.empty(); });
  };
  return std::any_of(policy.ingress.begin(), policy.ingress.end(), is_cut) ||
         std::any_of(policy.egress.begin(), policy.egress.end(), is_cut);
}

// Whether a policy that was not in force before, or not as this text, has an except.
bool brings_except(const policy::PolicySet& before, const policy::PolicySet& after) {
  return std::any_of(after.network_policies.begin(), after.network_policies.end(), [&](const auto& policy) {
    return has_except(policy) &&
           std::none_of(before.network_policies.begin(), before.network_policies.end(),
                        [&](const auto& other) { return other.span == policy.span && other.name == policy.name; });
  });
}

}  // namespace

std::unique_ptr<control::States> states_of(const TimelinePlan& plan, const cni::Profile& profile, bool keeps_all) {
  std::vector<control::States::State> states;
  for (std::size_t state = 0; state < plan.clusters.size(); ++state) {
    states.push_back({.cluster = plan.clusters[state],
                      .policies = plan.policies[state],
                      .changes = state == 0 ? nullptr : &plan.changes[state - 1].policies});
  }
  return std::make_unique<control::States>(std::move(states), profile, keeps_all);
}

control::TimelineInput timeline_of(const TimelinePlan& plan, const cni::Profile& profile, Duration warmup,
                                   control::States& states) {
  control::TimelineInput input;
  input.all = plan.all;
  input.programming = control::programming_of(profile);
  input.states = &states;
  for (std::size_t state = 0; state < plan.clusters.size(); ++state) {
    input.views.push_back({.cluster = plan.clusters[state],
                           .engine = {states, static_cast<control::Version>(state)},
                           .policies = plan.policies[state]});
  }
  for (std::size_t k = 0; k < plan.changes.size(); ++k) {
    const PlannedChange& change = plan.changes[k];
    input.changes.push_back({.made = Time::start() + warmup + change.at,
                             .number = change.number,
                             .has_except = plan.policies[k] != plan.policies[k + 1] &&
                                           brings_except(*plan.policies[k], *plan.policies[k + 1]),
                             .concerns_policy = change.concerns_policy,
                             .concerns_endpoints = change.concerns_endpoints,
                             .text = change.text});
  }
  return input;
}

BatchResult play_batch(const Scenario& scenario, const BatchOptions& options, BatchControl& control) {
  return BatchPlayer(scenario, options, control).play();
}

}  // namespace podwire::scenario
