// Which network plugin a cluster runs, in which version, told from its DaemonSets and pods: their names, images and,
// where a plugin has several data planes, the variables that choose one.
#pragma once

#include <string>

#include "models/cluster/objects.hpp"

namespace podwire::scenario {

struct DetectedCni {
  std::string profile;   // the profile to use; "spec" when nothing was found or there is no profile for what was
  std::string version;   // "3.27.2", of the image's tag; "" when it has none that is a version
  std::string plugin;    // "Calico"; "" when nothing was found
  std::string evidence;  // "DaemonSet kube-system/calico-node"
  bool has_profile = true;
};

/// Looks at DaemonSets first, then at pods (a dump may lack owners). Images count more than names.
DetectedCni detect_cni(const cluster::ObjectStore& store);

}  // namespace podwire::scenario
