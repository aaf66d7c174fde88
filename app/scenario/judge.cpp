#include "app/scenario/judge.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

namespace podwire::scenario {
namespace {

using policy::Action;
using policy::Direction;
using policy::Peer;
using policy::PolicyEngine;

struct Pair {
  Peer source;
  Peer destination;
  Port port;
};

// Replicas are two different pods where there are two; a pod is a destination of its own only where that is all there
// is, or where a Service may send it to itself.
std::vector<Pair> distinct_pairs(const cluster::Cluster& cluster, const ConnectionSpec& connection) {
  const bool is_through_service = !connection.service_ip.is_unspecified();
  std::vector<Peer> sources;
  std::set<cluster::ShapeId> shapes;
  for (const cluster::PodId pod : connection.from.pods) {
    if (shapes.insert(cluster.pods[pod.index()].shape).second) {
      sources.push_back(peer_of_pod(cluster, pod));
    }
  }
  if (connection.from.is_external()) {
    sources.push_back(peer_of_address(cluster, connection.from.external));
  }
  std::vector<Pair> pairs;
  for (const Peer& source : sources) {
    std::set<std::tuple<cluster::ShapeId, Port, bool>> seen;
    for (const auto& destination : connection.destinations) {
      if (!destination.pod.is_valid()) {
        pairs.push_back({source, peer_of_address(cluster, destination.ip), destination.port});
        continue;
      }
      const bool is_self = destination.pod == source.pod;
      if (is_self && !is_through_service && connection.destinations.size() > 1) {
        continue;
      }
      if (seen.insert({cluster.pods[destination.pod.index()].shape, destination.port, is_self}).second) {
        Peer peer = peer_of_pod(cluster, destination.pod);
        peer.ip = destination.ip;
        peer.service_ip = connection.service_ip;
        peer.service_port = connection.dialled;
        Peer from = source;  // which talks in the family of what it dials
        from.ip = source.pod.is_valid() ? cluster.address_of(source.pod, destination.ip) : source.ip;
        pairs.push_back({from, peer, destination.port});
      }
    }
  }
  return pairs;
}

Verdict combined(const policy::Verdict& egress, const policy::Verdict& ingress) {
  if (egress.action == Action::deny || ingress.action == Action::deny) {
    return Verdict::denied;
  }
  return egress.action == Action::unknown || ingress.action == Action::unknown ? Verdict::unknown : Verdict::allowed;
}

struct PairVerdict {
  Verdict verdict = Verdict::allowed;
  std::optional<policy::PortSet> ports;  // without a port: what is allowed
};

PairVerdict judge_pair(PolicyEngine& engine, const Pair& pair, IpProtocol protocol) {
  if (pair.port.is_valid()) {
    return {combined(engine.verdict(Direction::egress, pair.source, pair.destination, protocol, pair.port),
                     engine.verdict(Direction::ingress, pair.destination, pair.source, protocol, pair.port)),
            std::nullopt};
  }
  bool is_egress_unknown = false;
  bool is_ingress_unknown = false;
  const policy::PortSet ports =
      engine.allowed_ports(Direction::egress, pair.source, pair.destination, is_egress_unknown)
          .intersected_with(
              engine.allowed_ports(Direction::ingress, pair.destination, pair.source, is_ingress_unknown));
  const Verdict verdict = is_egress_unknown || is_ingress_unknown ? Verdict::unknown
                          : ports.empty()                         ? Verdict::denied
                                                                  : Verdict::allowed;
  return {verdict, ports};
}

// The deciding side first: a denial needs one of them, an allowance both.
void explain(PolicyEngine& engine, const Pair& pair, IpProtocol protocol, Judgement& judgement) {
  const Port port = pair.port.is_valid() ? pair.port : Port(1);
  const auto egress = engine.explain(Direction::egress, pair.source, pair.destination, protocol, port);
  const auto ingress = engine.explain(Direction::ingress, pair.destination, pair.source, protocol, port);
  const auto decides = [&](const policy::Explanation& side) {
    return (judgement.verdict == Verdict::denied && side.verdict.action == Action::deny) ||
           (judgement.verdict == Verdict::unknown && side.verdict.action == Action::unknown);
  };
  if (decides(egress) || decides(ingress)) {
    const policy::Explanation& side = decides(egress) ? egress : ingress;
    judgement.because = fmt::format("{}: {}", to_string(side.direction), side.text);
    judgement.span = side.span;
  } else {
    judgement.because = fmt::format("egress: {}; ingress: {}", egress.text, ingress.text);
    judgement.span = ingress.span.is_known() ? ingress.span : egress.span;
  }
}

}  // namespace

Peer peer_of_pod(const cluster::Cluster& cluster, cluster::PodId pod) {
  return {.pod = pod, .node = {}, .ip = cluster.pods[pod.index()].ip};
}

Peer peer_of_address(const cluster::Cluster& cluster, IpAddress address) {
  return {.pod = cluster.pod_at(address), .node = cluster.node_at(address), .ip = address};
}

Judgement judge(PolicyEngine& engine, const ConnectionSpec& connection) {
  const std::vector<Pair> pairs = distinct_pairs(engine.cluster(), connection);
  Judgement judgement;
  std::size_t counts[3] = {};
  std::optional<policy::PortSet> ports;
  const Pair* first = nullptr;
  for (const Pair& pair : pairs) {
    const PairVerdict verdict = judge_pair(engine, pair, connection.protocol);
    if (first == nullptr) {
      first = &pair;
      judgement.verdict = verdict.verdict;
      ports = verdict.ports;
    }
    judgement.is_mixed = judgement.is_mixed || verdict.verdict != judgement.verdict || verdict.ports != ports ||
                         (verdict.ports && !verdict.ports->empty() && !verdict.ports->is_all());
    ++counts[static_cast<std::size_t>(verdict.verdict)];
  }
  if (first == nullptr) {
    return judgement;
  }
  explain(engine, *first, connection.protocol, judgement);
  if (!judgement.is_mixed) {
    judgement.measured = to_string(judgement.verdict);
  } else if (pairs.size() == 1) {
    judgement.measured = fmt::format("{} alone", ports->to_string());
  } else {
    judgement.measured = fmt::format("mixed: of {} pairs of pods {} allowed, {} denied, {} unknown", pairs.size(),
                                     counts[0], counts[1], counts[2]);
  }
  return judgement;
}

Judges::Judges(const PolicySetPlan& plan) : Judges(plan, plan.cluster(), plan.policies) {}

Judges::Judges(const PolicySetPlan& plan, const cluster::Cluster& cluster, const policy::PolicySet& policies)
    : plan_(plan), cluster_(cluster), policies_(policies) {
  engines_.push_back(std::make_unique<PolicyEngine>(cluster_, policies_, plan.profile(), plan.names.get()));
  for (const cni::Profile& other : plan.state->others) {
    engines_.push_back(std::make_unique<PolicyEngine>(cluster_, policies_, other, plan.names.get()));
  }
}

std::vector<std::string> Judges::responsible(std::size_t other,
                                             const std::function<bool(PolicyEngine&)>& is_as_other) const {
  std::vector<std::string> paths;
  const cni::Profile& theirs = plan_.state->others[other - 1];
  for (const std::string& path : cni::verdict_differences(plan_.profile(), theirs)) {
    cni::Profile mixed = plan_.profile();
    cni::copy_policy_value(mixed, theirs, path);
    PolicyEngine engine(cluster_, policies_, mixed, plan_.names.get());
    if (is_as_other(engine)) {
      paths.push_back(path);
    }
  }
  return paths;
}

Judgement Judges::judge(const ConnectionSpec& connection) {
  Judgement judgement = scenario::judge(engine(), connection);
  for (std::size_t i = 1; i < engines_.size(); ++i) {
    const Judgement other = scenario::judge(*engines_[i], connection);
    if (other.measured == judgement.measured) {
      continue;
    }
    const auto paths = responsible(
        i, [&](PolicyEngine& mixed) { return scenario::judge(mixed, connection).measured == other.measured; });
    return {.verdict = Verdict::unknown,
            .is_mixed = false,
            .measured = std::string(to_string(Verdict::unknown)),
            .because = fmt::format("profile {} says {}, {} says {}{}{}", plan_.profile().name, judgement.measured,
                                   plan_.state->others[i - 1].name, other.measured, paths.empty() ? "" : ": ",
                                   fmt::join(paths, ", ")),
            .span = judgement.span.is_known() ? judgement.span : other.span};
  }
  return judgement;
}

}  // namespace podwire::scenario
