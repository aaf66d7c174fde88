// Tracing on random traffic under every profile: it changes nothing, each packet's steps follow each other without
// gaps, and their sum is the time the packet took in a run in which nothing was traced.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/support/town.hpp"

namespace podwire::dataplane {
namespace {

using test::pod_yaml;
using test::Recorder;
using test::Town;
using test::TownOptions;

constexpr int kPods = 8;
constexpr int kDatagrams = 60;

std::string manifests(std::mt19937& random) {
  std::string yaml;
  for (int p = 0; p < kPods; ++p) {
    yaml += pod_yaml("n" + std::to_string(p % 2), "p" + std::to_string(p), 1 + static_cast<int>(random() % 3),
                     "app: x" + std::to_string(random() % 3));
  }
  for (int s = 0; s < 3; ++s) {
    yaml += "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: n" + std::to_string(s % 2) + ", name: s" +
            std::to_string(s) + "}\nspec: {selector: {app: x" + std::to_string(s) + "}, clusterIP: 10.96.0." +
            std::to_string(100 + s) + ", ports: [{port: 8080, protocol: UDP, targetPort: 8080}]}\n";
  }
  for (const char* way : {"Ingress", "Egress"}) {
    if (random() % 2 == 0) {
      yaml +=
          std::string("---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: n0, name: ") +
          (way[0] == 'I' ? "in" : "out") + "}\nspec:\n  podSelector: {matchLabels: {app: x" +
          std::to_string(random() % 3) + "}}\n  policyTypes: [" + way + "]\n  " +
          (way[0] == 'I' ? "ingress: [{from" : "egress: [{to") + ": [{podSelector: {matchLabels: {app: x" +
          std::to_string(random() % 3) + "}}}]}]\n";
    }
  }
  return yaml;
}

/// Sends the datagrams at their times and notes when each arrived.
struct Traffic {
  struct Plan {
    Time at;
    std::string name_space, name;
    IpAddress to;
  };
  Traffic(Town& town_in, const std::vector<Plan>& plan_in, bool is_traced_in)
      : town(town_in), plan(plan_in), is_traced(is_traced_in), client(town_in), server(town_in) {
    town.transport().serve_all(IpProtocol::udp, server.id);
    kind = town.simulator().on<&Traffic::send>(*this, "send");
    const des::EventSource source = town.simulator().add_sources(1);
    for (std::uint32_t i = 0; i < plan.size(); ++i) {
      town.simulator().at(plan[i].at, source, kind, i);
    }
    town.run_for(10_ms);
    for (const Recorder::Entry& entry : server.entries) {
      arrived[entry.event.tag] = entry.at;
    }
  }
  void send(std::uint32_t i) {
    const auto socket = town.transport().open_udp({.source = town.pod(plan[i].name_space, plan[i].name),
                                                   .destination = plan[i].to,
                                                   .port = Port(8080),
                                                   .identity = {.who = i, .which = 0},
                                                   .application = client.id,
                                                   .cookie = i + 1,
                                                   .account = 0,
                                                   .is_traced = is_traced});
    town.transport().send_datagram(socket, 32, i + 1);
    if (i % 3 == 0) {
      town.transport().send_datagram(socket, 400, kDatagrams + i + 1);  // of a known flow
    }
  }
  Town& town;
  const std::vector<Plan>& plan;
  bool is_traced;
  Recorder client;
  Recorder server;
  des::Kind kind;
  std::map<std::uint64_t, Time> arrived;  // by tag
};

void check(const std::string& profile, std::uint32_t seed) {
  SCOPED_TRACE("profile " + profile + ", seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string yaml = manifests(random);
  TownOptions options;
  options.profile = profile;
  options.nodes = 3;
  options.underlay.host_link.rate = BitRate::from_gbps(1);  // queues form
  Town plain(yaml, options);
  Town traced(yaml, options);
  std::vector<Traffic::Plan> plan;
  for (int i = 0; i < kDatagrams; ++i) {
    const int from = static_cast<int>(random() % kPods);
    const int to = static_cast<int>(random() % kPods);
    plan.push_back({.at = Time::start() + Duration::from_ns(random() % 100'000),
                    .name_space = "n" + std::to_string(from % 2),
                    .name = "p" + std::to_string(from),
                    .to = random() % 2 == 0 ? IpAddress::v4(10, 96, 0, static_cast<std::uint8_t>(100 + random() % 3))
                                            : plain.ip("n" + std::to_string(to % 2), "p" + std::to_string(to))});
  }
  const Traffic without(plain, plan, false);
  const Traffic with(traced, plan, true);
  EXPECT_EQ(plain.simulator().fingerprint().value(), traced.simulator().fingerprint().value());
  std::size_t delivered = 0;
  std::size_t lost = 0;
  for (const TracedPacket& packet : traced.network().trace()) {
    Time at = packet.sent;
    for (const TraceStep& step : packet.steps) {
      EXPECT_EQ(step.start, at) << to_string(step.step);
      EXPECT_GE(step.wait, Duration::zero());
      EXPECT_LE(step.first, step.cost + step.latency);
      at = step.end();
    }
    lost += packet.is_lost ? 1 : 0;
    if (packet.kind == PacketKind::udp && !packet.is_lost) {
      ++delivered;
      const auto found = without.arrived.find(packet.tag);
      ASSERT_NE(found, without.arrived.end());
      EXPECT_EQ(packet.end(), found->second);
    }
  }
  EXPECT_EQ(delivered, without.arrived.size());
  EXPECT_EQ(lost, plain.network().drops().packets());
}

TEST(TraceProperty, StepsAddUpToTheLatencyOfAnOrdinaryRun) {
  for (const std::string& profile : cni::builtin_profiles()) {
    for (std::uint32_t seed = 1; seed <= 12; ++seed) {
      check(profile, seed);
    }
  }
}

}  // namespace
}  // namespace podwire::dataplane
