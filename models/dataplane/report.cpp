// What the network tells about itself: counts, names of places.
#include <algorithm>

#include "models/dataplane/network.hpp"

namespace podwire::dataplane {

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
  return bytes + conntrack_.memory_bytes() + trace_.capacity() * sizeof(TracedPacket);
}

}  // namespace podwire::dataplane
