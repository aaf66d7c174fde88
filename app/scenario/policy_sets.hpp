// The policies of each policy set: what the cluster brought or nothing, minus what is deleted, plus what is applied,
// NetworkPolicies without a namespace stamped into the namespaces named.
#pragma once

#include "app/scenario/file.hpp"
#include "models/cluster/cluster.hpp"
#include "models/cluster/objects.hpp"
#include "models/policy/policy.hpp"

namespace podwire::scenario {

/// Composes one policy set. `base` holds the cluster's own policies, `applied` the objects of `file.apply`.
/// `cluster` is for the namespaces' names. Errors: unknown-object (a policy to delete), unknown-namespace,
/// not-supported-yet (an applied object that is no policy of podwire's), those of reading policies.
policy::PolicySet compose_policies(const PolicySetFile& file, const policy::PolicySet& base,
                                   const cluster::ObjectStore& applied, const cluster::Cluster& cluster,
                                   Diagnostics& diagnostics);

/// The same for one object and one name, as an event brings them. Errors: as above.
void apply_policy(policy::PolicySet& set, const cluster::Object& object, Diagnostics& diagnostics);
void delete_policy(policy::PolicySet& set, const Text& name, Diagnostics& diagnostics);

}  // namespace podwire::scenario
