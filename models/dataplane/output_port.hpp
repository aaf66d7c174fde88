// A directed port: the FIFO queue at its sending side, the line, and how the switch at the far end forwards. 64 bytes,
// so that a hop touches one cache line of the underlay.
#pragma once

#include <cstdint>

#include "models/topology/underlay.hpp"
#include "sim/base/quantity.hpp"
#include "sim/des/event.hpp"
#include "sim/des/fifo_server.hpp"

namespace podwire::dataplane {

struct alignas(64) OutputPort {
  des::FifoServer server;
  std::int64_t propagation_ps = 0;      // the line, and what the far end's fabric adds before its output queue
  std::uint64_t ps_per_byte_fixed = 0;  // 2^32 × picoseconds per byte: exact for every rate that divides 8 × 10^12
  std::uint64_t packets = 0;            // accepted
  std::uint64_t bytes = 0;              // of them, on the wire
  topology::SwitchRoute route;          // of the switch at the far end
  std::uint32_t loss = 0;               // probability × 2^32
  des::Kind arrival;                    // the event at the far end: of a machine or of a switch

  /// How long `size` bytes occupy the line, rounded up to a picosecond.
  Duration serialization(std::uint32_t size) const {
    const unsigned __int128 fixed = static_cast<unsigned __int128>(ps_per_byte_fixed) * size + 0xffff'ffffu;
    return Duration::from_ps(static_cast<std::int64_t>(fixed >> 32));
  }
};
static_assert(sizeof(OutputPort) == 64);

}  // namespace podwire::dataplane
