// Reading flow logs: records a second and bytes a second of one core, without and with what comes after. Whole runs of
// `podwire impact` are measured on the generator's input (tests/flows/generator.py); see README.md.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "models/flows/reader.hpp"

namespace {

using namespace podwire;

/// Records as the exporter writes them, about 1.4 kB each; ends, ports and times differ from line to line.
std::string hubble_log(std::size_t records) {
  std::string text;
  for (std::size_t i = 0; i < records; ++i) {
    const std::size_t from = i * 7 % 1000;
    const std::size_t to = i * 13 % 1000;
    const auto end = [](std::size_t n) {
      return fmt::format(
          R"({{"ID":77,"identity":{},"cluster_name":"default","namespace":"ns-{}","labels":["k8s:app=w{}","k8s:release=r0",)"
          R"("k8s:team=ns","k8s:tier=api","k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=ns",)"
          R"("k8s:io.cilium.k8s.policy.cluster=default","k8s:io.kubernetes.pod.namespace=ns"],)"
          R"("pod_name":"w{}-7d77fb55cc-bbbbb","workloads":[{{"name":"w{}","kind":"Deployment"}}]}})",
          10'000 + n, n % 20, n, n, n);
    };
    const std::string time =
        fmt::format("2026-03-01T09:{:02}:{:02}.{:09}Z", i / 60 % 60, i % 60, i * 997 % 1'000'000'000);
    text += fmt::format(
        R"({{"flow":{{"time":"{0}","uuid":"2848b6b6-59c0-4be2-8bdc-3a5861de4c68","verdict":"FORWARDED",)"
        R"("ethernet":{{"source":"0a:58:0a:f4:01:3c","destination":"0a:58:0a:f4:01:05"}},)"
        R"("IP":{{"source":"10.1.{1}.9","destination":"10.2.{2}.9","ipVersion":"IPv4"}},)"
        R"("l4":{{"TCP":{{"source_port":{3},"destination_port":8080,"flags":{{"SYN":true}}}}}},)"
        R"("source":{4},"destination":{5},"Type":"L3_L4","node_name":"default/node-1","event_type":{{"type":4,"sub_type":3}},)"
        R"("traffic_direction":"EGRESS","trace_observation_point":"TO_OVERLAY","is_reply":false,"Summary":"TCP Flags: SYN"}},)"
        R"("node_name":"default/node-1","time":"{0}"}})"
        "\n",
        time, from % 256, to % 256, 32'768 + i % 28'000, end(from), end(to));
  }
  return text;
}

void ReadHubble(benchmark::State& state) {
  constexpr std::size_t kRecords = 20'000;
  const std::string log = hubble_log(kRecords);
  std::uint64_t read = 0;
  for (auto _ : state) {
    std::size_t at = 0;
    flows::FlowReader reader("-", config::stream_of([&](char* out, std::size_t room) {
                               const std::size_t count = std::min(room, log.size() - at);
                               log.copy(out, count, at);
                               at += count;
                               return count;
                             }));
    flows::Flow flow;
    while (reader.next(flow)) {
      read += flow.destination_port == 8080 ? 1 : 0;
    }
  }
  if (read != state.iterations() * kRecords) {
    state.SkipWithError("records are missing");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(read));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(log.size()));
}
BENCHMARK(ReadHubble)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
