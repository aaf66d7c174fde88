// What the transport tells an application, and how an application registers to hear it.
//
// Everything is by value and by handle; payload is not carried. Where an application needs to know what a message says,
// it keeps that itself and finds it by the other end's cookie (Transport::peer_cookie) for TCP, or by the datagram's
// tag for UDP: both stand for bytes that real packets would carry, and nothing is timed by them.
#pragma once

#include <cstdint>
#include <string_view>

#include "models/dataplane/packet.hpp"
#include "sim/base/id.hpp"
#include "sim/base/ip.hpp"

namespace podwire::transport {

/// One end of a TCP connection, or a UDP socket. Valid from open/connect/accept until it is closed; a stale handle is
/// recognised (Transport::is_open).
using SocketHandle = dataplane::FlowHandle;

enum class Failure : std::uint8_t {
  none,
  refused,      // RST in answer to a SYN, or ICMP port unreachable: ECONNREFUSED
  prohibited,   // ICMP administratively prohibited: EHOSTUNREACH as Linux reports it, told apart here
  timed_out,    // the SYN schedule (or the retransmissions of an established connection) ran out: ETIMEDOUT
  reset,        // RST on an established connection: ECONNRESET
  unreachable,  // no address to send from or to: ENETUNREACH
};
std::string_view to_string(Failure failure);

enum class EventKind : std::uint8_t {
  // client side
  connected,  // the handshake is complete
  failed,     // `failure`; a TCP socket is gone with it, a UDP socket stays open (an ICMP error answered a datagram)
  // server side
  accepted,  // a new connection whose handshake is complete
  // both
  received,     // TCP: `bytes` is the total received in order so far; UDP: the datagram's payload, with `tag`
  peer_closed,  // the other end sent FIN; everything before it was delivered
  closed,       // both directions are closed and the socket is gone
};

struct Event {
  EventKind kind = EventKind::connected;
  Failure failure = Failure::none;
  SocketHandle socket;
  std::uint64_t cookie = 0;  // what the application gave with connect/open, or set_cookie; 0 for a fresh server socket
  std::uint64_t bytes = 0;
  std::uint64_t tag = 0;
};

/// An application: whoever wants events. Registered once with Transport::add_application.
using ApplicationId = Id<struct ApplicationTag>;

}  // namespace podwire::transport
