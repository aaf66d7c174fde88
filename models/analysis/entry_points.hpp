// Entry points: what Ingresses, Gateway API HTTPRoutes, NodePort and LoadBalancer Services and external addresses let
// in from outside, and what policies make of it.
//
// Reading keeps what the objects say, with names unresolved; resolving joins it to a cluster's Services and asks the
// policy engine. An Ingress's or HTTPRoute's traffic comes from its controller's pods: workloads whose labels or images
// show a known controller, else a peer named {ingress-controller} that is assumed to be an ordinary pod of which
// neither namespace nor labels are known. Load balancers of a cloud (class alb, gce …) are no pods: what they send
// comes from addresses that are not known, or from nodes. LoadBalancer and NodePort traffic comes from outside; with
// externalTrafficPolicy Cluster the pod sees the address of the node it came through (kube-proxy masquerades it).
// Left out: TLS, header and query matches, weights but 0, TCPRoute and other routes, routes of a mesh (a parent that is
// a Service), plugins that keep the client's address under Cluster (direct server return). Sources: k8s.io/api
// networking/v1 and core/v1 types.go; gateway-api v1 httproute_types.go, gateway_types.go.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/policy/engine.hpp"

namespace podwire::analysis {

/// One way in, towards one port of one Service.
struct EntryPoint {
  enum class Kind : std::uint8_t { ingress, http_route, node_port, load_balancer, external_address };
  Kind kind = Kind::ingress;
  std::string name_space;  // of the object
  std::string name;
  std::string host;     // "" for any
  std::string path;     // "" for any
  std::string service;  // its name, in service_namespace
  std::string service_namespace;
  std::string port_name;                    // of the Service's port; "" with port_number
  Port port_number;                         // of the Service
  std::optional<IpProtocol> protocol = {};  // of the Service's port; none: TCP, as HTTP is spoken
  Port node_port;                           // of a NodePort or LoadBalancer Service, where the object says it
  bool is_local = false;                    // externalTrafficPolicy: Local
  std::vector<Cidr> sources;                // loadBalancerSourceRanges; none: everyone
  std::string controller_class;             // IngressClass or GatewayClass, or "" for the default one
  std::string gateway;                      // "infra/edge", of an HTTPRoute
  std::string addresses = {};               // "203.0.113.9, 203.0.113.10", of an external address
  std::string problem;                      // why nothing comes in, "" when something may
  std::string assumption = {};              // what is taken to be so where something may, "" for nothing
  Span span;
};

/// A workload that looks like an ingress controller.
struct IngressController {
  std::string family;  // "ingress-nginx"
  std::string name_space;
  std::string kind;
  std::string name;
};

/// An IngressClass or GatewayClass and its controller's name.
struct ControllerClass {
  bool is_gateway = false;
  std::string name;
  std::string controller;
};

struct EntryPoints {
  std::vector<EntryPoint> points;              // by object in order of definition
  std::vector<IngressController> controllers;  // likewise
  std::vector<ControllerClass> classes;
};

/// Reads the kinds above from a store. Problems (missing or wrong fields) are diagnostics with object and place.
EntryPoints read_entry_points(const cluster::ObjectStore& store, const cluster::Cluster& cluster,
                              Diagnostics& diagnostics);

/// The family of controllers that an IngressClass's or GatewayClass's controller name belongs to, or "".
std::string_view controller_family(std::string_view controller);

/// What a class that is defined nowhere says by its name.
enum class ClassName : std::uint8_t { says_nothing, fits, is_of_others };
/// Whether "nginx-internal" is called like the family "ingress-nginx", like another family, or like none.
ClassName class_named(std::string_view class_name, std::string_view family);

/// Whether such a class, or its controller's name, is of a load balancer that a cloud runs outside the cluster.
bool is_cloud_load_balancer(std::string_view class_name, std::string_view controller);

/// One entry point joined to one workload behind it.
struct EntryRow {
  enum class Outcome : std::uint8_t {
    allowed,
    partly,   // from some sources, or to some of the workload's pods
    denied,   // exposed, but policies deny it
    unknown,  // depends on what is not known
    broken,   // there is nothing behind it
  };
  std::string
      via;  // "ingress shop/web", "httproute shop/web of gateway infra/edge", "service shop/web, node port 30080"
  std::string host;
  std::string path;
  std::string service;  // "shop/web:80"
  std::string
      source;  // "{ingress-controller}", "ingress-nginx/controller[Deployment]", "0.0.0.0-255.255.255.255[External]"
  std::string destination;  // "shop/web[Deployment]", "" when broken
  std::string connections;  // "TCP 8080" as the pod sees it
  Outcome outcome = Outcome::allowed;
  std::string note;                          // why not, or what is assumed
  cluster::WorkloadId source_workload = {};  // of a recognised controller
  cluster::WorkloadId workload = {};         // of the destination
  Span span;
};
/// "allowed", "partly", "denied", "unknown", "broken".
std::string_view to_string(EntryRow::Outcome outcome);

/// In the order of the entry points, then of workloads. O(points × backends).
std::vector<EntryRow> resolve_entry_points(policy::PolicyEngine& engine, const EntryPoints& entries);

}  // namespace podwire::analysis
