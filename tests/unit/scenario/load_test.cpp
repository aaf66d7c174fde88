#include "app/scenario/load.hpp"

#include <gtest/gtest.h>

#include "app/scenario/judge.hpp"
#include "sim/config/render.hpp"
#include "tests/unit/scenario/scratch_folder.hpp"

namespace podwire::scenario {
namespace {

// Two workloads in two namespaces, and a policy that isolates the second.
constexpr const char* kManifests = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: front}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: web, ports: [{containerPort: 8080}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: back}
spec:
  replicas: 3
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: c, image: api, ports: [{containerPort: 9090}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: back}
spec: {selector: {app: api}, ports: [{port: 80, targetPort: 9090}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: back}
spec: {podSelector: {}, policyTypes: [Ingress]}
)";

constexpr const char* kStampable = R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
)";

struct LoadTest : testing::Test {
  test::ScratchFolder folder;
  SourceMap sources;
  LoadOptions options;

  std::string spec(const std::string& text) {
    folder.write("manifests/all.yaml", kManifests);
    return folder.write("scenario.yaml", "apiVersion: podwire/v1\nkind: Scenario\nmetadata: {name: t}\nspec:\n" + text);
  }
  Result<Scenario> load_folder() { return load(sources, {folder.path()}, options); }
  std::string messages(const Diagnostics& diagnostics) {
    return config::render(diagnostics, sources, {.short_form = true});
  }
  // The codes of all errors, joined by spaces.
  std::string codes(const Result<Scenario>& result) {
    std::string all;
    for (const Diagnostic& diagnostic : result.diagnostics().all()) {
      if (diagnostic.severity == Severity::error) {
        all += (all.empty() ? "" : " ") + diagnostic.code;
      }
    }
    return all;
  }
  static std::vector<std::string> names(const policy::PolicySet& set) {
    std::vector<std::string> all;
    for (const policy::NetworkPolicy& policy : set.network_policies) {
      all.push_back(policy.full_name());
    }
    return all;
  }
};

TEST_F(LoadTest, AFolderWithAScenarioIsLoadedWithItsCluster) {
  spec("  cluster: {from: manifests/, cni: spec}\n");
  const auto scenario = load_folder();
  ASSERT_TRUE(scenario) << messages(scenario.diagnostics());
  ASSERT_EQ(scenario->policy_sets.size(), 1u);
  EXPECT_EQ(scenario->policy_sets[0].name, "current");
  EXPECT_EQ(names(scenario->policy_sets[0].policies), std::vector<std::string>{"back/closed"});
  EXPECT_EQ(scenario->name(), "t");
  EXPECT_TRUE(scenario->policy_sets[0].cluster().dns_service.is_valid());  // added, since the manifests bring none
}

TEST_F(LoadTest, PlainManifestsAreOnePolicySetAndNothingIsAdded) {
  folder.write("all.yaml", kManifests);
  const auto scenario = load_folder();
  ASSERT_TRUE(scenario) << messages(scenario.diagnostics());
  EXPECT_TRUE(scenario->is_manifests);
  EXPECT_EQ(scenario->policy_sets[0].cluster().workloads.size(), 2u);
  EXPECT_EQ(scenario->policy_sets[0].profile().name, "spec");
}

TEST_F(LoadTest, StandardInputIsALayer) {
  options.standard_input = kManifests;
  const auto scenario = load(sources, {"-"}, options);
  ASSERT_TRUE(scenario) << messages(scenario.diagnostics());
  EXPECT_EQ(scenario->policy_sets[0].cluster().workloads.size(), 2u);
}

TEST_F(LoadTest, PolicySetsAreBaseMinusDeletedPlusApplied) {
  folder.write("policies/deny.yaml", kStampable);
  spec(R"(  cluster: {from: manifests/, cni: spec}
  policySets:
    current: {base: cluster}
    open: {base: none}
    swapped: {base: cluster, delete: [back/networkpolicy/closed], apply: [policies/], namespaces: [front, back]}
)");
  const auto scenario = load_folder();
  ASSERT_TRUE(scenario) << messages(scenario.diagnostics());
  ASSERT_EQ(scenario->policy_sets.size(), 3u);
  EXPECT_EQ(names(scenario->policy_sets[0].policies), std::vector<std::string>{"back/closed"});
  EXPECT_TRUE(names(scenario->policy_sets[1].policies).empty());
  EXPECT_EQ(names(scenario->policy_sets[2].policies), (std::vector<std::string>{"back/deny", "front/deny"}));
}

TEST_F(LoadTest, ANamedPolicySetAloneIsLoadedWhenAsked) {
  spec("  cluster: {from: manifests/, cni: spec}\n  policySets: {a: {base: none}, b: {base: cluster}}\n");
  options.policy_sets = {"b"};
  const auto scenario = load_folder();
  ASSERT_TRUE(scenario);
  ASSERT_EQ(scenario->policy_sets.size(), 1u);
  EXPECT_EQ(scenario->policy_sets[0].name, "b");
}

TEST_F(LoadTest, DeletingWhatIsNotThereIsAnErrorWithTheNearestName) {
  spec(
      "  cluster: {from: manifests/, cni: spec}\n"
      "  policySets: {a: {base: cluster, delete: [back/networkpolicy/close]}}\n");
  const auto result = load_folder();
  EXPECT_EQ(codes(result), "unknown-object");
  EXPECT_NE(messages(result.diagnostics()).find("back/networkpolicy/closed"), std::string::npos);
}

TEST_F(LoadTest, StampingIntoAnUnknownNamespaceIsAnError) {
  folder.write("deny.yaml", kStampable);
  spec(
      "  cluster: {from: manifests/, cni: spec}\n"
      "  policySets: {a: {base: none, apply: [deny.yaml], namespaces: [bakc]}}\n");
  EXPECT_EQ(codes(load_folder()), "unknown-namespace");
}

TEST_F(LoadTest, WorkloadsAndConnectionsAreResolved) {
  spec(R"(  cluster: {from: manifests/, cni: spec}
  workloads:
    - {name: url, from: front/deployment/web, to: "http://api.back:81/x?y", rate: 1/s}
    - {name: service, from: front/deploy/web, to: back/service/api, rate: 1/s}
    - {name: pods, from: 203.0.113.9, to: back/deployment/api, port: 9090, rate: 1/s}
    - {name: address, from: front/web, to: "10.1.2.3:99", rate: 1/s}
    - {name: lookup, kind: dns, from: front/web, to: api.back, rate: 1/s}
)");
  const auto scenario = load_folder();
  ASSERT_TRUE(scenario) << messages(scenario.diagnostics());
  const auto& workloads = scenario->policy_sets[0].workloads;
  using Kind = workload::Target::Kind;
  EXPECT_EQ(workloads[0].to.kind, Kind::host);
  EXPECT_EQ(workloads[0].to.host, "api.back");
  EXPECT_EQ(workloads[0].to.port, Port(81));
  EXPECT_EQ(workloads[0].from.pods.size(), 2u);
  EXPECT_EQ(workloads[0].from.name, "front/web[Deployment]");
  EXPECT_EQ(workloads[1].to.kind, Kind::service);
  EXPECT_EQ(workloads[1].to.port, Port(80));  // the Service's only one
  EXPECT_EQ(workloads[2].to.kind, Kind::pods);
  EXPECT_EQ(workloads[2].to.pods.size(), 3u);
  EXPECT_TRUE(workloads[2].from.is_external());
  EXPECT_EQ(workloads[3].to.kind, Kind::address);
  EXPECT_EQ(workloads[3].to.port, Port(99));
  EXPECT_EQ(workloads[4].to.host, "api.back");
  EXPECT_FALSE(workloads[4].to.port.is_valid());
}

TEST_F(LoadTest, DestinationsThatCannotBeAreRefused) {
  spec(R"(  cluster: {from: manifests/, cni: spec}
  workloads:
    - {name: a, from: front/deployment/web, to: "https://api.back/", rate: 1/s}
    - {name: b, from: front/deployment/web, to: "http://user:secret@api.back/", rate: 1/s}
    - {name: c, from: front/deployment/web, to: back/deployment/nothing, rate: 1/s}
    - {name: d, from: 203.0.113.9, to: "http://api.back/", rate: 1/s}
    - {name: e, from: back/service/api, to: back/service/api, rate: 1/s}
    - {name: f, kind: udp, from: front/web, to: api.back, rate: 1/s}
)");
  const auto result = load_folder();
  EXPECT_EQ(codes(result), "not-supported-yet bad-target unknown-object bad-target bad-source missing-port");
  EXPECT_EQ(messages(result.diagnostics()).find("user:secret is"), std::string::npos);
}

TEST_F(LoadTest, ExpectationsApplyToTheirPolicySets) {
  spec(R"(  cluster: {from: manifests/, cni: spec}
  policySets: {current: {base: cluster}, open: {base: none}}
  workloads: [{name: w, from: front/deployment/web, to: back/service/api, rate: 1/s}]
  expect:
    - {from: front/deployment/web, to: back/service/api, port: 80/TCP, verdict: allowed}
    - {policySet: open, workload: w, success: ">= 50%"}
)");
  const auto scenario = load_folder();
  ASSERT_TRUE(scenario) << messages(scenario.diagnostics());
  ASSERT_EQ(scenario->policy_sets[0].expectations.size(), 1u);
  ASSERT_EQ(scenario->policy_sets[1].expectations.size(), 2u);
  const ConnectionSpec& connection = *scenario->policy_sets[0].expectations[0].connection;
  ASSERT_EQ(connection.destinations.size(), 3u);
  EXPECT_EQ(connection.destinations[0].port, Port(9090));  // behind the Service's port 80
}

TEST_F(LoadTest, AServiceIsJudgedAtItsPods) {
  spec(R"(  cluster: {from: manifests/, cni: spec}
  policySets: {current: {base: cluster}, open: {base: none}}
  expect: [{from: front/deployment/web, to: back/service/api, port: 80/TCP, verdict: denied}]
)");
  const auto scenario = load_folder();
  ASSERT_TRUE(scenario) << messages(scenario.diagnostics());
  for (const auto& [index, verdict] : {std::pair(0u, Verdict::denied), std::pair(1u, Verdict::allowed)}) {
    const PolicySetPlan& plan = scenario->policy_sets[index];
    policy::PolicyEngine engine(plan.cluster(), plan.policies, plan.profile());
    const Judgement judgement = judge(engine, *plan.expectations[0].connection);
    EXPECT_EQ(judgement.verdict, verdict);
    EXPECT_FALSE(judgement.is_mixed);
  }
}

TEST_F(LoadTest, NamesThatNobodyDefinesAreErrors) {
  spec(R"(  cluster: {from: manifests/, cni: spec}
  workloads: [{name: browse, from: front/deployment/web, to: back/service/api, rate: 1/s}]
  expect:
    - {policySet: opne, workload: browse, success: ">= 50%"}
    - {workload: brwose, success: ">= 50%"}
)");
  EXPECT_EQ(codes(load_folder()), "unknown-policy-set unknown-workload");
}

TEST_F(LoadTest, FilesOutsideTheScenariosFolderNeedAPermit) {
  test::ScratchFolder& outer = folder;
  outer.write("shared/all.yaml", kManifests);
  outer.write("scenario/scenario.yaml",
              "apiVersion: podwire/v1\nkind: Scenario\nspec: {cluster: {from: ../shared, cni: spec}}");
  EXPECT_EQ(codes(load(sources, {outer.path("scenario")}, options)), "outside-root");
  options.allowed_paths = {outer.path("shared")};
  const auto allowed = load(sources, {outer.path("scenario")}, options);
  EXPECT_TRUE(allowed) << messages(allowed.diagnostics());
}

TEST_F(LoadTest, TheCommandLineOverridesTheFile) {
  spec("  cluster: {from: manifests/, cni: calico-vxlan}\n  run: {seeds: 1..3}\n");
  options.cni = "flannel";
  options.seeds = std::vector<std::uint64_t>{9};
  options.settings = {"cluster.nodes.count=7"};
  const auto scenario = load_folder();
  ASSERT_TRUE(scenario) << messages(scenario.diagnostics());
  EXPECT_EQ(scenario->policy_sets[0].profile().name, "flannel");
  EXPECT_EQ(scenario->run().seeds, std::vector<std::uint64_t>{9});
  EXPECT_EQ(scenario->policy_sets[0].cluster().nodes.size(), 7u);
}

TEST_F(LoadTest, ThePluginIsDetectedFromItsDaemonSet) {
  folder.write("manifests/cni.yaml", R"(
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: renamed, namespace: kube-system}
spec:
  selector: {matchLabels: {k8s-app: cni}}
  template:
    metadata: {labels: {k8s-app: cni}}
    spec: {hostNetwork: true, containers: [{name: agent, image: "quay.io/cilium/cilium:v1.15.1"}]}
)");
  spec("  cluster: {from: manifests/}\n");
  const auto scenario = load_folder();
  ASSERT_TRUE(scenario) << messages(scenario.diagnostics());
  EXPECT_EQ(scenario->policy_sets[0].profile().name, "cilium-vxlan");
  EXPECT_EQ(scenario->policy_sets[0].state->cni_choice, "detected from DaemonSet kube-system/renamed");
}

TEST_F(LoadTest, AMissingPathIsAnError) {
  EXPECT_EQ(codes(load(sources, {folder.path("nothing")}, options)), "no-such-file");
}

TEST_F(LoadTest, AnEmptyFolderIsAnError) {
  EXPECT_EQ(codes(load_folder()), "no-manifests");
  options.requires_scenario = true;
  EXPECT_EQ(codes(load_folder()), "not-a-scenario");
}

TEST_F(LoadTest, NodesOfADumpTellTheirKubernetesVersions) {
  folder.write("nodes/nodes.yaml", R"(
apiVersion: v1
kind: Node
metadata: {name: a}
status: {nodeInfo: {kubeletVersion: v1.10.2}}
---
apiVersion: v1
kind: Node
metadata: {name: b}
status: {nodeInfo: {kubeletVersion: v1.9.11-gke.5}}
---
apiVersion: v1
kind: Node
metadata: {name: c}
status: {nodeInfo: {kubeletVersion: "v1.10.2"}}
---
apiVersion: v1
kind: Node
metadata: {name: d}
status: {nodeInfo: {kubeletVersion: "v1 <script>"}}
)");
  spec("  cluster: {from: [manifests/, nodes/], cni: spec}\n");
  const auto scenario = load_folder();
  ASSERT_TRUE(scenario.has_value()) << messages(scenario.diagnostics());
  EXPECT_EQ(scenario.value().clusters.front()->kubelet_versions,
            (std::vector<std::string>{"v1.9.11-gke.5", "v1.10.2"}));
}

}  // namespace
}  // namespace podwire::scenario
