// What asks: open loops of requests from client pods (or an outside address), each request a small state machine.
//
//   arrive ── a name to resolve ──▶ resolving ── address ──▶ connecting ── handshake ──▶ waiting ── last byte ──▶ ok
//     │                               │ no such name, no answer   │ RST, ICMP, silence      │ reset, silence
//     └── an address ─────────────────┼──────────▶ connecting     ▼                         ▼
//                                     └──────────────▶ ends in exactly one Outcome; the deadline ends any state
//
// TCP probes end at the handshake, DNS probes at the resolver's answer, UDP probes go from the address to waiting. A
// request uses the first address of the resolver's answer. Requests that arrive in the measured window are counted; the
// loops go on, uncounted, until the last counted one has ended, so that the load does not fall away while they drain.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "models/dns/resolver.hpp"
#include "models/transport/transport.hpp"
#include "models/workload/arrivals.hpp"
#include "models/workload/play.hpp"
#include "models/workload/recording.hpp"
#include "models/workload/servers.hpp"
#include "sim/des/simulator.hpp"
#include "sim/random/draw.hpp"

namespace podwire::workload {

/// Requests of a workload so far, those of the warm-up and of the drain included.
struct Traffic {
  std::uint64_t arrived = 0;
  std::uint64_t ok = 0;
  std::uint64_t failed = 0;
};

/// When requests are counted: those that arrive in [begin, end).
struct Window {
  Time begin;
  Time end;
  bool contains(Time time) const { return time >= begin && time < end; }
};

/// How a request ends whose lookup ended so; ok: it goes on.
Outcome outcome_of(dns::LookupStatus status);

class Clients {
 public:
  Clients(des::Simulator& simulator, dataplane::Network& network, transport::Transport& transport,
          dns::Resolver& resolver, Servers& servers, std::span<const WorkloadSpec> workloads, std::uint64_t seed,
          Window window, RequestLog& log);

  /// Schedules each loop's first arrival. The run is over when the window has passed and every counted request has
  /// ended; the simulator is stopped then.
  void start();
  bool is_finished() const { return finished_; }
  /// Another state of the cluster is true from now on: other pods may ask and be asked, and a phase of the counts
  /// begins.
  void apply_change(const cluster::Cluster& state);
  /// Ends the counted requests that an interrupted run leaves behind, as Outcome::unfinished.
  void give_up();

  /// Counts and latencies so far, as RunInput::workloads.
  std::vector<WorkloadResult> take_results() { return std::move(results_); }
  const Traffic& traffic(std::size_t workload) const { return loops_[workload].traffic; }
  /// What was assumed on the way, in words, in order of workload.
  std::vector<std::string> notes() const;
  std::size_t memory_bytes() const;

 private:
  enum class State : std::uint8_t { free, resolving, connecting, waiting };
  struct Request {
    Time arrived;
    Time resolved;     // never: nothing was resolved
    Time established;  // never: not yet, or UDP
    Time dialled;
    des::Timer deadline;
    dns::LookupHandle lookup;
    transport::SocketHandle socket;
    IpAddress server;  // where its packets go, after a Service's translation; unspecified until it dials
    cluster::PodId client;
    std::uint32_t workload = 0;
    std::uint32_t ordinal = 0;
    std::uint32_t generation = 0;
    Port server_port;
    State state = State::free;
    bool is_counted = false;
  };
  struct Loop {
    ArrivalProcess arrivals;
    std::vector<cluster::PodId> clients;  // those that run
    std::vector<cluster::PodId> targets;  // Target::Kind::pods: those with an address
    dataplane::ExternalId external;
    dns::HostId host;
    Traffic traffic = {};
    std::uint64_t refused_where_nothing_listens = 0;
  };

  void on_arrival(std::uint32_t workload);
  void on_deadline(std::uint32_t request);
  void on_window_end(std::uint32_t);
  void on_transport(const transport::Event& event);
  void on_lookup(const dns::LookupResult& result);

  void schedule_next(std::uint32_t workload);
  void begin(std::uint32_t request);
  void dial(std::uint32_t request, IpAddress destination, Port port);
  void on_server_event(const transport::Event& event);
  void on_client_event(std::uint32_t request, const transport::Event& event);
  void end(std::uint32_t request, Outcome outcome);
  /// Counts a request that ended: in a workload's result, or in one of its phases.
  template <class Counts>
  static void add_to(Counts& counts, const Request& request, Outcome outcome, Time now);
  void note_refusal(const Request& request);
  /// The address and port that a target other than a name stands for, or an unspecified address when it has none.
  std::pair<IpAddress, Port> destination_of(const Request& request) const;
  dataplane::End end_of(const Request& request) const;
  std::uint64_t identity_of(const Request& request) const;
  std::uint64_t cookie_of(std::uint32_t request) const;
  /// The live request that a cookie names, or kNone.
  std::uint32_t request_of(std::uint64_t cookie) const;
  std::uint32_t allocate();

  static constexpr std::uint32_t kNone = 0xffff'ffff;

  des::Simulator& simulator_;
  dataplane::Network& network_;
  const cluster::Cluster& cluster_;
  transport::Transport& transport_;
  dns::Resolver& resolver_;
  Servers& servers_;
  std::span<const WorkloadSpec> workloads_;
  RequestLog& log_;
  random::Stream client_choice_;
  random::Stream target_choice_;
  Window window_;
  des::Kind arrival_;
  des::Kind deadline_;
  des::Kind window_end_;
  des::EventSource source_;
  transport::ApplicationId application_;
  std::vector<Loop> loops_;
  std::vector<Request> requests_;
  std::vector<std::uint32_t> free_;
  std::vector<WorkloadResult> results_;
  std::vector<Time> phase_begins_;  // of all phases but the first
  std::uint64_t open_counted_ = 0;
  bool finished_ = false;
};

}  // namespace podwire::workload
