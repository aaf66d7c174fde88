// Building the table of Service ports and choosing among their backends. The rule order is the cluster's (namespace,
// name, port): kube-proxy writes its rules in Go's map order, which changes from sync to sync, so that any fixed order
// is as good as another and this one is repeatable.
#include "models/service/service_table.hpp"

#include <algorithm>

#include "sim/base/check.hpp"

namespace podwire::service {

using cluster::Backend;
using cluster::Cluster;
using cluster::NodeId;
using cluster::Service;
using cluster::ServiceId;
using cluster::ServicePort;

namespace {

/// How far down KEP-1669's order an endpoint comes.
enum class Usability : std::uint8_t { ready, serving_while_terminating, unusable };

Usability usability(const Cluster& cluster, const Service& service, const Backend& backend) {
  if (backend.ip.is_unspecified()) {
    return Usability::unusable;  // a pending pod has no address
  }
  if (service.publishes_not_ready) {
    return Usability::ready;  // the slice then says ready for every endpoint, terminating ones included
  }
  const cluster::Pod* const pod = backend.pod.is_valid() ? &cluster.pods[backend.pod.index()] : nullptr;
  if (backend.is_terminating || (pod != nullptr && pod->is_terminating)) {
    return pod != nullptr && pod->is_ready ? Usability::serving_while_terminating : Usability::unusable;
  }
  return backend.is_ready ? Usability::ready : Usability::unusable;
}

Target target_of(const Cluster& cluster, const Backend& backend) {
  NodeId node = backend.node;
  if (!node.is_valid() && backend.pod.is_valid()) {
    node = cluster.pods[backend.pod.index()].node;
  }
  return Target{backend.ip, backend.port, backend.pod, node};
}

/// The targets of one scope: the ready ones, or failing those the ones that still serve while they terminate.
void append_usable(const Cluster& cluster, const Service& service, std::span<const Backend* const> scope,
                   std::vector<Target>& targets) {
  for (const Usability wanted : {Usability::ready, Usability::serving_while_terminating}) {
    const std::size_t before = targets.size();
    for (const Backend* backend : scope) {
      if (usability(cluster, service, *backend) == wanted) {
        targets.push_back(target_of(cluster, *backend));
      }
    }
    if (targets.size() > before) {
      return;
    }
  }
}

struct ByNode {
  bool operator()(const Target& target, NodeId node) const { return target.node < node; }
  bool operator()(NodeId node, const Target& target) const { return node < target.node; }
};

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::untranslated:
      return "untranslated";
    case Outcome::translated:
      return "translated";
    case Outcome::rejected:
      return "rejected";
    case Outcome::dropped:
      return "dropped";
    case Outcome::lost:
      return "lost";
  }
  return "";
}

std::size_t ServiceTable::KeyHash::operator()(const Key& key) const noexcept {
  const std::uint64_t rest = std::uint64_t{key.port} << 8 | static_cast<std::uint8_t>(key.protocol);
  return std::hash<IpAddress>{}(key.ip.plus(rest * 0x9e37'79b9'7f4a'7c15u));
}

ServiceTable::ServiceTable(const Cluster& cluster) : service_cidr_(cluster.service_cidr) {
  for (std::size_t i = 0; i < cluster.services.size(); ++i) {
    const Service& service = cluster.services[i];
    if (service.is_headless || service.cluster_ip.is_unspecified()) {
      continue;  // clients of headless and ExternalName Services never meet the proxy
    }
    if (service.is_there) {
      cluster_ips_.insert(service.cluster_ip);
    }
    for (std::size_t port = 0; port < service.ports.size(); ++port) {
      add_port(cluster, ServiceId(i), static_cast<std::uint32_t>(port));
    }
  }
  // Those that are not there have their ids, which are the same in every state, and no rule.
  boost::unordered::erase_if(by_key_, [&](const auto& entry) {
    return !cluster.services[entries_[entry.second.index()].service.index()].is_there;
  });
}

void ServiceTable::add_port(const Cluster& cluster, ServiceId id, std::uint32_t port_index) {
  const Service& service = cluster.services[id.index()];
  const ServicePort& port = service.ports[port_index];
  const ServicePortId entry_id(entries_.size());
  const Key key{service.cluster_ip, port.port.number(), port.protocol};
  if (!by_key_.emplace(key, entry_id).second) {
    return;  // two Services with one address and port: the first rule of the chain wins
  }

  Entry entry;
  entry.service = id;
  entry.port_index = port_index;
  entry.is_local = service.is_internal_local;
  entry.begin = static_cast<std::uint32_t>(targets_.size());
  std::vector<const Backend*> scope;
  scope.reserve(port.backends.size());
  for (const Backend& backend : port.backends) {
    if (service.is_there) {
      scope.push_back(&backend);
    }
  }
  if (!entry.is_local) {
    append_usable(cluster, service, scope, targets_);
  } else {
    // The order of KEP-1669 holds within each node's own endpoints: a node whose last ready endpoint terminates still
    // uses it although other nodes have ready ones.
    const auto node_of = [&](const Backend* backend) { return target_of(cluster, *backend).node; };
    std::stable_sort(scope.begin(), scope.end(),
                     [&](const Backend* a, const Backend* b) { return node_of(a) < node_of(b); });
    for (std::size_t first = 0; first < scope.size();) {
      std::size_t last = first;
      while (last < scope.size() && node_of(scope[last]) == node_of(scope[first])) {
        ++last;
      }
      append_usable(cluster, service, std::span(scope).subspan(first, last - first), targets_);
      first = last;
    }
  }
  entry.count = static_cast<std::uint32_t>(targets_.size()) - entry.begin;
  if (entry.count > 0) {
    entry.rule = ++rule_count_;
  }
  entries_.push_back(entry);
}

ServicePortId ServiceTable::find(IpAddress ip, IpProtocol protocol, Port port) const {
  const auto found = by_key_.find(Key{ip, port.number(), protocol});
  return found == by_key_.end() ? ServicePortId::none() : found->second;
}

bool ServiceTable::is_service_address(IpAddress ip) const {
  return cluster_ips_.contains(ip) || (!service_cidr_.first().is_unspecified() && service_cidr_.contains(ip));
}

std::span<const Target> ServiceTable::usable(ServicePortId port, NodeId node) const {
  const Entry& entry = entries_[port.index()];
  const std::span<const Target> all(targets_.data() + entry.begin, entry.count);
  if (!entry.is_local) {
    return all;
  }
  const auto [first, last] = std::equal_range(all.begin(), all.end(), node, ByNode{});
  return std::span<const Target>(first, last);
}

Translation ServiceTable::choose(ServicePortId port, const Client& client, std::uint64_t draw) const {
  PODWIRE_CHECK(port.is_valid() && port.index() < entries_.size(), "service", "the Service port exists");
  const Entry& entry = entries_[port.index()];
  Translation result;
  result.service_port = port;
  if (entry.count == 0) {
    // The REJECT stands in the filter table; before it the packet has walked the whole nat chain in vain.
    result.outcome = Outcome::rejected;
    result.rules_walked = rule_count_;
    return result;
  }
  result.rules_walked = entry.rule;
  const std::span<const Target> candidates = usable(port, client.node);
  if (candidates.empty()) {
    result.outcome = Outcome::dropped;
    return result;
  }
  const auto pick = static_cast<std::size_t>(static_cast<unsigned __int128>(draw) * candidates.size() >> 64);
  result.outcome = Outcome::translated;
  result.target = candidates[pick];
  result.is_hairpin = result.target.ip == client.ip;
  return result;
}

Translation ServiceTable::translate(const Client& client, IpAddress ip, IpProtocol protocol, Port port,
                                    std::uint64_t draw) const {
  const ServicePortId found = find(ip, protocol, port);
  if (found.is_valid()) {
    return choose(found, client, draw);
  }
  Translation result;
  result.outcome = is_service_address(ip) ? Outcome::lost : Outcome::untranslated;
  result.rules_walked = rule_count_;
  return result;
}

Duration first_packet_cost(const cni::Profile& profile, const Translation& translation) {
  const Duration walk = profile.service_nat_per_rule * translation.rules_walked;
  return translation.service_port.is_valid() ? profile.first_step(cni::Step::service_nat).cost + walk : walk;
}

std::vector<cluster::Assumption> notes(const Cluster& cluster) {
  std::vector<cluster::Assumption> result;
  for (std::size_t i = 0; i < cluster.services.size(); ++i) {
    const Service& service = cluster.services[i];
    if (service.has_client_ip_affinity && !service.is_headless && !service.cluster_ip.is_unspecified()) {
      result.push_back({"service", "sessionAffinity: ClientIP of " +
                                       cluster.namespaces[service.name_space.index()].name + "/" + service.name +
                                       " is not played: each connection is balanced anew"});
    }
  }
  return result;
}

std::vector<cni::Parameter> parameters() {
  using cni::Certainty;
  return {
      {"service.proxy-mode", "iptables", "", Certainty::published, "kubernetes pkg/proxy/iptables",
       "how ClusterIPs are translated: DNAT on a connection's first packet, before policy sees it"},
      {"service.choice", "uniform", "", Certainty::published,
       "kubernetes pkg/proxy/iptables: endpoint i of n with probability 1/(n-i)",
       "each usable backend is as likely as the others, for each connection anew"},
      {"service.no-endpoints", "reject", "", Certainty::published, "kubernetes pkg/proxy/iptables",
       "a Service without usable endpoint answers ICMP port unreachable on the client's node"},
      {"service.no-local-endpoint", "drop", "", Certainty::published, "KEP-2086",
       "internalTrafficPolicy: Local without an endpoint on the client's node"},
      {"service.undeclared-port", "lost", "", Certainty::derived,
       "kubernetes pkg/proxy/iptables has no rule for it (nftables mode rejects)",
       "a ClusterIP's port that no Service declares: the packet leaves by the default route, nobody answers"},
      {"service.rule-order", "namespace, name", "", Certainty::guess,
       "kube-proxy writes rules in an arbitrary order that changes at each sync",
       "position of a Service port among the KUBE-SERVICES rules"},
  };
}

}  // namespace podwire::service
