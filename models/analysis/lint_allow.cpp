// The rule one-sided-allow: what a NetworkPolicy at one end grants by name while the other end's policies, of whatever
// tier, deny it.
//
// For each peer of each rule the pods at both ends are compared by kind, and each item of the rule's ports for itself,
// with the engine's allowed ports for the other direction; an item of which some port is allowed passes. A peer that
// names pods is judged workload by workload; one that names whole namespaces only when nobody there is reachable, as
// such rules are written to be wide. Peers that match every pod, ipBlocks, and what the admin tiers allow at one end
// alone are not judged.
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

/// One pair of ends whose other side denies what items of the rule's ports grant.
struct Denied {
  PodKind subject;
  PodKind other;
  PortSet ports;  // of those items
};

/// Items of a rule's ports, as indices, which one finding is about; with no items, 0 stands for every port.
using Items = std::vector<std::size_t>;

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

  /// The ports that each item of the rule's ports grants towards a destination.
  std::vector<PortSet> granted(const policy::Rule& rule, const PodKind& destination) const {
    if (rule.ports.empty()) {
      return {PortSet::all()};
    }
    std::vector<PortSet> items;
    for (const policy::PortRule& port : rule.ports) {
      if (!port.name.empty()) {
        const Port number = cluster_.named_port(destination.shape, port.protocol, port.name);
        items.push_back(number.is_valid() ? PortSet::of({{port.protocol, number.number(), number.number()}})
                                          : PortSet());
      } else if (port.first.is_valid()) {
        items.push_back(PortSet::of({{port.protocol, port.first.number(), std::max(port.first, port.last).number()}}));
      } else {
        items.push_back(PortSet::whole(port.protocol));
      }
    }
    return items;
  }

  /// The policies that isolate a pod in a direction.
  std::vector<policy::PolicyIndex> isolating(const PodKind& kind, Direction direction) {
    const policy::GroupId group = context_.engine.view().pods[kind.pod.index()].group(direction);
    return group.is_valid() ? context_.engine.policies_of(group) : std::vector<policy::PolicyIndex>();
  }

  /// What the other end denies of one peer, by item.
  struct Judged {
    std::vector<std::vector<Denied>> denied;
    std::vector<std::size_t> pairs;  // to which the item grants something
    bool is_doubted = false;
  };

  void judge(const NetworkPolicy& policy, Direction direction, const policy::Rule& rule, const PeerRule& peer,
             const std::vector<PodKind>& subjects) {
    const std::size_t items = std::max<std::size_t>(1, rule.ports.size());
    Judged judged{.denied = std::vector<std::vector<Denied>>(items), .pairs = std::vector<std::size_t>(items)};
    for (const PodKind& other : context_.peers_of(policy, peer)) {
      for (const PodKind& subject : subjects) {
        if (subject.pod != other.pod) {
          judge(policy, direction, rule, subject, other, judged);
        }
      }
    }
    // Items that the same pairs of ends are denied share a finding.
    std::map<std::vector<std::pair<cluster::PodId, cluster::PodId>>, Items> findings;
    for (std::size_t i = 0; i < items; ++i) {
      if (judged.denied[i].empty() || (!names_pods(peer) && judged.denied[i].size() < judged.pairs[i])) {
        continue;
      }
      std::vector<std::pair<cluster::PodId, cluster::PodId>> pairs;
      for (const Denied& one : judged.denied[i]) {
        pairs.emplace_back(one.subject.pod, one.other.pod);
      }
      findings[std::move(pairs)].push_back(i);
    }
    for (const auto& [pairs, of] : findings) {
      std::vector<Denied> denied = judged.denied[of.front()];
      for (std::size_t i = 1; i < of.size(); ++i) {
        for (std::size_t p = 0; p < denied.size(); ++p) {
          denied[p].ports = denied[p].ports.united_with(judged.denied[of[i]][p].ports);
        }
      }
      report(policy, direction, rule, peer, denied, of);
    }
  }

  void judge(const NetworkPolicy& policy, Direction direction, const policy::Rule& rule, const PodKind& subject,
             const PodKind& other, Judged& judged) {
    const Direction back = opposite(direction);
    const std::vector<PortSet> wanted = granted(rule, direction == Direction::egress ? other : subject);
    const bool lets_everyone = context_.policies.admin_policies.empty() && isolating(other, back).empty();
    bool is_unknown = false;
    const PortSet allowed =
        lets_everyone ? PortSet::all()
                      : context_.engine.allowed_ports(back, context_.peer(other), context_.peer(subject), is_unknown);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      judged.pairs[i] += wanted[i].empty() ? 0 : 1;
      if (wanted[i].empty() || !allowed.intersected_with(wanted[i]).empty()) {
        continue;
      }
      if (!is_unknown) {
        judged.denied[i].push_back({subject, other, wanted[i]});
      } else if (!judged.is_doubted) {
        judged.is_doubted = true;
        context_.doubt("one-sided-allow", LintContext::object_name(policy),
                       context_.engine.unmodelled_between(context_.peer(other), context_.peer(subject)));
      }
    }
  }

  /// What denies the first of these ports: a policy of another tier, or those that isolate the other end.
  std::vector<policy::PolicyIndex> deniers(const Denied& one, Direction back) {
    const PortSet::Range& first = one.ports.ranges.front();
    const policy::Verdict verdict = context_.engine.verdict(back, context_.peer(one.other), context_.peer(one.subject),
                                                            first.protocol, Port(first.first));
    return verdict.cause == policy::Cause::rule ? std::vector<policy::PolicyIndex>{verdict.policy}
                                                : isolating(one.other, back);
  }

  void report(const NetworkPolicy& policy, Direction direction, const policy::Rule& rule, const PeerRule& peer,
              const std::vector<Denied>& denied, const Items& items) {
    const Direction back = opposite(direction);
    const bool is_egress = direction == Direction::egress;
    std::vector<std::string> pairs;
    std::vector<std::string> names;
    std::vector<policy::PolicyIndex> ids;
    for (const Denied& one : denied) {
      const PodKind& source = is_egress ? one.subject : one.other;
      const PodKind& destination = is_egress ? one.other : one.subject;
      const std::string pair =
          fmt::format("{} → {}", cluster_.workload_name(source.workload), cluster_.workload_name(destination.workload));
      if (std::find(pairs.begin(), pairs.end(), pair) == pairs.end()) {
        pairs.push_back(pair);
      }
      for (const policy::PolicyIndex index : deniers(one, back)) {
        if (std::find(ids.begin(), ids.end(), index) == ids.end()) {
          ids.push_back(index);
          names.push_back(context_.engine.policy_name(index));
        }
      }
    }
    const Denied& first = denied.front();
    const std::string ports = first.ports.is_all() ? "every port" : first.ports.to_string();
    LintFinding& finding =
        context_.add("one-sided-allow", LintContext::object_name(policy), peer.span.is_known() ? peer.span : rule.span,
                     fmt::format("{} allows {} of {} ({}), and {} {} not allow {}: the connection fails",
                                 policy.full_name(), to_string(direction), listed(pairs), ports, listed(names),
                                 names.size() == 1 ? "does" : "do", to_string(back)),
                     remedy(first, rule, items, back));
    for (std::size_t i = 0; i < std::min<std::size_t>(ids.size(), 3); ++i) {
      finding.related.push_back(
          {context_.engine.policy_span(ids[i]),
           fmt::format("{} {} the other end", names[i], context_.engine.is_admin(ids[i]) ? "rules" : "isolates")});
    }
  }

  /// The missing half as one policy rule; where the admin tier denies it, that policy.
  std::string remedy(const Denied& one, const policy::Rule& rule, const Items& items, Direction back) {
    const std::vector<policy::PolicyIndex> by = deniers(one, back);
    if (!by.empty() && context_.engine.policy_tier(by.front()) == policy::Tier::admin) {
      return fmt::format("change {}, which no NetworkPolicy can overrule, or take this half away",
                         context_.engine.policy_name(by.front()));
    }
    std::string ports;
    for (const std::size_t item : items) {
      if (item < rule.ports.size()) {
        ports += (ports.empty() ? "" : ", ") + port_yaml(rule.ports[item]);
      }
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
