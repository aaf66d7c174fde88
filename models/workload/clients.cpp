#include "models/workload/clients.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace podwire::workload {
namespace {

// What the fingerprint counts requests' ends as; the dataplane's items have numbers of their own below this.
constexpr std::uint32_t kFingerprintRequest = 1000;

Outcome outcome_of(transport::Failure failure, bool is_established) {
  switch (failure) {
    case transport::Failure::refused:
    case transport::Failure::prohibited:
      return Outcome::refused;
    case transport::Failure::timed_out:
      return is_established ? Outcome::response_timeout : Outcome::connect_timeout;
    case transport::Failure::reset:
      return Outcome::reset;
    case transport::Failure::none:
    case transport::Failure::unreachable:
      break;
  }
  return Outcome::unreachable;
}

bool runs(const cluster::Cluster& cluster, cluster::PodId pod) {
  const cluster::Pod& it = cluster.pods[pod.index()];
  return it.phase == cluster::PodPhase::running && !it.ip.is_unspecified();
}

std::vector<cluster::PodId> running(const cluster::Cluster& cluster, const std::vector<cluster::PodId>& pods) {
  std::vector<cluster::PodId> out;
  std::copy_if(pods.begin(), pods.end(), std::back_inserter(out),
               [&](cluster::PodId pod) { return runs(cluster, pod); });
  return out;
}

}  // namespace

Outcome outcome_of(dns::LookupStatus status) {
  switch (status) {
    case dns::LookupStatus::found:
      return Outcome::ok;
    case dns::LookupStatus::nxdomain:
      return Outcome::dns_nxdomain;
    case dns::LookupStatus::nodata:
      return Outcome::dns_nodata;
    case dns::LookupStatus::timeout:
      return Outcome::dns_timeout;
    case dns::LookupStatus::servfail:
      return Outcome::dns_servfail;
    case dns::LookupStatus::refused:
      return Outcome::dns_refused;
  }
  return Outcome::dns_servfail;
}

Clients::Clients(des::Simulator& simulator, dataplane::Network& network, transport::Transport& transport,
                 dns::Resolver& resolver, Servers& servers, std::span<const WorkloadSpec> workloads, std::uint64_t seed,
                 Window window, RequestLog& log)
    : simulator_(simulator),
      network_(network),
      cluster_(network.cluster()),
      transport_(transport),
      resolver_(resolver),
      servers_(servers),
      workloads_(workloads),
      log_(log),
      client_choice_(seed, random::Purpose("workload/client")),
      target_choice_(seed, random::Purpose("workload/target")),
      window_(window),
      arrival_(simulator.on<&Clients::on_arrival>(*this, "request arrival")),
      deadline_(simulator.on<&Clients::on_deadline>(*this, "request deadline")),
      window_end_(simulator.on<&Clients::on_window_end>(*this, "window end")),
      source_(simulator.add_sources(static_cast<std::uint32_t>(2 * workloads.size() + 1))),
      application_(transport.add_application<&Clients::on_transport>(*this)),
      results_(workloads.size()) {
  resolver.on_result<&Clients::on_lookup>(*this);
  transport.serve_all(IpProtocol::tcp, application_);
  transport.serve_all(IpProtocol::udp, application_);
  for (std::uint32_t w = 0; w < workloads.size(); ++w) {
    const WorkloadSpec& spec = workloads[w];
    PODWIRE_CHECK(spec.timeout > Duration::zero(), "workload", "a request has a deadline");
    Loop loop{.arrivals = ArrivalProcess(seed, w, spec.arrivals),
              .clients = running(network.current_state(), spec.from.pods),
              .targets = running(network.current_state(), spec.to.pods),
              .external = spec.from.is_external() ? network.external(spec.from.external) : dataplane::ExternalId(),
              .host = spec.to.kind == Target::Kind::host ? resolver.intern_host(spec.to.host) : dns::HostId()};
    loops_.push_back(std::move(loop));
  }
}

void Clients::start() {
  for (std::uint32_t w = 0; w < workloads_.size(); ++w) {
    schedule_next(w);
  }
  // An event of its own: the next arrival of a slow loop may be hours away.
  simulator_.at(window_.end, source_.plus(static_cast<std::uint32_t>(2 * workloads_.size())), window_end_, 0);
}

void Clients::apply_change(const cluster::Cluster& state) {
  if (phase_begins_.empty()) {
    for (WorkloadResult& result : results_) {  // all that was so far is the first phase
      result.phases.push_back({.requests = result.requests,
                               .outcomes = result.outcomes,
                               .dns = result.dns,
                               .connect = result.connect,
                               .total = result.total});
    }
  }
  phase_begins_.push_back(simulator_.now());
  for (std::size_t w = 0; w < loops_.size(); ++w) {
    loops_[w].clients = running(state, workloads_[w].from.pods);
    loops_[w].targets = running(state, workloads_[w].to.pods);
    results_[w].phases.emplace_back();
  }
}

template <class Counts>
void Clients::add_to(Counts& counts, const Request& request, Outcome outcome, Time now) {
  ++counts.outcomes[static_cast<std::size_t>(outcome)];
  if (request.resolved != Time::never()) {
    counts.dns.add((request.resolved - request.arrived).ps());
  }
  if (request.established != Time::never()) {
    counts.connect.add((request.established - request.dialled).ps());
  }
  if (outcome == Outcome::ok) {
    counts.total.add((now - request.arrived).ps());
  }
}

void Clients::on_window_end(std::uint32_t /*unused*/) {
  if (open_counted_ == 0) {
    finished_ = true;
    simulator_.stop();
  }
}

void Clients::schedule_next(std::uint32_t workload) {
  simulator_.at(loops_[workload].arrivals.next(), source_.plus(2 * workload), arrival_, workload);
}

std::uint32_t Clients::allocate() {
  if (free_.empty()) {
    requests_.emplace_back();
    return static_cast<std::uint32_t>(requests_.size() - 1);
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  return index;
}

void Clients::on_arrival(std::uint32_t workload) {
  Loop& loop = loops_[workload];
  const std::uint32_t index = allocate();
  Request& request = requests_[index];
  request.arrived = simulator_.now();
  request.resolved = Time::never();
  request.established = Time::never();
  request.dialled = Time::never();
  request.deadline = {};
  request.lookup = {};
  request.socket = {};
  request.server = {};
  request.server_port = {};
  request.client = {};
  request.workload = workload;
  request.ordinal = loop.arrivals.count() - 1;
  request.is_counted = window_.contains(simulator_.now());
  open_counted_ += request.is_counted ? 1 : 0;
  ++loop.traffic.arrived;
  results_[workload].requests += request.is_counted ? 1 : 0;
  if (request.is_counted && !phase_begins_.empty()) {
    ++results_[workload].phases.back().requests;
  }
  schedule_next(workload);
  begin(index);
}

void Clients::begin(std::uint32_t index) {
  Request& request = requests_[index];
  const WorkloadSpec& spec = workloads_[request.workload];
  Loop& loop = loops_[request.workload];
  request.state = State::connecting;
  if (!spec.from.is_external()) {
    if (loop.clients.empty()) {
      end(index, Outcome::unreachable);  // no pod runs that could ask
      return;
    }
    request.client =
        loop.clients[client_choice_.draw(identity_of(request)).below(static_cast<std::uint32_t>(loop.clients.size()))];
  }
  simulator_.arm(request.deadline, simulator_.now() + spec.timeout, source_.plus(2 * request.workload + 1), deadline_,
                 index);
  if (spec.to.kind == Target::Kind::host) {
    request.state = State::resolving;
    // The answer never comes inside this call, so the handle is in place before on_lookup needs it.
    request.lookup = resolver_.start({.client = end_of(request),
                                      .host = loop.host,
                                      .identity = identity_of(request),
                                      .cookie = cookie_of(index),
                                      .account = request.workload});
    return;
  }
  const auto [address, port] = destination_of(request);
  if (address.is_unspecified()) {
    end(index, Outcome::unreachable);
    return;
  }
  dial(index, address, port);
}

std::pair<IpAddress, Port> Clients::destination_of(const Request& request) const {
  const WorkloadSpec& spec = workloads_[request.workload];
  random::Draw draw = target_choice_.draw(identity_of(request));
  switch (spec.to.kind) {
    case Target::Kind::host:
      break;
    case Target::Kind::address:
      return {spec.to.address, spec.to.port};
    case Target::Kind::pods: {
      const auto& targets = loops_[request.workload].targets;
      if (targets.empty()) {
        return {};
      }
      const cluster::PodId pod = targets[draw.below(static_cast<std::uint32_t>(targets.size()))];
      return {cluster_.pods[pod.index()].ip, spec.to.port};
    }
    case Target::Kind::service: {
      const cluster::Service& service = network_.current_state().services[spec.to.service.index()];
      if (!service.is_headless && !spec.from.is_external()) {
        return {service.cluster_ip, spec.to.port};
      }
      // A load balancer, or a headless name's addresses: one ready backend, addressed directly.
      for (const cluster::ServicePort& port : service.ports) {
        if (port.port == spec.to.port && port.protocol == spec.to.protocol) {
          std::vector<const cluster::Backend*> ready;
          for (const cluster::Backend& backend : port.backends) {
            if (backend.is_ready) {
              ready.push_back(&backend);
            }
          }
          if (!ready.empty()) {
            const cluster::Backend& chosen = *ready[draw.below(static_cast<std::uint32_t>(ready.size()))];
            return {chosen.ip, chosen.port};
          }
        }
      }
      return {};
    }
  }
  return {};
}

void Clients::dial(std::uint32_t index, IpAddress destination, Port port) {
  const std::uint64_t cookie = cookie_of(index);
  Request& request = requests_[index];
  const WorkloadSpec& spec = workloads_[request.workload];
  request.dialled = simulator_.now();
  const transport::ConnectOptions options{.source = end_of(request),
                                          .destination = destination,
                                          .port = port,
                                          .identity = {.who = identity_of(request)},
                                          .application = application_,
                                          .cookie = cookie,
                                          .account = request.workload};
  if (spec.kind == RequestKind::udp_probe) {
    request.state = State::waiting;
    request.socket = transport_.open_udp(options);
    transport_.send_datagram(request.socket, static_cast<std::uint32_t>(spec.request.count()), cookie);
  } else {
    request.state = State::connecting;
    request.socket = transport_.connect(options);
  }
  // Kept here, as a connection that fails takes its socket with it. The first packet is translated as it is sent.
  const transport::SocketInfo info = transport_.info(request.socket);
  request.server = info.translated;
  request.server_port = info.translated_port;
}

void Clients::on_lookup(const dns::LookupResult& result) {
  const std::uint32_t index = request_of(result.cookie);
  if (index == kNone || requests_[index].state != State::resolving) {
    return;  // its deadline came first
  }
  Request& request = requests_[index];
  request.lookup = {};
  if (result.status != dns::LookupStatus::found) {
    end(index, outcome_of(result.status));
    return;
  }
  request.resolved = simulator_.now();
  if (workloads_[request.workload].kind == RequestKind::dns_probe) {
    end(index, Outcome::ok);
    return;
  }
  if (result.addresses.empty()) {
    end(index, Outcome::dns_nodata);
    return;
  }
  dial(index, result.addresses.front(), workloads_[request.workload].to.port);
}

void Clients::on_transport(const transport::Event& event) {
  if (event.kind == transport::EventKind::accepted) {
    return;  // the request is still to come
  }
  const std::uint32_t index = request_of(event.cookie);
  if (index != kNone && requests_[index].socket == event.socket) {
    on_client_event(index, event);
  } else if (event.cookie == 0) {
    on_server_event(event);
  }
}

void Clients::on_client_event(std::uint32_t index, const transport::Event& event) {
  Request& request = requests_[index];
  const WorkloadSpec& spec = workloads_[request.workload];
  switch (event.kind) {
    case transport::EventKind::connected:
      request.established = simulator_.now();
      if (spec.kind == RequestKind::tcp_probe) {
        end(index, Outcome::ok);
        return;
      }
      request.state = State::waiting;
      transport_.send(request.socket, message_bytes(spec.request));
      return;
    case transport::EventKind::received:
      if (spec.kind == RequestKind::udp_probe || event.bytes >= message_bytes(spec.response)) {
        end(index, Outcome::ok);
      }
      return;
    case transport::EventKind::failed:
      if (event.failure == transport::Failure::refused) {
        note_refusal(request);
      }
      if (spec.kind != RequestKind::udp_probe) {
        request.socket = {};  // gone with the failure
      }
      end(index, outcome_of(event.failure, request.established != Time::never()));
      return;
    case transport::EventKind::peer_closed:
    case transport::EventKind::closed:
      end(index, Outcome::reset);  // before the whole response
      return;
    case transport::EventKind::accepted:
      return;
  }
}

void Clients::on_server_event(const transport::Event& event) {
  if (event.kind == transport::EventKind::peer_closed) {
    transport_.close(event.socket);  // a client that only connected, or gave up
    return;
  }
  if (event.kind != transport::EventKind::received) {
    return;
  }
  // What the message says is looked up at its sender (see transport/events.hpp). A datagram's sender is named by its
  // tag.
  const bool is_datagram = event.tag != 0;
  const std::uint32_t index = request_of(is_datagram ? event.tag : transport_.peer_cookie(event.socket));
  if (index == kNone) {
    if (is_datagram) {
      transport_.close_udp(event.socket);
    }
    return;
  }
  const Request& request = requests_[index];
  const WorkloadSpec& spec = workloads_[request.workload];
  if (!is_datagram && event.bytes < message_bytes(spec.request)) {
    return;  // more of the request is under way
  }
  servers_.begin(request.workload, identity_of(request), transport_.local_end(event.socket).pod_id(), event.socket,
                 event.tag);
}

void Clients::on_deadline(std::uint32_t index) {
  switch (requests_[index].state) {
    case State::free:
      return;
    case State::resolving:
      end(index, Outcome::dns_timeout);
      return;
    case State::connecting:
      end(index, Outcome::connect_timeout);
      return;
    case State::waiting:
      end(index, Outcome::response_timeout);
      return;
  }
}

void Clients::note_refusal(const Request& request) {
  const cluster::PodId pod = cluster_.pod_at(request.server);
  if (pod.is_valid() && !cluster_.listens(pod, workloads_[request.workload].to.protocol, request.server_port)) {
    ++loops_[request.workload].refused_where_nothing_listens;
  }
}

void Clients::end(std::uint32_t index, Outcome outcome) {
  Request& request = requests_[index];
  const Time now = simulator_.now();
  const WorkloadSpec& spec = workloads_[request.workload];
  simulator_.cancel(request.deadline);
  if (request.state == State::resolving && outcome == Outcome::dns_timeout) {
    resolver_.cancel(request.lookup);
  }
  if (request.socket.is_valid() && transport_.is_open(request.socket)) {
    transport_.set_cookie(request.socket, ~std::uint64_t{0});  // nobody's: later events of it are not for a request
    if (spec.kind == RequestKind::udp_probe) {
      transport_.close_udp(request.socket);
    } else if (outcome == Outcome::ok) {
      transport_.close(request.socket);
    } else {
      transport_.abort(request.socket);
    }
  }
  simulator_.fingerprint().add(kFingerprintRequest + static_cast<std::uint32_t>(outcome), now, identity_of(request));
  Traffic& traffic = loops_[request.workload].traffic;
  ++(outcome == Outcome::ok ? traffic.ok : traffic.failed);
  if (request.is_counted) {
    WorkloadResult& result = results_[request.workload];
    add_to(result, request, outcome, now);
    if (!phase_begins_.empty()) {
      const auto next = std::upper_bound(phase_begins_.begin(), phase_begins_.end(), request.arrived);
      add_to(result.phases[static_cast<std::size_t>(next - phase_begins_.begin())], request, outcome, now);
    }
    log_.add({.workload = request.workload,
              .ordinal = request.ordinal,
              .client = request.client,
              .server = log_.is_recording() && !request.server.is_unspecified() ? cluster_.pod_at(request.server)
                                                                                : cluster::PodId(),
              .outcome = outcome,
              .arrived = request.arrived,
              .resolved = request.resolved,
              .dialled = request.dialled,
              .established = request.established,
              .ended = now});
    --open_counted_;
  }
  request.state = State::free;
  request.socket = {};
  ++request.generation;
  free_.push_back(index);
  if (open_counted_ == 0 && now >= window_.end) {
    finished_ = true;
    simulator_.stop();
  }
}

void Clients::give_up() {
  for (std::uint32_t index = 0; index < requests_.size(); ++index) {
    if (requests_[index].state != State::free) {
      end(index, Outcome::unfinished);
    }
  }
}

dataplane::End Clients::end_of(const Request& request) const {
  return request.client.is_valid() ? dataplane::End::pod(request.client)
                                   : dataplane::End::external(loops_[request.workload].external);
}

std::uint64_t Clients::identity_of(const Request& request) const {
  return random::identity(request.workload, request.ordinal);
}

// Never 0 (a server socket's cookie) and never all ones (nobody's): bit 63 is clear, bit 62 set.
std::uint64_t Clients::cookie_of(std::uint32_t index) const {
  return std::uint64_t{1} << 62 | std::uint64_t{requests_[index].generation & 0x3fff'ffffu} << 32 | index;
}

std::uint32_t Clients::request_of(std::uint64_t cookie) const {
  const auto index = static_cast<std::uint32_t>(cookie);
  return cookie >> 62 == 1 && index < requests_.size() && requests_[index].state != State::free &&
                 cookie_of(index) == cookie
             ? index
             : kNone;
}

std::vector<std::string> Clients::notes() const {
  std::vector<std::string> out;
  for (std::size_t w = 0; w < loops_.size(); ++w) {
    const WorkloadSpec& spec = workloads_[w];
    if (loops_[w].refused_where_nothing_listens > 0) {
      out.push_back(fmt::format(
          "workload {}: {} connections were refused because no manifest says that anything listens on {} {} there "
          "(assumed; add it under listens if it does)",
          spec.name, loops_[w].refused_where_nothing_listens, to_string(spec.to.protocol), spec.to.port.number()));
    }
    if (!spec.from.is_external() && loops_[w].clients.empty()) {
      out.push_back(
          fmt::format("workload {}: no pod of {} runs, so every request is unreachable", spec.name, spec.from.name));
    }
  }
  return out;
}

std::size_t Clients::memory_bytes() const {
  return requests_.capacity() * sizeof(Request) + free_.capacity() * sizeof(std::uint32_t);
}

}  // namespace podwire::workload
