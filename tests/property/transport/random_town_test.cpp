// Random clusters with random policies, losses, small buffers and small conntrack tables, and random conversations in
// them: whatever happens, no packet is created or lost unaccounted, everything is freed in the end, and the run does
// not depend on the event set.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/support/town.hpp"

namespace podwire::transport {
namespace {

using test::pod_yaml;
using test::Town;
using test::TownOptions;

constexpr int kPods = 12;

std::string random_manifests(std::mt19937& random) {
  std::string yaml;
  for (int p = 0; p < kPods; ++p) {
    yaml += pod_yaml("ns" + std::to_string(p % 3), "p" + std::to_string(p), 1 + static_cast<int>(random() % 4),
                     "app: x" + std::to_string(random() % 3));
  }
  for (int s = 0; s < 4; ++s) {  // the last one selects nobody
    yaml += "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: ns" + std::to_string(s % 3) + ", name: s" +
            std::to_string(s) + "}\nspec: {selector: {app: x" + std::to_string(s) + "}, clusterIP: 10.96.0." +
            std::to_string(100 + s) +
            ", ports: [{name: t, port: 80, targetPort: 8080}, {name: u, port: 53, protocol: UDP, targetPort: 8080}]}\n";
  }
  for (int n = 0; n < 3; ++n) {
    if (random() % 2 == 0) {
      yaml += "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: ns" +
              std::to_string(n) + ", name: pol}\nspec:\n  podSelector: {matchLabels: {app: x" +
              std::to_string(random() % 3) + "}}\n  policyTypes: [" + (random() % 2 == 0 ? "Ingress" : "Egress") +
              "]\n  " + (random() % 2 == 0 ? "ingress" : "egress") + ": [{}]\n";
    }
  }
  return yaml;
}

TownOptions random_options(std::mt19937& random, bool plain_heap) {
  const char* const profiles[] = {"spec", "flannel", "calico-vxlan", "cilium-vxlan"};
  TownOptions options;
  options.profile = profiles[random() % 4];
  options.nodes = 4;
  options.underlay.preset = topology::Preset::leaf_spine;
  options.underlay.leaves = 2;
  options.underlay.spines = 2;
  options.underlay.host_link = {.rate = BitRate::from_gbps(1),
                                .propagation = 1_us,
                                .buffer = Bytes(static_cast<std::int64_t>(4'000 + random() % 60'000)),
                                .loss = random() % 2 == 0 ? 0.0 : 0.02};
  options.transport.acks = random() % 2 == 0 ? AckPolicy::every_segment : AckPolicy::every_second_segment;
  options.simulator.plain_heap = plain_heap;
  if (random() % 3 == 0) {
    options.adjust = [](cni::Profile& p) {
      p.conntrack.max_entries = 20;
      p.conntrack.max_entries_per_core = 0;
      p.policy.deny_action = cni::DenyAction::reject;
    };
  }
  return options;
}

/// Clients that do random things at random times, and servers that answer at random.
class Chatter {
 public:
  Chatter(Town& town, unsigned seed) : town_(town), random_(seed), seed_(seed) {
    client_ = town.transport().add_application<&Chatter::on_client>(*this);
    server_ = town.transport().add_application<&Chatter::on_server>(*this);
    town.transport().serve_all(IpProtocol::tcp, server_);
    town.transport().serve_all(IpProtocol::udp, server_);
    kind_ = town.simulator().on<&Chatter::act>(*this, "chatter");
    source_ = town.simulator().add_sources(1);
  }
  void start(std::uint32_t actions) {
    for (std::uint32_t n = 0; n < actions; ++n) {
      town_.simulator().at(Time::start() + Duration::from_ns(static_cast<std::int64_t>(random_() % 2'000'000'000)),
                           source_, kind_, n);
    }
  }
  void act(std::uint32_t n) {
    std::mt19937 random(seed_ * 1'000'003 + n);  // what an action does depends on its number alone
    const auto pick = [&random](unsigned limit) { return static_cast<std::uint32_t>(random() % limit); };
    const ConnectOptions options{.source = end(pick(kPods + 1)),
                                 .destination = address(pick(kPods + 6)),
                                 .port = Port(random() % 5 == 0   ? 9'999
                                              : random() % 2 == 0 ? 8080
                                                                  : 80),
                                 .identity = {.who = n, .which = 0},
                                 .application = client_,
                                 .cookie = n,
                                 .account = n % 3,
                                 .is_traced = false};
    Transport& transport = town_.transport();
    if (random() % 3 == 0) {
      ConnectOptions udp = options;
      udp.port = Port(random() % 2 == 0 ? 8080 : 53);
      const SocketHandle socket = transport.open_udp(udp);
      for (unsigned k = 0; k <= random() % 3; ++k) {
        transport.send_datagram(socket, 20 + pick(3'000), k);
      }
      if (random() % 2 == 0) {
        transport.close_udp(socket);
      } else {
        open_udp_.push_back(socket);
      }
      return;
    }
    const SocketHandle socket = transport.connect(options);
    if (random() % 8 == 0) {
      transport.abort(socket);
    }
  }
  void on_client(const Event& event) {
    Transport& transport = town_.transport();
    if (event.kind == EventKind::connected) {
      const std::uint64_t n = event.cookie;
      if (n % 7 == 0) {
        transport.close(event.socket);
      } else if (n % 11 == 0) {
        transport.abort(event.socket);
      } else {
        transport.send(event.socket, 1 + n % 5'000);
      }
    } else if (event.kind == EventKind::peer_closed) {
      transport.close(event.socket);
    }
  }
  void on_server(const Event& event) {
    Transport& transport = town_.transport();
    if (event.kind == EventKind::accepted) {
      accepted_.push_back(event.socket);
    }
    if (event.kind == EventKind::received && event.bytes > 0) {
      const std::uint64_t n = transport.peer_cookie(event.socket);
      if (is_udp(event)) {
        transport.send_datagram(event.socket, 100, event.tag);
        if (n % 2 == 0) {
          transport.close_udp(event.socket);
        }
      } else if (answered_.insert(event.socket.value()).second) {
        transport.send(event.socket, 1 + n * 977 % 60'000);
        transport.close(event.socket);
      }
    } else if (event.kind == EventKind::peer_closed) {
      if (answered_.insert(event.socket.value()).second) {
        transport.close(event.socket);
      }
    } else if (event.kind == EventKind::closed || event.kind == EventKind::failed) {
      answered_.erase(event.socket.value());
    }
  }
  /// The end of all conversations. A client's RST may have been lost: its server would wait for ever, as in life.
  void close_all() {
    for (const SocketHandle socket : accepted_) {
      if (town_.transport().is_open(socket)) {
        town_.transport().abort(socket);
      }
    }
    for (const SocketHandle socket : open_udp_) {
      town_.transport().close_udp(socket);
    }
  }

 private:
  bool is_udp(const Event& event) const {
    return (town_.network().flow(event.socket).flags & dataplane::kFlowUdp) != 0;
  }
  dataplane::End end(std::uint32_t n) const {
    if (n == kPods) {
      return dataplane::End::external(town_.network().external(IpAddress::v4(203, 0, 113, 1)));
    }
    return dataplane::End::pod(cluster::PodId(n));
  }
  IpAddress address(std::uint32_t n) const {
    if (n < kPods) {
      return town_.cluster().pods[n].ip;
    }
    if (n < kPods + 4) {
      return IpAddress::v4(10, 96, 0, 100 + n - kPods);
    }
    return n == kPods + 4 ? IpAddress::v4(198, 51, 100, 5) : IpAddress::v4(10, 244, 0, 250);
  }

  Town& town_;
  std::mt19937 random_;
  unsigned seed_;
  ApplicationId client_;
  ApplicationId server_;
  des::Kind kind_;
  des::EventSource source_;
  std::vector<SocketHandle> open_udp_;
  std::vector<SocketHandle> accepted_;
  std::set<std::uint32_t> answered_;
};

std::uint64_t play(unsigned seed, bool plain_heap) {
  std::mt19937 random(seed);
  const std::string manifests = random_manifests(random);
  Town town(manifests, random_options(random, plain_heap));
  Chatter chatter(town, seed);
  chatter.start(400);
  for (int i = 0; i < 40; ++i) {
    town.run_for(Duration::from_ms(60));
    EXPECT_TRUE(town.network().audit().is_conserved()) << "after " << i;
    EXPECT_EQ(town.network().audit().in_flight, town.network().counts().in_flight);
  }
  town.run_for(2'000_s);  // longer than any retry schedule
  chatter.close_all();
  town.run_for(1'000_s);
  const auto counts = town.network().audit();
  EXPECT_TRUE(counts.is_conserved());
  EXPECT_EQ(counts.in_flight, 0u);
  EXPECT_GT(counts.delivered, 1'000u);
  for (std::uint32_t n = 0; n < 4; ++n) {
    town.network().conntrack_count(cluster::NodeId(n));  // takes out what ran out
  }
  EXPECT_EQ(town.network().live_flows(), 0u);
  EXPECT_EQ(town.transport().open_sockets(), 0u);
  return town.simulator().fingerprint().value();
}

TEST(RandomTown, ConservesPacketsFreesEverythingAndDoesNotDependOnTheEventSet) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::uint64_t fingerprint = play(seed, false);
    ASSERT_EQ(fingerprint, play(seed, true));
    if (HasFailure()) {
      return;
    }
  }
}

/// A node's entries as a plain map of sockets, from the times of packets alone. Packets are sent at ticks of 1.3 s, so
/// that no timeout (2, 30, 120 s) is a number of ticks: the microseconds of the way never decide.
struct NaiveEntry {
  std::int64_t made = 0;
  std::int64_t last = 0;
  bool replied = false;
  double timeout = 30.0;
};

TEST(ConntrackCount, AgreesWithANaiveMapOfUdpEntries) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    Town town(pod_yaml("a", "c", 1) + pod_yaml("b", "s", 2), {.nodes = 2});
    test::Recorder client(town);
    test::Recorder server(town);
    town.transport().serve_all(IpProtocol::udp, server.id);
    server.then = [&](const Event& e) {
      if (e.kind == EventKind::received && e.tag == 1) {  // asked to answer, at once
        town.transport().send_datagram(e.socket, 50, 0);
      }
    };
    std::vector<SocketHandle> sockets;
    std::map<std::size_t, NaiveEntry> entries;  // of either node: what one sees the other sees microseconds later
    for (std::int64_t tick = 0; tick < 500; ++tick) {
      if (sockets.size() < 40 && random() % 4 == 0) {
        sockets.push_back(town.transport().open_udp({.source = town.pod("a", "c"),
                                                     .destination = town.ip("b", "s"),
                                                     .port = Port(8080),
                                                     .identity = {.who = sockets.size(), .which = 0},
                                                     .application = client.id,
                                                     .cookie = 0,
                                                     .account = 0,
                                                     .is_traced = false}));
      }
      for (std::size_t s = 0; s < sockets.size(); ++s) {
        if (random() % 25 != 0) {
          continue;
        }
        const bool wants_answer = random() % 2 == 0;
        town.transport().send_datagram(sockets[s], 50, wants_answer ? 1 : 0);
        auto [at, is_new] = entries.try_emplace(s);
        NaiveEntry& entry = at->second;
        if (is_new || 1.3 * static_cast<double>(tick - entry.last) >= entry.timeout) {
          entry = {.made = tick, .last = tick, .replied = false, .timeout = 30.0};
        }
        entry.last = tick;
        entry.replied = entry.replied || wants_answer;
        if (entry.replied && 1.3 * static_cast<double>(tick - entry.made) > 2.0) {
          entry.timeout = 120.0;
        }
      }
      town.run_for(Duration::from_ms(650));
      std::uint64_t expected = 0;
      for (const auto& [s, entry] : entries) {
        expected += 1.3 * (static_cast<double>(tick - entry.last) + 0.5) < entry.timeout ? 1 : 0;
      }
      ASSERT_EQ(town.network().conntrack_count(cluster::NodeId(0u)), expected) << "client's node at " << tick;
      ASSERT_EQ(town.network().conntrack_count(cluster::NodeId(1u)), expected) << "server's node at " << tick;
      town.run_for(Duration::from_ms(650));
    }
  }
}

}  // namespace
}  // namespace podwire::transport
