// What a query's and an answer's datagram say, packed into the 64-bit tag that the transport carries in place of
// payload.
#pragma once

#include <cstdint>

#include "models/dns/names.hpp"
#include "models/dns/zone.hpp"

namespace podwire::dns {

/// Largest answer over UDP without EDNS (RFC 1035): a longer one arrives cut, with the TC bit.
inline constexpr std::uint32_t kMostUdpBytes = 512;
inline constexpr Port kDnsPort{53};
/// The two queries of a pair, in the order in which they are sent.
inline constexpr RecordType kSideTypes[2] = {RecordType::a, RecordType::aaaa};

struct Question {
  NameId name;
  RecordType type = RecordType::a;

  std::uint64_t tag() const { return std::uint64_t{name.value()} << 32 | static_cast<std::uint64_t>(type); }
  static Question from_tag(std::uint64_t tag) {
    return Question{NameId(static_cast<std::uint32_t>(tag >> 32)), static_cast<RecordType>(tag & 0xff)};
  }
};

struct Response {
  AnswerId answer;
  RecordType type = RecordType::a;
  bool is_truncated = false;

  std::uint64_t tag() const {
    return std::uint64_t{answer.value()} << 32 | static_cast<std::uint64_t>(is_truncated) << 8 |
           static_cast<std::uint64_t>(type);
  }
  static Response from_tag(std::uint64_t tag) {
    return Response{AnswerId(static_cast<std::uint32_t>(tag >> 32)), static_cast<RecordType>(tag & 0xff),
                    (tag >> 8 & 1) != 0};
  }
};

/// The cookie of a server's socket: which server, how much of it was answered, and the socket itself, so that the
/// client that is done with a conversation can have the server's half released at once. Never 0.
struct ServerCookie {
  std::uint32_t socket = 0;  // the SocketHandle's value
  std::uint32_t server = 0;
  std::uint32_t queries = 0;  // taken from a TCP connection so far, at most 127

  std::uint64_t value() const {
    return std::uint64_t{1} << 63 | std::uint64_t{queries} << 56 | std::uint64_t{server} << 32 | socket;
  }
  static bool is_one(std::uint64_t value) { return value >> 63 != 0; }
  static ServerCookie from(std::uint64_t value) {
    return ServerCookie{static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32 & 0xff'ffff),
                        static_cast<std::uint32_t>(value >> 56 & 0x7f)};
  }
};

}  // namespace podwire::dns
