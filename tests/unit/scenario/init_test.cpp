// What init tells of a dump, what it keeps of it, and that what it writes is a scenario that allows the same.
#include "app/scenario/init.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "models/analysis/reach.hpp"
#include "models/policy/engine.hpp"
#include "sim/config/render.hpp"
#include "tests/unit/scenario/scratch_folder.hpp"

namespace podwire::scenario {
namespace {

TEST(PeerOfValue, IsWhatNamesAPeerWithoutCredentials) {
  const std::pair<const char*, const char*> cases[] = {
      {"http://api.shop.svc:8080/v1/items?key=1", "http://api.shop.svc:8080"},
      {"http://api", "http://api"},
      {"postgres://admin:hunter2@db.shop:5432/orders", "postgres://db.shop:5432"},
      {"jdbc:postgresql://db:5432/x?user=u&password=p", "jdbc:postgresql://db:5432"},
      {"amqp://guest:a@b@queue:5672", "amqp://queue:5672"},  // the last @ ends the credentials
      {"http://[fd00::7]:80/", "http://[fd00::7]:80"},
      {"--backend=http://u:p@api:80", "--backend=http://api:80"},
      {"api:9090", "api:9090"},
      {"redis-0.redis.shop.svc:6379,redis-1.redis.shop.svc:6379",
       "redis-0.redis.shop.svc:6379,redis-1.redis.shop.svc:6379"},
      {"DB_HOST=db.shop:5432", "DB_HOST=db.shop:5432"},
      {"10.0.0.7:443", "10.0.0.7:443"},
      {"hunter2", ""},
      {"12:30", ""},         // a time
      {"user:hunter2", ""},  // no port
      {"api:99999", ""},     // no port either
      {"token=abc", ""},
      {"", ""},
      {"secret words://x y", ""},  // no scheme
      {"http://", ""},
      {"http://<script>", ""},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(peer_of_value(text), expected) << text;
  }
}

struct InitTest : testing::Test {
  test::ScratchFolder folder;
  SourceMap sources;

  static LoadOptions options() {
    LoadOptions options;
    options.adds_dns = true;
    options.keeps_objects = true;
    return options;
  }

  InitPlan plan(const std::string& manifests) {
    const std::string file = folder.write("dump/all.yaml", manifests);
    auto loaded = load(sources, {file}, options());
    EXPECT_TRUE(loaded) << config::render(loaded.diagnostics(), sources);
    return loaded ? plan_init(sources, *loaded, "mine") : InitPlan();
  }

  static const InitFact& fact(const InitPlan& plan, std::string_view topic) {
    static const InitFact kNone;
    const auto at =
        std::find_if(plan.facts.begin(), plan.facts.end(), [&](const InitFact& f) { return f.topic == topic; });
    EXPECT_NE(at, plan.facts.end()) << topic;
    return at == plan.facts.end() ? kNone : *at;
  }
};

std::string config_map(const std::string& name, const std::string& entry, const std::string& text) {
  return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: kube-system}\ndata: {\"" +
         entry + "\": \"" + text + "\"}\n";
}

const char* const kPod =
    "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop, labels: {app: web}}\n"
    "spec: {containers: [{name: c, image: i}]}\n";

TEST_F(InitTest, WithoutEvidenceEverythingIsAssumedAndSaysWhy) {
  const InitPlan it = plan(kPod);
  for (const char* topic : {"Kubernetes version", "network plugin", "service proxy", "pod addresses",
                            "Service addresses", "cluster domain"}) {
    EXPECT_TRUE(fact(it, topic).is_assumed) << topic;
    EXPECT_EQ(fact(it, topic).basis.substr(0, 9), "assumed: ") << topic;
  }
  EXPECT_EQ(fact(it, "network plugin").value, "spec");
  EXPECT_EQ(fact(it, "Service addresses").value, "10.96.0.0/12");
  EXPECT_EQ(fact(it, "DNS").value, "");
}

TEST_F(InitTest, KubeadmsConfigurationNamesRangesAndDomain) {
  const InitPlan it = plan(
      kPod +
      config_map(
          "kubeadm-config", "ClusterConfiguration",
          R"(networking:\n  dnsDomain: prod.local\n  podSubnet: 10.1.0.0/16,fd00::/56\n  serviceSubnet: 10.2.0.0/16\n)"));
  EXPECT_EQ(fact(it, "cluster domain").value, "prod.local");
  EXPECT_EQ(fact(it, "pod addresses").value, "10.1.0.0/16");
  EXPECT_EQ(fact(it, "Service addresses").value, "10.2.0.0/16");
  EXPECT_EQ(fact(it, "pod addresses").basis, "detected from ConfigMap kube-system/kubeadm-config");
}

TEST_F(InitTest, FlagsOfStaticPodsNameRanges) {
  const InitPlan it = plan(
      "apiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver-a, namespace: kube-system}\n"
      "spec: {containers: [{name: c, image: i, command: [kube-apiserver, --service-cluster-ip-range=10.3.0.0/16]}]}\n"
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: kube-controller-manager-a, namespace: kube-system}\n"
      "spec: {containers: [{name: c, image: i, args: [--cluster-cidr, 10.4.0.0/16]}]}\n");
  EXPECT_EQ(fact(it, "Service addresses").value, "10.3.0.0/16");
  EXPECT_EQ(fact(it, "Service addresses").basis,
            "detected from Pod kube-system/kube-apiserver-a, --service-cluster-ip-range");
  EXPECT_EQ(fact(it, "pod addresses").value, "10.4.0.0/16");
}

TEST_F(InitTest, AServiceRangeIsAssumedAroundTheClusterIPs) {
  const auto service = [](const std::string& name, const std::string& ip) {
    return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name +
           ", namespace: shop}\nspec: {clusterIP: " + ip + ", ports: [{port: 80}], selector: {app: web}}\n";
  };
  const InitPlan it = plan(kPod + service("a", "172.20.0.10") + service("b", "172.20.3.9"));
  // .0.10 and .3.9 differ first in bit 2 of the third byte: a /22.
  EXPECT_EQ(fact(it, "Service addresses").value, "172.20.0.0/22");
  EXPECT_TRUE(fact(it, "Service addresses").is_assumed);
}

TEST_F(InitTest, AProxyThatIsNotPlayedIsSaid) {
  const InitPlan it = plan(kPod + config_map("kube-proxy", "config.conf", R"(mode: ipvs\n)"));
  EXPECT_EQ(fact(it, "service proxy").value, "iptables");
  EXPECT_TRUE(fact(it, "service proxy").is_assumed);
  EXPECT_NE(fact(it, "service proxy").basis.find("ipvs, detected from ConfigMap kube-system/kube-proxy"),
            std::string::npos);
  const InitPlan usual = plan(kPod + config_map("kube-proxy", "config.conf", R"(mode: \"\"\n)"));
  EXPECT_EQ(fact(usual, "service proxy").basis,
            "detected from ConfigMap kube-system/kube-proxy, mode; an empty mode is iptables on Linux");
}

TEST_F(InitTest, TextsOfADumpCannotAddLinesToTheScenario) {
  const InitPlan it = plan(
      kPod + config_map("kubeadm-config", "ClusterConfiguration", R"(networking: {dnsDomain: \"x\\n  evil: true\"})"));
  EXPECT_EQ(fact(it, "cluster domain").value, "cluster.local");
  EXPECT_EQ(it.scenario_text.find("evil"), std::string::npos);
}

TEST_F(InitTest, OnlyWhatPodwireReadsIsKept) {
  const InitPlan it = plan(R"(
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  uid: 7d3f
  labels: {app: web, volumes: "yes", status: fine, env: prod}
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}", podwire/ignore: one-sided-allow}
  managedFields: [{manager: kubectl}]
spec:
  volumes: [{name: token}]
  hostNetwork: no
  containers:
    - name: c
      image: i
      ports: [{containerPort: 0x50}]
      args: [--password=hunter2, "--db=postgres://u:hunter2@db:5432/x"]
      env: [{name: TOKEN, value: hunter2}, {name: API, value: "http://api:80/x"}, {name: FROM, valueFrom: {secretKeyRef: {name: s, key: hunter2}}}]
status: {phase: Running, podIP: 10.244.0.9, message: hunter2}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: shop}
data: {a: aHVudGVyMg==}
)");
  EXPECT_EQ(it.dump.objects, 1u);
  EXPECT_EQ(it.dump.left_out, (std::vector<std::pair<std::string, std::size_t>>{{"Secret", 1}}));
  EXPECT_EQ(it.dump.text.find("hunter2"), std::string::npos);
  EXPECT_EQ(it.dump.text,
            R"({"apiVersion":"v1","kind":"List","items":[)"
            "\n"
            R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop",)"
            R"("labels":{"app":"web","volumes":"yes","status":"fine","env":"prod"},)"
            R"("annotations":{"podwire/ignore":"one-sided-allow"}},)"
            R"("spec":{"hostNetwork":false,"containers":[{"name":"c","image":"i","ports":[{"containerPort":80}],)"
            R"("args":["--db=postgres://db:5432"],"env":[{"name":"API","value":"http://api:80"}]}]},)"
            R"("status":{"phase":"Running","podIP":"10.244.0.9"}})"
            "\n]}\n");
}

// The engine's answers for every class, as text.
std::string reach_of(const Scenario& scenario) {
  const PolicySetPlan& plan = scenario.policy_sets.front();
  policy::PolicyEngine engine(plan.cluster(), plan.policies, plan.profile());
  std::string text;
  analysis::reach(engine, {.includes_external = true, .is_pod_level = true}, [&](const analysis::ReachRow& row) {
    text +=
        std::string(row.source.name) + " => " + std::string(row.destination.name) + " " + row.ports->to_string() + "\n";
  });
  return text;
}

TEST_F(InitTest, TheScenarioAllowsWhatTheDumpAllows) {
  const std::string manifests = std::string(test::kTwoPods) + R"(---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system}
spec:
  selector: {matchLabels: {k: c}}
  template: {metadata: {labels: {k: c}}, spec: {hostNetwork: true, containers: [{name: n, image: "calico/node:v3.30.2"}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: y}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: i, ports: [{name: sql, containerPort: 5432}]}]}}
  volumeClaimTemplates: [{metadata: {name: data}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: y}
spec:
  podSelector: {matchLabels: {statefulset.kubernetes.io/pod-name: db-1}}
  ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: x}}, podSelector: {matchLabels: {app: a}}}], ports: [{port: sql}]}]
)";
  const InitPlan it = plan(manifests);
  folder.write("mine/scenario.yaml", it.scenario_text);
  folder.write(std::string("mine/") + kInitDumpName, it.dump.text);
  const auto before = load(sources, {folder.path("dump/all.yaml")}, options());
  const auto after = load(sources, {folder.path("mine")}, options());
  ASSERT_TRUE(before);
  ASSERT_TRUE(after) << config::render(after.diagnostics(), sources);
  EXPECT_EQ(after->policy_sets.front().profile().name, before->policy_sets.front().profile().name);
  EXPECT_EQ(reach_of(*after), reach_of(*before));
  EXPECT_NE(reach_of(*after).find("x/a => y/db-1 TCP 5432"), std::string::npos) << reach_of(*after);
}

}  // namespace
}  // namespace podwire::scenario
