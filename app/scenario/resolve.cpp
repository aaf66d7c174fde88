#include "app/scenario/resolve.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/scenario/names.hpp"
#include "models/dataplane/domain_names.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {

void resolve_workloads(const ScenarioFile& scenario, PolicySetPlan& plan, Diagnostics& diagnostics) {
  for (const WorkloadFile& file : scenario.workloads) {
    workload::WorkloadSpec spec = file.spec;
    const auto source = resolve_source(plan.cluster(), file.from, diagnostics);
    if (source) {
      spec.from = *source;
    }
    if (resolve_target(plan.cluster(), file, spec, diagnostics) && source) {
      plan.workloads.push_back(std::move(spec));
    }
  }
}

namespace {

void report_unknown_workload(const ScenarioFile& file, const Text& name, Diagnostics& diagnostics) {
  std::vector<std::string> workloads;
  for (const WorkloadFile& w : file.workloads) {
    workloads.push_back(w.spec.name);
  }
  for (const WorkloadGroup& group : file.groups) {
    workloads.push_back(group.name);
  }
  diagnostics.error("unknown-workload", fmt::format("there is no workload \"{}\"", printable(name.text)), name.span,
                    suggestion(name.text, workloads));
}

/// Times of several workloads have no common quantile here.
bool check_group_bounds(const ExpectationFile& written, std::size_t count, bool is_first, Diagnostics& diagnostics) {
  if (count == 1) {
    return true;
  }
  bool is_fine = true;
  for (const MeasureBound& bound : written.bounds) {
    const bool is_counted =
        bound.measure == Measure::success || bound.measure == Measure::requests || bound.measure == Measure::outcome;
    if (!is_counted && is_first) {
      diagnostics.error("bad-value",
                        fmt::format("{} of \"{}\", which are {} workloads: quantiles are of one", bound.name,
                                    printable(written.workload.text), count),
                        bound.threshold.span, "bound success, outcome or requests, or name one of them");
    }
    is_fine = is_fine && is_counted;
  }
  return is_fine;
}

}  // namespace

void resolve_expectations(const ScenarioFile& file, PolicySetPlan& plan, std::set<std::size_t>& reported,
                          Diagnostics& diagnostics) {
  for (std::size_t number = 0; number < file.expectations.size(); ++number) {
    const ExpectationFile& written = file.expectations[number];
    const bool applies =
        written.policy_sets.empty() || std::any_of(written.policy_sets.begin(), written.policy_sets.end(),
                                                   [&](const Text& name) { return name.text == plan.name; });
    if (!applies) {
      continue;
    }
    Expectation expectation{.file = &written, .number = number, .connection = {}, .workload = 0};
    if (written.workload.empty()) {
      Diagnostics problems;
      if (written.at && plan.timeline != nullptr) {
        expectation.state = plan.timeline->state_at(*written.at);
      }
      const cluster::Cluster& cluster =
          expectation.state == 0 ? plan.cluster() : *plan.timeline->clusters[expectation.state];
      expectation.connection =
          resolve_connection(cluster, written.from, written.to, written.protocol, written.port, problems);
      // The names are the same in every policy set; only the first one that uses the item reports.
      if (reported.insert(number).second) {
        diagnostics.append(problems);
      }
      if (!expectation.connection) {
        continue;
      }
    } else {
      const auto at = std::find_if(file.workloads.begin(), file.workloads.end(),
                                   [&](const WorkloadFile& w) { return w.spec.name == written.workload.text; });
      const auto group = std::find_if(file.groups.begin(), file.groups.end(),
                                      [&](const WorkloadGroup& g) { return g.name == written.workload.text; });
      if (group != file.groups.end()) {
        expectation.workload = group->first;
        expectation.workload_count = group->count;
      } else if (at != file.workloads.end()) {
        expectation.workload = static_cast<std::size_t>(at - file.workloads.begin());
      } else {
        if (!file.groups.empty() && reported.insert(number).second) {  // else reported by check_names()
          report_unknown_workload(file, written.workload, diagnostics);
        }
        continue;
      }
      if (!check_group_bounds(written, expectation.workload_count, reported.insert(number).second, diagnostics)) {
        continue;
      }
      if (written.at && plan.timeline != nullptr) {
        expectation.state = plan.timeline->state_at(*written.at);
      }
    }
    plan.expectations.push_back(std::move(expectation));
  }
}

void check_names(const ScenarioFile& file, const std::vector<std::string>& chosen, Diagnostics& diagnostics) {
  std::vector<std::string> sets;
  for (const PolicySetFile& set : file.policy_sets) {
    sets.push_back(set.name);
  }
  std::vector<std::string> workloads;
  for (const WorkloadFile& w : file.workloads) {
    workloads.push_back(w.spec.name);
  }
  const auto check_set = [&](const std::string& name, Span span) {
    if (std::find(sets.begin(), sets.end(), name) == sets.end()) {
      diagnostics.error("unknown-policy-set", fmt::format("there is no policy set \"{}\"", printable(name)), span,
                        suggestion(name, sets));
    }
  };
  for (const std::string& name : chosen) {
    check_set(name, {});
  }
  for (const EventFile& event : file.events) {
    for (const Text& name : event.policy_sets) {
      check_set(name.text, name.span);
    }
  }
  for (const ExpectationFile& expectation : file.expectations) {
    for (const Text& name : expectation.policy_sets) {
      check_set(name.text, name.span);
    }
    const Text& name = expectation.workload;
    // Of declared connections the names are not known yet: resolve_expectations() looks.
    if (std::any_of(file.workloads.begin(), file.workloads.end(),
                    [&](const WorkloadFile& w) { return w.is_declared && name.text.starts_with(w.spec.name + "."); })) {
      continue;
    }
    if (!name.empty() && std::find(workloads.begin(), workloads.end(), name.text) == workloads.end()) {
      diagnostics.error("unknown-workload", fmt::format("there is no workload \"{}\"", printable(name.text)), name.span,
                        suggestion(name.text, workloads));
    }
  }
}

std::unique_ptr<policy::DomainTable> declared_names(const PolicySetPlan& plan, const dns::ExternalRecords& externals) {
  std::vector<std::string> patterns = dataplane::DomainNames::patterns_of(plan.policies);
  if (plan.timeline != nullptr) {
    for (const policy::PolicySet* const policies : plan.timeline->policies) {
      const auto more = dataplane::DomainNames::patterns_of(*policies);
      patterns.insert(patterns.end(), more.begin(), more.end());
    }
  }
  auto table = std::make_unique<policy::DomainTable>();
  table->is_complete = false;
  for (const auto& external : externals) {
    const std::string& name = external.first;
    const bool is_asked = std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
      return policy::domain_matches(pattern, name);
    });
    if (is_asked) {
      table->entries.push_back({.name = name, .addresses = external.second.addresses});
    }
  }
  return table->entries.empty() ? nullptr : std::move(table);
}

}  // namespace podwire::scenario
