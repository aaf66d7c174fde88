// Port sets: the algebra against sets of single ports, and the text form.
#include "models/policy/port_set.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace podwire::policy {
namespace {

using Range = PortSet::Range;

Range tcp(std::uint16_t first, std::uint16_t last) {
  return {.protocol = IpProtocol::tcp, .first = first, .last = last};
}
Range udp(std::uint16_t first, std::uint16_t last) {
  return {.protocol = IpProtocol::udp, .first = first, .last = last};
}

TEST(PortSet, IsWrittenAsConnectionListsWriteIt) {
  EXPECT_EQ(PortSet::all().to_string(), "All Connections");
  EXPECT_EQ(PortSet().to_string(), "No Connections");
  EXPECT_EQ(PortSet::of({tcp(8000, 8099), tcp(80, 80), udp(53, 53), tcp(443, 443)}).to_string(),
            "TCP 80,443,8000-8099,UDP 53");
  EXPECT_EQ(PortSet::of({tcp(1, 65535)}).to_string(), "TCP 1-65535");
  // Protocols stand in the order of their names.
  EXPECT_EQ(PortSet::of({{.protocol = IpProtocol::sctp, .first = 9003, .last = 9003}, tcp(8080, 8080)}).to_string(),
            "SCTP 9003,TCP 8080");
}

TEST(PortSet, JoinsOverlappingAndNeighbouringRanges) {
  EXPECT_EQ(PortSet::of({tcp(81, 90), tcp(70, 80), tcp(85, 95)}), PortSet::of({tcp(70, 95)}));
  EXPECT_EQ(PortSet::of({tcp(1, 65535), udp(1, 65535)}).ranges.size(), 2u);
  EXPECT_TRUE(PortSet::of({udp(1, 65535), tcp(1, 65535), {.protocol = IpProtocol::sctp}}).is_all());
}

TEST(PortSet, KeepsProtocolsApart) {
  const PortSet set = PortSet::of({tcp(53, 53)});
  EXPECT_TRUE(set.contains(IpProtocol::tcp, Port(53)));
  EXPECT_FALSE(set.contains(IpProtocol::udp, Port(53)));
  EXPECT_TRUE(set.intersected_with(PortSet::of({udp(53, 53)})).empty());
}

TEST(PortSet, ReachesTheLastPort) {
  const PortSet set = PortSet::of({tcp(65535, 65535), tcp(65534, 65534)});
  EXPECT_EQ(set, PortSet::of({tcp(65534, 65535)}));
  EXPECT_TRUE(set.contains(IpProtocol::tcp, Port(65535)));
}

TEST(PortSet, AlgebraAgreesWithSetsOfSinglePorts) {
  const std::uint64_t seed = 20;
  std::mt19937_64 random(seed);
  PortSets pool;
  const auto draw = [&random](std::set<int>& singles) {
    std::vector<Range> ranges;
    for (int i = 0; i < 4; ++i) {
      const auto first = static_cast<std::uint16_t>(1 + random() % 30);
      const auto last = static_cast<std::uint16_t>(first + random() % 6);
      const auto protocol = static_cast<IpProtocol>(random() % 2);
      ranges.push_back({.protocol = protocol, .first = first, .last = last});
      for (int p = first; p <= last; ++p) {
        singles.insert(static_cast<int>(protocol) * 100 + p);
      }
    }
    return PortSet::of(ranges);
  };
  for (int round = 0; round < 500; ++round) {
    std::set<int> a_singles;
    std::set<int> b_singles;
    const PortSetId a = pool.intern(draw(a_singles));
    const PortSetId b = pool.intern(draw(b_singles));
    const PortSet& both = pool[pool.intersect(a, b)];
    const PortSet& either = pool[pool.unite(b, a)];
    for (int protocol = 0; protocol < 2; ++protocol) {
      for (int p = 1; p < 40; ++p) {
        const int key = protocol * 100 + p;
        const bool in_a = a_singles.count(key) > 0;
        const bool in_b = b_singles.count(key) > 0;
        const Port port(static_cast<std::uint16_t>(p));
        ASSERT_EQ(both.contains(static_cast<IpProtocol>(protocol), port), in_a && in_b) << "seed " << seed;
        ASSERT_EQ(either.contains(static_cast<IpProtocol>(protocol), port), in_a || in_b) << "seed " << seed;
      }
    }
    EXPECT_EQ(pool.intersect(a, b), pool.intersect(b, a));
    EXPECT_EQ(pool.intern(PortSet(either)), pool.unite(a, b));  // equal sets, equal ids
  }
}

TEST(PortSets, GiveEqualSetsEqualIds) {
  PortSets pool;
  EXPECT_EQ(pool.intern(PortSet::all()), PortSets::kAll);
  EXPECT_EQ(pool.intern(PortSet()), PortSets::kEmpty);
  const PortSetId web = pool.intern(PortSet::of({tcp(80, 80)}));
  EXPECT_EQ(pool.intern(PortSet::of({tcp(80, 80)})), web);
  EXPECT_EQ(pool.unite(web, PortSets::kAll), PortSets::kAll);
  EXPECT_EQ(pool.intersect(web, PortSets::kAll), web);
  EXPECT_EQ(pool.intersect(web, PortSets::kEmpty), PortSets::kEmpty);
}

}  // namespace
}  // namespace podwire::policy
