// Exposure where policies of the admin and baseline tiers select the workload: which regions of pods that do not exist
// yet the chain of tiers lets through, on which ports.
//
// Each region that some rule grants (and the whole cluster, for what no rule mentions) is taken through the tiers as a
// packet is: a rule whose peer holds the whole region decides for it; one whose peer may hold a part takes that part
// out (PodRegion::except), as the part is judged in a line of its own: an Allow grants its peer, a Deny grants nobody,
// and what a Pass leaves to later tiers is looked at as the intersection of both. So the lines together are exact even
// where it is not known how two selectors lie to each other. Left open (nothing is returned): policies of one tier and
// priority, whose order the API leaves open; ports by the further pod's own names, where tiers decide by port; and more
// than kMostSteps steps.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/analysis/exposure.hpp"

namespace podwire::analysis {

/// Ports that a rule grants to a region.
struct RegionGrant {
  PodRegion region;
  policy::PortSet ports;
  std::set<std::pair<IpProtocol, std::string>> names = {};  // of ports, which the further pod's containers resolve
};

class TierExposure {
 public:
  /// The tiers of pods of this shape.
  TierExposure(const policy::PolicyEngine& engine, policy::Direction direction, cluster::ShapeId subject);

  /// What `network_policies` (if they isolate the pod: nothing else is granted then) and the tiers grant together, on
  /// ports among `ports`. O(regions × passes × rules).
  std::optional<std::vector<RegionGrant>> grants(const std::vector<RegionGrant>& network_policies, bool is_isolated,
                                                 const policy::PortSet& ports) const;

 private:
  struct Rule {
    policy::RuleAction action = policy::RuleAction::allow;
    policy::PortSet ports;
    std::vector<PodRegion> peers;
  };
  /// What is left of a region on some ports.
  struct Piece {
    policy::PortSet ports;
    std::vector<PodRegion> except;
  };
  struct Through {
    std::vector<Piece> allowed;
    std::vector<Piece> passed;
    std::vector<Piece> left;  // no rule decided
  };

  std::vector<Rule> rules_of(policy::Tier tier);
  policy::PortSet ports_of(const policy::AdminRule& rule);
  std::vector<PodRegion> peers_of(const policy::AdminRule& rule) const;
  Through through(const PodRegion& region, const std::vector<Rule>& rules, std::vector<Piece> pieces) const;
  std::vector<PodRegion> candidates(const std::vector<RegionGrant>& network_policies, bool is_isolated) const;

  /// Whether every pod of `inner` lies in `outer`; false where that is not certain.
  bool covers(const PodRegion& outer, const PodRegion& inner) const;
  /// Whether no pod lies in both; false where that is not certain.
  bool are_disjoint(const PodRegion& a, const PodRegion& b) const;
  PodRegion both(const PodRegion& a, const PodRegion& b) const;

  const policy::PolicyEngine& engine_;
  const cluster::Cluster& cluster_;
  policy::Direction direction_;
  cluster::ShapeId subject_;
  bool is_open_to_doubt_ = false;
  std::vector<Rule> admin_;
  std::vector<Rule> baseline_;
};

}  // namespace podwire::analysis
