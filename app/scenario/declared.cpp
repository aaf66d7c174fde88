#include "app/scenario/declared.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "app/scenario/file.hpp"
#include "app/scenario/lookup.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

using analysis::DeclaredConnection;
using cluster::Cluster;
using config::Node;
using flows::End;
using flows::EndKind;

constexpr std::string_view kHostNames[] = {"HOST", "HOSTNAME", "ADDR", "ADDRESS", "SERVER", "ENDPOINT"};
// In these a lone word with a port is meant as a peer, whether or not anybody is called so.
constexpr std::string_view kPeerNames[] = {"HOST",      "HOSTS",  "HOSTNAME", "ADDR",     "ADDRS",     "ADDRESS",
                                           "ADDRESSES", "SERVER", "SERVERS",  "ENDPOINT", "ENDPOINTS", "URL",
                                           "URLS",      "URI",    "BROKERS",  "TARGET"};

bool is_upper_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return (x >= 'a' && x <= 'z' ? static_cast<char>(x - 32) : x) == y;
         });
}

/// "DB_HOST" → "DB_PORT"; "" when it is called otherwise, or holds where to listen.
std::string port_variable(std::string_view name) {
  const std::size_t bar = name.rfind('_');
  if (bar == std::string_view::npos || bar == 0) {
    return "";
  }
  const std::string_view first = name.substr(0, name.find('_'));
  for (const std::string_view own : {"LISTEN", "BIND", "POD", "NODE"}) {
    if (is_upper_equal(first, own)) {
      return "";
    }
  }
  const std::string_view last = name.substr(bar + 1);
  const bool is_host = std::any_of(std::begin(kHostNames), std::end(kHostNames),
                                   [&](std::string_view word) { return is_upper_equal(last, word); });
  return is_host ? std::string(name.substr(0, bar + 1)) + (last[0] < 'a' ? "PORT" : "port") : "";
}

bool is_peer_variable(std::string_view name) {
  const std::size_t bar = name.rfind('_');
  const std::string_view last = bar == std::string_view::npos ? name : name.substr(bar + 1);
  return std::any_of(std::begin(kPeerNames), std::end(kPeerNames),
                     [&](std::string_view word) { return is_upper_equal(last, word); });
}

/// The containers of a workload's pods.
Node pod_spec(const cluster::Object& object) {
  const Node spec = object.node.find("spec");
  if (object.kind == "Pod") {
    return spec;
  }
  return (object.kind == "CronJob" ? spec.find("jobTemplate").find("spec") : spec).find("template").find("spec");
}

std::optional<cluster::WorkloadKind> workload_kind(const cluster::Object& object) {
  using cluster::WorkloadKind;
  constexpr std::pair<std::string_view, WorkloadKind> kKinds[] = {
      {"Deployment", WorkloadKind::deployment},
      {"ReplicaSet", WorkloadKind::replica_set},
      {"StatefulSet", WorkloadKind::stateful_set},
      {"DaemonSet", WorkloadKind::daemon_set},
      {"Job", WorkloadKind::job},
      {"CronJob", WorkloadKind::cron_job},
      {"ReplicationController", WorkloadKind::replication_controller},
  };
  const std::string_view group = object.group();
  if (!group.empty() && group != "apps" && group != "batch") {
    return std::nullopt;
  }
  for (const auto& [name, kind] : kKinds) {
    if (object.kind == name) {
      return kind;
    }
  }
  return std::nullopt;
}

class DeclaredReader {
 public:
  DeclaredReader(const cluster::ObjectStore& store, const Cluster& cluster, const dns::ExternalRecords& externals)
      : store_(store), cluster_(cluster), sources_(store), resolver_(cluster, externals) {}

  DeclaredTraffic read() {
    std::vector<Node> specs(cluster_.workloads.size());
    for (const cluster::Object& object : store_.objects()) {
      const cluster::NamespaceId where = cluster_.find_namespace(object.name_space);
      const auto kind = workload_kind(object);
      if (!kind || !where.is_valid()) {
        continue;
      }
      if (const cluster::WorkloadId id = cluster_.find_workload(where, *kind, object.name); id.is_valid()) {
        specs[id.index()] = pod_spec(object);
      }
    }
    // Pods stand for workloads whose owner the input does not have.
    for (const cluster::Object& object : store_.objects()) {
      const cluster::NamespaceId where = cluster_.find_namespace(object.name_space);
      if (object.kind != "Pod" || !object.group().empty() || !where.is_valid()) {
        continue;
      }
      if (const cluster::PodId pod = cluster_.find_pod(where, object.name); pod.is_valid()) {
        Node& spec = specs[cluster_.pods[pod.index()].workload.index()];
        spec = spec.is_present() ? spec : pod_spec(object);
      }
    }
    for (std::size_t w = 0; w < specs.size(); ++w) {
      read_workload(cluster::WorkloadId(w), specs[w]);
    }
    return finish();
  }

 private:
  void read_workload(cluster::WorkloadId id, Node spec) {
    const cluster::Workload& workload = cluster_.workloads[id.index()];
    const std::string& home = cluster_.namespaces[workload.name_space.index()].name;
    for (const std::string_view key : {"initContainers", "containers"}) {
      for (const Node container : spec.find(key)) {
        const StartValues values = read_start_values(container, home, sources_);
        result_.values += values.values.size();
        for (const UnreadValue& value : values.unread) {
          result_.unread.push_back({.source = id, .name = value.name, .from = value.source, .span = value.span});
        }
        for (const NamedPeer& named : named_peers(values)) {
          resolve(id, named);
        }
      }
    }
  }

  /// The pod whose resolver is asked: the first that runs, else the first.
  cluster::PodId client_of(cluster::WorkloadId id) const {
    const std::vector<cluster::PodId>& pods = cluster_.workloads[id.index()].pods;
    const auto running = std::find_if(pods.begin(), pods.end(), [&](cluster::PodId pod) {
      return cluster_.pods[pod.index()].phase == cluster::PodPhase::running;
    });
    return running != pods.end() ? *running : pods.empty() ? cluster::PodId() : pods.front();
  }

  void fail(cluster::WorkloadId source, const NamedPeer& named, std::string reason, std::string help = {}) {
    result_.unresolved.push_back({.source = source,
                                  .name = named.name,
                                  .text = named.peer.text(),
                                  .reason = std::move(reason),
                                  .help = std::move(help),
                                  .span = named.span});
  }

  /// What the host stands for. False when nobody has it; then it was reported where it is certain.
  bool place(cluster::WorkloadId source, cluster::PodId client, const NamedPeer& named, DeclaredConnection& to,
             cluster::ServiceId& service);
  bool place_address(IpAddress ip, DeclaredConnection& to, cluster::ServiceId& service);
  void place_service(cluster::ServiceId id, DeclaredConnection& to) const;
  bool choose_port(cluster::WorkloadId source, const NamedPeer& named, cluster::ServiceId service,
                   DeclaredConnection& to);
  void resolve(cluster::WorkloadId source, const NamedPeer& named);
  void add_lookup(cluster::WorkloadId source, cluster::PodId client, const NamedPeer& named);
  void add(DeclaredConnection connection, const NamedPeer& named);
  bool is_misspelt(const std::string& host) const;
  DeclaredTraffic finish();

  using Key = std::tuple<std::uint32_t, bool, std::string, std::uint16_t, IpProtocol>;
  const cluster::ObjectStore& store_;
  const Cluster& cluster_;
  EnvironmentSources sources_;
  HostResolver resolver_;
  std::map<std::tuple<std::uint32_t, std::string>, Lookup> lookups_;  // template and namespace's shape, host
  std::map<Key, DeclaredConnection> connections_;
  DeclaredTraffic result_;
};

void DeclaredReader::place_service(cluster::ServiceId id, DeclaredConnection& to) const {
  const cluster::Service& service = cluster_.services[id.index()];
  to.destination = fmt::format("{} (Service)", cluster_.service_name(id));
  if (!service.is_headless) {
    to.ends.push_back({.kind = EndKind::service, .id = id.value()});
    return;
  }
  // The client is given pods' addresses and dials them itself.
  const auto add_backend = [&](const cluster::Backend& backend) {
    const End end = backend.pod.is_valid() ? End{.kind = EndKind::pod, .id = backend.pod.value()}
                                           : End{.kind = EndKind::address, .ip = backend.ip};
    if (backend.is_ready && std::find(to.ends.begin(), to.ends.end(), end) == to.ends.end()) {
      to.ends.push_back(end);
    }
  };
  for (const cluster::ServicePort& port : service.ports) {
    std::for_each(port.backends.begin(), port.backends.end(), add_backend);
  }
  std::for_each(service.portless_backends.begin(), service.portless_backends.end(), add_backend);
}

bool DeclaredReader::place_address(IpAddress ip, DeclaredConnection& to, cluster::ServiceId& service) {
  if (service = cluster_.service_at(ip); service.is_valid()) {
    place_service(service, to);
  } else if (const cluster::PodId pod = cluster_.pod_at(ip); pod.is_valid()) {
    to.destination = cluster_.workload_name(cluster_.pods[pod.index()].workload);
    to.ends.push_back({.kind = EndKind::pod, .id = pod.value()});
  } else if (const cluster::NodeId node = cluster_.node_at(ip); node.is_valid()) {
    to.destination = fmt::format("node {}", cluster_.nodes[node.index()].name);
    to.ends.push_back({.kind = EndKind::node, .id = node.value()});
  } else if (cluster_.service_cidr.contains(ip) || cluster_.pod_cidr.contains(ip)) {
    return false;
  } else {
    to.destination = ip.to_string() + "[External]";
    to.ends.push_back({.kind = EndKind::address, .ip = ip});
  }
  return true;
}

/// Whether a name that nobody has looks like one of the cluster: its first label is a Service's, or its second one a
/// namespace's, or it ends as the cluster's names do.
bool DeclaredReader::is_misspelt(const std::string& host) const {
  const std::string name = dns::normalized(host);
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos || name.ends_with(".svc") || name.find(".svc.") != std::string::npos ||
      name.ends_with("." + cluster_.cluster_domain)) {
    return true;
  }
  const std::string first = name.substr(0, dot);
  const std::string second = name.substr(dot + 1, name.find('.', dot + 1) - dot - 1);
  const bool is_short = name.find('.', dot + 1) == std::string::npos;
  return is_short && (cluster_.find_namespace(second).is_valid() ||
                      std::any_of(cluster_.services.begin(), cluster_.services.end(),
                                  [&](const cluster::Service& service) { return service.name == first; }));
}

bool DeclaredReader::place(cluster::WorkloadId source, cluster::PodId client, const NamedPeer& named,
                           DeclaredConnection& to, cluster::ServiceId& service) {
  const std::string& host = named.peer.host;
  const bool is_certain = named.peer.is_certain;
  if (const auto ip = IpAddress::parse(host)) {
    if (!place_address(*ip, to, service)) {
      fail(source, named, fmt::format("no pod and no Service has the address {}", ip->to_string()));
      return false;
    }
    return true;
  }
  const auto key = std::make_tuple(cluster_.pods[client.index()].shape.value(), dns::normalized(host));
  auto known = lookups_.find(key);
  if (known == lookups_.end()) {
    known = lookups_.emplace(key, resolver_.resolve(client, host)).first;
  }
  const Lookup& lookup = known->second;
  if (lookup.is_found()) {
    // A Service by its own name, whatever its addresses; else what the addresses are.
    const std::string_view name = lookup.answer().name;
    const std::size_t first = name.find('.');
    const std::size_t second = first == std::string_view::npos ? first : name.find('.', first + 1);
    if (second != std::string_view::npos && name.substr(second + 1) == "svc." + cluster_.cluster_domain) {
      const cluster::NamespaceId where = cluster_.find_namespace(name.substr(first + 1, second - first - 1));
      service = where.is_valid() ? cluster_.find_service(where, name.substr(0, first)) : cluster::ServiceId();
    }
    if (service.is_valid() && cluster_.services[service.index()].type != cluster::ServiceType::external_name) {
      place_service(service, to);
      return true;
    }
    service = {};
    const auto& addresses = lookup.answer().addresses;
    for (const IpAddress ip : addresses) {
      if (ip.is_v4() == addresses.front().is_v4()) {
        place_address(ip, to, service);
      }
    }
    if (!to.ends.empty() && to.ends.front().kind == EndKind::address) {
      to.destination = host + "[External]";
    }
    return !to.ends.empty();
  }
  const bool is_alias = std::any_of(lookup.queries.begin(), lookup.queries.end(),
                                    [](const LookupQuery& query) { return !query.cnames.empty(); });
  const bool is_assumed = std::any_of(lookup.queries.begin(), lookup.queries.end(),
                                      [](const LookupQuery& query) { return query.is_assumed; });
  const bool is_outside = is_alias || (!is_misspelt(host) && is_assumed);
  if (is_outside && (is_certain || is_alias)) {
    to.destination = host + "[External]";
    to.is_outside = true;
    to.ends = {{.kind = EndKind::public_network}, {.kind = EndKind::private_network}};
    return true;
  }
  // A headless Service whose pods are not ready has a name and no address.
  const bool is_empty = lookup.status == dns::LookupStatus::nodata;
  if (is_certain || is_empty) {
    const std::vector<std::string> others = names_that_would_do(cluster_, lookup);
    fail(source, named,
         is_empty ? fmt::format("\"{}\" has no address: no pod behind it is ready", printable(host))
                  : fmt::format("nobody has the name \"{}\" for pods of {}", printable(host),
                                cluster_.workload_name(source)),
         others.empty() || is_empty ? "" : fmt::format("there is {}", printable(others.front())));
  }
  return false;
}

bool DeclaredReader::choose_port(cluster::WorkloadId source, const NamedPeer& named, cluster::ServiceId service,
                                 DeclaredConnection& to) {
  const PeerScheme* scheme = find_peer_scheme(named.peer.scheme);
  to.protocol = scheme == nullptr ? IpProtocol::tcp : scheme->protocol;
  to.port = named.peer.port;
  const std::vector<cluster::ServicePort>* offered =
      service.is_valid() ? &cluster_.services[service.index()].ports : nullptr;
  if (!to.port.is_valid() && scheme != nullptr && scheme->port != 0) {
    to.port = Port(scheme->port);
    to.port_source = scheme->source;
  }
  if (!to.port.is_valid() && offered != nullptr) {
    std::size_t fitting = 0;
    for (const cluster::ServicePort& port : *offered) {
      if (port.protocol == to.protocol) {
        ++fitting;
        to.port = port.port;
      }
    }
    to.port = fitting == 1 ? to.port : Port();
    to.port_source = "the Service's only port";
  }
  if (!to.port.is_valid()) {
    fail(source, named,
         offered == nullptr ? "no port is given, and the scheme has none"
                            : "no port is given, and the Service has several");
    return false;
  }
  // Pods of a headless Service answer on what ports they like; a ClusterIP has the Service's alone.
  if (offered == nullptr || cluster_.services[service.index()].is_headless) {
    return true;
  }
  std::string ports;
  for (const cluster::ServicePort& port : *offered) {
    if (port.port == to.port && port.protocol == to.protocol) {
      return true;
    }
    ports += fmt::format("{}{}/{}", ports.empty() ? "" : ", ", port.port.number(), to_string(port.protocol));
  }
  fail(source, named,
       fmt::format("Service {} has no port {}/{}", printable(cluster_.service_name(service)), to.port.number(),
                   to_string(to.protocol)),
       fmt::format("its ports: {}", ports));
  return false;
}

void DeclaredReader::resolve(cluster::WorkloadId source, const NamedPeer& named) {
  const cluster::PodId client = client_of(source);
  if (!client.is_valid()) {
    if (named.peer.is_certain) {
      fail(source, named, "the workload has no pod to ask from");
    }
    return;
  }
  DeclaredConnection to;
  to.source = source;
  to.host = named.peer.host;
  cluster::ServiceId service;
  if (!place(source, client, named, to, service) || !choose_port(source, named, service, to)) {
    return;
  }
  if (to.ends.empty()) {
    fail(source, named, fmt::format("{} has no ready pod", printable(to.destination)));
    return;
  }
  if (!IpAddress::parse(to.host)) {
    add_lookup(source, client, named);
  }
  add(std::move(to), named);
}

/// Whoever is declared by a name has to be looked up first.
void DeclaredReader::add_lookup(cluster::WorkloadId source, cluster::PodId client, const NamedPeer& named) {
  const cluster::DnsPolicy policy = cluster_.pod_template(client).dns_policy;
  const bool asks_cluster = policy == cluster::DnsPolicy::cluster_first_with_host_net ||
                            (policy == cluster::DnsPolicy::cluster_first && !cluster_.shape(client).is_host_network);
  if (!cluster_.dns_service.is_valid() || !asks_cluster) {
    return;
  }
  DeclaredConnection to;
  to.source = source;
  to.host = "DNS";
  to.is_lookup = true;
  to.protocol = IpProtocol::udp;
  to.port = Port(53);  // RFC 1035 4.2
  place_service(cluster_.dns_service, to);
  add(std::move(to), named);
}

void DeclaredReader::add(DeclaredConnection connection, const NamedPeer& named) {
  const Key key{connection.source.value(), !connection.is_lookup, connection.destination, connection.port.number(),
                connection.protocol};
  DeclaredConnection& known = connections_.try_emplace(key, std::move(connection)).first->second;
  const bool is_same_place = std::any_of(known.places.begin(), known.places.end(),
                                         [&](const auto& place) { return place.span == named.span; });
  if (!is_same_place && (!known.is_lookup || known.places.empty())) {
    known.places.push_back({.name = named.name, .text = named.peer.text(), .span = named.span});
  }
}

DeclaredTraffic DeclaredReader::finish() {
  for (auto& [key, connection] : connections_) {
    result_.connections.push_back(std::move(connection));
  }
  return std::move(result_);
}

}  // namespace

std::vector<NamedPeer> named_peers(const StartValues& values) {
  std::vector<NamedPeer> named;
  for (const StartValue& value : values.values) {
    const std::size_t before = named.size();
    for (PeerText& peer : peers_of_value(value.text)) {
      peer.is_certain = peer.is_certain || (value.kind == StartValue::Kind::variable && !peer.is_of_words &&
                                            peer.port.is_valid() && is_peer_variable(value.name));
      named.push_back({.name = value.name, .peer = std::move(peer), .span = value.span});
    }
    if (named.size() > before || value.kind != StartValue::Kind::variable || !is_peer_host(value.text)) {
      continue;
    }
    const std::string port_name = port_variable(value.name);
    if (port_name.empty()) {
      continue;
    }
    PeerText peer{.host = value.text};
    if (const StartValue* port = values.find(port_name)) {
      if (const auto number = parse_port(port->text)) {
        peer.port = number->second;
      }
    }
    named.push_back({.name = value.name, .peer = std::move(peer), .span = value.span, .is_by_name = true});
  }
  return named;
}

DeclaredTraffic read_declared(const cluster::ObjectStore& store, const Cluster& cluster,
                              const dns::ExternalRecords& externals) {
  return DeclaredReader(store, cluster, externals).read();
}

}  // namespace podwire::scenario
