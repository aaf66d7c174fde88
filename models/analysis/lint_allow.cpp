// The rule one-sided-allow: what a policy at one end grants by name while the other end's policies deny it; both of
// whatever tier.
//
// For each peer of each allowing rule the pods at both ends are compared by kind, and each item of the rule's ports for
// itself, with the engine's allowed ports for the other direction; an item of which some port is allowed passes. What
// the rule's own end denies all the same (an admin tier decides before it) is no half of a connection and not judged. A
// peer that names pods is judged workload by workload; one that names whole namespaces only when nobody there is
// reachable, as such rules are written to be wide; so is a rule of the admin tiers whose subject names no pods. Peers
// that match every pod, and addresses, are not judged. Left out: rules of the admin tiers that concern more than
// kMostPairs pairs of kinds, none of which may talk (compared-in-part).
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "models/analysis/lint_described.hpp"
#include "models/policy/compiled.hpp"
#include "models/policy/deviations.hpp"

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

constexpr std::size_t kMostPairs = 4'000'000;

/// One peer of an allowing rule.
struct Half {
  std::string policy;  // its name in messages
  std::string object;  // and as an object
  Direction direction = Direction::egress;
  const std::vector<policy::PortRule>* ports = nullptr;
  Span span;
  std::vector<PodKind> subjects;
  std::vector<PodKind> others;
  bool is_wide = false;  // written for many: one pair that may talk is enough
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
              judge({.policy = policy.full_name(),
                     .object = LintContext::object_name(policy),
                     .direction = direction,
                     .ports = &rule.ports,
                     .span = peer.span.is_known() ? peer.span : rule.span,
                     .subjects = subjects,
                     .others = context_.peers_of(policy, peer),
                     .is_wide = !names_pods(peer)});
            }
          }
        }
      }
    }
    for (const policy::AdminPolicy& policy : context_.policies.admin_policies) {
      if (policy::is_in_force(policy.kind, context_.profile.policy)) {
        judge(policy);
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
  static bool names_pods(const policy::AdminPeer& peer) {
    return peer.kind == policy::AdminPeer::Kind::pods && !peer.pod_selector.matches_everything();
  }
  static bool is_specific(const policy::AdminPeer& peer) {
    const bool are_pods =
        peer.kind == policy::AdminPeer::Kind::pods || peer.kind == policy::AdminPeer::Kind::namespaces;
    return are_pods && (names_pods(peer) || !peer.namespace_selector.matches_everything());
  }

  std::vector<PodKind> kinds_matching(const cluster::LabelSelector& namespaces, const cluster::LabelSelector* pods) {
    std::vector<PodKind> found;
    for (const cluster::NamespaceId name_space : context_.namespaces_matching(namespaces)) {
      for (const PodKind& kind : context_.kinds_in(name_space)) {
        if (pods == nullptr || context_.is_matched(*pods, kind)) {
          found.push_back(kind);
        }
      }
    }
    return found;
  }

  void judge(const policy::AdminPolicy& policy) {
    std::vector<PodKind> subjects;
    bool is_known = false;
    for (const Direction direction : {Direction::egress, Direction::ingress}) {
      for (const policy::AdminRule& rule : policy.rules(direction)) {
        for (const policy::AdminPeer& peer : rule.peers) {
          if (rule.action != policy::RuleAction::allow || !is_specific(peer)) {
            continue;
          }
          if (!is_known) {
            subjects = kinds_matching(policy.subject_namespaces, &policy.subject_pods);
            is_known = true;
          }
          const bool has_pods = peer.kind == policy::AdminPeer::Kind::pods;
          judge({.policy = policy.full_name(),
                 .object = policy.full_name(),
                 .direction = direction,
                 .ports = &rule.ports,
                 .span = peer.span.is_known() ? peer.span : rule.span,
                 .subjects = subjects,
                 .others = kinds_matching(peer.namespace_selector, has_pods ? &peer.pod_selector : nullptr),
                 .is_wide = !names_pods(peer) || policy.subject_pods.matches_everything()});
        }
      }
    }
  }

  /// The ports that each item of the rule's ports grants towards a destination.
  std::vector<PortSet> granted(const std::vector<policy::PortRule>& ports, const PodKind& destination) const {
    if (ports.empty()) {
      return {PortSet::all()};
    }
    std::vector<PortSet> items;
    for (const policy::PortRule& port : ports) {
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
    std::vector<bool> is_open;  // some pair may talk on a port of the item
    bool is_doubted = false;
  };

  void judge(const Half& half) {
    const std::size_t items = std::max<std::size_t>(1, half.ports->size());
    Judged judged{.denied = std::vector<std::vector<Denied>>(items), .is_open = std::vector<bool>(items)};
    std::size_t pairs_left = kMostPairs;
    for (const PodKind& other : half.others) {
      for (const PodKind& subject : half.subjects) {
        if (subject.pod == other.pod) {
          continue;
        }
        judge(half, subject, other, judged);
        if (half.is_wide && std::find(judged.is_open.begin(), judged.is_open.end(), false) == judged.is_open.end()) {
          return;
        }
        if (--pairs_left == 0) {
          context_.notes.warning("compared-in-part",
                                 fmt::format("one-sided-allow: a rule of {} concerns more than {} pairs of kinds of "
                                             "pods: not judged",
                                             half.policy, kMostPairs),
                                 half.span);
          return;
        }
      }
    }
    // Items that the same pairs of ends are denied share a finding.
    std::map<std::vector<std::pair<cluster::PodId, cluster::PodId>>, Items> findings;
    for (std::size_t i = 0; i < items; ++i) {
      if (judged.denied[i].empty() || (half.is_wide && judged.is_open[i])) {
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
      report(half, denied, of);
    }
  }

  void judge(const Half& half, const PodKind& subject, const PodKind& other, Judged& judged) {
    const Direction back = opposite(half.direction);
    const std::vector<PortSet> wanted = granted(*half.ports, half.direction == Direction::egress ? other : subject);
    const bool lets_everyone = context_.policies.admin_policies.empty() && isolating(other, back).empty();
    bool is_unknown = false;
    const PortSet allowed =
        lets_everyone ? PortSet::all()
                      : context_.engine.allowed_ports(back, context_.peer(other), context_.peer(subject), is_unknown);
    std::optional<PortSet> own;  // what the subject's own end lets through, asked for only where the other does not
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i].empty()) {
        continue;
      }
      if (!allowed.intersected_with(wanted[i]).empty()) {
        judged.is_open[i] = true;
        continue;
      }
      if (!own) {
        bool ignored = false;  // an object that may decide here may decide there
        own = context_.engine.allowed_ports(half.direction, context_.peer(subject), context_.peer(other), ignored);
      }
      if (own->intersected_with(wanted[i]).empty()) {
        continue;
      }
      if (hinges_on_unknown_labels(context_, back, other, subject)) {
        judged.is_open[i] = true;
        continue;
      }
      if (is_unknown) {
        judged.is_open[i] = true;
        doubt(half, subject, other, judged);
      } else {
        judged.denied[i].push_back({subject, other, wanted[i]});
      }
    }
  }

  void doubt(const Half& half, const PodKind& subject, const PodKind& other, Judged& judged) {
    if (!judged.is_doubted) {
      judged.is_doubted = true;
      context_.doubt("one-sided-allow", half.object,
                     context_.engine.unmodelled_between(context_.peer(other), context_.peer(subject)));
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

  void report(const Half& half, const std::vector<Denied>& denied, const Items& items) {
    const Direction back = opposite(half.direction);
    const bool is_egress = half.direction == Direction::egress;
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
        context_.add("one-sided-allow", half.object, half.span,
                     fmt::format("{} allows {} of {} ({}), and {} {} not allow {}: the connection fails", half.policy,
                                 to_string(half.direction), listed(pairs), ports, listed(names),
                                 names.size() == 1 ? "does" : "do", to_string(back)),
                     remedy(first, *half.ports, items, back));
    for (std::size_t i = 0; i < std::min<std::size_t>(ids.size(), 3); ++i) {
      finding.related.push_back(
          {context_.engine.policy_span(ids[i]),
           fmt::format("{} {} the other end", names[i], context_.engine.is_admin(ids[i]) ? "rules" : "isolates")});
    }
  }

  /// The missing half as one policy rule; where the admin tier denies it, that policy.
  std::string remedy(const Denied& one, const std::vector<policy::PortRule>& rules, const Items& items,
                     Direction back) {
    const std::vector<policy::PolicyIndex> by = deniers(one, back);
    if (!by.empty() && context_.engine.policy_tier(by.front()) == policy::Tier::admin) {
      return fmt::format("change {}, which no NetworkPolicy can overrule, or take this half away",
                         context_.engine.policy_name(by.front()));
    }
    std::string ports;
    for (const std::size_t item : items) {
      if (item < rules.size()) {
        ports += (ports.empty() ? "" : ", ") + port_yaml(rules[item]);
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
