// What a run leaves in its HDF5 file (docs/results.md): one row a counted request while it plays, short tables at the
// end. Without a path nothing is written and nothing is kept.
#pragma once

#include <memory>
#include <optional>

#include "models/transport/transport.hpp"
#include "models/workload/play.hpp"
#include "sim/record/run_writer.hpp"

namespace podwire::workload {

/// One counted request that has ended. Time::never(): it did not get that far.
struct RequestEntry {
  std::uint32_t workload = 0;
  std::uint32_t ordinal = 0;
  cluster::PodId client;  // none: outside
  cluster::PodId server;  // whom its packets were sent to; none: nobody, or outside
  Outcome outcome = Outcome::ok;
  Time arrived;
  Time resolved;
  Time dialled;
  Time established;
  Time ended;
};

class Sampler;

class RequestLog {
 public:
  explicit RequestLog(const RunInput& input);
  bool is_recording() const { return writer_ != nullptr; }
  void add(const RequestEntry& entry);
  /// Writes the tables and completes the file.
  void finish(const RunResult& result, const Sampler& sampler);

 private:
  /// 56 bytes; nanoseconds since the start of the run, -1 for what never came.
  struct Row {
    std::int64_t arrived;
    std::int64_t resolved;
    std::int64_t dialled;
    std::int64_t established;
    std::int64_t ended;
    std::int32_t client;  // into /objects/pods, -1: outside
    std::int32_t server;
    std::uint32_t ordinal;
    std::uint16_t workload;  // into /objects/workloads
    std::uint8_t outcome;
    std::uint8_t unused = 0;
  };
  void write_objects();
  void write_summary(const RunResult& result);
  void write_drops(const RunResult& result);
  void write_changes(const RunResult& result);
  void write_histograms(const RunResult& result);

  const RunInput& input_;
  std::unique_ptr<record::RunWriter> writer_;
  record::RowStream<Row> rows_;
};

}  // namespace podwire::workload
