// Policies as a network plugin takes them: what of a policy, an ipBlock or a rule's ports is in force under a profile
// that departs from the API's text (models/cni, PolicySemantics). The compiler and the explanations ask here, so that
// both agree; what a deviation means for whole directions (SCTP, hairpin, nodes) is the engine's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/cni/profile.hpp"
#include "models/policy/policy.hpp"

namespace podwire::policy {

/// Whether the plugin rejects the policy whole, so that it neither isolates nor grants.
bool is_rejected(const NetworkPolicy& policy, const cni::PolicySemantics& semantics);

/// Whether the plugin reads policies of this kind at all.
bool is_in_force(AdminKind kind, const cni::PolicySemantics& semantics);

/// The block with the exceptions that are in force.
IpBlock block_in_force(const IpBlock& block, const cni::PolicySemantics& semantics);

/// The entry as it is in force for a peer; none: the entry grants nothing there.
std::optional<PortRule> port_in_force(const PortRule& port, bool is_block, const cni::PolicySemantics& semantics);

/// A rule's ports as they are in force for one of its peers (`is_block`: an ipBlock). None: the rule grants that peer
/// nothing. Empty: every port, as in the rule.
std::optional<std::vector<PortRule>> ports_in_force(const Rule& rule, bool is_block,
                                                    const cni::PolicySemantics& semantics);

}  // namespace podwire::policy
