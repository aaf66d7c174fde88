// What a run plays, with every name resolved: who asks whom, how often, how much, and how long each may wait.
//
// Plain data, written by app/scenario from the scenario file and read by the workload model. One WorkloadSpec is one
// open loop: arrivals come at their rate whatever happens to earlier requests. HTTP requests open a connection each;
// probes (TCP connect, UDP exchange, DNS lookup) are the same loop with less in it. Call graphs, closed loops and
// replay have structs of their own when they come.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "sim/base/quantity.hpp"
#include "sim/base/time.hpp"

namespace podwire::workload {

using WorkloadIndex = Id<struct WorkloadIndexTag>;  // into RunInput::workloads

/// How a request ended: exactly one of these. Names as results write them are to_string()'s.
enum class Outcome : std::uint8_t {
  ok,
  dns_nxdomain,      // the name does not exist
  dns_nodata,        // it exists without an address
  dns_timeout,       // no answer within the resolver's attempts, or before the request's deadline
  dns_servfail,      // the server failed
  dns_refused,       // the server or its node refused (ICMP port unreachable, rcode REFUSED)
  refused,           // RST, or REJECT by a Service without endpoints or by a rejecting policy
  unreachable,       // no route, no address of a usable family, or the target has no running pod
  connect_timeout,   // the handshake did not complete before the request's deadline
  response_timeout,  // connected (or UDP sent), and no complete answer before the deadline
  reset,             // the connection broke after it was established
  unfinished,        // still under way when an interrupted run stopped; never in a complete run
};
inline constexpr std::size_t kOutcomeCount = 12;
inline constexpr std::string_view kOutcomeNames[kOutcomeCount] = {
    "ok",      "dns-nxdomain", "dns-nodata",      "dns-timeout",      "dns-servfail", "dns-refused",
    "refused", "unreachable",  "connect-timeout", "response-timeout", "reset",        "unfinished"};
/// "ok", "dns-nxdomain" …
constexpr std::string_view to_string(Outcome outcome) {
  return kOutcomeNames[static_cast<std::size_t>(outcome)];
}

enum class RequestKind : std::uint8_t {
  http,       // connect, request, service time, response, FIN
  tcp_probe,  // connect and close: what `nc -z` does
  udp_probe,  // one datagram and its answer
  dns_probe,  // one lookup of `Target::host` by the pod's resolver, nothing after it
};
/// "http", "tcp", "udp", "dns".
constexpr std::string_view to_string(RequestKind kind) {
  constexpr std::string_view kNames[] = {"http", "tcp", "udp", "dns"};
  return kNames[static_cast<std::size_t>(kind)];
}

/// A positive random time. Draws: constant = mean; exponential(mean); lognormal(median, sigma).
struct TimeDistribution {
  enum class Kind : std::uint8_t { constant, exponential, lognormal } kind = Kind::constant;
  Duration mean = {};    // constant and exponential
  Duration median = {};  // lognormal: exp of the logarithm's mean
  double sigma = 0.0;    // lognormal: standard deviation of the logarithm
};

struct Arrivals {
  enum class Kind : std::uint8_t { poisson, constant } kind = Kind::poisson;
  double per_second = 0.0;  // > 0; of the whole workload: each arrival picks one of its client pods uniformly
};

/// The clients: pods (a workload's, or one), or one address outside the cluster, attached at the underlay's edge.
struct Source {
  std::string name;  // as results write it: "frontend/frontend[Deployment]", "frontend/web-1", "203.0.113.7"
  cluster::WorkloadId workload;      // when the scenario names a workload
  std::vector<cluster::PodId> pods;  // empty: `external`
  IpAddress external;
  bool is_external() const { return pods.empty(); }
};

/// Where requests go.
struct Target {
  enum class Kind : std::uint8_t {
    host,     // a name, resolved by the client pod's resolver for each request
    service,  // a Service's ClusterIP, no DNS; from outside it stands for a load balancer: a ready backend is chosen
              // uniformly for each request and addressed directly, the source address kept
    pods,     // one of these pods' own addresses, chosen uniformly for each request
    address,  // an address: a pod's, a ClusterIP or one outside
  } kind = Kind::host;
  std::string name;  // as the scenario wrote it: "http://backend-api.backend.svc.cluster.local/health"
  std::string host;  // kind host, as the client would type it: search domains apply
  cluster::ServiceId service;
  std::vector<cluster::PodId> pods;
  IpAddress address;
  IpProtocol protocol = IpProtocol::tcp;
  Port port;  // as the client dials it (a Service's port for hosts and Services); unset for dns probes
};

struct WorkloadSpec {
  std::string name;
  RequestKind kind = RequestKind::http;
  Source from;
  Target to;
  Arrivals arrivals;
  Bytes request;                         // http: headers and body; udp probe: the datagram's payload
  Bytes response;                        // likewise
  TimeDistribution server;               // time a server pod works on one request (http, udp probe)
  std::uint32_t server_concurrency = 0;  // requests of this workload one server pod works on at a time, further ones
                                         // wait in order; 0: no limit
  Duration timeout;                      // from arrival to the last byte, the whole of it: DNS, connect, response; > 0
  Span span;                             // of its name in the scenario file
};

/// The nodes' network. podwire's presets are graphs with ECMP; a single switch is a leaf-spine with one leaf.
struct UnderlaySpec {
  enum class Preset : std::uint8_t { single_switch, leaf_spine } preset = Preset::single_switch;
  std::uint32_t leaves = 1;
  std::uint32_t spines = 0;
  BitRate host_rate = BitRate::from_gbps(10);     // node to leaf
  BitRate fabric_rate = BitRate::from_gbps(40);   // leaf to spine
  Duration propagation = Duration::from_ns(500);  // each link
  Duration switch_latency = Duration::from_us(1);
  Bytes port_buffer = Bytes(512 * 1024);  // drop-tail, each output port
  Bytes mtu = Bytes(1500);
  double loss = 0.0;                           // probability for each packet and link
  Duration edge_delay = Duration::from_ms(5);  // one way, between the edge and clients or servers outside
};

}  // namespace podwire::workload
