#include "models/analysis/declared.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "models/analysis/impact_judge.hpp"
#include "models/policy/view.hpp"

namespace podwire::analysis {
namespace {

using flows::End;
using flows::EndKind;
using policy::Action;

flows::FlowProtocol flow_protocol(IpProtocol protocol) {
  return protocol == IpProtocol::tcp   ? flows::FlowProtocol::tcp
         : protocol == IpProtocol::udp ? flows::FlowProtocol::udp
                                       : flows::FlowProtocol::sctp;
}

/// The pods among `pods` that policies can tell apart: one of each kind, running ones.
std::vector<cluster::PodId> kinds_of(policy::PolicyEngine& engine, std::span<const cluster::PodId> pods) {
  std::vector<cluster::PodId> kinds;
  std::vector<policy::PodEntry> known;
  for (const cluster::PodId pod : pods) {
    const policy::PodEntry& entry = engine.view().pods[pod.index()];
    if (engine.cluster().pods[pod.index()].phase == cluster::PodPhase::running &&
        std::find(known.begin(), known.end(), entry) == known.end()) {
      known.push_back(entry);
      kinds.push_back(pod);
    }
  }
  return kinds;
}

/// Declared ends with one pod of each kind in place of all of them.
std::vector<End> distinct_ends(policy::PolicyEngine& engine, std::span<const End> ends) {
  std::vector<End> distinct;
  std::vector<cluster::PodId> pods;
  for (const End& end : ends) {
    if (end.kind == EndKind::pod) {
      pods.emplace_back(end.id);
    } else {
      distinct.push_back(end);
    }
  }
  for (const cluster::PodId pod : kinds_of(engine, pods)) {
    distinct.push_back({.kind = EndKind::pod, .id = pod.value()});
  }
  return distinct;
}

ImpactSide side_of(const ImpactJudge& judge, const PairVerdict& verdict) {
  ImpactSide side{.action = verdict.action, .doubt = verdict.doubt, .direction = verdict.direction};
  const bool is_told = verdict.doubt == ImpactDoubt::none || verdict.doubt == ImpactDoubt::model ||
                       verdict.doubt == ImpactDoubt::no_address;
  if (is_told) {
    std::tie(side.rule, side.span) = judge.rule_of(verdict.direction, verdict.verdict);
  }
  return side;
}

using Identity = std::tuple<std::string, std::string, IpProtocol, std::uint16_t>;

Identity identity_of(const cluster::Cluster& cluster, const DeclaredConnection& connection) {
  return {cluster.workload_name(connection.source), connection.destination, connection.protocol,
          connection.port.number()};
}

}  // namespace

struct DeclaredJudge::Impl {
  policy::PolicyEngine& engine;
  ImpactJudge judge;
};

DeclaredJudge::DeclaredJudge(policy::PolicyEngine& engine)
    : impl_(std::make_unique<Impl>(Impl{.engine = engine, .judge = ImpactJudge(engine)})) {}
DeclaredJudge::~DeclaredJudge() = default;

ImpactSide DeclaredJudge::judge(const End& source, const End& destination, IpProtocol protocol, Port port) {
  return side_of(impl_->judge, impl_->judge.judge(source, destination, flow_protocol(protocol), port.number()));
}

ImpactSide DeclaredJudge::judge(const DeclaredConnection& connection, bool& is_partly) {
  const cluster::Cluster& cluster = impl_->engine.cluster();
  std::optional<PairVerdict> worst;
  bool has_allowed = false;
  bool differs = false;
  const auto rank = [](Action action) { return action == Action::deny ? 2 : action == Action::unknown ? 1 : 0; };
  for (const cluster::PodId pod : kinds_of(impl_->engine, cluster.workloads[connection.source.index()].pods)) {
    const End source{.kind = EndKind::pod, .id = pod.value()};
    for (const End& end : distinct_ends(impl_->engine, connection.ends)) {
      const PairVerdict verdict =
          impl_->judge.judge(source, end, flow_protocol(connection.protocol), connection.port.number());
      has_allowed = has_allowed || verdict.action == Action::allow;
      differs = differs || (worst && worst->action != verdict.action);
      if (!worst || rank(verdict.action) > rank(worst->action)) {
        worst = verdict;
      }
    }
  }
  if (!worst) {
    is_partly = false;
    return {.action = Action::unknown, .doubt = ImpactDoubt::backends, .rule = {}, .span = {}};
  }
  is_partly = has_allowed && worst->action != Action::allow;
  // Of a name outside the ends are all that it may be: what they do not agree on depends on its address.
  if (differs && connection.is_outside) {
    worst->action = Action::unknown;
    worst->doubt = ImpactDoubt::no_address;
    is_partly = false;
  }
  return side_of(impl_->judge, *worst);
}

DeclaredImpact judge_declared(policy::PolicyEngine& before, policy::PolicyEngine& after,
                              std::span<const DeclaredConnection> meant_before,
                              std::span<const DeclaredConnection> meant_after) {
  DeclaredImpact result;
  std::map<Identity, const DeclaredConnection*> old;
  for (const DeclaredConnection& connection : meant_before) {
    old.emplace(identity_of(before.cluster(), connection), &connection);
  }
  DeclaredJudge judge_before(before);
  DeclaredJudge judge_after(after);
  for (const DeclaredConnection& connection : meant_after) {
    DeclaredRow row{.source = after.cluster().workload_name(connection.source),
                    .connection = connection,
                    .before = {},
                    .after = {},
                    .was_recorded = {}};
    row.after = judge_after.judge(connection, row.is_partly);
    const auto known = old.find(identity_of(after.cluster(), connection));
    Action was = Action::allow;  // of what is only declared from now on: nobody could miss it before
    if (known != old.end()) {
      bool is_partly = false;
      row.before = judge_before.judge(*known->second, is_partly);
      was = row.before->action;
      old.erase(known);
    }
    const Action becomes = row.after.action;
    if (was == Action::unknown || becomes == Action::unknown) {
      row.doubt = becomes == Action::unknown ? row.after.doubt : row.before->doubt;
    } else if (was == becomes) {
      row.outcome = was == Action::allow ? ImpactOutcome::still_allowed : ImpactOutcome::still_denied;
    } else {
      row.outcome = becomes == Action::allow ? ImpactOutcome::newly_allowed : ImpactOutcome::newly_denied;
    }
    ++result.totals[static_cast<std::size_t>(row.outcome)];
    result.rows.push_back(std::move(row));
  }
  result.no_longer = old.size();
  std::stable_sort(result.rows.begin(), result.rows.end(), [](const DeclaredRow& a, const DeclaredRow& b) {
    return std::make_tuple(a.outcome, a.source, a.connection.destination, a.connection.port.number()) <
           std::make_tuple(b.outcome, b.source, b.connection.destination, b.connection.port.number());
  });
  return result;
}

namespace {

using Way = std::tuple<std::string, std::string, flows::FlowProtocol, std::uint16_t>;

/// The ways that flows of a declared connection take, as rows of impact name them; none when they leave the cluster.
std::vector<Way> ways_of(const DeclaredRow& row, const cluster::Cluster& cluster) {
  std::vector<Way> ways;
  const DeclaredConnection& connection = row.connection;
  const flows::FlowProtocol protocol = flow_protocol(connection.protocol);
  const auto add = [&](std::string destination, Port port) {
    ways.emplace_back(row.source, std::move(destination), protocol, port.number());
  };
  const auto add_pod = [&](cluster::PodId pod, Port port) {
    add(cluster.workload_name(cluster.pods[pod.index()].workload), port);
  };
  for (const End& end : connection.ends) {
    if (end.kind == EndKind::pod) {
      add_pod(cluster::PodId(end.id), connection.port);
    } else if (end.kind == EndKind::service) {
      add(fmt::format("{} (Service)", cluster.service_name(cluster::ServiceId(end.id))), connection.port);
      for (const cluster::ServicePort& port : cluster.services[end.id].ports) {
        if (port.port != connection.port || port.protocol != connection.protocol) {
          continue;
        }
        for (const cluster::Backend& backend : port.backends) {
          if (backend.pod.is_valid()) {
            add_pod(backend.pod, backend.port);
          }
        }
      }
    }
  }
  std::sort(ways.begin(), ways.end());
  ways.erase(std::unique(ways.begin(), ways.end()), ways.end());
  return ways;
}

}  // namespace

void compare_with_flows(DeclaredImpact& declared, const ImpactReport& recorded, const cluster::Cluster& cluster) {
  std::map<Way, ImpactSeen> taken;
  for (const ImpactRow& row : recorded.rows) {
    taken[{row.source, row.destination, row.protocol, row.port}].add(row.seen.count, row.seen.first, row.seen.last);
  }
  std::set<Way> meant;
  for (DeclaredRow& row : declared.rows) {
    const std::vector<Way> ways = ways_of(row, cluster);
    if (ways.empty()) {
      continue;
    }
    row.was_recorded = std::any_of(ways.begin(), ways.end(), [&](const Way& way) { return taken.contains(way); });
    ++declared.declared_in_cluster;
    declared.without_flow += *row.was_recorded ? 0 : 1;
    meant.insert(ways.begin(), ways.end());
  }
  std::set<std::string> dns;
  if (cluster.dns_service.is_valid()) {
    dns.insert(fmt::format("{} (Service)", cluster.service_name(cluster.dns_service)));
    for (const cluster::ServicePort& port : cluster.services[cluster.dns_service.index()].ports) {
      for (const cluster::Backend& backend : port.backends) {
        if (backend.pod.is_valid()) {
          dns.insert(cluster.workload_name(cluster.pods[backend.pod.index()].workload));
        }
      }
    }
  }
  const auto is_inside = [](const std::string& name) {
    return name.find('/') != std::string::npos && !name.ends_with("[External]");
  };
  for (const auto& [way, seen] : taken) {
    const auto& [source, destination, protocol, port] = way;
    if (is_inside(source) && is_inside(destination) && protocol <= flows::FlowProtocol::sctp &&
        !dns.contains(destination) && !meant.contains(way)) {
      declared.undeclared.push_back(
          {.source = source, .destination = destination, .protocol = protocol, .port = port, .seen = seen});
    }
  }
  std::stable_sort(declared.undeclared.begin(), declared.undeclared.end(),
                   [](const UndeclaredPair& a, const UndeclaredPair& b) { return a.seen.count > b.seen.count; });
}

}  // namespace podwire::analysis
