// A network of bare machines for tests and benchmarks: nodes without pods, work that takes no time, no filtering. What
// is left is links and switches.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "models/dataplane/network.hpp"

namespace podwire::dataplane {

/// A cluster of `count` generated nodes and nothing else.
inline cluster::Cluster bare_cluster(std::uint32_t count) {
  cluster::ClusterOptions options;
  options.node_count = count;
  return std::move(cluster::build_cluster(cluster::ObjectStore(), options)).value();
}

struct PlainNetwork {
  PlainNetwork(const topology::UnderlayOptions& underlay_options, const NetworkOptions& network_options,
               const des::SimulatorOptions& simulator_options = {})
      : cluster(bare_cluster(underlay_options.hosts)),
        underlay(underlay_options),
        simulator(simulator_options),
        network(simulator,
                {.cluster = &cluster, .profile = &profile, .engine = nullptr, .log = nullptr, .underlay = &underlay},
                network_options) {}

  FlowHandle open_udp(std::uint32_t from, std::uint32_t to, std::uint16_t source_port) {
    return network.open({.source = End::node(cluster::NodeId(from)),
                         .destination = cluster.nodes[to].addresses.front(),
                         .protocol = IpProtocol::udp,
                         .source_port = Port(source_port),
                         .destination_port = Port(9),
                         .identity = std::uint64_t{from} << 32 | source_port});
  }

  cluster::Cluster cluster;
  cni::Profile profile;
  topology::Underlay underlay;
  des::Simulator simulator;
  Network network;
};

/// Sources of UDP at a constant rate, and the sink that measures each packet's way.
class ConstantRate {
 public:
  struct Source {
    FlowHandle flow;
    Time start;
    Duration interval;
    std::uint32_t bytes = 0;
    std::uint64_t packets = 0;  // to send
    std::uint64_t sent = 0;
  };

  explicit ConstantRate(PlainNetwork& plain) : plain_(plain) {
    kind_ = plain.simulator.on<&ConstantRate::emit>(*this, "source");
    plain.network.set_receiver({.model = this, .deliver = &ConstantRate::receive, .expired = nullptr});
  }
  void add(const Source& source) { sources_.push_back(source); }
  void start() {
    base_ = plain_.simulator.add_sources(static_cast<std::uint32_t>(sources_.size()));
    for (std::uint32_t i = 0; i < sources_.size(); ++i) {
      plain_.simulator.at(sources_[i].start, base_.plus(i), kind_, i);
    }
  }
  void emit(std::uint32_t index) {
    Source& source = sources_[index];
    const auto now = static_cast<std::uint64_t>(plain_.simulator.now().ps());
    plain_.network.send(source.flow, {.kind = PacketKind::udp,
                                      .flags = 0,
                                      .bytes = source.bytes,
                                      .segments = 1,
                                      .seq = static_cast<std::uint32_t>(now),
                                      .ack = static_cast<std::uint32_t>(now >> 32)});
    if (++source.sent < source.packets) {
      plain_.simulator.at(plain_.simulator.now() + source.interval, base_.plus(index), kind_, index);
    }
  }

  std::uint64_t received = 0;
  std::int64_t total_ps = 0;
  std::int64_t least_ps = INT64_MAX;
  std::int64_t most_ps = 0;

 private:
  static Reception receive(void* model, const Packet& packet, Delivery) {
    auto& self = *static_cast<ConstantRate*>(model);
    const std::int64_t latency = self.plain_.simulator.now().ps() - static_cast<std::int64_t>(packet.tag());
    ++self.received;
    self.total_ps += latency;
    self.least_ps = std::min(self.least_ps, latency);
    self.most_ps = std::max(self.most_ps, latency);
    return Reception::taken;
  }

  PlainNetwork& plain_;
  std::vector<Source> sources_;
  des::Kind kind_;
  des::EventSource base_;
};

}  // namespace podwire::dataplane
