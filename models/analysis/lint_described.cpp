// Selectors against selectors; see lint_described.hpp. All answers err on the side that keeps a rule quiet.
#include "models/analysis/lint_described.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "models/policy/compiled.hpp"

namespace podwire::analysis {
namespace {

using cluster::LabelSelector;
using cluster::Requirement;
using cluster::SelectorOperator;

constexpr std::string_view kNameLabel = "kubernetes.io/metadata.name";

// Values of a requirement are sorted and unique.
bool is_subset(const Requirement& a, const Requirement& b) {
  return std::includes(b.values.begin(), b.values.end(), a.values.begin(), a.values.end());
}
bool is_disjoint(const Requirement& a, const Requirement& b) {
  return std::none_of(a.values.begin(), a.values.end(), [&](const std::string& value) {
    return std::binary_search(b.values.begin(), b.values.end(), value);
  });
}

/// Whether `has` alone makes `wants` hold; both are of one key.
bool implies(const Requirement& has, const Requirement& wants) {
  switch (wants.op) {
    case SelectorOperator::in:
      return has.op == SelectorOperator::in && is_subset(has, wants);
    case SelectorOperator::not_in:
      return (has.op == SelectorOperator::in && is_disjoint(has, wants)) ||
             (has.op == SelectorOperator::not_in && is_subset(wants, has)) ||
             has.op == SelectorOperator::does_not_exist;
    case SelectorOperator::exists:
      return has.op == SelectorOperator::in || has.op == SelectorOperator::exists;
    case SelectorOperator::does_not_exist:
      return has.op == SelectorOperator::does_not_exist;
  }
  return false;
}

/// Whether no value, and no absence, satisfies both; both are of one key.
bool excludes(const Requirement& a, const Requirement& b) {
  const auto excludes_in_order = [](const Requirement& x, const Requirement& y) {
    switch (x.op) {
      case SelectorOperator::in:
        return (y.op == SelectorOperator::in && is_disjoint(x, y)) ||
               (y.op == SelectorOperator::not_in && is_subset(x, y)) || y.op == SelectorOperator::does_not_exist;
      case SelectorOperator::exists:
        return y.op == SelectorOperator::does_not_exist;
      default:
        return false;
    }
  };
  return excludes_in_order(a, b) || excludes_in_order(b, a);
}

}  // namespace

bool implies(const LabelSelector& a, const LabelSelector& b) {
  return std::all_of(b.requirements.begin(), b.requirements.end(), [&](const Requirement& wants) {
    return std::any_of(a.requirements.begin(), a.requirements.end(),
                       [&](const Requirement& has) { return has.key == wants.key && implies(has, wants); });
  });
}

bool excludes(const LabelSelector& a, const LabelSelector& b) {
  return std::any_of(a.requirements.begin(), a.requirements.end(), [&](const Requirement& x) {
    return std::any_of(b.requirements.begin(), b.requirements.end(),
                       [&](const Requirement& y) { return x.key == y.key && excludes(x, y); });
  });
}

bool may_match(const LintContext& context, const LabelSelector& selector, cluster::NamespaceId name_space) {
  const cluster::Namespace& target = context.cluster.namespaces[name_space.index()];
  if (!target.is_assumed) {
    return context.is_namespace_matched(selector, name_space);
  }
  const LabelSelector known = {.requirements = {{.key = std::string(kNameLabel), .values = {target.name}}}, .span = {}};
  return !excludes(known, selector);
}

bool may_hold_pods(const cluster::Cluster& cluster, const policy::IpBlock& block) {
  static constexpr std::array<std::string_view, 4> kPrivate = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                                               "fc00::/7"};
  const auto holds = [&](const Cidr& range) {
    const Cidr& common = block.cidr.contains(range) ? range : block.cidr;  // if they overlap at all
    return block.cidr.overlaps(range) && std::none_of(block.except.begin(), block.except.end(),
                                                      [&](const Cidr& hole) { return hole.contains(common); });
  };
  return holds(cluster.pod_cidr) || std::any_of(kPrivate.begin(), kPrivate.end(),
                                                [&](std::string_view text) { return holds(*Cidr::parse(text)); });
}

bool may_overlap(const policy::PortRule& a, const policy::PortRule& b) {
  if (a.protocol != b.protocol) {
    return false;
  }
  if (!a.first.is_valid() || !b.first.is_valid()) {
    return true;  // every port, or a name
  }
  return a.first <= std::max(b.first, b.last) && b.first <= std::max(a.first, a.last);
}

bool hinges_on_unknown_labels(LintContext& context, policy::Direction direction, const PodKind& other,
                              const PodKind& subject) {
  if (!context.cluster.namespaces[subject.name_space.index()].is_assumed) {
    return false;
  }
  const policy::GroupId group = context.engine.view().pods[other.pod.index()].group(direction);
  if (!group.is_valid()) {
    return false;
  }
  for (const policy::PolicyIndex index : context.engine.policies_of(group)) {
    for (const policy::Rule& rule : context.engine.policy(index).rules(direction)) {
      const bool may = std::any_of(rule.peers.begin(), rule.peers.end(), [&](const policy::PeerRule& peer) {
        return peer.namespace_selector && !context.is_namespace_matched(*peer.namespace_selector, subject.name_space) &&
               may_match(context, *peer.namespace_selector, subject.name_space) &&
               (!peer.pod_selector || context.is_matched(*peer.pod_selector, subject));
      });
      if (may) {
        return true;
      }
    }
  }
  return false;
}

std::string described(const LabelSelector& selector, std::string_view name_space) {
  return selector.matches_everything() ? fmt::format("pods of {}", name_space)
                                       : fmt::format("pods {} of {}", selector.to_string(), name_space);
}

}  // namespace podwire::analysis
