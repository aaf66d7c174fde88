// Addresses and blocks against naive oracles: one bit at a time, without the 128-bit interval arithmetic.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>

#include "sim/base/ip.hpp"

namespace podwire {
namespace {

using Bits = std::array<int, 128>;

Bits bits_of(const IpAddress& address) {
  Bits bits{};
  for (std::size_t i = 0; i < 128; ++i) {
    const std::uint64_t half = i < 64 ? address.high() : address.low();
    bits[i] = static_cast<int>(half >> (63 - i % 64) & 1);
  }
  return bits;
}

// Whether `address` agrees with `base` in the first `length` bits of their family, and the families are the same.
bool naive_contains(const IpAddress& base, unsigned length, const IpAddress& address) {
  if (base.is_v4() != address.is_v4()) {
    return false;
  }
  const Bits a = bits_of(base);
  const Bits b = bits_of(address);
  const std::size_t skip = base.is_v4() ? 96 : 0;
  for (std::size_t i = 0; i < length; ++i) {
    if (a[skip + i] != b[skip + i]) {
      return false;
    }
  }
  return true;
}

// Addresses crowd around few values, so that containment, equality and zero groups are common.
IpAddress random_address(std::mt19937_64& random) {
  if (random() % 2 == 0) {
    const auto base = static_cast<std::uint32_t>(random() % 3 == 0 ? random() : 0x0a00'0000u);
    return IpAddress::v4(base ^ static_cast<std::uint32_t>(random() >> (32 + random() % 32)));
  }
  std::uint64_t high = random() % 3 == 0 ? random() : 0xfd00'0000'0000'0000u;
  std::uint64_t low = random() % 3 == 0 ? random() : 0;
  const std::uint64_t groups = random();
  for (unsigned group = 0; group < 4; ++group) {  // runs of zero groups, for the :: of the text form
    high &= (groups >> group & 1) != 0 ? ~(std::uint64_t{0xffff} << group * 16) : ~std::uint64_t{0};
    low &= (groups >> (group + 4) & 1) != 0 ? ~(std::uint64_t{0xffff} << group * 16) : ~std::uint64_t{0};
  }
  return IpAddress(high, low ^ random() >> (random() % 64));
}

unsigned random_length(std::mt19937_64& random, const IpAddress& address) {
  return static_cast<unsigned>(random() % (address.is_v4() ? 33 : 129));
}

TEST(CidrProperty, ContainmentAgreesWithComparingBits) {
  int contained = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const IpAddress base = random_address(random);
    const unsigned length = random_length(random, base);
    const Cidr block(base, length);
    ASSERT_EQ(block.length(), length);
    ASSERT_TRUE(block.contains(base));
    ASSERT_TRUE(block.contains(block.first()));
    // ::/80 and the like end inside ::ffff:0:0/96, whose addresses are IPv4's.
    ASSERT_EQ(block.contains(block.last()), block.last().family() == block.family());
    for (const IpAddress& address : {random_address(random), block.first().minus_one(), block.last().plus(1)}) {
      const bool expected = naive_contains(base, length, address);
      ASSERT_EQ(block.contains(address), expected) << block.to_string() << " and " << address.to_string();
      contained += expected ? 1 : 0;
    }
  }
  EXPECT_GT(contained, 1'000);  // both answers are exercised
}

TEST(CidrProperty, RelationsAgreeWithComparingBits) {
  int nested = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const IpAddress a = random_address(random);
    const IpAddress b = random_address(random);
    const Cidr first(a, random_length(random, a));
    const Cidr second(b, random_length(random, b));
    const bool first_holds = naive_contains(a, first.length(), b) && first.length() <= second.length();
    const bool second_holds = naive_contains(b, second.length(), a) && second.length() <= first.length();
    ASSERT_EQ(first.contains(second), first_holds) << first.to_string() << " and " << second.to_string();
    ASSERT_EQ(first.overlaps(second), first_holds || second_holds);  // blocks nest or are disjoint
    ASSERT_EQ(first.overlaps(second), second.overlaps(first));
    nested += first_holds || second_holds ? 1 : 0;
  }
  EXPECT_GT(nested, 1'000);
}

TEST(CidrProperty, TextIsReadBackUnchanged) {
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const IpAddress address = random_address(random);
    ASSERT_EQ(IpAddress::parse(address.to_string()), address) << address.to_string();
    const Cidr block(address, random_length(random, address));
    ASSERT_EQ(Cidr::parse(block.to_string()), block) << block.to_string();
  }
}

TEST(IpProperty, StepsAgreeWithAdding128BitNumbers) {
  for (std::uint64_t seed = 1; seed <= 10'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const IpAddress address = random_address(random);
    const std::uint64_t step = random() >> random() % 64;
    const auto wide = static_cast<unsigned __int128>(address.high()) << 64 | address.low();
    const auto sum = wide + step;
    ASSERT_EQ(address.plus(step), IpAddress(static_cast<std::uint64_t>(sum >> 64), static_cast<std::uint64_t>(sum)));
    ASSERT_EQ(address.plus(1).minus_one(), address);
    ASSERT_EQ(address.minus_one().plus(1), address);
  }
}

}  // namespace
}  // namespace podwire
