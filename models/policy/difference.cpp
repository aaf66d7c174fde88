#include "models/policy/difference.hpp"

#include <algorithm>
#include <tuple>

namespace podwire::policy {

namespace {

bool is_same(const cluster::LabelSelector& a, const cluster::LabelSelector& b) {
  return std::ranges::equal(a.requirements, b.requirements, [](const auto& x, const auto& y) {
    return std::tie(x.key, x.op, x.values) == std::tie(y.key, y.op, y.values);
  });
}

bool is_same(const IpBlock& a, const IpBlock& b) {
  return a.cidr == b.cidr && a.except == b.except;
}

template <class T>
bool is_same(const std::optional<T>& a, const std::optional<T>& b) {
  return a.has_value() == b.has_value() && (!a || is_same(*a, *b));
}

bool is_same(const PeerRule& a, const PeerRule& b) {
  return is_same(a.ip_block, b.ip_block) && is_same(a.pod_selector, b.pod_selector) &&
         is_same(a.namespace_selector, b.namespace_selector);
}

bool is_same(const AdminPeer& a, const AdminPeer& b) {
  return a.kind == b.kind && is_same(a.namespace_selector, b.namespace_selector) &&
         is_same(a.pod_selector, b.pod_selector) && is_same(a.node_selector, b.node_selector) &&
         a.networks == b.networks && a.domain_names == b.domain_names;
}

bool is_same(const PortRule& a, const PortRule& b) {
  return std::tie(a.protocol, a.first, a.last, a.name, a.has_any_protocol) ==
         std::tie(b.protocol, b.first, b.last, b.name, b.has_any_protocol);
}

/// The names of rules may differ: only explanations show them, and those read the set.
template <class AnyRule>
bool is_same(const std::vector<AnyRule>& a, const std::vector<AnyRule>& b) {
  const auto alike = [](const auto& x, const auto& y) { return is_same(x, y); };
  return std::ranges::equal(a, b, [&](const AnyRule& x, const AnyRule& y) {
    if constexpr (std::is_same_v<AnyRule, AdminRule>) {
      if (x.action != y.action) {
        return false;
      }
    }
    return std::ranges::equal(x.peers, y.peers, alike) && std::ranges::equal(x.ports, y.ports, alike);
  });
}

bool is_same(const NetworkPolicy& a, const NetworkPolicy& b) {
  return a.isolates_ingress == b.isolates_ingress && a.isolates_egress == b.isolates_egress &&
         is_same(a.pod_selector, b.pod_selector) && is_same(a.ingress, b.ingress) && is_same(a.egress, b.egress);
}

bool is_same(const AdminPolicy& a, const AdminPolicy& b) {
  return a.tier == b.tier && a.priority == b.priority && is_same(a.subject_namespaces, b.subject_namespaces) &&
         is_same(a.subject_pods, b.subject_pods) && is_same(a.ingress, b.ingress) && is_same(a.egress, b.egress);
}

}  // namespace

PolicyChanges difference(const PolicySet& before, const PolicySet& after) {
  PolicyChanges changes;
  const auto key = [](const NetworkPolicy& policy) { return std::tie(policy.name_space, policy.name); };
  auto a = before.network_policies.begin();
  auto b = after.network_policies.begin();
  while (a != before.network_policies.end() || b != after.network_policies.end()) {
    const bool is_gone = b == after.network_policies.end() || (a != before.network_policies.end() && key(*a) < key(*b));
    const bool is_new = !is_gone && (a == before.network_policies.end() || key(*b) < key(*a));
    if (is_gone || is_new || !is_same(*a, *b)) {
      const NetworkPolicy& policy = is_gone ? *a : *b;
      changes.network_policies.emplace_back(policy.name_space, policy.name);
    }
    a += is_new ? 0 : 1;
    b += is_gone ? 0 : 1;
  }
  const auto sorted = [](const std::vector<AdminPolicy>& policies) {
    std::vector<const AdminPolicy*> all;
    for (const AdminPolicy& policy : policies) {
      all.push_back(&policy);
    }
    std::sort(all.begin(), all.end(), [](const AdminPolicy* x, const AdminPolicy* y) {
      return std::tie(x->kind, x->name) < std::tie(y->kind, y->name);
    });
    return all;
  };
  const auto olds = sorted(before.admin_policies);
  const auto news = sorted(after.admin_policies);
  const auto admin_key = [](const AdminPolicy* policy) { return std::tie(policy->kind, policy->name); };
  for (std::size_t i = 0, j = 0; i < olds.size() || j < news.size();) {
    const bool is_gone = j == news.size() || (i < olds.size() && admin_key(olds[i]) < admin_key(news[j]));
    const bool is_new = !is_gone && (i == olds.size() || admin_key(news[j]) < admin_key(olds[i]));
    if (is_gone || is_new || !is_same(*olds[i], *news[j])) {
      const AdminPolicy& policy = is_gone ? *olds[i] : *news[j];
      changes.admin_policies.emplace_back(policy.kind, policy.name);
    }
    i += is_new ? 0 : 1;
    j += is_gone ? 0 : 1;
  }
  return changes;
}

}  // namespace podwire::policy
