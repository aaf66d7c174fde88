// Rules responsible for a difference, and differences of the policies themselves; see diff_rules.hpp.
#include "models/analysis/diff_rules.hpp"

#include <algorithm>
#include <tuple>

namespace podwire::analysis {

namespace {

using policy::Direction;
using policy::NetworkPolicy;
using policy::PortSet;

constexpr std::size_t kMostRanges = 8;

/// Both ends of the first ranges of what differs.
std::vector<std::pair<IpProtocol, std::uint16_t>> ports_to_ask(const PortSet& opened, const PortSet& closed) {
  std::vector<std::pair<IpProtocol, std::uint16_t>> ports;
  for (const PortSet* const set : {&opened, &closed}) {
    for (std::size_t i = 0; i < std::min(set->ranges.size(), kMostRanges); ++i) {
      const PortSet::Range& range = set->ranges[i];
      ports.emplace_back(range.protocol, range.first);
      if (range.last != range.first) {
        ports.emplace_back(range.protocol, range.last);
      }
    }
  }
  return ports;
}

// Equality of what policies say: places apart.

bool is_same(const cluster::LabelSelector& a, const cluster::LabelSelector& b) {
  return std::equal(a.requirements.begin(), a.requirements.end(), b.requirements.begin(), b.requirements.end(),
                    [](const cluster::Requirement& x, const cluster::Requirement& y) {
                      return x.key == y.key && x.op == y.op && x.values == y.values;
                    });
}

bool is_same(const std::optional<cluster::LabelSelector>& a, const std::optional<cluster::LabelSelector>& b) {
  return a.has_value() == b.has_value() && (!a || is_same(*a, *b));
}

bool is_same(const policy::PeerRule& a, const policy::PeerRule& b) {
  const bool has_same_block =
      a.ip_block.has_value() == b.ip_block.has_value() &&
      (!a.ip_block || (a.ip_block->cidr == b.ip_block->cidr && a.ip_block->except == b.ip_block->except));
  return has_same_block && is_same(a.pod_selector, b.pod_selector) &&
         is_same(a.namespace_selector, b.namespace_selector);
}

bool is_same(const policy::PortRule& a, const policy::PortRule& b) {
  return std::tie(a.protocol, a.first, a.last, a.name) == std::tie(b.protocol, b.first, b.last, b.name);
}

bool is_same(const policy::AdminPeer& a, const policy::AdminPeer& b);
bool is_same(const policy::AdminRule& a, const policy::AdminRule& b);

template <class T>
bool is_same(const std::vector<T>& a, const std::vector<T>& b);

bool is_same(const policy::Rule& a, const policy::Rule& b) {
  return is_same(a.peers, b.peers) && is_same(a.ports, b.ports);
}

template <class T>
bool is_same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const T& x, const T& y) { return is_same(x, y); });
}

bool is_same(const NetworkPolicy& a, const NetworkPolicy& b) {
  return is_same(a.pod_selector, b.pod_selector) && a.isolates_ingress == b.isolates_ingress &&
         a.isolates_egress == b.isolates_egress && is_same(a.ingress, b.ingress) && is_same(a.egress, b.egress);
}

bool is_same(const policy::AdminPeer& a, const policy::AdminPeer& b) {
  return std::tie(a.kind, a.networks, a.domain_names) == std::tie(b.kind, b.networks, b.domain_names) &&
         is_same(a.namespace_selector, b.namespace_selector) && is_same(a.pod_selector, b.pod_selector) &&
         is_same(a.node_selector, b.node_selector);
}

bool is_same(const policy::AdminRule& a, const policy::AdminRule& b) {
  return a.name == b.name && a.action == b.action && is_same(a.peers, b.peers) && is_same(a.ports, b.ports);
}

bool is_same(const policy::AdminPolicy& a, const policy::AdminPolicy& b) {
  return a.tier == b.tier && a.priority == b.priority && is_same(a.subject_namespaces, b.subject_namespaces) &&
         is_same(a.subject_pods, b.subject_pods) && is_same(a.ingress, b.ingress) && is_same(a.egress, b.egress);
}

// "AdminNetworkPolicy tenants": no NetworkPolicy's name has a space.
std::string name_of(const policy::AdminPolicy& policy) {
  return std::string(to_string(policy.kind)) + " " + policy.name;
}

void add_admin_changes(const policy::PolicySet& before, const policy::PolicySet& after,
                       std::vector<PolicyChange>& changes) {
  std::map<std::string, std::pair<const policy::AdminPolicy*, const policy::AdminPolicy*>> sides;
  for (const policy::AdminPolicy& policy : before.admin_policies) {
    sides[name_of(policy)].first = &policy;
  }
  for (const policy::AdminPolicy& policy : after.admin_policies) {
    sides[name_of(policy)].second = &policy;
  }
  for (const auto& [name, side] : sides) {
    const auto [old_policy, new_policy] = side;
    if (old_policy == nullptr || new_policy == nullptr || !is_same(*old_policy, *new_policy)) {
      changes.push_back({.kind = old_policy == nullptr   ? ChangeKind::added
                                 : new_policy == nullptr ? ChangeKind::removed
                                                         : ChangeKind::changed,
                         .name = name,
                         .before = old_policy != nullptr ? old_policy->span : Span{},
                         .after = new_policy != nullptr ? new_policy->span : Span{}});
    }
  }
}

std::string text_of(const policy::PolicyEngine& engine, Direction direction, const policy::Verdict& verdict) {
  switch (verdict.cause) {
    case policy::Cause::no_policy:
      return "no policy isolates it";
    case policy::Cause::not_enforced:
      return "policies are not enforced";
    case policy::Cause::same_pod:
      return "a pod reaches itself";
    case policy::Cause::own_node:
      return "its own node always reaches it";
    case policy::Cause::not_a_subject:
      return "policies do not apply to it";
    default:
      return engine.deciding_rule(direction, verdict);
  }
}

}  // namespace

RuleSide RuleChanges::side(policy::PolicyEngine& engine, std::map<std::string, Span>& places, Direction direction,
                           const Asked& asked) {
  const policy::Peer& subject = direction == Direction::egress ? asked.source : asked.destination;
  const policy::Peer& other = direction == Direction::egress ? asked.destination : asked.source;
  const policy::Verdict verdict = engine.verdict(direction, subject, other, asked.protocol, asked.port);
  RuleSide result{.action = verdict.action, .text = text_of(engine, direction, verdict), .span = {}};
  const auto [at, is_new] = places.try_emplace(result.text);
  if (is_new) {
    at->second = engine.explain(direction, subject, other, asked.protocol, asked.port).span;
  }
  result.span = at->second;
  return result;
}

std::vector<RuleChange> RuleChanges::changes(const policy::Peer& source_before, const policy::Peer& destination_before,
                                             const policy::Peer& source_after, const policy::Peer& destination_after,
                                             const PortSet& opened, const PortSet& closed) {
  std::vector<RuleChange> result;
  for (const auto& [protocol, number] : ports_to_ask(opened, closed)) {
    const Port port(number);
    std::vector<RuleChange> found;
    for (const Direction direction : {Direction::egress, Direction::ingress}) {
      const policy::Peer& subject = direction == Direction::egress ? source_before : destination_before;
      if (!subject.pod.is_valid()) {
        continue;
      }
      RuleChange change{
          .direction = direction,
          .protocol = protocol,
          .port = port,
          .before = side(before_, places_before_, direction, {source_before, destination_before, protocol, port}),
          .after = side(after_, places_after_, direction, {source_after, destination_after, protocol, port})};
      if (change.before.action != change.after.action || change.before.text != change.after.text) {
        found.push_back(std::move(change));
      }
    }
    // A direction that says the same by another rule is not what changed the connection.
    const auto is_turned = [](const RuleChange& change) { return change.before.action != change.after.action; };
    if (std::any_of(found.begin(), found.end(), is_turned)) {
      std::erase_if(found, [&](const RuleChange& change) { return !is_turned(change); });
    }
    for (RuleChange& change : found) {
      const bool is_known = std::any_of(result.begin(), result.end(), [&](const RuleChange& known) {
        return known.direction == change.direction && known.before.text == change.before.text &&
               known.after.text == change.after.text;
      });
      if (!is_known) {
        result.push_back(std::move(change));
      }
    }
  }
  return result;
}

std::vector<PolicyChange> policy_changes(const policy::PolicySet& before, const policy::PolicySet& after) {
  std::vector<PolicyChange> changes;
  auto old_policy = before.network_policies.begin();
  auto new_policy = after.network_policies.begin();
  const auto key = [](const NetworkPolicy& policy) { return std::tie(policy.name_space, policy.name); };
  while (old_policy != before.network_policies.end() || new_policy != after.network_policies.end()) {
    const bool has_old = old_policy != before.network_policies.end() &&
                         (new_policy == after.network_policies.end() || key(*old_policy) <= key(*new_policy));
    const bool has_new = new_policy != after.network_policies.end() &&
                         (old_policy == before.network_policies.end() || key(*new_policy) <= key(*old_policy));
    if (!has_old || !has_new || !is_same(*old_policy, *new_policy)) {
      changes.push_back({.kind = !has_old   ? ChangeKind::added
                                 : !has_new ? ChangeKind::removed
                                            : ChangeKind::changed,
                         .name = (has_old ? *old_policy : *new_policy).full_name(),
                         .before = has_old ? old_policy->span : Span{},
                         .after = has_new ? new_policy->span : Span{}});
    }
    old_policy += has_old ? 1 : 0;
    new_policy += has_new ? 1 : 0;
  }
  add_admin_changes(before, after, changes);
  // (namespace, name) and "namespace/name" order names with characters below '/' differently.
  std::sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return changes;
}

policy::PolicySet with_reverted(const policy::PolicySet& before, const policy::PolicySet& after,
                                const PolicyChange& change) {
  policy::PolicySet result = after;
  std::vector<NetworkPolicy>& policies = result.network_policies;
  std::erase_if(policies, [&](const NetworkPolicy& policy) { return policy.full_name() == change.name; });
  for (const NetworkPolicy& policy : before.network_policies) {
    if (policy.full_name() == change.name) {
      const auto at = std::find_if(policies.begin(), policies.end(), [&](const NetworkPolicy& other) {
        return std::tie(policy.name_space, policy.name) < std::tie(other.name_space, other.name);
      });
      policies.insert(at, policy);
    }
  }
  std::vector<policy::AdminPolicy>& admin = result.admin_policies;
  std::erase_if(admin, [&](const policy::AdminPolicy& policy) { return name_of(policy) == change.name; });
  for (const policy::AdminPolicy& policy : before.admin_policies) {
    if (name_of(policy) == change.name) {
      admin.insert(std::upper_bound(admin.begin(), admin.end(), policy, policy::precedes), policy);
    }
  }
  return result;
}

}  // namespace podwire::analysis
