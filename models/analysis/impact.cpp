#include "models/analysis/impact.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <map>
#include <tuple>

#include "models/analysis/impact_judge.hpp"
#include "models/policy/compiled.hpp"

namespace podwire::analysis {
namespace {

using flows::Connection;
using flows::End;
using flows::EndKind;
using flows::Recorded;
using policy::Action;
using policy::Direction;

constexpr std::size_t kSlots = kImpactOutcomes + 1;  // unknown twice: by the model, and by contradiction
constexpr std::uint32_t kNone = 0xffff'ffff;

/// What the two engines can tell apart of an end, and what rows call it.
struct KindKey {
  std::array<std::uint32_t, 10> words{};
  bool operator==(const KindKey&) const = default;
};
struct KindHash {
  std::size_t operator()(const KindKey& key) const noexcept {
    std::uint64_t hash = 0;
    for (const std::uint32_t word : key.words) {
      hash = (hash ^ word) * 0x9e37'79b9'7f4a'7c15u;
      hash ^= hash >> 31;
    }
    return static_cast<std::size_t>(hash);
  }
};

struct Kind {
  End example;              // in the cluster before
  bool has_others = false;  // of an address, a node
  bool is_node_traffic = false;
};

struct PairKey {
  std::uint32_t source = 0;
  std::uint32_t destination = 0;
  std::uint16_t port = 0;
  std::uint8_t protocol = 0;
  std::uint8_t relation = 0;  // 1: the same pod; 2: the destination is on the source's node
  bool operator==(const PairKey&) const = default;
};
struct PairHash {
  std::size_t operator()(const PairKey& key) const noexcept {
    std::uint64_t hash = (std::uint64_t{key.source} << 32 | key.destination) * 0x9e37'79b9'7f4a'7c15u;
    hash ^= hash >> 31;
    hash ^= std::uint64_t{key.port} << 16 | std::uint64_t{key.protocol} << 8 | key.relation;
    return static_cast<std::size_t>(hash * 0xc2b2'ae3d'27d4'eb4fu);
  }
};

struct Pair {
  PairKey key;
  PairVerdict before;
  PairVerdict after;
  std::array<ImpactSeen, kSlots> seen;
};

/// A pod's counterpart under the candidate.
struct Twin {
  End end;
  bool is_known = false;
  bool is_gone = false;
};

using DisagreementKey = std::tuple<Recorded, int, policy::Cause, std::uint32_t, std::uint16_t, std::uint32_t>;

/// What comparing one connection with the model gives.
struct Comparison {
  bool has_record = false;
  bool is_comparable = false;
  bool agrees = true;
  Recorded recorded = Recorded::unknown;  // of the side that disagrees
  int direction = -1;                     // 0: egress, 1: ingress, -1: not told
};

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

struct Impact::Impl {
  Impl(policy::PolicyEngine& before_in, policy::PolicyEngine& after_in, const flows::EndMapper& mapper_in,
       const std::vector<std::string>& reasons_in, ImpactOptions options_in);

  void add(const Connection& connection);
  std::uint32_t kind_of(const End& end);
  KindKey key_of(const End& end);
  End twin_of(const End& end, bool& is_gone);
  End apart(const End& end, const End& other) const;
  Pair judge(const PairKey& key, const End& source, const End& destination, flows::FlowProtocol protocol);
  void mark_group(policy::PolicyEngine& engine, policy::GroupId group, std::vector<char>& marked,
                  boost::unordered_flat_set<std::uint32_t>& groups) const;
  void mark_end(policy::PolicyEngine& engine, const End& end, Direction direction, std::vector<char>& marked,
                boost::unordered_flat_set<std::uint32_t>& groups) const;
  void see_workload(const End& end);
  void disagree(const Connection& connection, const Pair& pair, const Comparison& comparison);
  void count(const Connection& connection, Pair& pair, bool has_row);
  std::string name_of(std::uint32_t kind) const;
  std::string name_of(const End& end) const;
  ImpactSide side_of(const ImpactJudge& judge, const PairVerdict& verdict) const;
  void write_rows(ImpactReport& report) const;
  void write_strangers(ImpactReport& report) const;
  void write_disagreements(ImpactReport& report) const;
  void write_coverage(ImpactReport& report) const;

  ImpactJudge before;
  ImpactJudge after;
  const flows::EndMapper& mapper;
  const std::vector<std::string>& reasons;
  ImpactOptions options;
  bool is_same_cluster;
  std::vector<Kind> kinds;
  boost::unordered_flat_map<KindKey, std::uint32_t, KindHash> kind_ids;
  std::vector<std::uint32_t> kind_of_pod;
  std::vector<Twin> twins;  // by pod
  boost::unordered_flat_map<PairKey, std::uint32_t, PairHash> pair_ids;
  std::vector<Pair> pairs;
  std::vector<char> has_traffic;  // by workload
  std::vector<char> marked_before, marked_after;
  boost::unordered_flat_set<std::uint32_t> groups_before, groups_after;
  std::vector<ImpactSeen> strangers;  // by id
  std::map<DisagreementKey, ImpactDisagreement> disagreements;
  ImpactReport totals;  // rows, strangers, disagreements and lists of the coverage are filled by report()
};

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
  const auto put_pod = [&](policy::PolicyEngine& engine, std::uint32_t id) {
    const policy::PodEntry& entry = engine.compiled().view.pods[id];
    put(entry.peer.value());
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
  if (end.kind == EndKind::pod && kind_of_pod[end.id] != kNone) {
    return kind_of_pod[end.id];
  }
  const auto [found, is_new] = kind_ids.emplace(key_of(end), static_cast<std::uint32_t>(kinds.size()));
  if (is_new) {
    const bool is_node_traffic =
        end.kind == EndKind::node ||
        (end.kind == EndKind::pod && before.engine().compiled().view.pods[end.id].is_node_traffic);
    kinds.push_back({.example = end, .is_node_traffic = is_node_traffic});
  } else {
    Kind& kind = kinds[found->second];
    kind.has_others = kind.has_others || kind.example.id != end.id || kind.example.ip != end.ip;
  }
  if (end.kind == EndKind::pod) {
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
  for (const policy::PolicyIndex policy : compiled.policies_of(group)) {
    marked[policy.index()] = 1;
  }
  for (const policy::Tier tier : {policy::Tier::admin, policy::Tier::baseline}) {
    for (const std::uint32_t segment : compiled.segments_of(group, tier)) {
      for (const policy::PolicyIndex policy : compiled.segments[segment].policies) {
        marked[policy.index()] = 1;
      }
    }
  }
}

/// Notes which policies select an end: they have been put to the test.
void Impact::Impl::mark_end(policy::PolicyEngine& engine, const End& end, Direction direction,
                            std::vector<char>& marked, boost::unordered_flat_set<std::uint32_t>& groups) const {
  const auto& pods = engine.compiled().view.pods;
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

Impact::Impact(policy::PolicyEngine& before, policy::PolicyEngine& after, const flows::EndMapper& mapper,
               const std::vector<std::string>& reasons, ImpactOptions options)
    : impl_(std::make_unique<Impl>(before, after, mapper, reasons, options)) {}
Impact::~Impact() = default;
Impact::Impact(Impact&&) noexcept = default;

void Impact::add(const flows::Connection& connection) {
  impl_->add(connection);
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
