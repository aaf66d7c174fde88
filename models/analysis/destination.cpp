// DST:PORT[/PROTOCOL] as users write it, taken apart. Whose name it is, is explain's question; that a port is named at
// all, and is one, is settled here.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "models/analysis/explain.hpp"
#include "sim/base/text.hpp"

namespace podwire::analysis {

namespace {

std::optional<std::uint16_t> parse_port_number(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1 || number > 65'535) {
    return std::nullopt;
  }
  return static_cast<std::uint16_t>(number);
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<DestinationText> parse_destination(std::string_view text, Span span, Diagnostics& diagnostics) {
  DestinationText result;
  const std::size_t colon = text.rfind(':');
  const bool is_bare_v6 = IpAddress::parse(text).has_value();
  if (colon == std::string_view::npos || colon + 1 == text.size() || is_bare_v6 ||
      (text.front() == '[' && text.back() == ']')) {
    diagnostics.error("missing-port", fmt::format("\"{}\" names no port", printable(text)), span,
                      "write DST:PORT or DST:PORT/UDP, an IPv6 address in brackets");
    return std::nullopt;
  }
  std::string_view name = text.substr(0, colon);
  std::string_view port = text.substr(colon + 1);
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
    name = name.substr(1, name.size() - 2);
  }
  result.name = name;
  if (const std::size_t slash = port.find('/'); slash != std::string_view::npos) {
    std::string protocol(port.substr(slash + 1));
    std::transform(protocol.begin(), protocol.end(), protocol.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    const auto known = parse_protocol(protocol);
    if (!known) {
      diagnostics.error("bad-protocol", fmt::format("\"{}\" is no protocol", printable(port.substr(slash + 1))), span,
                        "use TCP, UDP or SCTP");
      return std::nullopt;
    }
    result.protocol = *known;
    port = port.substr(0, slash);
  }
  if (const auto number = parse_port_number(port)) {
    result.port = Port(*number);
  } else if (port.empty() || is_digits(port)) {
    diagnostics.error("bad-port", fmt::format("\"{}\" is no port: ports are 1 to 65535", printable(port)), span);
    return std::nullopt;
  } else {
    result.port_name = port;
  }
  return result;
}

}  // namespace podwire::analysis
