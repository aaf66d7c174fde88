// The rule one-sided-allow: what one end's policy grants by name while the other end's denies by default.
//
// For each peer of each rule the pods at both ends are compared by kind, with the engine's allowed ports for the other
// direction. A peer that names pods is judged workload by workload; one that names whole namespaces only when nobody
// there is reachable, as such rules are written to be wide. Peers that match every pod and ipBlocks are not judged.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "models/analysis/lint_context.hpp"
#include "models/policy/compiled.hpp"

namespace podwire::analysis {
namespace {

using policy::Direction;
using policy::NetworkPolicy;
using policy::PeerRule;
using policy::PortSet;

Direction opposite(Direction direction) {
  return direction == Direction::ingress ? Direction::egress : Direction::ingress;
}

/// One pair of ends whose other side denies what the rule grants.
struct Denied {
  PodKind subject;
  PodKind other;
  std::string ports;  // "TCP 5432"
};

class OneSidedAllow {
 public:
  explicit OneSidedAllow(LintContext& context) : context_(context), cluster_(context.cluster) {}

  void run() {
    for (const NetworkPolicy& policy : context_.policies.network_policies) {
      for (const Direction direction : {Direction::egress, Direction::ingress}) {
        if (!policy.isolates(direction) || policy.rules(direction).empty()) {
          continue;
        }
        const std::vector<PodKind> subjects = context_.subjects_of(policy);
        for (const policy::Rule& rule : policy.rules(direction)) {
          for (const PeerRule& peer : rule.peers) {
            if (!subjects.empty() && is_specific(peer)) {
              judge(policy, direction, rule, peer, subjects);
            }
          }
        }
      }
    }
  }

 private:
  static bool names_pods(const PeerRule& peer) { return peer.pod_selector && !peer.pod_selector->matches_everything(); }
  static bool is_specific(const PeerRule& peer) {
    if (peer.ip_block) {
      return false;
    }
    const bool names_namespaces = !peer.namespace_selector || !peer.namespace_selector->matches_everything();
    return names_pods(peer) || names_namespaces;
  }

  /// The ports that the rule grants towards a destination.
  PortSet granted(const policy::Rule& rule, const PodKind& destination) const {
    if (rule.ports.empty()) {
      return PortSet::all();
    }
    std::vector<PortSet::Range> ranges;
    for (const policy::PortRule& port : rule.ports) {
      if (!port.name.empty()) {
        if (const Port number = cluster_.named_port(destination.shape, port.protocol, port.name); number.is_valid()) {
          ranges.push_back({port.protocol, number.number(), number.number()});
        }
      } else if (port.first.is_valid()) {
        ranges.push_back({port.protocol, port.first.number(), std::max(port.first, port.last).number()});
      } else {
        ranges.push_back({.protocol = port.protocol});
      }
    }
    return PortSet::of(std::move(ranges));
  }

  /// The policies that isolate a pod in a direction.
  std::vector<policy::PolicyIndex> isolating(const PodKind& kind, Direction direction) {
    const policy::GroupId group = context_.engine.view().pods[kind.pod.index()].group(direction);
    return group.is_valid() ? context_.engine.policies_of(group) : std::vector<policy::PolicyIndex>();
  }

  void judge(const NetworkPolicy& policy, Direction direction, const policy::Rule& rule, const PeerRule& peer,
             const std::vector<PodKind>& subjects) {
    const Direction back = opposite(direction);
    std::vector<Denied> denied;
    std::size_t pairs = 0;
    for (const PodKind& other : context_.peers_of(policy, peer)) {
      for (const PodKind& subject : subjects) {
        if (subject.pod == other.pod) {
          continue;
        }
        const PodKind& destination = direction == Direction::egress ? other : subject;
        const PortSet wanted = granted(rule, destination);
        if (wanted.empty()) {
          continue;
        }
        ++pairs;
        if (isolating(other, back).empty()) {
          continue;  // that end lets everyone
        }
        bool is_unknown = false;
        const PortSet allowed =
            context_.engine.allowed_ports(back, context_.peer(other), context_.peer(subject), is_unknown);
        const PortSet both = allowed.intersected_with(wanted);
        if (is_unknown) {
          if (both.empty()) {
            context_.doubt("one-sided-allow", LintContext::object_name(policy),
                           context_.engine.unmodelled_between(context_.peer(other), context_.peer(subject)));
          }
          continue;
        }
        if (both.empty()) {
          denied.push_back({subject, other, wanted.to_string()});
        }
      }
    }
    if (denied.empty() || (!names_pods(peer) && denied.size() < pairs)) {
      return;
    }
    report(policy, direction, rule, peer, denied);
  }

  void report(const NetworkPolicy& policy, Direction direction, const policy::Rule& rule, const PeerRule& peer,
              const std::vector<Denied>& denied) {
    const Direction back = opposite(direction);
    const bool is_egress = direction == Direction::egress;
    std::vector<std::string> pairs;
    std::vector<std::string> deniers;
    std::vector<policy::PolicyIndex> denier_ids;
    for (const Denied& one : denied) {
      const PodKind& source = is_egress ? one.subject : one.other;
      const PodKind& destination = is_egress ? one.other : one.subject;
      const std::string pair =
          fmt::format("{} → {}", cluster_.workload_name(source.workload), cluster_.workload_name(destination.workload));
      if (std::find(pairs.begin(), pairs.end(), pair) == pairs.end()) {
        pairs.push_back(pair);
      }
      for (const policy::PolicyIndex index : isolating(one.other, back)) {
        if (std::find(denier_ids.begin(), denier_ids.end(), index) == denier_ids.end()) {
          denier_ids.push_back(index);
          deniers.push_back(context_.engine.policy(index).full_name());
        }
      }
    }
    const Denied& first = denied.front();
    const std::string ports = first.ports == "All Connections" ? "every port" : first.ports;
    LintFinding& finding =
        context_.add("one-sided-allow", LintContext::object_name(policy), peer.span.is_known() ? peer.span : rule.span,
                     fmt::format("{} allows {} of {} ({}), and {} {} not allow {}: the connection fails",
                                 policy.full_name(), to_string(direction), listed(pairs), ports, listed(deniers),
                                 deniers.size() == 1 ? "does" : "do", to_string(back)),
                     remedy(first, rule, back));
    for (std::size_t i = 0; i < std::min<std::size_t>(denier_ids.size(), 3); ++i) {
      finding.related.push_back(
          {context_.engine.policy(denier_ids[i]).span, fmt::format("{} isolates the other end", deniers[i])});
    }
  }

  /// The missing half as one policy rule.
  std::string remedy(const Denied& one, const policy::Rule& rule, Direction back) const {
    std::string ports;
    for (const policy::PortRule& port : rule.ports) {
      ports += (ports.empty() ? "" : ", ") + port_yaml(port);
    }
    return fmt::format(
        "a policy of {} that selects {} needs `{}: [{{{}: [{{namespaceSelector: {{matchLabels: "
        "{{kubernetes.io/metadata.name: {}}}}}, podSelector: {}}}]{}}}]`",
        context_.name_of(one.other.name_space), cluster_.workload_name(one.other.workload), to_string(back),
        back == Direction::ingress ? "from" : "to", context_.name_of(one.subject.name_space),
        labels_yaml(cluster_, cluster_.shapes[one.subject.shape.index()].labels),
        ports.empty() ? "" : fmt::format(", ports: [{}]", ports));
  }

  LintContext& context_;
  const cluster::Cluster& cluster_;
};

}  // namespace

void lint_allow(LintContext& context) {
  if (context.profile.policy.is_enforced) {
    OneSidedAllow(context).run();
  }
}

}  // namespace podwire::analysis
