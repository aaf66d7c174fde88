// A scenario file as written, typed and checked as far as one can without the cluster: names are still text, each with
// its place, to be resolved against the cluster later (see load.hpp). docs/scenario.md is its reference for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/scenario/settings.hpp"
#include "models/cluster/cluster.hpp"
#include "models/cluster/snapshot.hpp"
#include "models/cni/profile.hpp"
#include "models/dns/zone.hpp"
#include "models/workload/spec.hpp"

namespace podwire::scenario {

/// A text of the file with its place.
struct Text {
  std::string text;
  Span span = {};
  bool empty() const { return text.empty(); }
};

/// The network plugin as the file or the command line names it.
struct CniChoice {
  Text profile = {};  // "auto", or a profile's name, with or without "@VERSION"
  cni::Overrides overrides = {};
  bool is_from_command_line = false;
};

struct ClusterFile {
  std::vector<Text> from;  // layers, later ones replace earlier ones
  cluster::ClusterOptions options;
  std::string kubernetes_version = "auto";  // as written; "auto": what Node objects say, if they do
  CniChoice cni;
  workload::UnderlaySpec underlay;
  dns::ExternalRecords externals;  // outside names and their addresses
  Span span = {};
};

struct PolicySetFile {
  std::string name;
  bool starts_from_cluster = true;  // base: cluster
  std::vector<Text> apply = {};
  std::vector<Text> remove = {};      // `delete`: namespace/networkpolicy/name
  std::vector<Text> namespaces = {};  // policies that name no namespace are stamped into each of these
  Span span = {};
};

struct WorkloadFile {
  workload::WorkloadSpec spec;  // everything but `from` and `to`
  Text from;
  Text to;
  std::optional<Port> port;
  Span span = {};
  /// `fromEnv: true`: stands for a workload for each connection that its sources declare (see declared_workloads.hpp).
  bool is_declared = false;
  std::vector<Text> only_from = {};  // namespaces, workloads and pods; empty: every workload
};

/// What became of a workload with `fromEnv: true`.
struct WorkloadGroup {
  std::string name;
  std::size_t first = 0;  // in ScenarioFile::workloads
  std::size_t count = 0;
};

/// `>= 99.9%`, `< 5ms`, `0`: a bound on a measured number.
struct Threshold {
  enum class Compare : std::uint8_t { less, at_most, equal, at_least, greater } compare = Compare::equal;
  double value = 0.0;  // a fraction, seconds, or a count
  std::string text;    // as written
  Span span = {};
  bool holds(double measured) const;
};

enum class Verdict : std::uint8_t { allowed, denied, unknown };
/// "allowed", "denied", "unknown".
std::string_view to_string(Verdict verdict);

/// What is bounded in an expectation on a workload.
enum class Measure : std::uint8_t { success, requests, outcome, dns_quantile, connect_quantile, total_quantile };

struct MeasureBound {
  Measure measure = Measure::success;
  workload::Outcome outcome = workload::Outcome::ok;
  double quantile = 0.0;
  std::string name;  // as the file writes it: "success", "p99", "dns.p50", "outcome.dns-timeout"
  Threshold threshold = {};
};

/// One item of `expect`: either a verdict on a connection or bounds on a workload.
struct ExpectationFile {
  std::vector<Text> policy_sets;  // empty: every policy set
  Text from;
  Text to;
  std::optional<IpProtocol> protocol;
  Port port;
  std::optional<Verdict> verdict;
  /// Of a verdict: once every change made by then is in force; nothing: at the beginning. Of a workload: of the
  /// requests that arrived between the last change made by then and the next; nothing: of all.
  std::optional<Duration> at;
  Text workload;
  std::vector<MeasureBound> bounds;
  Span span = {};
};

struct RunFile {
  Duration warmup = Duration::from_s(1);
  Duration duration = Duration::from_s(10);
  std::vector<std::uint64_t> seeds = {1};
  Duration sample = {};  // of the record files' series
};

/// Labels of one pod or namespace, as `kubectl label` changes them.
struct EventLabels {
  Text object;  // namespace/pod/name, or namespace/<name of a namespace>
  cluster::LabelChange change;
  Span span = {};
};

/// A JSON merge patch of one object, as `kubectl patch --type merge` takes it.
struct EventPatch {
  Text object;         // as delete names it
  config::Node merge;  // a mapping, of a document that lives as long as the load
  Span span = {};
};

/// One item of `events`.
struct EventFile {
  Duration at;                    // after the warm-up
  std::vector<Text> policy_sets;  // empty: every policy set
  std::vector<Text> apply;
  std::vector<Text> remove;  // `delete`
  std::vector<EventLabels> labels;
  std::vector<EventPatch> patches;
  Span span = {};
};

struct ScenarioFile {
  std::string name;
  std::string description;
  ClusterFile cluster;
  std::vector<PolicySetFile> policy_sets;  // in the file's order; never empty: "current" when the file names none
  std::vector<WorkloadFile> workloads;
  std::vector<WorkloadGroup> groups;  // once declared connections are known
  RunFile run;
  std::vector<EventFile> events;  // in the file's order
  std::vector<ExpectationFile> expectations;
};

/// Reads one document. Every problem is reported; what could be read is returned all the same, so that later stages can
/// report theirs too. Errors: those of sim/config; not-a-scenario, unknown-version, not-supported-yet, missing-key,
/// bad-value, bad-threshold, duplicate-name, too-many-runs.
ScenarioFile read_scenario_file(config::Node root, Settings& settings, Diagnostics& diagnostics);

/// Whether the document says it is a scenario (`kind: Scenario` of podwire).
bool is_scenario(config::Node root);

/// `7`, `1..3`, `1,5,9`; at most 10,000 of them, ascending ranges. Nothing, and the reason in `problem`, otherwise.
std::optional<std::vector<std::uint64_t>> parse_seeds(std::string_view text, std::string& problem);

/// `5432/TCP`, `53/UDP`, `80` (TCP).
std::optional<std::pair<IpProtocol, Port>> parse_port(std::string_view text);

// The parts of the file, one source file each.
ClusterFile read_cluster_section(Section section);
WorkloadFile read_workload_section(Section& section);
ExpectationFile read_expectation_section(Section& section);

}  // namespace podwire::scenario
