#include "models/analysis/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "models/analysis/reach.hpp"
#include "models/policy/compiled.hpp"
#include "sim/base/text.hpp"

namespace podwire::analysis {

namespace {

using policy::Action;
using policy::Direction;
using policy::Peer;

Action worse(Action a, Action b) {
  if (a == Action::unknown || b == Action::unknown) {
    return Action::unknown;
  }
  return a == Action::allow && b == Action::allow ? Action::allow : Action::deny;
}

/// One end of a path at a port: an address, or pods that no policy can tell apart.
struct PathEnd {
  Peer peer;  // of the first pod
  Port port;
  std::vector<cluster::PodId> pods = {};  // none for an address
  std::uint32_t count() const { return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(pods.size())); }
};

class ConnectionExplainer {
 public:
  ConnectionExplainer(policy::PolicyEngine& engine, Span span, Diagnostics& diagnostics, const OutsideNames& outside,
                      const EntryPoints* entries)
      : engine_(engine),
        cluster_(engine.cluster()),
        span_(span),
        diagnostics_(diagnostics),
        outside_(outside),
        entries_(entries) {}

  std::optional<ConnectionExplanation> run(std::string_view source_text, std::string_view destination_text) {
    const auto source = cluster::resolve_name(cluster_, source_text, true, span_, diagnostics_);
    const auto wanted = parse_destination(destination_text, span_, diagnostics_);
    if (!wanted) {
      return std::nullopt;
    }
    const auto destination = cluster::resolve_name(cluster_, wanted->name, false, span_, diagnostics_);
    if (!source || !destination) {
      return std::nullopt;
    }
    if (source->kind == cluster::NamedTarget::Kind::service) {
      diagnostics_.error("not-a-source", fmt::format("Service {} opens no connections", printable(source_text)), span_,
                         "name the workload or pod behind it");
      return std::nullopt;
    }
    result_.protocol = wanted->protocol;
    result_.port = wanted->port;
    const std::vector<PathEnd> sources = ends_of(*source, Port(), result_.source_name);
    const std::optional<std::vector<PathEnd>> destinations = destinations_of(*destination, *wanted);
    if (!destinations) {
      return std::nullopt;
    }
    if (result_.answer != Answer::external) {
      if (comes_through_nodes(sources)) {
        add_paths_through_nodes(*destinations);
      } else {
        add_paths(sources, *destinations);
      }
      decide();
    }
    return std::move(result_);
  }

 private:
  /// Pods, one for each kind that policies can tell apart; those that have finished are left out where the profile
  /// ignores them.
  std::vector<PathEnd> ends_of_pods(const std::vector<cluster::PodId>& pods, Port port) {
    std::vector<PathEnd> ends;
    std::vector<policy::PodEntry> entries;
    for (const cluster::PodId pod : pods) {
      const policy::PodEntry& entry = engine_.view().pods[pod.index()];
      if (is_left_out(engine_, pod) && pods.size() > 1) {
        continue;
      }
      const auto known = std::find(entries.begin(), entries.end(), entry);
      const std::size_t at = static_cast<std::size_t>(known - entries.begin());
      if (known != entries.end() && ends[at].port == port) {
        ends[at].pods.push_back(pod);
        continue;
      }
      entries.push_back(entry);
      ends.push_back({.peer = peer_of(pod), .port = port, .pods = {pod}});
    }
    return ends;
  }

  Peer peer_of(cluster::PodId pod) const { return {.pod = pod, .ip = cluster_.pods[pod.index()].ip}; }

  Peer peer_at(IpAddress ip) const {
    if (const cluster::PodId pod = cluster_.pod_at(ip); pod.is_valid()) {
      return {.pod = pod, .ip = ip};
    }
    return {.node = cluster_.node_at(ip), .ip = ip};
  }

  std::vector<PathEnd> ends_of(const cluster::NamedTarget& target, Port port, std::string& name) {
    switch (target.kind) {
      case cluster::NamedTarget::Kind::workload: {
        const cluster::Workload& workload = cluster_.workloads[target.workload.index()];
        name = cluster_.workload_name(target.workload);
        if (workload.pods.empty()) {
          result_.notes.push_back(fmt::format("{} has no pods", printable(name)));
        }
        return ends_of_pods(workload.pods, port);
      }
      case cluster::NamedTarget::Kind::pod:
        name = cluster_.full_pod_name(target.pod);
        return ends_of_pods({target.pod}, port);
      default: {
        const Peer peer = peer_at(target.address);
        name = peer.pod.is_valid() ? cluster_.full_pod_name(peer.pod) : target.address.to_string();
        return {{.peer = peer, .port = port}};
      }
    }
  }

  std::optional<std::vector<PathEnd>> destinations_of(const cluster::NamedTarget& target,
                                                      const DestinationText& wanted) {
    cluster::ServiceId service = target.service;
    if (target.kind == cluster::NamedTarget::Kind::address) {
      service = cluster_.service_at(target.address);
    }
    if (service.is_valid()) {
      return backends_of(service, wanted);
    }
    std::vector<PathEnd> ends = ends_of(target, wanted.port, result_.destination_name);
    if (wanted.port_name.empty()) {
      return ends;
    }
    // A port's name means what each pod says it means.
    bool is_known = ends.empty();
    for (PathEnd& end : ends) {
      if (end.peer.pod.is_valid()) {
        end.port = cluster_.named_port(cluster_.pods[end.peer.pod.index()].shape, wanted.protocol, wanted.port_name);
      }
      is_known = is_known || end.port.is_valid();
    }
    if (!is_known) {
      unknown_port_name(wanted, result_.destination_name);
      return std::nullopt;
    }
    std::erase_if(ends, [](const PathEnd& end) { return !end.port.is_valid(); });
    result_.port = ends.empty() ? Port() : ends.front().port;
    return ends;
  }

  void unknown_port_name(const DestinationText& wanted, const std::string& whom) {
    diagnostics_.error("unknown-port-name",
                       fmt::format("{} has no {} port named \"{}\"", printable(whom), to_string(wanted.protocol),
                                   printable(wanted.port_name)),
                       span_);
  }

  std::optional<std::vector<PathEnd>> backends_of(cluster::ServiceId id, const DestinationText& wanted) {
    const cluster::Service& service = cluster_.services[id.index()];
    result_.service = id;
    result_.destination_name = cluster_.service_name(id);
    const std::string name = "Service " + printable(result_.destination_name);
    if (service.type == cluster::ServiceType::external_name) {
      return follow_alias(service, wanted, name);
    }
    if (service.is_headless && wanted.port_name.empty()) {
      return headless_ends(service, wanted, name);
    }
    const auto port = std::find_if(service.ports.begin(), service.ports.end(), [&](const cluster::ServicePort& p) {
      return p.protocol == wanted.protocol &&
             (wanted.port_name.empty() ? p.port == wanted.port : p.name == wanted.port_name);
    });
    if (port == service.ports.end()) {
      if (!wanted.port_name.empty()) {
        unknown_port_name(wanted, name);
        return std::nullopt;
      }
      result_.notes.push_back(fmt::format("{} has no port {} {}: nothing answers{}", name, to_string(wanted.protocol),
                                          wanted.port.number(), ports_of(service)));
      return std::vector<PathEnd>();
    }
    result_.port = port->port;
    return usable(service, port->backends, name, *port);
  }

  /// "; its ports are TCP 80 (http), UDP 53": the first few.
  static std::string ports_of(const cluster::Service& service) {
    constexpr std::size_t kShown = 5;
    std::vector<std::string> texts;
    for (const cluster::ServicePort& port : service.ports) {
      if (texts.size() == kShown) {
        texts.emplace_back("…");
        break;
      }
      texts.push_back(fmt::format("{} {}{}", to_string(port.protocol), port.port.number(),
                                  port.name.empty() ? "" : " (" + printable(port.name) + ")"));
    }
    return texts.empty() ? ""
                         : fmt::format("; its port{} {}", texts.size() == 1 ? " is" : "s are", fmt::join(texts, ", "));
  }

  /// An ExternalName is a name in DNS and translates nothing: what is dialled is what that name stands for.
  std::optional<std::vector<PathEnd>> follow_alias(const cluster::Service& alias, const DestinationText& wanted,
                                                   const std::string& name) {
    std::string target = alias.external_name;
    std::transform(target.begin(), target.end(), target.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    target.erase(target.find_last_not_of('.') + 1);
    constexpr int kMostLinks = 8;  // CoreDNS follows as many (plugin/pkg/upstream)
    if (const cluster::ServiceId service = service_named(target); service.is_valid() && ++links_ <= kMostLinks) {
      result_.notes.push_back(fmt::format("{} is an alias of {}, a Service of this cluster", name, printable(target)));
      return backends_of(service, wanted);
    }
    if (const auto declared = outside_.find(target); declared != outside_.end() && !declared->second.empty()) {
      std::vector<PathEnd> ends;
      for (const IpAddress& address : declared->second) {
        ends.push_back({.peer = peer_at(address), .port = wanted.port});
      }
      result_.notes.push_back(fmt::format("{} is an alias of {}, which the scenario gives {} address{}", name,
                                          printable(target), ends.size(), ends.size() == 1 ? "" : "es"));
      if (!wanted.port_name.empty()) {
        unknown_port_name(wanted, name);
        return std::nullopt;
      }
      return ends;
    }
    result_.answer = Answer::external;
    result_.notes.push_back(
        fmt::format("{} is an alias of {}; policies judge the address that name resolves to (a scenario can declare it "
                    "under cluster.dns.externals)",
                    name, printable(alias.external_name)));
    return std::vector<PathEnd>();
  }

  /// `<service>.<namespace>.svc.<cluster domain>`, or none.
  cluster::ServiceId service_named(std::string_view target) const {
    const std::string ending = ".svc." + cluster_.cluster_domain;
    if (!target.ends_with(ending)) {
      return {};
    }
    target.remove_suffix(ending.size());
    const std::size_t dot = target.find('.');
    if (dot == std::string_view::npos || target.find('.', dot + 1) != std::string_view::npos) {
      return {};
    }
    const cluster::NamespaceId name_space = cluster_.find_namespace(target.substr(dot + 1));
    return name_space.is_valid() ? cluster_.find_service(name_space, target.substr(0, dot)) : cluster::ServiceId();
  }

  /// The name resolves to the pods themselves: no translation, the port stays.
  std::vector<PathEnd> headless_ends(const cluster::Service& service, const DestinationText& wanted,
                                     const std::string& name) {
    result_.notes.push_back(
        fmt::format("{} is headless: its name resolves to its pods, and the port is not translated", name));
    std::vector<cluster::Backend> backends = service.portless_backends;
    for (const cluster::ServicePort& port : service.ports) {
      backends.insert(backends.end(), port.backends.begin(), port.backends.end());
    }
    std::vector<PathEnd> ends;
    std::vector<IpAddress> seen;
    for (const cluster::Backend& backend : backends) {
      const bool is_published = backend.is_ready || service.publishes_not_ready;
      if (is_published && std::find(seen.begin(), seen.end(), backend.ip) == seen.end()) {
        seen.push_back(backend.ip);
        add_backend(ends, backend, wanted.port);
      }
    }
    if (ends.empty()) {
      result_.notes.push_back(fmt::format("{} has no ready pods: its name does not resolve", name));
    }
    return ends;
  }

  std::vector<PathEnd> usable(const cluster::Service& service, const std::vector<cluster::Backend>& backends,
                              const std::string& name, const cluster::ServicePort& port) {
    std::vector<PathEnd> ends;
    std::uint32_t count = 0;
    std::vector<Port> ports;
    for (const cluster::Backend& backend : backends) {
      if (backend.is_ready || service.publishes_not_ready) {
        add_backend(ends, backend, backend.port);
        ports.push_back(backend.port);
        ++count;
      }
    }
    if (ends.empty()) {
      result_.notes.push_back(fmt::format("{} has no ready endpoint for {} {}: connections are rejected", name,
                                          to_string(port.protocol), port.port.number()));
      return ends;
    }
    std::sort(ports.begin(), ports.end());
    ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
    std::vector<std::uint16_t> numbers;
    for (const Port number : ports) {
      numbers.push_back(number.number());
    }
    result_.notes.push_back(fmt::format(
        "{} sends {} {} to port {} of {} {}; {}", name, to_string(port.protocol), port.port.number(),
        fmt::join(numbers, " or "), count, count == 1 ? "backend" : "backends",
        engine_.profile().policy.enforcement_point == cni::EnforcementPoint::before_dnat ? before_translation_text()
                                                                                         : "policies see that port"));
    return ends;
  }

  std::string_view before_translation_text() const {
    return engine_.profile().policy.selectors_open_services
               ? "egress rules see the Service's port, those of selectors by the port it leads to; ingress policies "
                 "see that one"
               : "egress policies see the Service's port, ingress policies that one";
  }

  void add_backend(std::vector<PathEnd>& ends, const cluster::Backend& backend, Port port) {
    const Peer peer = backend.pod.is_valid() ? Peer{.pod = backend.pod, .ip = backend.ip} : peer_at(backend.ip);
    for (PathEnd& end : ends) {
      if (end.port == port && end.peer.ip.family() == peer.ip.family() && fares_as(end.peer, peer)) {
        end.pods.push_back(peer.pod);
        return;
      }
    }
    ends.push_back({.peer = peer, .port = port});
    if (peer.pod.is_valid()) {
      ends.back().pods.push_back(peer.pod);
    }
  }

  bool fares_as(const Peer& a, const Peer& b) const {
    if (!a.pod.is_valid() || !b.pod.is_valid()) {
      return false;
    }
    const policy::PodPages& pods = engine_.view().pods;
    return pods[a.pod.index()] == pods[b.pod.index()];
  }

  void add_paths(const std::vector<PathEnd>& sources, const std::vector<PathEnd>& destinations) {
    for (const PathEnd& source : sources) {
      for (const PathEnd& destination : destinations) {
        for (const auto& [from, to] : representatives(source, destination)) {
          add_path(source, from, destination, to);
        }
        add_hairpin(source, destination);
      }
    }
  }

  /// Whether the pods behind the Service see a node instead of the client, which is outside; notes how it comes in.
  bool comes_through_nodes(const std::vector<PathEnd>& sources) {
    if (entries_ == nullptr || !result_.service.is_valid() || sources.size() != 1 || sources[0].peer.pod.is_valid() ||
        sources[0].peer.node.is_valid()) {
      return false;
    }
    const std::string name = printable(cluster_.service_name(result_.service));
    const EntryPoint* way = nullptr;
    for (const EntryPoint& point : entries_->points) {
      const bool is_of_service =
          point.kind != EntryPoint::Kind::ingress && point.kind != EntryPoint::Kind::http_route &&
          point.service_namespace + "/" + point.service == cluster_.service_name(result_.service);
      if (is_of_service && point.protocol == result_.protocol && point.port_number == result_.port) {
        way = &point;
      }
    }
    if (way == nullptr) {
      result_.notes.push_back(
          fmt::format("nothing exposes Service {} outside the cluster: what follows is what policies "
                      "say of a client that reaches its pods with its own address",
                      name));
      return false;
    }
    const IpAddress client = sources[0].peer.ip;
    const bool is_let_in = way->sources.empty() || std::any_of(way->sources.begin(), way->sources.end(),
                                                               [&](const Cidr& cidr) { return cidr.contains(client); });
    if (!is_let_in) {
      result_.notes.push_back(
          fmt::format("loadBalancerSourceRanges of Service {} do not hold {}", name, client.to_string()));
    }
    if (!way->is_local) {
      result_.notes.push_back(fmt::format(
          "from outside, what Service {} receives arrives from the address of the node that it came through "
          "(externalTrafficPolicy Cluster), not from {}",
          name, client.to_string()));
    }
    return !way->is_local;
  }

  /// For each end its own node and, of the others, one for each address that policies tell apart.
  void add_paths_through_nodes(const std::vector<PathEnd>& destinations) {
    for (const PathEnd& destination : destinations) {
      std::set<std::pair<bool, std::uint32_t>> seen;
      for (const Peer& to : peers_of(destination)) {
        for (std::size_t n = 0; n < cluster_.nodes.size(); ++n) {
          const cluster::NodeId node(n);
          const auto& addresses = cluster_.nodes[n].addresses;
          const auto address = std::find_if(addresses.begin(), addresses.end(),
                                            [&](const IpAddress& ip) { return ip.family() == to.ip.family(); });
          if (address != addresses.end() &&
              seen.emplace(node == node_of(to), engine_.atom_of(*address).value()).second) {
            const PathEnd source{.peer = {.node = node, .ip = *address}, .port = Port()};
            add_path(source, source.peer, destination, to);
          }
        }
      }
    }
    if (result_.paths.empty() && !destinations.empty()) {
      result_.notes.push_back("no node has an address that is known");
      is_way_unknown_ = true;
    }
  }

  /// A pod among its own Service's backends is sent to itself now and then: a way of its own where it fares otherwise.
  void add_hairpin(const PathEnd& source, const PathEnd& destination) {
    const cluster::PodId own = source.peer.pod;
    const bool is_backend = own.is_valid() && result_.service.is_valid() && destination.pods.size() > 1 &&
                            std::find(destination.pods.begin(), destination.pods.end(), own) != destination.pods.end();
    if (!is_backend || result_.paths.empty()) {
      return;
    }
    const Action others = result_.paths.back().action;
    add_path(source, source.peer, destination, source.peer);
    if (result_.paths.back().action == others) {
      result_.paths.pop_back();
      return;
    }
    result_.paths.back().source_pods = 1;
    result_.paths.back().destination_pods = 1;
    result_.notes.push_back(
        fmt::format("each backend that dials the Service reaches itself once in {} times", destination.pods.size()));
  }

  /// One pair of ends for each way a pair of theirs can fare. Replicas are shown as two different pods; where the
  /// source is traffic of nodes, a pod on one of these nodes and a pod elsewhere are two ways.
  std::vector<std::pair<Peer, Peer>> representatives(const PathEnd& source, const PathEnd& destination) const {
    if (destination.pods.empty()) {
      return {{source.peer, destination.peer}};
    }
    if (!is_node_traffic(source.peer)) {
      const bool is_same = source.peer.pod.is_valid() && source.peer.pod == destination.pods.front();
      const cluster::PodId to = is_same && destination.pods.size() > 1 ? destination.pods[1] : destination.pods.front();
      return {{source.peer, peer_of(to)}};
    }
    std::optional<std::pair<Peer, Peer>> near;
    std::optional<std::pair<Peer, Peer>> far;
    const std::vector<Peer> sources = peers_of(source);
    for (const cluster::PodId pod : destination.pods) {
      const Peer to = peer_of(pod);
      for (const Peer& from : sources) {
        if (from.pod == pod && (sources.size() > 1 || destination.pods.size() > 1)) {
          continue;
        }
        std::optional<std::pair<Peer, Peer>>& way = node_of(from) == cluster_.pods[pod.index()].node ? near : far;
        if (!way) {
          way.emplace(from, to);
        }
        if (near && far) {
          return {*near, *far};
        }
      }
    }
    std::vector<std::pair<Peer, Peer>> ways;
    for (const auto& way : {near, far}) {
      if (way) {
        ways.push_back(*way);
      }
    }
    return ways;
  }

  std::vector<Peer> peers_of(const PathEnd& end) const {
    std::vector<Peer> peers;
    for (const cluster::PodId pod : end.pods) {
      peers.push_back(peer_of(pod));
    }
    return peers.empty() ? std::vector<Peer>{end.peer} : peers;
  }

  bool is_node_traffic(const Peer& peer) const {
    return peer.pod.is_valid() ? engine_.view().pods[peer.pod.index()].is_node_traffic : peer.node.is_valid();
  }
  cluster::NodeId node_of(const Peer& peer) const {
    return peer.pod.is_valid() ? cluster_.pods[peer.pod.index()].node : peer.node;
  }

  /// In each family that the two may talk in; once where they fare alike.
  void add_path(const PathEnd& source, Peer from, const PathEnd& destination, Peer to) {
    const std::vector<IpFamily> families = families_of(source, from, destination, to);
    const std::size_t first = result_.paths.size();
    for (const IpFamily family : families) {
      const auto at = [&](Peer& end) { end.ip = end.pod.is_valid() ? cluster_.address_of(end.pod, family) : end.ip; };
      at(from);
      at(to);
      add_path_in(source, from, destination, to);
      result_.paths.back().family = families.size() > 1 ? std::optional(family) : std::nullopt;
    }
    if (families.size() > 1 && fare_alike(result_.paths[first], result_.paths[first + 1])) {
      result_.paths.pop_back();
      result_.paths[first].family.reset();
    }
  }

  static bool fare_alike(const ExplainedPath& a, const ExplainedPath& b) {
    const auto is_same = [](const policy::Explanation& x, const policy::Explanation& y) {
      return x.verdict.action == y.verdict.action && x.verdict.cause == y.verdict.cause &&
             x.verdict.policy == y.verdict.policy && x.verdict.rule == y.verdict.rule &&
             x.verdict.tier == y.verdict.tier;
    };
    return is_same(a.egress, b.egress) && is_same(a.ingress, b.ingress);
  }

  /// An address that was named, or a Service's backend, tells the family; between pods by name it is each that both
  /// have an address of.
  std::vector<IpFamily> families_of(const PathEnd& source, const Peer& from, const PathEnd& destination,
                                    const Peer& to) {
    if (cluster_.second_addresses.empty()) {
      return {to.ip.family()};
    }
    const auto is_named = [](const PathEnd& end) { return end.pods.empty(); };
    const auto speaks = [&](const Peer& end, IpFamily family) {
      return !end.pod.is_valid() || engine_.view().pods[end.pod.index()].speaks(family);
    };
    std::vector<IpFamily> families = {IpFamily::v4, IpFamily::v6};
    if (result_.service.is_valid() || is_named(destination)) {
      families = {destination.peer.ip.family()};
    } else if (is_named(source)) {
      families = {source.peer.ip.family()};
    } else if (engine_.profile().policy.is_ipv4_only) {
      families = {IpFamily::v4};
    }
    std::vector<IpFamily> shared = families;
    std::erase_if(shared, [&](IpFamily family) { return !speaks(from, family) || !speaks(to, family); });
    if (!shared.empty()) {
      return shared;
    }
    std::string note =
        fmt::format("{} and {} have no address family in common: policies are asked, but nothing can pass",
                    name_of(from), name_of(to));
    if (std::find(result_.notes.begin(), result_.notes.end(), note) == result_.notes.end()) {
      result_.notes.push_back(std::move(note));
    }
    return {families.front()};
  }

  void add_path_in(const PathEnd& source, const Peer& from, const PathEnd& destination, Peer to) {
    if (result_.service.is_valid()) {
      to.service_ip = cluster_.services[result_.service.index()].cluster_ip;  // none of a headless one
      to.service_port = result_.port;
    }
    ExplainedPath path;
    path.source = from;
    path.destination = to;
    path.source_name = name_of(from);
    path.destination_name = name_of(to);
    path.source_pods = source.count();
    path.destination_pods = destination.count();
    path.port = destination.port;
    path.is_listening = !to.pod.is_valid() || cluster_.listens(to.pod, result_.protocol, destination.port);
    path.egress = engine_.explain(Direction::egress, from, to, result_.protocol, destination.port);
    path.ingress = engine_.explain(Direction::ingress, to, from, result_.protocol, destination.port);
    path.action = worse(path.egress.verdict.action, path.ingress.verdict.action);
    result_.paths.push_back(std::move(path));
  }

  std::string name_of(const Peer& peer) const {
    return peer.pod.is_valid() ? cluster_.full_pod_name(peer.pod) : peer.ip.to_string();
  }

  void decide() {
    const auto count = [this](Action action) {
      return static_cast<std::size_t>(std::count_if(result_.paths.begin(), result_.paths.end(),
                                                    [&](const ExplainedPath& path) { return path.action == action; }));
    };
    if (is_way_unknown_) {
      result_.answer = Answer::unknown;
    } else if (result_.paths.empty()) {
      result_.answer = Answer::no_backend;
    } else if (count(Action::unknown) > 0) {
      result_.answer = Answer::unknown;
    } else if (count(Action::allow) == result_.paths.size()) {
      result_.answer = Answer::allowed;
    } else {
      result_.answer = count(Action::deny) == result_.paths.size() ? Answer::denied : Answer::depends;
    }
  }

  policy::PolicyEngine& engine_;
  const cluster::Cluster& cluster_;
  Span span_;
  Diagnostics& diagnostics_;
  const OutsideNames& outside_;
  const EntryPoints* entries_;
  bool is_way_unknown_ = false;
  int links_ = 0;  // ExternalNames followed from one to the next
  ConnectionExplanation result_;
};

}  // namespace

std::string_view to_string(Answer answer) {
  switch (answer) {
    case Answer::allowed:
      return "allowed";
    case Answer::denied:
      return "denied";
    case Answer::unknown:
      return "unknown";
    case Answer::depends:
      return "depends";
    case Answer::no_backend:
      return "no-backend";
    case Answer::external:
      return "external";
    case Answer::unresolved:
      return "unresolved";
  }
  return "";
}

std::optional<ConnectionExplanation> explain(policy::PolicyEngine& engine, std::string_view source,
                                             std::string_view destination, Span span, Diagnostics& diagnostics,
                                             const OutsideNames& outside, const EntryPoints* entries) {
  return ConnectionExplainer(engine, span, diagnostics, outside, entries).run(source, destination);
}

}  // namespace podwire::analysis
