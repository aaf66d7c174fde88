#include "app/scenario/detect_cni.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "models/cni/profile.hpp"

namespace podwire::scenario {
namespace {

// A plugin's agent runs on every node. `image` is part of its repository, `daemon_set` how its DaemonSet is called, as
// the projects' manifests and charts name them; the mirrored and hardened ones are Rancher's. What only adds policies
// to another network goes before the networks that have none.
struct Plugin {
  std::string_view name;
  std::string_view image;
  std::string_view daemon_set;
  std::string_view profile;  // "": none yet
  std::string_view os = {};  // "": any; else what its pods' nodeSelector asks for, linux where it asks for nothing
};
constexpr Plugin kPlugins[] = {
    {"Calico", "calico/node", "calico-node", "calico-vxlan"},
    {"Calico", "mirrored-calico-node", "calico-node", "calico-vxlan"},
    {"Calico", "hardened-calico", "rke2-canal", "calico-vxlan"},
    {"Cilium", "cilium/cilium", "cilium", "cilium-vxlan"},
    {"Cilium", "isovalent/cilium", "cilium", "cilium-vxlan"},
    {"Cilium", "mirrored-cilium-cilium", "cilium", "cilium-vxlan"},
    {"kube-network-policies", "networking/kube-network-policies", "kube-network-policies", "kube-network-policies"},
    {"Flannel", "flannel-io/flannel", "kube-flannel-ds", "flannel"},
    {"Flannel", "flannel/flannel", "kube-flannel-ds", "flannel"},
    {"Flannel", "flannelcni/flannel", "kube-flannel-ds", "flannel"},
    {"Flannel", "coreos/flannel", "kube-flannel", "flannel"},
    {"Flannel", "hardened-flannel", "kube-flannel-ds", "flannel"},
    {"Antrea", "antrea/antrea-agent-ubuntu", "antrea-agent", "antrea"},
    {"Antrea", "antrea/antrea-agent-ubi", "antrea-agent", "antrea"},
    {"Antrea", "antrea/antrea-ubuntu", "antrea-agent", "antrea"},
    {"Antrea", "antrea/antrea", "antrea-agent", "antrea"},
    {"AWS VPC CNI", "amazon-k8s-cni", "aws-node", "aws-vpc-cni"},
    {"Azure CNI", "containernetworking/azure-npm", "azure-npm", "azure-npm", "linux"},
    {"Azure CNI", "containernetworking/azure-npm", "azure-npm-win", "azure-npm-windows", "windows"},
    {"Azure CNI", "containernetworking/azure-cns", "azure-cns", ""},
    {"kindnet", "kindest/kindnetd", "kindnet", "kindnet"},
    {"kindnet", "networking/kindnet", "kindnet", "kindnet"},
    {"kindnet", "aojea/kindnetd", "kindnet", "kindnet"},
    {"kube-router", "cloudnativelabs/kube-router", "kube-router", "kube-router"},
    {"Kube-OVN", "kubeovn/kube-ovn", "kube-ovn-cni", ""},
    {"OVN-Kubernetes", "ovn-kube", "ovnkube-node", "ovn-kubernetes"},
    {"Weave Net", "weave-kube", "weave-net", "weave"},
};

// The container that runs the image, none otherwise. "cilium/cilium" must not be found in "cilium/cilium-envoy".
config::Node container_of(config::Node pod_spec, std::string_view image) {
  for (const config::Node container : pod_spec.find("containers")) {
    const std::string_view text = container.find("image").text();
    for (std::size_t at = text.find(image); at != std::string_view::npos; at = text.find(image, at + 1)) {
      const std::size_t end = at + image.size();
      if (end == text.size() || text[end] == ':' || text[end] == '@') {
        return container;
      }
    }
  }
  return {};
}

bool runs_on(config::Node pod_spec, std::string_view os) {
  const std::string_view asked = pod_spec.find("nodeSelector").find("kubernetes.io/os").text();
  return os.empty() || (asked.empty() ? os == "linux" : asked == os);
}

// "3.27.2" of "docker.io/calico/node:v3.27.2@sha256:…"; "" when the tag is no version.
std::string version_of(config::Node container) {
  std::string_view text = container.find("image").text();
  text = text.substr(0, text.find('@'));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.find('/', colon) != std::string_view::npos) {
    return "";
  }
  std::string_view tag = text.substr(colon + 1);
  if (!cni::parse_version(tag)) {
    return "";
  }
  tag.remove_prefix(tag.starts_with('v') ? 1 : 0);
  return std::string(tag.substr(0, tag.find_first_not_of("0123456789.")));
}

std::string_view variable(config::Node container, std::string_view name) {
  for (const config::Node entry : container.find("env")) {
    if (entry.find("name").text() == name) {
      return entry.find("value").text();
    }
  }
  return {};
}

// Calico's data planes and overlays; its operator sets none of these variables but the first.
std::string_view calico_profile(config::Node container, std::string_view otherwise) {
  const std::string_view ipip = variable(container, "CALICO_IPV4POOL_IPIP");
  const std::string_view vxlan = variable(container, "CALICO_IPV4POOL_VXLAN");
  const auto is_used = [](std::string_view mode) { return mode == "Always" || mode == "CrossSubnet"; };
  if (variable(container, "FELIX_BPFENABLED") == "true") {
    return "calico-ebpf";
  }
  if (is_used(ipip) || is_used(vxlan)) {
    return is_used(vxlan) ? "calico-vxlan" : "calico-ipip";
  }
  return ipip == "Never" && vxlan == "Never" ? "calico-bgp" : otherwise;
}

DetectedCni found(const Plugin& plugin, const cluster::Object& object, config::Node container) {
  const std::string_view profile = plugin.name == "Calico" ? calico_profile(container, plugin.profile) : plugin.profile;
  return {.profile = profile.empty() ? "spec" : std::string(profile),
          .version = version_of(container),
          .plugin = std::string(plugin.name),
          .evidence = fmt::format("{} {}/{}", object.kind, object.name_space, object.name),
          .has_profile = !profile.empty()};
}

}  // namespace

DetectedCni detect_cni(const cluster::ObjectStore& store) {
  const std::vector<const cluster::Object*> daemon_sets = store.all("apps", "DaemonSet");
  const std::vector<const cluster::Object*> pods = store.all("", "Pod");
  for (const Plugin& plugin : kPlugins) {
    for (const cluster::Object* object : daemon_sets) {
      const config::Node pod_spec = object->node.find("spec").find("template").find("spec");
      const config::Node container = container_of(pod_spec, plugin.image);
      if (container.is_present() && runs_on(pod_spec, plugin.os)) {
        return found(plugin, *object, container);
      }
    }
    for (const cluster::Object* object : pods) {
      const config::Node container = container_of(object->node.find("spec"), plugin.image);
      if (container.is_present() && runs_on(object->node.find("spec"), plugin.os)) {
        return found(plugin, *object, container);
      }
    }
  }
  for (const Plugin& plugin : kPlugins) {
    for (const cluster::Object* object : daemon_sets) {
      if (object->name == plugin.daemon_set) {
        return found(plugin, *object, {});
      }
    }
  }
  return {.profile = "spec", .version = "", .plugin = "", .evidence = "", .has_profile = true};
}

}  // namespace podwire::scenario
