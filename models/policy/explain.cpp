// Reasons for people. Not fast and not compiled: the rules are read as they were written, criterion by criterion, so
// that each answer can point at the words that decided.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "models/policy/engine.hpp"
#include "models/policy/engine_impl.hpp"
#include "sim/base/text.hpp"

namespace podwire::policy {

namespace {

constexpr std::size_t kNearest = 3;

/// How one criterion, or a chain of them, went.
struct Judgement {
  bool holds = true;
  unsigned criteria = 0;      // passed
  unsigned requirements = 0;  // passed, of the selectors
  std::string failure = {};   // the first criterion that failed
  Span span = {};
};

std::string labels_text(const cluster::Cluster& cluster, cluster::LabelSetId labels) {
  std::vector<std::string> texts;
  for (const cluster::Label& label : cluster.label_sets[labels]) {
    texts.push_back(
        fmt::format("{}={}", printable(cluster.strings[label.key]), printable(cluster.strings[label.value])));
  }
  std::sort(texts.begin(), texts.end());
  return texts.empty() ? "no labels" : fmt::format("labels: {}", fmt::join(texts, ","));
}

std::string requirement_text(const cluster::Requirement& requirement) {
  cluster::LabelSelector alone;
  alone.requirements = {requirement};
  return printable(alone.to_string());
}

/// Judges rules for one connection.
class RuleJudge {
 public:
  RuleJudge(const PolicyEngine& engine, const PodEntry* other_entry, Direction direction, const Peer& subject,
            const Peer& other, IpProtocol protocol, Port port)
      : engine_(engine),
        cluster_(engine.cluster()),
        other_(other),
        destination_(direction == Direction::ingress ? subject : other),
        is_destination_stranger_(direction == Direction::egress &&
                                 (other_entry == nullptr || other_entry->is_stranger)),
        other_entry_(other_entry),
        protocol_(protocol),
        port_(port) {}

  Judgement judge(const NetworkPolicy& policy, const Rule& rule) const {
    Judgement peer = best_peer(policy, rule);
    const Judgement ports = judge_ports(rule);
    if (ports.holds) {
      ++peer.criteria;
    } else if (peer.holds) {
      peer.holds = false;
      peer.failure = ports.failure;
      peer.span = ports.span;
    }
    return peer;
  }

 private:
  bool is_selectable() const { return other_entry_ != nullptr && !other_entry_->is_stranger; }

  IpAddress other_ip() const { return other_.pod.is_valid() ? cluster_.pods[other_.pod.index()].ip : other_.ip; }

  std::string other_text() const {
    return other_.pod.is_valid() ? printable(cluster_.full_pod_name(other_.pod)) : other_.ip.to_string();
  }

  Judgement best_peer(const NetworkPolicy& policy, const Rule& rule) const {
    if (rule.peers.empty()) {
      return {.criteria = 2};
    }
    Judgement best = judge_peer(policy, rule.peers.front());
    for (std::size_t i = 1; i < rule.peers.size() && !best.holds; ++i) {
      Judgement next = judge_peer(policy, rule.peers[i]);
      if (next.holds || std::pair(next.criteria, next.requirements) > std::pair(best.criteria, best.requirements)) {
        best = std::move(next);
      }
    }
    return best;
  }

  Judgement judge_peer(const NetworkPolicy& policy, const PeerRule& peer) const {
    return peer.ip_block ? judge_block(*peer.ip_block) : judge_selectors(policy, peer);
  }

  Judgement judge_block(const IpBlock& block) const {
    const std::string name = "ipBlock " + block.cidr.to_string();
    const auto failed = [&](unsigned criteria, std::string text) {
      return Judgement{.holds = false, .criteria = criteria, .failure = std::move(text), .span = block.span};
    };
    if (is_selectable() && !engine_.profile().policy.ip_block_matches_pods) {
      return failed(0, fmt::format("{} matches no pod under the profile {}", name, engine_.profile().name));
    }
    const IpAddress ip = other_ip();
    if (ip.is_unspecified() && other_.pod.is_valid()) {
      return failed(0, fmt::format("{} does not match {}, which has no address", name, other_text()));
    }
    if (block.cidr.family() != ip.family() || !block.cidr.contains(ip)) {
      return failed(0, fmt::format("{} does not hold {}", name, ip.to_string()));
    }
    for (const Cidr& except : block.except) {
      if (except.family() == ip.family() && except.contains(ip)) {
        return failed(1, fmt::format("{} excepts {}, which holds {}", name, except.to_string(), ip.to_string()));
      }
    }
    return {.criteria = 2};
  }

  Judgement judge_selectors(const NetworkPolicy& policy, const PeerRule& peer) const {
    if (!is_selectable()) {
      return {.holds = false, .failure = not_selectable(peer), .span = peer.span};
    }
    const cluster::PodShape& shape = cluster_.shape(other_.pod);
    const cluster::Namespace& name_space = cluster_.namespaces[shape.name_space.index()];
    Judgement result;
    if (peer.namespace_selector) {
      result = judge_selector(*peer.namespace_selector, "namespaceSelector", name_space.labels,
                              "namespace " + printable(name_space.name));
    } else if (name_space.name != policy.name_space) {
      result = {.holds = false,
                .failure = fmt::format("podSelector {} without a namespaceSelector selects pods of namespace {} only, "
                                       "not of {}",
                                       printable(peer.pod_selector->to_string()), printable(policy.name_space),
                                       printable(name_space.name)),
                .span = peer.pod_selector->span};
    }
    if (!result.holds) {
      return result;
    }
    result.criteria = 1;
    if (peer.pod_selector) {
      const unsigned so_far = result.requirements;
      result = judge_selector(*peer.pod_selector, "podSelector", shape.labels, "pod " + other_text());
      result.requirements += so_far;
      result.criteria = 1;
    }
    result.criteria += result.holds ? 1 : 0;
    return result;
  }

  Judgement judge_selector(const cluster::LabelSelector& selector, std::string_view field, cluster::LabelSetId labels,
                           const std::string& whom) const {
    Judgement result;
    for (const cluster::Requirement& requirement : selector.requirements) {
      cluster::LabelSelector alone;
      alone.requirements = {requirement};
      if (alone.matches(labels, cluster_.label_sets, cluster_.strings)) {
        ++result.requirements;
      } else if (result.holds) {
        result.holds = false;
        result.failure = fmt::format("{} {} does not match {} ({})", field, requirement_text(requirement), whom,
                                     labels_text(cluster_, labels));
        result.span = requirement.span.is_known() ? requirement.span : selector.span;
      }
    }
    return result;
  }

  std::string not_selectable(const PeerRule& peer) const {
    const std::string selectors = peer.pod_selector
                                      ? "podSelector " + printable(peer.pod_selector->to_string())
                                      : "namespaceSelector " + printable(peer.namespace_selector->to_string());
    if (other_entry_ == nullptr) {
      return fmt::format("{} selects pods, and {} is no pod's address", selectors, other_text());
    }
    return fmt::format(
        "{} does not select {}, which {}", selectors, other_text(),
        other_entry_->is_node_traffic ? "uses its node's network and counts as the node" : "has finished");
  }

  Judgement judge_ports(const Rule& rule) const {
    if (rule.ports.empty()) {
      return {};
    }
    std::vector<std::string> accepted;
    for (const PortRule& wanted : rule.ports) {
      if (accepts(wanted)) {
        return {};
      }
      accepted.push_back(port_text(wanted));
    }
    return {.holds = false,
            .failure = fmt::format("port {} {} is not among {}", to_string(protocol_), port_.number(),
                                   fmt::join(accepted, ", ")),
            .span = rule.ports.front().span.is_known() ? rule.ports.front().span : rule.span};
  }

  bool accepts(const PortRule& wanted) const {
    if (wanted.protocol != protocol_) {
      return false;
    }
    if (!wanted.name.empty()) {
      return named_port(wanted) == port_;
    }
    return wanted.is_all() || (wanted.first <= port_ && port_ <= std::max(wanted.first, wanted.last));
  }

  /// The number the name has on the destination; none where it has none.
  Port named_port(const PortRule& wanted) const {
    if (!destination_.pod.is_valid() || is_destination_stranger_) {
      return {};
    }
    for (const cluster::ContainerPort& port : cluster_.pod_template(destination_.pod).ports) {
      if (port.name == wanted.name && port.protocol == wanted.protocol) {
        return port.number;
      }
    }
    return {};
  }

  std::string port_text(const PortRule& wanted) const {
    const std::string_view protocol = to_string(wanted.protocol);
    if (!wanted.name.empty()) {
      const Port number = named_port(wanted);
      const std::string name = printable(wanted.name);
      return number.is_valid() ? fmt::format("{} {} ({})", protocol, name, number.number())
                               : fmt::format("{} {} (a name the destination does not declare)", protocol, name);
    }
    if (wanted.is_all()) {
      return fmt::format("{} 1-65535", protocol);
    }
    return wanted.last > wanted.first ? fmt::format("{} {}-{}", protocol, wanted.first.number(), wanted.last.number())
                                      : fmt::format("{} {}", protocol, wanted.first.number());
  }

  const PolicyEngine& engine_;
  const cluster::Cluster& cluster_;
  Peer other_;
  Peer destination_;
  bool is_destination_stranger_;
  const PodEntry* other_entry_;  // null: no pod
  IpProtocol protocol_;
  Port port_;
};

/// The rules of the isolating policies that passed most criteria; ties go to the least (policy, rule).
std::vector<NearMiss> nearest_rules(const PolicyEngine& engine, const RuleJudge& judge, Direction direction,
                                    const std::vector<PolicyIndex>& isolating) {
  struct Ranked {
    unsigned criteria;
    unsigned requirements;
    NearMiss miss;
  };
  std::vector<Ranked> ranked;
  for (const PolicyIndex index : isolating) {
    const NetworkPolicy& policy = engine.policy(index);
    const std::vector<Rule>& rules = policy.rules(direction);
    for (std::size_t r = 0; r < rules.size(); ++r) {
      Judgement judgement = judge.judge(policy, rules[r]);
      NearMiss miss;
      miss.policy = index;
      miss.rule = static_cast<std::uint16_t>(r);
      miss.criterion = std::move(judgement.failure);
      miss.span = judgement.span.is_known() ? judgement.span : rules[r].span;
      ranked.push_back({judgement.criteria, judgement.requirements, std::move(miss)});
    }
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return std::pair(a.criteria, a.requirements) > std::pair(b.criteria, b.requirements);
  });
  std::vector<NearMiss> nearest;
  for (std::size_t i = 0; i < std::min(kNearest, ranked.size()); ++i) {
    nearest.push_back(std::move(ranked[i].miss));
  }
  return nearest;
}

std::string peer_text(const cluster::Cluster& cluster, const Peer& end) {
  return end.pod.is_valid() ? printable(cluster.full_pod_name(end.pod)) : end.ip.to_string();
}

std::string denial_text(const PolicyEngine& engine, const Explanation& explanation, const std::string& subject) {
  std::vector<std::string> names;
  std::size_t rules = 0;
  for (const PolicyIndex index : explanation.isolating) {
    names.push_back(printable(engine.policy(index).full_name()));
    rules += engine.policy(index).rules(explanation.direction).size();
  }
  const std::string_view direction = to_string(explanation.direction);
  return fmt::format("denied by default: {} {} {} for {}, and {}", fmt::join(names, ", "),
                     names.size() == 1 ? "isolates" : "isolate", subject, direction,
                     rules == 0   ? fmt::format("{} no {} rule", names.size() == 1 ? "has" : "have", direction)
                     : rules == 1 ? fmt::format("the only {} rule does not grant this", direction)
                                  : fmt::format("none of the {} {} rules grants this", rules, direction));
}

}  // namespace

Explanation PolicyEngine::explain(Direction direction, const Peer& subject, const Peer& other, IpProtocol protocol,
                                  Port port) {
  Explanation result;
  result.direction = direction;
  result.verdict = verdict(direction, subject, other, protocol, port);
  const std::vector<PodEntry>& pods = impl_->compiled.view.pods;
  const std::string whom = peer_text(cluster(), subject);
  if (subject.pod.is_valid()) {
    if (const GroupId group = pods[subject.pod.index()].group(direction); group.is_valid()) {
      result.isolating = impl_->compiled.policies_of(group);
    }
  }
  switch (result.verdict.cause) {
    case Cause::no_policy:
      result.text = fmt::format("allowed: no policy isolates {} for {}", whom, to_string(direction));
      break;
    case Cause::rule: {
      const NetworkPolicy& granting = policy(result.verdict.policy);
      result.span = granting.rules(direction)[result.verdict.rule].span;
      result.text = fmt::format("allowed by {} rule {} of {}", to_string(direction), result.verdict.rule,
                                printable(granting.full_name()));
      break;
    }
    case Cause::default_deny: {
      const PodEntry* entry = other.pod.is_valid() ? &pods[other.pod.index()] : nullptr;
      const RuleJudge judge(*this, entry, direction, subject, other, protocol, port);
      result.nearest = nearest_rules(*this, judge, direction, result.isolating);
      result.span = policy(result.verdict.policy).span;
      result.text = denial_text(*this, result, whom);
      break;
    }
    case Cause::not_enforced:
      result.text = fmt::format("allowed: the profile {} enforces no policies", profile().name);
      break;
    case Cause::same_pod:
      result.text = fmt::format("allowed: {} reaches itself, whatever policies say", whom);
      break;
    case Cause::own_node:
      result.text = fmt::format("allowed: its own node always reaches {}", whom);
      break;
    case Cause::not_a_subject:
      result.text = fmt::format("allowed: no policy applies to {}, which is {}", whom,
                                !subject.pod.is_valid()                     ? "no pod's address"
                                : pods[subject.pod.index()].is_node_traffic ? "on its node's network"
                                                                            : "a finished pod");
      break;
    case Cause::unmodelled: {
      const cluster::UnmodelledObject& object = cluster().unmodelled[result.verdict.unmodelled];
      result.span = object.span;
      result.text = fmt::format("unknown: {} {} may decide, and podwire does not model it", printable(object.kind),
                                printable(object.full_name));
      break;
    }
    case Cause::conflict:
    case Cause::unresolved:
      result.span = rule_span(result.verdict.policy, direction, result.verdict.rule);
      result.text = "unknown: " + printable(deciding_rule(direction, result.verdict));
      break;
  }
  return result;
}

}  // namespace podwire::policy
