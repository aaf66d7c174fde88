// CoreDNS's records on a small cluster: what each name gives, and NXDOMAIN against NODATA (kubernetes-networking, 1.6).
#include "models/dns/zone.hpp"

#include <gtest/gtest.h>

namespace podwire::dns {
namespace {

using cluster::Backend;
using cluster::Cluster;
using cluster::NamespaceId;
using cluster::NodeId;
using cluster::PodId;
using cluster::Service;
using cluster::ServicePort;
using Addresses = std::vector<IpAddress>;
using Strings = std::vector<std::string>;

const IpAddress kWebIp = IpAddress::v4(10, 96, 0, 20);
const IpAddress kOutside = IpAddress::v4(203, 0, 113, 5);

class ZoneTest : public ::testing::Test {
 protected:
  ZoneTest() {
    cluster_.namespaces = {{"empty", {}, false, {}}, {"shop", {}, false, {}}};
    cluster_.service_cidr = *Cidr::parse("10.96.0.0/12");
    // Pods 10.244.0.1 to .3 behind all Services; .3 is not ready.
    for (unsigned i = 1; i <= 3; ++i) {
      cluster::Pod pod;
      pod.node = NodeId(0u);
      pod.ip = IpAddress::v4(10, 244, 0, i);
      pod.is_ready = i != 3;
      cluster_.pods.push_back(pod);
    }
    add_service("web", kWebIp).ports.push_back(port("http", 80, 8080));
    Service& db = add_service("db", IpAddress());
    db.is_headless = true;
    db.ports.push_back(port("pg", 5432, 5432));
    db.ports.front().backends[0].hostname = "db-0";
    Service& none = add_service("none", IpAddress());
    none.is_headless = true;
    none.ports.push_back(port("", 80, 80));
    none.ports.front().backends.clear();
    add_alias("inside", "web.shop.svc.cluster.local");
    add_alias("outside", "API.example.com.");
    add_alias("unknown", "nowhere.example.com");
    add_alias("broken", "nothing.shop.svc.cluster.local");
    add_alias("twice", "inside.shop.svc.cluster.local");
    add_alias("round", "round.shop.svc.cluster.local");
  }

  Service& add_service(const std::string& name, IpAddress ip) {
    Service service;
    service.name_space = NamespaceId(1u);
    service.name = name;
    service.cluster_ip = ip;
    cluster_.services.push_back(service);
    return cluster_.services.back();
  }
  void add_alias(const std::string& name, const std::string& target) {
    Service& service = add_service(name, IpAddress());
    service.type = cluster::ServiceType::external_name;
    service.external_name = target;
  }
  ServicePort port(const std::string& name, std::uint16_t number, std::uint16_t target) {
    ServicePort result;
    result.name = name;
    result.port = Port(number);
    for (std::size_t i = 0; i < cluster_.pods.size(); ++i) {
      const cluster::Pod& pod = cluster_.pods[i];
      result.backends.push_back({PodId(i), pod.node, pod.ip, Port(target), pod.is_ready, false, ""});
    }
    return result;
  }

  Answer ask(std::string_view name, RecordType type = RecordType::a) {
    NameTable names;
    Zone zone(cluster_, names, {{"api.example.com", {kOutside}}});
    return zone.answer(zone.resolve(names.intern(name), type));
  }
  void expect_code(std::string_view name, Rcode rcode, RecordType type = RecordType::a) {
    const Answer answer = ask(name, type);
    EXPECT_EQ(to_string(answer.rcode), to_string(rcode)) << name;
    EXPECT_TRUE(answer.is_no_data() || rcode != Rcode::noerror) << name;
    EXPECT_FALSE(answer.is_forwarded) << name;
  }

  Cluster cluster_;
};

TEST_F(ZoneTest, AServiceHasItsClusterIpAndNoDataForIpv6) {
  EXPECT_EQ(ask("web.shop.svc.cluster.local").addresses, Addresses{kWebIp});
  EXPECT_EQ(ask("WEB.Shop.svc.cluster.local.").addresses, Addresses{kWebIp});
  expect_code("web.shop.svc.cluster.local", Rcode::noerror, RecordType::aaaa);
}

TEST_F(ZoneTest, AServiceThatIsNotThereHasNoNameAndItsAddressNone) {
  for (Service& service : cluster_.services) {
    service.is_there = false;
  }
  expect_code("web.shop.svc.cluster.local", Rcode::nxdomain);
  expect_code("db.shop.svc.cluster.local", Rcode::nxdomain);
  EXPECT_TRUE(ask("20.0.96.10.in-addr.arpa", RecordType::ptr).texts.empty());
  EXPECT_TRUE(ask("1.0.244.10.in-addr.arpa", RecordType::ptr).texts.empty());
  expect_code("shop.svc.cluster.local", Rcode::noerror);  // the namespace is there
}

TEST_F(ZoneTest, AHeadlessServiceHasItsReadyEndpoints) {
  EXPECT_EQ(ask("db.shop.svc.cluster.local").addresses,
            (Addresses{IpAddress::v4(10, 244, 0, 1), IpAddress::v4(10, 244, 0, 2)}));
  cluster_.services[1].publishes_not_ready = true;
  EXPECT_EQ(ask("db.shop.svc.cluster.local").addresses.size(), 3u);
}

TEST_F(ZoneTest, ATerminatingPodIsNoEndpointUnlessUnreadyOnesArePublished) {
  cluster_.pods[0].is_terminating = true;
  EXPECT_EQ(ask("db.shop.svc.cluster.local").addresses, Addresses{IpAddress::v4(10, 244, 0, 2)});
}

TEST_F(ZoneTest, AHeadlessServiceMayHaveAddressesWithoutPorts) {
  Service& db = cluster_.services[1];
  db.portless_backends = db.ports.front().backends;
  db.ports.clear();
  EXPECT_EQ(ask("db.shop.svc.cluster.local").addresses.size(), 2u);
  EXPECT_EQ(ask("db-0.db.shop.svc.cluster.local").addresses.size(), 1u);
  expect_code("_pg._tcp.db.shop.svc.cluster.local", Rcode::nxdomain, RecordType::srv);
}

TEST_F(ZoneTest, AnEndpointHasItsHostnameOrItsDashedAddress) {
  EXPECT_EQ(ask("db-0.db.shop.svc.cluster.local").addresses, Addresses{IpAddress::v4(10, 244, 0, 1)});
  EXPECT_EQ(ask("10-244-0-2.db.shop.svc.cluster.local").addresses, Addresses{IpAddress::v4(10, 244, 0, 2)});
  EXPECT_EQ(ask("10-244-0-2.web.shop.svc.cluster.local").addresses, Addresses{IpAddress::v4(10, 244, 0, 2)});
  expect_code("10-244-0-1.db.shop.svc.cluster.local", Rcode::nxdomain);  // it goes by its hostname
  expect_code("10-244-0-3.db.shop.svc.cluster.local", Rcode::nxdomain);  // not ready
}

TEST_F(ZoneTest, NameErrorsAndEmptyAnswersFollowTheParsingRules) {
  expect_code("cluster.local", Rcode::noerror);
  expect_code("svc.cluster.local", Rcode::noerror);
  expect_code("pod.cluster.local", Rcode::noerror);
  expect_code("com.cluster.local", Rcode::nxdomain);
  expect_code("shop.svc.cluster.local", Rcode::noerror);
  expect_code("empty.svc.cluster.local", Rcode::noerror);
  expect_code("missing.svc.cluster.local", Rcode::nxdomain);
  expect_code("web.missing.svc.cluster.local", Rcode::nxdomain);
  expect_code("missing.shop.svc.cluster.local", Rcode::nxdomain);
  expect_code("none.shop.svc.cluster.local", Rcode::nxdomain);  // headless without a ready endpoint
  expect_code("a.b.c.web.shop.svc.cluster.local", Rcode::nxdomain);
  expect_code("_ftp._tcp.web.shop.svc.cluster.local", Rcode::nxdomain, RecordType::srv);
  expect_code("web.shop.svc.cluster.local", Rcode::noerror, RecordType::txt);
  expect_code("missing.shop.svc.cluster.local", Rcode::nxdomain, RecordType::txt);
  // Names that the search list makes of outside names die here: www is a port, example a protocol, com a Service.
  expect_code("www.example.com.shop.svc.cluster.local", Rcode::nxdomain);
  expect_code("www.example.com.svc.cluster.local", Rcode::nxdomain);
  expect_code("www.example.com.cluster.local", Rcode::nxdomain);
}

TEST_F(ZoneTest, PodNamesEchoAnyAddressWhereTheNamespaceExists) {
  EXPECT_EQ(ask("1-2-3-4.shop.pod.cluster.local").addresses, Addresses{IpAddress::v4(1, 2, 3, 4)});
  expect_code("1-2-3-4.shop.pod.cluster.local", Rcode::noerror, RecordType::aaaa);
  expect_code("1-2-3-4.missing.pod.cluster.local", Rcode::nxdomain);
  expect_code("web-0.shop.pod.cluster.local", Rcode::nxdomain);
  expect_code("shop.pod.cluster.local", Rcode::noerror);
}

TEST_F(ZoneTest, ServiceRecordsNamePortsAndTargets) {
  const Answer web = ask("_http._tcp.web.shop.svc.cluster.local", RecordType::srv);
  ASSERT_EQ(web.services.size(), 1u);
  EXPECT_EQ(web.services[0].port, Port(80));  // the Service's port
  EXPECT_EQ(web.services[0].target, "web.shop.svc.cluster.local");
  EXPECT_EQ(web.services[0].weight, 100u);
  const Answer db = ask("_pg._tcp.db.shop.svc.cluster.local", RecordType::srv);
  ASSERT_EQ(db.services.size(), 2u);
  EXPECT_EQ(db.services[0].port, Port(5432));  // the endpoint's port
  EXPECT_EQ(db.services[0].target, "db-0.db.shop.svc.cluster.local");
  EXPECT_EQ(db.services[1].target, "10-244-0-2.db.shop.svc.cluster.local");
  EXPECT_EQ(db.services[1].weight, 50u);
}

TEST_F(ZoneTest, AnAliasInsideTheZoneIsFollowedThroughChains) {
  const Answer inside = ask("inside.shop.svc.cluster.local");
  EXPECT_EQ(inside.cnames, Strings{"web.shop.svc.cluster.local"});
  EXPECT_EQ(inside.addresses, Addresses{kWebIp});
  EXPECT_FALSE(inside.is_forwarded);
  const Answer twice = ask("twice.shop.svc.cluster.local");
  EXPECT_EQ(twice.cnames, (Strings{"inside.shop.svc.cluster.local", "web.shop.svc.cluster.local"}));
  EXPECT_EQ(twice.addresses, Addresses{kWebIp});
  EXPECT_EQ(ask("twice.shop.svc.cluster.local", RecordType::cname).cnames, Strings{"inside.shop.svc.cluster.local"});
}

TEST_F(ZoneTest, AnAliasToNothingOrInACircleIsAnEmptyAnswer) {
  expect_code("broken.shop.svc.cluster.local", Rcode::noerror);
  expect_code("round.shop.svc.cluster.local", Rcode::noerror);
  EXPECT_TRUE(ask("broken.shop.svc.cluster.local").cnames.empty());
}

TEST_F(ZoneTest, AliasesEndAfterTenLinks) {
  // link-1 → link-2 → … → link-n → web: with 10 aliases the chain has 10 links and is followed, with 11 it is not.
  for (const std::size_t length : {10u, 11u}) {
    cluster_.services.resize(1);
    for (std::size_t i = 1; i <= length; ++i) {
      const std::string next = i == length ? "web" : "link-" + std::to_string(i + 1);
      add_alias("link-" + std::to_string(i), next + ".shop.svc.cluster.local");
    }
    EXPECT_EQ(ask("link-1.shop.svc.cluster.local").addresses.size(), length == 10 ? 1u : 0u) << length;
  }
}

TEST_F(ZoneTest, AnAliasToAnOutsideNameIsForwarded) {
  const Answer answer = ask("outside.shop.svc.cluster.local");
  EXPECT_TRUE(answer.is_forwarded);
  EXPECT_FALSE(answer.is_assumed);
  EXPECT_EQ(answer.cnames, Strings{"api.example.com"});
  EXPECT_EQ(answer.addresses, Addresses{kOutside});
  const Answer unknown = ask("unknown.shop.svc.cluster.local");
  EXPECT_TRUE(unknown.is_no_data());  // the CNAME stands, its target has no address
  EXPECT_EQ(unknown.rcode, Rcode::noerror);
  EXPECT_TRUE(unknown.is_assumed);
}

TEST_F(ZoneTest, OutsideNamesExistOnlyIfDeclared) {
  EXPECT_EQ(ask("api.example.com").addresses, Addresses{kOutside});
  EXPECT_TRUE(ask("api.example.com", RecordType::aaaa).is_no_data());
  EXPECT_FALSE(ask("api.example.com", RecordType::aaaa).is_assumed);
  const Answer unknown = ask("www.example.com");
  EXPECT_EQ(unknown.rcode, Rcode::nxdomain);
  EXPECT_TRUE(unknown.is_forwarded && unknown.is_assumed);
}

TEST_F(ZoneTest, AssumedNamesAreListedOnceAndSorted) {
  NameTable names;
  Zone zone(cluster_, names);
  for (const char* name : {"www.example.com", "a.example.com", "www.example.com", "web.shop.svc.cluster.local"}) {
    zone.resolve(names.intern(name), RecordType::a);
    zone.resolve(names.intern(name), RecordType::aaaa);
  }
  EXPECT_EQ(zone.assumed_names(), (Strings{"a.example.com", "www.example.com"}));
}

TEST_F(ZoneTest, ServersOutsideKnowNothingOfTheCluster) {
  NameTable names;
  Zone zone(cluster_, names);
  const NameId name = names.intern("web.shop.svc.cluster.local");
  EXPECT_EQ(zone.answer(zone.resolve(name, RecordType::a, Zone::Scope::outside)).rcode, Rcode::nxdomain);
  EXPECT_EQ(zone.answer(zone.resolve(name, RecordType::a)).rcode, Rcode::noerror);
}

// kubeadm's Corefile: `ttl 30` for the cluster's names; plugin/cache brings what it passes into 5 s to 30 s.
TEST_F(ZoneTest, AnswersSayHowLongTheyMayBeKept) {
  add_alias("short", "short.example.com");
  NameTable names;
  Zone zone(cluster_, names,
            {{"long.example.com", {{kOutside}, 3600_s}},
             {"some.example.com", {{kOutside}, 12_s}},
             {"short.example.com", {{kOutside}, 2_s}},
             {"other.example.com", {kOutside}}});
  const auto ttl = [&](const char* name, Zone::Scope scope = Zone::Scope::cluster) {
    return zone.answer(zone.resolve(names.intern(name), RecordType::a, scope)).ttl;
  };
  EXPECT_EQ(ttl("web.shop.svc.cluster.local"), 30_s);
  EXPECT_EQ(ttl("long.example.com"), 30_s);
  EXPECT_EQ(ttl("some.example.com"), 12_s);
  EXPECT_EQ(ttl("short.example.com"), 5_s);
  EXPECT_EQ(ttl("other.example.com"), 30_s);
  EXPECT_EQ(ttl("short.shop.svc.cluster.local"), 5_s) << "an alias holds no longer than what it leads to";
  // Who asks the outside server itself is told what it says.
  EXPECT_EQ(ttl("long.example.com", Zone::Scope::outside), 3600_s);
  EXPECT_EQ(ttl("short.example.com", Zone::Scope::outside), 2_s);
  EXPECT_EQ(ttl("other.example.com", Zone::Scope::outside), kOutsideTtl);
}

TEST_F(ZoneTest, AddressesResolveBackToServicesFirstThenToEndpoints) {
  EXPECT_EQ(ask("20.0.96.10.in-addr.arpa", RecordType::ptr).texts, Strings{"web.shop.svc.cluster.local"});
  EXPECT_EQ(ask("1.0.244.10.in-addr.arpa", RecordType::ptr).texts,
            (Strings{"10-244-0-1.web.shop.svc.cluster.local", "db-0.db.shop.svc.cluster.local"}));
  EXPECT_TRUE(ask("9.9.9.9.in-addr.arpa", RecordType::ptr).is_forwarded);
}

TEST_F(ZoneTest, VersionIsAnsweredAsText) {
  EXPECT_EQ(ask("dns-version.cluster.local", RecordType::txt).texts, Strings{"1.1.0"});
}

TEST_F(ZoneTest, AnswersAreMemoised) {
  NameTable names;
  Zone zone(cluster_, names);
  const NameId name = names.intern("web.shop.svc.cluster.local");
  EXPECT_EQ(zone.resolve(name, RecordType::a), zone.resolve(name, RecordType::a));
  EXPECT_NE(zone.resolve(name, RecordType::a), zone.resolve(name, RecordType::aaaa));
}

TEST_F(ZoneTest, MessagesHaveTheSizesThatCapturesShow) {
  // tcpdump in a pod: `kubernetes.default.svc.cluster.local` asks with 54 bytes; one A record, names uncompressed, is
  // 54 + 38 + 14 = 106; NXDOMAIN carries cluster.local's SOA, 15 + 10 + (22 + 26 + 20) = 93 bytes.
  EXPECT_EQ(query_bytes("kubernetes.default.svc.cluster.local"), 54u);
  add_service("kubernetes", IpAddress::v4(10, 96, 0, 1)).ports.push_back(port("https", 443, 6443));
  cluster_.namespaces[1].name = "default";
  EXPECT_EQ(ask("kubernetes.default.svc.cluster.local").message_bytes, 106u);
  EXPECT_EQ(ask("kubernetss.default.svc.cluster.local").message_bytes, 54u + 93u);
}

TEST_F(ZoneTest, ManyEndpointsFitOverUdpOnlyWhileCompressed) {
  // Compressed, a question of 44 bytes and n records of 16: 29 of them are 508 bytes, 30 are 524 and do not fit in 512.
  ASSERT_EQ(query_bytes("db.shop.svc.cluster.local"), 43u);
  Service& db = cluster_.services[1];
  const auto with_backends = [&](unsigned count) {
    db.ports.front().backends.clear();
    for (unsigned i = 0; i < count; ++i) {
      db.ports.front().backends.push_back(
          {PodId(), NodeId(), IpAddress::v4(10, 244, 1, i + 1), Port(5432), true, false, ""});
    }
    return ask("db.shop.svc.cluster.local");
  };
  EXPECT_EQ(with_backends(29).compressed_bytes, 43u + 29u * 16u);
  EXPECT_EQ(with_backends(30).compressed_bytes, 43u + 30u * 16u);
  // Uncompressed, the owner's 27 bytes stand in each record: 43 + n x 41.
  EXPECT_EQ(with_backends(11).message_bytes, 43u + 11u * 41u);
}

TEST(Names, AreSendableWithinTheLimitsOfRfc1035) {
  EXPECT_TRUE(is_sendable("web.shop.svc.cluster.local"));
  EXPECT_TRUE(is_sendable(std::string(63, 'x') + ".com"));
  EXPECT_FALSE(is_sendable(std::string(64, 'x') + ".com"));
  EXPECT_FALSE(is_sendable("a..b"));
  EXPECT_FALSE(is_sendable(".a"));
  std::string longest;
  for (int i = 0; i < 127; ++i) {
    longest += i == 0 ? "a" : ".a";
  }
  EXPECT_EQ(longest.size(), 253u);
  EXPECT_TRUE(is_sendable(longest));
  EXPECT_FALSE(is_sendable(longest + ".a"));
}

TEST(Names, AreWithinAZoneOnlyByWholeLabels) {
  EXPECT_TRUE(is_within("cluster.local", "cluster.local"));
  EXPECT_TRUE(is_within("a.cluster.local", "cluster.local"));
  EXPECT_FALSE(is_within("mycluster.local", "cluster.local"));
}

}  // namespace
}  // namespace podwire::dns
