// The mesh of probes of `podwire probe`: each pod to each Service (or pod) on each given protocol and port, played
// before the first step and after each one, and put into words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/scenario/load.hpp"
#include "models/workload/probes.hpp"

namespace podwire::scenario {

enum class ProbeTarget : std::uint8_t {
  service,     // by name, resolved by the pod's resolver
  service_ip,  // the Service's own address; headless Services have none and are left out
  pod,         // pods' addresses
};

struct ProbePort {
  IpProtocol protocol = IpProtocol::tcp;
  Port port;
  auto operator<=>(const ProbePort&) const = default;
  std::string to_string() const;  // "TCP/80"
};
/// `TCP/80`, in any case.
std::optional<ProbePort> parse_probe_port(std::string_view text);

struct ProbeOptions {
  ProbeTarget target = ProbeTarget::service;
  std::vector<ProbePort> ports;
  std::optional<Duration> at;  // meshes begin so long after their step, whether or not it is in force
  std::uint64_t seed = 1;
  bool explains_allowed = false;  // ProbeRow::because also for what was let through
};

/// One probe. Names are `namespace/pod` and `namespace/service`.
struct ProbeRow {
  std::uint32_t source = 0;       // into ProbeStep::sources
  std::uint32_t destination = 0;  // into ProbeStep::destinations
  std::uint32_t port = 0;         // into ProbeOptions::ports
  workload::ProbeVerdict verdict = workload::ProbeVerdict::denied;
  workload::Outcome outcome = workload::Outcome::ok;
  std::string because;  // what decided; of an allowed probe what let it through, when it was asked for
  Span span;
};

struct ProbeStep {
  std::string text;  // "apply NetworkPolicy x/deny"; "" for the first
  Duration changed;
  Duration begun;
  std::vector<std::string> sources;       // in order of name
  std::vector<std::string> destinations;  // likewise
  std::vector<ProbeRow> rows;             // by source, destination, port
};

struct ProbeResult {
  std::vector<ProbeStep> steps;
  std::vector<std::string> notes;
  std::uint64_t fingerprint = 0;
};

/// Plays the meshes. Where the plugin's version lies between two profiles, it is played under both, and what differs is
/// unknown.
ProbeResult probe(const Scenario& scenario, const PolicySetPlan& plan, const ProbeOptions& options);

/// What was measured elsewhere, beside what was played.
struct ProbeComparison {
  struct Row {
    std::size_t step = 0;
    std::string source;
    std::string destination;
    std::string port;
    std::string played;    // "true", "false", "unknown"; "" when it was not played
    std::string measured;  // likewise
    std::string because;   // the deciding rules
    Span span;
  };
  std::vector<Row> disagreements;
  std::vector<Row> missing;  // on either side
  std::size_t compared = 0;
  bool is_empty() const { return disagreements.empty() && missing.empty(); }
};

/// Reads `step,source,destination,protocol,port,allowed` with its header. Errors: bad-measurement, duplicate-row.
std::optional<ProbeComparison> compare_probes(const ProbeResult& result, const ProbeOptions& options,
                                              std::string_view csv, SourceId source, Diagnostics& diagnostics);

/// "true", "false" or "unknown", as in CSV.
std::string_view csv_verdict(workload::ProbeVerdict verdict);

}  // namespace podwire::scenario
