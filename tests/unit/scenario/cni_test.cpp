// Which profiles a scenario's network plugin is judged under: detection with versions, overrides of policy values, a
// version between two profiles, and pods that their own Service sends to themselves.
#include <gtest/gtest.h>

#include <algorithm>

#include "app/scenario/detect_cni.hpp"
#include "app/scenario/expectations.hpp"
#include "app/scenario/load.hpp"
#include "sim/config/render.hpp"
#include "tests/unit/scenario/scratch_folder.hpp"

namespace podwire::scenario {
namespace {

std::string daemon_set(const std::string& image, const std::string& env = "") {
  return "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: agent, namespace: kube-system}\nspec:\n"
         "  selector: {matchLabels: {k: v}}\n  template:\n    metadata: {labels: {k: v}}\n    spec:\n"
         "      hostNetwork: true\n      containers: [{name: agent, image: \"" +
         image + "\", env: [" + env + "]}]\n";
}

DetectedCni detect(const std::string& manifests) {
  SourceMap sources;
  Diagnostics diagnostics;
  cluster::ObjectStore store;
  store.add_layer(sources, {.path = "-", .shown_as = "m.yaml", .text = manifests, .span = {}}, {}, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << config::render(diagnostics, sources);
  return detect_cni(store);
}

TEST(DetectCni, TheImagesTagIsTheVersion) {
  const DetectedCni calico = detect(daemon_set("docker.io/calico/node:v3.22.1"));
  EXPECT_EQ(calico.profile, "calico-vxlan");
  EXPECT_EQ(calico.version, "3.22.1");
  EXPECT_EQ(detect(daemon_set("registry:5000/cilium/cilium:v1.12.0-rc1@sha256:abc")).version, "1.12.0");
  EXPECT_EQ(detect(daemon_set("registry:5000/cilium/cilium")).version, "");
  EXPECT_EQ(detect(daemon_set("quay.io/cilium/cilium:latest")).version, "");
}

TEST(DetectCni, EachPluginHasItsProfile) {
  const std::pair<const char*, const char*> cases[] = {
      {"antrea/antrea-agent-ubuntu:v1.15.0", "antrea"},
      {"example.org/some/other-agent:v1.15.0", "spec"},
      {"projects.registry.vmware.com/antrea/antrea:v1.15.0", "antrea"},
      {"602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.18.1-eksbuild.3", "aws-vpc-cni"},
      {"docker.io/kindest/kindnetd:v20240813-c6f155d6", "kindnet"},
      {"docker.io/cloudnativelabs/kube-router:v2.1.0", "kube-router"},
      {"ghcr.io/ovn-org/ovn-kubernetes/ovn-kube:1.0.0", "ovn-kubernetes"},
      {"weaveworks/weave-kube:2.8.1", "weave"},
      {"flannel/flannel:v0.25.1", "flannel"},
      {"ghcr.io/flannel-io/flannel:v0.27.0", "flannel"},
      {"rancher/hardened-calico:v3.30.2-build20250711", "calico-vxlan"},
      {"rancher/mirrored-calico-node:v3.30.1", "calico-vxlan"},
      {"rancher/mirrored-cilium-cilium:v1.17.4", "cilium-vxlan"},
      {"quay.io/cilium/cilium-envoy:v1.34.1", "spec"},
      {"registry.k8s.io/networking/kindnet:v1.0.2", "kindnet"},
      {"registry.k8s.io/networking/kube-network-policies:v1.0.0", "kube-network-policies"},
      {"ghcr.io/weaveworks/launcher/weave-kube:2.8.1", "weave"},
      {"mcr.microsoft.com/containernetworking/azure-npm:v1.5.45", "azure-npm"},
  };
  for (const auto& [image, profile] : cases) {
    EXPECT_EQ(detect(daemon_set(image)).profile, profile) << image;
  }
}

TEST(DetectCni, CalicosDataPlaneIsWhatItsVariablesSay) {
  const auto profile = [](const std::string& env) { return detect(daemon_set("calico/node:v3.27.0", env)).profile; };
  const std::string ipip = "{name: CALICO_IPV4POOL_IPIP, value: ";
  const std::string vxlan = "{name: CALICO_IPV4POOL_VXLAN, value: ";
  EXPECT_EQ(profile(""), "calico-vxlan");
  EXPECT_EQ(profile(ipip + "Always}, " + vxlan + "Never}"), "calico-ipip");
  EXPECT_EQ(profile(ipip + "Never}, " + vxlan + "CrossSubnet}"), "calico-vxlan");
  EXPECT_EQ(profile(ipip + "Never}, " + vxlan + "Never}"), "calico-bgp");
  EXPECT_EQ(profile("{name: FELIX_BPFENABLED, value: \"true\"}"), "calico-ebpf");
}

// A server with a named SCTP port, open to everyone there; two replicas, and a Service in front.
constexpr const char* kManifests = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: back}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: c, image: api, ports: [{name: assoc, containerPort: 9090, protocol: SCTP}, {containerPort: 8080}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: back}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: web}]}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: back}
spec: {selector: {app: api}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: in, namespace: back}
spec:
  podSelector: {matchLabels: {app: api}}
  ingress: [{ports: [{port: assoc, protocol: SCTP}]}]
)";

struct CniScenario : testing::Test {
  test::ScratchFolder folder;
  SourceMap sources;

  Result<Scenario> scenario(const std::string& cni, const std::string& expect) {
    folder.write("manifests/all.yaml", kManifests);
    folder.write(
        "scenario.yaml",
        "apiVersion: podwire/v1\nkind: Scenario\nmetadata: {name: t}\nspec:\n  cluster: {from: manifests/, cni: " +
            cni + "}\n  expect: [{" + expect + "}]\n");
    return load(sources, {folder.path("")}, {});
  }
};

constexpr const char* kSctp = "from: back/deployment/web, to: back/deployment/api, port: 9090/SCTP, verdict: allowed";

TEST_F(CniScenario, AVersionBetweenTwoProfilesIsJudgedUnderBothAndUnknownWhereTheyDiffer) {
  const auto loaded = scenario("calico@3.20", kSctp);
  ASSERT_TRUE(loaded) << config::render(loaded.diagnostics(), sources);
  const PolicySetPlan& plan = loaded->policy_sets[0];
  EXPECT_EQ(plan.profile().name, "calico-3.18");  // 2 releases away, 3.29 is 9
  ASSERT_EQ(plan.state->others.size(), 1u);
  EXPECT_EQ(plan.state->others[0].name, "calico-vxlan");
  Judges judges(plan);
  const ExpectationResult result = check_verdict(judges, plan.expectations[0]);
  EXPECT_EQ(result.status, ExpectationResult::Status::inconclusive);
  EXPECT_EQ(result.measured, "unknown");
  EXPECT_EQ(result.because, "profile calico-3.18 says denied, calico-vxlan says allowed: policy.namedSctpPortsResolve");
  const auto& assumptions = plan.cluster().assumptions;
  EXPECT_TRUE(std::any_of(assumptions.begin(), assumptions.end(), [](const cluster::Assumption& a) {
    return a.text.find("judged under both, and played as calico-3.18") != std::string::npos;
  }));
}

TEST_F(CniScenario, WhereTheTwoProfilesAgreeTheVerdictIsKnown) {
  const auto loaded =
      scenario("calico@3.20", "from: back/deployment/web, to: back/service/api, port: 80, verdict: denied");
  ASSERT_TRUE(loaded) << config::render(loaded.diagnostics(), sources);
  Judges judges(loaded->policy_sets[0]);
  EXPECT_EQ(check_verdict(judges, loaded->policy_sets[0].expectations[0]).status, ExpectationResult::Status::passed);
}

TEST_F(CniScenario, AScenarioMayChangeAPolicyValueOfTheProfile) {
  const auto loaded = scenario("{profile: calico-3.18, policy: {namedSctpPortsResolve: true}}", kSctp);
  ASSERT_TRUE(loaded) << config::render(loaded.diagnostics(), sources);
  Judges judges(loaded->policy_sets[0]);
  EXPECT_EQ(check_verdict(judges, loaded->policy_sets[0].expectations[0]).status, ExpectationResult::Status::passed);
  const auto wrong = scenario("{profile: calico-3.18, policy: {namedSctpPortResolves: true}}", kSctp);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.diagnostics().all().front().code, "unknown-key");
}

TEST_F(CniScenario, APodMayFareOtherwiseWithItselfBehindItsOwnService) {
  // The policy lets nobody in on 8080: neither the other replica nor, where hairpin is filtered, the pod itself.
  const std::string expect = "from: back/deployment/api, to: back/service/api, port: 80, verdict: denied";
  const auto filtered = scenario("antrea-0.13", expect);
  ASSERT_TRUE(filtered) << config::render(filtered.diagnostics(), sources);
  Judges judges(filtered->policy_sets[0]);
  EXPECT_EQ(check_verdict(judges, filtered->policy_sets[0].expectations[0]).measured, "denied");
  const auto allowed = scenario("antrea", expect);
  ASSERT_TRUE(allowed) << config::render(allowed.diagnostics(), sources);
  Judges others(allowed->policy_sets[0]);
  EXPECT_EQ(check_verdict(others, allowed->policy_sets[0].expectations[0]).measured,
            "mixed: of 2 pairs of pods 1 allowed, 1 denied, 0 unknown");
}

}  // namespace
}  // namespace podwire::scenario
