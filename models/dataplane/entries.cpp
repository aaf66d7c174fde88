// The network's side of conntrack: entries are made, refreshed and taken out here; the queues are conntrack.hpp's.
#include "models/dataplane/network.hpp"

namespace podwire::dataplane {

namespace {

constexpr Duration kUdpStreamAge = Duration::from_s(2);  // nf_conntrack_proto_udp: replied, and older than this

}  // namespace

/// Enters a flow into its machine's table; false when there is no room.
bool Network::confirm(FlowHandle handle, Flow& flow, std::uint8_t flags, bool from_initiator) {
  const Time now = simulator_.now();
  if (flow.tracking != ConntrackState::none) {
    if (now - flow.last_seen < timeouts_[flow.tracking]) {
      return touch(handle, flow, flags, from_initiator);  // judged again, for a newer view
    }
    conntrack_.remove(flow.host);  // ran out, and was not taken out yet
    flow.tracking = ConntrackState::none;
  }
  if (conntrack_.wants_expiry(now)) {
    expire();
  }
  if (conntrack_.is_full(flow.host)) [[unlikely]] {
    expire();
    if (conntrack_.is_full(flow.host)) {
      return false;
    }
  }
  flow.tracking = flow.protocol == IpProtocol::sctp ? ConntrackState::sctp_cookie_wait
                  : (flow.flags & kFlowUdp) != 0    ? ConntrackState::udp_unreplied
                                                    : next_tcp_state(ConntrackState::none, flags, from_initiator);
  flow.flags = static_cast<std::uint16_t>(flow.flags & ~(kFlowReplied | kFlowAged));
  flow.last_seen = now;
  flow.due = now + timeouts_.shortest();
  conntrack_.insert({flow.due, handle, flow.host});
  if (const Time due = now + timeouts_[flow.tracking]; due < flow.due) {
    flow.due = due;
    conntrack_.queue(flow.tracking, {due, handle, flow.host});
  }
  return true;
}

/// The state of UDP's entry after a packet, or SCTP's, whose INIT and its answer leave it in COOKIE_WAIT.
ConntrackState Network::next_datagram_state(Flow& flow, bool from_initiator) {
  if (flow.protocol == IpProtocol::sctp) {
    return flow.tracking;
  }
  if (!from_initiator) {
    flow.flags |= kFlowReplied;
  }
  const Time made = flow.due - timeouts_.shortest();
  const bool is_old = (flow.flags & kFlowAged) != 0 || simulator_.now() - made > kUdpStreamAge;
  return (flow.flags & kFlowReplied) != 0 && is_old ? ConntrackState::udp_stream : flow.tracking;
}

void Network::change_state(FlowHandle handle, Flow& flow, ConntrackState next) {
  flow.tracking = next;
  if (const Time due = simulator_.now() + timeouts_[next]; due < flow.due) {
    flow.due = due;
    conntrack_.queue(next, {due, handle, flow.host});
  }
}

/// Takes what ran out from all machines' tables, and frees the halves that lived only by their entry.
void Network::expire() {
  const Time now = simulator_.now();
  conntrack_.expire(now, [this, now](const ConntrackTables::Entry& entry, bool is_due) -> ConntrackTables::TrueDue {
    Flow& flow = flows_[entry.flow.index()];
    if (flow.generation != entry.flow.generation() || flow.tracking == ConntrackState::none || flow.due != entry.due) {
      return {};
    }
    const ConntrackState state = flow.tracking;
    const Time due = flow.last_seen + timeouts_[state];
    if (!is_due) {
      return {due, state};
    }
    if (due > now) {
      flow.due = due;
      flow.flags |= kFlowAged;
      return {due, state};
    }
    flow.tracking = ConntrackState::none;
    if ((flow.flags & (kFlowUdp | kFlowInitiator)) == kFlowUdp) {
      if (receiver_.expired != nullptr && (flow.flags & kFlowDone) == 0) {
        receiver_.expired(receiver_.model, entry.flow);
      }
      release_flow(entry.flow, flow);
    }
    return {due, state};
  });
}

std::uint64_t Network::conntrack_count(cluster::NodeId node) {
  if (!conntrack_.has(node.index())) {
    return 0;
  }
  expire();
  return conntrack_.count(node.index());
}

}  // namespace podwire::dataplane
