// The stages of build_cluster, in the order they run. Each fills its part of the Cluster; a stage may rely on all
// earlier ones. Internal to this folder.
//
//   read_namespaces → read_owners → join_owners → read_nodes → expand → schedule → assign_addresses → join_services
//   → find_listeners → note_other_kinds
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/cluster/pod_reader.hpp"
#include "models/cluster/snapshot.hpp"

namespace podwire::cluster {

/// What an owner object says; its template is read only when it is expanded.
struct Owner {
  const Object* object = nullptr;
  WorkloadKind kind = WorkloadKind::deployment;
  std::uint32_t replicas = 1;  // for a DaemonSet: not used
  config::Node template_metadata = {};
  config::Node template_spec = {};
  std::string service_name = {};    // StatefulSet: the Service that governs its pods' names
  std::uint32_t first_ordinal = 0;  // StatefulSet: spec.ordinals.start
  std::optional<OwnerReference> controller = {};
};

/// A pod object of the layers.
struct LivePod {
  const Object* object = nullptr;
  PodStatus status = {};
};

/// A workload to be: its top owner, if that object is in the layers, and its pods, if they are.
struct WorkloadDraft {
  NamespaceId name_space = {};
  WorkloadKind kind = WorkloadKind::pod;
  std::string name = {};
  std::optional<Owner> owner = {};
  std::vector<LivePod> live = {};
  bool is_added = false;
};

/// The one writer of the Cluster's look-up tables.
struct ClusterIndex {
  static void add_node(Cluster& cluster, const std::string& name, NodeId id) {
    cluster.nodes_by_name_.emplace(name, id);
  }
  /// Pods by address and name, nodes by address; after assign_addresses.
  static void add_pods_and_nodes(Cluster& cluster);
  /// Pods by address alone, after pods came or went.
  static void find_pods_again(Cluster& cluster);
  /// After Services came or went.
  static void find_services_again(Cluster& cluster);
  /// After join_services.
  static void add_services(Cluster& cluster);
};

struct ShapeHash {
  std::size_t operator()(const PodShape& shape) const {
    std::uint64_t h = std::uint64_t{shape.name_space.value()} << 32 | shape.labels.value();
    h = h * 0x9e37'79b9'7f4a'7c15u ^ (std::uint64_t{shape.pod_template.value()} << 1 | shape.is_host_network);
    return static_cast<std::size_t>((h ^ h >> 31) * 0xbf58'476d'1ce4'e5b9u);
  }
};

/// Everything that the stages share.
struct BuildState {
  const ObjectStore& store;
  const ClusterOptions& options;
  Cluster& cluster;
  Diagnostics& diagnostics;
  const ObjectStore& base;  // as the cluster begins: `store`, or what it was before late objects joined it

  std::vector<WorkloadDraft> drafts = {};       // sorted as Cluster::workloads
  std::vector<std::uint32_t> node_limits = {};  // pods that a node takes, by NodeId
  std::vector<bool> is_pinned = {};             // by PodId: nothing more is decided about this pod
  std::vector<Span> ip_spans = {};              // by PodId: where status.podIP stands
  std::vector<Span> second_ip_spans = {};       // beside Cluster::second_addresses
  boost::unordered_flat_map<std::uint64_t, TemplateId> templates = {};  // by hash of their content: the last of them
  std::vector<TemplateId> same_hash = {};                               // by TemplateId: the one before it
  boost::unordered_flat_map<PodShape, ShapeId, ShapeHash> shapes = {};
  std::vector<LatePods> late = {};  // see build_union
  std::size_t first_late_pod = 0;   // PodIds from here on are theirs
  bool adds_dns_workload = false;
  bool adds_dns_service = false;

  ReadContext reading() {
    return {.strings = cluster.strings, .label_sets = cluster.label_sets, .diagnostics = diagnostics};
  }
  void assume(std::string topic, std::string text) {
    cluster.assumptions.push_back({.topic = std::move(topic), .text = std::move(text)});
  }
  void error(const Object& object, std::string code, std::string message, config::Node where = {},
             std::string help = {});
  void warning(const Object& object, std::string code, std::string message, config::Node where = {},
               std::string help = {});
  NamespaceId find_namespace(std::string_view name) const { return cluster.find_namespace(name); }
};

/// Whether the layers lack cluster DNS and options ask for it (sets adds_dns_*).
void decide_dns(BuildState& state);
void read_namespaces(BuildState& state);
/// Owners and pods of the layers become drafts, each live pod below the top of its chain of owners.
void join_owners(BuildState& state);
void read_nodes(BuildState& state);
/// Drafts become workloads, templates, shapes and pods; checks max_pods first.
void expand_workloads(BuildState& state);
/// Gives each pod its node, the emptiest that fits; pods that fit nowhere stay pending (warning no-node-fits).
void schedule_pods(BuildState& state);
/// Node addresses, node CIDRs, pod addresses.
void assign_addresses(BuildState& state);
/// Services, their ClusterIPs and their backends.
void join_services(BuildState& state);
/// What each shape listens on.
void find_listeners(BuildState& state);
void note_other_kinds(BuildState& state);

/// What podwire adds when the layers bring no cluster DNS (coredns_addon.cpp).
PodTemplate coredns_template(ReadContext context);
Service kube_dns_service(NamespaceId kube_system);
inline constexpr std::string_view kDnsNamespace = "kube-system";

/// Interns by content.
TemplateId intern_template(BuildState& state, PodTemplate pod_template);
ShapeId intern_shape(BuildState& state, const PodShape& shape);

/// The keys of labels that controllers give each pod of its own, which selectors of the store mention.
/// (statefulset.kubernetes.io/pod-name, apps.kubernetes.io/pod-index, batch.kubernetes.io/job-completion-index)
inline constexpr std::string_view kPodNameLabel = "statefulset.kubernetes.io/pod-name";
inline constexpr std::string_view kPodIndexLabel = "apps.kubernetes.io/pod-index";
inline constexpr std::string_view kCompletionIndexLabel = "batch.kubernetes.io/job-completion-index";

}  // namespace podwire::cluster
