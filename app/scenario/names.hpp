// Names of the scenario and of the command line resolved against a cluster: who sends (Source), where to (Target), and
// both ends of a connection to be judged (ConnectionSpec).
#pragma once

#include <optional>
#include <string_view>

#include "app/scenario/load.hpp"

namespace podwire::scenario {

/// `external` (a documentation address), an address, `namespace/kind/name` or `namespace/name`. A workload or pod needs
/// a running pod. Errors: those of cluster::resolve_name; bad-source, no-running-pod.
std::optional<workload::Source> resolve_source(const cluster::Cluster& cluster, const Text& text,
                                               Diagnostics& diagnostics);

/// A workload's destination: a URL (http://, tcp://, udp://, dns:), an object of the cluster, an address or a host
/// name, each perhaps with `:port`. Sets `spec.to`, and checks that source, kind and destination fit. Errors:
/// bad-target, no-running-pod, missing-port, not-supported-yet; warning: unknown-service-port.
bool resolve_target(const cluster::Cluster& cluster, const WorkloadFile& file, workload::WorkloadSpec& spec,
                    Diagnostics& diagnostics);

/// Both ends of a connection. `port` is dialled: a Service's own port, a pod's port otherwise; without one a Service
/// with a single port gives it, and any other destination stands for all ports. Errors as above; unknown-service-port,
/// no-backend.
std::optional<ConnectionSpec> resolve_connection(const cluster::Cluster& cluster, const Text& from, const Text& to,
                                                 std::optional<IpProtocol> protocol, Port port,
                                                 Diagnostics& diagnostics);

/// Splits `name:port` or `name:port/UDP`; the port part is absent when the text has none. IPv6 addresses with a port
/// are written `[address]:port`. Nothing when a port is malformed.
struct NameAndPort {
  std::string name;
  std::optional<IpProtocol> protocol;
  Port port;
};
std::optional<NameAndPort> split_port(std::string_view text);

}  // namespace podwire::scenario
