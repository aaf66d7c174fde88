// Look-ups on a finished cluster, and the names people see.
#include "models/cluster/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "models/cluster/build.hpp"
#include "models/cluster/pod_names.hpp"

namespace podwire::cluster {
namespace {

std::uint64_t name_key(NamespaceId name_space, StringId name) {
  return std::uint64_t{name_space.value()} << 32 | name.value();
}

bool is_finished(const Pod& pod) {
  return pod.phase == PodPhase::succeeded || pod.phase == PodPhase::failed;
}

}  // namespace

std::string_view to_string(WorkloadKind kind) {
  switch (kind) {
    case WorkloadKind::deployment:
      return "Deployment";
    case WorkloadKind::replica_set:
      return "ReplicaSet";
    case WorkloadKind::stateful_set:
      return "StatefulSet";
    case WorkloadKind::daemon_set:
      return "DaemonSet";
    case WorkloadKind::job:
      return "Job";
    case WorkloadKind::cron_job:
      return "CronJob";
    case WorkloadKind::replication_controller:
      return "ReplicationController";
    case WorkloadKind::pod:
      return "Pod";
  }
  return "?";
}

void ClusterIndex::add_pods_and_nodes(Cluster& cluster) {
  cluster.pods_by_ip_.reserve(cluster.pods.size());
  for (std::size_t i = 0; i < cluster.pods.size(); ++i) {
    const Pod& pod = cluster.pods[i];
    const PodShape& shape = cluster.shapes[pod.shape.index()];
    if (pod.name.is_valid()) {
      cluster.pods_by_name_.emplace(name_key(shape.name_space, pod.name), PodId(i));
    }
  }
  find_pods_again(cluster);
  for (std::size_t i = 0; i < cluster.nodes.size(); ++i) {
    for (const IpAddress ip : cluster.nodes[i].addresses) {
      cluster.nodes_by_ip_.emplace(ip, NodeId(i));
    }
  }
}

void ClusterIndex::find_pods_again(Cluster& cluster) {
  cluster.pods_by_ip_.clear();
  for (std::size_t i = 0; i < cluster.pods.size(); ++i) {
    const Pod& pod = cluster.pods[i];
    if (!pod.ip.is_unspecified() && !cluster.shapes[pod.shape.index()].is_host_network && !is_finished(pod)) {
      cluster.pods_by_ip_.emplace(pod.ip, PodId(i));
    }
  }
  for (const auto& [id, ip] : cluster.second_addresses) {
    const Pod& pod = cluster.pods[id.index()];
    if (!cluster.shapes[pod.shape.index()].is_host_network && !is_finished(pod)) {
      cluster.pods_by_ip_.emplace(ip, id);
    }
  }
}

void ClusterIndex::add_services(Cluster& cluster) {
  for (std::size_t i = 0; i < cluster.services.size(); ++i) {
    if (!cluster.services[i].cluster_ip.is_unspecified() && cluster.services[i].is_there) {
      cluster.services_by_ip_.emplace(cluster.services[i].cluster_ip, ServiceId(i));
    }
  }
}

void ClusterIndex::find_services_again(Cluster& cluster) {
  cluster.services_by_ip_.clear();
  add_services(cluster);
}

NamespaceId Cluster::find_namespace(std::string_view name) const {
  const auto at = std::ranges::lower_bound(namespaces, name, {}, &Namespace::name);
  return at != namespaces.end() && at->name == name ? NamespaceId(static_cast<std::size_t>(at - namespaces.begin()))
                                                    : NamespaceId::none();
}

WorkloadId Cluster::find_workload(NamespaceId name_space, WorkloadKind kind, std::string_view name) const {
  const std::tuple wanted(name_space, kind, name);
  const auto key = [](const Workload& w) { return std::tuple(w.name_space, w.kind, std::string_view(w.name)); };
  const auto at = std::ranges::lower_bound(workloads, wanted, {}, key);
  return at != workloads.end() && key(*at) == wanted ? WorkloadId(static_cast<std::size_t>(at - workloads.begin()))
                                                     : WorkloadId::none();
}

ServiceId Cluster::find_service(NamespaceId name_space, std::string_view name) const {
  const std::pair wanted(name_space, name);
  const auto key = [](const Service& s) { return std::pair(s.name_space, std::string_view(s.name)); };
  const auto at = std::ranges::lower_bound(services, wanted, {}, key);
  return at != services.end() && key(*at) == wanted ? ServiceId(static_cast<std::size_t>(at - services.begin()))
                                                    : ServiceId::none();
}

NodeId Cluster::find_node(std::string_view name) const {
  const auto found = nodes_by_name_.find(std::string(name));
  return found == nodes_by_name_.end() ? NodeId::none() : found->second;
}

PodId Cluster::find_pod(NamespaceId name_space, std::string_view name) const {
  if (!name_space.is_valid()) {
    return PodId::none();
  }
  if (const StringId id = strings.find(name); id.is_valid()) {
    if (const auto found = pods_by_name_.find(name_key(name_space, id)); found != pods_by_name_.end()) {
      return found->second;
    }
  }
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos) {
    return PodId::none();
  }
  const std::string_view stem = name.substr(0, dash);
  const std::string_view tail = name.substr(dash + 1);
  const auto check = [&](WorkloadKind kind, std::string_view owner, std::optional<std::uint32_t> ordinal) {
    const WorkloadId id = find_workload(name_space, kind, owner);
    if (!id.is_valid()) {
      return PodId::none();
    }
    const Workload& workload = workloads[id.index()];
    const auto at = ordinal ? ordinal : ordinal_of(name_salt(namespaces[name_space.index()].name, owner), tail);
    if (!at || *at >= workload.pods.size() || pod_name(workload.pods[*at]) != name) {
      return PodId::none();
    }
    return workload.pods[*at];
  };
  std::uint32_t ordinal = 0;
  const auto [stop, error] = std::from_chars(tail.data(), tail.data() + tail.size(), ordinal);
  if (error == std::errc() && stop == tail.data() + tail.size()) {
    if (const PodId found = check(WorkloadKind::stateful_set, stem, ordinal); found.is_valid()) {
      return found;
    }
  }
  const std::string_view shorter = stem.substr(0, stem.rfind('-'));  // without the template's hash
  for (const auto& [kind, owner] :
       {std::pair(WorkloadKind::deployment, shorter), std::pair(WorkloadKind::cron_job, shorter),
        std::pair(WorkloadKind::replica_set, stem), std::pair(WorkloadKind::daemon_set, stem),
        std::pair(WorkloadKind::job, stem), std::pair(WorkloadKind::replication_controller, stem)}) {
    if (const PodId found = check(kind, owner, std::nullopt); found.is_valid()) {
      return found;
    }
  }
  return PodId::none();
}

PodId Cluster::pod_at(IpAddress ip) const {
  const auto found = pods_by_ip_.find(ip);
  return found == pods_by_ip_.end() ? PodId::none() : found->second;
}

IpAddress Cluster::second_address_of(PodId pod) const {
  const auto at = std::ranges::lower_bound(second_addresses, pod, {}, &std::pair<PodId, IpAddress>::first);
  return at != second_addresses.end() && at->first == pod ? at->second : IpAddress();
}

IpAddress Cluster::address_of(PodId pod, IpFamily family) const {
  const IpAddress first = pods[pod.index()].ip;
  return first.is_unspecified() || first.family() == family ? first : second_address_of(pod);
}

IpAddress Cluster::address_of(PodId pod, IpAddress towards) const {
  const IpAddress first = pods[pod.index()].ip;
  if (second_addresses.empty() || towards.is_unspecified() || first.family() == towards.family()) {
    return first;
  }
  const IpAddress second = second_address_of(pod);
  return second.is_unspecified() ? first : second;
}

NodeId Cluster::node_at(IpAddress ip) const {
  const auto found = nodes_by_ip_.find(ip);
  return found == nodes_by_ip_.end() ? NodeId::none() : found->second;
}

ServiceId Cluster::service_at(IpAddress ip) const {
  const auto found = services_by_ip_.find(ip);
  return found == services_by_ip_.end() ? ServiceId::none() : found->second;
}

std::string Cluster::pod_name(PodId id) const {
  const Pod& pod = pods[id.index()];
  if (pod.name.is_valid()) {
    return std::string(strings[pod.name]);
  }
  const Workload& workload = workloads[pod.workload.index()];
  const std::uint64_t salt = name_salt(namespaces[workload.name_space.index()].name, workload.name);
  switch (workload.kind) {
    case WorkloadKind::stateful_set:
      return fmt::format("{}-{}", workload.name, pod.ordinal);
    case WorkloadKind::deployment:
      return fmt::format("{}-{}-{}", workload.name, template_hash(salt), pod_suffix(salt, pod.ordinal));
    case WorkloadKind::cron_job:  // the Job between carries its time in minutes
      return fmt::format("{}-{}-{}", workload.name, 28'000'000 + salt % 1'000'000, pod_suffix(salt, pod.ordinal));
    default:
      return fmt::format("{}-{}", workload.name, pod_suffix(salt, pod.ordinal));
  }
}

std::string Cluster::full_pod_name(PodId pod) const {
  return fmt::format("{}/{}", namespaces[namespace_of(pod).index()].name, pod_name(pod));
}

std::string Cluster::workload_name(WorkloadId id) const {
  const Workload& workload = workloads[id.index()];
  return fmt::format("{}/{}[{}]", namespaces[workload.name_space.index()].name, workload.name,
                     to_string(workload.kind));
}

std::string Cluster::service_name(ServiceId id) const {
  const Service& service = services[id.index()];
  return fmt::format("{}/{}", namespaces[service.name_space.index()].name, service.name);
}

Cluster::ListenerOrigin Cluster::listener_origin(PodId pod, IpProtocol protocol, Port port) const {
  const auto& all = listeners[pods[pod.index()].shape.index()];
  const std::pair wanted(protocol, port);
  const auto key = [](const Listener& l) { return std::pair(l.protocol, l.port); };
  const auto at = std::ranges::lower_bound(all, wanted, {}, key);
  return at != all.end() && key(*at) == wanted ? at->origin : ListenerOrigin::none;
}

bool Cluster::listens(PodId pod, IpProtocol protocol, Port port) const {
  return listener_origin(pod, protocol, port) != ListenerOrigin::none;
}

Port Cluster::named_port(ShapeId shape, IpProtocol protocol, std::string_view name) const {
  for (const ContainerPort& port : templates[shapes[shape.index()].pod_template.index()].ports) {
    if (port.protocol == protocol && port.name == name) {
      return port.number;
    }
  }
  return {};
}

}  // namespace podwire::cluster
