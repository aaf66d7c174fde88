// Reading of HTTPRoutes: which Gateways take them for which hosts, and where their rules lead.
//
// A listener takes a route when its section and port are meant, its protocol is HTTP, its allowedRoutes name the kind
// and the namespace, and a hostname of both is left; an absent Gateway is taken to accept. Routes whose parent is a
// Service (a mesh) let nothing in from outside. Left out: header and query matches, filters but redirects and mirrors,
// listener conflicts. Source: gateway-api v1 httproute_types.go, gateway_types.go, shared_types.go, ReferenceGrant
// v1beta1.
#include "models/analysis/read_routes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/config/reader.hpp"

namespace podwire::analysis {
namespace {

using cluster::Object;
using config::Node;
using config::ObjectReader;

constexpr std::int64_t kMaxPort = 65'535;
// What the API takes of a route's lists (MaxItems), and of matches in all its rules together.
constexpr std::size_t kMostParents = 32;
constexpr std::size_t kMostHosts = 16;
constexpr std::size_t kMostRules = 16;
constexpr std::size_t kMostMatches = 64;
constexpr std::size_t kMostBackends = 16;
// Ours: lists that the API takes may still multiply to a million.
constexpr std::size_t kMostWays = 20'000;

// "*.example.org" holds a.example.org and b.a.example.org, not example.org.
bool holds(std::string_view pattern, std::string_view host) {
  return pattern.starts_with("*.") ? host.size() > pattern.size() - 1 && host.ends_with(pattern.substr(1))
                                   : pattern == host;
}

// The narrower of two hostnames where one holds the other, "" where they have nothing in common. Neither is empty.
std::string_view common_host(std::string_view a, std::string_view b) {
  return a == b || holds(b, a) ? a : holds(a, b) ? b : std::string_view();
}

/// One Gateway that the route names, and what it makes of the route.
struct Parent {
  std::string gateway;  // "infra/edge"
  std::string controller_class;
  std::string problem;             // why no listener takes the route
  std::vector<std::string> hosts;  // that listeners take; "" for any
  bool is_defined = true;
};

/// How far a listener went along with a route; the furthest one names the problem.
enum class Stage : std::uint8_t { no_such_listener, other_protocol, other_kind, other_namespace, other_host, taken };

class RouteReader {
 public:
  RouteReader(const cluster::ObjectStore& store, const cluster::Cluster& cluster, const Object& route,
              std::vector<EntryPoint>& into, Diagnostics& diagnostics)
      : store_(store),
        cluster_(cluster),
        route_(route),
        name_(route.full_name()),
        into_(into),
        diagnostics_(diagnostics) {}

  void read() {
    ObjectReader spec(route_.node.find("spec"), name_, diagnostics_);
    for (const Node host : bounded(spec, "hostnames", kMostHosts)) {
      hosts_.push_back(config::as_string(host, name_, diagnostics_).value_or(""));
    }
    const std::vector<Node> references = bounded(spec, "parentRefs", kMostParents);
    std::vector<Parent> parents;
    bool is_of_mesh = false;
    for (const Node item : references) {
      is_of_mesh = is_of_mesh || item.find("kind").text() == "Service";
      read_parent(item, parents);
    }
    if (references.empty()) {
      parents.push_back({.gateway = "", .controller_class = "", .problem = "it names no Gateway", .hosts = {}});
    }
    const EntryPoint base{.kind = EntryPoint::Kind::http_route,
                          .name_space = route_.name_space,
                          .name = route_.name,
                          .span = route_.span};
    std::vector<EntryPoint> ways;  // of any Gateway and host
    const std::vector<Node> rules = bounded(spec, "rules", kMostRules);
    for (const Node rule : rules) {
      read_rule(rule, base, ways);
    }
    if (rules.empty()) {
      ways.push_back(base);
      ways.back().problem = "it has no rule that names a backend: requests fail";
    }
    if (matches_ > 2 * kMostMatches) {
      spec.error("too-many-values",
                 fmt::format("the rules have {} matches; the API takes fewer than {}", matches_, 2 * kMostMatches),
                 spec.get("rules"));
      return;
    }
    if (!is_too_long_ && (!parents.empty() || !is_of_mesh)) {
      multiply(parents, ways, spec);
    }
  }

 private:
  // The items of a list that the API bounds: what a route lets in is the product of several, so that a small file could
  // ask for a great deal.
  std::vector<Node> bounded(ObjectReader& reader, std::string_view key, std::size_t most) {
    std::vector<Node> items = reader.list(key);
    if (items.size() > most) {
      reader.error("too-many-values",
                   fmt::format("{} lists {} items; the API takes at most {}", key, items.size(), most),
                   reader.get(key));
      items.clear();
      is_too_long_ = true;
    }
    return items;
  }

  void multiply(const std::vector<Parent>& parents, const std::vector<EntryPoint>& ways, ObjectReader& spec) {
    std::size_t count = 0;
    for (const Parent& parent : parents) {
      count += std::max<std::size_t>(1, std::max(parent.hosts.size(), hosts_.size())) * ways.size();
    }
    if (count > kMostWays) {
      spec.error("too-many-values",
                 fmt::format("its Gateways, hostnames, matches and backends make {} ways in; at most {} are looked at",
                             count, kMostWays));
      return;
    }
    for (const Parent& parent : parents) {
      for (const std::string& host : hosts_of(parent)) {
        const bool is_refused = parent.problem.empty() && !is_taken(parent, host);
        for (const EntryPoint& way : ways) {
          EntryPoint& point = into_.emplace_back(way);
          point.gateway = parent.gateway;
          point.controller_class = parent.controller_class;
          point.host = host;
          if (!parent.problem.empty()) {
            point.problem = parent.problem;
          } else if (is_refused) {
            point.problem = fmt::format("no listener of gateway {} takes host {}", parent.gateway, host);
          }
          if (!parent.is_defined) {
            point.assumption = fmt::format("gateway {} is not among the objects: taken to accept the route{}{}",
                                           parent.gateway, way.assumption.empty() ? "" : "; ", way.assumption);
          }
        }
      }
    }
  }

  // Those that it takes; and those of the route that it does not.
  std::vector<std::string> hosts_of(const Parent& parent) const {
    std::vector<std::string> hosts;
    if (parent.hosts.empty() || !parent.problem.empty()) {
      hosts = hosts_;
    } else {
      hosts = parent.hosts;
      for (const std::string& host : hosts_) {
        const bool is_there = std::any_of(hosts.begin(), hosts.end(),
                                          [&](const std::string& taken) { return !common_host(taken, host).empty(); });
        if (!is_there) {
          hosts.push_back(host);
        }
      }
    }
    if (hosts.empty()) {
      hosts.emplace_back();
    }
    return hosts;
  }

  static bool is_taken(const Parent& parent, const std::string& host) {
    return parent.hosts.empty() || std::find(parent.hosts.begin(), parent.hosts.end(), host) != parent.hosts.end();
  }

  const Object* find_gateway(std::string_view name_space, std::string_view name) const {
    for (const Object* object : store_.all(kGatewayGroup, "Gateway")) {
      if (object->name_space == name_space && object->name == name) {
        return object;
      }
    }
    return nullptr;
  }

  // Several references to sections of one Gateway are one parent.
  void read_parent(Node item, std::vector<Parent>& parents) {
    ObjectReader reader(item, name_, diagnostics_);
    reader.require("name");
    const std::string name = reader.string("name").value_or("");
    if (reader.string("kind").value_or("Gateway") != "Gateway") {
      return;
    }
    Parent parent;
    const std::string where = reader.string("namespace").value_or(route_.name_space);
    parent.gateway = where + "/" + name;
    const Object* gateway = find_gateway(where, name);
    parent.is_defined = gateway != nullptr;
    if (gateway != nullptr) {
      parent.controller_class = std::string(gateway->node.find("spec").find("gatewayClassName").text());
      ask_listeners(*gateway, reader, parent);
    }
    const auto known = std::find_if(parents.begin(), parents.end(),
                                    [&](const Parent& other) { return other.gateway == parent.gateway; });
    if (known == parents.end()) {
      parents.push_back(std::move(parent));
      return;
    }
    if (!parent.problem.empty()) {
      return;
    }
    if (!known->problem.empty()) {
      *known = std::move(parent);
      return;
    }
    for (std::string& host : parent.hosts) {
      if (std::find(known->hosts.begin(), known->hosts.end(), host) == known->hosts.end()) {
        known->hosts.push_back(std::move(host));
      }
    }
  }

  void ask_listeners(const Object& gateway, ObjectReader& reference, Parent& parent) {
    const std::string section = reference.string("sectionName").value_or("");
    const auto port = reference.integer("port", 1, kMaxPort);
    Stage furthest = Stage::no_such_listener;
    for (const Node listener : gateway.node.find("spec").find("listeners")) {
      const bool is_meant = (section.empty() || listener.find("name").text() == section) &&
                            (!port || listener.find("port").text() == std::to_string(*port));
      if (is_meant) {
        furthest = std::max(furthest, ask_listener(gateway, listener, parent.hosts));
      }
    }
    switch (furthest) {
      case Stage::no_such_listener:
        parent.problem = section.empty() && !port ? fmt::format("gateway {} has no listener", parent.gateway)
                                                  : fmt::format("gateway {} has no listener{}{}", parent.gateway,
                                                                section.empty() ? "" : fmt::format(" \"{}\"", section),
                                                                port ? fmt::format(" on port {}", *port) : "");
        break;
      case Stage::other_protocol:
        parent.problem = fmt::format("no listener of gateway {} that is meant speaks HTTP", parent.gateway);
        break;
      case Stage::other_kind:
        parent.problem = fmt::format("no listener of gateway {} takes HTTPRoutes", parent.gateway);
        break;
      case Stage::other_namespace:
        parent.problem =
            fmt::format("no listener of gateway {} takes routes of namespace {}", parent.gateway, route_.name_space);
        break;
      case Stage::other_host:
        parent.problem = fmt::format("no listener of gateway {} has a hostname of the route's", parent.gateway);
        break;
      case Stage::taken:
        break;
    }
  }

  // Adds the hosts that the listener takes of the route's.
  Stage ask_listener(const Object& gateway, Node listener, std::vector<std::string>& hosts) {
    const std::string_view protocol = listener.find("protocol").text();
    if (protocol == "TCP" || protocol == "UDP" || protocol == "TLS") {
      return Stage::other_protocol;
    }
    const Node allowed = listener.find("allowedRoutes");
    const Node kinds = allowed.find("kinds");
    bool takes_kind = kinds.is_null();
    std::size_t kind_count = 0;
    for (const Node kind : kinds) {
      ++kind_count;
      takes_kind = takes_kind || kind.find("kind").text() == "HTTPRoute";
    }
    if (!takes_kind && kind_count > 0) {
      return Stage::other_kind;
    }
    if (!takes_namespace(gateway, allowed.find("namespaces"))) {
      return Stage::other_namespace;
    }
    const std::string_view own = listener.find("hostname").text();
    const auto add = [&](std::string_view host) {
      if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) {
        hosts.emplace_back(host);
      }
    };
    if (hosts_.empty() || own.empty()) {
      for (const std::string& host : hosts_) {
        add(host);
      }
      if (hosts_.empty()) {
        add(own);
      }
      return Stage::taken;
    }
    bool has_any = false;
    for (const std::string& host : hosts_) {
      if (const std::string_view common = common_host(host, own); !common.empty()) {
        add(common);
        has_any = true;
      }
    }
    return has_any ? Stage::taken : Stage::other_host;
  }

  // allowedRoutes.namespaces: by default the Gateway's own alone.
  bool takes_namespace(const Object& gateway, Node namespaces) {
    const std::string_view from = namespaces.find("from").text();
    if (from != "Selector") {
      return from == "All" || ((from.empty() || from == "Same") && gateway.name_space == route_.name_space);
    }
    const auto selector = cluster::read_label_selector(namespaces.find("selector"), gateway.full_name(), diagnostics_);
    const cluster::NamespaceId id = cluster_.find_namespace(route_.name_space);
    return selector && id.is_valid() &&
           selector->matches(cluster_.namespaces[id.index()].labels, cluster_.label_sets, cluster_.strings);
  }

  // A backend in another namespace needs that namespace's consent.
  bool is_granted(const std::string& service_namespace, const std::string& service) const {
    const auto any_of = [](Node list, auto matches) {
      for (const Node item : list) {
        if (matches(item)) {
          return true;
        }
      }
      return false;
    };
    for (const Object* grant : store_.all(kGatewayGroup, "ReferenceGrant")) {
      const Node spec = grant->node.find("spec");
      if (grant->name_space == service_namespace &&
          any_of(spec.find("from"),
                 [&](Node from) {
                   return from.find("group").text() == kGatewayGroup && from.find("kind").text() == "HTTPRoute" &&
                          from.find("namespace").text() == route_.name_space;
                 }) &&
          any_of(spec.find("to"), [&](Node to) {
            return to.find("group").text().empty() && to.find("kind").text() == "Service" &&
                   (to.find("name").is_null() || to.find("name").text() == service);
          })) {
        return true;
      }
    }
    return false;
  }

  void read_rule(Node rule, const EntryPoint& base, std::vector<EntryPoint>& into) {
    ObjectReader reader(rule, name_, diagnostics_);
    std::vector<std::string> paths;
    for (const Node match : bounded(reader, "matches", kMostMatches)) {
      paths.emplace_back(match.find("path").find("value").text());
    }
    if (paths.empty()) {
      paths.emplace_back();
    }
    matches_ += paths.size();
    std::vector<EntryPoint> backends;
    for (const Node item : bounded(reader, "backendRefs", kMostBackends)) {
      ObjectReader backend(item, name_, diagnostics_);
      const auto weight = backend.integer("weight", 0, 1'000'000);
      backends.push_back(read_backend(backend, base));
      if (weight && *weight == 0 && backends.back().problem.empty()) {
        backends.back().problem = "its weight is 0: no request is sent there";
      }
    }
    bool is_answered = !backends.empty();
    for (const Node filter : reader.list("filters")) {
      const Node copies = filter.find("requestMirror").find("backendRef");
      is_answered = is_answered || !filter.find("requestRedirect").is_null();
      if (!copies.is_null()) {
        ObjectReader backend(copies, name_, diagnostics_);
        backends.push_back(read_backend(backend, base));
        backends.back().assumption = "copies of requests (RequestMirror)";
      }
    }
    if (!is_answered) {
      backends.push_back(base);
      backends.back().problem = "its rule names no backend: requests fail";
    }
    for (const std::string& path : paths) {
      for (const EntryPoint& backend : backends) {
        into.push_back(backend);
        into.back().path = path;
      }
    }
  }

  EntryPoint read_backend(ObjectReader& backend, const EntryPoint& base) {
    EntryPoint found = base;
    backend.require("name");
    found.service = backend.string("name").value_or("");
    found.service_namespace = backend.string("namespace").value_or(route_.name_space);
    const std::string kind = backend.string("kind").value_or("Service");
    const std::string group = backend.string("group").value_or("");
    if (kind != "Service" || !group.empty()) {
      found.problem = fmt::format("its backend is a {}{}{}, not a Service", kind, kind == "Service" ? " of group " : "",
                                  kind == "Service" ? group : "");
    } else {
      backend.require("port");
      if (found.service_namespace != route_.name_space && !is_granted(found.service_namespace, found.service)) {
        found.problem = fmt::format("no ReferenceGrant in namespace {} lets routes of {} use Service {}",
                                    found.service_namespace, route_.name_space, found.service);
      }
    }
    if (const auto number = backend.integer("port", 1, kMaxPort)) {
      found.port_number = Port(static_cast<std::uint16_t>(*number));
    }
    return found;
  }

  const cluster::ObjectStore& store_;
  const cluster::Cluster& cluster_;
  const Object& route_;
  std::string name_;
  std::vector<EntryPoint>& into_;
  Diagnostics& diagnostics_;
  std::vector<std::string> hosts_;  // of the route
  std::size_t matches_ = 0;
  bool is_too_long_ = false;  // some list is
};

}  // namespace

void read_http_route(const cluster::ObjectStore& store, const cluster::Cluster& cluster, const cluster::Object& route,
                     std::vector<EntryPoint>& into, Diagnostics& diagnostics) {
  RouteReader(store, cluster, route, into, diagnostics).read();
}

}  // namespace podwire::analysis
