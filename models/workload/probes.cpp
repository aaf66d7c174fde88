// See the header. One event starts a probe and schedules the next; the clock of a whole run is known before it begins,
// because a change's delays follow from its number and the seed alone.
#include "models/workload/probes.hpp"

#include <algorithm>
#include <utility>

#include "models/workload/played_cluster.hpp"
#include "sim/base/check.hpp"
#include "sim/random/draw.hpp"

namespace podwire::workload {
namespace {

constexpr Duration kBeforeFirst = Duration::from_ms(10);
constexpr Duration kAfterMesh = Duration::from_ms(10);  // what is under way when the last probe is given up
constexpr std::uint32_t kDatagramBytes = 16;
// RFC 9260 section 3.3.2: the INIT chunk without optional parameters. INIT ACK also carries a State Cookie, whose size
// is the implementation's; 200 bytes are a guess without influence on verdicts.
constexpr std::uint32_t kInitBytes = 20;
constexpr std::uint32_t kInitAckBytes = 20 + 4 + 200;
constexpr std::uint64_t kCookie = std::uint64_t{1} << 62;  // no server's 0 and nobody's all ones
constexpr std::uint32_t kFingerprintProbe = 2000;

// When the mesh after `version` may begin: everyone has applied it.
Time applied_everywhere(control::Timeline& timeline, control::Version version) {
  Time last = std::max(timeline.last_enforced(version), timeline.names_applied(version));
  for (std::uint32_t node = 0; node < timeline.endpoints().observer_count(); ++node) {
    last = std::max(last, timeline.endpoints().applied(node, version));
  }
  return last;
}

struct Schedule {
  std::vector<Time> changed;  // by mesh
  std::vector<Time> begun;
  Time end;
};

// Fills in when the changes of `timeline` are made.
Schedule schedule(const ProbeInput& input, control::TimelineInput& timeline) {
  Schedule out;
  Time now = Time::start() + kBeforeFirst;
  for (std::size_t m = 0; m < input.meshes.size(); ++m) {
    Time begin = now;
    if (m > 0) {
      control::TimelineInput until;
      timeline.changes[m - 1].made = now;
      until.all = timeline.all;
      until.programming = timeline.programming;
      const auto count = static_cast<std::ptrdiff_t>(m);
      until.changes.assign(timeline.changes.begin(), timeline.changes.begin() + count);
      until.views.assign(timeline.views.begin(), timeline.views.begin() + count + 1);
      control::Timeline sofar(until, input.seed);
      begin = input.meshes[m].at ? now + *input.meshes[m].at
                                 : applied_everywhere(sofar, static_cast<control::Version>(m)) + kProbeGap;
    }
    out.changed.push_back(m == 0 ? Time::start() : now);
    out.begun.push_back(begin);
    now = begin + kProbeGap * static_cast<std::int64_t>(input.meshes[m].probes.size()) + kProbeTimeout + kAfterMesh;
  }
  out.end = now;
  return out;
}

class Prober {
 public:
  Prober(des::Simulator& simulator, dataplane::Network& network, transport::Transport& transport,
         dns::Resolver& resolver, const ProbeInput& input, const Schedule& times)
      : simulator_(simulator),
        network_(network),
        transport_(transport),
        resolver_(resolver),
        input_(input),
        times_(times),
        start_(simulator.on<&Prober::on_start>(*this, "probe")),
        deadline_(simulator.on<&Prober::on_deadline>(*this, "probe deadline")),
        source_(simulator.add_sources(2)),
        application_(transport.add_application<&Prober::on_transport>(*this)) {
    resolver.on_result<&Prober::on_lookup>(*this);
    for (const IpProtocol protocol : kProtocols) {
      transport.serve_all(protocol, application_);
    }
    for (const std::string& host : input.hosts) {
      hosts_.push_back(resolver.intern_host(host));
    }
    for (std::size_t m = 0; m < input.meshes.size(); ++m) {
      firsts_.push_back(static_cast<std::uint32_t>(states_.size()));
      for (std::size_t p = 0; p < input.meshes[m].probes.size(); ++p) {
        states_.push_back({.mesh = static_cast<std::uint32_t>(m)});
      }
    }
    schedule_start(0);
  }

  // After the run: what each probe came to.
  std::vector<PlayedMesh> take();

 private:
  enum class State : std::uint8_t { waiting, resolving, connecting, done };
  struct Progress {
    std::uint32_t mesh = 0;
    State state = State::waiting;
    Outcome outcome = Outcome::connect_timeout;
    Port server_port = {};
    IpAddress server = {};
    des::Timer deadline = {};
    dns::LookupHandle lookup = {};
    transport::SocketHandle socket = {};
  };

  const Probe& probe(std::uint32_t index) const {
    const std::uint32_t mesh = states_[index].mesh;
    return input_.meshes[mesh].probes[index - firsts_[mesh]];
  }
  void schedule_start(std::uint32_t index) {
    if (index < states_.size()) {
      const std::uint32_t mesh = states_[index].mesh;
      simulator_.at(times_.begun[mesh] + kProbeGap * static_cast<std::int64_t>(index - firsts_[mesh]), source_, start_,
                    index);
    }
  }
  // Of the place in its mesh alone: what does not change between steps meets the same draws.
  std::uint64_t identity(std::uint32_t index) const {
    return random::identity(states_[index].mesh, index - firsts_[states_[index].mesh]);
  }

  void on_start(std::uint32_t index);
  void on_deadline(std::uint32_t index);
  void on_transport(const transport::Event& event);
  void on_lookup(const dns::LookupResult& result);
  void dial(std::uint32_t index, IpAddress address);
  void end(std::uint32_t index, Outcome outcome);
  void serve(const transport::Event& event);

  des::Simulator& simulator_;
  dataplane::Network& network_;
  transport::Transport& transport_;
  dns::Resolver& resolver_;
  const ProbeInput& input_;
  const Schedule& times_;
  des::Kind start_;
  des::Kind deadline_;
  des::EventSource source_;
  transport::ApplicationId application_;
  std::vector<dns::HostId> hosts_;
  std::vector<std::uint32_t> firsts_;  // by mesh
  std::vector<Progress> states_;
};

void Prober::on_start(std::uint32_t index) {
  schedule_start(index + 1);
  Progress& it = states_[index];
  simulator_.arm(it.deadline, simulator_.now() + kProbeTimeout, source_.plus(1), deadline_, index);
  if (!probe(index).host) {
    dial(index, probe(index).address);
    return;
  }
  it.state = State::resolving;
  it.lookup = resolver_.start({.client = dataplane::End::pod(probe(index).source),
                               .host = hosts_[*probe(index).host],
                               .identity = identity(index),
                               .cookie = index,
                               .account = index});
}

void Prober::on_lookup(const dns::LookupResult& result) {
  const auto index = static_cast<std::uint32_t>(result.cookie);
  if (states_[index].state != State::resolving) {
    return;
  }
  if (result.status == dns::LookupStatus::found) {
    dial(index, result.addresses.front());
    return;
  }
  end(index, result.status == dns::LookupStatus::nxdomain ? Outcome::dns_nxdomain
             : result.status == dns::LookupStatus::nodata ? Outcome::dns_nodata
                                                          : Outcome::dns_timeout);
}

void Prober::dial(std::uint32_t index, IpAddress address) {
  Progress& it = states_[index];
  const Probe& asked = probe(index);
  if (address.is_unspecified()) {
    end(index, Outcome::unreachable);
    return;
  }
  it.state = State::connecting;
  const transport::ConnectOptions options{.source = dataplane::End::pod(asked.source),
                                          .destination = address,
                                          .port = asked.port,
                                          .identity = {.who = identity(index), .which = 0},
                                          .application = application_,
                                          .cookie = kCookie | index,
                                          .account = index};
  if (asked.protocol == IpProtocol::tcp) {
    it.socket = transport_.connect(options);
  } else {
    it.socket = transport_.open_datagrams(options, asked.protocol);
    transport_.send_datagram(it.socket, asked.protocol == IpProtocol::sctp ? kInitBytes : kDatagramBytes,
                             kCookie | index);
  }
  const transport::SocketInfo info = transport_.info(it.socket);
  it.server = info.translated;
  it.server_port = info.translated_port;
}

void Prober::serve(const transport::Event& event) {
  if (event.kind == transport::EventKind::peer_closed) {
    transport_.close(event.socket);
  } else if (event.kind == transport::EventKind::received && event.tag != 0) {
    const bool is_sctp = network_.flow(event.socket).protocol == IpProtocol::sctp;
    transport_.send_datagram(event.socket, is_sctp ? kInitAckBytes : kDatagramBytes, event.tag);
    transport_.close_udp(event.socket);
  }
}

void Prober::on_transport(const transport::Event& event) {
  if (event.cookie == 0) {
    serve(event);
    return;
  }
  const auto index = static_cast<std::uint32_t>(event.cookie);
  if (event.cookie >> 62 != 1 || states_[index].state != State::connecting) {
    return;
  }
  switch (event.kind) {
    case transport::EventKind::connected:
    case transport::EventKind::received:
      end(index, Outcome::ok);
      return;
    case transport::EventKind::failed: {
      const bool is_refused =
          event.failure == transport::Failure::refused || event.failure == transport::Failure::prohibited;
      if (probe(index).protocol == IpProtocol::tcp) {
        states_[index].socket = {};  // gone with the failure
      }
      end(index, is_refused                                         ? Outcome::refused
                 : event.failure == transport::Failure::unreachable ? Outcome::unreachable
                                                                    : Outcome::connect_timeout);
      return;
    }
    default:
      return;
  }
}

void Prober::on_deadline(std::uint32_t index) {
  const State state = states_[index].state;
  if (state == State::resolving) {
    resolver_.cancel(states_[index].lookup);
    end(index, Outcome::dns_timeout);
  } else if (state == State::connecting) {
    end(index, probe(index).protocol == IpProtocol::tcp ? Outcome::connect_timeout : Outcome::response_timeout);
  }
}

void Prober::end(std::uint32_t index, Outcome outcome) {
  Progress& it = states_[index];
  simulator_.cancel(it.deadline);
  it.state = State::done;
  it.outcome = outcome;
  if (it.socket.is_valid() && transport_.is_open(it.socket)) {
    if (probe(index).protocol == IpProtocol::tcp) {
      transport_.abort(it.socket);
    } else {
      transport_.close_udp(it.socket);
    }
  }
  simulator_.fingerprint().add(kFingerprintProbe + static_cast<std::uint32_t>(outcome), simulator_.now(),
                               identity(index));
}

std::vector<PlayedMesh> Prober::take() {
  std::vector<PlayedMesh> meshes;
  for (std::size_t m = 0; m < input_.meshes.size(); ++m) {
    meshes.push_back(
        {.changed = times_.changed[m].since_start(), .begun = times_.begun[m].since_start(), .answers = {}});
  }
  for (const Progress& it : states_) {
    PODWIRE_CHECK(it.state == State::done, "workload", "every probe ends");
    ProbeAnswer answer{.outcome = it.outcome, .server = it.server, .server_port = it.server_port};
    answer.verdict = it.outcome == Outcome::ok        ? ProbeVerdict::allowed
                     : it.outcome == Outcome::refused ? ProbeVerdict::refused
                                                      : ProbeVerdict::denied;
    meshes[it.mesh].answers.push_back(std::move(answer));
  }
  // A probe's packets are counted under its number. What is lost of an allowed one came after its answer.
  for (const dataplane::DropRow& row : network_.drops().rows()) {
    if (row.account >= states_.size()) {
      continue;
    }
    const std::uint32_t mesh = states_[row.account].mesh;
    ProbeAnswer& answer = meshes[mesh].answers[row.account - firsts_[mesh]];
    const bool is_policy =
        row.reason == dataplane::DropReason::policy_denied || row.reason == dataplane::DropReason::policy_unknown;
    if (answer.verdict == ProbeVerdict::allowed || (!is_policy && !answer.rule.empty())) {
      continue;
    }
    if (row.reason == dataplane::DropReason::policy_unknown) {
      answer.verdict = ProbeVerdict::unknown;
    } else if (row.reason == dataplane::DropReason::policy_denied && answer.verdict == ProbeVerdict::refused) {
      answer.verdict = ProbeVerdict::denied;  // a rejecting plugin's answer
    }
    const dataplane::DropText text = network_.describe(row);
    answer.rule = is_policy ? text.rule : text.reason;
    answer.where = text.where;
    answer.span = text.span;
  }
  return meshes;
}

// Pods come and go when a change is made, names when CoreDNS has heard of it.
class Steps {
 public:
  Steps(des::Simulator& simulator, const control::Timeline& timeline, dataplane::Network& network, dns::Zone& zone)
      : timeline_(timeline), network_(network), zone_(zone) {
    const des::Kind made = simulator.on<&Steps::on_made>(*this, "change");
    const des::Kind named = simulator.on<&Steps::on_named>(*this, "change of names");
    const des::EventSource source = simulator.add_sources(2);
    for (control::Version version = 1; version <= timeline.change_count(); ++version) {
      simulator.at(timeline.made(version), source, made, version);
      if (timeline.change(version).concerns_endpoints) {
        simulator.at(timeline.names_applied(version), source.plus(1), named, version);
      }
    }
  }
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;

 private:
  void on_made(std::uint32_t /*version*/) { network_.apply_change(); }
  void on_named(std::uint32_t version) { zone_.update(*timeline_.view(version).cluster); }

  const control::Timeline& timeline_;
  dataplane::Network& network_;
  dns::Zone& zone_;
};

}  // namespace

std::string_view to_string(ProbeVerdict verdict) {
  constexpr std::string_view kNames[] = {"allowed", "denied", "refused", "unknown"};
  return kNames[static_cast<std::size_t>(verdict)];
}

ProbeRun play_probes(const ProbeInput& input) {
  PODWIRE_CHECK(input.engine != nullptr, "workload", "probes have a policy engine");
  PODWIRE_CHECK(input.meshes.size() == (input.timeline == nullptr ? 1 : input.timeline->changes.size() + 1), "workload",
                "there is a mesh before the first change and one after each");
  control::TimelineInput changes;
  if (input.timeline != nullptr) {
    changes = *input.timeline;
  }
  const Schedule times = schedule(input, changes);
  PlayedCluster played({.engine = input.engine,
                        .timeline = input.timeline != nullptr ? &changes : nullptr,
                        .underlay = input.underlay,
                        .seed = input.seed,
                        .externals = input.externals});
  std::optional<Steps> steps;
  if (played.timeline) {
    steps.emplace(played.simulator, *played.timeline, played.network, played.dns.zone());
  }
  Prober prober(played.simulator, played.network, played.transport, played.dns.resolver(), input, times);
  played.simulator.run_until(times.end);
  PODWIRE_CHECK(played.network.audit().is_conserved(), "dataplane", "packets sent = delivered + dropped + in flight");
  return {.meshes = prober.take(),
          .events = played.simulator.event_count(),
          .fingerprint = played.simulator.fingerprint().value(),
          .notes = played.dns.notes()};
}

}  // namespace podwire::workload
