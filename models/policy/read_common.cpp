#include "models/policy/read_common.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::policy {

std::optional<std::string> invalid_port_name(std::string_view name) {
  if (name.size() > 15) {
    return "must be at most 15 characters long";
  }
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || is_digit(c) || c == '-'; })) {
    return "must hold only lower-case letters, digits and hyphens";
  }
  if (!std::any_of(name.begin(), name.end(), is_letter)) {
    return "must hold at least one letter";
  }
  if (name.find("--") != std::string_view::npos || name.front() == '-' || name.back() == '-') {
    return "must not begin or end with a hyphen or hold two in a row";
  }
  return std::nullopt;
}

std::optional<Cidr> read_cidr(config::Node node, const std::string& object, Diagnostics& diagnostics) {
  const std::optional<Cidr> cidr = config::as_cidr(node, object, diagnostics);
  const std::string_view text = node.text();
  const std::optional<IpAddress> address = IpAddress::parse(text.substr(0, text.find('/')));
  if (cidr && address && *address != cidr->first()) {
    diagnostics.add(
        {.severity = Severity::warning,
         .code = "host-bits-in-cidr",
         .message = fmt::format("{} has host bits set and means {}", printable(text, 80), cidr->to_string()),
         .span = node.span(),
         .object = object,
         .field = node.path()});
  }
  return cidr;
}

}  // namespace podwire::policy
