// Atoms: the partition of both address families by ipBlock boundaries.
#include "models/policy/atoms.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace podwire::policy {
namespace {

IpBlock block(const char* cidr, std::vector<const char*> except = {}) {
  IpBlock result;
  result.cidr = *Cidr::parse(cidr);
  for (const char* text : except) {
    result.except.push_back(*Cidr::parse(text));
  }
  return result;
}

bool holds(const IpBlock& ip_block, const char* text) {
  const IpAddress address = *IpAddress::parse(text);
  const std::vector<AddressRange> ranges = ranges_of(ip_block);
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const AddressRange& range) { return range.first <= address && address <= range.second; });
}

TEST(Atoms, AreOneForEachFamilyAndSideWithoutBlocks) {
  Atoms atoms;
  atoms.finish();
  // ::-::fffe:ffff:ffff, the IPv4 addresses, ::1:0:0:0 and above
  ASSERT_EQ(atoms.size(), 3u);
  EXPECT_EQ(atoms.range(AtomId(1u)).first, IpAddress::v4(0, 0, 0, 0));
  EXPECT_EQ(atoms.range(AtomId(1u)).second, IpAddress::v4(255, 255, 255, 255));
}

TEST(Atoms, PartitionTheWholeSpaceInOrder) {
  Atoms atoms;
  atoms.add(ranges_of(block("10.0.0.0/8", {"10.1.0.0/16", "10.255.255.255/32"})));
  atoms.add(ranges_of(block("fd00::/8")));
  atoms.add(ranges_of(block("ff00::/8")));  // ends at the last address there is
  atoms.add(ranges_of(block("255.255.255.255/32")));
  atoms.finish();
  IpAddress next;
  for (std::uint32_t a = 0; a < atoms.size(); ++a) {
    const auto [first, last] = atoms.range(AtomId(a));
    EXPECT_EQ(first, next);
    EXPECT_LE(first, last);
    EXPECT_EQ(first.family(), last.family());
    EXPECT_EQ(atoms.atom_of(first), AtomId(a));
    EXPECT_EQ(atoms.atom_of(last), AtomId(a));
    next = last.plus(1);
  }
  EXPECT_TRUE(next.is_unspecified());  // wrapped round: nothing is left
}

TEST(Atoms, ExceptSubtractsFromItsOwnBlock) {
  const IpBlock ten = block("10.0.0.0/8", {"10.1.0.0/16", "10.1.2.0/24"});
  EXPECT_TRUE(holds(ten, "10.0.255.255"));
  EXPECT_FALSE(holds(ten, "10.1.0.0"));
  EXPECT_FALSE(holds(ten, "10.1.2.3"));  // both exceptions hold it
  EXPECT_FALSE(holds(ten, "10.1.255.255"));
  EXPECT_TRUE(holds(ten, "10.2.0.0"));
  EXPECT_FALSE(holds(ten, "11.0.0.0"));
}

TEST(Atoms, ABlockHoldsItsOwnFamilyOnly) {
  const IpBlock all_v6 = block("::/0");
  const IpBlock all_v4 = block("0.0.0.0/0");
  EXPECT_TRUE(holds(all_v6, "::1"));
  EXPECT_TRUE(holds(all_v6, "2001:db8::1"));
  EXPECT_FALSE(holds(all_v6, "192.0.2.1"));
  EXPECT_TRUE(holds(all_v4, "192.0.2.1"));
  EXPECT_FALSE(holds(all_v4, "::1"));
}

}  // namespace
}  // namespace podwire::policy
