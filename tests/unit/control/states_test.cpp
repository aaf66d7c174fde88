// Compiled states of a run: made on demand, by difference, and freed when all have passed.
#include "models/control/states.hpp"

#include <gtest/gtest.h>

#include "models/policy/view.hpp"
#include "tests/support/small_cluster.hpp"

namespace podwire::control {
namespace {

policy::NetworkPolicy deny(std::string name) {
  policy::NetworkPolicy policy;
  policy.name_space = "one";
  policy.name = std::move(name);
  return policy;
}

/// Two pods of a namespace; "late" denies from state 1 to state 2, "later" from state 2 on, state 3 is as state 2.
class StatesTest : public testing::Test {
 protected:
  StatesTest() {
    plain_.namespaces["one"] = {};
    plain_.node_addresses = {IpAddress::v4(192, 168, 0, 1)};
    for (const char* name : {"a", "b"}) {
      plain_.pods.push_back(
          {.name_space = "one", .name = name, .ip = IpAddress::v4(10, 0, 0, 1).plus(plain_.pods.size())});
    }
    cluster_ = plain_.build();
    sets_[1].network_policies = {deny("late")};
    sets_[2].network_policies = {deny("late"), deny("later")};
  }
  States states(bool keeps_all = false) {
    return States({{.cluster = &cluster_, .policies = &sets_[0]},
                   {.cluster = &cluster_, .policies = &sets_[1]},
                   {.cluster = &cluster_, .policies = &sets_[2]},
                   {.cluster = &cluster_, .policies = &sets_[2]}},
                  profile_, keeps_all);
  }
  static policy::Verdict ask(policy::PolicyEngine& engine) {
    return engine.verdict(policy::Direction::ingress, {.pod = cluster::PodId(0u)}, {.pod = cluster::PodId(1u)},
                          IpProtocol::tcp, Port(80));
  }

  test::SmallCluster plain_;
  cluster::Cluster cluster_;
  cni::Profile profile_;
  policy::PolicySet sets_[3];
};

TEST_F(StatesTest, AreMadeWhenFirstAskedFor) {
  States all = states();
  EXPECT_EQ(all.live_count(), 0u);
  EXPECT_TRUE(ask(all.engine(0)).is_allowed());
  EXPECT_EQ(all.live_count(), 1u);
  EXPECT_FALSE(ask(all.engine(2)).is_allowed());
  EXPECT_EQ(all.live_count(), 3u);
  EXPECT_FALSE(ask(all.engine(1)).is_allowed());
  EXPECT_TRUE(ask(all.engine(0)).is_allowed());
}

TEST_F(StatesTest, ShareAnEngineWhereNothingDiffers) {
  States all = states();
  EXPECT_EQ(&all.engine(3), &all.engine(2));
  EXPECT_EQ(all.live_count(), 3u);
}

TEST_F(StatesTest, AreFreedWhenAllHavePassedAndStillTellNames) {
  States all = states();
  all.free_before({0, 0, 1, 2});
  const policy::Verdict denied = ask(all.engine(1));
  EXPECT_EQ(all.live_count(), 2u);
  all.engine(2);
  EXPECT_EQ(all.live_count(), 2u);  // the first is gone
  all.engine(3);
  EXPECT_EQ(all.live_count(), 1u);
  EXPECT_EQ(all.engine(1).view().pods.size(), 0u);
  EXPECT_EQ(all.engine(1).deciding_rule(policy::Direction::ingress, denied), "default deny ingress (one/late)");
  EXPECT_FALSE(ask(all.engine(3)).is_allowed());
}

TEST_F(StatesTest, AreMadeOneByOneWhereAllPassSeveralAtOnce) {
  // Three changes of one time and no delay: once they are made, nobody acts on a state before the last.
  States all = states();
  all.free_before({0, 3, 3, 3});
  EXPECT_TRUE(ask(all.engine(0)).is_allowed());
  EXPECT_FALSE(ask(all.engine(3)).is_allowed());
  EXPECT_EQ(all.live_count(), 1u);
  EXPECT_EQ(all.engine(2).view().pods.size(), 2u);  // the same engine as the last
  EXPECT_EQ(all.engine(1).view().pods.size(), 0u);
}

TEST_F(StatesTest, AreAllKeptForThoseWhoAskAboutThePast) {
  States all = states(true);
  all.free_before({0, 1, 2, 3});
  all.engine(3);
  EXPECT_EQ(all.live_count(), 3u);
  EXPECT_TRUE(ask(all.engine(0)).is_allowed());
}

}  // namespace
}  // namespace podwire::control
