// The name servers: CoreDNS in its pods, behind the kube-dns Service, and the servers outside that it forwards to.
//
// A CoreDNS pod is a FIFO station of a few cores; each query takes the same core time (measured: 1.9 cores at 33,667
// queries/s), then its answer leaves. A name outside the zone is forwarded as a real packet from the pod to the
// upstream server: tried again after 2 s without an answer, given up (SERVFAIL) once 5 s have passed; more than
// `max_forwards` under way are REFUSED. Answers over 512 bytes leave cut over UDP and whole over TCP. Invariants:
// replies depend on the snapshot's records alone; one pending event a query in service. Left out: the cache (no effect
// on in-cluster latency beyond the CPU figure; outside names are asked each time), health checks of upstreams,
// lameduck, reload; the socket's receive buffer (the queue has no bound, as goroutines have none). Source: coredns
// plugin/forward, plugin/kubernetes; coredns/deployment Scaling_CoreDNS.md.
#pragma once

#include <cstdint>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/dataplane/network.hpp"
#include "models/dns/message.hpp"
#include "models/dns/options.hpp"
#include "models/dns/resolver.hpp"
#include "models/dns/zone.hpp"
#include "models/transport/transport.hpp"
#include "sim/des/simulator.hpp"

namespace podwire::dns {

/// A FIFO queue in front of a few equal cores: whoever is free first takes the next query.
class CoreStation {
 public:
  explicit CoreStation(std::uint32_t cores) : idle_at_(cores) {}
  /// When work of this length that arrives now is done. O(cores).
  Time book(Time now, Duration work);

 private:
  std::vector<Time> idle_at_;
};

class NameServers {
 public:
  /// Serves the target ports of the kube-dns Service on all its pods, and port 53 of the outside servers.
  NameServers(des::Simulator& simulator, transport::Transport& transport, dataplane::Network& network,
              const cluster::Cluster& cluster, NameTable& names, Zone& zone, Resolver& resolver,
              const DnsOptions& options);
  NameServers(const NameServers&) = delete;
  NameServers& operator=(const NameServers&) = delete;

  /// Queries that reached a CoreDNS pod, over UDP or TCP.
  std::uint64_t queries() const { return queries_; }
  std::uint64_t forwards() const { return forwards_; }
  std::size_t memory_bytes() const;

 private:
  struct Server {
    dataplane::End end;
    bool is_outside = false;
    std::uint32_t forwards = 0;  // under way
    CoreStation station;
  };

  /// A query in service or forwarded.
  struct Job {
    transport::SocketHandle socket;  // to answer on
    transport::SocketHandle upstream;
    Question question;
    AnswerId answer;
    std::uint32_t server = 0;
    std::uint32_t generation = 0;
    std::uint64_t identity = 0;  // of the client's flow, for draws
    std::uint32_t account = 0;   // of the client's flow, for drops
    std::uint16_t attempts = 0;
    bool is_tcp = false;
    bool is_traced = false;
    bool is_active = false;
    Time forwarded_at;
    des::Timer timer;
  };

  void on_datagram(const transport::Event& event);
  void on_connection(const transport::Event& event);
  void on_upstream(const transport::Event& event);
  void on_served(std::uint32_t job);
  void on_forward_timer(std::uint32_t job);
  std::uint32_t server_of(transport::SocketHandle socket) const;
  void begin(std::uint32_t server, transport::SocketHandle socket, Question question, bool is_tcp);
  void forward(std::uint32_t job);
  void end_forward(std::uint32_t job, AnswerId answer);
  void reply(std::uint32_t job, AnswerId answer);
  std::uint32_t find_job(std::uint64_t cookie) const;

  des::Simulator& simulator_;
  transport::Transport& transport_;
  const dataplane::Network& network_;
  NameTable& names_;
  Zone& zone_;
  Resolver& resolver_;
  DnsOptions options_;
  transport::ApplicationId udp_application_;
  transport::ApplicationId tcp_application_;
  transport::ApplicationId upstream_application_;
  des::EventSource source_;
  des::Kind served_kind_;
  des::Kind forward_kind_;
  std::vector<Server> servers_;
  std::vector<std::uint32_t> server_by_pod_;      // pod → index into servers_, or none
  std::vector<std::uint32_t> server_by_outside_;  // external id → likewise
  std::vector<Job> jobs_;
  std::vector<std::uint32_t> free_;
  std::uint64_t queries_ = 0;
  std::uint64_t forwards_ = 0;
};

}  // namespace podwire::dns
