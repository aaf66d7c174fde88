// Who called whom in recorded flows: connections summed by pair, for a scenario that plays them.
//
// A pair is the workload (or Service, or network outside) of the source, that of the destination, protocol and port.
// Addresses outside are put together by network (/24, /64), of which the first one seen stands for all. Lookups are no
// pair: podwire plays DNS itself. Every connection is counted in exactly one place: a pair, lookups, unmapped or
// overflow. Memory: the distinct pairs, up to a limit; not the number of flows.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/flows/merge.hpp"

namespace podwire::scenario {

struct TrafficEnd {
  enum class Kind : std::uint8_t { workload, service, node, outside, public_network, private_network };
  Kind kind = Kind::workload;
  std::uint32_t id = 0;    // of a workload or Service; nodes are one end
  IpAddress network = {};  // of an end outside: its network's first address
  auto operator<=>(const TrafficEnd&) const = default;
};

struct TrafficKey {
  TrafficEnd source;
  TrafficEnd destination;
  flows::FlowProtocol protocol = flows::FlowProtocol::tcp;
  std::uint16_t port = 0;
  auto operator<=>(const TrafficKey&) const = default;
};

/// Connections of a pair that fared alike.
struct TrafficTally {
  std::uint64_t count = 0;
  flows::Nanoseconds first = flows::kNoTime;
  flows::Nanoseconds last = flows::kNoTime;
  IpAddress source = {};  // of ends outside: the first one's address
  IpAddress destination = {};
  bool has_more_addresses = false;  // others of the same networks took part
  void add(const flows::Connection& connection);
};

struct TrafficPair {
  TrafficKey key;
  TrafficTally passed;                // recorded as forwarded, or without a verdict
  std::uint64_t without_verdict = 0;  // of these
  TrafficTally dropped;               // by policy
  std::uint64_t dropped_otherwise = 0;
  std::uint64_t count() const { return passed.count + dropped.count + dropped_otherwise; }
};

class RecordedTraffic {
 public:
  static constexpr std::size_t kMostPairs = 200'000;
  /// The cluster must outlive it.
  explicit RecordedTraffic(const cluster::Cluster& cluster, std::size_t most_pairs = kMostPairs);

  void add(const flows::Connection& connection);

  const cluster::Cluster& cluster() const { return cluster_; }
  /// In order of their first connection.
  const std::vector<TrafficPair>& pairs() const { return pairs_; }
  /// Whether the workload's lookups were seen to pass to the cluster's DNS.
  bool asks_dns(cluster::WorkloadId workload) const { return asking_.contains(workload.value()); }
  std::uint64_t connections() const { return connections_; }
  std::uint64_t lookups() const { return lookups_; }
  std::uint64_t dropped_lookups() const { return dropped_lookups_; }  // of these
  std::uint64_t overflow() const { return overflow_; }                // of pairs that there was no room for
  /// By EndMapper::strangers(): connections with such an end.
  const std::vector<std::uint64_t>& unmapped() const { return unmapped_; }
  flows::Nanoseconds first() const { return first_; }  // kNoTime without connections
  flows::Nanoseconds last() const { return last_; }

 private:
  struct KeyHash {
    std::size_t operator()(const TrafficKey& key) const noexcept;
  };

  TrafficEnd end_of(const flows::End& end, const flows::Connection& connection, bool is_destination) const;
  bool is_lookup(const flows::Connection& connection, const TrafficKey& key) const;
  bool is_cluster_dns(const TrafficEnd& destination) const;

  const cluster::Cluster& cluster_;
  std::size_t most_pairs_;
  std::vector<std::vector<cluster::PodId>> host_pods_;  // by node: running pods on its network
  std::set<std::uint32_t> dns_workloads_;
  std::set<std::pair<IpProtocol, Port>> dns_ports_;
  std::vector<TrafficPair> pairs_;
  boost::unordered_flat_map<TrafficKey, std::size_t, KeyHash> by_key_;
  std::set<std::uint32_t> asking_;  // workloads
  std::vector<std::uint64_t> unmapped_;
  std::uint64_t connections_ = 0;
  std::uint64_t lookups_ = 0;
  std::uint64_t dropped_lookups_ = 0;
  std::uint64_t overflow_ = 0;
  flows::Nanoseconds first_ = flows::kNoTime;
  flows::Nanoseconds last_ = flows::kNoTime;
};

}  // namespace podwire::scenario
