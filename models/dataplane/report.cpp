// What the network tells about itself: counts, names of places, the steps of traced packets.
#include <algorithm>

#include "models/dataplane/network.hpp"

namespace podwire::dataplane {

namespace {

using cni::Step;

constexpr Step kOutSteps[] = {Step::egress_policy, Step::service_nat, Step::conntrack, Step::encapsulate,
                              Step::node_cpu};
constexpr Step kInSteps[] = {Step::decapsulate, Step::node_cpu, Step::conntrack, Step::ingress_policy, Step::deliver};
constexpr Step kLocalSteps[] = {Step::egress_policy, Step::service_nat,    Step::conntrack,
                                Step::node_cpu,      Step::ingress_policy, Step::deliver};

}  // namespace

PacketCounts Network::counts() const {
  std::uint64_t hops = 0;
  for (const OutputPort& port : ports_) {
    hops += port.packets;
  }
  return {.sent = sent_,
          .delivered = delivered_,
          .dropped = drops_.packets(),
          .in_flight = in_flight_,
          .sent_bytes = sent_bytes_,
          .delivered_bytes = delivered_bytes_,
          .dropped_bytes = drops_.bytes(),
          .in_flight_bytes = in_flight_bytes_,
          .hops = hops};
}

PacketCounts Network::audit() const {
  PacketCounts counts = this->counts();
  counts.in_flight = 0;
  counts.in_flight_bytes = 0;
  for (std::uint32_t id = 0; id < packets_.size(); ++id) {
    if (packets_[id].kind() != PacketKind::free) {
      ++counts.in_flight;
      counts.in_flight_bytes += packets_[id].bytes();
    }
  }
  return counts;
}

Duration Network::longest_cpu_backlog() const {
  Duration longest;
  for (const des::FifoServer& core : cores_) {
    longest = std::max(longest, core.backlog(simulator_.now()));
  }
  return longest;
}

std::string Network::place_name(Place place) const {
  const auto machine = [this](std::uint32_t host) {
    return host < cluster_.nodes.size() ? cluster_.nodes[host].name : std::string("the gateway");
  };
  switch (place.kind) {
    case Place::Kind::egress:
      return "egress-policy on " + machine(place.index);
    case Place::Kind::ingress:
      return "ingress-policy on " + machine(place.index);
    case Place::Kind::host:
      return machine(place.index);
    case Place::Kind::port:
      return underlay_.port_name(topology::PortId(place.index),
                                 [&](topology::HostId host) { return machine(host.value()); });
  }
  return {};
}

DropText Network::describe(const DropRow& row) const {
  DropText text{.reason = std::string(to_string(row.reason)), .where = place_name(row.place), .rule = {}, .span = {}};
  const bool is_policy = row.reason == DropReason::policy_denied || row.reason == DropReason::policy_unknown;
  if (!is_policy || engine_ == nullptr) {
    return text;
  }
  const auto direction = row.place.kind == Place::Kind::egress ? policy::Direction::egress : policy::Direction::ingress;
  const policy::PolicyEngine& engine = *view(row.version).engine;
  text.rule = engine.deciding_rule(direction, row.verdict);
  if (row.verdict.cause == policy::Cause::unmodelled) {
    text.span = cluster_.unmodelled[row.verdict.unmodelled].span;
  } else if (row.verdict.policy.is_valid()) {
    text.span = engine.policy_span(row.verdict.policy);
  }
  return text;
}

std::size_t Network::memory_bytes() const {
  std::size_t bytes =
      sizeof(*this) + packets_.memory_bytes() + flows_.memory_bytes() + ports_.capacity() * sizeof(OutputPort);
  bytes += cores_.capacity() * sizeof(des::FifoServer) + routes_.capacity() * sizeof(topology::HostRoute);
  return bytes + conntrack_.memory_bytes() + trace_.capacity() * sizeof(TraceRecord);
}

/// A traced packet's way through an output queue and over the line.
void Network::trace_line(const Packet& packet, const des::Booking& booking) {
  trace_.push_back({.start = booking.start,
                    .cost = booking.finish - booking.start,
                    .latency = Duration::from_ps(ports_[packet.port].propagation_ps),
                    .flow = packet.source,
                    .ordinal = packet.ordinal,
                    .step = packet.port < machines_.size() ? cni::Step::nic_tx : cni::Step::switch_hop,
                    .place = {Place::Kind::port, packet.port}});
}

/// Expands a visit into its named steps, one after another from `start`. What being the first packet added is put to
/// the first step that has a first-packet cost: the steps' sum is the visit.
void Network::trace_visit(const Flow& flow, FlowHandle sender, std::uint16_t ordinal, bool is_out, Time start,
                          Visit visit) {
  const bool is_local = (flow.flags & kFlowLocal) != 0;
  const std::span<const Step> steps = is_local ? std::span<const Step>(kLocalSteps)
                                      : is_out ? std::span<const Step>(kOutSteps)
                                               : std::span<const Step>(kInSteps);
  const std::size_t first_record = trace_.size();
  Visit rest = visit;
  for (const Step step : steps) {
    const bool is_taken = (step != Step::service_nat || (flow.flags & kFlowTranslated) != 0) &&
                          (step != Step::encapsulate || (flow.flags & kFlowEncapsulated) != 0) &&
                          (step != Step::decapsulate || (flow.flags & kFlowEncapsulated) != 0) &&
                          (step != Step::egress_policy || (flow.flags & kFlowSubject) != 0) &&
                          (step != Step::ingress_policy || is_local || (flow.flags & kFlowSubject) != 0);
    if (!is_taken) {
      continue;
    }
    const std::int64_t times = step == Step::node_cpu && is_local ? 2 : 1;
    const Visit part{std::min(profile_.step(step).cost * times, rest.cost),
                     std::min(profile_.step(step).latency * times, rest.latency)};
    rest = {rest.cost - part.cost, rest.latency - part.latency};
    trace_.push_back({.start = start,
                      .cost = part.cost,
                      .latency = part.latency,
                      .flow = sender,
                      .ordinal = ordinal,
                      .step = step,
                      .place = {Place::Kind::host, flow.host}});
  }
  if (trace_.size() > first_record) {
    trace_[first_record].cost += rest.cost;
    trace_[first_record].latency += rest.latency;
  }
  Time at = start;
  for (std::size_t i = first_record; i < trace_.size(); ++i) {
    trace_[i].start = at;
    at += trace_[i].cost + trace_[i].latency;
  }
}

}  // namespace podwire::dataplane
