// Services and namespaces that come and go with `events`: what there is in each state, and what is refused.
#include <gtest/gtest.h>

#include "app/scenario/load.hpp"
#include "models/cluster/snapshot.hpp"
#include "models/service/service_table.hpp"
#include "sim/config/render.hpp"
#include "tests/unit/scenario/event_files.hpp"

namespace podwire::scenario {
namespace {

using cluster::Cluster;
using test::kTwoPods;

constexpr std::string_view kService = R"(
apiVersion: v1
kind: Service
metadata: {name: late, namespace: x}
spec: {selector: {app: b}, ports: [{port: 81, targetPort: 80}]}
)";

// A namespace with a pod and a Service of its own.
constexpr std::string_view kAnnex = R"(
apiVersion: v1
kind: Namespace
metadata: {name: annex, labels: {side: left}}
---
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: annex, labels: {app: c}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: annex}
spec: {selector: {app: c}, ports: [{port: 80}]}
)";

struct EventServicesTest : test::EventFiles {
  std::optional<Scenario> scenario;

  const TimelinePlan& plan(std::string_view spec) {
    auto loaded = load_spec(spec);
    EXPECT_TRUE(loaded) << config::render(loaded.diagnostics(), sources, {.short_form = true});
    scenario = std::move(loaded).value();
    return *scenario->policy_sets[0].timeline;
  }
  static const cluster::Service* find(const Cluster& state, std::string_view name_space, std::string_view name) {
    const cluster::ServiceId id = state.find_service(state.find_namespace(name_space), name);
    return id.is_valid() && state.services[id.index()].is_there ? &state.services[id.index()] : nullptr;
  }
  static bool has_pod(const Cluster& state, std::string_view name_space, std::string_view name) {
    const cluster::PodId id = state.find_pod(state.find_namespace(name_space), name);
    return id.is_valid() && cluster::is_there(state, id);
  }
  static std::size_t label_count(const Cluster& state, std::string_view name_space) {
    return state.label_sets[state.namespaces[state.find_namespace(name_space).index()].labels].size();
  }
};

TEST_F(EventServicesTest, AServiceIsThereFromItsEventToItsDeletionAndAgain) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("late.yaml", std::string(kService));
  const TimelinePlan& it = plan(R"(
  cluster: {from: m, cni: spec}
  run: {duration: 10s}
  events:
    - {at: 1s, apply: late.yaml}
    - {at: 2s, delete: x/svc/late}
    - {at: 3s, apply: late.yaml}
)");
  ASSERT_EQ(it.clusters.size(), 4u);
  const IpAddress ip = find(*it.clusters[1], "x", "late")->cluster_ip;
  const cluster::PodId b = it.all->find_pod(it.all->find_namespace("x"), "b");
  for (std::size_t s = 0; s < it.clusters.size(); ++s) {
    SCOPED_TRACE(s);
    const bool is_there = s % 2 == 1;
    EXPECT_EQ(find(*it.clusters[s], "x", "late") != nullptr, is_there);
    EXPECT_EQ(it.clusters[s]->service_at(ip).is_valid(), is_there);
    const service::Translation made =
        service::ServiceTable(*it.clusters[s])
            .translate({.ip = IpAddress::v4(10, 0, 0, 1), .node = {}}, ip, IpProtocol::tcp, Port(81), 0);
    EXPECT_EQ(made.outcome, is_there ? service::Outcome::translated : service::Outcome::lost);
    EXPECT_EQ(made.target.pod, is_there ? b : cluster::PodId::none());
  }
  // It changes nothing that policies see: nodes' agents have nothing to do, kube-proxy and CoreDNS have.
  EXPECT_FALSE(it.changes[0].concerns_policy);
  EXPECT_TRUE(it.changes[0].concerns_endpoints);
  EXPECT_EQ(it.changes[1].text, "delete x/svc/late");
}

TEST_F(EventServicesTest, AServiceThatComesLaterTakesNobodysAddress) {
  // 10.96.0.0/29 has six addresses to give: for the four Services of the start, cluster DNS, and the late one. By name
  // the late one comes before the four; in the order of names it would take the place of one of them.
  const char* const early[] = {"one", "two", "three", "trailing"};
  std::string manifests;
  for (const char* name : early) {
    manifests += std::string("---\napiVersion: v1\nkind: Service\nmetadata: {name: ") + name +
                 ", namespace: x}\nspec: {selector: {app: b}, ports: [{port: 80}]}\n";
  }
  folder.write("m/all.yaml", std::string(kTwoPods) + manifests);
  folder.write("late.yaml", std::string(kService));
  const TimelinePlan& it = plan(R"(
  cluster: {from: m, cni: spec, serviceCidr: 10.96.0.0/29}
  run: {duration: 10s}
  events: [{at: 1s, apply: late.yaml}]
)");
  const Cluster& start = scenario->policy_sets[0].cluster();
  for (const char* name : early) {
    EXPECT_EQ(find(start, "x", name)->cluster_ip, find(*it.clusters[1], "x", name)->cluster_ip) << name;
  }
  EXPECT_FALSE(find(*it.clusters[1], "x", "late")->cluster_ip.is_unspecified());
}

TEST_F(EventServicesTest, ANamespaceComesAndGoesWithAllThatIsInIt) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("annex.yaml", std::string(kAnnex));
  folder.write("bare.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: annex}\n");
  const TimelinePlan& it = plan(R"(
  cluster: {from: m, cni: spec}
  run: {duration: 10s}
  events:
    - {at: 1s, apply: annex.yaml}
    - {at: 2s, delete: namespace/annex}
    - {at: 3s, apply: bare.yaml}
    - {at: 4s, apply: annex.yaml}
    - {at: 5s, delete: namespace/x}
)");
  const bool is_there[] = {false, true, false, false, true, true};
  ASSERT_EQ(it.clusters.size(), std::size(is_there));
  for (std::size_t s = 0; s < it.clusters.size(); ++s) {
    SCOPED_TRACE(s);
    EXPECT_EQ(find(*it.clusters[s], "annex", "s") != nullptr, is_there[s]);
    EXPECT_EQ(has_pod(*it.clusters[s], "annex", "c"), is_there[s]);
    EXPECT_EQ(has_pod(*it.clusters[s], "x", "a"), s < 5);
  }
  // kubernetes.io/metadata.name, and side where the manifest says so: another namespace of the name starts anew.
  EXPECT_EQ(label_count(*it.clusters[1], "annex"), 2u);
  EXPECT_EQ(label_count(*it.clusters[3], "annex"), 1u);
  EXPECT_EQ(label_count(*it.clusters[4], "annex"), 2u);
}

TEST_F(EventServicesTest, LabelsThatAnEventGivesANamespaceAreNotThereBefore) {
  // No manifest defines x: it has its automatic label alone until the event brings its object.
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("space.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x, labels: {team: a}}\n");
  const TimelinePlan& it = plan(R"(
  cluster: {from: m, cni: spec}
  run: {duration: 10s}
  events: [{at: 1s, apply: space.yaml}]
)");
  EXPECT_EQ(label_count(*it.clusters[0], "x"), 1u);
  EXPECT_EQ(label_count(*it.clusters[1], "x"), 2u);
}

TEST_F(EventServicesTest, WhatIsNotThereAtThatTimeIsNeitherLabelledNorDeleted) {
  folder.write("m/all.yaml", std::string(kTwoPods));
  folder.write("annex.yaml", std::string(kAnnex));
  const std::string problems = problems_of(R"(
  cluster: {from: m, cni: spec}
  run: {duration: 10s}
  events:
    - {at: 1s, label: [{object: namespace/annex, set: {a: b}}], delete: [x/service/none, annex/service/s, namespace/annex]}
    - {at: 2s, apply: annex.yaml, label: [{object: namespace/annex, set: {a: b}}]}
    - {at: 3s, delete: [namespace/annex]}
    - {at: 4s, label: [{object: ns/annex, set: {a: b}}], delete: [annex/service/s, namespace/annex]}
)");
  for (const char* wanted : {"scenario.yaml:8:33: error: there is no namespace \"annex\" at that time",
                             "scenario.yaml:8:74: error: there is no \"x/service/none\" to delete",
                             "scenario.yaml:8:90: error: there is no \"annex/service/s\" to delete",
                             "scenario.yaml:8:107: error: there is no namespace \"annex\" to delete",
                             "scenario.yaml:11:33: error: there is no namespace \"annex\" at that time",
                             "scenario.yaml:11:67: error: there is no \"annex/service/s\" to delete",
                             "scenario.yaml:11:84: error: there is no namespace \"annex\" to delete", "\n7 errors"}) {
    EXPECT_NE(problems.find(wanted), std::string::npos) << wanted << " in\n" << problems;
  }
}

TEST_F(EventServicesTest, AServiceCannotChangeAndTheClustersDnsCannotComeLater) {
  folder.write("m/all.yaml", std::string(kTwoPods) + "---" + std::string(kService));
  folder.write("other.yaml", R"(
apiVersion: v1
kind: Service
metadata: {name: late, namespace: x}
spec: {selector: {app: a}, ports: [{port: 81, targetPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec: {selector: {k8s-app: other-dns}, ports: [{name: dns, port: 53, protocol: UDP}]}
)");
  const std::string problems = problems_of(R"(
  cluster: {from: m, cni: spec}
  run: {duration: 10s}
  events:
    - {at: 1s, apply: other.yaml}
    - {at: 2s, patch: [{object: x/service/late, merge: {spec: {ports: [{port: 82}]}}}]}
)");
  for (const char* wanted :
       {"other.yaml:5:7: error: x/service/late comes with another spec, and changes within a Service are not played "
        "yet",
        "delete it and apply one of another name",
        "other.yaml:9:18: error: kube-system/service/kube-dns is the cluster's DNS and cannot come later",
        "\n3 errors"}) {
    EXPECT_NE(problems.find(wanted), std::string::npos) << wanted << " in\n" << problems;
  }
}

}  // namespace
}  // namespace podwire::scenario
