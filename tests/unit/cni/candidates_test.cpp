// Versions: which profiles a plugin of a given version is judged under, and what two profiles differ in.
#include <gtest/gtest.h>

#include <algorithm>

#include "models/cni/profile.hpp"
#include "sim/config/document.hpp"

namespace podwire::cni {
namespace {

struct Chosen {
  std::vector<std::string> names;
  std::string note;
};

Chosen choose(std::string_view name) {
  const auto candidates = load_candidates(name, {}, Span());
  EXPECT_TRUE(candidates.has_value()) << name;
  Chosen chosen;
  if (candidates) {
    chosen.note = candidates->note;
    for (const Profile& profile : candidates->profiles) {
      chosen.names.push_back(profile.name);
    }
  }
  return chosen;
}

using Names = std::vector<std::string>;

TEST(Versions, LeadingNumbersCount) {
  EXPECT_EQ(parse_version("3.18"), (Version{3, 18, 0}));
  EXPECT_EQ(parse_version("v3.18.4-rc1"), (Version{3, 18, 4}));
  EXPECT_EQ(parse_version("v1.14.2-eksbuild.1"), (Version{1, 14, 2}));
  EXPECT_EQ(parse_version("v20240813-c6f155d6"), (Version{20240813, 0, 0}));
  EXPECT_EQ(parse_version("1.2.3.4"), (Version{1, 2, 3}));
  EXPECT_FALSE(parse_version("latest").has_value());
  EXPECT_FALSE(parse_version("v").has_value());
  EXPECT_FALSE(parse_version("").has_value());
}

TEST(Versions, ARangeHoldsItsLastReleasesPatches) {
  const VersionRange range{.first = "1.9", .last = "1.14", .source = ""};
  EXPECT_TRUE(range.holds({1, 9, 0}) && range.holds({1, 14, 7}) && range.holds({1, 10, 0}));
  EXPECT_FALSE(range.holds({1, 8, 9}) || range.holds({1, 15, 0}) || range.holds({2, 9, 0}));
  EXPECT_EQ(range.to_string(), "1.9 to 1.14");
  EXPECT_TRUE((VersionRange{}.holds({0, 0, 0})));
  EXPECT_EQ(VersionRange{}.to_string(), "any");
}

TEST(Candidates, AVersionThatAProfileHoldsForHasThatOne) {
  EXPECT_EQ(choose("calico@3.18.4").names, Names{"calico-3.18"});
  EXPECT_EQ(choose("calico@3.30").names, Names{"calico-vxlan"});
  EXPECT_EQ(choose("calico-bgp@v3.30.1").names, Names{"calico-bgp"});
  EXPECT_EQ(choose("cilium@1.14.5").names, Names{"cilium-1.14"});
  EXPECT_EQ(choose("cilium-1.9@1.16").names, Names{"cilium-vxlan"});
  EXPECT_EQ(choose("flannel@0.22").names, Names{"flannel"});
  EXPECT_EQ(choose("calico@3.30").note, "");
}

TEST(Candidates, AVersionBetweenTwoProfilesHasBothTheNearestFirst) {
  // 3.26 is 8 releases past 3.18 and 3 before 3.29, 3.22 is 4 past and 7 before.
  EXPECT_EQ(choose("calico@3.26").names, (Names{"calico-vxlan", "calico-3.18"}));
  EXPECT_EQ(choose("calico@3.22").names, (Names{"calico-3.18", "calico-vxlan"}));
  EXPECT_EQ(choose("calico-ebpf@3.19").names, (Names{"calico-3.18", "calico-ebpf"}));
  EXPECT_EQ(choose("cilium@1.12").names, (Names{"cilium-1.14", "cilium-1.9"}));
  EXPECT_EQ(choose("antrea@1.0").names.size(), 2u);
  EXPECT_EQ(
      choose("calico@3.22").note,
      "no profile was made for calico 3.22: it lies between calico-3.18 (3.18) and calico-vxlan (3.29 and later)");
}

TEST(Candidates, OlderReleasesHaveTheValuesOfTheirTime) {
  const auto tiers = [](std::string_view name) {
    return load_candidates(name, {}, Span())->profiles[0].policy.admin_tiers;
  };
  EXPECT_EQ(tiers("calico"), AdminTiers::v1alpha2);
  EXPECT_EQ(tiers("calico@3.32.0"), AdminTiers::v1alpha2);
  EXPECT_EQ(tiers("calico@3.31.7"), AdminTiers::v1alpha1);
  EXPECT_EQ(tiers("calico-ebpf@3.30.2"), AdminTiers::v1alpha1);  // the profile extends Calico's
  EXPECT_EQ(tiers("calico@3.30.0"), AdminTiers::v1alpha1);
  EXPECT_EQ(tiers("calico@3.29.7"), AdminTiers::admin_alone);  // BaselineAdminNetworkPolicy came with 3.30
  EXPECT_EQ(tiers("calico-bgp@3.29"), AdminTiers::admin_alone);
  EXPECT_EQ(tiers("calico-3.18@3.18.4"), AdminTiers::ignored);  // a profile with an end says all of its own
  // The newer of two that 3.26 lies between is taken as it began, with 3.29.
  EXPECT_EQ(tiers("calico@3.26"), AdminTiers::admin_alone);
  const auto aws = load_candidates("aws-vpc-cni@v1.15.5-eksbuild.1", {}, Span());
  EXPECT_EQ(aws->profiles[0].policy.named_ports_resolve_on, NamedPortsOn::source_pods);
  EXPECT_EQ(aws->profiles[0].policy.ip_block_with_named_port, NamedPortInBlock::dropped);
  EXPECT_EQ(aws->profiles[0].policy.admin_tiers, AdminTiers::ignored);  // it extends a profile of Calico's
}

TEST(Candidates, OverridesComeAfterTheValuesOfOlderReleases) {
  SourceMap sources;
  const auto document = config::parse_text(sources, "x.yaml", "{adminTiers: ignored}");
  const auto result = load_candidates("calico@3.30", {.policy = document->roots().front()}, Span());
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->profiles[0].policy.admin_tiers, AdminTiers::ignored);
}

TEST(Candidates, AVersionOutsideAllOfThemHasTheNearestAndSaysSo) {
  const Chosen chosen = choose("cilium@1.7");
  EXPECT_EQ(chosen.names, Names{"cilium-1.9"});
  EXPECT_EQ(chosen.note, "no profile was made for cilium 1.7: cilium-1.9 (1.9) is the nearest there is");
  EXPECT_EQ(choose("weave@3.0").names, Names{"weave"});
}

TEST(Candidates, WhatIsNoVersionOrHasNoneIsReported) {
  for (const char* name : {"calico@new", "calico@", "spec@1.2", "netpol-analyzer@1"}) {
    const auto result = load_candidates(name, {}, Span());
    ASSERT_FALSE(result.has_value()) << name;
    EXPECT_EQ(result.diagnostics().all().front().code, "bad-version") << name;
  }
  EXPECT_EQ(load_candidates("calcio@3.18", {}, Span()).diagnostics().all().front().code, "unknown-profile");
}

TEST(Candidates, OverridesHoldForEachOfThem) {
  SourceMap sources;
  const auto document =
      config::parse_text(sources, "x.yaml", "{hairpin: world, programmingDelay: {p50: 1s, p99: 1500ms}}");
  const auto result = load_candidates("calico@3.20", {.policy = document->roots().front()}, Span());
  ASSERT_TRUE(result.has_value());
  ASSERT_EQ(result->profiles.size(), 2u);
  for (const Profile& profile : result->profiles) {
    EXPECT_EQ(profile.policy.hairpin, Hairpin::world);
    EXPECT_EQ(profile.policy.programming_delay.p50, Duration::from_s(1));
  }
}

TEST(Overrides, ADelayWhosePercentilesContradictEachOtherIsReported) {
  SourceMap sources;
  for (const char* text :
       {"{programmingDelay: {p50: 2s, p99: 1s}}", "{programmingDelay: {shape: uniform, p50: 1s, p99: 3s}}"}) {
    const auto document = config::parse_text(sources, "x.yaml", text);
    const auto result = load_profile("spec", {.policy = document->roots().front()}, Span());
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.diagnostics().all().front().code, "bad-value");
  }
}

TEST(Differences, NameTheFieldsAndCanBeCopiedOneByOne) {
  const Profile old = load_builtin("cilium-1.9").value();
  const Profile spec = load_builtin("spec").value();
  const std::vector<std::string> paths = policy_differences(old, spec);
  for (const char* path : {"policy.ipBlockMatchesPods", "policy.rejectsPoliciesWithSctp", "policy.hairpin",
                           "policy.endPortIsHonoured", "policy.judgesEveryPacket"}) {
    EXPECT_NE(std::find(paths.begin(), paths.end(), path), paths.end()) << path;
  }
  EXPECT_EQ(std::find(paths.begin(), paths.end(), "policy.sctpIsEnforced"), paths.end());
  Profile mixed = spec;
  for (const std::string& path : paths) {
    copy_policy_value(mixed, old, path);
  }
  EXPECT_TRUE(policy_differences(mixed, old).empty());
  EXPECT_FALSE(mixed.policy.end_port_is_honoured);
}

TEST(BuiltinProfiles, SayWhichVersionsTheyHoldFor) {
  for (const std::string& name : builtin_profiles()) {
    const Profile profile = load_builtin(name).value();
    EXPECT_GE(profile.versions.source.size(), 10u) << name;
    EXPECT_EQ(profile.plugin.empty(), name == "spec" || name == "netpol-analyzer") << name;
    EXPECT_TRUE(profile.plugin.empty() || name.starts_with(profile.plugin)) << name;
  }
  EXPECT_EQ(load_builtin("calico").value().name, "calico-vxlan");
  EXPECT_EQ(load_builtin("cilium").value().name, "cilium-vxlan");
}

TEST(BuiltinProfiles, DeviateWhereTheirSourcesSaySo) {
  const auto policy = [](std::string_view name) { return load_builtin(name).value().policy; };
  EXPECT_EQ(policy("antrea-0.13").hairpin, Hairpin::filtered);
  EXPECT_EQ(policy("antrea").hairpin, Hairpin::egress);
  EXPECT_EQ(policy("aws-vpc-cni").hairpin, Hairpin::egress);
  EXPECT_TRUE(policy("aws-vpc-cni").selectors_open_services);
  EXPECT_TRUE(policy("azure-npm").sctp_is_enforced && policy("azure-npm").except_is_honoured);
  EXPECT_FALSE(policy("azure-npm").rejects_policies_with_sctp);
  EXPECT_TRUE(policy("azure-npm-windows").rejects_policies_with_sctp);
  EXPECT_TRUE(policy("azure-npm-windows").rejects_policies_with_named_ports);
  EXPECT_TRUE(policy("azure-npm-windows").rejects_policies_with_except);
  EXPECT_TRUE(policy("azure-npm-windows").rejects_policies_with_negation);
  EXPECT_FALSE(policy("azure-npm-windows").rejects_policies_with_selectors);
  EXPECT_TRUE(policy("azure-npm-lite").rejects_policies_with_selectors);
  EXPECT_FALSE(policy("azure-npm-lite").except_is_honoured || policy("azure-npm-lite").rejects_policies_with_except);
  EXPECT_FALSE(policy("calico-3.18").named_sctp_ports_resolve);
  EXPECT_TRUE(policy("calico-vxlan").named_sctp_ports_resolve);
  EXPECT_EQ(policy("cilium-1.9").hairpin, Hairpin::world);
  EXPECT_TRUE(policy("cilium-1.9").rejects_policies_with_sctp && policy("cilium-1.9").rejects_policies_with_any_port);
  EXPECT_FALSE(policy("cilium-1.14").end_port_is_honoured || policy("cilium-1.9").end_port_is_honoured);
  EXPECT_TRUE(policy("cilium").end_port_is_honoured && policy("cilium").judges_every_packet);
  EXPECT_EQ(policy("cilium").policy_map_entries, 16'384u);
  EXPECT_FALSE(policy("cilium").ip_block_matches_nodes);
  EXPECT_TRUE(policy("ovn-kubernetes").judges_every_packet);
  EXPECT_EQ(policy("ovn-kubernetes").programming_delay.p99_with_except, Duration::from_s(60));
  EXPECT_EQ(policy("aws-vpc-cni").enforcement_point, EnforcementPoint::before_dnat);
  EXPECT_EQ(policy("aws-vpc-cni").named_ports_resolve_on, NamedPortsOn::destination);
  EXPECT_EQ(policy("aws-vpc-cni").ip_block_with_named_port, NamedPortInBlock::matches);
  EXPECT_EQ(policy("aws-vpc-cni").pod_start, PodStart::open);
  EXPECT_EQ(policy("kube-router").deny_action, DenyAction::reject);
  EXPECT_TRUE(policy("kube-router").sctp_is_enforced);
  EXPECT_FALSE(policy("kube-router").finished_pods_are_ignored);
  EXPECT_EQ(policy("kube-router").pod_start, PodStart::open);
  EXPECT_EQ(policy("kindnet").pod_start, PodStart::open);
  EXPECT_EQ(policy("kindnet").established, EstablishedFlows::survive);
  EXPECT_EQ(policy("weave").established, EstablishedFlows::survive);
  EXPECT_FALSE(policy("weave").end_port_is_honoured);
  EXPECT_EQ(policy("ovn-kubernetes").hairpin, Hairpin::allowed);
  EXPECT_EQ(policy("calico-ebpf").hairpin, Hairpin::allowed);
  EXPECT_EQ(policy("calico-vxlan").hairpin, Hairpin::filtered);
  EXPECT_EQ(policy("calico-vxlan").admin_tiers, AdminTiers::v1alpha2);
  EXPECT_EQ(policy("ovn-kubernetes").admin_tiers, AdminTiers::v1alpha1);
  for (const char* name : {"cilium", "antrea", "aws-vpc-cni", "kube-router", "kindnet", "weave", "calico-3.18",
                           "azure-npm", "azure-npm-windows", "azure-npm-lite"}) {
    EXPECT_EQ(policy(name).admin_tiers, AdminTiers::ignored) << name;
  }
}

}  // namespace
}  // namespace podwire::cni
