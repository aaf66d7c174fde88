#include "app/report/reach_graph.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace podwire::report {

void ReachGraph::begin_set(const std::string& name, const Basis& /*basis*/, const cluster::Cluster& cluster) {
  cluster_ = &cluster;
  is_drawn_.assign(shown_.is_pod_level ? cluster.pods.size() : cluster.workloads.size(),
                   !shown_.is_focused && !shown_.is_used_only);
  outside_.clear();
  open(name);
}

std::string ReachGraph::id_of(const analysis::ReachEnd& end) {
  if (end.is_external()) {
    return outside_id(end.name);
  }
  if (shown_.is_pod_level) {
    is_drawn_[end.pod.index()] = true;
    return fmt::format("p{}", end.pod.index());
  }
  return workload_id(end.workload);
}

std::string ReachGraph::workload_id(cluster::WorkloadId workload) {
  if (shown_.is_pod_level) {
    // An entry point leads to a workload: its first pod stands for it.
    const std::vector<cluster::PodId>& pods = cluster_->workloads[workload.index()].pods;
    if (pods.empty()) {
      return outside_id(cluster_->workload_name(workload));
    }
    is_drawn_[pods.front().index()] = true;
    return fmt::format("p{}", pods.front().index());
  }
  is_drawn_[workload.index()] = true;
  return fmt::format("w{}", workload.index());
}

std::string ReachGraph::outside_id(std::string_view label) {
  const auto at = std::lower_bound(outside_.begin(), outside_.end(), label,
                                   [](const auto& known, std::string_view text) { return known.first < text; });
  if (at != outside_.end() && at->first == label) {
    return at->second;
  }
  const std::string id = fmt::format("x{}", outside_.size());
  outside_.insert(at, {std::string(label), id});
  outside_node(id, std::string(label));
  return id;
}

void ReachGraph::row(const analysis::ReachRow& row) {
  const std::string from = id_of(row.source);
  const std::string to = id_of(row.destination);
  arrow(from, to, reach_ports_text(row), row.is_unknown || row.varies ? Line::dashed : Line::solid);
}

void ReachGraph::entry_points(const std::vector<analysis::EntryRow>& rows) {
  for (const analysis::EntryRow& row : rows) {
    if (row.outcome == analysis::EntryRow::Outcome::broken) {
      continue;  // there is no end to draw
    }
    const std::string from = row.source_workload.is_valid() ? workload_id(row.source_workload) : outside_id(row.source);
    const bool is_denied = row.outcome == analysis::EntryRow::Outcome::denied;
    const bool is_certain = row.outcome == analysis::EntryRow::Outcome::allowed;
    arrow(from, workload_id(row.workload),
          fmt::format("{} ({}{}{}{})", row.connections, row.via, row.host.empty() && row.path.empty() ? "" : " ",
                      row.host + row.path, is_certain ? "" : fmt::format(": {}", to_string(row.outcome))),
          is_denied    ? Line::denied
          : is_certain ? Line::solid
                       : Line::dashed);
  }
}

void ReachGraph::exposure(const analysis::ExposureLine& line) {
  const std::string workload = workload_id(line.workload);
  const std::string region = outside_id("{" + line.region.to_string() + "}");
  const bool is_ingress = line.direction == policy::Direction::ingress;
  arrow(is_ingress ? region : workload, is_ingress ? workload : region, line.ports_text(), Line::dashed);
}

void ReachGraph::unreached(const analysis::UnreachedUse& use) {
  const std::string from =
      use.source_workload.is_valid() ? workload_id(use.source_workload) : outside_id(unreached_end(use, true));
  const std::string to = use.destination_workload.is_valid() ? workload_id(use.destination_workload)
                                                             : outside_id(unreached_end(use, false));
  const bool is_allowed = use.side.action == policy::Action::allow;
  arrow(from, to, is_allowed ? use.ports.to_string() : unreached_text(use),
        is_allowed                                ? Line::solid
        : use.side.action == policy::Action::deny ? Line::denied
                                                  : Line::dashed);
}

void ReachGraph::uses(const ReachUses& uses) {
  note(uses_text(uses));
}

void ReachGraph::write_namespaces() {
  const std::size_t count = is_drawn_.size();
  const auto namespace_of = [&](std::size_t i) {
    return shown_.is_pod_level ? cluster_->namespace_of(cluster::PodId(i)) : cluster_->workloads[i].name_space;
  };
  cluster::NamespaceId current;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_drawn_[i]) {
      continue;
    }
    const cluster::NamespaceId home = namespace_of(i);  // workloads, and so pods, are sorted by namespace
    if (home != current) {
      if (current.is_valid()) {
        end_namespace();
      }
      begin_namespace(home.index(), cluster_->namespaces[home.index()].name);
      current = home;
    }
    const std::string name = shown_.is_pod_level ? cluster_->pod_name(cluster::PodId(i))
                                                 : fmt::format("{} [{}]", cluster_->workloads[i].name,
                                                               to_string(cluster_->workloads[i].kind));
    node(fmt::format("{}{}", shown_.is_pod_level ? "p" : "w", i), name);
  }
  if (current.is_valid()) {
    end_namespace();
  }
}

void ReachGraph::end_set(const analysis::ReachSummary& /*summary*/) {
  write_namespaces();
  close();
}

}  // namespace podwire::report
