// What only a flow's first packet meets: the Service's translation, the policies at both ends, a new conntrack entry,
// and the ways to be turned away. Also everything that happens to packets whose flow is not there any more.
#include <algorithm>
#include <bit>

#include "models/cluster/snapshot.hpp"
#include "models/dataplane/network.hpp"
#include "models/dataplane/visit_steps.hpp"

namespace podwire::dataplane {

namespace {

using policy::Direction;
using policy::Verdict;

constexpr std::uint32_t kUnknownRules = 0xffff'ffff;
constexpr control::Version kAskAgain = 0xffff'ffff;  // of no view: the next packet is judged like this one
constexpr std::uint32_t kIcmpHeaders = 28;           // IPv4 20 + ICMP 8
constexpr std::uint32_t kIcmpQuoteMax = 548;         // RFC 1812 section 4.3.2.3: not more than 576 bytes in all
constexpr std::uint32_t kResetBytes = 40;            // IPv4 20 + TCP 20

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
  const service::Client client{.ip = address_of(flow.local),
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
  const IpAddress from = address_of(flow.local);
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

/// Rules of the policies of every tier that select a pod in one direction: what an implementation that scans them
/// walks.
std::uint32_t Network::rules_of(cluster::PodId pod, Direction direction, control::Version version) {
  if (version != rules_version_) {  // nodes differ for as long as a change takes to reach them all
    rules_version_ = version;
    rules_by_class_[0].clear();
    rules_by_class_[1].clear();
  }
  const control::View state = view(version);
  const cluster::Cluster& cluster = *state.cluster;
  std::vector<std::uint32_t>& memo = rules_by_class_[static_cast<std::size_t>(direction)];
  const policy::ClassId pod_class = state.engine->class_of(pod);
  if (!pod_class.is_valid()) {
    return 0;
  }
  if (pod_class.index() >= memo.size()) {
    memo.resize(pod_class.index() + 1, kUnknownRules);
  }
  if (memo[pod_class.index()] == kUnknownRules) {
    std::size_t rules = 0;
    const cluster::PodShape& shape = cluster.shape(pod);
    for (const policy::NetworkPolicy& p : state.engine->policies().network_policies) {
      if (p.isolates(direction) && p.name_space == cluster.namespaces[shape.name_space.index()].name &&
          p.pod_selector.matches(shape.labels, cluster.label_sets, cluster.strings)) {
        rules += p.rules(direction).size();
      }
    }
    for (const policy::AdminPolicy& p : state.engine->policies().admin_policies) {
      const cluster::LabelSetId labels = cluster.namespaces[shape.name_space.index()].labels;
      if (p.subject_namespaces.matches(labels, cluster.label_sets, cluster.strings) &&
          p.subject_pods.matches(shape.labels, cluster.label_sets, cluster.strings)) {
        rules += p.rules(direction).size();
      }
    }
    memo[pod_class.index()] = static_cast<std::uint32_t>(rules);
  }
  return memo[pod_class.index()];
}

Verdict Network::ask(const Flow& flow, Direction direction, control::Version version) {
  const auto peer = [this](cluster::PodId pod, std::uint16_t host, IpAddress ip) {
    const bool is_node = !pod.is_valid() && host < cluster_.nodes.size();
    return policy::Peer{
        .pod = pod, .node = is_node ? cluster::NodeId(std::uint32_t{host}) : cluster::NodeId(), .ip = ip};
  };
  policy::Peer subject = peer(flow.local.pod_id(), flow.host, address_of(flow.local));
  policy::Peer other = peer(flow.remote_pod, flow.remote_host, flow.remote_ip);
  // The end that was dialled through a Service carries the address and port that were dialled.
  const bool is_initiator = (flow.flags & kFlowInitiator) != 0;
  if (is_initiator || is_open(flow.peer)) {
    const Flow& dialler = is_initiator ? flow : flows_[flow.peer.index()];
    if ((dialler.flags & kFlowTranslated) != 0 && dialler.service_port.is_valid()) {
      policy::Peer& dialled = is_initiator ? other : subject;
      dialled.service_ip = cluster_.services[services().service(dialler.service_port).index()].cluster_ip;
      dialled.service_port = dialler.dialled_port;
    }
  }
  const control::View state = view(version);
  if (other.pod.is_valid() && !cluster::is_there(*state.cluster, other.pod)) [[unlikely]] {
    other.pod = {};  // this node has not heard of it (any more): an address like any other
  }
  const bool is_by_name = names_ != nullptr && direction == Direction::egress;
  policy::PolicyEngine& engine = is_by_name ? names_->engine(state, flow.host, simulator_.now()) : *state.engine;
  return engine.verdict(direction, subject, other, flow.protocol,
                        direction == Direction::egress ? flow.remote_port : flow.local_port);
}

/// Policy and conntrack for a packet that this machine sees as a flow's first. `direction` is the packet's at this end.
Network::Judgement Network::judge(FlowHandle handle, Flow& flow, Direction direction, std::uint8_t flags) {
  Judgement judgement;
  judgement.extra = first_visit(flow, direction);
  const bool is_initiator = (flow.flags & kFlowInitiator) != 0;
  const bool is_forward = is_initiator == (direction == Direction::egress);
  if ((flow.flags & kFlowSubject) != 0) {
    control::Version version = version_at(flow.host);
    bool is_starting = false;
    if (timeline_ != nullptr) [[unlikely]] {
      is_starting = is_in_start_window(flow.local.pod_id(), version);
      // A pod whose window is over has its own policies, whatever else the machine has still to hear of.
      version = is_starting ? version : std::max(version, born_[flow.local.pod_id().index()]);
    }
    judgement.version = version;
    if (is_starting && !timeline_->programming().is_open_at_start) {
      judgement.passes = false;
      judgement.reason = DropReason::start_window;
      judgement.hook = direction == Direction::egress ? Place::Kind::egress : Place::Kind::ingress;
      return judgement;
    }
    // A verdict is kept for the flow's own direction. An entry that ran out may let a reply be judged as if it opened a
    // flow: that verdict is asked anew.
    if (!is_forward || (flow.flags & kFlowJudged) == 0 || flow.verdict_version != version) {
      const Verdict verdict = is_starting ? Verdict() : ask(flow, direction, version);
      if (is_forward) {
        flow.verdict = verdict;
        // Known packets compare versions alone: where each is judged, a denied flow must not pass for judged. Names are
        // learned between two versions.
        const bool may_change = cuts_established_ || names_ != nullptr;
        flow.verdict_version = may_change && !verdict.is_allowed() ? kAskAgain : version;
        flow.flags |= kFlowJudged;
      }
      judgement.verdict = verdict;
    } else {
      judgement.verdict = flow.verdict;
    }
    if (!judgement.verdict.is_allowed()) {
      judgement.passes = false;
      judgement.reason =
          judgement.verdict.action == policy::Action::unknown ? DropReason::policy_unknown : DropReason::policy_denied;
      judgement.hook = direction == Direction::egress ? Place::Kind::egress : Place::Kind::ingress;
      judgement.is_rejected = profile_.policy.deny_action == cni::DenyAction::reject;
      return judgement;
    }
  }
  if ((flow.flags & kFlowTracked) != 0 && !confirm(handle, flow, flags, is_forward)) {
    judgement.passes = false;
    judgement.reason = DropReason::conntrack_full;
    judgement.verdict = {};
  }
  return judgement;
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
  flow.remote_ip = address_of(source.local);
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
