// Uses laid over reach, on random clusters: every use is either among the ports of the row that allows it or among what
// no row has, never both and never lost; what no row has is not allowed; and a row shows no port that nobody uses.
#include "models/analysis/used_edges.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>
#include <tuple>

#include "tests/property/policy/random_world.hpp"

namespace podwire::analysis {
namespace {

using flows::End;
using flows::EndKind;
using policy::PortSet;
using test::RandomWorld;

std::uint64_t world_count() {
  if (const char* text = std::getenv("PODWIRE_PROPERTY_CLUSTERS")) {
    return std::strtoull(text, nullptr, 10);
  }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
  return 200;
#else
  return 2'000;
#endif
}

constexpr std::uint16_t kPorts[] = {1, 53, 80, 81, 8080, 9090};

/// One use: workloads (2^32 - 1: outside, then the address), protocol and port.
using Use = std::tuple<std::uint32_t, std::uint32_t, IpAddress, IpProtocol, std::uint16_t>;
constexpr std::uint32_t kOutside = 0xffff'ffff;

class Comparison {
 public:
  explicit Comparison(std::uint64_t seed) : world_(seed, seed % 2 == 0), draw_(seed) {
    for (test::SmallPod& pod : world_.cluster.pods) {
      if (world_.chance(60)) {
        pod.owner = world_.chance(50) ? "one" : "two";
      }
    }
    cluster_ = world_.cluster.build();
  }

  std::size_t run() {
    policy::PolicyEngine engine(cluster_, world_.policies, world_.profile, world_.known_domains());
    UsedEdges edges(cluster_);
    for (int i = 0; i < 30; ++i) {
      add_use(edges);
    }
    edges.begin();
    std::set<Use> met;
    reach(engine, {}, [&](const ReachRow& row) {
      const PortSet used = edges.used_of(row);
      const std::set<Use> expected = uses_of(row);
      PortSet ports;
      for (const Use& use : expected) {
        const auto port = std::get<4>(use);
        ports = ports.united_with(PortSet::of({{.protocol = std::get<3>(use), .first = port, .last = port}}));
      }
      EXPECT_EQ(used.to_string(), ports.to_string()) << row.source.name << " => " << row.destination.name;
      met.insert(expected.begin(), expected.end());
    });
    std::set<Use> left;
    for (const Use& use : uses_) {
      if (!met.contains(use)) {
        left.insert(use);
      }
    }
    compare_rest(edges.unreached(engine), left);
    return uses_.size();
  }

 private:
  std::uint32_t below(std::size_t count) { return static_cast<std::uint32_t>(draw_() % count); }

  void add_use(UsedEdges& edges) {
    if (cluster_.pods.empty()) {
      return;
    }
    const auto pod = [&] { return End{.kind = EndKind::pod, .id = below(cluster_.pods.size())}; };
    const auto address = [&] {
      return End{.kind = EndKind::address, .ip = IpAddress::v4(10 + below(3), below(2), 0, below(3))};
    };
    flows::Connection connection;
    const std::uint32_t shape = below(4);
    connection.source = shape == 0 ? address() : pod();
    connection.destination = shape == 1 ? address() : pod();
    connection.protocol = static_cast<flows::FlowProtocol>(below(2));
    connection.destination_port = kPorts[below(std::size(kPorts))];
    edges.add(connection);
    const auto workload = [&](const End& end) {
      return end.kind == EndKind::pod ? cluster_.pods[end.id].workload.value() : kOutside;
    };
    uses_.insert({workload(connection.source), workload(connection.destination),
                  shape == 0   ? connection.source.ip
                  : shape == 1 ? connection.destination.ip
                               : IpAddress(),
                  static_cast<IpProtocol>(connection.protocol), connection.destination_port});
  }

  /// Those that the row is about, and allows or leaves open.
  std::set<Use> uses_of(const ReachRow& row) const {
    std::set<Use> found;
    for (const Use& use : uses_) {
      const auto& [source, destination, ip, protocol, port] = use;
      const auto is_end = [&](const ReachEnd& end, std::uint32_t workload) {
        return end.is_external() ? workload == kOutside && end.range.first <= ip && ip <= end.range.second
                                 : workload == end.workload.value();
      };
      if (is_end(row.source, source) && is_end(row.destination, destination) &&
          (row.is_unknown || row.ports->contains(protocol, Port(port)))) {
        found.insert(use);
      }
    }
    return found;
  }

  void compare_rest(const std::vector<UnreachedUse>& rest, const std::set<Use>& left) const {
    std::set<std::tuple<std::uint32_t, std::uint32_t, IpProtocol, std::uint16_t>> expected;
    std::set<std::tuple<std::uint32_t, std::uint32_t, IpProtocol, std::uint16_t>> actual;
    for (const auto& [source, destination, ip, protocol, port] : left) {
      expected.insert({source, destination, protocol, port});
    }
    for (const UnreachedUse& use : rest) {
      for (const PortSet::Range& range : use.ports.ranges) {
        for (std::uint32_t port = range.first; port <= range.last; ++port) {
          actual.insert({use.source_workload.value(), use.destination_workload.value(), range.protocol,
                         static_cast<std::uint16_t>(port)});
        }
      }
      // A pod and itself have no row, nor have pods that have finished, nor addresses of a family that no pod has.
      const bool is_outside = !use.source_workload.is_valid() || !use.destination_workload.is_valid();
      const bool is_special = use.source_workload == use.destination_workload || (is_outside && !has_v4()) ||
                              has_no_running_pod(use.source_workload) || has_no_running_pod(use.destination_workload);
      EXPECT_TRUE(is_special || use.side.action != policy::Action::allow)
          << use.source << " => " << use.destination << " " << use.ports.to_string() << " by " << use.side.rule;
    }
    EXPECT_EQ(actual, expected);
  }

  bool has_v4() const {
    return std::any_of(world_.cluster.pods.begin(), world_.cluster.pods.end(),
                       [](const test::SmallPod& pod) { return pod.ip.is_v4() || pod.ip.is_unspecified(); });
  }

  bool has_no_running_pod(cluster::WorkloadId workload) const {
    if (!workload.is_valid()) {
      return false;
    }
    for (const cluster::PodId pod : cluster_.workloads[workload.index()].pods) {
      if (cluster_.pods[pod.index()].phase == cluster::PodPhase::running) {
        return false;
      }
    }
    return true;
  }

  RandomWorld world_;
  std::mt19937_64 draw_;
  cluster::Cluster cluster_;
  std::set<Use> uses_;
};

TEST(UsedEdgesProperty, EveryUseIsInARowOrInTheRest) {
  std::size_t uses = 0;
  for (std::uint64_t seed = 0; seed < world_count() && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    uses += Comparison(seed).run();
  }
  EXPECT_GT(uses, world_count());
  std::cout << uses << " uses\n";
}

}  // namespace
}  // namespace podwire::analysis
