// Host names that containers' environment and arguments hold. Internal to this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/analysis/lint_context.hpp"

namespace podwire::analysis {

/// A host name in a container's configuration. `shown` is all that may be printed of the value.
struct NamedHost {
  std::string host;   // "postgres.database"
  std::string shown;  // "postgres://postgres.database:5432", without user, path and query
  std::string where;  // "env DATABASE_URL", "args"
  Span span;          // of the value
};

/// Hosts in `value`: of URLs, of host:port, and of a bare host where `name` (the variable's) says that it is one.
std::vector<NamedHost> hosts_in(std::string_view value, std::string_view name);

/// All hosts in the containers of the object that defines a workload; none when the input has no such object.
std::vector<NamedHost> hosts_of(const LintContext& context, cluster::WorkloadId workload);

/// Their names, those that are addresses or localhost left out, each once.
std::vector<std::string> hosts_named_by(const LintContext& context, cluster::WorkloadId workload);

/// What a host name means to pods of a namespace. A name with a domain outside the cluster is `outside`.
struct HostMeaning {
  enum class Kind : std::uint8_t { full, short_name, elsewhere, outside };
  Kind kind = Kind::outside;
  cluster::ServiceId service;  // that it means (or, `elsewhere`, that has this name in another namespace)
};
HostMeaning meaning_of(const cluster::Cluster& cluster, std::string_view host, cluster::NamespaceId from);

}  // namespace podwire::analysis
