// The policy engine at the size of a real cluster: 100,000 pods in 5,000 namespaces under 20,000 policies of the
// generator Tenants (bench/tenants.hpp), and the worst cases. One core; memory is the process's peak, so run a case
// alone (--benchmark_filter) to read it.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "bench/tenants.hpp"
#include "models/analysis/diff.hpp"
#include "models/analysis/lint.hpp"
#include "models/analysis/reach.hpp"
#include "models/cluster/snapshot.hpp"
#include "models/policy/difference.hpp"
#include "models/policy/engine.hpp"
#include "models/policy/view.hpp"

namespace {

using namespace podwire;
using bench::Objects;
using bench::Tenants;
using bench::Town;

double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// 0: pods alike, 1: each its own, 2: alike, in 100 namespaces of 1,000 pods and 200 policies.
const Tenants& tenants(std::int64_t kind) {
  static const Tenants all[] = {
      {},
      {.is_each_its_own = true},
      {.namespaces = 100, .workloads = 250, .replicas = 4, .policies = 200},
  };
  return all[kind];
}

struct World {
  Objects objects;
  Town town;
  cni::Profile profile;
  explicit World(const std::vector<std::string>& texts, std::uint32_t nodes = 5'000)
      : objects(texts), town(objects.store, nodes) {}
};

World& world(std::int64_t kind) {
  static std::unique_ptr<World> kept[3];
  auto& it = kept[kind];
  if (it == nullptr) {
    it = std::make_unique<World>(tenants(kind).texts());
  }
  return *it;
}

/// From parsed objects to a compiled engine.
void ObjectsToEngine(benchmark::State& state) {
  const Objects objects(tenants(state.range(0)).texts());
  const double before = peak_mib();
  const cni::Profile profile;
  std::size_t bytes = 0;
  std::size_t classes = 0;
  for (auto _ : state) {
    const Town town(objects.store);
    const policy::PolicyEngine engine(town.cluster, town.policies, profile);
    bytes = engine.memory_bytes();
    classes = engine.class_count();
  }
  state.counters["parsed_MiB"] = before;
  state.counters["peak_MiB"] = peak_mib();
  state.counters["engine_MiB"] = static_cast<double>(bytes) / 1048576;
  state.counters["classes"] = static_cast<double>(classes);
}
BENCHMARK(ObjectsToEngine)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

/// Compiling alone.
void Compile(benchmark::State& state) {
  const World& w = world(state.range(0));
  for (auto _ : state) {
    const policy::PolicyEngine engine(w.town.cluster, w.town.policies, w.profile);
    benchmark::DoNotOptimize(engine.class_count());
  }
}
BENCHMARK(Compile)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void reach_of(benchmark::State& state, World& w, bool is_pod_level) {
  std::uint64_t rows = 0;
  for (auto _ : state) {
    policy::PolicyEngine engine(w.town.cluster, w.town.policies, w.profile);
    std::uint64_t ranges = 0;
    rows = analysis::reach(engine, {.includes_external = true, .is_pod_level = is_pod_level},
                           [&](const analysis::ReachRow& row) { ranges += row.ports->ranges.size(); })
               .rows;
    benchmark::DoNotOptimize(ranges);
  }
  state.counters["rows"] = static_cast<double>(rows);
}

/// All of reach, the outside included; compiling too.
void Reach(benchmark::State& state) {
  reach_of(state, world(state.range(0)), false);
}
BENCHMARK(Reach)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

struct Question {
  policy::Direction direction;
  policy::Peer subject;
  policy::Peer other;
};

/// Pairs of one namespace and its neighbours, one in eight with the world outside.
std::vector<Question> questions(const cluster::Cluster& c, std::size_t count) {
  std::mt19937_64 random(7);
  std::vector<Question> all;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t subject = random() % c.pods.size();
    policy::Peer other = {.pod = cluster::PodId((subject + random() % 40) % c.pods.size())};
    if (random() % 8 == 0) {
      other = {.ip = IpAddress::v4(static_cast<std::uint32_t>(random()))};
    }
    all.push_back({random() % 2 == 0 ? policy::Direction::ingress : policy::Direction::egress,
                   {.pod = cluster::PodId(subject)},
                   other});
  }
  return all;
}

policy::Verdict ask(policy::PolicyEngine& engine, const Question& q) {
  return engine.verdict(q.direction, q.subject, q.other, IpProtocol::tcp, Port(8080));
}

/// Some hundred connections that come again and again.
void VerdictWarm(benchmark::State& state) {
  World& w = world(state.range(0));
  policy::PolicyEngine engine(w.town.cluster, w.town.policies, w.profile);
  const auto all = questions(w.town.cluster, 512);
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ask(engine, all[i]));
    i = (i + 1) % 512;
  }
}
BENCHMARK(VerdictWarm)->Arg(0)->Arg(1);

/// The mean over questions that are mostly first ones.
void VerdictCold(benchmark::State& state) {
  World& w = world(state.range(0));
  policy::PolicyEngine engine(w.town.cluster, w.town.policies, w.profile);
  const auto all = questions(w.town.cluster, std::size_t{1} << 18);
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ask(engine, all[i++]));
  }
}
BENCHMARK(VerdictCold)->Arg(0)->Arg(1)->Iterations(1 << 18);

/// Questions of which none has been asked in this sense: no two are about the same group and peer.
std::vector<Question> first_questions(const policy::PolicyEngine& engine, std::size_t count) {
  const policy::View& view = engine.view();
  std::set<std::pair<policy::GroupId, policy::PeerId>> seen;
  std::vector<Question> all;
  for (const Question& q : questions(engine.cluster(), count)) {
    const policy::GroupId group = view.pods[q.subject.pod.index()].group(q.direction);
    const policy::PeerId peer =
        q.other.pod.is_valid() ? view.pods[q.other.pod.index()].peer : view.addresses->stranger_at(q.other.ip);
    if (group.is_valid() && q.subject.pod != q.other.pod && seen.emplace(group, peer).second) {
      all.push_back(q);
    }
  }
  return all;
}

/// Nanoseconds of single first questions, each by the clock; what two readings of the clock cost is taken off.
void VerdictColdSingly(benchmark::State& state) {
  using Clock = std::chrono::steady_clock;
  const auto ns = [](Clock::duration d) {
    return static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(d).count());
  };
  const auto at = [](std::vector<double>& sorted, double share) {
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
  };
  World& w = world(state.range(0));
  std::vector<double> readings;
  for (int i = 0; i < 100'000; ++i) {
    const Clock::time_point start = Clock::now();
    readings.push_back(ns(Clock::now() - start));
  }
  std::sort(readings.begin(), readings.end());
  const double reading = at(readings, 0.5);
  std::vector<double> times;
  for (auto _ : state) {
    policy::PolicyEngine engine(w.town.cluster, w.town.policies, w.profile);
    const std::vector<Question> all = first_questions(engine, std::size_t{1} << 18);
    times.clear();
    for (const Question& q : all) {
      const Clock::time_point start = Clock::now();
      benchmark::DoNotOptimize(ask(engine, q));
      times.push_back(ns(Clock::now() - start) - reading);
    }
  }
  std::sort(times.begin(), times.end());
  state.counters["questions"] = static_cast<double>(times.size());
  state.counters["clock_ns"] = reading;
  state.counters["median_ns"] = at(times, 0.5);
  state.counters["p90_ns"] = at(times, 0.9);
  state.counters["p99_ns"] = at(times, 0.99);
}
BENCHMARK(VerdictColdSingly)->Arg(0)->Arg(1)->Iterations(1)->Unit(benchmark::kMillisecond);

// ---- recompiling by difference

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

enum Kind : std::int64_t {
  kPort,        // of a rule
  kAddRemove,   // a policy comes and goes
  kSubject,     // a policy selects other pods
  kBlock,       // an ipBlock with boundaries that nobody had
  kKey,         // a label that no selector read, which every pod has, as subject
  kWideKey,     // the same of pods of all namespaces, as peer
  kSplitKey,    // the same of a label that each pod has with another value, in a set that did not read it
  kPortName,    // a name of ports that every pod has and no rule used
  kAdmin,       // an admin policy whose subjects are chosen by a label that no selector read, in all namespaces
  kCompared,    // as kPort, and the two sets are compared to find it
  kPodLabel,    // of a pod
  kPodGone,     // and back
  kSpaceLabel,  // of a namespace, which ten policies look for
};

/// Two sets by turns, so that each state has one of its own; a change is made in both.
class ChangingPolicies {
 public:
  explicit ChangingPolicies(const policy::PolicySet& set) : sets_{set, set} {}
  const policy::PolicySet& now() const { return sets_[turn_]; }
  template <class Alter>
  const policy::PolicySet& change(Alter alter) {
    last_(sets_[1 - turn_]);
    turn_ = 1 - turn_;
    alter(sets_[turn_]);
    last_ = alter;
    return sets_[turn_];
  }

 private:
  policy::PolicySet sets_[2];
  std::size_t turn_ = 0;
  std::function<void(policy::PolicySet&)> last_ = [](policy::PolicySet&) {};
};

void alter_policy(policy::PolicySet& set, Kind kind, std::size_t at, unsigned i) {
  policy::NetworkPolicy& policy = set.network_policies[at];
  switch (kind) {
    case kAddRemove:
      if (policy.name == "p2") {
        set.network_policies.erase(set.network_policies.begin() + static_cast<std::ptrdiff_t>(at));
      } else {
        policy::NetworkPolicy added = set.network_policies[at - 1];
        added.name = "p2";
        set.network_policies.insert(set.network_policies.begin() + static_cast<std::ptrdiff_t>(at), added);
      }
      break;
    case kSubject:
      policy.pod_selector.requirements.at(0).values = {fmt::format("app-{}", i % 5)};
      break;
    case kBlock:
      policy.ingress.at(0).peers.assign(1, {});
      policy.ingress.at(0).peers[0].ip_block = policy::IpBlock{
          .cidr = Cidr(IpAddress::v4(10, 244 + i / 65'536, i / 256 % 256, i % 256), 32), .except = {}, .span = {}};
      break;
    case kKey:
      policy.pod_selector.requirements.at(0).key = i % 2 == 0 ? "version" : "pod-template-hash";
      break;
    case kPortName:
      policy.ingress.at(0).ports.at(0) = {};
      policy.ingress[0].ports[0].name = i % 2 == 0 ? "metrics" : "http";
      break;
    case kAdmin: {
      policy::AdminPolicy admin;
      admin.name = "admin";
      admin.subject_pods.requirements.push_back({.key = "version", .values = {fmt::format("v{}", i % 7)}});
      admin.ingress.push_back({.action = policy::RuleAction::deny});
      admin.ingress[0].peers.emplace_back().kind = policy::AdminPeer::Kind::namespaces;
      set.admin_policies.assign(1, admin);
      break;
    }
    case kSplitKey:
    case kWideKey: {
      policy.ingress.at(0).peers.assign(1, {});
      policy::PeerRule& peer = policy.ingress[0].peers[0];
      peer.namespace_selector = cluster::LabelSelector();
      peer.pod_selector = cluster::LabelSelector();
      peer.pod_selector->requirements.push_back(
          kind == kSplitKey ? cluster::Requirement{.key = "pod", .values = {"pod-7-0-1"}}
                            : cluster::Requirement{.key = "version", .values = {fmt::format("v{}", i % 7)}});
      break;
    }
    default:
      policy.ingress.at(0).ports.at(0).first = policy.ingress.at(0).ports.at(0).last =
          Port(static_cast<std::uint16_t>(1'000 + i % 50'000));
  }
}

/// One change a state, in another namespace each; the time of PolicyEngine::next() alone. CPU time.
void Recompile(benchmark::State& state) {
  const auto kind = static_cast<Kind>(state.range(0));
  World& w = world(state.range(1));
  policy::PolicySet initial = w.town.policies;
  if (kind == kSplitKey) {  // p2 reads the label
    std::erase_if(initial.network_policies, [](const policy::NetworkPolicy& policy) { return policy.name == "p2"; });
  }
  ChangingPolicies policies(initial);
  std::deque<cluster::Cluster> clusters;
  std::deque<policy::PolicyEngine> engines;
  const cluster::Cluster* now = &w.town.cluster;
  engines.emplace_back(*now, policies.now(), w.profile);
  unsigned i = 0;
  std::vector<double> times;
  for (auto _ : state) {
    const std::size_t tenant = ++i * 7 % 5'000;
    const std::size_t at = tenant * 4 + 2;
    policy::PolicyChanges changes;
    const policy::PolicySet* set = &policies.now();
    if (kind < kPodLabel) {
      const std::size_t same = kind == kAddRemove ? 2 : kind == kSplitKey ? 5 : kind >= kKey && kind <= kAdmin ? 6 : at;
      if (kind == kAdmin) {
        changes.admin_policies = {{policy::AdminKind::admin_network_policy, "admin"}};
      } else {
        changes.network_policies = {{set->network_policies[same].name_space, kind == kSplitKey ? "p3" : "p2"}};
      }
      set = &policies.change([=](policy::PolicySet& it) { alter_policy(it, kind, same, i); });
    } else {
      const cluster::PodId pod(i * 7'919 % now->pods.size());
      cluster::SnapshotChange change;
      if (kind == kPodLabel) {
        change.pod_labels = {{pod, {{"app", fmt::format("app-{}", i % 5)}}}};
      } else if (kind == kPodGone) {
        (cluster::is_there(*now, pod) ? change.disappear : change.appear).push_back(pod);
      } else {
        change.namespace_labels = {{now->namespace_of(pod), {{"team", fmt::format("team-{}", i % 500)}}}};
      }
      clusters.push_back(cluster::next_snapshot(*now, w.town.cluster, change));
      now = &clusters.back();
      if (clusters.size() > 2) {
        clusters.pop_front();
      }
    }
    const double start = cpu_seconds();
    engines.push_back(engines.back().next(*now, *set, nullptr, kind == kCompared ? nullptr : &changes));
    times.push_back(cpu_seconds() - start);
    state.SetIterationTime(times.back());
    if (engines.size() > 2) {
      engines[engines.size() - 2].release();
    }
  }
  state.counters["first_ms"] = times.front() * 1e3;
  state.counters["worst_ms"] = *std::max_element(times.begin(), times.end()) * 1e3;
  state.counters["state_KiB"] = static_cast<double>(engines.back().memory_bytes()) / 1024;
}
BENCHMARK(Recompile)
    ->ArgsProduct({{kPort, kAddRemove, kSubject, kBlock, kKey, kWideKey, kPortName, kCompared}, {0, 1}})
    ->Iterations(200)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(Recompile)
    ->ArgsProduct({{kSplitKey}, {1}})
    ->ArgsProduct({{kAdmin}, {0, 1}})
    ->ArgsProduct({{kPodLabel, kPodGone, kSpaceLabel}, {0, 2}})
    ->Iterations(20)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// ---- the worst cases

std::string pods_text(unsigned pods, bool is_each_its_own) {
  std::string out;
  if (!is_each_its_own) {
    return fmt::format(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: one}}\nspec: {{replicas: {}, "
        "selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: "
        "[]}}}}}}\n",
        pods);
  }
  for (unsigned p = 0; p < pods; ++p) {
    out += fmt::format(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: web-{0}, namespace: one, labels: {{app: web, pod: "
        "\"{0}\"}}}}\nspec: {{containers: []}}\n",
        p);
  }
  return out;
}

/// Every policy selects every pod. Subjects are all alike ({}), or all different (`app notin (<i>)`).
std::string everyones_policies(unsigned policies, bool are_alike) {
  std::string out;
  for (unsigned p = 0; p < policies; ++p) {
    const std::string subject =
        are_alike ? "{}" : fmt::format("{{matchExpressions: [{{key: app, operator: NotIn, values: [\"{}\"]}}]}}", p);
    out += fmt::format(
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{0}, namespace: one}}\nspec: "
        "{{podSelector: {1}, ingress: [{{from: [{{podSelector: {{matchLabels: {{pod: \"{0}\"}}}}}}], ports: [{{port: "
        "{2}}}]}}]}}\n",
        p, subject, 1 + p % 60'000);
  }
  return out;
}

World& everyones(std::int64_t kind) {
  static std::unique_ptr<World> kept[3];
  auto& it = kept[kind];
  if (it == nullptr) {
    it = std::make_unique<World>(std::vector{pods_text(10'000, kind > 0) + everyones_policies(10'000, kind < 2)}, 500);
  }
  return *it;
}

/// 10,000 pods × 10,000 policies that each select every pod; 0: pods alike, 1: each its own, 2: subjects differ too.
void EveryPolicySelectsEveryPod(benchmark::State& state) {
  World& w = everyones(state.range(0));
  std::size_t bytes = 0;
  for (auto _ : state) {
    policy::PolicyEngine engine(w.town.cluster, w.town.policies, w.profile);
    bytes = engine.memory_bytes();
  }
  state.counters["engine_MiB"] = static_cast<double>(bytes) / 1048576;
}
BENCHMARK(EveryPolicySelectsEveryPod)->Arg(0)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);

void EveryPolicySelectsEveryPodCold(benchmark::State& state) {
  World& w = everyones(state.range(0));
  policy::PolicyEngine engine(w.town.cluster, w.town.policies, w.profile);
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(engine.verdict(policy::Direction::ingress, {.pod = cluster::PodId(i % 10'000)},
                                            {.pod = cluster::PodId((i * 7919 + 1) % 10'000)}, IpProtocol::tcp,
                                            Port(80)));
    ++i;
  }
}
BENCHMARK(EveryPolicySelectsEveryPodCold)->Arg(0)->Arg(1)->Arg(2)->Iterations(2'000)->Unit(benchmark::kMicrosecond);

/// 638 overlapping ipBlocks, in policies of 37 workloads.
World& blocks() {
  static std::unique_ptr<World> kept;
  if (kept == nullptr) {
    std::string text;
    for (unsigned w = 0; w < 37; ++w) {
      text += fmt::format(
          "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: app-{0}, namespace: one}}\nspec: {{replicas: "
          "3, "
          "selector: {{matchLabels: {{app: app-{0}}}}}, template: {{metadata: {{labels: {{app: app-{0}}}}}, spec: "
          "{{containers: []}}}}}}\n---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{0}, "
          "namespace: one}}\nspec: {{podSelector: {{matchLabels: {{app: app-{0}}}}}, policyTypes: [Ingress, Egress], "
          "ingress: [{{}}], egress: [",
          w);
      for (unsigned b = w; b < 638 + w; ++b) {
        const unsigned i = b % 638;
        text += fmt::format("{{to: [{{ipBlock: {{cidr: {}.{}.0.0/{}}}}}], ports: [{{port: {}}}]}}, ", 10 + i % 7,
                            i / 7 * 2, 8 + i % 9, 1000 + i % 50);
      }
      text += "]}\n";
    }
    kept = std::make_unique<World>(std::vector{text}, 10);
  }
  return *kept;
}
void OverlappingBlocks(benchmark::State& state) {
  reach_of(state, blocks(), false);
}
BENCHMARK(OverlappingBlocks)->Unit(benchmark::kMillisecond);

// ---- lint and diff

World& town_of(bool is_large, bool has_default_deny) {
  static std::map<std::pair<bool, bool>, std::unique_ptr<World>> kept;
  auto& it = kept[{is_large, has_default_deny}];
  if (it == nullptr) {
    const Tenants generator{
        .namespaces = is_large ? 5'000u : 250u, .replicas = is_large ? 4u : 8u, .has_default_deny = has_default_deny};
    it = std::make_unique<World>(generator.texts());
  }
  return *it;
}

/// 10,000 pods in 250 namespaces under 1,000 policies (0), or 100,000 under 20,000 (1); with default denies or without.
void Lint(benchmark::State& state) {
  const World& w = town_of(state.range(0) != 0, state.range(1) != 0);
  Diagnostics diagnostics;
  std::size_t findings = 0;
  for (auto _ : state) {
    const analysis::LintInput input{.policy_set = "all",
                                    .cluster = &w.town.cluster,
                                    .policies = &w.town.policies,
                                    .profile = &w.profile,
                                    .stores = {&w.objects.store}};
    findings = analysis::lint({&input, 1}, {}, diagnostics).findings.size();
  }
  state.counters["findings"] = static_cast<double>(findings);
}
BENCHMARK(Lint)->Args({0, 1})->Args({0, 0})->Args({1, 1})->Args({1, 0})->Unit(benchmark::kMillisecond);

/// One-sided-allow alone, with an admin policy that allows pods of one tier what only few pods let in (0), all pods but
/// one app's the same (1), or a policy in each namespace that allows its web pods the api of all namespaces (2).
void LintManyPairs(benchmark::State& state) {
  const World& w = world(state.range(0));
  policy::PolicySet set = w.town.policies;
  const auto labelled = [](const char* key, const char* value, cluster::SelectorOperator op) {
    return cluster::LabelSelector{.requirements = {{.key = key, .op = op, .values = {value}}}, .span = {}};
  };
  if (state.range(1) < 2) {
    const auto op = state.range(1) == 0 ? cluster::SelectorOperator::in : cluster::SelectorOperator::not_in;
    policy::AdminPolicy admin;
    admin.name = "admin";
    admin.subject_pods = labelled("tier", "web", op);
    policy::AdminRule& rule = admin.egress.emplace_back();
    rule.peers.emplace_back().kind = policy::AdminPeer::Kind::pods;
    rule.peers[0].pod_selector = labelled("tier", "api", op);
    rule.ports.emplace_back();
    rule.ports[0].first = rule.ports[0].last = Port(8081);
    set.admin_policies.push_back(admin);
  } else {
    for (policy::NetworkPolicy& policy : set.network_policies) {
      if (policy.name == "p1") {
        policy.egress.emplace_back(policy.egress.back());
        policy.pod_selector = labelled("tier", "web", cluster::SelectorOperator::in);
        policy::PeerRule& peer = policy.egress.back().peers.at(0);
        peer.namespace_selector = cluster::LabelSelector();
        peer.pod_selector = labelled("tier", "api", cluster::SelectorOperator::in);
      }
    }
  }
  std::size_t findings = 0;
  std::size_t notes = 0;
  for (auto _ : state) {
    Diagnostics diagnostics;
    const analysis::LintInput input{.policy_set = "all",
                                    .cluster = &w.town.cluster,
                                    .policies = &set,
                                    .profile = &w.profile,
                                    .stores = {&w.objects.store}};
    findings = analysis::lint({&input, 1}, {.only = {"one-sided-allow"}}, diagnostics).findings.size();
    notes = diagnostics.all().size();
  }
  state.counters["findings"] = static_cast<double>(findings);
  state.counters["stops"] = static_cast<double>(notes);
  state.counters["peak_MiB"] = peak_mib();
}
BENCHMARK(LintManyPairs)->ArgsProduct({{0, 1}, {0, 1, 2}})->Unit(benchmark::kMillisecond);

/// What reach costs on the smaller and the larger town, and diff with a changed policy in every tenth namespace.
void ReachOfTown(benchmark::State& state) {
  reach_of(state, town_of(state.range(0) != 0, state.range(1) != 0), false);
}
BENCHMARK(ReachOfTown)->Args({0, 1})->Args({0, 0})->Args({1, 1})->Unit(benchmark::kMillisecond);

void DiffOfTown(benchmark::State& state) {
  const World& w = town_of(state.range(0) != 0, state.range(1) != 0);
  policy::PolicySet changed = w.town.policies;
  for (std::size_t p = 2; p < changed.network_policies.size(); p += 40) {
    policy::PortRule& port = changed.network_policies[p].ingress.at(0).ports.at(0);
    port.first = port.last = Port(8081);
  }
  std::uint64_t rows = 0;
  for (auto _ : state) {
    policy::PolicyEngine before(w.town.cluster, w.town.policies, w.profile);
    policy::PolicyEngine after(w.town.cluster, changed, w.profile);
    rows = analysis::diff(before, after, {}, [](const analysis::DiffRow&) {}).totals.rows();
  }
  state.counters["rows"] = static_cast<double>(rows);
}
BENCHMARK(DiffOfTown)->Args({0, 1})->Args({0, 0})->Args({1, 1})->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
