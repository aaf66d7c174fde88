#include "models/policy/read_common.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::policy {

namespace {

std::string_view without_leading_zeros(std::string_view number) {
  const std::size_t first = std::min(number.find_first_not_of('0'), number.size());
  return number.empty() ? number : number.substr(std::min(first, number.size() - 1));
}

/// `10.001.0.0/08` as 10.1.0.0/8, `::ffff:10.1.0.0/112` as 10.1.0.0/16; nothing for what is no CIDR even so.
std::optional<Cidr> parse_legacy_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view length = without_leading_zeros(text.substr(slash + 1));
  std::string_view rest = text.substr(0, slash);
  if (rest.find(':') != std::string_view::npos) {
    constexpr unsigned kMappedBits = 96;
    const auto mapped = IpAddress::parse(rest);
    const auto whole = Cidr::parse(fmt::format("::/{}", length));  // the length alone
    if (mapped && mapped->is_v4()) {
      return whole && whole->length() >= kMappedBits ? std::optional(Cidr(*mapped, whole->length() - kMappedBits))
                                                     : std::nullopt;
    }
    return Cidr::parse(fmt::format("{}/{}", rest, length));
  }
  std::string plain;
  while (true) {
    const std::size_t dot = rest.find('.');
    plain += without_leading_zeros(rest.substr(0, dot));
    if (dot == std::string_view::npos) {
      break;
    }
    plain += '.';
    rest.remove_prefix(dot + 1);
  }
  return Cidr::parse(fmt::format("{}/{}", plain, length));
}

}  // namespace

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

std::optional<Cidr> read_block_cidr(config::Node node, const std::string& object, Diagnostics& diagnostics) {
  const std::string_view text = node.text();
  if (!node.is_scalar() || text.size() > 80 || Cidr::parse(text)) {
    return read_cidr(node, object, diagnostics);
  }
  const std::optional<Cidr> legacy = parse_legacy_cidr(text);
  if (!legacy) {
    return read_cidr(node, object, diagnostics);  // says what is wrong
  }
  diagnostics.add({.severity = Severity::warning,
                   .code = "legacy-cidr",
                   .message = fmt::format("{} is read as {}", printable(text, 80), legacy->to_string()),
                   .span = node.span(),
                   .object = object,
                   .field = node.path(),
                   .help = fmt::format("write {}: newer API servers refuse the old spelling, and plugins read it "
                                       "differently",
                                       legacy->to_string())});
  return legacy;
}

}  // namespace podwire::policy
