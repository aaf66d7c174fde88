// What only a flow's first packet meets: the Service's translation, a half of its own at either end, and what that
// costs. What the policies say of it is in judging.cpp, how it is turned away in refusals.cpp.
#include <algorithm>
#include <bit>

#include "models/cluster/snapshot.hpp"
#include "models/dataplane/network.hpp"
#include "models/dataplane/visit_steps.hpp"

namespace podwire::dataplane {

namespace {

using policy::Direction;

std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9u;
  z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebu;
  return z ^ (z >> 31);
}

std::uint32_t picoseconds(Duration span) {
  PODWIRE_CHECK(span >= Duration::zero() && span.ps() <= 0xffff'ffff, "dataplane",
                "a step of a known flow's packet takes at most 4 ms");
  return static_cast<std::uint32_t>(span.ps());
}

}  // namespace

/// A packet of a flow that its machine does not know (yet, or any more).
void Network::send_first(FlowHandle handle, Flow& flow, const Outgoing& out) {
  Judgement judgement;
  FirstCosts first;
  if ((flow.flags & kFlowGone) != 0) {
    judgement.passes = false;
    judgement.reason = DropReason::no_pod;
  } else if ((flow.flags & (kFlowInitiator | kFlowConfirmed)) == kFlowInitiator) {
    judgement = resolve(flow);
    first.service = judgement.extra;
  }
  if (judgement.passes) {
    judgement = judge(handle, flow, Direction::egress, out.flags);
    first.egress = judgement.extra;
  }
  constexpr std::uint16_t kLocalInitiator = kFlowLocal | kFlowInitiator;
  if (judgement.passes && cuts_established_ && (flow.flags & kLocalInitiator) == kLocalInitiator &&
      is_open(flow.peer) && (flows_[flow.peer.index()].flags & kFlowSubject) != 0) {
    // On one machine no arrival asks for the other end.
    judgement = judge(flow.peer, flows_[flow.peer.index()], Direction::ingress, out.flags);
    if (!judgement.passes) {
      flow.verdict_version = kAskAgain;
    }
  }
  FlowHandle made;
  const bool opens = (flow.flags & kFlowUdp) != 0 || (out.flags & kSyn) != 0;
  if (judgement.passes && (flow.flags & (kFlowLocal | kFlowInitiator)) == (kFlowLocal | kFlowInitiator) && opens &&
      !is_open(flow.peer)) {
    judgement = admit(handle, out.flags, made);
    first.ingress = judgement.extra;
  }
  const Visit visit = Visit{Duration::from_ps(flow.out_cost), Duration::from_ps(flow.out_latency)} + first.all();
  const bool is_traced = (flow.flags & kFlowTraced) != 0;
  if (judgement.passes) {
    flow.flags |= kFlowConfirmed;
    if (is_traced) [[unlikely]] {
      first_costs_ = first;
    }
    launch(handle, flow, out, visit, made.is_valid());
    first_costs_.reset();
    return;
  }
  // Lost where it stands, but the core has worked for it.
  Time ready = simulator_.now();
  if (!visit.is_free()) {
    std::uint32_t core = 0;
    ready = book(flow.host, flow.hash, visit, core);
  }
  Packet lost;
  lost.seq = out.seq;
  lost.ack = out.ack;
  lost.ordinal = flow.ordinal++;
  lost.size = Packet::pack_size(out.bytes, out.kind, false, is_traced);
  lost.segments = Packet::pack_segments(out.segments, out.flags);
  count_drop(judgement.reason, {judgement.hook, flow.host}, judgement.verdict, judgement.version, &flow, lost);
  if (is_traced) [[unlikely]] {
    trace_refusal(handle, flow, lost, judgement, ready, visit, first);
  }
  if (judgement.is_rejected) {
    answer(handle, PacketKind::icmp_port_unreachable, 0, out.bytes, flow.host, ready);
  }
}

/// Finds out where a dialled address leads: through the Service's rules, then to a pod, a node or the gateway.
Network::Judgement Network::resolve(Flow& flow) {
  Judgement judgement;
  const bool is_outside = flow.local.kind() == End::Kind::external;
  if (flow.service_port.is_valid()) {  // asked again, as for a first packet that was lost: same draw, same answer
    flow.remote_ip = cluster_.services[services().service(flow.service_port).index()].cluster_ip;
    flow.remote_port = flow.dialled_port;
  }
  const service::Client client{.ip = address_of(flow.local, flow.remote_ip),
                               .node = is_outside ? cluster::NodeId() : cluster::NodeId(std::uint32_t{flow.host})};
  const service::Translation translation = services_at(flow.host).translate(
      client, flow.remote_ip, flow.protocol, flow.remote_port, backend_draws_.draw(flow.identity).bits());
  if (!is_outside) {
    judgement.extra.cost = service::first_packet_cost(profile_, translation);
  }
  flow.service_port = translation.service_port;
  judgement.passes = false;
  flow.mtu = static_cast<std::uint16_t>(std::min<std::int64_t>(options_.underlay_mtu.count(), 0xffff));
  switch (translation.outcome) {
    case service::Outcome::untranslated:
      break;
    case service::Outcome::translated:
      flow.flags |= kFlowTranslated;
      flow.remote_ip = translation.target.ip;
      flow.remote_port = translation.target.port;
      break;
    case service::Outcome::rejected:
      judgement.reason = DropReason::service_rejected;
      judgement.is_rejected = true;
      return judgement;
    case service::Outcome::dropped:
      judgement.reason = DropReason::service_local;
      return judgement;
    case service::Outcome::lost:
      return judgement;
  }
  const bool are_two_told = !cluster_.second_addresses.empty() && flow.local.kind() == End::Kind::pod;
  if (are_two_told && address_of(flow.local, flow.remote_ip).family() != flow.remote_ip.family()) {
    return judgement;  // no address to send from: no route to that family
  }
  const End end = end_at(flow);
  if (!end.is_valid()) {
    if (const cluster::PodId pod = cluster_.pod_at(flow.remote_ip); pod.is_valid() && !is_there(pod)) {
      judgement.reason = DropReason::no_pod;
    }
    return judgement;
  }
  judgement.passes = true;
  flow.remote_pod = end.pod_id();
  flow.remote_host = machine_of(end);
  const auto pod_mtu = static_cast<std::uint16_t>(profile_.mtu.count());
  const auto is_on_overlay = [this](End e) {
    return e.kind() == End::Kind::pod && !cluster_.shape(e.pod_id()).is_host_network;
  };
  if (pod_mtu != 0 && (is_on_overlay(flow.local) || is_on_overlay(end))) {
    flow.mtu = std::min(flow.mtu, pod_mtu);
  }
  std::uint16_t flags = static_cast<std::uint16_t>(flow.flags | kFlowResolved | kFlowTracked);
  if (flow.host == flow.remote_host) {
    flags |= kFlowLocal;
  } else if (profile_.encapsulation != cni::Encapsulation::none && !is_outside && is_on_overlay(end)) {
    flags |= kFlowEncapsulated;
  }
  if (!machines_[flow.host].is_tracking) {
    flags = static_cast<std::uint16_t>(flags & ~kFlowTracked);
  }
  // A pod that dials itself never meets its policies; through a Service it is a hairpin, which the profile decides.
  const bool is_own_affair = flow.local == end && (flags & kFlowTranslated) == 0;
  if (is_subject(flow.local) && !is_own_affair) {
    flags |= kFlowSubject;
  }
  flow.flags = flags;
  flow.hash = path_hash(flow);
  set_visits(flow, is_subject(end) && !is_own_affair);
  return judgement;
}

/// Who answers at the flow's remote address; nobody is a pod address without a pod, or an outside one seen from
/// outside.
End Network::end_at(const Flow& flow) {
  const IpAddress ip = flow.remote_ip;
  if (const cluster::PodId pod = cluster_.pod_at(ip); pod.is_valid()) {
    return cluster_.pods[pod.index()].node.is_valid() && is_there(pod) ? End::pod(pod) : End();
  }
  if (const cluster::NodeId node = cluster_.node_at(ip); node.is_valid()) {
    for (const cluster::PodId pod : host_network_pods_[node.index()]) {
      if (is_there(pod) && cluster_.listens(pod, flow.protocol, flow.remote_port)) {
        return End::pod(pod);
      }
    }
    return End::node(node);
  }
  if (ip.is_unspecified() || cluster_.pod_cidr.contains(ip) || cluster_.service_cidr.contains(ip) ||
      flow.local.kind() == End::Kind::external) {
    return End();
  }
  return End::external(external(ip));
}

bool Network::is_subject(End end) const {
  if (engine_ == nullptr || !profile_.policy.is_enforced || end.kind() != End::Kind::pod) {
    return false;
  }
  return !(profile_.policy.host_network_is_node && cluster_.shape(end.pod_id()).is_host_network);
}

/// The 16 bits that pick path and core: of the tuple, or of the two machines where the overlay hides the ports (IPIP
/// and WireGuard have one outer tuple for a pair of nodes; VXLAN and Geneve put the inner hash into their source port).
std::uint16_t Network::path_hash(const Flow& flow) const {
  if (!options_.uses_ecmp) {
    return 0;
  }
  const bool hides_ports =
      (flow.flags & kFlowEncapsulated) != 0 &&
      (profile_.encapsulation == cni::Encapsulation::ipip || profile_.encapsulation == cni::Encapsulation::wireguard);
  if (hides_ports) {
    return static_cast<std::uint16_t>(mix(std::uint64_t{flow.host} << 16 | flow.remote_host) >> 48);
  }
  const IpAddress from = address_of(flow.local, flow.remote_ip);
  std::uint64_t h = mix(from.low() ^ std::rotl(from.high(), 17));
  h = mix(h ^ flow.remote_ip.low() ^ std::rotl(flow.remote_ip.high(), 31));
  h = mix(h ^ (std::uint64_t{flow.local_port.number()} << 32 | std::uint64_t{flow.remote_port.number()} << 8 |
               static_cast<std::uint64_t>(flow.protocol)));
  return static_cast<std::uint16_t>(h >> 48);
}

/// What each packet of a known flow costs at this end, in and out. A packet between ends of one machine is one visit,
/// booked when it is sent.
void Network::set_visits(Flow& flow, bool remote_is_subject) {
  Visit out;
  Visit in;
  each_step(flow, Direction::egress, remote_is_subject, [&](cni::Step, Visit part) { out = out + part; });
  each_step(flow, Direction::ingress, remote_is_subject, [&](cni::Step, Visit part) { in = in + part; });
  flow.out_cost = picoseconds(out.cost);
  flow.out_latency = picoseconds(out.latency);
  flow.in_cost = picoseconds(in.cost);
  flow.in_latency = picoseconds(in.latency);
}

/// What a first packet costs on top at one end (the Service's part is the translation's).
Network::Visit Network::first_visit(const Flow& flow, Direction direction) {
  Visit visit;
  each_first_step(flow, direction, [&](cni::Step, Visit part) { visit = visit + part; });
  return visit;
}

/// Makes the responder's half for the first packet of `source_handle`, if the destination lets it in.
Network::Judgement Network::admit(FlowHandle source_handle, std::uint8_t flags, FlowHandle& made) {
  if (timeline_ != nullptr && !end_at(flows_[source_handle.index()]).is_valid()) {
    Judgement gone;  // the destination was deleted while the packet was under way
    gone.passes = false;
    gone.reason = DropReason::no_pod;
    return gone;
  }
  const FlowHandle handle = make_flow();
  const Flow& source = flows_[source_handle.index()];
  Flow& flow = flows_[handle.index()];
  flow.local = end_at(source);
  flow.host = source.remote_host;
  flow.remote_host = source.host;
  flow.local_port = source.remote_port;
  flow.remote_port = source.local_port;
  flow.dialled_port = source.local_port;
  flow.remote_ip = address_of(source.local, source.remote_ip);
  flow.remote_pod = source.local.pod_id();
  flow.mtu = source.mtu;
  flow.identity = source.identity;
  flow.account = source.account;
  flow.peer = source_handle;
  flow.protocol = source.protocol;
  const bool is_own_affair = source.local == flow.local && (source.flags & kFlowTranslated) == 0;
  std::uint16_t flow_flags = static_cast<std::uint16_t>(
      (source.flags & (kFlowUdp | kFlowTraced | kFlowEncapsulated | kFlowLocal)) | kFlowResolved | kFlowConfirmed);
  if ((flow_flags & kFlowLocal) == 0 && machines_[flow.host].is_tracking) {
    flow_flags |= kFlowTracked;
  }
  if (is_subject(flow.local) && !is_own_affair) {
    flow_flags |= kFlowSubject;
  }
  flow.flags = flow_flags;
  flow.hash = path_hash(flow);
  set_visits(flow, (source.flags & kFlowSubject) != 0);
  Judgement judgement = judge(handle, flow, Direction::ingress, flags);
  if (!judgement.passes) {
    release_flow(handle, flow);
    return judgement;
  }
  flows_[source_handle.index()].peer = handle;
  made = handle;
  return judgement;
}

/// A packet came off the wire and its flow's half is not known to it, or not there: a flow begins, or it is over.
void Network::arrive_at_no_flow(std::uint32_t id) {
  Packet& packet = packets_[id];
  const FlowHandle source = packet.source;
  if (is_open(packet.target) && (flows_[packet.target.index()].flags & kFlowGone) != 0) {
    lose(id, DropReason::no_pod, {Place::Kind::host, packet.host});
    return;
  }
  if (!packet.target.is_valid()) {
    // Such a packet keeps its sender's half alive.
    if (const FlowHandle peer = flows_[source.index()].peer; is_open(peer)) {
      // Sent before its sender could know the other half, which an earlier packet has made meanwhile.
      packet.target = peer;
      unbind(source);
      arrive(id);
    } else {
      open_at_destination(id);
    }
    return;
  }
  if (packet.kind() == PacketKind::udp) {
    if (is_open(packet.target) && (flows_[packet.target.index()].flags & kFlowDone) != 0) {
      // A server's socket that was done with this peer hears from it again.
      Flow& done = flows_[packet.target.index()];
      done.flags = static_cast<std::uint16_t>(done.flags & ~kFlowDone);
      packet.mark_opening();
      arrive(id);
      return;
    }
    if (is_open(source) && (flows_[source.index()].flags & kFlowInitiator) != 0) {
      open_at_destination(id);  // the server's half ran out with its conntrack entry
      return;
    }
  }
  lose_closed(id);
}

/// The first packet of a flow at its destination, or one that is no first packet although its flow is unknown.
void Network::open_at_destination(std::uint32_t id) {
  Packet& packet = packets_[id];
  const bool is_bound = packet.target.is_valid();
  const bool is_udp = packet.kind() == PacketKind::udp;
  if (!is_udp && (packet.flags() & (kSyn | kAck)) != kSyn) {
    lose_closed(id);
    return;
  }
  FlowHandle made;
  const Judgement judgement = admit(packet.source, packet.flags(), made);
  if (!judgement.passes) {
    arrive_denied(id, judgement);
    return;
  }
  packet.target = made;
  packet.mark_opening();
  if (!is_bound) {
    unbind(packet.source);
  }
  const Flow& flow = flows_[made.index()];
  finish_first_arrival(id, flow,
                       Visit{Duration::from_ps(flow.in_cost), Duration::from_ps(flow.in_latency)} + judgement.extra,
                       judgement.extra);
}

/// The end of a way for a packet that this machine took for its flow's first: `extra` is that part of its visit.
void Network::finish_first_arrival(std::uint32_t id, const Flow& flow, Visit visit, Visit extra) {
  if (packets_[id].is_traced() && !visit.is_free()) [[unlikely]] {  // a free visit leaves no step, and calls upward
    first_costs_ = FirstCosts{.service = {}, .egress = {}, .ingress = extra};
  }
  finish_arrival(id, flow, visit);
  first_costs_.reset();
}

}  // namespace podwire::dataplane
