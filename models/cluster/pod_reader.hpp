// What a pod's metadata, spec and status say as far as the network is concerned.
//
// Reading is lenient about members we do not know (manifests hold hundreds), strict about the types of those we read.
// Values of env, volumes, commands and annotations are never looked at. Left out: affinity, topology spread, hostPort,
// hostAliases, priority.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "sim/config/document.hpp"

namespace podwire::cluster {

/// Where readers put what they find.
struct ReadContext {
  StringPool& strings;
  LabelSets& label_sets;
  Diagnostics& diagnostics;
};

/// Reads metadata.labels (validated); `extra` labels are laid over them.
LabelSetId read_labels(config::Node labels, const std::string& object, ReadContext& context,
                       const std::vector<Label>& extra = {});

/// Reports what read_labels() would, for labels that are read another way.
void check_labels(config::Node labels, const std::string& object, Diagnostics& diagnostics);

/// Reads the spec of a pod or of a pod template. `metadata` is that of the pod or template.
PodTemplate read_pod_template(config::Node metadata, config::Node spec, const std::string& object,
                              ReadContext& context);

/// The owner that a pod (or an object between) is controlled by.
struct OwnerReference {
  std::string api_version;
  std::string kind;  // "" when the reference does not say
  std::string name;
};

/// metadata.ownerReferences: the one with `controller: true`, else the first.
std::optional<OwnerReference> read_controller(config::Node metadata, const std::string& object,
                                              Diagnostics& diagnostics);

/// metadata.deletionTimestamp, spec.nodeName and status of a pod.
struct PodStatus {
  std::string node_name;
  std::vector<IpAddress> ips;  // podIP first; one of a family
  std::vector<Span> ip_spans;  // where each of them stands
  std::optional<IpAddress> host_ip;
  PodPhase phase = PodPhase::running;
  bool is_ready = true;
  bool is_terminating = false;
};

/// Errors: those of reading; two-addresses-of-one-family.
PodStatus read_pod_status(config::Node pod, const std::string& object, Diagnostics& diagnostics);

}  // namespace podwire::cluster
