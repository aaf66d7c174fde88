// The underlay's compiled routes against the graph's own shortest paths, and the presets' shapes.
#include "models/topology/underlay.hpp"

#include <gtest/gtest.h>

#include <set>

namespace podwire::topology {
namespace {

UnderlayOptions leaf_spine(std::uint32_t hosts, std::uint32_t leaves, std::uint32_t spines) {
  UnderlayOptions options;
  options.preset = Preset::leaf_spine;
  options.hosts = hosts;
  options.leaves = leaves;
  options.spines = spines;
  return options;
}

/// Every port that some hash chooses at `at` towards `to`.
std::set<PortId> chosen(const Underlay& underlay, SwitchId at, HostId to) {
  std::set<PortId> ports;
  for (std::uint32_t hash = 0; hash < 65'536; hash += 97) {
    ports.insert(underlay.next_port(at, to, static_cast<std::uint16_t>(hash)));
  }
  ports.insert(underlay.next_port(at, to, 0xffff));
  return ports;
}

void expect_routes_are_shortest(const UnderlayOptions& options) {
  const Underlay underlay(options);
  for (std::uint32_t h = 0; h < underlay.host_count(); ++h) {
    for (std::uint32_t s = 0; s < underlay.switch_count(); ++s) {
      const std::vector<PortId> shortest = underlay.shortest_next_ports(SwitchId(s), HostId(h));
      ASSERT_EQ(chosen(underlay, SwitchId(s), HostId(h)), std::set<PortId>(shortest.begin(), shortest.end()))
          << "switch " << s << " to host " << h;
    }
  }
}

TEST(Underlay, RoutesAreTheEqualCostShortestPaths) {
  expect_routes_are_shortest(leaf_spine(12, 4, 3));
  expect_routes_are_shortest(leaf_spine(64, 8, 4));
  expect_routes_are_shortest(leaf_spine(7, 3, 1));  // blocks of 3, 3 and 1
  expect_routes_are_shortest(leaf_spine(2, 5, 2));  // more leaves than machines
  expect_routes_are_shortest(leaf_spine(9, 1, 0));  // a leaf alone
  UnderlayOptions single;
  single.hosts = 5;
  expect_routes_are_shortest(single);
}

TEST(Underlay, PathBetweenLeavesHasFourLinksAndWithinALeafTwo) {
  const Underlay underlay(leaf_spine(64, 8, 4));
  EXPECT_EQ(underlay.path(HostId(0u), HostId(7u), 0).size(), 2u);          // same block of 8
  EXPECT_EQ(underlay.path(HostId(0u), HostId(8u), 0).size(), 4u);          // host, leaf up, spine down, leaf down
  EXPECT_EQ(underlay.path(HostId(0u), underlay.gateway(), 9).size(), 2u);  // the gateway hangs on leaf 0
  EXPECT_EQ(underlay.path(underlay.gateway(), HostId(63u), 9).size(), 4u);
}

TEST(Underlay, HashSpreadsEvenlyOverSpines) {
  const Underlay underlay(leaf_spine(64, 8, 4));
  std::vector<int> by_port(4, 0);
  const PortId first = underlay.next_port(SwitchId(0u), HostId(63u), 0);
  for (std::uint32_t hash = 0; hash < 65'536; ++hash) {
    ++by_port[underlay.next_port(SwitchId(0u), HostId(63u), static_cast<std::uint16_t>(hash)).value() - first.value()];
  }
  EXPECT_EQ(by_port, (std::vector<int>{16'384, 16'384, 16'384, 16'384}));  // 65,536 / 4
}

TEST(Underlay, LinksHaveTheirOwnParameters) {
  UnderlayOptions options = leaf_spine(4, 2, 2);
  options.host_link.rate = BitRate::from_gbps(25);
  options.fabric_link.rate = BitRate::from_gbps(100);
  options.edge_link.propagation = Duration::from_ms(3);
  const Underlay underlay(options);
  const auto up = underlay.path(HostId(0u), HostId(3u), 0);
  EXPECT_EQ(underlay.ports()[up[0].index()].link.rate, BitRate::from_gbps(25));
  EXPECT_EQ(underlay.ports()[up[1].index()].link.rate, BitRate::from_gbps(100));
  EXPECT_EQ(underlay.ports()[up[3].index()].link.rate, BitRate::from_gbps(25));
  EXPECT_EQ(underlay.ports()[underlay.nic(underlay.gateway()).index()].link.propagation, Duration::from_ms(3));
}

TEST(Underlay, PortsAreNamedByTheirEnds) {
  const Underlay underlay(leaf_spine(4, 2, 2));
  const auto name = [](HostId h) { return "n" + std::to_string(h.value()); };
  const auto path = underlay.path(HostId(0u), HostId(3u), 0xffff);
  EXPECT_EQ(underlay.port_name(path[0], name), "n0 to leaf-0");
  EXPECT_EQ(underlay.port_name(path[1], name), "leaf-0 to spine-1");
  EXPECT_EQ(underlay.port_name(path[2], name), "spine-1 to leaf-1");
  EXPECT_EQ(underlay.port_name(path[3], name), "leaf-1 to n3");
  EXPECT_EQ(Underlay(UnderlayOptions{}).switch_name(SwitchId(0u)), "switch");
}

}  // namespace
}  // namespace podwire::topology
