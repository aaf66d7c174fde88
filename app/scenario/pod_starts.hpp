// When the pods of a dump started, so that an address in an older record is not taken for a younger pod's.
#pragma once

#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/cluster/objects.hpp"
#include "models/flows/flow.hpp"

namespace podwire::scenario {

/// status.startTime by PodId; kNoTime where the dump does not say.
std::vector<flows::Nanoseconds> pod_starts(const cluster::ObjectStore& store, const cluster::Cluster& cluster);

}  // namespace podwire::scenario
