// Reasons for people. Not fast and not compiled: the rules are read as they were written, criterion by criterion, so
// that each answer can point at the words that decided.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "models/policy/engine.hpp"
#include "models/policy/engine_impl.hpp"
#include "models/policy/rule_judge.hpp"
#include "sim/base/text.hpp"

namespace podwire::policy {

namespace {

constexpr std::size_t kNearest = 3;

/// Rules that did not match, the ones that passed most criteria first; ties go to the least (policy, rule).
class NearMisses {
 public:
  void add(PolicyIndex policy, std::size_t rule, Judgement judgement, Span rule_span) {
    NearMiss miss;
    miss.policy = policy;
    miss.rule = static_cast<std::uint16_t>(rule);
    miss.criterion = std::move(judgement.failure);
    miss.span = judgement.span.is_known() ? judgement.span : rule_span;
    ranked_.push_back({judgement.criteria, judgement.requirements, std::move(miss)});
  }

  std::vector<NearMiss> nearest() {
    std::stable_sort(ranked_.begin(), ranked_.end(), [](const Ranked& a, const Ranked& b) {
      return std::pair(a.criteria, a.requirements) > std::pair(b.criteria, b.requirements);
    });
    std::vector<NearMiss> nearest;
    for (std::size_t i = 0; i < std::min(kNearest, ranked_.size()); ++i) {
      nearest.push_back(ranked_[i].miss);
    }
    return nearest;
  }

 private:
  struct Ranked {
    unsigned criteria;
    unsigned requirements;
    NearMiss miss;
  };
  std::vector<Ranked> ranked_;
};

std::vector<NearMiss> nearest_rules(const PolicyEngine& engine, const RuleJudge& judge, Direction direction,
                                    const std::vector<PolicyIndex>& isolating) {
  NearMisses misses;
  for (const PolicyIndex index : isolating) {
    const NetworkPolicy& policy = engine.policy(index);
    const std::vector<Rule>& rules = policy.rules(direction);
    for (std::size_t r = 0; r < rules.size(); ++r) {
      misses.add(index, r, judge.judge(policy, rules[r]), rules[r].span);
    }
  }
  return misses.nearest();
}

std::string rule_text(const PolicyEngine& engine, Direction direction, PolicyIndex index, std::uint16_t rule) {
  std::string text = fmt::format("{} rule {} of {}", to_string(direction), rule, printable(engine.policy_name(index)));
  if (engine.is_admin(index) && !engine.admin_policy(index).rules(direction)[rule].name.empty()) {
    text += fmt::format(" (\"{}\")", printable(engine.admin_policy(index).rules(direction)[rule].name));
  }
  return text;
}

std::string unknown_text(const PolicyEngine& engine, Direction direction, const Verdict& verdict) {
  const AdminPolicy& policy = engine.admin_policy(verdict.policy);
  if (verdict.cause == Cause::conflict && engine.admin_policy(verdict.rival()).priority != policy.priority) {
    return fmt::format("unknown: {} and {} both match and disagree, and which of them comes first is not known",
                       printable(policy.full_name()), printable(engine.policy_name(verdict.rival())));
  }
  if (verdict.cause == Cause::conflict) {
    return fmt::format("unknown: {} and {} both match, have priority {} in the {} tier and disagree",
                       printable(policy.full_name()), printable(engine.policy_name(verdict.rival())), policy.priority,
                       to_string(policy.tier));
  }
  std::vector<std::string> names;
  for (const AdminPeer& peer : policy.rules(direction)[verdict.rule].peers) {
    names.insert(names.end(), peer.domain_names.begin(), peer.domain_names.end());
  }
  return fmt::format("unknown: {} allows unresolved domain names ({})",
                     rule_text(engine, direction, verdict.policy, verdict.rule), fmt::join(names, ", "));
}

/// The step of an admin or baseline tier. Rules top-down: the first that matches for sure, unless the verdict says that
/// the tier leaves it open.
TierStep admin_step(const PolicyEngine& engine, const RuleJudge& judge, Direction direction, Tier tier,
                    std::vector<PolicyIndex> selecting, const Verdict& verdict) {
  TierStep step;
  step.tier = tier;
  step.selecting = std::move(selecting);
  if (verdict.action == Action::unknown && verdict.tier == tier) {
    step.outcome = TierStep::Outcome::unknown;
    step.policy = verdict.policy;
    step.rule = verdict.rule;
    step.span = engine.rule_span(verdict.policy, direction, verdict.rule);
    step.text = unknown_text(engine, direction, verdict);
    return step;
  }
  NearMisses misses;
  for (const PolicyIndex index : step.selecting) {
    const std::vector<AdminRule>& rules = engine.admin_policy(index).rules(direction);
    for (std::size_t r = 0; r < rules.size(); ++r) {
      Judgement judgement = judge.judge(rules[r]);
      if (!judgement.holds) {
        misses.add(index, r, std::move(judgement), rules[r].span);
        continue;
      }
      if (judgement.is_uncertain) {
        continue;  // allowed either way
      }
      step.policy = index;
      step.rule = static_cast<std::uint16_t>(r);
      step.span = rules[r].span;
      step.outcome = rules[r].action == RuleAction::allow  ? TierStep::Outcome::allow
                     : rules[r].action == RuleAction::deny ? TierStep::Outcome::deny
                                                           : TierStep::Outcome::pass;
      const std::string_view what = rules[r].action == RuleAction::allow  ? "allowed by"
                                    : rules[r].action == RuleAction::deny ? "denied by"
                                                                          : "passed on by";
      step.text = fmt::format("{} {}", what, rule_text(engine, direction, index, step.rule));
      step.nearest = misses.nearest();
      return step;
    }
  }
  step.text = fmt::format("no {} rule of the {} tier matches", to_string(direction), to_string(tier));
  step.nearest = misses.nearest();
  return step;
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

/// Fills the chain of a verdict that the policies gave.
void PolicyEngine::make_chain(const RuleJudge& judge, const Peer& subject, Explanation& result) const {
  const GroupId group = impl_->view.pods[subject.pod.index()].group(result.direction);
  if (!group.is_valid()) {
    return;
  }
  for (const Tier tier : {Tier::admin, Tier::network_policy, Tier::baseline}) {
    if (tier == Tier::network_policy) {
      if (result.isolating.empty()) {
        continue;
      }
      const bool is_denied = result.verdict.cause == Cause::default_deny;
      result.chain.push_back({.tier = tier,
                              .outcome = is_denied ? TierStep::Outcome::deny : TierStep::Outcome::allow,
                              .policy = result.verdict.policy,
                              .rule = result.verdict.rule,
                              .is_default_deny = is_denied,
                              .span = result.span,
                              .selecting = result.isolating,
                              .nearest = result.nearest,
                              .text = result.text});
      return;
    }
    std::vector<PolicyIndex> selecting;
    for (const std::uint32_t s : impl_->compiled.segments_of(group, tier)) {
      selecting.push_back(impl_->view.place_of(impl_->compiled.segments[s].policies.front()));
    }
    if (selecting.empty()) {
      continue;
    }
    result.chain.push_back(admin_step(*this, judge, result.direction, tier, std::move(selecting), result.verdict));
    const TierStep::Outcome outcome = result.chain.back().outcome;
    if (outcome != TierStep::Outcome::pass && outcome != TierStep::Outcome::skipped) {
      return;
    }
  }
}

Explanation PolicyEngine::explain(Direction direction, const Peer& subject, const Peer& other, IpProtocol protocol,
                                  Port port) {
  Explanation result;
  result.direction = direction;
  result.verdict = verdict(direction, subject, other, protocol, port);
  const PodPages& pods = impl_->view.pods;
  const std::string whom = peer_text(cluster(), subject);
  if (subject.pod.is_valid()) {
    if (const GroupId group = pods[subject.pod.index()].group(direction); group.is_valid()) {
      result.isolating = policies_of(group);
    }
  }
  Peer seen = other;
  const cluster::Service* service = nullptr;
  const bool is_world = subject.pod.is_valid() && subject.pod == other.pod && direction == Direction::egress &&
                        other.is_through_service() && profile().policy.hairpin == cni::Hairpin::world;
  if (is_world || impl_->sees_service(direction, other)) {
    seen = {.pod = {}, .node = {}, .ip = other.service_ip};  // not the pod
    service = is_world ? nullptr : impl_->service_at(other.service_ip);
  }
  const PodEntry* entry = seen.pod.is_valid() ? &pods[seen.pod.index()] : nullptr;
  const bool is_dialled = impl_->sees_service(direction, other) && other.service_port.is_valid();
  const PeerId seen_peer = impl_->seen_peer(direction, subject, other);
  const bool is_node_only = impl_->compiled.peers[seen_peer.value()][0] == Compiled::kNodeOnly;
  const RuleJudge judge(*this, {.other_entry = entry,
                                .service = service,
                                .direction = direction,
                                .subject = subject,
                                .other = seen,
                                .is_node_only = is_node_only,
                                .protocol = protocol,
                                .port = is_dialled ? other.service_port : port,
                                .names = impl_->names});
  switch (result.verdict.cause) {
    case Cause::no_policy:
      result.text = fmt::format("allowed: no policy isolates {} for {}", whom, to_string(direction));
      make_chain(judge, subject, result);
      if (!result.chain.empty()) {
        result.text += ", and no rule of another tier decides";
      }
      break;
    case Cause::rule:
      result.span = rule_span(result.verdict.policy, direction, result.verdict.rule);
      result.text = fmt::format("{} by {}", result.verdict.is_allowed() ? "allowed" : "denied",
                                rule_text(*this, direction, result.verdict.policy, result.verdict.rule));
      make_chain(judge, subject, result);
      break;
    case Cause::default_deny: {
      result.nearest = nearest_rules(*this, judge, direction, result.isolating);
      result.span = policy(result.verdict.policy).span;
      result.text = denial_text(*this, result, whom);
      make_chain(judge, subject, result);
      break;
    }
    case Cause::not_enforced:
      result.text = profile().policy.is_enforced
                        ? fmt::format("allowed: the profile {} filters no {}", profile().name, to_string(protocol))
                        : fmt::format("allowed: the profile {} enforces no policies", profile().name);
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
    case Cause::map_overflow:
      result.text = fmt::format(
          "unknown: the policies of {} need more than the {} entries of a policy map under the profile {}; what does "
          "not fit is dropped at random",
          whom, profile().policy.policy_map_entries, profile().name);
      break;
    case Cause::conflict:
    case Cause::unresolved:
      result.span = rule_span(result.verdict.policy, direction, result.verdict.rule);
      result.text = unknown_text(*this, direction, result.verdict);
      make_chain(judge, subject, result);
      break;
  }
  return result;
}

}  // namespace podwire::policy
