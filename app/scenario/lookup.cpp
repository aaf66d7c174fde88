#include "app/scenario/lookup.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/dns/options.hpp"
#include "models/dns/resolv_conf.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

using cluster::Cluster;
using cluster::NamedTarget;

/// The pod whose resolv.conf is read: the first of the source that runs, else its first.
cluster::PodId client_of(const Cluster& cluster, const NamedTarget& source) {
  if (source.kind == NamedTarget::Kind::pod) {
    return source.pod;
  }
  if (source.kind == NamedTarget::Kind::address) {
    return cluster.pod_at(source.address);
  }
  if (source.kind != NamedTarget::Kind::workload || cluster.workloads[source.workload.index()].pods.empty()) {
    return {};
  }
  const std::vector<cluster::PodId>& pods = cluster.workloads[source.workload.index()].pods;
  const auto running = std::find_if(pods.begin(), pods.end(), [&](cluster::PodId pod) {
    return cluster.pods[pod.index()].phase == cluster::PodPhase::running;
  });
  return running == pods.end() ? pods.front() : *running;
}

/// What the kubelet tells pods (as in models/dns/resolver.cpp): the kube-dns Service's address; without one, the
/// address it conventionally has, where nobody answers.
IpAddress cluster_dns(const Cluster& cluster) {
  return cluster.dns_service.is_valid() ? cluster.services[cluster.dns_service.index()].cluster_ip
                                        : cluster.service_cidr.first().plus(10);
}

LookupQuery ask(dns::Zone& zone, dns::NameTable& names, const dns::SearchPlan::Candidate& candidate,
                dns::Zone::Scope scope) {
  LookupQuery query;
  query.name = names[candidate.name];
  if (!candidate.is_sendable) {
    query.outcome = dns::QueryOutcome::failed;
    return query;
  }
  bool exists = false;
  bool fails = false;
  for (const dns::RecordType type : {dns::RecordType::a, dns::RecordType::aaaa}) {
    const dns::Answer& answer = zone.answer(zone.resolve(candidate.name, type, scope));
    exists = exists || answer.rcode == dns::Rcode::noerror;
    fails = fails || answer.rcode == dns::Rcode::servfail || answer.rcode == dns::Rcode::refused;
    query.is_assumed = query.is_assumed || answer.is_assumed;
    query.addresses.insert(query.addresses.end(), answer.addresses.begin(), answer.addresses.end());
    if (query.cnames.empty()) {
      query.cnames = answer.cnames;
    }
  }
  query.outcome = !query.addresses.empty() ? dns::QueryOutcome::found
                  : fails                  ? dns::QueryOutcome::server_failure
                  : exists                 ? dns::QueryOutcome::no_data
                                           : dns::QueryOutcome::not_found;
  return query;
}

std::optional<analysis::ConnectionExplanation> question(policy::PolicyEngine& engine, std::string_view source,
                                                        IpAddress server, std::string_view protocol) {
  Diagnostics ignored;  // the source has been resolved, and the address is one
  const std::string text = server.is_v4() ? server.to_string() : fmt::format("[{}]", server.to_string());
  return analysis::explain(engine, source, fmt::format("{}:53/{}", text, protocol), {}, ignored);
}

}  // namespace

std::string_view to_string(dns::QueryOutcome outcome) {
  switch (outcome) {
    case dns::QueryOutcome::found:
      return "found";
    case dns::QueryOutcome::not_found:
      return "not found";
    case dns::QueryOutcome::no_data:
      return "no data";
    case dns::QueryOutcome::server_failure:
      return "server failure";
    case dns::QueryOutcome::timed_out:
      return "timed out";
    case dns::QueryOutcome::failed:
      return "too long to ask";
    case dns::QueryOutcome::refused:
      return "refused";
  }
  return "";
}

std::optional<HostText> parse_host(std::string_view destination) {
  HostText result;
  std::string_view rest = destination;
  const std::size_t colon = rest.find("://");
  const bool is_url = colon != std::string_view::npos;
  std::string_view scheme;
  if (is_url) {
    scheme = rest.substr(0, colon);
    rest = rest.substr(colon + 3);
    rest = rest.substr(0, rest.find('/'));
    if (!rest.empty() && rest.front() == '[') {
      return std::nullopt;  // an IPv6 address
    }
  }
  const std::size_t port = rest.rfind(':');
  result.host = rest.substr(0, port);
  result.port_text = port == std::string_view::npos ? "" : rest.substr(port + 1);
  if (result.port_text.empty() && is_url) {
    result.port_text = scheme == "http" ? "80" : scheme == "https" ? "443" : "";
  }
  if (scheme == "udp" && !result.port_text.empty()) {
    result.port_text += "/UDP";
  }
  const bool is_name = !result.host.empty() && result.host.find_first_of("/:[]") == std::string::npos &&
                       !IpAddress::parse(result.host) && !IpAddress::parse(destination);
  return is_name && !result.port_text.empty() ? std::optional(result) : std::nullopt;
}

HostResolver::HostResolver(const Cluster& cluster, const dns::ExternalRecords& externals)
    : cluster_(cluster), zone_(cluster, names_, externals) {}

Lookup HostResolver::resolve(cluster::PodId pod, std::string_view host) {
  Lookup result;
  result.host = host;
  result.pod = pod;
  const cluster::PodShape& shape = cluster_.shape(pod);
  const IpAddress kube_dns = cluster_dns(cluster_);
  const dns::ResolvConf conf =
      dns::resolv_conf(cluster_.pod_template(pod), cluster_.namespaces[shape.name_space.index()].name, {kube_dns},
                       cluster_.cluster_domain, dns::DnsOptions().host);
  const dns::SearchPlan plan = dns::plan_search(host, conf, names_);
  result.server = conf.nameservers.empty() ? IpAddress() : conf.nameservers.front();
  result.asks_over_tcp = conf.uses_tcp;
  const bool is_cluster_server = result.server == kube_dns;
  result.asks_cluster_dns = is_cluster_server;
  result.is_dns_missing = is_cluster_server && !cluster_.dns_service.is_valid();
  const auto scope = is_cluster_server ? dns::Zone::Scope::cluster : dns::Zone::Scope::outside;
  dns::SearchState state;
  do {
    result.queries.push_back(ask(zone_, names_, plan.candidates[state.candidate()], scope));
  } while (state.advance(plan, result.queries.back().outcome));
  result.status = state.status();
  return result;
}

std::optional<Lookup> look_up(policy::PolicyEngine& engine, std::string_view source, std::string_view host,
                              const dns::ExternalRecords& externals, Span span, Diagnostics& diagnostics) {
  const Cluster& cluster = engine.cluster();
  const auto named = cluster::resolve_name(cluster, source, true, span, diagnostics);
  if (!named) {
    return std::nullopt;
  }
  const cluster::PodId pod = client_of(cluster, *named);
  if (!pod.is_valid()) {
    diagnostics.error(
        "not-a-client",
        fmt::format("\"{}\" has no pod whose resolver could look up \"{}\"", printable(source), printable(host)), span,
        "give an address or an object as the destination");
    return std::nullopt;
  }
  Lookup result = HostResolver(cluster, externals).resolve(pod, host);
  if (!result.server.is_unspecified() && !result.is_dns_missing) {
    result.udp = question(engine, source, result.server, "UDP");
    result.tcp = question(engine, source, result.server, "TCP");
  }
  return result;
}

analysis::OutsideNames addresses_of(const dns::ExternalRecords& externals) {
  analysis::OutsideNames names;
  for (const auto& [name, record] : externals) {
    names[name] = record.addresses;
  }
  return names;
}

std::vector<std::string> names_that_would_do(const cluster::Cluster& cluster, const Lookup& lookup) {
  const std::string service = dns::normalized(lookup.host.substr(0, lookup.host.find('.')));
  std::optional<HostResolver> resolver;
  std::vector<std::string> names;
  for (const cluster::Service& candidate : cluster.services) {
    if (candidate.name != service) {
      continue;
    }
    if (!resolver) {
      resolver.emplace(cluster, dns::ExternalRecords());
    }
    const std::string& home = cluster.namespaces[candidate.name_space.index()].name;
    const std::string object = fmt::format("{}/service/{}:1", home, candidate.name);
    const std::string shorter = fmt::format("{}.{}", candidate.name, home);
    for (const std::string& name : {shorter, fmt::format("{}.svc.{}", shorter, cluster.cluster_domain)}) {
      const Lookup found = resolver->resolve(lookup.pod, name);
      if (name != lookup.host && found.is_found() && destination_of(cluster, found, "1") == object) {
        names.push_back(name);
        break;
      }
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_called_like_a_service(const cluster::Cluster& cluster, std::string_view host) {
  const std::string service = dns::normalized(std::string(host.substr(0, host.find('.'))));
  return std::any_of(cluster.services.begin(), cluster.services.end(),
                     [&](const cluster::Service& candidate) { return candidate.name == service; });
}

std::string destination_of(const cluster::Cluster& cluster, const Lookup& lookup, std::string_view port_text) {
  const LookupQuery& answer = lookup.answer();
  std::string_view name = answer.name;
  const std::string ending = ".svc." + cluster.cluster_domain;
  if (name.ends_with(ending)) {
    name.remove_suffix(ending.size());
    const std::size_t dot = name.find('.');
    const bool is_plain = dot != std::string_view::npos && name.find('.', dot + 1) == std::string_view::npos;
    const cluster::NamespaceId name_space =
        is_plain ? cluster.find_namespace(name.substr(dot + 1)) : cluster::NamespaceId();
    if (name_space.is_valid() && cluster.find_service(name_space, name.substr(0, dot)).is_valid()) {
      return fmt::format("{}/service/{}:{}", name.substr(dot + 1), name.substr(0, dot), port_text);
    }
  }
  const IpAddress ip = answer.addresses.front();
  return ip.is_v4() ? fmt::format("{}:{}", ip.to_string(), port_text)
                    : fmt::format("[{}]:{}", ip.to_string(), port_text);
}

}  // namespace podwire::scenario
