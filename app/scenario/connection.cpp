// Both ends of a connection to be judged, by name.
#include <fmt/format.h>

#include "app/scenario/names.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

using cluster::Cluster;
using cluster::NamedTarget;

const cluster::ServicePort* find_service_port(const cluster::Service& service, std::optional<IpProtocol> protocol,
                                              Port port) {
  for (const cluster::ServicePort& candidate : service.ports) {
    const bool fits = (!port.is_valid() && service.ports.size() == 1) || candidate.port == port;
    if (fits && (!protocol || candidate.protocol == *protocol)) {
      return &candidate;
    }
  }
  return nullptr;
}

std::string port_list(const cluster::Service& service) {
  std::string ports;
  for (const cluster::ServicePort& port : service.ports) {
    ports += fmt::format("{}{}/{}", ports.empty() ? "" : ", ", port.port.number(), to_string(port.protocol));
  }
  return ports;
}

// A Service stands for its ready backends, at the port they are reached at behind the one that was dialled.
bool add_backends(const Cluster& cluster, cluster::ServiceId id, const Text& to, ConnectionSpec& connection,
                  std::optional<IpProtocol> protocol, Diagnostics& diagnostics) {
  const cluster::Service& service = cluster.services[id.index()];
  const std::string name = printable(cluster.service_name(id));
  if (service.type == cluster::ServiceType::external_name) {
    diagnostics.error(
        "bad-target",
        fmt::format("Service \"{}\" is only another name for \"{}\"", name, printable(service.external_name)), to.span,
        "name that");
    return false;
  }
  const cluster::ServicePort* port = find_service_port(service, protocol, connection.dialled);
  if (port == nullptr) {
    diagnostics.error("unknown-service-port",
                      connection.dialled.is_valid()
                          ? fmt::format("Service \"{}\" has no port {}/{}", name, connection.dialled.number(),
                                        to_string(connection.protocol))
                          : fmt::format("Service \"{}\" has several ports", name),
                      to.span, fmt::format("its ports: {}", port_list(service)));
    return false;
  }
  connection.protocol = port->protocol;
  connection.dialled = port->port;
  connection.service_ip = service.cluster_ip;
  for (const cluster::Backend& backend : port->backends) {
    if (backend.is_ready) {
      connection.destinations.push_back({backend.pod, backend.ip, backend.port});
    }
  }
  if (connection.destinations.empty()) {
    diagnostics.error("no-backend", fmt::format("Service \"{}\" has no ready backend", name), to.span,
                      "connections to it are refused, whatever the policies say");
    return false;
  }
  return true;
}

bool add_pods(const Cluster& cluster, const NamedTarget& named, const Text& to, ConnectionSpec& connection,
              Diagnostics& diagnostics) {
  const auto add = [&](cluster::PodId id) {
    const cluster::Pod& pod = cluster.pods[id.index()];
    if (pod.phase == cluster::PodPhase::running && !pod.ip.is_unspecified()) {
      connection.destinations.push_back({id, pod.ip, connection.dialled});
    }
  };
  if (named.kind == NamedTarget::Kind::pod) {
    add(named.pod);
  } else {
    for (const cluster::PodId pod : cluster.workloads[named.workload.index()].pods) {
      add(pod);
    }
  }
  if (connection.destinations.empty()) {
    diagnostics.error("no-running-pod", fmt::format("\"{}\" has no running pod", printable(to.text)), to.span);
    return false;
  }
  return true;
}

}  // namespace

std::optional<ConnectionSpec> resolve_connection(const Cluster& cluster, const Text& from, const Text& to,
                                                 std::optional<IpProtocol> protocol, Port port,
                                                 Diagnostics& diagnostics) {
  auto source = resolve_source(cluster, from, diagnostics);
  ConnectionSpec connection{.protocol = protocol.value_or(IpProtocol::tcp), .dialled = port};
  if (to.text == "external") {
    connection.to = "external";
    connection.destinations.push_back({{}, IpAddress::v4(203, 0, 113, 1), port});
  } else {
    // With a port of its own a Service is what people dial; resolve_name reports the candidates when it cannot tell.
    const auto named = cluster::resolve_name(cluster, to.text, false, to.span, diagnostics);
    if (!named) {
      return std::nullopt;
    }
    switch (named->kind) {
      case NamedTarget::Kind::address:
        connection.to = named->address.to_string();
        if (const cluster::ServiceId service = cluster.service_at(named->address); service.is_valid()) {
          if (!add_backends(cluster, service, to, connection, protocol, diagnostics)) {
            return std::nullopt;
          }
        } else {
          connection.destinations.push_back({cluster.pod_at(named->address), named->address, port});
        }
        break;
      case NamedTarget::Kind::service:
        connection.to = cluster.service_name(named->service);
        if (!add_backends(cluster, named->service, to, connection, protocol, diagnostics)) {
          return std::nullopt;
        }
        break;
      case NamedTarget::Kind::workload:
      case NamedTarget::Kind::pod:
        connection.to = named->kind == NamedTarget::Kind::pod ? cluster.full_pod_name(named->pod)
                                                              : cluster.workload_name(named->workload);
        if (!add_pods(cluster, *named, to, connection, diagnostics)) {
          return std::nullopt;
        }
        break;
    }
  }
  if (!source) {
    return std::nullopt;
  }
  connection.from = std::move(*source);
  return connection;
}

}  // namespace podwire::scenario
