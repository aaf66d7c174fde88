// reach against the engine asked pair by pair, on random clusters with several pods a workload: exactly the pairs that
// can talk have a row, with the union of what each pair of different pods has; external ranges hold at both their ends
// and at every boundary of an ipBlock.
#include "models/analysis/reach.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "tests/property/policy/random_world.hpp"

namespace podwire::analysis {
namespace {

using policy::Direction;
using policy::Peer;
using policy::PolicyEngine;
using policy::PortSet;
using test::RandomWorld;

std::uint64_t cluster_count() {
  if (const char* text = std::getenv("PODWIRE_PROPERTY_CLUSTERS")) {
    return std::strtoull(text, nullptr, 10);
  }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
  return 500;
#else
  return 5'000;
#endif
}

/// A row between workloads.
struct PairRow {
  PortSet ports;
  bool varies = false;
  PortSet ipv4;  // both empty: the families do not differ
  PortSet ipv6;
};

struct ExternalRow {
  std::pair<IpAddress, IpAddress> range;
  PortSet ports;
};

/// What reach said, by workload.
struct Rows {
  std::map<std::pair<std::size_t, std::size_t>, PairRow> pairs;
  std::set<std::pair<std::size_t, std::size_t>> doubtful;
  std::map<std::size_t, std::vector<ExternalRow>> from_outside;
  std::map<std::size_t, std::vector<ExternalRow>> to_outside;
};

PortSet at(const std::vector<ExternalRow>& rows, IpAddress ip) {
  PortSet found;
  for (const ExternalRow& row : rows) {
    if (row.range.first <= ip && ip <= row.range.second && row.range.first.family() == ip.family()) {
      EXPECT_TRUE(found.empty()) << "two rows hold " << ip.to_string();
      found = row.ports;
    }
  }
  return found;
}

class Comparison {
 public:
  explicit Comparison(std::uint64_t seed) : world_(seed, seed % 2 == 0) {
    for (test::SmallPod& pod : world_.cluster.pods) {
      if (world_.chance(60)) {
        pod.owner = world_.chance(50) ? "one" : "two";
      }
    }
    cluster_ = world_.cluster.build();
  }

  std::size_t run() {
    PolicyEngine engine(cluster_, world_.policies, world_.profile, world_.known_domains());
    Rows rows;
    const ReachSummary summary = reach(engine, {}, [&](const ReachRow& row) {
      ASSERT_TRUE(row.is_unknown || !row.ports->empty());
      if (row.source.is_external()) {
        rows.from_outside[row.destination.workload.index()].push_back({row.source.range, *row.ports});
      } else if (row.destination.is_external()) {
        rows.to_outside[row.source.workload.index()].push_back({row.destination.range, *row.ports});
      } else {
        const std::pair key(row.source.workload.index(), row.destination.workload.index());
        if (row.is_unknown) {
          rows.doubtful.insert(key);
        }
        const PairRow found{.ports = *row.ports,
                            .varies = row.varies,
                            .ipv4 = row.families_differ() ? *row.ipv4 : PortSet(),
                            .ipv6 = row.families_differ() ? *row.ipv6 : PortSet()};
        ASSERT_TRUE(rows.pairs.emplace(key, found).second) << "a pair has two rows";
      }
    });
    for (std::size_t s = 0; s < cluster_.workloads.size(); ++s) {
      for (std::size_t d = 0; d < cluster_.workloads.size(); ++d) {
        compare_pair(engine, rows, s, d);
      }
      compare_outside(engine, rows, s);
    }
    return summary.rows;
  }

 private:
  bool is_ignored(cluster::PodId pod) const {
    const cluster::PodPhase phase = cluster_.pods[pod.index()].phase;
    return world_.profile.policy.finished_pods_are_ignored &&
           (phase == cluster::PodPhase::succeeded || phase == cluster::PodPhase::failed);
  }

  bool speaks(cluster::PodId pod, IpFamily family) const {
    const test::SmallPod& plain = world_.cluster.pods[pod.index()];
    return plain.ip.is_unspecified() || plain.ip.family() == family || !plain.second_ip.is_unspecified();
  }
  IpAddress address(cluster::PodId pod, IpFamily family) const {
    const test::SmallPod& plain = world_.cluster.pods[pod.index()];
    return plain.ip.family() == family ? plain.ip : plain.second_ip;
  }

  /// The families in which a pair of pods is judged; of one that shares none, the source's own.
  std::vector<IpFamily> families(cluster::PodId source, cluster::PodId destination) const {
    std::vector<IpFamily> shared;
    for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
      if (speaks(source, family) && speaks(destination, family)) {
        shared.push_back(family);
      }
    }
    return shared.empty() ? std::vector{world_.cluster.pods[source.index()].ip.family()} : shared;
  }

  void compare_pair(PolicyEngine& engine, const Rows& rows, std::size_t s, std::size_t d) {
    PortSet expected;
    std::map<IpFamily, PortSet> by_family;
    std::optional<PortSet> first;
    bool varies = false;         // within a family
    bool varies_at_all = false;  // between families too
    bool is_doubtful = false;
    for (const cluster::PodId source : cluster_.workloads[s].pods) {
      for (const cluster::PodId destination : cluster_.workloads[d].pods) {
        if (source == destination || is_ignored(source) || is_ignored(destination)) {
          continue;
        }
        for (const IpFamily family : families(source, destination)) {
          bool is_egress_unknown = false;
          bool is_ingress_unknown = false;
          const Peer from = {.pod = source, .ip = address(source, family)};
          const Peer to = {.pod = destination, .ip = address(destination, family)};
          const PortSet ports =
              engine.allowed_ports(Direction::egress, from, to, is_egress_unknown)
                  .intersected_with(engine.allowed_ports(Direction::ingress, to, from, is_ingress_unknown));
          is_doubtful = is_doubtful || is_egress_unknown || is_ingress_unknown;
          const auto [known, is_first] = by_family.emplace(family, ports);
          varies = varies || (!is_first && ports != known->second);
          known->second = known->second.united_with(ports);
          varies_at_all = varies_at_all || (first && ports != *first);
          first = first.value_or(ports);
          expected = expected.united_with(ports);
        }
      }
    }
    const auto found = rows.pairs.find({s, d});
    const PortSet actual = found == rows.pairs.end() ? PortSet() : found->second.ports;
    EXPECT_EQ(actual.to_string(), expected.to_string())
        << cluster_.workload_name(cluster::WorkloadId(s)) << " => " << cluster_.workload_name(cluster::WorkloadId(d));
    EXPECT_TRUE(is_doubtful || !rows.doubtful.contains({s, d}));
    if (found == rows.pairs.end()) {
      return;
    }
    const bool has_two = std::any_of(world_.cluster.pods.begin(), world_.cluster.pods.end(),
                                     [](const test::SmallPod& pod) { return !pod.second_ip.is_unspecified(); });
    // Without pods of both families there is nothing to tell apart, and different families are different pods.
    if (!is_doubtful && !expected.empty()) {
      EXPECT_EQ(found->second.varies, has_two ? varies : varies_at_all)
          << cluster_.workload_name(cluster::WorkloadId(s)) << " => " << cluster_.workload_name(cluster::WorkloadId(d));
    }
    const bool differ = has_two && by_family.size() == 2 && by_family[IpFamily::v4] != by_family[IpFamily::v6];
    differing_ += differ ? 1 : 0;
    EXPECT_EQ(found->second.ipv4.to_string(), (differ ? by_family[IpFamily::v4] : PortSet()).to_string());
    EXPECT_EQ(found->second.ipv6.to_string(), (differ ? by_family[IpFamily::v6] : PortSet()).to_string());
  }

  void compare_outside(PolicyEngine& engine, const Rows& rows, std::size_t w) {
    bool has_v4 = false;
    bool has_v6 = false;
    for (const test::SmallPod& pod : world_.cluster.pods) {
      has_v4 = has_v4 || pod.ip.is_v4() || pod.ip.is_unspecified();
      has_v6 = has_v6 || (!pod.ip.is_v4() && !pod.ip.is_unspecified());
      has_v4 = has_v4 || pod.second_ip.is_v4();
      has_v6 = has_v6 || (!pod.second_ip.is_v4() && !pod.second_ip.is_unspecified());
    }
    const auto rows_of = [w](const auto& by_workload) {
      const auto found = by_workload.find(w);
      return found == by_workload.end() ? std::vector<ExternalRow>() : found->second;
    };
    const std::vector<IpAddress>& nodes = world_.cluster.node_addresses;
    for (const IpAddress ip : world_.interesting_addresses()) {
      if (ip.is_v4() ? !has_v4 : !has_v6) {
        continue;
      }
      // Reach has no ends for nodes, which are not like their neighbours where blocks do not match them.
      if (!world_.profile.policy.ip_block_matches_nodes && std::find(nodes.begin(), nodes.end(), ip) != nodes.end()) {
        continue;
      }
      PortSet in;
      PortSet out;
      for (const cluster::PodId pod : cluster_.workloads[w].pods) {
        if (!is_ignored(pod)) {
          bool is_unknown = false;
          const Peer end = {.pod = pod};
          const Peer stranger = {.ip = ip};
          in = in.united_with(engine.allowed_ports(Direction::ingress, end, stranger, is_unknown));
          out = out.united_with(engine.allowed_ports(Direction::egress, end, stranger, is_unknown));
        }
      }
      EXPECT_EQ(at(rows_of(rows.from_outside), ip).to_string(), in.to_string()) << "from " << ip.to_string();
      EXPECT_EQ(at(rows_of(rows.to_outside), ip).to_string(), out.to_string()) << "to " << ip.to_string();
    }
  }

  RandomWorld world_;
  cluster::Cluster cluster_;
  std::size_t differing_ = 0;

 public:
  /// Rows whose families differ.
  std::size_t differing() const { return differing_; }
};

TEST(Reach, HasARowForExactlyThePairsThatCanTalk) {
  const std::uint64_t count = cluster_count();
  std::size_t rows = 0;
  std::size_t differing = 0;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    Comparison comparison(seed);
    rows += comparison.run();
    differing += comparison.differing();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  EXPECT_GT(differing, count / 50);
  std::cout << count << " clusters, " << rows << " rows, " << differing << " of them other in each family\n";
}

}  // namespace
}  // namespace podwire::analysis
