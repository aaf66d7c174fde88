// The list of the model's numbers.
#include "models/dns/options.hpp"

namespace podwire::dns {

std::vector<cni::Parameter> parameters() {
  using cni::Certainty;
  const char* const glibc = "glibc resolv/resolv.h, res_init.c, res_send.c";
  const char* const scaling = "coredns/deployment kubernetes/Scaling_CoreDNS.md: 1.9 cores / 33,667 queries/s";
  const char* const forward = "coredns plugin/forward";
  const std::string corefile = "kubernetes cmd/kubeadm addons dns manifests: ";
  return {
      {"dns.ndots", "5", "", Certainty::published, "kubernetes pkg/kubelet/network/dns/dns.go",
       "names with fewer dots go through the search list first, in pods with a cluster policy"},
      {"dns.timeout", "5", "s", Certainty::published, glibc,
       "wait for one server's answers; doubled for each further server and divided by their number"},
      {"dns.attempts", "2", "", Certainty::published, glibc, "rounds over all servers"},
      {"dns.serverCores", "2", "", Certainty::published, "coredns/deployment kubernetes/Scaling_CoreDNS.md (2 vCPU)",
       "cores of each CoreDNS pod"},
      {"dns.queryCpu", "56", "us", Certainty::derived, scaling, "core time of one query in CoreDNS"},
      {"dns.maxForwards", "1000", "", Certainty::published,
       "kubernetes cmd/kubeadm addons dns manifests: max_concurrent",
       "forwards under way in one CoreDNS pod; more are REFUSED"},
      {"dns.forwardTimeout", "2", "s", Certainty::published, forward, "wait for one upstream answer"},
      {"dns.forwardDeadline", "5", "s", Certainty::published, forward, "no further attempt after that; then SERVFAIL"},
      {"dns.clusterTtl", "30", "s", Certainty::published, corefile + "`ttl 30` of the kubernetes plugin",
       "how long an answer about the cluster's names may be kept; so long a node that saw it takes its addresses for "
       "the "
       "name's (domainNames of policies)"},
      {"dns.cacheTtl", "30", "s", Certainty::published,
       corefile + "`cache 30`; plugin/cache caps each answer it passes",
       "the most for answers about outside names that come through CoreDNS"},
      {"dns.cacheLeastTtl", "5", "s", Certainty::published, "coredns plugin/cache: minTTL",
       "the least for answers about outside names that come through CoreDNS"},
      {"dns.externalTtl", "300", "s", Certainty::guess, "no source: names differ",
       "what outside servers say of a name whose ttl `cluster.dns.externals` does not give"},
      {"dns.upstream", "192.0.2.53", "", Certainty::guess, "an address of RFC 5737 for the nodes' own resolver",
       "the outside server that CoreDNS and dnsPolicy Default ask; its delay is the underlay's edge delay"},
      {"dns.udpLimit", "512", "B", Certainty::published, "RFC 1035; glibc sends no EDNS option by default",
       "longer answers come cut and are fetched again over TCP"},
      {"dns.order", "shuffled", "", Certainty::published, "coredns plugin/loadbalance",
       "addresses of an answer, by a draw for each query"},
      {"dns.conntrackRace", "0", "", Certainty::guess, "kernels since 5.0; no rate was ever published",
       "probability that one of the two queries of a pair is lost in conntrack: not played"},
  };
}

}  // namespace podwire::dns
