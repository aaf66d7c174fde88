// The changes of one run and who has seen which: three ordered logs (policies and identities on each node, endpoints on
// each node, DNS records) over one row of states.
//
// State k is the cluster and the compiled policies after change k; state 0 is the beginning. All states have the same
// pods, nodes, namespaces and Services under the same ids (cluster::Snapshot), so that a flow outlives them all. What
// is true (which pods run) changes when a change is made; what an observer does about it, when its log says so. Left
// out: views that differ between nodes by more than their place in the log.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/control/change_log.hpp"
#include "models/control/programming.hpp"
#include "models/control/states.hpp"
#include "models/policy/engine.hpp"

namespace podwire::control {

/// One state. The engine belongs to one run's thread.
struct View {
  const cluster::Cluster* cluster = nullptr;
  EngineRef engine;
  const policy::PolicySet* policies = nullptr;  // the engine's, for those who need not have it made; null: ask it
};

/// One change, after which a new state holds.
struct Change {
  Time made;
  std::uint32_t number = 0;        // names it in draws: the same event has the same delays in every policy set
  bool has_except = false;         // it brings a policy whose ipBlocks have an except: some agents take longer
  bool concerns_policy = true;     // policies, labels, pods: what nodes' agents act on
  bool concerns_endpoints = true;  // pods and their labels: what kube-proxy and CoreDNS act on
  std::string text;                // "apply late.yaml: NetworkPolicy backend/late"
};

/// What a run with changes brings beside its first state.
struct TimelineInput {
  const cluster::Cluster* all = nullptr;  // every pod that ever is
  std::vector<View> views;                // state 0 and one after each change
  States* states = nullptr;               // whose engines the views refer to; null: they are others'
  std::vector<Change> changes;            // in order of time
  Programming programming;
};

class Timeline {
 public:
  /// `input` and what it points to outlive the timeline.
  Timeline(const TimelineInput& input, std::uint64_t seed);

  const cluster::Cluster& all() const { return *input_.all; }
  const Programming& programming() const { return input_.programming; }
  std::size_t change_count() const { return input_.changes.size(); }
  const Change& change(Version version) const { return input_.changes[version - 1]; }
  const View& view(Version version) const { return input_.views[version]; }
  Time made(Version version) const { return policy_.made(version); }
  /// The state that is true at `now`. O(log changes).
  Version current(Time now) const;

  /// One observer a node.
  ChangeLog& policy() { return policy_; }
  ChangeLog& endpoints() { return endpoints_; }
  /// When CoreDNS answers from a state; all replicas at once.
  Time names_applied(Version version) const { return names_.applied(0, version); }

  /// When the first and the last node enforce a change.
  Time first_enforced(Version version) const;
  Time last_enforced(Version version) const;

 private:
  const TimelineInput& input_;
  ChangeLog policy_;
  ChangeLog endpoints_;
  ChangeLog names_;
};

}  // namespace podwire::control
