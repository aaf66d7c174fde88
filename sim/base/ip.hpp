// IP addresses, CIDRs and transport ports.
//
// Both families live in one ordered 128-bit space, IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so that interval
// code (ipBlock atoms, pod CIDRs) is written once. Text forms: RFC 4632 for IPv4 CIDRs, RFC 5952 for IPv6.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace podwire {

enum class IpFamily : std::uint8_t { v4, v6 };

/// One IPv4 or IPv6 address; default-constructed it is "::", used as "no address".
class IpAddress {
 public:
  constexpr IpAddress() = default;
  constexpr IpAddress(std::uint64_t high, std::uint64_t low) : high_(high), low_(low) {}
  static constexpr IpAddress v4(std::uint32_t address) { return IpAddress(0, 0xffff'0000'0000u | address); }
  static constexpr IpAddress v4(unsigned a, unsigned b, unsigned c, unsigned d) {
    return v4(a << 24 | b << 16 | c << 8 | d);
  }
  /// The address written as `text`, or nothing: dotted quad without leading zeros, or RFC 4291 IPv6 text.
  static std::optional<IpAddress> parse(std::string_view text);

  constexpr bool is_v4() const { return high_ == 0 && low_ >> 32 == 0xffff; }
  constexpr IpFamily family() const { return is_v4() ? IpFamily::v4 : IpFamily::v6; }
  constexpr bool is_unspecified() const { return high_ == 0 && low_ == 0; }
  constexpr std::uint32_t as_v4() const { return static_cast<std::uint32_t>(low_); }
  constexpr std::uint64_t high() const { return high_; }
  constexpr std::uint64_t low() const { return low_; }
  /// The address `count` further, wrapping at the end of the 128-bit space.
  constexpr IpAddress plus(std::uint64_t count) const {
    const std::uint64_t low = low_ + count;
    return IpAddress(high_ + (low < low_ ? 1 : 0), low);
  }
  constexpr IpAddress minus_one() const { return IpAddress(high_ - (low_ == 0 ? 1 : 0), low_ - 1); }
  std::string to_string() const;

  constexpr auto operator<=>(const IpAddress&) const = default;

 private:
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

/// A block of addresses. Host bits are masked away when it is built, as the API server's validation allows.
/// A block holds addresses of its own family only, as in Go's net package: ::/0 contains no IPv4 address, although
/// first()–last() spans ::ffff:0:0/96. Interval code must cut that hole itself.
class Cidr {
 public:
  constexpr Cidr() = default;
  /// `length` counts in the address's own family: 0–32 for IPv4, 0–128 for IPv6.
  Cidr(IpAddress address, unsigned length);
  /// The block written as `text` (`10.0.0.0/8`, `fd00::/8`), or nothing. A bare address is not a CIDR, nor is a block
  /// of IPv4 addresses in IPv6 notation.
  static std::optional<Cidr> parse(std::string_view text);

  constexpr IpAddress first() const { return first_; }
  IpAddress last() const;
  constexpr IpFamily family() const { return first_.family(); }
  /// Prefix length in the family's own count.
  constexpr unsigned length() const { return length_; }
  bool contains(IpAddress address) const {
    return address.family() == family() && address >= first_ && address <= last();
  }
  bool contains(const Cidr& other) const {
    return other.family() == family() && other.length() >= length_ && contains(other.first());
  }
  bool overlaps(const Cidr& other) const { return contains(other.first()) || other.contains(first_); }
  std::string to_string() const;

  constexpr auto operator<=>(const Cidr&) const = default;

 private:
  IpAddress first_;
  unsigned length_ = 0;
};

enum class IpProtocol : std::uint8_t { tcp, udp, sctp };
inline constexpr IpProtocol kProtocols[] = {IpProtocol::tcp, IpProtocol::udp, IpProtocol::sctp};

/// "TCP", "UDP" or "SCTP".
std::string_view to_string(IpProtocol protocol);
/// Case-sensitive, as the Kubernetes API is.
std::optional<IpProtocol> parse_protocol(std::string_view text);

/// A transport port, 1–65535; 0 means "none".
class Port {
 public:
  constexpr Port() = default;
  constexpr explicit Port(std::uint16_t number) : number_(number) {}
  constexpr std::uint16_t number() const { return number_; }
  constexpr bool is_valid() const { return number_ != 0; }
  constexpr auto operator<=>(const Port&) const = default;

 private:
  std::uint16_t number_ = 0;
};

}  // namespace podwire

template <>
struct std::hash<podwire::IpAddress> {
  std::size_t operator()(const podwire::IpAddress& address) const noexcept {
    std::uint64_t h = address.low() * 0x9e37'79b9'7f4a'7c15u;
    h ^= (h >> 32) ^ (address.high() * 0xc2b2'ae3d'27d4'eb4fu);
    return static_cast<std::size_t>(h * 0x9e37'79b9'7f4a'7c15u);
  }
};
