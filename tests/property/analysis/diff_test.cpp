// diff against verdicts compared naively, pod by pod and port by port, on random pairs of clusters and policy sets:
// exactly the pairs that differ have a row, with exactly the ports that some two pods gain or lose; external ranges
// hold at and around every boundary of either side's blocks; a workload that came or went is never called a policy's
// effect. The seed of a failure is printed.
#include "models/analysis/diff.hpp"

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
using policy::PolicyEngine;
using policy::PortSet;
using test::NaiveEnd;
using test::NaiveEvaluator;
using test::RandomWorld;
using test::SmallCluster;
using test::SmallPod;

/// Each number that a random policy or pod can name, and one between each two: no policy tells others apart.
constexpr std::uint16_t kPorts[] = {1, 2, 53, 54, 80, 81, 82, 8080, 8081, 9090, 9091, 65535};
constexpr std::size_t kPortCount = std::size(kPorts) * std::size(kProtocols);
using Ports = std::array<bool, kPortCount>;

std::uint64_t pair_count() {
  if (const char* text = std::getenv("PODWIRE_PROPERTY_CLUSTERS")) {
    return std::strtoull(text, nullptr, 10);
  }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
  return 150;
#else
  return 2'000;
#endif
}

Ports of(const PortSet& set) {
  Ports ports{};
  std::size_t i = 0;
  for (const IpProtocol protocol : kProtocols) {
    for (const std::uint16_t port : kPorts) {
      ports[i++] = set.contains(protocol, Port(port));
    }
  }
  return ports;
}

bool is_any(const Ports& ports) {
  return std::find(ports.begin(), ports.end(), true) != ports.end();
}

/// One side as plain data.
struct Side {
  SmallCluster cluster;
  policy::PolicySet policies;
};

/// Workload → its pods that policies see, by position in the cluster.
using Members = std::map<std::string, std::vector<int>>;

class Comparison {
 public:
  explicit Comparison(std::uint64_t seed) : world_(seed) {
    RandomWorld other(seed + 1'000'000);
    for (SmallPod& pod : world_.cluster.pods) {
      if (world_.chance(60)) {
        pod.owner = world_.chance(50) ? "one" : "two";
      }
    }
    before_ = {.cluster = world_.cluster, .policies = world_.policies};
    after_ = before_;
    change_cluster(other);
    change_policies(other);
  }

  void run() {
    const cluster::Cluster old_cluster = before_.cluster.build();
    const cluster::Cluster new_cluster = after_.cluster.build();
    PolicyEngine old_engine(old_cluster, before_.policies, world_.profile);
    PolicyEngine new_engine(new_cluster, after_.policies, world_.profile);
    summary_ = diff(old_engine, new_engine, {}, [&](const DiffRow& row) { take(row); });
    const NaiveEvaluator old_naive(before_.cluster, before_.policies, world_.profile.policy);
    const NaiveEvaluator new_naive(after_.cluster, after_.policies, world_.profile.policy);
    const Members old_members = members(before_.cluster);
    const Members new_members = members(after_.cluster);
    std::set<std::string> names;
    for (const Members* const side : {&old_members, &new_members}) {
      for (const auto& [name, pods] : *side) {
        names.insert(name);
      }
    }
    for (const std::string& source : names) {
      for (const std::string& destination : names) {
        compare_pair(old_naive, new_naive, old_members, new_members, source, destination);
      }
      compare_outside(old_naive, new_naive, old_members, new_members, source);
    }
    EXPECT_TRUE(rows_.empty()) << "a row for no pair: " << rows_.begin()->first.first << " => "
                               << rows_.begin()->first.second;
    compare_workloads(old_members, new_members);
  }

  std::size_t rows = 0;
  std::size_t one_sided = 0;
  std::size_t varying = 0;
  std::size_t about_one_family = 0;

 private:
  void change_cluster(RandomWorld& other) {
    for (SmallPod& pod : after_.cluster.pods) {
      if (world_.chance(12)) {
        pod.labels = other.cluster.pods.front().labels;
      }
      if (world_.chance(5)) {
        pod.phase = cluster::PodPhase::succeeded;
      }
    }
    if (world_.chance(25) && after_.cluster.pods.size() > 1) {
      after_.cluster.pods.erase(after_.cluster.pods.begin() +
                                static_cast<std::ptrdiff_t>(world_.pick(after_.cluster.pods.size())));
    }
    if (world_.chance(25)) {
      SmallPod added = world_.cluster.pods.front();
      added.name = "pod-new";
      added.ip = IpAddress::v4(10, 0, 1, 77);
      added.second_ip = added.second_ip.is_unspecified() ? IpAddress() : IpAddress(0xfd00'0000'0000'0000u, 77);
      added.is_host_network = false;
      added.phase = cluster::PodPhase::running;
      added.owner = world_.chance(50) ? "" : "one";
      after_.cluster.pods.push_back(added);
    }
    if (world_.chance(10)) {
      after_.cluster.namespaces.begin()->second["env"] = "c";
    }
  }

  void change_policies(RandomWorld& other) {
    auto& policies = after_.policies.network_policies;
    std::erase_if(policies, [&](const policy::NetworkPolicy&) { return world_.chance(30); });
    for (policy::NetworkPolicy policy : other.policies.network_policies) {
      if (world_.chance(50)) {
        policy.name += "-new";
        policies.push_back(std::move(policy));
      }
    }
    std::sort(policies.begin(), policies.end(), [](const policy::NetworkPolicy& a, const policy::NetworkPolicy& b) {
      return std::tie(a.name_space, a.name) < std::tie(b.name_space, b.name);
    });
    for (const RandomWorld* const w : {&world_, &other}) {
      const auto all = w->interesting_addresses();
      for (std::size_t i = 0; i < 5; ++i) {
        addresses_.push_back(all[world_.pick(all.size())]);
      }
    }
  }

  Members members(const SmallCluster& cluster) const {
    Members result;
    for (std::size_t p = 0; p < cluster.pods.size(); ++p) {
      const SmallPod& pod = cluster.pods[p];
      const bool is_finished = pod.phase == cluster::PodPhase::succeeded || pod.phase == cluster::PodPhase::failed;
      if (!is_finished || !world_.profile.policy.finished_pods_are_ignored) {
        const std::string name = pod.owner.empty() ? pod.name_space + "/" + pod.name + "[Pod]"
                                                   : pod.name_space + "/" + pod.owner + "[Deployment]";
        result[name].push_back(static_cast<int>(p));
      }
    }
    return result;
  }

  void take(const DiffRow& row) {
    ++rows;
    varying += row.varies ? 1 : 0;
    one_sided += row.cause == DiffCause::policy ? 0 : 1;
    EXPECT_NE(row.cause, DiffCause::unknown);
    EXPECT_TRUE(!row.opened.empty() || !row.closed.empty());
    const auto reasons = row.reasons();
    EXPECT_EQ(reasons.empty(), row.cause != DiffCause::policy) << row.source.name << " => " << row.destination.name;
    for (const RuleChange& reason : reasons) {
      EXPECT_FALSE(reason.before.text.empty() || reason.after.text.empty());
    }
    DiffRow kept = row;
    kept.reasons = nullptr;
    if (row.source.is_external) {
      outside_[{row.destination.name, Direction::ingress}].push_back(kept);
    } else if (row.destination.is_external) {
      outside_[{row.source.name, Direction::egress}].push_back(kept);
    } else {
      EXPECT_TRUE(rows_.emplace(std::pair(row.source.name, row.destination.name), kept).second) << "two rows";
    }
  }

  Ports between(const NaiveEvaluator& naive, const NaiveEnd& source, const NaiveEnd& destination) const {
    Ports ports{};
    std::size_t i = 0;
    for (const IpProtocol protocol : kProtocols) {
      for (const std::uint16_t port : kPorts) {
        ports[i++] = naive.verdict(Direction::egress, source, destination, protocol, port).is_allowed &&
                     naive.verdict(Direction::ingress, destination, source, protocol, port).is_allowed;
      }
    }
    return ports;
  }

  /// By name, then by position; a pod without a partner goes with the other side's last.
  std::vector<std::pair<int, int>> matched(const std::vector<int>& old_pods, const std::vector<int>& new_pods) const {
    std::vector<std::pair<int, int>> result;
    std::vector<int> old_rest;
    std::vector<int> new_rest = new_pods;
    for (const int o : old_pods) {
      const auto at = std::find_if(new_rest.begin(), new_rest.end(), [&](int n) {
        return after_.cluster.pods[static_cast<std::size_t>(n)].name ==
               before_.cluster.pods[static_cast<std::size_t>(o)].name;
      });
      if (at == new_rest.end()) {
        old_rest.push_back(o);
      } else {
        result.emplace_back(o, *at);
        new_rest.erase(at);
      }
    }
    for (std::size_t i = 0; i < std::max(old_rest.size(), new_rest.size()); ++i) {
      result.emplace_back(i < old_rest.size() ? old_rest[i] : old_pods.back(),
                          i < new_rest.size() ? new_rest[i] : new_pods.back());
    }
    return result;
  }

  static std::vector<int> pods_of(const Members& members, const std::string& name) {
    const auto found = members.find(name);
    return found == members.end() ? std::vector<int>() : found->second;
  }

  static bool speaks(const SmallPod& pod, IpFamily family) {
    return pod.ip.is_unspecified() || pod.ip.family() == family || !pod.second_ip.is_unspecified();
  }
  static NaiveEnd end_in(const SmallCluster& cluster, int pod, IpFamily family) {
    const SmallPod& plain = cluster.pods[static_cast<std::size_t>(pod)];
    return {.pod = pod, .ip = plain.ip.family() == family ? plain.ip : plain.second_ip};
  }
  static bool share(const SmallCluster& cluster, int a, int b, IpFamily family) {
    return speaks(cluster.pods[static_cast<std::size_t>(a)], family) &&
           speaks(cluster.pods[static_cast<std::size_t>(b)], family);
  }

  /// What all pairs of different pods of one side have together, in one family if it is given; `exists` when there is
  /// such a pair. Pods that share no family count in the source's.
  Ports united(const NaiveEvaluator& naive, const SmallCluster& cluster, const std::vector<int>& sources,
               const std::vector<int>& destinations, bool& exists, std::optional<IpFamily> only = {}) const {
    Ports all{};
    for (const int s : sources) {
      for (const int d : destinations) {
        const bool share_none = !share(cluster, s, d, IpFamily::v4) && !share(cluster, s, d, IpFamily::v6);
        for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
          const bool is_judged = share_none ? cluster.pods[static_cast<std::size_t>(s)].ip.family() == family
                                            : share(cluster, s, d, family);
          if (s != d && is_judged && (!only || *only == family)) {
            exists = true;
            const Ports ports = between(naive, end_in(cluster, s, family), end_in(cluster, d, family));
            std::transform(all.begin(), all.end(), ports.begin(), all.begin(), std::logical_or<>());
          }
        }
      }
    }
    return all;
  }

  /// What every pair of different pods of one side has in each family, if it is the same for all; empty where it is
  /// not. A family without a pair has no entry.
  std::optional<std::map<IpFamily, Ports>> uniform(const NaiveEvaluator& naive, const SmallCluster& cluster,
                                                   const std::vector<int>& sources,
                                                   const std::vector<int>& destinations) const {
    std::map<IpFamily, Ports> found;
    for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
      for (const int s : sources) {
        for (const int d : destinations) {
          bool exists = false;
          const Ports ports = united(naive, cluster, {s}, {d}, exists, family);
          if (exists && found.emplace(family, ports).first->second != ports) {
            return {};
          }
        }
      }
    }
    return found;
  }

  /// The same as a row about one family has it: of a side that has no pair in it all that it has.
  Ports united_in(const NaiveEvaluator& naive, const SmallCluster& cluster, const std::vector<int>& sources,
                  const std::vector<int>& destinations, IpFamily family) const {
    bool exists = false;
    const bool has_two = std::any_of(cluster.pods.begin(), cluster.pods.end(),
                                     [](const SmallPod& pod) { return !pod.second_ip.is_unspecified(); });
    const Ports ports = united(naive, cluster, sources, destinations, exists, family);
    return exists && has_two ? ports : united(naive, cluster, sources, destinations, exists);
  }

  /// What a pod of each side gains and loses towards another, in every family that they share on either side.
  void add_pair(const NaiveEvaluator& old_naive, const NaiveEvaluator& new_naive, std::pair<int, int> source,
                std::pair<int, int> destination, Ports& opened, Ports& closed) const {
    const auto add = [&](const NaiveEnd& old_source, const NaiveEnd& old_destination, const NaiveEnd& new_source,
                         const NaiveEnd& new_destination) {
      add_changes(between(old_naive, old_source, old_destination), between(new_naive, new_source, new_destination),
                  opened, closed);
    };
    bool is_judged = false;
    for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
      if (share(before_.cluster, source.first, destination.first, family) ||
          share(after_.cluster, source.second, destination.second, family)) {
        is_judged = true;
        add(end_in(before_.cluster, source.first, family), end_in(before_.cluster, destination.first, family),
            end_in(after_.cluster, source.second, family), end_in(after_.cluster, destination.second, family));
      }
    }
    if (!is_judged) {
      add({.pod = source.first}, {.pod = destination.first}, {.pod = source.second}, {.pod = destination.second});
    }
  }

  static void add_changes(const Ports& before, const Ports& after, Ports& opened, Ports& closed) {
    for (std::size_t i = 0; i < kPortCount; ++i) {
      opened[i] = opened[i] || (!before[i] && after[i]);
      closed[i] = closed[i] || (before[i] && !after[i]);
    }
  }

  void compare_pair(const NaiveEvaluator& old_naive, const NaiveEvaluator& new_naive, const Members& old_members,
                    const Members& new_members, const std::string& source, const std::string& destination) {
    const auto old_sources = pods_of(old_members, source);
    const auto old_destinations = pods_of(old_members, destination);
    const auto new_sources = pods_of(new_members, source);
    const auto new_destinations = pods_of(new_members, destination);
    bool has_old = false;
    bool has_new = false;
    Ports before = united(old_naive, before_.cluster, old_sources, old_destinations, has_old);
    Ports after = united(new_naive, after_.cluster, new_sources, new_destinations, has_new);
    const bool is_matched =
        !old_sources.empty() && !old_destinations.empty() && !new_sources.empty() && !new_destinations.empty();
    std::optional<DiffRow> row;
    if (const auto found = rows_.find({source, destination}); found != rows_.end()) {
      row = found->second;
      rows_.erase(found);
    }
    const std::string what = source + " => " + destination;
    if (!is_matched) {
      EXPECT_EQ(row.has_value(), is_any(before) || is_any(after)) << what;
      if (row) {
        EXPECT_EQ(row->cause, has_old ? DiffCause::workload_removed : DiffCause::workload_added) << what;
        EXPECT_EQ(of(row->before), before) << what;
        EXPECT_EQ(of(row->after), after) << what;
      }
      return;
    }
    Ports opened{};
    Ports closed{};
    // A workload to itself is about different replicas: where one side has a single one, there is nothing to compare.
    if (has_old && has_new) {
      for (const auto& [old_source, new_source] : matched(old_sources, new_sources)) {
        for (const auto& [old_destination, new_destination] : matched(old_destinations, new_destinations)) {
          if (source != destination || (old_source != old_destination && new_source != new_destination)) {
            add_pair(old_naive, new_naive, {old_source, new_source}, {old_destination, new_destination}, opened,
                     closed);
          }
        }
      }
    }
    // Pods that come or go are matched with others, of another family at times: where all fare alike in each family, it
    // is the families that are compared.
    const auto old_by_family = uniform(old_naive, before_.cluster, old_sources, old_destinations);
    const auto new_by_family = uniform(new_naive, after_.cluster, new_sources, new_destinations);
    if (old_by_family && new_by_family && old_by_family->size() == 2 && new_by_family->size() == 2) {
      opened = {};
      closed = {};
      for (const auto& [family, ports] : *old_by_family) {
        add_changes(ports, new_by_family->at(family), opened, closed);
      }
    }
    EXPECT_EQ(row.has_value(), is_any(opened) || is_any(closed)) << what;
    if (row) {
      EXPECT_EQ(row->cause, DiffCause::policy) << what;
      if (row->family) {
        ++about_one_family;
        before = united_in(old_naive, before_.cluster, old_sources, old_destinations, *row->family);
        after = united_in(new_naive, after_.cluster, new_sources, new_destinations, *row->family);
        EXPECT_TRUE(row->varies || before != after) << what;
      }
      EXPECT_EQ(of(row->opened), opened) << what << " opened " << row->opened.to_string();
      EXPECT_EQ(of(row->closed), closed) << what << " closed " << row->closed.to_string();
      EXPECT_EQ(of(row->before), before) << what;
      EXPECT_EQ(of(row->after), after) << what;
    }
  }

  static bool has_family(const SmallCluster& cluster, bool is_v4) {
    return cluster.pods.empty() ? is_v4
                                : std::any_of(cluster.pods.begin(), cluster.pods.end(), [&](const SmallPod& pod) {
                                    const IpAddress second = pod.second_ip;
                                    return is_v4 ? pod.ip.is_v4() || pod.ip.is_unspecified() || second.is_v4()
                                                 : (!pod.ip.is_v4() && !pod.ip.is_unspecified()) ||
                                                       (!second.is_v4() && !second.is_unspecified());
                                  });
  }

  void compare_outside(const NaiveEvaluator& old_naive, const NaiveEvaluator& new_naive, const Members& old_members,
                       const Members& new_members, const std::string& name) {
    const auto old_pods = pods_of(old_members, name);
    const auto new_pods = pods_of(new_members, name);
    for (const Direction direction : {Direction::ingress, Direction::egress}) {
      const std::vector<DiffRow> found = outside_[{name, direction}];
      check_merged(found, direction);
      for (const IpAddress ip : addresses_) {
        const bool is_compared = has_family(before_.cluster, ip.is_v4()) && has_family(after_.cluster, ip.is_v4());
        if (old_pods.empty() || new_pods.empty() || !is_compared || is_unlike_its_range(ip)) {
          continue;
        }
        Ports opened{};
        Ports closed{};
        for (const auto& [o, n] : matched(old_pods, new_pods)) {
          const NaiveEnd old_end{.pod = o};
          const NaiveEnd new_end{.pod = n};
          const NaiveEnd stranger{.ip = ip};
          const bool is_in = direction == Direction::ingress;
          add_changes(is_in ? between(old_naive, stranger, old_end) : between(old_naive, old_end, stranger),
                      is_in ? between(new_naive, stranger, new_end) : between(new_naive, new_end, stranger), opened,
                      closed);
        }
        const auto row = std::find_if(found.begin(), found.end(), [&](const DiffRow& r) {
          const auto& [first, last] = (direction == Direction::ingress ? r.source : r.destination).range;
          return first <= ip && ip <= last && first.family() == ip.family();
        });
        EXPECT_EQ(of(row == found.end() ? PortSet() : row->opened), opened) << name << ' ' << ip.to_string();
        EXPECT_EQ(of(row == found.end() ? PortSet() : row->closed), closed) << name << ' ' << ip.to_string();
      }
    }
  }

  /// Nodes are no ends of reach's, and not like their neighbours where blocks do not match them.
  bool is_unlike_its_range(IpAddress ip) const {
    const auto is_node_apart = [&](const Side& side) {
      const std::vector<IpAddress>& nodes = side.cluster.node_addresses;
      return !world_.profile.policy.ip_block_matches_nodes && std::find(nodes.begin(), nodes.end(), ip) != nodes.end();
    };
    return is_node_apart(before_) || is_node_apart(after_);
  }

  /// Ranges ascend, do not overlap, and neighbours differ.
  static void check_merged(const std::vector<DiffRow>& found, Direction direction) {
    for (std::size_t i = 1; i < found.size(); ++i) {
      const DiffRow& a = found[i - 1];
      const DiffRow& b = found[i];
      const auto& a_range = (direction == Direction::ingress ? a.source : a.destination).range;
      const auto& b_range = (direction == Direction::ingress ? b.source : b.destination).range;
      if (a_range.first.family() == b_range.first.family()) {
        EXPECT_LT(a_range.second, b_range.first);
        EXPECT_FALSE(a_range.second.plus(1) == b_range.first && a.before == b.before && a.after == b.after &&
                     a.opened == b.opened && a.closed == b.closed && a.varies == b.varies)
            << "two rows could be one at " << b_range.first.to_string();
      }
    }
  }

  void compare_workloads(const Members& old_members, const Members& new_members) const {
    std::map<std::string, ChangeKind> expected;
    for (const auto& [name, pods] : old_members) {
      if (!new_members.contains(name)) {
        expected.emplace(name, ChangeKind::removed);
      }
    }
    for (const auto& [name, pods] : new_members) {
      if (!old_members.contains(name)) {
        expected.emplace(name, ChangeKind::added);
      }
    }
    std::map<std::string, ChangeKind> actual;
    for (const WorkloadChange& change : summary_.workloads) {
      actual.emplace(change.name, change.kind);
    }
    EXPECT_EQ(actual, expected);
  }

  RandomWorld world_;
  Side before_;
  Side after_;
  std::vector<IpAddress> addresses_;
  std::map<std::pair<std::string, std::string>, DiffRow> rows_;
  std::map<std::pair<std::string, Direction>, std::vector<DiffRow>> outside_;
  DiffSummary summary_;
};

TEST(Diff, HasARowForExactlyThePairsThatDiffer) {
  const std::uint64_t count = pair_count();
  std::size_t rows = 0;
  std::size_t one_sided = 0;
  std::size_t varying = 0;
  std::size_t about_one_family = 0;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    Comparison comparison(seed);
    comparison.run();
    rows += comparison.rows;
    one_sided += comparison.one_sided;
    varying += comparison.varying;
    about_one_family += comparison.about_one_family;
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  std::cout << count << " pairs of clusters, " << rows << " rows, " << one_sided << " with a workload of one side, "
            << varying << " between pods that differ, " << about_one_family << " about one address family\n";
  if (count >= 100) {  // no kind of row is missing from the comparison
    EXPECT_GT(rows, count);
    EXPECT_GT(one_sided, count / 10);
    EXPECT_GT(varying, count / 10);
    EXPECT_GT(about_one_family, count / 200);
  }
}

TEST(Diff, OfAClusterWithItselfIsEmpty) {
  for (std::uint64_t seed = 1; seed <= pair_count(); ++seed) {
    RandomWorld world(seed);
    const cluster::Cluster cluster = world.cluster.build();
    PolicyEngine one(cluster, world.policies, world.profile);
    PolicyEngine two(cluster, world.policies, world.profile);
    const DiffSummary summary = diff(one, two, {}, [](const DiffRow&) {});
    ASSERT_EQ(summary.totals.rows(), 0u) << "seed " << seed;
    ASSERT_TRUE(summary.policies.empty() && summary.workloads.empty()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace podwire::analysis
