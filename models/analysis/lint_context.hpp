// What all groups of lint rules share: look-ups from policies to pods and objects, and the list of findings. Internal
// to this folder.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/analysis/lint.hpp"
#include "models/policy/engine.hpp"

namespace podwire::analysis {

/// Pods that no policy and no Service can tell apart, by one of them.
struct PodKind {
  cluster::PodId pod;  // the first
  cluster::WorkloadId workload;
  cluster::ShapeId shape;
  cluster::NamespaceId name_space;
};

class LintContext {
 public:
  explicit LintContext(const LintInput& input);

  const LintInput& input;
  const cluster::Cluster& cluster;
  const policy::PolicySet& policies;
  const cni::Profile& profile;
  policy::PolicyEngine engine;
  bool has_pods = false;               // other than those that podwire added
  bool has_namespace_objects = false;  // the input defines at least one Namespace
  std::vector<LintFinding> findings;
  std::vector<LintDoubt> doubts;
  Diagnostics notes;  // what a rule left out, for whoever reads the findings

  /// Adds a finding with its rule's severity.
  LintFinding& add(std::string_view rule, std::string object, Span span, std::string message, std::string remedy);
  /// Adds a doubt: `object` could not be judged because of the cluster's unmodelled object of this index.
  void doubt(std::string_view rule, std::string object, std::uint32_t unmodelled);

  /// The NetworkPolicies of a namespace. O(log policies).
  std::span<const policy::NetworkPolicy> policies_in(std::string_view name_space) const;
  /// Kinds of pods of one namespace, in order of their pods.
  const std::vector<PodKind>& kinds_in(cluster::NamespaceId name_space) const { return kinds_[name_space.index()]; }
  bool is_matched(const cluster::LabelSelector& selector, const PodKind& kind) const;
  bool is_namespace_matched(const cluster::LabelSelector& selector, cluster::NamespaceId name_space) const;
  /// Namespaces that match, ascending; remembered by the selector's text.
  const std::vector<cluster::NamespaceId>& namespaces_matching(const cluster::LabelSelector& selector);
  /// Kinds of pods that a policy selects.
  std::vector<PodKind> subjects_of(const policy::NetworkPolicy& policy) const;
  /// Kinds of pods that a peer of a policy selects; none for an ipBlock.
  std::vector<PodKind> peers_of(const policy::NetworkPolicy& policy, const policy::PeerRule& peer);
  /// Whether some workload's template in the namespace matches, though it may have no pods (replicas: 0); or pods that
  /// controllers make which podwire does not know: by the pod template of an object of unknown kind, by a label whose
  /// value is the name of one (cnpg.io/cluster: NAME), or by cert-manager's label for the pods of a challenge.
  bool matches_template(const cluster::LabelSelector& selector, cluster::NamespaceId name_space) const;

  /// The object as it is in force, or null: of the last store that has it.
  const cluster::Object* find_object(const std::string& full_name) const;
  /// Objects of one kind over all stores, each once, in order.
  std::vector<const cluster::Object*> objects_of(std::string_view group, std::string_view kind) const;
  std::size_t object_count() const { return objects_.size(); }
  const std::map<std::string, const cluster::Object*>& objects() const { return objects_; }

  const std::string& name_of(cluster::NamespaceId id) const { return cluster.namespaces[id.index()].name; }
  /// kube-system and its like, which no team's policies are expected to cover.
  static bool is_system_namespace(std::string_view name);
  policy::Peer peer(const PodKind& kind) const { return {.pod = kind.pod}; }
  /// "frontend/networkpolicy/allow-web".
  static std::string object_name(const policy::NetworkPolicy& policy);
  /// "backend/deployment/api".
  std::string object_name(cluster::WorkloadId id) const;

 private:
  std::vector<std::vector<PodKind>> kinds_;                  // by namespace
  std::vector<std::vector<cluster::WorkloadId>> workloads_;  // by namespace
  std::map<std::string, const cluster::Object*> objects_;
  boost::unordered_flat_map<std::string, std::vector<cluster::NamespaceId>> namespaces_by_selector_;
  std::map<std::string, std::vector<const cluster::Object*>, std::less<>> foreign_;  // of unknown kinds, by namespace

  bool is_made_by(const cluster::LabelSelector& selector, const cluster::Object& object) const;
};

// Texts that several groups use.

/// What to do about pods that cannot ask DNS.
inline constexpr std::string_view kAllowDns =
    "allow `- {to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: "
    "{matchLabels: {k8s-app: kube-dns}}}], ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]}`";
/// `a, b, c and 4 more`.
std::string listed(const std::vector<std::string>& items, std::size_t most = 3);
/// The same of the first four (or all) of `count` items.
std::string listed_of(const std::vector<std::string>& first, std::size_t count);
/// `TCP 8080`, `TCP 8000-8099`, `UDP http`, `every TCP port`.
std::string port_text(const policy::PortRule& port);
/// `{protocol: TCP, port: 8080}`.
std::string port_yaml(const policy::PortRule& port);
/// A selector as one would write it in flow style: `{matchLabels: {app: web}}`.
std::string selector_yaml(const cluster::LabelSelector& selector);
/// The labels of a pod's template: `app=web,tier=db`.
std::string labels_text(const cluster::Cluster& cluster, cluster::LabelSetId labels);
/// `{matchLabels: {app: web}}` from labels; those that change with every rollout are left out.
std::string labels_yaml(const cluster::Cluster& cluster, cluster::LabelSetId labels);
/// Whether the rule is about DNS alone: it has ports, and each is number 53 (or 5353, or named dns…).
bool is_dns_only(const policy::Rule& rule);
bool is_dns_port(const policy::PortRule& port);

// The groups; each adds its findings.
void lint_selectors(LintContext& context);
void lint_namespaces(LintContext& context);
void lint_dns(LintContext& context);
void lint_names(LintContext& context);
void lint_ports(LintContext& context);
void lint_allow(LintContext& context);
void lint_without_pods(LintContext& context);
void lint_redundant(LintContext& context);
void lint_isolation(LintContext& context);
void lint_objects(LintContext& context);

}  // namespace podwire::analysis
