// The network that packets cross: machines with CPUs, Service translation, policy hooks and conntrack at both ends, and
// the underlay's queues between them.
//
//   send → [source machine: egress policy, Service DNAT, conntrack, encapsulation: one booking on one core]
//        → NIC port → switch ports … → [destination: decapsulation, conntrack, ingress policy: one booking] → upcall
//
// Order at the first packet (kube-proxy in iptables mode and the CNIs that hook FORWARD): DNAT, then egress policy on
// the backend's address and its own port, then the conntrack entry; the destination judges ingress on the source pod's
// address. Replies pass because the entry exists. Packets between ends of one machine touch no port.
//
// Invariants: one live packet has one pending event, and that event alone frees it; sent = delivered + dropped + in
// flight, by packet and by byte (audit); every lost packet is one row's (DropTable); nothing is allocated per packet
// once the pools have grown; the policy engine is asked once a flow and direction (again when the view's version moved
// and the profile cuts established flows). Left out: fragments on the wire (a datagram over the MTU is one packet of
// several segments), masquerading, NodePort (an outside client of a Service meets a load balancer that keeps its
// address), link and node failures.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/cni/profile.hpp"
#include "models/control/change_log.hpp"
#include "models/dataplane/conntrack.hpp"
#include "models/dataplane/drops.hpp"
#include "models/dataplane/endpoint.hpp"
#include "models/dataplane/flow.hpp"
#include "models/dataplane/packet.hpp"
#include "models/dataplane/pool.hpp"
#include "models/dataplane/port.hpp"
#include "models/policy/engine.hpp"
#include "models/service/service_table.hpp"
#include "models/topology/underlay.hpp"
#include "sim/des/simulator.hpp"
#include "sim/random/draw.hpp"

namespace podwire::dataplane {

struct NetworkOptions {
  std::uint64_t seed = 1;
  Bytes frame_overhead{38};  // on the wire beside the IP packet: Ethernet 14, FCS 4, preamble 8, gap 12
  Bytes underlay_mtu{1500};
  bool uses_ecmp = true;  // false: every flow takes the first of equal paths
};

/// What the dataplane knows when a packet reaches its socket.
struct Delivery {
  FlowHandle flow;  // the receiving half
  bool is_new;      // the half was made by this packet: the transport decides who serves it
};

/// The transport, as the dataplane sees it. Called inside the current event; it may send and close.
struct Receiver {
  void* model = nullptr;
  /// A packet reached its end. ICMP errors are packets too: their flow is the half whose packet they answer.
  void (*deliver)(void* model, const Packet& packet, Delivery delivery) = nullptr;
  /// A half that its owner had not closed is taken away: the conntrack entry of a responder's UDP half ran out.
  void (*expired)(void* model, FlowHandle flow) = nullptr;
};

/// A packet to send on a flow.
struct Outgoing {
  PacketKind kind = PacketKind::udp;
  std::uint8_t flags = 0;   // TCP
  std::uint32_t bytes = 0;  // of the IP packet
  std::uint32_t segments = 1;
  std::uint32_t seq = 0;  // TCP; for UDP the tag's low half
  std::uint32_t ack = 0;  // TCP; for UDP the tag's high half
};

/// sent = delivered + dropped + in_flight. A packet counts once, end to end; ICMP errors are packets.
struct PacketCounts {
  std::uint64_t sent = 0, delivered = 0, dropped = 0, in_flight = 0;
  std::uint64_t sent_bytes = 0, delivered_bytes = 0, dropped_bytes = 0, in_flight_bytes = 0;
  std::uint64_t hops = 0;  // link traversals
  bool is_conserved() const {
    return sent == delivered + dropped + in_flight && sent_bytes == delivered_bytes + dropped_bytes + in_flight_bytes;
  }
};

/// One step of a traced flow's packet.
struct TraceRecord {
  Time start;     // of the step
  Duration cost;  // of it, on the core or the line; waiting is the gap before `start`
  Duration latency;
  FlowHandle flow;  // the sender's half
  std::uint16_t ordinal = 0;
  cni::Step step = cni::Step::node_cpu;
  Place place;
};

/// A drop row in words.
struct DropText {
  std::string reason;  // "policy-denied"
  std::string where;   // "ingress-policy on node-1", "leaf-0 to spine-2"
  std::string rule;    // PolicyEngine::deciding_rule; "" but for policy drops
  Span span;           // where that rule is written
};

class Network {
 public:
  /// `engine` brings cluster and profile; `log` has an observer for each node. All arguments outlive the network.
  Network(des::Simulator& simulator, policy::PolicyEngine& engine, control::ChangeLog& log,
          const topology::Underlay& underlay, const NetworkOptions& options);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  void set_receiver(const Receiver& receiver) { receiver_ = receiver; }
  /// The end that stands for an address outside the cluster; the same address gives the same end.
  ExternalId external(IpAddress address);

  // ---- for the transport

  /// Opens the initiator's half. Nothing is resolved or judged before the first send.
  FlowHandle open(const FlowSpec& spec);
  void send(FlowHandle flow, const Outgoing& packet);
  /// The owner is done with this half. Its conntrack entry stays counted until its timeout.
  void close(FlowHandle flow);
  bool is_open(FlowHandle flow) const;
  const Flow& flow(FlowHandle handle) const { return flows_[handle.index()]; }
  /// The largest IP packet this flow's path carries (the pod MTU at both ends).
  std::uint32_t path_mtu(FlowHandle flow);
  IpAddress address_of(End end) const;

  // ---- for reports and tests

  PacketCounts counts() const;
  /// The same with `in_flight` counted by walking the pool; O(pool).
  PacketCounts audit() const;
  const DropTable& drops() const { return drops_; }
  DropText describe(const DropRow& row) const;
  /// Entries in a node's conntrack table now.
  std::uint64_t conntrack_count(cluster::NodeId node);
  const std::vector<TraceRecord>& trace() const { return trace_; }
  const Port& port(topology::PortId id) const { return ports_[id.index()]; }
  std::string place_name(Place place) const;
  std::size_t memory_bytes() const;
  const service::ServiceTable& services() const { return services_; }
  const cni::Profile& profile() const { return profile_; }
  const cluster::Cluster& cluster() const { return cluster_; }

 private:
  des::Simulator& simulator_;
  policy::PolicyEngine& engine_;
  control::ChangeLog& log_;
  const topology::Underlay& underlay_;
  const cluster::Cluster& cluster_;
  const cni::Profile& profile_;
  NetworkOptions options_;
  Receiver receiver_;
  service::ServiceTable services_;
  Pool<Packet, 14> packets_;
  Pool<Flow, 10> flows_;
  std::vector<Port> ports_;
  DropTable drops_;
  std::vector<TraceRecord> trace_;
};

}  // namespace podwire::dataplane
