#include "models/cluster/scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/cluster/build.hpp"
#include "sim/base/text.hpp"

namespace podwire::cluster {
namespace {

std::string key_of(const PodTemplate& pod_template) {
  std::string key;
  auto selector = pod_template.node_selector;
  std::ranges::sort(selector);
  for (const auto& [name, value] : selector) {
    key += fmt::format("{}={};", name, value);
  }
  key += '|';
  for (const Toleration& t : pod_template.tolerations) {
    key += fmt::format("{};{};{};{}\n", t.key, t.value, t.effect, t.is_exists);
  }
  return key;
}

// Whether the pod's node was generated and lacks a label that the pod asks for.
bool is_obliged(const Cluster& cluster, PodId id) {
  const Pod& pod = cluster.pods[id.index()];
  if (!pod.node.is_valid() || !cluster.nodes[pod.node.index()].is_generated) {
    return false;
  }
  return std::ranges::any_of(cluster.pod_template(id).node_selector, [&](const auto& entry) {
    const StringId key = cluster.strings.find(entry.first);
    return !key.is_valid() || !cluster.label_sets.value(cluster.nodes[pod.node.index()].labels, key).is_valid();
  });
}

}  // namespace

bool is_tolerated(const Taint& taint, const std::vector<Toleration>& tolerations) {
  return std::ranges::any_of(tolerations, [&](const Toleration& t) {
    if (!t.effect.empty() && t.effect != taint.effect) {
      return false;
    }
    if (t.key.empty()) {
      return t.is_exists;
    }
    return t.key == taint.key && (t.is_exists || t.value == taint.value);
  });
}

bool fits_node(const Cluster& cluster, const PodTemplate& pod_template, NodeId id) {
  const Node& node = cluster.nodes[id.index()];
  for (const auto& [key, value] : pod_template.node_selector) {
    const StringId key_id = cluster.strings.find(key);
    const StringId found = key_id.is_valid() ? cluster.label_sets.value(node.labels, key_id) : StringId::none();
    // A generated node stands for whatever the pods ask for; only what the kubelet itself sets is known about it.
    if (found.is_valid() ? cluster.strings[found] != value : !node.is_generated) {
      return false;
    }
  }
  return std::ranges::all_of(node.taints, [&](const Taint& taint) {
    return (taint.effect != "NoSchedule" && taint.effect != "NoExecute") ||
           is_tolerated(taint, pod_template.tolerations);
  });
}

Scheduler::Scheduler(const Cluster& cluster, const std::vector<std::uint32_t>& limits)
    : cluster_(cluster), limits_(limits), counts_(cluster.nodes.size(), 0) {}

Scheduler::Group Scheduler::group_of(const PodTemplate& pod_template) {
  const auto [at, is_new] = group_index_.try_emplace(key_of(pod_template), groups_.size());
  if (is_new) {
    std::vector<Entry> entries;
    for (std::uint32_t i = 0; i < counts_.size(); ++i) {
      if (fits_node(cluster_, pod_template, NodeId(i))) {
        entries.push_back({.count = counts_[i], .node = i});
      }
    }
    const bool fits_some = !entries.empty();
    groups_.push_back({.queue = Queue(std::greater<>(), std::move(entries)), .fits_some = fits_some});
  }
  return at->second;
}

NodeId Scheduler::place(Group group) {
  Queue& queue = groups_[group].queue;
  while (!queue.empty()) {
    Entry entry = queue.top();
    queue.pop();
    std::uint32_t& count = counts_[entry.node];
    if (count >= limits_[entry.node]) {
      continue;  // full, and counts never fall
    }
    if (entry.count != count) {
      queue.push({.count = count, .node = entry.node});
      continue;
    }
    queue.push({.count = ++count, .node = entry.node});
    return NodeId(entry.node);
  }
  return NodeId::none();
}

void schedule_pods(BuildState& state) {
  Cluster& cluster = state.cluster;
  Scheduler scheduler(cluster, state.node_limits);
  const auto is_finished = [](const Pod& pod) {
    return pod.phase == PodPhase::succeeded || pod.phase == PodPhase::failed;
  };
  for (const Pod& pod : cluster.pods) {
    if (pod.node.is_valid() && !is_finished(pod)) {
      scheduler.occupy(pod.node);
    }
  }
  std::vector<std::string> obliged;  // workloads whose nodeSelector only generated nodes' good will fulfils
  std::vector<std::size_t> pending_by_workload(cluster.workloads.size(), 0);
  std::vector<Scheduler::Group> groups(cluster.workloads.size(), 0);
  // Pods that come later in a timeline are placed after all others, whose places must not depend on them.
  for (const bool is_late : {false, true}) {
    for (std::size_t w = 0; w < cluster.workloads.size(); ++w) {
      TemplateId last;  // replicas share a template: one look-up for all
      Scheduler::Group& group = groups[w];
      for (const PodId id : cluster.workloads[w].pods) {
        Pod& pod = cluster.pods[id.index()];
        if (pod.node.is_valid() || state.is_pinned[id.index()] || (id.index() >= state.first_late_pod) != is_late) {
          continue;
        }
        if (const TemplateId used = cluster.shape(id).pod_template; used != last) {
          last = used;
          group = scheduler.group_of(cluster.templates[used.index()]);
        }
        pod.node = scheduler.place(group);
        if (!pod.node.is_valid()) {
          pod.phase = PodPhase::pending;
          pod.is_ready = false;
          ++pending_by_workload[w];
        }
      }
    }
  }
  for (std::size_t w = 0; w < cluster.workloads.size(); ++w) {
    const Workload& workload = cluster.workloads[w];
    const std::size_t pending = pending_by_workload[w];
    const Scheduler::Group group = groups[w];
    if (!workload.pods.empty() && is_obliged(cluster, workload.pods.front())) {
      obliged.push_back(cluster.workload_name(cluster.pods[workload.pods.front().index()].workload));
    }
    if (pending > 0) {
      const bool is_full = scheduler.fits_anywhere(group);
      const std::string name = cluster.workload_name(cluster.pods[workload.pods.front().index()].workload);
      state.diagnostics.add({.severity = Severity::warning,
                             .code = "no-node-fits",
                             .message = fmt::format(
                                 "{} of {} pods of {} stay pending: {}", pending, workload.pods.size(), printable(name),
                                 is_full ? "every node that fits is full"
                                         : "no node has the labels that it asks for and only taints that it tolerates"),
                             .span = workload.span,
                             .object = printable(name)});
    }
  }
  if (!obliged.empty()) {
    state.assume("nodes", fmt::format("generated nodes are taken to have the labels that {} workload{} asked for in "
                                      "nodeSelector ({}{})",
                                      obliged.size(), obliged.size() == 1 ? "" : "s", printable(obliged.front()),
                                      obliged.size() == 1 ? "" : ", …"));
  }
}

}  // namespace podwire::cluster
