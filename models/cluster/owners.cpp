// Owners of pods: what Deployments, Jobs … ask for, and which live pods of a dump belong to which of them.
//
// A live pod counts under the top of its chain of owners as far as the layers have them: Pod → ReplicaSet → Deployment,
// Pod → Job → CronJob. If its direct owner is missing, that owner's kind and name make the workload
// (frontend-7d77fb55cc[ReplicaSet]). An owner of no known kind, or of none, is shown as [Pod] under the owner's name;
// mirror pods (owner kind Node) and pods without owner stand for themselves.
//
// A later layer that replaces a top owner is a rollout: its pods of earlier layers are gone and it is expanded anew.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "models/cluster/build.hpp"
#include "models/cluster/kinds.hpp"
#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::cluster {
namespace {

constexpr std::int64_t kMaxReplicas = 0x7fff'ffff;  // int32 in the API
constexpr int kLongestChain = 8;                    // a reference cycle ends here

bool is_finished(config::Node job) {
  for (const config::Node condition : job.find("status").find("conditions")) {
    const std::string_view type = condition.find("type").text();
    if ((type == "Complete" || type == "Failed") && condition.find("status").text() == "True") {
      return true;
    }
  }
  return false;
}

// How many pods a Job runs at once.
std::uint32_t job_pods(config::ObjectReader& spec) {
  const auto parallelism = spec.integer("parallelism", 0, kMaxReplicas);
  const auto completions = spec.integer("completions", 0, kMaxReplicas);
  const std::int64_t wanted = parallelism.value_or(1);
  return static_cast<std::uint32_t>(completions ? std::min(wanted, *completions) : wanted);
}

class OwnerReader {
 public:
  explicit OwnerReader(BuildState& state) : state_(state) {}

  Owner read(const Object& object, WorkloadKind kind) {
    const std::string name = object.full_name();
    Owner owner{.object = &object, .kind = kind};
    owner.controller = read_controller(object.node.find("metadata"), name, state_.diagnostics);
    config::ObjectReader root(object.node, name, state_.diagnostics);
    config::ObjectReader spec(root.require("spec"), name, state_.diagnostics);
    if (!spec.node().is_present()) {
      return owner;  // reported, and there is no place for more
    }
    read_replicas(object, spec, owner);
    if (kind == WorkloadKind::cron_job) {
      config::ObjectReader job(spec.require("jobTemplate"), name, state_.diagnostics);
      config::ObjectReader job_spec(job.node().is_present() ? job.require("spec") : config::Node(), name,
                                    state_.diagnostics);
      if (!job_spec.node().is_present()) {
        owner.replicas = 0;
        return owner;
      }
      owner.replicas = std::min(owner.replicas, job_pods(job_spec));
      check_replicas(object, spec, owner);
      read_template(job_spec, owner);
    } else {
      read_template(spec, owner);
    }
    if (kind == WorkloadKind::stateful_set) {
      owner.service_name = spec.string("serviceName").value_or("");
      config::ObjectReader ordinals(spec.get("ordinals"), name, state_.diagnostics);
      owner.first_ordinal = static_cast<std::uint32_t>(ordinals.integer("start", 0, kMaxReplicas).value_or(0));
    }
    return owner;
  }

 private:
  void read_replicas(const Object& object, config::ObjectReader& spec, Owner& owner) {
    switch (owner.kind) {
      case WorkloadKind::job:
        owner.replicas = job_pods(spec);
        if (spec.boolean("suspend").value_or(false) || is_finished(object.node)) {
          owner.replicas = 0;
        }
        break;
      case WorkloadKind::cron_job:
        // Policies concern a run as if it were going on now; job_pods narrows this.
        owner.replicas = spec.boolean("suspend").value_or(false) ? 0 : static_cast<std::uint32_t>(kMaxReplicas);
        break;
      case WorkloadKind::daemon_set:
        owner.replicas = 0;
        break;
      default:
        owner.replicas = static_cast<std::uint32_t>(spec.integer("replicas", 0, kMaxReplicas).value_or(1));
    }
    if (owner.kind != WorkloadKind::cron_job) {
      check_replicas(object, spec, owner);
    }
  }

  void check_replicas(const Object& object, config::ObjectReader& spec, Owner& owner) {
    if (owner.replicas > state_.options.max_pods) {
      state_.error(object, "too-many-pods",
                   fmt::format("{} pods are more than the limit of {}", owner.replicas, state_.options.max_pods),
                   spec.node());
      owner.replicas = 0;
    }
  }

  void read_template(config::ObjectReader& spec, Owner& owner) {
    const config::Node pod_template = spec.require("template");
    if (pod_template.is_null()) {
      return;
    }
    config::ObjectReader reader(pod_template, spec.object(), state_.diagnostics);
    owner.template_metadata = reader.get("metadata");
    owner.template_spec = reader.require("spec");
    if (owner.template_spec.is_present()) {
      config::ObjectReader(owner.template_spec, spec.object(), state_.diagnostics).require("containers");
    }
  }

  BuildState& state_;
};

using Key = std::tuple<std::string_view, WorkloadKind, std::string_view>;  // namespace, kind, name

class Joiner {
  // What an event brings later replaces nothing of the beginning.
  bool replaces_earlier(const Object& object) const {
    return object.replaces_earlier &&
           (&state_.base == &state_.store || std::ranges::any_of(state_.base.objects(), [&](const Object& before) {
             return before.replaces_earlier && before.full_name() == object.full_name();
           }));
  }

 public:
  explicit Joiner(BuildState& state) : state_(state) {}

  void run() {
    read_owners();
    for (const Object& object : state_.store.objects()) {
      if (object.kind == "Pod" && object.group().empty()) {
        join_pod(object);
      }
    }
    for (const auto& [key, owner] : owners_) {
      if (parent_of(owner) == nullptr && !is_scaled_down_revision(owner)) {
        WorkloadDraft& draft = drafts_[key];
        draft.owner = owner;
      }
    }
    std::size_t dropped = 0;
    for (auto& entry : drafts_) {
      const Key& key = entry.first;
      WorkloadDraft& draft = entry.second;
      draft.name_space = state_.find_namespace(std::get<0>(key));
      draft.kind = std::get<1>(key);
      draft.name = std::get<2>(key);
      if (draft.owner && replaces_earlier(*draft.owner->object)) {
        dropped += std::erase_if(draft.live,
                                 [&](const LivePod& pod) { return pod.object->layer < draft.owner->object->layer; });
      }
      state_.drafts.push_back(std::move(draft));
    }
    if (dropped > 0) {
      state_.assume("rollout",
                    fmt::format("{} pods of earlier layers are gone: a later layer replaces their owners", dropped));
    }
  }

 private:
  void read_owners() {
    OwnerReader reader(state_);
    for (const Object& object : state_.store.objects()) {
      const KindInfo* info = find_kind(object.group(), object.kind);
      const auto kind = workload_kind(object.kind);
      if (info != nullptr && info->role == KindRole::cluster && kind && *kind != WorkloadKind::pod) {
        owners_.emplace(Key(object.name_space, *kind, object.name), reader.read(object, *kind));
      }
    }
  }

  const Owner* parent_of(const Owner& owner) const {
    if (!owner.controller) {
      return nullptr;
    }
    const auto kind = workload_kind(owner.controller->kind);
    if (!kind) {
      return nullptr;
    }
    const auto found = owners_.find(Key(owner.object->name_space, *kind, owner.controller->name));
    return found == owners_.end() ? nullptr : &found->second;
  }

  // Deployments keep the ReplicaSets of their old revisions at zero.
  static bool is_scaled_down_revision(const Owner& owner) {
    return owner.kind == WorkloadKind::replica_set && owner.controller && owner.replicas == 0;
  }

  void join_pod(const Object& object) {
    const std::string name = object.full_name();
    LivePod pod{.object = &object, .status = read_pod_status(object.node, name, state_.diagnostics)};
    const auto reference = read_controller(object.node.find("metadata"), name, state_.diagnostics);
    Key key(object.name_space, WorkloadKind::pod, object.name);
    if (reference && reference->kind != "Node") {
      const std::string_view owner_name = keep(reference->name);
      const auto kind = workload_kind(reference->kind);
      key = Key(object.name_space, kind.value_or(WorkloadKind::pod), owner_name);
      if (const auto found = owners_.find(key); found != owners_.end()) {
        const Owner* top = &found->second;
        for (int i = 0; i < kLongestChain; ++i) {
          const Owner* parent = parent_of(*top);
          if (parent == nullptr) {
            break;
          }
          top = parent;
        }
        key = Key(object.name_space, top->kind, top->object->name);
      }
    }
    drafts_[key].live.push_back(std::move(pod));
  }

  // The names in keys outlive the references they come from.
  std::string_view keep(std::string_view text) { return state_.cluster.strings[state_.cluster.strings.intern(text)]; }

  BuildState& state_;
  std::map<Key, Owner> owners_;
  std::map<Key, WorkloadDraft> drafts_;
};

}  // namespace

void join_owners(BuildState& state) {
  Joiner(state).run();
  if (state.adds_dns_workload) {
    WorkloadDraft draft{.name_space = state.find_namespace(kDnsNamespace),
                        .kind = WorkloadKind::deployment,
                        .name = "coredns",
                        .is_added = true};
    const auto before = [](const WorkloadDraft& a, const WorkloadDraft& b) {
      return std::tie(a.name_space, a.kind, a.name) < std::tie(b.name_space, b.kind, b.name);
    };
    state.drafts.insert(std::ranges::lower_bound(state.drafts, draft, before), std::move(draft));
  }
}

}  // namespace podwire::cluster
