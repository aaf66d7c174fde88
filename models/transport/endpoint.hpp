// What the transport keeps for one end of a connection, or a UDP socket: 128 bytes, beside its flow's half.
//
// Positions in the streams are 64-bit offsets of data bytes; on the wire they are 32-bit sequence numbers, of which the
// SYN takes the first. A FIN takes the offset behind the last byte.
#pragma once

#include <algorithm>
#include <cstdint>

#include "models/dataplane/flow.hpp"
#include "models/transport/events.hpp"
#include "sim/base/time.hpp"
#include "sim/des/timers.hpp"

namespace podwire::transport {

enum class State : std::uint8_t {
  none,  // no socket here
  udp,
  syn_sent,
  syn_received,
  established,  // and everything after: which FINs were sent, acknowledged and received is in the flags
};

/// Bits of Endpoint::flags.
enum EndpointFlag : std::uint8_t {
  kEndServer = 1 << 0,
  kEndFinWanted = 1 << 1,    // the owner has closed: FIN follows the last byte
  kEndPeerFin = 1 << 2,      // the peer's FIN arrived in order
  kEndTimer = 1 << 3,        // an event of the timer is pending
  kEndTiming = 1 << 4,       // a round trip is being measured
  kEndUnreachable = 1 << 5,  // fails as soon as its timer fires
};

struct alignas(64) Endpoint {
  std::uint64_t acknowledged = 0;  // by the peer: SND.UNA
  std::uint64_t next = 0;          // to be sent: SND.NXT
  std::uint64_t queued = 0;        // end of what the owner gave to send
  std::uint64_t received = 0;      // in order: RCV.NXT, the FIN not counted
  std::uint16_t window = 0;        // congestion window, segments
  std::uint16_t window_part = 0;   // segments acknowledged towards the next increase
  std::uint32_t threshold = 0;     // slow start's end, segments
  std::uint16_t segment = 0;       // largest payload of one segment
  State state = State::none;
  std::uint8_t flags = 0;
  std::uint8_t retries = 0;  // of what is outstanding now
  std::uint8_t unacked = 0;  // segments received since the last acknowledgement was sent
  std::uint16_t retransmissions = 0;
  Time due;      // retransmission, or never
  Time ack_due;  // of a delayed acknowledgement, or never
  // ---- less often
  std::uint64_t cookie = 0;
  ApplicationId application;
  std::uint32_t timer_ms = 0;  // when the pending timer event fires, in whole milliseconds
  des::Timer timer;
  Duration smoothed_rtt;
  Duration rtt_variation;
  std::uint64_t timed_end = 0;  // the round trip that is measured ends when this offset is acknowledged
  Time timed_at;
  std::uint32_t hole_end = 0;  // one interval received out of order, relative to `received`; 0: none
  std::uint32_t late_end = 0;

  bool has(EndpointFlag flag) const { return (flags & flag) != 0; }
  void set(EndpointFlag flag) { flags = static_cast<std::uint8_t>(flags | flag); }
  void clear(EndpointFlag flag) { flags = static_cast<std::uint8_t>(flags & ~flag); }
  /// One past the last offset to be sent, the FIN included.
  std::uint64_t send_end() const { return queued + (has(kEndFinWanted) ? 1 : 0); }
  bool is_all_acknowledged() const { return acknowledged == next; }
  bool is_fin_acknowledged() const { return has(kEndFinWanted) && acknowledged == queued + 1; }
};
static_assert(sizeof(Endpoint) == dataplane::kCompanionBytes);  // zero bytes are no socket
static_assert(static_cast<int>(State::none) == 0);

/// The offset nearest to `around` whose low 32 bits make `wire` (a sequence number less 1).
constexpr std::uint64_t unwrap(std::uint32_t wire, std::uint64_t around) {
  return around + static_cast<std::uint64_t>(
                      static_cast<std::int64_t>(static_cast<std::int32_t>(wire - static_cast<std::uint32_t>(around))));
}

/// RFC 6298 section 2 in integers, with Linux's lower bound on the variation's part instead of the RFC's second.
inline void sample_rtt(Endpoint& end, Duration sample) {
  if (end.smoothed_rtt == Duration::zero()) {
    end.smoothed_rtt = sample;
    end.rtt_variation = sample / 2;
    return;
  }
  const Duration difference = end.smoothed_rtt > sample ? end.smoothed_rtt - sample : sample - end.smoothed_rtt;
  end.rtt_variation = (end.rtt_variation * 3 + difference) / 4;
  end.smoothed_rtt = (end.smoothed_rtt * 7 + sample) / 8;
}

/// The timeout for the `retries`-th repetition: SRTT + max(minimum, 4 × RTTVAR), doubled each time; 1 s before a
/// sample.
inline Duration retransmission_timeout(const Endpoint& end, Duration minimum, Duration maximum) {
  Duration timeout = Duration::from_s(1);
  if (end.smoothed_rtt != Duration::zero()) {
    timeout = end.smoothed_rtt + std::max(minimum, end.rtt_variation * 4);
  }
  for (std::uint8_t i = 0; i < end.retries && timeout < maximum; ++i) {
    timeout = timeout * 2;
  }
  return std::min(timeout, maximum);
}

}  // namespace podwire::transport
