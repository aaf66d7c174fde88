// Taking connections: the kinds of their ends, a verdict a pair, the comparison with the record, the outcome.
#include "models/analysis/impact.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/analysis/impact_impl.hpp"
#include "models/policy/compiled.hpp"
#include "models/policy/view.hpp"

namespace podwire::analysis {
namespace {

using flows::Connection;
using flows::End;
using flows::EndKind;
using flows::Recorded;
using policy::Action;
using policy::Direction;

Comparison compare(const Connection& connection, const PairVerdict& model) {
  Comparison result;
  result.has_record = connection.egress != Recorded::unknown || connection.ingress != Recorded::unknown ||
                      connection.overall != Recorded::unknown;
  if (!result.has_record || connection.is_contradictory) {
    return result;
  }
  const auto check = [&](Recorded recorded, Action action, int direction) {
    if (recorded == Recorded::unknown || action == Action::unknown) {
      return;
    }
    result.is_comparable = true;
    if (result.agrees && (recorded == Recorded::dropped) != (action == Action::deny)) {
      result.agrees = false;
      result.recorded = recorded;
      result.direction = direction;
    }
  };
  // What arrived at the destination was let out at the source.
  const bool has_arrived = connection.egress == Recorded::unknown && connection.ingress != Recorded::unknown;
  check(has_arrived ? Recorded::forwarded : connection.egress, model.egress, 0);
  check(connection.ingress, model.ingress, 1);
  check(connection.overall, model.action, -1);
  return result;
}

}  // namespace

void ImpactSeen::add(std::uint64_t connections, flows::Nanoseconds from, flows::Nanoseconds to) {
  first = count == 0 ? from : std::min(first, from);
  last = count == 0 ? to : std::max(last, to);
  count += connections;
}

namespace {

std::size_t policy_count(const policy::PolicySet& policies) {
  return policies.network_policies.size() + policies.admin_policies.size();
}

}  // namespace

Impact::Impl::Impl(policy::PolicyEngine& before_in, policy::PolicyEngine& after_in, const flows::EndMapper& mapper_in,
                   const std::vector<std::string>& reasons_in, ImpactOptions options_in)
    : before(before_in),
      after(after_in),
      mapper(mapper_in),
      reasons(reasons_in),
      options(options_in),
      is_same_cluster(&before_in.cluster() == &after_in.cluster()),
      kind_of_pod(before_in.cluster().pods.size(), kNone),
      twins(before_in.cluster().pods.size()),
      has_traffic(before_in.cluster().workloads.size()),
      marked_before(policy_count(before_in.policies())),
      marked_after(policy_count(after_in.policies())) {}

/// The same end in the candidate's cluster. A pod that is not there by name is judged as its workload's pods are.
End Impact::Impl::twin_of(const End& end, bool& is_gone) {
  is_gone = false;
  if (is_same_cluster || end.kind == EndKind::address || end.kind == EndKind::public_network ||
      end.kind == EndKind::private_network) {
    return end;
  }
  const cluster::Cluster& from = before.engine().cluster();
  const cluster::Cluster& to = after.engine().cluster();
  End twin = end;
  if (end.kind == EndKind::node) {
    twin.id = to.find_node(from.nodes[end.id].name).value();
  } else if (end.kind == EndKind::service) {
    const cluster::Service& service = from.services[end.id];
    const cluster::NamespaceId where = to.find_namespace(from.namespaces[service.name_space.index()].name);
    twin.id = where.is_valid() ? to.find_service(where, service.name).value() : kNone;
  } else {
    Twin& known = twins[end.id];
    if (!known.is_known) {
      known.is_known = true;
      const cluster::PodId pod(end.id);
      const cluster::NamespaceId where = to.find_namespace(from.namespaces[from.namespace_of(pod).index()].name);
      cluster::PodId found = where.is_valid() ? to.find_pod(where, from.pod_name(pod)) : cluster::PodId();
      if (!found.is_valid() && where.is_valid()) {
        const cluster::Workload& workload = from.workloads[from.pods[pod.index()].workload.index()];
        const cluster::WorkloadId same = to.find_workload(where, workload.kind, workload.name);
        if (same.is_valid() && !to.workloads[same.index()].pods.empty()) {
          const auto& pods = to.workloads[same.index()].pods;
          found = pods[std::min<std::size_t>(from.pods[pod.index()].ordinal, pods.size() - 1)];
        }
      }
      known.end = {.kind = EndKind::pod, .id = found.value()};
      known.is_gone = !found.is_valid();
    }
    twin.id = known.end.id;
  }
  is_gone = twin.id == kNone;
  return twin;
}

KindKey Impact::Impl::key_of(const End& end) {
  KindKey key;
  std::size_t at = 0;
  const auto put = [&](std::uint32_t word) { key.words[at++] = word; };
  put(static_cast<std::uint32_t>(end.kind));
  bool is_gone = false;
  const End twin = twin_of(end, is_gone);
  const auto put_pod = [&](policy::PolicyEngine& engine, std::uint32_t id) {  // at the address that was used
    const policy::PodEntry& entry = engine.view().pods[id];
    put(entry.peer_for(end.ip).value());
    put(entry.ingress.value());
    put(entry.egress.value());
    put((entry.is_stranger ? 1u : 0u) | (entry.is_node_traffic ? 2u : 0u));
  };
  switch (end.kind) {
    case EndKind::pod:
      put(before.engine().cluster().pods[end.id].workload.value());
      put_pod(before.engine(), end.id);
      if (!is_gone) {
        put_pod(after.engine(), twin.id);
      } else {
        put(kNone);
      }
      break;
    case EndKind::node: {
      const auto& addresses = before.engine().cluster().nodes[end.id].addresses;
      const IpAddress ip = addresses.empty() ? IpAddress() : addresses.front();
      put(before.engine().atom_of(ip).value());
      put(after.engine().atom_of(ip).value());
      put(is_gone ? 1 : 0);
      break;
    }
    case EndKind::service:
      put(end.id);
      break;
    case EndKind::address:
      put(before.engine().atom_of(end.ip).value());
      put(after.engine().atom_of(end.ip).value());
      break;
    default:
      break;
  }
  return key;
}

std::uint32_t Impact::Impl::kind_of(const End& end) {
  const bool is_pod = end.kind == EndKind::pod && end.ip.is_unspecified();  // at its first address
  if (is_pod && kind_of_pod[end.id] != kNone) {
    return kind_of_pod[end.id];
  }
  const auto [found, is_new] = kind_ids.emplace(key_of(end), static_cast<std::uint32_t>(kinds.size()));
  if (is_new) {
    const bool is_node_traffic =
        end.kind == EndKind::node || (end.kind == EndKind::pod && before.engine().view().pods[end.id].is_node_traffic);
    kinds.push_back({.example = end, .is_node_traffic = is_node_traffic});
  } else {
    Kind& kind = kinds[found->second];
    kind.has_others =
        kind.has_others || kind.example.id != end.id || (end.kind == EndKind::address && kind.example.ip != end.ip);
  }
  if (is_pod) {
    kind_of_pod[end.id] = found->second;
  }
  return found->second;
}

/// `end`, or another pod of its workload when it only stands for them and would be `other` itself.
End Impact::Impl::apart(const End& end, const End& other) const {
  if (end.kind != EndKind::pod || other.kind != EndKind::pod || end.id != other.id ||
      (end.is_exact && other.is_exact)) {
    return end;
  }
  const cluster::Cluster& cluster = before.cluster();
  for (const cluster::PodId pod : cluster.workloads[cluster.pods[end.id].workload.index()].pods) {
    if (pod.value() != end.id && cluster.pods[pod.index()].phase == cluster::PodPhase::running) {
      return {.kind = EndKind::pod, .is_exact = false, .id = pod.value()};
    }
  }
  return end;
}

Pair Impact::Impl::judge(const PairKey& key, const End& source, const End& destination, flows::FlowProtocol protocol) {
  Pair pair;
  pair.key = key;
  pair.before = before.judge(source, destination, protocol, key.port);
  bool is_source_gone = false;
  bool is_destination_gone = false;
  const End source_after = twin_of(source, is_source_gone);
  const End destination_after = twin_of(destination, is_destination_gone);
  if (is_source_gone || is_destination_gone) {
    pair.after.action = pair.after.egress = pair.after.ingress = Action::unknown;
    pair.after.doubt = ImpactDoubt::gone;
  } else {
    pair.after = after.judge(source_after, destination_after, protocol, key.port);
  }
  mark_end(before.engine(), source, Direction::egress, marked_before, groups_before);
  mark_end(before.engine(), destination, Direction::ingress, marked_before, groups_before);
  if (!is_source_gone) {
    mark_end(after.engine(), source_after, Direction::egress, marked_after, groups_after);
  }
  if (!is_destination_gone) {
    mark_end(after.engine(), destination_after, Direction::ingress, marked_after, groups_after);
  }
  return pair;
}

void Impact::Impl::mark_group(policy::PolicyEngine& engine, policy::GroupId group, std::vector<char>& marked,
                              boost::unordered_flat_set<std::uint32_t>& groups) const {
  if (!group.is_valid() || !groups.insert(group.value()).second) {
    return;
  }
  const policy::Compiled& compiled = engine.compiled();
  for (const policy::PolicyIndex policy : engine.policies_of(group)) {
    marked[policy.index()] = 1;
  }
  for (const policy::Tier tier : {policy::Tier::admin, policy::Tier::baseline}) {
    for (const std::uint32_t segment : compiled.segments_of(group, tier)) {
      for (const policy::PolicyNumber number : compiled.segments[segment].policies) {
        marked[engine.view().place_of(number).index()] = 1;
      }
    }
  }
}

/// Notes which policies select an end: they have been put to the test.
void Impact::Impl::mark_end(policy::PolicyEngine& engine, const End& end, Direction direction,
                            std::vector<char>& marked, boost::unordered_flat_set<std::uint32_t>& groups) const {
  const auto& pods = engine.view().pods;
  if (end.kind == EndKind::pod) {
    mark_group(engine, pods[end.id].group(direction), marked, groups);
  } else if (end.kind == EndKind::service) {
    for (const cluster::ServicePort& port : engine.cluster().services[end.id].ports) {
      for (const cluster::Backend& backend : port.backends) {
        if (backend.pod.is_valid()) {
          mark_group(engine, pods[backend.pod.index()].group(direction), marked, groups);
        }
      }
    }
  }
}

void Impact::Impl::see_workload(const End& end) {
  if (end.kind == EndKind::pod) {
    has_traffic[before.engine().cluster().pods[end.id].workload.index()] = 1;
  }
}

void Impact::Impl::disagree(const Connection& connection, const Pair& pair, const Comparison& comparison) {
  const PairVerdict& model = pair.before;
  const Direction direction = comparison.direction < 0    ? model.direction
                              : comparison.direction == 0 ? Direction::egress
                                                          : Direction::ingress;
  const policy::Verdict& verdict = comparison.direction < 0    ? model.verdict
                                   : comparison.direction == 0 ? model.egress_verdict
                                                               : model.ingress_verdict;
  DisagreementKey key{comparison.recorded,    comparison.direction, verdict.cause,
                      verdict.policy.value(), verdict.rule,         connection.drop_reason};
  if (disagreements.size() >= options.most_disagreements && !disagreements.contains(key)) {
    key = {comparison.recorded, 2, policy::Cause::no_policy, kNone, 0, 0};  // further causes together
  }
  ImpactDisagreement& cause = disagreements[key];
  if (cause.seen.count == 0) {
    cause.recorded = comparison.recorded;
    cause.direction = comparison.direction < 0 ? "" : std::string(to_string(direction));
    std::tie(cause.rule, cause.span) = before.rule_of(direction, verdict);
    cause.drop_reason = reasons[connection.drop_reason];
    cause.example = fmt::format(
        "{} → {} {}{}", name_of(connection.source), name_of(connection.destination), to_string(connection.protocol),
        connection.destination_port == 0 ? "" : fmt::format(" {}", connection.destination_port));
    cause.file = connection.file;
    cause.line = connection.line;
  }
  cause.seen.add(1, connection.first, connection.last);
  cause.with_new_labels += connection.source.has_new_labels || connection.destination.has_new_labels ? 1 : 0;
  cause.with_gone_pods += !connection.source.is_exact || !connection.destination.is_exact ? 1 : 0;
}

void Impact::Impl::count(const Connection& connection, Pair& pair, bool has_row) {
  ImpactBacktest& backtest = totals.backtest;
  const Comparison comparison = compare(connection, pair.before);
  if (comparison.is_comparable) {
    ++backtest.compared;
    backtest.agree += comparison.agrees ? 1 : 0;
  } else {
    ++(comparison.has_record ? backtest.not_comparable : backtest.without_verdict);
  }
  if (!comparison.agrees) {
    disagree(connection, pair, comparison);
  }
  const Action was = pair.before.action;
  const Action becomes = pair.after.action;
  ImpactOutcome outcome = ImpactOutcome::unknown;
  ImpactDoubt doubt = ImpactDoubt::none;
  if (!comparison.agrees) {
    doubt = ImpactDoubt::contradiction;
  } else if (was == Action::unknown || becomes == Action::unknown) {
    doubt = becomes == Action::unknown ? pair.after.doubt : pair.before.doubt;
  } else if (was == becomes) {
    outcome = was == Action::allow ? ImpactOutcome::still_allowed : ImpactOutcome::still_denied;
  } else if (becomes == Action::allow) {
    outcome = ImpactOutcome::newly_allowed;
  } else if (connection.is_dropped()) {
    outcome = ImpactOutcome::still_denied;
    ++totals.dropped_anyway;
  } else {
    outcome = ImpactOutcome::newly_denied;
  }
  ++totals.totals[static_cast<std::size_t>(outcome)];
  totals.doubts[static_cast<std::size_t>(doubt)] += outcome == ImpactOutcome::unknown ? 1 : 0;
  const std::size_t slot = doubt == ImpactDoubt::contradiction ? kSlots - 1 : static_cast<std::size_t>(outcome);
  pair.seen[slot].add(1, connection.first, connection.last);
  totals.without_row += has_row ? 0 : 1;
}

void Impact::Impl::add(const Connection& connection) {
  ++totals.connections;
  ImpactCoverage& coverage = totals.coverage;
  coverage.first = coverage.first == flows::kNoTime ? connection.first : std::min(coverage.first, connection.first);
  coverage.last = std::max(coverage.last, connection.last);
  see_workload(connection.source);
  see_workload(connection.destination);
  const bool is_source_strange = connection.source.kind == EndKind::unmapped;
  if (is_source_strange || connection.destination.kind == EndKind::unmapped) {
    const std::uint32_t id = is_source_strange ? connection.source.id : connection.destination.id;
    if (strangers.size() <= id) {
      strangers.resize(id + 1);
    }
    strangers[id].add(1, connection.first, connection.last);
    ++totals.totals[static_cast<std::size_t>(ImpactOutcome::unknown)];
    ++totals.doubts[static_cast<std::size_t>(ImpactDoubt::unmapped)];
    const bool has_record = connection.egress != Recorded::unknown || connection.ingress != Recorded::unknown ||
                            connection.overall != Recorded::unknown;
    ++(has_record ? totals.backtest.not_comparable : totals.backtest.without_verdict);
    return;
  }
  const End& source = connection.source;
  const End destination = apart(connection.destination, source);
  PairKey key;
  key.source = kind_of(source);
  key.destination = kind_of(destination);
  key.port = connection.destination_port;
  key.protocol = static_cast<std::uint8_t>(connection.protocol);
  const bool is_same_pod =
      source.kind == EndKind::pod && destination.kind == EndKind::pod && source.id == destination.id;
  const cluster::Cluster& cluster = before.engine().cluster();
  const auto node_of = [&](const End& end) {
    return end.kind == EndKind::node  ? cluster::NodeId(end.id)
           : end.kind == EndKind::pod ? cluster.pods[end.id].node
                                      : cluster::NodeId();
  };
  const bool is_own_node =
      kinds[key.source].is_node_traffic && node_of(source).is_valid() && node_of(source) == node_of(destination);
  // A Service may lead a pod back to itself.
  key.relation = static_cast<std::uint8_t>((is_same_pod ? 1 : 0) | (is_own_node ? 2 : 0));
  const auto found = pair_ids.find(key);
  if (found != pair_ids.end()) {
    count(connection, pairs[found->second], true);
    return;
  }
  Pair pair = judge(key, source, destination, connection.protocol);
  const bool has_room = pairs.size() < options.most_pairs;
  count(connection, pair, has_room);
  if (has_room) {
    pair_ids.emplace(key, static_cast<std::uint32_t>(pairs.size()));
    pairs.push_back(std::move(pair));
  }
}

Impact::Impact(policy::PolicyEngine& before, policy::PolicyEngine& after, const flows::EndMapper& mapper,
               const std::vector<std::string>& reasons, ImpactOptions options)
    : impl_(std::make_unique<Impl>(before, after, mapper, reasons, options)) {}
Impact::~Impact() = default;
Impact::Impact(Impact&&) noexcept = default;

void Impact::add(const flows::Connection& connection) {
  impl_->add(connection);
}

}  // namespace podwire::analysis
