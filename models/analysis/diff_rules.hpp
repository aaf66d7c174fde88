// What diff says about policies rather than about connections: the rules responsible on either side, the policies that
// are not the same, and a policy set with one change undone.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/analysis/diff.hpp"
#include "models/policy/engine.hpp"

namespace podwire::analysis {

class RuleChanges {
 public:
  RuleChanges(policy::PolicyEngine& before, policy::PolicyEngine& after) : before_(before), after_(after) {}

  /// The directions in which the two sides give these ends another verdict (or, where none does, by another rule), at
  /// the bounds of the ranges of `opened` and `closed` (the first eight); each change of rule once. An address has no
  /// direction of its own.
  std::vector<RuleChange> changes(const policy::Peer& source_before, const policy::Peer& destination_before,
                                  const policy::Peer& source_after, const policy::Peer& destination_after,
                                  const policy::PortSet& opened, const policy::PortSet& closed);

 private:
  struct Asked {
    policy::Peer source;
    policy::Peer destination;
    IpProtocol protocol;
    Port port;
  };
  RuleSide side(policy::PolicyEngine& engine, std::map<std::string, Span>& places, policy::Direction direction,
                const Asked& asked);

  policy::PolicyEngine& before_;
  policy::PolicyEngine& after_;
  std::map<std::string, Span> places_before_;  // of deciding rules, by their text: explaining is slow
  std::map<std::string, Span> places_after_;
};

/// The policies that are on one side only or say something else, by name; comments, layout and the order of keys aside.
std::vector<PolicyChange> policy_changes(const policy::PolicySet& before, const policy::PolicySet& after);

/// `after` with one of its changes undone.
policy::PolicySet with_reverted(const policy::PolicySet& before, const policy::PolicySet& after,
                                const PolicyChange& change);

}  // namespace podwire::analysis
