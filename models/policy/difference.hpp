// Which policies two sets differ in, by name: what recompiling by difference starts from.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/policy/policy.hpp"

namespace podwire::policy {

/// Policies that one of two sets lacks or that say different things in them; where they are written does not count.
struct PolicyChanges {
  std::vector<std::pair<std::string, std::string>> network_policies;  // namespace, name; sorted
  std::vector<std::pair<AdminKind, std::string>> admin_policies;      // sorted
  bool empty() const { return network_policies.empty() && admin_policies.empty(); }
};

/// O(size of both sets).
PolicyChanges difference(const PolicySet& before, const PolicySet& after);

}  // namespace podwire::policy
