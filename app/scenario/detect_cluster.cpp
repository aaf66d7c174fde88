#include "app/scenario/detect_cluster.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "app/scenario/kubernetes_version.hpp"
#include "models/cluster/addresses.hpp"
#include "sim/base/text.hpp"
#include "sim/config/document.hpp"

namespace podwire::scenario {
namespace {

using cluster::Object;
using config::Node;

constexpr std::string_view kSystem = "kube-system";

std::string shown(const Object& object) {
  return object.name_space.empty() ? fmt::format("{} {}", object.kind, printable(object.name))
                                   : fmt::format("{} {}/{}", object.kind, object.name_space, printable(object.name));
}

// Only what can stand in a scenario is taken from texts of a dump: words, numbers, ranges, no line breaks.
bool is_plain(std::string_view text) {
  constexpr std::size_t kLongest = 100;
  return !text.empty() && text.size() <= kLongest && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("./:-_+").find(c) != std::string_view::npos;
  });
}

// The first of "10.244.0.0/16,fd00::/56" that is a range.
std::string first_cidr(std::string_view list) {
  for (const char separator : {',', ' '}) {
    list = list.substr(0, list.find(separator));
  }
  const auto cidr = Cidr::parse(list);
  return cidr ? cidr->to_string() : "";
}

class Detector {
 public:
  Detector(SourceMap& sources, const cluster::ObjectStore& store, const cluster::Cluster& cluster)
      : sources_(sources), store_(store), cluster_(cluster) {}

  DetectedCluster detect() {
    read_kubeadm();
    DetectedCluster found;
    found.cni = detect_cni(store_);
    found.kubernetes_version = kubernetes_version();
    found.service_proxy = service_proxy(found.cni);
    found.pod_cidr = pod_cidr();
    found.service_cidr = service_cidr();
    found.cluster_domain = cluster_domain();
    found.dns = dns();
    found.node_local_dns = node_local_dns();
    std::map<std::string, std::size_t> kinds;
    for (const cluster::UnmodelledObject& object : cluster_.unmodelled) {
      ++kinds[object.kind];
    }
    found.unmodelled.assign(kinds.begin(), kinds.end());
    return found;
  }

 private:
  const Object* find(std::string_view group, std::string_view kind, std::string_view name_space,
                     std::string_view name) const {
    for (const Object* object : store_.all(group, kind)) {
      if (object->name_space == name_space && object->name == name) {
        return object;
      }
    }
    return nullptr;
  }

  // What a ConfigMap's entry says, itself YAML.
  Node parsed(const Object& config_map, std::string_view entry) {
    const std::string_view text = config_map.node.find("data").find(entry).text();
    if (text.empty()) {
      return {};
    }
    auto document = config::parse_text(sources_, fmt::format("{}: {}", shown(config_map), entry), std::string(text));
    if (!document || document->roots().empty()) {
      return {};
    }
    documents_.push_back(std::move(document).value());
    return documents_.back().roots().front();
  }

  void read_kubeadm() {
    kubeadm_ = find("", "ConfigMap", kSystem, "kubeadm-config");
    if (kubeadm_ != nullptr) {
      networking_ = parsed(*kubeadm_, "ClusterConfiguration").find("networking");
    }
    proxy_map_ = find("", "ConfigMap", kSystem, "kube-proxy");
    if (proxy_map_ != nullptr) {
      proxy_config_ = parsed(*proxy_map_, "config.conf");
    }
  }

  // The value of --flag=VALUE (or --flag VALUE) of the pods and DaemonSets whose names begin so.
  Finding flag(std::string_view component, std::string_view flag_name) const {
    for (const auto& [group, kind] : {std::pair("", "Pod"), std::pair("apps", "DaemonSet")}) {
      for (const Object* object : store_.all(group, kind)) {
        if (!object->name.starts_with(component)) {
          continue;
        }
        const Node spec = object->node.find("spec");
        const Node pod_spec = kind == std::string_view("Pod") ? spec : spec.find("template").find("spec");
        for (const Node container : pod_spec.find("containers")) {
          for (const std::string_view list : {"command", "args"}) {
            if (const std::string_view value = flag_in(container.find(list), flag_name); is_plain(value)) {
              return {.value = std::string(value),
                      .evidence = fmt::format("{}, {}", shown(*object), flag_name),
                      .explanation = {}};
            }
          }
        }
      }
    }
    return {};
  }

  static std::string_view flag_in(Node words, std::string_view flag_name) {
    bool is_next = false;
    for (const Node word : words) {
      const std::string_view text = word.text();
      if (is_next) {
        return text;
      }
      is_next = text == flag_name;
      if (text.starts_with(flag_name) && text.size() > flag_name.size() && text[flag_name.size()] == '=') {
        return text.substr(flag_name.size() + 1);
      }
    }
    return {};
  }

  Finding kubernetes_version() const {
    const std::vector<std::string> versions = kubelet_versions(store_);
    if (versions.empty()) {
      return {.value = "auto", .evidence = {}, .explanation = "the dump has no Node objects that say a version"};
    }
    std::string_view text = versions.back();
    text.remove_prefix(1);  // 'v'
    const std::size_t nodes = store_.all("", "Node").size();
    return {.value = std::string(text.substr(0, text.find_first_not_of("0123456789."))),
            .evidence = fmt::format("kubeletVersion of {} Node{}", nodes, nodes == 1 ? "" : "s"),
            .explanation = versions.size() == 1 ? "" : fmt::format("the newest of {}", fmt::join(versions, ", "))};
  }

  Finding service_proxy(const DetectedCni& cni) const {
    if (cni.profile == "calico-ebpf") {
      return {.value = "ebpf", .evidence = cni.evidence + ", FELIX_BPFENABLED", .explanation = {}};
    }
    if (const Object* cilium = find("", "ConfigMap", kSystem, "cilium-config")) {
      const std::string_view mode = cilium->node.find("data").find("kube-proxy-replacement").text();
      if (mode == "true" || mode == "strict") {
        return {.value = "ebpf", .evidence = shown(*cilium) + ", kube-proxy-replacement", .explanation = {}};
      }
    }
    if (Finding found = flag("kube-proxy", "--proxy-mode"); found.is_detected()) {
      return found;
    }
    if (proxy_config_.is_mapping()) {
      const std::string_view mode = proxy_config_.find("mode").text();
      return {.value = is_plain(mode) ? std::string(mode) : "iptables",
              .evidence = shown(*proxy_map_) + ", mode",
              .explanation = mode.empty() ? "an empty mode is iptables on Linux" : ""};
    }
    if (const Object* proxy = find("apps", "DaemonSet", kSystem, "kube-proxy")) {
      return {.value = "iptables",
              .evidence = shown(*proxy),
              .explanation = "its mode is not in the dump; iptables is kube-proxy's default on Linux"};
    }
    return {.value = "iptables", .evidence = {}, .explanation = "the dump shows no kube-proxy; it is the usual one"};
  }

  Finding from_cidr(Finding found) const {
    found.value = first_cidr(found.value);
    return found.value.empty() ? Finding() : found;
  }
  Finding from_node(Node node, std::string evidence) const {
    return from_cidr({.value = std::string(node.text()), .evidence = std::move(evidence), .explanation = {}});
  }

  Finding pod_cidr() const {
    std::vector<Finding> all;
    if (kubeadm_ != nullptr) {
      all.push_back(from_node(networking_.find("podSubnet"), shown(*kubeadm_)));
    }
    all.push_back(from_cidr(flag("kube-controller-manager", "--cluster-cidr")));
    if (proxy_map_ != nullptr) {
      all.push_back(from_node(proxy_config_.find("clusterCIDR"), shown(*proxy_map_)));
    }
    for (const Object* pool : store_.all("crd.projectcalico.org", "IPPool")) {
      all.push_back(from_node(pool->node.find("spec").find("cidr"), shown(*pool)));
    }
    for (Finding& found : all) {
      if (found.is_detected()) {
        return found;
      }
    }
    std::vector<Cidr> blocks;
    for (const Object* node : store_.all("", "Node")) {
      const auto cidr = Cidr::parse(node->node.find("spec").find("podCIDR").text());
      if (cidr && (blocks.empty() || cidr->family() == blocks.front().family())) {
        blocks.push_back(*cidr);
      }
    }
    if (!blocks.empty()) {
      return {.value = cluster::covering(blocks).to_string(),
              .evidence = fmt::format("podCIDR of {} Nodes", blocks.size()),
              .explanation = "the smallest range that holds them"};
    }
    return {.value = cluster_.pod_cidr.to_string(),
            .evidence = {},
            .explanation = "nothing in the dump names it; pods keep the addresses they have"};
  }

  Finding service_cidr() const {
    std::vector<Finding> all;
    for (const Object* range : store_.all("networking.k8s.io", "ServiceCIDR")) {
      for (const Node cidr : range->node.find("spec").find("cidrs")) {
        all.push_back(from_node(cidr, shown(*range)));
      }
    }
    if (kubeadm_ != nullptr) {
      all.push_back(from_node(networking_.find("serviceSubnet"), shown(*kubeadm_)));
    }
    all.push_back(from_cidr(flag("kube-apiserver", "--service-cluster-ip-range")));
    for (Finding& found : all) {
      if (found.is_detected()) {
        return found;
      }
    }
    std::vector<Cidr> used;
    const Cidr usual = *Cidr::parse("10.96.0.0/12");
    bool is_usual = true;
    for (const cluster::Service& service : cluster_.services) {
      const IpAddress ip = service.cluster_ip;
      if (!ip.is_unspecified() && !service.is_added && (used.empty() || ip.family() == used.front().family())) {
        used.emplace_back(ip, ip.is_v4() ? 32 : 128);
        is_usual = is_usual && usual.contains(ip);
      }
    }
    if (used.empty() || is_usual) {
      return {.value = usual.to_string(),
              .evidence = {},
              .explanation = used.empty() ? "kubeadm's default; the dump has no ClusterIPs"
                                          : fmt::format("kubeadm's default; it holds all {} ClusterIPs", used.size())};
    }
    return {.value = cluster::covering(used).to_string(),
            .evidence = {},
            .explanation = fmt::format("the smallest range that holds all {} ClusterIPs", used.size())};
  }

  Finding cluster_domain() const {
    if (const std::string_view domain = networking_.find("dnsDomain").text(); is_plain(domain)) {
      return {.value = std::string(domain), .evidence = shown(*kubeadm_), .explanation = {}};
    }
    if (const Object* map = find("", "ConfigMap", kSystem, "coredns")) {
      // "kubernetes cluster.local in-addr.arpa ip6.arpa {"
      const std::string_view corefile = map->node.find("data").find("Corefile").text();
      constexpr std::string_view kPlugin = "kubernetes ";
      const std::size_t at = corefile.find(kPlugin);
      if (at != std::string_view::npos) {
        const std::string_view rest = corefile.substr(at + kPlugin.size());
        const std::string_view domain = rest.substr(0, rest.find_first_of(" \n\t{"));
        if (is_plain(domain) && domain.find('/') == std::string_view::npos) {
          return {.value = std::string(domain), .evidence = shown(*map) + ", plugin kubernetes", .explanation = {}};
        }
      }
    }
    return {.value = "cluster.local", .evidence = {}, .explanation = "the default; the dump does not say"};
  }

  Finding dns() const {
    if (!cluster_.dns_service.is_valid() || cluster_.services[cluster_.dns_service.index()].is_added) {
      return {
          .value = "", .evidence = {}, .explanation = "the dump has no cluster DNS: podwire adds CoreDNS and kube-dns"};
    }
    const cluster::Service& service = cluster_.services[cluster_.dns_service.index()];
    std::map<std::string, std::size_t> pods;
    std::string port;
    for (const cluster::ServicePort& p : service.ports) {
      if (p.protocol != IpProtocol::udp) {
        continue;
      }
      for (const cluster::Backend& backend : p.backends) {
        ++pods[backend.pod.is_valid() ? cluster_.workload_name(cluster_.pods[backend.pod.index()].workload)
                                      : std::string("addresses of no pod")];
        port = fmt::format("{}", backend.port.number());
      }
    }
    std::vector<std::string> texts;
    for (const auto& [name, count] : pods) {
      texts.push_back(fmt::format("{} of {}", count, name));
    }
    return {.value = texts.empty() ? "no pod behind it" : fmt::format("{} on port {}", fmt::join(texts, ", "), port),
            .evidence = fmt::format("Service {}", cluster_.service_name(cluster_.dns_service)),
            .explanation = port.empty() || port == "53" ? "" : "policies see this port, not the Service's 53"};
  }

  Finding node_local_dns() const {
    for (const Object* set : store_.all("apps", "DaemonSet")) {
      if (set->name == "node-local-dns") {
        return {.value = "node-local-dns",
                .evidence = shown(*set),
                .explanation =
                    "not modelled: lookups go to the cluster DNS, and what policies say about the node's "
                    "cache (169.254.20.10, host network) is not asked"};
      }
    }
    return {};
  }

  SourceMap& sources_;
  const cluster::ObjectStore& store_;
  const cluster::Cluster& cluster_;
  std::vector<config::Document> documents_;
  const Object* kubeadm_ = nullptr;
  const Object* proxy_map_ = nullptr;
  Node networking_;
  Node proxy_config_;
};

}  // namespace

DetectedCluster detect_cluster(SourceMap& sources, const cluster::ObjectStore& store, const cluster::Cluster& cluster) {
  return Detector(sources, store, cluster).detect();
}

}  // namespace podwire::scenario
