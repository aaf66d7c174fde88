// Rules for namespaces whose pods the input lacks, as in a repository of policies alone: one-sided-allow,
// egress-without-dns, dns-udp-only and dns-isolates-all.
//
// The selectors of the policies stand for the pods (lint_described.hpp). A finding holds for every pod that they
// describe, whatever further labels, ports or address it has: a policy that may select such a pod and may allow the
// connection keeps the rule quiet, and a pod counts as isolated only by policies that select all pods described. Where
// both ends have pods, the rules over real ones speak (lint_allow.cpp, lint_dns.cpp). Left out: inputs with policies of
// the admin tiers, which decide before; namespaces of more than kMostPolicies policies (compared-in-part).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "models/analysis/lint_described.hpp"
#include "models/policy/deviations.hpp"

namespace podwire::analysis {
namespace {

using cluster::LabelSelector;
using cluster::NamespaceId;
using policy::Direction;
using policy::NetworkPolicy;
using policy::PeerRule;
using policy::PortRule;
using policy::Rule;

constexpr std::string_view kNameLabel = "kubernetes.io/metadata.name";
constexpr std::size_t kMostPolicies = 1'000;

const LabelSelector& selector_of(const PeerRule& peer) {
  static const LabelSelector kEverything;
  return peer.pod_selector ? *peer.pod_selector : kEverything;
}

std::string ports_text(const std::vector<PortRule>& ports, const std::vector<std::size_t>& items) {
  std::vector<std::string> texts;
  for (const std::size_t item : items) {
    texts.push_back(item < ports.size() ? port_text(ports[item]) : "every port");
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

class WithoutPods {
 public:
  explicit WithoutPods(LintContext& context) : context_(context), cluster_(context.cluster) {}

  void run() {
    for (const NetworkPolicy& policy : context_.policies.network_policies) {
      const NamespaceId own = cluster_.find_namespace(policy.name_space);
      if (!own.is_valid() || is_rejected(policy)) {
        continue;
      }
      for (const Direction direction : {Direction::egress, Direction::ingress}) {
        if (policy.isolates(direction)) {
          for (const Rule& rule : policy.rules(direction)) {
            for (const PeerRule& peer : rule.peers) {
              one_sided({policy, own, direction, rule, peer});
            }
          }
        }
      }
      if (policy.isolates_egress && !has_pods(own) && !LintContext::is_system_namespace(policy.name_space)) {
        dns(policy, own);
      }
    }
  }

 private:
  struct Half {
    const NetworkPolicy& policy;
    NamespaceId own;
    Direction direction;
    const Rule& rule;
    const PeerRule& peer;
  };

  bool is_rejected(const NetworkPolicy& policy) const { return policy::is_rejected(policy, context_.profile.policy); }

  bool has_pods(NamespaceId name_space) const { return !context_.kinds_in(name_space).empty(); }

  /// The namespace's policies; none, with a note, where they are too many to compare.
  std::span<const NetworkPolicy> policies_in(NamespaceId name_space) {
    const std::span<const NetworkPolicy> found = context_.policies_in(context_.name_of(name_space));
    if (found.size() <= kMostPolicies) {
      return found;
    }
    if (said_.insert(name_space).second) {
      context_.notes.warning(
          "compared-in-part",
          fmt::format("one-sided-allow: {} has no pods in the input and more than {} policies: not judged by its "
                      "selectors",
                      context_.name_of(name_space), kMostPolicies),
          found.front().span);
    }
    return {};
  }

  /// The first object that is not modelled and may decide in the namespace.
  std::optional<std::uint32_t> unmodelled_in(NamespaceId name_space) const {
    for (std::size_t i = 0; i < cluster_.unmodelled.size(); ++i) {
      if (!cluster_.unmodelled[i].name_space.is_valid() || cluster_.unmodelled[i].name_space == name_space) {
        return static_cast<std::uint32_t>(i);
      }
    }
    return std::nullopt;
  }

  /// All namespaces that the peer selects; nothing where further ones may be, which the input does not define.
  std::optional<std::vector<NamespaceId>> namespaces_of(const Half& half) {
    if (!half.peer.namespace_selector) {
      return std::vector{half.own};
    }
    const LabelSelector& selector = *half.peer.namespace_selector;
    const auto names =
        std::find_if(selector.requirements.begin(), selector.requirements.end(), [](const auto& requirement) {
          return requirement.key == kNameLabel && requirement.op == cluster::SelectorOperator::in;
        });
    std::vector<NamespaceId> found = context_.namespaces_matching(selector);
    if (names != selector.requirements.end()) {
      // Of those that are named: all are known, and none may match by labels that nobody defines.
      for (const std::string& name : names->values) {
        const NamespaceId named = cluster_.find_namespace(name);
        const bool is_open = !named.is_valid() || (may_match(context_, selector, named) &&
                                                   std::find(found.begin(), found.end(), named) == found.end());
        if (is_open) {
          return std::nullopt;
        }
      }
      return found;
    }
    for (std::size_t n = 0; n < cluster_.namespaces.size(); ++n) {
      if (cluster_.namespaces[n].is_assumed && !LintContext::is_system_namespace(cluster_.namespaces[n].name)) {
        return std::nullopt;
      }
    }
    return found;
  }

  /// Whether the rules over real pods judge the half, or another rule says that it selects nobody.
  bool is_left_to_others(const Half& half, const std::vector<NamespaceId>& where) const {
    const auto lacks = [&](NamespaceId name_space, const LabelSelector& selector) {
      const std::vector<PodKind>& kinds = context_.kinds_in(name_space);
      return !kinds.empty() && std::none_of(kinds.begin(), kinds.end(),
                                            [&](const PodKind& kind) { return context_.is_matched(selector, kind); });
    };
    const bool has_own = has_pods(half.own);
    return lacks(half.own, half.policy.pod_selector) ||
           std::any_of(where.begin(), where.end(), [&](NamespaceId name_space) {
             return (has_own && has_pods(name_space)) || lacks(name_space, selector_of(half.peer));
           });
  }

  void one_sided(const Half& half) {
    const PeerRule& peer = half.peer;
    const bool names_pods = !selector_of(peer).matches_everything();
    const bool names_namespaces = !peer.namespace_selector || !peer.namespace_selector->matches_everything();
    if (peer.ip_block || (!names_pods && !names_namespaces)) {
      return;
    }
    const auto where = namespaces_of(half);
    if (!where || where->empty() || is_left_to_others(half, *where)) {
      return;
    }
    std::vector<bool> is_open(std::max<std::size_t>(1, half.rule.ports.size()));
    for (std::size_t i = 0; i < half.rule.ports.size(); ++i) {
      is_open[i] = half.rule.ports[i].protocol == IpProtocol::sctp && !context_.profile.policy.sctp_is_enforced;
    }
    std::vector<const NetworkPolicy*> deniers;
    std::vector<std::string> ends;
    for (const NamespaceId other : *where) {
      if (!denies(half, other, is_open, deniers)) {
        return;
      }
      ends.push_back(described(selector_of(peer), context_.name_of(other)));
      for (const NamespaceId end : {half.own, other}) {
        if (const auto object = unmodelled_in(end)) {
          context_.doubt("one-sided-allow", LintContext::object_name(half.policy), *object);
          return;
        }
      }
    }
    std::vector<std::size_t> items;
    for (std::size_t i = 0; i < is_open.size(); ++i) {
      if (!is_open[i]) {
        items.push_back(i);
      }
    }
    if (!items.empty()) {
      report(half, ends, deniers, items);
    }
  }

  /// Whether all pods that the peer describes in a namespace are isolated; then also which items of the rule's ports
  /// some policy there may allow, for some pod of either end.
  bool denies(const Half& half, NamespaceId other, std::vector<bool>& is_open,
              std::vector<const NetworkPolicy*>& deniers) {
    const Direction back = half.direction == Direction::egress ? Direction::ingress : Direction::egress;
    const LabelSelector& selector = selector_of(half.peer);
    bool is_isolated = false;
    for (const NetworkPolicy& policy : policies_in(other)) {
      if (!policy.isolates(back) || is_rejected(policy) || excludes(policy.pod_selector, selector)) {
        continue;
      }
      if (implies(selector, policy.pod_selector)) {
        is_isolated = true;
        deniers.push_back(&policy);
      }
      for (const Rule& rule : policy.rules(back)) {
        if (!may_name(half, rule, other)) {
          continue;
        }
        for (std::size_t i = 0; i < is_open.size(); ++i) {
          const bool is_every_port = half.rule.ports.empty() || rule.ports.empty();
          is_open[i] = is_open[i] || is_every_port ||
                       std::any_of(rule.ports.begin(), rule.ports.end(),
                                   [&](const PortRule& port) { return may_overlap(port, half.rule.ports[i]); });
        }
      }
    }
    return is_isolated;
  }

  /// Whether a rule of the other end's namespace may mean pods of this end.
  bool may_name(const Half& half, const Rule& rule, NamespaceId other) const {
    return rule.peers.empty() || std::any_of(rule.peers.begin(), rule.peers.end(), [&](const PeerRule& peer) {
             if (peer.ip_block) {
               return may_hold_pods(cluster_, *peer.ip_block);
             }
             const bool is_here =
                 peer.namespace_selector ? may_match(context_, *peer.namespace_selector, half.own) : other == half.own;
             return is_here && !excludes(selector_of(peer), half.policy.pod_selector);
           });
  }

  void report(const Half& half, const std::vector<std::string>& ends, const std::vector<const NetworkPolicy*>& deniers,
              const std::vector<std::size_t>& items) {
    const bool is_egress = half.direction == Direction::egress;
    const std::string_view back = is_egress ? "ingress" : "egress";
    const std::string own = described(half.policy.pod_selector, half.policy.name_space);
    const std::string others = listed(ends);
    std::vector<std::string> names;
    std::string ports;
    for (const NetworkPolicy* policy : deniers) {
      names.push_back(policy->full_name());
    }
    for (const std::size_t item : items) {
      if (item < half.rule.ports.size()) {
        ports += (ports.empty() ? "" : ", ") + port_yaml(half.rule.ports[item]);
      }
    }
    LintFinding& finding = context_.add(
        "one-sided-allow", LintContext::object_name(half.policy),
        half.peer.span.is_known() ? half.peer.span : half.rule.span,
        fmt::format("{} allows {} of {} → {} ({}), and {} {} not allow {}: such connections would fail",
                    half.policy.full_name(), to_string(half.direction), is_egress ? own : others,
                    is_egress ? others : own, ports_text(half.rule.ports, items), listed(names),
                    names.size() == 1 ? "does" : "do", back),
        fmt::format("a policy that selects {} needs `{}: [{{{}: [{{namespaceSelector: {{matchLabels: {{{}: {}}}}}, "
                    "podSelector: {}}}]{}}}]`; if one has it, give its file too",
                    ends.front(), back, is_egress ? "from" : "to", kNameLabel, half.policy.name_space,
                    selector_yaml(half.policy.pod_selector), ports.empty() ? "" : fmt::format(", ports: [{}]", ports)));
    for (std::size_t i = 0; i < std::min<std::size_t>(deniers.size(), 3); ++i) {
      finding.related.push_back({deniers[i]->span, fmt::format("{} isolates the other end", names[i])});
    }
  }

  // DNS.

  /// Whether a rule's peers may hold the cluster's DNS.
  static bool may_name_dns(const Rule& rule) {
    static constexpr std::array<std::string_view, 2> kSpaces = {"kube-system", "openshift-dns"};
    return rule.peers.empty() || std::any_of(rule.peers.begin(), rule.peers.end(), [](const PeerRule& peer) {
             if (peer.ip_block) {
               return true;
             }
             return peer.namespace_selector && std::any_of(kSpaces.begin(), kSpaces.end(), [&](std::string_view name) {
                      const LabelSelector known = {
                          .requirements = {{.key = std::string(kNameLabel), .values = {std::string(name)}}},
                          .span = {}};
                      return !excludes(known, *peer.namespace_selector);
                    });
           });
  }

  static bool may_ask(const Rule& rule, IpProtocol protocol) {
    const PortRule dns = {.protocol = protocol, .first = Port(53), .last = Port(53), .name = {}, .span = {}};
    const PortRule behind = {.protocol = protocol, .first = Port(5353), .last = Port(5353), .name = {}, .span = {}};
    return may_name_dns(rule) &&
           (rule.ports.empty() || std::any_of(rule.ports.begin(), rule.ports.end(), [&](const PortRule& port) {
              return may_overlap(port, dns) || may_overlap(port, behind);
            }));
  }

  static bool gives_dns_only(const NetworkPolicy& policy) {
    return !policy.egress.empty() && std::all_of(policy.egress.begin(), policy.egress.end(), is_dns_only);
  }

  void dns(const NetworkPolicy& policy, NamespaceId own) {
    // What may select pods that this policy selects, itself included.
    std::vector<const NetworkPolicy*> beside;
    for (const NetworkPolicy& other : policies_in(own)) {
      if (other.isolates_egress && !is_rejected(other) && !excludes(other.pod_selector, policy.pod_selector)) {
        beside.push_back(&other);
      }
    }
    if (beside.empty() || policy.egress.empty()) {
      return;
    }
    const auto may = [&](IpProtocol protocol) {
      return std::any_of(beside.begin(), beside.end(), [&](const NetworkPolicy* other) {
        return std::any_of(other->egress.begin(), other->egress.end(),
                           [&](const Rule& rule) { return may_ask(rule, protocol); });
      });
    };
    const std::string object = LintContext::object_name(policy);
    const std::string pods = described(policy.pod_selector, policy.name_space);
    const bool may_udp = may(IpProtocol::udp);
    const bool may_tcp = may(IpProtocol::tcp);
    const PortRule* udp = udp_item(policy);
    const bool is_alone = gives_dns_only(policy) &&
                          std::all_of(beside.begin(), beside.end(), [](const auto* p) { return gives_dns_only(*p); });
    const bool is_cut = !may_udp && !may_tcp && is_first_to_say(policy, beside);
    const bool is_udp_only = may_udp && !may_tcp && udp != nullptr;
    if (!is_alone && !is_cut && !is_udp_only) {
      return;
    }
    if (const auto unmodelled = unmodelled_in(own)) {
      context_.doubt(is_alone ? "dns-isolates-all"
                     : is_cut ? "egress-without-dns"
                              : "dns-udp-only",
                     object, *unmodelled);
      return;
    }
    if (is_alone) {
      context_.add("dns-isolates-all", object, policy.span,
                   fmt::format("this policy isolates {} for egress and allows DNS alone; no other policy gives them "
                               "egress",
                               pods),
                   "add the egress they need, or a default-deny policy if they need none");
    }
    if (is_cut) {
      context_.add("egress-without-dns", object, policy.span,
                   fmt::format("{} are isolated for egress and may not ask DNS over UDP 53 or TCP 53", pods),
                   std::string(kAllowDns));
    }
    if (is_udp_only) {
      context_.add("dns-udp-only", object, udp->span,
                   fmt::format("{} may ask DNS over UDP 53 and not over TCP 53: long answers fail", pods),
                   "add `- {protocol: TCP, port: 53}` to these ports");
    }
  }

  /// The item that allows UDP 53, and is about DNS.
  static const PortRule* udp_item(const NetworkPolicy& policy) {
    for (const Rule& rule : policy.egress) {
      if (may_ask(rule, IpProtocol::udp)) {
        for (const PortRule& port : rule.ports) {
          if (port.protocol == IpProtocol::udp && is_dns_port(port)) {
            return &port;
          }
        }
      }
    }
    return nullptr;
  }

  /// Of several policies that allow the same pods something, the first says what all of them lack.
  static bool is_first_to_say(const NetworkPolicy& policy, const std::vector<const NetworkPolicy*>& beside) {
    const auto first = std::find_if(beside.begin(), beside.end(), [&](const NetworkPolicy* other) {
      return !other->egress.empty() && implies(policy.pod_selector, other->pod_selector);
    });
    return first != beside.end() && *first == &policy;
  }

  LintContext& context_;
  const cluster::Cluster& cluster_;
  std::set<NamespaceId> said_;
};

}  // namespace

void lint_without_pods(LintContext& context) {
  const auto& admin = context.policies.admin_policies;
  const bool has_admin = std::any_of(admin.begin(), admin.end(), [&](const policy::AdminPolicy& policy) {
    return policy::is_in_force(policy.kind, context.profile.policy);
  });
  if (context.profile.policy.is_enforced && !has_admin) {
    WithoutPods(context).run();
  }
}

}  // namespace podwire::analysis
