// See the header. The client is one state machine with one deadline; the record is the network's, put into words here.
#include "models/workload/trace.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/workload/clients.hpp"
#include "models/workload/played_cluster.hpp"
#include "sim/base/check.hpp"
#include "sim/random/draw.hpp"

namespace podwire::workload {
namespace {

using dataplane::TracedPacket;

constexpr Duration kPatience = Duration::from_ms(900);
constexpr std::uint32_t kDatagramBytes = 16;
constexpr std::uint32_t kInitBytes = 20;                   // RFC 9260 section 3.3.2, as probes send it
constexpr std::uint32_t kInitAckBytes = 20 + 4 + 200;      // likewise
constexpr std::uint64_t kCookie = std::uint64_t{1} << 62;  // no server's 0
constexpr std::uint32_t kLookupAccount = 0;
constexpr std::uint32_t kConnectionAccount = 1;

class Tracer {
 public:
  Tracer(des::Simulator& simulator, dataplane::Network& network, transport::Transport& transport, dns::Dns& dns,
         const TraceInput& input)
      : simulator_(simulator),
        network_(network),
        transport_(transport),
        resolver_(dns.resolver()),
        input_(input),
        start_(simulator.on<&Tracer::on_start>(*this, "trace")),
        deadline_(simulator.on<&Tracer::on_deadline>(*this, "trace deadline")),
        source_(simulator.add_sources(2)),
        application_(transport.add_application<&Tracer::on_transport>(*this)),
        client_(input.source.is_valid() ? dataplane::End::pod(input.source)
                                        : dataplane::End::external(network.external(input.external))) {
    resolver_.on_result<&Tracer::on_lookup>(*this);
    for (const IpProtocol protocol : kProtocols) {
      transport.serve_all(protocol, application_);
    }
    if (!input.host.empty()) {
      host_ = resolver_.intern_host(input.host);
    }
    simulator.at(Time::start(), source_, start_, 0);
  }

  TraceRun result;

 private:
  void on_start(std::uint32_t /*unused*/) {
    if (input_.host.empty()) {
      dial(input_.address);
      return;
    }
    resolver_.start({.client = client_,
                     .host = host_,
                     .identity = random::identity(0, 0),
                     .cookie = 0,
                     .account = kLookupAccount,
                     .is_traced = true});
  }

  void on_lookup(const dns::LookupResult& found) {
    result.lookup = found.elapsed;
    if (found.status != dns::LookupStatus::found || found.addresses.empty()) {
      end(found.status == dns::LookupStatus::found ? Outcome::dns_nodata : outcome_of(found.status));
      return;
    }
    result.resolved = found.addresses.front();
    dial(result.resolved);
  }

  void dial(IpAddress address) {
    if (address.is_unspecified()) {
      end(Outcome::unreachable);
      return;
    }
    simulator_.arm(timer_, simulator_.now() + kPatience, source_.plus(1), deadline_, 0);
    const transport::ConnectOptions options{.source = client_,
                                            .destination = address,
                                            .port = input_.port,
                                            .identity = {.who = random::identity(0, 0), .which = 0},
                                            .application = application_,
                                            .cookie = kCookie,
                                            .account = kConnectionAccount,
                                            .is_traced = true};
    if (input_.protocol == IpProtocol::tcp) {
      transport_.connect(options);
      return;
    }
    const transport::SocketHandle socket = transport_.open_datagrams(options, input_.protocol);
    transport_.send_datagram(socket, input_.protocol == IpProtocol::sctp ? kInitBytes : kDatagramBytes, kCookie);
  }

  void on_transport(const transport::Event& event) {
    using transport::EventKind;
    if (event.cookie == 0) {
      serve(event);
    } else if (event.kind == EventKind::connected || event.kind == EventKind::received) {
      end(Outcome::ok);
    } else if (event.kind == EventKind::failed) {
      const bool is_refused =
          event.failure == transport::Failure::refused || event.failure == transport::Failure::prohibited;
      end(is_refused                                         ? Outcome::refused
          : event.failure == transport::Failure::unreachable ? Outcome::unreachable
                                                             : Outcome::connect_timeout);
    }
  }

  void serve(const transport::Event& event) {
    if (event.kind == transport::EventKind::received && event.tag != 0) {
      const bool is_sctp = network_.flow(event.socket).protocol == IpProtocol::sctp;
      transport_.send_datagram(event.socket, is_sctp ? kInitAckBytes : kDatagramBytes, event.tag);
      transport_.close_udp(event.socket);
    }
  }

  void on_deadline(std::uint32_t /*unused*/) {
    end(input_.protocol == IpProtocol::tcp ? Outcome::connect_timeout : Outcome::response_timeout);
  }

  void end(Outcome outcome) {
    result.outcome = outcome;
    result.ended = simulator_.now().since_start();
    simulator_.stop();
  }

  des::Simulator& simulator_;
  dataplane::Network& network_;
  transport::Transport& transport_;
  dns::Resolver& resolver_;
  const TraceInput& input_;
  des::Kind start_;
  des::Kind deadline_;
  des::EventSource source_;
  transport::ApplicationId application_;
  dataplane::End client_;
  dns::HostId host_;
  des::Timer timer_;
};

// ---- the record in words

class Words {
 public:
  Words(const dataplane::Network& network, dns::Dns& dns, Time now) : network_(network), dns_(dns), now_(now) {}

  std::vector<PlayedPacket> packets(Duration ended, Outcome outcome) {
    std::vector<PlayedPacket> out;
    for (const TracedPacket& packet : network_.trace()) {
      // What the client sends on hearing the answer is no longer part of it.
      if (outcome == Outcome::ok && packet.sent.since_start() >= ended) {
        continue;
      }
      out.push_back(played(packet));
      const PlayedPacket& last = out.back();
      const auto same = std::find_if(out.begin(), out.end() - 1, [&](const PlayedPacket& other) {
        return last.fate == PacketFate::lost && other.fate == PacketFate::lost && other.what == last.what &&
               other.from_address == last.from_address && other.to_address == last.to_address &&
               other.reason == last.reason && other.where == last.where && other.rule == last.rule;
      });
      if (same != out.end() - 1) {
        out.back().repeats = static_cast<std::size_t>(same - out.begin());
      }
    }
    return out;
  }

 private:
  std::string name(dataplane::End end, IpAddress ip) const {
    switch (end.kind()) {
      case dataplane::End::Kind::pod:
        return network_.cluster().full_pod_name(end.pod_id());
      case dataplane::End::Kind::node:
        return network_.cluster().nodes[end.node_id().index()].name;
      default:
        return ip.to_string();
    }
  }

  static std::string with_port(IpAddress ip, Port port) {
    if (!port.is_valid()) {
      return ip.to_string();
    }
    return ip.is_v4() ? fmt::format("{}:{}", ip.to_string(), port.number())
                      : fmt::format("[{}]:{}", ip.to_string(), port.number());
  }

  std::string what(const TracedPacket& packet) {
    switch (packet.kind) {
      case dataplane::PacketKind::icmp_port_unreachable:
        return "ICMP port unreachable";
      case dataplane::PacketKind::icmp_prohibited:
        return "ICMP administratively prohibited";
      case dataplane::PacketKind::tcp:
        return (packet.account == kLookupAccount ? "DNS over TCP: " : "") + segment(packet.flags);
      default:
        break;
    }
    if (packet.account == kLookupAccount) {
      return packet.is_from_initiator ? question(packet.tag) : response(packet.tag);
    }
    if (packet.protocol == IpProtocol::sctp) {
      return packet.is_from_initiator ? "INIT" : "INIT ACK";
    }
    return packet.is_from_initiator ? "datagram" : "answer (assumed: the application answers)";
  }

  static std::string segment(std::uint8_t flags) {
    std::string text;
    const auto add = [&](std::uint8_t flag, std::string_view flag_name) {
      if ((flags & flag) != 0) {
        text += (text.empty() ? "" : "+") + std::string(flag_name);
      }
    };
    add(dataplane::kSyn, "SYN");
    add(dataplane::kFin, "FIN");
    add(dataplane::kRst, "RST");
    if ((flags & dataplane::kRst) == 0) {
      add(dataplane::kAck, "ACK");
    }
    return text;
  }

  std::string question(std::uint64_t tag) {
    const dns::Question asked = dns::Question::from_tag(tag);
    return fmt::format("DNS query {} {}", to_string(asked.type), dns_.names()[asked.name]);
  }

  std::string response(std::uint64_t tag) {
    const dns::Response told = dns::Response::from_tag(tag);
    const dns::Answer& answer = dns_.zone().answer(told.answer);
    std::string text = fmt::format("DNS answer {}: ", to_string(told.type));
    if (told.is_truncated) {
      return text + "cut";
    }
    if (answer.rcode != dns::Rcode::noerror) {
      return text + std::string(to_string(answer.rcode));
    }
    if (answer.addresses.empty()) {
      return text + "no address";
    }
    text += answer.addresses.front().to_string();
    return answer.addresses.size() == 1 ? text : fmt::format("{} and {} more", text, answer.addresses.size() - 1);
  }

  PlayedPacket played(const TracedPacket& packet) {
    PlayedPacket it;
    it.what = what(packet);
    it.is_dns = packet.account == kLookupAccount;
    it.from = name(packet.from, packet.from_ip);
    it.to = name(packet.to, packet.to_ip);
    it.from_address = with_port(packet.from_ip, packet.from_port);
    it.to_address = with_port(packet.to_ip, packet.to_port);
    if (!packet.dialled_ip.is_unspecified()) {
      it.dialled = with_port(packet.dialled_ip, packet.dialled_port);
    }
    it.bytes = packet.bytes;
    it.sent = packet.sent.since_start();
    it.ended = packet.end().since_start();
    it.fate = packet.is_lost              ? PacketFate::lost
              : packet.is_delivered(now_) ? PacketFate::delivered
                                          : PacketFate::under_way;
    if (packet.is_lost) {
      dataplane::DropText text = network_.describe(packet.loss);
      it.reason = std::move(text.reason);
      it.where = std::move(text.where);
      it.rule = std::move(text.rule);
      it.span = text.span;
    }
    for (const dataplane::TraceStep& step : packet.steps) {
      const dataplane::Place place{
          step.place.kind == dataplane::Place::Kind::port ? dataplane::Place::Kind::port : dataplane::Place::Kind::host,
          step.place.index};
      const std::string machine = network_.place_name(place);
      it.steps.push_back({.step = std::string(to_string(step.step)),
                          .where = step.pod.is_valid()
                                       ? fmt::format("{} on {}", network_.cluster().full_pod_name(step.pod), machine)
                                       : machine,
                          .at = step.start.since_start(),
                          .waited = step.wait,
                          .took = step.took(),
                          .cost = step.cost,
                          .latency = step.latency,
                          .first = step.first});
    }
    return it;
  }

  const dataplane::Network& network_;
  dns::Dns& dns_;
  Time now_;
};

}  // namespace

TraceRun play_trace(const TraceInput& input) {
  PlayedCluster played({.engine = input.engine,
                        .timeline = nullptr,
                        .underlay = input.underlay,
                        .seed = input.seed,
                        .externals = input.externals});
  Tracer tracer(played.simulator, played.network, played.transport, played.dns, input);
  played.simulator.run();
  PODWIRE_CHECK(played.network.audit().is_conserved(), "dataplane", "packets sent = delivered + dropped + in flight");
  TraceRun run = std::move(tracer.result);
  run.packets = Words(played.network, played.dns, played.simulator.now()).packets(run.ended, run.outcome);
  run.notes = played.dns.notes();
  return run;
}

}  // namespace podwire::workload
