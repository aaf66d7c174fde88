// What differs between two ends of a comparison, as a whole and pod by pod, and two pods that show it.
#pragma once

#include <array>
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
  // What these two gain and lose, where they are chosen for it: of pods that differ others may gain and lose more.
  policy::PortSet opened = {};
  policy::PortSet closed = {};
};
/// At their first addresses.
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
  // Of pods with addresses of both families, by IpFamily: which were compared, and in which the sides differ.
  std::array<bool, 2> is_compared = {};
  std::array<bool, 2> is_other = {};
  /// The one family in which the sides differ, where both were compared.
  std::optional<IpFamily> family() const {
    const bool is_one = is_compared[0] && is_compared[1] && is_other[0] != is_other[1];
    return is_one ? std::optional(is_other[0] ? IpFamily::v4 : IpFamily::v6) : std::nullopt;
  }
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

  /// Adds what these two gain and lose to the delta, and keeps them if they are its first that differ. `family`: they
  /// are taken at their addresses of it.
  void add_example(Delta& delta, const Example& example, std::optional<IpFamily> family = {});
  /// Two pods at their addresses of this family; none: at their first.
  Example example_of(const PodPair& source, const PodPair& destination, std::optional<IpFamily> family) const;
  /// Pod by pod: what some pair of different pods gains or loses. `is_same`: both are the pods of one workload.
  void compare_pods(bool is_same, const MatchedPods& sources, const MatchedPods& destinations, Delta& delta);

 private:
  /// In each family that the two share on either side.
  void add_pair(Delta& delta, const PodPair& source, const PodPair& destination);

  policy::PolicyEngine& before_;
  policy::PolicyEngine& after_;
};

}  // namespace podwire::analysis
