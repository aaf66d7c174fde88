// Pods by name, then by position; see diff_pods.hpp.
#include "models/analysis/diff_pods.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "models/analysis/reach.hpp"

namespace podwire::analysis {

namespace {

using policy::PodEntry;

std::vector<cluster::PodId> pods_of(policy::PolicyEngine& engine, cluster::WorkloadId workload) {
  std::vector<cluster::PodId> pods;
  for (const cluster::PodId pod : engine.cluster().workloads[workload.index()].pods) {
    if (!is_left_out(engine, pod)) {
      pods.push_back(pod);
    }
  }
  return pods;
}

PodEntry entry_of(policy::PolicyEngine& engine, cluster::PodId pod) {
  PodEntry entry = engine.view().pods[pod.index()];
  if (!engine.profile().policy.is_enforced) {
    entry.ingress = policy::GroupId();
    entry.egress = policy::GroupId();
  }
  return entry;
}

std::vector<std::pair<std::string, std::string>> labels_of(const cluster::Cluster& cluster, cluster::LabelSetId set) {
  std::vector<std::pair<std::string, std::string>> labels;
  for (const cluster::Label& label : cluster.label_sets[set]) {
    labels.emplace_back(cluster.strings[label.key], cluster.strings[label.value]);
  }
  std::sort(labels.begin(), labels.end());
  return labels;
}

}  // namespace

MatchedPods match_pods(policy::PolicyEngine& before, cluster::WorkloadId workload_before, policy::PolicyEngine& after,
                       cluster::WorkloadId workload_after) {
  MatchedPods result;
  const std::vector<cluster::PodId> old_pods = pods_of(before, workload_before);
  const std::vector<cluster::PodId> new_pods = pods_of(after, workload_after);
  if (old_pods.empty() || new_pods.empty()) {
    return result;
  }
  std::map<std::string, cluster::PodId> by_name;
  for (const cluster::PodId pod : new_pods) {
    by_name.emplace(after.cluster().pod_name(pod), pod);
  }
  std::vector<cluster::PodId> old_rest;
  for (const cluster::PodId pod : old_pods) {
    const auto found = by_name.find(before.cluster().pod_name(pod));
    if (found == by_name.end()) {
      old_rest.push_back(pod);
    } else {
      result.pairs.push_back({.before = pod, .after = found->second});
      by_name.erase(found);
    }
  }
  std::vector<cluster::PodId> new_rest;
  std::copy_if(new_pods.begin(), new_pods.end(), std::back_inserter(new_rest),
               [&](cluster::PodId pod) { return by_name.contains(after.cluster().pod_name(pod)); });
  for (std::size_t i = 0; i < std::max(old_rest.size(), new_rest.size()); ++i) {
    result.pairs.push_back({.before = i < old_rest.size() ? old_rest[i] : old_pods.back(),
                            .after = i < new_rest.size() ? new_rest[i] : new_pods.back()});
  }
  std::map<std::pair<PodEntry, PodEntry>, std::pair<std::uint32_t, unsigned>> variants;  // number, pods shown
  for (std::uint32_t i = 0; i < result.pairs.size(); ++i) {
    PodPair& pair = result.pairs[i];
    const std::pair key(entry_of(before, pair.before), entry_of(after, pair.after));
    result.has_node_traffic = result.has_node_traffic || key.first.is_node_traffic || key.second.is_node_traffic;
    const auto at = variants.try_emplace(key, std::pair(static_cast<std::uint32_t>(variants.size()), 0u)).first;
    pair.variant = at->second.first;
    if (at->second.second < 2) {
      ++at->second.second;
      result.shown.push_back(i);
    }
  }
  return result;
}

bool have_same_labels(const MatchedPods& pods, const cluster::Cluster& before, const cluster::Cluster& after) {
  return std::all_of(pods.pairs.begin(), pods.pairs.end(), [&](const PodPair& pair) {
    const cluster::PodShape& old_shape = before.shape(pair.before);
    const cluster::PodShape& new_shape = after.shape(pair.after);
    return labels_of(before, old_shape.labels) == labels_of(after, new_shape.labels) &&
           labels_of(before, before.namespaces[old_shape.name_space.index()].labels) ==
               labels_of(after, after.namespaces[new_shape.name_space.index()].labels);
  });
}

}  // namespace podwire::analysis
