// UDP exchange and TCP connections between ends (pods, nodes, outside addresses), over the dataplane.
//
// How an application uses it:
//   - register once: `app = transport.add_application<&Model::on_event>(model)`, with `void on_event(const Event&)`;
//   - a client: `connect(...)` (TCP) or `open_udp(...)`; then send() and wait for events that carry its `cookie`;
//   - a server: `serve(end, protocol, port, app)`, or `serve_all(protocol, app)` for every listening pod port that no
//     serve() names. Whether a pod's port listens at all is Cluster::listens' decision, else RST (TCP) or ICMP port
//     unreachable (UDP). Outside addresses and nodes answer where serve() or TransportOptions says so.
//   - events are delivered inside the simulator's current event; calling back into the transport from there is fine.
// Invariants: no payload is carried, only sizes; a handle is never reused within 256 lives; nothing depends on the
// order of draws: ports, paths and cores follow from Identity alone.
// Left out: SCTP beyond INIT and INIT ACK, fast retransmit and congestion avoidance beyond slow start (ssthresh after a
// timeout is kept), SACK, window limits of the receiver, keep-alive, Nagle, IP options. Sources: RFC 9293, 6298, 5681,
// 6928; Linux's schedule of SYNs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "models/dataplane/network.hpp"
#include "models/transport/events.hpp"
#include "sim/des/simulator.hpp"

namespace podwire::transport {

enum class SynSchedule : std::uint8_t {
  linear,   // kernel >= 6.5: retries after 1, 1, 1, 1, 1, 2, 4, 8, 16, 32 s, gives up 64 s later (at 131 s)
  classic,  // 1, 2, 4, 8, 16, 32 s, gives up 64 s later (at 127 s)
};

/// When a receiver acknowledges data.
enum class AckPolicy : std::uint8_t {
  every_segment,         // quick-ACK throughout: what Linux does for the first segments of each connection
  every_second_segment,  // RFC 1122: at once for two full segments, else after 40 ms
};

struct TransportOptions {
  std::uint64_t seed = 1;
  SynSchedule syn_schedule = SynSchedule::linear;
  AckPolicy acks = AckPolicy::every_segment;
  std::uint32_t initial_window = 10;              // segments, RFC 6928
  Duration minimum_rto = Duration::from_ms(200);  // Linux TCP_RTO_MIN
  Duration maximum_rto = Duration::from_s(120);   // TCP_RTO_MAX
  std::uint32_t data_retries = 15;                // tcp_retries2
  std::uint32_t syn_ack_retries = 5;              // tcp_synack_retries
  bool outside_listens = true;  // an outside address accepts every connection and reads what it is sent
};

/// Who draws: the same identity gives the same port, path, core and backend under every policy set.
struct Identity {
  std::uint64_t who = 0;    // a request's or lookup's id
  std::uint32_t which = 0;  // its attempt, or which of its sockets
};

struct ConnectOptions {
  dataplane::End source;
  IpAddress destination;  // a pod's, node's, Service's or outside address
  Port port;
  Identity identity;
  ApplicationId application;
  std::uint64_t cookie = 0;   // returned in every event of this socket
  std::uint32_t account = 0;  // drops of its packets, both ways, are counted under it (a workload's index)
  bool is_traced = false;     // its packets leave a step by step record (Network::trace)
};

/// What `podwire explain --trace` and reports want to know of a socket.
struct SocketInfo {
  dataplane::End local;
  IpAddress remote;  // as dialled
  Port remote_port;
  IpAddress translated;  // after the Service's translation, once the first packet was sent
  Port translated_port;
  Port local_port;
  Duration smoothed_rtt;
  std::uint32_t retransmissions = 0;
};

class Transport {
 public:
  Transport(des::Simulator& simulator, dataplane::Network& network, TransportOptions options);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  template <auto Method, class Model>
  ApplicationId add_application(Model& model) {
    return add_application_function(
        [](void* target, const Event& event) { (static_cast<Model*>(target)->*Method)(event); }, &model);
  }

  // ---- servers ----

  /// `application` hears what arrives at this end's port. For pods the port must also listen (Cluster::listens).
  void serve(dataplane::End end, IpProtocol protocol, Port port, ApplicationId application);
  /// `application` hears every listening port of `protocol` that no serve() names, outside addresses included.
  void serve_all(IpProtocol protocol, ApplicationId application);

  // ---- TCP ----

  /// Sends the SYN. Exactly one of `connected` and `failed` follows, not before this returns, unless abort() comes
  /// first.
  SocketHandle connect(const ConnectOptions& options);
  /// Queues `bytes` (> 0) to be sent in order; segments leave as the window allows.
  void send(SocketHandle socket, std::uint64_t bytes);
  /// Sends FIN after what was queued. The other direction stays open: `received` may still come; `closed` ends it.
  void close(SocketHandle socket);
  /// Gives the socket up now: RST to the peer if it was connected (none while the handshake is under way), no further
  /// events. Also how an owner's connect timeout is done.
  void abort(SocketHandle socket);

  // ---- UDP ----

  /// A connected UDP socket with a port of its own: datagrams to and from one address. Nothing is sent yet.
  SocketHandle open_udp(const ConnectOptions& options);
  /// The same for UDP or SCTP. Of SCTP the INIT chunk and its answer are played, as datagrams of the chunks' sizes
  /// behind the common header (RFC 9260): enough to tell an association from none. The server is serve()'s or
  /// serve_all()'s for IpProtocol::sctp.
  SocketHandle open_datagrams(const ConnectOptions& options, IpProtocol protocol);
  /// Sends one datagram of `payload` bytes; `tag` arrives with it. On a server's socket this is the answer.
  /// An ICMP error later comes as `failed` (refused or prohibited); the UDP socket stays open. On a socket that is gone
  /// (a server's may go with its client) nothing is sent.
  void send_datagram(SocketHandle socket, std::uint32_t payload, std::uint64_t tag);
  /// Closes a UDP socket at once; nothing happens if it is gone. A server's UDP socket is made by the first datagram
  /// from a new flow (its `received` is the first event) and serves every later datagram of that flow. A server calls
  /// close_udp when it has answered; a further datagram makes a fresh socket. Forgotten, it goes when its conntrack
  /// entry runs out.
  void close_udp(SocketHandle socket);

  // ---- both ----

  bool is_open(SocketHandle socket) const;
  std::uint64_t cookie(SocketHandle socket) const;
  void set_cookie(SocketHandle socket, std::uint64_t cookie);
  /// The cookie of the socket at the other end, 0 if that is gone: it stands for what the messages say.
  std::uint64_t peer_cookie(SocketHandle socket) const;
  /// The end that serves or dials, its address and ports.
  SocketInfo info(SocketHandle socket) const;
  dataplane::End local_end(SocketHandle socket) const;
  /// The local port (a server's listening port).
  Port local_port(SocketHandle socket) const;

  /// Bytes of pools, at their present size.
  std::size_t memory_bytes() const;
  std::uint64_t open_sockets() const;

 private:
  struct Impl;
  ApplicationId add_application_function(void (*function)(void*, const Event&), void* target);
  std::unique_ptr<Impl> impl_;
};

}  // namespace podwire::transport
