// The pods of one workload on two sides, matched one to one, and which of them policies cannot tell apart on either
// side: what diff works on where the pods of a workload differ.
#pragma once

#include <cstdint>
#include <vector>

#include "models/policy/compiled.hpp"
#include "models/policy/engine.hpp"

namespace podwire::analysis {

/// One pod before and after.
struct PodPair {
  cluster::PodId before;
  cluster::PodId after;
  std::uint32_t variant = 0;  // pods with the same number fare alike on both sides, own-node traffic aside
};

struct MatchedPods {
  std::vector<PodPair> pairs;
  std::vector<std::uint32_t> shown;  // in pairs: two of each variant, or the only one
  bool has_node_traffic = false;     // some pod counts as its node
};

/// Matches by name, what is left by position; pods that one side has too many of go with the other's last one, so that
/// every pod is looked at. Finished pods are left out as in reach. Empty when a side has no pods.
MatchedPods match_pods(policy::PolicyEngine& before, cluster::WorkloadId workload_before, policy::PolicyEngine& after,
                       cluster::WorkloadId workload_after);

/// Whether the matched pods and their namespaces have the same labels.
bool have_same_labels(const MatchedPods& pods, const cluster::Cluster& before, const cluster::Cluster& after);

}  // namespace podwire::analysis
