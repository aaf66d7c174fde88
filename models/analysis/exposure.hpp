// Exposure: which pods that do not exist yet could reach a workload or be reached from it, as the policies' own
// selectors say.
//
// A line is a region of pods (namespaces by name or labels, pods by labels, addresses) with ports. Exact: a further pod
// with an address of its own may talk on a port exactly when it lies in a region whose line has that port. Lines are
// marked unknown where an unmodelled object may decide, and where the tiers leave it open (exposure_tiers.hpp says
// when). What the further pod's own policies say is not looked at: they depend on where it will be.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/analysis/reach.hpp"
#include "models/policy/engine.hpp"

namespace podwire::analysis {

/// Pods by namespace, labels and address; what is absent does not restrict.
struct PodRegion {
  std::string name_space = {};  // "": any that namespace_selector matches
  std::optional<cluster::LabelSelector> namespace_selector = {};
  std::optional<cluster::LabelSelector> pod_selector = {};
  std::optional<policy::IpBlock> block = {};
  std::vector<PodRegion> except = {};  // what lies in one of these does not lie in it; none of them has an except

  /// "entire cluster", "any pod in any namespace with team=a", "pods with app=web in namespace shop", "any pod with an
  /// address in 10.0.0.0/8", "entire cluster but not any pod in namespace shop".
  std::string to_string() const;
  /// Whether every pod lies in it whose address is one of `pods`.
  bool is_everything(const Cidr& pods) const;
  /// A pod's namespace with its labels, its own labels and its address; the ids are `cluster`'s.
  bool contains(const cluster::Cluster& cluster, cluster::NamespaceId where, cluster::LabelSetId labels,
                IpAddress ip) const;
};

struct ExposureLine {
  cluster::WorkloadId workload = {};
  policy::Direction direction = policy::Direction::ingress;
  PodRegion region = {};
  policy::PortSet ports = {};
  /// Egress: names of ports, which the further pod's own containers resolve.
  std::vector<std::pair<IpProtocol, std::string>> names = {};
  bool is_unknown = false;     // tiers or an unmodelled object may decide otherwise
  bool varies = false;         // not for all of the workload's pods
  std::uint64_t pods_now = 0;  // pods of the cluster that lie in the region (of `entire cluster`: all)

  /// "TCP 8080,UDP dns", "All Connections".
  std::string ports_text() const;
};

/// The lines of one workload and direction, the entire cluster first, then in the order of their text. Lines that
/// another one covers are left out. Without any, no further pod can.
std::vector<ExposureLine> exposure_of(policy::PolicyEngine& engine, cluster::WorkloadId workload,
                                      policy::Direction direction);

/// Calls `visit` for the lines of each workload (those in focus, where there is one) in the cluster's order, ingress
/// first. O(policies + lines × pods).
void find_exposure(policy::PolicyEngine& engine, const ReachFocus* focus,
                   const std::function<void(const ExposureLine&)>& visit);

}  // namespace podwire::analysis
