// Two passes. The first counts which pods each set ever has, from names and replica counts alone, and asks for their
// union; the second walks every set's events again with ids, and makes its states.
#include "app/scenario/events.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "app/scenario/event_objects.hpp"
#include "app/scenario/event_steps.hpp"
#include "app/scenario/policy_sets.hpp"
#include "models/cluster/kinds.hpp"
#include "models/cluster/snapshot.hpp"
#include "sim/base/check.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

using cluster::Cluster;
using cluster::Object;
using cluster::WorkloadKind;

constexpr std::string_view kNamespaceName = "kubernetes.io/metadata.name";

class Planner {
 public:
  Planner(SourceMap& sources, const std::vector<LoadedEvent>& events, const std::vector<TimelineStart>& starts,
          const cluster::ObjectStore& base, Diagnostics& diagnostics)
      : events_(events), starts_(starts), diagnostics_(diagnostics), taker_(base, *starts.front().cluster) {
    for (const TimelineStart& start : starts) {
      now_.emplace_back(sources, start, base);
      doubted_.push_back(!start.is_complete);
    }
    steps_.resize(starts.size());
  }

  // The first pass.
  std::vector<cluster::LatePods> find_late_pods() {
    std::vector<SetObjects> objects(starts_.size());
    std::map<OwnerKey, std::uint32_t> ever;  // of the union
    std::vector<cluster::LatePods> late;
    for (const LoadedEvent& event : events_) {
      std::set<OwnerKey> touched;
      const std::size_t first = first_concerned(event);
      for (std::size_t s = 0; s < starts_.size(); ++s) {
        steps_[s].emplace_back();
        if (!concerns(event, s)) {
          continue;
        }
        Diagnostics problems;
        doubt_after(event, s);
        take(event, s, objects[s], steps_[s].back(), problems);
        report_once(certain(problems, s), s == first ? std::string_view() : *starts_[s].name);
        for (const auto& [key, ordinal] : steps_[s].back().appear) {
          touched.insert(key);
        }
      }
      for (const OwnerKey& key : touched) {
        std::uint32_t most = 0;
        for (const SetObjects& set : objects) {
          const auto at = set.replicas.find(key);
          most = at == set.replicas.end() ? most : std::max(most, at->second.ever);
        }
        std::uint32_t& known = ever.try_emplace(key, taker_.count_at_start(key)).first->second;
        if (most > known) {
          late.push_back({.object = key.text(), .replicas = most - known, .is_new = !taker_.is_at_start(key)});
          known = most;
        }
      }
    }
    return late;
  }

  // What can be said of the second pass without the union of pods, which cannot be built: policies, and labels of what
  // was there at the start.
  void check(std::size_t s) {
    policy::PolicySet policies = *starts_[s].policies;
    const Cluster& cluster = *starts_[s].cluster;
    begin_again(s);
    for (std::size_t e = 0; e < events_.size(); ++e) {
      if (!concerns(events_[e], s)) {
        continue;
      }
      doubt_after(events_[e], s);
      for (const EventLabels& labels : events_[e].file->labels) {
        if (!taker_.knows(labels.object.text)) {  // of what events bring nothing is known
          cluster::SnapshotChange ignored;
          add_labels(labels, s, cluster, ignored);
        }
      }
      change_policies(policies, s, steps_[s][e]);
    }
  }

  // The second pass, for one set; null when nothing concerns it.
  std::unique_ptr<TimelinePlan> plan(std::size_t s, const Cluster& all) {
    auto plan = std::make_unique<TimelinePlan>();
    plan->all = &all;
    plan->owned_clusters.push_back(cluster::first_snapshot(all, before_events(*starts_[s].cluster, all)));
    take_unmodelled(*starts_[s].cluster, plan->owned_clusters.back());
    plan->owned_policies.push_back(*starts_[s].policies);
    Diagnostics at_start;  // said already
    policy::warn_of_equal_priorities(*starts_[s].policies, at_start);
    for (const Diagnostic& warning : at_start.all()) {
      reported_problems_.emplace(warning.span, warning.code);
    }
    plan->clusters.push_back(&plan->owned_clusters.back());
    plan->policies.push_back(&plan->owned_policies.back());
    begin_again(s);
    for (std::size_t e = 0; e < events_.size(); ++e) {
      if (concerns(events_[e], s)) {
        doubt_after(events_[e], s);
        add_state(*plan, events_[e], s, steps_[s][e], all);
      }
    }
    return plan->changes.empty() ? nullptr : std::move(plan);
  }

 private:
  bool concerns(const LoadedEvent& event, std::size_t s) const {
    const auto& sets = event.file->policy_sets;
    return sets.empty() ||
           std::any_of(sets.begin(), sets.end(), [&](const Text& name) { return name.text == *starts_[s].name; });
  }

  std::size_t first_concerned(const LoadedEvent& event) const {
    std::size_t s = 0;
    while (s < starts_.size() && !concerns(event, s)) {
      ++s;
    }
    return s;
  }

  // From an event on that could not be read whole, something may be there that nobody knows of.
  void begin_again(std::size_t s) { doubted_[s] = !starts_[s].is_complete; }
  void doubt_after(const LoadedEvent& event, std::size_t s) { doubted_[s] = doubted_[s] || !event.is_complete; }

  // The problems without those that may come of what could not be read.
  Diagnostics certain(const Diagnostics& problems, std::size_t s) const {
    Diagnostics out;
    for (const Diagnostic& problem : problems.all()) {
      if (!doubted_[s] || problem.code != "unknown-object") {
        out.add(problem);
      }
    }
    return out;
  }

  void take(const LoadedEvent& event, std::size_t set, SetObjects& all, Steps& steps, Diagnostics& problems) {
    for (const Text& text : event.file->remove) {
      taker_.take_delete(text, *starts_[set].cluster, all, steps, problems);
      now_[set].remove(text.text);
    }
    for (const Object& object : event.applied.objects()) {
      if (object.kind == "Namespace" && object.group().empty()) {
        now_[set].put(object);  // what is applied beside it may be in it, whichever comes first
      }
    }
    for (const Object& object : event.applied.objects()) {
      if (now_[set].is_gone(object.name_space)) {
        problems.error("unknown-object",
                       fmt::format("namespace {} of {} has been deleted", printable(object.name_space),
                                   printable(object.full_name())),
                       object.span, "apply the Namespace again, in the same event or before it");
        continue;
      }
      taker_.take_apply(object, "apply", all, steps, problems);
      now_[set].put(object);
    }
    for (const EventPatch& patch : event.file->patches) {
      if (patch.object.empty() || !patch.merge.is_mapping()) {
        continue;  // reported
      }
      Diagnostics of_patch;  // sets differ in what there is to patch
      if (const Object* object = now_[set].patch(patch, of_patch)) {
        taker_.take_apply(*object, "patch", all, steps, of_patch);
      }
      report(of_patch, set, patch.span);
    }
    for (const EventLabels& labels : event.file->labels) {
      if (taker_.check_label(labels.object, all, problems)) {
        now_[set].relabel(labels);
      }
    }
  }

  // ---- with ids

  // All that a namespace can lose.
  static cluster::LabelChange without_labels(const Cluster& cluster, cluster::LabelSetId labels) {
    cluster::LabelChange change;
    for (const cluster::Label& label : cluster.label_sets[labels]) {
      if (const std::string key(cluster.strings[label.key]); key != kNamespaceName) {
        change.emplace_back(key, std::nullopt);
      }
    }
    return change;
  }

  // What has not come yet: pods, Services, and labels of namespaces that only events define.
  static cluster::SnapshotChange before_events(const Cluster& start, const Cluster& all) {
    cluster::SnapshotChange change;
    for (std::size_t p = start.pods.size(); p < all.pods.size(); ++p) {
      change.disappear.emplace_back(p);
    }
    for (std::size_t i = 0; i < all.services.size(); ++i) {
      const cluster::Service& service = all.services[i];
      const cluster::NamespaceId id = start.find_namespace(all.namespaces[service.name_space.index()].name);
      if (!id.is_valid() || !start.find_service(id, service.name).is_valid()) {
        change.services_disappear.emplace_back(i);
      }
    }
    for (const cluster::Namespace& name_space : start.namespaces) {
      const cluster::NamespaceId id = all.find_namespace(name_space.name);
      if (!name_space.is_assumed || all.namespaces[id.index()].is_assumed) {
        continue;
      }
      change.namespace_labels.emplace_back(id, without_labels(all, all.namespaces[id.index()].labels));
    }
    return change;
  }

  static cluster::ServiceId service_of(const Cluster& all, const ServiceKey& key) {
    const cluster::ServiceId id = all.find_service(all.find_namespace(key.first), key.second);
    PODWIRE_CHECK(id.is_valid(), "scenario", "the union holds every Service");
    return id;
  }

  static cluster::PodId pod_of(const Cluster& all, const OwnerKey& key, std::uint32_t ordinal) {
    const cluster::WorkloadId id = find_owner(all, key);
    PODWIRE_CHECK(id.is_valid() && ordinal < all.workloads[id.index()].pods.size(), "scenario",
                  "the union holds every pod");
    return all.workloads[id.index()].pods[ordinal];
  }

  // A set with `base: none` has less of it than the union was built with.
  static void take_unmodelled(const Cluster& from, Cluster& to) {
    const auto take = [&](const std::vector<cluster::UnmodelledObject>& objects) {
      std::vector<cluster::UnmodelledObject> out = objects;
      for (cluster::UnmodelledObject& object : out) {
        if (object.name_space.is_valid()) {
          object.name_space = to.find_namespace(from.namespaces[object.name_space.index()].name);
        }
      }
      return out;
    };
    to.unmodelled = take(from.unmodelled);
    to.ignored = take(from.ignored);
  }

  // What `kubectl apply` of a whole object does to its labels.
  static cluster::LabelChange replaced(const Cluster& cluster, cluster::LabelSetId labels, const Object& object) {
    cluster::LabelChange change;
    const config::Node wanted = object.node.find("metadata").find("labels");
    for (const cluster::Label& label : cluster.label_sets[labels]) {
      const std::string key(cluster.strings[label.key]);
      if (key != kNamespaceName && !wanted.find(key).is_present()) {
        change.emplace_back(key, std::nullopt);
      }
    }
    for (const config::Node label : wanted) {
      if (label.key() != kNamespaceName) {
        change.emplace_back(std::string(label.key()), std::string(label.text()));
      }
    }
    return change;
  }

  // Applied and then patched, in one event: the labels become those of the last.
  static std::vector<const Object*> last_of_each(const std::vector<const Object*>& objects) {
    std::vector<const Object*> last;
    for (const Object* object : objects) {
      std::erase_if(last, [&](const Object* earlier) { return earlier->full_name() == object->full_name(); });
      last.push_back(object);
    }
    return last;
  }

  void add_labels(const EventLabels& labels, std::size_t s, const Cluster& state, cluster::SnapshotChange& change) {
    if (labels.object.empty()) {
      return;  // reported
    }
    const auto parts = parts_of(labels.object.text);
    const cluster::KindInfo* kind = parts.size() >= 2 ? cluster::find_kind_by_word(parts[parts.size() - 2]) : nullptr;
    const auto fail = [&](std::string code, std::string message, std::string help = {}) {
      Diagnostics problem;
      problem.error(std::move(code), std::move(message), labels.object.span, std::move(help));
      report(problem, s, labels.span);
    };
    if (kind != nullptr && kind->kind == "Namespace" && parts.size() == 2) {
      if (const auto id = state.find_namespace(parts[1]); id.is_valid()) {  // else reported in the first pass
        change.namespace_labels.emplace_back(id, labels.change);
      }
      return;
    }
    if (kind == nullptr || kind->kind != "Pod" || parts.size() != 3) {
      fail("bad-name", fmt::format("\"{}\" names no pod and no namespace", printable(labels.object.text)),
           "write namespace/pod/name or namespace/<name of a namespace>, for example frontend/pod/web-0 or "
           "namespace/frontend");
      return;
    }
    const cluster::PodId pod = state.find_pod(state.find_namespace(parts[0]), parts[2]);
    const bool appears = std::find(change.appear.begin(), change.appear.end(), pod) != change.appear.end();
    if (!pod.is_valid() || !(cluster::is_there(state, pod) || appears)) {
      fail("unknown-object", fmt::format("there is no pod \"{}\" at that time", printable(labels.object.text)));
      return;
    }
    change.pod_labels.emplace_back(pod, labels.change);
  }

  void add_state(TimelinePlan& plan, const LoadedEvent& event, std::size_t s, const Steps& steps, const Cluster& all) {
    const Cluster& before = *plan.clusters.back();
    cluster::SnapshotChange change;
    for (const auto& [key, ordinal] : steps.appear) {
      change.appear.push_back(pod_of(all, key, ordinal));
    }
    for (const auto& [key, ordinal] : steps.disappear) {
      change.disappear.push_back(pod_of(all, key, ordinal));
    }
    for (const ServiceKey& key : steps.services_appear) {
      change.services_appear.push_back(service_of(all, key));
    }
    for (const ServiceKey& key : steps.services_disappear) {
      change.services_disappear.push_back(service_of(all, key));
    }
    for (const Object* object : last_of_each(steps.pod_labels)) {
      const cluster::PodId pod =
          pod_of(all, {.name_space = object->name_space, .kind = WorkloadKind::pod, .name = object->name}, 0);
      if (auto labels = replaced(before, before.shape(pod).labels, *object); !labels.empty()) {
        change.pod_labels.emplace_back(pod, std::move(labels));
      }
    }
    for (const std::string& name : steps.deleted_namespaces) {  // one of that name that comes later starts anew
      const cluster::NamespaceId id = all.find_namespace(name);
      change.namespace_labels.emplace_back(id, without_labels(before, before.namespaces[id.index()].labels));
    }
    for (const Object* object : last_of_each(steps.namespace_labels)) {
      const cluster::NamespaceId id = all.find_namespace(object->name);
      if (auto labels = replaced(before, before.namespaces[id.index()].labels, *object); !labels.empty()) {
        change.namespace_labels.emplace_back(id, std::move(labels));
      }
    }
    PlannedChange row{.at = event.file->at, .number = event.number, .policies = {}, .text = {}};
    std::vector<std::string> texts = steps.texts;
    for (const EventLabels& labels : event.file->labels) {
      add_labels(labels, s, before, change);
      texts.push_back(fmt::format("label {}", labels.object.text));
    }
    const bool has_policies =
        !steps.policies.empty() || !steps.deleted_policies.empty() || !steps.deleted_namespaces.empty();
    if (has_policies) {
      plan.owned_policies.push_back(*plan.policies.back());
      change_policies(plan.owned_policies.back(), s, steps);
      row.policies = policy::difference(*plan.policies.back(), plan.owned_policies.back());
      plan.policies.push_back(&plan.owned_policies.back());
    } else {
      plan.policies.push_back(plan.policies.back());
    }
    if (change.empty()) {
      plan.clusters.push_back(&before);
    } else {
      plan.owned_clusters.push_back(cluster::next_snapshot(before, all, change));
      plan.clusters.push_back(&plan.owned_clusters.back());
    }
    row.concerns_policy = has_policies || change.changes_pods();
    row.concerns_endpoints = !change.appear.empty() || !change.disappear.empty() || !change.pod_labels.empty() ||
                             !change.services_appear.empty() || !change.services_disappear.empty();
    row.text = fmt::format("{}", fmt::join(texts, "; "));
    plan.changes.push_back(std::move(row));
  }

  void change_policies(policy::PolicySet& set, std::size_t s, const Steps& steps) {
    for (const std::string& name_space : steps.deleted_namespaces) {
      std::erase_if(set.network_policies, [&](const auto& policy) { return policy.name_space == name_space; });
    }
    Diagnostics problems;
    for (const Text& text : steps.deleted_policies) {
      delete_policy(set, text, problems);
      report(problems, s, text.span);
    }
    for (const Object* object : steps.policies) {
      apply_policy(set, *object, problems);
      doubted_[s] = doubted_[s] || problems.has_errors();  // a later event may count on it
      report(problems, s, object->span);
    }
  }

  // A problem that several sets meet is reported of the first of them; `set` names another one than the first that the
  // event concerns.
  void report_once(const Diagnostics& problems, std::string_view set) {
    for (Diagnostic problem : problems.all()) {
      if (reported_problems_.emplace(problem.span, problem.code).second) {
        problem.message += set.empty() ? "" : fmt::format(" in policy set {}", printable(set));
        diagnostics_.add(std::move(problem));
      }
    }
  }

  // The first policy set that meets a problem reports it.
  void report(Diagnostics& problems, std::size_t s, Span where) {
    const Diagnostics known = certain(problems, s);
    if (!known.all().empty() && reported_.insert(where).second) {
      for (const Diagnostic& problem : known.all()) {
        // A warning of the whole set comes again with each policy that is applied to it.
        if (problem.severity == Severity::error || reported_problems_.emplace(problem.span, problem.code).second) {
          diagnostics_.add(problem);
        }
      }
    }
    problems = Diagnostics();
  }

  const std::vector<LoadedEvent>& events_;
  const std::vector<TimelineStart>& starts_;
  Diagnostics& diagnostics_;
  StepTaker taker_;
  std::vector<std::vector<Steps>> steps_;  // by set and event
  std::deque<EventObjects> now_;           // by set
  std::vector<bool> doubted_;              // by set: something so far could not be read
  std::set<Span> reported_;
  std::set<std::pair<Span, std::string>> reported_problems_;
};

}  // namespace

std::size_t TimelinePlan::state_at(Duration at) const {
  return static_cast<std::size_t>(
      std::count_if(changes.begin(), changes.end(), [&](const PlannedChange& c) { return c.at <= at; }));
}

std::vector<std::unique_ptr<TimelinePlan>> plan_timelines(
    SourceMap& sources, const std::vector<LoadedEvent>& events, const std::vector<TimelineStart>& starts,
    const cluster::ObjectStore& base,
    const std::function<const cluster::Cluster*(const std::vector<cluster::LatePods>&)>& build_union,
    Diagnostics& diagnostics) {
  std::vector<std::unique_ptr<TimelinePlan>> plans(starts.size());
  if (events.empty() || starts.empty()) {
    return plans;
  }
  Planner planner(sources, events, starts, base, diagnostics);
  const std::vector<cluster::LatePods> late = planner.find_late_pods();
  const Cluster* all = build_union(late);
  for (std::size_t s = 0; s < starts.size(); ++s) {
    if (all == nullptr) {
      planner.check(s);
    } else {
      plans[s] = planner.plan(s, *all);
    }
  }
  return plans;
}

}  // namespace podwire::scenario
