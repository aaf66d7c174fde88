// Packet-hops a second; an item is one link traversal. Deliveries are counted and hashed.
//
// Plain UDP: 64 machines on a leaf-spine of 8 × 8 with 4 spines at 10/40 Gbit/s, 1,030-byte packets every 8 µs from
// each, ECMP, drop-tail; the case of the engines' comparison, played by the network that pods use, its machines' work
// taking no time. A run records nothing of packets alone, so there is nothing to turn on.
// Pod path: connections through Services, policy at both ends, conntrack, VXLAN and node CPUs. `recorded` writes a row
// a connection into an HDF5 file, as `podwire run --record` does for each request.
// Bare: the yardstick (bare_loop.hpp), the same fabric in the same run.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "bench/bare_loop.hpp"
#include "sim/record/run_writer.hpp"
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

/// Resident memory of the process, MiB.
double resident_mib() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  statm >> all >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

/// state.range(0) machines, each sending 10,000 packets (fewer in larger fabrics).
void BM_PlainUdp(benchmark::State& state) {
  const auto hosts = static_cast<std::uint32_t>(state.range(0));
  const std::uint64_t packets = 640'000 / hosts;
  std::uint64_t hops = 0;
  double mib = 0;
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
    mib = static_cast<double>(plain->network.memory_bytes()) / (1 << 20);
    plain.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(hops));
  state.counters["MiB"] = mib;
  state.counters["resident_MiB"] = resident_mib();
}
BENCHMARK(BM_PlainUdp)->Arg(64)->Arg(512)->Arg(4096)->Unit(benchmark::kMillisecond);

template <class Events>
void BM_BareUdp(benchmark::State& state) {
  const auto hosts = static_cast<std::uint32_t>(state.range(0));
  const topology::Underlay underlay(fabric(hosts));
  std::uint64_t hops = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto loop = std::make_unique<bench::BareLoop<Events>>(
        underlay, bench::BareOptions{.flows = hosts, .packets = 640'000 / hosts, .interval = 8_us, .work = {}});
    state.ResumeTiming();
    hops += loop->run_until(Time::never());
    state.PauseTiming();
    loop.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(hops));
}
BENCHMARK(BM_BareUdp<bench::BareHeap>)->Arg(64)->Arg(4096)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_BareUdp<des::EventSet>)->Arg(64)->Arg(512)->Arg(4096)->Unit(benchmark::kMillisecond);

/// state.range(0) machines of four cores, state.range(1) flows of one packet that goes to and fro.
template <class Events>
void BM_BareCores(benchmark::State& state) {
  const auto hosts = static_cast<std::uint32_t>(state.range(0));
  const topology::Underlay underlay(fabric(hosts));
  bench::BareLoop<Events> loop(underlay, {.flows = static_cast<std::uint32_t>(state.range(1)),
                                          .packets = 0,
                                          .interval = {},
                                          .bytes = 300,
                                          .cores = 4,
                                          .work = 500_ns});
  const Duration step = state.range(1) > 10'000 ? 20_us : 1_ms;
  Time end = Time::start() + step * 3;
  const std::uint64_t before = loop.run_until(end);
  std::uint64_t hops = before;
  for (auto _ : state) {
    end = end + step;
    hops = loop.run_until(end);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(hops - before));
}
BENCHMARK(BM_BareCores<bench::BareHeap>)->Args({64, 256})->Args({4'096, 100'000})->Unit(benchmark::kMillisecond);
BENCHMARK(BM_BareCores<des::EventSet>)
    ->Args({64, 256})
    ->Args({64, 4'096})
    ->Args({4'096, 100'000})
    ->Unit(benchmark::kMillisecond);

// ---- the pod path

/// What `podwire run --record` leaves of a request, a connection here: the same 56 bytes, compressed by a thread
/// beside.
class ConnectionLog {
 public:
  struct Row {
    std::int64_t arrived;
    std::int64_t resolved;
    std::int64_t dialled;
    std::int64_t established;
    std::int64_t ended;
    std::int32_t client;
    std::int32_t server;
    std::uint32_t ordinal;
    std::uint16_t workload;
    std::uint8_t outcome;
    std::uint8_t unused = 0;
  };
  ConnectionLog() : path_(std::filesystem::temp_directory_path() / fmt::format("podwire-bench-{}.h5", ::getpid())) {
    writer_.emplace(path_);
    rows_ = writer_->add_stream<Row>(
        {.path = "/requests",
         .dimension = "request",
         .row_bytes = 0,
         .columns = {PODWIRE_STREAM_COLUMN(Row, arrived, "ns", ""), PODWIRE_STREAM_COLUMN(Row, resolved, "ns", ""),
                     PODWIRE_STREAM_COLUMN(Row, dialled, "ns", ""), PODWIRE_STREAM_COLUMN(Row, established, "ns", ""),
                     PODWIRE_STREAM_COLUMN(Row, ended, "ns", ""), PODWIRE_STREAM_COLUMN(Row, client, "", ""),
                     PODWIRE_STREAM_COLUMN(Row, server, "", ""), PODWIRE_STREAM_COLUMN(Row, ordinal, "", ""),
                     PODWIRE_STREAM_COLUMN(Row, workload, "", ""), PODWIRE_STREAM_COLUMN(Row, outcome, "", "")}});
  }
  ~ConnectionLog() {
    writer_.reset();
    std::filesystem::remove(path_);
  }
  ConnectionLog(const ConnectionLog&) = delete;
  ConnectionLog& operator=(const ConnectionLog&) = delete;
  void add(const Row& row) { rows_.append(row); }

 private:
  std::filesystem::path path_;
  std::optional<record::RunWriter> writer_;
  record::RowStream<Row> rows_;
};

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
  /// `log` may be null.
  Shoppers(test::Town& town, std::uint32_t loops, ConnectionLog* log) : town_(town), log_(log) {
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
    times_.resize(loops);
    for (std::uint32_t i = 0; i < loops; ++i) {
      town.simulator().at(Time::start() + Duration::from_ns((std::int64_t{i} * 7'919) % 200'000), source, kind_, i);
    }
  }
  void connect(std::uint32_t loop) {
    times_[loop].dialled = town_.simulator().now();
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
        times_[static_cast<std::uint32_t>(e.cookie)].established = town_.simulator().now();
        town_.transport().send(e.socket, 300);
        break;
      case transport::EventKind::peer_closed:
        town_.transport().close(e.socket);
        break;
      case transport::EventKind::closed:
      case transport::EventKind::failed:
        ++done;
        failed += e.kind == transport::EventKind::failed ? 1 : 0;
        write_down(e);
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
  struct Times {
    Time dialled;
    Time established;
  };
  void write_down(const transport::Event& e) {
    if (log_ == nullptr) {
      return;
    }
    const auto loop = static_cast<std::uint32_t>(e.cookie);
    const Times& times = times_[loop];
    log_->add({.arrived = times.dialled.ns(),
               .resolved = -1,
               .dialled = times.dialled.ns(),
               .established = times.established.ns(),
               .ended = town_.simulator().now().ns(),
               .client = static_cast<std::int32_t>(clients_[loop % clients_.size()]),
               .server = static_cast<std::int32_t>((loop + counts_[loop]) % 8),
               .ordinal = counts_[loop],
               .workload = 0,
               .outcome = static_cast<std::uint8_t>(e.kind == transport::EventKind::failed ? 1 : 0)});
  }

  test::Town& town_;
  ConnectionLog* log_;
  transport::ApplicationId client_;
  des::Kind kind_;
  std::vector<std::uint32_t> clients_;
  std::vector<std::uint32_t> counts_;
  std::vector<Times> times_;
};

/// state.range(0) nodes, state.range(1) connections at a time, state.range(2): whether they are recorded.
void BM_PodPath(benchmark::State& state) {
  const auto nodes = static_cast<std::uint32_t>(state.range(0));
  test::TownOptions options;
  options.profile = "calico-vxlan";
  options.nodes = nodes;
  options.underlay = fabric(nodes);
  test::Town town(shop(nodes), options);
  std::optional<ConnectionLog> log;
  if (state.range(2) != 0) {
    log.emplace();
  }
  Shoppers shoppers(town, static_cast<std::uint32_t>(state.range(1)), log ? &*log : nullptr);
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
  const auto bytes = static_cast<double>(town.network().memory_bytes() + town.transport().memory_bytes());
  state.counters["MiB"] = bytes / (1 << 20);  // network and transport, conntrack's queues among them
  state.counters["B/connection"] =
      static_cast<double>(town.network().flow_bytes()) / static_cast<double>(state.range(1));
  state.counters["resident_MiB"] = resident_mib();
}
BENCHMARK(BM_PodPath)
    ->ArgNames({"nodes", "connections", "recorded"})
    ->Args({64, 256, 1})
    ->Args({64, 4'096, 1})
    ->Args({4'096, 100'000, 1})
    ->Args({64, 256, 0})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace podwire::dataplane

BENCHMARK_MAIN();
