// From paths to something that can be judged and played: a Scenario holds, for each policy set, a resolved cluster, the
// policies in force, the profile, and the workloads and expectations with their names resolved to ids.
//
// Reading goes on after a problem, so that all problems of an input are reported at once; a stage is skipped only when
// what it needs is missing. Nothing here has a clock; what plays a Scenario is batch.hpp.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/scenario/declared.hpp"
#include "app/scenario/events.hpp"
#include "app/scenario/file.hpp"
#include "models/analysis/entry_points.hpp"
#include "models/cluster/cluster.hpp"
#include "models/cni/profile.hpp"
#include "models/policy/policy.hpp"
#include "models/workload/spec.hpp"

namespace podwire::scenario {

/// What the command line adds to the files.
struct LoadOptions {
  std::vector<std::string> settings;                 // --set PATH=VALUE
  std::optional<std::string> cni;                    // --cni
  std::optional<std::vector<std::uint64_t>> seeds;   // --seed
  std::vector<std::string> ignored_kinds;            // --ignore-kind
  std::vector<std::string> policy_sets;              // --policy-set; empty: all
  std::vector<std::filesystem::path> allowed_paths;  // --allow-path
  std::optional<std::string> standard_input;         // text for a path "-"
  bool requires_scenario = false;                    // plain manifests are refused
  bool adds_dns = false;                             // plain manifests without cluster DNS get one, as scenarios do
  bool keeps_objects = false;                        // the objects stay at hand: PolicySetPlan::stores
  bool is_probe = false;                             // events of a scenario are left out
  bool reads_declared = false;                       // what containers declare is read: ClusterState::declared
  std::vector<std::string> steps;  // --step: files that are applied one after another, each an event of its own
};

/// The cluster that one or more policy sets share.
struct ClusterState {
  cluster::Cluster cluster;
  cni::Profile profile;              // that is played
  std::vector<cni::Profile> others;  // that the plugin may as well be like: its version lies between two profiles
  std::vector<std::string> kubelet_versions;  // what Node objects of a dump say, oldest first, each once
  std::string cni_choice;  // how the profile was chosen: "named in scenario.yaml:9", "detected from DaemonSet …"
  analysis::EntryPoints entry_points;  // what Ingresses, HTTPRoutes and Services let in from outside
  DeclaredTraffic declared;            // what containers declare; empty unless somebody asks
};

/// One connection's ends with ids: every source pod to every backend.
struct ConnectionSpec {
  struct Destination {
    cluster::PodId pod;  // none: an address that is no pod's
    IpAddress ip;
    Port port;  // as the pod sees it, after Service translation; unset: every port
  };
  workload::Source from = {};
  std::string to = {};  // as results write it
  std::vector<Destination> destinations = {};
  IpProtocol protocol = IpProtocol::tcp;
  Port dialled;               // the port before translation; unset: every port
  IpAddress service_ip = {};  // the Service's own address, where there is one and it was dialled
};

/// One expectation as it applies to one policy set.
struct Expectation {
  const ExpectationFile* file = nullptr;
  std::size_t number = 0;                         // position in the file, from 0
  std::optional<ConnectionSpec> connection = {};  // for a verdict
  std::size_t workload = 0;                       // index, for bounds
  std::size_t workload_count = 1;                 // from there on: those of a group are taken together
  std::size_t state = 0;  // of the policy set's timeline, for a verdict or a phase; 0: the first
};

struct PolicySetPlan {
  std::string name = {};
  const ClusterState* state = nullptr;
  policy::PolicySet policies = {};
  std::unique_ptr<policy::DomainTable> names = {};  // of domainNames rules, as the externals say; null: nothing to say
  std::vector<workload::WorkloadSpec> workloads = {};
  std::vector<Expectation> expectations = {};
  std::unique_ptr<TimelinePlan> timeline = {};           // null: nothing changes
  std::vector<const cluster::ObjectStore*> stores = {};  // the layers, then what is applied; if they are kept
  bool is_complete = true;                               // else some of its policies could not be read
  const cluster::Cluster& cluster() const { return state->cluster; }
  const cni::Profile& profile() const { return state->profile; }
};

/// What was loaded. Movable; what it points to stays in place.
struct Scenario {
  std::string path;           // as the user wrote it
  bool is_manifests = false;  // plain manifests: one policy set, nothing to play
  std::unique_ptr<ScenarioFile> file;
  std::vector<std::unique_ptr<ClusterState>> clusters;
  std::unique_ptr<cluster::Cluster> all_pods;  // the union that timelines are snapshots of; null without events
  std::vector<PolicySetPlan> policy_sets;
  std::vector<std::unique_ptr<cluster::ObjectStore>> stores;  // if they are kept
  std::vector<std::string> sources;                           // the layers, as written
  std::vector<std::string> settings;                          // --set texts, for the provenance
  std::size_t document_count = 0;
  const RunFile& run() const { return file->run; }
  /// metadata.name, else the path.
  const std::string& name() const { return file->name.empty() ? path : file->name; }
};

/// Loads one scenario (its file, or a folder with scenario.yaml) or, where that is allowed, the manifests that `paths`
/// name as layers; "-" is standard input. Errors: those of sim/config, models/cluster, cni, policy and the scenario
/// file; no-such-file, not-a-scenario, unknown-policy-set, unknown-object, ambiguous-name, no-running-pod, bad-target,
/// not-supported-yet.
Result<Scenario> load(SourceMap& sources, const std::vector<std::string>& paths, const LoadOptions& options);

/// The same for objects that were read elsewhere, as plain manifests are; `shown` says where they come from. The result
/// keeps nothing of the store.
Result<Scenario> load_objects(SourceMap& sources, const cluster::ObjectStore& store,
                              const std::vector<std::string>& shown, const LoadOptions& options);

}  // namespace podwire::scenario
