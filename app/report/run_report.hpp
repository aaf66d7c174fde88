// What `podwire run` found, as one summary object from which every format is printed, so that numbers agree everywhere.
//
// A RunView is one run, or all runs of a policy set merged (the table shows these: counts are sums, quantiles are of
// the merged histograms). Texts in it are as the input has them; each printer escapes them for its own format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/report/text_table.hpp"
#include "app/scenario/batch.hpp"

namespace podwire::report {

/// What a policy set's results rest on; they open with it.
struct Basis {
  std::string cluster;     // "12 objects from manifests/, overlay/: 3 nodes, 9 pods, 4 Services"
  std::string kubernetes;  // "v1.29.3, told by the nodes", "1.29, named in scenario.yaml"; "" when nobody says it
  std::string policies;    // "5 NetworkPolicies (base: cluster, plus policies/)"
  std::string cni;         // "calico-vxlan, named in scenario.yaml:9"
  std::string timing;      // "published"; "" when nothing was played
  std::string in_time;     // what of the answer depends on time; "" where nothing does, or it was played
  std::string run;         // "2s warm-up, 30s measured, seeds 1, 2, 3"; likewise
  std::vector<std::pair<std::string, std::string>> assumptions;  // topic, text
  std::vector<std::string> unknown;   // objects that are not modelled and leave verdicts unknown, with places
  std::vector<std::string> ignored;   // accepted by --ignore-kind
  std::string skipped;                // "2 ConfigMap, 1 Ingress": kinds that cannot change a verdict
  std::vector<std::string> settings;  // --set
};

/// Which Kubernetes version the cluster has and who says so; "" when nobody does. No model depends on it yet.
std::string kubernetes_text(const scenario::Scenario& scenario, const scenario::ClusterState& state);

/// Quantiles in seconds; those that the sample cannot support are absent.
struct Latency {
  std::uint64_t count = 0;
  std::optional<double> p50;
  std::optional<double> p90;
  std::optional<double> p99;
};

/// Requests that arrived between two changes.
struct PhaseRow {
  std::string begins;  // "0s", "10.0s": after the warm-up
  std::uint64_t requests = 0;
  std::uint64_t ok = 0;
  std::vector<std::pair<std::string, std::uint64_t>> outcomes;
};

struct WorkloadRow {
  std::string name;
  std::string kind;
  std::string from;
  std::string to;
  std::uint64_t requests = 0;
  std::uint64_t ok = 0;
  std::vector<std::pair<std::string, std::uint64_t>> outcomes;  // those that occurred, in the order of the enumeration
  std::vector<PhaseRow> phases;                                 // empty without changes
  Latency dns;
  Latency connect;
  Latency total;
};

/// A change of the timeline; seconds after the warm-up, over several seeds the earliest and the latest.
struct ChangeLine {
  std::string text;
  double at = 0.0;
  std::optional<double> first_enforced;  // by the first node; nothing when it concerns no policy
  std::optional<double> last_enforced;
};

struct DropLine {
  std::string reason;
  std::string where;
  std::string rule;
  std::string place;     // file:line of the rule
  std::string workload;  // whose packets; "" when nobody's
  std::uint64_t packets = 0;
};

using scenario::ReachRecord;

struct ExpectationLine {
  scenario::ExpectationResult result;
  std::string rule_place;            // file:line
  std::string place;                 // of the expectation
  std::vector<std::uint64_t> seeds;  // merged: those in which it did not pass
  std::size_t seed_count = 1;
};

struct RunView {
  std::string policy_set;
  std::uint64_t seed = 0;   // of one run
  std::string fingerprint;  // of one run, 16 hexadecimal digits; "" when nothing was played
  std::vector<WorkloadRow> workloads;
  std::vector<ChangeLine> changes;
  std::vector<DropLine> drops;
  std::vector<ExpectationLine> expectations;
  workload::PacketCounts packets;
  std::uint64_t events = 0;
  std::vector<std::string> notes;
};

struct SetReport {
  std::string name;
  Basis basis;
  RunView merged;
  std::vector<ReachRecord> reachability;
  std::vector<RunView> runs;
};

struct RunReport {
  std::string name;
  std::string path;
  std::vector<SetReport> policy_sets;
};

/// Expectations over scenarios, each counted once for every policy set it applies to.
struct RunCounts {
  std::size_t scenarios = 0;
  std::size_t expectations = 0;
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t inconclusive = 0;
  std::size_t unknown_sets = 0;  // policy sets with connections that are unknown, or packets lost to it
};

RunReport summarise(const scenario::Scenario& scenario, const scenario::BatchResult& batch, const SourceMap& sources);
RunCounts count(const std::vector<RunReport>& reports);
/// Whether an object that is not modelled leaves some connection unknown.
bool has_unknown(const SetReport& set);
/// What results on a policy set rest on. `was_played`: with timing and run.
Basis basis_of(const scenario::Scenario& scenario, const scenario::PolicySetPlan& plan, const SourceMap& sources,
               bool was_played);
/// The same for one side of a comparison without a clock: what depends on time there is how a change takes effect.
Basis basis_of_change(const scenario::Scenario& scenario, const scenario::PolicySetPlan& plan,
                      const SourceMap& sources);
/// What a result file says about where it comes from, as JSON in a fixed order: version, scenario (with the text of its
/// file), settings, policy sets, seeds, and a hash over all that was read.
std::string provenance_json(const scenario::Scenario& scenario, const SourceMap& sources, const std::string& version);

std::string run_table(const std::vector<RunReport>& reports, const Style& style);
/// One object; of several scenarios one object a line.
std::string run_json(const std::vector<RunReport>& reports);
/// One line for each scenario, policy set, seed and workload.
std::string run_csv(const std::vector<RunReport>& reports);

/// The head of a table: what it rests on, one fact a line.
std::string basis_table(const Basis& basis, const Style& style);

}  // namespace podwire::report
