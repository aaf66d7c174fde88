// Which workloads look like an ingress controller: used by the reader of entry points alone.
#pragma once

#include <string_view>

#include "sim/config/reader.hpp"

namespace podwire::analysis {

/// The family of a pod (or pod template) by its labels and images, "" of none. Of a chart's workloads those count that
/// carry traffic: components of another name (Contour's own, default backends, Kong's migrations) do not.
std::string_view family_of(config::Node pod, std::string_view name_space);

}  // namespace podwire::analysis
