// diff: which connections two clusters (or two policy sets on one cluster) do not have in common, and which rules on
// either side are responsible. Workloads are matched by namespace, kind and name.
//
// Both sides are swept in one order, source by source, and merged: nothing quadratic is kept. Where no two pods of a
// workload differ, a pair differs exactly when its sets of ports do; where pods differ, it is asked pod by pod, so that
// a change that the union over pods would hide is found. External ranges are compared on the common refinement of both
// sides' address atoms; neighbours that fare alike are one row. What a workload takes with it or brings along is told
// apart from what policies do; what an unmodelled object may decide is neither. Left out: time, Services, listeners.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/policy/engine.hpp"
#include "models/policy/port_set.hpp"
#include "sim/base/diagnostic.hpp"

namespace podwire::analysis {

enum class DiffCause : std::uint8_t {
  policy,            // both ends are there on both sides: policies, or the labels they select by
  unknown,           // an unmodelled object may decide on at least one side
  workload_added,    // an end has pods on the new side only
  workload_removed,  // an end has pods on the old side only
};
/// "policy", "unknown", "workload-added", "workload-removed".
std::string_view to_string(DiffCause cause);

struct DiffEnd {
  std::string name;                            // as in reach
  bool is_external = false;                    // then `range` is what it stands for
  std::pair<IpAddress, IpAddress> range = {};  // first and last address
};

/// What one side says in one direction.
struct RuleSide {
  policy::Action action = policy::Action::allow;
  std::string
      text;   // "backend/allow-web ingress rule 0", "default deny ingress (backend/deny)", "no policy isolates it"
  Span span;  // of that rule or policy, where there is one
};

/// One direction's rules before and after, at one port where the sides differ.
struct RuleChange {
  policy::Direction direction = policy::Direction::egress;
  IpProtocol protocol = IpProtocol::tcp;
  Port port;
  RuleSide before;
  RuleSide after;
};

/// A pair that differs; valid during the callback.
struct DiffRow {
  DiffCause cause = DiffCause::policy;
  DiffEnd source;
  DiffEnd destination;
  policy::PortSet before;  // the union over pods; what the policies that are modelled allow
  policy::PortSet after;
  policy::PortSet opened;  // between some two pods
  policy::PortSet closed;
  bool is_unknown_before = false;
  bool is_unknown_after = false;
  bool varies = false;  // not between every two pods
  /// Pods that talk over both families: the sides differ in this one alone, and `before` and `after` are what it lets
  /// through. None: in both, or there is but one, and they are the union.
  std::optional<IpFamily> family = {};
  /// The directions whose deciding rules differ, asked at both ends of up to eight of the ranges that differ and of two
  /// pods that differ. Computed when called; empty where one side has no such pair.
  std::function<std::vector<RuleChange>()> reasons;

  bool is_outside() const { return source.is_external || destination.is_external; }
};

enum class ChangeKind : std::uint8_t { added, removed, changed };
/// "added", "removed", "changed".
std::string_view to_string(ChangeKind kind);

/// A policy that is not the same on both sides, comments and layout aside.
struct PolicyChange {
  ChangeKind kind = ChangeKind::changed;
  std::string name;  // "backend/allow-web"
  Span before;
  Span after;
  /// Whether undoing this change alone would alter the new side; none where it was not tried.
  enum class Effect : std::uint8_t { none, some, not_tried } effect = Effect::not_tried;
};

struct WorkloadChange {
  ChangeKind kind = ChangeKind::added;  // or removed
  std::string name;
  std::uint64_t connections = 0;  // rows it has with what is there on that side
};

struct DiffTotals {
  std::uint64_t opened = 0;          // policy rows with some port opened
  std::uint64_t opened_outside = 0;  // of these, with an external end
  std::uint64_t closed = 0;          // policy rows with some port closed; a row may count in both
  std::uint64_t closed_outside = 0;
  std::uint64_t both = 0;     // policy rows that count as opened and as closed
  std::uint64_t added = 0;    // policy rows without any connection before
  std::uint64_t removed = 0;  // … after
  std::uint64_t changed = 0;  // the other policy rows
  std::uint64_t unknown = 0;
  std::uint64_t workload_added = 0;
  std::uint64_t workload_removed = 0;
  std::uint64_t rows() const { return added + removed + changed + unknown + workload_added + workload_removed; }
};

struct DiffSummary {
  DiffTotals totals;
  std::uint64_t unknown_alike = 0;  // pairs unknown on both sides with nothing that could tell them apart
  std::uint64_t ends_before = 0;    // workloads looked at
  std::uint64_t ends_after = 0;
  bool families_differ = false;           // IPv6 (or IPv4) addresses were compared on neither side: only one has them
  std::vector<WorkloadChange> workloads;  // added and removed, in order of name
  std::vector<PolicyChange> policies;     // in order of name
};

struct DiffOptions {
  bool includes_external = true;
  bool unmodelled_differ = false;   // the unmodelled objects of the two sides are not the same
  std::size_t most_reversals = 16;  // policy changes that are undone one by one to tell their effect; 0: none
  /// What domain names of either side's policies stand for, for the policies that are undone; null: not known.
  const policy::DomainTable* names = nullptr;
};

/// Calls `visit` for each pair that differs, in reach's order over the workloads of both sides together: first external
/// sources (by destination, then address), then for each source external destinations and the others. O(two reaches +
/// rows + pods² of workloads whose pods differ).
DiffSummary diff(policy::PolicyEngine& before, policy::PolicyEngine& after, const DiffOptions& options,
                 const std::function<void(const DiffRow&)>& visit);

/// The ports of `a` that are not in `b`.
policy::PortSet ports_without(const policy::PortSet& a, const policy::PortSet& b);

}  // namespace podwire::analysis
