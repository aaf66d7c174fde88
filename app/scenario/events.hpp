// From the `events` of a scenario to the states that a policy set goes through.
//
// All policy sets share one union of pods (every pod that any of them ever has), so that ids, nodes, addresses and
// draws are the same in each; a set's states are snapshots of it. Pods that come later get the last ids: what stood at
// the start is as it would be without any event. What cannot be played (a changed template or Service, other kinds) is
// an error with its place.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/scenario/file.hpp"
#include "models/cluster/cluster.hpp"
#include "models/cluster/objects.hpp"
#include "models/cluster/snapshot.hpp"
#include "models/policy/difference.hpp"
#include "models/policy/policy.hpp"
#include "models/workload/spec.hpp"

namespace podwire::scenario {

/// One event as a policy set meets it.
struct PlannedChange {
  Duration at;               // after the warm-up
  std::uint32_t number = 0;  // of the event in the file, from 0
  bool concerns_policy = false;
  bool concerns_endpoints = false;
  policy::PolicyChanges policies;  // what differs from the set before
  std::string text;                // "apply NetworkPolicy backend/late; scale frontend/deployment/web 3 → 5"
};

/// What a policy set goes through. State 0 is the beginning, state k holds from changes[k - 1] on.
struct TimelinePlan {
  const cluster::Cluster* all = nullptr;
  std::vector<PlannedChange> changes;
  std::vector<const cluster::Cluster*> clusters;   // by state; the same pointer where no pod and no label changed
  std::vector<const policy::PolicySet*> policies;  // by state; likewise
  std::vector<workload::WorkloadSpec> workloads;   // with the union's ids
  std::deque<cluster::Cluster> owned_clusters;     // what the pointers point to
  std::deque<policy::PolicySet> owned_policies;
  /// The state in which every change made at `at` or before is in force.
  std::size_t state_at(Duration at) const;
};

/// An event with the objects it applies.
struct LoadedEvent {
  const EventFile* file = nullptr;
  std::uint32_t number = 0;
  cluster::ObjectStore applied;
  bool is_complete = true;  // else something of it could not be read, and `applied` may lack objects
};

/// One policy set as it begins.
struct TimelineStart {
  const std::string* name = nullptr;
  const cluster::Cluster* cluster = nullptr;
  const policy::PolicySet* policies = nullptr;
  const cluster::ObjectStore* applied = nullptr;  // what the set lays over the layers
  const std::vector<Text>* namespaces = nullptr;  // into which `applied` is stamped where it names none; or null
  bool is_complete = true;                        // else some of its policies could not be read
};

/// Makes the plans of all policy sets, in order; null for those that no event concerns. `events` are sorted by time.
/// All problems are reported at once: after one, what can still be judged is looked at, and the plans are of no use.
/// What would only be unknown because something before it could not be read is not held against it.
/// `build_union` builds the cluster with the late pods it is given (or reports why not). Errors: not-supported-yet,
/// unknown-object, bad-name, bad-patch, and what reading objects reports. `sources` takes patched objects.
std::vector<std::unique_ptr<TimelinePlan>> plan_timelines(
    SourceMap& sources, const std::vector<LoadedEvent>& events, const std::vector<TimelineStart>& starts,
    const cluster::ObjectStore& base,
    const std::function<const cluster::Cluster*(const std::vector<cluster::LatePods>&)>& build_union,
    Diagnostics& diagnostics);

/// Reads one item of `events`.
EventFile read_event_section(Section& section);

/// Reads a document of `kind: Step` (apiVersion podwire/v1): an event's `delete`, `patch` and `label`, beside the
/// objects that the rest of its file applies. They are added to `event`.
void read_step(config::Node node, EventFile& event, Diagnostics& diagnostics);

}  // namespace podwire::scenario
