#include "app/scenario/detect_cni.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

namespace podwire::scenario {
namespace {

// A plugin's agent runs on every node. `image` is part of its repository, `daemon_set` how its DaemonSet is called.
struct Plugin {
  std::string_view name;
  std::string_view image;
  std::string_view daemon_set;
  std::string_view profile;  // "": none yet
};
constexpr Plugin kPlugins[] = {
    {"Calico", "calico/node", "calico-node", "calico-vxlan"},
    {"Cilium", "cilium/cilium", "cilium", "cilium-vxlan"},
    {"Flannel", "flannel/flannel", "kube-flannel-ds", "flannel"},
    {"Flannel", "coreos/flannel", "kube-flannel", "flannel"},
    {"Antrea", "antrea/antrea", "antrea-agent", ""},
    {"AWS VPC CNI", "amazon-k8s-cni", "aws-node", ""},
    {"Azure CNI", "azure-cni", "azure-npm", ""},
    {"kindnet", "kindest/kindnetd", "kindnet", ""},
    {"kube-router", "cloudnativelabs/kube-router", "kube-router", ""},
    {"OVN-Kubernetes", "ovn-kube", "ovnkube-node", ""},
    {"Weave Net", "weaveworks/weave-kube", "weave-net", ""},
};

bool has_image(config::Node pod_spec, std::string_view image) {
  for (const config::Node container : pod_spec.find("containers")) {
    const std::string_view text = container.find("image").text();
    const std::size_t at = text.find(image);
    // "cilium/cilium" must not be found in "cilium/cilium-envoy".
    if (at != std::string_view::npos &&
        (at + image.size() == text.size() || text[at + image.size()] == ':' || text[at + image.size()] == '@')) {
      return true;
    }
  }
  return false;
}

DetectedCni found(const Plugin& plugin, const cluster::Object& object) {
  return {.profile = plugin.profile.empty() ? "spec" : std::string(plugin.profile),
          .plugin = std::string(plugin.name),
          .evidence = fmt::format("{} {}/{}", object.kind, object.name_space, object.name),
          .has_profile = !plugin.profile.empty()};
}

}  // namespace

DetectedCni detect_cni(const cluster::ObjectStore& store) {
  const std::vector<const cluster::Object*> daemon_sets = store.all("apps", "DaemonSet");
  const std::vector<const cluster::Object*> pods = store.all("", "Pod");
  for (const Plugin& plugin : kPlugins) {
    for (const cluster::Object* object : daemon_sets) {
      if (has_image(object->node.find("spec").find("template").find("spec"), plugin.image)) {
        return found(plugin, *object);
      }
    }
    for (const cluster::Object* object : pods) {
      if (has_image(object->node.find("spec"), plugin.image)) {
        return found(plugin, *object);
      }
    }
  }
  for (const Plugin& plugin : kPlugins) {
    for (const cluster::Object* object : daemon_sets) {
      if (object->name == plugin.daemon_set) {
        return found(plugin, *object);
      }
    }
  }
  return {.profile = "spec", .plugin = "", .evidence = "", .has_profile = true};
}

}  // namespace podwire::scenario
