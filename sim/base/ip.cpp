#include "sim/base/ip.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>

#include "sim/base/check.hpp"

namespace podwire {
namespace {

std::optional<std::uint32_t> parse_dotted_quad(std::string_view text) {
  std::uint32_t address = 0;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (int i = 0; i < 4; ++i) {
    unsigned byte = 0;
    const auto [stop, error] = std::from_chars(at, end, byte);
    // Leading zeros are ambiguous (octal in some parsers), so the API refuses them.
    if (error != std::errc() || byte > 255 || (stop - at > 1 && *at == '0')) {
      return std::nullopt;
    }
    address = address << 8 | byte;
    at = stop;
    if (i < 3) {
      if (at == end || *at != '.') {
        return std::nullopt;
      }
      ++at;
    }
  }
  return at == end ? std::optional(address) : std::nullopt;
}

std::uint64_t mask_of(unsigned bits) {
  return bits == 0 ? 0 : ~std::uint64_t{0} << (64 - bits);
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.find(':') == std::string_view::npos) {
    const auto quad = parse_dotted_quad(text);
    return quad ? std::optional(v4(*quad)) : std::nullopt;
  }
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (text.size() >= buffer.size() || text.find('\0') != std::string_view::npos) {
    return std::nullopt;  // inet_pton would stop at a NUL and take the rest for nothing
  }
  std::memcpy(buffer.data(), text.data(), text.size());
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET6, buffer.data(), bytes.data()) != 1) {
    return std::nullopt;
  }
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    high = high << 8 | bytes[i];
    low = low << 8 | bytes[i + 8];
  }
  return IpAddress(high, low);
}

std::string IpAddress::to_string() const {
  if (is_v4()) {
    const std::uint32_t a = as_v4();
    return fmt::format("{}.{}.{}.{}", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
  }
  std::array<unsigned char, 16> bytes{};
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<unsigned char>(high_ >> (56 - 8 * i));
    bytes[i + 8] = static_cast<unsigned char>(low_ >> (56 - 8 * i));
  }
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(AF_INET6, bytes.data(), buffer.data(), buffer.size());
  return buffer.data();
}

Cidr::Cidr(IpAddress address, unsigned length) : length_(length) {
  PODWIRE_CHECK(length <= (address.is_v4() ? 32u : 128u), "base", "a prefix is no longer than its address");
  const unsigned bits = address.is_v4() ? length + 96 : length;
  first_ = bits <= 64 ? IpAddress(address.high() & mask_of(bits), 0)
                      : IpAddress(address.high(), address.low() & mask_of(bits - 64));
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto address = IpAddress::parse(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (!address || error != std::errc() || stop != digits.data() + digits.size() ||
      length > (address->is_v4() ? 32u : 128u) || (digits.size() > 1 && digits[0] == '0')) {
    return std::nullopt;
  }
  // ::ffff:10.0.0.0/104 counts its prefix in the other family; what was meant would be a guess.
  if (address->is_v4() && text.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  return Cidr(*address, length);
}

IpAddress Cidr::last() const {
  const unsigned bits = first_.is_v4() ? length_ + 96 : length_;
  return bits <= 64 ? IpAddress(first_.high() | ~mask_of(bits), ~std::uint64_t{0})
                    : IpAddress(first_.high(), first_.low() | ~mask_of(bits - 64));
}

std::string Cidr::to_string() const {
  return fmt::format("{}/{}", first_.to_string(), length_);
}

std::string_view to_string(IpProtocol protocol) {
  switch (protocol) {
    case IpProtocol::tcp:
      return "TCP";
    case IpProtocol::udp:
      return "UDP";
    case IpProtocol::sctp:
      return "SCTP";
  }
  return "?";
}

std::optional<IpProtocol> parse_protocol(std::string_view text) {
  for (const IpProtocol protocol : kProtocols) {
    if (text == to_string(protocol)) {
      return protocol;
    }
  }
  return std::nullopt;
}

}  // namespace podwire
