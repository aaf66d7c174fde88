// Atoms: the partition of both address families by ipBlock boundaries.
#include "models/policy/atoms.hpp"

#include <gtest/gtest.h>

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

bool holds(const Atoms& atoms, const IpBlock& ip_block, const char* address) {
  const std::uint32_t atom = atoms.atom_of(*IpAddress::parse(address)).value();
  const std::vector<std::uint32_t> ranges = atoms.ranges_of(ip_block);
  for (std::size_t i = 0; i < ranges.size(); i += 2) {
    if (ranges[i] <= atom && atom < ranges[i + 1]) {
      return true;
    }
  }
  return false;
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
  atoms.add(block("10.0.0.0/8", {"10.1.0.0/16", "10.255.255.255/32"}));
  atoms.add(block("fd00::/8"));
  atoms.add(block("ff00::/8"));  // ends at the last address there is
  atoms.add(block("255.255.255.255/32"));
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
  Atoms atoms;
  const IpBlock ten = block("10.0.0.0/8", {"10.1.0.0/16", "10.1.2.0/24"});
  atoms.add(ten);
  atoms.finish();
  EXPECT_TRUE(holds(atoms, ten, "10.0.255.255"));
  EXPECT_FALSE(holds(atoms, ten, "10.1.0.0"));
  EXPECT_FALSE(holds(atoms, ten, "10.1.2.3"));  // both exceptions hold it
  EXPECT_FALSE(holds(atoms, ten, "10.1.255.255"));
  EXPECT_TRUE(holds(atoms, ten, "10.2.0.0"));
  EXPECT_FALSE(holds(atoms, ten, "11.0.0.0"));
}

TEST(Atoms, ABlockHoldsItsOwnFamilyOnly) {
  Atoms atoms;
  const IpBlock all_v6 = block("::/0");
  const IpBlock all_v4 = block("0.0.0.0/0");
  atoms.add(all_v6);
  atoms.add(all_v4);
  atoms.finish();
  EXPECT_TRUE(holds(atoms, all_v6, "::1"));
  EXPECT_TRUE(holds(atoms, all_v6, "2001:db8::1"));
  EXPECT_FALSE(holds(atoms, all_v6, "192.0.2.1"));
  EXPECT_TRUE(holds(atoms, all_v4, "192.0.2.1"));
  EXPECT_FALSE(holds(atoms, all_v4, "::1"));
}

}  // namespace
}  // namespace podwire::policy
