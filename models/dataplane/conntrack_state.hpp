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
};
inline constexpr std::size_t kConntrackStates = 11;

}  // namespace podwire::dataplane
