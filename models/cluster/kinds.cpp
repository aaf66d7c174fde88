// The table of kinds; see kinds.hpp. Only what changes a verdict needs a row with a role; the rest is here for its
// scope and for the names that people type.
#include "models/cluster/kinds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <vector>

#include "sim/base/text.hpp"

namespace podwire::cluster {
namespace {

using enum KindRole;

constexpr bool kNamespaced = true;
constexpr bool kClusterWide = false;

constexpr KindInfo kKinds[] = {
    {"Namespace", "namespace", "namespaces", "ns", "", kClusterWide, cluster},
    {"Node", "node", "nodes", "no", "", kClusterWide, cluster},
    {"Pod", "pod", "pods", "po", "", kNamespaced, cluster},
    {"Deployment", "deployment", "deployments", "deploy", "apps extensions", kNamespaced, cluster},
    {"ReplicaSet", "replicaset", "replicasets", "rs", "apps extensions", kNamespaced, cluster},
    {"StatefulSet", "statefulset", "statefulsets", "sts", "apps", kNamespaced, cluster},
    {"DaemonSet", "daemonset", "daemonsets", "ds", "apps extensions", kNamespaced, cluster},
    {"Job", "job", "jobs", "", "batch extensions", kNamespaced, cluster},
    {"CronJob", "cronjob", "cronjobs", "cj", "batch", kNamespaced, cluster},
    {"ReplicationController", "replicationcontroller", "replicationcontrollers", "rc", "", kNamespaced, cluster},
    {"Service", "service", "services", "svc", "", kNamespaced, cluster},
    {"Endpoints", "endpoints", "endpoints", "ep", "", kNamespaced, cluster},
    {"EndpointSlice", "endpointslice", "endpointslices", "", "discovery.k8s.io", kNamespaced, cluster},
    {"ServiceAccount", "serviceaccount", "serviceaccounts", "sa", "", kNamespaced, cluster},

    {"NetworkPolicy", "networkpolicy", "networkpolicies", "netpol", "networking.k8s.io extensions", kNamespaced,
     policy},
    // The admin tiers (network-policy-api v1alpha1, v1alpha2).
    {"AdminNetworkPolicy", "adminnetworkpolicy", "adminnetworkpolicies", "anp", "policy.networking.k8s.io",
     kClusterWide, policy},
    {"BaselineAdminNetworkPolicy", "baselineadminnetworkpolicy", "baselineadminnetworkpolicies", "banp",
     "policy.networking.k8s.io", kClusterWide, policy},
    {"ClusterNetworkPolicy", "clusternetworkpolicy", "clusternetworkpolicies", "cnp", "policy.networking.k8s.io",
     kClusterWide, policy},

    {"CiliumNetworkPolicy", "ciliumnetworkpolicy", "ciliumnetworkpolicies", "", "cilium.io", kNamespaced, unmodelled},
    {"CiliumClusterwideNetworkPolicy", "ciliumclusterwidenetworkpolicy", "ciliumclusterwidenetworkpolicies", "ccnp",
     "cilium.io", kClusterWide, unmodelled},
    {"CiliumLocalRedirectPolicy", "ciliumlocalredirectpolicy", "ciliumlocalredirectpolicies", "clrp", "cilium.io",
     kNamespaced, unmodelled},

    {"NetworkPolicy", "networkpolicy", "networkpolicies", "", "projectcalico.org crd.projectcalico.org", kNamespaced,
     unmodelled},
    {"GlobalNetworkPolicy", "globalnetworkpolicy", "globalnetworkpolicies", "gnp",
     "projectcalico.org crd.projectcalico.org", kClusterWide, unmodelled},
    {"HostEndpoint", "hostendpoint", "hostendpoints", "hep", "projectcalico.org crd.projectcalico.org", kClusterWide,
     unmodelled},

    {"NetworkPolicy", "networkpolicy", "networkpolicies", "", "crd.antrea.io security.antrea.tanzu.vmware.com",
     kNamespaced, unmodelled},
    {"ClusterNetworkPolicy", "clusternetworkpolicy", "clusternetworkpolicies", "acnp",
     "crd.antrea.io security.antrea.tanzu.vmware.com", kClusterWide, unmodelled},

    {"EgressFirewall", "egressfirewall", "egressfirewalls", "", "k8s.ovn.org", kNamespaced, unmodelled},
    {"EgressNetworkPolicy", "egressnetworkpolicy", "egressnetworkpolicies", "", "network.openshift.io", kNamespaced,
     unmodelled},
    {"UserDefinedNetwork", "userdefinednetwork", "userdefinednetworks", "", "k8s.ovn.org", kNamespaced, unmodelled},
    {"ClusterUserDefinedNetwork", "clusteruserdefinednetwork", "clusteruserdefinednetworks", "", "k8s.ovn.org",
     kClusterWide, unmodelled},

    {"AuthorizationPolicy", "authorizationpolicy", "authorizationpolicies", "ap", "security.istio.io", kNamespaced,
     mesh_wide},
    {"PeerAuthentication", "peerauthentication", "peerauthentications", "pa", "security.istio.io", kNamespaced,
     mesh_wide},
    {"Sidecar", "sidecar", "sidecars", "", "networking.istio.io", kNamespaced, mesh_wide},
    {"Server", "server", "servers", "srv", "policy.linkerd.io", kNamespaced, unmodelled},
    {"AuthorizationPolicy", "authorizationpolicy", "authorizationpolicies", "", "policy.linkerd.io", kNamespaced,
     unmodelled},
    {"ServerAuthorization", "serverauthorization", "serverauthorizations", "saz", "policy.linkerd.io", kNamespaced,
     unmodelled},
    {"ServiceIntentions", "serviceintentions", "serviceintentions", "", "consul.hashicorp.com", kNamespaced,
     unmodelled},

    {"ConfigMap", "configmap", "configmaps", "cm", "", kNamespaced, known},
    {"Secret", "secret", "secrets", "", "", kNamespaced, known},
    {"PersistentVolumeClaim", "persistentvolumeclaim", "persistentvolumeclaims", "pvc", "", kNamespaced, known},
    {"PersistentVolume", "persistentvolume", "persistentvolumes", "pv", "", kClusterWide, known},
    {"Event", "event", "events", "ev", " events.k8s.io", kNamespaced, known},
    {"LimitRange", "limitrange", "limitranges", "limits", "", kNamespaced, known},
    {"ResourceQuota", "resourcequota", "resourcequotas", "quota", "", kNamespaced, known},
    {"Role", "role", "roles", "", "rbac.authorization.k8s.io", kNamespaced, known},
    {"RoleBinding", "rolebinding", "rolebindings", "", "rbac.authorization.k8s.io", kNamespaced, known},
    {"ClusterRole", "clusterrole", "clusterroles", "", "rbac.authorization.k8s.io", kClusterWide, known},
    {"ClusterRoleBinding", "clusterrolebinding", "clusterrolebindings", "", "rbac.authorization.k8s.io", kClusterWide,
     known},
    {"Ingress", "ingress", "ingresses", "ing", "networking.k8s.io extensions", kNamespaced, known},
    {"IngressClass", "ingressclass", "ingressclasses", "", "networking.k8s.io", kClusterWide, known},
    {"HorizontalPodAutoscaler", "horizontalpodautoscaler", "horizontalpodautoscalers", "hpa", "autoscaling",
     kNamespaced, known},
    {"PodDisruptionBudget", "poddisruptionbudget", "poddisruptionbudgets", "pdb", "policy", kNamespaced, known},
    {"ControllerRevision", "controllerrevision", "controllerrevisions", "", "apps", kNamespaced, known},
    {"Lease", "lease", "leases", "", "coordination.k8s.io", kNamespaced, known},

    {"Kustomization", "kustomization", "kustomizations", "", "kustomize.config.k8s.io", kClusterWide, not_an_object},
    {"Component", "component", "components", "", "kustomize.config.k8s.io", kClusterWide, not_an_object},
    {"Scenario", "scenario", "scenarios", "", "podwire", kClusterWide, not_an_object},
    {"Step", "step", "steps", "", "podwire", kClusterWide, not_an_object},
};

/// What the API server's own groups hold, in any version: kubectl api-resources of 1.20 to 1.33, and the group's
/// subresources that can stand alone in a file.
struct ClosedGroup {
  std::string_view group;
  std::string_view kinds;
};

constexpr ClosedGroup kClosedGroups[] = {
    {"",
     "Binding ComponentStatus ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume "
     "PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount"},
    {"apps", "ControllerRevision DaemonSet Deployment ReplicaSet Scale StatefulSet"},
    {"autoscaling", "HorizontalPodAutoscaler Scale"},
    {"batch", "CronJob Job JobTemplate"},
    {"discovery.k8s.io", "EndpointSlice"},
    {"extensions",
     "DaemonSet Deployment Ingress Job NetworkPolicy PodSecurityPolicy ReplicaSet ReplicationController Scale"},
    {"networking.k8s.io", "ClusterCIDR IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR"},
    {"policy", "Eviction PodDisruptionBudget PodSecurityPolicy"},
    {"policy.networking.k8s.io", "AdminNetworkPolicy BaselineAdminNetworkPolicy ClusterNetworkPolicy"},
    {"rbac.authorization.k8s.io", "ClusterRole ClusterRoleBinding Role RoleBinding"},
};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return lower;
}

std::vector<std::string_view> words_of(std::string_view list) {
  std::vector<std::string_view> words;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    words.push_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return words;
}

// Only the letters' case differs, or few letters do.
std::string nearest_kind(std::string_view kind, const std::vector<std::string_view>& known) {
  for (const std::string_view candidate : known) {
    if (lower_case(candidate) == lower_case(kind)) {
      return std::string(candidate);
    }
  }
  return nearest_word(kind, known);
}

// Whether `word` is one of the words in `list`, which are separated by single spaces.
bool has_word(std::string_view list, std::string_view word) {
  while (true) {
    const std::size_t space = list.find(' ');
    if (list.substr(0, space) == word) {
      return true;
    }
    if (space == std::string_view::npos) {
      return false;
    }
    list.remove_prefix(space + 1);
  }
}

}  // namespace

const KindInfo* find_kind(std::string_view group, std::string_view kind) {
  for (const KindInfo& info : kKinds) {
    if (info.kind == kind && has_word(info.groups, group)) {
      return &info;
    }
  }
  return nullptr;
}

const KindInfo* find_kind_by_word(std::string_view word) {
  const std::string lower = lower_case(word);
  if (lower.empty()) {
    return nullptr;
  }
  for (const KindInfo& info : kKinds) {
    if (info.singular == lower || info.plural == lower || has_word(info.short_names, lower)) {
      return &info;
    }
  }
  return nullptr;
}

std::optional<KindProblem> invalid_kind(std::string_view group, std::string_view kind) {
  const auto shown_group = [](std::string_view g) {
    return g.empty() ? "the core group" : "group " + printable(g, 80);
  };
  const ClosedGroup* const closed = std::ranges::find(kClosedGroups, group, &ClosedGroup::group);
  const bool is_closed = closed != std::end(kClosedGroups);
  if (find_kind(group, kind) != nullptr || (is_closed && has_word(closed->kinds, kind))) {
    return std::nullopt;
  }
  // Custom resources live in groups with a dot that are not Kubernetes's own.
  if (is_closed || group.find('.') == std::string_view::npos || group.ends_with(".k8s.io")) {
    for (const KindInfo& info : kKinds) {
      if (info.kind == kind && (info.role == KindRole::cluster || info.role == KindRole::policy)) {
        return KindProblem{.message = fmt::format("{} has no kind {}", shown_group(group), kind),
                           .help = info.group().empty() ? "its apiVersion is v1"
                                                        : fmt::format("its apiVersion begins with {}/", info.group())};
      }
    }
  }
  const std::string near = is_closed ? nearest_kind(kind, words_of(closed->kinds)) : "";
  return near.empty() ? std::nullopt
                      : std::optional(KindProblem{
                            .message = fmt::format("{} has no kind \"{}\"", shown_group(group), printable(kind, 80)),
                            .help = fmt::format("did you mean \"{}\"?", near)});
}

bool is_unknown_policy(std::string_view group, std::string_view kind) {
  return kind.ends_with("NetworkPolicy") && find_kind(group, kind) == nullptr;
}

std::string_view group_of(std::string_view api_version) {
  const std::size_t slash = api_version.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

std::optional<WorkloadKind> workload_kind(std::string_view kind) {
  constexpr std::array kAll = {WorkloadKind::deployment,
                               WorkloadKind::replica_set,
                               WorkloadKind::stateful_set,
                               WorkloadKind::daemon_set,
                               WorkloadKind::job,
                               WorkloadKind::cron_job,
                               WorkloadKind::replication_controller,
                               WorkloadKind::pod};
  for (const WorkloadKind candidate : kAll) {
    if (kind == to_string(candidate)) {
      return candidate;
    }
  }
  return std::nullopt;
}

}  // namespace podwire::cluster
