// DNS end to end: real packets from a pod's resolver to CoreDNS pods behind kube-dns, under policies, loss and load.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/dns/dns_world.hpp"

namespace podwire::dns {
namespace {

constexpr const char* kShop = R"(
apiVersion: v1
kind: Namespace
metadata: {name: a}
---
apiVersion: v1
kind: Namespace
metadata: {name: b}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: client, namespace: a}
spec:
  replicas: 2
  selector: {matchLabels: {app: client}}
  template: {metadata: {labels: {app: client}}, spec: {containers: [{name: c, image: c}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: server, namespace: b}
spec:
  replicas: 40
  selector: {matchLabels: {app: server}}
  template: {metadata: {labels: {app: server}}, spec: {containers: [{name: c, image: c, ports: [{containerPort: 80}]}]}}
---
apiVersion: v1
kind: Service
metadata: {name: svc, namespace: b}
spec: {selector: {app: server}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: each, namespace: b}
spec: {clusterIP: None, selector: {app: server}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: a}
spec: {type: ExternalName, externalName: api.example.com}
)";

constexpr const char* kDenyEgressOfA = R"(
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: a}
spec: {podSelector: {}, policyTypes: [Egress]}
)";

constexpr const char* kDenyEgressOfCoreDns = R"(
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: kube-system}
spec: {podSelector: {}, policyTypes: [Egress]}
)";

const IpAddress kApi = IpAddress::v4(203, 0, 113, 5);

WorldOptions with_api() {
  WorldOptions options;
  options.dns.externals = {{"api.example.com", {kApi}}};
  return options;
}

std::uint64_t dropped(const DnsWorld& world, dataplane::DropReason reason) {
  return world.network.drops().packets(reason);
}

TEST(Dns, AsksAsManyQueriesAsTheTableOfQueryMultiplicationSays) {
  // kubernetes-networking 1.9 with S = 3 search domains and F = 2 (A and AAAA).
  DnsWorld world(kShop);
  const dataplane::End client = world.pod("a", "client");
  const std::vector<std::pair<const char*, std::uint32_t>> cases = {
      {"svc.b", 4}, {"svc.b.svc", 6}, {"svc.b.svc.cluster.local", 8}, {"svc.b.svc.cluster.local.", 2}};
  std::uint64_t queries = 0;
  for (const auto& [host, expected] : cases) {
    const Heard heard = world.lookup(client, host);
    EXPECT_EQ(heard.status, LookupStatus::found) << host;
    EXPECT_EQ(heard.queries, expected) << host;
    EXPECT_EQ(heard.addresses, std::vector<IpAddress>{world.service_ip("b", "svc")}) << host;
    queries += expected;
  }
  EXPECT_EQ(world.dns.servers().queries(), queries);  // each one reached a CoreDNS pod
  EXPECT_EQ(world.dns.servers().forwards(), 0u);
  const Heard same_namespace = world.lookup(world.pod("b", "server"), "svc");
  EXPECT_EQ(same_namespace.queries, 2u);
}

TEST(Dns, CandidatesAreAskedOneAfterTheOther) {
  // One candidate is a round trip and the core time of two queries, which fall on two cores or one after the other.
  DnsWorld world(kShop);
  const Heard one = world.lookup(world.pod("a", "client"), "svc.b.svc.cluster.local.");
  const Heard four = world.lookup(world.pod("a", "client"), "svc.b.svc.cluster.local");
  EXPECT_GT(one.elapsed, 56_us);
  EXPECT_LT(one.elapsed, 250_us);
  EXPECT_GT(four.elapsed, one.elapsed * 2);
  EXPECT_LT(four.elapsed, one.elapsed * 6);
}

TEST(Dns, NamesThatDoNotExistEndInNxdomainAndThoseWithoutAddressInNodata) {
  DnsWorld world(kShop);
  const Heard missing = world.lookup(world.pod("a", "client"), "missing.b.svc.cluster.local.");
  EXPECT_EQ(missing.status, LookupStatus::nxdomain);
  EXPECT_EQ(missing.queries, 2u);
  const Heard empty = world.lookup(world.pod("a", "client"), "b.svc.cluster.local.");
  EXPECT_EQ(empty.status, LookupStatus::nodata);
}

TEST(Dns, BlockedQueriesTakeTenSecondsForEachOfTwoNames) {
  // Reference pipeline D1: 5 s, again 5 s; the timeout leaves the search list; the bare name costs another 10 s.
  DnsWorld world(std::string(kShop) + kDenyEgressOfA);
  const Heard heard = world.lookup(world.pod("a", "client"), "svc.b");
  EXPECT_EQ(heard.status, LookupStatus::timeout);
  EXPECT_EQ(heard.elapsed, 20_s);
  EXPECT_EQ(heard.candidates, 2u);
  EXPECT_EQ(heard.queries, 8u);  // 2 names, 2 attempts, A and AAAA
  EXPECT_EQ(dropped(world, dataplane::DropReason::policy_denied), 8u);
  EXPECT_EQ(world.dns.servers().queries(), 0u);
  const Heard qualified = world.lookup(world.pod("a", "client"), "svc.b.svc.cluster.local.");
  EXPECT_EQ(qualified.elapsed, 10_s);
  EXPECT_TRUE(world.network.audit().is_conserved());
}

TEST(Dns, WaitsFollowTheNumberOfServers) {
  // Three servers that never answer: 5, 10 / 3 = 3 and 20 / 3 = 6 s a round, two rounds: 28 s.
  DnsWorld world(std::string(kShop) + kDenyEgressOfA + R"(
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: three, namespace: a}
spec:
  selector: {matchLabels: {app: three}}
  template:
    metadata: {labels: {app: three}}
    spec:
      dnsPolicy: None
      dnsConfig: {nameservers: [10.96.0.10, 192.0.2.1, 192.0.2.2]}
      containers: [{name: c, image: c}]
)");
  const Heard heard = world.lookup(world.pod("a", "three"), "svc.b.svc.cluster.local.");
  EXPECT_EQ(heard.elapsed, 28_s);
  EXPECT_EQ(heard.queries, 12u);
}

TEST(Dns, AServiceWithoutServersIsRefusedAtOnce) {
  WorldOptions options;
  options.adds_dns = false;
  DnsWorld world(std::string(kShop) + R"(
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec: {clusterIP: 10.96.0.10, selector: {k8s-app: kube-dns}, ports: [{name: dns, port: 53, protocol: UDP}]}
)",
                 options);
  const Heard heard = world.lookup(world.pod("a", "client"), "svc.b");
  EXPECT_EQ(heard.status, LookupStatus::refused);
  EXPECT_LT(heard.elapsed, 1_ms);
  EXPECT_EQ(heard.candidates, 1u);
  EXPECT_GT(dropped(world, dataplane::DropReason::service_rejected), 0u);
}

TEST(Dns, ManyAddressesAreFetchedAgainOverTcp) {
  // 40 records of 16 bytes (compressed) on a question of 41 bytes exceed 512: both queries go again over TCP.
  DnsWorld world(kShop);
  const Heard heard = world.lookup(world.pod("a", "client"), "each.b.svc.cluster.local.");
  EXPECT_EQ(heard.status, LookupStatus::found);
  EXPECT_EQ(heard.queries, 4u);
  EXPECT_EQ(world.dns.servers().queries(), 4u);
  const std::set<IpAddress> distinct(heard.addresses.begin(), heard.addresses.end());
  EXPECT_EQ(distinct.size(), 40u);
}

TEST(Dns, AnswersAreShuffledByTheLookupsIdentity) {
  DnsWorld world(kShop);
  const Heard first = world.lookup(world.pod("a", "client"), "each.b.svc.cluster.local.");
  const Heard second = world.lookup(world.pod("a", "client"), "each.b.svc.cluster.local.");
  EXPECT_NE(first.addresses, second.addresses);
  DnsWorld again(kShop);
  EXPECT_EQ(again.lookup(again.pod("a", "client"), "each.b.svc.cluster.local.").addresses, first.addresses);
}

TEST(Dns, OutsideNamesAreForwardedAndExistOnlyIfDeclared) {
  DnsWorld world(kShop, with_api());
  const Heard known = world.lookup(world.pod("a", "client"), "api.example.com");
  EXPECT_EQ(known.status, LookupStatus::found);
  EXPECT_EQ(known.addresses, std::vector<IpAddress>{kApi});
  EXPECT_EQ(known.queries, 8u);                   // three search domains first
  EXPECT_EQ(world.dns.servers().forwards(), 2u);  // only the bare name leaves the cluster
  EXPECT_GT(known.elapsed, 10_ms);                // the gateway's link is 5 ms each way
  EXPECT_LT(known.elapsed, 12_ms);
  EXPECT_TRUE(world.dns.notes().empty());
  const Heard unknown = world.lookup(world.pod("a", "client"), "www.example.com");
  EXPECT_EQ(unknown.status, LookupStatus::nxdomain);
  ASSERT_EQ(world.dns.notes().size(), 1u);
  EXPECT_NE(world.dns.notes()[0].find("www.example.com"), std::string::npos);
}

TEST(Dns, AnExternalNameIsAnsweredWithItsTargetsAddress) {
  DnsWorld world(kShop, with_api());
  const Heard heard = world.lookup(world.pod("a", "client"), "api");
  EXPECT_EQ(heard.status, LookupStatus::found);
  EXPECT_EQ(heard.addresses, std::vector<IpAddress>{kApi});
  EXPECT_EQ(heard.queries, 2u);
}

TEST(Dns, ForwardsThatPolicyBlocksEndInServerFailureAfterSixSeconds) {
  // CoreDNS tries at 0, 2 and 4 s and gives up at 6 s, when 5 s have passed; glibc has asked again at 5 s. Both answers
  // of the first sending are SERVFAIL at 6 s, which ends the second attempt too.
  DnsWorld world(std::string(kShop) + kDenyEgressOfCoreDns, with_api());
  const Heard heard = world.lookup(world.pod("a", "client"), "api.example.com.");
  EXPECT_EQ(heard.status, LookupStatus::servfail);
  EXPECT_GT(heard.elapsed, 6_s);
  EXPECT_LT(heard.elapsed, 6_s + 2_ms);
  // Names inside are still answered: replies need no egress rule.
  EXPECT_EQ(world.lookup(world.pod("a", "client"), "svc.b").status, LookupStatus::found);
}

constexpr const char* kTcpClient = R"(
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: vc, namespace: a}
spec:
  selector: {matchLabels: {app: vc}}
  template:
    metadata: {labels: {app: vc}}
    spec:
      containers: [{name: c, image: c}]
      dnsConfig: {options: [{name: use-vc}]}
)";

TEST(Dns, UseVcAsksOverTcpAlone) {
  // Each candidate is a connection of its own with both queries: a handshake more than over UDP.
  DnsWorld world(std::string(kShop) + kTcpClient, with_api());
  const dataplane::End client = world.pod("a", "vc");
  EXPECT_TRUE(world.dns.resolver().conf(client).uses_tcp);
  const Heard udp = world.lookup(world.pod("a", "client"), "svc.b.svc.cluster.local.");
  const Heard tcp = world.lookup(client, "svc.b.svc.cluster.local.");
  EXPECT_EQ(tcp.status, LookupStatus::found);
  EXPECT_EQ(tcp.addresses, udp.addresses);
  EXPECT_EQ(tcp.queries, 2u);
  EXPECT_GT(tcp.elapsed, udp.elapsed);
  EXPECT_EQ(world.lookup(client, "svc.b").queries, 4u);
  EXPECT_EQ(world.lookup(client, "api.example.com.").addresses, std::vector<IpAddress>{kApi});
  EXPECT_EQ(world.lookup(client, "nothing.b.svc.cluster.local.").status, LookupStatus::nxdomain);
  EXPECT_EQ(world.dns.servers().queries(), 2u + 2 + 4 + 2 + 2);
}

TEST(Dns, OverTcpAServerFailureIsAnAnswer) {
  // CoreDNS gives up at 6 s. Over UDP glibc would ask once more; send_vc takes what it is told.
  DnsWorld world(std::string(kShop) + kTcpClient + kDenyEgressOfCoreDns, with_api());
  const Heard heard = world.lookup(world.pod("a", "vc"), "api.example.com.");
  EXPECT_EQ(heard.status, LookupStatus::servfail);
  EXPECT_EQ(heard.queries, 2u);
  EXPECT_GT(heard.elapsed, 6_s);
  EXPECT_LT(heard.elapsed, 6_s + 2_ms);
}

TEST(Dns, ACoreDnsPodForwardsAThousandQueriesAtATimeAndRefusesMore) {
  // No answer comes from outside, so the first 1,000 queries stay under way until 6 s: 500 pairs, if both of a pair
  // find room. The other lookups are refused in both attempts, in far less than the 5 s after which the first ones ask
  // again.
  WorldOptions options = with_api();
  options.dns_replicas = 1;
  DnsWorld world(std::string(kShop) + kDenyEgressOfCoreDns, options);
  for (std::uint64_t identity = 1; identity <= 600; ++identity) {
    world.start(world.pod("a", "client"), "api.example.com.", identity);
  }
  world.simulator.run_until(world.simulator.now() + 1_s);
  EXPECT_EQ(world.dns.servers().forwards(), 1000u);
  EXPECT_GE(world.heard.size(), 90u);
  EXPECT_LE(world.heard.size(), 100u);
  for (const Heard& heard : world.heard) {
    EXPECT_EQ(heard.status, LookupStatus::refused);
    EXPECT_EQ(heard.queries, 4u) << "two attempts of a pair";
  }
  world.simulator.run_until(world.simulator.now() + 60_s);
  EXPECT_EQ(world.heard.size(), 600u);
}

TEST(Dns, DnsPolicyDefaultAsksOutsideAndFindsNoClusterName) {
  DnsWorld world(std::string(kShop) + R"(
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: plain, namespace: a}
spec:
  selector: {matchLabels: {app: plain}}
  template:
    metadata: {labels: {app: plain}}
    spec: {dnsPolicy: Default, containers: [{name: c, image: c}]}
)",
                 with_api());
  EXPECT_EQ(world.lookup(world.pod("a", "plain"), "api.example.com").status, LookupStatus::found);
  EXPECT_EQ(world.lookup(world.pod("a", "plain"), "svc.b.svc.cluster.local").status, LookupStatus::nxdomain);
  EXPECT_EQ(world.dns.servers().queries(), 0u);
}

TEST(Dns, AnAddressIsItsOwnAnswer) {
  DnsWorld world(kShop);
  const Heard heard = world.lookup(world.pod("a", "client"), "10.1.2.3");
  EXPECT_EQ(heard.status, LookupStatus::found);
  EXPECT_EQ(heard.addresses, (std::vector<IpAddress>{IpAddress::v4(10, 1, 2, 3)}));
  EXPECT_EQ(heard.queries, 0u);
  EXPECT_EQ(heard.elapsed, Duration::zero());
}

TEST(Dns, ACancelledLookupIsNeverHeardOf) {
  DnsWorld world(std::string(kShop) + kDenyEgressOfA);
  const LookupHandle handle = world.start(world.pod("a", "client"), "svc.b");
  world.simulator.run_until(Time::start() + 2_s);
  world.dns.resolver().cancel(handle);
  world.dns.resolver().cancel(handle);  // stale by now
  world.simulator.run_until(Time::start() + 100_s);
  EXPECT_TRUE(world.heard.empty());
  EXPECT_EQ(world.transport.open_sockets(), 0u);
}

TEST(Dns, FinishedLookupsLeaveNoSocketsBehind) {
  DnsWorld world(kShop, with_api());
  for (const char* host : {"svc.b", "each.b", "api.example.com", "missing"}) {
    world.lookup(world.pod("a", "client"), host, 1_s);
  }
  EXPECT_EQ(world.heard.size(), 4u);
  EXPECT_EQ(world.transport.open_sockets(), 0u);
}

TEST(Dns, LostDatagramsAreAskedForAgain) {
  // 5 % of packets are lost on each link (two a way): a lookup of one name needs four passages of 0.95^2 each, so that
  // about a third meet a loss; 5 s later nearly all are repaired, and none is left without a result.
  WorldOptions options;
  options.loss = 0.05;
  DnsWorld world(kShop, options);
  constexpr std::size_t kLookups = 500;
  for (std::uint64_t i = 1; i <= kLookups; ++i) {
    world.start(world.pod("a", "client", i % 2), "svc.b.svc.cluster.local.", i);
  }
  world.simulator.run_until(Time::start() + 100_s);
  ASSERT_EQ(world.heard.size(), kLookups);
  const auto found = std::count_if(world.heard.begin(), world.heard.end(),
                                   [](const Heard& heard) { return heard.status == LookupStatus::found; });
  const auto slow =
      std::count_if(world.heard.begin(), world.heard.end(), [](const Heard& heard) { return heard.elapsed >= 5_s; });
  EXPECT_GT(found, 470);
  EXPECT_GT(slow, 50);
  EXPECT_LT(slow, 250);
  EXPECT_TRUE(world.network.audit().is_conserved());
}

/// As many lookups under way as `clients`, each begun when another ends.
class ClosedLoop {
 public:
  ClosedLoop(DnsWorld& world, std::uint64_t clients) : world_(world) {
    world.dns.resolver().on_result<&ClosedLoop::on_result>(*this);
    host_ = world.dns.resolver().intern_host("svc.b.svc.cluster.local.");
    for (std::uint64_t i = 0; i < clients; ++i) {
      start();
    }
  }
  std::uint64_t finished() const { return finished_; }
  Duration total() const { return total_; }

 private:
  void start() {
    ++identity_;
    world_.dns.resolver().start(
        {.client = world_.pod("b", "server", identity_ % 40), .host = host_, .identity = identity_});
  }
  void on_result(const LookupResult& result) {
    ++finished_;
    total_ += result.elapsed;
    start();
  }
  DnsWorld& world_;
  HostId host_;
  std::uint64_t identity_ = 0;
  std::uint64_t finished_ = 0;
  Duration total_;
};

TEST(Dns, OneServerAnswersAsManyQueriesAsWasMeasured) {
  // coredns/deployment Scaling_CoreDNS.md: 33,669 queries/s from one CoreDNS on 2 vCPU with about 85 queries
  // outstanding. A closed network of 85 customers and a station of 2 cores at 59.4 us: X = 2 / 59.4 us = 33,670/s. A
  // lookup is two queries here: 43 lookups under way keep 86 outstanding, or 43 while one of the pair waits. By
  // Little's law a lookup takes 43 / (33,670 / 2 /s) = 2.55 ms.
  WorldOptions options;
  options.dns_replicas = 1;
  options.dns.query_cpu = Duration::from_ns(59'400);
  DnsWorld world(kShop, options);
  ClosedLoop loop(world, 43);
  world.simulator.run_until(Time::start() + 1_s);
  EXPECT_NEAR(static_cast<double>(world.dns.servers().queries()), 33'670.0, 0.01 * 33'670.0);
  EXPECT_NEAR(loop.total().seconds() / static_cast<double>(loop.finished()), 2.55e-3, 0.02 * 2.55e-3);
}

TEST(Dns, TheDefaultCoreTimeIsTheMeasuredOne) {
  // 1.9 busy cores / 33,667 queries/s = 56.4 us of core time a query.
  EXPECT_NEAR(DnsOptions().query_cpu.seconds(), 1.9 / 33'667, 0.01 * 56e-6);
}

TEST(Dns, CoreDnsAcceptsTcpConnectionsOnItsServicePort) {
  DnsWorld world(kShop);
  struct Probe {
    void hear(const transport::Event& event) { kinds.push_back(event.kind); }
    std::vector<transport::EventKind> kinds;
  } probe;
  const auto application = world.transport.add_application<&Probe::hear>(probe);
  const auto socket = world.transport.connect({.source = world.pod("a", "client"),
                                               .destination = world.service_ip("kube-system", "kube-dns"),
                                               .port = Port(53),
                                               .identity = {1, 0},
                                               .application = application});
  world.simulator.run_until(Time::start() + 1_s);
  ASSERT_EQ(probe.kinds, std::vector<transport::EventKind>{transport::EventKind::connected});
  world.transport.close(socket);
  world.simulator.run_until(Time::start() + 2_s);
  EXPECT_EQ(world.transport.open_sockets(), 0u);
}

TEST(CoreStation, ServesInOrderOnWhicheverCoreIsFreeFirst) {
  CoreStation station(2);
  EXPECT_EQ(station.book(Time::start(), 10_us), Time::start() + 10_us);
  EXPECT_EQ(station.book(Time::start(), 10_us), Time::start() + 10_us);
  EXPECT_EQ(station.book(Time::start(), 10_us), Time::start() + 20_us);
  EXPECT_EQ(station.book(Time::start() + 50_us, 10_us), Time::start() + 60_us);
}

}  // namespace
}  // namespace podwire::dns
