// The rule one-sided-allow: what a policy at one end grants by name while the other end's policies deny it; both of
// whatever tier.
//
// For each peer of each allowing rule the pods at both ends are compared by kind, and each item of the rule's ports for
// itself, with the engine's allowed ports for the other direction; an item of which some port is allowed passes. What
// the rule's own end denies all the same (an admin tier decides before it) is no half of a connection and not judged. A
// peer that names pods is judged workload by workload; one that names whole namespaces only when nobody there is
// reachable, as such rules are written to be wide; so is a rule of the admin tiers whose subject names no pods. Peers
// that match every pod, and addresses, are not judged. Rules that lead to many pairs are judged in blocks.
#include "models/analysis/lint_allow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "models/analysis/lint_described.hpp"
#include "models/policy/compiled.hpp"
#include "models/policy/deviations.hpp"

namespace podwire::analysis {
namespace one_sided {

using policy::Direction;
using policy::PortSet;

std::vector<PortSet> Pairs::granted(const std::vector<policy::PortRule>& ports, const PodKind& destination) const {
  if (ports.empty()) {
    return {PortSet::all()};
  }
  std::vector<PortSet> items;
  for (const policy::PortRule& port : ports) {
    if (!port.name.empty()) {
      const Port number = context_.cluster.named_port(destination.shape, port.protocol, port.name);
      items.push_back(number.is_valid() ? PortSet::of({{port.protocol, number.number(), number.number()}}) : PortSet());
    } else if (port.first.is_valid()) {
      items.push_back(PortSet::of({{port.protocol, port.first.number(), std::max(port.first, port.last).number()}}));
    } else {
      items.push_back(PortSet::whole(port.protocol));
    }
  }
  return items;
}

/// The policies that isolate a pod in a direction.
std::vector<policy::PolicyIndex> Pairs::isolating(const PodKind& kind, Direction direction) {
  const policy::GroupId group = context_.engine.view().pods[kind.pod.index()].group(direction);
  return group.is_valid() ? context_.engine.policies_of(group) : std::vector<policy::PolicyIndex>();
}

std::vector<State> Pairs::states(const Half& half, const PodKind& subject, const PodKind& other) {
  const Direction back = half.back();
  const std::vector<PortSet> wanted = granted(*half.ports, half.direction == Direction::egress ? other : subject);
  const bool lets_everyone = context_.policies.admin_policies.empty() && isolating(other, back).empty();
  bool is_unknown = false;
  const PortSet allowed =
      lets_everyone ? PortSet::all()
                    : context_.engine.allowed_ports(back, context_.peer(other), context_.peer(subject), is_unknown);
  std::optional<PortSet> own;  // what the subject's own end lets through, asked for only where the other does not
  std::vector<State> states(wanted.size(), State::nothing);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].empty()) {
      continue;
    }
    if (!allowed.intersected_with(wanted[i]).empty()) {
      states[i] = State::open;
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
      states[i] = State::open;  // nothing to report
    } else {
      states[i] = is_unknown ? State::unknown : State::denied;
    }
  }
  return states;
}

PortSet Pairs::ports_of(const Half& half, const Items& items, const PodKind& subject, const PodKind& other) const {
  const std::vector<PortSet> all = granted(*half.ports, half.direction == Direction::egress ? other : subject);
  PortSet ports;
  for (const std::size_t i : items) {
    ports = ports.united_with(all[i]);
  }
  return ports;
}

std::vector<policy::PolicyIndex> Pairs::deniers(const Denied& one, Direction back) {
  const policy::GroupId group = context_.engine.view().pods[one.other.pod.index()].group(back);
  if (group.is_valid() && !context_.engine.compiled().groups[group.index()].tiers.is_valid()) {
    return context_.engine.policies_of(group);
  }
  const PortSet::Range& first = one.ports.ranges.front();
  const policy::Verdict verdict = context_.engine.verdict(back, context_.peer(one.other), context_.peer(one.subject),
                                                          first.protocol, Port(first.first));
  return verdict.cause == policy::Cause::rule ? std::vector<policy::PolicyIndex>{verdict.policy}
                                              : isolating(one.other, back);
}

std::string Pairs::text(const Half& half, const PodKind& subject, const PodKind& other) const {
  const bool is_egress = half.direction == Direction::egress;
  return fmt::format("{} → {}", context_.cluster.workload_name((is_egress ? subject : other).workload),
                     context_.cluster.workload_name((is_egress ? other : subject).workload));
}

void Pairs::doubt(const Half& half, const PodKind& subject, const PodKind& other) {
  context_.doubt("one-sided-allow", half.object,
                 context_.engine.unmodelled_between(context_.peer(other), context_.peer(subject)));
}

}  // namespace one_sided

namespace {

using namespace one_sided;
using policy::Direction;
using policy::NetworkPolicy;
using policy::PeerRule;
using policy::PortSet;

class OneSidedAllow {
 public:
  explicit OneSidedAllow(LintContext& context) : context_(context), cluster_(context.cluster), pairs_(context) {}

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
                     .is_wide = !names_pods(peer),
                     .of_network = &policy});
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
                 .is_wide = !names_pods(peer) || policy.subject_pods.matches_everything(),
                 .of_network = nullptr});
        }
      }
    }
  }

  void judge(const Half& half) {
    if (half.subjects.size() * half.others.size() <= context_.input.pairs_one_by_one) {
      judge_one_by_one(half);
      return;
    }
    if (!rows_) {
      rows_.emplace(context_.engine);
    }
    const std::optional<std::vector<Told>> findings = judge_in_blocks(context_, *rows_, half);
    if (!findings) {
      context_.notes.warning(
          "compared-in-part",
          fmt::format("one-sided-allow: a rule of {} concerns more than {} pairs of kinds of pods whose own end needs "
                      "to be asked pair by pair: not judged",
                      half.policy, kMostSinglePairs),
          half.span);
      return;
    }
    for (const Told& told : *findings) {
      report(half, told);
    }
  }

  using PairList = std::vector<std::pair<const PodKind*, const PodKind*>>;  // subject, other

  void judge_one_by_one(const Half& half) {
    std::vector<PairList> denied(half.items());
    std::vector<bool> is_open(half.items());   // some pair may talk on a port of the item, or it is not known
    std::vector<bool> is_known(half.items());  // some pair may talk, for sure
    std::pair<const PodKind*, const PodKind*> doubted;
    for (const PodKind& other : half.others) {
      for (const PodKind& subject : half.subjects) {
        if (subject.pod == other.pod) {
          continue;
        }
        const std::vector<State> states = pairs_.states(half, subject, other);
        for (std::size_t i = 0; i < states.size(); ++i) {
          is_known[i] = is_known[i] || states[i] == State::open;
          is_open[i] = is_open[i] || is_known[i] || states[i] == State::unknown;
          if (states[i] == State::denied) {
            denied[i].emplace_back(&subject, &other);
          } else if (states[i] == State::unknown && doubted.first == nullptr) {
            doubted = {&subject, &other};
          }
        }
        if (half.is_wide && std::find(is_known.begin(), is_known.end(), false) == is_known.end()) {
          return;
        }
      }
    }
    if (doubted.first != nullptr) {
      pairs_.doubt(half, *doubted.first, *doubted.second);
    }
    std::map<PairList, Items> findings;  // items that the same pairs of ends are denied share one
    for (std::size_t i = 0; i < denied.size(); ++i) {
      if (!denied[i].empty() && !(half.is_wide && is_open[i])) {
        findings[std::move(denied[i])].push_back(i);
      }
    }
    for (const auto& [pairs, items] : findings) {
      report(half, tell(half, pairs, items));
    }
  }

  Told tell(const Half& half, const PairList& pairs, const Items& items) {
    Told told{.items = items, .first = {}, .pairs = {}, .deniers = {}};
    std::vector<std::string> texts;
    for (const auto& [subject, other] : pairs) {
      const Denied one{*subject, *other, pairs_.ports_of(half, items, *subject, *other)};
      if (told.first.ports.empty()) {
        told.first = one;
      }
      const std::string text = pairs_.text(half, *subject, *other);
      if (std::find(texts.begin(), texts.end(), text) == texts.end()) {
        texts.push_back(text);
      }
      for (const policy::PolicyIndex index : pairs_.deniers(one, half.back())) {
        if (std::find(told.deniers.begin(), told.deniers.end(), index) == told.deniers.end()) {
          told.deniers.push_back(index);
        }
      }
    }
    told.pair_count = texts.size();
    texts.resize(std::min(texts.size(), kMostListed));
    told.pairs = std::move(texts);
    return told;
  }

  void report(const Half& half, const Told& told) {
    const Direction back = half.back();
    std::vector<std::string> names;
    for (const policy::PolicyIndex index : told.deniers) {
      if (names.size() < kMostListed) {
        names.push_back(context_.engine.policy_name(index));
      }
    }
    const Denied& first = told.first;
    const std::string ports = first.ports.is_all() ? "every port" : first.ports.to_string();
    LintFinding& finding = context_.add(
        "one-sided-allow", half.object, half.span,
        fmt::format("{} allows {} of {} ({}), and {} {} not allow {}: the connection fails", half.policy,
                    to_string(half.direction), listed_of(told.pairs, told.pair_count), ports,
                    listed_of(names, told.deniers.size()), told.deniers.size() == 1 ? "does" : "do", to_string(back)),
        remedy(first, *half.ports, told.items, back));
    for (std::size_t i = 0; i < std::min<std::size_t>(told.deniers.size(), 3); ++i) {
      const policy::PolicyIndex id = told.deniers[i];
      finding.related.push_back(
          {context_.engine.policy_span(id),
           fmt::format("{} {} the other end", names[i], context_.engine.is_admin(id) ? "rules" : "isolates")});
    }
  }

  /// The missing half as one policy rule; where the admin tier denies it, that policy.
  std::string remedy(const Denied& one, const std::vector<policy::PortRule>& rules, const Items& items,
                     Direction back) {
    const std::vector<policy::PolicyIndex> by = pairs_.deniers(one, back);
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
  Pairs pairs_;
  std::optional<policy::PortRows> rows_;  // made when a rule leads to many pairs
};

}  // namespace

void lint_allow(LintContext& context) {
  if (context.profile.policy.is_enforced) {
    OneSidedAllow(context).run();
  }
}

}  // namespace podwire::analysis
