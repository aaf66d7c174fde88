// The TCP connection: handshake, data, acknowledgements, retransmission, FIN.
//
//   state         event                        next           what is sent and told
//   (connect)                                  syn_sent       SYN; again by the schedule
//   syn_sent      SYN+ACK                      established    ACK; `connected`
//   syn_sent      RST, ICMP, schedule's end    gone           `failed`
//   (new flow)    SYN, a listener              syn_received   SYN+ACK; again after 1, 2, 4, 8, 16 s
//   (new flow)    SYN, nobody listens          gone           RST
//   syn_received  ACK                          established    `accepted`
//   established   data in order                established    ACK; `received`
//   established   FIN in order                 established    ACK; `peer_closed`
//   established   both FINs acknowledged       gone           `closed`
//   established   RST, retries run out         gone           `failed`
//
// TIME_WAIT holds no memory: the end that closed first is gone once it has acknowledged the peer's FIN. Should that
// acknowledgement be lost, the peer's repeated FIN is answered with RST by the stack, which closes it just as well.
// Left out: see transport.hpp. Sources: RFC 9293, RFC 5681 (slow start, congestion avoidance), RFC 6298, RFC 6928.
#include <algorithm>

#include "models/transport/impl.hpp"

namespace podwire::transport {

using dataplane::kAck;
using dataplane::kFin;
using dataplane::kRst;
using dataplane::kSyn;
using dataplane::Packet;
using dataplane::PacketKind;

namespace {

constexpr Duration kDelayedAck = Duration::from_ms(40);  // TCP_DELACK_MIN
constexpr std::uint32_t kMaxWindow = 0xffff;
constexpr std::uint8_t kLinearSyns = 5;   // sent a second apart: tcp_syn_linear_timeouts 4 and the first
constexpr std::uint8_t kSynsLinear = 11;  // tcp_syn_retries 6, raised by the linear ones
constexpr std::uint8_t kSynsClassic = 7;
constexpr std::uint64_t kPsPerMs = 1'000'000'000;

std::uint32_t milliseconds(Time time) {
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(time.ps()) / kPsPerMs);
}

/// Mostly one, and then nothing is divided.
constexpr std::uint64_t segments_of(std::uint64_t bytes, std::uint16_t segment) {
  return bytes <= segment ? (bytes != 0 ? 1 : 0) : (bytes + segment - 1) / segment;
}

}  // namespace

// ---- sending

void Transport::Impl::send_control(SocketHandle socket, Endpoint& e, std::uint8_t flags) {
  const bool is_syn = (flags & kSyn) != 0;
  network_.send(socket, {.kind = PacketKind::tcp,
                         .flags = flags,
                         .bytes = is_syn ? kSynBytes : kHeaderBytes,
                         .segments = 1,
                         .seq = is_syn ? 0 : static_cast<std::uint32_t>(e.next) + 1,
                         .ack = static_cast<std::uint32_t>(e.received) + 1 + (e.has(kEndPeerFin) ? 1 : 0)});
  if ((flags & kAck) != 0) {
    e.unacked = 0;
    e.ack_due = Time::never();
  }
}

void Transport::Impl::send_reset(SocketHandle socket, const Endpoint& e) {
  network_.send(socket, {.kind = PacketKind::tcp,
                         .flags = kRst | kAck,
                         .bytes = kResetBytes,
                         .segments = 1,
                         .seq = static_cast<std::uint32_t>(e.next) + 1,
                         .ack = static_cast<std::uint32_t>(e.received) + 1});
}

/// Sends `payload` bytes from `next` on, and the FIN if it follows them.
void Transport::Impl::send_segment(SocketHandle socket, Endpoint& e, std::uint32_t payload, bool has_fin) {
  network_.send(socket, {.kind = PacketKind::tcp,
                         .flags = static_cast<std::uint8_t>(has_fin ? kAck | kFin : kAck),
                         .bytes = kHeaderBytes + payload,
                         .segments = 1,
                         .seq = static_cast<std::uint32_t>(e.next) + 1,
                         .ack = static_cast<std::uint32_t>(e.received) + 1 + (e.has(kEndPeerFin) ? 1 : 0)});
  e.unacked = 0;
  e.ack_due = Time::never();
  e.next += payload + (has_fin ? 1 : 0);
}

/// Sends what the window lets out.
void Transport::Impl::output(SocketHandle socket, Endpoint& e) {
  const std::uint64_t end = e.send_end();
  bool sends = false;
  while (e.next < end) {
    const std::uint64_t flight = e.next - e.acknowledged;
    if (flight >= std::uint64_t{e.window} * e.segment) {
      break;
    }
    const std::uint64_t left = e.queued > e.next ? e.queued - e.next : 0;
    const auto payload = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, e.segment));
    const bool has_fin = e.has(kEndFinWanted) && left == payload;
    if (!e.has(kEndTiming) && e.retries == 0) {
      e.set(kEndTiming);
      e.timed_at = simulator_.now();
      e.timed_end = e.next + payload + (has_fin ? 1 : 0);
    }
    send_segment(socket, e, payload, has_fin);
    sends = true;
  }
  if (sends && e.due == Time::never()) {
    restart_timeout(socket, e);
  }
}

void Transport::Impl::acknowledge(SocketHandle socket, Endpoint& e, bool at_once) {
  if (at_once || options_.acks == AckPolicy::every_segment || ++e.unacked >= 2) {
    send_control(socket, e, kAck);
    return;
  }
  if (e.ack_due == Time::never()) {
    e.ack_due = simulator_.now() + kDelayedAck;
    arm(socket, e);
  }
}

std::uint32_t Transport::Impl::segment_size(SocketHandle socket) {
  return network_.path_mtu(socket) - kHeaderBytes;
}

// ---- the timer

Duration Transport::Impl::syn_wait(std::uint8_t sent) const {
  if (options_.syn_schedule == SynSchedule::classic) {
    return Duration::from_s(std::int64_t{1} << (sent - 1));
  }
  return Duration::from_s(sent <= kLinearSyns ? 1 : std::int64_t{1} << (sent - kLinearSyns));
}

bool Transport::Impl::has_syn_retry(std::uint8_t sent) const {
  return sent < (options_.syn_schedule == SynSchedule::classic ? kSynsClassic : kSynsLinear);
}

/// The timer's event may come too early, never too late: a later deadline is only written down, and the event goes on
/// when it comes up. So a timeout that each acknowledgement pushes back costs one event in all.
void Transport::Impl::arm(SocketHandle socket, Endpoint& e) {
  const Time due = std::min(e.due, e.ack_due);
  if (e.has(kEndTimer)) {
    const std::uint32_t due_ms = milliseconds(due);
    if (due_ms > e.timer_ms || (due_ms == e.timer_ms && due >= simulator_.deadline(e.timer))) {
      return;
    }
  }
  e.set(kEndTimer);
  e.timer_ms = milliseconds(due);
  simulator_.arm(e.timer, due, sources_.plus(network_.flow(socket).host), timer_kind_, socket.value());
}

void Transport::Impl::restart_timeout(SocketHandle socket, Endpoint& e) {
  e.due = simulator_.now() + retransmission_timeout(e, options_.minimum_rto, options_.maximum_rto);
  arm(socket, e);
}

void Transport::Impl::on_timer(std::uint32_t value) {
  const SocketHandle socket = SocketHandle::from_value(value);
  PODWIRE_CHECK(is_open(socket), "transport", "a socket's timer goes with it");
  Endpoint& e = end(socket);
  e.clear(kEndTimer);
  const Time now = simulator_.now();
  if (e.ack_due <= now) {
    send_control(socket, e, kAck);
  }
  if (e.due <= now) {
    on_timeout(socket, e);
    if (!is_open(socket)) {
      return;
    }
  }
  if (std::min(e.due, e.ack_due) != Time::never() && !e.has(kEndTimer)) {
    arm(socket, e);
  }
}

void Transport::Impl::on_timeout(SocketHandle socket, Endpoint& e) {
  if (e.has(kEndUnreachable)) {
    fail(socket, e, Failure::unreachable);
    return;
  }
  ++e.retries;
  if (e.state == State::syn_sent) {  // `retries` counts the SYNs sent
    if (!has_syn_retry(e.retries)) {
      fail(socket, e, Failure::timed_out);
      return;
    }
    ++e.retransmissions;
    e.due = simulator_.now() + syn_wait(static_cast<std::uint8_t>(e.retries + 1));
    send_control(socket, e, kSyn);
    return;
  }
  if (e.state == State::syn_received) {
    if (e.retries > options_.syn_ack_retries) {
      free_end(socket, e);
      return;
    }
    ++e.retransmissions;
    e.due = simulator_.now() + Duration::from_s(std::int64_t{1} << e.retries);
    send_control(socket, e, kSyn | kAck);
    return;
  }
  if (e.retries > options_.data_retries) {
    fail(socket, e, Failure::timed_out);
    return;
  }
  // RFC 5681 section 3.1: half the flight is the threshold, and slow start begins with one segment, from the first that
  // is not acknowledged.
  const std::uint64_t flight = segments_of(e.next - e.acknowledged, e.segment);
  if (e.retries == 1) {
    e.threshold = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(flight / 2, 2, kMaxWindow));
  }
  e.window = 1;
  e.window_part = 0;
  e.next = e.acknowledged;
  e.clear(kEndTiming);  // Karn: what was repeated measures nothing
  ++e.retransmissions;
  e.due = simulator_.now() + retransmission_timeout(e, options_.minimum_rto, options_.maximum_rto);
  output(socket, e);
}

// ---- opening

void Transport::Impl::start_connect(SocketHandle socket, Endpoint& e) {
  e.window = static_cast<std::uint16_t>(options_.initial_window);
  e.threshold = kMaxWindow;
  const Time now = simulator_.now();
  if (e.has(kEndUnreachable)) {
    e.due = now;
    arm(socket, e);
    return;
  }
  e.timed_at = now;
  send_control(socket, e, kSyn);
  e.segment = static_cast<std::uint16_t>(segment_size(socket));
  // The event is asked for as early as any timeout of this connection can be, and goes on to the first retry from
  // there: so data never has to pull it forward.
  e.due = std::min(now + syn_wait(1), now + options_.minimum_rto);
  arm(socket, e);
  e.due = now + syn_wait(1);
}

void Transport::Impl::open_passively(const Packet& packet, SocketHandle socket) {
  if ((packet.flags() & (kSyn | kAck | kRst)) != kSyn) {
    network_.close(socket);
    return;
  }
  ApplicationId application;
  if (!find_server(network_.flow(socket), IpProtocol::tcp, application)) {
    send_reset(socket, Endpoint());
    network_.close(socket);
    return;
  }
  Endpoint& e = make_end(socket);
  e.state = State::syn_received;
  e.flags = kEndServer;
  e.application = application;
  e.window = static_cast<std::uint16_t>(options_.initial_window);
  e.threshold = kMaxWindow;
  e.segment = static_cast<std::uint16_t>(segment_size(socket));
  const Time now = simulator_.now();
  e.timed_at = now;
  e.due = now + std::min(Duration::from_s(1), options_.minimum_rto);
  arm(socket, e);
  e.due = now + Duration::from_s(1);
  send_control(socket, e, kSyn | kAck);
}

void Transport::Impl::on_syn_sent(const Packet& packet, SocketHandle socket, Endpoint& e) {
  const std::uint8_t flags = packet.flags();
  if ((flags & kRst) != 0) {
    fail(socket, e, Failure::refused);
    return;
  }
  if ((flags & (kSyn | kAck)) != (kSyn | kAck)) {
    return;
  }
  if (e.retries == 0) {
    sample_rtt(e, simulator_.now() - e.timed_at);
  }
  e.retries = 0;
  e.state = State::established;
  e.due = Time::never();
  send_control(socket, e, kAck);
  emit(socket, e, EventKind::connected);
  if (is_open(socket)) {
    output(socket, e);  // what was queued before the handshake's end
  }
}

/// Returns whether the packet is to be looked at as a segment of the now established connection.
bool Transport::Impl::on_syn_received(const Packet& packet, SocketHandle socket, Endpoint& e) {
  const std::uint8_t flags = packet.flags();
  if ((flags & kRst) != 0) {
    free_end(socket, e);
    return false;
  }
  if ((flags & kSyn) != 0) {
    send_control(socket, e, kSyn | kAck);  // the SYN was repeated: ours was lost or late
    return false;
  }
  if ((flags & kAck) == 0) {
    return false;
  }
  if (e.retries == 0) {
    sample_rtt(e, simulator_.now() - e.timed_at);
  }
  e.retries = 0;
  e.state = State::established;
  e.due = Time::never();
  emit(socket, e, EventKind::accepted);
  return is_open(socket);
}

// ---- the established connection

void Transport::Impl::deliver_tcp(const Packet& packet, SocketHandle socket) {
  if (!is_open(socket)) {
    open_passively(packet, socket);
    return;
  }
  Endpoint& e = end(socket);
  if (e.state == State::syn_sent) {
    on_syn_sent(packet, socket, e);
    return;
  }
  if (e.state == State::syn_received && !on_syn_received(packet, socket, e)) {
    return;
  }
  on_segment(packet, socket, e);
}

void Transport::Impl::on_segment(const Packet& packet, SocketHandle socket, Endpoint& e) {
  const std::uint8_t flags = packet.flags();
  if ((flags & kRst) != 0) {
    // The last acknowledgement was lost and the peer, which has everything, is gone: no failure.
    if (e.has(kEndPeerFin) && e.has(kEndFinWanted) && e.next == e.send_end()) {
      e.acknowledged = e.next;
      finish_if_closed(socket);
      return;
    }
    fail(socket, e, Failure::reset);
    return;
  }
  if ((flags & kSyn) != 0) {
    send_control(socket, e, kAck);  // the SYN+ACK was repeated: our ACK was lost
    return;
  }
  if (!on_acknowledgement(packet, socket, e)) {
    return;
  }
  const std::uint32_t payload = packet.bytes() - kHeaderBytes;
  const bool has_fin = (flags & kFin) != 0;
  if (payload == 0 && !has_fin) {
    return;
  }
  const std::uint64_t offset = unwrap(packet.seq - 1, e.received);
  const std::uint64_t before = e.received;
  const bool is_in_order = payload == 0 || take_data(offset, payload, e);
  const bool is_fin_in_order = has_fin && !e.has(kEndPeerFin) && offset + payload == e.received;
  if (is_fin_in_order) {
    e.set(kEndPeerFin);
  }
  acknowledge(socket, e, has_fin || !is_in_order);
  if (e.received != before) {
    emit(socket, e, EventKind::received, Failure::none, e.received);
  }
  if (is_fin_in_order && is_open(socket)) {
    emit(socket, e, EventKind::peer_closed);
    if (is_open(socket) && !e.application.is_valid() && !e.has(kEndFinWanted)) {
      e.set(kEndFinWanted);  // nobody's connection: it closes when its peer does
      output(socket, e);
    }
  }
  finish_if_closed(socket);
}

/// Takes an acknowledgement; returns whether the socket is still there.
bool Transport::Impl::on_acknowledgement(const Packet& packet, SocketHandle socket, Endpoint& e) {
  const std::uint64_t offset = unwrap(packet.ack - 1, e.acknowledged);
  if ((packet.flags() & kAck) == 0 || offset <= e.acknowledged || offset > e.send_end()) {
    return true;
  }
  const std::uint64_t flight = segments_of(e.next - e.acknowledged, e.segment);
  const std::uint64_t newly = segments_of(offset - e.acknowledged, e.segment);
  e.acknowledged = offset;
  e.next = std::max(e.next, offset);
  if (e.has(kEndTiming) && offset >= e.timed_end) {
    e.clear(kEndTiming);
    sample_rtt(e, simulator_.now() - e.timed_at);
  }
  e.retries = 0;
  // The window grows only while it is used (RFC 7661 in spirit, Linux's tcp_is_cwnd_limited).
  if (2 * flight >= e.window) {
    if (e.window < e.threshold) {
      e.window = static_cast<std::uint16_t>(std::min<std::uint64_t>(e.window + newly, kMaxWindow));
    } else {
      e.window_part = static_cast<std::uint16_t>(e.window_part + newly);
      if (e.window_part >= e.window && e.window < kMaxWindow) {
        e.window_part = 0;
        ++e.window;
      }
    }
  }
  if (e.is_all_acknowledged()) {
    e.due = Time::never();
  } else {
    restart_timeout(socket, e);
  }
  output(socket, e);
  finish_if_closed(socket);
  return is_open(socket);
}

/// Takes data at `offset`; returns whether it was in order and left no hole, so that its acknowledgement may wait.
/// One interval beyond a hole is kept, what does not touch it is forgotten and will be repeated.
bool Transport::Impl::take_data(std::uint64_t offset, std::uint32_t size, Endpoint& e) {
  const std::uint64_t end = offset + size;
  if (end <= e.received) {
    return false;  // a repetition
  }
  if (offset <= e.received) {
    const std::uint64_t advance = end - e.received;
    e.received = end;
    if (e.late_end == 0) {
      return true;
    }
    if (e.hole_end <= advance) {  // the hole is filled
      e.received += e.late_end > advance ? e.late_end - advance : 0;
      e.hole_end = 0;
      e.late_end = 0;
    } else {
      e.hole_end -= static_cast<std::uint32_t>(advance);
      e.late_end -= static_cast<std::uint32_t>(advance);
    }
    return false;
  }
  const std::uint64_t from = offset - e.received;
  const std::uint64_t to = end - e.received;
  if (to > 0xffff'ffffu) {
    return false;
  }
  if (e.late_end == 0) {
    e.hole_end = static_cast<std::uint32_t>(from);
    e.late_end = static_cast<std::uint32_t>(to);
  } else if (from <= e.late_end && to >= e.hole_end) {
    e.hole_end = std::min(e.hole_end, static_cast<std::uint32_t>(from));
    e.late_end = std::max(e.late_end, static_cast<std::uint32_t>(to));
  }
  return false;
}

// ---- the end

void Transport::Impl::fail(SocketHandle socket, Endpoint& e, Failure failure) {
  const Endpoint last = e;
  free_end(socket, e);
  emit(socket, last, EventKind::failed, failure);
}

void Transport::Impl::finish_if_closed(SocketHandle socket) {
  Endpoint& e = end(socket);
  // Asked last: that it is open is rarely the question.
  if (e.has(kEndPeerFin) && e.is_fin_acknowledged() && is_open(socket)) {
    const Endpoint last = e;
    free_end(socket, e);
    emit(socket, last, EventKind::closed);
  }
}

}  // namespace podwire::transport
