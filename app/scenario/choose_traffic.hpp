// Which recorded traffic a scenario plays, and how: pairs to workloads, largest first, as far as the limit goes; rates
// and the length of a run. The rest is counted by reason: nothing is lost silently.
//
// What is chosen resolves against the cluster it was chosen for. Connections to pods that one Service alone leads to
// are taken to be made through it, by its name where the source's lookups were seen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/scenario/recorded_traffic.hpp"
#include "models/flows/mapping.hpp"

namespace podwire::scenario {

/// A pair that is played.
struct ChosenPair {
  const TrafficPair* pair = nullptr;
  std::string name;  // of the workload
  std::string from;  // as scenarios write it
  std::string to;
  std::string to_basis;         // "detected", "assumed: …"
  bool needs_listener = false;  // no manifest says that the destination answers on the port
  double observed = 0;          // connections a second
  double rate = 0;              // played; more than observed where a run might have none
  bool is_constant = false;     // arrivals tick
};

/// A pair that was recorded as dropped by policy, and never as passed.
struct DroppedPair {
  const TrafficPair* pair = nullptr;
  std::string from;
  std::string to;
};

/// Connections that are not played.
struct LeftOutTraffic {
  std::string reason;
  std::uint64_t count = 0;
  std::vector<std::pair<std::uint64_t, std::string>> examples = {};  // with most connections
  bool has_more = false;
  /// "from nodes …: nodes → shop/deployment/web TCP 8080 (12), …".
  std::string text() const;
};

struct TrafficChoice {
  std::vector<ChosenPair> chosen;    // most connections first
  std::vector<DroppedPair> dropped;  // likewise; at most as many as the limit
  std::vector<LeftOutTraffic> left_out;
  std::uint64_t chosen_flows = 0;
  std::uint64_t dropped_flows = 0;
  std::uint64_t beyond_flows = 0;  // of pairs beyond the limit
  std::size_t passed_pairs = 0;    // that the limit was applied to
  std::size_t beyond_pairs = 0;
  std::size_t dropped_pairs = 0;
  double window = 1;          // s, from the first flow to the last; at least 1
  bool has_window = true;     // false: the flows have nearly one time
  std::int64_t duration = 0;  // s, of a run
  bool is_shortened = false;  // the run is shorter than the window
};

/// `strangers`: those of the mapper that gave `traffic` its ends. The result points into `traffic`.
TrafficChoice choose_traffic(const RecordedTraffic& traffic, const std::vector<flows::StrangerName>& strangers,
                             std::size_t most_workloads);

/// "shop/deployment/web", "shop/service/web": of a workload or a Service.
std::string traffic_end_name(const cluster::Cluster& cluster, const TrafficEnd& end);

}  // namespace podwire::scenario
