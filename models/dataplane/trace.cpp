// The step by step record of traced packets: see trace.hpp. Called from the paths of packets where a flow or packet is
// marked; every duration is what was booked, divided by the same functions that added it up.
#include "models/dataplane/trace.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "models/dataplane/network.hpp"
#include "models/dataplane/visit_steps.hpp"

namespace podwire::dataplane {

namespace {

using cni::Step;
using policy::Direction;

// The order in which a packet meets the steps of a visit.
constexpr Step kOutSteps[] = {Step::node_cpu,    Step::conntrack,      Step::service_nat, Step::egress_policy,
                              Step::encapsulate, Step::ingress_policy, Step::deliver};
constexpr Step kOutStepsPolicyFirst[] = {Step::node_cpu,    Step::conntrack,   Step::egress_policy,
                                         Step::service_nat, Step::encapsulate, Step::ingress_policy,
                                         Step::deliver};
constexpr Step kInSteps[] = {Step::decapsulate, Step::node_cpu,       Step::conntrack,
                             Step::service_nat, Step::ingress_policy, Step::deliver};

Place::Kind kind_of(Step step) {
  return step == Step::egress_policy    ? Place::Kind::egress
         : step == Step::ingress_policy ? Place::Kind::ingress
                                        : Place::Kind::host;
}

void add(std::vector<TraceStep>& steps, Step step, Duration cost, Duration latency, bool is_first) {
  auto at = std::find_if(steps.begin(), steps.end(), [&](const TraceStep& s) { return s.step == step; });
  if (at == steps.end()) {
    TraceStep added;
    added.step = step;
    at = steps.insert(steps.end(), added);
  }
  at->cost += cost;
  at->latency += latency;
  at->first += is_first ? cost + latency : Duration::zero();
}

void put_in_order(std::vector<TraceStep>& steps, std::span<const Step> order) {
  std::stable_sort(steps.begin(), steps.end(), [&](const TraceStep& a, const TraceStep& b) {
    return std::find(order.begin(), order.end(), a.step) < std::find(order.begin(), order.end(), b.step);
  });
}

}  // namespace

TracedPacket& Network::begin_trace(const Flow& flow, FlowHandle handle, const Packet& packet) {
  TracedPacket& it = trace_.emplace_back();
  it.kind = packet.kind();
  it.flags = packet.flags();
  it.is_from_initiator = (flow.flags & kFlowInitiator) != 0;
  it.bytes = packet.bytes();
  it.tag = packet.tag();
  it.protocol = flow.protocol;
  it.account = flow.account;
  it.flow = handle;
  it.ordinal = packet.ordinal;
  it.from = flow.local;
  it.to = (flow.flags & kFlowResolved) != 0 ? end_at(flow) : End();
  it.from_ip = address_of(flow.local, flow.remote_ip);
  it.to_ip = flow.remote_ip;
  it.from_port = flow.local_port;
  it.to_port = flow.remote_port;
  if (it.is_from_initiator && (flow.flags & kFlowTranslated) != 0 && flow.service_port.is_valid()) {
    it.dialled_ip = cluster_.services[services().service(flow.service_port).index()].cluster_ip;
    it.dialled_port = flow.dialled_port;
  }
  it.sent = simulator_.now();
  return it;
}

/// The record of a packet under way, which is begun here if it was lost before it left.
TracedPacket& Network::trace_of(std::uint32_t id) {
  const Packet& packet = packets_[id];
  if (id >= trace_by_packet_.size()) {
    trace_by_packet_.resize(id + 1, kNotTraced);
  }
  std::uint32_t& index = trace_by_packet_[id];
  const FlowHandle handle = packet.source.is_valid() ? packet.source : packet.target;
  const bool is_known = index != kNotTraced && !trace_[index].is_lost && trace_[index].flow == handle &&
                        trace_[index].ordinal == packet.ordinal && trace_[index].kind == packet.kind();
  if (!is_known) {
    index = static_cast<std::uint32_t>(trace_.size());
    begin_trace(flows_[handle.index()], handle, packet);
  }
  return trace_[index];
}

/// The steps of a visit in the order a packet meets them, with durations alone. Their sum is `visit`.
std::vector<TraceStep> Network::visit_steps(const Flow& flow, Direction direction, Visit visit,
                                            const FirstCosts* first) {
  const bool is_out = direction == Direction::egress;
  const Flow* peer = (flow.flags & kFlowLocal) != 0 && is_open(flow.peer) ? &flows_[flow.peer.index()] : nullptr;
  std::vector<TraceStep> steps;
  if ((flow.flags & kFlowResolved) != 0) {
    const bool peer_is_subject = peer != nullptr && (peer->flags & kFlowSubject) != 0;
    each_step(flow, direction, peer_is_subject,
              [&](Step step, Visit part) { add(steps, step, part.cost, part.latency, false); });
  }
  if (first != nullptr) {
    if (!first->service.is_free()) {
      add(steps, Step::service_nat, first->service.cost, first->service.latency, true);
    }
    const auto add_first = [&](const Flow* of, Direction way, Visit all) {
      if (of != nullptr && !all.is_free()) {
        each_first_step(*of, way, [&](Step step, Visit part) {
          all = all - part;
          if (!part.is_free()) {
            add(steps, step, part.cost, part.latency, true);
          }
        });
      }
      if (!all.is_free()) {  // of a receiver on this machine that let nothing in: its half is gone
        add(steps, way == Direction::egress ? Step::egress_policy : Step::ingress_policy, all.cost, all.latency, true);
      }
    };
    add_first(&flow, Direction::egress, first->egress);
    add_first(is_out ? peer : &flow, Direction::ingress, first->ingress);
  }
  Visit rest = visit;
  for (const TraceStep& step : steps) {
    rest = rest - Visit{step.cost, step.latency};
  }
  if (!rest.is_free() && is_out && peer == nullptr && (flow.flags & kFlowLocal) != 0) {
    add(steps, Step::ingress_policy, rest.cost, rest.latency, false);  // likewise, for each packet
    rest = {};
  }
  PODWIRE_CHECK(rest.is_free(), "dataplane", "a visit is the sum of its steps");
  const bool is_policy_first = profile_.policy.enforcement_point == cni::EnforcementPoint::before_dnat;
  put_in_order(steps, !is_out           ? std::span<const Step>(kInSteps)
                      : is_policy_first ? std::span<const Step>(kOutStepsPolicyFirst)
                                        : std::span<const Step>(kOutSteps));
  return steps;
}

/// Appends the steps of a visit to machine `host`: the core was free from `begin` on.
void Network::place_steps(TracedPacket& packet, std::vector<TraceStep> steps, std::uint16_t host, Time begin) const {
  Time at = simulator_.now();
  if (!steps.empty()) {
    steps.front().wait = begin - at;
  }
  for (TraceStep& step : steps) {
    step.start = at;
    step.place = {kind_of(step.step), host};
    const bool is_receivers = step.step == Step::deliver || step.step == Step::ingress_policy;
    if (is_receivers) {
      step.pod = packet.to.pod_id();
    } else if (step.step == Step::egress_policy) {
      step.pod = packet.from.pod_id();
    }
    at = step.end();
    packet.steps.push_back(step);
  }
}

void Network::trace_launch(std::uint32_t id, FlowHandle handle, const Flow& flow, Time ready, Visit visit) {
  if (id >= trace_by_packet_.size()) {
    trace_by_packet_.resize(id + 1, kNotTraced);
  }
  trace_by_packet_[id] = static_cast<std::uint32_t>(trace_.size());
  TracedPacket& it = begin_trace(flow, handle, packets_[id]);
  place_steps(it, visit_steps(flow, Direction::egress, visit, first_costs_ ? &*first_costs_ : nullptr), flow.host,
              ready - visit.cost - visit.latency);
}

void Network::trace_arrival(std::uint32_t id, const Flow& flow, Time ready, Visit visit) {
  TracedPacket& it = trace_of(id);
  place_steps(it, visit_steps(flow, Direction::ingress, visit, first_costs_ ? &*first_costs_ : nullptr), flow.host,
              ready - visit.cost - visit.latency);
}

/// The way through an output queue and over the line. What a switch's fabric adds is booked with the line before it and
/// shown with its own port.
void Network::trace_line(std::uint32_t id, const des::Booking& booking) {
  const std::uint32_t from = packets_[id].port;
  const cni::StepTime& fabric = profile_.step(Step::switch_hop);
  const Duration switching = underlay_.options().switch_latency + fabric.cost + fabric.latency;
  const bool is_of_machine = from < machines_.size();
  const Time now = simulator_.now();
  TraceStep step;
  step.step = is_of_machine ? Step::nic_tx : Step::switch_hop;
  step.place = {Place::Kind::port, from};
  step.start = is_of_machine ? now : now - switching;
  step.wait = booking.start - now;
  step.cost = booking.finish - booking.start;
  step.latency = Duration::from_ps(ports_[from].propagation_ps) + (is_of_machine ? Duration::zero() : switching) -
                 (ports_[from].arrival == arrive_kind_ ? Duration::zero() : switching);
  trace_of(id).steps.push_back(step);
}

/// A machine's own answer to a packet, on which it works from `begin` on.
void Network::trace_answer(std::uint32_t id, Time begin, Visit visit) {
  if (id >= trace_by_packet_.size()) {
    trace_by_packet_.resize(id + 1, kNotTraced);
  }
  trace_by_packet_[id] = static_cast<std::uint32_t>(trace_.size());
  const Packet& packet = packets_[id];
  const Flow& to = flows_[packet.target.index()];
  TracedPacket& it = begin_trace(to, packet.target, packet);
  it.is_answer = true;
  it.is_from_initiator = !it.is_from_initiator;
  std::swap(it.from, it.to);
  std::swap(it.from_ip, it.to_ip);
  std::swap(it.from_port, it.to_port);
  it.dialled_ip = {};
  it.dialled_port = {};
  if (packet.kind() != PacketKind::tcp && packet.port < cluster_.nodes.size()) {
    it.from = End::node(cluster::NodeId(packet.port));
    it.from_ip = address_of(it.from);
    it.from_port = {};
    it.to_port = {};
  }
  TraceStep step;
  step.step = Step::node_cpu;
  step.cost = visit.cost;
  step.latency = visit.latency;
  place_steps(it, {step}, static_cast<std::uint16_t>(packet.port), begin);
}

/// A packet that its own machine turned away: the steps up to where it was lost. The core was booked for all of the
/// visit.
void Network::trace_refusal(FlowHandle handle, const Flow& flow, const Packet& packet, const Judgement& judgement,
                            Time ready, Visit visit, const FirstCosts& first) {
  std::vector<TraceStep> steps = visit_steps(flow, Direction::egress, visit, &first);
  const bool is_at_receiver = judgement.hook == Place::Kind::ingress;
  const auto is_beyond = [&](const TraceStep& step) {
    return step.step == Step::encapsulate || step.step == Step::deliver ||
           (!is_at_receiver && step.step == Step::ingress_policy) ||
           (judgement.hook == Place::Kind::egress && step.step == Step::service_nat &&
            profile_.policy.enforcement_point == cni::EnforcementPoint::before_dnat);
  };
  std::erase_if(steps, is_beyond);
  TracedPacket& it = begin_trace(flow, handle, packet);
  place_steps(it, std::move(steps), flow.host, ready - visit.cost - visit.latency);
  it.is_lost = true;
  it.loss = {.reason = judgement.reason,
             .place = {judgement.hook, flow.host},
             .verdict = judgement.verdict,
             .version = judgement.version,
             .account = flow.account,
             .packets = 1,
             .bytes = packet.bytes()};
}

/// A packet that its destination turns away: what the core worked for it.
void Network::trace_denied_arrival(std::uint32_t id, Time begin, Visit visit, Visit extra) {
  const Packet& packet = packets_[id];
  std::vector<TraceStep> steps;
  if (packet.is_encapsulated()) {
    add(steps, Step::decapsulate, profile_.step(Step::decapsulate).cost, {}, false);
  }
  add(steps, Step::node_cpu, profile_.step(Step::node_cpu).cost, {}, false);
  add(steps, Step::conntrack, profile_.step(Step::conntrack).cost, {}, false);
  add(steps, Step::ingress_policy, profile_.step(Step::ingress_policy).cost, {}, false);
  const Duration entry = machines_[packet.host].is_tracking ? profile_.first_step(Step::conntrack).cost : Duration();
  const Duration tracking = std::min(entry, extra.cost);
  add(steps, Step::conntrack, tracking, {}, true);
  add(steps, Step::ingress_policy, extra.cost - tracking, extra.latency, true);
  Visit sum;
  for (const TraceStep& step : steps) {
    sum = sum + Visit{step.cost, step.latency};
  }
  PODWIRE_CHECK((visit - sum).is_free(), "dataplane", "a visit is the sum of its steps");
  place_steps(trace_of(id), std::move(steps), packet.host, begin);
}

void Network::trace_loss(std::uint32_t id, const DropRow& loss) {
  TracedPacket& it = trace_of(id);
  it.is_lost = true;
  it.loss = loss;
  it.loss.account = it.account;
  it.loss.packets = 1;
  it.loss.bytes = packets_[id].bytes();
}

}  // namespace podwire::dataplane
