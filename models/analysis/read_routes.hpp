// Gateway API HTTPRoutes as entry points: used by the reader of entry points alone.
#pragma once

#include <vector>

#include "models/analysis/entry_points.hpp"

namespace podwire::analysis {

constexpr std::string_view kGatewayGroup = "gateway.networking.k8s.io";

/// Appends an HTTPRoute's ways in: each Gateway × host × match × backend, with a problem where the Gateway does not
/// take it or the backend is none. Problems of the object itself are diagnostics.
void read_http_route(const cluster::ObjectStore& store, const cluster::Cluster& cluster, const cluster::Object& route,
                     std::vector<EntryPoint>& into, Diagnostics& diagnostics);

}  // namespace podwire::analysis
