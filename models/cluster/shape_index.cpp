#include "models/cluster/shape_index.hpp"

namespace podwire::cluster {

std::size_t ShapeIndex::KeyHash::operator()(const Key& key) const {
  std::uint64_t h = std::uint64_t{key.label.key.value()} << 32 | key.label.value.value();
  h = (h ^ key.name_space.value()) * 0x9e37'79b9'7f4a'7c15u;
  return static_cast<std::size_t>((h ^ h >> 29) * 0xbf58'476d'1ce4'e5b9u);
}

ShapeIndex::ShapeIndex(const Cluster& cluster) : cluster_(cluster) {
  by_namespace_.resize(cluster.namespaces.size());
  for (std::size_t i = 0; i < cluster.shapes.size(); ++i) {
    const PodShape& shape = cluster.shapes[i];
    by_namespace_[shape.name_space.index()].push_back(ShapeId(i));
    for (const Label& label : cluster.label_sets[shape.labels]) {
      by_label_[{.name_space = shape.name_space, .label = label}].push_back(ShapeId(i));
    }
  }
  // Counting sort of pods by shape.
  first_pod_.assign(cluster.shapes.size() + 1, 0);
  for (const Pod& pod : cluster.pods) {
    ++first_pod_[pod.shape.index() + 1];
  }
  for (std::size_t i = 1; i < first_pod_.size(); ++i) {
    first_pod_[i] += first_pod_[i - 1];
  }
  pods_.resize(cluster.pods.size());
  std::vector<std::uint32_t> next(first_pod_.begin(), first_pod_.end() - 1);
  for (std::size_t i = 0; i < cluster.pods.size(); ++i) {
    pods_[next[cluster.pods[i].shape.index()]++] = PodId(i);
  }
}

std::vector<ShapeId> ShapeIndex::selected_by(NamespaceId name_space, const LabelSelector& selector) const {
  const std::vector<ShapeId>* candidates = &by_namespace_[name_space.index()];
  for (const Requirement& requirement : selector.requirements) {
    if (requirement.op != SelectorOperator::in || requirement.values.size() != 1) {
      continue;
    }
    const Label label{.key = cluster_.strings.find(requirement.key),
                      .value = cluster_.strings.find(requirement.values.front())};
    const auto found = by_label_.find({.name_space = name_space, .label = label});
    if (found == by_label_.end()) {
      return {};
    }
    if (found->second.size() < candidates->size()) {
      candidates = &found->second;
    }
  }
  std::vector<ShapeId> selected;
  for (const ShapeId shape : *candidates) {
    if (selector.matches(cluster_.shapes[shape.index()].labels, cluster_.label_sets, cluster_.strings)) {
      selected.push_back(shape);
    }
  }
  return selected;
}

std::span<const PodId> ShapeIndex::pods(ShapeId shape) const {
  const std::uint32_t first = first_pod_[shape.index()];
  return std::span(pods_).subspan(first, first_pod_[shape.index() + 1] - first);
}

}  // namespace podwire::cluster
