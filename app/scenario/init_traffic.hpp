// Recorded traffic as the part of a scenario that plays it: `workloads`, what must `listens` for them, how long to run,
// and, in comments, what was recorded as dropped and what cannot be played.
//
// A workload is a pair of RecordedTraffic at its observed rate. Every line says what it was detected from or that it is
// assumed. What is written resolves against the cluster it was written for: what does not is counted with the reason,
// as is whatever the limit on workloads leaves out, so that the numbers add up to the connections read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/scenario/init_text.hpp"
#include "app/scenario/recorded_traffic.hpp"
#include "models/flows/mapping.hpp"
#include "models/flows/reader.hpp"

namespace podwire::scenario {

struct InitTrafficOptions {
  std::size_t most_workloads = 100;  // the largest are written
  std::vector<std::string> inputs;   // the logs, as written
  std::vector<std::string> notes;    // of the logs: log_notes
};

struct InitTraffic {
  std::string listens;  // lines of spec.cluster
  std::string rest;     // lines of spec: workloads, run, and expect in comments
  std::vector<InitFact> facts;
  std::size_t workloads = 0;
};

/// `strangers`: those of the mapper that gave `traffic` its ends.
InitTraffic plan_traffic(const RecordedTraffic& traffic, const std::vector<flows::StrangerName>& strangers,
                         const InitTrafficOptions& options);

/// What the log's numbers may lack: lines that could not be read, lost events, an end cut off, records that are sums.
std::vector<std::string> log_notes(const std::string& name, flows::LogFormat format,
                                   const flows::LogStatistics& statistics);

}  // namespace podwire::scenario
