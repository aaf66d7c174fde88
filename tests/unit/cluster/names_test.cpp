// What names that people type stand for; namespaces; objects that are not modelled.
#include "tests/unit/cluster/fixture.hpp"

namespace podwire::cluster {
namespace {

using testing::cluster_of;
using testing::deployment;
using Names = std::vector<std::string>;
using Kind = NamedTarget::Kind;

std::string a_service(const std::string& name) {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name +
         ", namespace: shop}\nspec: {clusterIP: 10.96.0.99, selector: {app: web}, ports: [{port: 80}]}\n";
}

class ResolveTest : public ::testing::Test {
 protected:
  std::optional<NamedTarget> resolve(std::string_view text, bool prefers_workloads = false) {
    diagnostics_ = {};
    return resolve_name(cluster_, text, prefers_workloads, {}, diagnostics_);
  }
  std::string failure(std::string_view text, bool prefers_workloads = false) {
    EXPECT_FALSE(resolve(text, prefers_workloads)) << text;
    EXPECT_EQ(diagnostics_.all().size(), 1u);
    const Diagnostic& d = diagnostics_.all().front();
    return d.code + ": " + d.message + "; " + d.help;
  }

  Cluster cluster_ = cluster_of({deployment("web", 2) + deployment("api", 1) + a_service("web") +
                                 "---\napiVersion: v1\nkind: Pod\nmetadata: {name: tool, namespace: shop}\nspec: "
                                 "{containers: []}\n"});
  Diagnostics diagnostics_;
};

TEST_F(ResolveTest, KindMayBeWrittenInAnyOfKubectlsWays) {
  const WorkloadId web = cluster_.find_workload(cluster_.find_namespace("shop"), WorkloadKind::deployment, "web");
  for (const char* text : {"shop/deploy/web", "shop/deployment/web", "shop/deployments/web", "shop/Deployment/web",
                           "shop/web[Deployment]"}) {
    const auto target = resolve(text);
    ASSERT_TRUE(target) << text;
    EXPECT_EQ(target->workload, web) << text;
  }
  EXPECT_EQ(resolve("shop/svc/web")->kind, Kind::service);
  EXPECT_EQ(resolve("shop/po/tool")->kind, Kind::workload);  // a bare pod is its own workload
}

TEST_F(ResolveTest, NameAloneDoesWhereItIsUnambiguous) {
  EXPECT_EQ(resolve("shop/api")->kind, Kind::workload);
  EXPECT_EQ(resolve("shop/tool")->kind, Kind::workload);
  EXPECT_EQ(resolve("shop/web", true)->kind, Kind::workload);
  EXPECT_EQ(failure("shop/web"),
            "ambiguous-name: \"shop/web\" names 2 objects; write one of shop/deployment/web, shop/service/web");
}

TEST_F(ResolveTest, PodsOfWorkloadsHaveNamesToo) {
  const auto target = resolve("shop/" + cluster_.pod_name(PodId(1u)));
  ASSERT_TRUE(target);
  EXPECT_EQ(target->kind, Kind::pod);
  EXPECT_EQ(target->pod, PodId(1u));
}

TEST_F(ResolveTest, AddressesArePodsServicesOrStrangers) {
  EXPECT_EQ(resolve(cluster_.pods[0].ip.to_string())->pod, PodId(0u));
  EXPECT_EQ(resolve("10.96.0.99")->kind, Kind::service);
  const auto stranger = resolve("203.0.113.5");
  EXPECT_EQ(stranger->kind, Kind::address);
  EXPECT_FALSE(stranger->pod.is_valid());
  EXPECT_EQ(resolve("2001:db8::1")->kind, Kind::address);
}

TEST_F(ResolveTest, MistakesAreNamedWithWhatIsNear) {
  EXPECT_EQ(failure("shop/wbe"),
            "unknown-object: there is no \"wbe\" in namespace \"shop\" (in \"shop/wbe\"); did you mean \"web\"?");
  EXPECT_EQ(failure("shpo/web"),
            "unknown-object: there is no namespace \"shpo\" (in \"shpo/web\"); did you mean \"shop\"?");
  EXPECT_EQ(failure("shop/sts/web"),
            "unknown-object: there is no \"web\" in namespace \"shop\" (in \"shop/sts/web\"); did you mean "
            "\"shop/deployment/web\"?");
  EXPECT_EQ(failure("deploy/web"),
            "unknown-object: there is no namespace \"deploy\" (in \"deploy/web\"); the namespace comes first: "
            "namespace/deploy/web");
  EXPECT_TRUE(failure("shop/widget/web").starts_with("bad-name: "));
  for (const char* text : {"web", "", "/", "shop//web", "a/b/c/d", "shop/"}) {
    EXPECT_TRUE(failure(text).starts_with("bad-name: ")) << text;
  }
}

TEST(Namespaces, TrueNameIsALabelWhateverTheManifestSays) {
  const Cluster cluster = cluster_of(
      {"apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {kubernetes.io/metadata.name: fake, team: x}}\n"});
  const auto value =
      cluster.label_sets.value(cluster.namespaces[0].labels, cluster.strings.find("kubernetes.io/metadata.name"));
  EXPECT_EQ(cluster.strings[value], "a");
  EXPECT_FALSE(cluster.namespaces[0].is_assumed);
  EXPECT_TRUE(cluster.assumptions.front().topic == "nodes");  // nothing said about namespaces
}

TEST(Namespaces, MentionedOnesAreAssumed) {
  const Cluster cluster = cluster_of(
      {deployment("web") +
       "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: back}\n"});
  ASSERT_EQ(cluster.namespaces.size(), 2u);
  EXPECT_EQ(cluster.namespaces[0].name, "back");
  EXPECT_TRUE(cluster.namespaces[0].is_assumed);
  EXPECT_EQ(cluster.label_sets[cluster.namespaces[1].labels].size(), 1u);
  EXPECT_EQ(cluster.assumptions.front().text,
            "assumed namespaces that objects mention and no manifest defines: back, shop");
}

TEST(OtherKinds, ThoseThatCanChangeAVerdictAreNamedWithTheirScope) {
  const std::string objects =
      "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: shop}\n---\n"
      "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {name: cc}\n---\n"
      "apiVersion: crd.projectcalico.org/v1\nkind: NetworkPolicy\nmetadata: {name: n, namespace: shop}\n---\n"
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a, namespace: istio-system}\n---\n"
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a, namespace: shop}\n---\n"
      "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: anp}\n---\n"
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: mesh, labels: {istio.io/dataplane-mode: ambient}}\n---\n"
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\n"
      "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: w}\n---\n"
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n---\n"
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m2}\n";
  const auto shown = [](const Cluster& cluster, const std::vector<UnmodelledObject>& all) {
    Names names;
    for (const UnmodelledObject& object : all) {
      names.push_back(object.kind + " " + object.full_name + " " +
                      (object.name_space.is_valid() ? cluster.namespaces[object.name_space.index()].name : "*"));
    }
    return names;
  };
  const Cluster cluster = cluster_of({objects});
  EXPECT_EQ(shown(cluster, cluster.unmodelled),
            (Names{"CiliumNetworkPolicy shop/ciliumnetworkpolicy/c shop",
                   "CiliumClusterwideNetworkPolicy ciliumclusterwidenetworkpolicy/cc *",
                   "NetworkPolicy.crd.projectcalico.org shop/networkpolicy/n shop",
                   "AuthorizationPolicy istio-system/authorizationpolicy/a *",
                   "AuthorizationPolicy shop/authorizationpolicy/a shop",
                   "AmbientMesh namespace/mesh (istio.io/dataplane-mode=ambient) mesh"}));
  EXPECT_EQ(cluster.skipped_kinds,
            (std::vector<std::pair<std::string, std::uint32_t>>{{"ConfigMap", 2}, {"Secret", 1}, {"Widget", 1}}));

  ClusterOptions options;
  options.ignored_kinds = {"ciliumnetworkpolicy", "NetworkPolicy.crd.projectcalico.org", "AmbientMesh"};
  const Cluster accepted = cluster_of({objects}, options);
  EXPECT_EQ(accepted.unmodelled.size(), 3u);
  EXPECT_EQ(accepted.ignored.size(), 3u);
}

TEST(OtherKinds, AmbientPodsCountWhereTheirNamespaceDoesNot) {
  const Cluster cluster = cluster_of(
      {"apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop, labels: {istio.io/dataplane-mode: ambient}}\n"
       "spec: {containers: []}\n"});
  ASSERT_EQ(cluster.unmodelled.size(), 1u);
  EXPECT_EQ(cluster.unmodelled[0].full_name, "shop/p[Pod] (istio.io/dataplane-mode=ambient)");
}

}  // namespace
}  // namespace podwire::cluster
