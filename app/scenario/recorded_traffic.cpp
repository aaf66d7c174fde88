// See the header.
#include "app/scenario/recorded_traffic.hpp"

#include <algorithm>

namespace podwire::scenario {
namespace {

using flows::EndKind;
using flows::FlowProtocol;

constexpr std::uint16_t kDnsPort = 53;  // RFC 1035 section 4.2

IpAddress network_of(IpAddress ip) {
  return Cidr(ip, ip.is_v4() ? 24 : 64).first();
}

}  // namespace

void TrafficTally::add(const flows::Connection& connection) {
  if (count == 0) {
    first = connection.first;
    last = connection.last;
    source = connection.source.ip;
    destination = connection.destination.ip;
  }
  ++count;
  first = std::min(first, connection.first);
  last = std::max(last, connection.last);
  const auto is_other = [](const flows::End& end, IpAddress known) {
    return end.kind == EndKind::address && end.ip != known;
  };
  has_more_addresses =
      has_more_addresses || is_other(connection.source, source) || is_other(connection.destination, destination);
}

std::size_t RecordedTraffic::KeyHash::operator()(const TrafficKey& key) const noexcept {
  const auto mix = [](std::uint64_t hash, std::uint64_t value) {
    hash = (hash ^ value) * 0x9e37'79b9'7f4a'7c15u;
    return hash ^ (hash >> 29);
  };
  std::uint64_t hash = std::uint64_t{key.port} << 8 | static_cast<std::uint64_t>(key.protocol);
  for (const TrafficEnd* const end : {&key.source, &key.destination}) {
    hash = mix(hash, std::uint64_t{end->id} << 8 | static_cast<std::uint64_t>(end->kind));
    hash = mix(hash, end->network.low() ^ end->network.high());
  }
  return static_cast<std::size_t>(hash);
}

RecordedTraffic::RecordedTraffic(const cluster::Cluster& cluster, std::size_t most_pairs)
    : cluster_(cluster), most_pairs_(most_pairs), host_pods_(cluster.nodes.size()) {
  for (std::size_t p = 0; p < cluster.pods.size(); ++p) {
    const cluster::PodId id(static_cast<std::uint32_t>(p));
    const cluster::Pod& pod = cluster.pods[p];
    if (pod.phase == cluster::PodPhase::running && pod.node.is_valid() && cluster.shape(id).is_host_network) {
      host_pods_[pod.node.index()].push_back(id);
    }
  }
  if (cluster.dns_service.is_valid()) {
    for (const cluster::ServicePort& port : cluster.services[cluster.dns_service.index()].ports) {
      for (const cluster::Backend& backend : port.backends) {
        if (port.port == Port(kDnsPort) && backend.pod.is_valid()) {
          dns_workloads_.insert(cluster.pods[backend.pod.index()].workload.value());
          dns_ports_.emplace(port.protocol, backend.port);
        }
      }
    }
  }
}

TrafficEnd RecordedTraffic::end_of(const flows::End& end, const flows::Connection& connection,
                                   bool is_destination) const {
  switch (end.kind) {
    case EndKind::pod:
      return {.kind = TrafficEnd::Kind::workload, .id = cluster_.pods[end.id].workload.value()};
    case EndKind::service:
      return {.kind = TrafficEnd::Kind::service, .id = end.id};
    case EndKind::public_network:
      return {.kind = TrafficEnd::Kind::public_network};
    case EndKind::private_network:
      return {.kind = TrafficEnd::Kind::private_network};
    case EndKind::address:
      return {.kind = TrafficEnd::Kind::outside, .network = network_of(end.ip)};
    case EndKind::node:
    case EndKind::unmapped:
      break;
  }
  // On its node's network a pod has the node's address: who listens on the port is who was called.
  if (end.kind == EndKind::node && is_destination && connection.protocol <= FlowProtocol::sctp) {
    for (const cluster::PodId pod : host_pods_[end.id]) {
      if (cluster_.listens(pod, static_cast<IpProtocol>(connection.protocol), Port(connection.destination_port))) {
        return {.kind = TrafficEnd::Kind::workload, .id = cluster_.pods[pod.index()].workload.value()};
      }
    }
  }
  return {.kind = TrafficEnd::Kind::node};
}

bool RecordedTraffic::is_cluster_dns(const TrafficEnd& destination) const {
  return (destination.kind == TrafficEnd::Kind::workload && dns_workloads_.contains(destination.id)) ||
         (destination.kind == TrafficEnd::Kind::service && cluster_.dns_service.is_valid() &&
          destination.id == cluster_.dns_service.value());
}

bool RecordedTraffic::is_lookup(const flows::Connection& connection, const TrafficKey& key) const {
  if (connection.protocol != FlowProtocol::udp && connection.protocol != FlowProtocol::tcp) {
    return false;
  }
  const auto port = std::pair(static_cast<IpProtocol>(connection.protocol), Port(key.port));
  return key.port == kDnsPort || (is_cluster_dns(key.destination) && dns_ports_.contains(port));
}

void RecordedTraffic::add(const flows::Connection& connection) {
  ++connections_;
  first_ = first_ == flows::kNoTime ? connection.first : std::min(first_, connection.first);
  last_ = std::max(last_, connection.last);
  for (const flows::End* const end : {&connection.source, &connection.destination}) {
    if (end->kind == EndKind::unmapped) {
      unmapped_.resize(std::max<std::size_t>(unmapped_.size(), end->id + 1));
      ++unmapped_[end->id];
      return;
    }
  }
  const TrafficKey key{.source = end_of(connection.source, connection, false),
                       .destination = end_of(connection.destination, connection, true),
                       .protocol = connection.protocol,
                       .port = connection.destination_port};
  if (is_lookup(connection, key)) {
    ++lookups_;
    dropped_lookups_ += connection.is_dropped() ? 1 : 0;
    if (!connection.is_dropped() && key.source.kind == TrafficEnd::Kind::workload && is_cluster_dns(key.destination)) {
      asking_.insert(key.source.id);
    }
    return;
  }
  auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    if (pairs_.size() == most_pairs_) {
      ++overflow_;
      return;
    }
    found = by_key_.emplace(key, pairs_.size()).first;
    pairs_.push_back({.key = key, .passed = {}, .without_verdict = 0, .dropped = {}, .dropped_otherwise = 0});
  }
  TrafficPair& pair = pairs_[found->second];
  if (connection.is_dropped_by_policy()) {
    pair.dropped.add(connection);
  } else if (connection.dropped_otherwise) {
    ++pair.dropped_otherwise;
  } else {
    const bool has_verdict = connection.egress != flows::Recorded::unknown ||
                             connection.ingress != flows::Recorded::unknown ||
                             connection.overall != flows::Recorded::unknown;
    pair.without_verdict += has_verdict ? 0 : 1;
    pair.passed.add(connection);
  }
}

}  // namespace podwire::scenario
