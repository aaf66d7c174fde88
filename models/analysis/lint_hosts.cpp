// Host names in containers' env, command and args; see lint_hosts.hpp. Only hosts leave this file: of a value that is
// no URL and no host, nothing is kept.
#include "models/analysis/lint_hosts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace podwire::analysis {
namespace {

// Last words of variables that hold hosts.
constexpr std::array<std::string_view, 15> kHostWords = {"HOST",     "HOSTS", "HOSTNAME", "ADDR",    "ADDRS",
                                                         "ADDRESS",  "URL",   "URI",      "SERVER",  "SERVERS",
                                                         "ENDPOINT", "DSN",   "BROKER",   "BROKERS", "SERVICE"};

bool is_host(std::string_view text) {
  if (text.empty() || text.size() > 253 || IpAddress::parse(text) || text == "localhost") {
    return false;
  }
  if (text.back() == '.') {
    text.remove_suffix(1);
  }
  if (cluster::invalid_dns_subdomain(text)) {
    return false;
  }
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0 ? std::optional(port) : std::nullopt;
}

/// `host` or `host:port` (needs_port: only the latter).
std::optional<NamedHost> authority(std::string_view text, std::string_view scheme, bool needs_port) {
  const std::size_t colon = text.find(':');
  const std::string_view host = text.substr(0, colon);
  std::string shown = fmt::format("{}{}", scheme, host);
  if (colon != std::string_view::npos) {
    const auto port = port_of(text.substr(colon + 1));
    if (!port) {
      return std::nullopt;
    }
    shown += fmt::format(":{}", *port);
  } else if (needs_port) {
    return std::nullopt;
  }
  if (!is_host(host)) {
    return std::nullopt;
  }
  return NamedHost{.host = std::string(host), .shown = std::move(shown), .where = {}, .span = {}};
}

bool is_host_variable(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); });
  const std::size_t word = upper.find_last_of("_-.");
  const std::string_view last = std::string_view(upper).substr(word == std::string::npos ? 0 : word + 1);
  return std::find(kHostWords.begin(), kHostWords.end(), last) != kHostWords.end();
}

/// Every `scheme://[user@]host[:port]` of the text.
void add_urls(std::string_view text, std::vector<NamedHost>& found) {
  for (std::size_t at = text.find("://"); at != std::string_view::npos; at = text.find("://", at + 3)) {
    std::size_t begin = at;
    while (begin > 0 && (std::isalnum(static_cast<unsigned char>(text[begin - 1])) != 0 || text[begin - 1] == '+')) {
      --begin;
    }
    constexpr std::size_t kLongestScheme = 20;
    if (begin == at || at - begin > kLongestScheme) {
      continue;
    }
    std::string_view rest = text.substr(at + 3);
    rest = rest.substr(0, rest.find_first_of("/?# \t\n\"',;"));
    if (const std::size_t user = rest.rfind('@'); user != std::string_view::npos) {
      rest.remove_prefix(user + 1);
    }
    if (auto host = authority(rest, text.substr(begin, at + 3 - begin), false)) {
      found.push_back(std::move(*host));
    }
  }
}

config::Node pod_spec_of(const cluster::Object& object) {
  const config::Node spec = object.node.find("spec");
  if (object.kind == "Pod") {
    return spec;
  }
  const config::Node owner = object.kind == "CronJob" ? spec.find("jobTemplate").find("spec") : spec;
  return owner.find("template").find("spec");
}

void add_value(config::Node value, std::string_view name, std::string where, std::vector<NamedHost>& found) {
  for (NamedHost& host : hosts_in(value.text(), name)) {
    host.where = where;
    host.span = value.span();
    found.push_back(std::move(host));
  }
}

}  // namespace

std::vector<NamedHost> hosts_in(std::string_view value, std::string_view name) {
  std::vector<NamedHost> found;
  constexpr std::size_t kLongest = 4096;  // a certificate or a script holds no host that we could tell apart
  if (value.empty() || value.size() > kLongest) {
    return found;
  }
  if (value.find("://") != std::string_view::npos) {
    add_urls(value, found);
    return found;
  }
  const bool names_hosts = is_host_variable(name);
  while (true) {
    const std::size_t comma = value.find(',');
    if (auto host = authority(value.substr(0, comma), "", !names_hosts)) {
      found.push_back(std::move(*host));
    }
    if (comma == std::string_view::npos) {
      return found;
    }
    value.remove_prefix(comma + 1);
  }
}

std::vector<NamedHost> hosts_of(const LintContext& context, cluster::WorkloadId workload) {
  std::vector<NamedHost> found;
  const cluster::Object* object = context.find_object(context.object_name(workload));
  if (object == nullptr) {
    return found;
  }
  const config::Node spec = pod_spec_of(*object);
  for (const std::string_view list : {"initContainers", "containers"}) {
    for (const config::Node container : spec.find(list)) {
      for (const config::Node variable : container.find("env")) {
        const std::string_view name = variable.find("name").text();
        add_value(variable.find("value"), name, fmt::format("env {}", name), found);
      }
      for (const std::string_view words : {"command", "args"}) {
        for (const config::Node word : container.find(words)) {
          const std::string_view text = word.text();
          const std::size_t equals = text.find('=');
          const bool is_flag = text.starts_with('-') && equals != std::string_view::npos;
          std::vector<NamedHost> hosts =
              is_flag ? hosts_in(text.substr(equals + 1), text.substr(0, equals)) : hosts_in(text, "");
          for (NamedHost& host : hosts) {
            host.where = is_flag ? fmt::format("{} {}", words, text.substr(0, equals)) : std::string(words);
            host.span = word.span();
            found.push_back(std::move(host));
          }
        }
      }
    }
  }
  return found;
}

std::vector<std::string> hosts_named_by(const LintContext& context, cluster::WorkloadId workload) {
  std::vector<std::string> names;
  const cluster::NamespaceId from = context.cluster.workloads[workload.index()].name_space;
  for (const NamedHost& host : hosts_of(context, workload)) {
    const bool is_of_cluster = meaning_of(context.cluster, host.host, from).kind != HostMeaning::Kind::outside;
    if (is_of_cluster && std::find(names.begin(), names.end(), host.host) == names.end()) {
      names.push_back(host.host);
    }
  }
  return names;
}

HostMeaning meaning_of(const cluster::Cluster& cluster, std::string_view host, cluster::NamespaceId from) {
  const bool is_absolute = host.ends_with('.');
  if (is_absolute) {
    host.remove_suffix(1);
  }
  const auto label = [&host]() {
    const std::size_t dot = host.find('.');
    const std::string_view first = host.substr(0, dot);
    host = dot == std::string_view::npos ? std::string_view() : host.substr(dot + 1);
    return first;
  };
  // service.namespace.svc.domain, or a pod's name in front of it.
  const std::string tail = fmt::format(".svc.{}", cluster.cluster_domain);
  if (host.ends_with(tail)) {
    host.remove_suffix(tail.size());
    const std::size_t dot = host.rfind('.');
    const std::string_view space = dot == std::string_view::npos ? host : host.substr(dot + 1);
    const std::string_view before = dot == std::string_view::npos ? std::string_view() : host.substr(0, dot);
    const std::string_view service =
        before.substr(before.rfind('.') == std::string_view::npos ? 0 : before.rfind('.') + 1);
    const cluster::NamespaceId id = cluster.find_namespace(space);
    return {.kind = HostMeaning::Kind::full,
            .service = id.is_valid() ? cluster.find_service(id, service) : cluster::ServiceId()};
  }
  if (is_absolute) {
    return {};
  }
  const std::string_view service = label();
  const std::string_view space = label();
  if (!space.empty()) {
    // `service.namespace`, or `service.namespace.svc`.
    const cluster::NamespaceId id = cluster.find_namespace(space);
    const cluster::ServiceId found =
        id.is_valid() && (host.empty() || host == "svc") ? cluster.find_service(id, service) : cluster::ServiceId();
    return found.is_valid() ? HostMeaning{.kind = HostMeaning::Kind::short_name, .service = found} : HostMeaning{};
  }
  if (const cluster::ServiceId own = cluster.find_service(from, service); own.is_valid()) {
    return {.kind = HostMeaning::Kind::short_name, .service = own};
  }
  for (std::size_t n = 0; n < cluster.namespaces.size(); ++n) {
    if (const auto other = cluster.find_service(cluster::NamespaceId(n), service); other.is_valid()) {
      return {.kind = HostMeaning::Kind::elsewhere, .service = other};
    }
  }
  return {};
}

}  // namespace podwire::analysis
