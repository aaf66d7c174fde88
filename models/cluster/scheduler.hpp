// Placement of pods: the node with the fewest pods among those that fit, ties to the lower node id.
//
// A node fits when it carries the pod's nodeSelector labels (a generated node: when it carries no other value), when
// each NoSchedule and NoExecute taint is tolerated, and when it is below its pod limit. PreferNoSchedule, affinity,
// topology spread and resource requests are left out. Pods of equal nodeSelector and tolerations share one queue of
// fitting nodes; counts only grow, so an entry that has become stale is corrected when it is popped: O(log nodes) a
// pod.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <queue>
#include <string>
#include <vector>

#include "models/cluster/cluster.hpp"

namespace podwire::cluster {

class Scheduler {
 public:
  /// `limits` by NodeId. Both must outlive the scheduler.
  Scheduler(const Cluster& cluster, const std::vector<std::uint32_t>& limits);

  /// Counts a pod that is on `node` already; limits do not matter.
  void occupy(NodeId node) { ++counts_[node.index()]; }
  /// Pods that may go to the same nodes: those of equal nodeSelector and tolerations.
  using Group = std::size_t;
  Group group_of(const PodTemplate& pod_template);
  /// Places one pod; none when no node fits.
  NodeId place(Group group);
  /// Whether any node fits, full or not.
  bool fits_anywhere(Group group) const { return groups_[group].fits_some; }
  std::uint32_t count(NodeId node) const { return counts_[node.index()]; }

 private:
  struct Entry {
    std::uint32_t count = 0;
    std::uint32_t node = 0;
    auto operator<=>(const Entry&) const = default;
  };
  using Queue = std::priority_queue<Entry, std::vector<Entry>, std::greater<>>;
  struct Candidates {
    Queue queue;
    bool fits_some = false;
  };

  const Cluster& cluster_;
  const std::vector<std::uint32_t>& limits_;
  std::vector<std::uint32_t> counts_;
  std::vector<Candidates> groups_;
  boost::unordered_flat_map<std::string, Group> group_index_;  // by nodeSelector and tolerations
};

/// Whether `node` carries the labels of the pod's nodeSelector and its hard taints are tolerated.
bool fits_node(const Cluster& cluster, const PodTemplate& pod_template, NodeId node);

/// Whether one of `tolerations` tolerates `taint` (k8s.io/api core/v1 Toleration.ToleratesTaint).
bool is_tolerated(const Taint& taint, const std::vector<Toleration>& tolerations);

}  // namespace podwire::cluster
