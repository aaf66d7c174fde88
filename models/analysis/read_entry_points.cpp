// Reading of what lets traffic in: Ingress, Gateway, HTTPRoute, ReferenceGrant, Services, and which workloads look like
// an ingress controller. Sources: see entry_points.hpp.
#include <fmt/format.h>

#include <algorithm>

#include "models/analysis/entry_points.hpp"
#include "models/analysis/ingress_controllers.hpp"
#include "models/analysis/read_routes.hpp"
#include "models/cluster/kinds.hpp"
#include "sim/config/reader.hpp"

namespace podwire::analysis {
namespace {

using cluster::Object;
using config::Node;
using config::ObjectReader;

constexpr std::int64_t kMaxPort = 65'535;

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
        read_http_route(store_, cluster_, object, result_.points, diagnostics_);
      } else if (object.kind == "Service" && group.empty()) {
        read_service(object);
      } else if ((object.kind == "IngressClass" && group == "networking.k8s.io") ||
                 (object.kind == "GatewayClass" && group == kGatewayGroup)) {
        const Node spec = object.node.find("spec");
        const bool is_gateway = object.kind == "GatewayClass";
        const Node name = spec.find(is_gateway ? "controllerName" : "controller");
        result_.classes.push_back(
            {.is_gateway = is_gateway, .name = object.name, .controller = std::string(name.text())});
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

  void read_service(const Object& object) {
    const Node spec_node = object.node.find("spec");
    const std::string_view type = spec_node.find("type").text();
    const bool is_balanced = type == "LoadBalancer";
    if (type == "ExternalName") {
      return;
    }
    ObjectReader spec(spec_node, object.full_name(), diagnostics_);
    EntryPoint base{.kind = is_balanced ? EntryPoint::Kind::load_balancer : EntryPoint::Kind::node_port,
                    .name_space = object.name_space,
                    .name = object.name,
                    .service = object.name,
                    .service_namespace = object.name_space,
                    .span = object.span};
    for (const Node address : spec.list("externalIPs")) {
      base.addresses += base.addresses.empty() ? "" : ", ";
      base.addresses += config::as_string(address, spec.object(), diagnostics_).value_or("");
    }
    if (type != "NodePort" && !is_balanced && base.addresses.empty()) {
      return;
    }
    if (!spec.get("externalTrafficPolicy").is_null()) {
      base.is_local = spec.choice("externalTrafficPolicy", {"Cluster", "Local"}).value_or(0) == 1;
    }
    const cluster::ServiceId id = cluster_.find_service(cluster_.find_namespace(object.name_space), object.name);
    if (!id.is_valid()) {
      return;  // reported where Services are read
    }
    std::vector<Cidr> sources;
    for (const Node range : spec.list("loadBalancerSourceRanges")) {
      if (const auto cidr = config::as_cidr(range, spec.object(), diagnostics_)) {
        sources.push_back(*cidr);
      }
    }
    for (const cluster::ServicePort& port : cluster_.services[id.index()].ports) {
      EntryPoint point = base;
      point.port_number = port.port;
      point.port_name = port.name;
      point.protocol = port.protocol;
      if (!base.addresses.empty()) {
        result_.points.push_back(point);
        result_.points.back().kind = EntryPoint::Kind::external_address;
      }
      if (type == "NodePort" || is_balanced) {
        point.node_port = port.node_port;
        point.sources = is_balanced ? sources : std::vector<Cidr>();  // kube-proxy asks for them there alone
        result_.points.push_back(std::move(point));
      }
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

EntryPoints read_entry_points(const cluster::ObjectStore& store, const cluster::Cluster& cluster,
                              Diagnostics& diagnostics) {
  return EntryReader(store, cluster, diagnostics).read();
}

}  // namespace podwire::analysis
