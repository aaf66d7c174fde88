// `events`: what a change at run time does to verdicts, flows, endpoints and names, with fixed delays so that the
// expected counts follow from arithmetic.
#include "app/scenario/events.hpp"

#include <gtest/gtest.h>

#include "app/scenario/batch.hpp"
#include "models/cluster/snapshot.hpp"
#include "sim/config/render.hpp"
#include "tests/unit/scenario/scratch_folder.hpp"

namespace podwire::scenario {
namespace {

using workload::Outcome;

using test::kTwoPods;

constexpr std::string_view kDenyIngress = R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: x}
spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Ingress]}
)";

struct EventsTest : testing::Test {
  test::ScratchFolder folder;
  SourceMap sources;
  std::optional<Scenario> scenario;
  control::Delay policy_delay;
  control::Delay endpoints_delay;
  control::Delay names_delay;
  bool is_open_at_start = false;

  void load_scenario(std::string_view spec) {
    folder.write("scenario.yaml", "apiVersion: podwire/v1\nkind: Scenario\nspec:\n" + std::string(spec));
    auto loaded = load(sources, {folder.path()}, {});
    ASSERT_TRUE(loaded) << config::render(loaded.diagnostics(), sources, {.short_form = true});
    scenario = std::move(loaded).value();
  }
  std::string problems_of(std::string_view spec) {
    folder.write("scenario.yaml", "apiVersion: podwire/v1\nkind: Scenario\nspec:\n" + std::string(spec));
    auto loaded = load(sources, {folder.path()}, {});
    return config::render(loaded.diagnostics(), sources, {.short_form = true});
  }
  static control::Delay fixed(std::int64_t ms) { return {.p50 = Duration::from_ms(ms), .p99 = Duration::from_ms(ms)}; }
  BatchResult play(unsigned jobs = 1) {
    BatchControl control(run_count(*scenario));
    BatchOptions options;
    options.jobs = jobs;
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

TEST_F(EventsTest, WhatCannotBePatchedIsSaid) {
  folder.write("m/all.yaml", std::string(kTwoPods) + "---" + std::string(kDenyIngress));
  const std::string rest = R"(
  cluster: {from: m, cni: spec}
  policySets: {first: {}, none: {base: none}}
  run: {duration: 8s}
  events:
)";
  EXPECT_NE(problems_of(rest + "    - {at: 1s, patch: [{object: x/netpol/closd, merge: {spec: {}}}]}\n")
                .find("there is no \"x/netpol/closd\" to patch at that time in policy set first"),
            std::string::npos);
  // The set without policies has nothing to patch, the first one has.
  EXPECT_NE(problems_of(rest + "    - {at: 1s, patch: [{object: x/netpol/closed, merge: {spec: {ingress: []}}}]}\n")
                .find("to patch at that time in policy set none"),
            std::string::npos);
  EXPECT_NE(problems_of(rest + "    - {at: 1s, policySets: [first], delete: [x/netpol/closed]}\n"
                               "    - {at: 2s, policySets: [first], patch: [{object: x/netpol/closed, merge: {}}]}\n")
                .find("there is no \"x/netpol/closed\" to patch"),
            std::string::npos);
  EXPECT_NE(
      problems_of(rest + "    - {at: 1s, policySets: [first], patch: [{object: x/netpol/closed, merge: {metadata: "
                         "{name: open}}}]}\n")
          .find("[bad-patch]"),
      std::string::npos);
  EXPECT_NE(problems_of(rest + "    - {at: 1s, policySets: [first], patch: [{object: x/netpol/closed, merge: {spec: "
                               "{podSelectr: {}}}}]}\n")
                .find("podSelectr"),
            std::string::npos);
  EXPECT_NE(problems_of(rest + "    - {at: 1s, patch: [{object: x/netpol/closed, merge: 7}]}\n").find("[wrong-type]"),
            std::string::npos);
  EXPECT_NE(problems_of(rest + "    - {at: 1s, patch: [{object: x/netpol/closed}]}\n").find("[missing-key]"),
            std::string::npos);
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

TEST_F(EventsTest, ProblemsAreReportedWithTheirPlace) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("service.yaml",
               "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: x}\nspec: {ports: [{port: 1}]}\n");
  const std::string problems = problems_of(R"(
  cluster: {from: m, cni: spec}
  run: {duration: 10s}
  events:
    - {at: 1s, apply: service.yaml}
    - {at: 2s, delete: [x/pod/nobody, x/configmap/c]}
)");
  EXPECT_NE(problems.find("an event cannot apply a Service yet"), std::string::npos) << problems;
  EXPECT_NE(problems.find("there is no \"x/pod/nobody\" to delete"), std::string::npos) << problems;
  EXPECT_NE(problems.find("scenario.yaml:9:25"), std::string::npos) << problems;
  EXPECT_NE(problems.find("\"x/configmap/c\" names nothing that an event can delete"), std::string::npos) << problems;
}

}  // namespace
}  // namespace podwire::scenario
