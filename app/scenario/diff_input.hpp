// The two sides of a comparison, from what the command line names to two resolved clusters with their policies.
//
// A side is a policy set of a scenario, or a folder, a file, standard input, or REV:PATH of a git repository. With a
// dump of the cluster as the base, a side's objects are laid over the dump; an object that the other side has and this
// one has not is taken out of the dump, because a side says all that it governs. What objects of either side own in the
// dump (ReplicaSets, pods) goes: the pods of a workload that a side names are those of its template. What neither side
// mentions stays under both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/scenario/load.hpp"
#include "models/analysis/diff.hpp"
#include "models/flows/flow.hpp"

namespace podwire::scenario {

struct DiffSources {
  std::string before;
  std::string after;
  std::vector<std::string> cluster;  // --cluster: files or folders, layers
  std::string scenario;              // --scenario: then before and after are names of its policy sets
};

/// A dump as it is, and with a candidate's objects laid over it.
struct CandidateSources {
  std::vector<std::string> cluster;  // files or folders, layers
  std::string candidate;             // a side, as above
  /// Namespaces whose NetworkPolicies go under the candidate unless it has them, as `kubectl apply --prune` does;
  /// "namespaces" stands for those that the candidate has policies in.
  std::vector<std::string> pruned;
};

struct DiffInput {
  std::unique_ptr<Scenario> first;   // the old side's; both sides' where they are policy sets of one scenario
  std::unique_ptr<Scenario> second;  // null then
  const PolicySetPlan* before = nullptr;
  const PolicySetPlan* after = nullptr;
  bool unmodelled_differ = false;  // the unmodelled objects of the two sides do not say the same
  /// Policies of every kind whose specs are not written the same, layout aside: also those that mean the same, and
  /// kinds that are not modelled. Sorted by name; empty for policy sets of a scenario.
  std::vector<analysis::PolicyChange> rewritten;
  /// Services, Ingresses, Gateways and HTTPRoutes that are not the same: "Service shop/api removed". Sorted; empty for
  /// policy sets of a scenario.
  std::vector<std::string> routes;
  /// Of load_candidate(), by PodId of the dump's cluster: when its pods started, kNoTime where it does not say.
  std::vector<flows::Nanoseconds> pod_starts;
  /// Namespaces whose policies were pruned.
  std::vector<std::string> pruned;
  const Scenario& scenario_after() const { return second == nullptr ? *first : *second; }
};

/// Errors: those of load() and read_git_files(); unknown-path (of a revision), no-manifests (an empty folder; a warning
/// where only one side is empty and --cluster gives the rest), no-such-file, two-inputs (standard input
/// twice), no-workloads.
Result<DiffInput> load_diff(SourceMap& sources, const DiffSources& given, const LoadOptions& options);

/// Before: the dump. After: the candidate over it; objects that it does not have stay, what its workloads own in the
/// dump goes. Errors: those of load_diff; unknown-namespace (to prune), no-candidate.
Result<DiffInput> load_candidate(SourceMap& sources, const CandidateSources& given, const LoadOptions& options);

}  // namespace podwire::scenario
