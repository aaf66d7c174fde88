// Which network plugin a cluster runs, told from its DaemonSets and pods: their names and images.
#pragma once

#include <string>

#include "models/cluster/objects.hpp"

namespace podwire::scenario {

struct DetectedCni {
  std::string profile;   // the profile to use; "spec" when nothing was found or there is no profile for what was
  std::string plugin;    // "Calico"; "" when nothing was found
  std::string evidence;  // "DaemonSet kube-system/calico-node"
  bool has_profile = true;
};

/// Looks at DaemonSets first, then at pods (a dump may lack owners). Images count more than names.
DetectedCni detect_cni(const cluster::ObjectStore& store);

}  // namespace podwire::scenario
