// One connection played alone and written down step by step: what `podwire explain --trace` shows.
//
//   host name   the lookup, as the pod's resolver does it, then the connection to the first address of the answer
//   TCP         the SYN and what answers it; the handshake's last packet is left out
//   UDP, SCTP   one datagram (an INIT) and what answers it
//
// Nothing here is a second model: network, transport and DNS are those of a run, with traced flows in them, so that the
// packets meet the queues, tables and policies that they would meet there, on a network that nobody else uses. A
// connection that hears nothing is given up after 900 ms, before a SYN would be repeated; a lookup takes as long as its
// resolver does.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/dns/zone.hpp"
#include "models/policy/engine.hpp"
#include "models/workload/play.hpp"
#include "models/workload/spec.hpp"

namespace podwire::workload {

struct TraceInput {
  policy::PolicyEngine* engine = nullptr;
  cluster::PodId source;    // none: `external`
  IpAddress external = {};  // a client outside the cluster
  std::string host = {};    // resolved by the source's resolver; "": `address` is dialled
  IpAddress address = {};
  IpProtocol protocol = IpProtocol::tcp;
  Port port;
  UnderlaySpec underlay;
  std::uint64_t seed = 1;
  dns::ExternalRecords externals = {};
};

/// Times count from the moment at which the client began.
struct PlayedStep {
  std::string step;   // "egress-policy" …
  std::string where;  // "frontend/web-0 on node-1", "node-1", "node-1 to leaf-0"
  Duration at;
  Duration waited;   // of `took`: for a core, or in a queue
  Duration took;     // the next step begins at `at` + `took`
  Duration cost;     // of `took`: on a core, or on the line
  Duration latency;  // of `took`: occupies nothing
  Duration first;    // of cost and latency: because the packet is its flow's first
};

enum class PacketFate : std::uint8_t { delivered, lost, under_way };

struct PlayedPacket {
  std::string what;  // "SYN", "DNS query A api.shop.svc.cluster.local"
  bool is_dns = false;
  std::string from;  // "frontend/web-0", "node-1", "203.0.113.1"
  std::string to;
  std::string from_address;  // "10.244.1.3:40123"
  std::string to_address;
  std::string dialled;  // "10.96.7.7:80" where a Service's address was translated
  std::uint32_t bytes = 0;
  Duration sent;
  Duration ended;
  PacketFate fate = PacketFate::delivered;
  std::string reason = {};  // of a loss: "policy-denied"
  std::string where = {};   // "egress-policy on node-1"
  std::string rule = {};    // "" but for policy losses
  Span span = {};
  std::optional<std::size_t> repeats = {};  // the earlier packet of which this one is a repetition, lost likewise
  std::vector<PlayedStep> steps;
};

struct TraceRun {
  Outcome outcome = Outcome::connect_timeout;
  IpAddress resolved = {};         // the address dialled after a lookup
  std::optional<Duration> lookup;  // how long the lookup took, where there was one
  Duration ended;                  // since the beginning
  std::vector<PlayedPacket> packets;
  std::vector<std::string> notes;
};

/// Plays one connection. Same input, same result.
TraceRun play_trace(const TraceInput& input);

}  // namespace podwire::workload
