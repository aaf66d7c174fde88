// `podwire init`: a dump becomes a scenario that people can read, check and change. Every line of its cluster says what
// it was detected from, or that it is assumed and why.
#pragma once

#include <string>
#include <vector>

#include "app/scenario/detect_cluster.hpp"
#include "app/scenario/init_text.hpp"
#include "app/scenario/init_traffic.hpp"
#include "app/scenario/load.hpp"
#include "app/scenario/strip_dump.hpp"

namespace podwire::scenario {

inline constexpr const char* kInitDumpName = "cluster.json";

struct InitPlan {
  std::string scenario_text;  // scenario.yaml
  StrippedDump dump;          // cluster.json beside it
  std::vector<InitFact> facts;
};

/// `name`: metadata.name. `loaded` are manifests, loaded with LoadOptions::keeps_objects. `traffic`: what to play, if
/// flows were recorded; null otherwise.
InitPlan plan_init(SourceMap& sources, const Scenario& loaded, const std::string& name,
                   const InitTraffic* traffic = nullptr);

/// The read-only commands that collect what podwire reads, as a shell script.
std::string collect_script();

}  // namespace podwire::scenario
