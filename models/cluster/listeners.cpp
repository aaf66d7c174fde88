// What each shape answers on: declared ports, target ports of the Services that select it, its probes' ports, and what
// the scenario lists. Declared ports are information only in Kubernetes, so each listener keeps why it is believed.
#include <fmt/format.h>

#include <algorithm>

#include "models/cluster/build.hpp"

namespace podwire::cluster {
namespace {

using Origin = Cluster::ListenerOrigin;

void add_service_targets(Cluster& cluster) {
  for (const Service& service : cluster.services) {
    for (const ServicePort& port : service.ports) {
      ShapeId last;
      for (const Backend& backend : port.backends) {
        if (!backend.pod.is_valid()) {
          continue;
        }
        // Backends of a shape come in a row; what is added twice is dropped when sorting.
        if (const ShapeId shape = cluster.pods[backend.pod.index()].shape; shape != last) {
          last = shape;
          cluster.listeners[shape.index()].push_back(
              {.protocol = port.protocol, .port = backend.port, .origin = Origin::service_target});
        }
      }
    }
  }
}

void add_extra(BuildState& state) {
  Cluster& cluster = state.cluster;
  for (const ExtraListener& extra : state.options.listens) {
    const auto target = resolve_name(cluster, extra.workload, true, extra.span, state.diagnostics);
    if (!target) {
      continue;
    }
    const auto add = [&](PodId pod) {
      auto& listeners = cluster.listeners[cluster.pods[pod.index()].shape.index()];
      const Cluster::Listener listener{.protocol = extra.protocol, .port = extra.port, .origin = Origin::scenario};
      if (listeners.empty() || listeners.back() != listener) {
        listeners.push_back(listener);
      }
    };
    if (target->kind == NamedTarget::Kind::workload) {
      std::ranges::for_each(cluster.workloads[target->workload.index()].pods, add);
    } else if (target->kind == NamedTarget::Kind::pod) {
      add(target->pod);
    } else {
      state.diagnostics.error("unknown-listener-target", "only workloads and pods listen", extra.span,
                              "write namespace/kind/name of a workload");
    }
  }
}

}  // namespace

void find_listeners(BuildState& state) {
  Cluster& cluster = state.cluster;
  cluster.listeners.resize(cluster.shapes.size());
  for (std::size_t i = 0; i < cluster.shapes.size(); ++i) {
    const PodTemplate& pod_template = cluster.templates[cluster.shapes[i].pod_template.index()];
    for (const ContainerPort& port : pod_template.ports) {
      cluster.listeners[i].push_back({.protocol = port.protocol, .port = port.number, .origin = Origin::declared});
    }
    for (const ContainerPort& port : pod_template.probe_ports) {
      cluster.listeners[i].push_back({.protocol = port.protocol, .port = port.number, .origin = Origin::probe});
    }
  }
  add_service_targets(cluster);
  add_extra(state);
  for (auto& listeners : cluster.listeners) {
    // Sorted by origin too: of several reasons the first in the enumeration stays.
    std::ranges::sort(listeners);
    const auto repeated =
        std::unique(listeners.begin(), listeners.end(), [](const Cluster::Listener& a, const Cluster::Listener& b) {
          return a.protocol == b.protocol && a.port == b.port;
        });
    listeners.erase(repeated, listeners.end());
  }
}

}  // namespace podwire::cluster
