// `podwire init`: a dump becomes a scenario that people can read, check and change. Every line of its cluster says what
// it was detected from, or that it is assumed and why.
#pragma once

#include <string>
#include <vector>

#include "app/scenario/detect_cluster.hpp"
#include "app/scenario/load.hpp"
#include "app/scenario/strip_dump.hpp"

namespace podwire::scenario {

inline constexpr const char* kInitDumpName = "cluster.json";

/// One line about the cluster, for the scenario's comments and for the terminal.
struct InitFact {
  std::string topic;  // "network plugin"
  std::string value;  // "calico-vxlan@3.27.2"
  std::string basis;  // "detected from DaemonSet kube-system/calico-node", "assumed: …"
  bool is_assumed = false;
};

struct InitPlan {
  std::string scenario_text;  // scenario.yaml
  StrippedDump dump;          // cluster.json beside it
  std::vector<InitFact> facts;
};

/// `name`: metadata.name. `loaded` are manifests, loaded with LoadOptions::keeps_objects.
InitPlan plan_init(SourceMap& sources, const Scenario& loaded, const std::string& name);

/// The read-only commands that collect what podwire reads, as a shell script.
std::string collect_script();

}  // namespace podwire::scenario
