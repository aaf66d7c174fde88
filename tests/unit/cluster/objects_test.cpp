// Layers, lists and identities.
#include "models/cluster/objects.hpp"

#include "tests/unit/cluster/fixture.hpp"

namespace podwire::cluster {
namespace {

using testing::codes_of;
using testing::Loaded;

constexpr auto kMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n";

TEST(ObjectStore, ObjectWithoutNamespaceIsInDefault) {
  const Loaded loaded({kMap});
  ASSERT_EQ(loaded.store.objects().size(), 1u);
  EXPECT_EQ(loaded.store.objects()[0].full_name(), "default/configmap/m");
}

TEST(ObjectStore, ClusterScopedObjectHasNoNamespace) {
  const Loaded loaded({"apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n"});
  EXPECT_EQ(loaded.store.objects()[0].full_name(), "namespace/a");
}

TEST(ObjectStore, LaterLayerReplaces) {
  const Loaded loaded(
      {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 1}]}\n---\n" + std::string(kMap),
       "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 2}]}\n"});
  EXPECT_FALSE(loaded.diagnostics.has_errors());
  ASSERT_EQ(loaded.store.objects().size(), 2u);
  EXPECT_EQ(loaded.store.objects()[0].node.find("spec").find("ports").begin().operator*().find("port").text(), "2");
  EXPECT_EQ(loaded.store.objects()[0].layer, 1u);
  EXPECT_TRUE(loaded.store.objects()[0].replaces_earlier);
  EXPECT_EQ(loaded.store.layer_count(), 2u);
}

TEST(ObjectStore, DuplicateWithinALayerNamesBothPlaces) {
  const Loaded loaded({std::string(kMap) + "---\n" + kMap});
  ASSERT_EQ(loaded.diagnostics.all().size(), 1u);
  EXPECT_EQ(loaded.diagnostics.all()[0].code, "duplicate-object");
  EXPECT_NE(loaded.diagnostics.all()[0].message.find("layer0:3:18"), std::string::npos);
  EXPECT_EQ(loaded.sources.place(loaded.diagnostics.all()[0].span), "layer0:7:18");
}

TEST(ObjectStore, SameNameInAnotherKindGroupOrNamespaceIsAnotherObject) {
  const Loaded loaded(
      {"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x}\n---\n"
       "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: x}\n---\n"
       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\n"
       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: y}\n"});
  EXPECT_FALSE(loaded.diagnostics.has_errors());
  EXPECT_EQ(loaded.store.objects().size(), 4u);
  EXPECT_EQ(loaded.store.all("networking.k8s.io", "NetworkPolicy").size(), 1u);
}

TEST(ObjectStore, OldGroupOfAKindIsTheSameKind) {
  const Loaded loaded({"apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: x}\n",
                       "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n---\n"
                       "apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: {name: x}\n"});
  EXPECT_EQ(loaded.store.all("apps", "Deployment").size(), 1u);
  EXPECT_EQ(loaded.store.all("networking.k8s.io", "NetworkPolicy").size(), 1u);
}

TEST(ObjectStore, ItemsOfATypedListInheritKindAndVersion) {
  const Loaded loaded(
      {"{\"apiVersion\": \"v1\", \"kind\": \"PodList\", \"items\": [{\"metadata\": {\"name\": \"p\"}}, {\"metadata\": "
       "{\"name\": \"q\", \"namespace\": \"n\"}}]}"});
  EXPECT_FALSE(loaded.diagnostics.has_errors()) << loaded.rendered(loaded.diagnostics);
  EXPECT_EQ(loaded.store.all("", "Pod").size(), 2u);
}

TEST(ObjectStore, ListsNest) {
  const Loaded loaded(
      {"apiVersion: v1\nkind: List\nitems:\n- "
       "apiVersion: v1\n  kind: NamespaceList\n  items:\n"
       "  - metadata: {name: a}\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: b}\n"});
  EXPECT_FALSE(loaded.diagnostics.has_errors()) << loaded.rendered(loaded.diagnostics);
  EXPECT_EQ(loaded.store.all("", "Namespace").size(), 2u);
}

TEST(ObjectStore, ObjectsThatCannotBeIdentifiedAreErrorsAllAtOnce) {
  EXPECT_EQ(codes_of({"metadata: {name: x}\napiVersion: v1\n---\nkind: Pod\nmetadata: {name: x}\n---\n"
                      "apiVersion: v1\nkind: Pod\nmetadata: {labels: {}}\n---\n- 1\n"}),
            (std::vector<std::string>{"missing-kind", "missing-api-version", "missing-name", "wrong-type"}));
}

TEST(ObjectStore, NameThatTheApiRefusesIsAnErrorWhereItBecomesADnsName) {
  EXPECT_EQ(codes_of({"apiVersion: v1\nkind: Pod\nmetadata: {name: A_b}\nspec: {containers: []}\n"}),
            std::vector<std::string>{"bad-name"});
  const Loaded loaded({"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a_b}\n"});
  EXPECT_FALSE(loaded.diagnostics.has_errors());
  EXPECT_EQ(loaded.diagnostics.all().size(), 1u);
}

TEST(ObjectStore, AMisspeltKeyOfMetadataIsAnErrorWhereItIsRead) {
  // The policy would land in the namespace default.
  const Loaded loaded(
      {"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namspace: x}\n---\n"
       "apiVersion: v1\nkind: Namespace\nmetadata: {name: x, lables: {a: b}}\n---\n"
       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namspace: x}\n"});
  ASSERT_EQ(loaded.diagnostics.error_count(), 2u) << loaded.rendered(loaded.diagnostics);
  EXPECT_EQ(loaded.diagnostics.all()[0].code, "unknown-key");
  EXPECT_EQ(loaded.diagnostics.all()[0].help, "did you mean \"namespace\"?");
  EXPECT_EQ(loaded.sources.place(loaded.diagnostics.all()[0].span), "layer0:3:21");
  EXPECT_EQ(loaded.diagnostics.all()[1].help, "did you mean \"labels\"?");
}

TEST(ObjectStore, EveryKeyThatTheApiServerWritesIntoMetadataIsKnown) {
  const Loaded loaded(
      {"apiVersion: v1\nkind: Pod\nmetadata: {name: p, generateName: p-, namespace: x, selfLink: '', uid: u, "
       "resourceVersion: '1', generation: 1, creationTimestamp: null, deletionTimestamp: null, "
       "deletionGracePeriodSeconds: 3, labels: {}, annotations: {}, ownerReferences: [], finalizers: [], "
       "managedFields: []}\nspec: {containers: []}\n"});
  EXPECT_TRUE(loaded.diagnostics.all().empty()) << loaded.rendered(loaded.diagnostics);
}

TEST(ObjectStore, AKindThatItsGroupCannotHaveIsAnError) {
  const auto problem = [](const std::string& version, const std::string& kind) {
    const Loaded loaded({"apiVersion: " + version + "\nkind: " + kind + "\nmetadata: {name: p}\n"});
    const auto& all = loaded.diagnostics.all();
    return all.empty() ? std::string() : all[0].code + ": " + all[0].message + "; " + all[0].help;
  };
  EXPECT_EQ(problem("networking.k8s.io/v1", "NetworkPolcy"),
            "unknown-kind: group networking.k8s.io has no kind \"NetworkPolcy\"; did you mean \"NetworkPolicy\"?");
  EXPECT_EQ(problem("networking.k8s.io/v1", "networkpolicy"),
            "unknown-kind: group networking.k8s.io has no kind \"networkpolicy\"; did you mean \"NetworkPolicy\"?");
  EXPECT_EQ(problem("v1", "NetworkPolicy"),
            "unknown-kind: the core group has no kind NetworkPolicy; its apiVersion begins with networking.k8s.io/");
  EXPECT_EQ(problem("policy.network.k8s.io/v1alpha1", "AdminNetworkPolicy"),
            "unknown-kind: group policy.network.k8s.io has no kind AdminNetworkPolicy; its apiVersion begins with "
            "policy.networking.k8s.io/");
  EXPECT_EQ(problem("app/v1", "Deployment"),
            "unknown-kind: group app has no kind Deployment; its apiVersion begins with apps/");
  EXPECT_EQ(problem("apps/v1", "Service"), "unknown-kind: group apps has no kind Service; its apiVersion is v1");
  // What exists, what may exist, and what resembles nothing.
  for (const auto& [version, kind] :
       std::vector<std::pair<std::string, std::string>>{{"v1", "PodTemplate"},
                                                        {"networking.k8s.io/v1", "IngressClass"},
                                                        {"networking.k8s.io/v1", "ServiceCIDR"},
                                                        {"extensions/v1beta1", "NetworkPolicy"},
                                                        {"serving.knative.dev/v1", "Service"},
                                                        {"crd.antrea.io/v1beta1", "ClusterNetworkPolicy"},
                                                        {"gateway.networking.k8s.io/v1", "HTTPRoute"},
                                                        {"metrics.k8s.io/v1beta1", "PodMetrics"},
                                                        {"v1", "DeploymentConfig"},  // OpenShift of old
                                                        {"batch/v2alpha1", "CronJob"}}) {
    EXPECT_EQ(problem(version, kind), "") << version << " " << kind;
  }
}

TEST(ObjectStore, ANameThatIsANumberIsNone) {
  EXPECT_EQ(codes_of({"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 123, namespace: \"456\"}\n"}),
            std::vector<std::string>{"wrong-type"});
}

TEST(ObjectStore, RbacNamesAreFree) {
  const Loaded loaded(
      {"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: \"system:node\"}\n"});
  EXPECT_TRUE(loaded.diagnostics.all().empty());
}

TEST(ObjectStore, GeneratedNamesAreAccepted) {
  const Loaded loaded({"apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: load-}\n"});
  ASSERT_EQ(loaded.store.objects().size(), 1u);
  EXPECT_EQ(loaded.store.objects()[0].name, "load-00000");
}

}  // namespace
}  // namespace podwire::cluster
