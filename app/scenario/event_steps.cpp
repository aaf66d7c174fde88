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

Replicas& StepTaker::replicas_of(const OwnerKey& key, SetObjects& set) const {
  const auto [at, is_new] = set.replicas.try_emplace(key);
  if (is_new) {
    at->second.ever = count_at_start(key);
    for (std::uint32_t i = 0; i < at->second.ever; ++i) {
      at->second.live.push_back(i);
    }
  }
  return at->second;
}

bool StepTaker::has_namespace(const std::string& name, const SetObjects& set) const {
  const auto at = set.namespaces.find(name);
  return at != set.namespaces.end() ? at->second : start_.find_namespace(name).is_valid();
}

bool StepTaker::has_service(const ServiceKey& key, const SetObjects& set) const {
  if (const auto at = set.services.find(key); at != set.services.end()) {
    return at->second;
  }
  const cluster::NamespaceId name_space = start_.find_namespace(key.first);
  return name_space.is_valid() && start_.find_service(name_space, key.second).is_valid();
}

// Pods of a StatefulSet keep their ordinals; of other owners each new pod is another one, and the youngest go first
// (k8s.io/kubernetes pkg/controller, ActivePodsWithRanks: the newer pod is deleted).
void StepTaker::scale(const OwnerKey& key, std::uint32_t wanted, SetObjects& set, Steps& steps) const {
  Replicas& it = replicas_of(key, set);
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

bool StepTaker::is_as_first(const Object& object, std::string_view field, std::string_view help,
                            Diagnostics& problems) {
  const auto [at, is_new] = objects_.emplace(object.full_name(), &object);
  const auto part = [&](const Object& of) {
    return field == "template" ? of.node.find("spec").find("template") : of.node.find("spec");
  };
  const config::Node is = part(object);
  if (is_new || same(part(*at->second), is)) {
    return true;
  }
  problems.error("not-supported-yet",
                 fmt::format("{} comes with another {}, and {} are not played yet", printable(object.full_name()),
                             field, object.kind == "Service" ? "changes within a Service" : "rollouts"),
                 is.is_present() ? is.span() : object.span, std::string(help));
  return false;
}

void StepTaker::take_apply(const Object& object, std::string_view word, SetObjects& set, Steps& steps,
                           Diagnostics& problems) {
  if (object.kind == "Step" && object.group() == "podwire") {
    return;  // not an object: what it says is read with the event
  }
  if (!object.name_space.empty()) {
    set.namespaces[object.name_space] = true;
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
    set.namespaces[object.name] = true;
    steps.namespace_labels.push_back(&object);
    steps.texts.push_back(fmt::format("{} {}", word, object.full_name()));
    return;
  }
  if (object.kind == "Service" && object.group().empty()) {
    apply_service(object, word, set, steps, problems);
    return;
  }
  const auto kind = cluster::workload_kind(object.kind);
  if (!kind || (!is_replicated(*kind) && *kind != WorkloadKind::pod)) {
    problems.error("not-supported-yet", fmt::format("an event cannot {} a {} yet", word, printable(object.kind)),
                   object.span,
                   "NetworkPolicies, Namespaces, Pods, Services, Deployments, ReplicaSets, StatefulSets and "
                   "ReplicationControllers can be applied; move the object to a layer of cluster.from");
    return;
  }
  const OwnerKey key{.name_space = object.name_space, .kind = *kind, .name = object.name};
  if (*kind == WorkloadKind::pod) {
    const bool is_known = objects_.contains(object.full_name());
    if (!is_as_first(object, "spec", "a pod's spec cannot be changed; delete it and apply one of another name",
                     problems)) {
      return;
    }
    if (is_known) {
      check_labels();
    }
    steps.texts.push_back(fmt::format("{} {}", replicas_of(key, set).live.empty() ? "start" : word, key.text()));
    scale(key, 1, set, steps);
    steps.pod_labels.push_back(&object);
    return;
  }
  if (!is_as_first(object, "template", "only its replicas can change; or delete it and apply one of another name",
                   problems)) {
    return;
  }
  const std::size_t before = replicas_of(key, set).live.size();
  const auto wanted = replica_count(object, problems);
  if (wanted) {
    scale(key, *wanted, set, steps);
    steps.texts.push_back(fmt::format("scale {} {} → {}", key.text(), before, *wanted));
  }
}

// The cluster's DNS is where every resolver points from the first packet on: one that comes later would be another.
void StepTaker::apply_service(const Object& object, std::string_view word, SetObjects& set, Steps& steps,
                              Diagnostics& problems) {
  const ServiceKey key(object.name_space, object.name);
  const bool is_dns_namespace = key.first == "kube-system" || key.first == "openshift-dns";
  const bool is_dns =
      is_dns_namespace && (key.second == "kube-dns" || key.second == "dns-default" ||
                           object.node.find("metadata").find("labels").find("k8s-app").text() == "kube-dns");
  if (is_dns && !objects_.contains(object.full_name())) {
    problems.error("not-supported-yet",
                   fmt::format("{} is the cluster's DNS and cannot come later", printable(object.full_name())),
                   object.span, "move it to the manifests");
    return;
  }
  if (!is_as_first(object, "spec", "delete it and apply one of another name", problems)) {
    return;
  }
  steps.texts.push_back(fmt::format("{} {}", word, object.full_name()));
  if (!has_service(key, set)) {
    steps.services_appear.push_back(key);
  }
  set.services[key] = true;
}

bool StepTaker::check_label(const Text& object, const SetObjects& set, Diagnostics& problems) const {
  const auto parts = parts_of(object.text);
  const cluster::KindInfo* kind = parts.size() == 2 ? cluster::find_kind_by_word(parts[0]) : nullptr;
  if (kind != nullptr && kind->kind == "Namespace" && !has_namespace(std::string(parts[1]), set)) {
    problems.error("unknown-object", fmt::format("there is no namespace \"{}\" at that time", printable(parts[1])),
                   object.span);
    return false;
  }
  return true;
}

void StepTaker::take_delete(const Text& text, const Cluster& cluster, SetObjects& set, Steps& steps,
                            Diagnostics& problems) const {
  const auto parts = parts_of(text.text);
  const cluster::KindInfo* kind = parts.size() >= 2 ? cluster::find_kind_by_word(parts[parts.size() - 2]) : nullptr;
  steps.texts.push_back(fmt::format("delete {}", text.text));
  if (kind != nullptr && kind->kind == "Namespace" && parts.size() == 2) {
    delete_namespace(std::string(parts[1]), text, cluster, set, steps, problems);
    return;
  }
  const bool is_admin = kind != nullptr && kind->group() == "policy.networking.k8s.io" && !kind->is_namespaced;
  if (kind != nullptr && (is_admin ? parts.size() == 2 : parts.size() == 3 && kind->kind == "NetworkPolicy")) {
    steps.deleted_policies.push_back(text);
    return;
  }
  if (kind != nullptr && parts.size() == 3 && kind->kind == "Service" && kind->group().empty()) {
    delete_service({std::string(parts[0]), std::string(parts[2])}, text, set, steps, problems);
    return;
  }
  const auto workload = kind != nullptr && parts.size() == 3 ? cluster::workload_kind(kind->kind) : std::nullopt;
  if (!workload) {
    problems.error("bad-name", fmt::format("\"{}\" names nothing that an event can delete", printable(text.text)),
                   text.span,
                   "for example backend/networkpolicy/allow-all, frontend/pod/web-0, frontend/deployment/web, "
                   "frontend/service/web or namespace/staging");
    return;
  }
  const OwnerKey key{.name_space = std::string(parts[0]), .kind = *workload, .name = std::string(parts[2])};
  if (is_at_start(key) || set.replicas.contains(key)) {
    if (replicas_of(key, set).live.empty()) {
      problems.error("unknown-object", fmt::format("\"{}\" has no pod left to delete", printable(text.text)),
                     text.span);
    }
    scale(key, 0, set, steps);
    return;
  }
  if (*workload == WorkloadKind::pod) {
    delete_owned_pod(text, cluster.find_pod(cluster.find_namespace(key.name_space), key.name), cluster, set, steps,
                     problems);
    return;
  }
  problems.error("unknown-object", fmt::format("there is no \"{}\" to delete", printable(text.text)), text.span);
}

void StepTaker::delete_service(const ServiceKey& key, const Text& text, SetObjects& set, Steps& steps,
                               Diagnostics& problems) const {
  if (!has_service(key, set)) {
    problems.error("unknown-object", fmt::format("there is no \"{}\" to delete", printable(text.text)), text.span);
    return;
  }
  steps.services_disappear.push_back(key);
  set.services[key] = false;
}

// Its controller starts another one in its place at once.
void StepTaker::delete_owned_pod(const Text& text, cluster::PodId pod, const Cluster& cluster, SetObjects& set,
                                 Steps& steps, Diagnostics& problems) const {
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
  Replicas& replicas = replicas_of(key, set);
  if (std::erase(replicas.live, it.ordinal) == 0) {
    problems.error("unknown-object", fmt::format("\"{}\" is deleted already", printable(text.text)), text.span);
    return;
  }
  steps.disappear.emplace_back(key, it.ordinal);
  scale(key, static_cast<std::uint32_t>(replicas.live.size()) + 1, set, steps);
}

// With all that is in it: pods, Services and (where policies are changed) NetworkPolicies.
void StepTaker::delete_namespace(const std::string& name, const Text& text, const Cluster& cluster, SetObjects& set,
                                 Steps& steps, Diagnostics& problems) const {
  if (!has_namespace(name, set)) {
    problems.error("unknown-object", fmt::format("there is no namespace \"{}\" to delete", printable(name)), text.span);
    return;
  }
  set.namespaces[name] = false;
  if (const cluster::NamespaceId id = cluster.find_namespace(name); id.is_valid()) {
    for (const cluster::Workload& workload : cluster.workloads) {
      if (workload.name_space == id) {
        replicas_of({.name_space = name, .kind = workload.kind, .name = workload.name}, set);
      }
    }
    for (const cluster::Service& service : cluster.services) {
      if (service.name_space == id) {
        set.services.try_emplace({name, service.name}, true);
      }
    }
  }
  for (auto& [key, replicas] : set.replicas) {
    if (key.name_space == name) {
      for (const std::uint32_t ordinal : replicas.live) {
        steps.disappear.emplace_back(key, ordinal);
      }
      replicas.live.clear();
    }
  }
  for (auto& [key, is_there] : set.services) {
    if (key.first == name && is_there) {
      steps.services_disappear.push_back(key);
      is_there = false;
    }
  }
  steps.deleted_namespaces.push_back(name);
}

}  // namespace podwire::scenario
