// From parsed objects to a Cluster, and from text to a Cluster: pods per second.
//
// Three shapes of input: many pods of few templates (Deployments with Services), the same as a dump of live pods, and
// one Service for each Deployment of ten. Texts are generated; the file system is not involved.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>

#include "models/cluster/cluster.hpp"
#include "sim/base/check.hpp"

namespace {

using namespace podwire;
using namespace podwire::cluster;

std::string deployments(int count, int replicas) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += fmt::format(R"(---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app-{0}, namespace: ns-{1}}}
spec:
  replicas: {2}
  selector: {{matchLabels: {{app: app-{0}}}}}
  template:
    metadata: {{labels: {{app: app-{0}, tier: t{3}, team: team-{1}}}}}
    spec:
      containers:
      - name: main
        ports: [{{containerPort: 8080, name: http}}]
        readinessProbe: {{httpGet: {{port: http, path: /}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: app-{0}, namespace: ns-{1}}}
spec: {{selector: {{app: app-{0}}}, ports: [{{port: 80, targetPort: http}}]}}
)",
                        i, i % 50, replicas, i % 3);
  }
  return text;
}

// As `kubectl get pods -o json` writes what matters here.
std::string pod_dump(int count) {
  std::string text = "{\"apiVersion\": \"v1\", \"kind\": \"PodList\", \"items\": [\n";
  for (int i = 0; i < count; ++i) {
    text += i == 0 ? "" : ",";
    text += fmt::format(
        R"({{"metadata": {{"name": "app-{1}-7d77fb55cc-{0}", "namespace": "ns-{2}", "labels": {{"app": "app-{1}", "pod-template-hash": "7d77fb55cc"}},
"ownerReferences": [{{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app-{1}-7d77fb55cc", "controller": true}}]}},
"spec": {{"nodeName": "node-{3}", "containers": [{{"name": "main", "ports": [{{"containerPort": 8080, "protocol": "TCP"}}]}}]}},
"status": {{"phase": "Running", "podIP": "10.{4}.{5}.{6}", "hostIP": "192.168.1.{3}", "conditions": [{{"type": "Ready", "status": "True"}}]}}}}
)",
        i, i / 10, i / 10 % 50, i % 100 + 1, 128 + i / 62500, i / 250 % 250, i % 250 + 2);
  }
  return text + "]}\n";
}

struct Input {
  SourceMap sources;
  ObjectStore store;
  explicit Input(const std::string& text) {
    Diagnostics diagnostics;
    store.add_layer(sources, {.path = "-", .shown_as = "bench", .text = text, .span = {}}, {}, diagnostics);
    PODWIRE_CHECK(!diagnostics.has_errors(), "bench", diagnostics.all().front().message);
  }
};

ClusterOptions options_with(std::uint32_t nodes) {
  ClusterOptions options;
  options.node_count = nodes;
  options.adds_dns = true;
  return options;
}

void build(benchmark::State& state, const std::string& text, std::uint32_t nodes) {
  const Input input(text);
  const ClusterOptions options = options_with(nodes);
  std::size_t pods = 0;
  for (auto _ : state) {
    const auto result = build_cluster(input.store, options);
    PODWIRE_CHECK(result.has_value(), "bench", result.diagnostics().all().front().message);
    pods = result->pods.size();
    benchmark::DoNotOptimize(result->pods.data());
  }
  state.counters["pods"] = static_cast<double>(pods);
  state.SetItemsProcessed(static_cast<std::int64_t>(pods) * state.iterations());
}

void BuildFewLargeDeployments(benchmark::State& state) {
  build(state, deployments(100, 1000), 5000);
}
BENCHMARK(BuildFewLargeDeployments)->Unit(benchmark::kMillisecond);

void BuildManySmallDeployments(benchmark::State& state) {
  build(state, deployments(10'000, 10), 5000);
}
BENCHMARK(BuildManySmallDeployments)->Unit(benchmark::kMillisecond);

void BuildFromDump(benchmark::State& state) {
  build(state, pod_dump(10'000), 100);
}
BENCHMARK(BuildFromDump)->Unit(benchmark::kMillisecond);

void LoadAndBuildManySmallDeployments(benchmark::State& state) {
  const std::string text = deployments(10'000, 10);
  for (auto _ : state) {
    const Input input(text);
    const auto result = build_cluster(input.store, options_with(5000));
    benchmark::DoNotOptimize(result->pods.data());
  }
  state.SetItemsProcessed(100'002 * state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
}
BENCHMARK(LoadAndBuildManySmallDeployments)->Unit(benchmark::kMillisecond);

void LoadAndBuildDump(benchmark::State& state) {
  const std::string text = pod_dump(10'000);
  for (auto _ : state) {
    const Input input(text);
    const auto result = build_cluster(input.store, options_with(100));
    benchmark::DoNotOptimize(result->pods.data());
  }
  state.SetItemsProcessed(10'002 * state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
}
BENCHMARK(LoadAndBuildDump)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
