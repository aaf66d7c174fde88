// build_cluster: the stages in order. A stage that finds errors ends the build after it, so that all problems of one
// kind are reported together and later stages rely on sound input.
#include "models/cluster/build.hpp"

#include <utility>

namespace podwire::cluster {

void BuildState::error(const Object& object, std::string code, std::string message, config::Node where,
                       std::string help) {
  diagnostics.add({.severity = Severity::error,
                   .code = std::move(code),
                   .message = std::move(message),
                   .span = where.is_present() ? where.span() : object.span,
                   .object = object.full_name(),
                   .field = where.is_present() ? where.path() : std::string(),
                   .help = std::move(help)});
}

void BuildState::warning(const Object& object, std::string code, std::string message, config::Node where,
                         std::string help) {
  diagnostics.add({.severity = Severity::warning,
                   .code = std::move(code),
                   .message = std::move(message),
                   .span = where.is_present() ? where.span() : object.span,
                   .object = object.full_name(),
                   .field = where.is_present() ? where.path() : std::string(),
                   .help = std::move(help)});
}

Result<Cluster> build_cluster(const ObjectStore& store, const ClusterOptions& options) {
  return build_union(store, store, options, {});
}

Result<Cluster> build_union(const ObjectStore& store, const ObjectStore& base, const ClusterOptions& options,
                            const std::vector<LatePods>& late) {
  Cluster cluster;
  Diagnostics diagnostics;
  cluster.cluster_domain = options.cluster_domain;
  BuildState state{
      .store = store, .options = options, .cluster = cluster, .diagnostics = diagnostics, .base = base, .late = late};
  decide_dns(state);
  read_namespaces(state);
  join_owners(state);
  read_nodes(state);
  using Stage = void (*)(BuildState&);
  constexpr auto kIndexPods = [](BuildState& s) { ClusterIndex::add_pods_and_nodes(s.cluster); };
  constexpr auto kIndexServices = [](BuildState& s) { ClusterIndex::add_services(s.cluster); };
  const Stage stages[] = {expand_workloads, schedule_pods,  assign_addresses, kIndexPods,
                          join_services,    kIndexServices, find_listeners,   note_other_kinds};
  // Reading goes on past errors in owners and nodes as far as the templates; everything after relies on sound input.
  for (const Stage stage : stages) {
    if (diagnostics.has_errors() && stage != stages[0]) {
      break;
    }
    stage(state);
  }
  if (diagnostics.has_errors()) {
    return Result<Cluster>(std::move(diagnostics));
  }
  return Result<Cluster>(std::move(cluster), std::move(diagnostics));
}

}  // namespace podwire::cluster
