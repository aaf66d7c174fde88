#include "app/scenario/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

using cluster::Cluster;
using cluster::NamedTarget;
using workload::RequestKind;
using workload::Source;
using workload::Target;
using workload::WorkloadSpec;

// RFC 5737: addresses for documentation, which no cluster routes. `external` is the first host of TEST-NET-3.
const IpAddress kExternalClient = IpAddress::v4(203, 0, 113, 1);

bool runs(const Cluster& cluster, cluster::PodId id) {
  const cluster::Pod& pod = cluster.pods[id.index()];
  return pod.phase == cluster::PodPhase::running && !pod.ip.is_unspecified();
}

std::vector<cluster::PodId> running_pods(const Cluster& cluster, const NamedTarget& named) {
  std::vector<cluster::PodId> pods;
  if (named.kind == NamedTarget::Kind::pod) {
    if (runs(cluster, named.pod)) {
      pods.push_back(named.pod);
    }
  } else {
    for (const cluster::PodId pod : cluster.workloads[named.workload.index()].pods) {
      if (runs(cluster, pod)) {
        pods.push_back(pod);
      }
    }
  }
  return pods;
}

std::optional<std::vector<cluster::PodId>> require_pods(const Cluster& cluster, const NamedTarget& named,
                                                        const Text& text, Diagnostics& diagnostics) {
  auto pods = running_pods(cluster, named);
  if (pods.empty()) {
    diagnostics.error("no-running-pod", fmt::format("\"{}\" has no running pod", printable(text.text)), text.span,
                      "pending, finished and terminated pods neither send nor answer");
    return std::nullopt;
  }
  return pods;
}

struct Scheme {
  std::string_view name;
  RequestKind kind;
  std::uint16_t default_port;  // 0: none
};
constexpr Scheme kSchemes[] = {
    {"http", RequestKind::http, 80},
    {"tcp", RequestKind::tcp_probe, 0},
    {"udp", RequestKind::udp_probe, 0},
    {"dns", RequestKind::dns_probe, 0},
};

// What a destination's text says once its scheme, path and port are taken off.
struct Address {
  const Scheme* scheme = nullptr;
  NameAndPort host;
};

std::optional<Address> read_address(const Text& text, Diagnostics& diagnostics) {
  const auto fail = [&](std::string message, std::string help = {}) -> std::optional<Address> {
    diagnostics.error("bad-target", std::move(message), text.span, std::move(help));
    return std::nullopt;
  };
  std::string_view rest = text.text;
  Address address;
  if (const std::size_t colon = rest.find("://"); colon != std::string_view::npos) {
    const std::string_view name = rest.substr(0, colon);
    const auto scheme =
        std::find_if(std::begin(kSchemes), std::end(kSchemes), [&](const Scheme& s) { return s.name == name; });
    if (scheme == std::end(kSchemes)) {
      if (name == "https") {
        diagnostics.error("not-supported-yet", "https is not supported yet: TLS handshakes are not played", text.span,
                          "use http with the port that the server listens on");
        return std::nullopt;
      }
      return fail(fmt::format("no scheme is called \"{}\"", printable(name, 30)), "known: http, tcp, udp, dns");
    }
    address.scheme = scheme;
    rest.remove_prefix(colon + 3);
    rest = rest.substr(0, rest.find_first_of("/?#"));
    if (rest.find('@') != std::string_view::npos) {
      diagnostics.add({.severity = Severity::error,
                       .code = "bad-target",
                       .message = "a URL with credentials is not taken",
                       .span = text.span,
                       .help = "leave out what stands before the @",
                       .hides_source_line = true});
      return std::nullopt;
    }
  }
  const auto split = split_port(rest);
  if (!split || split->name.empty()) {
    return fail(address.scheme != nullptr ? "the URL names no host, or its port is none"
                                          : fmt::format("\"{}\" has no valid port", printable(rest, 100)));
  }
  address.host = *split;
  return address;
}

// Fills in what an object or address of the cluster means as a destination.
bool place_target(const Cluster& cluster, const Text& text, const std::string& name, Target& target,
                  Diagnostics& diagnostics) {
  if (const auto ip = IpAddress::parse(name)) {
    target.kind = Target::Kind::address;
    target.address = *ip;
    return true;
  }
  if (name.find('/') == std::string::npos) {
    target.kind = Target::Kind::host;
    target.host = name;
    return true;
  }
  const auto named = cluster::resolve_name(cluster, name, false, text.span, diagnostics);
  if (!named) {
    return false;
  }
  switch (named->kind) {
    case NamedTarget::Kind::address:
      target.kind = Target::Kind::address;
      target.address = named->address;
      return true;
    case NamedTarget::Kind::service: {
      const cluster::Service& service = cluster.services[named->service.index()];
      if (service.cluster_ip.is_unspecified()) {
        diagnostics.error("bad-target", fmt::format("Service \"{}\" has no ClusterIP to send to", printable(name)),
                          text.span, "clients reach it by its DNS name: write it as a URL");
        return false;
      }
      target.kind = Target::Kind::service;
      target.service = named->service;
      return true;
    }
    case NamedTarget::Kind::workload:
    case NamedTarget::Kind::pod: {
      auto pods = require_pods(cluster, *named, text, diagnostics);
      target.kind = Target::Kind::pods;
      target.pods = pods.value_or(std::vector<cluster::PodId>());
      return pods.has_value();
    }
  }
  return false;
}

// The only TCP (or UDP) port of a Service or of the target pods' declarations, when there is exactly one.
Port single_port(const Cluster& cluster, const Target& target, IpProtocol protocol) {
  std::vector<Port> ports;
  if (target.kind == Target::Kind::service) {
    for (const cluster::ServicePort& port : cluster.services[target.service.index()].ports) {
      if (port.protocol == protocol) {
        ports.push_back(port.port);
      }
    }
  } else if (target.kind == Target::Kind::pods) {
    for (const cluster::ContainerPort& port : cluster.pod_template(target.pods.front()).ports) {
      if (port.protocol == protocol) {
        ports.push_back(port.number);
      }
    }
  }
  return ports.size() == 1 ? ports.front() : Port();
}

void warn_about_service_port(const Cluster& cluster, const Target& target, const Text& text, Diagnostics& diagnostics) {
  if (target.kind != Target::Kind::service) {
    return;
  }
  const cluster::Service& service = cluster.services[target.service.index()];
  std::string ports;
  for (const cluster::ServicePort& port : service.ports) {
    if (port.port == target.port && port.protocol == target.protocol) {
      return;
    }
    ports += fmt::format("{}{}/{}", ports.empty() ? "" : ", ", port.port.number(), to_string(port.protocol));
  }
  diagnostics.warning("unknown-service-port",
                      fmt::format("Service \"{}\" has no port {}/{}", printable(cluster.service_name(target.service)),
                                  target.port.number(), to_string(target.protocol)),
                      text.span, fmt::format("its ports: {}", ports));
}

bool choose_port(const Cluster& cluster, const WorkloadFile& file, const Address& address, const WorkloadSpec& spec,
                 Target& target, Diagnostics& diagnostics) {
  target.protocol = spec.kind == RequestKind::udp_probe ? IpProtocol::udp : IpProtocol::tcp;
  if (address.host.protocol && *address.host.protocol != target.protocol) {
    diagnostics.error(
        "bad-target",
        fmt::format("a {} workload does not send {}", to_string(spec.kind), to_string(*address.host.protocol)),
        file.to.span);
    return false;
  }
  if (file.port && address.host.port.is_valid() && *file.port != address.host.port) {
    diagnostics.error("bad-target", "`to` and `port` name different ports", file.to.span);
    return false;
  }
  target.port = address.host.port.is_valid() ? address.host.port : file.port.value_or(Port());
  if (!target.port.is_valid() && (target.kind == Target::Kind::service || target.kind == Target::Kind::pods)) {
    target.port = single_port(cluster, target, target.protocol);
  }
  if (!target.port.is_valid() && spec.kind == RequestKind::http &&
      (target.kind == Target::Kind::host || target.kind == Target::Kind::address)) {
    target.port = Port(80);
  }
  if (!target.port.is_valid()) {
    diagnostics.error("missing-port", fmt::format("\"{}\" says no port", printable(file.to.text)), file.to.span,
                      "add `port:`, or `:PORT` to the destination");
    return false;
  }
  warn_about_service_port(cluster, target, file.to, diagnostics);
  return true;
}

}  // namespace

std::optional<NameAndPort> split_port(std::string_view text) {
  NameAndPort result;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || (close + 1 < text.size() && text[close + 1] != ':')) {
      return std::nullopt;
    }
    result.name = std::string(text.substr(1, close - 1));
    if (close + 1 == text.size()) {
      return result;
    }
    port = text.substr(close + 2);
  } else {
    const std::size_t colon = text.rfind(':');
    // A second colon means an IPv6 address, which has its port only in brackets.
    if (colon == std::string_view::npos || text.find(':') != colon) {
      result.name = std::string(text);
      return result;
    }
    result.name = std::string(text.substr(0, colon));
    port = text.substr(colon + 1);
  }
  const auto parsed = parse_port(port);
  if (!parsed) {
    return std::nullopt;
  }
  result.port = parsed->second;
  if (port.find('/') != std::string_view::npos) {
    result.protocol = parsed->first;
  }
  return result;
}

std::optional<Source> resolve_source(const Cluster& cluster, const Text& text, Diagnostics& diagnostics) {
  Source source;
  if (text.text == "external") {
    source.name = "external";
    source.external = kExternalClient;
    return source;
  }
  const auto named = cluster::resolve_name(cluster, text.text, true, text.span, diagnostics);
  if (!named) {
    return std::nullopt;
  }
  switch (named->kind) {
    case NamedTarget::Kind::address:
      source.name = named->address.to_string();
      source.external = named->address;
      if (const cluster::PodId pod = cluster.pod_at(named->address); pod.is_valid()) {
        source.pods = {pod};
        source.name = cluster.full_pod_name(pod);
        source.external = {};
      }
      return source;
    case NamedTarget::Kind::service:
      diagnostics.error("bad-source", fmt::format("Service \"{}\" sends nothing", printable(text.text)), text.span,
                        "name the workload or the pod that does");
      return std::nullopt;
    case NamedTarget::Kind::workload:
      source.workload = named->workload;
      source.name = cluster.workload_name(named->workload);
      break;
    case NamedTarget::Kind::pod:
      source.workload = cluster.pods[named->pod.index()].workload;
      source.name = cluster.full_pod_name(named->pod);
      break;
  }
  auto pods = require_pods(cluster, *named, text, diagnostics);
  if (!pods) {
    return std::nullopt;
  }
  source.pods = std::move(*pods);
  return source;
}

bool resolve_target(const Cluster& cluster, const WorkloadFile& file, WorkloadSpec& spec, Diagnostics& diagnostics) {
  const auto address = read_address(file.to, diagnostics);
  if (!address) {
    return false;
  }
  if (address->scheme != nullptr && address->scheme->kind != spec.kind) {
    diagnostics.error(
        "bad-target",
        fmt::format("{}:// does not fit a workload of kind {}", address->scheme->name, to_string(spec.kind)),
        file.to.span, fmt::format("write `kind: {}`", to_string(address->scheme->kind)));
    return false;
  }
  Target& target = spec.to;
  target.name = file.to.text.substr(0, file.to.text.find_first_of("?#"));  // queries may hold tokens
  if (spec.kind == RequestKind::dns_probe) {
    target.kind = Target::Kind::host;
    target.host = address->host.name;
    target.protocol = IpProtocol::udp;
  } else if (!place_target(cluster, file.to, address->host.name, target, diagnostics) ||
             !choose_port(cluster, file, *address, spec, target, diagnostics)) {
    return false;
  }
  if (target.kind == Target::Kind::host && spec.from.is_external()) {
    diagnostics.error("bad-target", "a client outside the cluster does not use the cluster's DNS", file.to.span,
                      "name a Service, a workload or an address");
    return false;
  }
  return true;
}

}  // namespace podwire::scenario
