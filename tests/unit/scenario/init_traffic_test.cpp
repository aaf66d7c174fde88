// What recorded connections become in a scenario: pairs at their rates, Services and names where they are likely, and a
// reason for each connection that is not played. What is written loads without a word.
#include "app/scenario/init_traffic.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "app/scenario/init.hpp"
#include "sim/config/render.hpp"
#include "tests/unit/scenario/scratch_folder.hpp"

namespace podwire::scenario {
namespace {

using flows::EndKind;
using flows::kSecond;

constexpr flows::Nanoseconds kStart = 1'772'355'600 * kSecond;  // 2026-03-01T09:00:00Z

std::string pod(const std::string& name, const std::string& ports, const std::string& more = "") {
  return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: shop, labels: {app: " + name +
         "}}\nspec: {nodeName: n0, containers: [{name: c, image: i, ports: [" + ports + "]}]" + more +
         "}\nstatus: {phase: Running, conditions: [{type: Ready, status: 'True'}]}\n";
}

const std::string kCluster =
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    "---\n{apiVersion: v1, kind: Node, metadata: {name: n0}, spec: {podCIDR: 10.244.0.0/24}, status: {addresses: "
    "[{type: InternalIP, address: 192.168.0.10}], conditions: [{type: Ready, status: 'True'}]}}\n" +
    pod("web", "{containerPort: 80}") + pod("api", "{containerPort: 8080}") + pod("db", "{containerPort: 5432}") +
    pod("edge", "{containerPort: 9100}", ", hostNetwork: true") +
    "---\n{apiVersion: v1, kind: Service, metadata: {name: api, namespace: shop}, spec: {clusterIP: 10.96.0.20, "
    "selector: {app: api}, ports: [{port: 80, targetPort: 8080}]}}\n";

struct InitTrafficTest : testing::Test {
  test::ScratchFolder folder;
  SourceMap sources;
  std::optional<Scenario> loaded;
  std::unique_ptr<RecordedTraffic> traffic;
  std::vector<flows::StrangerName> strangers;
  InitTrafficOptions options{.most_workloads = 100, .inputs = {"flows.json"}, .notes = {}};

  void SetUp() override {
    LoadOptions load_options;
    load_options.adds_dns = true;
    load_options.keeps_objects = true;
    auto result = load(sources, {folder.write("dump/all.yaml", kCluster)}, load_options);
    ASSERT_TRUE(result) << config::render(result.diagnostics(), sources);
    loaded = std::move(result).value();
    traffic = std::make_unique<RecordedTraffic>(cluster());
  }

  const cluster::Cluster& cluster() const { return loaded->policy_sets.front().cluster(); }

  flows::End of_pod(const std::string& name) const {
    const cluster::PodId id = cluster().find_pod(cluster().find_namespace("shop"), name);
    EXPECT_TRUE(id.is_valid()) << name;
    return {.kind = EndKind::pod, .id = id.value()};
  }
  static flows::End at(const std::string& address) {
    return {.kind = EndKind::address, .id = 0, .ip = *IpAddress::parse(address)};
  }
  static flows::End of_node() { return {.kind = EndKind::node, .id = 0}; }

  void add(const flows::End& source, const flows::End& destination, std::uint16_t port, std::int64_t second,
           flows::Recorded recorded = flows::Recorded::forwarded,
           flows::FlowProtocol protocol = flows::FlowProtocol::tcp) {
    flows::Connection connection;
    connection.first = connection.last = kStart + second * kSecond;
    connection.source = source;
    connection.destination = destination;
    connection.protocol = protocol;
    connection.destination_port = port;
    connection.ingress = recorded;
    traffic->add(connection);
  }

  // The scenario, which must load, and say nothing but that.
  std::string scenario() {
    const InitTraffic plan = plan_traffic(*traffic, strangers, options);
    const InitPlan init = plan_init(sources, *loaded, "mine", &plan);
    folder.write("mine/cluster.json", init.dump.text);
    folder.write("mine/scenario.yaml", init.scenario_text);
    SourceMap again;
    const auto result = load(again, {folder.path("mine")}, {});
    EXPECT_TRUE(result) << config::render(result.diagnostics(), again) << init.scenario_text;
    EXPECT_TRUE(result.diagnostics().all().empty()) << config::render(result.diagnostics(), again);
    if (result) {
      EXPECT_EQ(result->policy_sets.front().workloads.size(), plan.workloads);
    }
    return init.scenario_text;
  }
};

void expect_line(const std::string& text, const std::string& line) {
  EXPECT_NE(text.find(line + "\n"), std::string::npos) << line << "\n--- is no end of a line of\n" << text;
}

TEST_F(InitTrafficTest, APairIsPlayedAtItsObservedRate) {
  for (const int second : {0, 1000, 2000, 3320}) {
    add(of_pod("web"), of_pod("db"), 5432, second);
  }
  const std::string text = scenario();
  expect_line(text, "    - name: web-to-db-5432");
  expect_line(text,
              "      from: shop/pod/web                # detected from 4 flows between 2026-03-01T09:00:00Z and "
              "2026-03-01T09:55:20Z");
  expect_line(text, "      to: shop/pod/db:5432              # detected");
  expect_line(text, "      rate: 4.34/h                      # detected: 4 in 55m20s");  // 4 × 3600 / 3320 = 4.337
  expect_line(text, "      arrivals: constant                # assumed: so few that chance might leave none");
  expect_line(text, "  run: {warmup: 1s, duration: 55m20s}   # assumed: as long as was observed");
}

TEST_F(InitTrafficTest, AServiceIsDialledByNameWhereLookupsWereSeen) {
  const flows::End dns{.kind = EndKind::service, .id = cluster().dns_service.value()};
  add(of_pod("web"), dns, 53, 0, flows::Recorded::forwarded, flows::FlowProtocol::udp);
  add(of_pod("db"), dns, 53, 0, flows::Recorded::dropped, flows::FlowProtocol::udp);
  add(of_pod("web"), of_pod("api"), 8080, 1);
  add(of_pod("db"), of_pod("api"), 8080, 2);
  add(at("198.51.100.7"), of_pod("api"), 8080, 3);
  const std::string text = scenario();
  EXPECT_NE(text.find("      to: api.shop.svc.cluster.local:80  # assumed: shop/pod/api on 8080, detected, is dialled "
                      "by its one Service, by name, since lookups were seen\n"),
            std::string::npos)
      << text;
  const std::string by_address = "      to: shop/service/api:80           # assumed: ";
  const std::size_t first = text.find(by_address);
  ASSERT_NE(first, std::string::npos) << text;
  EXPECT_NE(text.find(by_address, first + 1), std::string::npos) << text;
  expect_line(text, "    # not played: 2 flows: lookups, since podwire plays its own DNS");
}

TEST_F(InitTrafficTest, WhatFlowsReachedListensWhereNoManifestSaysSo) {
  add(of_pod("web"), of_pod("db"), 9999, 0);
  add(of_pod("web"), of_pod("db"), 514, 1, flows::Recorded::forwarded, flows::FlowProtocol::udp);
  const std::string text = scenario();
  expect_line(text, "      - {workload: shop/pod/db, ports: [514/UDP, 9999/TCP]}");
  expect_line(text, "      kind: udp                         # detected");
}

TEST_F(InitTrafficTest, WhatWasDroppedIsAnExpectationToTurnOn) {
  for (int i = 0; i < 3; ++i) {
    add(of_pod("db"), of_pod("web"), 80, i, flows::Recorded::dropped);
  }
  add(of_pod("web"), of_pod("db"), 5432, 3);
  add(of_pod("web"), of_pod("db"), 5432, 4, flows::Recorded::dropped);
  std::string text = scenario();
  expect_line(text,
              "  #   - {policySet: current, from: shop/pod/db, to: shop/pod/web, port: 80/TCP, verdict: denied}  # "
              "detected from 3 flows between 2026-03-01T09:00:00Z and 2026-03-01T09:00:02Z");
  EXPECT_NE(text.find("# detected from 1 flow at 2026-03-01T09:00:03Z; 1 more recorded as dropped by policy\n"),
            std::string::npos)
      << text;
  // Turned on it is read, and about what was dropped alone.
  for (std::size_t mark = text.find("\n  # expect:"); mark != std::string::npos; mark = text.find("\n  #   - ", mark)) {
    text.erase(mark + 3, 2);
  }
  folder.write("mine/scenario.yaml", text);
  SourceMap again;
  const auto result = load(again, {folder.path("mine")}, {});
  ASSERT_TRUE(result) << config::render(result.diagnostics(), again) << text;
  ASSERT_EQ(result->policy_sets.front().expectations.size(), 1u);
  EXPECT_EQ(result->policy_sets.front().expectations.front().connection->from.name, "shop/db[Pod]");
}

TEST_F(InitTrafficTest, EveryConnectionThatIsNotPlayedIsCountedWithItsReason) {
  strangers = {{.reason = flows::Stranger::unknown_name, .text = "shop/ghost"}};
  add(of_node(), of_pod("web"), 80, 0);      // a probe
  add(of_pod("web"), of_node(), 10'250, 1);  // the kubelet
  add(of_pod("web"), of_pod("db"), 0, 2);    // no port
  add(of_pod("web"), of_pod("db"), 0, 3, flows::Recorded::forwarded, flows::FlowProtocol::icmp);
  add(of_pod("web"), of_pod("db"), 5432, 4, flows::Recorded::forwarded, flows::FlowProtocol::sctp);
  add({.kind = EndKind::unmapped, .id = 0}, of_pod("web"), 80, 5);
  add(at("198.51.100.7"), at("198.51.100.8"), 80, 6);
  add(of_pod("web"), at("224.0.0.251"), 5353, 7, flows::Recorded::forwarded, flows::FlowProtocol::udp);
  add({.kind = EndKind::private_network, .id = 0}, of_pod("web"), 80, 8);
  const std::string text = scenario();  // checks that the numbers add up
  expect_line(text,
              "  workloads: []                         # from 9 flows of flows.json between 2026-03-01T09:00:00Z and "
              "2026-03-01T09:00:08Z (8s)");
  for (const char* reason :
       {"from nodes themselves", "to nodes, on ports", "without a destination port: shop/pod/web → shop/pod/db TCP (1)",
        "ICMP, which", "SCTP, which",
        "with an end that is not known (no such pod or workload in the dump): shop/ghost (1)",
        "between addresses outside the cluster: 198.51.100.7 → 198.51.100.8 TCP 80 (1)",
        "from or to multicast, broadcast or loopback addresses: shop/pod/web → 224.0.0.251 UDP 5353 (1)",
        "from or to private addresses that the log does not tell: private addresses → shop/pod/web TCP 80 (1)"}) {
    EXPECT_NE(text.find(std::string("    # not played: 1 flow: ") + reason), std::string::npos) << reason << "\n"
                                                                                                << text;
  }
}

TEST_F(InitTrafficTest, APodOnItsNodesNetworkIsWhoListensThere) {
  add(of_pod("web"), of_node(), 9100, 0);
  add(of_pod("edge"), of_pod("web"), 80, 1);
  const std::string text = scenario();
  EXPECT_NE(text.find("      to: shop/pod/edge:9100"), std::string::npos) << text;
  EXPECT_NE(text.find("      from: shop/pod/edge"), std::string::npos) << text;
}

TEST_F(InitTrafficTest, AddressesOfOneNetworkOutsideAreOneClient) {
  add(at("198.51.100.7"), of_pod("web"), 80, 0);
  add(at("198.51.100.8"), of_pod("web"), 80, 1);
  add(at("203.0.113.9"), of_pod("web"), 80, 2);
  add(at("2001:db8::7"), of_pod("web"), 80, 3);
  add(of_pod("web"), at("2001:db8:1::7"), 443, 4);
  add({.kind = EndKind::public_network, .id = 0}, of_pod("web"), 80, 5);
  const std::string text = scenario();
  EXPECT_NE(
      text.find("      from: 198.51.100.7                # detected from 2 flows between 2026-03-01T09:00:00Z and "
                "2026-03-01T09:00:01Z; this address stands for its network\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("      from: 203.0.113.9                 # detected from 1 flow at 2026-03-01T09:00:02Z\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("      from: \"2001:db8::7\""), std::string::npos) << text;
  EXPECT_NE(text.find("      to: \"[2001:db8:1::7]:443\""), std::string::npos) << text;
  EXPECT_NE(text.find("      from: external "), std::string::npos) << text;
}

TEST_F(InitTrafficTest, TheLimitKeepsTheLargestAndCountsTheRest) {
  for (int i = 0; i < 5; ++i) {
    add(of_pod("web"), of_pod("db"), 5432, i);
  }
  add(of_pod("db"), of_pod("web"), 80, 5);
  add(of_pod("api"), of_pod("web"), 80, 6);
  options.most_workloads = 1;
  const std::string text = scenario();
  expect_line(text, "    # left out: 2 pairs of 2 flows, the smallest; --max-workloads 3 takes them all");
  EXPECT_EQ(text.find("web-to-web"), std::string::npos);
  expect_line(text, "    - name: web-to-db-5432");
}

TEST_F(InitTrafficTest, ALongLogMakesAShorterRunInWhichRarePairsStillHappen) {
  for (int i = 0; i < 1'200'000; ++i) {
    add(of_pod("web"), of_pod("db"), 5432, i * 3600LL / 1'199'999);
  }
  add(of_pod("db"), of_pod("web"), 80, 10);
  const std::string text = scenario();
  // 1,200,001 flows in an hour; 1,000,000 of them come in 2999.998 s, in which one is 1.2004 an hour.
  expect_line(text,
              "  run: {warmup: 1s, duration: 49m59s}   # assumed: of the 1h observed so much as plays in seconds");
  expect_line(text, "      rate: 1.21/h                      # assumed: raised from 1/h, so that a run has one");
  expect_line(text, "      rate: 334/s                       # detected: 1200000 in 1h");  // 333.33, rounded up
}

TEST_F(InitTrafficTest, FlowsWithoutAVerdictAreTakenToHavePassed) {
  add(of_pod("web"), of_pod("db"), 5432, 0, flows::Recorded::unknown);
  const std::string text = scenario();
  EXPECT_NE(text.find("; assumed: 1 without a recorded verdict passed\n"), std::string::npos) << text;
  expect_line(text, "    # assumed: the flows have nearly one time; rates are as if they came within a second");
}

TEST_F(InitTrafficTest, PairsBeyondTheRoomForThemAreCounted) {
  traffic = std::make_unique<RecordedTraffic>(cluster(), 1);
  add(of_pod("web"), of_pod("db"), 5432, 0);
  add(of_pod("db"), of_pod("web"), 80, 1);
  expect_line(scenario(), "    # not played: 1 flow: of further pairs, which there was no room for");
}

}  // namespace
}  // namespace podwire::scenario
