// One run: a cluster, its compiled policies and a workload, played under one seed. The whole of what app/ needs from
// the simulation is play(): everything under it (network, transport, DNS, control) is put together inside.
//
// A run is warm-up, measured duration and drain. Requests that arrive in [warmup, warmup + duration) are counted and
// played to their end; the loops keep arriving while these drain, uncounted, so that the load does not fall away.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "models/control/timeline.hpp"
#include "models/dns/zone.hpp"
#include "models/policy/engine.hpp"
#include "models/topology/underlay.hpp"
#include "models/workload/spec.hpp"
#include "sim/stats/histogram.hpp"

namespace podwire::workload {

/// Shared with whoever watches a run from another thread; both are only read or set, never waited on.
struct RunControl {
  std::atomic<bool> stop{false};              // set: the run ends at the next opportunity (a few thousand events)
  std::atomic<std::int64_t> simulated_ps{0};  // how far it is, of RunInput::end()
};

/// A line of the reachability matrix, for the record file alone.
struct ReachabilityRow {
  std::string source;
  std::string destination;
  std::string connections;
};

/// A change of the timeline as it went: times count from the start of the run, warm-up included.
struct ChangeRow {
  std::string text;
  Duration made;
  bool concerns_policy = false;  // nodes act on it: the two times below mean something
  Duration first_enforced;       // by the first node
  Duration last_enforced;        // by the last
};

struct RunInput {
  policy::PolicyEngine* engine = nullptr;  // brings cluster, policies and profile; used by this run's thread alone
  const control::TimelineInput* timeline = nullptr;  // what changes; its first state is the engine's. Null: nothing
  std::span<const WorkloadSpec> workloads;
  UnderlaySpec underlay;
  std::uint64_t seed = 1;
  Duration warmup;
  Duration duration;
  RunControl* control = nullptr;                       // may be null
  std::filesystem::path record_path;                   // the HDF5 file to write; empty: none
  std::string provenance;                              // canonical JSON, written as it is
  std::span<const ReachabilityRow> reachability = {};  // written as it is
  dns::ExternalRecords externals = {};                 // outside names that exist, normalised; others are NXDOMAIN
  Duration sample = {};     // how often /series of the record file is sampled; zero: never. Changes no result
  bool plain_heap = false;  // des::SimulatorOptions::plain_heap: changes no result
  Time end() const { return Time::start() + warmup + duration; }
};

/// Lost packets of one kind at one place.
struct DropRow {
  std::string reason;         // "policy-denied", "queue-full", "link-loss", "conntrack-full", "no-route", "mtu" …
  std::string where;          // "egress-policy on node-1", "leaf-0 port 3"
  std::string rule;           // PolicyEngine::deciding_rule of the verdict, for policy drops; "" otherwise
  Span span;                  // where that rule is written; unknown otherwise
  WorkloadIndex workload;     // whose packet it was, both directions and its DNS queries; none when it is nobody's
  std::uint64_t packets = 0;  // whole run, warm-up included, so that conservation holds
};

/// Requests that arrived between two changes.
struct PhaseCounts {
  std::uint64_t requests = 0;
  std::array<std::uint64_t, kOutcomeCount> outcomes = {};
  stats::Histogram dns;  // as WorkloadResult has them
  stats::Histogram connect;
  stats::Histogram total;
};

/// Requests counted in the measured window, and how long each part of them took, over those that completed that part.
struct WorkloadResult {
  std::uint64_t requests = 0;
  std::array<std::uint64_t, kOutcomeCount> outcomes = {};  // sums to `requests`
  std::vector<PhaseCounts> phases;  // before the first change, after it, … ; empty without changes
  stats::Histogram dns;             // picoseconds: arrival to address known; empty when nothing was resolved
  stats::Histogram connect;         // picoseconds: first SYN to established; empty for UDP and DNS
  stats::Histogram total;           // picoseconds: arrival to the last byte, ok requests only
  std::uint64_t count(Outcome outcome) const { return outcomes[static_cast<std::size_t>(outcome)]; }
};

/// sent = delivered + dropped + in_flight, always. A packet counts once, end to end, whatever its hops.
struct PacketCounts {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;
  std::uint64_t dropped = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t hops = 0;  // link traversals
};

struct RunResult {
  std::vector<WorkloadResult> workloads;  // as RunInput::workloads
  std::vector<DropRow> drops;             // most packets first; ties by reason, where, rule
  std::vector<ChangeRow> changes;
  PacketCounts packets;
  std::uint64_t events = 0;
  std::uint64_t fingerprint = 0;
  Duration simulated;
  bool is_interrupted = false;     // stopped early: counts are of what was played
  std::vector<std::string> notes;  // what was assumed on the way: "3 listeners assumed on …"
  std::uint64_t memory_bytes = 0;  // of the engine's own pools at their largest
};

/// Plays one run. Throws BrokenContract for a bug of ours and EnvironmentError when the record file cannot be written
/// (no partial file is left under `record_path`). Same input, same result, on every machine.
RunResult play(const RunInput& input);

}  // namespace podwire::workload
