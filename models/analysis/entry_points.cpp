// Joining entry points to Services and asking the policy engine; see entry_points.hpp.
#include "models/analysis/entry_points.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "models/analysis/exposure.hpp"
#include "models/analysis/reach.hpp"
#include "models/cluster/kinds.hpp"
#include "models/policy/compiled.hpp"

namespace podwire::analysis {

namespace {

using policy::Action;
using policy::Direction;
using policy::Peer;
using Outcome = EntryRow::Outcome;

constexpr std::string_view kAssumedController = "{ingress-controller}";
constexpr std::string_view kCloudLoadBalancer = "{load-balancer}";

/// The pods of one workload behind one port of a Service.
struct Target {
  cluster::WorkloadId workload;
  Port port;
  IpProtocol protocol = IpProtocol::tcp;
  std::vector<cluster::PodId> pods;
};

/// How many of the questions asked had which answer, and the first reason for each.
struct Tally {
  std::size_t allowed = 0;
  std::size_t denied = 0;
  std::size_t unknown = 0;
  std::string why_denied = {};
  std::string why_unknown = {};

  Outcome outcome() const {
    if (unknown > 0) {
      return Outcome::unknown;
    }
    return denied == 0 ? Outcome::allowed : allowed == 0 ? Outcome::denied : Outcome::partly;
  }
};

class Resolver {
 public:
  Resolver(policy::PolicyEngine& engine, const EntryPoints& entries)
      : engine_(engine), cluster_(engine.cluster()), entries_(entries), sweep_(engine, {.includes_named_ipv6 = true}) {
    for (std::size_t i = 0; i < sweep_.size(); ++i) {
      end_of_.emplace(sweep_.end(i).workload, i);
    }
    for (const IngressController& controller : entries.controllers) {
      const auto kind = cluster::workload_kind(controller.kind);
      const cluster::NamespaceId home = cluster_.find_namespace(controller.name_space);
      const cluster::WorkloadId id =
          kind && home.is_valid() ? cluster_.find_workload(home, *kind, controller.name) : cluster::WorkloadId();
      if (id.is_valid()) {
        controllers_.emplace_back(id, controller.family);
      }
    }
  }

  std::vector<EntryRow> run() {
    for (const EntryPoint& point : entries_.points) {
      resolve(point);
    }
    return std::move(rows_);
  }

 private:
  EntryRow row_of(const EntryPoint& point) const {
    EntryRow row;
    switch (point.kind) {
      case EntryPoint::Kind::ingress:
        row.via = fmt::format("ingress {}/{}", point.name_space, point.name);
        break;
      case EntryPoint::Kind::http_route:
        row.via = fmt::format("httproute {}/{}{}{}", point.name_space, point.name,
                              point.gateway.empty() ? "" : " of gateway ", point.gateway);
        break;
      case EntryPoint::Kind::node_port:
      case EntryPoint::Kind::load_balancer:
        row.via =
            fmt::format("{} service {}/{}", point.kind == EntryPoint::Kind::node_port ? "NodePort" : "LoadBalancer",
                        point.name_space, point.name);
        if (point.node_port.is_valid()) {
          row.via += fmt::format(", node port {}", point.node_port.number());
        }
        break;
      case EntryPoint::Kind::external_address:
        row.via = fmt::format("external address {} of service {}/{}", point.addresses, point.name_space, point.name);
    }
    row.host = point.host;
    row.path = point.path;
    row.span = point.span;
    if (!point.service.empty()) {
      row.service = fmt::format("{}/{}", point.service_namespace, point.service);
      const std::string port =
          point.port_number.is_valid() ? std::to_string(point.port_number.number()) : point.port_name;
      row.service += port.empty() ? "" : ":" + port;
    }
    return row;
  }

  void add_broken(const EntryPoint& point, std::string note) {
    EntryRow row = row_of(point);
    row.outcome = Outcome::broken;
    row.note = std::move(note);
    rows_.push_back(std::move(row));
  }

  void resolve(const EntryPoint& point) {
    if (!point.problem.empty()) {
      add_broken(point, point.problem);
      return;
    }
    const cluster::NamespaceId home = cluster_.find_namespace(point.service_namespace);
    const cluster::ServiceId id = home.is_valid() ? cluster_.find_service(home, point.service) : cluster::ServiceId();
    if (!id.is_valid()) {
      add_broken(point, fmt::format("there is no Service {}/{}", point.service_namespace, point.service));
      return;
    }
    const cluster::Service& service = cluster_.services[id.index()];
    if (service.type == cluster::ServiceType::external_name) {
      add_broken(point, fmt::format("Service {}/{} is an ExternalName, behind which there is no pod",
                                    point.service_namespace, point.service));
      return;
    }
    // One number may stand there twice, for TCP and UDP.
    const IpProtocol protocol = point.protocol.value_or(IpProtocol::tcp);
    const auto port = std::find_if(service.ports.begin(), service.ports.end(), [&](const cluster::ServicePort& p) {
      return p.protocol == protocol &&
             (point.port_number.is_valid() ? p.port == point.port_number : p.name == point.port_name);
    });
    if (port == service.ports.end()) {
      add_broken(point, fmt::format("Service {}/{} has no {} port {}", point.service_namespace, point.service,
                                    podwire::to_string(protocol),
                                    point.port_number.is_valid() ? std::to_string(point.port_number.number())
                                                                 : "\"" + point.port_name + "\""));
      return;
    }
    const std::vector<Target> targets = targets_of(*port);
    if (targets.empty()) {
      add_broken(point, fmt::format("no pod is behind Service {}/{}{}", point.service_namespace, point.service,
                                    port->backends.empty() ? "" : ": its endpoints are addresses of no pod"));
    }
    for (const Target& target : targets) {
      if (point.kind != EntryPoint::Kind::ingress && point.kind != EntryPoint::Kind::http_route) {
        from_outside(point, target);
      } else if (is_from_cloud(point)) {
        from_load_balancer(point, target, service.type != cluster::ServiceType::cluster_ip);
      } else {
        from_controllers(point, target);
      }
    }
  }

  std::vector<Target> targets_of(const cluster::ServicePort& port) const {
    std::map<std::pair<cluster::WorkloadId, std::uint16_t>, Target> found;
    for (const cluster::Backend& backend : port.backends) {
      if (!backend.pod.is_valid()) {
        continue;
      }
      const cluster::WorkloadId workload = cluster_.pods[backend.pod.index()].workload;
      Target& target = found[{workload, backend.port.number()}];
      target.workload = workload;
      target.port = backend.port;
      target.protocol = port.protocol;
      target.pods.push_back(backend.pod);
    }
    std::vector<Target> targets;
    for (auto& [key, target] : found) {
      targets.push_back(std::move(target));
    }
    return targets;
  }

  EntryRow row_for(const EntryPoint& point, const Target& target) const {
    EntryRow row = row_of(point);
    row.workload = target.workload;
    row.destination = cluster_.workload_name(target.workload);
    row.connections = fmt::format("{} {}", podwire::to_string(target.protocol), target.port.number());
    return row;
  }

  /// One of each kind of pod that policies and nodes tell apart, at most a node's worth.
  std::vector<cluster::PodId> distinct(const std::vector<cluster::PodId>& pods, bool by_node) const {
    std::set<std::pair<policy::PodEntry, cluster::NodeId>> seen;
    std::vector<cluster::PodId> result;
    for (const cluster::PodId pod : pods) {
      const cluster::NodeId node = by_node ? cluster_.pods[pod.index()].node : cluster::NodeId();
      if (seen.emplace(engine_.view().pods[pod.index()], node).second) {
        result.push_back(pod);
      }
    }
    return result;
  }

  std::string deniers(Direction direction, const Peer& subject, const Peer& other, const Target& target) {
    const policy::Explanation why = engine_.explain(direction, subject, other, target.protocol, target.port);
    if (why.verdict.cause != policy::Cause::default_deny) {
      return fmt::format("but {} denies it", engine_.deciding_rule(direction, why.verdict));
    }
    std::vector<std::string> names;
    for (const policy::PolicyIndex index : why.isolating) {
      names.push_back(engine_.policy_name(index));
    }
    return fmt::format("but {} {} {} {} it", to_string(direction), names.size() == 1 ? "policy" : "policies",
                       fmt::join(names, ", "), names.size() == 1 ? "denies" : "deny");
  }

  void judge(const Peer& subject, const Peer& other, Direction direction, const Target& target, Tally& tally,
             bool& is_allowed) {
    const policy::Verdict verdict = engine_.verdict(direction, subject, other, target.protocol, target.port);
    is_allowed = is_allowed && verdict.is_allowed();
    if (verdict.action == Action::unknown) {
      ++tally.unknown;
      tally.why_unknown = engine_.explain(direction, subject, other, target.protocol, target.port).text;
    } else if (!verdict.is_allowed() && tally.why_denied.empty()) {
      tally.why_denied = deniers(direction, subject, other, target);
    }
  }

  void finish(EntryRow row, const Tally& tally, std::string_view exposing, std::string_view assumption = {}) {
    row.outcome = tally.outcome();
    if (row.outcome == Outcome::allowed) {
      row.note = assumption;
    }
    if (row.outcome == Outcome::denied || row.outcome == Outcome::partly) {
      row.note = fmt::format("exposed by {}, {}{}", exposing, tally.why_denied,
                             row.outcome == Outcome::partly ? " in part" : "");
    } else if (row.outcome == Outcome::unknown) {
      row.note = tally.why_unknown;
    }
    rows_.push_back(std::move(row));
  }

  const ControllerClass* class_of(const EntryPoint& point) const {
    const bool is_gateway = point.kind == EntryPoint::Kind::http_route;
    for (const ControllerClass& known : entries_.classes) {
      if (known.name == point.controller_class && known.is_gateway == is_gateway) {
        return &known;
      }
    }
    return nullptr;
  }

  bool is_from_cloud(const EntryPoint& point) const {
    const ControllerClass* known = class_of(point);
    return is_cloud_load_balancer(known == nullptr ? point.controller_class : std::string(),
                                  known == nullptr ? std::string() : known->controller);
  }

  /// Those whose family the class names; all of them where it names none. A class that no object defines may tell by
  /// its name; what is taken for granted there is said in `assumption`.
  std::vector<cluster::WorkloadId> controllers_for(const EntryPoint& point, std::string& assumption) const {
    std::vector<cluster::WorkloadId> result;
    const ControllerClass* known = class_of(point);
    const std::string_view family = known == nullptr ? std::string_view() : controller_family(known->controller);
    if (known != nullptr && family.empty()) {
      return result;  // a controller that is not known
    }
    const bool is_guess = known == nullptr && !point.controller_class.empty();
    for (const auto& [workload, name] : controllers_) {
      if (is_guess ? class_named(point.controller_class, name) != ClassName::is_of_others
                   : family.empty() || family == name) {
        result.push_back(workload);
      }
    }
    if (is_guess && !result.empty()) {
      assumption += fmt::format("{}no object defines the class {}: taken to be this controller's",
                                assumption.empty() ? "" : "; ", point.controller_class);
    }
    return result;
  }

  /// A cloud's load balancer is no pod: what it sends comes from an address outside that is not known or, where the
  /// Service has node ports, from a node's. Certain is only what holds, or fails, for all of them.
  void from_load_balancer(const EntryPoint& point, const Target& target, bool has_node_ports) {
    EntryRow row = row_for(point, target);
    row.source = kCloudLoadBalancer;
    std::vector<std::string> admitted;
    bool is_doubtful = false;
    std::vector<ReachSweep::Range> ranges;
    if (const auto end = end_of_.find(target.workload); end != end_of_.end()) {
      sweep_.outside(end->second, Direction::ingress, ranges);
    }
    const IpAddress any_pod = cluster_.pods[target.pods.front().index()].ip;
    std::erase_if(ranges, [&](const ReachSweep::Range& range) {
      return range.addresses.first.family() != any_pod.family();  // nothing of the other reaches them
    });
    bool is_open = !ranges.empty();
    for (const ReachSweep::Range& range : ranges) {
      const bool has_port = range.ports.ports != nullptr && range.ports.ports->contains(target.protocol, target.port);
      is_doubtful = is_doubtful || range.ports.is_unknown;
      is_open = is_open && has_port && !range.ports.varies;
      if (has_port) {
        admitted.push_back(fmt::format("{}-{}", range.addresses.first.to_string(), range.addresses.second.to_string()));
      }
    }
    Tally through_nodes;
    for (const cluster::PodId to : distinct(target.pods, true)) {
      for (const cluster::NodeId node : has_node_ports ? nodes_for(to) : std::vector<cluster::NodeId>()) {
        bool is_allowed = true;
        judge({.pod = to}, {.node = node, .ip = cluster_.nodes[node.index()].addresses.front()}, Direction::ingress,
              target, through_nodes, is_allowed);
        ++(is_allowed ? through_nodes.allowed : through_nodes.denied);
      }
    }
    if (is_doubtful || through_nodes.unknown > 0) {
      row.outcome = Outcome::unknown;
      row.note = "an admin policy or an object that is not modelled may decide";
    } else if (is_open && through_nodes.denied == 0) {
      row.note = "from a load balancer outside the cluster: policies admit every address";
    } else if (admitted.empty() && through_nodes.allowed == 0) {
      row.outcome = Outcome::denied;
      row.note =
          fmt::format("exposed by {}, {} (traffic comes from a load balancer outside the cluster, not from a pod)",
                      row.via, deniers_of_all(target));
    } else {
      if (through_nodes.allowed > 0) {
        admitted.emplace_back(through_nodes.denied > 0 ? "some nodes" : "every node");
      }
      row.outcome = Outcome::unknown;
      row.note = fmt::format(
          "it comes from a load balancer outside the cluster whose addresses are not known; policies "
          "admit {}",
          fmt::join(admitted, ", "));
    }
    rows_.push_back(std::move(row));
  }

  void from_controllers(const EntryPoint& point, const Target& target) {
    std::string assumption = point.assumption;
    const std::vector<cluster::WorkloadId> controllers = controllers_for(point, assumption);
    if (controllers.empty()) {
      from_assumed_controller(point, target);
    }
    for (const cluster::WorkloadId controller : controllers) {
      EntryRow row = row_for(point, target);
      row.source = cluster_.workload_name(controller);
      row.source_workload = controller;
      Tally tally;
      for (const cluster::PodId from : distinct(cluster_.workloads[controller.index()].pods, false)) {
        for (const cluster::PodId to : distinct(target.pods, false)) {
          bool is_allowed = true;
          judge({.pod = from}, {.pod = to}, Direction::egress, target, tally, is_allowed);
          judge({.pod = to}, {.pod = from}, Direction::ingress, target, tally, is_allowed);
          ++(is_allowed ? tally.allowed : tally.denied);
        }
      }
      finish(std::move(row), tally, row_of(point).via, assumption);
    }
  }

  // What any pod may do is certain; what only some may, depends on which pods the controller has.
  void from_assumed_controller(const EntryPoint& point, const Target& target) {
    EntryRow row = row_for(point, target);
    row.source = kAssumedController;
    bool is_open = false;
    bool is_open_for_some = false;
    bool is_doubtful = false;
    std::vector<std::string> regions;
    for (const ExposureLine& line : exposure_of(engine_, target.workload, Direction::ingress)) {
      if (!line.ports.contains(target.protocol, target.port)) {
        continue;
      }
      is_doubtful = is_doubtful || line.is_unknown;
      if (line.region.is_everything(cluster_.pod_cidr)) {
        is_open = is_open || !line.varies;
        is_open_for_some = true;
      } else {
        regions.push_back(line.region.to_string());
      }
    }
    const bool has_tiers = !engine_.policies().admin_policies.empty();
    if (is_doubtful || (has_tiers && !is_open)) {
      row.outcome = Outcome::unknown;
      row.note = "an admin policy or an object that is not modelled may decide";
    } else if (is_open) {
      row.note = "the controller is not among the workloads: assumed to be a pod of the cluster";
    } else if (is_open_for_some) {
      row.outcome = Outcome::partly;
      row.note = "not for all of its pods; the controller is not among the workloads";
    } else if (!regions.empty()) {
      row.outcome = Outcome::unknown;
      row.note = fmt::format("the controller is not among the workloads; policies admit {}", fmt::join(regions, "; "));
    } else {
      row.outcome = Outcome::denied;
      row.note = fmt::format("exposed by {}, {}", row.via, deniers_of_all(target));
    }
    rows_.push_back(std::move(row));
  }

  // No pod at all is admitted, so that any stranger will do to name the policies.
  std::string deniers_of_all(const Target& target) {
    std::vector<std::string> names;
    for (const cluster::PodId pod : target.pods) {
      const policy::GroupId group = engine_.view().pods[pod.index()].ingress;
      if (group.is_valid()) {
        for (const policy::PolicyIndex index : engine_.policies_of(group)) {
          names.push_back(engine_.policy_name(index));
        }
        break;
      }
    }
    return fmt::format("but ingress {} {} {} it", names.size() == 1 ? "policy" : "policies", fmt::join(names, ", "),
                       names.size() == 1 ? "denies" : "deny");
  }

  void from_outside(const EntryPoint& point, const Target& target) {
    if (point.is_local) {
      from_clients(point, target);
    } else {
      from_nodes(point, target);
    }
  }

  std::string clients_text(const EntryPoint& point) const {
    std::vector<std::string> ranges;
    for (const Cidr& cidr : point.sources) {
      ranges.push_back(fmt::format("{}-{}[External]", cidr.first().to_string(), cidr.last().to_string()));
    }
    return ranges.empty()
               ? std::string(sweep_.has_family(IpFamily::v4) ? "0.0.0.0-255.255.255.255[External]"
                                                             : "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff[External]")
               : fmt::format("{}", fmt::join(ranges, " "));
  }

  // externalTrafficPolicy Cluster: whoever the client is, the pod sees the node that it came through.
  void from_nodes(const EntryPoint& point, const Target& target) {
    EntryRow row = row_for(point, target);
    row.source = clients_text(point);
    Tally tally;
    for (const cluster::PodId to : distinct(target.pods, true)) {
      for (const cluster::NodeId node : nodes_for(to)) {
        bool is_allowed = true;
        judge({.pod = to}, {.node = node, .ip = cluster_.nodes[node.index()].addresses.front()}, Direction::ingress,
              target, tally, is_allowed);
        ++(is_allowed ? tally.allowed : tally.denied);
      }
    }
    const Outcome outcome = tally.outcome();
    finish(std::move(row), tally, row_of(point).via);
    EntryRow& added = rows_.back();
    if (tally.allowed + tally.denied == 0) {
      added.outcome = Outcome::unknown;
      added.note = "no node has an address, and traffic arrives from one";
    } else if (outcome == Outcome::denied) {
      added.note += " (traffic arrives from a node's address: externalTrafficPolicy Cluster)";
    } else if (outcome == Outcome::partly) {
      added.note = fmt::format(
          "{}: traffic arrives from a node's address (externalTrafficPolicy Cluster), and not from "
          "every node's",
          added.note);
    }
  }

  /// The pod's own node and one of the others that its policies cannot tell apart, for each kind of other node.
  std::vector<cluster::NodeId> nodes_for(cluster::PodId pod) const {
    std::set<std::pair<bool, std::uint32_t>> seen;
    std::vector<cluster::NodeId> result;
    for (std::size_t n = 0; n < cluster_.nodes.size(); ++n) {
      const cluster::NodeId id(n);
      if (cluster_.nodes[n].addresses.empty()) {
        continue;
      }
      const auto atom = engine_.atom_of(cluster_.nodes[n].addresses.front());
      if (seen.emplace(id == cluster_.pods[pod.index()].node, atom.value()).second) {
        result.push_back(id);
      }
    }
    return result;
  }

  // externalTrafficPolicy Local: the pod sees the client's own address.
  void from_clients(const EntryPoint& point, const Target& target) {
    const auto end = end_of_.find(target.workload);
    if (end == end_of_.end()) {
      add_broken(point, "its pods have finished");
      return;
    }
    std::vector<ReachSweep::Range> ranges;
    sweep_.outside(end->second, Direction::ingress, ranges);
    // Neighbouring ranges that have the port alike become one; each source range of the Service is cut out of them.
    std::size_t rows = 0;
    for (std::size_t i = 0; i < ranges.size();) {
      const auto has_port = [&](const ReachSweep::Range& range) {
        return range.ports.ports != nullptr && range.ports.ports->contains(target.protocol, target.port);
      };
      std::size_t j = i + 1;
      const auto is_alike = [&](const ReachSweep::Range& a, const ReachSweep::Range& b) {
        return a.addresses.first.family() == b.addresses.first.family() && has_port(a) == has_port(b) &&
               a.ports.is_unknown == b.ports.is_unknown && a.ports.varies == b.ports.varies;
      };
      while (j < ranges.size() && is_alike(ranges[i], ranges[j])) {
        ++j;
      }
      if (has_port(ranges[i]) || ranges[i].ports.is_unknown) {
        rows += add_clients(point, target, ranges[i], ranges[j - 1].addresses.second);
      }
      i = j;
    }
    // Of a family that neither pods nor policies name, one address tells for all.
    for (const Cidr& cidr : point.sources) {
      if (!sweep_.has_family(cidr.family())) {
        rows += 1;
        from_one_client(point, target, cidr);
      }
    }
    if (rows == 0) {
      EntryRow row = row_for(point, target);
      row.source = clients_text(point);
      row.outcome = Outcome::denied;
      row.note = fmt::format("exposed by {}, {}", row.via, deniers_of_all(target));
      rows_.push_back(std::move(row));
    }
  }

  void from_one_client(const EntryPoint& point, const Target& target, const Cidr& clients) {
    EntryRow row = row_for(point, target);
    row.source = fmt::format("{}-{}[External]", clients.first().to_string(), clients.last().to_string());
    Tally tally;
    for (const cluster::PodId to : distinct(target.pods, true)) {
      bool is_allowed = true;
      judge({.pod = to}, {.ip = clients.first()}, Direction::ingress, target, tally, is_allowed);
      ++(is_allowed ? tally.allowed : tally.denied);
    }
    finish(std::move(row), tally, row_of(point).via);
  }

  std::size_t add_clients(const EntryPoint& point, const Target& target, const ReachSweep::Range& range,
                          IpAddress last) {
    std::vector<std::pair<IpAddress, IpAddress>> cuts;
    if (point.sources.empty()) {
      cuts.emplace_back(range.addresses.first, last);
    }
    for (const Cidr& cidr : point.sources) {
      if (cidr.family() == last.family()) {
        const IpAddress low = std::max(cidr.first(), range.addresses.first);
        const IpAddress high = std::min(cidr.last(), last);
        if (low <= high) {
          cuts.emplace_back(low, high);
        }
      }
    }
    for (const auto& [low, high] : cuts) {
      EntryRow row = row_for(point, target);
      row.source = fmt::format("{}-{}[External]", low.to_string(), high.to_string());
      row.outcome = range.ports.is_unknown ? Outcome::unknown : range.ports.varies ? Outcome::partly : Outcome::allowed;
      row.note = range.ports.is_unknown ? "an object that is not modelled, or a rule in doubt, may decide"
                 : range.ports.varies   ? "not to all of its pods alike"
                                        : "";
      rows_.push_back(std::move(row));
    }
    return cuts.size();
  }

  policy::PolicyEngine& engine_;
  const cluster::Cluster& cluster_;
  const EntryPoints& entries_;
  ReachSweep sweep_;
  std::map<cluster::WorkloadId, std::size_t> end_of_;
  std::vector<std::pair<cluster::WorkloadId, std::string>> controllers_;
  std::vector<EntryRow> rows_;
};

}  // namespace

std::string_view to_string(EntryRow::Outcome outcome) {
  constexpr std::string_view kNames[] = {"allowed", "partly", "denied", "unknown", "broken"};
  return kNames[static_cast<std::size_t>(outcome)];
}

std::vector<EntryRow> resolve_entry_points(policy::PolicyEngine& engine, const EntryPoints& entries) {
  return entries.points.empty() ? std::vector<EntryRow>() : Resolver(engine, entries).run();
}

}  // namespace podwire::analysis
