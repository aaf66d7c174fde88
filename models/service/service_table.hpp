// What a Service does to the first packet of a connection: which backend it is translated to, or why it is not.
// kube-proxy's iptables mode, without a clock; built from one snapshot of the cluster and immutable after that.
//
// Invariants: a lookup is one hash probe, a choice O(1) (O(log backends) with internalTrafficPolicy: Local); the choice
// is a pure function of (client, Service port, draw), never of the order of calls.
// Left out: NodePort and load-balancer addresses, session affinity (see notes()), topology hints, other proxy modes.
// Source: kubernetes pkg/proxy/iptables; KEP-1669 (terminating endpoints), KEP-2086 (internalTrafficPolicy).
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/cni/profile.hpp"

namespace podwire::service {

/// One (ClusterIP, protocol, port): one port of one Service.
using ServicePortId = Id<struct ServicePortTag>;

/// What becomes of a packet at the Service rules of its own node.
enum class Outcome : std::uint8_t {
  untranslated,  // no Service address: it goes on to where it was sent
  translated,    // DNAT to `target`
  rejected,      // no usable endpoint: ICMP port unreachable from the client's own node; nothing leaves it
  dropped,       // internalTrafficPolicy: Local and no endpoint on the client's node: no answer at all
  lost,          // a ClusterIP's undeclared port, or an unallocated address of the service range: no rule matches, the
                 // packet leaves by the node's default route untranslated, and nobody answers
};
std::string_view to_string(Outcome outcome);

/// A backend as the translation writes it into the packet.
struct Target {
  IpAddress ip;
  Port port;             // the pod's port, not the Service's
  cluster::PodId pod;    // none: an address that is no pod of this cluster
  cluster::NodeId node;  // none: unknown or outside
};

/// Who opens the connection: the address in the packet and the node whose rules it meets.
struct Client {
  IpAddress ip;
  cluster::NodeId node;
};

struct Translation {
  Outcome outcome = Outcome::untranslated;
  bool is_hairpin = false;         // the chosen backend is the client itself: the source is masqueraded too
  std::uint32_t rules_walked = 0;  // KUBE-SERVICES rules read by this first packet, the matching one included
  ServicePortId service_port;      // none unless a declared port of a Service was addressed
  Target target;                   // with Outcome::translated
};

/// The Services of one cluster snapshot, as every node's kube-proxy has programmed them.
class ServiceTable {
 public:
  /// O(Services × ports + backends). Keeps no reference to `cluster`.
  explicit ServiceTable(const cluster::Cluster& cluster);

  /// The Service port at this address, or none (not a ClusterIP, or a port it does not declare). O(1).
  ServicePortId find(IpAddress ip, IpProtocol protocol, Port port) const;

  /// Whether the address is a ClusterIP or another address of the service range, declared or not. O(1).
  bool is_service_address(IpAddress ip) const;

  /// What the first packet of a connection from `client` to (ip, protocol, port) becomes. `draw` is uniform over 64
  /// bits and comes from the connection's identity; each usable backend has the same probability (their number / 2^64
  /// at most is lost to rounding).
  Translation translate(const Client& client, IpAddress ip, IpProtocol protocol, Port port, std::uint64_t draw) const;

  /// The same for a Service port already found.
  Translation choose(ServicePortId port, const Client& client, std::uint64_t draw) const;

  /// The backends that a client on `node` may be given, in the cluster's order: those ready and not terminating; if
  /// there are none, those serving while they terminate; never unready ones.
  std::span<const Target> usable(ServicePortId port, cluster::NodeId node) const;

  cluster::ServiceId service(ServicePortId port) const { return entries_[port.index()].service; }
  /// Index into Service::ports.
  std::uint32_t port_index(ServicePortId port) const { return entries_[port.index()].port_index; }
  std::size_t size() const { return entries_.size(); }

  /// Rules of the nat table's KUBE-SERVICES chain: one for each Service port with a usable endpoint. A packet that
  /// matches none walks them all.
  std::uint32_t rule_count() const { return rule_count_; }

 private:
  struct Key {
    IpAddress ip;
    std::uint16_t port = 0;
    IpProtocol protocol = IpProtocol::tcp;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  struct Entry {
    cluster::ServiceId service;
    std::uint32_t port_index = 0;
    std::uint32_t rule = 0;  // position in KUBE-SERVICES from 1; 0: no usable endpoint, no rule
    std::uint32_t begin = 0;
    std::uint32_t count = 0;
    bool is_local = false;  // targets sorted by node
  };
  void add_port(const cluster::Cluster& cluster, cluster::ServiceId id, std::uint32_t port_index);

  std::vector<Entry> entries_;
  std::vector<Target> targets_;
  boost::unordered_flat_map<Key, ServicePortId, KeyHash> by_key_;
  boost::unordered_flat_set<IpAddress, std::hash<IpAddress>> cluster_ips_;
  Cidr service_cidr_;
  std::uint32_t rule_count_ = 0;
};

/// CPU time that the Service rules take from a connection's first packet: per rule × rules walked, and the base where a
/// Service port was addressed (a packet that matches no rule only pays for the walk).
Duration first_packet_cost(const cni::Profile& profile, const Translation& translation);

/// What Services of this cluster ask for that is not played (session affinity), to be shown at the head of results.
std::vector<cluster::Assumption> notes(const cluster::Cluster& cluster);

/// The model's rules and numbers that are not part of a CNI profile, for `podwire models`.
std::vector<cni::Parameter> parameters();

}  // namespace podwire::service
