#include "models/analysis/diff_delta.hpp"

#include <cstdint>
#include <set>
#include <tuple>

#include "models/analysis/diff.hpp"

namespace podwire::analysis {

using policy::Direction;
using policy::Peer;
using policy::PolicyEngine;
using policy::PortSet;

namespace {

/// Pods of two workloads on the same node, on either side: own-node traffic makes these fare differently.
bool is_together(const cluster::Cluster& cluster, cluster::PodId a, cluster::PodId b) {
  const cluster::NodeId node = cluster.pods[a.index()].node;
  return node.is_valid() && node == cluster.pods[b.index()].node;
}

PortSet between(PolicyEngine& engine, const Peer& source, const Peer& destination) {
  bool is_unknown = false;
  PortSet ports = PortSet::all();
  if (source.pod.is_valid()) {
    ports = engine.allowed_ports(Direction::egress, source, destination, is_unknown);
  }
  return destination.pod.is_valid()
             ? ports.intersected_with(engine.allowed_ports(Direction::ingress, destination, source, is_unknown))
             : ports;
}

}  // namespace

Example example_of(const PodPair& source, const PodPair& destination) {
  return {.source_before = {.pod = source.before},
          .destination_before = {.pod = destination.before},
          .source_after = {.pod = source.after},
          .destination_after = {.pod = destination.after}};
}

Example example_of(const PodPair& pod, Direction direction, IpAddress ip) {
  Example example = example_of(pod, pod);
  (direction == Direction::ingress ? example.source_before : example.destination_before) = {.ip = ip};
  (direction == Direction::ingress ? example.source_after : example.destination_after) = {.ip = ip};
  return example;
}

bool fare_alike(const ReachSweep::Ports& a, const ReachSweep::Ports& b) {
  return a.ports != nullptr && b.ports != nullptr && !a.varies && !b.varies && !a.is_unknown && !b.is_unknown &&
         *a.ports == *b.ports;
}

Delta delta_of(const ReachSweep::Ports& old_ports, const ReachSweep::Ports& new_ports) {
  Delta delta{.before = old_ports.ports == nullptr ? PortSet() : *old_ports.ports,
              .after = new_ports.ports == nullptr ? PortSet() : *new_ports.ports,
              .is_unknown_before = old_ports.is_unknown,
              .is_unknown_after = new_ports.is_unknown,
              .varies = old_ports.varies || new_ports.varies};
  if (!delta.varies) {
    delta.opened = ports_without(delta.after, delta.before);
    delta.closed = ports_without(delta.before, delta.after);
  }
  return delta;
}

void Deltas::add_example(Delta& delta, const Example& example) {
  const PortSet old_ports = between(before_, example.source_before, example.destination_before);
  const PortSet new_ports = between(after_, example.source_after, example.destination_after);
  const PortSet opened = ports_without(new_ports, old_ports);
  const PortSet closed = ports_without(old_ports, new_ports);
  const bool differs = !opened.empty() || !closed.empty();
  if (differs && !delta.differs()) {
    delta.example = example;
  }
  delta.opened = delta.opened.united_with(opened);
  delta.closed = delta.closed.united_with(closed);
}

void Deltas::compare_pods(bool is_same, const MatchedPods& sources, const MatchedPods& destinations, Delta& delta) {
  const auto compare = [&](const PodPair& source, const PodPair& destination) {
    if (!is_same || (source.before != destination.before && source.after != destination.after)) {
      add_example(delta, example_of(source, destination));
    }
  };
  if (!sources.has_node_traffic) {
    for (const std::uint32_t s : sources.shown) {
      for (const std::uint32_t d : destinations.shown) {
        compare(sources.pairs[s], destinations.pairs[d]);
      }
    }
    return;
  }
  std::set<std::tuple<std::uint32_t, std::uint32_t, bool, bool>> seen;
  for (const PodPair& source : sources.pairs) {
    for (const PodPair& destination : destinations.pairs) {
      if (!is_same || (source.before != destination.before && source.after != destination.after)) {
        const std::tuple key(source.variant, destination.variant,
                             is_together(before_.cluster(), source.before, destination.before),
                             is_together(after_.cluster(), source.after, destination.after));
        if (seen.insert(key).second) {
          compare(source, destination);
        }
      }
    }
  }
}

}  // namespace podwire::analysis
