// Recording requests: bytes of rows per second through the whole way (append, shuffle, deflate, write, sync), and what
// an append costs the simulation's thread while the writer keeps up.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "sim/record/run_writer.hpp"

namespace {

using namespace podwire::record;

/// 64 bytes, as a request is recorded.
struct Request {
  std::int64_t start_ns;
  std::int64_t total_ns;
  std::int32_t dns_ns;
  std::int32_t connect_ns;
  std::int32_t server_ns;
  std::uint32_t source;
  std::uint32_t destination;
  std::uint32_t flow;
  std::uint32_t bytes_out;
  std::uint32_t bytes_in;
  std::uint32_t rule;
  std::uint16_t port;
  std::uint8_t outcome;
  std::uint8_t attempts;
  std::uint64_t id;
};
static_assert(sizeof(Request) == 64);

StreamSpec spec() {
  return {.path = "/requests",
          .dimension = "request",
          .columns = {
              PODWIRE_STREAM_COLUMN(Request, start_ns, "ns", ""), PODWIRE_STREAM_COLUMN(Request, total_ns, "ns", ""),
              PODWIRE_STREAM_COLUMN(Request, dns_ns, "ns", ""), PODWIRE_STREAM_COLUMN(Request, connect_ns, "ns", ""),
              PODWIRE_STREAM_COLUMN(Request, server_ns, "ns", ""), PODWIRE_STREAM_COLUMN(Request, source, "", ""),
              PODWIRE_STREAM_COLUMN(Request, destination, "", ""), PODWIRE_STREAM_COLUMN(Request, flow, "", ""),
              PODWIRE_STREAM_COLUMN(Request, bytes_out, "byte", ""),
              PODWIRE_STREAM_COLUMN(Request, bytes_in, "byte", ""), PODWIRE_STREAM_COLUMN(Request, rule, "", ""),
              PODWIRE_STREAM_COLUMN(Request, port, "", ""), PODWIRE_STREAM_COLUMN(Request, outcome, "", ""),
              PODWIRE_STREAM_COLUMN(Request, attempts, "", ""), PODWIRE_STREAM_COLUMN(Request, id, "", "")}};
}

/// Plausible values: growing times, latencies of some entropy, ids of small ranges.
Request row(std::uint64_t i) {
  std::uint64_t h = (i + 1) * 0x9e37'79b9'7f4a'7c15u;
  h = (h ^ h >> 29) * 0xbf58'476d'1ce4'e5b9u;
  h ^= h >> 32;
  const auto noise = static_cast<std::uint32_t>(h >> 32);
  return {.start_ns = static_cast<std::int64_t>(i * 5'000 + noise % 5'000),
          .total_ns = 400'000 + noise % 200'000,
          .dns_ns = static_cast<std::int32_t>(noise % 3 == 0 ? 150'000 + noise % 1'000 : 0),
          .connect_ns = static_cast<std::int32_t>(90'000 + noise % 4'000),
          .server_ns = static_cast<std::int32_t>(100'000 + noise % 100'000),
          .source = noise % 100,
          .destination = noise / 100 % 50,
          .flow = static_cast<std::uint32_t>(i),
          .bytes_out = 300,
          .bytes_in = 4096,
          .rule = noise % 7,
          .port = 8080,
          .outcome = static_cast<std::uint8_t>(noise % 200 == 0),
          .attempts = 1,
          .id = i};
}

void RecordRequests(benchmark::State& state) {
  const auto rows = static_cast<std::uint64_t>(state.range(0));
  const auto path = std::filesystem::temp_directory_path() / "podwire-bench.h5";
  for (auto _ : state) {
    RunWriter writer(path);
    auto stream = writer.add_stream<Request>(spec());
    for (std::uint64_t i = 0; i < rows; ++i) {
      stream.append(row(i));
    }
    writer.close();
  }
  state.counters["compressed"] = static_cast<double>(std::filesystem::file_size(path)) / static_cast<double>(rows * 64);
  std::filesystem::remove(path);
  state.SetBytesProcessed(state.iterations() * state.range(0) * 64);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(RecordRequests)->Arg(2'000'000)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();

/// The loop's side alone: rows that fit the ring, nothing waits.
void AppendRequests(benchmark::State& state) {
  const auto path = std::filesystem::temp_directory_path() / "podwire-bench.h5";
  constexpr std::uint64_t kRows = 4 * 65'536;
  for (auto _ : state) {
    state.PauseTiming();
    RunWriter writer(path);
    auto stream = writer.add_stream<Request>(spec());
    state.ResumeTiming();
    for (std::uint64_t i = 0; i < kRows; ++i) {
      stream.append(row(i));
    }
    state.PauseTiming();
    writer.close();
    state.ResumeTiming();
  }
  std::filesystem::remove(path);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRows));
}
BENCHMARK(AppendRequests)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
