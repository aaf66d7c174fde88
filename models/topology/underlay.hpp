// The underlay: machines, switches and links as a graph, and the routes compiled from it.
//
// Every link is two directed ports (each with its own queue at the sending side). Machines hang on one edge switch
// ("leaf") each; the last machine is the gateway, where everything outside the cluster is attached. Routes are compact:
// a machine's leaf and the port down to it come from a table of 8 bytes a machine, a switch's way to another leaf is
// either one of `count` consecutive ports by hash (ECMP, RFC 2992) or first + leaf. Ports are numbered so that this
// holds, and samples are checked against shortest paths in the graph (Boost.Graph) when it is built.
// Left out: failures (a port will get an outage log; routes are immutable), zones, several links between two switches.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/base/id.hpp"
#include "sim/base/quantity.hpp"
#include "sim/base/time.hpp"

namespace podwire::topology {

using HostId = Id<struct HostTag>;      // a machine: cluster nodes in NodeId order, then the gateway
using SwitchId = Id<struct SwitchTag>;  // leaves first, then spines
using PortId = Id<struct PortTag>;      // a directed link

struct LinkSpec {
  BitRate rate = BitRate::from_gbps(10);
  Duration propagation = Duration::from_ns(500);
  Bytes buffer = Bytes(512 * 1024);  // drop-tail bound of the queue at the sending side, the packet in service included
  double loss = 0.0;                 // probability that a packet is lost on the way
};

enum class Preset : std::uint8_t { single_switch, leaf_spine };

struct UnderlayOptions {
  Preset preset = Preset::single_switch;
  std::uint32_t hosts = 3;  // cluster nodes, 1–65,000; spread over the leaves in blocks
  std::uint32_t leaves = 1;
  std::uint32_t spines = 0;  // at least 1 with more than one leaf
  LinkSpec host_link;        // node to leaf and back
  LinkSpec fabric_link{.rate = BitRate::from_gbps(40)};
  LinkSpec edge_link{.rate = BitRate::from_gbps(100), .propagation = Duration::from_ms(5)};  // gateway to leaf 0
  Duration switch_latency = Duration::zero();  // from the last bit in to the first bit of service at the output port
};

/// One directed link and where it leads.
struct PortSpec {
  LinkSpec link;
  HostId from_host;  // exactly one of from_host and from_switch is set
  SwitchId from_switch;
  HostId to_host;  // likewise
  SwitchId to_switch;
};

/// How a switch reaches machines that are not its own: `count` > 0: port first + choice below count, by hash;
/// `count` == 0: port first + leaf of the machine.
struct SwitchRoute {
  std::uint32_t first = 0;
  std::uint16_t count = 0;
  std::uint16_t leaf = 0xffff;  // this switch's own number as a leaf; 0xffff for others
};

/// A machine's place: its leaf, and the leaf's port down to it.
struct HostRoute {
  std::uint32_t down_port = 0;
  std::uint16_t leaf = 0;
};

class Underlay {
 public:
  /// Builds graph and routes. Preconditions (checked): hosts, leaves, spines within their ranges.
  /// O(graph): the routes of a few leaves are checked, the tests check all.
  explicit Underlay(const UnderlayOptions& options);
  Underlay(Underlay&&) noexcept;
  Underlay& operator=(Underlay&&) noexcept;
  ~Underlay();

  const UnderlayOptions& options() const { return options_; }
  std::uint32_t host_count() const { return static_cast<std::uint32_t>(hosts_.size()); }  // gateway included
  HostId gateway() const { return HostId(hosts_.size() - 1); }
  std::uint32_t switch_count() const { return static_cast<std::uint32_t>(switches_.size()); }
  const std::vector<PortSpec>& ports() const { return ports_; }
  /// The machine's own port, its NIC.
  PortId nic(HostId host) const { return PortId(host.value()); }
  const HostRoute& route_to(HostId host) const { return hosts_[host.index()]; }
  const SwitchRoute& route_of(SwitchId id) const { return switches_[id.index()]; }

  /// The port by which `at` forwards to `to`; `hash` is the flow's, 16 bits. What the hot loop does, for everyone else.
  PortId next_port(SwitchId at, HostId to, std::uint16_t hash) const;
  /// All ports of a way, NIC first; 1 link from a machine to itself is never taken: from != to.
  std::vector<PortId> path(HostId from, HostId to, std::uint16_t hash) const;
  /// All equal-cost next ports by breadth-first search in the graph: the oracle, O(graph).
  std::vector<PortId> shortest_next_ports(SwitchId at, HostId to) const;

  std::string switch_name(SwitchId id) const;  // "switch", "leaf-0", "spine-2"
  /// "leaf-0 to spine-2"; machines by `host_name(HostId)`, as the underlay does not know the cluster's names.
  template <class HostName>
  std::string port_name(PortId id, HostName host_name) const {
    const PortSpec& port = ports_[id.index()];
    return (port.from_host.is_valid() ? host_name(port.from_host) : switch_name(port.from_switch)) + " to " +
           (port.to_host.is_valid() ? host_name(port.to_host) : switch_name(port.to_switch));
  }

 private:
  struct Graph;  // Boost.Graph stays in underlay.cpp
  void build_machines();
  void build_fabric();
  void build_graph();
  void check_routes() const;

  UnderlayOptions options_;
  std::vector<HostRoute> hosts_;
  std::vector<SwitchRoute> switches_;
  std::vector<PortSpec> ports_;
  std::unique_ptr<Graph> graph_;
};

}  // namespace podwire::topology
