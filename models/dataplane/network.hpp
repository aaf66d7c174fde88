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

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/cni/profile.hpp"
#include "models/control/change_log.hpp"
#include "models/control/timeline.hpp"
#include "models/dataplane/conntrack.hpp"
#include "models/dataplane/domain_names.hpp"
#include "models/dataplane/drops.hpp"
#include "models/dataplane/endpoint.hpp"
#include "models/dataplane/flow.hpp"
#include "models/dataplane/output_port.hpp"
#include "models/dataplane/packet.hpp"
#include "models/dataplane/pool.hpp"
#include "models/dataplane/trace.hpp"
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
  bool uses_ecmp = true;           // false: every flow takes the first of equal paths
  bool tracks_connections = true;  // false: no conntrack tables (machines that filter and translate nothing)
};

/// What the network is made of; all of it outlives the network.
struct NetworkParts {
  const cluster::Cluster* cluster = nullptr;
  const cni::Profile* profile = nullptr;
  policy::PolicyEngine* engine = nullptr;  // null: nothing is filtered
  control::ChangeLog* log = nullptr;       // an observer for each node; null: the initial state only
  const topology::Underlay* underlay = nullptr;
  control::Timeline* timeline = nullptr;  // brings the log and the states; null: the initial state only
  DomainNames* names = nullptr;  // what agents learn of domain names; null: rules by name decide nothing surely
};

/// What the dataplane knows when a packet reaches its socket.
struct Delivery {
  FlowHandle flow;      // the receiving half
  bool is_new = false;  // the half was made by this packet: the transport decides who serves it
};

/// What the transport says to a delivered packet.
enum class Reception : std::uint8_t {
  taken,
  no_listener,  // a UDP port that nobody listens on: counted as lost, and the sender gets an ICMP error
};

/// The transport, as the dataplane sees it. Called inside the current event; it may send and close.
struct Receiver {
  void* model = nullptr;
  /// A packet reached its end. ICMP errors are packets too: their flow is the half whose packet they answer.
  Reception (*deliver)(void* model, const Packet& packet, Delivery delivery) = nullptr;
  /// A responder's UDP half is taken away because its conntrack entry ran out.
  void (*expired)(void* model, FlowHandle flow) = nullptr;
};

/// A packet to send on a flow.
struct Outgoing {
  PacketKind kind = PacketKind::udp;
  std::uint8_t flags = 0;   // TCP
  std::uint32_t bytes = 0;  // of the IP packet; with several segments, of all of them
  std::uint32_t segments = 1;
  std::uint32_t seq = 0;  // TCP; for UDP the tag's low half
  std::uint32_t ack = 0;  // TCP; for UDP the tag's high half
};

/// sent = delivered + dropped + in_flight. A packet counts once, end to end; ICMP errors are packets.
struct PacketCounts {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;
  std::uint64_t dropped = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t delivered_bytes = 0;
  std::uint64_t dropped_bytes = 0;
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t hops = 0;  // link traversals
  bool is_conserved() const {
    return sent == delivered + dropped + in_flight && sent_bytes == delivered_bytes + dropped_bytes + in_flight_bytes;
  }
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
          const topology::Underlay& underlay, const NetworkOptions& options)
      : Network(simulator, {&engine.cluster(), &engine.profile(), &engine, &log, &underlay}, options) {}
  /// The same from parts, of which engine and log may be missing.
  Network(des::Simulator& simulator, const NetworkParts& parts, const NetworkOptions& options);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// A change of the timeline has just been made: flows of pods that went are cut off. O(flows).
  void apply_change();

  void set_receiver(const Receiver& receiver) { receiver_ = receiver; }
  /// The end that stands for an address outside the cluster; the same address gives the same end.
  ExternalId external(IpAddress address);

  // ---- for the transport

  /// Opens the initiator's half. Nothing is resolved or judged before the first send.
  FlowHandle open(const FlowSpec& spec);
  /// Precondition: `flow` is open, `packet.bytes` > 0. The packet is under way or lost when this returns; whoever hears
  /// of it does so in a later event.
  void send(FlowHandle flow, const Outgoing& packet);
  /// The owner is done with this half. Its conntrack entry stays counted until its timeout.
  void close(FlowHandle flow);
  bool is_open(FlowHandle handle) const {
    return handle.is_valid() && handle.index() < flows_.size() &&
           flows_[handle.index()].generation == handle.generation();
  }
  const Flow& flow(FlowHandle handle) const { return flows_[handle.index()]; }
  /// kCompanionBytes beside the half, for its owner's record: zero when the place is new, else as the owner left them.
  /// Precondition: `flow` is or was a flow.
  void* companion(FlowHandle flow) { return flows_.companion(flow.index()); }
  const void* companion(FlowHandle flow) const { return flows_.companion(flow.index()); }
  /// The largest IP packet that both ends' interfaces carry. Known once the first packet was sent; before that it is
  /// resolved for the purpose.
  std::uint32_t path_mtu(FlowHandle flow);
  /// Of a pod or node with addresses of both families the one of `towards`'s; unspecified: its first.
  IpAddress address_of(End end, IpAddress towards = {}) const;

  // ---- for reports and tests

  /// O(ports).
  PacketCounts counts() const;
  /// The same with `in_flight` counted by walking the pool; O(pool).
  PacketCounts audit() const;
  const DropTable& drops() const { return drops_; }
  DropText describe(const DropRow& row) const;
  /// Entries in a node's conntrack table now.
  std::uint64_t conntrack_count(cluster::NodeId node);
  /// Entries of a node's table without sweeping it first: what ran out since the last use is still counted.
  std::uint64_t unswept_conntrack_count(cluster::NodeId node) const { return conntrack_.count(node.index()); }
  /// The longest unfinished work of any core of any machine. O(cores).
  Duration longest_cpu_backlog() const;
  /// The packets of traced flows, in the order in which they were sent.
  const std::vector<TracedPacket>& trace() const { return trace_; }
  const OutputPort& port(topology::PortId id) const { return ports_[id.index()]; }
  std::string place_name(Place place) const;
  std::size_t memory_bytes() const;
  /// Of which for flows' halves and what the transport keeps beside them.
  std::size_t flow_bytes() const { return flows_.memory_bytes(); }
  std::uint32_t live_flows() const { return flows_.live(); }
  /// The Service ports, which every state has under the same ids; backends are those of the beginning.
  const service::ServiceTable& services() const { return service_tables_.front(); }
  const cni::Profile& profile() const { return profile_; }
  /// The machine that an end sits on: a node's number, or that of the gateway.
  std::uint16_t machine_of(End end) const;
  /// Every pod that ever is; which are there now, and with which labels and endpoints, is in current_state().
  const cluster::Cluster& cluster() const { return cluster_; }
  const cluster::Cluster& current_state() const {
    return timeline_ == nullptr ? cluster_ : *timeline_->view(made_version_).cluster;
  }

 private:
  struct Machine {
    std::uint32_t first_core = 0;
    std::uint16_t cores = 0;  // 0: takes no time (the gateway)
    bool is_tracking = false;
  };
  /// Core time and delay of a visit.
  struct Visit {
    Duration cost;
    Duration latency;
    bool is_free() const { return cost == Duration::zero() && latency == Duration::zero(); }
    Visit operator+(const Visit& other) const { return {cost + other.cost, latency + other.latency}; }
    Visit operator-(const Visit& other) const { return {cost - other.cost, latency - other.latency}; }
  };
  /// What being its flow's first packet costs at a machine, by what asked for it.
  struct FirstCosts {
    Visit service;
    Visit egress;
    Visit ingress;  // on one machine both ends are paid at once
    Visit all() const { return service + egress + ingress; }
  };
  /// What a first packet met: it may pass, or is lost for `reason`.
  struct Judgement {
    bool passes = true;
    bool is_rejected = false;  // lost, and its sender is told at once
    DropReason reason = DropReason::no_route;
    Place::Kind hook = Place::Kind::host;
    policy::Verdict verdict;
    control::Version version = 0;  // of the view that gave the verdict
    Visit extra;                   // what being the first packet costs beside a known one's visit
  };
  enum class Item : std::uint32_t { delivered = 1, dropped = 2 };  // of the fingerprint

  // network.cpp
  void build_machines();
  void build_ports();
  void leave_udp_server(Flow& flow);
  void release_flow(FlowHandle handle, Flow& flow);
  FlowHandle make_flow();

  // path.cpp: the hot loop
  void launch(FlowHandle handle, Flow& flow, const Outgoing& packet, Visit visit, bool is_opening);
  template <bool kIsPlain>
  void enter_port(std::uint32_t packet);
  void arrive(std::uint32_t packet);
  void finish_arrival(std::uint32_t packet, const Flow& flow, Visit visit);
  void deliver(std::uint32_t packet);
  void refuse(std::uint32_t packet);
  void look_ahead(const des::Event& sooner, const des::Event* later) const;
  /// Whether the event's argument is a packet: the three kinds are registered one after the other.
  bool is_of_packet(const des::Event& event) const { return event.kind().value() - hop_kind_.value() < 3; }
  des::Reach look_ahead_reach() const;
  static std::uint32_t core_of(const Machine& machine, std::uint16_t hash) {
    // The path takes the hash's high bits, the core other ones: flows of one path spread over cores.
    const std::uint32_t mixed = (std::uint32_t{hash} * 0x9e37u) & 0xffffu;
    return machine.first_core + (mixed * machine.cores >> 16);
  }
  /// Books a visit on the core that receive-side scaling gives the flow; returns when the packet leaves the machine's
  /// hands, and which core it was.
  Time book(std::uint16_t machine, std::uint16_t hash, Visit visit, std::uint32_t& core) {
    core = core_of(machines_[machine], hash);
    return cores_[core].book(simulator_.now(), visit.cost).finish + visit.latency;
  }
  // Cold: kept out of the hot functions' frames.
  [[gnu::cold, gnu::noinline]] void lose(std::uint32_t packet, DropReason reason, Place place,
                                         const policy::Verdict& verdict = {}, control::Version version = 0);
  [[gnu::cold, gnu::noinline]] void lose_at_port(std::uint32_t packet, DropReason reason);
  void count_drop(DropReason reason, Place place, const policy::Verdict& verdict, control::Version version,
                  const Flow* flow, const Packet& packet);
  void unbind(FlowHandle source);
  [[gnu::noinline]] bool is_lost_on_line(const Packet& packet, std::uint32_t port) const;

  // first_packet.cpp: what only the first packets of a flow meet
  void send_first(FlowHandle handle, Flow& flow, const Outgoing& packet);
  void arrive_at_no_flow(std::uint32_t packet);
  void arrive_denied(std::uint32_t packet, const Judgement& judgement);
  Judgement resolve(Flow& flow);
  Judgement judge(FlowHandle handle, Flow& flow, policy::Direction direction, std::uint8_t flags);
  Judgement admit(FlowHandle source, std::uint8_t flags, FlowHandle& made);
  policy::Verdict ask(const Flow& flow, policy::Direction direction, control::Version version);
  bool confirm(FlowHandle handle, Flow& flow, std::uint8_t flags, bool from_initiator);
  void finish_first_arrival(std::uint32_t packet, const Flow& flow, Visit visit, Visit extra);
  void set_visits(Flow& flow, bool remote_is_subject);
  Visit first_visit(const Flow& flow, policy::Direction direction);
  std::uint32_t rules_of(cluster::PodId pod, policy::Direction direction, control::Version version);
  // visit_steps.hpp
  template <class Take>
  void each_step(const Flow& flow, policy::Direction direction, bool remote_is_subject, Take take) const;
  template <class Take>
  void each_first_step(const Flow& flow, policy::Direction direction, Take take);

  // changes.cpp: what a timeline changes
  control::Version version_at(std::uint16_t host);
  control::View view(control::Version version) const;
  bool is_there(cluster::PodId pod) const { return timeline_ == nullptr || (is_absent_[pod.index()] == 0); }
  bool is_in_start_window(cluster::PodId pod, control::Version version) const;
  const service::ServiceTable& services_at(std::uint16_t host);
  void build_states();
  End end_at(const Flow& flow);
  bool is_subject(End end) const;
  std::uint16_t path_hash(const Flow& flow) const;
  void open_at_destination(std::uint32_t packet);
  void lose_closed(std::uint32_t packet);
  void answer(FlowHandle to, PacketKind kind, std::uint8_t flags, std::uint32_t bytes, std::uint16_t from, Time ready);
  ConntrackState next_datagram_state(Flow& flow, bool from_initiator);
  void change_state(FlowHandle handle, Flow& flow, ConntrackState next);
  void expire();

  /// Refreshes the entry that this machine has of a flow; false when there is none any more.
  bool touch(FlowHandle handle, Flow& flow, std::uint8_t flags, bool from_initiator) {
    const Time now = simulator_.now();
    if (flow.tracking == ConntrackState::none || now - flow.last_seen >= timeouts_[flow.tracking]) [[unlikely]] {
      return false;
    }
    flow.last_seen = now;
    const bool is_datagram = (flow.flags & kFlowUdp) != 0;
    const ConntrackState next =
        is_datagram ? next_datagram_state(flow, from_initiator) : next_tcp_state(flow.tracking, flags, from_initiator);
    if (next != flow.tracking) {
      change_state(handle, flow, next);
    }
    return true;
  }

  // trace.cpp: the record of traced packets
  static constexpr std::uint32_t kNotTraced = 0xffff'ffff;
  [[gnu::cold, gnu::noinline]] void trace_launch(std::uint32_t packet, FlowHandle handle, const Flow& flow, Time ready,
                                                 Visit visit);
  [[gnu::cold, gnu::noinline]] void trace_arrival(std::uint32_t packet, const Flow& flow, Time ready, Visit visit);
  [[gnu::cold, gnu::noinline]] void trace_line(std::uint32_t packet, const des::Booking& booking);
  [[gnu::cold, gnu::noinline]] void trace_answer(std::uint32_t packet, Time begin, Visit visit);
  [[gnu::cold, gnu::noinline]] void trace_refusal(FlowHandle handle, const Flow& flow, const Packet& packet,
                                                  const Judgement& judgement, Time ready, Visit visit,
                                                  const FirstCosts& first);
  [[gnu::cold, gnu::noinline]] void trace_denied_arrival(std::uint32_t packet, Time begin, Visit visit, Visit extra);
  [[gnu::cold, gnu::noinline]] void trace_loss(std::uint32_t packet, const DropRow& loss);
  TracedPacket& begin_trace(const Flow& flow, FlowHandle handle, const Packet& packet);
  TracedPacket& trace_of(std::uint32_t packet);
  std::vector<TraceStep> visit_steps(const Flow& flow, policy::Direction direction, Visit visit,
                                     const FirstCosts* first);
  void place_steps(TracedPacket& packet, std::vector<TraceStep> steps, std::uint16_t host, Time begin) const;

  des::Simulator& simulator_;
  const cluster::Cluster& cluster_;
  const cni::Profile& profile_;
  policy::PolicyEngine* engine_;
  control::ChangeLog* log_;
  control::Timeline* timeline_;
  DomainNames* names_;
  const topology::Underlay& underlay_;
  NetworkOptions options_;
  Receiver receiver_;

  // hot
  des::Kind hop_kind_;
  des::Kind arrive_kind_;
  des::Kind deliver_kind_;
  des::EventSource sources_;  // one a port, then one a core, then one a machine
  std::uint32_t core_sources_ = 0;
  std::uint32_t machine_sources_ = 0;
  std::uint32_t overhead_[2] = {0, 0};  // on the wire beside the IP packet, by is_encapsulated
  Pool<Packet, 14> packets_;
  FlowPool flows_;
  HugePageVector<OutputPort> ports_;
  HugePageVector<topology::HostRoute> routes_;
  HugePageVector<Machine> machines_;
  HugePageVector<des::FifoServer> cores_;
  ConntrackTimeouts timeouts_;
  ConntrackTables conntrack_;
  bool cuts_established_ = false;
  bool has_loss_ = false;
  bool has_far_ports_ = false;  // too many to stay in cache
  std::uint64_t sent_ = 0;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t delivered_bytes_ = 0;
  std::uint64_t in_flight_ = 0;
  std::uint64_t in_flight_bytes_ = 0;

  // the rest
  std::vector<service::ServiceTable> service_tables_;  // of the states whose endpoints differ
  std::vector<std::uint32_t> service_table_of_;        // by version
  std::vector<std::uint8_t> is_absent_;                // by pod, now; empty without a timeline
  std::vector<control::Version> born_;                 // by pod: the state in which it appeared last
  control::Version made_version_ = 0;                  // the state that is true
  control::Version rules_version_ = 0;                 // that rules_by_class_ is about
  random::Stream backend_draws_;
  random::Stream loss_draws_;
  DropTable drops_;
  std::vector<TracedPacket> trace_;
  std::vector<std::uint32_t> trace_by_packet_;  // by place in the pool: into trace_
  std::optional<FirstCosts> first_costs_;       // of the traced first packet that is being put on its way
  std::vector<IpAddress> externals_;
  boost::unordered_flat_map<IpAddress, ExternalId, std::hash<IpAddress>> externals_by_ip_;
  std::vector<std::vector<cluster::PodId>> host_network_pods_;  // by node
  std::vector<std::uint32_t> rules_by_class_[2];                // by direction; kUnknownRules until asked
};

}  // namespace podwire::dataplane
