// Recorded flows as verbs read them: several logs in the order of their records' times, so that what the ends of a
// connection report meets. Standard input is read as it comes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/flows/merge.hpp"
#include "models/flows/reader.hpp"
#include "sim/base/diagnostic.hpp"

namespace podwire::cli {

class FlowLogs {
 public:
  explicit FlowLogs(std::vector<std::string> names) : names_(std::move(names)) {}

  bool open(Diagnostics& diagnostics);

  /// Hands out every record: visit(flow, file, line).
  template <class Visit>
  void each(Visit visit) {
    for (;;) {
      std::size_t earliest = logs_.size();
      for (std::size_t i = 0; i < logs_.size(); ++i) {
        if (logs_[i].has_flow && (earliest == logs_.size() || logs_[i].flow.time < logs_[earliest].flow.time)) {
          earliest = i;
        }
      }
      if (earliest == logs_.size()) {
        return;
      }
      Log& log = logs_[earliest];
      visit(log.flow, static_cast<std::uint32_t>(earliest), log.reader.line_number());
      log.has_flow = log.reader.next(log.flow);
    }
  }

  /// Maps the ends of every record and puts records together; `merger` is finished then.
  void play_into(flows::EndMapper& mapper, flows::Merger& merger);

  std::size_t size() const { return logs_.size(); }
  const flows::FlowReader& reader(std::size_t log) const { return logs_[log].reader; }
  std::uint64_t records() const;

 private:
  struct Log {
    flows::FlowReader reader;
    flows::Flow flow;
    bool has_flow = false;
  };
  std::vector<std::string> names_;
  std::vector<Log> logs_;
};

}  // namespace podwire::cli
