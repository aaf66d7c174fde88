// The stub resolver of every pod: glibc's, timed. A lookup walks the search list; each candidate is asked as a pair of
// A and AAAA queries from one UDP socket, as real packets to the name servers of the pod's resolv.conf.
//
// For one candidate (glibc resolv/res_send.c, __res_context_send, send_dg):
//   - for each attempt, for each server n of N: send, wait timeout x 2^n (for n > 0 divided by N; whole seconds, at
//   least 1);
//   - both answers in: done. One of the two is SERVFAIL or REFUSED: the other is used; both are: the next server;
//   - only one came in time: again to the same server, first A, then AAAA; if that fails too, the same with a new
//   socket for
//     the second; then what there is is used. The mode is kept for the rest of this lookup;
//   - none came: the next server, on the socket it had if this server was asked before (the same 5-tuple);
//   - an ICMP error: the next server at once;
//   - a cut answer (TC): the pair again over TCP to the same server.
// Sockets are a candidate's own: the next candidate comes from another port.
// Left out: caching (glibc has none), /etc/hosts, RFC 6724 sorting of the answer, `options rotate`, one resolver state
// per thread (the single-request mode outlives a lookup there).
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/dns/message.hpp"
#include "models/dns/options.hpp"
#include "models/dns/search.hpp"
#include "models/dns/zone.hpp"
#include "models/transport/transport.hpp"
#include "sim/des/simulator.hpp"
#include "sim/random/draw.hpp"

namespace podwire::dns {

/// A lookup under way. Stale handles are recognised.
struct LookupHandle {
  std::uint32_t index = 0xffff'ffff;
  std::uint32_t generation = 0;
  bool is_valid() const { return index != 0xffff'ffff; }
  bool operator==(const LookupHandle&) const = default;
};

/// A host name as clients type it, before any search list.
using HostId = Id<struct HostTag>;

struct LookupOptions {
  dataplane::End client;
  HostId host;                 // Resolver::intern_host
  std::uint64_t identity = 0;  // names the lookup in draws: a request's id
  std::uint64_t cookie = 0;    // returned in the result
  std::uint32_t account = 0;   // drops of its packets are counted under it
  bool is_traced = false;
};

struct LookupResult {
  LookupHandle lookup;
  std::uint64_t cookie = 0;
  LookupStatus status = LookupStatus::timeout;
  std::span<const IpAddress> addresses;  // with `found`: IPv4 before IPv6, each in the order of its answer; valid
                                         // within the upcall
  std::uint32_t candidates = 0;          // names asked
  std::uint32_t queries = 0;             // datagrams and TCP queries sent
  Duration elapsed;
};

class Resolver {
 public:
  Resolver(des::Simulator& simulator, transport::Transport& transport, const cluster::Cluster& cluster,
           NameTable& names, Zone& zone, const DnsOptions& options);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Who hears results: `void Model::Method(const LookupResult&)`. One model; later calls replace it.
  template <auto Method, class Model>
  void on_result(Model& model) {
    owner_ = {&model, [](void* target, const LookupResult& result) { (static_cast<Model*>(target)->*Method)(result); }};
  }

  /// An answer reached its client: what the client's node reads when it learns which addresses a name has.
  struct Heard {
    dataplane::End client;
    std::string_view name;  // that was asked for
    std::span<const IpAddress> addresses;
    Duration ttl;  // how long the answer may be kept
  };
  /// Who hears of answers with addresses, over UDP and TCP: `void Model::Method(const Heard&)`. One model, or none.
  template <auto Method, class Model>
  void on_heard(Model& model) {
    listener_ = {&model, [](void* target, const Heard& heard) { (static_cast<Model*>(target)->*Method)(heard); }};
  }

  /// A host name as a client would type it, kept with its trailing dot; do it once a workload.
  HostId intern_host(std::string_view host);

  /// Starts a lookup. Exactly one result follows, never within this call, unless cancel() comes first. O(1) but for the
  /// first lookup of a host from a kind of pod.
  LookupHandle start(const LookupOptions& options);
  /// Gives a lookup up: no result comes, its sockets are closed. Stale handles are ignored.
  void cancel(LookupHandle handle);

  /// The resolv.conf of this end.
  const ResolvConf& conf(dataplane::End client);
  /// What the TCP connection with this cookie asks for: the name of its A and AAAA queries, or none.
  NameId tcp_question(std::uint64_t cookie) const;
  /// The server says what it answers there; the bytes of it are under way. Answers to A and AAAA come in any order.
  void note_tcp_answer(std::uint64_t cookie, RecordType type, AnswerId answer);

  /// What the kubelet's limits cut from resolv.confs in use, in words, each once.
  std::vector<std::string> cut_by_kubelet() const;
  std::uint64_t started() const { return started_; }
  std::uint64_t queries() const { return queries_; }
  std::size_t memory_bytes() const;

 private:
  using ConfId = Id<struct ConfTag>;
  using PlanId = Id<struct PlanTag>;
  static constexpr std::uint32_t kMostServers = 3;

  /// How queries of a candidate are sent; only ever grows within a lookup.
  enum class Mode : std::uint8_t { pair, single, single_reopen };

  struct Side {  // one of A and AAAA
    AnswerId answer;
    bool is_in = false;   // an answer came
    bool is_bad = false;  // it was SERVFAIL or REFUSED
  };

  struct Lookup {
    LookupOptions options;
    Time started;
    des::Timer timer;
    PlanId plan;
    ConfId conf;
    SearchState search;
    std::array<transport::SocketHandle, kMostServers> sockets;  // of this candidate, one a server
    transport::SocketHandle tcp;
    std::array<Side, 2> sides;
    std::array<AnswerId, 2> tcp_answers;  // what the server is sending over `tcp`
    std::uint32_t generation = 0;
    std::uint32_t queries = 0;
    std::uint16_t candidates = 0;
    std::uint16_t socket_count = 0;  // opened so far: tells their draws apart
    std::uint8_t server = 0;
    std::uint8_t attempt = 0;
    std::uint8_t sent_sides = 0;  // of the present round, in single-request mode
    Mode mode = Mode::pair;
    Rcode bad_code = Rcode::noerror;  // the last SERVFAIL or REFUSED
    bool has_heard = false;           // a timeout or an answer: not all servers refused the packets themselves
    bool is_active = false;
  };

  struct Plan {
    SearchPlan search;
    std::optional<IpAddress> literal;  // the host is an address: nothing is asked
  };

  struct Owner {
    void* target = nullptr;
    void (*call)(void* target, const LookupResult& result) = nullptr;
  };

  struct Listener {
    void* target = nullptr;
    void (*call)(void* target, const Heard& heard) = nullptr;
  };

  void on_event(const transport::Event& event);
  void on_timer(std::uint32_t index);

  ConfId conf_of(dataplane::End client);
  PlanId plan_of(ConfId conf, HostId host);
  void begin_candidate(std::uint32_t index);
  void send_round(std::uint32_t index);
  void send_query(std::uint32_t index, std::size_t side);
  void next_server(std::uint32_t index);
  void take_answer(std::uint32_t index, Response response);
  void tell_heard(const Lookup& lookup, AnswerId answer) const;
  void round_timed_out(std::uint32_t index);
  void begin_tcp(std::uint32_t index);
  void tcp_event(std::uint32_t index, const transport::Event& event);
  void end_candidate(std::uint32_t index, QueryOutcome outcome);
  void end_candidate_by_answers(std::uint32_t index);
  void end_lookup(std::uint32_t index, LookupStatus status);
  void close_sockets(Lookup& lookup);
  void close_udp_sockets(Lookup& lookup);
  std::uint32_t find_lookup(std::uint64_t cookie) const;
  NameId candidate_name(const Lookup& lookup) const;
  transport::ConnectOptions connect_options(std::uint32_t index);
  std::uint64_t cookie_of(std::uint32_t index) const { return cookie_of(lookups_[index], index); }
  static std::uint64_t cookie_of(const Lookup& lookup, std::uint32_t index);
  void collect(const Lookup& lookup, std::vector<IpAddress>& addresses) const;
  void release(std::uint32_t index);

  des::Simulator& simulator_;
  transport::Transport& transport_;
  const cluster::Cluster& cluster_;
  NameTable& names_;
  Zone& zone_;
  DnsOptions options_;
  random::Stream shuffles_;
  transport::ApplicationId application_;
  des::EventSource source_;
  des::Kind timer_kind_;
  Owner owner_;
  Listener listener_;

  std::vector<IpAddress> cluster_dns_;
  std::vector<ResolvConf> confs_;
  std::vector<ConfId> conf_by_shape_;
  boost::unordered_flat_map<std::uint64_t, ConfId> conf_by_key_;  // (namespace, template)
  ConfId host_conf_;
  std::vector<std::string> hosts_;  // as typed: "db", "db."
  boost::unordered_flat_map<std::string, HostId> host_ids_;
  std::vector<Plan> plans_;
  boost::unordered_flat_map<std::uint64_t, PlanId> plan_by_key_;  // (conf, host)

  std::vector<Lookup> lookups_;
  std::vector<std::uint32_t> free_;
  std::vector<IpAddress> addresses_;  // of the result being handed over
  std::uint64_t started_ = 0;
  std::uint64_t queries_ = 0;
};

}  // namespace podwire::dns
