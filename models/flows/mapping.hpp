// From what a record calls an end to what the cluster has: a pod, a node, a Service, an address outside, or nothing
// that is known, with the reason. A name counts for more than an address, because addresses are used again.
//
// In order: the Service that was dialled; the pod by namespace and name; its owner, by what the record says, by the
// pod's name, or by labels that one workload alone has (a pod that is gone is judged as its workload's pods are); the
// node; the address, as the log itself last tied it to a name near that time, else as the dump has it. An address that
// two pods had around that time, or whose pod started later, is no pod's. Memory: what the cluster has, and a bounded
// table of addresses and strange names.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/flows/flow.hpp"

namespace podwire::flows {

enum class EndKind : std::uint8_t {
  pod,              // id: PodId
  node,             // id: NodeId; the node's own traffic
  service,          // id: ServiceId, not translated yet
  address,          // ip: outside the cluster
  public_network,   // outside, no address told
  private_network,  // likewise, a private one
  unmapped,         // id: index into EndMapper::strangers()
};

/// Why an end is unmapped.
enum class Stranger : std::uint8_t {
  unknown_name,     // no pod of this name, and no workload that it can be of
  unknown_address,  // among the cluster's addresses, and nobody's
  changed_hands,    // several pods had the address around that time
  later_pod,        // the pod that has the address started later
  ambiguous,        // several workloads have such labels or names
  no_running_pod,   // the workload is known and has no pod to judge by
  nameless,         // neither name nor address
};
inline constexpr std::size_t kStrangerKinds = 7;
/// "no such pod or workload in the dump" …
std::string_view to_string(Stranger reason);

/// One end as the cluster knows it.
struct End {
  EndKind kind = EndKind::unmapped;
  bool is_exact = true;         // a pod: this very pod, not one like it
  bool has_new_labels = false;  // a pod: the record gives it labels that it does not have in the dump
  std::uint32_t id = 0xffff'ffff;
  IpAddress ip = {};  // of an address; of a pod its second, if the record has that one; else unspecified
  bool operator==(const End&) const = default;
};

struct StrangerName {
  Stranger reason = Stranger::nameless;
  std::string text;  // as the record has it: "shop/web-1", "10.1.2.3"; "" for those that are not kept apart
};

struct MappingOptions {
  /// Clocks of nodes may differ by this much.
  Nanoseconds skew = 5 * kSecond;
  /// By PodId: when it started, kNoTime where the dump does not say; or empty.
  std::vector<Nanoseconds> pod_starts = {};
  std::size_t most_strangers = 2'000;    // kept apart; the rest is counted by reason
  std::size_t most_addresses = 500'000;  // tied to names by the log itself
};

/// Labels that controllers give each pod or revision, so that they change with every rollout or replica. Source:
/// kubernetes.io, "Well-Known Labels, Annotations and Taints".
bool is_of_controller(std::string_view label_key);

class EndMapper {
 public:
  /// The cluster must outlive it.
  EndMapper(const cluster::Cluster& cluster, MappingOptions options);

  End map(const FlowEnd& end, Nanoseconds time, std::string_view node);

  const std::vector<StrangerName>& strangers() const { return strangers_; }
  const cluster::Cluster& cluster() const { return cluster_; }

 private:
  struct Owner {  // who had an address, and when the log said so
    End end;
    Nanoseconds first = 0;
    Nanoseconds last = 0;
  };
  struct Named {
    End end;
    std::uint64_t labels = 0;  // the identity or hash that was looked at last
  };

  End find(const FlowEnd& end, Nanoseconds time, std::string_view node);
  End by_name(const FlowEnd& end);
  End look_up(const FlowEnd& end);
  End of_workload(cluster::WorkloadId id, std::string_view prefix) const;
  cluster::WorkloadId workload_of(const FlowEnd& end, cluster::NamespaceId where, bool& is_ambiguous) const;
  cluster::WorkloadId workload_by_pod_name(std::string_view name, cluster::NamespaceId where) const;
  cluster::WorkloadId workload_by_labels(const FlowEnd& end, cluster::NamespaceId where, bool& is_ambiguous) const;
  bool has_all_labels(cluster::PodId pod, const FlowEnd& end) const;
  End by_node(const FlowEnd& end, std::string_view node) const;
  End by_address(const FlowEnd& end, Nanoseconds time);
  End by_dump(const FlowEnd& end, Nanoseconds time);
  End stranger(Stranger reason, std::string text);
  void learn(IpAddress ip, const End& end, Nanoseconds time);
  bool is_near_pods(IpAddress ip) const;

  const cluster::Cluster& cluster_;
  MappingOptions options_;
  std::vector<StrangerName> strangers_;
  boost::unordered_flat_map<std::string, std::uint32_t> stranger_ids_;
  boost::unordered_flat_map<std::string, Named> named_;  // "namespace/pod" or "namespace/kind/workload"
  boost::unordered_flat_map<IpAddress, std::vector<Owner>, std::hash<IpAddress>> owners_;
  boost::unordered_flat_map<IpAddress, bool, std::hash<IpAddress>> pod_blocks_;  // /24 or /64 with live pods
  std::vector<Cidr> pod_cidrs_;
  std::vector<std::vector<cluster::WorkloadId>> by_namespace_;
  std::string key_;
};

}  // namespace podwire::flows
