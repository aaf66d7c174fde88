// Declared traffic: the connections that applications say they make, read from what their containers are started with.
//
// Every workload's containers and init containers are read (environment.hpp) for peers (peer_text.hpp); each peer's
// host is looked up as the workload's own pods would (lookup.hpp). What nobody has is listed with its place, unless it
// is no certain peer. Variables that hold a host alone and are called …_HOST, …_HOSTNAME, …_ADDR, …_ADDRESS, …_SERVER
// or …_ENDPOINT count where a Service has that name; the port is that of …_PORT beside it. A port that no text gives is
// the scheme's, else the only one of the Service. Left out: what only code, files, images, Secrets or annotations say.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/scenario/environment.hpp"
#include "app/scenario/peer_text.hpp"
#include "models/analysis/declared.hpp"
#include "models/cluster/cluster.hpp"
#include "models/dns/zone.hpp"

namespace podwire::scenario {

/// A peer that a container names.
struct NamedPeer {
  std::string name;  // the variable or word
  PeerText peer;
  Span span;
  bool is_by_name = false;  // taken for a host because of what the variable is called
};

/// Of one container's values, in their order; several values may name one peer.
std::vector<NamedPeer> named_peers(const StartValues& values);

/// A peer of no use: nobody has the name, or the port.
struct UnresolvedPeer {
  cluster::WorkloadId source;
  std::string name;
  std::string text;    // of the peer
  std::string reason;  // "the cluster has no \"api\""
  std::string help;
  Span span;
};

struct UnreadPeer {
  cluster::WorkloadId source;
  std::string name;
  std::string from;  // "Secret shop/db"
  Span span;
};

struct DeclaredTraffic {
  std::vector<analysis::DeclaredConnection> connections;  // by source, destination, port; lookups first
  std::vector<UnresolvedPeer> unresolved;                 // by source
  std::vector<UnreadPeer> unread;                         // by source
  std::size_t values = 0;                                 // variables and words that were read
};

/// `externals`: names outside the cluster and their addresses. O(values + peers × names tried).
DeclaredTraffic read_declared(const cluster::ObjectStore& store, const cluster::Cluster& cluster,
                              const dns::ExternalRecords& externals);

}  // namespace podwire::scenario
