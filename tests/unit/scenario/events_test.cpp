// `events`: what a change at run time does to verdicts, flows, endpoints and names, with fixed delays so that the
// expected counts follow from arithmetic.
#include "app/scenario/events.hpp"

#include <gtest/gtest.h>

#include "app/scenario/batch.hpp"
#include "models/cluster/snapshot.hpp"
#include "sim/config/render.hpp"
#include "sim/record/run_reader.hpp"
#include "tests/unit/scenario/event_files.hpp"

namespace podwire::scenario {
namespace {

using workload::Outcome;

using test::kDenyIngress;
using test::kTwoPods;

struct EventsTest : test::EventFiles {
  std::optional<Scenario> scenario;
  control::Delay policy_delay;
  control::Delay endpoints_delay;
  control::Delay names_delay;
  bool is_open_at_start = false;
  std::string record_folder;

  void load_scenario(std::string_view spec) {
    auto loaded = load_spec(spec);
    ASSERT_TRUE(loaded) << config::render(loaded.diagnostics(), sources, {.short_form = true});
    scenario = std::move(loaded).value();
  }
  static control::Delay fixed(std::int64_t ms) { return {.p50 = Duration::from_ms(ms), .p99 = Duration::from_ms(ms)}; }
  BatchResult play(unsigned jobs = 1) {
    BatchControl control(run_count(*scenario));
    BatchOptions options;
    options.jobs = jobs;
    options.record_folder = record_folder;
    options.play = [this](const workload::RunInput& input) {
      if (input.timeline == nullptr) {
        return workload::play(input);
      }
      control::TimelineInput timeline = *input.timeline;
      timeline.programming = {.policy = policy_delay,
                              .endpoints = endpoints_delay,
                              .names = names_delay,
                              .is_open_at_start = is_open_at_start,
                              .start_window = Duration::max()};  // until the node has the pod's change
      workload::RunInput changed = input;
      changed.timeline = &timeline;
      return workload::play(changed);
    };
    return play_batch(*scenario, options, control);
  }
  void expect_all_pass(std::size_t count) {
    const BatchResult batch = play();
    ASSERT_EQ(batch.runs.at(0).expectations.size(), count);
    for (const ExpectationResult& result : batch.runs[0].expectations) {
      EXPECT_EQ(result.status, ExpectationResult::Status::passed) << result.subject << ": " << result.measured;
    }
  }
  static std::uint64_t packets_lost(const workload::RunResult& run, std::string_view reason) {
    std::uint64_t packets = 0;
    for (const workload::DropRow& row : run.drops) {
      packets += row.reason == reason ? row.packets : 0;
    }
    return packets;
  }
};

TEST_F(EventsTest, ProbesFailFromTheMomentWhenTheirNodeHasTheChange) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("late.yaml", std::string(kDenyIngress));
  policy_delay = fixed(500);
  load_scenario(R"(
  cluster: {from: m, cni: spec}
  workloads: [{name: w, kind: tcp, from: x/pod/a, to: x/pod/b, port: 80, rate: 100/s, timeout: 1s}]
  run: {warmup: 1s, duration: 10s}
  events: [{at: 5s, apply: late.yaml}]
)");
  const BatchResult batch = play();
  const workload::RunResult& run = batch.runs.at(0).result;
  const workload::WorkloadResult& w = run.workloads.at(0);
  // 100 a second: 1000 in 10 s. The change is made at 5 s and in force 0.5 s later: of the last 4.5 s, 450 fail. The
  // phase of the arrivals may move one over either edge.
  EXPECT_NEAR(static_cast<double>(w.requests), 1000.0, 1.0);
  EXPECT_NEAR(static_cast<double>(w.count(Outcome::connect_timeout)), 450.0, 1.0);
  EXPECT_EQ(w.count(Outcome::ok) + w.count(Outcome::connect_timeout), w.requests);
  ASSERT_EQ(w.phases.size(), 2u);
  EXPECT_EQ(w.phases[0].requests, w.phases[0].outcomes[0]) << "nothing fails before the change";
  EXPECT_NEAR(static_cast<double>(w.phases[0].requests), 500.0, 1.0);
  EXPECT_EQ(w.phases[0].requests + w.phases[1].requests, w.requests);
  ASSERT_EQ(run.changes.size(), 1u);
  EXPECT_EQ(run.changes[0].made, Duration::from_s(6));
  EXPECT_EQ(run.changes[0].first_enforced, Duration::from_ms(6'500));
  EXPECT_EQ(run.changes[0].last_enforced, Duration::from_ms(6'500));
  // What was denied names the policy of the later state, with its file.
  ASSERT_FALSE(run.drops.empty());
  EXPECT_EQ(run.drops[0].rule, "default deny ingress (x/closed)");
  EXPECT_NE(sources.file_and_line(run.drops[0].span).find("late.yaml:4"), std::string::npos);
}

TEST_F(EventsTest, APatchIsLaidOverTheObjectAsItIsInEachPolicySet) {
  folder.write("m/all.yaml", std::string(kTwoPods) + "---" + std::string(kDenyIngress));
  // At 2 s the policy lets port 80 in, at 5 s the rule is taken away again; the second set has another policy of this
  // name, which isolates nobody that is dialled, and none in the third.
  folder.write("other.yaml", R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: x}
spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress]}
)");
  load_scenario(R"(
  cluster: {from: m, cni: spec}
  policySets: {first: {}, second: {apply: other.yaml}}
  workloads: [{name: w, from: x/pod/a, to: x/pod/b, port: 80, rate: 100/s, arrivals: constant, timeout: 1s}]
  run: {warmup: 0s, duration: 8s}
  events:
    - {at: 2s, patch: [{object: x/netpol/closed, merge: {spec: {ingress: [{ports: [{port: 80}]}]}}}]}
    - {at: 5s, patch: [{object: x/networkpolicy/closed, merge: {spec: {podSelector: {matchLabels: {app: b}}, ingress: null}}}]}
)");
  const BatchResult batch = play();
  ASSERT_EQ(batch.runs.size(), 2u);
  const auto phases = [&](std::size_t run) { return batch.runs[run].result.workloads.at(0).phases; };
  ASSERT_EQ(phases(0).size(), 3u);
  EXPECT_EQ(phases(0)[0].outcomes[0], 0u);
  EXPECT_EQ(phases(0)[1].outcomes[0], phases(0)[1].requests);
  EXPECT_EQ(phases(0)[2].outcomes[0], 0u);
  // The other policy selects a; merged with the second patch it selects b too: app=b replaces app=a.
  EXPECT_EQ(phases(1)[0].outcomes[0], phases(1)[0].requests);
  EXPECT_EQ(phases(1)[1].outcomes[0], phases(1)[1].requests);
  EXPECT_EQ(phases(1)[2].outcomes[0], 0u);
  EXPECT_EQ(batch.runs[0].result.changes.at(0).text, "patch x/networkpolicy/closed");
}

TEST_F(EventsTest, AStampedPolicyIsPatchedInOneNamespaceAlone) {
  // The same policy in two namespaces. It is opened in x at 2 s, closed again at 4 s (a patch over a patch), and then
  // opened in y.
  folder.write("m/all.yaml", std::string(kTwoPods) + R"(
---
apiVersion: v1
kind: Pod
metadata: {name: d, namespace: y, labels: {app: b}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}
)");
  folder.write("closed.yaml", R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Ingress]}
)");
  load_scenario(R"(
  cluster: {from: m, cni: spec}
  policySets: {stamped: {base: none, apply: closed.yaml, namespaces: [x, y]}}
  run: {duration: 8s}
  events:
    - {at: 2s, patch: [{object: x/netpol/closed, merge: {spec: {ingress: [{}]}}}]}
    - {at: 4s, patch: [{object: x/netpol/closed, merge: {spec: {ingress: null}}}]}
    - {at: 6s, patch: [{object: y/netpol/closed, merge: {spec: {ingress: [{}]}}}]}
  expect:
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: denied}
    - {from: x/pod/a, to: y/pod/d, port: 80, verdict: denied}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: allowed, at: 2s}
    - {from: x/pod/a, to: y/pod/d, port: 80, verdict: denied, at: 2s}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: denied, at: 4s}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: denied, at: 6s}
    - {from: x/pod/a, to: y/pod/d, port: 80, verdict: allowed, at: 6s}
)");
  expect_all_pass(7);
  EXPECT_NE(problems_of(R"(
  cluster: {from: m, cni: spec}
  policySets: {stamped: {base: none, apply: closed.yaml, namespaces: [x]}}
  events: [{at: 2s, patch: [{object: y/netpol/closed, merge: {spec: {ingress: [{}]}}}]}]
)")
                .find("there is no \"y/netpol/closed\" to patch"),
            std::string::npos);
}

TEST_F(EventsTest, APolicyOfAnAdminTierIsAppliedPatchedAndDeleted) {
  // From the start a closes nothing; the tier denies from 1 s on, its rule is patched to Allow at 3 s over a
  // NetworkPolicy that denies, to Pass at 5 s, and it goes at 7 s. The baseline is of another kind and patched once.
  folder.write("m/all.yaml", std::string(kTwoPods) + "---" + std::string(kDenyIngress) + R"(
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: {name: default}
spec:
  subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: a}}}}
  ingress: [{action: Deny, from: [{namespaces: {}}]}]
)");
  folder.write("tier.yaml", R"(
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: tier}
spec:
  priority: 5
  subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: b}}}}
  ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{portNumber: {protocol: TCP, port: 80}}]}]
)");
  load_scenario(R"(
  cluster: {from: m, cni: spec}
  run: {duration: 9s}
  events:
    - {at: 1s, apply: tier.yaml}
    - {at: 3s, patch: [{object: anp/tier, merge: {spec: {ingress: [{action: Allow, from: [{namespaces: {}}]}]}}}]}
    - {at: 4s, patch: [{object: banp/default, merge: {spec: {ingress: null}}}]}
    - {at: 5s, patch: [{object: adminnetworkpolicy/tier, merge: {spec: {ingress: [{action: Pass, from: [{namespaces: {}}]}]}}}]}
    - {at: 6s, delete: x/netpol/closed}
    - {at: 7s, delete: adminnetworkpolicy/tier}
  expect:
    - {from: x/pod/b, to: x/pod/a, port: 80, verdict: denied}
    - {from: x/pod/b, to: x/pod/a, port: 80, verdict: allowed, at: 4s}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: denied, at: 1s}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: allowed, at: 3s}
    - {from: x/pod/a, to: x/pod/b, port: 81, verdict: allowed, at: 3s}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: denied, at: 5s}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: allowed, at: 6s}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: allowed, at: 7s}
)");
  expect_all_pass(8);
  EXPECT_EQ(scenario->policy_sets[0].timeline->policies.back()->admin_policies.size(), 1u);
  // A patch is validated as the API does, and finds nothing before the policy is applied.
  const std::string rest = R"(
  cluster: {from: m, cni: spec}
  run: {duration: 9s}
  events:
)";
  EXPECT_NE(problems_of(rest + "    - {at: 1s, patch: [{object: banp/default, merge: {spec: {ingress: [{action: "
                               "Pass, from: [{namespaces: {}}]}]}}}]}\n")
                .find("Pass"),
            std::string::npos);
  EXPECT_NE(problems_of(rest + "    - {at: 1s, patch: [{object: anp/tier, merge: {spec: {}}}]}\n")
                .find("there is no \"anp/tier\" to patch"),
            std::string::npos);
}

TEST_F(EventsTest, PercentilesOfAPhaseAreOfItsOwnRequests) {
  // 100/s for 4 s before a change that changes nothing, and for 6 s after it.
  folder.write("m/all.yaml", std::string(kTwoPods));
  load_scenario(R"(
  cluster: {from: m, cni: spec}
  workloads: [{name: w, from: x/pod/a, to: x/pod/b, port: 80, rate: 100/s, arrivals: constant, timeout: 1s}]
  run: {warmup: 0s, duration: 10s}
  events: [{at: 4s, label: [{object: namespace/x, set: {nothing: "1"}}]}]
)");
  const workload::WorkloadResult w = play().runs.at(0).result.workloads.at(0);
  ASSERT_EQ(w.phases.size(), 2u);
  EXPECT_NEAR(static_cast<double>(w.phases[0].total.count()), 400.0, 1.0);
  EXPECT_NEAR(static_cast<double>(w.phases[1].total.count()), 600.0, 1.0);
  EXPECT_EQ(w.phases[0].connect.count(), w.phases[0].requests);
  stats::Histogram both = w.phases[0].total;
  both.merge(w.phases[1].total);
  EXPECT_EQ(both, w.total);
}

TEST_F(EventsTest, AChangeThatBringsAnExceptIsInForceLaterWhereTheProfileSaysSo) {
  // p50 2 s, p99 5 s, and p99 60 s for policies whose ipBlocks have an except. Of a lognormal of median 2 s and 99 %
  // quantile q, sigma = ln(q/2)/2.3263; more than 5 s take P(z > ln(2.5)/sigma): 1 % with q = 5, and with q = 60
  // sigma = 1.462, P(z > 0.627) = 26.5 %. Of 400 nodes that is 4 ± 2 and 106 ± 8.8; five sigma are allowed.
  folder.write("m/all.yaml", std::string(kTwoPods));
  const auto policy = [](const std::string& name, const std::string& except) {
    return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " + name +
           ", namespace: x}\nspec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8" + except +
           "}}]}]}\n";
  };
  folder.write("plain.yaml", policy("plain", ""));
  folder.write("cut.yaml", policy("cut", ", except: [10.1.0.0/16]"));
  load_scenario(R"(
  cluster:
    from: m
    nodes: {count: 400}
    cni: {profile: spec, overrides: {policy: {programmingDelay: {p50: 2s, p99: 5s, p99WithExcept: 60s}}}}
  run: {duration: 10000s}
  events:
    - {at: 1000s, apply: plain.yaml}
    - {at: 2000s, apply: cut.yaml}
    - {at: 3000s, label: [{object: x/pod/a, set: {new: "1"}}]}
    - {at: 4000s, patch: [{object: x/netpol/plain, merge: {spec: {ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.2.0.0/16]}}]}]}}}]}
    - {at: 5000s, delete: x/netpol/cut}
)");
  const PolicySetPlan& plan = scenario->policy_sets[0];
  const auto states = states_of(*plan.timeline, plan.profile(), true);
  const control::TimelineInput input = timeline_of(*plan.timeline, plan.profile(), Duration::zero(), *states);
  ASSERT_EQ(input.changes.size(), 5u);
  control::Timeline timeline(input, 7);
  const bool brings[] = {false, true, false, true, false};
  for (control::Version version = 1; version <= 5; ++version) {
    SCOPED_TRACE(version);
    EXPECT_EQ(input.changes[version - 1].has_except, brings[version - 1]);
    int late = 0;
    for (std::uint32_t node = 0; node < 400; ++node) {
      late += timeline.policy().applied(node, version) - timeline.made(version) > 5_s ? 1 : 0;
    }
    EXPECT_NEAR(late, brings[version - 1] ? 106 : 4, brings[version - 1] ? 44 : 10);
  }
}

TEST_F(EventsTest, WhatAnEventDidStandsInTheRecordFile) {
  folder.write("m/all.yaml", std::string(kTwoPods) + R"(
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: x}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i}]}}
)");
  folder.write("late.yaml", std::string(kDenyIngress));
  folder.write("more.yaml", R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: x}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i}]}}
)");
  policy_delay = {.p50 = Duration::from_ms(100), .p99 = Duration::from_ms(900)};
  folder.write("out/keep", "");
  record_folder = folder.path("out");
  load_scenario(R"(
  cluster: {from: m, nodes: {count: 4}, cni: spec}
  workloads: [{name: w, from: x/pod/a, to: x/pod/b, port: 80, rate: 10/s, timeout: 1s}]
  run: {warmup: 1s, duration: 20s}
  events:
    - {at: 2s, apply: [late.yaml, more.yaml]}
    - {at: 5s, patch: [{object: x/netpol/closed, merge: {spec: {ingress: [{}]}}}], label: [{object: x/pod/a, set: {b: c}}]}
    - {at: 8s, delete: [x/netpol/closed, x/pod/b]}
)");
  const workload::RunResult run = play().runs.at(0).result;
  auto opened = record::RunFile::open(folder.path("out/current-seed1.h5"));
  ASSERT_TRUE(opened.has_value());
  const auto table = opened->table("/changes");
  ASSERT_TRUE(table.has_value());
  std::vector<std::string> names;
  for (const auto& column : table->columns) {
    names.push_back(column.name);
  }
  ASSERT_EQ(names, (std::vector<std::string>{"change", "made", "policy_set", "what", "object", "detail",
                                             "first_enforced", "last_enforced"}));
  const std::size_t width = names.size();
  struct Row {
    std::int64_t change;
    const char* what;
    const char* object;
    const char* detail;
  };
  const Row rows[] = {{1, "apply", "x/networkpolicy/closed", ""}, {1, "scale", "x/deployment/web", "1 → 3"},
                      {2, "patch", "x/networkpolicy/closed", ""}, {2, "label", "x/pod/a", ""},
                      {3, "delete", "x/netpol/closed", ""},       {3, "delete", "x/pod/b", ""}};
  ASSERT_EQ(table->cells.size(), std::size(rows) * width);
  // Made at 2, 5 and 8 s after a warm-up of one second; in force on the four nodes at times of their own.
  const auto states = states_of(*scenario->policy_sets[0].timeline, scenario->policy_sets[0].profile(), true);
  control::TimelineInput input =
      timeline_of(*scenario->policy_sets[0].timeline, scenario->policy_sets[0].profile(), 1_s, *states);
  input.programming.policy = policy_delay;
  const control::Timeline timeline(input, 1);
  const std::int64_t made[] = {3'000'000'000, 6'000'000'000, 9'000'000'000};
  for (std::size_t r = 0; r < std::size(rows); ++r) {
    SCOPED_TRACE(r);
    const auto cell = [&](std::size_t column) { return table->cells[r * width + column]; };
    const auto version = static_cast<control::Version>(rows[r].change);
    EXPECT_EQ(std::get<std::int64_t>(cell(0)), rows[r].change);
    EXPECT_EQ(std::get<std::int64_t>(cell(1)), made[version - 1]);
    EXPECT_EQ(std::get<std::string>(cell(2)), "current");
    EXPECT_EQ(std::get<std::string>(cell(3)), rows[r].what);
    EXPECT_EQ(std::get<std::string>(cell(4)), rows[r].object);
    EXPECT_EQ(std::get<std::string>(cell(5)), rows[r].detail);
    EXPECT_EQ(std::get<std::int64_t>(cell(6)), run.changes[version - 1].first_enforced.ns());
    EXPECT_EQ(std::get<std::int64_t>(cell(7)), run.changes[version - 1].last_enforced.ns());
    EXPECT_EQ(std::get<std::int64_t>(cell(6)), timeline.first_enforced(version).since_start().ns());
    EXPECT_EQ(std::get<std::int64_t>(cell(7)), timeline.last_enforced(version).since_start().ns());
    EXPECT_LT(std::get<std::int64_t>(cell(6)), std::get<std::int64_t>(cell(7))) << "nodes differ";
    EXPECT_GT(std::get<std::int64_t>(cell(6)), made[version - 1]);
  }
}

TEST_F(EventsTest, NamesThatOnlyALaterPolicyAsksForAreResolvedToo) {
  // Nothing is asked by name at the start; from 2 s on pods may dial one declared name and one that nobody declares.
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("names.yaml", R"(
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: names}
spec:
  tier: Admin
  priority: 1
  subject: {pods: {namespaceSelector: {}, podSelector: {}}}
  egress:
  - {action: Accept, to: [{domainNames: [api.example.org]}]}
  - {action: Deny, to: [{networks: [198.51.100.0/24]}]}
)");
  const std::string spec = R"(
  cluster: {from: m, cni: spec, dns: {externals: {api.example.org: [198.51.100.7]}}}
  run: {duration: 9s}
  events:
    - {at: 2s, apply: names.yaml}
    - {at: 4s, patch: [{object: clusternetworkpolicy/names, merge: {spec: {egress: [{action: Accept, to: [{domainNames: [other.example.org]}]}, {action: Deny, to: [{networks: [198.51.100.0/24]}]}]}}}]}
  expect:
    - {from: x/pod/a, to: 198.51.100.8, port: 443, verdict: allowed}
    - {from: x/pod/a, to: 198.51.100.7, port: 443, verdict: allowed, at: 2s}
    - {from: x/pod/a, to: 198.51.100.8, port: 443, verdict: denied, at: 2s}
    - {from: x/pod/a, to: 198.51.100.7, port: 443, verdict: unknown, at: 4s}
)";
  load_scenario(spec);
  expect_all_pass(4);
}

TEST_F(EventsTest, EstablishedConnectionSurvivesOrIsCutAsTheProfileSays) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("late.yaml", std::string(kDenyIngress));
  // Each request is worked on for 4 s, and its answer takes many acknowledgements. Those under way at 5 s live on where
  // established connections are not asked again; else the acknowledgements are lost and so is the request.
  // On one node as between two.
  for (const int variant : {0, 1, 2, 3}) {
    const bool is_cut = variant % 2 == 1;
    SCOPED_TRACE(variant);
    load_scenario(std::string(R"(
  cluster: {from: m, nodes: {count: )") +
                  (variant < 2 ? "1" : "3") + R"(}, cni: {profile: spec, overrides: {policy: {establishedFlows: )" +
                  (is_cut ? "cut" : "survive") + R"(}}}}
  workloads:
    - {name: w, from: x/pod/a, to: x/pod/b, port: 80, rate: 10/s, arrivals: constant, timeout: 10s, response: 1MiB,
       server: {time: 4s}}
  run: {warmup: 0s, duration: 9s}
  events: [{at: 5s, apply: late.yaml}]
)");
    const BatchResult batch = play();
    const workload::WorkloadResult& w = batch.runs.at(0).result.workloads.at(0);
    ASSERT_EQ(w.phases.size(), 2u);
    // 10 a second: those of the last 4 s before the change are under way when it is made.
    const double survivors = static_cast<double>(w.phases[0].outcomes[0]);
    EXPECT_NEAR(survivors, is_cut ? 10.0 : 50.0, 1.0);
    EXPECT_EQ(w.phases[1].outcomes[0], 0u) << "no new connection after the change";
  }
}

TEST_F(EventsTest, EndpointsOfADeletedPodAreUsedUntilTheNodesHaveHeardOfIt) {
  folder.write("m/all.yaml", std::string(kTwoPods) + R"(
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: x}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: x}
spec: {selector: {app: web}, ports: [{port: 80}]}
)");
  folder.write("one.yaml", R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: x}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}}
)");
  endpoints_delay = fixed(2'000);
  load_scenario(R"(
  cluster: {from: m, cni: spec}
  workloads: [{name: w, kind: tcp, from: x/pod/a, to: x/service/web, port: 80, rate: 100/s, timeout: 0.5s}]
  run: {warmup: 0s, duration: 10s}
  events: [{at: 5s, apply: one.yaml}]
)");
  const BatchResult batch = play();
  const workload::RunResult& run = batch.runs.at(0).result;
  const workload::WorkloadResult& w = run.workloads.at(0);
  // Of the 200 probes between 5 s and 7 s each goes to the lost pod with probability 1/2: 100, with a standard
  // deviation of sqrt(200)/2 = 7; five of them are allowed.
  const auto failed = static_cast<double>(w.count(Outcome::connect_timeout));
  EXPECT_NEAR(failed, 100.0, 35.0);
  EXPECT_EQ(w.count(Outcome::ok) + w.count(Outcome::connect_timeout), w.requests);
  EXPECT_EQ(w.phases.at(0).outcomes[0], w.phases.at(0).requests);
  EXPECT_EQ(packets_lost(run, "no-pod"), w.count(Outcome::connect_timeout)) << "one SYN each: a second comes after 1 s";
}

TEST_F(EventsTest, NewPodIsClosedOrOpenUntilItsNodeHasProgrammedIt) {
  folder.write("m/all.yaml", std::string(kTwoPods) + "---" + std::string(kDenyIngress));
  folder.write("late.yaml", R"(
apiVersion: v1
kind: Pod
metadata: {name: late, namespace: x, labels: {app: late}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed-too, namespace: x}
spec: {podSelector: {matchLabels: {app: late}}, policyTypes: [Ingress]}
)");
  policy_delay = fixed(1'000);
  for (const bool is_open : {false, true}) {
    SCOPED_TRACE(is_open);
    is_open_at_start = is_open;
    load_scenario(R"(
  cluster: {from: m, cni: spec, dns: {replicas: 0}}
  workloads: [{name: w, kind: tcp, from: x/pod/a, to: 10.244.0.200, port: 80, rate: 100/s, timeout: 0.5s}]
  run: {warmup: 0s, duration: 5s}
  events: [{at: 2s, apply: late.yaml}]
)");
    // The late pod's address is known once the union is built: the last pod has it.
    TimelinePlan& timeline = *scenario->policy_sets.at(0).timeline;
    const cluster::Cluster& all = *timeline.all;
    ASSERT_EQ(all.pods.size(), 3u);
    EXPECT_EQ(all.pod_name(cluster::PodId(2u)), "late");
    timeline.workloads.at(0).to.address = all.pods[2].ip;
    const BatchResult batch = play();
    const workload::RunResult& run = batch.runs.at(0).result;
    const workload::WorkloadResult& w = run.workloads.at(0);
    // Before 2 s nobody has the address. Between 2 s and 3 s the node lets everything or nothing through; from 3 s on
    // the policy that came along denies.
    EXPECT_NEAR(static_cast<double>(w.count(Outcome::ok)), is_open ? 100.0 : 0.0, 1.0);
    EXPECT_NEAR(static_cast<double>(packets_lost(run, "start-window")), is_open ? 0.0 : 100.0, 1.0);
    // 200 until the end at 5 s, and 50 in the 0.5 s in which the last request waits: losses are those of the whole run.
    EXPECT_NEAR(static_cast<double>(packets_lost(run, "policy-denied")), 250.0, 1.0);
    EXPECT_NEAR(static_cast<double>(packets_lost(run, "no-pod")), 200.0, 1.0);
  }
}

TEST_F(EventsTest, PodsThatComeLaterLeaveTheOthersAsTheyAre) {
  const std::string manifests = std::string(kTwoPods) + R"(
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: x}
spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: []}}}
)";
  folder.write("m/all.yaml", manifests);
  folder.write("more.yaml", R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: x}
spec: {replicas: 5, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: []}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: aaa, namespace: a-first}
spec: {replicas: 2, selector: {matchLabels: {app: other}}, template: {metadata: {labels: {app: other}}, spec: {containers: []}}}
)");
  load_scenario(R"(
  cluster: {from: m, cni: spec, dns: {replicas: 0}}
  events: [{at: 2s, apply: more.yaml}, {at: 3s, delete: [x/deployment/web]}]
)");
  const PolicySetPlan& plan = scenario->policy_sets.at(0);
  const cluster::Cluster& all = *plan.timeline->all;
  const cluster::Cluster& start = plan.cluster();
  ASSERT_EQ(start.pods.size(), 4u);
  ASSERT_EQ(all.pods.size(), 9u);  // 3 more replicas and 2 new pods
  for (std::uint32_t p = 0; p < 4; ++p) {
    const cluster::PodId id(p);
    EXPECT_EQ(all.full_pod_name(id), start.full_pod_name(id));
    EXPECT_EQ(all.pods[p].ip, start.pods[p].ip);
    EXPECT_EQ(all.nodes[all.pods[p].node.index()].name, start.nodes[start.pods[p].node.index()].name);
  }
  const auto live = [&](std::size_t state) {
    std::size_t n = 0;
    for (std::uint32_t p = 0; p < all.pods.size(); ++p) {
      n += cluster::is_there(*plan.timeline->clusters.at(state), cluster::PodId(p)) ? 1 : 0;
    }
    return n;
  };
  EXPECT_EQ(live(0), 4u);
  EXPECT_EQ(live(1), 9u);
  EXPECT_EQ(live(2), 4u);  // a, b and the two of aaa
}

TEST_F(EventsTest, LabelOfANamespaceOpensAndAPodsCloses) {
  folder.write("m/all.yaml", std::string(kTwoPods) + R"(
---
apiVersion: v1
kind: Namespace
metadata: {name: y}
---
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: y, labels: {app: c}}
spec: {containers: []}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: from-friends, namespace: x}
spec:
  podSelector: {matchLabels: {app: b}}
  ingress: [{from: [{namespaceSelector: {matchLabels: {friend: "yes"}}, podSelector: {matchLabels: {app: c}}}]}]
)");
  load_scenario(R"(
  cluster: {from: m, cni: spec}
  events:
    - {at: 2s, label: [{object: namespace/y, set: {friend: "yes"}}]}
    - {at: 4s, label: [{object: y/pod/c, remove: app}]}
    - {at: 6s, delete: x/networkpolicy/from-friends}
  expect:
    - {from: y/pod/c, to: x/pod/b, port: 80, verdict: denied}
    - {from: y/pod/c, to: x/pod/b, port: 80, verdict: denied, at: 1s}
    - {from: y/pod/c, to: x/pod/b, port: 80, verdict: allowed, at: 2s}
    - {from: y/pod/c, to: x/pod/b, port: 80, verdict: denied, at: 5s}
    - {from: y/pod/c, to: x/pod/b, port: 80, verdict: allowed, at: 9s}
)");
  const BatchResult batch = play();
  ASSERT_EQ(batch.runs.at(0).expectations.size(), 5u);
  for (const ExpectationResult& result : batch.runs[0].expectations) {
    EXPECT_EQ(result.status, ExpectationResult::Status::passed) << result.subject << ": " << result.measured;
  }
}

TEST_F(EventsTest, APodMayGetAnotherLabelInTheEventThatBringsIt) {
  folder.write("m/all.yaml", std::string(kTwoPods) + "---" + std::string(kDenyIngress));
  folder.write("late.yaml", R"(
apiVersion: v1
kind: Pod
metadata: {name: late, namespace: x, labels: {app: b}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}
)");
  load_scenario(R"(
  cluster: {from: m, cni: spec}
  run: {duration: 9s}
  events:
    - {at: 2s, apply: late.yaml, label: [{object: x/pod/late, set: {app: other}}]}
    - {at: 4s, label: [{object: x/pod/late, set: {app: b}}]}
  expect:
    - {from: x/pod/a, to: x/pod/late, port: 80, verdict: allowed, at: 2s}
    - {from: x/pod/a, to: x/pod/late, port: 80, verdict: denied, at: 4s}
)");
  expect_all_pass(2);
}

TEST_F(EventsTest, SeveralChangesOfOneTimeAreMadeInTheirOrder) {
  // Nobody acts on what lies between them, and the last one stands. The client goes on asking after it.
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("late.yaml", std::string(kDenyIngress));
  load_scenario(R"(
  cluster: {from: m, cni: spec}
  workloads: [{name: w, kind: tcp, from: x/pod/a, to: x/pod/b, port: 80, rate: 100/s, timeout: 1s}]
  run: {warmup: 1s, duration: 6s}
  events:
    - {at: 2s, apply: late.yaml}
    - {at: 2s, label: [{object: x/pod/b, set: {app: c}}]}
    - {at: 2s, label: [{object: x/pod/b, set: {app: b}}]}
    - {at: 4s, delete: x/networkpolicy/closed}
    - {at: 4s, label: [{object: x/pod/b, set: {app: c}}]}
  expect:
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: denied, at: 2s}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: allowed, at: 4s}
    - {workload: w, success: 100%, at: 0s}
    - {workload: w, success: 0%, at: 2s}
    - {workload: w, success: 100%, at: 4s}
)");
  expect_all_pass(5);
}

TEST_F(EventsTest, APatchIsLaidOverLabelsAsTheyAreThen) {
  folder.write("m/all.yaml", std::string(kTwoPods) + R"(
---
apiVersion: v1
kind: Namespace
metadata: {name: y, labels: {team: blue}}
---
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: y}
spec: {containers: []}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: from-red, namespace: x}
spec: {podSelector: {matchLabels: {app: b}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}}]}]}
)");
  load_scenario(R"(
  cluster: {from: m, cni: spec}
  events:
    - {at: 1s, label: [{object: namespace/y, set: {team: red}}]}
    - {at: 2s, patch: [{object: namespace/y, merge: {metadata: {labels: {tier: back}}}}]}
    - {at: 3s, label: [{object: x/pod/b, set: {app: other}}]}
    - {at: 4s, patch: [{object: x/pod/b, merge: {metadata: {labels: {tier: back}}}}]}
    - {at: 5s, label: [{object: x/pod/b, set: {app: b}}]}
    - {at: 6s, patch: [{object: namespace/y, merge: {metadata: {labels: {team: null}}}}]}
  expect:
    - {from: y/pod/c, to: x/pod/b, port: 80, verdict: denied}
    - {from: y/pod/c, to: x/pod/b, port: 80, verdict: allowed, at: 2s}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: denied, at: 2s}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: allowed, at: 4s}
    - {from: x/pod/a, to: x/pod/b, port: 80, verdict: denied, at: 5s}
    - {from: y/pod/c, to: x/pod/b, port: 80, verdict: denied, at: 6s}
)");
  expect_all_pass(6);
}

TEST_F(EventsTest, APatchMayTakeAwayALabelThatTheSameEventApplied) {
  folder.write("m/all.yaml", std::string(kTwoPods) + R"(
---
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: x}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}
)" + "---" + std::string(kDenyIngress));
  folder.write("again.yaml", R"(
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: x, labels: {app: b, tier: back}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}
)");
  load_scenario(R"(
  cluster: {from: m, cni: spec}
  events:
    - {at: 1s, apply: again.yaml}
    - {at: 2s, label: [{object: x/pod/c, remove: app}]}
    - {at: 3s, apply: again.yaml, patch: [{object: x/pod/c, merge: {metadata: {labels: {app: null}}}}]}
  expect:
    - {from: x/pod/a, to: x/pod/c, port: 80, verdict: denied, at: 1s}
    - {from: x/pod/a, to: x/pod/c, port: 80, verdict: allowed, at: 2s}
    - {from: x/pod/a, to: x/pod/c, port: 80, verdict: allowed, at: 3s}
)");
  expect_all_pass(3);
}

TEST_F(EventsTest, ADeletedNamespaceMayBeAppliedAgainWithWhatIsInIt) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("again.yaml", std::string(kDenyIngress) + R"(
---
apiVersion: v1
kind: Namespace
metadata: {name: x, labels: {second: "yes"}}
---
apiVersion: v1
kind: Pod
metadata: {name: d, namespace: x, labels: {app: b}}
spec: {containers: []}
)");
  load_scenario(R"(
  cluster: {from: m, cni: spec}
  events:
    - {at: 2s, delete: namespace/x}
    - {at: 4s, apply: again.yaml}
    - {at: 5s, label: [{object: namespace/x, set: {third: "yes"}}]}
)");
  EXPECT_EQ(scenario->policy_sets.at(0).timeline->changes.size(), 3u);
}

TEST_F(EventsTest, SameForAnyNumberOfJobsAndTheSameBeforeTheChangeInEveryPolicySet) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("late.yaml", std::string(kDenyIngress));
  policy_delay = {.p50 = Duration::from_ms(300), .p99 = Duration::from_ms(1'500)};
  load_scenario(R"(
  cluster: {from: m, cni: calico-vxlan, underlay: {loss: 2%}}
  policySets: {quiet: {base: cluster}, loud: {base: cluster}}
  workloads: [{name: w, from: x/pod/a, to: x/pod/b, port: 80, rate: 200/s, timeout: 1s}]
  run: {warmup: 1s, duration: 4s, seeds: 1..3}
  events:
    - {at: 2s, policySets: quiet, label: [{object: namespace/x, set: {nothing: "1"}}]}
    - {at: 2s, policySets: loud, apply: late.yaml}
)");
  const BatchResult one = play(1);
  const BatchResult four = play(4);
  ASSERT_EQ(one.runs.size(), 6u);
  for (std::size_t i = 0; i < one.runs.size(); ++i) {
    EXPECT_EQ(one.runs[i].result.fingerprint, four.runs[i].result.fingerprint);
  }
  for (std::size_t seed = 0; seed < 3; ++seed) {
    const auto& quiet = one.runs[seed].result.workloads[0];
    const auto& loud = one.runs[3 + seed].result.workloads[0];
    EXPECT_EQ(quiet.phases[0].requests, loud.phases[0].requests);
    EXPECT_EQ(quiet.requests, loud.requests);
    EXPECT_LT(loud.count(Outcome::ok), quiet.count(Outcome::ok));
    EXPECT_NE(one.runs[3].result.changes[0].last_enforced, one.runs[4].result.changes[0].last_enforced);
  }
}

}  // namespace
}  // namespace podwire::scenario
