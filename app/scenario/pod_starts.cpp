#include "app/scenario/pod_starts.hpp"

#include "models/flows/reader.hpp"

namespace podwire::scenario {

std::vector<flows::Nanoseconds> pod_starts(const cluster::ObjectStore& store, const cluster::Cluster& cluster) {
  std::vector<flows::Nanoseconds> starts(cluster.pods.size(), flows::kNoTime);
  for (const cluster::Object& object : store.objects()) {
    const config::Node start = object.kind == "Pod" ? object.node.find("status").find("startTime") : config::Node();
    const cluster::NamespaceId where = cluster.find_namespace(object.name_space);
    if (start.is_scalar() && where.is_valid()) {
      if (const cluster::PodId pod = cluster.find_pod(where, object.name); pod.is_valid()) {
        starts[pod.index()] = flows::parse_time(start.text());
      }
    }
  }
  return starts;
}

}  // namespace podwire::scenario
