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
         *a.ports == *b.ports &&
         ((!a.families_differ() && !b.families_differ()) ||
          (a.in(IpFamily::v4) == b.in(IpFamily::v4) && a.in(IpFamily::v6) == b.in(IpFamily::v6)));
}

Delta delta_of(const ReachSweep::Ports& old_ports, const ReachSweep::Ports& new_ports) {
  Delta delta{.before = old_ports.ports == nullptr ? PortSet() : *old_ports.ports,
              .after = new_ports.ports == nullptr ? PortSet() : *new_ports.ports,
              .is_unknown_before = old_ports.is_unknown,
              .is_unknown_after = new_ports.is_unknown,
              .varies = old_ports.varies || new_ports.varies};
  if (delta.varies) {
    return delta;
  }
  const bool is_pair = old_ports.ports != nullptr && new_ports.ports != nullptr;
  if (!is_pair || (!old_ports.families_differ() && !new_ports.families_differ())) {
    delta.opened = ports_without(delta.after, delta.before);
    delta.closed = ports_without(delta.before, delta.after);
    return delta;
  }
  for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
    const PortSet& was = old_ports.in(family);
    const PortSet& is = new_ports.in(family);
    delta.opened = delta.opened.united_with(ports_without(is, was));
    delta.closed = delta.closed.united_with(ports_without(was, is));
    delta.is_compared[static_cast<std::size_t>(family)] = true;
    delta.is_other[static_cast<std::size_t>(family)] = was != is;
  }
  if (const auto family = delta.family()) {
    delta.before = old_ports.in(*family);
    delta.after = new_ports.in(*family);
  }
  return delta;
}

Example Deltas::example_of(const PodPair& source, const PodPair& destination, std::optional<IpFamily> family) const {
  Example example = analysis::example_of(source, destination);
  if (family) {
    const auto at = [&](const PolicyEngine& engine, Peer& end) {
      end.ip = engine.cluster().address_of(end.pod, *family);
    };
    at(before_, example.source_before);
    at(before_, example.destination_before);
    at(after_, example.source_after);
    at(after_, example.destination_after);
  }
  return example;
}

void Deltas::add_pair(Delta& delta, const PodPair& source, const PodPair& destination) {
  const bool has_one_family = before_.profile().policy.is_ipv4_only ||
                              (before_.cluster().second_addresses.empty() && after_.cluster().second_addresses.empty());
  if (has_one_family) {
    add_example(delta, analysis::example_of(source, destination));
    return;
  }
  bool is_shared = false;
  for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
    const auto speak = [&](const PolicyEngine& engine, cluster::PodId a, cluster::PodId b) {
      return engine.view().pods[a.index()].speaks(family) && engine.view().pods[b.index()].speaks(family);
    };
    if (speak(before_, source.before, destination.before) || speak(after_, source.after, destination.after)) {
      add_example(delta, example_of(source, destination, family), family);
      is_shared = true;
    }
  }
  if (!is_shared) {
    add_example(delta, analysis::example_of(source, destination));
  }
}

void Deltas::add_example(Delta& delta, const Example& example, std::optional<IpFamily> family) {
  const PortSet old_ports = between(before_, example.source_before, example.destination_before);
  const PortSet new_ports = between(after_, example.source_after, example.destination_after);
  const PortSet opened = ports_without(new_ports, old_ports);
  const PortSet closed = ports_without(old_ports, new_ports);
  const bool differs = !opened.empty() || !closed.empty();
  if (differs && !delta.differs()) {
    delta.example = example;
    delta.example->opened = opened;
    delta.example->closed = closed;
  }
  if (family) {
    delta.is_compared[static_cast<std::size_t>(*family)] = true;
    delta.is_other[static_cast<std::size_t>(*family)] |= differs;
  }
  delta.opened = delta.opened.united_with(opened);
  delta.closed = delta.closed.united_with(closed);
}

void Deltas::compare_pods(bool is_same, const MatchedPods& sources, const MatchedPods& destinations, Delta& delta) {
  const auto compare = [&](const PodPair& source, const PodPair& destination) {
    if (!is_same || (source.before != destination.before && source.after != destination.after)) {
      add_pair(delta, source, destination);
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
