// Rules about what the selectors of policies match: or-instead-of-and, namespace-selector-matches-nothing,
// pod-selector-matches-nothing.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "models/analysis/lint_context.hpp"
#include "sim/base/text.hpp"

namespace podwire::analysis {
namespace {

using policy::Direction;
using policy::NetworkPolicy;
using policy::PeerRule;

constexpr std::string_view kNameLabel = "kubernetes.io/metadata.name";

bool is_namespaces_only(const PeerRule& peer) {
  return peer.namespace_selector && !peer.pod_selector;
}
bool is_pods_only(const PeerRule& peer) {
  return peer.pod_selector && !peer.namespace_selector && !peer.pod_selector->matches_everything();
}

std::vector<std::string> workload_names(const LintContext& context, const std::vector<PodKind>& kinds) {
  std::vector<std::string> names;
  for (const PodKind& kind : kinds) {
    std::string name = context.cluster.workload_name(kind.workload);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

/// The first requirement's place, which is more exact than the selector's.
Span place_of(const cluster::LabelSelector& selector, Span otherwise) {
  if (!selector.requirements.empty() && selector.requirements.front().span.is_known()) {
    return selector.requirements.front().span;
  }
  return selector.span.is_known() ? selector.span : otherwise;
}

class SelectorRules {
 public:
  explicit SelectorRules(LintContext& context) : context_(context) {}

  void run(const NetworkPolicy& policy) {
    subject(policy);
    for (const Direction direction : {Direction::ingress, Direction::egress}) {
      for (const policy::Rule& rule : policy.rules(direction)) {
        or_instead_of_and(policy, direction, rule);
        for (const PeerRule& peer : rule.peers) {
          if (peer.namespace_selector) {
            namespaces(LintContext::object_name(policy), *peer.namespace_selector, peer.span,
                       "this peer grants nothing");
          }
          pods(policy, direction, rule, peer);
        }
      }
    }
  }

  void run(const policy::AdminPolicy& policy) {
    const std::string name = policy.full_name();
    admin_pods(name, policy.subject_namespaces, policy.subject_pods, policy.span, "the policy concerns nobody");
    for (const Direction direction : {Direction::ingress, Direction::egress}) {
      for (const policy::AdminRule& rule : policy.rules(direction)) {
        for (const policy::AdminPeer& peer : rule.peers) {
          if (peer.kind == policy::AdminPeer::Kind::namespaces || peer.kind == policy::AdminPeer::Kind::pods) {
            admin_pods(name, peer.namespace_selector, peer.pod_selector, peer.span, "this peer matches nothing");
          }
        }
      }
    }
  }

 private:
  void or_instead_of_and(const NetworkPolicy& policy, Direction direction, const policy::Rule& rule) {
    const auto spaces = std::find_if(rule.peers.begin(), rule.peers.end(), is_namespaces_only);
    const auto pods = std::find_if(rule.peers.begin(), rule.peers.end(), is_pods_only);
    if (spaces == rule.peers.end() || pods == rule.peers.end()) {
      return;
    }
    const std::vector<PodKind> let_in = context_.peers_of(policy, *spaces);
    const std::vector<PodKind> at_home = context_.peers_of(policy, *pods);
    std::vector<PodKind> not_meant;
    bool has_meant = false;
    for (const PodKind& kind : let_in) {
      const bool is_meant = context_.is_matched(*pods->pod_selector, kind);
      has_meant = has_meant || is_meant;
      if (!is_meant) {
        not_meant.push_back(kind);
      }
    }
    if (!at_home.empty() && !has_meant) {
      return;  // both alternatives are there: OR was meant
    }
    for (const PodKind& kind : at_home) {
      const bool is_listed =
          std::any_of(let_in.begin(), let_in.end(), [&](const auto& k) { return k.pod == kind.pod; });
      if (!is_listed) {
        not_meant.push_back(kind);
      }
    }
    const bool is_in = direction == Direction::ingress;
    std::string message = fmt::format("{} takes pods of namespaces with {} or pods {} of {}, not only pods with both",
                                      is_in ? "from" : "to", spaces->namespace_selector->to_string(),
                                      pods->pod_selector->to_string(), policy.name_space);
    if (!not_meant.empty()) {
      message += fmt::format(": {} {} too", listed(workload_names(context_, not_meant)),
                             is_in ? (not_meant.size() == 1 ? "gets in" : "get in")
                                   : (not_meant.size() == 1 ? "is reachable" : "are reachable"));
    }
    LintFinding& finding =
        context_.add("or-instead-of-and", LintContext::object_name(policy), pods->span, std::move(message),
                     fmt::format("one item for both: `- {{namespaceSelector: {}, podSelector: {}}}`",
                                 selector_yaml(*spaces->namespace_selector), selector_yaml(*pods->pod_selector)));
    finding.related.push_back({spaces->span, "the other alternative"});
  }

  /// Whether the input says enough about namespaces for this selector to be judged.
  bool can_judge(const cluster::LabelSelector& selector) const {
    if (!context_.has_namespace_objects) {
      return false;
    }
    // Every cluster has these.
    return std::none_of(selector.requirements.begin(), selector.requirements.end(), [](const auto& requirement) {
      return requirement.key == kNameLabel && requirement.op == cluster::SelectorOperator::in &&
             std::any_of(requirement.values.begin(), requirement.values.end(), [](const std::string& value) {
               return value == "default" || LintContext::is_system_namespace(value);
             });
    });
  }

  /// A subject or a peer of the admin tiers: pods of some namespaces.
  void admin_pods(const std::string& policy, const cluster::LabelSelector& spaces, const cluster::LabelSelector& pods,
                  Span span, std::string_view consequence) {
    namespaces(policy, spaces, span, consequence);
    const std::vector<cluster::NamespaceId>& where = context_.namespaces_matching(spaces);
    bool has_pods = false;
    bool is_found = pods.matches_everything();
    for (const cluster::NamespaceId name_space : where) {
      const std::vector<PodKind>& kinds = context_.kinds_in(name_space);
      has_pods = has_pods || !kinds.empty();
      is_found =
          is_found || context_.matches_template(pods, name_space) ||
          std::any_of(kinds.begin(), kinds.end(), [&](const PodKind& kind) { return context_.is_matched(pods, kind); });
    }
    if (is_found || !has_pods || !context_.has_pods) {
      return;
    }
    std::vector<std::string> names;
    for (const cluster::NamespaceId name_space : where) {
      names.push_back(context_.name_of(name_space));
    }
    context_.add("pod-selector-matches-nothing", policy, place_of(pods, span),
                 fmt::format("no pod of {} has {}: {}", listed(names), pods.to_string(), consequence),
                 seen_labels(pods, where));
  }

  void namespaces(const std::string& policy, const cluster::LabelSelector& selector, Span span,
                  std::string_view consequence) {
    if (!context_.namespaces_matching(selector).empty() || !can_judge(selector)) {
      return;
    }
    std::string remedy = fmt::format("give the namespace that is meant the label {}, or select it by {}",
                                     selector.to_string(), kNameLabel);
    for (const cluster::Requirement& requirement : selector.requirements) {
      const bool names_one = requirement.op == cluster::SelectorOperator::in && !requirement.values.empty() &&
                             requirement.key != kNameLabel &&
                             context_.cluster.find_namespace(requirement.values.front()).is_valid();
      if (names_one) {
        remedy = fmt::format("there is a namespace called {}: write {}: {}", requirement.values.front(), kNameLabel,
                             requirement.values.front());
      }
      if (requirement.key == kNameLabel) {
        remedy = fmt::format("the input's namespaces are {}; add the missing one to the input or correct the name",
                             listed(namespace_names(), 6));
      }
    }
    context_.add("namespace-selector-matches-nothing", policy, place_of(selector, span),
                 fmt::format("no namespace has {}: {}", selector.to_string(), consequence), std::move(remedy));
  }

  std::vector<std::string> namespace_names() const {
    std::vector<std::string> names;
    for (const cluster::Namespace& name_space : context_.cluster.namespaces) {
      names.push_back(name_space.name);
    }
    return names;
  }

  /// What the pods of these namespaces have instead: the nearest value under the selector's key, else their labels.
  std::string seen_labels(const cluster::LabelSelector& selector,
                          const std::vector<cluster::NamespaceId>& where) const {
    std::vector<std::string> seen;
    std::vector<std::string_view> values;
    const cluster::Requirement* only = selector.requirements.size() == 1 ? &selector.requirements.front() : nullptr;
    const cluster::StringId key = only == nullptr ? cluster::StringId() : context_.cluster.strings.find(only->key);
    for (const cluster::NamespaceId name_space : where) {
      for (const PodKind& kind : context_.kinds_in(name_space)) {
        const cluster::LabelSetId labels = context_.cluster.shapes[kind.shape.index()].labels;
        std::string text = labels_text(context_.cluster, labels);
        if (std::find(seen.begin(), seen.end(), text) == seen.end()) {
          seen.push_back(std::move(text));
        }
        const cluster::StringId value =
            key.is_valid() ? context_.cluster.label_sets.value(labels, key) : cluster::StringId();
        if (value.is_valid()) {
          values.push_back(context_.cluster.strings[value]);
        }
      }
    }
    if (only != nullptr && !only->values.empty()) {
      if (const std::string nearest = nearest_word(only->values.front(), values); !nearest.empty()) {
        return fmt::format("did you mean `{}: {}`?", only->key, nearest);
      }
    }
    return seen.empty() ? "" : fmt::format("the pods there have {}", listed(seen));
  }

  void subject(const NetworkPolicy& policy) {
    const cluster::NamespaceId where = context_.cluster.find_namespace(policy.name_space);
    if (!where.is_valid() || policy.pod_selector.matches_everything() || context_.kinds_in(where).empty() ||
        !context_.subjects_of(policy).empty() || context_.matches_template(policy.pod_selector, where)) {
      return;
    }
    context_.add("pod-selector-matches-nothing", LintContext::object_name(policy),
                 place_of(policy.pod_selector, policy.span),
                 fmt::format("no pod of {} has {}: the policy protects nothing", policy.name_space,
                             policy.pod_selector.to_string()),
                 seen_labels(policy.pod_selector, {where}));
  }

  void pods(const NetworkPolicy& policy, Direction direction, const policy::Rule& rule, const PeerRule& peer) {
    if (!peer.pod_selector || peer.pod_selector->matches_everything()) {
      return;
    }
    std::vector<cluster::NamespaceId> where;
    if (peer.namespace_selector) {
      where = context_.namespaces_matching(*peer.namespace_selector);
    } else if (const auto own = context_.cluster.find_namespace(policy.name_space); own.is_valid()) {
      where.push_back(own);
    }
    const bool has_pods = std::any_of(where.begin(), where.end(), [&](cluster::NamespaceId name_space) {
      return !context_.kinds_in(name_space).empty();
    });
    const bool is_found = std::any_of(where.begin(), where.end(), [&](cluster::NamespaceId name_space) {
      return context_.matches_template(*peer.pod_selector, name_space);
    });
    // The DNS that podwire adds stands for one whose labels are not known.
    const bool is_added_dns = direction == Direction::egress && is_dns_only(rule) &&
                              context_.cluster.dns_service.is_valid() &&
                              context_.cluster.services[context_.cluster.dns_service.index()].is_added;
    if (!has_pods || is_found || is_added_dns || !context_.has_pods || !context_.peers_of(policy, peer).empty()) {
      return;
    }
    std::vector<std::string> names;
    for (const cluster::NamespaceId name_space : where) {
      names.push_back(context_.name_of(name_space));
    }
    const bool is_anywhere = peer.namespace_selector && peer.namespace_selector->matches_everything();
    LintFinding& finding = context_.add(
        "pod-selector-matches-nothing", LintContext::object_name(policy), place_of(*peer.pod_selector, peer.span),
        is_anywhere ? fmt::format("no pod of the input has {}: this peer grants nothing, unless their namespace is "
                                  "not in it",
                                  peer.pod_selector->to_string())
                    : fmt::format("no pod of {} has {}: this peer grants nothing", listed(names),
                                  peer.pod_selector->to_string()),
        seen_labels(*peer.pod_selector, where));
    if (is_anywhere) {
      finding.severity = LintSeverity::info;  // another repository may bring them
    }
  }

  LintContext& context_;
};

}  // namespace

void lint_selectors(LintContext& context) {
  SelectorRules rules(context);
  for (const NetworkPolicy& policy : context.policies.network_policies) {
    rules.run(policy);
  }
  for (const policy::AdminPolicy& policy : context.policies.admin_policies) {
    rules.run(policy);
  }
}

}  // namespace podwire::analysis
