// The last part of loading: names that the scenario file mentions become ids of a policy set's cluster.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "app/scenario/load.hpp"

namespace podwire::scenario {

/// Reports policy sets and workloads that are mentioned and not defined; `chosen` are those of the command line.
/// Errors: unknown-policy-set, unknown-workload.
void check_names(const ScenarioFile& file, const std::vector<std::string>& chosen, Diagnostics& diagnostics);

/// Fills plan.workloads. Errors: those of resolve_source and resolve_target.
void resolve_workloads(const ScenarioFile& file, PolicySetPlan& plan, Diagnostics& diagnostics);

/// Fills plan.expectations, once the plan has its timeline. `reported`: items whose problems were reported for another
/// policy set. Errors: those of resolve_connection.
void resolve_expectations(const ScenarioFile& file, PolicySetPlan& plan, std::set<std::size_t>& reported,
                          Diagnostics& diagnostics);

/// What cluster.dns.externals says of the names that domainNames rules of a plan ask for, in whatever state of it; null
/// when it says nothing of them.
std::unique_ptr<policy::DomainTable> declared_names(const PolicySetPlan& plan, const dns::ExternalRecords& externals);

}  // namespace podwire::scenario
