#include "app/scenario/file.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "sim/config/render.hpp"

namespace podwire::scenario {
namespace {

constexpr const char* kHead = "apiVersion: podwire/v1\nkind: Scenario\nmetadata: {name: x}\n";

struct FileTest : testing::Test {
  SourceMap sources;
  Diagnostics diagnostics;
  Settings settings;

  ScenarioFile read(const std::string& spec) {
    auto parsed = config::parse_text(sources, "scenario.yaml", kHead + spec);
    documents.push_back(std::move(parsed).value());
    return read_scenario_file(documents.back().roots().front(), settings, diagnostics);
  }
  std::string messages() { return config::render(diagnostics, sources, {.short_form = true}); }
  std::vector<config::Document> documents;
};

TEST_F(FileTest, WhatIsLeftOutHasItsDefault) {
  const ScenarioFile file = read("spec: {cluster: {from: manifests/}}");
  EXPECT_FALSE(diagnostics.has_errors()) << messages();
  EXPECT_EQ(file.name, "x");
  EXPECT_EQ(file.cluster.cni.profile.text, "auto");
  EXPECT_TRUE(file.cluster.options.adds_dns);
  EXPECT_EQ(file.cluster.options.dns_replicas, 2u);
  ASSERT_EQ(file.policy_sets.size(), 1u);
  EXPECT_EQ(file.policy_sets[0].name, "current");
  EXPECT_TRUE(file.policy_sets[0].starts_from_cluster);
  EXPECT_EQ(file.run.warmup, 1_s);
  EXPECT_EQ(file.run.duration, 10_s);
  EXPECT_EQ(file.run.seeds, std::vector<std::uint64_t>{1});
}

TEST_F(FileTest, AWorkloadIsReadWithItsUnits) {
  const ScenarioFile file = read(R"(spec:
  cluster: {from: m}
  workloads:
    - {name: browse, from: a/deploy/b, to: "http://c/", rate: 200/s, request: 300B, response: 4KiB, timeout: 2s,
       server: {time: {lognormal: {median: 2ms, p99: 20ms}}, concurrency: 8}}
)");
  ASSERT_EQ(file.workloads.size(), 1u) << messages();
  const workload::WorkloadSpec& spec = file.workloads[0].spec;
  EXPECT_EQ(spec.kind, workload::RequestKind::http);
  EXPECT_EQ(spec.arrivals.per_second, 200.0);
  EXPECT_EQ(spec.arrivals.kind, workload::Arrivals::Kind::poisson);
  EXPECT_EQ(spec.request, 300_B);
  EXPECT_EQ(spec.response, 4_KiB);
  EXPECT_EQ(spec.timeout, 2_s);
  EXPECT_EQ(spec.server.median, 2_ms);
  EXPECT_EQ(spec.server_concurrency, 8u);
  // ln(20 / 2) / 2.32635 = 2.302585 / 2.326348
  EXPECT_NEAR(spec.server.sigma, 0.989785, 1e-5);
}

TEST_F(FileTest, ProbesTickAndRequestsArriveAtRandom) {
  const ScenarioFile file = read(R"(spec:
  cluster: {from: m}
  workloads:
    - {name: p, kind: tcp, from: a/b, to: c/d, rate: 1/s}
    - {name: q, kind: tcp, from: a/b, to: c/d, rate: 1/s, arrivals: poisson}
)");
  EXPECT_EQ(file.workloads[0].spec.arrivals.kind, workload::Arrivals::Kind::constant);
  EXPECT_EQ(file.workloads[1].spec.arrivals.kind, workload::Arrivals::Kind::poisson);
}

TEST_F(FileTest, WhatComesLaterIsRefusedInAClearMessage) {
  read("spec: {cluster: {from: m, serviceProxy: ipvs}, sweep: {a: [1, 2]}}");
  ASSERT_EQ(diagnostics.error_count(), 2u) << messages();
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    EXPECT_EQ(diagnostic.code, "not-supported-yet");
  }
}

TEST_F(FileTest, AllProblemsAreReportedAtOnce) {
  read(R"(spec:
  cluster: {from: m, nodes: {count: 0}, underlay: {preset: ring}}
  workloads: [{name: a, from: x/y, to: z, rate: fast}, {name: a, from: x/y, to: z, rate: 1/s}]
  run: {duration: 5 parsecs}
)");
  EXPECT_EQ(diagnostics.error_count(), 5u) << messages();
}

TEST_F(FileTest, APathologicalAmountOfWorkIsRefused) {
  // 1e9/s for 11 s (a second of warm-up, ten measured) is 1.1e10 requests, above 4e9.
  read("spec: {cluster: {from: m}, workloads: [{name: a, from: x/y, to: z, rate: 1000000000/s}]}");
  EXPECT_EQ(diagnostics.error_count(), 1u) << messages();
}

TEST_F(FileTest, ManifestsAreNoScenario) {
  auto parsed = config::parse_text(sources, "pod.yaml", "apiVersion: v1\nkind: Pod\n");
  read_scenario_file(parsed->roots().front(), settings, diagnostics);
  ASSERT_EQ(diagnostics.error_count(), 1u);
  EXPECT_EQ(diagnostics.all()[0].code, "not-a-scenario");
}

TEST_F(FileTest, BoundsAreReadInTheirUnits) {
  const ScenarioFile file = read(R"(spec:
  cluster: {from: m}
  workloads: [{name: w, from: a/b, to: c, rate: 1/s}]
  expect:
    - {workload: w, success: ">= 99.9%", p99: "< 5ms", requests: "> 100", dns: {p50: "<=1ms"},
       outcome: {dns-timeout: 0%, ok: 1}}
    - {workload: w, outcome: refused}
)");
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  const auto& bounds = file.expectations[0].bounds;
  ASSERT_EQ(bounds.size(), 6u);
  EXPECT_EQ(bounds[0].name, "success");
  EXPECT_DOUBLE_EQ(bounds[0].threshold.value, 0.999);
  EXPECT_EQ(bounds[1].measure, Measure::requests);
  EXPECT_EQ(bounds[2].outcome, workload::Outcome::dns_timeout);
  EXPECT_EQ(bounds[2].threshold.compare, Threshold::Compare::equal);
  EXPECT_EQ(bounds[3].threshold.value, 1.0);
  EXPECT_EQ(bounds[4].measure, Measure::total_quantile);
  EXPECT_DOUBLE_EQ(bounds[4].threshold.value, 0.005);
  EXPECT_EQ(bounds[5].measure, Measure::dns_quantile);
  ASSERT_EQ(file.expectations[1].bounds.size(), 1u);
  EXPECT_DOUBLE_EQ(file.expectations[1].bounds[0].threshold.value, 0.99);
}

TEST_F(FileTest, BoundsThatBoundNothingAreRefused) {
  read(R"(spec:
  cluster: {from: m}
  workloads: [{name: w, from: a/b, to: c, rate: 1/s}]
  expect:
    - {workload: w, success: ">= 120%"}
    - {workload: w, p99: "5ms"}
    - {workload: w, outcome: {dns-timout: 0%}}
    - {workload: w}
)");
  EXPECT_EQ(diagnostics.error_count(), 3u) << messages();  // the last is not judged once there are errors
}

TEST(Thresholds, CompareAsWritten) {
  using Compare = Threshold::Compare;
  const auto holds = [](Compare compare, double measured) { return Threshold{compare, 0.5, "", {}}.holds(measured); };
  EXPECT_TRUE(holds(Compare::less, 0.4));
  EXPECT_FALSE(holds(Compare::less, 0.5));
  EXPECT_TRUE(holds(Compare::at_most, 0.5));
  EXPECT_FALSE(holds(Compare::at_most, 0.6));
  EXPECT_TRUE(holds(Compare::equal, 0.5));
  EXPECT_FALSE(holds(Compare::equal, 0.51));
  EXPECT_TRUE(holds(Compare::at_least, 0.5));
  EXPECT_FALSE(holds(Compare::at_least, 0.4));
  EXPECT_TRUE(holds(Compare::greater, 0.6));
  EXPECT_FALSE(holds(Compare::greater, 0.5));
}

TEST(Seeds, AreNumbersRangesAndLists) {
  std::string problem;
  using Seeds = std::vector<std::uint64_t>;
  EXPECT_EQ(parse_seeds("7", problem), Seeds{7});
  EXPECT_EQ(parse_seeds("1..3", problem), (Seeds{1, 2, 3}));
  EXPECT_EQ(parse_seeds("1,4..5,9", problem), (Seeds{1, 4, 5, 9}));
  EXPECT_EQ(parse_seeds("18446744073709551615", problem), Seeds{18446744073709551615u});
}

TEST(Seeds, NegativeBackwardAndEndlessOnesAreRefused) {
  std::string problem;
  for (const char* text : {"-1", "", "3..1", "1..", "..3", "a", "1,", "1..99999999", "18446744073709551616", "1.5"}) {
    EXPECT_FALSE(parse_seeds(text, problem)) << text;
    EXPECT_FALSE(problem.empty());
  }
}

TEST(Ports, CarryTheirProtocol) {
  EXPECT_EQ(parse_port("80"), (std::pair(IpProtocol::tcp, Port(80))));
  EXPECT_EQ(parse_port("53/UDP"), (std::pair(IpProtocol::udp, Port(53))));
  EXPECT_EQ(parse_port("53/udp"), (std::pair(IpProtocol::udp, Port(53))));
  for (const char* text : {"0", "65536", "-1", "http", "80/", "80/ICMP", ""}) {
    EXPECT_FALSE(parse_port(text)) << text;
  }
}

TEST_F(FileTest, MessagesOfHttpHaveAtLeastAByte) {
  read(R"(spec:
  cluster: {from: m}
  workloads:
    - {name: a, from: x/y, to: "http://c/", rate: 1/s, request: 0B}
    - {name: b, from: x/y, to: "http://c/", rate: 1/s, response: 0}
    - {name: c, from: x/y, to: "udp://c:53", kind: udp, rate: 1/s, request: 0B, response: 0B}
)");
  EXPECT_EQ(diagnostics.error_count(), 2u) << messages();
  EXPECT_NE(messages().find("an http request of no bytes"), std::string::npos) << messages();
  EXPECT_NE(messages().find("an http response of no bytes"), std::string::npos) << messages();
}

TEST_F(FileTest, AWorkloadThatHardlyEverAsksIsWarnedOf) {
  read(R"(spec:
  cluster: {from: m}
  workloads:
    - {name: rare, from: x/y, to: "http://c/", rate: 0.000000001/s}
    - {name: once, from: x/y, to: "http://c/", rate: 0.1/s}
)");
  EXPECT_FALSE(diagnostics.has_errors()) << messages();
  ASSERT_EQ(diagnostics.all().size(), 1u) << messages();
  EXPECT_EQ(diagnostics.all()[0].message, "workload \"rare\" has 1e-08 requests in 10s on average");
}

TEST_F(FileTest, ExternalNamesHaveAddressesAndLieOutsideTheCluster) {
  const ScenarioFile file = read(R"(spec:
  cluster:
    from: m
    dns: {externals: {API.example.com.: [198.51.100.7, "2001:db8::7"], none.example.com: [], one.example.com: 192.0.2.1}}
)");
  EXPECT_FALSE(diagnostics.has_errors()) << messages();
  ASSERT_EQ(file.cluster.externals.size(), 3u);
  EXPECT_EQ(file.cluster.externals.at("api.example.com").addresses.size(), 2u);
  EXPECT_EQ(file.cluster.externals.at("api.example.com").ttl, dns::kOutsideTtl);
  EXPECT_TRUE(file.cluster.externals.at("none.example.com").addresses.empty());
  EXPECT_EQ(file.cluster.externals.at("one.example.com").addresses.size(), 1u);
  read(R"(spec:
  cluster:
    from: m
    clusterDomain: corp.local
    dns: {externals: {a.svc.corp.local: [192.0.2.1], b.example.com: [nowhere], 192.0.2.1: [192.0.2.1], C.x: [], c.x.: []}}
)");
  EXPECT_EQ(diagnostics.error_count(), 4u) << messages();
}

TEST_F(FileTest, AnExternalNameMaySayHowLongItsAnswersHold) {
  const ScenarioFile file = read(R"(spec:
  cluster:
    from: m
    dns: {externals: {a.example.com: {addresses: [192.0.2.1, 192.0.2.2], ttl: 12s}, b.example.com: {addresses: 192.0.2.3}}}
)");
  EXPECT_FALSE(diagnostics.has_errors()) << messages();
  EXPECT_EQ(file.cluster.externals.at("a.example.com").addresses.size(), 2u);
  EXPECT_EQ(file.cluster.externals.at("a.example.com").ttl, 12_s);
  EXPECT_EQ(file.cluster.externals.at("b.example.com").ttl, dns::kOutsideTtl);
  read(R"(spec:
  cluster:
    from: m
    dns: {externals: {a.example.com: {ttl: soon}, b.example.com: {addresses: [192.0.2.3], tll: 1s}}}
)");
  EXPECT_EQ(diagnostics.error_count(), 3u) << messages();  // no addresses, no duration, an unknown key
}

TEST_F(FileTest, SamplesAreAHundredthOfTheDurationUnlessSaid) {
  EXPECT_EQ(read("spec: {cluster: {from: m}, run: {duration: 30s}}").run.sample, 300_ms);
  EXPECT_EQ(read("spec: {cluster: {from: m}, run: {sample: 50ms}}").run.sample, 50_ms);
  EXPECT_EQ(read("spec: {cluster: {from: m}, run: {sample: 0s}}").run.sample, Duration::zero());
  // A day of warm-up and a second of measuring: a hundred thousand samples of all of it, no more.
  EXPECT_EQ(read("spec: {cluster: {from: m}, run: {warmup: 1d, duration: 1s}}").run.sample, 86'401_s / 100'000);
  EXPECT_FALSE(diagnostics.has_errors()) << messages();
  read("spec: {cluster: {from: m}, run: {sample: 1us}}");
  EXPECT_EQ(diagnostics.error_count(), 1u) << messages();
}

}  // namespace
}  // namespace podwire::scenario
