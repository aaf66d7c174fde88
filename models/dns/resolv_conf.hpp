// What the kubelet writes into a pod's /etc/resolv.conf, and what the resolver reads from it.
// Source: kubernetes pkg/kubelet/network/dns/dns.go, KEP-2595 (limits); glibc resolv/res_init.c (options, their caps).
// Left out: /etc/hosts and hostAliases.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "sim/base/ip.hpp"

namespace podwire::dns {

/// A resolv.conf as the resolver understands it.
struct ResolvConf {
  std::vector<IpAddress> nameservers;  // at most 3; empty: 127.0.0.1, where nobody listens
  std::vector<std::string> searches;   // normalised; "" is the root
  std::uint32_t ndots = 1;             // glibc's default, at most 15
  std::uint32_t timeout_s = 5;         // at most 30
  std::uint32_t attempts = 2;          // at most 5
  bool rotates = false;
  bool is_single_request = false;
  bool is_single_request_reopen = false;
  bool uses_tcp = false;             // use-vc
  std::vector<std::string> dropped;  // what the kubelet's limits cut off, in words (its event DNSConfigForming)
  bool operator==(const ResolvConf&) const = default;
};

/// A node's own file (kubelet --resolv-conf).
struct HostResolvConf {
  std::vector<IpAddress> nameservers;
  std::vector<std::string> searches;
  std::vector<std::pair<std::string, std::string>> options;
};

/// The file of a pod. `cluster_dns` is what the kubelet has been told (--cluster-dns); empty: every cluster policy
/// falls back to the host's file.
ResolvConf resolv_conf(const cluster::PodTemplate& pod, const std::string& name_space,
                       const std::vector<IpAddress>& cluster_dns, const std::string& cluster_domain,
                       const HostResolvConf& host);

/// The host's own file as processes of the node read it.
ResolvConf resolv_conf(const HostResolvConf& host);

}  // namespace podwire::dns
