// Addresses and blocks as text and as intervals.
#include "sim/base/ip.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "sim/base/check.hpp"

namespace podwire {
namespace {

using namespace std::string_view_literals;

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}
Cidr cidr(std::string_view text) {
  return Cidr::parse(text).value();
}

TEST(IpAddress, DottedQuadIsReadInNetworkOrder) {
  EXPECT_EQ(ip("10.1.2.3"), IpAddress::v4(10, 1, 2, 3));
  EXPECT_EQ(ip("10.1.2.3").as_v4(), 0x0a01'0203u);
  EXPECT_EQ(ip("255.255.255.255").as_v4(), 0xffff'ffffu);
  EXPECT_EQ(ip("0.0.0.0").to_string(), "0.0.0.0");
}

TEST(IpAddress, MalformedTextIsRefused) {
  for (const std::string_view text : {""sv,
                                      "10"sv,
                                      "10.0.0"sv,
                                      "10.0.0.0.0"sv,
                                      "10.0.0.256"sv,
                                      "10.0.0.-1"sv,
                                      "10.0.0.+1"sv,
                                      "10.0.0.01"sv,
                                      "10.0.0. 1"sv,
                                      " 10.0.0.1"sv,
                                      "10.0.0.1 "sv,
                                      "10.0..1"sv,
                                      "10.0.0.1."sv,
                                      "10.0.0.0x1"sv,
                                      "999999999999.0.0.1"sv,
                                      "a.b.c.d"sv,
                                      ":"sv,
                                      ":::"sv,
                                      "1::2::3"sv,
                                      "fd00::g"sv,
                                      "12345::"sv,
                                      "fe80::1%eth0"sv,
                                      "[::1]"sv,
                                      "1:2:3:4:5:6:7"sv,
                                      "1:2:3:4:5:6:7:8:9"sv,
                                      "::1.2.3"sv,
                                      "::1.2.3.04"sv,
                                      "::1\0junk"sv,
                                      "::1\0"sv,
                                      "10.0.0.1\0"sv}) {
    EXPECT_FALSE(IpAddress::parse(text).has_value()) << '"' << text << '"';
  }
  EXPECT_FALSE(IpAddress::parse(std::string(10'000, ':')).has_value());
}

TEST(IpAddress, Ipv6IsWrittenInItsShortestForm) {
  // RFC 5952 section 4: lower case, no leading zeros, the longest run of zeros as ::, the first one on a tie, no :: for
  // a single group.
  EXPECT_EQ(ip("2001:DB8::0001").to_string(), "2001:db8::1");
  EXPECT_EQ(ip("2001:db8:0:0:1:0:0:1").to_string(), "2001:db8::1:0:0:1");
  EXPECT_EQ(ip("2001:db8:0:1:1:1:1:1").to_string(), "2001:db8:0:1:1:1:1:1");
  EXPECT_EQ(ip("::").to_string(), "::");
  EXPECT_TRUE(ip("::").is_unspecified());
}

TEST(IpAddress, MappedAddressIsTheIpv4Address) {
  EXPECT_EQ(ip("::ffff:10.0.0.1"), ip("10.0.0.1"));
  EXPECT_EQ(ip("::ffff:a00:1").to_string(), "10.0.0.1");
  EXPECT_EQ(ip("10.0.0.1").family(), IpFamily::v4);
  EXPECT_EQ(ip("::fffe:10.0.0.1").family(), IpFamily::v6);
}

TEST(IpAddress, StepsCarryIntoTheUpperHalf) {
  const IpAddress last_of_half(1, ~std::uint64_t{0});
  EXPECT_EQ(last_of_half.plus(1), IpAddress(2, 0));
  EXPECT_EQ(IpAddress(2, 0).minus_one(), last_of_half);
  EXPECT_EQ(ip("10.0.0.255").plus(1), ip("10.0.1.0"));
  EXPECT_EQ(IpAddress(~std::uint64_t{0}, ~std::uint64_t{0}).plus(1), IpAddress());
}

TEST(Cidr, HostBitsAreMaskedAway) {
  EXPECT_EQ(cidr("10.1.2.3/16").to_string(), "10.1.0.0/16");
  EXPECT_EQ(cidr("fd00:1:2:3:4::1/64").to_string(), "fd00:1:2:3::/64");
  EXPECT_EQ(cidr("10.1.2.3/32").first(), ip("10.1.2.3"));
}

TEST(Cidr, EndsAtItsLastAddress) {
  EXPECT_EQ(cidr("10.1.0.0/16").last(), ip("10.1.255.255"));
  EXPECT_EQ(cidr("10.1.2.3/32").last(), ip("10.1.2.3"));
  EXPECT_EQ(cidr("0.0.0.0/0").last(), ip("255.255.255.255"));
  EXPECT_EQ(cidr("fd00::/64").last(), ip("fd00::ffff:ffff:ffff:ffff"));
  EXPECT_EQ(cidr("fd00::/63").last(), ip("fd00:0:0:1:ffff:ffff:ffff:ffff"));
  EXPECT_EQ(cidr("fd00::/65").last(), ip("fd00::7fff:ffff:ffff:ffff"));
  EXPECT_EQ(cidr("::/0").last(), ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
}

TEST(Cidr, MalformedTextIsRefused) {
  for (const std::string_view text :
       {""sv, "/"sv, "10.0.0.0"sv, "10.0.0.0/"sv, "/8"sv, "10.0.0.0/33"sv, "10.0.0.0/-1"sv, "10.0.0.0/+8"sv,
        "10.0.0.0/08"sv, "10.0.0.0/8/8"sv, "10.0.0.0/8 "sv, "10.0.0.0/ 8"sv, "10.0.0.0/4294967304"sv, "10.0.0/8"sv,
        "fd00::/129"sv, "10.0.0.0/255.0.0.0"sv, "::ffff:10.0.0.0/104"sv, "::ffff:10.0.0.0/8"sv, "10.0.0.0/8\0"sv}) {
    EXPECT_FALSE(Cidr::parse(text).has_value()) << '"' << text << '"';
  }
}

TEST(Cidr, PrefixLongerThanTheAddressIsABrokenContract) {
  EXPECT_THROW(Cidr(ip("10.0.0.0"), 33), BrokenContract);
  EXPECT_THROW(Cidr(ip("fd00::"), 129), BrokenContract);
}

TEST(Cidr, ContainsItsEndsAndNotItsNeighbours) {
  const Cidr block = cidr("10.0.16.0/20");  // 10.0.16.0 – 10.0.31.255
  EXPECT_TRUE(block.contains(ip("10.0.16.0")));
  EXPECT_TRUE(block.contains(ip("10.0.31.255")));
  EXPECT_FALSE(block.contains(ip("10.0.15.255")));
  EXPECT_FALSE(block.contains(ip("10.0.32.0")));
}

TEST(Cidr, HoldsNoAddressOfTheOtherFamily) {
  EXPECT_FALSE(cidr("::/0").contains(ip("10.0.0.1")));
  EXPECT_FALSE(cidr("0.0.0.0/0").contains(ip("fd00::1")));
  EXPECT_FALSE(cidr("::/0").contains(cidr("10.0.0.0/8")));
  EXPECT_FALSE(cidr("::/0").overlaps(cidr("0.0.0.0/0")));
  EXPECT_TRUE(cidr("::/0").contains(ip("fd00::1")));
}

TEST(Cidr, BlocksNestOrAreDisjoint) {
  EXPECT_TRUE(cidr("10.0.0.0/8").contains(cidr("10.1.0.0/16")));
  EXPECT_FALSE(cidr("10.1.0.0/16").contains(cidr("10.0.0.0/8")));
  EXPECT_TRUE(cidr("10.1.0.0/16").overlaps(cidr("10.0.0.0/8")));
  EXPECT_FALSE(cidr("10.1.0.0/16").overlaps(cidr("10.2.0.0/16")));
  EXPECT_TRUE(cidr("10.1.0.0/16").contains(cidr("10.1.0.0/16")));
}

TEST(Protocol, NamesAreUpperCaseAsInTheApi) {
  EXPECT_EQ(parse_protocol("SCTP"), IpProtocol::sctp);
  EXPECT_EQ(parse_protocol("tcp"), std::nullopt);
  EXPECT_EQ(parse_protocol(""), std::nullopt);
  EXPECT_EQ(to_string(IpProtocol::udp), "UDP");
}

}  // namespace
}  // namespace podwire
