// Which pods a suggested policy can select: subjects, by labels that outlive pods. Private to models/analysis.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/analysis/suggest.hpp"
#include "models/cluster/cluster.hpp"

namespace podwire::analysis {

/// Workloads of one namespace that stable labels cannot tell apart, mostly one.
struct Subject {
  cluster::NamespaceId name_space;
  std::vector<cluster::WorkloadId> workloads;
  StableSelector selector;
  bool is_selectable = true;  // false: its labels select other pods too, or it has none
  std::string name;           // "web": of its first workload
  std::string text;           // "shop/web[Deployment]", "shop/a[Deployment] and shop/b[Job]"
};

class Subjects {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffff;

  Subjects(const cluster::Cluster& cluster, const cluster::ObjectStore* objects);

  const std::vector<Subject>& all() const { return subjects_; }
  /// The subject of a workload's pods; kNone for hostNetwork pods, which no policy selects, and for workloads without
  /// pods.
  std::uint32_t of(cluster::WorkloadId workload) const { return by_workload_[workload.index()]; }

 private:
  std::vector<Subject> subjects_;
  std::vector<std::uint32_t> by_workload_;
};

}  // namespace podwire::analysis
