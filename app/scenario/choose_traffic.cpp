// See the header.
#include "app/scenario/choose_traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "app/scenario/names.hpp"
#include "models/cluster/kinds.hpp"
#include "sim/base/check.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

using flows::FlowProtocol;
using flows::Nanoseconds;
using Kind = TrafficEnd::Kind;

constexpr double kMostRequests = 1'000'000;  // that a run plays unless told otherwise: seconds on one core
constexpr std::int64_t kShortestRun = 10;    // s
constexpr std::int64_t kLongestRun = 86'400;
// Below so many expected requests a Poisson loop may have none (e^-20 = 2e-9): such loops tick.
constexpr double kFewRequests = 20;
constexpr std::size_t kMostNamePart = 24;
constexpr std::size_t kExamples = 3;
constexpr std::string_view kPublicAddress = "203.0.113.1";  // what `external` stands for as a source
constexpr std::string_view kNotThere = "of pods that do not run in the dump";

// Multicast, loopback and broadcast (RFC 1122 section 3.2.1.3, RFC 4291 section 2.4): nobody outside answers there.
bool is_nowhere(IpAddress ip) {
  return ip.is_v4() ? ip.as_v4() >> 24 >= 224 || ip.as_v4() >> 24 == 127
                    : ip.high() >> 56 == 0xff || (ip.high() == 0 && ip.low() == 1);
}

/// Why no workload can play the pair; "" when one may.
std::string_view unplayable(const TrafficPair& pair) {
  const TrafficKey& key = pair.key;
  if (key.protocol > FlowProtocol::udp) {
    return key.protocol == FlowProtocol::sctp ? "SCTP, which workloads do not play"
                                              : "ICMP, which workloads do not play";
  }
  if (key.port == 0) {
    return "without a destination port";
  }
  if (key.source.kind == Kind::node) {
    return "from nodes themselves (kubelet's probes, pods on the host's network, what nodes forward): which pod is not "
           "told";
  }
  if (key.destination.kind == Kind::node) {
    return "to nodes, on ports where no pod of the dump is known to listen";
  }
  if (key.source.kind == Kind::service) {
    return "from a Service's address";
  }
  if (key.source.kind == Kind::private_network || key.destination.kind == Kind::private_network) {
    return "from or to private addresses that the log does not tell";
  }
  const auto is_outside = [](const TrafficEnd& end) {
    return end.kind == Kind::outside || end.kind == Kind::public_network;
  };
  if (is_outside(key.source) && is_outside(key.destination)) {
    return "between addresses outside the cluster";
  }
  if ((key.source.kind == Kind::outside && is_nowhere(key.source.network)) ||
      (key.destination.kind == Kind::outside && is_nowhere(key.destination.network))) {
    return "from or to multicast, broadcast or loopback addresses";
  }
  return "";
}

std::string host_text(IpAddress ip) {
  return ip.is_v4() ? ip.to_string() : fmt::format("[{}]", ip.to_string());
}

// Services that lead to one workload's port alone, where there is one such Service alone.
class Services {
 public:
  struct Way {
    cluster::ServiceId service;
    Port port;
  };

  explicit Services(const cluster::Cluster& cluster) {
    for (std::size_t s = 0; s < cluster.services.size(); ++s) {
      const cluster::Service& service = cluster.services[s];
      if (service.cluster_ip.is_unspecified() || service.is_headless || service.is_internal_local) {
        continue;
      }
      for (const cluster::ServicePort& port : service.ports) {
        add(cluster, cluster::ServiceId(s), port);
      }
    }
  }

  std::optional<Way> to(cluster::WorkloadId workload, IpProtocol protocol, std::uint16_t port) const {
    const auto found = ways_.find({workload.value(), protocol, port});
    return found == ways_.end() || found->second.size() != 1 ? std::nullopt : std::optional(found->second.front());
  }

 private:
  void add(const cluster::Cluster& cluster, cluster::ServiceId service, const cluster::ServicePort& port) {
    std::set<std::pair<std::uint32_t, std::uint16_t>> targets;
    bool is_ready = false;
    for (const cluster::Backend& backend : port.backends) {
      const std::uint32_t workload =
          backend.pod.is_valid() ? cluster.pods[backend.pod.index()].workload.value() : cluster::WorkloadId::kNone;
      targets.emplace(workload, backend.port.number());
      is_ready = is_ready || backend.is_ready;
    }
    if (is_ready && targets.size() == 1 && targets.begin()->first != cluster::WorkloadId::kNone) {
      const auto& [workload, target] = *targets.begin();
      ways_[{workload, port.protocol, target}].push_back({.service = service, .port = port.port});
    }
  }

  std::map<std::tuple<std::uint32_t, IpProtocol, std::uint16_t>, std::vector<Way>> ways_;
};

IpProtocol protocol_of(const TrafficKey& key) {
  return static_cast<IpProtocol>(key.protocol);
}

class Chooser {
 public:
  Chooser(const RecordedTraffic& traffic, const std::vector<flows::StrangerName>& strangers, std::size_t most)
      : traffic_(traffic), cluster_(traffic.cluster()), strangers_(strangers), most_(most), services_(cluster_) {}

  TrafficChoice choose() {
    choose_pairs();
    leave_out_the_rest();
    choose_run();
    PODWIRE_CHECK(accounted_ == traffic_.connections(), "scenario", "every connection is played or counted");
    return std::move(result_);
  }

 private:
  // `address` stands for an end outside.
  std::string end_text(const TrafficEnd& end, IpAddress address) const {
    return end.kind == Kind::outside          ? address.to_string()
           : end.kind == Kind::public_network ? "external"
                                              : traffic_end_name(cluster_, end);
  }

  std::string example(const TrafficPair& pair) const {
    const TrafficTally& tally = pair.passed.count > 0 ? pair.passed : pair.dropped;
    const auto text = [&](const TrafficEnd& end, IpAddress address) {
      switch (end.kind) {
        case Kind::node:
          return std::string("nodes");
        case Kind::public_network:
          return std::string("public addresses");
        case Kind::private_network:
          return std::string("private addresses");
        case Kind::outside:
          return address.is_unspecified() ? end.network.to_string() : address.to_string();
        default:
          return traffic_end_name(cluster_, end);
      }
    };
    const std::string ends = fmt::format("{} → {} {}", text(pair.key.source, tally.source),
                                         text(pair.key.destination, tally.destination), to_string(pair.key.protocol));
    return pair.key.port == 0 ? ends : fmt::format("{} {}", ends, pair.key.port);
  }

  void leave_out(std::string_view reason, std::uint64_t count, const std::string& what = {}) {
    if (count == 0) {
      return;
    }
    accounted_ += count;
    auto& all = result_.left_out;
    auto found = std::find_if(all.begin(), all.end(), [&](const LeftOutTraffic& it) { return it.reason == reason; });
    if (found == all.end()) {
      found = all.insert(all.end(), {.reason = std::string(reason)});
    }
    found->count += count;
    if (what.empty()) {
      return;
    }
    found->examples.emplace_back(count, what);
    std::stable_sort(found->examples.begin(), found->examples.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    if (found->examples.size() > kExamples) {
      found->examples.pop_back();
      found->has_more = true;
    }
  }

  // Most connections first; ids follow the names, so that equal ones have an order too.
  void choose_pairs() {
    std::vector<const TrafficPair*> passed;
    std::vector<const TrafficPair*> dropped;
    for (const TrafficPair& pair : traffic_.pairs()) {
      const std::string_view reason = unplayable(pair);
      if (!reason.empty()) {
        leave_out(reason, pair.count(), example(pair));
        continue;
      }
      leave_out("dropped, and not by policy", pair.dropped_otherwise, example(pair));
      if (pair.passed.count > 0) {
        passed.push_back(&pair);
      } else if (pair.dropped.count > 0) {
        dropped.push_back(&pair);
      }
    }
    const auto is_before = [](const TrafficPair* a, const TrafficPair* b) {
      const auto size = [](const TrafficPair* p) { return std::max(p->passed.count, p->dropped.count); };
      return size(a) != size(b) ? size(a) > size(b) : a->key < b->key;
    };
    std::sort(passed.begin(), passed.end(), is_before);
    std::sort(dropped.begin(), dropped.end(), is_before);
    for (const TrafficPair* pair : passed) {
      take(*pair);
    }
    for (const TrafficPair* pair : dropped) {
      take_dropped(*pair);
    }
  }

  void take(const TrafficPair& pair) {
    ++result_.passed_pairs;
    const std::uint64_t count = pair.passed.count + pair.dropped.count;
    if (result_.chosen.size() == most_) {
      ++result_.beyond_pairs;
      result_.beyond_flows += count;
      accounted_ += count;
      return;
    }
    ChosenPair it{
        .pair = &pair, .name = {}, .from = end_text(pair.key.source, pair.passed.source), .to = {}, .to_basis = {}};
    find_way(it);
    WorkloadFile file;
    file.spec.kind =
        pair.key.protocol == FlowProtocol::tcp ? workload::RequestKind::http : workload::RequestKind::udp_probe;
    file.to.text = it.to;
    Diagnostics problems;
    workload::WorkloadSpec spec = file.spec;
    const auto source = resolve_source(cluster_, {it.from, {}}, problems);
    if (source) {
      spec.from = *source;
    }
    if (!source || !resolve_target(cluster_, file, spec, problems)) {
      leave_out(kNotThere, count, example(pair));
      return;
    }
    it.name = name_of(pair);
    result_.chosen_flows += pair.passed.count;
    accounted_ += count;
    result_.chosen.push_back(std::move(it));
  }

  void take_dropped(const TrafficPair& pair) {
    const TrafficEnd& destination = pair.key.destination;
    DroppedPair it{.pair = &pair,
                   .from = end_text(pair.key.source, pair.dropped.source),
                   .to = destination.kind == Kind::public_network ? std::string(kPublicAddress)
                                                                  : end_text(destination, pair.dropped.destination)};
    Diagnostics problems;
    if (!resolve_connection(cluster_, {it.from, {}}, {it.to, {}}, protocol_of(pair.key), Port(pair.key.port),
                            problems)) {
      leave_out(kNotThere, pair.dropped.count, example(pair));
      return;
    }
    result_.dropped_flows += pair.dropped.count;
    accounted_ += pair.dropped.count;
    ++result_.dropped_pairs;
    if (result_.dropped.size() < most_) {
      result_.dropped.push_back(std::move(it));
    }
  }

  void find_way(ChosenPair& it) const {
    const TrafficKey& key = it.pair->key;
    if (key.destination.kind == Kind::outside) {
      it.to = fmt::format("{}:{}", host_text(it.pair->passed.destination), key.port);
      it.to_basis = fmt::format("detected; what lies outside answers{}",
                                it.pair->passed.has_more_addresses ? ", and this address stands for its network" : "");
      return;
    }
    if (key.destination.kind == Kind::public_network) {
      it.to = fmt::format("{}:{}", kPublicAddress, key.port);
      it.to_basis = "assumed: the log does not tell public addresses";
      return;
    }
    it.to = fmt::format("{}:{}", traffic_end_name(cluster_, key.destination), key.port);
    it.to_basis = "detected";
    if (key.destination.kind != Kind::workload) {
      return;
    }
    const cluster::WorkloadId target(key.destination.id);
    const auto way = key.source == key.destination ? std::nullopt : services_.to(target, protocol_of(key), key.port);
    if (!way) {
      const auto& pods = cluster_.workloads[target.index()].pods;
      it.needs_listener = std::any_of(pods.begin(), pods.end(), [&](cluster::PodId pod) {
        return !cluster_.listens(pod, protocol_of(key), Port(key.port));
      });
      return;
    }
    const cluster::Service& service = cluster_.services[way->service.index()];
    const std::string& name_space = cluster_.namespaces[service.name_space.index()].name;
    const bool by_name = key.source.kind == Kind::workload && traffic_.asks_dns(cluster::WorkloadId(key.source.id));
    it.to = by_name
                ? fmt::format("{}.{}.svc.{}:{}", service.name, name_space, cluster_.cluster_domain, way->port.number())
                : fmt::format("{}/service/{}:{}", name_space, service.name, way->port.number());
    it.to_basis = fmt::format("assumed: {} on {}, detected, is dialled by its one Service{}",
                              traffic_end_name(cluster_, key.destination), key.port,
                              by_name ? ", by name, since lookups were seen" : "");
  }

  std::string name_of(const TrafficPair& pair) {
    const auto part = [&](const TrafficEnd& end) {
      std::string name = end.kind == Kind::workload  ? cluster_.workloads[end.id].name
                         : end.kind == Kind::service ? cluster_.services[end.id].name
                                                     : std::string("outside");
      for (char& c : name) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        c = is_plain ? c : '-';
      }
      return name.substr(0, kMostNamePart);
    };
    const std::string stem =
        fmt::format("{}-to-{}-{}", part(pair.key.source), part(pair.key.destination), pair.key.port);
    std::string name = stem;
    for (int i = 2; !names_.insert(name).second; ++i) {
      name = fmt::format("{}.{}", stem, i);
    }
    return name;
  }

  // As long as the flows were observed, unless that were too many requests; rare pairs are played in any case.
  void choose_run() {
    const Nanoseconds length = traffic_.connections() == 0 ? 0 : traffic_.last() - traffic_.first();
    result_.has_window = length >= flows::kSecond;
    result_.window = std::max(1.0, static_cast<double>(length) / static_cast<double>(flows::kSecond));
    const double per_second = static_cast<double>(result_.chosen_flows) / result_.window;
    const double most = per_second > 0 ? std::max(1.0, kMostRequests / per_second) : static_cast<double>(kLongestRun);
    // Whole seconds, and not shorter than what was observed.
    const auto seconds = static_cast<std::int64_t>(std::min(result_.window, static_cast<double>(kLongestRun)));
    const std::int64_t whole = seconds + (static_cast<double>(seconds) < result_.window ? 1 : 0);
    result_.duration = std::clamp(whole, kShortestRun, kLongestRun);
    if (static_cast<double>(result_.duration) > most) {
      result_.duration = static_cast<std::int64_t>(most);
    }
    result_.is_shortened = static_cast<double>(result_.duration) < result_.window;
    for (ChosenPair& it : result_.chosen) {
      it.observed = static_cast<double>(it.pair->passed.count) / result_.window;
      it.rate = std::max(it.observed, 1.0 / static_cast<double>(result_.duration));
      it.is_constant = it.rate * static_cast<double>(result_.duration) < kFewRequests;
    }
  }

  void leave_out_the_rest() {
    leave_out("lookups, since podwire plays its own DNS", traffic_.lookups());
    for (std::size_t id = 0; id < traffic_.unmapped().size(); ++id) {
      if (const std::uint64_t count = traffic_.unmapped()[id]; count > 0) {
        const flows::StrangerName& stranger = strangers_[id];
        leave_out(fmt::format("with an end that is not known ({})", to_string(stranger.reason)), count,
                  printable(stranger.text, 80));
      }
    }
    leave_out("of further pairs, which there was no room for", traffic_.overflow());
  }

  const RecordedTraffic& traffic_;
  const cluster::Cluster& cluster_;
  const std::vector<flows::StrangerName>& strangers_;
  std::size_t most_;
  Services services_;
  TrafficChoice result_;
  std::set<std::string> names_;
  std::uint64_t accounted_ = 0;
};

}  // namespace

std::string LeftOutTraffic::text() const {
  std::string line = reason;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    line += fmt::format("{}{} ({})", i == 0 ? ": " : ", ", examples[i].second, examples[i].first);
  }
  return has_more ? line + ", …" : line;
}

std::string traffic_end_name(const cluster::Cluster& cluster, const TrafficEnd& end) {
  if (end.kind == Kind::service) {
    const cluster::Service& service = cluster.services[end.id];
    return fmt::format("{}/service/{}", cluster.namespaces[service.name_space.index()].name, service.name);
  }
  const cluster::Workload& workload = cluster.workloads[end.id];
  return fmt::format("{}/{}/{}", cluster.namespaces[workload.name_space.index()].name,
                     cluster::find_kind_by_word(to_string(workload.kind))->singular, workload.name);
}

TrafficChoice choose_traffic(const RecordedTraffic& traffic, const std::vector<flows::StrangerName>& strangers,
                             std::size_t most_workloads) {
  return Chooser(traffic, strangers, most_workloads).choose();
}

}  // namespace podwire::scenario
