// See the header.
#include "app/scenario/event_steps.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/cluster/kinds.hpp"
#include "models/cluster/pod_reader.hpp"
#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::scenario {
namespace {

using cluster::Cluster;
using cluster::Object;
using cluster::WorkloadKind;

constexpr std::int64_t kMostReplicas = 1'000'000;

bool same(config::Node a, config::Node b) {
  if (a.kind() != b.kind() || a.size() != b.size() || a.text() != b.text()) {
    return false;
  }
  if (a.is_sequence()) {
    auto other = b.begin();
    for (const config::Node item : a) {
      if (!same(item, *other)) {
        return false;
      }
      ++other;
    }
  } else if (a.is_mapping()) {
    for (const config::Node member : a) {
      if (!same(member, b.find(member.key()))) {
        return false;
      }
    }
  }
  return true;
}

bool is_replicated(WorkloadKind kind) {
  return kind == WorkloadKind::deployment || kind == WorkloadKind::replica_set || kind == WorkloadKind::stateful_set ||
         kind == WorkloadKind::replication_controller;
}

std::optional<std::uint32_t> replica_count(const Object& object, Diagnostics& problems) {
  const config::Node node = object.node.find("spec").find("replicas");
  if (node.is_null()) {
    return 1;
  }
  const auto value = config::as_integer(node, 0, kMostReplicas, object.full_name(), problems);
  return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

}  // namespace

std::string OwnerKey::text() const {
  return fmt::format("{}/{}/{}", name_space, cluster::find_kind_by_word(cluster::to_string(kind))->singular, name);
}

cluster::WorkloadId find_owner(const Cluster& cluster, const OwnerKey& key) {
  const cluster::NamespaceId name_space = cluster.find_namespace(key.name_space);
  return name_space.is_valid() ? cluster.find_workload(name_space, key.kind, key.name) : cluster::WorkloadId::none();
}

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t slash = text.find('/');
    parts.push_back(text.substr(0, slash));
    if (slash == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(slash + 1);
  }
}

StepTaker::StepTaker(const cluster::ObjectStore& base, const Cluster& start) : start_(start) {
  for (const Object& object : base.objects()) {
    objects_.emplace(object.full_name(), &object);
  }
}

std::uint32_t StepTaker::count_at_start(const OwnerKey& key) const {
  const cluster::WorkloadId id = find_owner(start_, key);
  return id.is_valid() ? static_cast<std::uint32_t>(start_.workloads[id.index()].pods.size()) : 0;
}

Replicas& StepTaker::replicas_of(const OwnerKey& key, std::map<OwnerKey, Replicas>& all) const {
  const auto [at, is_new] = all.try_emplace(key);
  if (is_new) {
    at->second.ever = count_at_start(key);
    for (std::uint32_t i = 0; i < at->second.ever; ++i) {
      at->second.live.push_back(i);
    }
  }
  return at->second;
}

// Pods of a StatefulSet keep their ordinals; of other owners each new pod is another one, and the youngest go first
// (k8s.io/kubernetes pkg/controller, ActivePodsWithRanks: the newer pod is deleted).
void StepTaker::scale(const OwnerKey& key, std::uint32_t wanted, std::map<OwnerKey, Replicas>& all,
                      Steps& steps) const {
  Replicas& it = replicas_of(key, all);
  while (it.live.size() > wanted) {
    steps.disappear.emplace_back(key, it.live.back());
    it.live.pop_back();
  }
  const bool keeps = key.kind == WorkloadKind::stateful_set || key.kind == WorkloadKind::pod;
  while (it.live.size() < wanted) {
    const std::uint32_t ordinal = keeps ? static_cast<std::uint32_t>(it.live.size()) : it.ever;
    it.ever = std::max(it.ever, ordinal + 1);
    it.live.push_back(ordinal);
    steps.appear.emplace_back(key, ordinal);
  }
}

void StepTaker::take_apply(const Object& object, std::string_view word, std::map<OwnerKey, Replicas>& all, Steps& steps,
                           Diagnostics& problems) {
  if (object.kind == "Step" && object.group() == "podwire") {
    return;  // not an object: what it says is read with the event
  }
  if ((object.kind == "NetworkPolicy" && object.group() == "networking.k8s.io") || policy::is_admin_policy(object)) {
    steps.policies.push_back(&object);
    steps.texts.push_back(fmt::format("{} {}", word, object.full_name()));
    return;
  }
  // What building the union of all pods does not read: an object that something before has defined.
  const auto check_labels = [&] {
    cluster::check_labels(object.node.find("metadata").find("labels"), object.full_name(), problems);
  };
  if (object.kind == "Namespace" && object.group().empty()) {
    if (!objects_.emplace(object.full_name(), &object).second) {
      check_labels();
    }
    steps.namespace_labels.push_back(&object);
    steps.texts.push_back(fmt::format("{} {}", word, object.full_name()));
    return;
  }
  const auto kind = cluster::workload_kind(object.kind);
  if (!kind || (!is_replicated(*kind) && *kind != WorkloadKind::pod)) {
    problems.error(
        "not-supported-yet", fmt::format("an event cannot {} a {} yet", word, printable(object.kind)), object.span,
        "NetworkPolicies, Namespaces, Pods, Deployments, ReplicaSets, StatefulSets and ReplicationControllers can "
        "be applied; move the object to a layer of cluster.from");
    return;
  }
  const OwnerKey key{.name_space = object.name_space, .kind = *kind, .name = object.name};
  const auto [at, is_new] = objects_.emplace(object.full_name(), &object);
  const std::string_view field = *kind == WorkloadKind::pod ? "spec" : "template";
  const config::Node was =
      *kind == WorkloadKind::pod ? at->second->node.find("spec") : at->second->node.find("spec").find("template");
  const config::Node is =
      *kind == WorkloadKind::pod ? object.node.find("spec") : object.node.find("spec").find("template");
  if (!is_new && !same(was, is)) {
    problems.error(
        "not-supported-yet",
        fmt::format("{} comes with another {}, and rollouts are not played yet", printable(object.full_name()), field),
        is.is_present() ? is.span() : object.span,
        *kind == WorkloadKind::pod ? "a pod's spec cannot be changed; delete it and apply one of another name"
                                   : "only its replicas can change; or delete it and apply one of another name");
    return;
  }
  if (*kind == WorkloadKind::pod) {
    if (!is_new) {
      check_labels();
    }
    if (!replicas_of(key, all).live.empty()) {
      steps.texts.push_back(fmt::format("{} {}", word, key.text()));
    } else {
      steps.texts.push_back(fmt::format("start {}", key.text()));
    }
    scale(key, 1, all, steps);
    steps.pod_labels.push_back(&object);
    return;
  }
  const std::size_t before = replicas_of(key, all).live.size();
  const auto wanted = replica_count(object, problems);
  if (wanted) {
    scale(key, *wanted, all, steps);
    steps.texts.push_back(fmt::format("scale {} {} → {}", key.text(), before, *wanted));
  }
}

void StepTaker::take_delete(const Text& text, const Cluster& cluster, std::map<OwnerKey, Replicas>& all, Steps& steps,
                            Diagnostics& problems) const {
  const auto parts = parts_of(text.text);
  const cluster::KindInfo* kind = parts.size() >= 2 ? cluster::find_kind_by_word(parts[parts.size() - 2]) : nullptr;
  steps.texts.push_back(fmt::format("delete {}", text.text));
  if (kind != nullptr && kind->kind == "Namespace" && parts.size() == 2) {
    delete_namespace(std::string(parts[1]), text, cluster, all, steps, problems);
    return;
  }
  const bool is_admin = kind != nullptr && kind->group() == "policy.networking.k8s.io" && !kind->is_namespaced;
  if (kind != nullptr && (is_admin ? parts.size() == 2 : parts.size() == 3 && kind->kind == "NetworkPolicy")) {
    steps.deleted_policies.push_back(text);
    return;
  }
  const auto workload = kind != nullptr && parts.size() == 3 ? cluster::workload_kind(kind->kind) : std::nullopt;
  if (!workload) {
    problems.error("bad-name", fmt::format("\"{}\" names nothing that an event can delete", printable(text.text)),
                   text.span,
                   "for example backend/networkpolicy/allow-all, frontend/pod/web-0, frontend/deployment/web or "
                   "namespace/staging");
    return;
  }
  const OwnerKey key{.name_space = std::string(parts[0]), .kind = *workload, .name = std::string(parts[2])};
  if (is_at_start(key) || all.contains(key)) {
    if (replicas_of(key, all).live.empty()) {
      problems.error("unknown-object", fmt::format("\"{}\" has no pod left to delete", printable(text.text)),
                     text.span);
    }
    scale(key, 0, all, steps);
    return;
  }
  if (*workload == WorkloadKind::pod) {
    delete_owned_pod(text, cluster.find_pod(cluster.find_namespace(key.name_space), key.name), cluster, all, steps,
                     problems);
    return;
  }
  problems.error("unknown-object", fmt::format("there is no \"{}\" to delete", printable(text.text)), text.span);
}

// Its controller starts another one in its place at once.
void StepTaker::delete_owned_pod(const Text& text, cluster::PodId pod, const Cluster& cluster,
                                 std::map<OwnerKey, Replicas>& all, Steps& steps, Diagnostics& problems) const {
  if (!pod.is_valid()) {
    problems.error("unknown-object", fmt::format("there is no \"{}\" to delete", printable(text.text)), text.span,
                   "pods that an event brought are deleted with their owner, or by scaling it");
    return;
  }
  const cluster::Pod& it = cluster.pods[pod.index()];
  const cluster::Workload& owner = cluster.workloads[it.workload.index()];
  const OwnerKey key{
      .name_space = cluster.namespaces[owner.name_space.index()].name, .kind = owner.kind, .name = owner.name};
  if (!is_replicated(owner.kind) || owner.kind == WorkloadKind::stateful_set) {
    problems.error("not-supported-yet",
                   fmt::format("a pod of a {} cannot be deleted alone yet", cluster::to_string(owner.kind)), text.span,
                   "delete or scale its owner");
    return;
  }
  Replicas& replicas = replicas_of(key, all);
  if (std::erase(replicas.live, it.ordinal) == 0) {
    problems.error("unknown-object", fmt::format("\"{}\" is deleted already", printable(text.text)), text.span);
    return;
  }
  steps.disappear.emplace_back(key, it.ordinal);
  scale(key, static_cast<std::uint32_t>(replicas.live.size()) + 1, all, steps);
}

void StepTaker::delete_namespace(const std::string& name, const Text& text, const Cluster& cluster,
                                 std::map<OwnerKey, Replicas>& all, Steps& steps, Diagnostics& problems) const {
  const cluster::NamespaceId id = cluster.find_namespace(name);
  if (!id.is_valid()) {
    problems.error("unknown-object", fmt::format("there is no namespace \"{}\" to delete", printable(name)), text.span);
    return;
  }
  for (const cluster::Workload& workload : cluster.workloads) {
    if (workload.name_space == id) {
      replicas_of({.name_space = name, .kind = workload.kind, .name = workload.name}, all);
    }
  }
  for (auto& [key, replicas] : all) {
    if (key.name_space == name) {
      for (const std::uint32_t ordinal : replicas.live) {
        steps.disappear.emplace_back(key, ordinal);
      }
      replicas.live.clear();
    }
  }
  steps.deleted_namespaces.push_back(name);
}

}  // namespace podwire::scenario
