// The network's side of conntrack: entries are made, refreshed and taken out here; the queues are conntrack.hpp's.
#include "models/dataplane/network.hpp"

namespace podwire::dataplane {

namespace {

constexpr Duration kUdpStreamAge = Duration::from_s(2);  // nf_conntrack_proto_udp: replied, and older than this

}  // namespace

/// Enters a flow into its machine's table; false when there is no room.
bool Network::confirm(FlowHandle handle, Flow& flow, std::uint8_t flags, bool from_initiator) {
  const Time now = simulator_.now();
  ConntrackTable& table = tables_[flow.host];
  if (flow.tracking != ConntrackState::none) {
    if (now - flow.last_seen < timeouts_[flow.tracking]) {
      return touch(handle, flow, flags, from_initiator);  // judged again, for a newer view
    }
    table.remove();  // ran out, and was not taken out yet
    flow.tracking = ConntrackState::none;
  }
  expire(flow.host);
  if (table.count() >= table_limits_[flow.host]) {
    table.refuse();
    return false;
  }
  flow.tracking = (flow.flags & kFlowUdp) != 0 ? ConntrackState::udp_unreplied
                                               : next_tcp_state(ConntrackState::none, flags, from_initiator);
  flow.flags = static_cast<std::uint16_t>(flow.flags & ~(kFlowReplied | kFlowAged));
  flow.last_seen = now;
  flow.due = now + timeouts_.shortest();
  table.insert({flow.due, handle});
  return true;
}

/// A packet that may change its entry's state.
void Network::touch_slowly(FlowHandle handle, Flow& flow, std::uint8_t flags, bool from_initiator) {
  ConntrackState next = flow.tracking;
  if ((flow.flags & kFlowUdp) != 0) {
    if (!from_initiator) {
      flow.flags |= kFlowReplied;
    }
    const Time made = flow.due - timeouts_.shortest();
    if (next == ConntrackState::udp_unreplied && (flow.flags & kFlowReplied) != 0 &&
        ((flow.flags & kFlowAged) != 0 || simulator_.now() - made > kUdpStreamAge)) {
      next = ConntrackState::udp_stream;
    }
  } else {
    next = next_tcp_state(flow.tracking, flags, from_initiator);
  }
  if (next == flow.tracking) {
    return;
  }
  flow.tracking = next;
  if (const Time due = simulator_.now() + timeouts_[next]; due < flow.due) {
    flow.due = due;
    tables_[flow.host].queue(next, {due, handle});
  }
}

/// Takes what ran out from a machine's table, and frees the halves that lived only by their entry.
void Network::expire(std::uint16_t machine) {
  const Time now = simulator_.now();
  tables_[machine].expire(now, [this, now](const ConntrackTable::Entry& entry, bool is_due) -> ConntrackTable::TrueDue {
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
  if (tables_.empty()) {
    return 0;
  }
  expire(static_cast<std::uint16_t>(node.value()));
  return tables_[node.index()].count();
}

}  // namespace podwire::dataplane
