// The Service table on small hand-made clusters: choice, translation, rejection, and where rules stand.
#include "models/service/service_table.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace podwire::service {
namespace {

using cluster::Backend;
using cluster::Cluster;
using cluster::NamespaceId;
using cluster::NodeId;
using cluster::PodId;
using cluster::Service;
using cluster::ServicePort;

constexpr IpAddress kWebIp = IpAddress::v4(10, 96, 0, 20);
constexpr IpAddress kClientIp = IpAddress::v4(10, 244, 9, 9);
const Client kClient{kClientIp, NodeId(0u)};

/// A cluster of one namespace, to which tests add Services.
class ServiceTableTest : public ::testing::Test {
 protected:
  ServiceTableTest() {
    cluster_.namespaces.push_back({"shop", {}, false, {}});
    cluster_.service_cidr = *Cidr::parse("10.96.0.0/12");
  }

  /// A running, ready pod with address 10.244.<node>.<number>.
  PodId add_pod(std::uint32_t node) {
    cluster::Pod pod;
    pod.node = NodeId(node);
    pod.ip = IpAddress::v4(10, 244, node, static_cast<unsigned>(cluster_.pods.size()) + 1);
    cluster_.pods.push_back(pod);
    return PodId(cluster_.pods.size() - 1);
  }
  cluster::Pod& pod(PodId id) { return cluster_.pods[id.index()]; }

  Backend backend(PodId id, std::uint16_t port) {
    return Backend{
        id, pod(id).node, pod(id).ip, Port(port), pod(id).is_ready && !pod(id).is_terminating, pod(id).is_terminating,
        ""};
  }

  Service& add_service(const std::string& name, IpAddress ip) {
    Service service;
    service.name_space = NamespaceId(0u);
    service.name = name;
    service.cluster_ip = ip;
    cluster_.services.push_back(service);
    return cluster_.services.back();
  }

  static ServicePort port(std::uint16_t number, std::vector<Backend> backends, IpProtocol protocol = IpProtocol::tcp) {
    ServicePort result;
    result.port = Port(number);
    result.protocol = protocol;
    result.backends = std::move(backends);
    return result;
  }

  Translation translate(std::uint16_t number, std::uint64_t draw = 0, IpProtocol protocol = IpProtocol::tcp,
                        Client client = kClient) {
    return ServiceTable(cluster_).translate(client, kWebIp, protocol, Port(number), draw);
  }

  Cluster cluster_;
};

TEST_F(ServiceTableTest, FirstPacketIsTranslatedToThePodsOwnPort) {
  const PodId web = add_pod(1);
  add_service("web", kWebIp).ports.push_back(port(80, {backend(web, 8080)}));
  const Translation result = translate(80);
  EXPECT_EQ(result.outcome, Outcome::translated);
  EXPECT_EQ(result.target.ip, pod(web).ip);
  EXPECT_EQ(result.target.port, Port(8080));
  EXPECT_EQ(result.target.pod, web);
  EXPECT_EQ(result.target.node, NodeId(1u));
  EXPECT_FALSE(result.is_hairpin);
}

TEST_F(ServiceTableTest, AnotherProtocolOfTheSamePortIsAnotherRule) {
  add_service("dns", kWebIp).ports = {port(53, {backend(add_pod(0), 5353)}, IpProtocol::udp)};
  EXPECT_EQ(translate(53, 0, IpProtocol::udp).target.port, Port(5353));
  EXPECT_EQ(translate(53, 0, IpProtocol::tcp).outcome, Outcome::lost);
}

TEST_F(ServiceTableTest, AServiceThatIsNotThereHasItsIdsAndNoRule) {
  // Two Services of one port each; the first is not there. Its address belongs to the service range, so packets to it
  // are lost as to any address nobody has; the second has the id it has when both are there, and is the only rule.
  const IpAddress other_ip = IpAddress::v4(10, 96, 0, 21);
  const PodId web = add_pod(1);
  add_service("web", kWebIp).ports.push_back(port(80, {backend(web, 8080)}));
  add_service("zoo", other_ip).ports.push_back(port(80, {backend(web, 8080)}));
  const ServiceTable both(cluster_);
  cluster_.services[0].is_there = false;
  const ServiceTable one(cluster_);
  EXPECT_EQ(one.size(), both.size());
  EXPECT_EQ(one.rule_count(), 1u);
  EXPECT_EQ(both.rule_count(), 2u);
  EXPECT_FALSE(one.find(kWebIp, IpProtocol::tcp, Port(80)).is_valid());
  EXPECT_EQ(one.find(other_ip, IpProtocol::tcp, Port(80)), both.find(other_ip, IpProtocol::tcp, Port(80)));
  EXPECT_EQ(one.translate(kClient, kWebIp, IpProtocol::tcp, Port(80), 0).outcome, Outcome::lost);
  EXPECT_EQ(one.translate(kClient, other_ip, IpProtocol::tcp, Port(80), 0).target.pod, web);
  EXPECT_EQ(one.choose(both.find(kWebIp, IpProtocol::tcp, Port(80)), kClient, 0).outcome, Outcome::rejected);
}

TEST_F(ServiceTableTest, NoUsableEndpointIsRejected) {
  const PodId web = add_pod(0);
  pod(web).is_ready = false;
  add_service("web", kWebIp).ports.push_back(port(80, {backend(web, 80)}));
  EXPECT_EQ(translate(80).outcome, Outcome::rejected);
  cluster_.services[0].ports[0].backends.clear();
  EXPECT_EQ(translate(80).outcome, Outcome::rejected);
}

TEST_F(ServiceTableTest, PendingPodsAreNeverChosenEvenWhenNotReadyAddressesArePublished) {
  const PodId web = add_pod(0);
  pod(web).ip = IpAddress();
  Service& service = add_service("web", kWebIp);
  service.publishes_not_ready = true;
  service.ports.push_back(port(80, {backend(web, 80)}));
  EXPECT_EQ(translate(80).outcome, Outcome::rejected);
}

TEST_F(ServiceTableTest, PublishedNotReadyAddressesAreUsed) {
  const PodId web = add_pod(0);
  pod(web).is_ready = false;
  Service& service = add_service("web", kWebIp);
  service.publishes_not_ready = true;
  service.ports.push_back(port(80, {backend(web, 80)}));
  EXPECT_EQ(translate(80).target.pod, web);
}

TEST_F(ServiceTableTest, TerminatingPodsServeOnlyWhileNobodyElseDoes) {
  const PodId leaving = add_pod(0);
  const PodId dead = add_pod(0);
  const PodId staying = add_pod(0);
  pod(leaving).is_terminating = true;  // still passes its readiness probe
  pod(dead).is_terminating = true;
  pod(dead).is_ready = false;
  add_service("web", kWebIp).ports = {
      port(80, {backend(leaving, 80), backend(dead, 80), backend(staying, 80)}),
      port(81, {backend(leaving, 81), backend(dead, 81)}),
  };
  const ServiceTable table(cluster_);
  for (const std::uint64_t draw : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    EXPECT_EQ(table.translate(kClient, kWebIp, IpProtocol::tcp, Port(80), draw).target.pod, staying);
    EXPECT_EQ(table.translate(kClient, kWebIp, IpProtocol::tcp, Port(81), draw).target.pod, leaving);
  }
}

TEST_F(ServiceTableTest, EndpointsOutsideTheClusterHaveNoPod) {
  Backend outside;
  outside.ip = IpAddress::v4(192, 0, 2, 7);
  outside.port = Port(5432);
  add_service("db", kWebIp).ports.push_back(port(5432, {outside}));
  const Translation result = translate(5432);
  EXPECT_EQ(result.outcome, Outcome::translated);
  EXPECT_EQ(result.target.ip, outside.ip);
  EXPECT_FALSE(result.target.pod.is_valid());
}

TEST_F(ServiceTableTest, AClientMayBeGivenItself) {
  const PodId web = add_pod(0);
  add_service("web", kWebIp).ports.push_back(port(80, {backend(web, 80)}));
  const Translation result = translate(80, 0, IpProtocol::tcp, Client{pod(web).ip, NodeId(0u)});
  EXPECT_EQ(result.outcome, Outcome::translated);
  EXPECT_TRUE(result.is_hairpin);
}

TEST_F(ServiceTableTest, UndeclaredPortAndUnallocatedAddressAreLostAndPodAddressesAreLeftAlone) {
  add_service("web", kWebIp).ports.push_back(port(80, {backend(add_pod(0), 80)}));
  const ServiceTable table(cluster_);
  const auto outcome = [&](IpAddress ip, std::uint16_t number) {
    return table.translate(kClient, ip, IpProtocol::tcp, Port(number), 0).outcome;
  };
  EXPECT_EQ(outcome(kWebIp, 8080), Outcome::lost);
  EXPECT_EQ(outcome(IpAddress::v4(10, 96, 77, 77), 80), Outcome::lost);
  EXPECT_EQ(outcome(IpAddress::v4(10, 244, 0, 1), 80), Outcome::untranslated);
  EXPECT_EQ(outcome(IpAddress::v4(192, 0, 2, 1), 443), Outcome::untranslated);
}

TEST_F(ServiceTableTest, AClusterIpOutsideTheServiceRangeIsStillAServiceAddress) {
  add_service("web", IpAddress::v4(172, 20, 0, 5)).ports.push_back(port(80, {}));
  const ServiceTable table(cluster_);
  EXPECT_EQ(table.translate(kClient, IpAddress::v4(172, 20, 0, 5), IpProtocol::tcp, Port(81), 0).outcome,
            Outcome::lost);
}

TEST_F(ServiceTableTest, HeadlessAndExternalNameServicesHaveNoRule) {
  Service& headless = add_service("db", IpAddress());
  headless.is_headless = true;
  headless.ports.push_back(port(5432, {backend(add_pod(0), 5432)}));
  Service& external = add_service("mail", IpAddress());
  external.type = cluster::ServiceType::external_name;
  external.ports.push_back(port(25, {}));
  const ServiceTable table(cluster_);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.rule_count(), 0u);
}

TEST_F(ServiceTableTest, LocalTrafficPolicyUsesOnlyTheClientsNodeAndElseDrops) {
  const PodId here = add_pod(0);
  const PodId there = add_pod(1);
  const PodId there_too = add_pod(1);
  Service& service = add_service("web", kWebIp);
  service.is_internal_local = true;
  service.ports.push_back(port(80, {backend(there, 80), backend(here, 80), backend(there_too, 80)}));
  service.ports.push_back(port(81, {}));
  const ServiceTable table(cluster_);
  const auto from_node = [&](std::uint32_t node, std::uint64_t draw, std::uint16_t number = 80) {
    return table.translate(Client{kClientIp, NodeId(node)}, kWebIp, IpProtocol::tcp, Port(number), draw);
  };
  EXPECT_EQ(from_node(0, ~std::uint64_t{0}).target.pod, here);
  EXPECT_EQ(from_node(1, 0).target.pod, there);
  EXPECT_EQ(from_node(1, ~std::uint64_t{0}).target.pod, there_too);
  EXPECT_EQ(from_node(2, 0).outcome, Outcome::dropped);
  EXPECT_EQ(from_node(0, 0, 81).outcome, Outcome::rejected);  // no endpoint anywhere: REJECT, not DROP
}

TEST_F(ServiceTableTest, ChoiceIsUniformOverTheReadyBackends) {
  std::vector<Backend> backends;
  for (int i = 0; i < 4; ++i) {
    backends.push_back(backend(add_pod(0), 80));
  }
  pod(backends[1].pod).is_ready = false;
  backends[1].is_ready = false;
  add_service("web", kWebIp).ports.push_back(port(80, backends));
  const ServiceTable table(cluster_);
  constexpr std::uint64_t kSeed = 20'261'122;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  std::array<int, 4> hits = {};
  constexpr int kDraws = 30'000;
  for (int i = 0; i < kDraws; ++i) {
    ++hits[table.translate(kClient, kWebIp, IpProtocol::tcp, Port(80), random()).target.pod.index()];
  }
  // Each of 3 backends is hit Binomial(30000, 1/3) times: mean 10000, standard deviation 82; 5 of them are 408.
  EXPECT_EQ(hits[1], 0);
  for (const std::size_t pod_index : {0u, 2u, 3u}) {
    EXPECT_NEAR(hits[pod_index], 10'000, 408);
  }
}

TEST_F(ServiceTableTest, RulesCountOnlyServicePortsWithEndpointsAndUnmatchedPacketsWalkThemAll) {
  const PodId web = add_pod(0);
  add_service("a", IpAddress::v4(10, 96, 0, 1)).ports = {port(80, {backend(web, 80)}), port(443, {backend(web, 443)})};
  add_service("b", IpAddress::v4(10, 96, 0, 2)).ports = {port(80, {})};
  add_service("c", kWebIp).ports = {port(80, {backend(web, 80)})};
  const ServiceTable table(cluster_);
  const auto walked = [&](IpAddress ip, std::uint16_t number) {
    return table.translate(kClient, ip, IpProtocol::tcp, Port(number), 0).rules_walked;
  };
  EXPECT_EQ(table.rule_count(), 3u);
  EXPECT_EQ(walked(IpAddress::v4(10, 96, 0, 1), 80), 1u);
  EXPECT_EQ(walked(IpAddress::v4(10, 96, 0, 1), 443), 2u);
  EXPECT_EQ(walked(IpAddress::v4(10, 96, 0, 2), 80), 3u);  // rejected later, in the filter table
  EXPECT_EQ(walked(kWebIp, 80), 3u);
  EXPECT_EQ(walked(IpAddress::v4(10, 244, 0, 1), 80), 3u);
}

TEST_F(ServiceTableTest, FirstPacketCostGrowsWithTheRulesPosition) {
  cni::Profile profile;
  profile.first_steps[static_cast<std::size_t>(cni::Step::service_nat)].cost = Duration::from_ns(12'400);
  profile.service_nat_per_rule = Duration::from_ps(20'800);
  // kubernetes-networking 2.3: 12.4 us + 20.8 ns x 10,000 = 220.4 us.
  Translation translation;
  translation.rules_walked = 10'000;
  translation.service_port = ServicePortId(9'999u);
  EXPECT_EQ(first_packet_cost(profile, translation), Duration::from_ns(220'400));
  // A connection to a pod's own address walks the chain (208 us) and matches nothing.
  translation.service_port = ServicePortId::none();
  EXPECT_EQ(first_packet_cost(profile, translation), Duration::from_ns(208'000));
}

TEST_F(ServiceTableTest, SessionAffinityIsSaidToBeLeftOut) {
  Service& service = add_service("web", kWebIp);
  EXPECT_TRUE(notes(cluster_).empty());
  service.has_client_ip_affinity = true;
  const auto said = notes(cluster_);
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].topic, "service");
  EXPECT_NE(said[0].text.find("shop/web"), std::string::npos);
}

TEST_F(ServiceTableTest, EveryPublishedParameterNamesItsSource) {
  for (const cni::Parameter& parameter : parameters()) {
    EXPECT_FALSE(parameter.source.empty()) << parameter.path;
    EXPECT_FALSE(parameter.description.empty()) << parameter.path;
  }
}

}  // namespace
}  // namespace podwire::service
