// From labels to shapes to pods: who a selector means, without looking at every pod.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <span>
#include <vector>

#include "models/cluster/cluster.hpp"

namespace podwire::cluster {

class ShapeIndex {
 public:
  /// O(pods + labels of all shapes). The cluster must outlive the index and keep its pods.
  explicit ShapeIndex(const Cluster& cluster);

  /// The shapes of `name_space` that `selector` matches, ascending. O(shapes that carry its rarest `key = value`), or
  /// O(shapes of the namespace) when it has none.
  std::vector<ShapeId> selected_by(NamespaceId name_space, const LabelSelector& selector) const;
  /// Ascending.
  std::span<const PodId> pods(ShapeId shape) const;

 private:
  struct Key {
    NamespaceId name_space;
    Label label;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };

  const Cluster& cluster_;
  boost::unordered_flat_map<Key, std::vector<ShapeId>, KeyHash> by_label_;
  std::vector<std::vector<ShapeId>> by_namespace_;
  std::vector<std::uint32_t> first_pod_;  // by shape; one more than shapes
  std::vector<PodId> pods_;
};

}  // namespace podwire::cluster
