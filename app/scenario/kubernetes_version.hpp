// Which Kubernetes a dump comes from, as its nodes tell. No model depends on it yet: it is shown with every result,
// because what a cluster does with policies and Services has changed between releases.
#pragma once

#include <string>
#include <vector>

#include "models/cluster/objects.hpp"

namespace podwire::scenario {

/// status.nodeInfo.kubeletVersion of Node objects, oldest first, each once; texts that are no version are left out.
std::vector<std::string> kubelet_versions(const cluster::ObjectStore& store);

}  // namespace podwire::scenario
