// CNI profiles: that every compiled-in file is sound and sourced, that overrides work and mistakes are named, and that
// the sums of the steps give the round-trip times and core times they were derived from.
#include "models/cni/profile.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/config/document.hpp"

namespace podwire::cni {
namespace {

using config::Node;

Profile builtin(std::string_view name) {
  auto result = load_builtin(name);
  EXPECT_TRUE(result.has_value()) << name;
  return result.has_value() ? *result : Profile();
}

/// One document of text, kept alive with its sources.
struct Text {
  explicit Text(std::string yaml)
      : document(std::move(config::parse_text(sources, "test.yaml", std::move(yaml))).value()) {}
  Node root() const { return document.roots().empty() ? Node() : document.roots().front(); }
  SourceMap sources;
  config::Document document;
};

const Parameter* find_parameter(const Profile& profile, std::string_view path) {
  const auto found = std::find_if(profile.parameters.begin(), profile.parameters.end(),
                                  [&](const Parameter& parameter) { return parameter.path == path; });
  return found == profile.parameters.end() ? nullptr : &*found;
}

Duration cost(const Profile& profile, std::initializer_list<Step> steps) {
  Duration sum;
  for (const Step step : steps) {
    sum += profile.step(step).cost;
  }
  return sum;
}

Duration time_of(const Profile& profile, std::initializer_list<Step> steps) {
  Duration sum = cost(profile, steps);
  for (const Step step : steps) {
    sum += profile.step(step).latency;
  }
  return sum;
}

/// A packet's way from a pod to a pod on another node, no queueing, wire and switches left out; as profile.hpp says who
/// pays what.
Duration one_way(const Profile& profile, bool is_encapsulated, bool has_policy_hooks = true) {
  Duration sum = time_of(profile, {Step::node_cpu, Step::nic_tx, Step::node_cpu, Step::deliver});
  if (has_policy_hooks) {
    sum += time_of(profile, {Step::conntrack, Step::egress_policy, Step::conntrack, Step::ingress_policy});
  }
  if (is_encapsulated) {
    sum += time_of(profile, {Step::encapsulate, Step::decapsulate});
  }
  return sum;
}

TEST(BuiltinProfiles, AreSortedAndHaveTheirFilesNames) {
  const std::vector<std::string> expected = {"antrea",
                                             "antrea-0.13",
                                             "aws-vpc-cni",
                                             "azure-npm",
                                             "azure-npm-lite",
                                             "azure-npm-windows",
                                             "calico-3.18",
                                             "calico-bgp",
                                             "calico-ebpf",
                                             "calico-ipip",
                                             "calico-vxlan",
                                             "cilium-1.14",
                                             "cilium-1.9",
                                             "cilium-ebpf",
                                             "cilium-native",
                                             "cilium-vxlan",
                                             "flannel",
                                             "kindnet",
                                             "kube-network-policies",
                                             "kube-router",
                                             "netpol-analyzer",
                                             "ovn-kubernetes",
                                             "spec",
                                             "weave"};
  EXPECT_EQ(builtin_profiles(), expected);
  for (const std::string& name : builtin_profiles()) {
    EXPECT_EQ(builtin(name).name, name);
    EXPECT_FALSE(builtin(name).title.empty()) << name;
  }
}

TEST(BuiltinProfiles, EveryValueHasSourceAndDescription) {
  for (const std::string& name : builtin_profiles()) {
    const Profile profile = builtin(name);
    EXPECT_GE(profile.parameters.size(), 30u) << name;
    for (const Parameter& parameter : profile.parameters) {
      EXPECT_GE(parameter.source.size(), 10u) << name << " " << parameter.path;
      EXPECT_FALSE(parameter.description.empty()) << name << " " << parameter.path;
      EXPECT_FALSE(parameter.value.empty()) << name << " " << parameter.path;
    }
  }
}

TEST(BuiltinProfiles, EveryStepTimeThatIsNotZeroIsListed) {
  for (const std::string& name : builtin_profiles()) {
    const Profile profile = builtin(name);
    for (std::size_t i = 0; i < kStepCount; ++i) {
      const std::string step(to_string(static_cast<Step>(i)));
      const auto check = [&](Duration value, const std::string& path) {
        EXPECT_TRUE(value == Duration::zero() || find_parameter(profile, path) != nullptr) << name << " " << path;
      };
      check(profile.steps[i].cost, "costs." + step + ".cost");
      check(profile.steps[i].latency, "costs." + step + ".latency");
      check(profile.first_steps[i].cost, "firstPacket." + step + ".cost");
      check(profile.first_steps[i].latency, "firstPacket." + step + ".latency");
    }
  }
}

TEST(BuiltinProfiles, SaySoWhenATimeIsAGuess) {
  // Each of them has at least one step time marked as a guess (the lookup in conntrack, later packets of a Service).
  for (const std::string& name : builtin_profiles()) {
    EXPECT_EQ(builtin(name).timing, "guess") << name;
  }
}

TEST(BuiltinProfiles, PolicySemanticsAreThoseOfTheirSources) {
  const PolicySemantics spec = builtin("spec").policy;
  EXPECT_TRUE(spec.is_enforced && spec.ip_block_matches_pods && spec.host_network_is_node &&
              spec.finished_pods_are_ignored && !spec.is_ipv4_only && spec.own_node_is_allowed);
  EXPECT_EQ(spec.deny_action, DenyAction::drop);

  const PolicySemantics analyzer = builtin("netpol-analyzer").policy;
  EXPECT_FALSE(analyzer.ip_block_matches_pods);
  EXPECT_FALSE(analyzer.host_network_is_node);
  EXPECT_FALSE(analyzer.finished_pods_are_ignored);
  EXPECT_TRUE(analyzer.is_ipv4_only && analyzer.is_enforced);

  EXPECT_FALSE(builtin("flannel").policy.is_enforced);

  const PolicySemantics calico = builtin("calico-vxlan").policy;
  EXPECT_TRUE(calico.is_enforced && calico.ip_block_matches_pods);
  EXPECT_EQ(calico.established, EstablishedFlows::survive);

  const PolicySemantics cilium = builtin("cilium-vxlan").policy;
  EXPECT_FALSE(cilium.ip_block_matches_pods);
  EXPECT_EQ(cilium.established, EstablishedFlows::cut);
  EXPECT_EQ(cilium.deny_action, DenyAction::drop);
}

TEST(BuiltinProfiles, OverlaysTakeFiftyBytesOfTheUnderlaysMtu) {
  for (const char* name : {"calico-vxlan", "cilium-vxlan", "flannel"}) {
    const Profile profile = builtin(name);
    EXPECT_EQ(profile.encapsulation, Encapsulation::vxlan) << name;
    EXPECT_EQ(profile.encapsulation_overhead, 50_B) << name;
    EXPECT_EQ(profile.mtu + profile.encapsulation_overhead, 1500_B) << name;
  }
  EXPECT_EQ(builtin("spec").encapsulation, Encapsulation::none);
  EXPECT_EQ(builtin("spec").mtu, 1500_B);
}

TEST(BuiltinProfiles, ConntrackIsAsKubeProxySetsIt) {
  const ConntrackTimes times = builtin("calico-vxlan").conntrack;
  EXPECT_EQ(times.tcp_established, 86'400_s);
  EXPECT_EQ(times.tcp_close_wait, 3'600_s);
  EXPECT_EQ(times.tcp_time_wait, 120_s);
  EXPECT_EQ(times.udp_unreplied, 30_s);
  EXPECT_EQ(times.udp_stream, 120_s);
  // max(32768 x cores, 131072): 2 and 4 cores 131,072; 8 cores 262,144; 64 cores 2,097,152.
  EXPECT_EQ(times.entries_for(2), 131'072u);
  EXPECT_EQ(times.entries_for(4), 131'072u);
  EXPECT_EQ(times.entries_for(8), 262'144u);
  EXPECT_EQ(times.entries_for(64), 2'097'152u);
  EXPECT_EQ(builtin("cilium-vxlan").conntrack.tcp_established, 8'000_s);
  EXPECT_EQ(builtin("cilium-vxlan").conntrack.entries_for(64), 524'288u);
}

// Round trips against what the benchmarks measured (TCP_RR, one process, 100 Gbit/s back to back): the steps were
// derived from them, so that they must agree to rounding, 0.1 us.
TEST(StepTimes, BareStackTakesTheMeasuredRoundTrip) {
  // 1 / 47,845 requests/s = 20.90 us.
  EXPECT_NEAR((one_way(builtin("spec"), false, false) * 2).seconds() * 1e6, 20.90, 0.1);
  // Conntrack is not part of the bare calibration: 2 x 0.1 us one way.
  EXPECT_NEAR((one_way(builtin("spec"), false) * 2).seconds() * 1e6, 21.30, 0.1);
}

TEST(StepTimes, CalicoWithoutOverlayTakesTheMeasuredRoundTripAndVxlanComesOnTop) {
  // 1 / 35,948 requests/s = 27.82 us; VXLAN adds 4.05 us one way: 35.9 us.
  EXPECT_NEAR((one_way(builtin("calico-vxlan"), false) * 2).seconds() * 1e6, 27.82, 0.1);
  EXPECT_NEAR((one_way(builtin("calico-vxlan"), true) * 2).seconds() * 1e6, 35.9, 0.1);
}

TEST(StepTimes, CiliumWithoutOverlayTakesTheMeasuredRoundTripAndItsDefaultAddsEightPointThree) {
  const Profile cilium = builtin("cilium-vxlan");
  // Legacy routing: 1 / 34,052 requests/s = 29.37 us. Default: 8.3 us one way more than bare metal's 10.45.
  EXPECT_NEAR((one_way(cilium, false) * 2).seconds() * 1e6, 29.37, 0.1);
  const Duration bare = one_way(builtin("spec"), false, false);
  EXPECT_NEAR((one_way(cilium, true) - bare).seconds() * 1e6, 8.3, 0.05);
}

TEST(StepTimes, FlannelIsCalicoWithoutItsPolicyChains) {
  const Duration difference = one_way(builtin("calico-vxlan"), true) - one_way(builtin("flannel"), true);
  EXPECT_EQ(difference, 300_ns);
  EXPECT_EQ(builtin("flannel").policy_per_rule, Duration::zero());
  EXPECT_EQ(builtin("flannel").first_step(Step::egress_policy).cost, Duration::zero());
}

TEST(StepTimes, CoreTimePerRequestIsTheMeasuredOneOrIsBoundedByTheVisit) {
  // Per request (four visits): bare 11.52 us. Calico and Cilium measured 27.9 us, of which a visit that fits the round
  // trip holds 2 x 11.9 and 2 x 12.7 us (calico-vxlan.yaml, cilium-vxlan.yaml).
  const auto per_request = [](const Profile& profile, bool has_hooks) {
    Duration sum = cost(profile, {Step::node_cpu, Step::node_cpu, Step::deliver});
    if (has_hooks) {
      sum += cost(profile, {Step::conntrack, Step::egress_policy, Step::conntrack, Step::ingress_policy});
    }
    return (sum * 2).seconds() * 1e6;
  };
  EXPECT_NEAR(per_request(builtin("spec"), false), 11.52, 0.01);
  EXPECT_NEAR(per_request(builtin("calico-vxlan"), true), 23.8, 0.01);
  EXPECT_NEAR(per_request(builtin("cilium-vxlan"), true), 25.4, 0.01);
}

TEST(StepTimes, NewConnectionsCostWhatIsLeftOfTcpCrr) {
  // (107.7 - 2 x 27.8) - (76.9 - 2 x 20.9) - 3 x 3.45 = 6.65 us for a first packet on two nodes; 0.4 us for Cilium.
  const auto first = [](const Profile& profile) {
    return (profile.first_step(Step::conntrack).cost * 2 + profile.first_step(Step::egress_policy).cost +
            profile.first_step(Step::ingress_policy).cost)
               .seconds() *
           1e6;
  };
  EXPECT_NEAR(first(builtin("calico-vxlan")), 6.65, 0.1);
  EXPECT_NEAR(first(builtin("cilium-vxlan")), 0.4, 0.01);
}

TEST(StepTimes, KubeProxyPaysForEachRuleAndCiliumDoesNot) {
  EXPECT_EQ(builtin("calico-vxlan").first_step(Step::service_nat).cost, 12'400_ns);
  EXPECT_EQ(builtin("calico-vxlan").service_nat_per_rule, 20'800_ps);
  EXPECT_EQ(builtin("calico-vxlan").policy_per_rule, 240_ns);
  EXPECT_EQ(builtin("cilium-vxlan").service_nat_per_rule, Duration::zero());
  EXPECT_EQ(builtin("cilium-vxlan").policy_per_rule, Duration::zero());
}

TEST(Overrides, ABareValueReplacesTheProfilesAndCountsAsAGuess) {
  const Text text("costs: {service-nat: {cost: 5us}}\npolicy: {denyAction: reject}\nmtu: 8950\n");
  const auto result = load_profile("calico-vxlan", {.profile = text.root()}, Span());
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->step(Step::service_nat).cost, 5_us);
  EXPECT_EQ(result->policy.deny_action, DenyAction::reject);
  EXPECT_EQ(result->mtu, 8950_B);
  EXPECT_EQ(result->step(Step::node_cpu).cost, builtin("calico-vxlan").step(Step::node_cpu).cost);
  const Parameter* parameter = find_parameter(*result, "costs.service-nat.cost");
  ASSERT_NE(parameter, nullptr);
  EXPECT_EQ(parameter->value, "5");
  EXPECT_EQ(parameter->unit, "us");
  EXPECT_EQ(parameter->certainty, Certainty::guess);
  EXPECT_EQ(result->parameters.size(), builtin("calico-vxlan").parameters.size());
}

TEST(Overrides, AValueMayBringItsOwnSourceAndCertainty) {
  const Text text("costs: {node-cpu: {cost: {value: 3.25us, certainty: calibrated, source: our testbed}}}\n");
  const auto result = load_profile("spec", {.profile = text.root()}, Span());
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->step(Step::node_cpu).cost, 3'250_ns);
  const Parameter* parameter = find_parameter(*result, "costs.node-cpu.cost");
  ASSERT_NE(parameter, nullptr);
  EXPECT_EQ(parameter->source, "our testbed");
  EXPECT_EQ(parameter->certainty, Certainty::calibrated);
}

TEST(Overrides, AnAbsentOneChangesNothing) {
  const auto result = load_profile("flannel", {}, Span());
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->parameters.size(), builtin("flannel").parameters.size());
}

TEST(Overrides, EveryMistakeIsReportedAtOnceWithTheNearestKey) {
  const Text text(
      "costs: {service-nta: {cost: 5us}}\n"
      "policy: {denyAction: refuse, isEnforcd: false}\n"
      "mtu: wide\n");
  const auto result = load_profile("calico-vxlan", {.profile = text.root()}, Span());
  ASSERT_FALSE(result.has_value());
  const auto& problems = result.diagnostics().all();
  const auto has = [&](std::string_view code, std::string_view word) {
    return std::any_of(problems.begin(), problems.end(), [&](const Diagnostic& problem) {
      return problem.code == code && (problem.message + " " + problem.help).find(word) != std::string::npos;
    });
  };
  EXPECT_EQ(problems.size(), 4u);
  EXPECT_TRUE(has("unknown-key", "service-nat"));
  EXPECT_TRUE(has("unknown-key", "isEnforced"));
  EXPECT_TRUE(has("bad-value", "\"drop\", \"reject\""));
  for (const Diagnostic& problem : problems) {
    EXPECT_TRUE(problem.span.is_known()) << problem.message;
  }
}

TEST(Profiles, AnUnknownNameGetsTheNearestOne) {
  const auto result = load_builtin("calico-vxlna");
  ASSERT_FALSE(result.has_value());
  const Diagnostic& problem = result.diagnostics().all().front();
  EXPECT_EQ(problem.code, "unknown-profile");
  EXPECT_NE(problem.help.find("did you mean \"calico-vxlan\"?"), std::string::npos);
  const auto far = load_builtin("zzzzzzzzzz");
  ASSERT_FALSE(far.has_value());
  EXPECT_NE(far.diagnostics().all().front().help.find("netpol-analyzer"), std::string::npos);
}

TEST(Profiles, AFileMayExtendAnotherAndMustSourceItsValues) {
  const Text good(
      "name: ours\ntitle: our cluster\nextends: calico-vxlan\n"
      "costs: {node-cpu: {cost: {value: 4us, certainty: published, source: measured in June}}}\n");
  const auto profile = read_profile(good.root());
  ASSERT_TRUE(profile.has_value());
  EXPECT_EQ(profile->name, "ours");
  EXPECT_EQ(profile->step(Step::node_cpu).cost, 4_us);
  EXPECT_EQ(profile->mtu, 1450_B);

  const Text bare("name: ours\ntitle: our cluster\nextends: calico-vxlan\ncosts: {node-cpu: {cost: 4us}}\n");
  EXPECT_FALSE(read_profile(bare.root()).has_value());
  const Text unsourced(
      "name: ours\ntitle: our cluster\nextends: spec\nmtu: {value: 1400B, certainty: published, source: ''}\n");
  EXPECT_FALSE(read_profile(unsourced.root()).has_value());
  const Text uncertain("name: ours\ntitle: our cluster\nextends: spec\nmtu: {value: 1400B, source: measured}\n");
  EXPECT_FALSE(read_profile(uncertain.root()).has_value());
}

TEST(Profiles, AFileThatExtendsNothingMustBeComplete) {
  const Text text("name: ours\ntitle: our cluster\nmtu: {value: 1400B, certainty: guess, source: a hunch}\n");
  const auto result = read_profile(text.root());
  ASSERT_FALSE(result.has_value());
  // 33 policy members, 2 of the encapsulation and 12 of conntrack are missing; step times default to none.
  EXPECT_EQ(result.diagnostics().error_count(), 47u);
  EXPECT_EQ(result.diagnostics().all().front().code, "missing-key");
}

TEST(Profiles, AnExtendedProfileThatDoesNotExistIsReportedAtItsPlace) {
  const Text text("name: ours\ntitle: our cluster\nextends: flanel\n");
  const auto result = read_profile(text.root());
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(
      text.sources.locate(result.diagnostics().all().front().span.source, result.diagnostics().all().front().span.begin)
          .line,
      3u);
}

}  // namespace
}  // namespace podwire::cni
