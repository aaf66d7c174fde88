// From records' ends to the cluster's, and from records to connections.
#include "models/flows/mapping.hpp"

#include <gtest/gtest.h>

#include "models/cluster/cluster.hpp"
#include "models/flows/merge.hpp"
#include "sim/config/render.hpp"

namespace podwire::flows {
namespace {

constexpr Nanoseconds kNoon = 1'772'366'400 * kSecond;

std::string object(const std::string& kind, const std::string& name, const std::string& owner,
                   const std::string& labels, const std::string& spec, const std::string& status) {
  return "---\napiVersion: " + std::string(kind == "Pod" || kind == "Node" ? "v1" : "apps/v1") + "\nkind: " + kind +
         "\nmetadata: {name: " + name + (kind == "Node" ? "" : ", namespace: shop") + ", labels: {" + labels + "}" +
         (owner.empty() ? "" : ", ownerReferences: [" + owner + "]") + "}\nspec: {" + spec + "}\nstatus: {" + status +
         "}\n";
}

std::string pod(const std::string& name, const std::string& owner, const std::string& labels, const std::string& ip) {
  return object("Pod", name, owner, labels, "nodeName: node-0, containers: [{name: main, image: main}]",
                "phase: Running, podIP: " + ip + ", conditions: [{type: Ready, status: \"True\"}]");
}

/// Namespace shop: web (a Deployment of two), db-0, which listens on 5432; a node.
cluster::Cluster town() {
  const std::string owned = "{apiVersion: apps/v1, kind: ReplicaSet, name: web-7d77fb55cc, controller: true, uid: r}";
  const std::string owns = "{apiVersion: apps/v1, kind: Deployment, name: web, controller: true, uid: d}";
  const std::string pods =
      "replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, "
      "spec: {containers: [{name: main, image: main}]}}";
  std::string text =
      object("Node", "node-0", "", "", "podCIDR: 10.1.0.0/26", "addresses: [{type: InternalIP, address: 192.168.0.1}]");
  text += object("Deployment", "web", "", "", pods, "") + object("ReplicaSet", "web-7d77fb55cc", owns, "", pods, "");
  text += pod("web-7d77fb55cc-bbbbb", owned, "app: web, pod-template-hash: 7d77fb55cc", "10.1.0.2");
  text += pod("web-7d77fb55cc-x2x7p", owned, "app: web, pod-template-hash: 7d77fb55cc", "10.1.0.3");
  text +=
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: db-0, namespace: shop, labels: {app: db}}\nspec: {nodeName: "
      "node-0, containers: [{name: main, image: main, ports: [{containerPort: 5432}]}]}\nstatus: {phase: Running, "
      "podIP: 10.1.0.4, podIPs: [{ip: 10.1.0.4}, {ip: 'fd00:1::4'}]}\n";
  SourceMap sources;
  cluster::ObjectStore store;
  Diagnostics diagnostics;
  store.add_layer(sources, {.path = "-", .shown_as = "town.yaml", .text = std::move(text), .span = {}}, {},
                  diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << config::render(diagnostics, sources);
  auto built = cluster::build_cluster(store, {});
  EXPECT_TRUE(built.has_value()) << config::render(built.diagnostics(), sources);
  return std::move(built).value();
}

/// Pods by name, as ids depend on the cluster's order.
std::uint32_t id_of(const cluster::Cluster& cluster, std::string_view name) {
  return cluster.find_pod(cluster.find_namespace("shop"), name).value();
}

FlowEnd named(std::string_view pod, IpAddress ip = {}) {
  return {.name_space = "shop", .pod = pod, .ip = ip};
}
FlowEnd at(IpAddress ip, EndHint hint = EndHint::none) {
  return {.ip = ip, .hint = hint};
}

class Mapping : public testing::Test {
 protected:
  End map(const FlowEnd& end, Nanoseconds time = kNoon) { return mapper_.map(end, time, "kind/node-0"); }
  Stranger why(const FlowEnd& end, Nanoseconds time = kNoon) {
    const End found = map(end, time);
    EXPECT_EQ(found.kind, EndKind::unmapped);
    return mapper_.strangers()[found.id].reason;
  }
  cluster::Cluster cluster_ = town();
  const std::uint32_t db_ = id_of(cluster_, "db-0");
  const std::uint32_t web_ = id_of(cluster_, "web-7d77fb55cc-bbbbb");
  const std::uint32_t other_web_ = id_of(cluster_, "web-7d77fb55cc-x2x7p");
  EndMapper mapper_{cluster_, {}};
};

TEST_F(Mapping, APodIsFoundByItsName) {
  const End found = map(named("db-0"));
  EXPECT_EQ(found.kind, EndKind::pod);
  EXPECT_EQ(found.id, db_);
  EXPECT_TRUE(found.is_exact);
}

TEST_F(Mapping, APodThatIsGoneIsJudgedAsItsWorkload) {
  // Another replica set's hash, and a suffix of five letters that generated names have.
  const End found = map(named("web-6c9f5dd8b4-zzzzz"));
  EXPECT_EQ(found.kind, EndKind::pod);
  EXPECT_EQ(found.id, web_);
  EXPECT_FALSE(found.is_exact);
  const End told = map({.name_space = "shop", .pod = "odd", .workload = "web", .workload_kind = "Deployment"});
  EXPECT_EQ(told.id, web_);
  const End by_labels = map({.name_space = "shop", .pod = "odder", .labels = {"app=web", "extra=1"}});
  EXPECT_EQ(by_labels.id, web_);
}

TEST_F(Mapping, APodsNameOfManyStandsForItsWorkload) {
  const End found = map(named("web-7d77fb55cc-*"));
  EXPECT_EQ(found.kind, EndKind::pod);
  EXPECT_FALSE(found.is_exact);
  EXPECT_EQ(why(named("nothing-*")), Stranger::unknown_name);
}

TEST_F(Mapping, WhatNobodyKnowsIsListedOnce) {
  EXPECT_EQ(why(named("ghost")), Stranger::unknown_name);
  EXPECT_EQ(map(named("ghost")).id, map(named("ghost")).id);
  EXPECT_EQ(why({.name_space = "nowhere", .pod = "db-0"}), Stranger::unknown_name);
  EXPECT_EQ(why({}), Stranger::nameless);
  EXPECT_EQ(mapper_.strangers().size(), 3u);
}

TEST_F(Mapping, LabelsThatHaveChangedAreNoticed) {
  FlowEnd end = named("db-0");
  end.labels = {"app=db"};
  EXPECT_FALSE(map(end).has_new_labels);
  end.labels = {"app=db", "tier=old"};
  EXPECT_TRUE(map(end).has_new_labels);
  end.labels = {"app=db", "controller-revision-hash=77"};
  EXPECT_FALSE(map(end).has_new_labels);
}

TEST_F(Mapping, AnAddressIsAPodANodeOrOutside) {
  EXPECT_EQ(map(at(IpAddress::v4(10, 1, 0, 4))).id, db_);
  EXPECT_EQ(map(at(IpAddress::v4(192, 168, 0, 1))).kind, EndKind::node);
  EXPECT_EQ(map(at(IpAddress::v4(192, 168, 0, 1), EndHint::host)).kind, EndKind::node);
  EXPECT_EQ(map(at(IpAddress::v4(198, 51, 100, 7), EndHint::world)).kind, EndKind::address);
  EXPECT_EQ(why(at(IpAddress::v4(10, 1, 0, 7))), Stranger::unknown_address);    // of the node's block
  EXPECT_EQ(why(at(IpAddress::v4(10, 1, 0, 200))), Stranger::unknown_address);  // in a /24 with pods
}

TEST_F(Mapping, AnAddressThatChangedHandsGoesByTheLogsOwnNames) {
  const IpAddress ip = IpAddress::v4(10, 1, 0, 4);  // db-0 has it in the dump
  map(named("web-7d77fb55cc-x2x7p", ip), kNoon - 600 * kSecond);
  map(named("web-7d77fb55cc-x2x7p", ip), kNoon - 500 * kSecond);
  map(named("db-0", ip), kNoon - 60 * kSecond);
  map(named("db-0", ip), kNoon);
  EXPECT_EQ(map(at(ip), kNoon - 550 * kSecond).id, other_web_);
  EXPECT_EQ(map(at(ip), kNoon - 30 * kSecond).id, db_);
  EXPECT_EQ(why(at(ip), kNoon - 200 * kSecond), Stranger::changed_hands);  // between the two
}

TEST(MappingOfTwoFamilies, APodsSecondAddressIsKeptWithThePod) {
  const cluster::Cluster cluster = town();
  EndMapper mapper(cluster, {});
  const IpAddress second = *IpAddress::parse("fd00:1::4");
  const End by_address = mapper.map({.ip = second}, kNoon, "");
  EXPECT_EQ(by_address.kind, EndKind::pod);
  EXPECT_EQ(by_address.id, id_of(cluster, "db-0"));
  EXPECT_EQ(by_address.ip, second);
  EXPECT_EQ(mapper.map(named("db-0", second), kNoon, "").ip, second);
  EXPECT_TRUE(mapper.map({.ip = IpAddress::v4(10, 1, 0, 4)}, kNoon, "").ip.is_unspecified());
}

TEST(MappingOfStarts, AnAddressWhosePodStartedLaterIsNobodys) {
  const cluster::Cluster cluster = town();
  MappingOptions options;
  options.pod_starts.assign(cluster.pods.size(), kNoTime);
  options.pod_starts[id_of(cluster, "db-0")] = kNoon;
  EndMapper mapper(cluster, options);
  const FlowEnd end = at(IpAddress::v4(10, 1, 0, 4));
  EXPECT_EQ(mapper.map(end, kNoon - 4 * kSecond, "").kind, EndKind::pod);  // clocks may differ by 5 s
  const End before = mapper.map(end, kNoon - 6 * kSecond, "");
  ASSERT_EQ(before.kind, EndKind::unmapped);
  EXPECT_EQ(mapper.strangers()[before.id].reason, Stranger::later_pod);
}

TEST(MappingOfStrangers, AreCountedByReasonBeyondTheLimit) {
  const cluster::Cluster cluster = town();
  MappingOptions options;
  options.most_strangers = 2;
  EndMapper mapper(cluster, options);
  for (int i = 0; i < 100; ++i) {
    const std::string name = "ghost" + std::to_string(i);
    mapper.map({.name_space = "shop", .pod = name}, kNoon, "");
  }
  ASSERT_EQ(mapper.strangers().size(), 3u);
  EXPECT_EQ(mapper.strangers()[2].text, "");
}

class Merging : public testing::Test {
 protected:
  void add(Reporter reporter, Recorded verdict, double seconds = 0, std::uint16_t source_port = 40'000,
           Known is_reply = Known::no) {
    Flow flow;
    flow.time = kNoon + static_cast<Nanoseconds>(seconds * 1e9);
    flow.source_port = source_port;
    flow.destination_port = 5432;
    flow.reporter = reporter;
    flow.verdict = verdict;
    flow.drop_cause = verdict == Recorded::dropped ? DropCause::policy : DropCause::none;
    flow.is_reply = is_reply;
    flow.is_aggregate = source_port == 0;
    merger_.add(flow, web_, db_, 0, ++line_);
  }
  const std::vector<Connection>& done() {
    merger_.finish();
    return connections_;
  }
  cluster::Cluster cluster_ = town();
  std::vector<Connection> connections_;
  Merger merger_{cluster_, [this](const Connection& c) { connections_.push_back(c); }};
  End web_{.kind = EndKind::pod, .id = id_of(cluster_, "web-7d77fb55cc-bbbbb")};
  End db_{.kind = EndKind::pod, .id = id_of(cluster_, "db-0")};
  std::uint64_t line_ = 0;
};

TEST_F(Merging, BothEndsReportsAreOneConnection) {
  add(Reporter::egress, Recorded::forwarded);
  add(Reporter::ingress, Recorded::dropped, -3);  // the other node's clock is behind
  ASSERT_EQ(done().size(), 1u);
  EXPECT_EQ(connections_[0].egress, Recorded::forwarded);
  EXPECT_EQ(connections_[0].ingress, Recorded::dropped);
  EXPECT_TRUE(connections_[0].is_dropped_by_policy());
  EXPECT_EQ(connections_[0].records, 2u);
  EXPECT_EQ(connections_[0].first, kNoon - 3 * kSecond);
  EXPECT_EQ(connections_[0].line, 1u);
}

TEST_F(Merging, RepliesAreLeftOutAndCounted) {
  add(Reporter::egress, Recorded::forwarded);
  add(Reporter::ingress, Recorded::forwarded, 0.1, 40'000, Known::yes);
  EXPECT_EQ(done().size(), 1u);
  EXPECT_EQ(merger_.statistics().replies, 1u);
}

TEST_F(Merging, AnUnmarkedRecordTheOtherWayIsAnAnswer) {
  add(Reporter::egress, Recorded::forwarded);
  Flow back;
  back.time = kNoon + kSecond;
  back.source_port = 5432;
  back.destination_port = 40'000;
  back.verdict = Recorded::forwarded;
  merger_.add(back, db_, web_, 0, 2);
  EXPECT_EQ(done().size(), 1u);
  EXPECT_EQ(merger_.statistics().assumed_replies, 1u);
}

TEST_F(Merging, OtherPortsAreOtherConnections) {
  add(Reporter::egress, Recorded::forwarded);
  add(Reporter::egress, Recorded::forwarded, 1, 40'001);
  EXPECT_EQ(done().size(), 2u);
}

TEST_F(Merging, WhatComesAfterTheWindowCountsAnew) {
  add(Reporter::egress, Recorded::forwarded);
  add(Reporter::egress, Recorded::forwarded, 10.5);
  EXPECT_EQ(connections_.size(), 1u);  // given out when its window was over
  EXPECT_EQ(done().size(), 2u);
}

TEST_F(Merging, AggregatesOfOneSideAreApartAndOfBothSidesOne) {
  add(Reporter::egress, Recorded::forwarded, 0, 0);
  add(Reporter::ingress, Recorded::forwarded, 0, 0);
  add(Reporter::egress, Recorded::forwarded, 5, 0);  // the next interval
  ASSERT_EQ(done().size(), 2u);
  EXPECT_EQ(connections_[0].records, 2u);
}

TEST_F(Merging, ALogThatJumpsBackBeginsAnew) {
  add(Reporter::egress, Recorded::forwarded, 3600);
  add(Reporter::egress, Recorded::forwarded, 0);
  add(Reporter::ingress, Recorded::forwarded, 1);
  ASSERT_EQ(done().size(), 2u);
  EXPECT_EQ(merger_.statistics().restarts, 1u);
  EXPECT_EQ(connections_[1].records, 2u);
}

TEST_F(Merging, DropsThatAreNoPolicysAreKeptApart) {
  Flow flow;
  flow.time = kNoon;
  flow.source_port = 40'000;
  flow.destination_port = 5432;
  flow.verdict = Recorded::dropped;
  flow.drop_cause = DropCause::other;
  flow.drop_reason = "CT_MAP_INSERTION_FAILED";
  flow.is_reply = Known::no;
  merger_.add(flow, web_, db_, 0, 1);
  ASSERT_EQ(done().size(), 1u);
  EXPECT_TRUE(connections_[0].is_dropped());
  EXPECT_FALSE(connections_[0].is_dropped_by_policy());
  EXPECT_EQ(merger_.reasons().at(connections_[0].drop_reason), "CT_MAP_INSERTION_FAILED");
}

TEST(MergingMany, HoldsNoMoreThanItMay) {
  const cluster::Cluster cluster = town();
  std::size_t count = 0;
  Merger merger(cluster, [&](const Connection&) { ++count; }, {.most_held = 16});
  Flow flow;
  flow.time = kNoon;
  flow.destination_port = 80;
  flow.is_reply = Known::no;
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    flow.source_port = port;
    merger.add(flow, {.kind = EndKind::pod, .id = 0}, {.kind = EndKind::pod, .id = 2}, 0, port);
  }
  EXPECT_EQ(count, 984u);  // 1000 - 16
  merger.finish();
  EXPECT_EQ(count, 1000u);
  EXPECT_EQ(merger.statistics().evicted, 984u);
}

}  // namespace
}  // namespace podwire::flows
