// Peers in a text: what of a variable's value, an argument or a line of a script names somebody to connect to. Pure
// text; whether anybody has that name is asked elsewhere (declared.hpp).
//
// Read are URLs of any scheme (`scheme://[user:password@]host[:port][,host[:port]…][/…]`, jdbc: in front or not), lists
// of them, gRPC targets (`dns:///host:port`), the driver's form `user:password@tcp(host:port)/`, key=value connection
// strings (`host=db port=5432`, `Server=db,1433;…`), `host:port` and lists of those, and names that end like a
// Service's (`api.shop.svc`). In front may stand `--flag=` or `NAME=`. Of texts of several words, URLs of known schemes
// and `host:port`. Credentials, paths and queries are dropped while reading.
// No peers are: addresses to listen on (0.0.0.0, ::, no host), the machine itself (localhost, 127.0.0.0/8, ::1),
// times, versions, and texts that are longer than 64 KiB.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/ip.hpp"

namespace podwire::scenario {

/// A scheme with the port that its clients take when none is given.
struct PeerScheme {
  std::string_view name;
  IpProtocol protocol = IpProtocol::tcp;
  std::uint16_t port = 0;   // 0: none
  std::string_view source;  // who says so: "IANA" is its Service Name and Transport Protocol Port Number Registry
};
/// Every scheme that is known, for the documents.
const std::vector<PeerScheme>& peer_schemes();
/// Case and a leading "jdbc:" do not matter; null for one that is not known.
const PeerScheme* find_peer_scheme(std::string_view scheme);

struct PeerText {
  std::string scheme = {};  // as written, "postgres", "jdbc:mysql"; "" without
  std::string host = {};    // as written, an IPv6 address without brackets
  Port port = {};           // as written; none: the scheme's, or the only one of the Service
  /// Surely meant as a peer: a URL, or a whole value with a dotted name or an address. Else it is one only where
  /// somebody has that name.
  bool is_certain = false;
  /// A lone name in a text of several words, such as a script.
  bool is_of_words = false;
  /// "postgres://db.data:5432", "[fd00::7]:80".
  std::string text() const;
  bool operator==(const PeerText&) const = default;
};

/// In their order, each once. O(length).
std::vector<PeerText> peers_of_value(std::string_view text);

/// The flag or name in front of a value, with its `=`: "--db=", "DATABASE_URL="; "" when there is none.
std::string_view flag_of_value(std::string_view text);

/// Whether the text can be a host: labels of letters, digits, - and _ with dots between, or an address; not the machine
/// itself and not what stands for every address.
bool is_peer_host(std::string_view text);

}  // namespace podwire::scenario
