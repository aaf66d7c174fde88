// Rules about what is isolated at all: namespace-without-default-deny, ip-block-covers-pods, cni-does-not-enforce.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "models/analysis/lint_context.hpp"
#include "models/cluster/addresses.hpp"
#include "models/policy/deviations.hpp"

namespace podwire::analysis {
namespace {

using policy::Direction;
using policy::NetworkPolicy;

constexpr std::uint32_t kNobody = 0xffff'ffff;

/// The first unmodelled object that may isolate the namespace's pods.
std::uint32_t unmodelled_in(const LintContext& context, cluster::NamespaceId name_space) {
  for (std::size_t i = 0; i < context.cluster.unmodelled.size(); ++i) {
    const cluster::NamespaceId where = context.cluster.unmodelled[i].name_space;
    if (!where.is_valid() || where == name_space) {
      return static_cast<std::uint32_t>(i);
    }
  }
  return kNobody;
}

/// Whether a rule of the admin tiers denies the namespace's pods what no other rule allows.
bool is_denied_by_admins(const LintContext& context, cluster::NamespaceId name_space) {
  const auto denies_everyone = [](const policy::AdminRule& rule) {
    return rule.action == policy::RuleAction::deny && rule.ports.empty() &&
           std::any_of(rule.peers.begin(), rule.peers.end(), [](const policy::AdminPeer& peer) {
             return peer.kind == policy::AdminPeer::Kind::namespaces && peer.namespace_selector.matches_everything();
           });
  };
  return std::any_of(context.policies.admin_policies.begin(), context.policies.admin_policies.end(),
                     [&](const policy::AdminPolicy& policy) {
                       return policy::is_in_force(policy.kind, context.profile.policy) &&
                              policy.subject_pods.matches_everything() &&
                              context.is_namespace_matched(policy.subject_namespaces, name_space) &&
                              std::any_of(policy.ingress.begin(), policy.ingress.end(), denies_everyone);
                     });
}

void namespace_without_default_deny(LintContext& context) {
  std::set<std::string> protected_ones;
  for (const NetworkPolicy& policy : context.policies.network_policies) {
    if (policy.isolates_ingress && policy.pod_selector.matches_everything()) {
      protected_ones.insert(policy.name_space);
    }
  }
  for (std::size_t n = 0; n < context.cluster.namespaces.size(); ++n) {
    const cluster::NamespaceId id(n);
    const cluster::Namespace& name_space = context.cluster.namespaces[n];
    std::vector<PodKind> kinds = context.kinds_in(id);
    std::erase_if(kinds, [&](const PodKind& kind) {  // no policy reaches them
      return context.cluster.shapes[kind.shape.index()].is_host_network;
    });
    if (kinds.empty() || LintContext::is_system_namespace(name_space.name) ||
        protected_ones.contains(name_space.name) || is_denied_by_admins(context, id)) {
      continue;
    }
    const std::span<const NetworkPolicy> here = context.policies_in(name_space.name);
    std::vector<std::string> open;
    for (const PodKind& kind : kinds) {
      const bool is_isolated = std::any_of(here.begin(), here.end(), [&](const NetworkPolicy& policy) {
        return policy.isolates_ingress && context.is_matched(policy.pod_selector, kind);
      });
      std::string name = context.cluster.workload_name(kind.workload);
      if (!is_isolated && std::find(open.begin(), open.end(), name) == open.end()) {
        open.push_back(std::move(name));
      }
    }
    if (const std::uint32_t other = unmodelled_in(context, id); other != kNobody) {
      context.doubt("namespace-without-default-deny", "namespace/" + name_space.name, other);
      continue;
    }
    context.add("namespace-without-default-deny", "namespace/" + name_space.name, name_space.span,
                open.empty()
                    ? fmt::format("no policy isolates all pods of {}: a new pod would accept connections from everyone",
                                  name_space.name)
                    : fmt::format("no policy isolates all pods of {}: {} connections from everyone", name_space.name,
                                  listed(open) + (open.size() == 1 ? " accepts" : " accept")),
                fmt::format("add to {}: `spec: {{podSelector: {{}}, policyTypes: [Ingress]}}`", name_space.name));
  }
}

bool lets_every_pod(const policy::Rule& rule) {
  return rule.peers.empty() || std::any_of(rule.peers.begin(), rule.peers.end(), [](const policy::PeerRule& peer) {
           return peer.namespace_selector && peer.namespace_selector->matches_everything() &&
                  (!peer.pod_selector || peer.pod_selector->matches_everything());
         });
}

/// What holds the second addresses of pods that have two; "::/0" where none has.
Cidr second_block(const cluster::Cluster& cluster) {
  std::vector<Cidr> alone;
  for (const auto& [pod, ip] : cluster.second_addresses) {
    if (ip.family() != cluster.pod_cidr.family() && !cluster.shape(pod).is_host_network) {
      alone.emplace_back(ip, ip.is_v4() ? 32 : 128);
    }
  }
  return alone.empty() ? Cidr() : cluster::covering(alone);
}

void ip_block_covers_pods(LintContext& context, const NetworkPolicy& policy, Direction direction, const Cidr& pods) {
  if (pods.first().is_unspecified()) {
    return;
  }
  for (const policy::Rule& rule : policy.rules(direction)) {
    for (const policy::PeerRule& peer : rule.peers) {
      if (!peer.ip_block || !peer.ip_block->cidr.contains(pods) || lets_every_pod(rule)) {
        continue;
      }
      const std::vector<Cidr>& except = peer.ip_block->except;
      if (std::any_of(except.begin(), except.end(),
                      [&](const Cidr& c) { return c.contains(pods) || pods.contains(c); })) {
        continue;  // someone thought of it
      }
      LintFinding& finding = context.add(
          "ip-block-covers-pods", LintContext::object_name(policy),
          peer.ip_block->span.is_known() ? peer.ip_block->span : peer.span,
          fmt::format("ipBlock {} contains the pods' addresses ({}): {}", peer.ip_block->cidr.to_string(),
                      pods.to_string(),
                      context.profile.policy.ip_block_matches_pods
                          ? fmt::format("under {} it opens {} every pod of the cluster", context.profile.name,
                                        direction == Direction::egress ? "egress to" : "ingress from")
                          : fmt::format("{} does not match pods by it, other plugins do", context.profile.name)),
          fmt::format("`except: [{}]`", pods.to_string()));
      if (!context.profile.policy.ip_block_matches_pods) {
        finding.severity = LintSeverity::info;  // it matters when the plugin changes
      }
    }
  }
}

void cni_does_not_enforce(LintContext& context) {
  if (context.profile.policy.is_enforced || context.policies.network_policies.empty()) {
    return;
  }
  const NetworkPolicy& first = context.policies.network_policies.front();
  const std::size_t count = context.policies.network_policies.size();
  context.add("cni-does-not-enforce", LintContext::object_name(first), first.span,
              fmt::format("{} enforces no policy: {} without effect", context.profile.name,
                          count == 1 ? "this one is" : fmt::format("this one and {} more are", count - 1)),
              "run a plugin that enforces policies; --cni judges the manifests under another one");
}

}  // namespace

void lint_isolation(LintContext& context) {
  namespace_without_default_deny(context);
  const Cidr second = second_block(context.cluster);
  for (const NetworkPolicy& policy : context.policies.network_policies) {
    for (const Direction direction : {Direction::ingress, Direction::egress}) {
      ip_block_covers_pods(context, policy, direction, context.cluster.pod_cidr);
      ip_block_covers_pods(context, policy, direction, second);
    }
  }
  cni_does_not_enforce(context);
}

}  // namespace podwire::analysis
