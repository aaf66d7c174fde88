// What the readers of all policy kinds share.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sim/base/diagnostic.hpp"
#include "sim/base/ip.hpp"
#include "sim/config/document.hpp"

namespace podwire::policy {

/// What is wrong with a port's name by validation.IsValidPortName (IANA service names, RFC 6335), or nothing.
std::optional<std::string> invalid_port_name(std::string_view name);

/// A CIDR. Host bits are accepted and masked, as the API server does; that is worth a word (host-bits-in-cidr).
std::optional<Cidr> read_cidr(config::Node node, const std::string& object, Diagnostics& diagnostics);

/// The same for an ipBlock, whose API reads more: leading zeros, which are decimal there, and IPv4 in IPv6 notation
/// (`::ffff:10.0.0.0/104`). New API servers refuse both, clusters of old hold them: legacy-cidr, a warning. Source:
/// k8s.io/utils/net ParseCIDRSloppy, KEP-4858.
std::optional<Cidr> read_block_cidr(config::Node node, const std::string& object, Diagnostics& diagnostics);

}  // namespace podwire::policy
