#include "models/policy/port_map.hpp"

#include <algorithm>

namespace podwire::policy {

namespace {

constexpr std::uint32_t kKeys = static_cast<std::uint32_t>(std::size(kProtocols)) << 16;

/// Port 0 is nobody's; it goes with port 1 so that whole protocols join into one run.
std::uint32_t first_key(const PortSet::Range& range) {
  return static_cast<std::uint32_t>(range.protocol) << 16 | (range.first == 1 ? 0u : range.first);
}

/// Verdicts carry numbers here.
PolicyIndex as_index(PolicyNumber number) {
  return PolicyIndex(number.value());
}

bool holds(const PortSet& set, std::uint32_t key) {
  return std::any_of(set.ranges.begin(), set.ranges.end(), [key](const PortSet::Range& range) {
    return first_key(range) <= key && key <= (static_cast<std::uint32_t>(range.protocol) << 16 | range.last);
  });
}

}  // namespace

/// Fills matching_ with the grants that hold for the peer, the least rule first.
void PortMaps::collect(Compiled& compiled, const View& view, GroupId group, PeerId peer) {
  matching_.clear();
  const NamedPortsId named = compiled.names_for(group, peer);
  const auto consider = [&](const Grant& grant) {
    if (compiled.peer_matches(grant.peer, peer)) {
      const PortSetId ports = compiled.resolve(grant.ports, named);
      if (ports != PortSets::kEmpty) {
        matching_.push_back({.policy = grant.policy, .rule = grant.rule, .ports = ports});
      }
    }
  };
  if (const GrantIndex* index = grant_indexes_.of(compiled, group); index != nullptr) {
    index->for_each_candidate(compiled, peer, consider);
  } else {
    for (const std::uint32_t s : compiled.segments_of(group)) {
      std::ranges::for_each(compiled.segments[s].grants, consider);
    }
  }
  std::sort(matching_.begin(), matching_.end(), [&](const Matching& a, const Matching& b) {
    return a.policy == b.policy ? a.rule < b.rule : view.place_of(a.policy) < view.place_of(b.policy);
  });
}

/// Adds what of `piece` no earlier piece covers.
void PortMaps::add_piece(Piece piece) {
  auto at = std::lower_bound(pieces_.begin(), pieces_.end(), piece.first,
                             [](const Piece& p, std::uint32_t first) { return p.last < first; });
  std::uint32_t next = piece.first;
  while (next <= piece.last) {
    if (at == pieces_.end() || at->first > piece.last) {
      pieces_.insert(at, {.first = next, .last = piece.last, .policy = piece.policy, .rule = piece.rule});
      return;
    }
    if (at->first > next) {
      at = pieces_.insert(at, {.first = next, .last = at->first - 1, .policy = piece.policy, .rule = piece.rule}) + 1;
    }
    next = at->last + 1;
    ++at;
  }
}

void PortMaps::append(Runs& runs, std::uint32_t first, const Verdict& verdict) {
  if (!runs.empty()) {
    const Verdict& last = runs.back().verdict;
    if (last.policy == verdict.policy && last.rule == verdict.rule && last.cause == verdict.cause &&
        last.action == verdict.action && last.tier == verdict.tier && last.unmodelled == verdict.unmodelled) {
      return;
    }
  }
  runs.push_back({.first = first, .verdict = verdict});
}

/// Fills runs_ with what the group's NetworkPolicies say; no_policy where there are none.
void PortMaps::evaluate_network_policies(Compiled& compiled, const View& view, GroupId group, PeerId peer) {
  runs_.clear();
  const Group& g = compiled.groups[group.index()];
  if (!g.is_isolated()) {
    append(runs_, 0, Verdict());
    return;
  }
  collect(compiled, view, group, peer);
  pieces_.clear();
  for (const Matching& grant : matching_) {
    for (const PortSet::Range& range : compiled.port_sets[grant.ports].ranges) {
      add_piece({.first = first_key(range),
                 .last = key_of(range.protocol, range.last),
                 .policy = grant.policy,
                 .rule = grant.rule});
    }
    if (grant.ports == PortSets::kAll) {
      break;
    }
  }
  const Verdict deny = {.action = Action::deny,
                        .cause = Cause::default_deny,
                        .policy = as_index(g.first_policy),
                        .tier = Tier::network_policy};
  std::uint32_t next = 0;
  for (const Piece& piece : pieces_) {
    if (piece.first > next) {
      append(runs_, next, deny);
    }
    append(runs_, piece.first,
           {.action = Action::allow,
            .cause = Cause::rule,
            .rule = piece.rule,
            .policy = as_index(piece.policy),
            .tier = Tier::network_policy});
    next = piece.last + 1;
  }
  if (next < kKeys) {
    append(runs_, next, deny);
  }
}

/// Fills tier_rules_ with the rules of a tier that hold for the peer, in order, as far as they can matter.
void PortMaps::collect_tier(Compiled& compiled, std::span<const std::uint32_t> segments, NamedPortsId named,
                            PeerId peer) {
  tier_rules_.clear();
  std::uint32_t level = 0;
  bool is_decided = false;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = compiled.segments[segments[i]];
    if (i > 0 && segment.priority != compiled.segments[segments[i - 1]].priority) {
      ++level;
    }
    if (is_decided && tier_rules_.back().level != level && !segment.has_no_place()) {
      continue;
    }
    for (const Grant& grant : segment.grants) {
      if (!compiled.peer_matches(grant.peer, peer)) {
        continue;
      }
      const PortSetId ports = compiled.resolve(grant.ports, named);
      tier_rules_.push_back({.level = level,
                             .policy = grant.policy,
                             .rule = grant.rule,
                             .action = grant.action,
                             .is_uncertain = grant.is_uncertain,
                             .has_no_place = segment.has_no_place(),
                             .ports = ports});
      if (ports == PortSets::kAll && !grant.is_uncertain) {
        is_decided = true;
        break;
      }
    }
  }
}

PortMaps::Deciding PortMaps::find(const Compiled& compiled, std::uint32_t key, bool has_no_place,
                                  const Verdict& rest) const {
  const auto action_of = [&](const TierRule& rule) {
    return rule.action == RuleAction::pass    ? rest.action
           : rule.action == RuleAction::allow ? Action::allow
                                              : Action::deny;
  };
  Deciding found;
  PolicyNumber answered;  // has certainly matched: its further rules do not count
  for (const TierRule& rule : tier_rules_) {
    if (rule.has_no_place != has_no_place) {
      continue;
    }
    if (found.sure != nullptr && rule.level != found.sure->level) {
      break;
    }
    if (rule.policy == answered || !holds(compiled.port_sets[rule.ports], key)) {
      continue;
    }
    if (rule.is_uncertain) {
      found.doubt = found.doubt != nullptr ? found.doubt : &rule;
      continue;
    }
    answered = rule.policy;
    if (found.sure == nullptr) {
      found.sure = &rule;
    } else if (found.rival == nullptr && action_of(rule) != action_of(*found.sure)) {
      found.rival = &rule;
    }
  }
  return found;
}

/// The verdict of the rules in tier_rules_ for one key; `rest` is what comes after the tier. Of one priority an
/// implementation may apply any policy that matches, a policy without a place may be asked before the others or after
/// them, and a domain name may match or not: the verdict is known where all of that comes to the same.
Verdict PortMaps::judge(const Compiled& compiled, Tier tier, std::uint32_t key, const Verdict& rest) const {
  const auto verdict_of = [&](const TierRule& rule) {
    return rule.action == RuleAction::pass
               ? rest
               : Verdict{.action = rule.action == RuleAction::allow ? Action::allow : Action::deny,
                         .cause = Cause::rule,
                         .rule = rule.rule,
                         .policy = as_index(rule.policy),
                         .tier = tier};
  };
  Deciding found = find(compiled, key, false, rest);
  const Deciding placeless = find(compiled, key, true, rest);
  if (found.sure == nullptr) {
    found.sure = placeless.sure;
  } else if (found.rival == nullptr && placeless.sure != nullptr &&
             verdict_of(*placeless.sure).action != verdict_of(*found.sure).action) {
    found.rival = placeless.sure;
  }
  found.doubt = found.doubt != nullptr ? found.doubt : placeless.doubt;
  const Verdict first = found.sure != nullptr ? verdict_of(*found.sure) : rest;
  if (found.rival != nullptr) {
    return {.action = Action::unknown,
            .cause = Cause::conflict,
            .rule = found.sure->rule,
            .policy = as_index(found.sure->policy),
            .unmodelled = found.rival->policy.value(),
            .tier = tier};
  }
  if (found.doubt != nullptr && !first.is_allowed()) {
    return {.action = Action::unknown,
            .cause = Cause::unresolved,
            .rule = found.doubt->rule,
            .policy = as_index(found.doubt->policy),
            .tier = tier};
  }
  return first;
}

/// Lays a tier over what comes after it, in runs_.
void PortMaps::lay_over(Compiled& compiled, std::span<const std::uint32_t> segments, Tier tier, NamedPortsId named,
                        PeerId peer) {
  collect_tier(compiled, segments, named, peer);
  if (tier_rules_.empty()) {
    return;
  }
  std::vector<std::uint32_t> keys;  // where the answer may change
  for (const Run& run : runs_) {
    keys.push_back(run.first);
  }
  for (const TierRule& rule : tier_rules_) {
    if (rule.ports == PortSets::kAll) {
      continue;
    }
    for (const PortSet::Range& range : compiled.port_sets[rule.ports].ranges) {
      keys.push_back(first_key(range));
      keys.push_back(key_of(range.protocol, range.last) + 1);
    }
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  Runs rest;
  rest.swap(runs_);
  std::size_t at = 0;
  for (const std::uint32_t key : keys) {
    if (key >= kKeys) {
      break;
    }
    while (at + 1 < rest.size() && rest[at + 1].first <= key) {
      ++at;
    }
    append(runs_, key, judge(compiled, tier, key, rest[at].verdict));
  }
}

std::uint32_t PortMaps::evaluate(Compiled& compiled, const View& view, GroupId group, PeerId peer) {
  evaluate_network_policies(compiled, view, group, peer);
  const Group& g = compiled.groups[group.index()];
  if (g.tiers.is_valid()) {
    // Here a name means the destination's port, whatever the profile does with names in NetworkPolicies.
    const NamedPortsId named = g.direction == Direction::ingress ? g.named_ports : compiled.names_for(group, peer);
    if (!g.is_isolated()) {
      lay_over(compiled, compiled.segments_of(group, Tier::baseline), Tier::baseline, named, peer);
    }
    lay_over(compiled, compiled.segments_of(group, Tier::admin), Tier::admin, named, peer);
  }
  words_.clear();
  for (const Run& run : runs_) {
    const Verdict& verdict = run.verdict;
    const std::uint32_t flags =
        static_cast<std::uint32_t>(verdict.rule) << 16 | static_cast<std::uint32_t>(verdict.cause) << 8 |
        static_cast<std::uint32_t>(verdict.tier) << 4 | static_cast<std::uint32_t>(verdict.action);
    words_.insert(words_.end(), {run.first, verdict.policy.value(), flags, verdict.unmodelled});
  }
  words_[0] = static_cast<std::uint32_t>(runs_.size());
  const std::uint32_t id = maps_.intern(words_).id;
  return static_cast<std::uint32_t>(static_cast<std::size_t>(maps_[id].data() - maps_[0].data()) / kRunWords);
}

}  // namespace podwire::policy
