// Nodes, placement, and addresses.
#include <algorithm>

#include "models/cluster/addresses.hpp"
#include "models/cluster/scheduler.hpp"
#include "tests/unit/cluster/fixture.hpp"

namespace podwire::cluster {
namespace {

using testing::cluster_of;
using testing::codes_of;
using testing::deployment;
using testing::node;
using testing::workload;
using Names = std::vector<std::string>;

std::vector<std::size_t> pods_by_node(const Cluster& cluster) {
  std::vector<std::size_t> counts(cluster.nodes.size(), 0);
  for (const Pod& pod : cluster.pods) {
    if (pod.node.is_valid()) {
      ++counts[pod.node.index()];
    }
  }
  return counts;
}

bool has_assumption(const Cluster& cluster, std::string_view topic, std::string_view part) {
  return std::ranges::any_of(cluster.assumptions, [&](const Assumption& a) {
    return a.topic == topic && a.text.find(part) != std::string::npos;
  });
}

TEST(Nodes, ThreeAreAssumedWithoutObjectsAndCount) {
  const Cluster cluster = cluster_of({deployment("web", 4)});
  ASSERT_EQ(cluster.nodes.size(), 3u);
  EXPECT_EQ(cluster.nodes[2].name, "node-3");
  EXPECT_TRUE(cluster.nodes[2].is_generated);
  EXPECT_EQ(cluster.nodes[0].addresses.front().to_string(), "192.168.0.1");
  EXPECT_EQ(cluster.nodes[1].pod_cidr.to_string(), "10.244.1.0/24");
  EXPECT_EQ(pods_by_node(cluster), (std::vector<std::size_t>{2, 1, 1}));
  EXPECT_TRUE(has_assumption(cluster, "nodes", "assumed 3 nodes"));
}

TEST(Nodes, MoreAreAssumedForMorePods) {
  // 1,000 pods at 110 a node need ⌈1000 / 110⌉ = 10.
  EXPECT_EQ(cluster_of({deployment("web", 1000)}).nodes.size(), 10u);
}

TEST(Nodes, BlocksOfBothFamiliesGiveGeneratedPodsTwoAddresses) {
  const Cluster cluster = cluster_of(
      {"apiVersion: v1\nkind: Node\nmetadata: {name: n}\nspec: {podCIDR: 10.200.4.0/24, podCIDRs: [10.200.4.0/24, "
       "\"fd00:4::/64\"]}\n" +
       deployment("web", 2)});
  ASSERT_EQ(cluster.pods.size(), 2u);
  ASSERT_EQ(cluster.second_addresses.size(), 2u);
  for (const PodId pod : {PodId(0u), PodId(1u)}) {
    const IpAddress second = cluster.second_address_of(pod);
    EXPECT_TRUE(cluster.nodes[0].second_pod_cidr.contains(second));
    EXPECT_EQ(cluster.pod_at(second), pod);
    EXPECT_TRUE(cluster.pods[pod.index()].ip.is_v4());
  }
}

TEST(Nodes, ObjectsAreUsedAsTheyAreAndFilledUpToTheCount) {
  ClusterOptions options;
  options.node_count = 3;
  const Cluster cluster = cluster_of(
      {"apiVersion: v1\nkind: Node\nmetadata: {name: node-1, labels: {topology.kubernetes.io/zone: a}}\n"
       "spec: {podCIDR: 10.200.4.0/24}\nstatus: {addresses: [{type: Hostname, address: x}, {type: InternalIP, address: "
       "172.18.0.2}], capacity: {cpu: \"8\", pods: \"20\"}}\n"},
      options);
  ASSERT_EQ(cluster.nodes.size(), 3u);
  EXPECT_EQ(cluster.nodes[0].zone, "a");
  EXPECT_EQ(cluster.nodes[0].cpu_cores, 8u);
  EXPECT_EQ(cluster.nodes[0].addresses.front().to_string(), "172.18.0.2");
  EXPECT_EQ(cluster.nodes[0].pod_cidr.to_string(), "10.200.4.0/24");
  EXPECT_EQ(cluster.nodes[1].name, "node-2");
  EXPECT_EQ(cluster.pod_cidr.to_string(), "10.200.0.0/16");
  EXPECT_EQ(cluster.find_node("node-3"), NodeId(2u));
  EXPECT_EQ(cluster.node_at(IpAddress::v4(172, 18, 0, 2)), NodeId(0u));
}

TEST(Nodes, TooManyAreRefused) {
  ClusterOptions options;
  options.node_count = 60'000;
  EXPECT_EQ(codes_of({deployment("web")}, options), Names{"too-many-nodes"});
  options.node_count = 0;
  EXPECT_EQ(codes_of({deployment("web")}, options), Names{"no-nodes"});
}

TEST(Scheduling, NodeNameAndNodeSelectorAreHonoured) {
  const Cluster cluster = cluster_of({node("a") + node("b", "{disk: ssd}") + node("c", "{disk: ssd}") +
                                      deployment("fast", 4, "      nodeSelector: {disk: ssd}\n") +
                                      deployment("pinned", 2, "      nodeName: a\n")});
  EXPECT_EQ(pods_by_node(cluster), (std::vector<std::size_t>{2, 2, 2}));
  for (const PodId pod : workload(cluster, "shop", WorkloadKind::deployment, "pinned").pods) {
    EXPECT_EQ(cluster.pods[pod.index()].node, NodeId(0u));
  }
}

TEST(Scheduling, TaintsKeepPodsOffUnlessTolerated) {
  const std::string nodes = node("a", "{}", "  taints: [{key: role, value: db, effect: NoSchedule}]\n") + node("b") +
                            node("c", "{}", "  taints: [{key: x, effect: PreferNoSchedule}]\n");
  const Cluster cluster =
      cluster_of({nodes + deployment("web", 2) +
                  deployment("db", 1,
                             "      tolerations: [{key: role, operator: Equal, value: db, effect: NoSchedule}]\n"
                             "      nodeSelector: {kubernetes.io/hostname: a}\n")});
  EXPECT_EQ(pods_by_node(cluster), (std::vector<std::size_t>{1, 1, 1}));
}

TEST(Scheduling, ToleratesAsTheApiSays) {
  const Taint taint{.key = "k", .value = "v", .effect = "NoSchedule"};
  EXPECT_FALSE(is_tolerated(taint, {}));
  EXPECT_TRUE(is_tolerated(taint, {{.key = "k", .value = "v", .effect = "NoSchedule"}}));
  EXPECT_TRUE(is_tolerated(taint, {{.key = "k", .value = "v", .effect = ""}}));
  EXPECT_FALSE(is_tolerated(taint, {{.key = "k", .value = "w", .effect = ""}}));
  EXPECT_FALSE(is_tolerated(taint, {{.key = "k", .value = "v", .effect = "NoExecute"}}));
  EXPECT_TRUE(is_tolerated(taint, {{.key = "k", .value = "", .effect = "", .is_exists = true}}));
  EXPECT_TRUE(is_tolerated(taint, {{.key = "", .value = "", .effect = "", .is_exists = true}}));
}

TEST(Scheduling, PodThatFitsNowhereStaysPendingWithAWarning) {
  Diagnostics warnings;
  const Cluster cluster =
      cluster_of({node("a") + deployment("web", 2, "      nodeSelector: {disk: ssd}\n")}, {}, &warnings);
  ASSERT_EQ(warnings.all().size(), 1u);
  EXPECT_EQ(warnings.all()[0].code, "no-node-fits");
  EXPECT_EQ(warnings.all()[0].severity, Severity::warning);
  EXPECT_EQ(cluster.pods[0].phase, PodPhase::pending);
  EXPECT_FALSE(cluster.pods[0].is_ready);
  EXPECT_FALSE(cluster.pods[0].node.is_valid());
  EXPECT_TRUE(cluster.pods[0].ip.is_unspecified());
}

TEST(Scheduling, FullNodesLeavePodsPending) {
  const std::string small = "apiVersion: v1\nkind: Node\nmetadata: {name: a}\nstatus: {allocatable: {pods: \"3\"}}\n";
  Diagnostics warnings;
  const Cluster cluster = cluster_of({small + deployment("web", 5)}, {}, &warnings);
  EXPECT_EQ(pods_by_node(cluster), (std::vector<std::size_t>{3}));
  ASSERT_EQ(warnings.all().size(), 1u);
  EXPECT_NE(warnings.all()[0].message.find("2 of 5"), std::string::npos);
}

TEST(Scheduling, GeneratedNodesHaveTheLabelsThatPodsAskFor) {
  const Cluster cluster = cluster_of({deployment("web", 1, "      nodeSelector: {pool: web}\n") +
                                      deployment("win", 1, "      nodeSelector: {kubernetes.io/os: linux}\n")});
  EXPECT_TRUE(cluster.pods[0].node.is_valid());
  EXPECT_TRUE(has_assumption(cluster, "nodes", "shop/web[Deployment]"));
  EXPECT_EQ(codes_of({deployment("win", 1, "      nodeSelector: {kubernetes.io/os: windows}\n")}),
            Names{"no-node-fits"});
}

TEST(Addresses, PodsGetTheirNodesAddressesInOrder) {
  const Cluster cluster = cluster_of({deployment("web", 4)});
  EXPECT_EQ(cluster.pods[0].ip.to_string(), "10.244.0.2");
  EXPECT_EQ(cluster.pods[1].ip.to_string(), "10.244.1.2");
  EXPECT_EQ(cluster.pods[3].ip.to_string(), "10.244.0.3");
  EXPECT_EQ(cluster.pod_at(cluster.pods[3].ip), PodId(3u));
}

TEST(Addresses, LivePodsKeepTheirsAndNobodyElseGetsThem) {
  const Cluster cluster = cluster_of(
      {"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop}\nspec: {nodeName: node-1, containers: []}\n"
       "status: {phase: Running, podIP: 10.244.0.3}\n" +
       deployment("web", 2)});
  // Deployments come before bare pods: web's pods take .2 and, past the live pod's .3, .4.
  EXPECT_EQ(cluster.pods[0].ip.to_string(), "10.244.0.2");
  EXPECT_EQ(cluster.pods[1].ip.to_string(), "10.244.0.4");
  EXPECT_EQ(cluster.pods[2].ip.to_string(), "10.244.0.3");
}

TEST(Addresses, HostNetworkPodsShareTheirNodesAddress) {
  const Cluster cluster = cluster_of({deployment("proxy", 2, "      hostNetwork: true\n")});
  EXPECT_EQ(cluster.pods[0].ip, cluster.nodes[cluster.pods[0].node.index()].addresses.front());
  EXPECT_FALSE(cluster.pod_at(cluster.pods[0].ip).is_valid());
  EXPECT_EQ(cluster.node_at(cluster.pods[0].ip), cluster.pods[0].node);
  EXPECT_TRUE(cluster.shapes[0].is_host_network);
}

TEST(Addresses, DuplicatePodAddressIsAnErrorUnlessOneIsFinishedOrOnTheHost) {
  const auto pod = [](const std::string& name, const std::string& phase, const std::string& spec = "") {
    return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: shop}\nspec: {" + spec +
           "containers: []}\nstatus: {phase: " + phase + ", podIP: 10.244.0.9}\n";
  };
  EXPECT_EQ(codes_of({pod("a", "Running") + pod("b", "Running")}), Names{"duplicate-pod-ip"});
  EXPECT_TRUE(codes_of({pod("a", "Running") + pod("b", "Succeeded")}).empty());
  EXPECT_TRUE(codes_of({pod("a", "Running") + pod("b", "Running", "hostNetwork: true, ")}).empty());
}

TEST(Addresses, ClusterCidrIsWidenedForManyNodes) {
  ClusterOptions options;
  options.node_count = 300;  // 256 blocks of /24 fit the default /16
  const Cluster cluster = cluster_of({deployment("web", 1)}, options);
  EXPECT_EQ(cluster.pod_cidr.to_string(), "10.128.0.0/9");
  EXPECT_TRUE(has_assumption(cluster, "addresses", "widened"));
  EXPECT_EQ(cluster.nodes[299].pod_cidr.to_string(), "10.129.43.0/24");  // 299 = 1 × 256 + 43
}

TEST(Addresses, GivenClusterCidrIsNotWidened) {
  ClusterOptions options;
  options.node_count = 5;
  options.pod_cidr = Cidr::parse("10.1.0.0/22");
  EXPECT_EQ(codes_of({deployment("web", 1)}, options), Names{"address-space-exhausted"});
  options.node_mask_length = 25;
  EXPECT_TRUE(codes_of({deployment("web", 1)}, options).empty());
}

TEST(Addresses, CrowdedNodesGetLargerBlocks) {
  ClusterOptions options;
  options.node_count = 2;
  // 300 pods a node and three spare addresses need 303 ≤ 2^9: a /23.
  const Cluster cluster = cluster_of({deployment("web", 600)}, options);
  EXPECT_EQ(cluster.nodes[0].pod_cidr.to_string(), "10.244.0.0/23");
  EXPECT_TRUE(has_assumption(cluster, "addresses", "/23"));
}

TEST(Addresses, NodesKeepClearOfThePodCidr) {
  ClusterOptions options;
  options.pod_cidr = Cidr::parse("192.168.0.0/16");  // Calico's default pool
  const Cluster cluster = cluster_of({deployment("web", 1)}, options);
  EXPECT_EQ(cluster.nodes[0].addresses.front().to_string(), "172.16.0.1");
  EXPECT_EQ(cluster.nodes[0].pod_cidr.to_string(), "192.168.0.0/24");
}

TEST(Addresses, OverlappingCidrsAreRefused) {
  ClusterOptions options;
  options.pod_cidr = Cidr::parse("10.0.0.0/8");
  options.service_cidr = Cidr::parse("10.96.0.0/12");
  EXPECT_EQ(codes_of({deployment("web", 1)}, options), Names{"overlapping-cidrs"});
}

TEST(Addresses, SixthVersionWorksToo) {
  ClusterOptions options;
  options.pod_cidr = Cidr::parse("fd00:10:244::/56");
  const Cluster cluster =
      cluster_of({deployment("web", 1) +
                  "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {selector: {app: "
                  "web}, ports: [{port: 80}]}\n"},
                 options);
  EXPECT_EQ(cluster.pods[0].ip.to_string(), "fd00:10:244::2");
  EXPECT_EQ(cluster.nodes[1].pod_cidr.to_string(), "fd00:10:244:1::/64");
  EXPECT_TRUE(cluster.service_cidr.contains(cluster.services[0].cluster_ip));
}

TEST(BlockCutter, SkipsWhatIsReserved) {
  const auto cidr = [](std::string_view text) { return *Cidr::parse(text); };
  BlockCutter cutter(cidr("10.0.0.0/21"), 24,
                     {cidr("10.0.4.0/22"), cidr("10.0.1.128/25"), cidr("10.0.4.0/24"), cidr("192.168.0.0/16")});
  // Eight blocks; .1 holds a reserved /25, .4 to .7 are reserved as a /22 (and once more inside it).
  Names cut;
  while (const auto block = cutter.next()) {
    cut.push_back(block->to_string());
  }
  EXPECT_EQ(cut, (Names{"10.0.0.0/24", "10.0.2.0/24", "10.0.3.0/24"}));
}

TEST(BlockCutter, WholeOfIt) {
  BlockCutter cutter(*Cidr::parse("10.0.0.0/8"), 8, {});
  EXPECT_EQ(cutter.next()->to_string(), "10.0.0.0/8");
  EXPECT_FALSE(cutter.next());
  BlockCutter none(*Cidr::parse("10.1.0.0/16"), 24, {*Cidr::parse("10.0.0.0/8")});
  EXPECT_FALSE(none.next());
}

TEST(Covering, IsTheSmallestCommonBlock) {
  const auto cidr = [](std::string_view text) { return *Cidr::parse(text); };
  EXPECT_EQ(covering({cidr("10.1.0.0/24")}).to_string(), "10.1.0.0/24");
  EXPECT_EQ(covering({cidr("10.1.0.0/24"), cidr("10.1.3.0/24")}).to_string(), "10.1.0.0/22");
  EXPECT_EQ(covering({cidr("10.0.0.0/8"), cidr("192.168.0.0/16")}).to_string(), "0.0.0.0/0");
  EXPECT_EQ(covering({cidr("fd00::/64"), cidr("fd00:0:0:1::/64")}).to_string(), "fd00::/63");
}

}  // namespace
}  // namespace podwire::cluster
