// Clusters put together in memory for tests of what works on a finished Cluster, without manifests. Only what policies
// read is filled in: namespaces, labels, named ports, addresses, nodes, phases; a pod is a bare one unless it
// names an owner.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/cluster/cluster.hpp"

namespace podwire::test {

using LabelMap = std::map<std::string, std::string>;

struct SmallPod {
  std::string name_space;
  std::string name;
  LabelMap labels = {};
  std::vector<cluster::ContainerPort> ports = {};
  IpAddress ip = {};
  int node = -1;  // index into SmallCluster::node_addresses
  bool is_host_network = false;
  cluster::PodPhase phase = cluster::PodPhase::running;
  std::string owner = {};    // a Deployment that it shares with the pods of its namespace that name it too
  IpAddress second_ip = {};  // of the family that `ip` is not of
};

struct SmallServicePort {
  IpProtocol protocol = IpProtocol::tcp;
  std::uint16_t port = 0;
  std::string target_name = {};     // "": the number
  std::uint16_t target_number = 0;  // 0: the port itself
};

struct SmallService {
  std::string name_space;
  std::string name;
  bool has_selector = true;
  LabelMap selector = {};
  IpAddress ip = {};  // unspecified: headless
  std::vector<SmallServicePort> ports = {};
};

/// Plain data, and what Cluster they amount to. Pods keep their order: pod i is PodId(i).
struct SmallCluster {
  std::map<std::string, LabelMap> namespaces;  // without kubernetes.io/metadata.name
  std::vector<IpAddress> node_addresses;
  std::vector<SmallPod> pods;
  std::vector<LabelMap> node_labels = {};  // by node; none where it is shorter
  std::vector<SmallService> services = {};

  /// The pods that a Service's selector matches, by number.
  std::vector<std::size_t> pods_behind(const SmallService& service) const {
    std::vector<std::size_t> found;
    for (std::size_t p = 0; p < pods.size() && service.has_selector; ++p) {
      const bool is_matched = std::all_of(service.selector.begin(), service.selector.end(), [&](const auto& wanted) {
        const auto own = pods[p].labels.find(wanted.first);
        return own != pods[p].labels.end() && own->second == wanted.second;
      });
      if (pods[p].name_space == service.name_space && is_matched) {
        found.push_back(p);
      }
    }
    return found;
  }

  /// A namespace's labels with the automatic one.
  LabelMap namespace_labels(const std::string& name) const {
    LabelMap labels = namespaces.at(name);
    labels["kubernetes.io/metadata.name"] = name;
    return labels;
  }

  cluster::Cluster build() const {
    cluster::Cluster c;
    for (const auto& [name, labels] : namespaces) {
      cluster::Namespace& added = c.namespaces.emplace_back();
      added.name = name;
      added.labels = intern(c, namespace_labels(name));
    }
    for (std::size_t n = 0; n < node_addresses.size(); ++n) {
      cluster::Node& node = c.nodes.emplace_back();
      node.name = "node-" + std::to_string(n);
      node.labels = intern(c, n < node_labels.size() ? node_labels[n] : LabelMap());
      node.addresses = {node_addresses[n]};
    }
    for (const SmallPod& pod : pods) {
      add(c, pod);
    }
    c.listeners.resize(c.shapes.size());  // nobody listens
    for (const SmallService& service : services) {
      add(c, service);
    }
    return c;
  }

 private:
  static cluster::LabelSetId intern(cluster::Cluster& c, const LabelMap& labels) {
    std::vector<cluster::Label> interned;
    for (const auto& [key, value] : labels) {
      interned.push_back({c.strings.intern(key), c.strings.intern(value)});
    }
    return c.label_sets.intern(std::move(interned));
  }

  static void add(cluster::Cluster& c, const SmallPod& pod) {
    const auto where = std::find_if(c.namespaces.begin(), c.namespaces.end(),
                                    [&](const cluster::Namespace& n) { return n.name == pod.name_space; });
    const cluster::NamespaceId name_space(static_cast<std::size_t>(where - c.namespaces.begin()));
    cluster::PodTemplate& pod_template = c.templates.emplace_back();
    pod_template.labels = intern(c, pod.labels);
    pod_template.ports = pod.ports;
    pod_template.is_host_network = pod.is_host_network;
    const cluster::TemplateId template_id(c.templates.size() - 1);
    cluster::PodShape& shape = c.shapes.emplace_back();
    shape.name_space = name_space;
    shape.labels = pod_template.labels;
    shape.pod_template = template_id;
    shape.is_host_network = pod.is_host_network;
    const cluster::WorkloadId workload = workload_of(c, pod, name_space, template_id);
    c.workloads[workload.index()].pods.emplace_back(c.pods.size());
    ++c.workloads[workload.index()].replicas;
    cluster::Pod& added = c.pods.emplace_back();
    added.shape = cluster::ShapeId(c.shapes.size() - 1);
    added.workload = workload;
    added.node = pod.node < 0 ? cluster::NodeId() : cluster::NodeId(static_cast<std::size_t>(pod.node));
    added.ip = pod.ip;
    if (!pod.second_ip.is_unspecified()) {
      c.second_addresses.emplace_back(cluster::PodId(c.pods.size() - 1), pod.second_ip);
    }
    added.name = c.strings.intern(pod.name);
    added.phase = pod.phase;
  }

  void add(cluster::Cluster& c, const SmallService& service) const {
    cluster::Service& added = c.services.emplace_back();
    const auto where = std::find_if(c.namespaces.begin(), c.namespaces.end(),
                                    [&](const cluster::Namespace& n) { return n.name == service.name_space; });
    added.name_space = cluster::NamespaceId(static_cast<std::size_t>(where - c.namespaces.begin()));
    added.name = service.name;
    added.is_headless = service.ip.is_unspecified();
    added.cluster_ip = service.ip;
    if (service.has_selector) {
      added.selector.emplace();
      for (const auto& [key, value] : service.selector) {
        added.selector->requirements.push_back({.key = key, .values = {value}});
        c.strings.intern(key);
        c.strings.intern(value);
      }
    }
    for (const SmallServicePort& port : service.ports) {
      cluster::ServicePort& one = added.ports.emplace_back();
      one.protocol = port.protocol;
      one.port = Port(port.port);
      one.target.name = port.target_name;
      one.target.number = port.target_number == 0 ? Port() : Port(port.target_number);
      for (const std::size_t pod : pods_behind(service)) {
        cluster::Backend& backend = one.backends.emplace_back();
        backend.pod = cluster::PodId(pod);
        backend.ip = pods[pod].ip;
        backend.port = one.target.number.is_valid() ? one.target.number : one.port;  // a name is not looked up
      }
    }
  }

  static cluster::WorkloadId workload_of(cluster::Cluster& c, const SmallPod& pod, cluster::NamespaceId name_space,
                                         cluster::TemplateId pod_template) {
    for (std::size_t w = 0; w < c.workloads.size() && !pod.owner.empty(); ++w) {
      if (c.workloads[w].name_space == name_space && c.workloads[w].name == pod.owner) {
        return cluster::WorkloadId(w);
      }
    }
    cluster::Workload& workload = c.workloads.emplace_back();
    workload.name_space = name_space;
    workload.kind = pod.owner.empty() ? cluster::WorkloadKind::pod : cluster::WorkloadKind::deployment;
    workload.name = pod.owner.empty() ? pod.name : pod.owner;
    workload.pod_template = pod_template;
    return cluster::WorkloadId(c.workloads.size() - 1);
  }
};

}  // namespace podwire::test
