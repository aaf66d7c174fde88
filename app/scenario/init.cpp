#include "app/scenario/init.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/base/check.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

std::string basis_of(const Finding& finding) {
  const std::string rest =
      finding.explanation.empty() ? "" : (finding.is_detected() ? "; " : ": ") + finding.explanation;
  return finding.is_detected() ? fmt::format("detected from {}{}", finding.evidence, rest) : "assumed" + rest;
}

InitFact fact(std::string topic, const Finding& finding) {
  return {.topic = std::move(topic),
          .value = finding.value,
          .basis = basis_of(finding),
          .is_assumed = !finding.is_detected()};
}

InitFact cni_fact(const DetectedCni& cni) {
  InitFact it{.topic = "network plugin", .value = cni.profile, .basis = {}, .is_assumed = true};
  if (cni.plugin.empty()) {
    it.basis = "assumed: the dump shows no network plugin; policies are enforced as the API specifies";
  } else if (!cni.has_profile) {
    it.basis =
        fmt::format("assumed: {}, detected from {}, has no profile yet; policies are enforced as the API specifies",
                    cni.plugin, cni.evidence);
  } else if (cni.version.empty()) {
    it.basis = fmt::format("detected from {}; its version is not known", cni.evidence);
    it.is_assumed = false;
  } else {
    it.value += "@" + cni.version;
    it.basis = fmt::format("detected from {}", cni.evidence);
    it.is_assumed = false;
  }
  return it;
}

// Only iptables is played.
InitFact proxy_fact(const Finding& finding) {
  InitFact it = fact("service proxy", finding);
  if (finding.value != "iptables") {
    it.basis = fmt::format(
        "assumed: {}, detected from {}, is played as iptables: which backend is chosen, and what it "
        "costs, may differ",
        finding.value, finding.evidence);
    it.value = "iptables";
    it.is_assumed = true;
  }
  return it;
}

class ScenarioWriter {
 public:
  ScenarioWriter(const Scenario& loaded, const InitPlan& plan, const DetectedCluster& found, const InitTraffic* traffic)
      : loaded_(loaded), plan_(plan), found_(found), traffic_(traffic) {}

  std::string text(const std::string& name) {
    comment(0, fmt::format("Written by `podwire init` from {} ({} objects). Look at each line that says \"assumed\".",
                           printable(fmt::format("{}", fmt::join(loaded_.sources, ", ")), 200), objects()));
    line(0, "apiVersion: podwire/v1", "");
    line(0, "kind: Scenario", "");
    line(0, fmt::format("metadata: {{name: \"{}\"}}", yaml(name)), "");
    line(0, "spec:", "");
    line(1, "cluster:", "");
    line(2, fmt::format("from: [{}]", kInitDumpName), from_comment());
    field("kubernetesVersion", "Kubernetes version", true);
    field("cni", "network plugin");
    field("serviceProxy", "service proxy");
    field("podCidr", "pod addresses");
    field("serviceCidr", "Service addresses");
    field("clusterDomain", "cluster domain");
    dns();
    unmodelled();
    out_.append(traffic_ != nullptr ? traffic_->listens : "");
    line(1, "policySets:", "");
    line(2, "current: {base: cluster}", "the policies of the dump");
    comment(2,
            "candidate: {base: cluster, apply: [policies/]}: put the manifests of your change into policies/ and take "
            "the # away");
    out_.append(traffic_ != nullptr ? traffic_->rest : "");
    return out_.take();
  }

 private:
  std::size_t objects() const {
    std::size_t count = plan_.dump.objects;
    for (const auto& [kind, number] : plan_.dump.left_out) {
      count += number;
    }
    return count;
  }

  static std::string yaml(std::string_view text) {
    std::string quoted;
    for (const char c : printable(std::string(text), 100)) {
      if (c == '"' || c == '\\') {
        quoted += '\\';
      }
      quoted += c;
    }
    return quoted;
  }

  std::string from_comment() const {
    std::vector<std::string> kinds;
    for (const auto& [kind, count] : plan_.dump.left_out) {
      kinds.push_back(fmt::format("{} {}", count, printable(kind, 60)));
    }
    return fmt::format("the dump without managedFields, last-applied, env values and what podwire does not read{}",
                       kinds.empty() ? "" : fmt::format("; left out: {}", fmt::join(kinds, ", ")));
  }

  const InitFact* find(std::string_view topic) const {
    const auto at =
        std::find_if(plan_.facts.begin(), plan_.facts.end(), [&](const InitFact& f) { return f.topic == topic; });
    return at == plan_.facts.end() ? nullptr : &*at;
  }

  void field(std::string_view key, std::string_view topic, bool is_quoted = false) {
    const InitFact* it = find(topic);
    PODWIRE_CHECK(it != nullptr, "scenario", "every field has its fact");
    line(2, is_quoted ? fmt::format("{}: \"{}\"", key, it->value) : fmt::format("{}: {}", key, it->value), it->basis);
  }

  void dns() {
    const InitFact* it = find("DNS");
    if (it->value.empty()) {
      line(2, "dns: {replicas: 2}", it->basis);
    } else {
      comment(2, fmt::format("DNS: {}; {}", it->value, it->basis));
    }
    if (const InitFact* local = find("NodeLocal DNS")) {
      comment(2, fmt::format("NodeLocal DNS: {}", local->basis));
    }
  }

  void unmodelled() {
    for (const auto& [kind, count] : found_.unmodelled) {
      comment(2, fmt::format("{} {}: detected, not modelled; verdicts that they may change are unknown, unless "
                             "`--ignore-kind {}` accepts that",
                             count, printable(kind, 60), printable(kind, 60)));
    }
  }

  void line(unsigned depth, const std::string& text, const std::string& remark) { out_.line(depth, text, remark); }
  void comment(unsigned depth, const std::string& text) { out_.comment(depth, text); }

  const Scenario& loaded_;
  const InitPlan& plan_;
  const DetectedCluster& found_;
  const InitTraffic* traffic_;
  CommentedYaml out_;
};

}  // namespace

InitPlan plan_init(SourceMap& sources, const Scenario& loaded, const std::string& name, const InitTraffic* traffic) {
  PODWIRE_CHECK(loaded.is_manifests && !loaded.stores.empty(), "scenario",
                "init reads manifests and keeps their objects");
  // The layers' store is the last one kept; those before it are what policy sets apply, which manifests have none of.
  const cluster::ObjectStore& store = *loaded.stores.back();
  const DetectedCluster found = detect_cluster(sources, store, loaded.clusters.front()->cluster);
  InitPlan plan;
  plan.dump = strip_dump(store);
  plan.facts = {fact("Kubernetes version", found.kubernetes_version),
                cni_fact(found.cni),
                proxy_fact(found.service_proxy),
                fact("pod addresses", found.pod_cidr),
                fact("Service addresses", found.service_cidr),
                fact("cluster domain", found.cluster_domain),
                fact("DNS", found.dns)};
  if (!found.node_local_dns.value.empty()) {
    plan.facts.push_back(fact("NodeLocal DNS", found.node_local_dns));
  }
  for (const auto& [kind, count] : found.unmodelled) {
    plan.facts.push_back({.topic = "not modelled",
                          .value = fmt::format("{} {}", count, kind),
                          .basis = "detected; verdicts that they may change are unknown",
                          .is_assumed = false});
  }
  if (traffic != nullptr) {
    plan.facts.insert(plan.facts.end(), traffic->facts.begin(), traffic->facts.end());
  }
  plan.scenario_text = ScenarioWriter(loaded, plan, found, traffic).text(name);
  return plan;
}

std::string collect_script() {
  // Kinds that are not installed would make one `kubectl get` fail for all: they are asked for one by one.
  return R"(#!/bin/sh
# What podwire reads of a cluster, and nothing else. Every command only reads; run it with a role that may get and list.
# Secrets are not asked for. `podwire init` drops managedFields, last-applied annotations and env values.
set -u
mkdir -p podwire-dump
get() { kubectl get "$1" --all-namespaces -o json >"podwire-dump/$1.json" || rm -f "podwire-dump/$1.json"; }
for kind in nodes namespaces pods services endpointslices.discovery.k8s.io serviceaccounts \
  deployments.apps replicasets.apps statefulsets.apps daemonsets.apps jobs.batch cronjobs.batch replicationcontrollers \
  networkpolicies.networking.k8s.io ingresses.networking.k8s.io ingressclasses.networking.k8s.io; do
  get "$kind"
done
# What may change verdicts, where it is installed.
for kind in adminnetworkpolicies.policy.networking.k8s.io baselineadminnetworkpolicies.policy.networking.k8s.io \
  clusternetworkpolicies.policy.networking.k8s.io servicecidrs.networking.k8s.io \
  gateways.gateway.networking.k8s.io gatewayclasses.gateway.networking.k8s.io httproutes.gateway.networking.k8s.io \
  referencegrants.gateway.networking.k8s.io \
  ciliumnetworkpolicies.cilium.io ciliumclusterwidenetworkpolicies.cilium.io ciliumlocalredirectpolicies.cilium.io \
  networkpolicies.crd.projectcalico.org globalnetworkpolicies.crd.projectcalico.org \
  hostendpoints.crd.projectcalico.org ippools.crd.projectcalico.org \
  networkpolicies.crd.antrea.io clusternetworkpolicies.crd.antrea.io \
  authorizationpolicies.security.istio.io peerauthentications.security.istio.io sidecars.networking.istio.io; do
  kubectl get crd "$kind" >/dev/null 2>&1 || kubectl api-resources -o name 2>/dev/null | grep -qx "$kind" || continue
  get "$kind"
done
# How Services are proxied, address ranges, the cluster's domain.
kubectl -n kube-system get configmap kube-proxy kubeadm-config coredns cilium-config --ignore-not-found -o json \
  >podwire-dump/configmaps.json
# Recorded flows of the last hour, where Hubble runs (https://docs.cilium.io, "hubble observe").
# Calico's are what Whisker's API answers (GET /flows): give that file with --flows.
flows=
if command -v hubble >/dev/null; then
  hubble observe --since 1h --output json >podwire-dump.flows.json && flows=" --flows podwire-dump.flows.json"
fi
echo "now: podwire init --cluster podwire-dump/$flows -o my-cluster"
)";
}

}  // namespace podwire::scenario
