#include "models/analysis/impact_judge.hpp"

#include <algorithm>
#include <array>

#include "models/policy/compiled.hpp"
#include "models/policy/view.hpp"

namespace podwire::analysis {
namespace {

using flows::End;
using flows::EndKind;
using flows::FlowProtocol;
using policy::Action;
using policy::Direction;
using policy::Peer;

/// A denial by one side is a denial; what one side leaves open is open unless the other denies.
void combine(PairVerdict& pair) {
  const auto decide = [&](Direction direction, const policy::Verdict& verdict, Action action) {
    pair.direction = direction;
    pair.verdict = verdict;
    pair.action = action;
  };
  if (pair.egress == Action::deny || (pair.egress == Action::unknown && pair.ingress != Action::deny)) {
    decide(Direction::egress, pair.egress_verdict, pair.egress);
  } else if (pair.ingress != Action::allow) {
    decide(Direction::ingress, pair.ingress_verdict, pair.ingress);
  } else {  // allowed by both: a rule says more than that nothing is said
    const bool is_egress =
        pair.ingress_verdict.cause == policy::Cause::not_a_subject ||
        (pair.egress_verdict.cause == policy::Cause::rule && pair.ingress_verdict.cause != policy::Cause::rule);
    decide(is_egress ? Direction::egress : Direction::ingress, is_egress ? pair.egress_verdict : pair.ingress_verdict,
           Action::allow);
  }
  if (pair.action == Action::unknown && pair.doubt == ImpactDoubt::none) {
    pair.doubt = ImpactDoubt::model;
  } else if (pair.action != Action::unknown) {
    pair.doubt = ImpactDoubt::none;
  }
}

/// Adds one of several possibilities; what they do not agree on is unknown, by `doubt`.
void unite(PairVerdict& sum, const PairVerdict& next, bool is_first, ImpactDoubt doubt) {
  if (is_first) {
    sum = next;
    return;
  }
  const auto join = [](Action a, Action b) { return a == b ? a : Action::unknown; };
  const bool differs = sum.action != next.action;
  sum.egress = join(sum.egress, next.egress);
  sum.ingress = join(sum.ingress, next.ingress);
  if (differs) {
    sum.action = Action::unknown;
    sum.doubt = doubt;
    sum.direction = next.action == Action::deny ? next.direction : sum.direction;
    sum.verdict = next.action == Action::deny ? next.verdict : sum.verdict;
  }
}

struct Range {
  IpAddress first;
  IpAddress last;
};
/// RFC 1918 alone is "pvt" to Calico, every IPv6 address "pub", unique local ones too (getSubnetType in
/// felix/collector/types/endpoint/endpoint.go of projectcalico/calico).
const std::array<Range, 3> kPrivate = {{{IpAddress::v4(10, 0, 0, 0), IpAddress::v4(10, 255, 255, 255)},
                                        {IpAddress::v4(172, 16, 0, 0), IpAddress::v4(172, 31, 255, 255)},
                                        {IpAddress::v4(192, 168, 0, 0), IpAddress::v4(192, 168, 255, 255)}}};

/// An address of [first, last] that is private, or is not; nothing when there is none.
std::optional<IpAddress> address_in(IpAddress first, IpAddress last, bool is_private) {
  if (is_private) {
    for (const Range& range : kPrivate) {
      if (first <= range.last && range.first <= last) {
        return std::max(first, range.first);
      }
    }
    return std::nullopt;
  }
  IpAddress at = first;
  for (bool has_moved = true; has_moved;) {
    has_moved = false;
    for (const Range& range : kPrivate) {
      if (at >= range.first && at <= range.last) {
        if (range.last >= last) {
          return std::nullopt;
        }
        at = range.last.plus(1);
        has_moved = true;
      }
    }
  }
  return at;
}

}  // namespace

Peer ImpactJudge::peer_of(const End& end) const {
  const cluster::Cluster& cluster = engine_.cluster();
  switch (end.kind) {
    case EndKind::pod:
      return {.pod = cluster::PodId(end.id), .ip = end.ip.is_unspecified() ? cluster.pods[end.id].ip : end.ip};
    case EndKind::node: {
      const auto& addresses = cluster.nodes[end.id].addresses;
      return {.node = cluster::NodeId(end.id), .ip = addresses.empty() ? IpAddress() : addresses.front()};
    }
    default:
      return {.ip = end.ip};
  }
}

/// Two pods at addresses of one family, the destination's if the source has it.
void ImpactJudge::agree_on_family(Peer& source, Peer& destination) const {
  const cluster::Cluster& cluster = engine_.cluster();
  if (cluster.second_addresses.empty() || source.ip.family() == destination.ip.family()) {
    return;
  }
  if (source.pod.is_valid()) {
    source.ip = cluster.address_of(source.pod, destination.ip);
  }
  if (destination.pod.is_valid()) {
    destination.ip = cluster.address_of(destination.pod, source.ip);
  }
}

PairVerdict ImpactJudge::judge_peers(Peer source, Peer destination, FlowProtocol protocol, std::uint16_t port) {
  agree_on_family(source, destination);
  if (protocol > FlowProtocol::sctp) {
    return judge_icmp(source, destination);
  }
  PairVerdict pair;
  const auto transport = static_cast<IpProtocol>(protocol);
  pair.egress_verdict = engine_.verdict(Direction::egress, source, destination, transport, Port(port));
  pair.ingress_verdict = engine_.verdict(Direction::ingress, destination, source, transport, Port(port));
  pair.egress = pair.egress_verdict.action;
  pair.ingress = pair.ingress_verdict.action;
  combine(pair);
  return pair;
}

/// The API says nothing of ICMP. Calico and Cilium let it through where a rule names no ports, and drop it at pods that
/// are isolated otherwise: so it is allowed where every port is, denied where none is, and open between (guess for
/// other plugins, which may let all of it through).
PairVerdict ImpactJudge::judge_icmp(const Peer& source, const Peer& destination) {
  PairVerdict pair;
  bool is_partial = false;
  const auto side = [&](Direction direction, const Peer& subject, const Peer& other, policy::Verdict& verdict) {
    bool is_unknown = false;
    const policy::PortSet ports = engine_.allowed_ports(direction, subject, other, is_unknown);
    verdict = engine_.verdict(direction, subject, other, IpProtocol::tcp, Port(1));
    const bool is_all = ports == policy::PortSet::all();
    is_partial = is_partial || (!is_unknown && !is_all && !ports.empty());
    return is_unknown ? Action::unknown : is_all ? Action::allow : ports.empty() ? Action::deny : Action::unknown;
  };
  pair.egress = side(Direction::egress, source, destination, pair.egress_verdict);
  pair.ingress = side(Direction::ingress, destination, source, pair.ingress_verdict);
  pair.doubt = is_partial ? ImpactDoubt::icmp : ImpactDoubt::none;
  combine(pair);
  return pair;
}

/// Policies see the backend: the one that was chosen is not told, so all must agree.
PairVerdict ImpactJudge::judge_service(const Peer& source, cluster::ServiceId id, FlowProtocol protocol,
                                       std::uint16_t port) {
  const cluster::Service& service = engine_.cluster().services[id.index()];
  PairVerdict sum;
  bool is_first = true;
  for (const cluster::ServicePort& offered : service.ports) {
    if (protocol > FlowProtocol::sctp || offered.port.number() != port ||
        offered.protocol != static_cast<IpProtocol>(protocol)) {
      continue;
    }
    std::vector<policy::PodEntry> known;
    for (const cluster::Backend& backend : offered.backends) {
      if (backend.pod.is_valid()) {
        const policy::PodEntry& entry = engine_.view().pods[backend.pod.index()];
        if (backend.pod != source.pod && std::find(known.begin(), known.end(), entry) != known.end()) {
          continue;
        }
        known.push_back(entry);
      }
      const Peer to{.pod = backend.pod,
                    .node = backend.pod.is_valid() ? cluster::NodeId() : engine_.cluster().node_at(backend.ip),
                    .ip = backend.ip,
                    .service_ip = service.cluster_ip,
                    .service_port = offered.port};
      unite(sum, judge_peers(source, to, protocol, backend.port.number()), is_first, ImpactDoubt::backends);
      is_first = false;
    }
  }
  if (is_first) {
    sum.action = sum.egress = sum.ingress = Action::unknown;
    sum.doubt = ImpactDoubt::backends;
  }
  return sum;
}

template <class Judge>
PairVerdict ImpactJudge::over_addresses(EndKind kind, Judge judge) {
  PairVerdict sum;
  bool is_first = true;
  for (std::size_t a = 0; a < engine_.atom_count(); ++a) {
    const auto [first, last] = engine_.atom_range(policy::AtomId(a));
    if (const auto ip = address_in(first, last, kind == EndKind::private_network)) {
      unite(sum, judge(Peer{.pod = {}, .node = {}, .ip = *ip}), is_first, ImpactDoubt::no_address);
      is_first = false;
      if (sum.doubt == ImpactDoubt::no_address) {
        break;
      }
    }
  }
  return sum;
}

PairVerdict ImpactJudge::judge(const End& source, const End& destination, FlowProtocol protocol, std::uint16_t port) {
  const auto is_network = [](const End& end) {
    return end.kind == EndKind::public_network || end.kind == EndKind::private_network;
  };
  if (is_network(source)) {
    if (is_network(destination) || destination.kind == EndKind::service) {
      PairVerdict open;  // no pod's policies are known to apply
      open.action = destination.kind == EndKind::service ? Action::unknown : Action::allow;
      open.doubt = destination.kind == EndKind::service ? ImpactDoubt::no_address : ImpactDoubt::none;
      return open;
    }
    return over_addresses(source.kind,
                          [&](const Peer& from) { return judge_peers(from, peer_of(destination), protocol, port); });
  }
  if (is_network(destination)) {
    return over_addresses(destination.kind,
                          [&](const Peer& to) { return judge_peers(peer_of(source), to, protocol, port); });
  }
  if (destination.kind == EndKind::service) {
    return judge_service(peer_of(source), cluster::ServiceId(destination.id), protocol, port);
  }
  return judge_peers(peer_of(source), peer_of(destination), protocol, port);
}

std::pair<std::string, Span> ImpactJudge::rule_of(Direction direction, const policy::Verdict& verdict) const {
  Span span;
  switch (verdict.cause) {
    case policy::Cause::rule:
    case policy::Cause::conflict:
    case policy::Cause::unresolved:
      span = engine_.rule_span(verdict.policy, direction, verdict.rule);
      break;
    case policy::Cause::default_deny:
      span = engine_.policy_span(verdict.policy);
      break;
    case policy::Cause::unmodelled:
      span = engine_.cluster().unmodelled[verdict.unmodelled].span;
      break;
    default:
      break;
  }
  return {engine_.deciding_rule(direction, verdict), span};
}

}  // namespace podwire::analysis
