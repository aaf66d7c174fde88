// Where network plugins disagree about one policy set: reach under each profile, side by side, with the profile's
// values that make the difference.
//
// Ranges of external addresses are cut at every profile's boundaries, so that rows line up. Unlike reach() this keeps
// all rows of all profiles in memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/analysis/reach.hpp"
#include "models/cni/profile.hpp"
#include "models/policy/port_set.hpp"

namespace podwire::analysis {

/// What one profile says about a pair; no ports: nothing is allowed.
struct ComparedCell {
  policy::PortSet ports = {};
  bool is_unknown = false;
  bool varies = false;
  // As in ReachRow; both empty where the families do not differ.
  policy::PortSet ipv4 = {};
  policy::PortSet ipv6 = {};
  bool families_differ() const { return ipv4 != ipv6; }
  /// The cell as a row of reach; valid while the cell is.
  ReachRow row() const {
    return {.source = {},
            .destination = {},
            .ports = &ports,
            .is_unknown = is_unknown,
            .varies = varies,
            .ipv4 = families_differ() ? &ipv4 : nullptr,
            .ipv6 = families_differ() ? &ipv6 : nullptr};
  }
  bool operator==(const ComparedCell&) const = default;
};

struct ComparedRow {
  std::string source;  // named as in ReachEnd
  std::string destination;
  std::vector<ComparedCell> cells;  // one a profile
  std::vector<std::string> fields;  // the values that make the difference, each alone: "policy.ipBlockMatchesPods";
                                    // none where it takes several together, or where nothing differs
  bool differs() const;
};

/// All rows that at least one profile has, in the order of reach(). For each value that `profiles` differ in, policies
/// are compiled once more with that value alone exchanged: O(profiles × differing values × reach).
std::vector<ComparedRow> compare_profiles(const cluster::Cluster& cluster, const policy::PolicySet& policies,
                                          std::span<const cni::Profile> profiles, const ReachOptions& options);

}  // namespace podwire::analysis
