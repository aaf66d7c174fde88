// The transport's inside, shared by transport.cpp (sockets, servers, UDP) and tcp.cpp (the connection's state machine).
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <vector>

#include "models/transport/endpoint.hpp"
#include "models/transport/transport.hpp"
#include "sim/random/draw.hpp"

namespace podwire::transport {

// TCP/IP header sizes as Linux sends them.
inline constexpr std::uint32_t kSynBytes = 60;  // IPv4 20, TCP 20, options 20: MSS, SACK permitted, timestamps, scale
inline constexpr std::uint32_t kHeaderBytes = 52;  // IPv4 20, TCP 20, timestamps 12
inline constexpr std::uint32_t kResetBytes = 40;   // IPv4 20, TCP 20
inline constexpr std::uint32_t kIpBytes = 20;
inline constexpr std::uint32_t kUdpBytes = 8;
inline constexpr std::uint32_t kSctpBytes = 12;  // RFC 9260 section 3.1: the common header

struct Transport::Impl {
  Impl(des::Simulator& simulator, dataplane::Network& network, const TransportOptions& options);

  struct Application {
    void (*function)(void*, const Event&) = nullptr;
    void* target = nullptr;
  };
  struct ServerKey {
    dataplane::End end;
    Port port;
    IpProtocol protocol = IpProtocol::tcp;
    bool operator==(const ServerKey&) const = default;
  };
  struct ServerKeyHash {
    std::size_t operator()(const ServerKey& key) const noexcept;
  };

  Endpoint& end(SocketHandle socket) { return *static_cast<Endpoint*>(network_.companion(socket)); }
  bool is_open(SocketHandle socket) const {
    return network_.is_open(socket) && static_cast<const Endpoint*>(network_.companion(socket))->state != State::none;
  }
  Endpoint& make_end(SocketHandle socket);
  SocketHandle open(const ConnectOptions& options, IpProtocol protocol);
  void free_end(SocketHandle socket, Endpoint& e);
  void emit(SocketHandle socket, const Endpoint& e, EventKind kind, Failure failure = Failure::none,
            std::uint64_t bytes = 0, std::uint64_t tag = 0);
  /// Who serves this new flow: false when nothing listens there.
  bool find_server(const dataplane::Flow& flow, IpProtocol protocol, ApplicationId& application) const;

  // From the dataplane.
  dataplane::Reception deliver(const dataplane::Packet& packet, SocketHandle socket);
  dataplane::Reception deliver_udp(const dataplane::Packet& packet, SocketHandle socket);
  void deliver_icmp(const dataplane::Packet& packet, SocketHandle socket);
  void expired(SocketHandle socket);

  // tcp.cpp
  void start_connect(SocketHandle socket, Endpoint& e);
  void deliver_tcp(const dataplane::Packet& packet, SocketHandle socket);
  void open_passively(const dataplane::Packet& packet, SocketHandle socket);
  void on_syn_sent(const dataplane::Packet& packet, SocketHandle socket, Endpoint& e);
  bool on_syn_received(const dataplane::Packet& packet, SocketHandle socket, Endpoint& e);
  void on_segment(const dataplane::Packet& packet, SocketHandle socket, Endpoint& e);
  bool on_acknowledgement(const dataplane::Packet& packet, SocketHandle socket, Endpoint& e);
  bool take_data(std::uint64_t offset, std::uint32_t size, Endpoint& e);
  void on_timer(std::uint32_t socket);
  void on_timeout(SocketHandle socket, Endpoint& e);
  void output(SocketHandle socket, Endpoint& e);
  void send_control(SocketHandle socket, Endpoint& e, std::uint8_t flags);
  void send_segment(SocketHandle socket, Endpoint& e, std::uint32_t payload, bool has_fin);
  void send_reset(SocketHandle socket, const Endpoint& e);
  void acknowledge(SocketHandle socket, Endpoint& e, bool at_once);
  void arm(SocketHandle socket, Endpoint& e);
  void fail(SocketHandle socket, Endpoint& e, Failure failure);
  void finish_if_closed(SocketHandle socket);
  void restart_timeout(SocketHandle socket, Endpoint& e);
  Duration syn_wait(std::uint8_t sent) const;
  bool has_syn_retry(std::uint8_t sent) const;
  std::uint32_t segment_size(SocketHandle socket);

  des::Simulator& simulator_;
  dataplane::Network& network_;
  TransportOptions options_;
  random::Stream socket_draws_;
  des::Kind timer_kind_;
  des::EventSource sources_;  // one a machine
  std::vector<Application> applications_;
  boost::unordered_flat_map<ServerKey, ApplicationId, ServerKeyHash> servers_;
  ApplicationId default_servers_[3];  // by protocol
  std::uint64_t open_sockets_ = 0;
};

}  // namespace podwire::transport
