// Reading user files into trees: bytes per second for YAML policies and for a JSON dump of pods.
// The texts are generated: policies as people write them, pods as `kubectl get pods -o json` prints them.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "sim/base/check.hpp"
#include "sim/config/document.hpp"

namespace {

using podwire::SourceMap;
using podwire::config::parse_text;

/// About `size` bytes of NetworkPolicy documents.
std::string policies(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) {
    text += fmt::format(R"(---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: policy-{0}
  namespace: ns-{1}
  labels: {{team: "t{2}", tier: backend}}
spec:
  podSelector:
    matchLabels:
      app: app-{3}
  policyTypes:
  - Ingress
  - Egress
  ingress:
  - from:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: ns-{2}
      podSelector:
        matchExpressions:
        - {{key: role, operator: In, values: [a, b, "c"]}}
    - ipBlock:
        cidr: 10.{1}.0.0/16
        except: [10.{1}.1.0/24]
    ports:
    - protocol: TCP
      port: {4}
  egress:
  - to:
    - podSelector: {{}}
    ports:
    - port: 53
      protocol: UDP
)",
                        i, i % 200, i % 31, i % 997, i % 60000 + 1);
  }
  return text;
}

/// About `size` bytes of a List of pods, indented by four as kubectl does.
std::string pod_list(std::size_t size) {
  std::string text = "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n";
  for (int i = 0; text.size() < size; ++i) {
    text += i == 0 ? "" : ",\n";
    text += fmt::format(R"(        {{
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {{
                "annotations": {{
                    "kubernetes.io/config.seen": "2024-01-01T00:00:00Z",
                    "prometheus.io/scrape": "true"
                }},
                "creationTimestamp": "2024-01-01T00:00:00Z",
                "generateName": "app-{1}-7d9c5b6f8c-",
                "labels": {{
                    "app": "app-{1}",
                    "app.kubernetes.io/instance": "production",
                    "pod-template-hash": "7d9c5b6f8c"
                }},
                "name": "app-{1}-7d9c5b6f8c-{0:05}",
                "namespace": "ns-{2}",
                "ownerReferences": [
                    {{
                        "apiVersion": "apps/v1",
                        "blockOwnerDeletion": true,
                        "controller": true,
                        "kind": "ReplicaSet",
                        "name": "app-{1}-7d9c5b6f8c"
                    }}
                ],
                "resourceVersion": "{0}"
            }},
            "spec": {{
                "containers": [
                    {{
                        "env": [
                            {{
                                "name": "PATTERN",
                                "value": "a\\b\n\"c\""
                            }}
                        ],
                        "image": "registry.example.com/app-{1}:v1.2.3",
                        "name": "main",
                        "ports": [
                            {{
                                "containerPort": 8080,
                                "name": "http",
                                "protocol": "TCP"
                            }}
                        ]
                    }}
                ],
                "dnsPolicy": "ClusterFirst",
                "hostNetwork": false,
                "nodeName": "node-{2}",
                "restartPolicy": "Always",
                "serviceAccountName": "default",
                "terminationGracePeriodSeconds": 30
            }},
            "status": {{
                "conditions": [
                    {{
                        "lastProbeTime": null,
                        "status": "True",
                        "type": "Ready"
                    }}
                ],
                "phase": "Running",
                "podIP": "10.{3}.{4}.{5}",
                "qosClass": "BestEffort"
            }}
        }})",
                        i, i % 997, i % 200, i / 65536 % 256, i / 256 % 256, i % 256);
  }
  return text + "\n    ],\n    \"kind\": \"List\"\n}\n";
}

void read_text(benchmark::State& state, const std::string& text) {
  for (auto _ : state) {
    state.PauseTiming();
    SourceMap sources;
    std::string copy = text;
    copy.reserve(copy.size() + 128);  // as read_file leaves it
    state.ResumeTiming();
    auto document = parse_text(sources, "bench", std::move(copy));
    PODWIRE_CHECK(document.has_value(), "bench", "the text is well-formed");
    benchmark::DoNotOptimize(document->roots().size());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void YamlPolicies(benchmark::State& state) {
  read_text(state, policies(static_cast<std::size_t>(state.range(0))));
}
BENCHMARK(YamlPolicies)->Arg(1'000'000)->Arg(20'000'000)->Unit(benchmark::kMillisecond);

void JsonPods(benchmark::State& state) {
  read_text(state, pod_list(static_cast<std::size_t>(state.range(0))));
}
BENCHMARK(JsonPods)->Arg(1'000'000)->Arg(200'000'000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
