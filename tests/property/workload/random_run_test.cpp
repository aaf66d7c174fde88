// Random small clusters under two random policy sets and random loops at low load: whatever is played, packets are
// conserved and every request ends once; what the policy engine says is what requests meet; and requests that the two
// policy sets treat alike are alike (common random numbers).
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "tests/support/stage.hpp"
#include "tests/support/town.hpp"

namespace podwire::workload {
namespace {

using namespace test;
using policy::Direction;

constexpr int kPods = 7;
constexpr unsigned kSeeds = 30;
const char* const kSpaces[] = {"a", "b", "c"};

std::string space_of(int pod) {
  return kSpaces[pod % 3];
}

struct RandomRun {
  explicit RandomRun(unsigned seed)
      : random(seed),
        stage(manifests(), {.profile = seed % 2 == 0 ? "calico-vxlan" : "spec", .nodes = 3}),
        sets{stage.read_policies(policies()), stage.read_policies(policies())} {
    for (std::uint32_t w = 0; w < 8; ++w) {
      specs.push_back(random_loop(w));
    }
  }

  unsigned pick(unsigned limit) { return static_cast<unsigned>(random() % limit); }
  bool chance(unsigned percent) { return pick(100) < percent; }

  std::string manifests() {
    std::string yaml;
    for (int p = 0; p < kPods; ++p) {
      yaml += pod_yaml(space_of(p), "p" + std::to_string(p), 1 + static_cast<int>(pick(3)),
                       "app: x" + std::to_string(p % 2));
    }
    for (const char* const space : kSpaces) {
      yaml += std::string("---\napiVersion: v1\nkind: Service\nmetadata: {namespace: ") + space +
              ", name: web}\nspec: {selector: {app: x0}, ports: [{port: 80, targetPort: 8080}]}\n";
    }
    return yaml;
  }

  std::string rules(const std::string& side) {
    if (chance(25)) {
      return "[]";
    }
    const std::string peers[] = {"", side + ": [{podSelector: {}}], ",
                                 side + ": [{podSelector: {matchLabels: {app: x1}}}], ",
                                 side + ": [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: a}}}], ",
                                 side + ": [{namespaceSelector: {}, podSelector: {matchLabels: {app: x0}}}], "};
    const std::string ports = chance(30) ? "ports: [{port: 9090}]" : chance(50) ? "ports: [{port: 8080}]" : "";
    std::string rule = "{" + peers[pick(5)] + ports + "}";
    if (side == "to" && chance(60)) {
      rule += ", {ports: [{port: 53, protocol: UDP}, {port: 53}]}";
    }
    return "[" + rule + "]";
  }
  std::string policies() {
    std::string yaml;
    for (const char* const space : kSpaces) {
      if (chance(30)) {
        continue;
      }
      const bool is_ingress = chance(50);
      yaml += std::string("---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: ") +
              space + ", name: random}\nspec:\n  podSelector: " + (chance(50) ? "{}" : "{matchLabels: {app: x0}}") +
              "\n  policyTypes: [" + (is_ingress ? "Ingress" : "Egress") + "]\n  " +
              (is_ingress ? "ingress: " + rules("from") : "egress: " + rules("to")) + "\n";
    }
    return yaml;
  }

  cluster::PodId pod(unsigned p) { return stage.pod(space_of(static_cast<int>(p)), "p" + std::to_string(p)); }
  WorkloadSpec random_loop(std::uint32_t w) {
    std::vector<cluster::PodId> clients = {pod(pick(kPods)), pod(pick(kPods))};
    const std::string space = kSpaces[pick(3)];
    Target to = at_pods({pod(pick(kPods)), pod(pick(kPods))}, 8080);
    if (chance(30)) {
      to = at_service(stage.service(space, "web"), 80);
    } else if (chance(50)) {
      to = at_host("web." + space, 80);
    }
    WorkloadSpec spec = loop(from_pods(std::move(clients)), std::move(to));
    spec.name = "loop-" + std::to_string(w);
    spec.arrivals = {.kind = chance(50) ? Arrivals::Kind::poisson : Arrivals::Kind::constant, .per_second = 8.0};
    spec.response = Bytes(1 + pick(20'000));
    spec.server = {.kind = TimeDistribution::Kind::exponential, .mean = 1_ms};
    return spec;
  }

  Played play(std::size_t set) {
    stage.policies = sets[set];
    RunInput input;
    input.warmup = 200_ms;
    input.duration = 2_s;
    return stage.play_rows(specs, input);
  }

  std::mt19937 random;
  Stage stage;
  policy::PolicySet sets[2];
  std::vector<WorkloadSpec> specs;
};

void expect_conservation(const Played& played) {
  const PacketCounts& packets = played.result.packets;
  EXPECT_EQ(packets.sent, packets.delivered + packets.dropped + packets.in_flight);
  std::uint64_t dropped = 0;
  for (const DropRow& row : played.result.drops) {
    dropped += row.packets;
  }
  EXPECT_EQ(dropped, packets.dropped) << "every lost packet has one reason";
  std::map<std::pair<std::int64_t, std::int64_t>, std::uint64_t> counted;
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (const RequestRow& row : played.rows) {
    ++counted[{row.workload, row.outcome}];
    EXPECT_TRUE(seen.emplace(row.workload, row.ordinal).second) << "a request ends once";
    EXPECT_LE(row.arrived, row.ended);
  }
  for (std::size_t w = 0; w < played.result.workloads.size(); ++w) {
    const WorkloadResult& result = played.result.workloads[w];
    std::uint64_t sum = 0;
    for (std::size_t o = 0; o < kOutcomeCount; ++o) {
      sum += result.outcomes[o];
      EXPECT_EQ(result.outcomes[o], (counted[{static_cast<std::int64_t>(w), static_cast<std::int64_t>(o)}]));
    }
    EXPECT_EQ(sum, result.requests);
    EXPECT_EQ(result.total.count(), result.count(Outcome::ok));
  }
}

/// `service`: the address that was dialled, where it was a Service's. A pod that is sent to itself is filtered then.
bool is_allowed(policy::PolicyEngine& engine, cluster::PodId from, cluster::PodId to, IpProtocol protocol, Port port,
                IpAddress service = {}) {
  const policy::Peer a{.pod = from};
  const policy::Peer b{.pod = to, .service_ip = service};
  return engine.verdict(Direction::egress, a, b, protocol, port).is_allowed() &&
         engine.verdict(Direction::ingress, b, a, protocol, port).is_allowed();
}

/// What a request should meet under the stage's policies, from the engine and from whom it was sent to.
Outcome expected_outcome(RandomRun& run, policy::PolicyEngine& engine, const RequestRow& row) {
  const cluster::Cluster& cluster = *run.stage.cluster;
  const cluster::PodId client(static_cast<std::uint32_t>(row.client));
  if (run.specs[static_cast<std::size_t>(row.workload)].to.kind == Target::Kind::host) {
    // Both DNS pods have one set of labels; no random policy selects them.
    const cluster::Service& dns = cluster.services[run.stage.service("kube-system", "kube-dns").index()];
    const cluster::Backend& backend = dns.ports.front().backends.front();
    if (!is_allowed(engine, client, cluster.pod_at(backend.ip), IpProtocol::udp, backend.port)) {
      return Outcome::dns_timeout;
    }
  }
  const cluster::PodId server(static_cast<std::uint32_t>(row.server));
  const bool is_pod = run.specs[static_cast<std::size_t>(row.workload)].to.kind == Target::Kind::pods;
  const IpAddress dialled = is_pod ? IpAddress() : IpAddress::v4(10, 96, 0, 1);  // whichever: it is translated first
  return is_allowed(engine, client, server, IpProtocol::tcp, Port(8080), dialled) ? Outcome::ok
                                                                                  : Outcome::connect_timeout;
}

TEST(RandomRun, RequestsMeetWhatThePolicyEngineSays) {
  std::map<Outcome, int> met;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomRun run(seed);
    const Played played = run.play(0);
    expect_conservation(played);
    policy::PolicyEngine engine(*run.stage.cluster, run.stage.policies, run.stage.profile);
    for (const RequestRow& row : played.rows) {
      ASSERT_EQ(row.how(), expected_outcome(run, engine, row)) << "loop " << row.workload << " #" << row.ordinal;
      ++met[row.how()];
    }
    if (HasFailure()) {
      return;
    }
  }
  for (const Outcome outcome : {Outcome::ok, Outcome::connect_timeout, Outcome::dns_timeout}) {
    EXPECT_GT(met[outcome], 100) << to_string(outcome) << " was hardly tried";
  }
}

TEST(RandomRun, PolicySetsDifferByThePolicyAlone) {
  std::size_t alike = 0;
  std::size_t apart = 0;
  std::size_t shifted = 0;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomRun run(seed);
    const Played one = run.play(0);
    const Played two = run.play(1);
    expect_conservation(two);
    ASSERT_EQ(one.rows.size(), two.rows.size());
    for (std::size_t i = 0; i < one.rows.size(); ++i) {
      const RequestRow& a = one.rows[i];
      const RequestRow& b = two.rows[i];
      ASSERT_EQ(std::tie(a.workload, a.ordinal, a.arrived, a.client),
                std::tie(b.workload, b.ordinal, b.arrived, b.client));
      if (a.dialled != -1 && b.dialled != -1) {
        ASSERT_EQ(a.server, b.server) << "the same target and the same backend";
      }
      if (a.outcome != b.outcome) {
        ++apart;
        continue;
      }
      // Without costs of its own, a policy leaves what it lets through as it was, but for requests that shared a link
      // for an instant with others that it stops. Calico's first packets pay for the policies that judge them.
      const bool is_free = run.stage.profile.name == "spec";
      alike += is_free ? 1 : 0;
      shifted += is_free && !(a == b) ? 1 : 0;
      ASSERT_LT(std::abs(a.ended - b.ended), 200'000) << "loop " << a.workload << " #" << a.ordinal;
    }
    if (HasFailure()) {
      return;
    }
  }
  EXPECT_GT(alike, 500u);
  EXPECT_GT(apart, 1'000u);
  EXPECT_LT(shifted, alike / 100);
}

}  // namespace
}  // namespace podwire::workload
