// Packet-hops a second. Plain UDP: 64 machines on a leaf-spine of 8 × 8 with 4 spines at 10/40 Gbit/s, 1,030-byte
// packets every 8 µs from each, ECMP, drop-tail; the case of the engines' comparison, played by the network that pods
// use, its machines' work taking no time. An item is one link traversal. Deliveries are counted and hashed.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "tests/support/plain_network.hpp"
#include "tests/support/town.hpp"

namespace podwire::dataplane {
namespace {

topology::UnderlayOptions fabric(std::uint32_t hosts) {
  topology::UnderlayOptions options;
  options.preset = topology::Preset::leaf_spine;
  options.hosts = hosts;
  options.leaves = hosts / 8;
  options.spines = 4;
  options.fabric_link.rate = 40_Gbps;
  options.host_link.propagation = 1_us;
  options.fabric_link.propagation = 1_us;
  return options;
}

/// state.range(0) machines, each sending 10,000 packets (fewer in larger fabrics).
void BM_PlainUdp(benchmark::State& state) {
  const auto hosts = static_cast<std::uint32_t>(state.range(0));
  const std::uint64_t packets = 640'000 / hosts;
  std::uint64_t hops = 0;
  for (auto _ : state) {
    state.PauseTiming();
    NetworkOptions options;
    options.frame_overhead = Bytes(0);
    options.tracks_connections = false;
    auto plain = std::make_unique<PlainNetwork>(fabric(hosts), options);
    ConstantRate traffic(*plain);
    for (std::uint32_t h = 0; h < hosts; ++h) {
      traffic.add({.flow = plain->open_udp(h, (h + 17) % hosts, static_cast<std::uint16_t>(1'000 + h % 1'000)),
                   .start = Time::start() + Duration::from_ns(static_cast<std::int64_t>((h * 2'654'435'761u) % 8'000)),
                   .interval = 8_us,
                   .bytes = 1030,
                   .packets = packets});
    }
    traffic.start();
    state.ResumeTiming();
    plain->simulator.run();
    state.PauseTiming();
    hops += plain->network.counts().hops;
    plain.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(hops));
}
BENCHMARK(BM_PlainUdp)->Arg(64)->Arg(512)->Arg(4096)->Unit(benchmark::kMillisecond);

// ---- the pod path

/// Eight Deployments behind Services, clients on every node, default deny and the allows that let clients in: policy
/// is asked at both ends of each connection.
std::string shop(std::uint32_t nodes) {
  std::string yaml = fmt::format(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {{namespace: front, name: client}}
spec:
  replicas: {}
  selector: {{matchLabels: {{app: client}}}}
  template: {{metadata: {{labels: {{app: client}}}}, spec: {{containers: [{{name: c}}]}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{namespace: front, name: out}}
spec:
  podSelector: {{}}
  policyTypes: [Ingress, Egress]
  egress: [{{to: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: back}}}}}}], ports: [{{port: 8080}}]}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{namespace: back, name: in}}
spec:
  podSelector: {{}}
  policyTypes: [Ingress, Egress]
  ingress: [{{from: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: front}}}}}}], ports: [{{port: 8080}}]}}]
)",
                                 nodes);
  for (int i = 0; i < 8; ++i) {
    yaml += fmt::format(R"(---
apiVersion: apps/v1
kind: Deployment
metadata: {{namespace: back, name: web-{0}}}
spec:
  replicas: {1}
  selector: {{matchLabels: {{app: web-{0}}}}}
  template: {{metadata: {{labels: {{app: web-{0}}}}}, spec: {{containers: [{{name: c, ports: [{{containerPort: 8080}}]}}]}}}}
---
apiVersion: v1
kind: Service
metadata: {{namespace: back, name: web-{0}}}
spec: {{selector: {{app: web-{0}}}, clusterIP: 10.96.9.{2}, ports: [{{port: 80, targetPort: 8080}}]}}
)",
                        i, nodes / 8, 10 + i);
  }
  return yaml;
}

/// Closed loops: each connects to a Service, asks with 300 bytes, gets 4 KiB, closes, and starts again.
class Shoppers {
 public:
  Shoppers(test::Town& town, std::uint32_t loops) : town_(town) {
    const auto& pods = town.cluster().pods;
    client_ = town.transport().add_application<&Shoppers::on_client>(*this);
    town.transport().serve_all(IpProtocol::tcp, town.transport().add_application<&Shoppers::on_server>(*this));
    const auto front = town.cluster().find_namespace("front");
    for (std::uint32_t p = 0; p < pods.size(); ++p) {
      if (town.cluster().namespace_of(cluster::PodId(p)) == front) {
        clients_.push_back(p);
      }
    }
    kind_ = town.simulator().on<&Shoppers::connect>(*this, "shopper");
    const des::EventSource source = town.simulator().add_sources(1);
    counts_.resize(loops);
    for (std::uint32_t i = 0; i < loops; ++i) {
      town.simulator().at(Time::start() + Duration::from_ns((std::int64_t{i} * 7'919) % 200'000), source, kind_, i);
    }
  }
  void connect(std::uint32_t loop) {
    town_.transport().connect({.source = End::pod(cluster::PodId(clients_[loop % clients_.size()])),
                               .destination = IpAddress::v4(10, 96, 9, 10 + (loop + counts_[loop]) % 8),
                               .port = Port(80),
                               .identity = {.who = loop, .which = counts_[loop]++},
                               .application = client_,
                               .cookie = loop,
                               .account = 0,
                               .is_traced = false});
  }
  void on_client(const transport::Event& e) {
    switch (e.kind) {
      case transport::EventKind::connected:
        town_.transport().send(e.socket, 300);
        break;
      case transport::EventKind::peer_closed:
        town_.transport().close(e.socket);
        break;
      case transport::EventKind::closed:
      case transport::EventKind::failed:
        ++done;
        failed += e.kind == transport::EventKind::failed ? 1 : 0;
        connect(static_cast<std::uint32_t>(e.cookie));
        break;
      default:
        break;
    }
  }
  void on_server(const transport::Event& e) {
    if (e.kind == transport::EventKind::received) {
      town_.transport().send(e.socket, 4'096);
      town_.transport().close(e.socket);
    }
  }

  std::uint64_t done = 0;
  std::uint64_t failed = 0;

 private:
  test::Town& town_;
  transport::ApplicationId client_;
  des::Kind kind_;
  std::vector<std::uint32_t> clients_;
  std::vector<std::uint32_t> counts_;
};

/// state.range(0) nodes, state.range(1) connections at a time.
void BM_PodPath(benchmark::State& state) {
  const auto nodes = static_cast<std::uint32_t>(state.range(0));
  test::TownOptions options;
  options.profile = "calico-vxlan";
  options.nodes = nodes;
  options.underlay = fabric(nodes);
  test::Town town(shop(nodes), options);
  Shoppers shoppers(town, static_cast<std::uint32_t>(state.range(1)));
  town.run_for(nodes > 1'000 ? 6_ms : 20_ms);  // three connections' lives and more: every loop is in its stride
  const std::uint64_t first_hops = town.network().counts().hops;
  const std::uint64_t first_done = shoppers.done;
  const std::uint64_t first_events = town.simulator().event_count();
  for (auto _ : state) {
    town.run_for(1_ms);
  }
  const std::uint64_t hops = town.network().counts().hops - first_hops;
  state.SetItemsProcessed(static_cast<std::int64_t>(hops));
  state.counters["connections/s"] =
      benchmark::Counter(static_cast<double>(shoppers.done - first_done), benchmark::Counter::kIsRate);
  state.counters["events/hop"] =
      static_cast<double>(town.simulator().event_count() - first_events) / static_cast<double>(hops);
  state.counters["failed"] = static_cast<double>(shoppers.failed);
  state.counters["MiB"] =
      static_cast<double>(town.network().memory_bytes() + town.transport().memory_bytes()) / (1 << 20);
}
BENCHMARK(BM_PodPath)->Args({64, 256})->Args({64, 4'096})->Args({4'096, 100'000})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace podwire::dataplane

BENCHMARK_MAIN();
