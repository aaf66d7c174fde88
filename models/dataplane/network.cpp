// Building the network from its parts, and the life of flows' halves.
#include "models/dataplane/network.hpp"

#include <algorithm>
#include <cmath>

namespace podwire::dataplane {

namespace {

using topology::HostId;
using topology::PortId;

constexpr std::size_t kNearBytes = std::size_t{64} << 10;  // of ports: they stay in the second-level cache
constexpr std::uint64_t kFixedOne = std::uint64_t{1} << 32;

/// 2^32 × picoseconds a byte, rounded up: exact when the rate divides 8 × 10^12, else at most a picosecond long.
std::uint64_t fixed_ps_per_byte(BitRate rate) {
  const unsigned __int128 ps = static_cast<unsigned __int128>(8'000'000'000'000) * kFixedOne;
  const auto bps = static_cast<std::uint64_t>(rate.bps());
  return static_cast<std::uint64_t>((ps + bps - 1) / bps);
}

}  // namespace

Network::Network(des::Simulator& simulator, const NetworkParts& parts, const NetworkOptions& options)
    : simulator_(simulator),
      cluster_(*parts.cluster),
      profile_(*parts.profile),
      engine_(parts.engine),
      log_(parts.timeline != nullptr ? &parts.timeline->policy() : parts.log),
      timeline_(parts.timeline),
      names_(parts.names != nullptr && parts.names->is_needed() ? parts.names : nullptr),
      underlay_(*parts.underlay),
      options_(options),
      packets_(0xffff'fffe),
      flows_(FlowHandle::kMaxFlows),
      timeouts_(parts.profile->conntrack),
      backend_draws_(options.seed, random::Purpose("service/backend")),
      loss_draws_(options.seed, random::Purpose("link/loss")) {
  PODWIRE_CHECK(underlay_.host_count() > cluster_.nodes.size(), "dataplane",
                "the underlay has a machine for each node");
  PODWIRE_CHECK(log_ == nullptr || log_->observer_count() >= cluster_.nodes.size(), "dataplane",
                "the change log has an observer for each node");
  hop_kind_ = simulator_.on<&Network::enter_port<true>>(*this, "port");
  arrive_kind_ = simulator_.on<&Network::arrive>(*this, "arrival");
  deliver_kind_ = simulator_.on<&Network::deliver>(*this, "delivery");
  build_ports();
  build_machines();
  build_states();
  cuts_established_ = log_ != nullptr && (profile_.policy.established == cni::EstablishedFlows::cut ||
                                          profile_.policy.judges_every_packet);
  overhead_[0] = static_cast<std::uint32_t>(options_.frame_overhead.count());
  overhead_[1] = overhead_[0] + static_cast<std::uint32_t>(profile_.encapsulation_overhead.count());
  simulator_.look_ahead<&Network::look_ahead, &Network::look_ahead_reach>(*this);
  has_far_ports_ = ports_.size() * sizeof(OutputPort) > kNearBytes;
}

void Network::build_ports() {
  // The NIC's own delay belongs to the way out of a machine, a switch's fabric to the way into it.
  const cni::StepTime& nic = profile_.step(cni::Step::nic_tx);
  const cni::StepTime& fabric = profile_.step(cni::Step::switch_hop);
  const Duration switching = underlay_.options().switch_latency + fabric.cost + fabric.latency;
  ports_.resize(underlay_.ports().size());
  for (std::size_t p = 0; p < ports_.size(); ++p) {
    const topology::PortSpec& spec = underlay_.ports()[p];
    PODWIRE_CHECK(spec.link.rate.bps() > 0, "dataplane", "a link has a rate");
    OutputPort& port = ports_[p];
    port.server = des::FifoServer::limited_by_bytes(spec.link.buffer, spec.link.rate);
    port.ps_per_byte_fixed = fixed_ps_per_byte(spec.link.rate);
    Duration delay = spec.link.propagation;
    if (spec.from_host.is_valid() && spec.from_host != underlay_.gateway()) {
      delay += nic.cost + nic.latency;
    }
    if (spec.to_switch.is_valid()) {
      delay += switching;
      port.route = underlay_.route_of(spec.to_switch);
    }
    port.arrival = spec.to_switch.is_valid() ? hop_kind_ : arrive_kind_;
    port.propagation_ps = delay.ps();
    port.loss = static_cast<std::uint32_t>(std::min(std::ceil(spec.link.loss * 4294967296.0), 4294967295.0));
    has_loss_ = has_loss_ || port.loss != 0;
  }
  routes_.resize(underlay_.host_count());
  for (std::uint32_t h = 0; h < underlay_.host_count(); ++h) {
    routes_[h] = underlay_.route_to(HostId(h));
  }
}

void Network::build_machines() {
  machines_.resize(underlay_.host_count());
  host_network_pods_.resize(cluster_.nodes.size());
  for (std::size_t n = 0; n < cluster_.nodes.size(); ++n) {
    Machine& machine = machines_[n];
    machine.first_core = static_cast<std::uint32_t>(cores_.size());
    machine.cores = static_cast<std::uint16_t>(std::clamp(cluster_.nodes[n].cpu_cores, 1u, 4'096u));
    machine.is_tracking = options_.tracks_connections;
    cores_.resize(cores_.size() + machine.cores);
  }
  for (std::uint32_t p = 0; p < cluster_.pods.size(); ++p) {
    const cluster::Pod& pod = cluster_.pods[p];
    if (pod.node.is_valid() && cluster_.shapes[pod.shape.index()].is_host_network) {
      host_network_pods_[pod.node.index()].push_back(cluster::PodId(p));
    }
  }
  if (options_.tracks_connections) {
    for (const cluster::Node& node : cluster_.nodes) {
      conntrack_.add_machine(profile_.conntrack.entries_for(node.cpu_cores));
    }
  }
  sources_ = simulator_.add_sources(static_cast<std::uint32_t>(ports_.size() + cores_.size() + machines_.size()));
  core_sources_ = static_cast<std::uint32_t>(ports_.size());
  machine_sources_ = core_sources_ + static_cast<std::uint32_t>(cores_.size());
}

ExternalId Network::external(IpAddress address) {
  const auto [at, is_new] = externals_by_ip_.try_emplace(address, ExternalId(externals_.size()));
  if (is_new) {
    externals_.push_back(address);
  }
  return at->second;
}

IpAddress Network::address_of(End end, IpAddress towards) const {
  switch (end.kind()) {
    case End::Kind::pod:
      return cluster_.address_of(end.pod_id(), towards);
    case End::Kind::node: {
      const auto& addresses = cluster_.nodes[end.node_id().index()].addresses;
      return addresses.empty() ? IpAddress() : addresses.front();
    }
    case End::Kind::external:
      return externals_[end.external_id().index()];
    case End::Kind::none:
      break;
  }
  return IpAddress();
}

std::uint16_t Network::machine_of(End end) const {
  switch (end.kind()) {
    case End::Kind::pod: {
      const cluster::NodeId node = cluster_.pods[end.pod_id().index()].node;
      PODWIRE_CHECK(node.is_valid(), "dataplane", "a pod that talks has a node");
      return static_cast<std::uint16_t>(node.value());
    }
    case End::Kind::node:
      return static_cast<std::uint16_t>(end.node_id().value());
    default:
      return static_cast<std::uint16_t>(underlay_.gateway().value());
  }
}

FlowHandle Network::make_flow() {
  const std::uint32_t index = flows_.allocate();
  const std::uint8_t generation = flows_[index].generation;
  flows_[index] = Flow();
  flows_[index].generation = generation;
  return FlowHandle(index, generation);
}

FlowHandle Network::open(const FlowSpec& spec) {
  PODWIRE_CHECK(spec.source.is_valid(), "dataplane", "a flow has a source");
  const FlowHandle handle = make_flow();
  Flow& flow = flows_[handle.index()];
  flow.local = spec.source;
  flow.local_port = spec.source_port;
  flow.remote_ip = spec.destination;
  flow.remote_port = spec.destination_port;
  flow.dialled_port = spec.destination_port;
  flow.protocol = spec.protocol;
  flow.host = machine_of(spec.source);
  flow.identity = spec.identity;
  flow.account = spec.account;
  flow.flags = static_cast<std::uint16_t>(kFlowInitiator | (spec.protocol != IpProtocol::tcp ? kFlowUdp : 0) |
                                          (spec.is_traced ? kFlowTraced : 0));
  if (spec.source.kind() == End::Kind::pod && !is_there(spec.source.pod_id())) [[unlikely]] {
    flow.flags |= kFlowGone;
  }
  return handle;
}

void Network::close(FlowHandle handle) {
  PODWIRE_CHECK(is_open(handle), "dataplane", "an open flow is closed");
  Flow& flow = flows_[handle.index()];
  if ((flow.flags & kFlowUdp) != 0 && is_open(flow.peer)) {
    if ((flow.flags & kFlowInitiator) == 0) {
      flow.flags |= kFlowDone;  // further datagrams of the same socket are the same conntrack entry's
      return;
    }
    leave_udp_server(flow);
  }
  if (flow.unbound > 0) {
    flow.flags |= kFlowClosing;
    return;
  }
  release_flow(handle, flow);
}

/// The initiator of a UDP flow goes. The server's half goes with it if its owner is done with it; else it stays until
/// its conntrack entry runs out, which on one machine has been the initiator's so far.
void Network::leave_udp_server(Flow& flow) {
  const FlowHandle peer_handle = flow.peer;
  Flow& peer = flows_[peer_handle.index()];
  if ((peer.flags & kFlowDone) != 0) {
    release_flow(peer_handle, peer);
    return;
  }
  if ((flow.flags & kFlowLocal) != 0 && flow.tracking != ConntrackState::none) {
    peer.flags |= kFlowTracked;
    peer.tracking = flow.tracking;
    peer.last_seen = flow.last_seen;
    peer.due = flow.last_seen + timeouts_[flow.tracking];
    conntrack_.queue(flow.tracking, {peer.due, peer_handle, flow.host});
    flow.tracking = ConntrackState::none;
  }
  if (peer.tracking == ConntrackState::none) {
    if (receiver_.expired != nullptr) {
      receiver_.expired(receiver_.model, peer_handle);
    }
    release_flow(peer_handle, peer);
  }
}

/// Frees the half; what remains of it is a conntrack entry that waits for its timeout.
void Network::release_flow(FlowHandle handle, Flow& flow) {
  if (flow.tracking != ConntrackState::none) {
    conntrack_.orphan(flow.tracking, flow.host, flow.last_seen + timeouts_[flow.tracking]);
    flow.tracking = ConntrackState::none;
  }
  flow.generation = static_cast<std::uint8_t>(flow.generation + 1);
  flows_.release(handle.index());
}

std::uint32_t Network::path_mtu(FlowHandle handle) {
  Flow& flow = flows_[handle.index()];
  if (flow.mtu == 0) {
    resolve(flow);
  }
  return flow.mtu;
}

}  // namespace podwire::dataplane
