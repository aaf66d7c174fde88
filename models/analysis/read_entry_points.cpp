// Reading of what lets traffic in: Ingress, Gateway, HTTPRoute, ReferenceGrant, Services, and which workloads look like
// an ingress controller. Sources: see entry_points.hpp; controllers' images, labels and controller names as the
// projects' manifests and charts have them (kubernetes/ingress-nginx, nginx/kubernetes-ingress,
// nginx/nginx-gateway-fabric, traefik/traefik-helm-chart, projectcontour/contour examples/, haproxytech/helm-charts,
// jcmoraisjr/haproxy-ingress, Kong/charts, envoyproxy/gateway, istio/istio manifests/charts/gateway and pilot's
// kube-gateway template). What has been renamed or rebuilt under another image is not recognised.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "models/analysis/entry_points.hpp"
#include "models/cluster/kinds.hpp"
#include "sim/config/reader.hpp"

namespace podwire::analysis {
namespace {

using cluster::Object;
using config::Node;
using config::ObjectReader;

constexpr std::int64_t kMaxPort = 65'535;
constexpr std::string_view kGatewayGroup = "gateway.networking.k8s.io";
// What the API takes of an HTTPRoute's lists (gateway-api v1 httproute_types.go, MaxItems).
constexpr std::size_t kMostParents = 32;
constexpr std::size_t kMostHosts = 16;
constexpr std::size_t kMostRules = 16;
constexpr std::size_t kMostMatches = 64;
constexpr std::size_t kMostBackends = 16;

struct Family {
  std::string_view name;
  std::string_view label;       // value of app.kubernetes.io/name
  std::string_view controller;  // part of an IngressClass's or GatewayClass's controller
};
constexpr std::array<Family, 10> kFamilies = {{
    {"ingress-nginx", "ingress-nginx", "k8s.io/ingress-nginx"},
    {"nginx-ingress", "nginx-ingress", "nginx.org/ingress-controller"},
    {"nginx-gateway-fabric", "", "gateway.nginx.org/"},
    {"traefik", "traefik", "traefik.io/"},
    {"contour", "contour", "projectcontour.io/"},
    {"haproxy", "kubernetes-ingress", "haproxy.org/ingress-controller"},
    {"haproxy", "haproxy-ingress", "haproxy-ingress.github.io/controller"},
    {"kong", "kong", "konghq.com/"},
    {"envoy-gateway", "envoy", "gateway.envoyproxy.io/"},
    {"istio", "istio-ingressgateway", "istio.io/"},
}};

// Whole parts of an image's name. Envoy's own says nothing: sidecars run it too.
struct FamilyImage {
  std::string_view name;
  std::string_view image;
};
constexpr std::array<FamilyImage, 13> kImages = {{
    {"ingress-nginx", "ingress-nginx/controller"},
    {"ingress-nginx", "ingress-nginx/controller-chroot"},
    {"ingress-nginx", "nginx-ingress-controller"},
    {"nginx-ingress", "nginx/nginx-ingress"},
    {"nginx-ingress", "nginx-ic/nginx-plus-ingress"},
    {"nginx-gateway-fabric", "nginx-gateway-fabric/nginx"},
    {"nginx-gateway-fabric", "nginx-gateway-fabric/nginx-plus"},
    {"traefik", "traefik"},
    {"traefik", "mirrored-library-traefik"},
    {"haproxy", "haproxytech/kubernetes-ingress"},
    {"haproxy", "haproxy-ingress"},
    {"kong", "kong"},
    {"kong", "kong-gateway"},
}};

// Other labels that tell: what Istio's gateway chart and Contour's manifests carry, and what Gateway controllers set on
// the proxies that they make.
struct FamilyMark {
  std::string_view name;
  std::string_view key;
  std::string_view value;
  std::string_view name_space;  // "": in any
};
constexpr std::array<FamilyMark, 4> kMarks = {{
    {"istio", "istio", "ingressgateway", ""},
    {"istio", "gateway.istio.io/managed", "istio.io-gateway-controller", ""},
    {"envoy-gateway", "app.kubernetes.io/managed-by", "envoy-gateway", ""},
    {"contour", "app", "envoy", "projectcontour"},
}};

// "traefik" is a whole part of docker.io/traefik:v3, none of traefik/whoami:v1.
bool is_image(std::string_view text, std::string_view image) {
  text = text.substr(0, text.find('@'));
  const std::size_t slash = text.rfind('/');
  text = text.substr(0, text.find(':', slash == std::string_view::npos ? 0 : slash));
  return text.ends_with(image) && (text.size() == image.size() || text[text.size() - image.size() - 1] == '/');
}

// The family of a workload by its labels and images, "" of none. Of a chart's workloads those count that carry traffic:
// components of another name (Contour's own, default backends, Kong's migrations) do not.
std::string_view family_of(Node pod, std::string_view name_space) {
  const Node labels = pod.find("metadata").find("labels");
  for (const FamilyMark& mark : kMarks) {
    if (labels.find(mark.key).text() == mark.value && (mark.name_space.empty() || mark.name_space == name_space)) {
      return mark.name;
    }
  }
  const std::string_view component = labels.find("app.kubernetes.io/component").text();
  constexpr std::array<std::string_view, 5> kCarriers = {"", "controller", "envoy", "proxy", "app"};
  const bool carries = std::find(kCarriers.begin(), kCarriers.end(), component) != kCarriers.end();
  const std::string_view label = labels.find("app.kubernetes.io/name").text();
  for (const Family& family : kFamilies) {
    if (!label.empty() && label == family.label) {
      return carries ? family.name : std::string_view();
    }
  }
  for (const Node container : pod.find("spec").find("containers")) {
    for (const FamilyImage& one : kImages) {
      if (is_image(container.find("image").text(), one.image)) {
        return one.name;
      }
    }
  }
  return {};
}

class EntryReader {
 public:
  EntryReader(const cluster::ObjectStore& store, const cluster::Cluster& cluster, Diagnostics& diagnostics)
      : store_(store), cluster_(cluster), diagnostics_(diagnostics) {}

  EntryPoints read() {
    for (const Object& object : store_.objects()) {
      const std::string_view group = object.group();
      if (object.kind == "Ingress" && (group == "networking.k8s.io" || group == "extensions")) {
        read_ingress(object);
      } else if (object.kind == "HTTPRoute" && group == kGatewayGroup) {
        read_route(object);
      } else if (object.kind == "Service" && group.empty()) {
        read_service(object);
      } else if ((object.kind == "IngressClass" && group == "networking.k8s.io") ||
                 (object.kind == "GatewayClass" && group == kGatewayGroup)) {
        const Node spec = object.node.find("spec");
        const Node name = object.kind == "IngressClass" ? spec.find("controller") : spec.find("controllerName");
        result_.classes.emplace_back(object.name, std::string(name.text()));
      } else if (cluster::workload_kind(object.kind)) {
        read_controller(object);
      }
    }
    return std::move(result_);
  }

 private:
  // Ports are numbers or names.
  void read_service_port(ObjectReader& port, EntryPoint& point) {
    const Node number = port.get("number");
    const Node name = port.get("name");
    if (number.is_null() == name.is_null()) {
      port.error("bad-value", "a backend's port is either a number or a name");
      return;
    }
    if (!number.is_null()) {
      if (const auto value = port.integer("number", 1, kMaxPort)) {
        point.port_number = Port(static_cast<std::uint16_t>(*value));
      }
    } else {
      point.port_name = port.string("name").value_or("");
    }
  }

  void add_ingress_backend(Node backend, const EntryPoint& base, const std::string& object) {
    if (backend.is_null()) {
      return;
    }
    EntryPoint point = base;
    ObjectReader reader(backend, object, diagnostics_);
    const Node service = reader.get("service");
    if (service.is_null()) {
      // The form of networking.k8s.io/v1beta1, or a resource (storage bucket …), behind which there is no pod.
      const Node old = reader.get("serviceName");
      if (old.is_null()) {
        point.problem = "its backend is a resource, not a Service";
        if (reader.get("resource").is_null()) {
          reader.error("missing-key", "a backend names a service or a resource", backend);
        }
        result_.points.push_back(std::move(point));
        return;
      }
      point.service = reader.string("serviceName").value_or("");
      const Node port = reader.get("servicePort");
      if (!port.is_quoted() && !port.text().empty() && port.text()[0] >= '0' && port.text()[0] <= '9') {
        const auto number = reader.integer("servicePort", 1, kMaxPort);
        point.port_number = number ? Port(static_cast<std::uint16_t>(*number)) : Port();
      } else {
        point.port_name = std::string(port.text());
      }
      result_.points.push_back(std::move(point));
      return;
    }
    ObjectReader named(service, object, diagnostics_);
    named.require("name");
    point.service = named.string("name").value_or("");
    ObjectReader port(named.require("port"), object, diagnostics_);
    if (port.node().is_present()) {
      read_service_port(port, point);
    }
    result_.points.push_back(std::move(point));
  }

  void read_ingress(const Object& object) {
    const std::string name = object.full_name();
    ObjectReader spec(object.node.find("spec"), name, diagnostics_);
    EntryPoint base{.kind = EntryPoint::Kind::ingress,
                    .name_space = object.name_space,
                    .name = object.name,
                    .service_namespace = object.name_space,
                    .span = object.span};
    base.controller_class = spec.string("ingressClassName").value_or("");
    if (base.controller_class.empty()) {
      base.controller_class =
          std::string(object.node.find("metadata").find("annotations").find("kubernetes.io/ingress.class").text());
    }
    add_ingress_backend(spec.get("defaultBackend"), base, name);
    add_ingress_backend(spec.get("backend"), base, name);
    for (const Node rule : spec.list("rules")) {
      ObjectReader reader(rule, name, diagnostics_);
      EntryPoint point = base;
      point.host = reader.string("host").value_or("");
      ObjectReader http(reader.get("http"), name, diagnostics_);
      for (const Node path : http.list("paths")) {
        ObjectReader item(path, name, diagnostics_);
        point.path = item.string("path").value_or("");
        add_ingress_backend(item.require("backend"), point, name);
      }
    }
  }

  const Object* find(std::string_view group, std::string_view kind, std::string_view name_space,
                     std::string_view name) const {
    for (const Object* object : store_.all(group, kind)) {
      if (object->name_space == name_space && object->name == name) {
        return object;
      }
    }
    return nullptr;
  }

  // Whether some listener of the gateway takes routes of that namespace (allowedRoutes, by default its own alone).
  bool accepts(const Object& gateway, const std::string& route_namespace, std::string_view section) {
    for (const Node listener : gateway.node.find("spec").find("listeners")) {
      if (!section.empty() && listener.find("name").text() != section) {
        continue;
      }
      const Node namespaces = listener.find("allowedRoutes").find("namespaces");
      const std::string_view from = namespaces.find("from").text();
      if (from == "All" || ((from.empty() || from == "Same") && gateway.name_space == route_namespace)) {
        return true;
      }
      if (from == "Selector") {
        const auto selector =
            cluster::read_label_selector(namespaces.find("selector"), gateway.full_name(), diagnostics_);
        const cluster::NamespaceId id = cluster_.find_namespace(route_namespace);
        if (selector && id.is_valid() &&
            selector->matches(cluster_.namespaces[id.index()].labels, cluster_.label_sets, cluster_.strings)) {
          return true;
        }
      }
    }
    return false;
  }

  // A backend in another namespace needs that namespace's consent.
  bool is_granted(const std::string& route_namespace, const std::string& service_namespace,
                  const std::string& service) const {
    for (const Object* grant : store_.all(kGatewayGroup, "ReferenceGrant")) {
      if (grant->name_space != service_namespace) {
        continue;
      }
      const Node spec = grant->node.find("spec");
      const auto allows = [](Node list, auto matches) {
        for (const Node item : list) {
          if (matches(item)) {
            return true;
          }
        }
        return false;
      };
      if (allows(spec.find("from"),
                 [&](Node from) {
                   return from.find("kind").text() == "HTTPRoute" && from.find("namespace").text() == route_namespace;
                 }) &&
          allows(spec.find("to"), [&](Node to) {
            return to.find("kind").text() == "Service" &&
                   (to.find("name").is_null() || to.find("name").text() == service);
          })) {
        return true;
      }
    }
    return false;
  }

  // The items of a list that the API bounds: what a route lets in is the product of several, so that a small file could
  // ask for a great deal.
  std::vector<Node> bounded(ObjectReader& reader, std::string_view key, std::size_t most) {
    std::vector<Node> items = reader.list(key);
    if (items.size() > most) {
      reader.error("too-many-values",
                   fmt::format("{} lists {} items; the API takes at most {}", key, items.size(), most),
                   reader.get(key));
      items.clear();
    }
    return items;
  }

  // Which Gateway the route belongs to, in `base`; a problem when it takes none.
  void read_parents(ObjectReader& spec, const Object& object, EntryPoint& base) {
    const std::vector<Node> parents = bounded(spec, "parentRefs", kMostParents);
    if (parents.empty()) {
      base.problem = "it names no Gateway";
    }
    for (const Node item : parents) {
      ObjectReader parent(item, spec.object(), diagnostics_);
      parent.require("name");
      const std::string name = parent.string("name").value_or("");
      const std::string where = parent.string("namespace").value_or(object.name_space);
      const std::string section = parent.string("sectionName").value_or("");
      base.gateway = where + "/" + name;
      base.problem.clear();
      const Object* gateway = find(kGatewayGroup, "Gateway", where, name);
      if (gateway == nullptr) {
        return;  // defined elsewhere: assumed to take it
      }
      base.controller_class = std::string(gateway->node.find("spec").find("gatewayClassName").text());
      if (accepts(*gateway, object.name_space, section)) {
        return;
      }
      base.problem =
          fmt::format("no listener of gateway {} takes routes of namespace {}", base.gateway, object.name_space);
    }
  }

  void read_route(const Object& object) {
    const std::string name = object.full_name();
    ObjectReader spec(object.node.find("spec"), name, diagnostics_);
    EntryPoint base{.kind = EntryPoint::Kind::http_route,
                    .name_space = object.name_space,
                    .name = object.name,
                    .span = object.span};
    read_parents(spec, object, base);
    std::vector<std::string> hosts;
    for (const Node host : bounded(spec, "hostnames", kMostHosts)) {
      hosts.push_back(config::as_string(host, name, diagnostics_).value_or(""));
    }
    if (hosts.empty()) {
      hosts.emplace_back();
    }
    std::vector<EntryPoint> of_rules;  // of any host
    for (const Node rule : bounded(spec, "rules", kMostRules)) {
      read_route_rule(rule, base, name, of_rules);
    }
    for (const std::string& host : hosts) {
      for (const EntryPoint& point : of_rules) {
        result_.points.push_back(point);
        result_.points.back().host = host;
      }
    }
  }

  void read_route_rule(Node rule, EntryPoint point, const std::string& name, std::vector<EntryPoint>& into) {
    ObjectReader reader(rule, name, diagnostics_);
    std::vector<std::string> paths;
    std::vector<EntryPoint> backends;
    for (const Node match : bounded(reader, "matches", kMostMatches)) {
      const std::string_view path = match.find("path").find("value").text();
      paths.emplace_back(path);
    }
    if (paths.empty()) {
      paths.emplace_back();
    }
    for (const Node item : bounded(reader, "backendRefs", kMostBackends)) {
      ObjectReader backend(item, name, diagnostics_);
      EntryPoint found = point;
      backend.require("name");
      found.service = backend.string("name").value_or("");
      found.service_namespace = backend.string("namespace").value_or(point.name_space);
      const std::string kind = backend.string("kind").value_or("Service");
      if (kind != "Service") {
        found.problem = fmt::format("its backend is a {}, not a Service", kind);
      } else if (found.service_namespace != point.name_space &&
                 !is_granted(point.name_space, found.service_namespace, found.service)) {
        found.problem = fmt::format("no ReferenceGrant in namespace {} lets routes of {} use Service {}",
                                    found.service_namespace, point.name_space, found.service);
      }
      if (kind == "Service") {
        backend.require("port");
      }
      if (const auto number = backend.integer("port", 1, kMaxPort)) {
        found.port_number = Port(static_cast<std::uint16_t>(*number));
      }
      backends.push_back(std::move(found));
    }
    for (const std::string& path : paths) {
      for (const EntryPoint& backend : backends) {
        into.push_back(backend);
        into.back().path = path;
      }
    }
  }

  void read_service(const Object& object) {
    const Node spec_node = object.node.find("spec");
    const std::string_view type = spec_node.find("type").text();
    if (type != "NodePort" && type != "LoadBalancer") {
      return;
    }
    ObjectReader spec(spec_node, object.full_name(), diagnostics_);
    EntryPoint base{.kind = type == "NodePort" ? EntryPoint::Kind::node_port : EntryPoint::Kind::load_balancer,
                    .name_space = object.name_space,
                    .name = object.name,
                    .service = object.name,
                    .service_namespace = object.name_space,
                    .span = object.span};
    if (!spec.get("externalTrafficPolicy").is_null()) {
      base.is_local = spec.choice("externalTrafficPolicy", {"Cluster", "Local"}).value_or(0) == 1;
    }
    for (const Node range : spec.list("loadBalancerSourceRanges")) {
      if (const auto cidr = config::as_cidr(range, spec.object(), diagnostics_)) {
        base.sources.push_back(*cidr);
      }
    }
    const cluster::ServiceId id = cluster_.find_service(cluster_.find_namespace(object.name_space), object.name);
    if (!id.is_valid()) {
      return;  // reported where Services are read
    }
    for (const cluster::ServicePort& port : cluster_.services[id.index()].ports) {
      EntryPoint point = base;
      point.port_number = port.port;
      point.port_name = port.name;
      point.node_port = port.node_port;
      result_.points.push_back(std::move(point));
    }
  }

  void read_controller(const Object& object) {
    const bool is_pod = object.kind == "Pod";
    const Node pod = is_pod ? object.node : object.node.find("spec").find("template");
    const std::string_view family = family_of(pod, object.name_space);
    if (!family.empty()) {
      result_.controllers.push_back(
          {.family = std::string(family), .name_space = object.name_space, .kind = object.kind, .name = object.name});
    }
  }

  const cluster::ObjectStore& store_;
  const cluster::Cluster& cluster_;
  Diagnostics& diagnostics_;
  EntryPoints result_;
};

}  // namespace

std::string_view controller_family(std::string_view controller) {
  for (const Family& family : kFamilies) {
    if (controller.find(family.controller) != std::string_view::npos) {
      return family.name;
    }
  }
  return {};
}

EntryPoints read_entry_points(const cluster::ObjectStore& store, const cluster::Cluster& cluster,
                              Diagnostics& diagnostics) {
  return EntryReader(store, cluster, diagnostics).read();
}

}  // namespace podwire::analysis
