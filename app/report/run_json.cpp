// `podwire run -o json|csv`: for scripts. Names and units are documented in docs/results.md and stay.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/report/escape.hpp"
#include "app/report/json.hpp"
#include "app/report/run_report.hpp"

namespace podwire::report {
namespace {

ordered_json latency_json(const Latency& latency) {
  const auto value = [](const std::optional<double>& seconds) {
    return seconds ? ordered_json(*seconds) : ordered_json();
  };
  return {
      {"p50", value(latency.p50)}, {"p90", value(latency.p90)}, {"p99", value(latency.p99)}, {"count", latency.count}};
}

ordered_json workload_json(const WorkloadRow& row) {
  ordered_json outcomes{{"ok", row.ok}};
  for (const auto& [outcome, count] : row.outcomes) {
    outcomes[outcome] = count;
  }
  ordered_json object{
      {"name", row.name},
      {"kind", row.kind},
      {"from", row.from},
      {"to", row.to},
      {"requests", row.requests},
      {"outcomes", std::move(outcomes)},
      {"latency",
       {{"total", latency_json(row.total)}, {"dns", latency_json(row.dns)}, {"connect", latency_json(row.connect)}}}};
  if (!row.phases.empty()) {
    ordered_json& phases = object["phases"] = ordered_json::array();
    for (const PhaseRow& phase : row.phases) {
      ordered_json counts{{"ok", phase.ok}};
      for (const auto& [outcome, count] : phase.outcomes) {
        counts[outcome] = count;
      }
      phases.push_back({{"requests", phase.requests}, {"outcomes", std::move(counts)}});
    }
  }
  return object;
}

ordered_json change_json(const ChangeLine& line) {
  const auto value = [](const std::optional<double>& seconds) {
    return seconds ? ordered_json(*seconds) : ordered_json();
  };
  return {{"change", line.text},
          {"at", line.at},
          {"firstEnforced", value(line.first_enforced)},
          {"lastEnforced", value(line.last_enforced)}};
}

ordered_json drop_json(const DropLine& drop) {
  return {{"reason", drop.reason}, {"where", drop.where},       {"rule", drop.rule},
          {"place", drop.place},   {"workload", drop.workload}, {"packets", drop.packets}};
}

ordered_json expectation_json(const ExpectationLine& line) {
  return {{"subject", line.result.subject},
          {"status", to_string(line.result.status)},
          {"expected", line.result.expected},
          {"measured", line.result.measured},
          {"because", line.result.because},
          {"rulePlace", line.rule_place},
          {"place", line.place}};
}

ordered_json run_object(const SetReport& set, const RunView& run) {
  ordered_json workloads = ordered_json::array();
  for (const WorkloadRow& row : run.workloads) {
    workloads.push_back(workload_json(row));
  }
  ordered_json drops = ordered_json::array();
  for (const DropLine& drop : run.drops) {
    drops.push_back(drop_json(drop));
  }
  ordered_json expectations = ordered_json::array();
  for (const ExpectationLine& line : run.expectations) {
    expectations.push_back(expectation_json(line));
  }
  ordered_json object{{"policySet", run.policy_set}, {"seed", run.seed}, {"fingerprint", run.fingerprint}};
  object["basis"] = basis_json(set.basis);
  object["workloads"] = std::move(workloads);
  if (!run.changes.empty()) {
    ordered_json& changes = object["changes"] = ordered_json::array();
    for (const ChangeLine& line : run.changes) {
      changes.push_back(change_json(line));
    }
  }
  object["drops"] = std::move(drops);
  object["reachability"] = reach_json(set.reachability);
  object["expectations"] = std::move(expectations);
  object["packets"] = {{"sent", run.packets.sent},
                       {"delivered", run.packets.delivered},
                       {"dropped", run.packets.dropped},
                       {"inFlight", run.packets.in_flight},
                       {"hops", run.packets.hops}};
  object["events"] = run.events;
  object["notes"] = run.notes;
  return object;
}

std::string number(const std::optional<double>& seconds) {
  return seconds ? fmt::format("{}", *seconds) : std::string();
}

}  // namespace

ordered_json basis_json(const Basis& basis) {
  ordered_json assumptions = ordered_json::array();
  for (const auto& [topic, text] : basis.assumptions) {
    assumptions.push_back({{"topic", topic}, {"text", text}});
  }
  return {{"cluster", basis.cluster}, {"kubernetes", basis.kubernetes}, {"policies", basis.policies},
          {"cni", basis.cni},         {"timing", basis.timing},         {"run", basis.run},
          {"inTime", basis.in_time},  {"settings", basis.settings},     {"assumed", assumptions},
          {"unknown", basis.unknown}, {"ignored", basis.ignored},       {"skipped", basis.skipped}};
}

ordered_json reach_json(const std::vector<ReachRecord>& lines) {
  ordered_json rows = ordered_json::array();
  for (const ReachRecord& line : lines) {
    ordered_json row{{"source", line.source}, {"destination", line.destination}, {"connections", line.connections}};
    if (line.is_unknown) {
      row["unknown"] = true;
    }
    if (line.varies) {
      row["varies"] = true;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string run_json(const std::vector<RunReport>& reports) {
  std::string out;
  for (const RunReport& report : reports) {
    ordered_json runs = ordered_json::array();
    for (const SetReport& set : report.policy_sets) {
      for (const RunView& run : set.runs) {
        runs.push_back(run_object(set, run));
      }
    }
    const ordered_json object{{"apiVersion", "podwire/v1"}, {"scenario", report.name}, {"runs", std::move(runs)}};
    out += write_json(object, reports.size() == 1);
  }
  return out;
}

std::string run_csv(const std::vector<RunReport>& reports) {
  std::string out =
      "scenario,policySet,seed,fingerprint,workload,requests,ok,outcomes,dns_p50_s,dns_p90_s,dns_p99_s,connect_p50_s,"
      "connect_p90_s,connect_p99_s,total_p50_s,total_p90_s,total_p99_s\n";
  for (const RunReport& report : reports) {
    for (const SetReport& set : report.policy_sets) {
      for (const RunView& run : set.runs) {
        for (const WorkloadRow& row : run.workloads) {
          std::string outcomes;
          for (const auto& [outcome, count] : row.outcomes) {
            outcomes += fmt::format("{}{}={}", outcomes.empty() ? "" : ";", outcome, count);
          }
          out +=
              csv_line({report.name, run.policy_set, std::to_string(run.seed), run.fingerprint, row.name,
                        std::to_string(row.requests), std::to_string(row.ok), outcomes, number(row.dns.p50),
                        number(row.dns.p90), number(row.dns.p99), number(row.connect.p50), number(row.connect.p90),
                        number(row.connect.p99), number(row.total.p50), number(row.total.p90), number(row.total.p99)});
        }
      }
    }
  }
  return out;
}

}  // namespace podwire::report
