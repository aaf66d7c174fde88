#include "models/flows/merge.hpp"

#include <algorithm>
#include <bit>

namespace podwire::flows {
namespace {

constexpr std::size_t kMostReasons = 256;
constexpr std::size_t kMostReasonText = 80;  // bytes
// Ports that clients are given: Linux's net.ipv4.ip_local_port_range begins here.
constexpr std::uint16_t kFirstClientPort = 32'768;

void set(Recorded& field, Recorded verdict, bool& is_contradictory) {
  if (field != Recorded::unknown && field != verdict) {
    is_contradictory = true;
    field = Recorded::dropped;
  } else {
    field = verdict;
  }
}

End without_notes(End end) {
  end.has_new_labels = false;
  return end;
}

}  // namespace

std::size_t Merger::KeyHash::operator()(const Key& key) const noexcept {
  const auto mix = [](std::uint64_t hash, std::uint64_t value) {
    hash = (hash ^ value) * 0x9e37'79b9'7f4a'7c15u;
    return hash ^ (hash >> 29);
  };
  std::uint64_t hash = 0;
  for (const End* const end : {&key.source, &key.destination}) {
    hash = mix(hash, std::uint64_t{end->id} << 8 | static_cast<std::uint64_t>(end->kind));
    hash = mix(hash, end->ip.low() ^ end->ip.high());
  }
  return static_cast<std::size_t>(mix(hash, std::uint64_t{key.source_port} << 32 |
                                                std::uint64_t{key.destination_port} << 16 |
                                                static_cast<std::uint64_t>(key.protocol)));
}

Merger::Merger(const cluster::Cluster& cluster, Sink sink, MergeOptions options)
    : cluster_(cluster), sink_(std::move(sink)), options_(options), ring_(std::bit_ceil(options.most_held)) {}

bool Merger::answers_on(const End& end, FlowProtocol protocol, std::uint16_t port) const {
  if (protocol > FlowProtocol::sctp || port == 0) {
    return false;
  }
  if (end.kind == EndKind::pod) {
    return cluster_.listens(cluster::PodId(end.id), static_cast<IpProtocol>(protocol), Port(port));
  }
  if (end.kind == EndKind::service) {
    const auto& ports = cluster_.services[end.id].ports;
    return std::any_of(ports.begin(), ports.end(), [&](const cluster::ServicePort& p) {
      return p.port.number() == port && p.protocol == static_cast<IpProtocol>(protocol);
    });
  }
  return port < 1024;  // of an address that says nothing of itself: the ports of system services (RFC 6335)
}

bool Merger::is_reply(const Flow& flow, const Key& key) {
  if (flow.is_reply != Known::unknown) {
    statistics_.replies += flow.is_reply == Known::yes ? 1 : 0;
    return flow.is_reply == Known::yes;
  }
  if (flow.source_port == 0) {
    return false;
  }
  const Key reversed{key.destination, key.source, key.destination_port, key.source_port, key.icmp_type, key.protocol};
  const bool is_answer =
      by_key_.contains(reversed) || (flow.destination_port >= kFirstClientPort && flow.source_port < kFirstClientPort &&
                                     answers_on(key.source, flow.protocol, flow.source_port) &&
                                     !answers_on(key.destination, flow.protocol, flow.destination_port));
  statistics_.assumed_replies += is_answer ? 1 : 0;
  return is_answer;
}

std::uint32_t Merger::reason_of(std::string_view text) {
  text = text.substr(0, kMostReasonText);
  const auto found = std::find(reasons_.begin(), reasons_.end(), text);
  if (found != reasons_.end() || reasons_.size() >= kMostReasons) {
    return found == reasons_.end() ? 0 : static_cast<std::uint32_t>(found - reasons_.begin());
  }
  reasons_.emplace_back(text);
  return static_cast<std::uint32_t>(reasons_.size() - 1);
}

void Merger::note(Connection& connection, const Flow& flow) {
  if (flow.verdict == Recorded::dropped) {
    connection.drop_reason = reason_of(flow.drop_reason);
  }
  if (flow.verdict == Recorded::dropped && flow.drop_cause != DropCause::policy) {
    connection.dropped_otherwise = true;
  } else if (flow.verdict != Recorded::unknown) {
    Recorded& field = flow.reporter == Reporter::egress    ? connection.egress
                      : flow.reporter == Reporter::ingress ? connection.ingress
                                                           : connection.overall;
    set(field, flow.verdict, connection.is_contradictory);
  }
}

void Merger::give_out() {
  Held& oldest = ring_[begin_ & (ring_.size() - 1)];
  if (oldest.is_known) {
    by_key_.erase(oldest.key);
  }
  ++begin_;
  ++statistics_.connections;
  sink_(oldest.connection);
}

void Merger::hold(const Key& key, Connection connection, bool is_known) {
  if (end_ - begin_ == ring_.size()) {
    ++statistics_.evicted;
    give_out();
  }
  ring_[end_ & (ring_.size() - 1)] = {key, connection, is_known};
  if (is_known) {
    by_key_[key] = end_;
  }
  ++end_;
}

void Merger::add(const Flow& flow, const End& source, const End& destination, std::uint32_t file, std::uint64_t line) {
  ++statistics_.records;
  const Key key{without_notes(source), without_notes(destination),
                flow.source_port,      flow.destination_port,
                flow.icmp_type,        flow.protocol};
  if (is_reply(flow, key)) {
    return;
  }
  if (now_ == kNoTime || flow.time > now_) {
    now_ = flow.time;
  } else if (flow.time < now_ - 2 * options_.window) {
    ++statistics_.restarts;
    finish();
    now_ = flow.time;
  }
  while (begin_ < end_ && ring_[begin_ & (ring_.size() - 1)].connection.first < now_ - options_.window) {
    give_out();
  }
  // Without ports of its own a record stands for many connections: only the other side's report of them is the same.
  const bool is_mergeable = flow.source_port != 0 || flow.is_aggregate || flow.protocol > FlowProtocol::sctp;
  if (const auto found = is_mergeable ? by_key_.find(key) : by_key_.end(); found != by_key_.end()) {
    Held& held = ring_[found->second & (ring_.size() - 1)];
    Connection& known = held.connection;
    const Recorded same_side = flow.reporter == Reporter::egress    ? known.egress
                               : flow.reporter == Reporter::ingress ? known.ingress
                                                                    : known.overall;
    if (!flow.is_aggregate || same_side == Recorded::unknown) {
      ++statistics_.merged;
      ++known.records;
      known.first = std::min(known.first, flow.time);
      known.last = std::max(known.last, flow.time);
      known.source.has_new_labels = known.source.has_new_labels || source.has_new_labels;
      known.destination.has_new_labels = known.destination.has_new_labels || destination.has_new_labels;
      note(known, flow);
      return;
    }
    held.is_known = false;
    by_key_.erase(found);
  }
  Connection connection;
  connection.first = connection.last = flow.time;
  connection.source = source;
  connection.destination = destination;
  connection.protocol = flow.protocol;
  connection.destination_port = flow.destination_port;
  connection.icmp_type = flow.icmp_type;
  connection.file = file;
  connection.line = line;
  note(connection, flow);
  hold(key, connection, is_mergeable);
}

void Merger::finish() {
  while (begin_ < end_) {
    give_out();
  }
}

}  // namespace podwire::flows
