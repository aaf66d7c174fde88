// The way of a packet of a known flow: one event a link, one at either end. Nothing here hashes, allocates or asks.
#include <algorithm>

#include "models/dataplane/network.hpp"

namespace podwire::dataplane {

namespace {

constexpr std::uint8_t kNoFlags = 0;
constexpr std::size_t kCacheBytes = std::size_t{512} << 10;    // what one core's second-level cache holds, about
constexpr std::size_t kFarCacheBytes = std::size_t{16} << 20;  // its share of the third-level cache, about

/// All bits, or none: selects without a branch.
constexpr std::uint32_t mask_if(bool is_taken) {
  return 0u - static_cast<std::uint32_t>(is_taken);
}

}  // namespace

void Network::send(FlowHandle handle, const Outgoing& packet) {
  PODWIRE_CHECK(is_open(handle), "dataplane", "packets are sent on open flows");
  Flow& flow = flows_[handle.index()];
  ++sent_;
  sent_bytes_ += packet.bytes;
  const std::uint16_t flags = flow.flags;
  if ((flags & kFlowConfirmed) == 0) [[unlikely]] {
    send_first(handle, flow, packet);
    return;
  }
  const bool from_initiator = (flags & kFlowInitiator) != 0;
  if ((flags & kFlowTracked) != 0) {
    if (!touch(handle, flow, packet.flags, from_initiator)) [[unlikely]] {
      send_first(handle, flow, packet);
      return;
    }
  } else if ((flags & kFlowLocal) != 0 && !from_initiator && is_open(flow.peer)) {
    touch(flow.peer, flows_[flow.peer.index()], packet.flags, false);
  }
  if ((flags & (kFlowLocal | kFlowInitiator | kFlowUdp)) == (kFlowLocal | kFlowInitiator | kFlowUdp) &&
      !is_open(flow.peer)) [[unlikely]] {
    send_first(handle, flow, packet);
    return;
  }
  if (cuts_established_ && from_initiator && (flags & kFlowSubject) != 0 &&
      flow.verdict_version != log_->version(flow.host, simulator_.now())) [[unlikely]] {
    send_first(handle, flow, packet);
    return;
  }
  launch(handle, flow, packet, {Duration::from_ps(flow.out_cost), Duration::from_ps(flow.out_latency)}, false);
}

/// Puts a packet that may leave on its way: through a core if the machine's work takes time, then to the NIC or, on the
/// same machine, to the socket.
void Network::launch(FlowHandle handle, Flow& flow, const Outgoing& out, Visit visit, bool is_opening) {
  const std::uint32_t id = packets_.allocate();
  Packet& packet = packets_[id];
  const std::uint16_t flags = flow.flags;
  packet.port = flow.host;  // a machine's NIC has its own number
  packet.source = handle;
  packet.target = flow.peer;
  packet.seq = out.seq;
  packet.ack = out.ack;
  packet.host = flow.remote_host;
  packet.hash = flow.hash;
  packet.size = Packet::pack_size(out.bytes, out.kind, (flags & kFlowEncapsulated) != 0, (flags & kFlowTraced) != 0);
  packet.segments = Packet::pack_segments(out.segments, out.flags);
  packet.ordinal = flow.ordinal++;
  if (is_opening) {
    packet.mark_opening();
  }
  ++in_flight_;
  in_flight_bytes_ += out.bytes;
  if (!flow.peer.is_valid()) {
    ++flow.unbound;
  }
  if (out.bytes > flow.mtu * out.segments) [[unlikely]] {
    lose(id, DropReason::mtu_exceeded, {Place::Kind::host, flow.host});
    return;
  }
  const Time now = simulator_.now();
  Time ready = now;
  std::uint32_t source = machine_sources_ + flow.host;
  if (!visit.is_free()) {
    std::uint32_t core = 0;
    ready = book(flow.host, flow.hash, visit, core);
    source = core_sources_ + core;
  }
  if ((flags & kFlowTraced) != 0) [[unlikely]] {
    trace_launch(id, handle, flow, ready, visit);
  }
  if ((flags & kFlowLocal) != 0) {
    simulator_.at(ready, sources_.plus(source), deliver_kind_, id);
  } else if (visit.is_free()) {
    enter_port<true>(id);
  } else {
    simulator_.at(ready, sources_.plus(source), hop_kind_, id);
  }
}

/// A packet stands before an output port: it is queued, crosses the line, and its next event is at the far end. A plain
/// packet is not traced, on a line that loses none: it meets no call but at the end, so that this function, which is
/// most of a run, needs no frame.
template <bool kIsPlain>
void Network::enter_port(std::uint32_t id) {
  Packet& packet = packets_[id];
  const std::uint32_t from = packet.port;
  OutputPort& port = ports_[from];
  if constexpr (kIsPlain) {
    if (packet.is_traced() || port.loss != 0) [[unlikely]] {
      enter_port<false>(id);
      return;
    }
  }
  const std::uint32_t wire = packet.bytes() + overhead_[packet.is_encapsulated()] * packet.segment_count();
  const des::Booking booking = port.server.book(simulator_.now(), port.serialization(wire));
  if (!booking.is_accepted) [[unlikely]] {
    lose_at_port(id, DropReason::queue_full);
    return;
  }
  ++port.packets;
  port.bytes += wire;
  if constexpr (!kIsPlain) {
    if (packet.is_traced()) {
      trace_line(id, booking);
    }
    if (port.loss != 0 && is_lost_on_line(packet, from)) {
      lose_at_port(id, DropReason::link_loss);
      return;
    }
  }
  // Where on its way a packet is cannot be predicted: its next port and kind of event are computed without a branch. On
  // the last line the port is of no meaning. A hash's share of no ports is 0.
  const Time arrival = booking.finish + Duration::from_ps(port.propagation_ps);
  const topology::HostRoute route = routes_[packet.host];
  const topology::SwitchRoute next = port.route;
  const std::uint32_t by_hash = std::uint32_t{packet.hash} * next.count >> 16;
  const std::uint32_t away = next.first + by_hash + (route.leaf & mask_if(next.count == 0));
  packet.port = away ^ ((away ^ route.down_port) & mask_if(route.leaf == next.leaf));
  simulator_.at(arrival, sources_.plus(from), port.arrival, id);
}

template void Network::enter_port<true>(std::uint32_t);

/// A packet comes off the last line: its flow's half is found by handle, or made; the visit is booked.
void Network::arrive(std::uint32_t id) {
  Packet& packet = packets_[id];
  if (!packet.target.is_valid()) [[unlikely]] {
    arrive_at_no_flow(id);
    return;
  }
  Flow& flow = flows_[packet.target.index()];
  if (flow.generation != packet.target.generation() || (flow.flags & (kFlowClosing | kFlowDone | kFlowGone)) != 0)
      [[unlikely]] {
    arrive_at_no_flow(id);
    return;
  }
  Visit visit{Duration::from_ps(flow.in_cost), Duration::from_ps(flow.in_latency)};
  const PacketKind kind = packet.kind();
  if (kind == PacketKind::tcp || kind == PacketKind::udp) {
    const bool from_initiator = (flow.flags & kFlowInitiator) == 0;
    const bool is_cut = cuts_established_ && from_initiator && (flow.flags & kFlowSubject) != 0 &&
                        flow.verdict_version != log_->version(flow.host, simulator_.now());
    if (is_cut || ((flow.flags & kFlowTracked) != 0 &&
                   !touch(packet.target, flow, kind == PacketKind::tcp ? packet.flags() : kNoFlags, from_initiator)))
        [[unlikely]] {
      const Judgement judgement = judge(packet.target, flow, policy::Direction::ingress, packet.flags());
      if (!judgement.passes) {
        arrive_denied(id, judgement);
        return;
      }
      if (!is_cut) {  // its entry had run out: whether it was taken out already makes no difference
        finish_first_arrival(id, flow, visit + judgement.extra, judgement.extra);
        return;
      }
    }
  }
  finish_arrival(id, flow, visit);
}

/// Books the destination's visit; the delivery follows it.
void Network::finish_arrival(std::uint32_t id, const Flow& flow, Visit visit) {
  const Packet& packet = packets_[id];
  if (visit.is_free()) {
    deliver(id);
    return;
  }
  std::uint32_t core = 0;
  const Time ready = book(packet.host, packet.hash, visit, core);
  if (packet.is_traced()) [[unlikely]] {
    trace_arrival(id, flow, ready, visit);
  }
  simulator_.at(ready, sources_.plus(core_sources_ + core), deliver_kind_, id);
}

/// A packet reaches its socket: it is counted, freed, and handed up.
void Network::deliver(std::uint32_t id) {
  const Packet packet = packets_[id];
  Flow& flow = flows_[packet.target.index()];
  if (flow.generation != packet.target.generation() || (flow.flags & (kFlowClosing | kFlowGone)) != 0) [[unlikely]] {
    lose_closed(id);
    return;
  }
  const bool is_new = packet.is_opening() || (flow.flags & kFlowDone) != 0;
  if (is_new) {
    flow.flags = static_cast<std::uint16_t>(flow.flags & ~kFlowDone);
  }
  const std::uint64_t identity = flow.identity;
  const Reception reception = receiver_.deliver(receiver_.model, packet, {packet.target, is_new});
  if (reception == Reception::no_listener) [[unlikely]] {
    refuse(id);
    return;
  }
  packets_[id].size = 0;
  packets_.release(id);
  --in_flight_;
  in_flight_bytes_ -= packet.bytes();
  ++delivered_;
  delivered_bytes_ += packet.bytes();
  simulator_.fingerprint().add(static_cast<std::uint32_t>(Item::delivered), simulator_.now(), identity,
                               std::uint64_t{packet.seq} << 32 | std::uint32_t{packet.segments} << 16 | packet.ordinal);
}

/// Nobody listens on this UDP port: the packet is lost and its sender told.
void Network::refuse(std::uint32_t id) {
  const Packet packet = packets_[id];
  answer(packet.source, PacketKind::icmp_port_unreachable, kNoFlags, packet.bytes(), packet.host, simulator_.now());
  lose(id, DropReason::no_listener, {Place::Kind::host, packet.host});
  if (is_open(packet.target)) {
    release_flow(packet.target, flows_[packet.target.index()]);
  }
}

void Network::lose_at_port(std::uint32_t id, DropReason reason) {
  lose(id, reason, {Place::Kind::port, packets_[id].port});
}

bool Network::is_lost_on_line(const Packet& packet, std::uint32_t port) const {
  std::uint64_t who = 0;
  if (is_open(packet.source)) {
    who = flows_[packet.source.index()].identity << 1 | (flows_[packet.source.index()].flags & kFlowInitiator);
  } else if (is_open(packet.target)) {
    who = flows_[packet.target.index()].identity << 1;
  }
  return loss_draws_.draw(who, std::uint32_t{packet.ordinal} << 16 ^ port).bits32() < ports_[port].loss;
}

/// Counts a packet under way as lost and frees it.
void Network::lose(std::uint32_t id, DropReason reason, Place place, const policy::Verdict& verdict,
                   control::Version version) {
  Packet& packet = packets_[id];
  const Flow* flow = nullptr;
  if (is_open(packet.source)) {
    flow = &flows_[packet.source.index()];
  } else if (is_open(packet.target)) {
    flow = &flows_[packet.target.index()];
  }
  count_drop(reason, place, verdict, version, flow, packet);
  if (packet.is_traced()) [[unlikely]] {
    DropRow loss;
    loss.reason = reason;
    loss.place = place;
    loss.verdict = verdict;
    loss.version = version;
    trace_loss(id, loss);
  }
  --in_flight_;
  in_flight_bytes_ -= packet.bytes();
  const FlowHandle source = packet.source;
  const bool was_unbound = source.is_valid() && !packet.target.is_valid();
  packet.size = 0;
  packets_.release(id);
  if (was_unbound) {
    unbind(source);
  }
}

void Network::count_drop(DropReason reason, Place place, const policy::Verdict& verdict, control::Version version,
                         const Flow* flow, const Packet& packet) {
  drops_.count(reason, place, verdict, flow != nullptr ? flow->account : 0, packet.bytes(), version);
  simulator_.fingerprint().add(static_cast<std::uint32_t>(Item::dropped), simulator_.now(),
                               flow != nullptr ? flow->identity : 0,
                               static_cast<std::uint64_t>(reason) << 32 | (packet.seq ^ packet.ordinal));
}

/// A packet that only its sender's half could identify is gone or has found its flow.
void Network::unbind(FlowHandle source) {
  Flow& flow = flows_[source.index()];
  --flow.unbound;
  if (flow.unbound == 0 && (flow.flags & kFlowClosing) != 0) {
    release_flow(source, flow);
  }
}

/// Fetches the packet of the later event; of the sooner one, whose packet is here by then, what that points to. A hop
/// needs its port; the end of a way its flow's first line and its machine's cores, and a delivery what the transport
/// keeps beside the flow. Which of the two ends it is is computed, not branched on: they come in no order that a branch
/// could be predicted from.
void Network::look_ahead(const des::Event& sooner, const des::Event* later) const {
  if (later != nullptr && is_of_packet(*later)) {
    prefetch_to_write(&packets_[later->argument()]);
  }
  if (!is_of_packet(sooner)) {
    return;
  }
  const Packet& packet = packets_[sooner.argument()];
  if (sooner.kind() == hop_kind_) {
    if (has_far_ports_) {
      prefetch_to_write(&ports_[packet.port]);
    }
    return;
  }
  const std::uint32_t target = packet.target.index();
  const auto* const flow = reinterpret_cast<const std::byte*>(&flows_[target < flows_.size() ? target : 0]);
  const std::size_t beside = sooner.kind() == deliver_kind_ ? sizeof(Flow) : 0;
  prefetch_to_write(flow);
  prefetch_to_write(cores_.data() + core_of(machines_[packet.host], packet.hash));
  prefetch_to_write(flow + beside);
  prefetch_to_write(flow + beside + (beside != 0 ? 64 : 0));
}

/// What stays in the second-level cache is there soon enough by itself.
des::Reach Network::look_ahead_reach() const {
  const std::size_t touched = packets_.size() * sizeof(Packet) + flows_.size() * (sizeof(Flow) + kCompanionBytes) +
                              ports_.size() * sizeof(OutputPort);
  if (flows_.size() == 0 || touched <= kCacheBytes) {
    return des::Reach::none;
  }
  return touched <= kFarCacheBytes ? des::Reach::cache : des::Reach::memory;
}

}  // namespace podwire::dataplane
