// Exposure against the engine: a pod that did not exist is added to a random cluster, in a namespace of before or a new
// one, and has exactly the ports of the lines in whose region it lies. Every other cluster has policies of the admin
// and baseline tiers.
#include "models/analysis/exposure.hpp"

#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "tests/property/policy/random_world.hpp"

namespace podwire::analysis {
namespace {

using policy::Direction;
using policy::PolicyEngine;
using policy::PortSet;
using test::RandomWorld;

test::LabelMap random_labels(RandomWorld& world) {
  test::LabelMap labels;
  for (const char* key : {"app", "env", "tier"}) {
    if (world.chance(55)) {
      labels[key] = std::string(1, static_cast<char>('a' + world.pick(3)));
    }
  }
  return labels;
}

void add_pod(RandomWorld& world) {
  test::SmallPod pod;
  pod.name = "newcomer";
  pod.name_space = world.cluster.namespaces.begin()->first;
  if (world.chance(60)) {
    pod.name_space = "omega";
    world.cluster.namespaces["omega"] = random_labels(world);
  }
  pod.labels = random_labels(world);
  pod.ip = world.chance(80) ? IpAddress::v4(10, 0, static_cast<unsigned>(world.pick(3)), 200)
                            : IpAddress(0xfd00'0000'0000'0000u, 200);
  if (world.chance(70)) {
    pod.ports.push_back({.name = "http", .protocol = IpProtocol::tcp, .number = Port(8080)});
  }
  if (world.chance(50)) {
    pod.ports.push_back({.name = "dns", .protocol = IpProtocol::udp, .number = Port(53)});
  }
  world.cluster.pods.push_back(pod);
}

TEST(ExposureProperty, APodThatIsAddedHasExactlyThePortsOfItsRegions) {
  constexpr std::uint64_t kClusters = 2'000;
  std::size_t compared = 0;
  std::size_t partial = 0;
  std::size_t in_tiers = 0;
  std::size_t open_to_doubt = 0;
  std::size_t with_except = 0;
  for (std::uint64_t seed = 1; seed <= kClusters; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const bool has_tiers = seed % 2 == 0;
    RandomWorld world(seed, has_tiers);
    const cluster::Cluster before = world.cluster.build();
    PolicyEngine engine(before, world.policies, world.profile);
    add_pod(world);
    const cluster::Cluster after = world.cluster.build();
    PolicyEngine grown(after, world.policies, world.profile);
    const cluster::PodId newcomer(after.pods.size() - 1);
    const cluster::PodShape& shape = after.shape(newcomer);
    for (std::size_t w = 0; w < before.workloads.size(); ++w) {
      const cluster::PodId pod = before.workloads[w].pods.front();  // the only one
      const cluster::PodPhase phase = before.pods[pod.index()].phase;
      if (phase == cluster::PodPhase::succeeded || phase == cluster::PodPhase::failed) {
        continue;
      }
      for (const Direction direction : {Direction::ingress, Direction::egress}) {
        PortSet expected;
        bool is_doubted = false;
        for (const ExposureLine& line : exposure_of(engine, cluster::WorkloadId(w), direction)) {
          is_doubted = is_doubted || line.is_unknown;
          with_except += line.region.except.empty() ? 0 : 1;
          if (!line.region.contains(after, shape.name_space, shape.labels, after.pods[newcomer.index()].ip)) {
            continue;
          }
          expected = expected.united_with(line.ports);
          for (const auto& [protocol, name] : line.names) {
            if (const Port number = after.named_port(after.pods[newcomer.index()].shape, protocol, name);
                number.is_valid()) {
              expected = expected.united_with(PortSet::of({{protocol, number.number(), number.number()}}));
            }
          }
        }
        bool is_unknown = false;
        const PortSet actual = grown.allowed_ports(direction, {.pod = pod}, {.pod = newcomer}, is_unknown);
        in_tiers += has_tiers ? 1 : 0;
        if (is_doubted) {
          ASSERT_TRUE(has_tiers);
          ++open_to_doubt;
          continue;
        }
        ASSERT_FALSE(is_unknown);
        ASSERT_EQ(actual.to_string(), expected.to_string())
            << to_string(direction) << " of " << before.full_pod_name(pod);
        ++compared;
        partial += actual.is_all() || actual.empty() ? 0 : 1;
      }
    }
  }
  RecordProperty("compared", static_cast<int>(compared));
  EXPECT_GT(compared, 2 * kClusters);
  EXPECT_GT(partial, kClusters / 10);  // the worlds are not all open or shut
  std::cout << compared << " compared, " << partial << " of them partial; " << open_to_doubt << " of " << in_tiers
            << " under tiers left open; " << with_except << " lines with an except\n";
  EXPECT_LT(open_to_doubt, in_tiers / 2);
  EXPECT_GT(with_except, kClusters / 10);
}

}  // namespace
}  // namespace podwire::analysis
