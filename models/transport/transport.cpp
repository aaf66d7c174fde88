// Sockets, servers, UDP, and the dispatch between dataplane and applications.
#include "models/transport/transport.hpp"

#include "models/transport/impl.hpp"

namespace podwire::transport {

using dataplane::Packet;
using dataplane::PacketKind;
using dataplane::Reception;

namespace {

constexpr std::uint32_t kFirstLocalPort = 32'768;  // net.ipv4.ip_local_port_range
constexpr std::uint32_t kLocalPorts = 60'999 - kFirstLocalPort + 1;
constexpr std::uint32_t kAlwaysCarried = 576;  // no path here carries less: no need to ask

constexpr std::uint32_t header_bytes(IpProtocol protocol) {
  return protocol == IpProtocol::sctp ? kSctpBytes : kUdpBytes;
}

}  // namespace

std::string_view to_string(Failure failure) {
  switch (failure) {
    case Failure::none:
      return "none";
    case Failure::refused:
      return "refused";
    case Failure::prohibited:
      return "prohibited";
    case Failure::timed_out:
      return "timed out";
    case Failure::reset:
      return "reset";
    case Failure::unreachable:
      return "unreachable";
  }
  return "";
}

std::size_t Transport::Impl::ServerKeyHash::operator()(const ServerKey& key) const noexcept {
  std::uint64_t h = static_cast<std::uint64_t>(key.end.kind()) << 56 | static_cast<std::uint64_t>(key.protocol) << 48 |
                    static_cast<std::uint64_t>(key.port.number()) << 32;
  h ^= key.end.pod_id().value() ^ (std::uint64_t{key.end.node_id().value()} << 8) ^
       (std::uint64_t{key.end.external_id().value()} << 16);
  h *= 0x9e37'79b9'7f4a'7c15u;
  return static_cast<std::size_t>(h ^ (h >> 32));
}

Transport::Impl::Impl(des::Simulator& simulator, dataplane::Network& network, const TransportOptions& options)
    : simulator_(simulator),
      network_(network),
      options_(options),
      socket_draws_(options.seed, random::Purpose("transport/socket")) {
  timer_kind_ = simulator_.on<&Impl::on_timer>(*this, "tcp timer");
  sources_ = simulator_.add_sources(static_cast<std::uint32_t>(network_.cluster().nodes.size()) + 1);
  network_.set_receiver(
      {.model = this,
       .deliver =
           [](void* model, const Packet& packet, dataplane::Delivery delivery) {
             return static_cast<Impl*>(model)->deliver(packet, delivery.flow);
           },
       .expired = [](void* model, dataplane::FlowHandle flow) { static_cast<Impl*>(model)->expired(flow); }});
}

Endpoint& Transport::Impl::make_end(SocketHandle socket) {
  Endpoint& e = end(socket);
  PODWIRE_CHECK(e.state == State::none, "transport", "a socket's place is free");
  e = Endpoint();
  e.due = Time::never();
  e.ack_due = Time::never();
  ++open_sockets_;
  return e;
}

/// Port and identity of the flow follow from who asks: one block of draws for both.
SocketHandle Transport::Impl::open(const ConnectOptions& options, IpProtocol protocol) {
  random::Draw draw = socket_draws_.draw(options.identity.who, options.identity.which);
  const std::uint64_t identity = draw.bits();
  const Port port(static_cast<std::uint16_t>(kFirstLocalPort + draw.below(kLocalPorts)));
  const SocketHandle socket = network_.open({.source = options.source,
                                             .destination = options.destination,
                                             .protocol = protocol,
                                             .source_port = port,
                                             .destination_port = options.port,
                                             .identity = identity,
                                             .account = options.account,
                                             .is_traced = options.is_traced});
  Endpoint& e = make_end(socket);
  e.cookie = options.cookie;
  e.application = options.application;
  return socket;
}

/// The socket is gone for its application; the dataplane keeps what it still needs.
void Transport::Impl::free_end(SocketHandle socket, Endpoint& e) {
  if (e.has(kEndTimer)) {
    simulator_.cancel(e.timer);
  }
  e.state = State::none;
  --open_sockets_;
  network_.close(socket);
}

void Transport::Impl::emit(SocketHandle socket, const Endpoint& e, EventKind kind, Failure failure, std::uint64_t bytes,
                           std::uint64_t tag) {
  if (!e.application.is_valid()) {
    return;
  }
  const Application& application = applications_[e.application.index()];
  application.function(
      application.target,
      {.kind = kind, .failure = failure, .socket = socket, .cookie = e.cookie, .bytes = bytes, .tag = tag});
}

bool Transport::Impl::find_server(const dataplane::Flow& flow, IpProtocol protocol, ApplicationId& application) const {
  const dataplane::End local = flow.local;
  if (local.kind() == dataplane::End::Kind::pod &&
      !network_.cluster().listens(local.pod_id(), protocol, flow.local_port)) {
    return false;
  }
  const auto named = servers_.find(ServerKey{local, flow.local_port, protocol});
  if (named != servers_.end()) {
    application = named->second;
    return true;
  }
  application = default_servers_[static_cast<std::size_t>(protocol)];
  return local.kind() == dataplane::End::Kind::pod ||
         (local.kind() == dataplane::End::Kind::external && options_.outside_listens);
}

Reception Transport::Impl::deliver(const Packet& packet, SocketHandle socket) {
  switch (packet.kind()) {
    case PacketKind::tcp:
      deliver_tcp(packet, socket);
      return Reception::taken;
    case PacketKind::udp:
      return deliver_udp(packet, socket);
    default:
      deliver_icmp(packet, socket);
      return Reception::taken;
  }
}

Reception Transport::Impl::deliver_udp(const Packet& packet, SocketHandle socket) {
  if (!is_open(socket)) {
    ApplicationId application;
    if (!find_server(network_.flow(socket), network_.flow(socket).protocol, application)) {
      return Reception::no_listener;
    }
    Endpoint& e = make_end(socket);
    e.state = State::udp;
    e.flags = kEndServer;
    e.application = application;
  }
  const std::uint32_t header = header_bytes(network_.flow(socket).protocol);
  const std::uint32_t payload = packet.bytes() - header - kIpBytes * packet.segment_count();
  emit(socket, end(socket), EventKind::received, Failure::none, payload, packet.tag());
  return Reception::taken;
}

/// An error for a connected UDP socket is reported and forgotten; for a SYN it is the end; an established connection
/// takes it for a passing trouble (RFC 1122 section 4.2.3.9).
void Transport::Impl::deliver_icmp(const Packet& packet, SocketHandle socket) {
  if (!is_open(socket)) {
    return;
  }
  Endpoint& e = end(socket);
  const Failure failure = packet.kind() == PacketKind::icmp_prohibited ? Failure::prohibited : Failure::refused;
  if (e.state == State::udp) {
    emit(socket, e, EventKind::failed, failure);
  } else if (e.state == State::syn_sent) {
    fail(socket, e, failure);
  }
}

/// The dataplane takes back a server's UDP half: its entry ran out.
void Transport::Impl::expired(SocketHandle socket) {
  if (is_open(socket)) {
    end(socket).state = State::none;
    --open_sockets_;
  }
}

// ---- the public face

Transport::Transport(des::Simulator& simulator, dataplane::Network& network, TransportOptions options)
    : impl_(std::make_unique<Impl>(simulator, network, options)) {}
Transport::~Transport() = default;

ApplicationId Transport::add_application_function(void (*function)(void*, const Event&), void* target) {
  impl_->applications_.push_back({function, target});
  return ApplicationId(impl_->applications_.size() - 1);
}

void Transport::serve(dataplane::End end, IpProtocol protocol, Port port, ApplicationId application) {
  impl_->servers_[Impl::ServerKey{end, port, protocol}] = application;
}

void Transport::serve_all(IpProtocol protocol, ApplicationId application) {
  impl_->default_servers_[static_cast<std::size_t>(protocol)] = application;
}

SocketHandle Transport::connect(const ConnectOptions& options) {
  const SocketHandle socket = impl_->open(options, IpProtocol::tcp);
  Endpoint& e = impl_->end(socket);
  e.state = State::syn_sent;
  if (options.destination.is_unspecified()) {
    e.set(kEndUnreachable);
  }
  impl_->start_connect(socket, e);
  return socket;
}

void Transport::send(SocketHandle socket, std::uint64_t bytes) {
  PODWIRE_CHECK(impl_->is_open(socket), "transport", "an open socket sends");
  Endpoint& e = impl_->end(socket);
  PODWIRE_CHECK(bytes > 0 && !e.has(kEndFinWanted), "transport", "bytes are sent before close");
  e.queued += bytes;
  if (e.state == State::established) {
    impl_->output(socket, e);
  }
}

void Transport::close(SocketHandle socket) {
  PODWIRE_CHECK(impl_->is_open(socket), "transport", "an open socket is closed");
  Endpoint& e = impl_->end(socket);
  if (e.state != State::established) {
    abort(socket);
    return;
  }
  if (!e.has(kEndFinWanted)) {
    e.set(kEndFinWanted);
    impl_->output(socket, e);
  }
}

void Transport::abort(SocketHandle socket) {
  PODWIRE_CHECK(impl_->is_open(socket), "transport", "an open socket is given up");
  Endpoint& e = impl_->end(socket);
  if (e.state == State::established || e.state == State::syn_received) {
    impl_->send_reset(socket, e);
  }
  impl_->free_end(socket, e);
}

SocketHandle Transport::open_udp(const ConnectOptions& options) {
  return open_datagrams(options, IpProtocol::udp);
}

SocketHandle Transport::open_datagrams(const ConnectOptions& options, IpProtocol protocol) {
  PODWIRE_CHECK(protocol != IpProtocol::tcp, "transport", "TCP has connections");
  const SocketHandle socket = impl_->open(options, protocol);
  impl_->end(socket).state = State::udp;
  return socket;
}

void Transport::send_datagram(SocketHandle socket, std::uint32_t payload, std::uint64_t tag) {
  if (!impl_->is_open(socket)) {
    return;  // a server's socket whose client is gone
  }
  PODWIRE_CHECK(impl_->end(socket).state == State::udp, "transport", "datagrams are sent on UDP sockets");
  const std::uint32_t header = header_bytes(impl_->network_.flow(socket).protocol);
  std::uint32_t fragments = 1;
  if (payload + header + kIpBytes > kAlwaysCarried) {
    const std::uint32_t mtu = impl_->network_.path_mtu(socket);
    if (payload + header + kIpBytes > mtu) {
      const std::uint32_t room = (mtu - kIpBytes) / 8 * 8;  // fragments begin at multiples of 8 (RFC 791)
      fragments = (payload + header + room - 1) / room;
    }
  }
  impl_->network_.send(socket, {.kind = PacketKind::udp,
                                .flags = 0,
                                .bytes = payload + header + kIpBytes * fragments,
                                .segments = fragments,
                                .seq = static_cast<std::uint32_t>(tag),
                                .ack = static_cast<std::uint32_t>(tag >> 32)});
}

void Transport::close_udp(SocketHandle socket) {
  if (!impl_->is_open(socket)) {
    return;
  }
  PODWIRE_CHECK(impl_->end(socket).state == State::udp, "transport", "a UDP socket is closed");
  impl_->free_end(socket, impl_->end(socket));
}

bool Transport::is_open(SocketHandle socket) const {
  return impl_->is_open(socket);
}

std::uint64_t Transport::cookie(SocketHandle socket) const {
  return impl_->is_open(socket) ? impl_->end(socket).cookie : 0;
}

void Transport::set_cookie(SocketHandle socket, std::uint64_t cookie) {
  PODWIRE_CHECK(impl_->is_open(socket), "transport", "an open socket has a cookie");
  impl_->end(socket).cookie = cookie;
}

std::uint64_t Transport::peer_cookie(SocketHandle socket) const {
  return impl_->is_open(socket) ? cookie(impl_->network_.flow(socket).peer) : 0;
}

SocketInfo Transport::info(SocketHandle socket) const {
  PODWIRE_CHECK(impl_->is_open(socket), "transport", "an open socket tells of itself");
  const dataplane::Flow& flow = impl_->network_.flow(socket);
  const Endpoint& e = impl_->end(socket);
  SocketInfo info{.local = flow.local,
                  .remote = flow.remote_ip,
                  .remote_port = flow.dialled_port,
                  .translated = flow.remote_ip,
                  .translated_port = flow.remote_port,
                  .local_port = flow.local_port,
                  .smoothed_rtt = e.smoothed_rtt,
                  .retransmissions = e.retransmissions};
  if (flow.service_port.is_valid()) {
    const dataplane::Network& network = impl_->network_;
    info.remote = network.cluster().services[network.services().service(flow.service_port).index()].cluster_ip;
  }
  return info;
}

dataplane::End Transport::local_end(SocketHandle socket) const {
  return impl_->network_.flow(socket).local;
}

Port Transport::local_port(SocketHandle socket) const {
  return impl_->network_.flow(socket).local_port;
}

std::size_t Transport::memory_bytes() const {
  return sizeof(Impl) + impl_->applications_.capacity() * sizeof(Impl::Application);
}

std::uint64_t Transport::open_sockets() const {
  return impl_->open_sockets_;
}

}  // namespace podwire::transport
