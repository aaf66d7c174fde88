// Groups with very many grants, whose rules are found by label: what is found is what looking at all of them finds.
#include "models/policy/grant_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "models/policy/engine.hpp"
#include "tests/support/small_cluster.hpp"

namespace podwire::policy {
namespace {

using cluster::SelectorOperator;

cluster::Requirement requirement(std::string key, SelectorOperator op, std::vector<std::string> values = {}) {
  std::sort(values.begin(), values.end());
  return {.key = std::move(key), .op = op, .values = std::move(values)};
}

std::string number(std::uint64_t n) {
  return std::to_string(n);
}

/// 40 pods in two namespaces, and policies of "one" that select all its pods: each has a rule of its own port.
class LargeGroup : public testing::Test {
 protected:
  static constexpr unsigned kPods = 40;
  static constexpr unsigned kPolicies = 200;  // more than are looked through
  static constexpr unsigned kPorts = 50;

  LargeGroup() {
    network_.namespaces = {{"one", {{"team", "a"}}}, {"two", {{"team", "b"}}}};
    network_.node_addresses = {IpAddress::v4(192, 168, 0, 1)};
    for (unsigned p = 0; p < kPods; ++p) {
      network_.pods.push_back({.name_space = p % 2 == 0 ? "one" : "two",
                               .name = "pod-" + number(p),
                               .labels = {{"app", number(p % 3)}, {"pod", number(p)}},
                               .ip = IpAddress::v4(10, 0, 0, p + 1)});
    }
    cluster_ = network_.build();
    std::mt19937_64 random(5);
    for (unsigned i = 0; i < kPolicies; ++i) {
      NetworkPolicy& policy = policies_.network_policies.emplace_back();
      policy.name_space = "one";
      policy.name = "p" + number(1'000 + i);  // as sorted as the numbers
      Rule& rule = policy.ingress.emplace_back();
      rule.peers.push_back(peer(i, random));
      const Port port(static_cast<std::uint16_t>(1 + random() % kPorts));
      rule.ports.push_back({.first = port, .last = port});
    }
  }

  /// All the ways in: an address, anybody, one value, several, two requirements, none that an index can use.
  static PeerRule peer(unsigned i, std::mt19937_64& random) {
    PeerRule peer;
    if (i % 8 == 0) {
      peer.ip_block = IpBlock{
          .cidr = Cidr(IpAddress::v4(10, 0, 0, static_cast<unsigned>(random() % 32)), 29), .except = {}, .span = {}};
      return peer;
    }
    if (i % 3 == 0) {
      peer.namespace_selector = cluster::LabelSelector();
    }
    auto& wanted = peer.pod_selector.emplace().requirements;
    const std::string pod = number(random() % kPods);
    switch (i % 7) {
      case 0:
        wanted = {requirement("pod", SelectorOperator::not_in, {pod, "1", "2"})};
        break;
      case 1:
        wanted = {requirement("pod", SelectorOperator::in, {pod, number(random() % kPods)})};
        break;
      case 2:
        wanted = {requirement("absent", SelectorOperator::exists)};
        break;
      case 3:
        wanted = {requirement("app", SelectorOperator::in, {"1"}), requirement("pod", SelectorOperator::in, {pod})};
        break;
      default:
        wanted = {requirement("pod", SelectorOperator::in, {pod})};
    }
    return peer;
  }

  static Verdict ask(PolicyEngine& engine, unsigned subject, const Peer& other, unsigned port) {
    return engine.verdict(Direction::ingress, {.pod = cluster::PodId(subject)}, other, IpProtocol::tcp,
                          Port(static_cast<std::uint16_t>(port)));
  }

  test::SmallCluster network_;
  cluster::Cluster cluster_;
  PolicySet policies_;
  cni::Profile profile_;
};

// A new engine looks through all rules for its first questions; one that has been asked about many peers does not.
TEST_F(LargeGroup, GivesTheVerdictsOfAnEngineThatLooksAtAllRules) {
  PolicyEngine asked(cluster_, policies_, profile_);
  std::vector<Peer> others;
  for (unsigned p = 1; p < kPods; ++p) {
    others.push_back({.pod = cluster::PodId(p)});
  }
  for (unsigned a = 0; a < 40; a += 3) {
    others.push_back({.ip = IpAddress::v4(10, 0, 0, a)});
  }
  unsigned allowed = 0;
  for (const Peer& other : others) {
    PolicyEngine fresh(cluster_, policies_, profile_);
    for (unsigned port = 1; port <= kPorts + 1; ++port) {
      const Verdict found = ask(asked, 0, other, port);
      const Verdict wanted = ask(fresh, 0, other, port);
      EXPECT_EQ(found.action, wanted.action) << other.pod.value() << ' ' << other.ip.to_string() << ' ' << port;
      EXPECT_EQ(found.cause, wanted.cause);
      EXPECT_EQ(found.policy, wanted.policy);
      EXPECT_EQ(found.rule, wanted.rule);
      allowed += found.is_allowed() ? 1 : 0;
    }
  }
  EXPECT_GT(allowed, others.size());  // rules without an index let nearly everyone in somewhere
  EXPECT_LT(allowed, others.size() * kPorts);
}

TEST_F(LargeGroup, IsIndexedOnceItHasBeenAskedAboutOften) {
  PolicyEngine engine(cluster_, policies_, profile_);
  const Compiled& compiled = engine.compiled();
  const GroupId group = engine.view().pods[0].ingress;
  GrantIndexes indexes;
  for (int question = 0; question < 4; ++question) {
    EXPECT_EQ(indexes.of(compiled, group), nullptr);
  }
  const GrantIndex* index = indexes.of(compiled, group);
  ASSERT_NE(index, nullptr);
  // Towards one peer: every grant at most once, far fewer than there are, and those that match among them.
  std::vector<PolicyNumber> candidates;
  const PeerId peer = engine.view().pods[3].peer;
  index->for_each_candidate(compiled, peer, [&](const Grant& grant) { candidates.push_back(grant.policy); });
  std::sort(candidates.begin(), candidates.end());
  EXPECT_EQ(std::unique(candidates.begin(), candidates.end()), candidates.end());
  EXPECT_LT(candidates.size(), kPolicies / 2);
  for (const std::uint32_t s : compiled.segments_of(group)) {
    for (const Grant& grant : compiled.segments[s].grants) {
      if (compiled.peer_matches(grant.peer, peer)) {
        EXPECT_TRUE(std::binary_search(candidates.begin(), candidates.end(), grant.policy));
      }
    }
  }
}

TEST_F(LargeGroup, IsNotIndexedWhereItIsSmall) {
  policies_.network_policies.resize(20);
  PolicyEngine engine(cluster_, policies_, profile_);
  GrantIndexes indexes;
  for (int question = 0; question < 20; ++question) {
    EXPECT_EQ(indexes.of(engine.compiled(), engine.view().pods[0].ingress), nullptr);
  }
}

}  // namespace
}  // namespace podwire::policy
