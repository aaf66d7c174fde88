// Services joined to what they send to.
//
// Which pods a selector means is found through an index from label to shapes: a Service looks at the shapes that carry
// its rarest label, never at all pods. Backends are the pods that have an address and are not finished; a pod without
// the named targetPort is no backend of that port (k8s.io/kubernetes pkg/controller/util/endpoint, FindPort).
// Endpoints and EndpointSlices count for Services without a selector; where both are given, the slices.
#include "models/cluster/services.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <map>

#include "models/cluster/addresses.hpp"
#include "models/cluster/pod_names.hpp"
#include "models/cluster/shape_index.hpp"
#include "sim/base/text.hpp"

namespace podwire::cluster {
namespace {

constexpr std::uint64_t kKubernetesOffset = 1;  // the API server's Service has the first address (kubeadm)
constexpr std::uint64_t kDnsOffset = 10;        // kubeadm GetDNSIP: the tenth

// ClusterIPs that are chosen dynamically come from above this band (k8s.io/kubernetes pkg/registry/core/service/
// ipallocator, calculateRangeOffset: min(max(16, size/16), 256)).
std::uint64_t static_band(std::uint64_t size) {
  return size < 16 ? 0 : std::min<std::uint64_t>(std::max<std::uint64_t>(16, size / 16), 256);
}

// Backends of Services with a selector.
class SelectorJoin {
 public:
  explicit SelectorJoin(const Cluster& cluster) : cluster_(cluster), index_(cluster) {}

  void run(Service& service) const {
    if (!service.selector) {
      return;
    }
    std::vector<PodId> pods;
    for (const ShapeId shape : index_.selected_by(service.name_space, *service.selector)) {
      for (const PodId pod : index_.pods(shape)) {
        if (can_back(cluster_.pods[pod.index()])) {
          pods.push_back(pod);
        }
      }
    }
    std::ranges::sort(pods);
    for (ServicePort& port : service.ports) {
      add_backends(service, port, pods);
    }
    if (service.ports.empty()) {
      for (const PodId pod : pods) {
        service.portless_backends.push_back(backend_of(pod, service));
      }
    }
  }

 private:
  static bool can_back(const Pod& pod) {
    return !pod.ip.is_unspecified() && pod.phase != PodPhase::succeeded && pod.phase != PodPhase::failed;
  }

  // The name under which a headless Service shows this pod; "" when it has none there.
  std::string hostname(PodId id, const Service& service) const {
    const PodTemplate& pod_template = cluster_.pod_template(id);
    if (pod_template.subdomain != service.name || cluster_.namespace_of(id) != service.name_space) {
      return {};
    }
    return pod_template.is_named_host ? cluster_.pod_name(id) : pod_template.hostname;
  }

  Backend backend_of(PodId id, const Service& service) const {
    const Pod& pod = cluster_.pods[id.index()];
    return {.pod = id,
            .node = pod.node,
            .ip = pod.ip,
            .port = {},
            .is_ready =
                (pod.is_ready || service.publishes_not_ready) && (!pod.is_terminating || service.publishes_not_ready),
            .is_terminating = pod.is_terminating,
            .hostname = hostname(id, service)};
  }

  void add_backends(const Service& service, ServicePort& port, const std::vector<PodId>& pods) const {
    port.backends.reserve(pods.size());
    ShapeId last;  // pods of a shape come in a row
    Port number;
    for (const PodId id : pods) {
      if (const ShapeId shape = cluster_.pods[id.index()].shape; shape != last) {
        last = shape;
        number = !port.target.name.empty()       ? cluster_.named_port(shape, port.protocol, port.target.name)
                 : port.target.number.is_valid() ? port.target.number
                                                 : port.port;
      }
      if (number.is_valid()) {
        Backend backend = backend_of(id, service);
        backend.port = number;
        port.backends.push_back(std::move(backend));
      }
    }
  }

  const Cluster& cluster_;
  ShapeIndex index_;
};

class ServiceStage {
 public:
  explicit ServiceStage(BuildState& state) : state_(state), cluster_(state.cluster) {}

  void run() {
    read();
    assign_cluster_ips();
    if (state_.diagnostics.has_errors()) {
      return;
    }
    join_selectors();
    join_endpoints();
    for (ServiceDraft& draft : drafts_) {
      cluster_.services.push_back(std::move(draft.service));
    }
    find_dns();
  }

 private:
  void read() {
    boost::unordered_flat_set<std::string> first;
    const bool has_late = &state_.base != &state_.store;
    for (const Object* object : has_late ? state_.base.all("", "Service") : std::vector<const Object*>()) {
      first.insert(object->full_name());
    }
    for (const Object* object : state_.store.all("", "Service")) {
      if (auto draft = read_service(state_, *object)) {
        draft->is_late = has_late && !first.contains(object->full_name());
        drafts_.push_back(std::move(*draft));
      }
    }
    if (state_.adds_dns_service) {
      drafts_.push_back({.service = kube_dns_service(state_.find_namespace(kDnsNamespace)),
                         .wanted_ip = {},
                         .is_dns_labelled = true});
    }
    std::ranges::sort(drafts_, [](const ServiceDraft& a, const ServiceDraft& b) {
      return std::tie(a.service.name_space, a.service.name) < std::tie(b.service.name_space, b.service.name);
    });
  }

  bool is_dns(const ServiceDraft& draft) const {
    const std::string& name_space = cluster_.namespaces[draft.service.name_space.index()].name;
    return (name_space == kDnsNamespace && (draft.service.name == "kube-dns" || draft.is_dns_labelled)) ||
           (name_space == "openshift-dns" && draft.service.name == "dns-default");
  }

  static bool needs_ip(const Service& service) {
    return service.type != ServiceType::external_name && !service.is_headless;
  }

  void take_given_ips() {
    boost::unordered_flat_map<IpAddress, std::size_t, std::hash<IpAddress>> owners;
    for (std::size_t i = 0; i < drafts_.size(); ++i) {
      ServiceDraft& draft = drafts_[i];
      if (!draft.wanted_ip || !needs_ip(draft.service)) {
        continue;
      }
      draft.service.cluster_ip = *draft.wanted_ip;
      const auto [at, is_new] = owners.try_emplace(*draft.wanted_ip, i);
      taken_.insert(*draft.wanted_ip);
      if (!is_new) {
        const Service& other = drafts_[at->second].service;
        state_.diagnostics.add(
            {.code = "duplicate-cluster-ip",
             .message = fmt::format("the ClusterIP {} is already that of {}/{}", draft.wanted_ip->to_string(),
                                    cluster_.namespaces[other.name_space.index()].name, other.name),
             .span = draft.ip_span,
             .object = full_name(draft.service),
             .field = "spec.clusterIP"});
      }
    }
  }

  std::string full_name(const Service& service) const {
    return printable(fmt::format("{}/service/{}", cluster_.namespaces[service.name_space.index()].name, service.name));
  }

  // The place a Service has by custom, if it is free.
  void take_reserved(Service& service, std::uint64_t offset) {
    const IpAddress ip = cluster_.service_cidr.first().plus(offset);
    if (service.cluster_ip.is_unspecified() && offset + 1 < address_count(cluster_.service_cidr) &&
        taken_.insert(ip).second) {
      service.cluster_ip = ip;
    }
  }

  // The rest by a hash of the name, so that one more Service leaves the others' addresses alone.
  void assign_cluster_ips() {
    take_given_ips();
    for (ServiceDraft& draft : drafts_) {
      if (needs_ip(draft.service) && is_dns(draft)) {
        take_reserved(draft.service, kDnsOffset);
      }
      if (needs_ip(draft.service) && draft.service.name == "kubernetes" &&
          cluster_.namespaces[draft.service.name_space.index()].name == "default") {
        take_reserved(draft.service, kKubernetesOffset);
      }
    }
    const std::uint64_t size = address_count(cluster_.service_cidr);
    const std::uint64_t low = std::max<std::uint64_t>(static_band(size), 1);
    const std::uint64_t room = size > low + 1 ? size - 1 - low : 0;
    std::vector<ServiceDraft*> order;
    for (ServiceDraft& draft : drafts_) {
      order.push_back(&draft);
    }
    std::ranges::stable_partition(order, [](const ServiceDraft* draft) { return !draft->is_late; });
    std::size_t without = 0;
    for (ServiceDraft* draft : order) {
      Service& service = draft->service;
      if (!needs_ip(service) || !service.cluster_ip.is_unspecified()) {
        continue;
      }
      const std::uint64_t start =
          room == 0 ? 0 : name_salt(cluster_.namespaces[service.name_space.index()].name, service.name) % room;
      for (std::uint64_t i = 0; i < room && service.cluster_ip.is_unspecified(); ++i) {
        const IpAddress ip = cluster_.service_cidr.first().plus(low + (start + i) % room);
        if (taken_.insert(ip).second) {
          service.cluster_ip = ip;
        }
      }
      without += service.cluster_ip.is_unspecified() ? 1 : 0;
      if (without == 1) {
        break;  // the CIDR is full: every further Service would search all of it again
      }
    }
    if (without > 0) {
      state_.diagnostics.error("address-space-exhausted",
                               fmt::format("the service CIDR {} has no address left for {} Services",
                                           cluster_.service_cidr.to_string(), drafts_.size()),
                               {}, "give a wider service CIDR");
    }
  }

  void join_selectors() {
    if (drafts_.empty()) {
      return;  // and the pods need no index
    }
    const SelectorJoin join(cluster_);
    for (ServiceDraft& draft : drafts_) {
      join.run(draft.service);
    }
  }

  void join_endpoints() {
    std::map<std::pair<std::string, std::string>, std::vector<EndpointGroup>> slices;
    std::map<std::pair<std::string, std::string>, std::vector<EndpointGroup>> endpoints;
    for (const Object* object : state_.store.all("discovery.k8s.io", "EndpointSlice")) {
      if (auto group = read_endpoint_slice(state_, *object)) {
        slices[{group->name_space, group->service}].push_back(std::move(*group));
      }
    }
    for (const Object* object : state_.store.all("", "Endpoints")) {
      auto groups = read_endpoints(state_, *object);
      endpoints[{object->name_space, object->name}] = std::move(groups);
    }
    for (ServiceDraft& draft : drafts_) {
      Service& service = draft.service;
      if (service.selector || service.type == ServiceType::external_name) {
        continue;
      }
      const std::pair key(cluster_.namespaces[service.name_space.index()].name, service.name);
      const auto& source = slices.contains(key) ? slices : endpoints;
      if (const auto found = source.find(key); found != source.end()) {
        for (const EndpointGroup& group : found->second) {
          add_group(service, group);
        }
      }
    }
  }

  void add_group(Service& service, const EndpointGroup& group) const {
    const auto backend = [&](const EndpointAddress& address, Port port) {
      const PodId pod = cluster_.pod_at(address.ip);
      NodeId node = pod.is_valid() ? cluster_.pods[pod.index()].node : cluster_.find_node(address.node_name);
      node = node.is_valid() ? node : cluster_.node_at(address.ip);
      return Backend{.pod = pod,
                     .node = node,
                     .ip = address.ip,
                     .port = port,
                     .is_ready = (address.is_ready && !address.is_terminating) || service.publishes_not_ready,
                     .is_terminating = address.is_terminating,
                     .hostname = address.hostname};
    };
    for (ServicePort& port : service.ports) {
      for (const EndpointPort& from : group.ports) {
        // Ports are joined by name; a Service with one unnamed port and its endpoints both leave it empty.
        if (from.name == port.name && from.protocol == port.protocol) {
          for (const EndpointAddress& address : group.addresses) {
            port.backends.push_back(backend(address, from.number.is_valid() ? from.number : port.port));
          }
        }
      }
    }
    if (service.ports.empty()) {
      for (const EndpointAddress& address : group.addresses) {
        service.portless_backends.push_back(backend(address, Port()));
      }
    }
  }

  void find_dns() {
    for (std::size_t i = 0; i < cluster_.services.size(); ++i) {
      // kube-system/kube-dns before one that only carries its label, before OpenShift's.
      const ServiceDraft& draft = drafts_[i];
      const Service& service = cluster_.services[i];
      const std::string& name_space = cluster_.namespaces[service.name_space.index()].name;
      const bool is_kube_dns = name_space == kDnsNamespace && service.name == "kube-dns";
      const bool is_labelled = name_space == kDnsNamespace && draft.is_dns_labelled;
      const bool is_openshift = name_space == "openshift-dns" && service.name == "dns-default";
      const int rank = is_kube_dns ? 3 : is_labelled ? 2 : is_openshift ? 1 : 0;
      if (rank > dns_rank_) {
        dns_rank_ = rank;
        cluster_.dns_service = ServiceId(i);
      }
    }
  }

  BuildState& state_;
  Cluster& cluster_;
  std::vector<ServiceDraft> drafts_;
  boost::unordered_flat_set<IpAddress, std::hash<IpAddress>> taken_;
  int dns_rank_ = 0;
};

}  // namespace

void join_selectors(Cluster& cluster) {
  const SelectorJoin join(cluster);
  for (Service& service : cluster.services) {
    if (service.selector) {
      for (ServicePort& port : service.ports) {
        port.backends.clear();
      }
      service.portless_backends.clear();
      if (service.is_there) {
        join.run(service);
      }
    }
  }
}

void join_services(BuildState& state) {
  ServiceStage(state).run();
}

}  // namespace podwire::cluster
