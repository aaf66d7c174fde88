// Objects that podwire does not build from: those that can change a verdict make it unknown, the rest is counted.
//
// Pods in Istio's ambient mesh belong to the first: their traffic is tunnelled (HBONE, port 15008), so that a policy on
// the application's port no longer sees it. Source: istio.io, ambient and Kubernetes NetworkPolicy.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "models/cluster/build.hpp"
#include "models/cluster/kinds.hpp"
#include "sim/base/text.hpp"

namespace podwire::cluster {
namespace {

constexpr std::string_view kMeshLabel = "istio.io/dataplane-mode";
constexpr std::string_view kMeshRoot = "istio-system";  // Istio's default root namespace
constexpr std::string_view kAmbient = "AmbientMesh";    // the kind by which it is named and ignored

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

void add(BuildState& state, UnmodelledObject object) {
  const bool is_ignored = std::ranges::any_of(state.options.ignored_kinds, [&](const std::string& kind) {
    return equals_ignoring_case(kind, object.kind) ||
           equals_ignoring_case(kind, std::string_view(object.kind).substr(0, object.kind.find('.')));
  });
  (is_ignored ? state.cluster.ignored : state.cluster.unmodelled).push_back(std::move(object));
}

// "NetworkPolicy.projectcalico.org" where Kubernetes has a kind of that name too.
std::string shown_kind(const Object& object) {
  const bool is_ambiguous = object.kind == "NetworkPolicy" || object.kind == "ClusterNetworkPolicy" ||
                            is_unknown_policy(object.group(), object.kind);
  return is_ambiguous && object.group() != "policy.networking.k8s.io"
             ? fmt::format("{}.{}", object.kind, object.group())
             : object.kind;
}

void note_ambient(BuildState& state) {
  const Cluster& cluster = state.cluster;
  const StringId key = cluster.strings.find(kMeshLabel);
  if (!key.is_valid()) {
    return;
  }
  const auto is_ambient = [&](LabelSetId labels) {
    const StringId value = cluster.label_sets.value(labels, key);
    return value.is_valid() && cluster.strings[value] == "ambient";
  };
  for (std::size_t i = 0; i < cluster.namespaces.size(); ++i) {
    if (is_ambient(cluster.namespaces[i].labels)) {
      add(state, {.kind = std::string(kAmbient),
                  .full_name = fmt::format("namespace/{} ({}=ambient)", cluster.namespaces[i].name, kMeshLabel),
                  .name_space = NamespaceId(i),
                  .span = cluster.namespaces[i].span});
    }
  }
  for (std::size_t i = 0; i < cluster.workloads.size(); ++i) {
    const Workload& workload = cluster.workloads[i];
    if (!is_ambient(cluster.namespaces[workload.name_space.index()].labels) && workload.pod_template.is_valid() &&
        is_ambient(cluster.templates[workload.pod_template.index()].labels)) {
      add(state, {.kind = std::string(kAmbient),
                  .full_name = fmt::format("{} ({}=ambient)", cluster.workload_name(WorkloadId(i)), kMeshLabel),
                  .name_space = workload.name_space,
                  .span = workload.span});
    }
  }
}

/// An object of a kind that podwire does not know, with a pod template (argoproj.io's Rollout and its like).
bool makes_pods(const Object& object) {
  return find_kind(object.group(), object.kind) == nullptr &&
         object.node.find("spec").find("template").find("spec").find("containers").is_sequence();
}

void note_pods_left_out(BuildState& state) {
  std::map<std::string, std::vector<std::string>> names;  // by kind
  for (const Object& object : state.store.objects()) {
    if (makes_pods(object)) {
      names[object.kind].push_back(fmt::format("{}/{}", object.name_space, object.name));
    }
  }
  for (const auto& [kind, of_kind] : names) {
    const bool is_one = of_kind.size() == 1;
    state.assume("pods", fmt::format("pods of {} {}{} are left out: podwire does not know the kind ({}{})",
                                     of_kind.size(), kind, is_one ? "" : "s", of_kind.front(),
                                     is_one ? "" : fmt::format(" and {} more", of_kind.size() - 1)));
  }
}

/// Fields of a kustomization that make other objects of those in the files. Source: kubectl.docs.kubernetes.io,
/// kustomization file.
constexpr std::string_view kTransforms[] = {"namespace",
                                            "namePrefix",
                                            "nameSuffix",
                                            "commonLabels",
                                            "labels",
                                            "patches",
                                            "patchesStrategicMerge",
                                            "patchesJson6902",
                                            "replacements",
                                            "replicas",
                                            "components",
                                            "helmCharts",
                                            "generators",
                                            "transformers"};

/// What is read is the files as they are, not what kustomize makes of them.
void note_kustomizations(BuildState& state) {
  const Object* first = nullptr;
  std::string what;
  std::size_t others = 0;
  for (const Object& object : state.store.objects()) {
    if (object.kind != "Kustomization" || object.group() != "kustomize.config.k8s.io") {
      continue;
    }
    std::string found;
    for (const std::string_view field : kTransforms) {
      if (object.node.find(field).is_present()) {
        found += fmt::format("{}{}", found.empty() ? "" : ", ", field);
      }
    }
    for (const config::Node resource : object.node.find("resources")) {
      const std::string_view text = resource.text();
      if (found.empty() && (text.starts_with("..") || text.find("://") != std::string_view::npos)) {
        found = "resources from elsewhere";
      }
    }
    if (!found.empty() && first == nullptr) {
      first = &object;
      what = found;
    } else if (!found.empty()) {
      ++others;
    }
  }
  if (first != nullptr) {
    state.diagnostics.add(
        {.severity = Severity::warning,
         .code = "kustomization-not-applied",
         .message = fmt::format("this kustomization changes what is applied ({}), and podwire reads the files as they "
                                "are{}",
                                what, others == 0 ? "" : fmt::format("; so do {} more", others)),
         .span = first->span,
         .object = {},
         .help = "render it: `kustomize build FOLDER` into a file, or into podwire with - for the path"});
  }
}

}  // namespace

void note_other_kinds(BuildState& state) {
  std::map<std::string, std::uint32_t> skipped;
  note_pods_left_out(state);
  note_kustomizations(state);
  for (const Object& object : state.store.objects()) {
    const KindInfo* info = find_kind(object.group(), object.kind);
    const bool is_policy = is_unknown_policy(object.group(), object.kind);
    if (!is_policy && makes_pods(object)) {
      continue;
    }
    const KindRole role = info != nullptr ? info->role : is_policy ? KindRole::unmodelled : KindRole::known;
    if (role == KindRole::known || role == KindRole::not_an_object) {
      ++skipped[object.kind];
    } else if (role == KindRole::unmodelled || role == KindRole::mesh_wide) {
      const bool is_namespaced = info != nullptr ? info->is_namespaced : !object.name_space.empty();
      const bool reaches_all = !is_namespaced || (role == KindRole::mesh_wide && object.name_space == kMeshRoot);
      add(state, {.kind = shown_kind(object),
                  .full_name = object.full_name(),
                  .name_space = reaches_all ? NamespaceId::none() : state.find_namespace(object.name_space),
                  .span = object.span});
    }
  }
  note_ambient(state);
  state.cluster.skipped_kinds.assign(skipped.begin(), skipped.end());
}

}  // namespace podwire::cluster
