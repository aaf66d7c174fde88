// Conntrack's queues and the table of TCP states.
#include "models/dataplane/conntrack.hpp"

#include <algorithm>

namespace podwire::dataplane {

namespace {

using State = ConntrackState;

// net/netfilter/nf_conntrack_proto_sctp.c, sctp_timeouts: COOKIE_WAIT.
constexpr Duration kSctpCookieWait = Duration::from_s(3);

constexpr bool is_later(const ConntrackTables::Entry& a, const ConntrackTables::Entry& b) {
  return a.due > b.due;
}

// What Linux's table says for the packets that our TCP sends; the rows not written leave the state as it is.
//
//   packet            seen in            becomes      because
//   RST               any                close        either end gave up
//   SYN, initiator    none, closed ones  syn_sent     a new connection (or its port again)
//   SYN+ACK, reply    syn_sent           syn_recv     the server answered
//   ACK, initiator    syn_recv           established  the handshake is complete
//   FIN, first        established        fin_wait     one side has finished
//   ACK after FIN     fin_wait           close_wait   the FIN was acknowledged, the other side may still send
//   FIN, second       fin_wait or        last_ack     both sides have finished
//                     close_wait
//   ACK               last_ack           time_wait    the second FIN was acknowledged
constexpr State follow(State state, std::uint8_t flags, bool from_initiator) {
  if ((flags & kRst) != 0) {
    return State::close;
  }
  if ((flags & kSyn) != 0) {
    if ((flags & kAck) != 0) {
      return state == State::syn_sent ? State::syn_recv : state;
    }
    const bool is_open = state == State::syn_recv || state == State::established || state == State::fin_wait ||
                         state == State::close_wait || state == State::last_ack;
    return is_open ? state : State::syn_sent;
  }
  if (state == State::none) {
    return State::established;  // picked up in mid-stream: nf_conntrack_tcp_loose
  }
  if ((flags & kFin) != 0) {
    switch (state) {
      case State::syn_recv:
      case State::established:
        return State::fin_wait;
      case State::fin_wait:
      case State::close_wait:
        return State::last_ack;
      default:
        return state;
    }
  }
  switch (state) {
    case State::syn_recv:
      return from_initiator ? State::established : state;
    case State::fin_wait:
      return State::close_wait;
    case State::last_ack:
      return State::time_wait;
    default:
      return state;
  }
}

constexpr std::array<State, kConntrackStates * 32> tabulate() {
  std::array<State, kConntrackStates* 32> table = {};
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = follow(static_cast<State>(i >> 5), static_cast<std::uint8_t>(i >> 1 & 15u), (i & 1u) != 0);
  }
  return table;
}

}  // namespace

constinit const std::array<State, kConntrackStates* 32> kTcpTransitions = tabulate();

ConntrackTimeouts::ConntrackTimeouts(const cni::ConntrackTimes& times) {
  const auto set = [this](State state, Duration timeout) { by_state_[static_cast<std::size_t>(state)] = timeout; };
  set(State::syn_sent, times.tcp_syn_sent);
  set(State::syn_recv, times.tcp_syn_recv);
  set(State::established, times.tcp_established);
  set(State::fin_wait, times.tcp_fin_wait);
  set(State::close_wait, times.tcp_close_wait);
  set(State::last_ack, times.tcp_last_ack);
  set(State::time_wait, times.tcp_time_wait);
  set(State::close, times.tcp_close);
  set(State::udp_unreplied, times.udp_unreplied);
  set(State::udp_stream, times.udp_stream);
  set(State::sctp_cookie_wait, kSctpCookieWait);
  shortest_ = times.udp_unreplied;
  for (std::size_t s = 1; s < kConntrackStates; ++s) {
    if (static_cast<State>(s) != State::close && static_cast<State>(s) != State::sctp_cookie_wait) {
      shortest_ = std::min(shortest_, by_state_[s]);
    }
  }
}

Time ConntrackTables::Queue::first_due() const {
  const Time from_fifo = head < fifo.size() ? fifo[head].due : Time::never();
  return heap.empty() ? from_fifo : std::min(from_fifo, heap.front().due);
}

ConntrackTables::Entry ConntrackTables::Queue::pop_heap() {
  std::pop_heap(heap.begin(), heap.end(), is_later);
  const Entry entry = heap.back();
  heap.pop_back();
  return entry;
}

void ConntrackTables::Queue::push(Entry entry) {
  if (head == fifo.size() || entry.due >= fifo.back().due) {
    fifo.push_back(entry);
  } else {
    heap.push_back(entry);
    std::push_heap(heap.begin(), heap.end(), is_later);
  }
}

void ConntrackTables::Queue::restore_heap() {
  std::make_heap(heap.begin(), heap.end(), is_later);
}

void ConntrackTables::Queue::forget_played() {
  fifo.erase(fifo.begin(), fifo.begin() + static_cast<std::ptrdiff_t>(head));
  head = 0;
}

std::size_t ConntrackTables::memory_bytes() const {
  std::size_t bytes = sizeof(*this) + tables_.capacity() * sizeof(Table);
  for (const Queue& q : queues_) {
    bytes += (q.fifo.capacity() + q.heap.capacity()) * sizeof(Entry);
  }
  return bytes;
}

}  // namespace podwire::dataplane
