// What impact says at the end: rows by names, ends that nobody knows, disagreements, coverage.
#include <fmt/format.h>

#include <algorithm>

#include "models/analysis/impact_impl.hpp"

namespace podwire::analysis {
namespace {

using flows::End;
using flows::EndKind;
using policy::Action;
using policy::Direction;

}  // namespace

std::string Impact::Impl::name_of(std::uint32_t id) const {
  const Kind& kind = kinds[id];
  const cluster::Cluster& cluster = before.cluster();
  switch (kind.example.kind) {
    case EndKind::pod:
      return cluster.workload_name(cluster.pods[kind.example.id].workload);
    case EndKind::node:
      return kind.has_others ? "nodes" : fmt::format("node {}", cluster.nodes[kind.example.id].name);
    case EndKind::service:
      return fmt::format("{} (Service)", cluster.service_name(cluster::ServiceId(kind.example.id)));
    case EndKind::address:
      return kind.example.ip.to_string() + (kind.has_others ? " and others[External]" : "[External]");
    case EndKind::public_network:
      return "public network[External]";
    default:
      return "private network[External]";
  }
}

/// One end itself, for an example.
std::string Impact::Impl::name_of(const End& end) const {
  const cluster::Cluster& cluster = before.cluster();
  switch (end.kind) {
    case EndKind::pod:
      return end.is_exact ? cluster.full_pod_name(cluster::PodId(end.id))
                          : cluster.workload_name(cluster.pods[end.id].workload);
    case EndKind::node:
      return fmt::format("node {}", cluster.nodes[end.id].name);
    case EndKind::service:
      return fmt::format("{} (Service)", cluster.service_name(cluster::ServiceId(end.id)));
    case EndKind::address:
      return end.ip.to_string();
    default:
      return end.kind == EndKind::public_network ? "public network[External]" : "private network[External]";
  }
}

ImpactSide Impact::Impl::side_of(const ImpactJudge& judge, const PairVerdict& verdict) const {
  ImpactSide side{.action = verdict.action, .doubt = verdict.doubt, .direction = verdict.direction};
  const bool is_told = verdict.doubt == ImpactDoubt::none || verdict.doubt == ImpactDoubt::model ||
                       verdict.doubt == ImpactDoubt::no_address || verdict.doubt == ImpactDoubt::icmp;
  if (is_told) {
    std::tie(side.rule, side.span) = judge.rule_of(verdict.direction, verdict.verdict);
  }
  return side;
}

/// Rows of kinds that have the same names and rules are one.
void Impact::Impl::write_rows(ImpactReport& report) const {
  std::map<std::string, std::uint32_t> name_ids;
  std::vector<std::pair<std::string, std::uint32_t>> names;  // by kind
  for (std::uint32_t id = 0; id < kinds.size(); ++id) {
    std::string name = name_of(id);
    const auto number = static_cast<std::uint32_t>(name_ids.size());
    const std::uint32_t name_id = name_ids.emplace(name, number).first->second;
    names.emplace_back(std::move(name), name_id);
  }
  using Side = std::tuple<Action, ImpactDoubt, Direction, policy::Cause, std::uint32_t, std::uint16_t, std::uint32_t>;
  const auto key_of_side = [](const PairVerdict& side) {
    const policy::Verdict& v = side.verdict;
    return Side{side.action, side.doubt, side.direction, v.cause, v.policy.value(), v.rule, v.unmodelled};
  };
  using Key =
      std::tuple<ImpactOutcome, ImpactDoubt, std::uint32_t, std::uint32_t, std::uint8_t, std::uint16_t, Side, Side>;
  std::map<Key, std::size_t> known;
  for (const Pair& pair : pairs) {
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
      const ImpactSeen& seen = pair.seen[slot];
      if (seen.count == 0) {
        continue;
      }
      const bool is_contradiction = slot == kSlots - 1;
      const ImpactOutcome outcome = is_contradiction ? ImpactOutcome::unknown : static_cast<ImpactOutcome>(slot);
      const ImpactDoubt doubt = is_contradiction                       ? ImpactDoubt::contradiction
                                : outcome != ImpactOutcome::unknown    ? ImpactDoubt::none
                                : pair.after.action == Action::unknown ? pair.after.doubt
                                                                       : pair.before.doubt;
      const auto& [source, source_id] = names[pair.key.source];
      const auto& [destination, destination_id] = names[pair.key.destination];
      const auto [at, is_new] = known.emplace(Key{outcome, doubt, source_id, destination_id, pair.key.protocol,
                                                  pair.key.port, key_of_side(pair.before), key_of_side(pair.after)},
                                              report.rows.size());
      if (!is_new) {
        report.rows[at->second].seen.add(seen.count, seen.first, seen.last);
        continue;
      }
      report.rows.push_back({.outcome = outcome,
                             .doubt = doubt,
                             .source = source,
                             .destination = destination,
                             .protocol = static_cast<flows::FlowProtocol>(pair.key.protocol),
                             .port = pair.key.port,
                             .before = side_of(before, pair.before),
                             .after = side_of(after, pair.after),
                             .seen = seen});
    }
  }
  std::sort(report.rows.begin(), report.rows.end(), [](const ImpactRow& a, const ImpactRow& b) {
    return std::tie(a.outcome, b.seen.count, a.source, a.destination, a.protocol, a.port, a.doubt, a.before.rule,
                    a.after.rule) < std::tie(b.outcome, a.seen.count, b.source, b.destination, b.protocol, b.port,
                                             b.doubt, b.before.rule, b.after.rule);
  });
}

void Impact::Impl::write_strangers(ImpactReport& report) const {
  for (std::size_t id = 0; id < strangers.size(); ++id) {
    if (strangers[id].count > 0) {
      const flows::StrangerName& name = mapper.strangers()[id];
      report.strangers.push_back({.name = name.text, .reason = name.reason, .seen = strangers[id]});
    }
  }
  std::sort(report.strangers.begin(), report.strangers.end(), [](const ImpactStranger& a, const ImpactStranger& b) {
    return std::tie(b.seen.count, a.name, a.reason) < std::tie(a.seen.count, b.name, b.reason);
  });
}

void Impact::Impl::write_disagreements(ImpactReport& report) const {
  auto& list = report.backtest.disagreements;
  for (const auto& [key, cause] : disagreements) {
    list.push_back(cause);
    if (std::get<1>(key) == 2) {
      list.back().rule = "further causes";
      list.back().span = {};
      list.back().direction.clear();
      list.back().drop_reason.clear();
    }
  }
  std::stable_sort(list.begin(), list.end(), [](const ImpactDisagreement& a, const ImpactDisagreement& b) {
    return a.seen.count > b.seen.count;
  });
}

void Impact::Impl::write_coverage(ImpactReport& report) const {
  const cluster::Cluster& cluster = before.cluster();
  for (std::size_t w = 0; w < cluster.workloads.size(); ++w) {
    const cluster::Workload& workload = cluster.workloads[w];
    const bool has_running = std::any_of(workload.pods.begin(), workload.pods.end(), [&](cluster::PodId pod) {
      return cluster.pods[pod.index()].phase == cluster::PodPhase::running;
    });
    if (!has_running || workload.is_added) {
      continue;
    }
    ++report.coverage.workloads;
    if (has_traffic[w] == 0) {
      auto& list =
          workload.kind == cluster::WorkloadKind::cron_job ? report.coverage.idle_cron_jobs : report.coverage.silent;
      list.push_back(cluster.workload_name(cluster::WorkloadId(w)));
    }
  }
  const auto unexercised = [](const policy::PolicyEngine& engine, const std::vector<char>& marked) {
    std::vector<std::pair<std::string, Span>> list;
    for (std::size_t p = 0; p < marked.size(); ++p) {
      if (marked[p] == 0) {
        const policy::PolicyIndex index(p);
        list.emplace_back(engine.policy_name(index), engine.policy_span(index));
      }
    }
    return list;
  };
  report.coverage.policies_before = marked_before.size();
  report.coverage.policies_after = marked_after.size();
  report.coverage.unexercised_before = unexercised(before.const_engine(), marked_before);
  report.coverage.unexercised_after = unexercised(after.const_engine(), marked_after);
}

ImpactReport Impact::report() const {
  ImpactReport report = impl_->totals;
  impl_->write_rows(report);
  impl_->write_strangers(report);
  impl_->write_disagreements(report);
  impl_->write_coverage(report);
  return report;
}

std::string_view to_string(ImpactOutcome outcome) {
  constexpr std::array<std::string_view, kImpactOutcomes> kNames = {"newly denied", "newly allowed", "unknown",
                                                                    "still allowed", "still denied"};
  return kNames[static_cast<std::size_t>(outcome)];
}

std::string_view to_string(ImpactDoubt doubt) {
  constexpr std::array<std::string_view, kImpactDoubts> kTexts = {
      "",
      "an end is not in the dump",
      "the policies leave it open",
      "the record contradicts the policies in force",
      "the candidate has no such workload",
      "the log does not tell the address outside",
      "the Service's backends fare differently, or it has none",
      "policies say nothing of ICMP",
  };
  return kTexts[static_cast<std::size_t>(doubt)];
}

}  // namespace podwire::analysis
