// From a batch's results to the summary that every format prints.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "app/report/run_report.hpp"
#include "models/dataplane/drops.hpp"

namespace podwire::report {
namespace {

using scenario::ExpectationResult;
using scenario::PolicySetPlan;
using scenario::RunRecord;
using scenario::Scenario;
using workload::WorkloadResult;

Latency latency_of(const stats::Histogram& histogram) {
  Latency latency;
  latency.count = histogram.count();
  const auto quantile = [&](double q) -> std::optional<double> {
    const auto picoseconds = histogram.percentile(q);
    return picoseconds ? std::optional(Duration::from_ps(*picoseconds).seconds()) : std::nullopt;
  };
  latency.p50 = quantile(0.5);
  latency.p90 = quantile(0.9);
  latency.p99 = quantile(0.99);
  return latency;
}

WorkloadRow row_of(const workload::WorkloadSpec& spec, const WorkloadResult& result) {
  WorkloadRow row;
  row.name = spec.name;
  row.kind = to_string(spec.kind);
  row.from = spec.from.name;
  row.to = spec.to.name;
  row.requests = result.requests;
  row.ok = result.count(workload::Outcome::ok);
  for (std::size_t i = 0; i < workload::kOutcomeCount; ++i) {
    if (result.outcomes[i] > 0) {
      row.outcomes.emplace_back(workload::kOutcomeNames[i], result.outcomes[i]);
    }
  }
  row.dns = latency_of(result.dns);
  row.connect = latency_of(result.connect);
  row.total = latency_of(result.total);
  return row;
}

// `warmup` is what the run's clock shows when the measured time begins.
std::vector<ChangeLine> change_lines(const std::vector<workload::ChangeRow>& rows, Duration warmup) {
  std::vector<ChangeLine> lines;
  for (const workload::ChangeRow& row : rows) {
    ChangeLine& line = lines.emplace_back();
    line.text = row.text;
    line.at = (row.made - warmup).seconds();
    if (row.concerns_policy) {
      line.first_enforced = (row.first_enforced - warmup).seconds();
      line.last_enforced = (row.last_enforced - warmup).seconds();
    }
  }
  return lines;
}

void add_phases(WorkloadRow& row, const WorkloadResult& result, const std::vector<ChangeLine>& changes) {
  for (std::size_t i = 0; i < result.phases.size(); ++i) {
    PhaseRow& phase = row.phases.emplace_back();
    phase.begins = i == 0 ? "0s" : scenario::format_seconds(changes[i - 1].at);
    phase.requests = result.phases[i].requests;
    phase.ok = result.phases[i].outcomes[0];
    for (std::size_t o = 1; o < workload::kOutcomeCount; ++o) {
      if (result.phases[i].outcomes[o] > 0) {
        phase.outcomes.emplace_back(workload::kOutcomeNames[o], result.phases[i].outcomes[o]);
      }
    }
  }
}

DropLine line_of(const workload::DropRow& drop, const PolicySetPlan& plan, const SourceMap& sources) {
  return {.reason = drop.reason,
          .where = drop.where,
          .rule = drop.rule,
          .place = sources.file_and_line(drop.span),
          .workload = drop.workload.is_valid() ? plan.workloads[drop.workload.index()].name : std::string(),
          .packets = drop.packets};
}

ExpectationLine line_of(const ExpectationResult& result, const SourceMap& sources) {
  return {.result = result,
          .rule_place = sources.file_and_line(result.rule),
          .place = sources.file_and_line(result.span),
          .seeds = {},
          .seed_count = 1};
}

RunView view_of(const RunRecord& run, const PolicySetPlan& plan, const SourceMap& sources, Duration warmup) {
  RunView view;
  view.policy_set = plan.name;
  view.seed = run.seed;
  view.fingerprint = plan.workloads.empty() ? "" : fmt::format("{:016x}", run.result.fingerprint);
  view.changes = change_lines(run.result.changes, warmup);
  for (std::size_t i = 0; i < plan.workloads.size(); ++i) {
    view.workloads.push_back(row_of(plan.workloads[i], run.result.workloads[i]));
    add_phases(view.workloads.back(), run.result.workloads[i], view.changes);
  }
  for (const workload::DropRow& drop : run.result.drops) {
    view.drops.push_back(line_of(drop, plan, sources));
  }
  for (const ExpectationResult& result : run.expectations) {
    view.expectations.push_back(line_of(result, sources));
  }
  view.packets = run.result.packets;
  view.events = run.result.events;
  view.notes = run.result.notes;
  return view;
}

void add(WorkloadResult& sum, const WorkloadResult& other) {
  sum.requests += other.requests;
  for (std::size_t i = 0; i < workload::kOutcomeCount; ++i) {
    sum.outcomes[i] += other.outcomes[i];
  }
  sum.phases.resize(std::max(sum.phases.size(), other.phases.size()));
  for (std::size_t i = 0; i < other.phases.size(); ++i) {
    sum.phases[i].requests += other.phases[i].requests;
    for (std::size_t o = 0; o < workload::kOutcomeCount; ++o) {
      sum.phases[i].outcomes[o] += other.phases[i].outcomes[o];
    }
    sum.phases[i].dns.merge(other.phases[i].dns);
    sum.phases[i].connect.merge(other.phases[i].connect);
    sum.phases[i].total.merge(other.phases[i].total);
  }
  sum.dns.merge(other.dns);
  sum.connect.merge(other.connect);
  sum.total.merge(other.total);
}

std::vector<DropLine> merge_drops(const std::vector<RunView>& runs) {
  std::map<std::tuple<std::string, std::string, std::string, std::string>, DropLine> sums;
  for (const RunView& run : runs) {
    for (const DropLine& drop : run.drops) {
      const auto [at, is_new] = sums.try_emplace({drop.reason, drop.where, drop.rule, drop.workload}, drop);
      if (!is_new) {
        at->second.packets += drop.packets;
      }
    }
  }
  std::vector<DropLine> drops;
  for (auto& [key, drop] : sums) {
    drops.push_back(std::move(drop));
  }
  std::stable_sort(drops.begin(), drops.end(),
                   [](const DropLine& a, const DropLine& b) { return a.packets > b.packets; });
  return drops;
}

bool is_worse(ExpectationResult::Status a, ExpectationResult::Status b) {
  const auto rank = [](ExpectationResult::Status s) {
    return s == ExpectationResult::Status::failed ? 2 : s == ExpectationResult::Status::inconclusive ? 1 : 0;
  };
  return rank(a) > rank(b);
}

// Of each expectation the worst run is shown, and in how many runs it did not pass.
std::vector<ExpectationLine> merge_expectations(const std::vector<RunView>& runs) {
  std::vector<ExpectationLine> lines;
  for (const RunView& run : runs) {
    for (std::size_t i = 0; i < run.expectations.size(); ++i) {
      const ExpectationLine& line = run.expectations[i];
      if (lines.size() <= i) {
        lines.push_back(line);
      } else if (is_worse(line.result.status, lines[i].result.status)) {
        std::vector<std::uint64_t> seeds = std::move(lines[i].seeds);
        lines[i] = line;
        lines[i].seeds = std::move(seeds);
      }
      lines[i].seed_count = runs.size();
      if (line.result.status != ExpectationResult::Status::passed) {
        lines[i].seeds.push_back(run.seed);
      }
    }
  }
  return lines;
}

RunView merge(const std::vector<const RunRecord*>& records, const std::vector<RunView>& runs,
              const PolicySetPlan& plan) {
  RunView merged;
  merged.policy_set = plan.name;
  for (const RunView& run : runs) {
    for (std::size_t i = 0; i < run.changes.size(); ++i) {
      if (merged.changes.size() <= i) {
        merged.changes.push_back(run.changes[i]);
      } else if (merged.changes[i].first_enforced) {
        merged.changes[i].first_enforced = std::min(merged.changes[i].first_enforced, run.changes[i].first_enforced);
        merged.changes[i].last_enforced = std::max(merged.changes[i].last_enforced, run.changes[i].last_enforced);
      }
    }
  }
  for (std::size_t i = 0; i < plan.workloads.size(); ++i) {
    WorkloadResult sum;
    for (const RunRecord* record : records) {
      add(sum, record->result.workloads[i]);
    }
    merged.workloads.push_back(row_of(plan.workloads[i], sum));
    add_phases(merged.workloads.back(), sum, merged.changes);
  }
  std::set<std::string> notes;
  for (const RunView& run : runs) {
    merged.packets.sent += run.packets.sent;
    merged.packets.delivered += run.packets.delivered;
    merged.packets.dropped += run.packets.dropped;
    merged.packets.in_flight += run.packets.in_flight;
    merged.packets.hops += run.packets.hops;
    merged.events += run.events;
    for (const std::string& note : run.notes) {
      if (notes.insert(note).second) {
        merged.notes.push_back(note);
      }
    }
  }
  merged.drops = merge_drops(runs);
  merged.expectations = merge_expectations(runs);
  return merged;
}

}  // namespace

RunReport summarise(const Scenario& scenario, const scenario::BatchResult& batch, const SourceMap& sources) {
  RunReport report{.name = scenario.name(), .path = scenario.path, .policy_sets = {}};
  for (std::size_t i = 0; i < scenario.policy_sets.size(); ++i) {
    const PolicySetPlan& plan = scenario.policy_sets[i];
    SetReport set;
    set.name = plan.name;
    set.basis = basis_of(scenario, plan, sources, !plan.workloads.empty());
    set.reachability = batch.policy_sets[i].reachability;
    if (batch.policy_sets[i].reach_rows > set.reachability.size()) {
      set.basis.assumptions.emplace_back(
          "reachability", fmt::format("only the first {} of {} connections are kept; `podwire reach` lists all",
                                      set.reachability.size(), batch.policy_sets[i].reach_rows));
    }
    std::vector<const RunRecord*> records;
    for (const RunRecord& run : batch.runs) {
      if (run.policy_set == i) {
        records.push_back(&run);
        set.runs.push_back(view_of(run, plan, sources, scenario.run().warmup));
      }
    }
    set.merged = merge(records, set.runs, plan);
    report.policy_sets.push_back(std::move(set));
  }
  return report;
}

// At the beginning, or for packets that were sent after a change.
bool has_unknown(const SetReport& set) {
  return std::any_of(set.reachability.begin(), set.reachability.end(),
                     [](const ReachRecord& row) { return row.is_unknown; }) ||
         std::any_of(set.merged.drops.begin(), set.merged.drops.end(), [](const DropLine& line) {
           return line.reason == dataplane::to_string(dataplane::DropReason::policy_unknown);
         });
}

RunCounts count(const std::vector<RunReport>& reports) {
  RunCounts counts;
  counts.scenarios = reports.size();
  for (const RunReport& report : reports) {
    for (const SetReport& set : report.policy_sets) {
      counts.unknown_sets += has_unknown(set) ? 1 : 0;
      for (const ExpectationLine& line : set.merged.expectations) {
        ++counts.expectations;
        counts.passed += line.result.status == ExpectationResult::Status::passed ? 1 : 0;
        counts.failed += line.result.status == ExpectationResult::Status::failed ? 1 : 0;
        counts.inconclusive += line.result.status == ExpectationResult::Status::inconclusive ? 1 : 0;
      }
    }
  }
  return counts;
}

std::string provenance_json(const Scenario& scenario, const SourceMap& sources, const std::string& version) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325u;  // FNV-1a, 64 bits: tells inputs apart, proves nothing
  std::string file_text;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const SourceId id(i);
    for (const std::string_view part : {std::string_view(sources.name(id)), sources.text(id)}) {
      for (const char c : part) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x0000'0100'0000'01b3u;
      }
    }
    if (sources.name(id) == scenario.path) {
      file_text = sources.text(id);
    }
  }
  std::vector<std::string> policy_sets;
  for (const PolicySetPlan& plan : scenario.policy_sets) {
    policy_sets.push_back(plan.name);
  }
  nlohmann::ordered_json object{{"podwire", version}, {"scenario", scenario.name()}, {"path", scenario.path}};
  object["settings"] = scenario.settings;
  object["policySets"] = policy_sets;
  object["seeds"] = scenario.run().seeds;
  object["cni"] = scenario.policy_sets.empty() ? "" : scenario.policy_sets.front().profile().name;
  object["kubernetes"] =
      scenario.policy_sets.empty() ? "" : kubernetes_text(scenario, *scenario.policy_sets.front().state);
  object["layers"] = scenario.sources;
  object["inputHash"] = fmt::format("{:016x}", hash);
  object["scenarioFile"] = file_text;
  return object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace podwire::report
