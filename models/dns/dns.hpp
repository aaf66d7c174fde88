// DNS in one piece: names, zone, resolvers and name servers of a run, wired to its transport.
#pragma once

#include <string>
#include <vector>

#include "models/dns/names.hpp"
#include "models/dns/options.hpp"
#include "models/dns/resolver.hpp"
#include "models/dns/server.hpp"
#include "models/dns/zone.hpp"

namespace podwire::dns {

/// Everything a run needs for names. All arguments outlive it.
class Dns {
 public:
  Dns(des::Simulator& simulator, transport::Transport& transport, dataplane::Network& network,
      const cluster::Cluster& cluster, const DnsOptions& options);
  Dns(const Dns&) = delete;
  Dns& operator=(const Dns&) = delete;

  Resolver& resolver() { return resolver_; }
  const NameServers& servers() const { return servers_; }
  Zone& zone() { return zone_; }
  NameTable& names() { return names_; }

  /// What was assumed while the run was played: outside names that nobody declared, what the kubelet's limits cut.
  std::vector<std::string> notes() const;
  std::size_t memory_bytes() const;

 private:
  NameTable names_;
  Zone zone_;
  Resolver resolver_;
  NameServers servers_;
};

}  // namespace podwire::dns
