// Two machines of a bare cluster with the model's transport between them, and what is needed to look at it.
#pragma once

#include <vector>

#include "models/transport/transport.hpp"

namespace podwire::kernel {

class ModelPair {
 public:
  explicit ModelPair(Duration one_way, const transport::TransportOptions& options = {},
                     void (*edit)(cluster::Cluster&) = nullptr)
      : cluster_(bare_cluster(edit)),
        underlay_(underlay_options(one_way)),
        network(simulator,
                {.cluster = &cluster_, .profile = &profile_, .engine = nullptr, .log = nullptr, .underlay = &underlay_},
                {}),
        transport(simulator, network, options) {
    application_ = transport.add_application<&ModelPair::on_event>(*this);
  }

  transport::ConnectOptions to(IpAddress address, std::uint16_t port) {
    transport::ConnectOptions options;
    options.source = dataplane::End::node(cluster::NodeId(0u));
    options.destination = address;
    options.port = Port(port);
    options.application = application_;
    options.cookie = 1;  // the client's events
    return options;
  }
  IpAddress peer() const { return cluster_.nodes[1].addresses.front(); }
  /// The peer answers each connection's first bytes with `response`, and closes.
  void serve(std::uint16_t port, std::uint64_t response) {
    response_ = response;
    transport.serve(dataplane::End::node(cluster::NodeId(1u)), IpProtocol::tcp, Port(port), application_);
  }
  /// From now on every packet is swallowed when it arrives; its time is kept.
  void swallow_everything() {
    network.set_receiver({.model = this,
                          .deliver =
                              [](void* model, const dataplane::Packet&, dataplane::Delivery) {
                                auto& self = *static_cast<ModelPair*>(model);
                                self.swallowed.push_back(self.now());
                                return dataplane::Reception::taken;
                              },
                          .expired = nullptr});
  }
  double now() const { return static_cast<double>(simulator.now().ps()) * 1e-12; }

  struct Heard {
    transport::Event event;
    double second = 0;
  };
  std::vector<Heard> heard;       // by the client
  std::vector<double> swallowed;  // seconds

 private:
  static cluster::Cluster bare_cluster(void (*edit)(cluster::Cluster&)) {
    cluster::ClusterOptions options;
    options.node_count = 2;
    cluster::Cluster cluster = std::move(cluster::build_cluster(cluster::ObjectStore(), options)).value();
    if (edit != nullptr) {
      edit(cluster);
    }
    return cluster;
  }
  static topology::UnderlayOptions underlay_options(Duration one_way) {
    topology::UnderlayOptions options;
    options.hosts = 2;
    options.host_link.propagation = Duration::from_ps(one_way.ps() / 2);
    options.host_link.buffer = Bytes(64 << 20);
    return options;
  }
  void on_event(const transport::Event& event) {
    if (event.cookie == 1) {
      heard.push_back({event, now()});
    } else if (event.kind == transport::EventKind::received && response_ > 0) {
      transport.send(event.socket, response_);
      response_ = 0;
    }
  }

  cluster::Cluster cluster_;
  cni::Profile profile_;
  topology::Underlay underlay_;

 public:
  des::Simulator simulator;
  dataplane::Network network;
  transport::Transport transport;

 private:
  transport::ApplicationId application_;
  std::uint64_t response_ = 0;
};

}  // namespace podwire::kernel
