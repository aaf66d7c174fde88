// Which of the allowed connections are used: what flows, declared connections or a scenario's workloads take, laid over
// the rows of reach.
//
// Uses are kept between workloads, and between a workload and addresses outside, by protocol and port as the
// destination pod sees it (a Service's are its backends'). Rows of reach are then narrowed to the ports that are used;
// what no row has is judged by itself, so that what is used and denied does not disappear. Memory: uses between
// workloads, and at most `most_addresses` outside. Left out: ends that nobody knows, ICMP, traffic of nodes; counted.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/analysis/declared.hpp"
#include "models/analysis/reach.hpp"
#include "models/flows/merge.hpp"
#include "models/policy/port_set.hpp"

namespace podwire::analysis {

/// A connection that is used and that no row of reach has: denied, unknown, or to a name outside.
struct UnreachedUse {
  std::string source;
  std::string destination;
  cluster::WorkloadId source_workload;  // none: outside
  cluster::WorkloadId destination_workload;
  policy::PortSet ports;
  ImpactSide side;
  std::uint64_t addresses = 0;  // outside, that are taken together here
};

struct UseTotals {
  std::uint64_t uses = 0;      // taken in: flows, declared connections
  std::uint64_t unplaced = 0;  // with an end that is not known, of nodes, or without ports
};

class UsedEdges {
 public:
  /// The cluster must outlive it; all clusters of a scenario have the same pods and Services.
  explicit UsedEdges(const cluster::Cluster& cluster, std::size_t most_addresses = 100'000);

  void add(const flows::Connection& connection);
  void add(const DeclaredConnection& connection);
  const UseTotals& totals() const { return totals_; }

  /// Begins a policy set: no row has been met.
  void begin();
  /// What of the row's ports is used (all used ones where the row is unknown); empty: the row is not used.
  policy::PortSet used_of(const ReachRow& row);
  /// What no row had, judged by `engine`: what is allowed first, then by source and destination.
  std::vector<UnreachedUse> unreached(policy::PolicyEngine& engine);

 private:
  struct Use {
    std::vector<policy::PortSet::Range> ports;  // single ports, sorted
    std::vector<bool> is_met;                   // by port
  };
  struct Edge {
    std::uint32_t source = 0;  // workload; 2^32 - 1: outside
    std::uint32_t destination = 0;
    auto operator<=>(const Edge&) const = default;
  };
  void use(const flows::End& source, const flows::End& destination, IpProtocol protocol, Port port);
  void put(Use& use, IpProtocol protocol, Port port);
  policy::PortSet meet(Use& use, const ReachRow& row);

  const cluster::Cluster& cluster_;
  std::size_t most_addresses_;
  std::size_t addresses_ = 0;
  UseTotals totals_;
  std::map<Edge, Use> inside_;
  std::map<Edge, std::map<IpAddress, Use>> outside_;  // one end of the edge is 2^32 - 1
  std::vector<DeclaredConnection> named_;             // outside, whose addresses nobody tells
};

}  // namespace podwire::analysis
