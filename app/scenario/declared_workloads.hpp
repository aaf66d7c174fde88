// Workloads with `fromEnv: true`: a workload of its own for each connection that containers declare.
#pragma once

#include "app/scenario/file.hpp"
#include "app/scenario/load.hpp"

namespace podwire::scenario {

/// Replaces every such workload by those that state.declared gives, named NAME.WORKLOAD.HOST.PORT, and fills
/// file.groups. Lookups are not among them: clients make them anyway. Errors: no-declared-connection, unknown-object,
/// ambiguous-name, out-of-range. Warnings, with the place of the value: unresolved-peer; outside-name (its addresses
/// are not known); no-running-pod.
void expand_declared(ScenarioFile& file, const ClusterState& state, Diagnostics& diagnostics);

}  // namespace podwire::scenario
