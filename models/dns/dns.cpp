// Wiring of the DNS models.
#include "models/dns/dns.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/text.hpp"

namespace podwire::dns {

Dns::Dns(des::Simulator& simulator, transport::Transport& transport, dataplane::Network& network,
         const cluster::Cluster& cluster, const DnsOptions& options)
    : zone_(cluster, names_, options.externals),
      resolver_(simulator, transport, cluster, names_, zone_, options),
      servers_(simulator, transport, network, cluster, names_, zone_, resolver_, options) {}

std::vector<std::string> Dns::notes() const {
  std::vector<std::string> notes;
  constexpr std::size_t kShown = 20;
  const std::vector<std::string> assumed = zone_.assumed_names();
  for (std::size_t i = 0; i < std::min(assumed.size(), kShown); ++i) {
    notes.push_back(
        fmt::format("outside name {} is declared nowhere: taken not to exist (NXDOMAIN); if it does, give its "
                    "addresses under cluster.dns.externals",
                    printable(assumed[i].empty() ? "." : assumed[i])));
  }
  if (assumed.size() > kShown) {
    notes.push_back(fmt::format("and {} more outside names that are declared nowhere", assumed.size() - kShown));
  }
  for (const std::string& cut : resolver_.cut_by_kubelet()) {
    notes.push_back("the kubelet's limits cut " + cut + " from a pod's resolv.conf");
  }
  return notes;
}

std::size_t Dns::memory_bytes() const {
  return zone_.memory_bytes() + resolver_.memory_bytes() + servers_.memory_bytes();
}

}  // namespace podwire::dns
