// A packet under way: 32 bytes in a pool, addressed by index.
//
// A live packet has exactly one pending event, and that event alone frees it. It carries the handles of both halves of
// its flow, so that no tuple is ever hashed on the way. It counts `segments` from the first day: a packet of several
// segments is what segmentation offload hands to the NIC (or a whole message in a coarser mode), in the same engine.
// Left out: header bytes that nothing reads. Sizes are those of the IP packet; what the wire adds is the port's matter.
#pragma once

#include <cstdint>

#include "sim/base/id.hpp"

namespace podwire::dataplane {

/// Names one end's half of a flow: 24 bits of index, 8 bits of generation, so that a late packet does not reach the
/// flow that was given its predecessor's place.
class FlowHandle {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  static constexpr std::uint32_t kMaxFlows = (1u << 24) - 1;

  constexpr FlowHandle() = default;
  constexpr FlowHandle(std::uint32_t index, std::uint32_t generation) : value_(index | generation << 24) {}
  static constexpr FlowHandle from_value(std::uint32_t value) {
    FlowHandle handle;
    handle.value_ = value;
    return handle;
  }
  constexpr bool is_valid() const { return value_ != kNone; }
  constexpr std::uint32_t index() const { return value_ & 0x00ff'ffffu; }
  constexpr std::uint32_t generation() const { return value_ >> 24; }
  constexpr std::uint32_t value() const { return value_; }
  constexpr bool operator==(const FlowHandle&) const = default;

 private:
  std::uint32_t value_ = kNone;
};

enum class PacketKind : std::uint8_t {
  free,  // not a packet: a place in the pool
  udp,
  tcp,
  icmp_port_unreachable,  // type 3 code 3: a Service without endpoints, a policy that rejects, a closed UDP port
  icmp_prohibited,        // type 3 code 13; understood, but no profile's policies answer so yet
};

/// TCP flags, as bits of Packet::flags.
inline constexpr std::uint8_t kFin = 1;
inline constexpr std::uint8_t kSyn = 2;
inline constexpr std::uint8_t kRst = 4;
inline constexpr std::uint8_t kAck = 8;

struct Packet {
  static constexpr std::uint32_t kMaxBytes = (1u << 24) - 1;

  std::uint32_t port = 0;      // the directed port it enters next
  FlowHandle source;           // the sender's half
  FlowHandle target;           // the receiver's half; none until the sender has learned it from a reply
  std::uint32_t seq = 0;       // TCP: first byte; UDP: low half of the datagram's tag
  std::uint32_t ack = 0;       // TCP: next byte expected; UDP: high half of the tag
  std::uint16_t host = 0;      // destination machine
  std::uint16_t hash = 0;      // of the 5-tuple: picks the path and the receiving core
  std::uint32_t size = 0;      // bytes of the IP packet (low 24 bits); kind, encapsulated, traced: see below
  std::uint16_t segments = 1;  // low 12 bits; TCP flags above
  std::uint16_t ordinal = 0;   // of the sender's packets in this flow, modulo 65,536: names it for loss draws

  std::uint32_t bytes() const { return size & kMaxBytes; }
  PacketKind kind() const { return static_cast<PacketKind>(size >> 24 & 7u); }
  bool is_encapsulated() const { return (size >> 27 & 1u) != 0; }
  bool is_traced() const { return (size >> 28 & 1u) != 0; }
  /// It made the receiver's half: the transport has not seen that flow before.
  bool is_opening() const { return (size >> 29 & 1u) != 0; }
  void mark_opening() { size |= 1u << 29; }
  std::uint32_t segment_count() const { return segments & 0x0fffu; }
  std::uint8_t flags() const { return static_cast<std::uint8_t>(segments >> 12); }
  std::uint64_t tag() const { return static_cast<std::uint64_t>(ack) << 32 | seq; }

  static constexpr std::uint32_t pack_size(std::uint32_t bytes, PacketKind kind, bool is_encapsulated, bool is_traced) {
    return bytes | static_cast<std::uint32_t>(kind) << 24 | static_cast<std::uint32_t>(is_encapsulated) << 27 |
           static_cast<std::uint32_t>(is_traced) << 28;
  }
  static constexpr std::uint16_t pack_segments(std::uint32_t segments, std::uint8_t flags) {
    return static_cast<std::uint16_t>(segments | static_cast<std::uint32_t>(flags) << 12);
  }
};
static_assert(sizeof(Packet) == 32);

using PacketId = Id<struct PacketTag>;

}  // namespace podwire::dataplane
