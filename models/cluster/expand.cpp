// Drafts become workloads, templates, shapes and pods.
//
// Replicas share one template and one shape. Labels that a controller gives each pod of its own are part of a shape
// only if some selector mentions their key; otherwise a StatefulSet of a thousand pods would make a thousand shapes
// that nothing can tell apart. pod-template-hash and controller-revision-hash of expanded pods are left out.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

#include "models/cluster/build.hpp"
#include "models/cluster/kinds.hpp"
#include "models/cluster/scheduler.hpp"
#include "sim/base/check.hpp"
#include "sim/base/text.hpp"

namespace podwire::cluster {
namespace {

constexpr std::string_view kPodKeys[] = {kPodIndexLabel, kCompletionIndexLabel, kPodNameLabel};  // sorted

void find_mentions(config::Node node, std::vector<bool>& is_mentioned) {
  if (node.is_scalar()) {
    for (std::size_t i = 0; i < std::size(kPodKeys); ++i) {
      // matchLabels and Service selectors write the key as a member, matchExpressions as the value of "key".
      if (node.key() == kPodKeys[i] || (node.key() == "key" && node.text() == kPodKeys[i])) {
        is_mentioned[i] = true;
      }
    }
    return;
  }
  for (const config::Node child : node) {
    find_mentions(child, is_mentioned);
  }
}

bool has_same_content(const PodTemplate& a, const PodTemplate& b) {
  const auto content = [](const PodTemplate& t) {
    return std::tie(t.labels, t.ports, t.probe_ports, t.is_host_network, t.dns_policy, t.dns_config, t.node_selector,
                    t.tolerations, t.service_account, t.hostname, t.subdomain, t.is_named_host);
  };
  return content(a) == content(b);
}

// Of what templates mostly differ in.
std::uint64_t hash_of(const PodTemplate& t) {
  std::uint64_t h = t.labels.value();
  const auto add = [&h](std::uint64_t word) {
    h = (h ^ word) * 0x9e37'79b9'7f4a'7c15u;
    h ^= h >> 32;
  };
  const auto add_text = [&add](std::string_view text) { add(std::hash<std::string_view>()(text)); };
  for (const auto* ports : {&t.ports, &t.probe_ports}) {
    for (const ContainerPort& port : *ports) {
      add(std::uint64_t{port.number.number()} << 8 | static_cast<std::uint64_t>(port.protocol));
      add_text(port.name);
    }
  }
  for (const auto& [name, value] : t.node_selector) {
    add_text(value);
  }
  add(t.tolerations.size());
  add_text(t.service_account);
  add_text(t.hostname);
  add_text(t.subdomain);
  return h;
}

// What the DaemonSet controller adds (k8s.io/kubernetes pkg/controller/daemon/util/daemonset_util.go).
void add_daemon_tolerations(PodTemplate& out) {
  for (const auto& [key, effect] :
       {std::pair("node.kubernetes.io/not-ready", "NoExecute"), std::pair("node.kubernetes.io/not-ready", "NoSchedule"),
        std::pair("node.kubernetes.io/unreachable", "NoExecute"),
        std::pair("node.kubernetes.io/disk-pressure", "NoSchedule"),
        std::pair("node.kubernetes.io/memory-pressure", "NoSchedule"),
        std::pair("node.kubernetes.io/pid-pressure", "NoSchedule"),
        std::pair("node.kubernetes.io/unschedulable", "NoSchedule")}) {
    out.tolerations.push_back({.key = key, .value = {}, .effect = effect, .is_exists = true});
  }
  if (out.is_host_network) {
    out.tolerations.push_back(
        {.key = "node.kubernetes.io/network-unavailable", .value = {}, .effect = "NoSchedule", .is_exists = true});
  }
}

class Expander {
 public:
  explicit Expander(BuildState& state) : state_(state), cluster_(state.cluster), context_(state.reading()) {
    splitting_keys_ = selected_pod_keys(state.store);
    splitting_keys_.insert(splitting_keys_.end(), state.options.selected_keys.begin(),
                           state.options.selected_keys.end());
  }

  void run() {
    if (!fits_limit()) {
      return;
    }
    for (const LatePods& late : state_.late) {
      if (late.is_new) {
        new_objects_.insert(late.object);
      }
    }
    for (WorkloadDraft& draft : state_.drafts) {
      workload_ = WorkloadId(cluster_.workloads.size());
      cluster_.workloads.push_back({.name_space = draft.name_space,
                                    .kind = draft.kind,
                                    .name = draft.name,
                                    .pod_template = {},
                                    .pods = {},
                                    .is_live = !draft.live.empty(),
                                    .is_added = draft.is_added});
      if (!draft.live.empty()) {
        add_live_pods(draft);
      } else if (draft.is_added) {
        const TemplateId used = intern_template(state_, coredns_template(context_));
        workload().pod_template = used;
        add_replicas(plain_shape(draft, used), state_.options.dns_replicas);
      } else {
        expand(draft);
      }
    }
    state_.first_late_pod = cluster_.pods.size();
    for (const LatePods& late : state_.late) {
      add_late_pods(late);
    }
    for (Workload& it : cluster_.workloads) {
      it.replicas = static_cast<std::uint32_t>(it.pods.size());
    }
  }

 private:
  Workload& workload() { return cluster_.workloads[workload_.index()]; }

  bool splits_by(std::string_view key) const {
    return std::ranges::find(splitting_keys_, key) != splitting_keys_.end();
  }

  // Checked before any pod is made.
  bool fits_limit() {
    std::uint64_t total = 0;
    std::uint64_t daemons = 0;
    for (const WorkloadDraft& draft : state_.drafts) {
      if (!draft.live.empty()) {
        total += draft.live.size();
      } else if (draft.owner && draft.kind == WorkloadKind::daemon_set) {
        ++daemons;
      } else {
        total += draft.is_added ? state_.options.dns_replicas : draft.owner ? draft.owner->replicas : 0;
      }
    }
    for (const LatePods& late : state_.late) {
      total += late.is_new ? 0 : late.replicas;
    }
    total += daemons * cluster_.nodes.size();
    if (total > state_.options.max_pods) {
      state_.diagnostics.error(
          "too-many-pods", fmt::format("{} pods in all are more than the limit of {}", total, state_.options.max_pods));
      return false;
    }
    cluster_.pods.reserve(total);
    return true;
  }

  ShapeId plain_shape(const WorkloadDraft& draft, TemplateId used) {
    const PodTemplate& pod_template = cluster_.templates[used.index()];
    return intern_shape(state_, {.name_space = draft.name_space,
                                 .labels = pod_template.labels,
                                 .pod_template = used,
                                 .is_host_network = pod_template.is_host_network});
  }

  Pod& add_pod(ShapeId shape, std::string wanted_node = {}, bool is_pinned = false) {
    const PodId id(cluster_.pods.size());
    cluster_.pods.push_back({.shape = shape,
                             .workload = workload_,
                             .node = {},
                             .ordinal = static_cast<std::uint32_t>(workload().pods.size()),
                             .ip = {},
                             .name = {}});
    workload().pods.push_back(id);
    state_.is_pinned.push_back(is_pinned);
    state_.ip_spans.emplace_back();
    if (!wanted_node.empty()) {
      cluster_.pods.back().node = cluster_.find_node(wanted_node);
    }
    return cluster_.pods.back();
  }

  void add_replicas(ShapeId shape, std::uint32_t replicas, const std::string& wanted_node = {}) {
    workload().pods.reserve(replicas);
    for (std::uint32_t i = 0; i < replicas; ++i) {
      add_pod(shape, wanted_node);
    }
  }

  void expand(const WorkloadDraft& draft) {
    const Owner& owner = *draft.owner;
    const std::string name = owner.object->full_name();
    workload().span = owner.object->span;
    PodTemplate pod_template = read_pod_template(owner.template_metadata, owner.template_spec, name, context_);
    check_selector(owner, pod_template);
    if (draft.kind == WorkloadKind::daemon_set) {
      add_daemon_tolerations(pod_template);
    }
    if (draft.kind == WorkloadKind::job) {
      add_job_labels(draft, pod_template);
    }
    if (draft.kind == WorkloadKind::stateful_set) {
      pod_template.is_named_host = true;
      pod_template.hostname.clear();
      pod_template.subdomain = owner.service_name.empty() ? pod_template.subdomain : owner.service_name;
    }
    const TemplateId used = intern_template(state_, std::move(pod_template));
    workload().pod_template = used;
    const std::string wanted_node(owner.template_spec.find("nodeName").text());
    if (draft.kind == WorkloadKind::daemon_set) {
      add_daemons(plain_shape(draft, used), cluster_.templates[used.index()]);
    } else if (const std::uint32_t replicas = is_new(*owner.object) ? 0 : owner.replicas; replicas > 0) {
      if (draft.kind == WorkloadKind::stateful_set) {
        add_stateful(draft, used, replicas);
      } else {
        add_replicas(plain_shape(draft, used), replicas, wanted_node);
      }
    }
  }

  bool is_new(const Object& object) const { return !new_objects_.empty() && new_objects_.contains(object.full_name()); }

  /// Pods of a workload whose template is read already, or the pod object itself.
  void add_late_pods(const LatePods& late) {
    for (std::size_t i = 0; i < state_.drafts.size(); ++i) {
      WorkloadDraft& draft = state_.drafts[i];
      workload_ = WorkloadId(i);
      for (const LivePod& live : draft.live) {
        if (late.is_new && live.object->full_name() == late.object) {
          add_live_pod(draft, live);
          return;
        }
      }
      if (!draft.owner || draft.owner->object->full_name() != late.object) {
        continue;
      }
      const TemplateId used = workload().pod_template;
      if (draft.kind == WorkloadKind::stateful_set) {
        add_stateful(draft, used, late.replicas);
      } else {
        add_replicas(plain_shape(draft, used), late.replicas,
                     std::string(draft.owner->template_spec.find("nodeName").text()));
      }
      return;
    }
    PODWIRE_CHECK(false, "cluster", "late pods belong to an object of the store");
  }

  // The job controller labels its pods, and policies do select by it (batch/v1 JobNameLabel and its name of old).
  void add_job_labels(const WorkloadDraft& draft, PodTemplate& pod_template) {
    const auto labels = cluster_.label_sets[pod_template.labels];
    std::vector<Label> all(labels.begin(), labels.end());
    const StringId value = cluster_.strings.intern(draft.name);
    for (const std::string_view key : {"batch.kubernetes.io/job-name", "job-name"}) {
      all.push_back({.key = cluster_.strings.intern(key), .value = value});
    }
    pod_template.labels = cluster_.label_sets.intern(std::move(all));
  }

  void add_daemons(ShapeId shape, const PodTemplate& pod_template) {
    for (std::size_t i = 0; i < cluster_.nodes.size(); ++i) {
      if (fits_node(cluster_, pod_template, NodeId(i))) {
        add_pod(shape).node = NodeId(i);
      }
    }
  }

  void add_stateful(const WorkloadDraft& draft, TemplateId used, std::uint32_t replicas) {
    const Owner& owner = *draft.owner;
    const bool by_name = splits_by(kPodNameLabel);
    const bool by_index = splits_by(kPodIndexLabel);
    const auto first = static_cast<std::uint32_t>(workload().pods.size());
    workload().pods.reserve(first + replicas);
    for (std::uint32_t i = first; i < first + replicas; ++i) {
      const std::string index = std::to_string(std::uint64_t{owner.first_ordinal} + i);
      ShapeId shape;
      if (!by_name && !by_index) {
        shape = plain_shape(draft, used);
      } else {
        const PodTemplate& pod_template = cluster_.templates[used.index()];
        PodShape own{.name_space = draft.name_space,
                     .labels = pod_template.labels,
                     .pod_template = used,
                     .is_host_network = pod_template.is_host_network};
        const auto labels = cluster_.label_sets[own.labels];
        std::vector<Label> all(labels.begin(), labels.end());
        if (by_name) {
          all.push_back({.key = cluster_.strings.intern(kPodNameLabel),
                         .value = cluster_.strings.intern(fmt::format("{}-{}", draft.name, index))});
        }
        if (by_index) {
          all.push_back({.key = cluster_.strings.intern(kPodIndexLabel), .value = cluster_.strings.intern(index)});
        }
        own.labels = cluster_.label_sets.intern(std::move(all));
        shape = intern_shape(state_, own);
      }
      Pod& pod = add_pod(shape);
      if (owner.first_ordinal != 0) {
        pod.name = cluster_.strings.intern(fmt::format("{}-{}", draft.name, index));
      }
    }
  }

  void add_live_pods(const WorkloadDraft& draft) {
    workload().span = draft.owner ? draft.owner->object->span : draft.live.front().object->span;
    for (const LivePod& live : draft.live) {
      if (!is_new(*live.object)) {
        add_live_pod(draft, live);
      }
    }
  }

  void add_live_pod(const WorkloadDraft& draft, const LivePod& live) {
    const std::string name = live.object->full_name();
    PodTemplate pod_template =
        read_pod_template(live.object->node.find("metadata"), live.object->node.find("spec"), name, context_);
    drop_unselected_keys(pod_template);
    if (pod_template.hostname == live.object->name && !pod_template.subdomain.empty()) {
      pod_template.hostname.clear();
      pod_template.is_named_host = true;
    }
    const TemplateId used = intern_template(state_, std::move(pod_template));
    if (!workload().pod_template.is_valid()) {
      workload().pod_template = used;
    }
    // A pod that the dump shows as pending without a node, or as finished, gets neither node nor address from us.
    const bool is_finished = live.status.phase == PodPhase::succeeded || live.status.phase == PodPhase::failed;
    const bool is_pinned = live.status.phase == PodPhase::pending || is_finished;
    Pod& pod = add_pod(plain_shape(draft, used), live.status.node_name, is_pinned);
    pod.name = cluster_.strings.intern(live.object->name);
    pod.phase = live.status.phase;
    pod.is_ready = live.status.is_ready;
    pod.is_terminating = live.status.is_terminating;
    take_address(live, pod);
  }

  void take_address(const LivePod& live, Pod& pod) {
    if (!live.status.ips.empty()) {
      pod.ip = live.status.ips.front();
      state_.ip_spans.back() = live.status.ip_spans.front();
      if (live.status.ips.size() > 1) {
        cluster_.second_addresses.emplace_back(PodId(cluster_.pods.size() - 1), live.status.ips[1]);
        state_.second_ip_spans.push_back(live.status.ip_spans[1]);
      }
    }
    if (!pod.node.is_valid()) {
      return;
    }
    // A node of which only the name is known: its pods tell its address.
    Node& node = cluster_.nodes[pod.node.index()];
    std::optional<IpAddress> host = live.status.host_ip;
    if (!host && cluster_.shapes[pod.shape.index()].is_host_network && !pod.ip.is_unspecified()) {
      host = pod.ip;
    }
    if (node.addresses.empty() && host) {
      node.addresses.push_back(*host);
    }
  }

  void drop_unselected_keys(PodTemplate& pod_template) {
    const auto labels = cluster_.label_sets[pod_template.labels];
    std::vector<Label> kept;
    for (const Label& label : labels) {
      const std::string_view key = cluster_.strings[label.key];
      if (std::ranges::find(kPodKeys, key) == std::end(kPodKeys) || splits_by(key)) {
        kept.push_back(label);
      }
    }
    if (kept.size() != labels.size()) {
      pod_template.labels = cluster_.label_sets.intern(std::move(kept));
    }
  }

  // The API refuses a selector that does not select the template's own pods.
  void check_selector(const Owner& owner, const PodTemplate& pod_template) {
    const bool has_label_selector = owner.kind == WorkloadKind::deployment || owner.kind == WorkloadKind::replica_set ||
                                    owner.kind == WorkloadKind::stateful_set || owner.kind == WorkloadKind::daemon_set;
    const config::Node node = owner.object->node.find("spec").find("selector");
    if (!has_label_selector || node.is_null()) {
      return;
    }
    const auto selector = read_label_selector(node, owner.object->full_name(), state_.diagnostics);
    if (selector && !selector->matches(pod_template.labels, cluster_.label_sets, cluster_.strings)) {
      state_.warning(
          *owner.object, "selector-mismatch",
          fmt::format("the selector {} does not select the template's own labels", printable(selector->to_string())),
          node, "the API server refuses this object");
    }
  }

  BuildState& state_;
  Cluster& cluster_;
  ReadContext context_;
  WorkloadId workload_;
  std::vector<std::string> splitting_keys_;
  std::set<std::string> new_objects_;
};

}  // namespace

namespace {

std::vector<std::string> keys_of(const std::vector<bool>& is_mentioned) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < std::size(kPodKeys); ++i) {
    if (is_mentioned[i]) {
      keys.emplace_back(kPodKeys[i]);
    }
  }
  return keys;
}

}  // namespace

std::vector<std::string> mentioned_pod_keys(config::Node node) {
  std::vector<bool> is_mentioned(std::size(kPodKeys), false);
  find_mentions(node, is_mentioned);
  return keys_of(is_mentioned);
}

std::vector<std::string> selected_pod_keys(const ObjectStore& store) {
  std::vector<bool> is_mentioned(std::size(kPodKeys), false);
  for (const Object& object : store.objects()) {
    const KindInfo* info = find_kind(object.group(), object.kind);
    const bool has_selectors =
        info != nullptr && (info->role == KindRole::policy || info->role == KindRole::unmodelled ||
                            (object.kind == "Service" && object.group().empty()));
    if (has_selectors) {
      find_mentions(object.node.find("spec"), is_mentioned);
    }
  }
  return keys_of(is_mentioned);
}

TemplateId intern_template(BuildState& state, PodTemplate pod_template) {
  std::vector<PodTemplate>& templates = state.cluster.templates;
  TemplateId& last = state.templates[hash_of(pod_template)];
  for (TemplateId id = last; id.is_valid(); id = state.same_hash[id.index()]) {
    if (has_same_content(templates[id.index()], pod_template)) {
      return id;
    }
  }
  state.same_hash.push_back(last);
  last = TemplateId(templates.size());
  templates.push_back(std::move(pod_template));
  return last;
}

ShapeId intern_shape(BuildState& state, const PodShape& shape) {
  const auto [at, is_new] = state.shapes.try_emplace(shape, ShapeId(state.cluster.shapes.size()));
  if (is_new) {
    state.cluster.shapes.push_back(shape);
  }
  return at->second;
}

void expand_workloads(BuildState& state) {
  Expander(state).run();
}

}  // namespace podwire::cluster
