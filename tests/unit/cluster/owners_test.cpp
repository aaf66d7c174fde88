// Owners expand to pods; live pods of a dump stand under the top of their chain.
#include "models/cluster/snapshot.hpp"
#include "tests/unit/cluster/fixture.hpp"

namespace podwire::cluster {
namespace {

using testing::cluster_of;
using testing::codes_of;
using testing::deployment;
using testing::label_of;
using testing::workload;
using testing::workload_names;
using Names = std::vector<std::string>;

std::string pod(const std::string& name, const std::string& owner = "", const std::string& status = "{}",
                const std::string& labels = "{app: web}") {
  return "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\n  namespace: shop\n  labels: " + labels +
         "\n" + (owner.empty() ? "" : "  ownerReferences: [" + owner + "]\n") +
         "spec: {containers: [{name: c}]}\nstatus: " + status + "\n";
}

std::string owner(const std::string& kind, const std::string& name) {
  return "{apiVersion: apps/v1, kind: " + kind + ", name: " + name + ", controller: true}";
}

std::string replica_set(const std::string& name, int replicas, const std::string& of = "") {
  return "---\napiVersion: apps/v1\nkind: ReplicaSet\nmetadata:\n  name: " + name + "\n  namespace: shop\n" +
         (of.empty() ? "" : "  ownerReferences: [" + of + "]\n") + "spec:\n  replicas: " + std::to_string(replicas) +
         "\n  selector: {matchLabels: {app: web}}\n  template: {metadata: {labels: {app: web}}, spec: {containers: "
         "[{name: c}]}}\n";
}

TEST(Owners, DeploymentExpandsToItsReplicas) {
  const Cluster cluster = cluster_of({deployment("web", 3)});
  const Workload& web = workload(cluster, "shop", WorkloadKind::deployment, "web");
  ASSERT_EQ(web.pods.size(), 3u);
  EXPECT_EQ(web.replicas, 3u);
  EXPECT_FALSE(web.is_live);
  EXPECT_EQ(cluster.shapes.size(), 1u);  // replicas share one
  EXPECT_EQ(label_of(cluster, web.pods[0], "app"), "web");
}

TEST(Owners, ReplicasDefaultToOneAndMayBeZero) {
  const std::string bare =
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: one}\nspec: {template: {spec: {containers: []}}}\n";
  const Cluster cluster = cluster_of({bare + deployment("none", 0)});
  EXPECT_EQ(workload(cluster, "default", WorkloadKind::deployment, "one").pods.size(), 1u);
  EXPECT_EQ(workload(cluster, "shop", WorkloadKind::deployment, "none").pods.size(), 0u);
}

TEST(Owners, PodNamesLeadBackToTheirPods) {
  const Cluster cluster = cluster_of(
      {deployment("web", 300) + replica_set("old", 2) +
       "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: shop}\nspec: {serviceName: db, "
       "replicas: 12, template: {spec: {containers: []}}}\n" +
       "---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: tick, namespace: shop}\nspec: {jobTemplate: {spec: "
       "{template: {spec: {containers: []}}}}}\n"});
  for (std::size_t i = 0; i < cluster.pods.size(); ++i) {
    const std::string name = cluster.pod_name(PodId(i));
    EXPECT_EQ(cluster.find_pod(cluster.namespace_of(PodId(i)), name), PodId(i)) << name;
    EXPECT_FALSE(invalid_dns_subdomain(name)) << name;
  }
  EXPECT_FALSE(cluster.find_pod(cluster.find_namespace("shop"), "db-12").is_valid());
  EXPECT_FALSE(cluster.find_pod(cluster.find_namespace("shop"), "web-x").is_valid());
}

TEST(Owners, StatefulSetNamesItsPodsFromItsFirstOrdinal) {
  const Cluster cluster = cluster_of(
      {"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: shop}\nspec: {serviceName: db-hl, "
       "replicas: 2, ordinals: {start: 5}, template: {spec: {containers: []}}}\n"});
  const Workload& db = workload(cluster, "shop", WorkloadKind::stateful_set, "db");
  EXPECT_EQ(cluster.full_pod_name(db.pods[0]), "shop/db-5");
  EXPECT_EQ(cluster.full_pod_name(db.pods[1]), "shop/db-6");
  EXPECT_EQ(cluster.pod_template(db.pods[0]).subdomain, "db-hl");
  EXPECT_EQ(cluster.find_pod(db.name_space, "db-6"), db.pods[1]);
}

TEST(Owners, PerPodLabelsSplitShapesOnlyWhereASelectorMentionsThem) {
  const std::string db =
      "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: shop}\nspec: {serviceName: db, "
      "replicas: 3, template: {spec: {containers: []}}}\n";
  EXPECT_EQ(cluster_of({db}).shapes.size(), 1u);

  const std::string policy =
      "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec:\n"
      "  podSelector: {matchExpressions: [{key: statefulset.kubernetes.io/pod-name, operator: In, values: [db-1]}]}\n";
  const Cluster split = cluster_of({db + policy});
  EXPECT_EQ(split.shapes.size(), 3u);
  EXPECT_EQ(label_of(split, split.workloads[0].pods[1], "statefulset.kubernetes.io/pod-name"), "db-1");
  EXPECT_EQ(label_of(split, split.workloads[0].pods[1], "apps.kubernetes.io/pod-index"), "");

  ClusterOptions options;
  options.selected_keys = {"apps.kubernetes.io/pod-index"};
  const Cluster by_index = cluster_of({db}, options);
  EXPECT_EQ(label_of(by_index, by_index.workloads[0].pods[2], "apps.kubernetes.io/pod-index"), "2");
}

TEST(Owners, DaemonSetHasOnePodOnEachNodeThatTakesIt) {
  const Cluster cluster = cluster_of(
      {testing::node("a") + testing::node("b") +
       testing::node("c", "{}", "  taints: [{key: dedicated, value: db, effect: NoSchedule}]\n") +
       testing::node("d", "{}", "  unschedulable: true\n") +
       "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: agent, namespace: shop}\nspec: {template: {spec: "
       "{containers: []}}}\n"});
  // a, b and the cordoned d (the controller tolerates that); c's taint keeps it off.
  const Workload& agent = workload(cluster, "shop", WorkloadKind::daemon_set, "agent");
  ASSERT_EQ(agent.pods.size(), 3u);
  EXPECT_EQ(cluster.nodes[cluster.pods[agent.pods[2].index()].node.index()].name, "d");
}

TEST(Owners, JobsRunAsManyPodsAsTheyMayAtOnce) {
  const auto job = [](const std::string& name, const std::string& spec, const std::string& status = "{}") {
    return "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: " + name + ", namespace: shop}\nspec: {" + spec +
           "template: {spec: {containers: []}}}\nstatus: " + status + "\n";
  };
  const Cluster cluster =
      cluster_of({job("plain", "") + job("wide", "parallelism: 4, completions: 10, ") +
                  job("narrow", "parallelism: 4, completions: 2, ") + job("paused", "suspend: true, ") +
                  job("done", "", "{conditions: [{type: Complete, status: \"True\"}]}")});
  const auto pods = [&](const std::string& name) {
    return workload(cluster, "shop", WorkloadKind::job, name).pods.size();
  };
  EXPECT_EQ(pods("plain"), 1u);
  EXPECT_EQ(pods("wide"), 4u);
  EXPECT_EQ(pods("narrow"), 2u);
  EXPECT_EQ(pods("paused"), 0u);
  EXPECT_EQ(pods("done"), 0u);
  EXPECT_EQ(label_of(cluster, workload(cluster, "shop", WorkloadKind::job, "plain").pods[0], "job-name"), "plain");
}

TEST(Owners, CronJobIsOneWorkloadWithThePodOfARun) {
  const Cluster cluster = cluster_of(
      {"apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: tick, namespace: shop}\nspec: {jobTemplate: {spec: "
       "{template: {metadata: {labels: {app: tick}}, spec: {containers: []}}}}}\n"});
  EXPECT_EQ(workload_names(cluster), Names{"shop/tick[CronJob]"});
  EXPECT_EQ(cluster.pods.size(), 1u);
  EXPECT_EQ(label_of(cluster, PodId(0u), "app"), "tick");
}

TEST(Owners, LivePodsStandUnderTheTopOfTheirChainAndAreNotExpandedAgain) {
  const Cluster cluster =
      cluster_of({deployment("web", 3) + replica_set("web-1", 2, owner("Deployment", "web")) +
                  replica_set("web-0", 0, owner("Deployment", "web")) + pod("web-1-a", owner("ReplicaSet", "web-1")) +
                  pod("web-1-b", owner("ReplicaSet", "web-1"))});
  EXPECT_EQ(workload_names(cluster), Names{"shop/web[Deployment]"});
  const Workload& web = cluster.workloads[0];
  EXPECT_TRUE(web.is_live);
  ASSERT_EQ(web.pods.size(), 2u);
  EXPECT_EQ(cluster.pod_name(web.pods[0]), "web-1-a");
}

TEST(Owners, DeploymentWithReplicaSetsButNoPodsInTheDumpIsExpandedOnce) {
  const Cluster cluster = cluster_of({deployment("web", 3) + replica_set("web-1", 3, owner("Deployment", "web"))});
  EXPECT_EQ(workload_names(cluster), Names{"shop/web[Deployment]"});
  EXPECT_EQ(cluster.pods.size(), 3u);
}

TEST(Owners, MissingOwnerObjectGivesItsNameAndKind) {
  const Cluster cluster = cluster_of({pod("web-7d77fb55cc-x", owner("ReplicaSet", "web-7d77fb55cc")) +
                                      pod("web-7d77fb55cc-y", owner("ReplicaSet", "web-7d77fb55cc")) +
                                      pod("agent-1", owner("DaemonSet", "agent")) + pod("alone")});
  EXPECT_EQ(workload_names(cluster),
            (Names{"shop/web-7d77fb55cc[ReplicaSet]", "shop/agent[DaemonSet]", "shop/alone[Pod]"}));
}

TEST(Owners, ScaledDownRevisionWithoutItsDeploymentIsNoWorkload) {
  EXPECT_TRUE(workload_names(cluster_of({replica_set("web-0", 0, owner("Deployment", "web"))})).empty());
  // A ReplicaSet of nobody's at zero is somebody's workload.
  EXPECT_EQ(workload_names(cluster_of({replica_set("web", 0)})), Names{"shop/web[ReplicaSet]"});
}

TEST(Owners, PodsOfJobsStandUnderTheirCronJob) {
  const Cluster cluster = cluster_of(
      {"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: tick, namespace: shop}\nspec: {jobTemplate: {spec: "
       "{template: {spec: {containers: []}}}}}\n---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: tick-1, "
       "namespace: shop, ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: tick, controller: true}]}\n"
       "spec: {template: {spec: {containers: []}}}\n" +
       pod("tick-1-x", "{apiVersion: batch/v1, kind: Job, name: tick-1, controller: true}", "{phase: Succeeded}")});
  EXPECT_EQ(workload_names(cluster), Names{"shop/tick[CronJob]"});
  EXPECT_EQ(cluster.pods.size(), 1u);
  EXPECT_EQ(cluster.pods[0].phase, PodPhase::succeeded);
}

TEST(Owners, OwnerWithoutKindIsShownAsPodUnderItsName) {
  const Cluster cluster =
      cluster_of({pod("pod-1", "{name: internal, controller: true}", "{}", "{app: a}") +
                  pod("pod-2", "{name: internal, controller: true}", "{}", "{app: b}") + pod("pod-3")});
  EXPECT_EQ(workload_names(cluster), (Names{"shop/internal[Pod]", "shop/pod-3[Pod]"}));
  EXPECT_EQ(cluster.workloads[0].pods.size(), 2u);
  EXPECT_NE(cluster.pods[0].shape, cluster.pods[1].shape);  // different labels under one owner
}

TEST(Owners, MirrorPodsStandForThemselves) {
  const Cluster cluster = cluster_of({pod("etcd-n1", "{apiVersion: v1, kind: Node, name: n1, controller: true}")});
  EXPECT_EQ(workload_names(cluster), Names{"shop/etcd-n1[Pod]"});
}

TEST(Owners, ControllingReferenceIsPreferred) {
  const Cluster cluster =
      cluster_of({pod("p", "{apiVersion: v1, kind: ReplicaSet, name: other}, " + owner("ReplicaSet", "real"))});
  EXPECT_EQ(workload_names(cluster), Names{"shop/real[ReplicaSet]"});
}

TEST(Owners, ReferenceCycleEnds) {
  const Cluster cluster =
      cluster_of({replica_set("a", 1, owner("ReplicaSet", "b")) + replica_set("b", 1, owner("ReplicaSet", "a")) +
                  pod("p", owner("ReplicaSet", "a"))});
  EXPECT_EQ(cluster.pods.size(), 1u);
}

TEST(Owners, OwnerReplacedByALaterLayerIsRolledOut) {
  const std::string dump = deployment("web", 1) + replica_set("web-1", 1, owner("Deployment", "web")) +
                           pod("web-1-a", owner("ReplicaSet", "web-1"));
  const Cluster cluster = cluster_of({dump, deployment("web", 4)});
  EXPECT_EQ(cluster.pods.size(), 4u);
  EXPECT_FALSE(cluster.workloads[0].is_live);
  // Pods and owners that come in different layers of one dump belong together.
  const Cluster split = cluster_of({pod("web-1-a", owner("Deployment", "web")), deployment("web", 4)});
  EXPECT_EQ(split.pods.size(), 1u);
}

TEST(Owners, PodStatusOfADumpIsHonoured) {
  const Cluster cluster = cluster_of(
      {pod("a", "",
           "{phase: Running, podIP: 10.244.7.9, podIPs: [{ip: 10.244.7.9}, {ip: \"fd00::9\"}], hostIP: 172.18.0.4, "
           "conditions: [{type: Ready, status: \"False\"}]}") +
       pod("b", "", "{phase: Pending}") +
       pod("c", "", "{phase: Running, conditions: [{type: Ready, status: \"True\"}]}") +
       "---\napiVersion: v1\nkind: Pod\nmetadata: {name: d, namespace: shop, deletionTimestamp: "
       "\"2024-01-01T00:00:00Z\"}\nspec: {nodeName: n7, containers: []}\nstatus: {phase: Running, hostIP: "
       "172.18.0.7}\n"});
  const Pod& a = cluster.pods[0];
  EXPECT_EQ(a.ip, IpAddress::v4(10, 244, 7, 9));
  EXPECT_FALSE(a.is_ready);
  EXPECT_TRUE(std::any_of(cluster.assumptions.begin(), cluster.assumptions.end(), [](const Assumption& assumed) {
    return assumed.text.starts_with("1 pod has addresses of both families (shop/a): what policies say covers both;");
  }));
  EXPECT_EQ(cluster.pod_at(*IpAddress::parse("fd00::9")), PodId(0u));
  EXPECT_EQ(cluster.pod_at(a.ip), PodId(0u));
  EXPECT_EQ(cluster.address_of(PodId(0u), IpFamily::v4), a.ip);
  EXPECT_EQ(cluster.address_of(PodId(0u), IpFamily::v6), *IpAddress::parse("fd00::9"));
  EXPECT_EQ(cluster.address_of(PodId(0u), *IpAddress::parse("2001:db8::1")), *IpAddress::parse("fd00::9"));
  EXPECT_TRUE(cluster.second_address_of(PodId(2u)).is_unspecified());
  // A pod that goes takes both addresses with it.
  EXPECT_FALSE(first_snapshot(cluster, {.disappear = {PodId(0u)}}).pod_at(*IpAddress::parse("fd00::9")).is_valid());
  const Pod& b = cluster.pods[1];
  EXPECT_EQ(b.phase, PodPhase::pending);
  EXPECT_TRUE(b.ip.is_unspecified());
  EXPECT_FALSE(b.node.is_valid());
  EXPECT_TRUE(cluster.pods[2].is_ready);
  EXPECT_FALSE(cluster.pods[2].ip.is_unspecified());
  const Pod& d = cluster.pods[3];
  EXPECT_TRUE(d.is_terminating);
  EXPECT_EQ(cluster.nodes[d.node.index()].name, "n7");
  EXPECT_EQ(cluster.nodes[d.node.index()].addresses.front(), IpAddress::v4(172, 18, 0, 7));
}

TEST(Owners, TooManyPodsAreRefusedBeforeTheyAreMade) {
  EXPECT_EQ(codes_of({deployment("web", 2'000'000'000)}), Names{"too-many-pods"});
  ClusterOptions options;
  options.max_pods = 5;
  EXPECT_EQ(codes_of({deployment("a", 3) + deployment("b", 3)}, options), Names{"too-many-pods"});
  options.max_pods = 6;
  EXPECT_TRUE(codes_of({deployment("a", 3) + deployment("b", 3)}, options).empty());
}

TEST(Owners, SelectorThatMissesItsOwnTemplateIsWarnedAbout) {
  EXPECT_EQ(
      codes_of({"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {selector: {matchLabels: {app: "
                "w}}, template: {metadata: {labels: {app: x}}, spec: {containers: []}}}\n"}),
      Names{"selector-mismatch"});
}

}  // namespace
}  // namespace podwire::cluster
