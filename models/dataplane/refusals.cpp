// How a machine turns packets away and who is told: sockets that are gone, policies at the destination, and the resets
// and ICMP errors that answer (RFC 9293 section 3.5.2, RFC 1812 section 4.3.2).
#include <algorithm>

#include "models/dataplane/network.hpp"

namespace podwire::dataplane {

namespace {

constexpr std::uint32_t kIcmpHeaders = 28;    // IPv4 20 + ICMP 8
constexpr std::uint32_t kIcmpQuoteMax = 548;  // RFC 1812 section 4.3.2.3: not more than 576 bytes in all
constexpr std::uint32_t kResetBytes = 40;     // IPv4 20 + TCP 20

}  // namespace

/// A packet for a socket that is gone. A TCP stack answers with RST, so that an end that waits learns of it.
void Network::lose_closed(std::uint32_t id) {
  const Packet packet = packets_[id];
  if (is_open(packet.target) && (flows_[packet.target.index()].flags & kFlowGone) != 0) {
    lose(id, DropReason::no_pod, {Place::Kind::host, packet.host});  // nobody is there to answer with a reset
    return;
  }
  lose(id, DropReason::closed, {Place::Kind::host, packet.host});
  if (packet.kind() == PacketKind::tcp && (packet.flags() & kRst) == 0) {
    answer(packet.source, PacketKind::tcp, kRst, kResetBytes, packet.host, simulator_.now());
  }
}

/// A packet was turned away at its destination; the core has worked for it all the same.
void Network::arrive_denied(std::uint32_t id, const Judgement& judgement) {
  const Packet packet = packets_[id];
  if (machines_[packet.host].cores != 0 && is_open(packet.source)) {
    const bool is_encapsulated = packet.is_encapsulated();
    Visit visit = judgement.extra;
    visit.cost += profile_.step(cni::Step::node_cpu).cost + profile_.step(cni::Step::conntrack).cost +
                  profile_.step(cni::Step::ingress_policy).cost;
    if (is_encapsulated) {
      visit.cost += profile_.step(cni::Step::decapsulate).cost;
    }
    std::uint32_t core = 0;
    const Time ready = book(packet.host, packet.hash, visit, core);
    if (packet.is_traced()) [[unlikely]] {
      trace_denied_arrival(id, ready - visit.cost - visit.latency, visit, judgement.extra);
    }
  }
  if (judgement.is_rejected && is_open(packet.source)) {
    answer(packet.source, PacketKind::icmp_port_unreachable, 0, packet.bytes(), packet.host, simulator_.now());
  }
  lose(id, judgement.reason, {judgement.hook, packet.host}, judgement.verdict, judgement.version);
}

/// A packet that belongs to no half at its sender, an ICMP error or the RST of a stack without the connection: from
/// machine `from`, which is busy with what caused it until `ready`, to the half `to` (nothing if that is gone).
void Network::answer(FlowHandle to, PacketKind kind, std::uint8_t flags, std::uint32_t bytes, std::uint16_t from,
                     Time ready) {
  if (!is_open(to)) {
    return;
  }
  const Flow& flow = flows_[to.index()];
  const std::uint32_t size = kind == PacketKind::tcp ? bytes : kIcmpHeaders + std::min(bytes, kIcmpQuoteMax);
  const bool is_local = from == flow.host;
  const std::uint32_t id = packets_.allocate();
  Packet& packet = packets_[id];
  packet = Packet();
  packet.port = from;
  packet.target = to;
  packet.host = flow.host;
  packet.hash = flow.hash;
  packet.size = Packet::pack_size(size, kind, !is_local && (flow.flags & kFlowEncapsulated) != 0,
                                  (flow.flags & kFlowTraced) != 0);
  packet.segments = Packet::pack_segments(1, flags);
  ++sent_;
  sent_bytes_ += size;
  ++in_flight_;
  in_flight_bytes_ += size;
  const bool is_traced = (flow.flags & kFlowTraced) != 0;
  if (is_local) {
    if (is_traced) [[unlikely]] {
      trace_answer(id, ready, {});
    }
    simulator_.at(ready, sources_.plus(machine_sources_ + from), deliver_kind_, id);
    return;
  }
  const Visit visit{profile_.step(cni::Step::node_cpu).cost, profile_.step(cni::Step::node_cpu).latency};
  if (machines_[from].cores == 0 || visit.is_free()) {
    if (is_traced) [[unlikely]] {
      trace_answer(id, simulator_.now(), {});
    }
    enter_port<true>(id);
    return;
  }
  std::uint32_t core = 0;
  ready = book(from, flow.hash, visit, core);
  if (is_traced) [[unlikely]] {
    trace_answer(id, ready - visit.cost - visit.latency, visit);
  }
  simulator_.at(ready, sources_.plus(core_sources_ + core), hop_kind_, id);
}

}  // namespace podwire::dataplane
