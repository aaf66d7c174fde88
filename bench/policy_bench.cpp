// The verdict engine at the size of a large cluster: 10,000 pods of 1,000 workloads in 100 namespaces under 1,000
// policies. Compiling, all of reach, diff with a changed policy in every namespace, and single verdicts, warm (the cell
// is remembered) and cold (it is not).
//
// Each namespace holds ten workloads and ten policies of the usual kinds: a default deny of both directions, DNS, five
// allows from one workload to another inside the namespace, one from a neighbouring namespace, one from a block of
// addresses, one by a named port.
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "models/analysis/diff.hpp"
#include "models/analysis/reach.hpp"
#include "models/policy/engine.hpp"

namespace {

using namespace podwire;

constexpr std::size_t kNamespaces = 100;
constexpr std::size_t kWorkloads = 10;  // a namespace
constexpr std::size_t kReplicas = 10;

std::string namespace_name(std::size_t n) {
  return "ns-" + std::to_string(1000 + n);  // sorts as it counts
}

cluster::LabelSetId labels(cluster::Cluster& c, std::vector<std::pair<std::string, std::string>> pairs) {
  std::vector<cluster::Label> interned;
  for (const auto& [key, value] : pairs) {
    interned.push_back({c.strings.intern(key), c.strings.intern(value)});
  }
  return c.label_sets.intern(std::move(interned));
}

/// `is_each_its_own`: every pod has a label of its own that a policy reads, so that no two share a class.
cluster::Cluster make_cluster(bool is_each_its_own) {
  cluster::Cluster c;
  for (std::size_t n = 0; n < kNamespaces; ++n) {
    const std::string name = namespace_name(n);
    cluster::Namespace& added = c.namespaces.emplace_back();
    added.name = name;
    added.labels = labels(c, {{"kubernetes.io/metadata.name", name}, {"team", "team-" + std::to_string(n / 10)}});
    for (std::size_t w = 0; w < kWorkloads; ++w) {
      const std::string app = "app-" + std::to_string(w);
      cluster::PodTemplate& pod_template = c.templates.emplace_back();
      pod_template.labels = labels(c, {{"app", app}, {"pod-template-hash", std::to_string(n * 100 + w)}});
      pod_template.ports = {
          {.name = "http", .protocol = IpProtocol::tcp, .number = Port(static_cast<std::uint16_t>(8000 + w))}};
      cluster::Workload& workload = c.workloads.emplace_back();
      workload.name_space = cluster::NamespaceId(n);
      workload.kind = cluster::WorkloadKind::deployment;
      workload.name = app;
      workload.replicas = kReplicas;
      for (std::size_t r = 0; r < kReplicas; ++r) {
        if (r == 0 || is_each_its_own) {
          cluster::PodShape& shape = c.shapes.emplace_back();
          shape.name_space = cluster::NamespaceId(n);
          shape.labels =
              is_each_its_own ? labels(c, {{"app", app}, {"pod", std::to_string(c.pods.size())}}) : pod_template.labels;
          shape.pod_template = cluster::TemplateId(c.templates.size() - 1);
        }
        workload.pods.emplace_back(c.pods.size());
        cluster::Pod& pod = c.pods.emplace_back();
        pod.shape = cluster::ShapeId(c.shapes.size() - 1);
        pod.workload = cluster::WorkloadId(c.workloads.size() - 1);
        pod.ordinal = static_cast<std::uint32_t>(r);
        pod.ip = IpAddress::v4(10, 244, 0, 0).plus(c.pods.size());
      }
    }
  }
  return c;
}

cluster::LabelSelector selector(const std::string& key, const std::string& value) {
  cluster::LabelSelector result;
  result.requirements.push_back({.key = key, .op = cluster::SelectorOperator::in, .values = {value}, .span = {}});
  return result;
}

policy::Rule rule(std::vector<policy::PeerRule> peers, std::vector<policy::PortRule> ports) {
  policy::Rule result;
  result.peers = std::move(peers);
  result.ports = std::move(ports);
  return result;
}

policy::PortRule port(IpProtocol protocol, std::uint16_t number) {
  policy::PortRule result;
  result.protocol = protocol;
  result.first = Port(number);
  result.last = Port(number);
  return result;
}

policy::PeerRule pods(const std::string& app, const std::string& name_space = "") {
  policy::PeerRule result;
  result.pod_selector = selector("app", app);
  if (!name_space.empty()) {
    result.namespace_selector = selector("kubernetes.io/metadata.name", name_space);
  }
  return result;
}

std::vector<policy::NetworkPolicy> policies_of(std::size_t n, bool is_each_its_own) {
  std::vector<policy::NetworkPolicy> all(10);
  for (std::size_t p = 0; p < all.size(); ++p) {
    all[p].name_space = namespace_name(n);
    all[p].name = "p" + std::to_string(p);
  }
  all[0].isolates_egress = true;  // default deny
  all[1].isolates_ingress = false;
  all[1].isolates_egress = true;
  all[1].egress = {rule({}, {port(IpProtocol::udp, 53), port(IpProtocol::tcp, 53)})};
  for (std::size_t p = 2; p < 7; ++p) {  // app-p is reached from app-(p-1)
    all[p].pod_selector = selector("app", "app-" + std::to_string(p));
    all[p].ingress = {rule({pods("app-" + std::to_string(p - 1))}, {port(IpProtocol::tcp, 8080)})};
    all[p].isolates_egress = true;
    all[p].egress = {rule({pods("app-" + std::to_string(p + 1))}, {port(IpProtocol::tcp, 8080)})};
  }
  all[7].pod_selector = selector("app", "app-7");
  all[7].ingress = {rule({pods("app-7", namespace_name((n + 1) % kNamespaces))}, {port(IpProtocol::tcp, 443)})};
  policy::PeerRule block;
  block.ip_block = policy::IpBlock{.cidr = Cidr(IpAddress::v4(10, static_cast<unsigned>(n), 0, 0), 16),
                                   .except = {Cidr(IpAddress::v4(10, static_cast<unsigned>(n), 7, 0), 24)},
                                   .span = {}};
  all[8].pod_selector = selector("app", "app-8");
  all[8].ingress = {rule({block}, {port(IpProtocol::tcp, 443)})};
  policy::PortRule named;
  named.name = "http";
  all[9].pod_selector = selector("app", "app-9");
  all[9].ingress = {rule({pods("app-0"), pods("app-1")}, {named})};
  if (is_each_its_own) {
    all[9].pod_selector = selector("pod", std::to_string(n * kWorkloads * kReplicas));
  }
  return all;
}

struct Case {
  cluster::Cluster cluster;
  policy::PolicySet policies;
  cni::Profile profile;

  explicit Case(bool is_each_its_own) : cluster(make_cluster(is_each_its_own)) {
    for (std::size_t n = 0; n < kNamespaces; ++n) {
      for (policy::NetworkPolicy& policy : policies_of(n, is_each_its_own)) {
        policies.network_policies.push_back(std::move(policy));
      }
    }
  }
};

/// 0: replicas share classes; 1: every pod is a class of its own.
const Case& the_case(std::int64_t kind) {
  static const Case shared(false);
  static const Case single(true);
  return kind == 0 ? shared : single;
}

void compile_policies(benchmark::State& state) {
  const Case& c = the_case(state.range(0));
  std::size_t classes = 0;
  std::size_t bytes = 0;
  for (auto _ : state) {
    policy::PolicyEngine engine(c.cluster, c.policies, c.profile);
    classes = engine.class_count();
    bytes = engine.memory_bytes();
  }
  state.counters["classes"] = static_cast<double>(classes);
  state.counters["engine_bytes"] = static_cast<double>(bytes);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(c.cluster.pods.size()));
}
BENCHMARK(compile_policies)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void reach_all(benchmark::State& state) {
  const Case& c = the_case(state.range(0));
  std::uint64_t rows = 0;
  for (auto _ : state) {
    policy::PolicyEngine engine(c.cluster, c.policies, c.profile);
    std::uint64_t length = 0;
    rows = analysis::reach(engine, {.includes_external = true, .is_pod_level = state.range(1) != 0},
                           [&](const analysis::ReachRow& row) { length += row.ports->ranges.size(); })
               .rows;
    benchmark::DoNotOptimize(length);
  }
  state.counters["rows"] = static_cast<double>(rows);
}
BENCHMARK(reach_all)->Args({0, 0})->Args({1, 0})->Args({1, 1})->Unit(benchmark::kMillisecond);

/// Compiling both sides included, as in reach_all: the two are to be compared two to one.
void diff_all(benchmark::State& state) {
  const Case& c = the_case(state.range(0));
  policy::PolicySet changed = c.policies;
  for (std::size_t n = 0; n < kNamespaces; ++n) {
    policy::PortRule& moved = changed.network_policies[n * 10 + 3].ingress[0].ports[0];
    moved.first = Port(8081);
    moved.last = Port(8081);
  }
  std::uint64_t rows = 0;
  for (auto _ : state) {
    policy::PolicyEngine before(c.cluster, c.policies, c.profile);
    policy::PolicyEngine after(c.cluster, changed, c.profile);
    std::uint64_t reasons = 0;
    rows = analysis::diff(before, after, {}, [&](const analysis::DiffRow& row) {
             reasons += row.reasons().size();
           }).totals.rows();
    benchmark::DoNotOptimize(reasons);
  }
  state.counters["rows"] = static_cast<double>(rows);
}
BENCHMARK(diff_all)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

struct Question {
  policy::Direction direction;
  policy::Peer subject;
  policy::Peer other;
  Port port;
};

/// Pairs within a namespace and its neighbour, as traffic is, and one in eight with the world outside.
std::vector<Question> questions(const Case& c, std::size_t count) {
  std::mt19937_64 random(7);
  std::vector<Question> all;
  const std::size_t pods_in_namespace = kWorkloads * kReplicas;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t subject = random() % c.cluster.pods.size();
    const std::size_t first = subject / pods_in_namespace * pods_in_namespace;
    policy::Peer other = {.pod = cluster::PodId((first + random() % (2 * pods_in_namespace)) % c.cluster.pods.size())};
    if (random() % 8 == 0) {
      other = {.ip = IpAddress::v4(static_cast<std::uint32_t>(random()))};
    }
    all.push_back({random() % 2 == 0 ? policy::Direction::ingress : policy::Direction::egress,
                   {.pod = cluster::PodId(subject)},
                   other,
                   Port(random() % 2 == 0 ? 8080 : 443)});
  }
  return all;
}

void ask(benchmark::State& state, std::size_t working_set) {
  const Case& c = the_case(state.range(0));
  policy::PolicyEngine engine(c.cluster, c.policies, c.profile);
  const std::vector<Question> all = questions(c, working_set);
  const auto answer = [&engine](const Question& q) {
    return engine.verdict(q.direction, q.subject, q.other, IpProtocol::tcp, q.port);
  };
  for (const Question& q : all) {
    benchmark::DoNotOptimize(answer(q));
  }
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(answer(all[i]));
    i = i + 1 < all.size() ? i + 1 : 0;
  }
  state.SetItemsProcessed(state.iterations());
}

/// A few hundred connections that come again and again.
void verdict_warm(benchmark::State& state) {
  ask(state, 512);
}
BENCHMARK(verdict_warm)->Arg(0)->Arg(1);

/// A million different questions in turn: tables and questions come from memory.
void verdict_spread(benchmark::State& state) {
  ask(state, 1 << 20);
}
BENCHMARK(verdict_spread)->Arg(0)->Arg(1);

/// Each cell is asked for the first time: what evaluating the rules costs.
void verdict_cold(benchmark::State& state) {
  const Case& c = the_case(state.range(0));
  const std::vector<Question> all = questions(c, 4096);
  std::size_t i = all.size();
  std::unique_ptr<policy::PolicyEngine> engine;
  for (auto _ : state) {
    if (i == all.size()) {
      state.PauseTiming();
      engine = std::make_unique<policy::PolicyEngine>(c.cluster, c.policies, c.profile);
      i = 0;
      state.ResumeTiming();
    }
    const Question& q = all[i++];
    benchmark::DoNotOptimize(engine->verdict(q.direction, q.subject, q.other, IpProtocol::tcp, q.port));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(verdict_cold)->Arg(1)->Iterations(200'000);

}  // namespace

BENCHMARK_MAIN();
