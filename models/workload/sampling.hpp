// What a run looks like from interval to interval, for /series of its record file: requests, packets, queues.
//
// The run is played in pieces that end at multiples of the interval; between two pieces the models are read and nothing
// is scheduled, swept or changed, so that a sampled run and an unsampled one play the same events. A sample at t tells
// of the interval that ends at t. Sampling ends with the run, or at a limit when a run drains for very long.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/dataplane/network.hpp"
#include "models/workload/clients.hpp"
#include "models/workload/play.hpp"
#include "sim/record/schema.hpp"

namespace podwire::workload {

/// Samples a run may have; beyond them (a drain that outlasts the run many times) nothing is sampled.
inline constexpr std::int64_t kMostSamples = 200'000;

class Sampler {
 public:
  /// Does nothing unless `input` has an interval and a record file. All arguments outlive it.
  Sampler(des::Simulator& simulator, const dataplane::Network& network, const topology::Underlay& underlay,
          const Clients& clients, const RunInput& input);

  /// Plays the run as far as it is sampled: to its end, mostly.
  void run_sampled();
  /// Somebody asked the run to stop while a piece was being played.
  bool is_interrupted() const { return is_interrupted_; }

  std::size_t size() const { return times_.size(); }
  /// Links that were the busiest of some interval, in the order in which they first were.
  const std::vector<std::string>& link_names() const { return link_names_; }
  record::SeriesGroup network_series() const;
  record::SeriesGroup workload_series() const;

 private:
  void take(Time now);
  void take_links(Time now);

  des::Simulator& simulator_;
  const dataplane::Network& network_;
  const Clients& clients_;
  const RunInput& input_;
  bool is_interrupted_ = false;

  std::vector<double> times_;  // seconds since the start of the run
  std::vector<double> sent_, delivered_, dropped_, in_flight_, conntrack_, fullest_conntrack_, cpu_backlog_;
  std::vector<double> link_use_, link_;
  std::vector<double> arrived_, ok_, failed_, open_;  // (time, workload)
  dataplane::PacketCounts before_;
  std::vector<Traffic> traffic_before_;
  std::vector<std::int64_t> busy_before_;  // picoseconds that each port has worked
  std::vector<std::int64_t> row_of_link_;  // -1: never the busiest
  std::vector<std::string> link_names_;
};

}  // namespace podwire::workload
