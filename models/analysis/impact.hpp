// impact: recorded connections judged under the policies in force and under a candidate's, after the record itself has
// been compared with what the policies in force say (the backtest).
//
// One verdict a distinct (kind of source, kind of destination, protocol, port): pods of one workload that policies
// cannot tell apart are one kind. Memory: the kinds of pairs that occur, up to a limit; beyond it connections are
// judged and counted all the same, without a row. What is not known is unknown, with the cause: an end that cannot be
// mapped, an object that is not modelled, a connection whose record contradicts the model. Predictions are made only
// where the model agrees with the record. Sources: design section 6; ICMP: see judge_icmp in impact_judge.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/flows/merge.hpp"
#include "models/policy/engine.hpp"

namespace podwire::analysis {

enum class ImpactOutcome : std::uint8_t { newly_denied, newly_allowed, unknown, still_allowed, still_denied };
inline constexpr std::size_t kImpactOutcomes = 5;
/// "newly denied", "newly allowed", "unknown", "still allowed", "still denied".
std::string_view to_string(ImpactOutcome outcome);

/// Why an outcome is unknown.
enum class ImpactDoubt : std::uint8_t {
  none,
  unmapped,       // an end is not in the dump
  model,          // the engine's verdict is unknown: an unmodelled object, a conflict, a name not resolved
  contradiction,  // the record and the policies in force disagree
  gone,           // the candidate has no such workload
  no_address,     // the log does not tell the address outside, and policies tell addresses apart
  backends,       // the Service's backends fare differently, or it has none
  icmp,           // some ports are open and some not, and policies say nothing of ICMP
};
inline constexpr std::size_t kImpactDoubts = 8;
std::string_view to_string(ImpactDoubt doubt);

/// One side's word on a pair.
struct ImpactSide {
  policy::Action action = policy::Action::allow;
  ImpactDoubt doubt = ImpactDoubt::none;
  policy::Direction direction = policy::Direction::egress;  // that decided
  std::string rule = {};                                    // "shop/deny ingress rule 0"
  Span span = {};
};

struct ImpactSeen {
  std::uint64_t count = 0;
  flows::Nanoseconds first = flows::kNoTime;
  flows::Nanoseconds last = flows::kNoTime;
  void add(std::uint64_t connections, flows::Nanoseconds from, flows::Nanoseconds to);
};

/// Connections between two workloads (nodes, Services, addresses outside) on one port with one outcome.
struct ImpactRow {
  ImpactOutcome outcome = ImpactOutcome::unknown;
  ImpactDoubt doubt = ImpactDoubt::none;
  std::string source;  // "shop/web[Deployment]", "nodes", "shop/api (Service)", "198.51.100.7 and others"
  std::string destination;
  flows::FlowProtocol protocol = flows::FlowProtocol::tcp;
  std::uint16_t port = 0;
  ImpactSide before;
  ImpactSide after;
  ImpactSeen seen;
};

/// An end that is not in the dump, with its connections.
struct ImpactStranger {
  std::string name;  // "" for those that were not kept apart
  flows::Stranger reason = flows::Stranger::nameless;
  ImpactSeen seen;
};

/// Connections that were recorded otherwise than the policies in force say, by cause.
struct ImpactDisagreement {
  flows::Recorded recorded = flows::Recorded::unknown;
  std::string direction;  // "egress", "ingress", "" when the log does not say
  std::string rule;       // what the model says
  Span span;
  std::string drop_reason;  // as recorded
  ImpactSeen seen;
  std::uint64_t with_new_labels = 0;  // whose pods had other labels than in the dump
  std::uint64_t with_gone_pods = 0;   // whose pods are no more
  std::string example;                // "shop/web-0 → shop/api-1 TCP 8080"
  std::uint32_t file = 0;
  std::uint64_t line = 0;
};

struct ImpactBacktest {
  std::uint64_t compared = 0;
  std::uint64_t agree = 0;
  std::uint64_t without_verdict = 0;              // nothing was recorded to compare with
  std::uint64_t not_comparable = 0;               // unmapped, or the model does not know
  std::vector<ImpactDisagreement> disagreements;  // most connections first
  std::uint64_t disagree() const { return compared - agree; }
};

struct ImpactCoverage {
  flows::Nanoseconds first = flows::kNoTime;
  flows::Nanoseconds last = flows::kNoTime;
  std::vector<std::string> silent;          // workloads with running pods that took part in no connection
  std::vector<std::string> idle_cron_jobs;  // CronJobs that did not run: no connection of theirs
  std::uint64_t workloads = 0;              // with running pods
  /// Policies that select no end of any connection: on the side of the policies in force, and of the candidate.
  std::vector<std::pair<std::string, Span>> unexercised_before;
  std::vector<std::pair<std::string, Span>> unexercised_after;
  std::uint64_t policies_before = 0;
  std::uint64_t policies_after = 0;
};

struct ImpactReport {
  std::uint64_t connections = 0;
  std::array<std::uint64_t, kImpactOutcomes> totals{};
  std::array<std::uint64_t, kImpactDoubts> doubts{};
  std::uint64_t dropped_anyway = 0;       // the candidate denies them, and they were dropped for another reason
  std::vector<ImpactRow> rows;            // by outcome, then most connections first
  std::uint64_t without_row = 0;          // connections beyond the limit of rows
  std::vector<ImpactStranger> strangers;  // most connections first
  ImpactBacktest backtest;
  ImpactCoverage coverage;
};

struct ImpactOptions {
  std::size_t most_pairs = 100'000;        // kinds of pairs, ports and protocols that have a row
  std::size_t most_disagreements = 1'000;  // causes kept apart
};

/// Takes connections one by one. The engines and the mapper (of the engine before's cluster) must outlive it; `reasons`
/// are the merger's texts of drops.
class Impact {
 public:
  Impact(policy::PolicyEngine& before, policy::PolicyEngine& after, const flows::EndMapper& mapper,
         const std::vector<std::string>& reasons, ImpactOptions options = {});
  ~Impact();
  Impact(Impact&&) noexcept;

  void add(const flows::Connection& connection);
  ImpactReport report() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace podwire::analysis
