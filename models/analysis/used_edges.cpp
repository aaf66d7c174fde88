#include "models/analysis/used_edges.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>

namespace podwire::analysis {
namespace {

using flows::End;
using flows::EndKind;

constexpr std::uint32_t kOutside = 0xffff'ffff;

cluster::PodId running_pod(const cluster::Cluster& cluster, std::uint32_t workload) {
  const std::vector<cluster::PodId>& pods = cluster.workloads[workload].pods;
  const auto running = std::find_if(pods.begin(), pods.end(), [&](cluster::PodId pod) {
    return cluster.pods[pod.index()].phase == cluster::PodPhase::running;
  });
  return running != pods.end() ? *running : pods.empty() ? cluster::PodId() : pods.front();
}

}  // namespace

UsedEdges::UsedEdges(const cluster::Cluster& cluster, std::size_t most_addresses)
    : cluster_(cluster), most_addresses_(most_addresses) {}

void UsedEdges::put(Use& use, IpProtocol protocol, Port port) {
  const policy::PortSet::Range range{.protocol = protocol, .first = port.number(), .last = port.number()};
  const auto at = std::lower_bound(use.ports.begin(), use.ports.end(), range);
  if (at == use.ports.end() || *at != range) {
    use.ports.insert(at, range);
    use.is_met.resize(use.ports.size());
  }
}

void UsedEdges::use(const End& source, const End& destination, IpProtocol protocol, Port port) {
  const auto workload_of = [&](const End& end) {
    return end.kind == EndKind::pod ? cluster_.pods[end.id].workload.value() : kOutside;
  };
  const Edge edge{.source = workload_of(source), .destination = workload_of(destination)};
  if (edge.source != kOutside && edge.destination != kOutside) {
    put(inside_[edge], protocol, port);
    return;
  }
  const End& other = edge.source == kOutside ? source : destination;
  std::map<IpAddress, Use>& known = outside_[edge];
  const auto at = known.find(other.ip);
  if (at == known.end() && addresses_ >= most_addresses_) {
    ++totals_.unplaced;
    return;
  }
  addresses_ += at == known.end() ? 1 : 0;
  put(known[other.ip], protocol, port);
}

void UsedEdges::add(const flows::Connection& connection) {
  ++totals_.uses;
  const auto is_placed = [](const End& end) { return end.kind == EndKind::pod || end.kind == EndKind::address; };
  const bool has_port = connection.protocol <= flows::FlowProtocol::sctp && connection.destination_port != 0;
  const bool is_between_strangers =
      connection.source.kind == EndKind::address && connection.destination.kind == EndKind::address;
  if (!has_port || !is_placed(connection.source) || is_between_strangers ||
      (!is_placed(connection.destination) && connection.destination.kind != EndKind::service)) {
    ++totals_.unplaced;
    return;
  }
  const auto protocol = static_cast<IpProtocol>(connection.protocol);
  if (connection.destination.kind != EndKind::service) {
    use(connection.source, connection.destination, protocol, Port(connection.destination_port));
    return;
  }
  bool has_backend = false;
  for (const cluster::ServicePort& port : cluster_.services[connection.destination.id].ports) {
    if (port.port.number() != connection.destination_port || port.protocol != protocol) {
      continue;
    }
    for (const cluster::Backend& backend : port.backends) {
      const End end = backend.pod.is_valid() ? End{.kind = EndKind::pod, .id = backend.pod.value()}
                                             : End{.kind = EndKind::address, .ip = backend.ip};
      if (connection.source.kind == EndKind::pod || backend.pod.is_valid()) {
        use(connection.source, end, protocol, backend.port);
        has_backend = true;
      }
    }
  }
  totals_.unplaced += has_backend ? 0 : 1;
}

void UsedEdges::add(const DeclaredConnection& connection) {
  if (connection.is_outside) {
    ++totals_.uses;
    named_.push_back(connection);
    return;
  }
  const cluster::PodId source = running_pod(cluster_, connection.source.value());
  const std::uint64_t unplaced = totals_.unplaced;
  const std::uint64_t uses = totals_.uses;
  for (const End& end : connection.ends) {
    flows::Connection one;
    one.source = source.is_valid() ? End{.kind = EndKind::pod, .id = source.value()} : End{.kind = EndKind::unmapped};
    one.destination = end;
    one.protocol = static_cast<flows::FlowProtocol>(connection.protocol);
    one.destination_port = connection.port.number();
    add(one);
  }
  // One connection, to however many pods.
  totals_.uses = uses + 1;
  totals_.unplaced = unplaced + (totals_.unplaced > unplaced ? 1 : 0);
}

void UsedEdges::begin() {
  for (auto& [edge, use] : inside_) {
    use.is_met.assign(use.ports.size(), false);
  }
  for (auto& [edge, addresses] : outside_) {
    for (auto& [ip, use] : addresses) {
      use.is_met.assign(use.ports.size(), false);
    }
  }
}

policy::PortSet UsedEdges::meet(Use& use, const ReachRow& row) {
  std::vector<policy::PortSet::Range> ports;
  for (std::size_t i = 0; i < use.ports.size(); ++i) {
    const policy::PortSet::Range& port = use.ports[i];
    if (row.is_unknown || row.ports->contains(port.protocol, Port(port.first))) {
      use.is_met[i] = true;
      ports.push_back(port);
    }
  }
  return policy::PortSet::of(std::move(ports));
}

policy::PortSet UsedEdges::used_of(const ReachRow& row) {
  const Edge edge{.source = row.source.is_external() ? kOutside : row.source.workload.value(),
                  .destination = row.destination.is_external() ? kOutside : row.destination.workload.value()};
  if (edge.source != kOutside && edge.destination != kOutside) {
    const auto at = inside_.find(edge);
    return at == inside_.end() ? policy::PortSet() : meet(at->second, row);
  }
  policy::PortSet ports;
  const auto at = outside_.find(edge);
  if (at == outside_.end()) {
    return ports;
  }
  const auto& [first, last] = edge.source == kOutside ? row.source.range : row.destination.range;
  for (auto known = at->second.lower_bound(first); known != at->second.end() && known->first <= last; ++known) {
    ports = ports.united_with(meet(known->second, row));
  }
  return ports;
}

std::vector<UnreachedUse> UsedEdges::unreached(policy::PolicyEngine& engine) {
  DeclaredJudge judge(engine);
  std::vector<UnreachedUse> list;
  const auto end_of = [&](std::uint32_t workload, IpAddress ip) -> std::optional<End> {
    if (workload == kOutside) {
      return End{.kind = EndKind::address, .ip = ip};
    }
    const cluster::PodId pod = running_pod(cluster_, workload);
    return pod.is_valid() ? std::optional(End{.kind = EndKind::pod, .id = pod.value()}) : std::nullopt;
  };
  const auto name_of = [&](std::uint32_t workload, IpAddress ip) {
    return workload == kOutside ? ip.to_string() + "[External]" : cluster_.workload_name(cluster::WorkloadId(workload));
  };
  /// Rows of one pair with the same word on them are one; addresses outside likewise.
  const auto add = [&](const Edge& edge, IpAddress ip, const Use& use) {
    const auto source = end_of(edge.source, ip);
    const auto destination = end_of(edge.destination, ip);
    for (std::size_t i = 0; i < use.ports.size(); ++i) {
      if (use.is_met[i] || !source || !destination) {
        continue;
      }
      const ImpactSide side = judge.judge(*source, *destination, use.ports[i].protocol, Port(use.ports[i].first));
      const bool is_outside = edge.source == kOutside || edge.destination == kOutside;
      const auto known = std::find_if(list.rbegin(), list.rend(), [&](const UnreachedUse& one) {
        return one.source_workload.value() == edge.source && one.destination_workload.value() == edge.destination &&
               one.side.action == side.action && one.side.rule == side.rule && one.side.span == side.span;
      });
      const policy::PortSet port = policy::PortSet::of({use.ports[i]});
      if (known != list.rend()) {
        known->ports = known->ports.united_with(port);
        known->addresses += is_outside && i == 0 ? 1 : 0;
        continue;
      }
      list.push_back({.source = name_of(edge.source, ip),
                      .destination = name_of(edge.destination, ip),
                      .source_workload = cluster::WorkloadId(edge.source),
                      .destination_workload = cluster::WorkloadId(edge.destination),
                      .ports = port,
                      .side = side,
                      .addresses = is_outside ? 1u : 0u});
    }
  };
  for (const auto& [edge, use] : inside_) {
    add(edge, {}, use);
  }
  for (const auto& [edge, addresses] : outside_) {
    for (const auto& [ip, use] : addresses) {
      add(edge, ip, use);
    }
  }
  for (const DeclaredConnection& connection : named_) {
    bool is_partly = false;
    list.push_back(
        {.source = cluster_.workload_name(connection.source),
         .destination = connection.destination,
         .source_workload = connection.source,
         .destination_workload = {},
         .ports = policy::PortSet::of(
             {{.protocol = connection.protocol, .first = connection.port.number(), .last = connection.port.number()}}),
         .side = judge.judge(connection, is_partly)});
  }
  std::stable_sort(list.begin(), list.end(), [](const UnreachedUse& a, const UnreachedUse& b) {
    const bool is_a_denied = a.side.action != policy::Action::allow;
    const bool is_b_denied = b.side.action != policy::Action::allow;
    return std::tie(is_a_denied, a.source, a.destination) < std::tie(is_b_denied, b.source, b.destination);
  });
  return list;
}

}  // namespace podwire::analysis
