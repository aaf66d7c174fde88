// Serving queries, and forwarding what the zone does not know.
#include "models/dns/server.hpp"

#include <algorithm>

#include "sim/base/check.hpp"

namespace podwire::dns {

using transport::Event;
using transport::EventKind;
using transport::SocketHandle;

namespace {
constexpr std::uint32_t kNone = 0xffff'ffff;
constexpr std::uint32_t kForwards = 0x4000'0000;  // draws of a query's forwards, apart from those of its own flow
constexpr std::uint32_t kFormerrBytes = 12;  // a header alone (RFC 1035 section 4.1.1): what is no question gets it
constexpr std::uint32_t kClosing = 127;      // ServerCookie::queries of a connection that takes no more
}  // namespace

Time CoreStation::book(Time now, Duration work) {
  const auto core = std::min_element(idle_at_.begin(), idle_at_.end());
  *core = std::max(now, *core) + work;
  return *core;
}

NameServers::NameServers(des::Simulator& simulator, transport::Transport& transport, dataplane::Network& network,
                         const cluster::Cluster& cluster, NameTable& names, Zone& zone, Resolver& resolver,
                         const DnsOptions& options)
    : simulator_(simulator),
      transport_(transport),
      network_(network),
      names_(names),
      zone_(zone),
      resolver_(resolver),
      options_(options),
      server_by_pod_(cluster.pods.size(), kNone) {
  udp_application_ = transport_.add_application<&NameServers::on_datagram>(*this);
  tcp_application_ = transport_.add_application<&NameServers::on_connection>(*this);
  upstream_application_ = transport_.add_application<&NameServers::on_upstream>(*this);
  source_ = simulator_.add_sources(1);
  served_kind_ = simulator_.on<&NameServers::on_served>(*this, "dns/served");
  forward_kind_ = simulator_.on<&NameServers::on_forward_timer>(*this, "dns/forward-timer");

  if (cluster.dns_service.is_valid()) {
    for (const cluster::ServicePort& port : cluster.services[cluster.dns_service.index()].ports) {
      if (port.port != kDnsPort || port.protocol == IpProtocol::sctp) {
        continue;  // 9153: metrics
      }
      for (const cluster::Backend& backend : port.backends) {
        if (!backend.pod.is_valid()) {
          continue;
        }
        const dataplane::End end = dataplane::End::pod(backend.pod);
        std::uint32_t& index = server_by_pod_[backend.pod.index()];
        if (index == kNone) {
          index = static_cast<std::uint32_t>(servers_.size());
          servers_.push_back({end, false, 0, CoreStation(std::max(options.server_cores, 1u))});
        }
        transport_.serve(end, port.protocol, backend.port,
                         port.protocol == IpProtocol::udp ? udp_application_ : tcp_application_);
      }
    }
  }
  for (const IpAddress& address : options.host.nameservers) {
    const dataplane::ExternalId id = network.external(address);
    if (server_by_outside_.size() <= id.index()) {
      server_by_outside_.resize(id.index() + 1, kNone);
    }
    server_by_outside_[id.index()] = static_cast<std::uint32_t>(servers_.size());
    servers_.push_back({dataplane::End::external(id), true, 0, CoreStation(1)});
    transport_.serve(dataplane::End::external(id), IpProtocol::udp, kDnsPort, udp_application_);
    transport_.serve(dataplane::End::external(id), IpProtocol::tcp, kDnsPort, tcp_application_);
  }
}

std::uint32_t NameServers::server_of(SocketHandle socket) const {
  const dataplane::End end = transport_.local_end(socket);
  std::uint32_t index = kNone;
  if (end.kind() == dataplane::End::Kind::pod) {
    index = server_by_pod_[end.pod_id().index()];
  } else if (end.kind() == dataplane::End::Kind::external && end.external_id().index() < server_by_outside_.size()) {
    index = server_by_outside_[end.external_id().index()];
  }
  PODWIRE_CHECK(index != kNone, "dns", "queries reach name servers only");
  return index;
}

void NameServers::on_datagram(const Event& event) {
  if (event.kind != EventKind::received) {
    return;
  }
  std::uint32_t server = 0;
  if (ServerCookie::is_one(event.cookie)) {
    server = ServerCookie::from(event.cookie).server;
  } else {
    server = server_of(event.socket);
    transport_.set_cookie(event.socket, ServerCookie{event.socket.value(), server, 0}.value());
  }
  const Question question = Question::from_tag(event.tag);
  if (question.name.index() >= names_.size()) {
    transport_.send_datagram(event.socket, kFormerrBytes, event.tag);  // some other program's datagram
    return;
  }
  begin(server, event.socket, question, false);
}

void NameServers::on_connection(const Event& event) {
  if (event.kind == EventKind::accepted) {
    transport_.set_cookie(event.socket, ServerCookie{event.socket.value(), server_of(event.socket), 0}.value());
  } else if (event.kind == EventKind::peer_closed) {
    ServerCookie cookie = ServerCookie::from(event.cookie);
    cookie.queries = kClosing;
    transport_.set_cookie(event.socket, cookie.value());
    transport_.close(event.socket);
  } else if (event.kind == EventKind::received) {
    // What a resolver's connection says is found at the resolver; anybody else's bytes are read and not answered.
    const NameId name = resolver_.tcp_question(transport_.peer_cookie(event.socket));
    if (!name.is_valid()) {
      return;
    }
    ServerCookie cookie = ServerCookie::from(event.cookie);
    const std::uint64_t one = 2 + query_bytes(names_[name]);
    while (cookie.queries < 2 && event.bytes >= one * (cookie.queries + 1)) {
      begin(cookie.server, event.socket, {name, cookie.queries == 0 ? RecordType::a : RecordType::aaaa}, true);
      ++cookie.queries;
    }
    transport_.set_cookie(event.socket, cookie.value());
  }
}

void NameServers::begin(std::uint32_t server, SocketHandle socket, Question question, bool is_tcp) {
  std::uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(jobs_.size());
    jobs_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  const std::uint32_t generation = jobs_[index].generation + 1;
  Job& job = jobs_[index];
  job = Job();
  job.generation = generation;
  job.socket = socket;
  job.question = question;
  job.server = server;
  job.is_tcp = is_tcp;
  job.is_active = true;
  job.identity = network_.flow(socket).identity;
  job.account = network_.flow(socket).account;
  job.is_traced = (network_.flow(socket).flags & dataplane::kFlowTraced) != 0;
  Server& station = servers_[server];
  if (station.is_outside) {  // its own delay is part of the way there
    reply(index, zone_.resolve(question.name, question.type, Zone::Scope::outside));
    return;
  }
  ++queries_;
  simulator_.at(station.station.book(simulator_.now(), options_.query_cpu), source_, served_kind_, index);
}

void NameServers::on_served(std::uint32_t index) {
  Job& job = jobs_[index];
  job.answer = zone_.resolve(job.question.name, job.question.type);
  if (!zone_.answer(job.answer).is_forwarded) {
    reply(index, job.answer);
    return;
  }
  Server& server = servers_[job.server];
  if (options_.host.nameservers.empty()) {
    reply(index, zone_.servfail());
  } else if (server.forwards >= options_.max_forwards) {
    reply(index, zone_.refused());
  } else {
    ++server.forwards;
    ++forwards_;
    job.forwarded_at = simulator_.now();
    forward(index);
  }
}

void NameServers::forward(std::uint32_t index) {
  Job& job = jobs_[index];
  transport::ConnectOptions options;
  options.source = servers_[job.server].end;
  options.destination = options_.host.nameservers.front();
  options.port = kDnsPort;
  options.identity = {job.identity, kForwards | static_cast<std::uint32_t>(job.question.type) << 16 | job.attempts};
  options.account = job.account;
  options.application = upstream_application_;
  options.cookie = std::uint64_t{job.generation} << 32 | index;
  options.is_traced = job.is_traced;
  job.upstream = transport_.open_udp(options);
  ++job.attempts;
  simulator_.arm(job.timer, simulator_.now() + options_.forward_timeout, source_, forward_kind_, index);
  transport_.send_datagram(job.upstream, query_bytes(names_[job.question.name]), job.question.tag());
}

std::uint32_t NameServers::find_job(std::uint64_t cookie) const {
  const auto index = static_cast<std::uint32_t>(cookie);
  const bool is_known = index < jobs_.size() && jobs_[index].is_active && jobs_[index].generation == cookie >> 32;
  return is_known ? index : kNone;
}

void NameServers::on_upstream(const Event& event) {
  const std::uint32_t index = find_job(event.cookie);
  if (index == kNone || event.socket != jobs_[index].upstream) {
    return;
  }
  if (event.kind == EventKind::received) {
    // The upstream's word counts; an ExternalName's own CNAME was put together with it when the zone answered.
    end_forward(index, jobs_[index].answer);
  } else if (event.kind == EventKind::failed) {
    end_forward(index, zone_.servfail());
  }
}

void NameServers::on_forward_timer(std::uint32_t index) {
  Job& job = jobs_[index];
  if (simulator_.now() - job.forwarded_at < options_.forward_deadline) {
    transport_.close_udp(job.upstream);
    forward(index);
  } else {
    end_forward(index, zone_.servfail());
  }
}

void NameServers::end_forward(std::uint32_t index, AnswerId answer) {
  Job& job = jobs_[index];
  const std::uint64_t peer = job.attempts == 1 ? transport_.peer_cookie(job.upstream) : 0;
  if (ServerCookie::is_one(peer)) {
    transport_.close_udp(SocketHandle::from_value(ServerCookie::from(peer).socket));
  }
  transport_.close_udp(job.upstream);
  simulator_.cancel(job.timer);
  --servers_[job.server].forwards;
  reply(index, answer);
}

void NameServers::reply(std::uint32_t index, AnswerId answer_id) {
  Job& job = jobs_[index];
  const Answer& answer = zone_.answer(answer_id);
  const std::uint64_t cookie = transport_.cookie(job.socket);  // 0: closed meanwhile
  if (cookie != 0) {
    if (!job.is_tcp) {
      const bool fits = answer.message_bytes <= kMostUdpBytes || answer.compressed_bytes <= kMostUdpBytes;
      const std::uint32_t bytes = answer.message_bytes <= kMostUdpBytes
                                      ? answer.message_bytes
                                      : std::min(answer.compressed_bytes, kMostUdpBytes);
      transport_.send_datagram(job.socket, bytes, Response{answer_id, job.question.type, !fits}.tag());
    } else if (ServerCookie::from(cookie).queries != kClosing) {
      resolver_.note_tcp_answer(transport_.peer_cookie(job.socket), job.question.type, answer_id);
      transport_.send(job.socket, std::uint64_t{2} + answer.message_bytes);
    }
  }
  job.is_active = false;
  free_.push_back(index);
}

std::size_t NameServers::memory_bytes() const {
  return jobs_.capacity() * sizeof(Job) + server_by_pod_.capacity() * 4;
}

}  // namespace podwire::dns
