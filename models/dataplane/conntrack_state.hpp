// The states of a conntrack entry; each has a timeout of its own.
#pragma once

#include <cstddef>
#include <cstdint>

namespace podwire::dataplane {

enum class ConntrackState : std::uint8_t {
  none,  // no entry
  syn_sent,
  syn_recv,
  established,
  fin_wait,
  close_wait,
  last_ack,
  time_wait,
  close,
  udp_unreplied,
  udp_stream,
  sctp_cookie_wait,  // INIT and INIT ACK: all of an association that is played
};
inline constexpr std::size_t kConntrackStates = 12;

}  // namespace podwire::dataplane
