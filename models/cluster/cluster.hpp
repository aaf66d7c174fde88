// The resolved cluster: what the layers' objects amount to, with owners expanded to pods, pods placed on nodes and
// given addresses, Services joined to their endpoints. Immutable; everything is addressed by dense ids.
//
// Replicas share a PodShape (namespace, labels, template …), so that work on pods is done once a shape: the policy
// engine groups shapes into classes, and memory per replica is one 40-byte Pod.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/cluster/labels.hpp"
#include "models/cluster/objects.hpp"
#include "sim/base/id.hpp"
#include "sim/base/ip.hpp"
#include "sim/base/result.hpp"

namespace podwire::cluster {

using NamespaceId = Id<struct NamespaceTag>;
using NodeId = Id<struct NodeTag>;
using WorkloadId = Id<struct WorkloadTag>;
using TemplateId = Id<struct TemplateTag>;
using ShapeId = Id<struct ShapeTag>;
using PodId = Id<struct PodTag>;
using ServiceId = Id<struct ServiceTag>;

struct Namespace {
  std::string name;
  LabelSetId labels;        // with kubernetes.io/metadata.name, whatever the manifest says
  bool is_assumed = false;  // mentioned by objects, defined by none
  Span span;
};

struct Taint {
  std::string key;
  std::string value;
  std::string effect;  // NoSchedule, PreferNoSchedule, NoExecute
};

struct Node {
  std::string name;
  LabelSetId labels;
  std::vector<IpAddress> addresses;  // InternalIP, IPv4 first
  Cidr pod_cidr;
  Cidr second_pod_cidr;  // of the other family; "::/0" where there is none
  std::vector<Taint> taints;
  std::uint32_t cpu_cores = 4;
  std::string zone;  // topology.kubernetes.io/zone, "" when unset
  bool is_ready = true;
  bool is_generated = false;  // from `nodes.count`, not from an object
  Span span;
};

struct ContainerPort {
  std::string name;  // "" when unnamed
  IpProtocol protocol = IpProtocol::tcp;
  Port number;
  auto operator<=>(const ContainerPort&) const = default;
};

enum class DnsPolicy : std::uint8_t { cluster_first, cluster_first_with_host_net, use_default, none };

struct DnsConfig {
  std::vector<std::string> nameservers;
  std::vector<std::string> searches;
  std::vector<std::pair<std::string, std::string>> options;  // value "" when the option has none
  bool operator==(const DnsConfig&) const = default;
};

struct Toleration {
  std::string key;  // "" with is_exists tolerates every key
  std::string value;
  std::string effect;  // "" every effect
  bool is_exists = false;
  bool operator==(const Toleration&) const = default;
};

/// What a pod template (or a bare pod's spec) says, as far as the network is concerned.
struct PodTemplate {
  LabelSetId labels;
  std::vector<ContainerPort> ports;        // of all containers, in order
  std::vector<ContainerPort> probe_ports;  // numbers that kubelet probes use (named ones resolved)
  bool is_host_network = false;
  DnsPolicy dns_policy = DnsPolicy::cluster_first;
  DnsConfig dns_config;
  std::vector<std::pair<std::string, std::string>> node_selector;
  std::vector<Toleration> tolerations;
  std::string service_account;
  std::string hostname;
  std::string subdomain;
  bool is_named_host = false;  // each pod's hostname is its own name (StatefulSets); `hostname` is then empty
  Span span;
};

enum class WorkloadKind : std::uint8_t {
  deployment,
  replica_set,
  stateful_set,
  daemon_set,
  job,
  cron_job,
  replication_controller,
  pod,
};
/// "Deployment", "ReplicaSet" …
std::string_view to_string(WorkloadKind kind);

/// An owner at the top of its chain, or a bare pod.
struct Workload {
  NamespaceId name_space = {};
  WorkloadKind kind = WorkloadKind::pod;
  std::string name = {};
  TemplateId pod_template = {};
  std::uint32_t replicas = 0;
  std::vector<PodId> pods = {};  // ascending
  bool is_live = false;          // its pods were in the dump; the owner object itself may be missing
  bool is_added = false;         // podwire added it (CoreDNS)
  Span span = {};
};

enum class PodPhase : std::uint8_t { pending, running, succeeded, failed, unknown };

/// What pods have in common as far as policies, Services and listeners can tell.
struct PodShape {
  NamespaceId name_space;
  LabelSetId labels;  // with what the controller adds (statefulset.kubernetes.io/pod-name …) where it can matter
  TemplateId pod_template;
  bool is_host_network = false;
  auto operator<=>(const PodShape&) const = default;
};

struct Pod {
  ShapeId shape;
  WorkloadId workload;
  NodeId node;                // none: pending, has no address
  std::uint32_t ordinal = 0;  // among its workload's pods
  IpAddress ip;               // unspecified while it has none; the node's address with hostNetwork. Its first:
                              // Cluster::second_addresses has the one of the other family
  StringId name;              // none: derived from the workload and the ordinal
  PodPhase phase = PodPhase::running;
  bool is_ready = true;
  bool is_terminating = false;
};

enum class ServiceType : std::uint8_t { cluster_ip, node_port, load_balancer, external_name };

/// A named or numbered targetPort; neither: the Service's port.
struct TargetPort {
  Port number;
  std::string name;
};

/// One address behind one Service port, with the port it is reached at there.
struct Backend {
  PodId pod;  // none: an address that is no pod of this cluster
  NodeId node;
  IpAddress ip;
  Port port;
  bool is_ready = true;
  bool is_terminating = false;  // never ready; serves while its pod is ready, when nothing else is left (KEP-1669)
  std::string hostname;         // for <hostname>.<service> names; "" when it has none
};

struct ServicePort {
  std::string name;
  IpProtocol protocol = IpProtocol::tcp;
  Port port;
  TargetPort target;
  Port node_port;
  std::vector<Backend> backends;  // ready and not ready, in order of pod id or as listed
  Span span;
};

struct Service {
  NamespaceId name_space;
  std::string name;
  ServiceType type = ServiceType::cluster_ip;
  bool is_headless = false;
  IpAddress cluster_ip;  // unspecified for headless and ExternalName
  std::vector<ServicePort> ports;
  std::vector<Backend> portless_backends;  // of a headless Service without ports: addresses for DNS alone
  std::optional<LabelSelector> selector;   // none: endpoints come from Endpoints or EndpointSlices
  std::string external_name;
  bool publishes_not_ready = false;
  bool has_client_ip_affinity = false;
  bool is_internal_local = false;  // internalTrafficPolicy: Local
  bool is_added = false;           // podwire added it (kube-dns)
  bool is_there = true;  // false: in a state of a timeline (see snapshot.hpp) before it comes or after it went
  Span span;
};

/// An object that podwire does not model and that can change a verdict. `name_space` none: it reaches every namespace.
struct UnmodelledObject {
  std::string kind;
  std::string full_name;
  NamespaceId name_space;
  Span span;
};

/// What was assumed or added, for the head of every result: {"dns", "added Deployment kube-system/coredns (2 replicas)
/// …"}.
struct Assumption {
  std::string topic;
  std::string text;
};

struct ExtraListener {
  std::string workload;  // namespace/kind/name or namespace/name
  IpProtocol protocol = IpProtocol::tcp;
  Port port;
  Span span;
};

struct ClusterOptions {
  std::optional<std::uint32_t> node_count;  // generated nodes; none: Node objects, else 3
  std::uint32_t cores_per_node = 4;
  std::optional<Cidr> pod_cidr;  // default 10.244.0.0/16, widened when the nodes need more
  unsigned node_mask_length = 24;
  std::optional<Cidr> service_cidr;  // default 10.96.0.0/12
  std::string cluster_domain = "cluster.local";
  bool adds_dns = false;  // add CoreDNS and kube-dns when the layers bring none
  std::uint32_t dns_replicas = 2;
  std::vector<ExtraListener> listens;
  std::vector<std::string> ignored_kinds;  // accepted by --ignore-kind
  /// Per-pod label keys that policies outside the store select by; see selected_pod_keys.
  std::vector<std::string> selected_keys;
  std::uint32_t max_pods = 1'000'000;
  std::uint32_t max_nodes = 50'000;
};

class Cluster {
 public:
  StringPool strings;
  LabelSets label_sets;
  std::vector<Namespace> namespaces;  // sorted by name
  std::vector<Node> nodes;
  std::vector<PodTemplate> templates;
  std::vector<Workload> workloads;  // sorted by namespace, kind, name
  std::vector<PodShape> shapes;
  std::vector<Pod> pods;          // grouped by workload
  std::vector<Service> services;  // sorted by namespace, name
  /// Of pods with addresses of both families the one that is not Pod::ip; by pod, each once.
  std::vector<std::pair<PodId, IpAddress>> second_addresses;

  std::string cluster_domain = "cluster.local";
  Cidr pod_cidr;
  Cidr service_cidr;
  ServiceId dns_service;  // kube-dns, none when there is none
  std::vector<Assumption> assumptions;
  std::vector<UnmodelledObject> unmodelled;                          // not accepted by ignored_kinds
  std::vector<UnmodelledObject> ignored;                             // accepted: the output repeats them
  std::vector<std::pair<std::string, std::uint32_t>> skipped_kinds;  // kind → objects, sorted: cannot change a verdict

  NamespaceId find_namespace(std::string_view name) const;
  WorkloadId find_workload(NamespaceId name_space, WorkloadKind kind, std::string_view name) const;
  ServiceId find_service(NamespaceId name_space, std::string_view name) const;
  NodeId find_node(std::string_view name) const;
  PodId find_pod(NamespaceId name_space, std::string_view name) const;
  /// The running pod with this address, its first or its second; none for hostNetwork pods (the address is the node's)
  /// and for strangers.
  PodId pod_at(IpAddress ip) const;
  /// The pod's address of the family that Pod::ip is not of; unspecified where it has none. O(log pods with two).
  IpAddress second_address_of(PodId pod) const;
  /// The pod's address of this family; unspecified where it has none.
  IpAddress address_of(PodId pod, IpFamily family) const;
  /// The pod's address of the family that `towards` is of, else its first.
  IpAddress address_of(PodId pod, IpAddress towards) const;
  NodeId node_at(IpAddress ip) const;
  /// The Service with this ClusterIP.
  ServiceId service_at(IpAddress ip) const;

  const PodShape& shape(PodId pod) const { return shapes[pods[pod.index()].shape.index()]; }
  const PodTemplate& pod_template(PodId pod) const { return templates[shape(pod).pod_template.index()]; }
  NamespaceId namespace_of(PodId pod) const { return shape(pod).name_space; }
  std::string pod_name(PodId pod) const;           // "api-7d77fb55cc-x2x7p" or "api-2"
  std::string full_pod_name(PodId pod) const;      // "backend/api-2"
  std::string workload_name(WorkloadId id) const;  // "backend/api[Deployment]"
  std::string service_name(ServiceId id) const;    // "backend/api"
  /// Whether something answers there: declared ports, target ports of Services that select it, probes' ports,
  /// `listens`.
  bool listens(PodId pod, IpProtocol protocol, Port port) const;
  /// Why it does, for the assumption's text: declared, service target, probe, scenario; none when nothing listens.
  enum class ListenerOrigin : std::uint8_t { none, declared, service_target, probe, scenario };
  ListenerOrigin listener_origin(PodId pod, IpProtocol protocol, Port port) const;
  /// The number that a named port has on this pod for this protocol, or no port.
  Port named_port(ShapeId shape, IpProtocol protocol, std::string_view name) const;

  struct Listener {
    IpProtocol protocol = IpProtocol::tcp;
    Port port;
    ListenerOrigin origin = ListenerOrigin::declared;
    auto operator<=>(const Listener&) const = default;
  };
  std::vector<std::vector<Listener>> listeners;  // by shape, sorted

 private:
  friend struct ClusterIndex;

  template <class Value>
  using ByAddress = boost::unordered_flat_map<IpAddress, Value, std::hash<IpAddress>>;
  ByAddress<PodId> pods_by_ip_;
  ByAddress<NodeId> nodes_by_ip_;
  ByAddress<ServiceId> services_by_ip_;
  boost::unordered_flat_map<std::string, NodeId> nodes_by_name_;
  boost::unordered_flat_map<std::uint64_t, PodId> pods_by_name_;  // (namespace, name) of those with a name of their own
};

/// Builds the cluster from the layers' objects. Policies are left in the store for models/policy.
/// Errors: those of reading each kind (wrong-type, missing-key, bad-name …), too-many-pods, too-many-nodes,
/// no-node-fits, address-space-exhausted, duplicate-pod-ip, unknown-listener-target.
Result<Cluster> build_cluster(const ObjectStore& store, const ClusterOptions& options);

/// Labels that controllers give each pod of its own (statefulset.kubernetes.io/pod-name …) split shapes only where a
/// selector can see them. This lists those that Services and policies of `store` mention; build_cluster looks through
/// its own store, a caller with policies elsewhere adds theirs to ClusterOptions::selected_keys. Sorted.
std::vector<std::string> selected_pod_keys(const ObjectStore& store);

/// What a name given by a user stands for.
struct NamedTarget {
  enum class Kind : std::uint8_t { workload, pod, service, address } kind = Kind::workload;
  WorkloadId workload = {};
  PodId pod = {};
  ServiceId service = {};
  IpAddress address = {};  // outside the cluster, or a pod's
};

/// Resolves `namespace/kind/name` (kubectl's kinds, plurals and short names), `namespace/name` where it is unambiguous,
/// or an address. A workload is preferred to its own pods and to a Service of the same name when `prefers_workloads`.
/// Errors: unknown-object (with the nearest names), ambiguous-name (with the candidates), bad-name.
std::optional<NamedTarget> resolve_name(const Cluster& cluster, std::string_view text, bool prefers_workloads,
                                        Span span, Diagnostics& diagnostics);

}  // namespace podwire::cluster
