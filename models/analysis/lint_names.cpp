// Rules about names that DNS resolves: short-dns-name, external-name-unresolved.
#include <fmt/format.h>

#include <algorithm>

#include "models/analysis/lint_hosts.hpp"

namespace podwire::analysis {
namespace {

using cluster::Cluster;

std::string full_host(const Cluster& cluster, cluster::ServiceId id) {
  const cluster::Service& service = cluster.services[id.index()];
  return fmt::format("{}.{}.svc.{}", service.name, cluster.namespaces[service.name_space.index()].name,
                     cluster.cluster_domain);
}

/// One finding for the names that resolve by the search path, one for each that does not resolve.
void short_dns_name(LintContext& context, cluster::WorkloadId id) {
  const Cluster& cluster = context.cluster;
  const cluster::Workload& workload = cluster.workloads[id.index()];
  std::vector<NamedHost> shorts;
  std::vector<std::string> shown;
  std::string full;
  for (NamedHost& host : hosts_of(context, id)) {
    const HostMeaning meaning = meaning_of(cluster, host.host, workload.name_space);
    if (meaning.kind == HostMeaning::Kind::elsewhere) {
      const std::string target = full_host(cluster, meaning.service);
      LintFinding& finding = context.add(
          "short-dns-name", context.object_name(id), host.span,
          fmt::format("{} names {}, which does not resolve in {}: the Service {} is in another namespace", host.where,
                      host.shown, context.name_of(workload.name_space), cluster.service_name(meaning.service)),
          fmt::format("write {}", target));
      finding.severity = LintSeverity::warning;
      finding.hides_source_line = true;
    } else if (meaning.kind == HostMeaning::Kind::short_name) {
      const std::string text = fmt::format("{} in {}", host.shown, host.where);
      if (std::find(shown.begin(), shown.end(), text) == shown.end()) {
        full = shorts.empty() ? full_host(cluster, meaning.service) : full;
        shorts.push_back(std::move(host));
        shown.push_back(text);
      }
    }
  }
  if (shorts.empty()) {
    return;
  }
  LintFinding& finding = context.add(
      "short-dns-name", context.object_name(id), shorts.front().span,
      shorts.size() == 1 ? fmt::format("{} is a short name: it relies on the search path of {}", shown.front(),
                                       context.name_of(workload.name_space))
                         : fmt::format("{} short names rely on the search path of {}: {}", shorts.size(),
                                       context.name_of(workload.name_space), listed(shown)),
      shorts.size() == 1 ? fmt::format("write {}", full) : fmt::format("write {}, and the others likewise", full));
  finding.hides_source_line = true;
  for (std::size_t i = 1; i < shorts.size(); ++i) {
    finding.related.push_back({shorts[i].span, shown[i]});
  }
}

/// Whether the input has Services in the namespace of a full name; another repository's are not held against it.
bool has_services(const Cluster& cluster, std::string_view full_name) {
  full_name.remove_prefix(std::min(full_name.find('.') + 1, full_name.size()));
  const cluster::NamespaceId where = cluster.find_namespace(full_name.substr(0, full_name.find('.')));
  return where.is_valid() && std::any_of(cluster.services.begin(), cluster.services.end(), [&](const auto& service) {
           return service.name_space == where && !service.is_added;
         });
}

/// Why a Service's alias does not resolve, or nothing.
std::optional<std::string> unresolved(const Cluster& cluster, const cluster::Service& service) {
  constexpr int kLongestChain = 8;  // resolvers give up there
  const cluster::Service* at = &service;
  for (int step = 0; step < kLongestChain; ++step) {
    const std::string& target = at->external_name;
    if (IpAddress::parse(target)) {
      return fmt::format("{} is an address, and an alias needs a name", target);
    }
    const HostMeaning meaning = meaning_of(cluster, target, at->name_space);
    if (meaning.kind == HostMeaning::Kind::full) {
      if (!meaning.service.is_valid()) {
        return has_services(cluster, target) ? std::optional(fmt::format("{} is no Service of this input", target))
                                             : std::nullopt;
      }
      at = &cluster.services[meaning.service.index()];
      if (at->type != cluster::ServiceType::external_name) {
        return std::nullopt;
      }
      continue;
    }
    if (meaning.kind != HostMeaning::Kind::outside) {
      return fmt::format("{} is a short name, and aliases are not looked for in search domains; write {}", target,
                         full_host(cluster, meaning.service));
    }
    return target.find('.') == std::string::npos
               ? std::optional(
                     fmt::format("{} is a single word, and aliases are not looked for in search domains", target))
               : std::nullopt;
  }
  return std::string("the aliases lead in a circle");
}

void external_name_unresolved(LintContext& context) {
  const Cluster& cluster = context.cluster;
  for (std::size_t s = 0; s < cluster.services.size(); ++s) {
    const cluster::Service& service = cluster.services[s];
    if (service.type != cluster::ServiceType::external_name) {
      continue;
    }
    const auto problem = unresolved(cluster, service);
    if (!problem) {
      continue;
    }
    const std::string name = fmt::format("{}/service/{}", context.name_of(service.name_space), service.name);
    const cluster::Object* object = context.find_object(name);
    const config::Node written = object == nullptr ? config::Node() : object->node.find("spec").find("externalName");
    context.add("external-name-unresolved", name, written.is_null() ? service.span : written.span(),
                fmt::format("{} does not resolve: {}", cluster.service_name(cluster::ServiceId(s)), *problem),
                fmt::format("name a Service in full: SERVICE.NAMESPACE.svc.{}", cluster.cluster_domain));
  }
}

}  // namespace

void lint_names(LintContext& context) {
  for (std::size_t w = 0; w < context.cluster.workloads.size(); ++w) {
    short_dns_name(context, cluster::WorkloadId(w));
  }
  external_name_unresolved(context);
}

}  // namespace podwire::analysis
