// A snapshot is a copy with the changed pods, shapes and label sets, whose Services are joined anew and whose index of
// addresses holds the pods that are there.
#include "models/cluster/snapshot.hpp"

#include <algorithm>

#include "models/cluster/build.hpp"
#include "models/cluster/services.hpp"

namespace podwire::cluster {
namespace {

LabelSetId changed(Cluster& cluster, LabelSetId labels, const LabelChange& change) {
  const auto before = cluster.label_sets[labels];
  std::vector<Label> all(before.begin(), before.end());
  for (const auto& [key, value] : change) {
    const StringId id = cluster.strings.intern(key);
    std::erase_if(all, [&](const Label& label) { return label.key == id; });
    if (value) {
      all.push_back({.key = id, .value = cluster.strings.intern(*value)});
    }
  }
  return cluster.label_sets.intern(std::move(all));
}

// What the pod's process listens on does not change with its labels.
ShapeId shape_with(Cluster& cluster, ShapeId from, LabelSetId labels) {
  PodShape shape = cluster.shapes[from.index()];
  shape.labels = labels;
  for (std::size_t i = 0; i < cluster.shapes.size(); ++i) {
    if (cluster.shapes[i] == shape && cluster.listeners[i] == cluster.listeners[from.index()]) {
      return ShapeId(i);
    }
  }
  cluster.shapes.push_back(shape);
  auto listeners = cluster.listeners[from.index()];
  cluster.listeners.push_back(std::move(listeners));
  return ShapeId(cluster.shapes.size() - 1);
}

void take_away(Cluster& cluster, PodId id) {
  Pod& pod = cluster.pods[id.index()];
  pod.phase = PodPhase::succeeded;
  pod.is_ready = false;
}

void finish(Cluster& cluster) {
  ClusterIndex::find_pods_again(cluster);
  ClusterIndex::find_services_again(cluster);
  join_selectors(cluster);
}

}  // namespace

Cluster first_snapshot(const Cluster& all, const SnapshotChange& change) {
  return next_snapshot(all, all, change);
}

Cluster next_snapshot(const Cluster& before, const Cluster& all, const SnapshotChange& change) {
  Cluster cluster = before;
  for (const PodId pod : change.disappear) {
    take_away(cluster, pod);
  }
  for (const PodId id : change.appear) {
    Pod& pod = cluster.pods[id.index()];
    pod.phase = all.pods[id.index()].phase;
    pod.is_ready = all.pods[id.index()].is_ready;
  }
  for (const ServiceId id : change.services_disappear) {
    cluster.services[id.index()].is_there = false;
  }
  for (const ServiceId id : change.services_appear) {
    cluster.services[id.index()].is_there = true;
  }
  for (const auto& [id, labels] : change.pod_labels) {
    const ShapeId shape = cluster.pods[id.index()].shape;
    const LabelSetId set = changed(cluster, cluster.shapes[shape.index()].labels, labels);
    cluster.pods[id.index()].shape = shape_with(cluster, shape, set);
  }
  for (const auto& [id, labels] : change.namespace_labels) {
    cluster.namespaces[id.index()].labels = changed(cluster, cluster.namespaces[id.index()].labels, labels);
  }
  finish(cluster);
  return cluster;
}

}  // namespace podwire::cluster
