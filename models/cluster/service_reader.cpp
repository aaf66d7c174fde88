// Reading of Service, Endpoints and EndpointSlice objects. Source: k8s.io/api core/v1 and discovery/v1 types.go.
#include <fmt/format.h>

#include "models/cluster/services.hpp"
#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::cluster {
namespace {

constexpr std::int64_t kMaxPort = 65'535;

Port port_of(std::int64_t number) {
  return Port(static_cast<std::uint16_t>(number));
}

IpProtocol protocol_of(config::ObjectReader& reader) {
  if (reader.get("protocol").is_null()) {
    return IpProtocol::tcp;
  }
  const auto choice = reader.choice("protocol", {"TCP", "UDP", "SCTP"});  // in the order of IpProtocol
  return choice ? static_cast<IpProtocol>(*choice) : IpProtocol::tcp;
}

// IntOrString: a quoted number is a name to the API too, and then matches nothing.
TargetPort read_target(config::ObjectReader& reader) {
  const config::Node node = reader.get("targetPort");
  if (node.is_null() || node.text().empty()) {
    return {};
  }
  const char first = node.text()[0];
  if (!node.is_quoted() && first >= '0' && first <= '9') {
    const auto number = reader.integer("targetPort", 1, kMaxPort);
    return number ? TargetPort{.number = port_of(*number), .name = {}} : TargetPort{};
  }
  return {.number = {}, .name = reader.string("targetPort").value_or("")};
}

void read_ports(config::ObjectReader& spec, Service& service) {
  for (const config::Node item : spec.list("ports")) {
    config::ObjectReader reader(item, spec.object(), spec.diagnostics());
    ServicePort port{.name = reader.string("name").value_or(""),
                     .protocol = protocol_of(reader),
                     .port = {},
                     .target = read_target(reader),
                     .node_port = {},
                     .backends = {},
                     .span = item.span()};
    reader.require("port");
    if (const auto number = reader.integer("port", 1, kMaxPort)) {
      port.port = port_of(*number);
      port.node_port = port_of(reader.integer("nodePort", 0, kMaxPort).value_or(0));
      service.ports.push_back(std::move(port));
    }
  }
}

void read_selector(config::ObjectReader& spec, Service& service) {
  const std::vector<config::Node> members = spec.members("selector");
  if (members.empty()) {
    return;  // an empty selector selects nothing here: the endpoints are somebody else's (core/v1 ServiceSpec)
  }
  LabelSelector selector;
  selector.span = spec.get("selector").span();
  for (const config::Node member : members) {
    if (const auto value = config::as_string(member, spec.object(), spec.diagnostics())) {
      selector.requirements.push_back({.key = std::string(member.key()),
                                       .op = SelectorOperator::in,
                                       .values = {*value},
                                       .span = member.key_span()});
    }
  }
  service.selector = std::move(selector);
}

void read_cluster_ip(config::ObjectReader& spec, ServiceDraft& draft) {
  config::Node given = spec.get("clusterIP");
  if (given.is_null() || given.text().empty()) {
    const auto all = spec.list("clusterIPs");
    given = all.empty() ? config::Node() : all.front();
  }
  if (given.is_null() || given.text().empty()) {
    return;
  }
  if (given.text() == "None") {
    draft.service.is_headless = draft.service.type != ServiceType::external_name;
    return;
  }
  draft.wanted_ip = config::as_ip(given, spec.object(), spec.diagnostics());
  draft.ip_span = given.span();
}

}  // namespace

std::optional<ServiceDraft> read_service(BuildState& state, const Object& object) {
  const std::string name = object.full_name();
  config::ObjectReader root(object.node, name, state.diagnostics);
  config::ObjectReader spec(root.require("spec"), name, state.diagnostics);
  ServiceDraft draft;
  Service& service = draft.service;
  service.name_space = state.find_namespace(object.name_space);
  service.name = object.name;
  service.span = object.span;
  if (!spec.get("type").is_null() && !spec.get("type").text().empty()) {
    // In the order of ServiceType.
    const auto type = spec.choice("type", {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"});
    service.type = type ? static_cast<ServiceType>(*type) : ServiceType::cluster_ip;
  }
  read_cluster_ip(spec, draft);
  read_ports(spec, service);
  read_selector(spec, service);
  service.publishes_not_ready = spec.boolean("publishNotReadyAddresses").value_or(false);
  service.has_client_ip_affinity = spec.get("sessionAffinity").text() == "ClientIP";
  service.is_internal_local = spec.get("internalTrafficPolicy").text() == "Local";
  draft.is_dns_labelled = object.node.find("metadata").find("labels").find("k8s-app").text() == "kube-dns";
  if (service.type == ServiceType::external_name) {
    spec.require("externalName");
    service.external_name = spec.string("externalName").value_or("");
    service.selector.reset();
    draft.wanted_ip.reset();
  } else if (service.ports.empty() && !service.is_headless && !state.diagnostics.has_errors()) {
    state.error(object, "missing-key", "a Service with a ClusterIP needs \"ports\"", spec.node());
  }
  return draft;
}

namespace {

void read_addresses(config::ObjectReader& subset, std::string_view key, bool is_ready, EndpointGroup& group) {
  for (const config::Node item : subset.list(key)) {
    config::ObjectReader reader(item, subset.object(), subset.diagnostics());
    const config::Node ip_node = reader.require("ip");
    const auto ip = ip_node.is_null() ? std::nullopt : config::as_ip(ip_node, subset.object(), subset.diagnostics());
    if (ip) {
      group.addresses.push_back({.ip = *ip,
                                 .hostname = reader.string("hostname").value_or(""),
                                 .node_name = reader.string("nodeName").value_or(""),
                                 .is_ready = is_ready});
    }
  }
}

void read_endpoint_ports(config::ObjectReader& holder, EndpointGroup& group) {
  for (const config::Node item : holder.list("ports")) {
    config::ObjectReader reader(item, holder.object(), holder.diagnostics());
    const auto number =
        reader.get("port").is_null() ? std::optional<std::int64_t>() : reader.integer("port", 1, kMaxPort);
    group.ports.push_back({.name = reader.string("name").value_or(""),
                           .protocol = protocol_of(reader),
                           .number = number ? port_of(*number) : Port()});
  }
}

}  // namespace

std::vector<EndpointGroup> read_endpoints(BuildState& state, const Object& object) {
  const std::string name = object.full_name();
  config::ObjectReader root(object.node, name, state.diagnostics);
  std::vector<EndpointGroup> groups;
  for (const config::Node item : root.list("subsets")) {
    config::ObjectReader subset(item, name, state.diagnostics);
    EndpointGroup group{.name_space = object.name_space, .service = object.name, .ports = {}, .addresses = {}};
    read_addresses(subset, "addresses", true, group);
    read_addresses(subset, "notReadyAddresses", false, group);
    read_endpoint_ports(subset, group);
    groups.push_back(std::move(group));
  }
  return groups;
}

std::optional<EndpointGroup> read_endpoint_slice(BuildState& state, const Object& object) {
  const std::string name = object.full_name();
  config::ObjectReader root(object.node, name, state.diagnostics);
  const std::string_view service =
      object.node.find("metadata").find("labels").find("kubernetes.io/service-name").text();
  if (service.empty() || root.get("addressType").text() == "FQDN") {
    return std::nullopt;  // no Service uses it; kube-proxy ignores FQDN slices
  }
  EndpointGroup group{.name_space = object.name_space, .service = std::string(service), .ports = {}, .addresses = {}};
  read_endpoint_ports(root, group);
  for (const config::Node item : root.list("endpoints")) {
    config::ObjectReader endpoint(item, name, state.diagnostics);
    config::ObjectReader conditions(endpoint.get("conditions"), name, state.diagnostics);
    const bool is_terminating = conditions.boolean("terminating").value_or(false);
    // An unset `ready` counts as true (discovery/v1 EndpointConditions).
    const bool is_ready = conditions.boolean("ready").value_or(true);
    const std::string hostname = endpoint.string("hostname").value_or("");
    const std::string node_name = endpoint.string("nodeName").value_or("");
    const std::vector<config::Node> addresses = endpoint.list("addresses");
    if (addresses.empty()) {
      continue;
    }
    // Addresses of one endpoint are fungible: consumers use the first (discovery/v1 Endpoint.addresses).
    if (const auto ip = config::as_ip(addresses.front(), name, state.diagnostics)) {
      group.addresses.push_back({.ip = *ip,
                                 .hostname = hostname,
                                 .node_name = node_name,
                                 .is_ready = is_ready,
                                 .is_terminating = is_terminating});
    }
  }
  return group;
}

}  // namespace podwire::cluster
