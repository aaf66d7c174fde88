// A later state of a cluster: the same pods, nodes, namespaces and Services under the same ids, with other labels and
// with pods and Services that are there or not. What a timeline of changes makes of the union of all it ever has.
//
// A pod that is not there keeps id, node and address (which nobody else gets) and counts as finished: it backs no
// Service, is no policy's peer, and pod_at() does not find it. A Service that is not there keeps its address, and has
// no backends, no rules and no name. Left out: changes within Services, nodes and templates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/cluster/cluster.hpp"

namespace podwire::cluster {

/// Pods that come later in a timeline: replicas of an owner, or one pod object.
struct LatePods {
  std::string object;  // Object::full_name()
  std::uint32_t replicas = 1;
  bool is_new = false;  // the object itself comes later: none of its pods are there at the start
};

/// build_cluster() of a store that also holds the objects of `late`, which `base` has not. Late pods get the last ids,
/// nodes and addresses, in this order, and Services that `base` has not the last addresses: what the others get is the
/// same with and without them.
Result<Cluster> build_union(const ObjectStore& store, const ObjectStore& base, const ClusterOptions& options,
                            const std::vector<LatePods>& late);

/// Labels as `kubectl label` changes them: nothing as value removes the key.
using LabelChange = std::vector<std::pair<std::string, std::optional<std::string>>>;

/// What one change does to the pods and labels of a cluster.
struct SnapshotChange {
  std::vector<PodId> appear;
  std::vector<PodId> disappear;
  std::vector<std::pair<PodId, LabelChange>> pod_labels;
  std::vector<std::pair<NamespaceId, LabelChange>> namespace_labels;
  std::vector<ServiceId> services_appear;
  std::vector<ServiceId> services_disappear;
  /// Of anything but Services.
  bool changes_pods() const {
    return !(appear.empty() && disappear.empty() && pod_labels.empty() && namespace_labels.empty());
  }
  bool empty() const { return !changes_pods() && services_appear.empty() && services_disappear.empty(); }
};

/// Whether the pod is there in this state.
inline bool is_there(const Cluster& cluster, PodId pod) {
  return cluster.pods[pod.index()].phase != PodPhase::succeeded && cluster.pods[pod.index()].phase != PodPhase::failed;
}

/// `all` holds every pod and Service that ever is. What `change` makes disappear is not there yet, and its labels are
/// what they are at first. O(cluster).
Cluster first_snapshot(const Cluster& all, const SnapshotChange& change);

/// The state after `change`. `all` is the union that `before` came from: a pod that appears is as it is there, with the
/// labels it has in `before`. O(cluster).
Cluster next_snapshot(const Cluster& before, const Cluster& all, const SnapshotChange& change);

/// The per-pod label keys (see selected_pod_keys) that a part of a manifest mentions: of a patch, say.
std::vector<std::string> mentioned_pod_keys(config::Node node);

}  // namespace podwire::cluster
