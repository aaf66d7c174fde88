// Services and endpoints as their objects say, before they are joined to pods. Internal to this folder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/cluster/build.hpp"

namespace podwire::cluster {

/// A Service and what only the joining needs to know.
struct ServiceDraft {
  Service service = {};
  std::optional<IpAddress> wanted_ip = {};  // spec.clusterIP
  Span ip_span = {};
  bool is_dns_labelled = false;  // k8s-app=kube-dns
  bool is_late = false;          // it comes later in a timeline: the others' addresses do not depend on it
};

/// Anew, for a cluster whose pods or labels changed: the backends of Services that have a selector.
void join_selectors(Cluster& cluster);

std::optional<ServiceDraft> read_service(BuildState& state, const Object& object);

/// One port of an endpoints object; none of `number`: every port as it is.
struct EndpointPort {
  std::string name;
  IpProtocol protocol = IpProtocol::tcp;
  Port number;
};

struct EndpointAddress {
  IpAddress ip;
  std::string hostname;
  std::string node_name;
  bool is_ready = true;
  bool is_terminating = false;
};

/// A subset of an Endpoints object, or an EndpointSlice.
struct EndpointGroup {
  std::string name_space;
  std::string service;
  std::vector<EndpointPort> ports;
  std::vector<EndpointAddress> addresses;
};

std::vector<EndpointGroup> read_endpoints(BuildState& state, const Object& object);
std::optional<EndpointGroup> read_endpoint_slice(BuildState& state, const Object& object);

}  // namespace podwire::cluster
