// What a scenario can set about DNS, and the list of the model's numbers with their sources.
#pragma once

#include <cstdint>
#include <vector>

#include "models/cni/profile.hpp"
#include "models/dns/resolv_conf.hpp"
#include "models/dns/zone.hpp"
#include "sim/base/time.hpp"

namespace podwire::dns {

struct DnsOptions {
  std::uint64_t seed = 1;
  std::uint32_t server_cores = 2;                   // of each CoreDNS pod
  Duration query_cpu = Duration::from_us(56);       // of one of them, a query
  std::uint32_t max_forwards = 1000;                // under way in one CoreDNS pod; more are REFUSED
  Duration forward_timeout = Duration::from_s(2);   // for one upstream answer
  Duration forward_deadline = Duration::from_s(5);  // no further attempt after that
  /// The nodes' resolv.conf: what CoreDNS forwards to, and what pods with dnsPolicy Default ask. The address is an
  /// outside server that knows `externals` and nothing of the cluster.
  HostResolvConf host{{IpAddress::v4(192, 0, 2, 53)}, {}, {}};
  ExternalRecords externals;  // outside names that exist
};

/// The model's numbers that are not part of a CNI profile, for `podwire models`.
std::vector<cni::Parameter> parameters();

}  // namespace podwire::dns
