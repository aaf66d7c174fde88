// reach: every allowed connection between workloads (or pods), and with the world outside, as rows in order.
//
// A row's ports are those that the egress of the source and the ingress of the destination both allow; between
// workloads it is the union over pairs of different pods. Work is done once a distinct (peer, groups) of a workload's
// pods; rows are handed out as they come and nothing is kept, so that memory does not grow with the number of pairs.
// Left out: what ports a pod listens on (reach is about policy), addresses of nodes as ends of their own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/policy/engine.hpp"
#include "models/policy/port_set.hpp"

namespace podwire::analysis {

/// Rows that do not touch any of these are left out.
struct ReachFocus {
  std::vector<cluster::WorkloadId> workloads;
  std::vector<cluster::PodId> pods;  // at workload level: their workloads
  bool wants_in = true;              // rows whose destination is one
  bool wants_out = true;             // rows whose source is one
};

struct ReachOptions {
  bool includes_external = true;      // ranges of addresses outside the cluster
  bool is_pod_level = false;          // one line a pod instead of one a workload
  const ReachFocus* focus = nullptr;  // none: everything
  bool includes_named_ipv6 = false;   // IPv6 ranges also where no pod has an IPv6 address, when a policy names IPv6
  bool includes_ipv6 = false;         // IPv6 ranges in any case
};

/// Whether a rule of some policy has an IPv6 block.
bool names_ipv6(const policy::PolicySet& policies);

/// One end of a row.
struct ReachEnd {
  /// "frontend/web[Deployment]", a pod's "frontend/web-0", or "10.0.0.0-10.255.255.255[External]".
  std::string_view name;
  cluster::WorkloadId workload;                // none for external ends
  cluster::PodId pod;                          // only at pod level
  std::pair<IpAddress, IpAddress> range = {};  // of an external end
  bool is_external() const { return !workload.is_valid(); }
};

/// Valid during the callback.
struct ReachRow {
  ReachEnd source;
  ReachEnd destination;
  const policy::PortSet* ports = nullptr;
  bool is_unknown = false;  // an unmodelled object may decide; `ports` is what the modelled policies allow
  bool varies = false;      // not every pair of pods of the two workloads has all these ports
  // Where pods talk over both families and fare differently: what each lets through, `ports` being the union. Else
  // null.
  const policy::PortSet* ipv4 = nullptr;
  const policy::PortSet* ipv6 = nullptr;
  bool families_differ() const { return ipv4 != nullptr; }
};

/// "TCP 80,443", or where the two families fare differently "TCP 80 (IPv4 only)" or "TCP 80,443 (IPv4), TCP 80 (IPv6)".
std::string connections_text(const ReachRow& row);

struct ReachSummary {
  std::uint64_t rows = 0;
  std::uint64_t unknown_rows = 0;
  std::uint64_t ends = 0;  // workloads or pods looked at
};

/// Whether the pod has finished under a profile that ignores such pods: nothing starts or ends there.
bool is_left_out(const policy::PolicyEngine& engine, cluster::PodId pod);

/// Calls `visit` for each pair that can talk, and for each pair whose verdict is unknown: first the external sources
/// (by destination, then by address), then for each source its external destinations and its others in the cluster's
/// order. Two pods are judged in each family that both have an address of, at those addresses; where they have none in
/// common, at their first. A workload's line to itself is about its different replicas. Pods that have finished have no
/// lines where the profile ignores them. O(rows × distinct pods a workload + matches of rules + pairs that one side's
/// rules let through), not O(workloads²): a source looks at the destinations that the rules of either side lead to,
/// whichever are fewer.
ReachSummary reach(policy::PolicyEngine& engine, const ReachOptions& options,
                   const std::function<void(const ReachRow&)>& visit);

class Reach;

/// The same one source at a time, for what walks two clusters side by side (diff). Nothing is kept but the present row.
class ReachSweep {
 public:
  /// A workload, or a pod at pod level; those that policies do not see (finished pods) are left out.
  struct End {
    std::string_view name;
    cluster::WorkloadId workload;
    cluster::PodId pod;      // only at pod level
    std::uint32_t pods = 0;  // that are looked at
  };
  /// What one end may have of another; `ports` is null where there is no pair (the only replica and itself).
  struct Ports {
    const policy::PortSet* ports = nullptr;
    bool is_unknown = false;
    bool varies = false;
    const policy::PortSet* ipv4 = nullptr;  // as in ReachRow
    const policy::PortSet* ipv6 = nullptr;
    bool families_differ() const { return ipv4 != nullptr; }
    /// What this family lets through.
    const policy::PortSet& in(IpFamily family) const {
      return !families_differ() ? *ports : family == IpFamily::v4 ? *ipv4 : *ipv6;
    }
  };
  struct Range {
    std::pair<IpAddress, IpAddress> addresses;
    Ports ports;
  };

  /// The engine must outlive the sweep.
  ReachSweep(policy::PolicyEngine& engine, const ReachOptions& options);
  ~ReachSweep();

  /// In the cluster's order of workloads: by namespace, kind and name.
  std::size_t size() const;
  End end(std::size_t index) const;
  /// Whether addresses of that family are looked at: some pod has one.
  bool has_family(IpFamily family) const;
  /// Makes `source` the one that ports_to() is about.
  void load_source(std::size_t source);
  Ports ports_to(std::size_t destination) const;
  /// The destinations that may have something for the loaded source, or that nothing certain is known about; ascending.
  /// All others have no ports.
  std::span<const std::uint32_t> touched() const;
  /// What the end accepts from (ingress) or may have of (egress) the world outside: all addresses of the families, in
  /// order, as the longest ranges that fare alike.
  void outside(std::size_t end, policy::Direction direction, std::vector<Range>& ranges);

 private:
  std::unique_ptr<Reach> reach_;
};

}  // namespace podwire::analysis
