// Which workloads look like an ingress controller, and what a class says of who serves it.
//
// Controllers' images, labels and controller names as the projects' manifests and charts have them
// (kubernetes/ingress-nginx, nginx/kubernetes-ingress, nginx/nginx-gateway-fabric, traefik/traefik-helm-chart,
// projectcontour/contour examples/, haproxytech/helm-charts, jcmoraisjr/haproxy-ingress, Kong/charts,
// envoyproxy/gateway, istio/istio manifests/charts/gateway and pilot's kube-gateway template). What has been renamed or
// rebuilt under another image is not recognised. Clouds' classes as the documentation of the AWS Load Balancer
// Controller, EKS, GKE, and Azure's Application Gateway names them.
#include "models/analysis/ingress_controllers.hpp"

#include <algorithm>
#include <array>

#include "models/analysis/entry_points.hpp"

namespace podwire::analysis {
namespace {

using config::Node;

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

// Classes and controllers of load balancers that a cloud runs: their traffic comes from no pod.
constexpr std::array<std::string_view, 5> kCloudClasses = {"alb", "gce", "gce-internal", "azure-application-gateway",
                                                           "azure/application-gateway"};
constexpr std::array<std::string_view, 7> kCloudControllers = {
    "ingress.k8s.aws/",   "eks.amazonaws.com/alb",     "gateway.k8s.aws/",         "application-networking.k8s.aws/",
    "networking.gke.io/", "azure/application-gateway", "alb.networking.azure.io/",
};

// Whether two names share a part between dashes that says something: "nginx-internal" and "ingress-nginx".
bool share_a_part(std::string_view a, std::string_view b) {
  const auto next = [](std::string_view& rest) {
    const std::size_t dash = std::min(rest.find('-'), rest.size());
    const std::string_view part = rest.substr(0, dash);
    rest.remove_prefix(std::min(dash + 1, rest.size()));
    return part;
  };
  for (std::string_view left = a; !left.empty();) {
    const std::string_view part = next(left);
    if (part.empty() || part == "ingress" || part == "gateway") {
      continue;
    }
    for (std::string_view right = b; !right.empty();) {
      if (next(right) == part) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

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

std::string_view controller_family(std::string_view controller) {
  for (const Family& family : kFamilies) {
    if (controller.find(family.controller) != std::string_view::npos) {
      return family.name;
    }
  }
  return {};
}

ClassName class_named(std::string_view class_name, std::string_view family) {
  if (share_a_part(class_name, family)) {
    return ClassName::fits;
  }
  const bool is_of_another = std::any_of(kFamilies.begin(), kFamilies.end(),
                                         [&](const Family& other) { return share_a_part(class_name, other.name); });
  return is_of_another ? ClassName::is_of_others : ClassName::says_nothing;
}

bool is_cloud_load_balancer(std::string_view class_name, std::string_view controller) {
  return std::find(kCloudClasses.begin(), kCloudClasses.end(), class_name) != kCloudClasses.end() ||
         std::any_of(kCloudControllers.begin(), kCloudControllers.end(),
                     [&](std::string_view part) { return controller.starts_with(part); });
}

}  // namespace podwire::analysis
