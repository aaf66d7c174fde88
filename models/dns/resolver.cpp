// The stub resolver's clockwork. A lookup is addressed by its index everywhere: starting another one may move the
// store.
#include "models/dns/resolver.hpp"

#include <algorithm>
#include <utility>

#include "sim/base/check.hpp"

namespace podwire::dns {

using transport::Event;
using transport::EventKind;
using transport::SocketHandle;

namespace {

/// DNS sockets draw their ports apart from the request's own connections.
constexpr std::uint32_t kDnsSockets = 0x8000'0000;

std::size_t side_of(RecordType type) {
  return type == RecordType::aaaa ? 1 : 0;
}

/// glibc's wait for server n of N: timeout << n, divided by N but for the first; whole seconds, at least one.
Duration wait_for(const ResolvConf& conf, std::uint32_t server) {
  std::uint64_t seconds = std::uint64_t{conf.timeout_s} << server;
  if (server > 0) {
    seconds /= conf.nameservers.size();
  }
  return Duration::from_s(static_cast<std::int64_t>(std::max<std::uint64_t>(seconds, 1)));
}

}  // namespace

Resolver::Resolver(des::Simulator& simulator, transport::Transport& transport, const cluster::Cluster& cluster,
                   NameTable& names, Zone& zone, const DnsOptions& options)
    : simulator_(simulator),
      transport_(transport),
      cluster_(cluster),
      names_(names),
      zone_(zone),
      options_(options),
      shuffles_(options.seed, random::Purpose("dns/shuffle")),
      conf_by_shape_(cluster.shapes.size()) {
  application_ = transport_.add_application<&Resolver::on_event>(*this);
  source_ = simulator_.add_sources(1);
  timer_kind_ = simulator_.on<&Resolver::on_timer>(*this, "dns/resolver-timer");
  // The kubelet's --cluster-dns is the kube-dns Service's address; without one, the address it conventionally has.
  const IpAddress address = cluster.dns_service.is_valid() ? cluster.services[cluster.dns_service.index()].cluster_ip
                                                           : cluster.service_cidr.first().plus(10);
  cluster_dns_.push_back(address);
}

// ---- what is shared by many lookups

HostId Resolver::intern_host(std::string_view host) {
  const auto [entry, is_new] = host_ids_.emplace(std::string(host), HostId(hosts_.size()));
  if (is_new) {
    hosts_.emplace_back(host);
  }
  return entry->second;
}

Resolver::ConfId Resolver::conf_of(dataplane::End client) {
  if (!client.pod_id().is_valid()) {
    if (!host_conf_.is_valid()) {
      host_conf_ = ConfId(confs_.size());
      confs_.push_back(resolv_conf(options_.host));
    }
    return host_conf_;
  }
  const cluster::ShapeId shape_id = cluster_.pods[client.pod_id().index()].shape;
  ConfId& by_shape = conf_by_shape_[shape_id.index()];
  if (!by_shape.is_valid()) {
    const cluster::PodShape& shape = cluster_.shapes[shape_id.index()];
    const std::uint64_t key = random::identity(shape.name_space.value(), shape.pod_template.value());
    const auto [entry, is_new] = conf_by_key_.emplace(key, ConfId(confs_.size()));
    if (is_new) {
      confs_.push_back(resolv_conf(cluster_.templates[shape.pod_template.index()],
                                   cluster_.namespaces[shape.name_space.index()].name, cluster_dns_,
                                   cluster_.cluster_domain, options_.host));
    }
    by_shape = entry->second;
  }
  return by_shape;
}

const ResolvConf& Resolver::conf(dataplane::End client) {
  return confs_[conf_of(client).index()];
}

Resolver::PlanId Resolver::plan_of(ConfId conf, HostId host) {
  const auto [entry, is_new] =
      plan_by_key_.emplace(random::identity(conf.value(), host.value()), PlanId(plans_.size()));
  if (is_new) {
    const std::string& text = hosts_[host.index()];
    plans_.push_back({plan_search(text, confs_[conf.index()], names_), IpAddress::parse(text)});
  }
  return entry->second;
}

NameId Resolver::candidate_name(const Lookup& lookup) const {
  return plans_[lookup.plan.index()].search.candidates[lookup.search.candidate()].name;
}

// ---- one lookup

LookupHandle Resolver::start(const LookupOptions& options) {
  PODWIRE_CHECK(options.client.is_valid() && options.host.is_valid(), "dns", "a lookup has a client and a host");
  std::uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(lookups_.size());
    lookups_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  const std::uint32_t generation = lookups_[index].generation + 1;
  lookups_[index] = Lookup();
  Lookup& lookup = lookups_[index];
  lookup.generation = generation;
  lookup.options = options;
  lookup.started = simulator_.now();
  lookup.is_active = true;
  lookup.conf = conf_of(options.client);
  lookup.plan = plan_of(lookup.conf, options.host);
  const ResolvConf& conf = confs_[lookup.conf.index()];
  lookup.mode = conf.is_single_request_reopen ? Mode::single_reopen
                : conf.is_single_request      ? Mode::single
                                              : Mode::pair;
  ++started_;
  if (plans_[lookup.plan.index()].literal || conf.nameservers.empty() || conf.attempts == 0) {
    simulator_.arm(lookup.timer, simulator_.now(), source_, timer_kind_, index);  // there is nothing to ask
  } else {
    begin_candidate(index);
  }
  return LookupHandle{index, generation};
}

void Resolver::cancel(LookupHandle handle) {
  if (handle.index < lookups_.size() && lookups_[handle.index].generation == handle.generation &&
      lookups_[handle.index].is_active) {
    close_sockets(lookups_[handle.index]);
    release(handle.index);
  }
}

void Resolver::release(std::uint32_t index) {
  Lookup& lookup = lookups_[index];
  simulator_.cancel(lookup.timer);
  lookup.is_active = false;
  free_.push_back(index);
}

std::uint64_t Resolver::cookie_of(const Lookup& lookup, std::uint32_t index) {
  return std::uint64_t{lookup.generation} << 32 | index;
}

std::uint32_t Resolver::find_lookup(std::uint64_t cookie) const {
  const auto index = static_cast<std::uint32_t>(cookie);
  const bool is_known = index < lookups_.size() && lookups_[index].is_active && cookie_of(index) == cookie;
  return is_known ? index : 0xffff'ffff;
}

NameId Resolver::tcp_question(std::uint64_t cookie) const {
  const std::uint32_t index = find_lookup(cookie);
  return index == 0xffff'ffff ? NameId::none() : candidate_name(lookups_[index]);
}

// ---- one candidate

void Resolver::begin_candidate(std::uint32_t index) {
  Lookup& lookup = lookups_[index];
  const SearchPlan& plan = plans_[lookup.plan.index()].search;
  while (!plan.candidates[lookup.search.candidate()].is_sendable) {
    if (!lookup.search.advance(plan, QueryOutcome::failed)) {
      // Told from a timer, so that start() has returned by then.
      lookup.attempt = 0xff;
      simulator_.arm(lookup.timer, simulator_.now(), source_, timer_kind_, index);
      return;
    }
  }
  ++lookup.candidates;
  lookup.server = 0;
  lookup.attempt = 0;
  lookup.bad_code = Rcode::noerror;
  lookup.has_heard = false;
  send_round(index);
}

transport::ConnectOptions Resolver::connect_options(std::uint32_t index) {
  Lookup& lookup = lookups_[index];
  transport::ConnectOptions options;
  options.source = lookup.options.client;
  options.destination = confs_[lookup.conf.index()].nameservers[lookup.server];
  options.port = kDnsPort;
  options.identity = {lookup.options.identity, kDnsSockets | lookup.socket_count};
  options.application = application_;
  options.cookie = cookie_of(index);
  options.account = lookup.options.account;
  options.is_traced = lookup.options.is_traced;
  ++lookup.socket_count;
  return options;
}

void Resolver::send_round(std::uint32_t index) {
  Lookup& lookup = lookups_[index];
  const ResolvConf& conf = confs_[lookup.conf.index()];
  lookup.sides = {};
  if (conf.uses_tcp) {
    begin_tcp(index);
    return;
  }
  SocketHandle& socket = lookup.sockets[lookup.server];
  if (!socket.is_valid()) {
    socket = transport_.open_udp(connect_options(index));
  }
  simulator_.arm(lookup.timer, simulator_.now() + wait_for(conf, lookup.server), source_, timer_kind_, index);
  lookup.sent_sides = 1;
  send_query(index, 0);
  if (lookup.mode == Mode::pair) {
    lookup.sent_sides = 2;
    send_query(index, 1);
  }
}

void Resolver::send_query(std::uint32_t index, std::size_t side) {
  Lookup& lookup = lookups_[index];
  const NameId name = candidate_name(lookup);
  ++lookup.queries;
  ++queries_;
  transport_.send_datagram(lookup.sockets[lookup.server], query_bytes(names_[name]),
                           Question{name, kSideTypes[side]}.tag());
}

void Resolver::on_event(const Event& event) {
  const std::uint32_t index = find_lookup(event.cookie);
  if (index == 0xffff'ffff) {
    return;  // of a lookup that ended or was given up within this instant
  }
  Lookup& lookup = lookups_[index];
  if (event.socket == lookup.tcp) {
    tcp_event(index, event);
    return;
  }
  if (event.socket != lookup.sockets[lookup.server]) {
    return;  // a late answer from a server that was given up; glibc reads it only if it comes back to that server
  }
  if (event.kind == EventKind::received) {
    take_answer(index, Response::from_tag(event.tag));
  } else if (event.kind == EventKind::failed) {
    close_udp_sockets(lookup);
    next_server(index);
  }
}

/// glibc's __res_iclose: whenever one server's socket is given up within a candidate, those of all servers go.
void Resolver::close_udp_sockets(Lookup& lookup) {
  for (SocketHandle& socket : lookup.sockets) {
    if (socket.is_valid()) {
      transport_.close_udp(socket);
      socket = SocketHandle();
    }
  }
}

void Resolver::take_answer(std::uint32_t index, Response response) {
  Lookup& lookup = lookups_[index];
  lookup.has_heard = true;
  if (response.is_truncated) {
    begin_tcp(index);
    return;
  }
  Side& side = lookup.sides[side_of(response.type)];
  if (side.is_in) {
    return;  // the answer to an earlier sending of the same query
  }
  const Rcode rcode = zone_.answer(response.answer).rcode;
  side = {response.answer, true, rcode == Rcode::servfail || rcode == Rcode::refused};
  if (side.is_bad) {
    lookup.bad_code = rcode;
  }
  tell_heard(lookup, response.answer);
  if (!lookup.sides[0].is_in || !lookup.sides[1].is_in) {
    if (lookup.sent_sides == 1 && side.is_bad) {  // single-request mode: this server's turn is over
      close_udp_sockets(lookup);
      next_server(index);
      return;
    }
    if (lookup.sent_sides == 1) {  // single-request mode: now the second query, within the same wait
      if (lookup.mode == Mode::single_reopen) {
        close_udp_sockets(lookup);
        lookup.sockets[lookup.server] = transport_.open_udp(connect_options(index));
      }
      lookup.sent_sides = 2;
      send_query(index, 1);
    }
    return;
  }
  if (lookup.sides[0].is_bad && lookup.sides[1].is_bad) {
    next_server(index);
  } else {
    end_candidate_by_answers(index);
  }
}

void Resolver::tell_heard(const Lookup& lookup, AnswerId answer) const {
  const Answer& heard = zone_.answer(answer);
  if (listener_.call != nullptr && !heard.addresses.empty()) {
    listener_.call(listener_.target, {.client = lookup.options.client,
                                      .name = names_[candidate_name(lookup)],
                                      .addresses = heard.addresses,
                                      .ttl = heard.ttl});
  }
}

void Resolver::on_timer(std::uint32_t index) {
  Lookup& lookup = lookups_[index];
  const Plan& plan = plans_[lookup.plan.index()];
  const ResolvConf& conf = confs_[lookup.conf.index()];
  if (plan.literal) {
    end_lookup(index, LookupStatus::found);
  } else if (lookup.attempt == 0xff) {
    end_lookup(index, lookup.search.status());
  } else if (conf.nameservers.empty() || conf.attempts == 0) {
    end_lookup(index, LookupStatus::refused);  // glibc then asks 127.0.0.1, where nobody listens in a pod
  } else {
    round_timed_out(index);
  }
}

void Resolver::round_timed_out(std::uint32_t index) {
  Lookup& lookup = lookups_[index];
  lookup.has_heard = true;
  const bool has_one = (lookup.sides[0].is_in && !lookup.sides[0].is_bad) ||
                       (lookup.sides[1].is_in && !lookup.sides[1].is_bad);  // a bad answer is none
  if (!has_one) {
    next_server(index);
  } else if (lookup.mode == Mode::pair) {
    lookup.mode = Mode::single;
    send_round(index);
  } else if (lookup.mode == Mode::single) {
    lookup.mode = Mode::single_reopen;
    close_udp_sockets(lookup);
    send_round(index);
  } else if ((lookup.sides[0].is_in && !lookup.sides[0].is_bad) || (lookup.sides[1].is_in && !lookup.sides[1].is_bad)) {
    end_candidate_by_answers(index);
  } else {
    next_server(index);
  }
}

void Resolver::next_server(std::uint32_t index) {
  Lookup& lookup = lookups_[index];
  const ResolvConf& conf = confs_[lookup.conf.index()];
  ++lookup.server;
  if (lookup.server == conf.nameservers.size()) {
    lookup.server = 0;
    ++lookup.attempt;
  }
  if (lookup.attempt < conf.attempts) {
    send_round(index);
    return;
  }
  if (!lookup.has_heard) {
    end_candidate(index, QueryOutcome::refused);
  } else if (lookup.bad_code == Rcode::servfail) {
    end_candidate(index, QueryOutcome::server_failure);
  } else if (lookup.bad_code == Rcode::refused) {
    end_candidate(index, QueryOutcome::failed);
  } else {
    end_candidate(index, QueryOutcome::timed_out);
  }
}

void Resolver::end_candidate_by_answers(std::uint32_t index) {
  const Lookup& lookup = lookups_[index];
  const auto good = [&](std::size_t side) -> const Answer* {
    const Side& s = lookup.sides[side];
    return s.is_in && !s.is_bad ? &zone_.answer(s.answer) : nullptr;
  };
  const Answer* const a = good(0);
  const Answer* const aaaa = good(1);
  if ((a != nullptr && !a->addresses.empty()) || (aaaa != nullptr && !aaaa->addresses.empty())) {
    end_candidate(index, QueryOutcome::found);
    return;
  }
  // The code of the answer that is not NOERROR counts, A's first.
  Rcode code = Rcode::noerror;
  if (a != nullptr && a->rcode != Rcode::noerror) {
    code = a->rcode;
  } else if (aaaa != nullptr) {
    code = aaaa->rcode;
  }
  switch (code) {
    case Rcode::nxdomain:
      end_candidate(index, QueryOutcome::not_found);
      return;
    case Rcode::servfail:
      end_candidate(index, QueryOutcome::server_failure);
      return;
    case Rcode::refused:
      end_candidate(index, QueryOutcome::failed);
      return;
    case Rcode::noerror:
      end_candidate(index, QueryOutcome::no_data);
      return;
  }
}

void Resolver::end_candidate(std::uint32_t index, QueryOutcome outcome) {
  Lookup& lookup = lookups_[index];
  close_sockets(lookup);
  simulator_.cancel(lookup.timer);
  if (lookup.search.advance(plans_[lookup.plan.index()].search, outcome)) {
    begin_candidate(index);
  } else {
    end_lookup(index, lookup.search.status());
  }
}

void Resolver::close_sockets(Lookup& lookup) {
  for (SocketHandle& socket : lookup.sockets) {
    if (!socket.is_valid()) {
      continue;
    }
    // Where each query was answered once and none repeated, nothing more will cross this socket: the server's half need
    // not wait for its conntrack entry to expire. Elsewhere it does, because a query may still be queued at the server.
    const bool is_clean =
        lookup.attempt == 0 && lookup.mode == Mode::pair && lookup.sides[0].is_in && lookup.sides[1].is_in;
    const std::uint64_t peer = is_clean ? transport_.peer_cookie(socket) : 0;
    if (ServerCookie::is_one(peer)) {
      transport_.close_udp(SocketHandle::from_value(ServerCookie::from(peer).socket));
    }
    transport_.close_udp(socket);
    socket = SocketHandle();
  }
  if (lookup.tcp.is_valid()) {
    if (transport_.is_open(lookup.tcp)) {
      transport_.close(lookup.tcp);
    }
    lookup.tcp = SocketHandle();
  }
}

void Resolver::end_lookup(std::uint32_t index, LookupStatus status) {
  const Lookup& lookup = lookups_[index];
  addresses_.clear();
  if (status == LookupStatus::found) {
    collect(lookup, addresses_);
  }
  LookupResult result;
  result.lookup = {index, lookup.generation};
  result.cookie = lookup.options.cookie;
  result.status = status;
  result.addresses = addresses_;
  result.candidates = lookup.candidates;
  result.queries = lookup.queries;
  result.elapsed = simulator_.now() - lookup.started;
  release(index);
  PODWIRE_CHECK(owner_.call != nullptr, "dns", "somebody hears the results");
  owner_.call(owner_.target, result);
}

void Resolver::collect(const Lookup& lookup, std::vector<IpAddress>& addresses) const {
  if (const auto& literal = plans_[lookup.plan.index()].literal) {
    addresses.push_back(*literal);
    return;
  }
  for (std::size_t side = 0; side < 2; ++side) {
    if (!lookup.sides[side].is_in || lookup.sides[side].is_bad) {
      continue;
    }
    const Answer& answer = zone_.answer(lookup.sides[side].answer);
    const auto first = static_cast<std::ptrdiff_t>(addresses.size());
    addresses.insert(addresses.end(), answer.addresses.begin(), answer.addresses.end());
    // The server's loadbalance plugin shuffles each answer; drawn here, from the query's identity.
    random::Draw draw = shuffles_.draw(lookup.options.identity, static_cast<std::uint32_t>(side));
    for (std::size_t left = answer.addresses.size(); left > 1; --left) {
      const auto pick = static_cast<std::ptrdiff_t>(draw.below(static_cast<std::uint32_t>(left)));
      std::swap(addresses[static_cast<std::size_t>(first + pick)],
                addresses[static_cast<std::size_t>(first) + left - 1]);
    }
  }
}

std::vector<std::string> Resolver::cut_by_kubelet() const {
  std::vector<std::string> cut;
  for (const ResolvConf& conf : confs_) {
    for (const std::string& what : conf.dropped) {
      if (std::find(cut.begin(), cut.end(), what) == cut.end()) {
        cut.push_back(what);
      }
    }
  }
  return cut;
}

std::size_t Resolver::memory_bytes() const {
  return lookups_.capacity() * sizeof(Lookup) + plans_.capacity() * sizeof(Plan) +
         confs_.capacity() * sizeof(ResolvConf) + conf_by_shape_.capacity() * sizeof(ConfId);
}

}  // namespace podwire::dns
