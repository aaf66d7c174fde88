// What a cluster's dump says about the cluster itself: versions, how Services are proxied, address ranges, DNS. Each
// finding is either detected, with the object that shows it, or assumed, with the reason.
//
// Sources of what is looked for: kubeadm's ClusterConfiguration (ConfigMap kube-system/kubeadm-config) and static pods'
// flags (kubernetes.io, "Command line tools reference": kube-apiserver, kube-controller-manager, kube-proxy), the
// ConfigMap kube-system/kube-proxy (KubeProxyConfiguration v1alpha1), ServiceCIDR (networking.k8s.io, KEP-1880),
// Calico's IPPool, Cilium's ConfigMap cilium-config, CoreDNS's Corefile (plugin kubernetes).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/scenario/detect_cni.hpp"
#include "models/cluster/cluster.hpp"
#include "models/cluster/objects.hpp"

namespace podwire::scenario {

struct Finding {
  std::string value;        // as a scenario writes it; "" when nothing is known
  std::string evidence;     // "ConfigMap kube-system/kubeadm-config"; "" when it is assumed
  std::string explanation;  // what should be known about it, or why it is assumed; may be ""
  bool is_detected() const { return !evidence.empty(); }
};

struct DetectedCluster {
  DetectedCni cni;
  Finding kubernetes_version;
  Finding service_proxy;  // iptables, ipvs, nftables, ebpf, or a plugin's own
  Finding pod_cidr;
  Finding service_cidr;
  Finding cluster_domain;
  Finding dns;             // "2 pods of kube-system/coredns[Deployment] on port 53"
  Finding node_local_dns;  // value "": none
  // NetworkPolicy-relevant kinds that are not modelled, and how many objects, by kind.
  std::vector<std::pair<std::string, std::size_t>> unmodelled;
};

/// `cluster` is what `store` amounts to. Texts of ConfigMaps that are YAML are added to `sources`.
DetectedCluster detect_cluster(SourceMap& sources, const cluster::ObjectStore& store, const cluster::Cluster& cluster);

}  // namespace podwire::scenario
