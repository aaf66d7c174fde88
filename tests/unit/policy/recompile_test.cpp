// States that follow one another: what they share, and what stays true of the earlier ones.
#include <gtest/gtest.h>

#include <array>

#include "models/policy/compiled.hpp"
#include "models/policy/engine.hpp"
#include "models/policy/read_keys.hpp"
#include "tests/support/small_cluster.hpp"

namespace podwire::policy {
namespace {

NetworkPolicy policy_of(std::string name, std::vector<std::string> blocks = {}) {
  NetworkPolicy policy;
  policy.name_space = "one";
  policy.name = std::move(name);
  for (const std::string& block : blocks) {
    Rule& rule = policy.ingress.emplace_back();
    rule.peers.emplace_back().ip_block = IpBlock{.cidr = *Cidr::parse(block), .except = {}, .span = {}};
  }
  return policy;
}

/// A pod each in "one" and "two"; policies are of "one".
class RecompileTest : public testing::Test {
 protected:
  RecompileTest() {
    plain_.namespaces = {{"one", {}}, {"two", {}}};
    plain_.node_addresses = {IpAddress::v4(192, 168, 0, 1)};
    plain_.pods = {{.name_space = "one", .name = "a", .ip = IpAddress::v4(10, 0, 0, 1)},
                   {.name_space = "two", .name = "b", .ip = IpAddress::v4(10, 0, 0, 2)}};
    cluster_ = plain_.build();
  }
  PolicyEngine engine(std::vector<NetworkPolicy> policies) {
    first_.network_policies = std::move(policies);
    return PolicyEngine(cluster_, first_, profile_);
  }
  static std::string deciding(PolicyEngine& engine, const char* from) {
    const Verdict verdict = engine.verdict(Direction::ingress, {.pod = cluster::PodId(0u)},
                                           {.ip = *IpAddress::parse(from)}, IpProtocol::tcp, Port(80));
    return engine.deciding_rule(Direction::ingress, verdict);
  }
  GroupId group(const PolicyEngine& engine) const { return engine.view().pods[0].ingress; }

  test::SmallCluster plain_;
  cluster::Cluster cluster_;
  cni::Profile profile_;
  PolicySet first_;
};

TEST_F(RecompileTest, VerdictsNameTheSamePolicyWhenOneIsInsertedBeforeIt) {
  PolicyEngine before = engine({policy_of("m", {"203.0.113.0/24"})});
  const PolicySet set = {.network_policies = {policy_of("a"), policy_of("m", {"203.0.113.0/24"})}};
  PolicyEngine after = before.next(cluster_, set);
  EXPECT_EQ(deciding(after, "203.0.113.7"), "one/m ingress rule 0");
  EXPECT_EQ(deciding(after, "198.51.100.7"), "default deny ingress (one/a)");  // the least isolating one
  EXPECT_EQ(deciding(before, "198.51.100.7"), "default deny ingress (one/m)");
  ASSERT_EQ(after.policies_of(group(after)).size(), 2u);
  EXPECT_EQ(after.policies_of(group(after)).at(1), PolicyIndex(1u));
}

TEST_F(RecompileTest, APolicyThatIsAsItWasTakesItsGroupAgain) {
  PolicyEngine first = engine({policy_of("m", {"203.0.113.0/24"})});
  const PolicySet other = {.network_policies = {policy_of("m", {"198.51.100.0/24"})}};
  PolicyEngine second = first.next(cluster_, other);
  PolicyEngine third = second.next(cluster_, first_);
  EXPECT_NE(group(second), group(first));
  EXPECT_EQ(group(third), group(first));
  EXPECT_EQ(deciding(third, "203.0.113.7"), "one/m ingress rule 0");
}

TEST_F(RecompileTest, ABlockThatSplitsAnAtomLeavesEarlierStatesAsTheyWere) {
  PolicyEngine before = engine({policy_of("m", {"203.0.113.0/24"})});
  const std::size_t atoms = before.atom_count();
  const PolicySet set = {.network_policies = {policy_of("m", {"203.0.113.0/24", "203.0.112.128/25"})}};
  PolicyEngine after = before.next(cluster_, set);
  EXPECT_EQ(after.atom_count(), atoms + 1);  // it ends where the other begins
  EXPECT_EQ(before.atom_count(), atoms);
  EXPECT_EQ(deciding(after, "203.0.112.200"), "one/m ingress rule 1");
  EXPECT_EQ(deciding(after, "203.0.112.100"), "default deny ingress (one/m)");
  EXPECT_EQ(deciding(before, "203.0.112.200"), "default deny ingress (one/m)");
  EXPECT_EQ(deciding(before, "203.0.113.200"), "one/m ingress rule 0");
}

TEST_F(RecompileTest, NothingIsCompiledWhereNothingDiffers) {
  PolicyEngine before = engine({policy_of("m", {"203.0.113.0/24"})});
  const PolicySet same = first_;
  const std::size_t segments = before.compiled().segments.size();
  PolicyEngine after = before.next(cluster_, same);
  EXPECT_EQ(after.compiled().segments.size(), segments);
  EXPECT_EQ(group(after), group(before));
  EXPECT_EQ(&after.view().pods[0], &before.view().pods[0]);  // the same page
}

TEST_F(RecompileTest, AStateThatIsReleasedStillTellsNames) {
  PolicyEngine before = engine({policy_of("m")});
  const Verdict denied = before.verdict(Direction::ingress, {.pod = cluster::PodId(0u)}, {.pod = cluster::PodId(1u)},
                                        IpProtocol::tcp, Port(80));
  const PolicySet none;
  PolicyEngine after = before.next(cluster_, none);
  before.release();
  EXPECT_EQ(before.deciding_rule(Direction::ingress, denied), "default deny ingress (one/m)");
  EXPECT_EQ(deciding(after, "203.0.113.7"), "no-policy");
}

cluster::LabelSelector versioned() {
  cluster::LabelSelector selector;
  selector.requirements.push_back({.key = "version", .values = {"v1"}});
  return selector;
}

TEST(ReadKeysTest, AKeyThatIsReadInOneNamespaceTellsNoPodsOfAnotherApart) {
  test::SmallCluster plain;
  plain.namespaces = {{"one", {}}, {"two", {}}};
  plain.node_addresses = {IpAddress::v4(192, 168, 0, 1)};
  for (const char* name_space : {"one", "two"}) {
    for (const char* version : {"v1", "v2"}) {
      plain.pods.push_back({.name_space = name_space, .name = version, .labels = {{"version", version}}});
    }
  }
  const cluster::Cluster cluster = plain.build();
  const cni::Profile profile;
  PolicySet set = {.network_policies = {policy_of("m")}};
  set.network_policies[0].pod_selector = versioned();
  PolicyEngine before(cluster, set, profile);
  const auto are_alike = [](const PolicyEngine& engine, std::size_t a, std::size_t b) {
    return engine.class_of(cluster::PodId(a)) == engine.class_of(cluster::PodId(b));
  };
  EXPECT_FALSE(are_alike(before, 0, 1));
  EXPECT_TRUE(are_alike(before, 2, 3));

  PolicySet wider = set;  // now pods of both namespaces are asked for their version
  PeerRule& peer = wider.network_policies[0].ingress.emplace_back().peers.emplace_back();
  peer.namespace_selector = cluster::LabelSelector();
  peer.pod_selector = versioned();
  PolicyEngine after = before.next(cluster, wider);
  EXPECT_FALSE(are_alike(after, 2, 3));
  EXPECT_TRUE(are_alike(before, 2, 3));
  const auto is_let_in = [&](std::size_t from) {
    return after
        .verdict(Direction::ingress, {.pod = cluster::PodId(0u)}, {.pod = cluster::PodId(from)}, IpProtocol::tcp,
                 Port(80))
        .is_allowed();
  };
  EXPECT_TRUE(is_let_in(2));
  EXPECT_FALSE(is_let_in(3));
}

TEST(ReadKeysTest, OfManyNamespacesAKeyCountsEverywhere) {
  ReadKeys keys;
  keys.resize(2, 100);
  const cluster::StringId first(0u);
  const cluster::StringId second(1u);
  ReadKeys::Added added;
  keys.add(first, std::array<std::uint32_t, 4>{3, 5, 9, 10}, added);  // 3, 4 and 9
  EXPECT_EQ(added, (ReadKeys::Added{{3, first}, {4, first}, {9, first}}));
  EXPECT_TRUE(keys.contains(4, first));
  EXPECT_FALSE(keys.contains(5, first));
  EXPECT_FALSE(keys.contains(4, second));
  added.clear();
  keys.add(first, std::array<std::uint32_t, 2>{4, 6}, added);  // 4 is known
  EXPECT_EQ(added, (ReadKeys::Added{{5, first}}));
  added.clear();
  keys.add(first, std::array<std::uint32_t, 2>{0, 100}, added);
  EXPECT_EQ(added, (ReadKeys::Added{{ReadKeys::kEverywhere, first}}));
  EXPECT_TRUE(keys.contains(77, first));
  added.clear();
  keys.add(first, std::array<std::uint32_t, 2>{0, 100}, added);
  EXPECT_TRUE(added.empty());
}

}  // namespace
}  // namespace podwire::policy
