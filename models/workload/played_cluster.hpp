// What every play of a cluster needs below its clients: simulator, underlay, network, transport and DNS, built in one
// order, so that events of the same time come in the same order whoever plays.
#pragma once

#include <optional>

#include "models/control/change_log.hpp"
#include "models/control/timeline.hpp"
#include "models/dns/dns.hpp"
#include "models/workload/learning.hpp"
#include "models/workload/spec.hpp"
#include "sim/des/simulator.hpp"

namespace podwire::workload {

/// The nodes' network as specified.
topology::Underlay build_underlay(const UnderlaySpec& spec, std::size_t nodes);

struct PlayedClusterInput {
  policy::PolicyEngine* engine = nullptr;            // brings cluster, policies and profile
  const control::TimelineInput* timeline = nullptr;  // what changes; null: nothing
  UnderlaySpec underlay;
  std::uint64_t seed = 1;
  dns::ExternalRecords externals = {};
  bool plain_heap = false;  // des::SimulatorOptions::plain_heap
};

/// Its parts refer to each other and stay where they are.
class PlayedCluster {
 public:
  explicit PlayedCluster(const PlayedClusterInput& input);
  PlayedCluster(const PlayedCluster&) = delete;
  PlayedCluster& operator=(const PlayedCluster&) = delete;

 private:
  const PlayedClusterInput input_;  // first: the parts are built from it

 public:
  const cluster::Cluster& cluster;  // of all times; pods that are not there yet are in it
  des::Simulator simulator;
  const topology::Underlay underlay;
  control::ChangeLog log;
  std::optional<control::Timeline> timeline;
  dataplane::DomainNames names;
  dataplane::Network network;
  transport::Transport transport;
  dns::Dns dns;
  const NameLearning learning;
};

}  // namespace podwire::workload
