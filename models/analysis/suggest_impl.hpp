// What suggest keeps of the flows it is told: edges between subjects, nodes and addresses, so that a replica more is no
// rule more. Internal to suggest.cpp and suggest_policies.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "models/analysis/suggest.hpp"
#include "models/analysis/suggest_subjects.hpp"

namespace podwire::analysis {

enum class EndSort : std::uint8_t { subject, node, address, public_network, private_network };

struct EdgeEnd {
  EndSort sort = EndSort::subject;
  std::uint32_t id = 0;  // of a subject or node
  IpAddress ip = {};     // of an address
  auto operator<=>(const EdgeEnd&) const = default;
};

struct Edge {
  EdgeEnd source;
  EdgeEnd destination;
  IpProtocol protocol = IpProtocol::tcp;
  std::uint16_t port = 0;
  auto operator<=>(const Edge&) const = default;
};

struct Seen {
  Evidence passed;
  std::uint64_t own_node = 0;  // of these, from the very node of the pod
  std::uint64_t half = 0;      // of these, said to have left by the source's side, and no word of the destination's
  std::uint64_t dropped = 0;
};

/// None for ICMP, which has no ports.
std::optional<IpProtocol> protocol_of(flows::FlowProtocol protocol);

struct Suggester::Impl {
  Impl(const cluster::Cluster& cluster_in, SuggestOptions options_in)
      : cluster(cluster_in), options(std::move(options_in)), subjects(cluster, options.objects) {
    if (cluster.dns_service.is_valid()) {
      for (const cluster::ServicePort& port : cluster.services[cluster.dns_service.index()].ports) {
        if (port.port != Port(53)) {
          continue;  // metrics
        }
        for (const cluster::Backend& backend : port.backends) {
          if (backend.pod.is_valid()) {
            const std::uint32_t subject = subjects.of(cluster.pods[backend.pod.index()].workload);
            dns_ports.emplace(port.protocol, backend.port);
            dns_subjects.insert(subject);
          }
        }
      }
      dns_subjects.erase(Subjects::kNone);
    }
  }

  std::optional<EdgeEnd> end_of_pod(cluster::PodId pod) const {
    const cluster::Pod& it = cluster.pods[pod.index()];
    if (cluster.shape(pod).is_host_network && it.node.is_valid()) {
      return EdgeEnd{.sort = EndSort::node, .id = it.node.value(), .ip = {}};
    }
    const std::uint32_t subject = subjects.of(it.workload);
    return subject == Subjects::kNone ? std::nullopt
                                      : std::optional(EdgeEnd{.sort = EndSort::subject, .id = subject, .ip = {}});
  }

  std::optional<EdgeEnd> end_of(const flows::End& end) const {
    switch (end.kind) {
      case flows::EndKind::pod:
        return end_of_pod(cluster::PodId(end.id));
      case flows::EndKind::node:
        return EdgeEnd{.sort = EndSort::node, .id = end.id, .ip = {}};
      case flows::EndKind::address:
        return EdgeEnd{.sort = EndSort::address, .id = 0, .ip = end.ip};
      case flows::EndKind::public_network:
        return EdgeEnd{.sort = EndSort::public_network, .id = 0, .ip = {}};
      case flows::EndKind::private_network:
        return EdgeEnd{.sort = EndSort::private_network, .id = 0, .ip = {}};
      case flows::EndKind::service:
      case flows::EndKind::unmapped:
        break;
    }
    return std::nullopt;
  }

  const cni::PolicySemantics& semantics() const {
    static const cni::PolicySemantics kOfTheApi;
    return options.profile == nullptr ? kOfTheApi : options.profile->policy;
  }

  void take(const Edge& edge, const Evidence& evidence, bool is_dropped, bool is_half, bool is_own_node = false) {
    Seen& seen = edges[edge];
    if (is_dropped) {
      seen.dropped += evidence.count;
    } else {
      seen.passed.add(evidence);
      seen.own_node += is_own_node ? evidence.count : 0;
      seen.half += is_half ? evidence.count : 0;
    }
  }

  // A pod that stands for others like it may run elsewhere.
  bool is_from_own_node(const EdgeEnd& source, const flows::End& destination) const {
    return source.sort == EndSort::node && destination.kind == flows::EndKind::pod && destination.is_exact &&
           cluster.pods[destination.id].node == cluster::NodeId(source.id);
  }

  void add(const flows::Connection& connection, std::uint64_t count) {
    connections += count;
    const auto protocol = protocol_of(connection.protocol);
    if (!protocol || connection.destination_port == 0) {
      (protocol ? portless : icmp) += count;
      return;
    }
    const auto source = end_of(connection.source);
    if (!source) {
      unmapped += count;
      return;
    }
    const Evidence evidence{.count = count, .first = connection.first, .last = connection.last};
    const bool is_dropped = connection.is_dropped();
    const bool is_half = connection.egress != flows::Recorded::unknown &&
                         connection.ingress == flows::Recorded::unknown &&
                         connection.overall == flows::Recorded::unknown;
    hears_destinations = hears_destinations || connection.ingress != flows::Recorded::unknown;
    if (connection.destination.kind == flows::EndKind::service) {
      to_service(*source, cluster.services[connection.destination.id], *protocol, connection.destination_port, evidence,
                 is_dropped, is_half);
      return;
    }
    const auto destination = end_of(connection.destination);
    if (!destination) {
      unmapped += count;
      return;
    }
    take({.source = *source, .destination = *destination, .protocol = *protocol, .port = connection.destination_port},
         evidence, is_dropped, is_half, is_from_own_node(*source, connection.destination));
  }

  // Dialled by the Service, before translation: any of its backends may have answered.
  void to_service(const EdgeEnd& source, const cluster::Service& service, IpProtocol protocol, std::uint16_t number,
                  const Evidence& evidence, bool is_dropped, bool is_half) {
    std::set<std::pair<EdgeEnd, std::uint16_t>> ends;
    for (const cluster::ServicePort& port : service.ports) {
      if (port.protocol != protocol || port.port.number() != number) {
        continue;
      }
      for (const cluster::Backend& backend : port.backends) {
        const auto end = backend.pod.is_valid() ? end_of_pod(backend.pod)
                                                : EdgeEnd{.sort = EndSort::address, .id = 0, .ip = backend.ip};
        if (end) {
          ends.emplace(*end, backend.port.number());
        }
      }
    }
    if (ends.empty()) {
      unmapped += evidence.count;
    }
    for (const auto& [end, port] : ends) {
      take({.source = source, .destination = end, .protocol = protocol, .port = port}, evidence, is_dropped, is_half);
    }
  }

  bool is_dns(const Edge& edge) const {
    return edge.destination.sort == EndSort::subject && dns_subjects.contains(edge.destination.id) &&
           dns_ports.contains({edge.protocol, Port(edge.port)});
  }

  const cluster::Cluster& cluster;
  SuggestOptions options;
  Subjects subjects;
  std::set<std::uint32_t> dns_subjects;
  std::set<std::pair<IpProtocol, Port>> dns_ports;
  std::map<Edge, Seen> edges;
  std::uint64_t connections = 0;
  std::uint64_t icmp = 0;
  std::uint64_t portless = 0;
  std::uint64_t unmapped = 0;
  bool hears_destinations = false;  // some record comes from a destination's side
};

/// Edges to policies.
Suggestion make_policies(const Suggester::Impl& seen);

}  // namespace podwire::analysis
