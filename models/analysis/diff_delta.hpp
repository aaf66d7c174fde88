// What differs between two ends of a comparison, as a whole and pod by pod, and two pods that show it.
#pragma once

#include <optional>

#include "models/analysis/diff_pods.hpp"
#include "models/analysis/reach.hpp"
#include "models/policy/engine.hpp"

namespace podwire::analysis {

/// Two ends that differ, as peers of either side.
struct Example {
  policy::Peer source_before;
  policy::Peer destination_before;
  policy::Peer source_after;
  policy::Peer destination_after;
};
Example example_of(const PodPair& source, const PodPair& destination);
/// A pod and an address.
Example example_of(const PodPair& pod, policy::Direction direction, IpAddress ip);

/// What differs between two ends, or within a range.
struct Delta {
  policy::PortSet before;
  policy::PortSet after;
  policy::PortSet opened;
  policy::PortSet closed;
  bool is_unknown_before = false;
  bool is_unknown_after = false;
  bool varies = false;
  std::optional<Example> example = {};
  bool differs() const { return !opened.empty() || !closed.empty(); }
  bool fares_like(const Delta& o) const {
    return before == o.before && after == o.after && opened == o.opened && closed == o.closed && varies == o.varies &&
           is_unknown_before == o.is_unknown_before && is_unknown_after == o.is_unknown_after;
  }
};

/// Ports of the pair as a whole; opened and closed where no two pods differ.
Delta delta_of(const ReachSweep::Ports& old_ports, const ReachSweep::Ports& new_ports);

/// Whether there is nothing to tell: the same ports for all pods, for sure.
bool fare_alike(const ReachSweep::Ports& a, const ReachSweep::Ports& b);

/// Asks both sides about pods of ends whose pods differ.
class Deltas {
 public:
  Deltas(policy::PolicyEngine& before, policy::PolicyEngine& after) : before_(before), after_(after) {}

  /// Adds what these two gain and lose to the delta, and keeps them if they are its first that differ.
  void add_example(Delta& delta, const Example& example);
  /// Pod by pod: what some pair of different pods gains or loses. `is_same`: both are the pods of one workload.
  void compare_pods(bool is_same, const MatchedPods& sources, const MatchedPods& destinations, Delta& delta);

 private:
  policy::PolicyEngine& before_;
  policy::PolicyEngine& after_;
};

}  // namespace podwire::analysis
