// The rule redundant-rule: a rule that another rule of its namespace and direction contains.
//
// Judged by what is written, not by today's pods: selectors by their requirements, blocks by their addresses, ports by
// number or name. So a finding stays true when pods come and go; rules that happen to match the same pods are none.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "models/analysis/lint_context.hpp"
#include "models/policy/port_set.hpp"

namespace podwire::analysis {
namespace {

using cluster::LabelSelector;
using cluster::Requirement;
using policy::Direction;
using policy::NetworkPolicy;
using policy::PeerRule;
using policy::PortRule;
using policy::PortSet;

constexpr std::size_t kMostCompared = 1'000;  // rules of one namespace; in a larger one only within each policy

bool implies(const Requirement& narrow, const Requirement& wide) {
  using enum cluster::SelectorOperator;
  if (narrow.key != wide.key) {
    return false;
  }
  if (narrow.op == in && wide.op == in) {
    return std::includes(wide.values.begin(), wide.values.end(), narrow.values.begin(), narrow.values.end());
  }
  if (narrow.op == not_in && wide.op == not_in) {
    return std::includes(narrow.values.begin(), narrow.values.end(), wide.values.begin(), wide.values.end());
  }
  return (narrow.op == wide.op) || (narrow.op == in && wide.op == exists) ||
         (narrow.op == does_not_exist && wide.op == not_in);
}

/// Whatever `narrow` matches, `wide` matches.
bool contains(const LabelSelector& wide, const LabelSelector& narrow) {
  return std::all_of(wide.requirements.begin(), wide.requirements.end(), [&](const Requirement& w) {
    return std::any_of(narrow.requirements.begin(), narrow.requirements.end(),
                       [&](const Requirement& n) { return implies(n, w); });
  });
}

bool contains(const policy::IpBlock& wide, const policy::IpBlock& narrow) {
  return wide.cidr.contains(narrow.cidr) && std::all_of(wide.except.begin(), wide.except.end(), [&](const Cidr& hole) {
           return !hole.overlaps(narrow.cidr) || std::any_of(narrow.except.begin(), narrow.except.end(),
                                                             [&](const Cidr& other) { return other.contains(hole); });
         });
}

/// Both peers are of policies of one namespace.
bool contains(const PeerRule& wide, const PeerRule& narrow) {
  if (wide.ip_block || narrow.ip_block) {
    return wide.ip_block && narrow.ip_block && contains(*wide.ip_block, *narrow.ip_block);
  }
  static const LabelSelector kEverything;
  const LabelSelector& wide_pods = wide.pod_selector ? *wide.pod_selector : kEverything;
  const LabelSelector& narrow_pods = narrow.pod_selector ? *narrow.pod_selector : kEverything;
  if (!contains(wide_pods, narrow_pods)) {
    return false;
  }
  if (!wide.namespace_selector) {
    return !narrow.namespace_selector;
  }
  return narrow.namespace_selector ? contains(*wide.namespace_selector, *narrow.namespace_selector)
                                   : wide.namespace_selector->matches_everything();
}

PortSet numbers(const policy::Rule& rule) {
  std::vector<PortSet::Range> ranges;
  for (const PortRule& port : rule.ports) {
    if (port.first.is_valid()) {
      ranges.push_back({port.protocol, port.first.number(), std::max(port.first, port.last).number()});
    } else if (port.name.empty()) {
      ranges.push_back({.protocol = port.protocol});
    }
  }
  return rule.ports.empty() ? PortSet::all() : PortSet::of(std::move(ranges));
}

bool contains(const policy::Rule& wide, const policy::Rule& narrow) {
  if (!wide.ports.empty()) {
    const PortSet wide_numbers = numbers(wide);
    const PortSet narrow_numbers = numbers(narrow);
    if (narrow.ports.empty() || wide_numbers.intersected_with(narrow_numbers) != narrow_numbers) {
      return false;
    }
    const bool names_are_known = std::all_of(narrow.ports.begin(), narrow.ports.end(), [&](const PortRule& n) {
      return n.name.empty() || std::any_of(wide.ports.begin(), wide.ports.end(), [&](const PortRule& w) {
               return w.protocol == n.protocol && (w.name == n.name || w.is_all());
             });
    });
    if (!names_are_known) {
      return false;
    }
  }
  if (wide.peers.empty()) {
    return true;
  }
  return !narrow.peers.empty() && std::all_of(narrow.peers.begin(), narrow.peers.end(), [&](const PeerRule& n) {
    return std::any_of(wide.peers.begin(), wide.peers.end(), [&](const PeerRule& w) { return contains(w, n); });
  });
}

struct Written {
  const NetworkPolicy* policy = nullptr;
  const policy::Rule* rule = nullptr;
  std::size_t number = 0;
};

bool contains(const Written& wide, const Written& narrow) {
  return contains(wide.policy->pod_selector, narrow.policy->pod_selector) && contains(*wide.rule, *narrow.rule);
}

void compare(LintContext& context, Direction direction, const std::vector<Written>& rules, bool across) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (std::size_t j = 0; j < rules.size(); ++j) {
      const bool is_comparable = i != j && (across || rules[i].policy == rules[j].policy);
      // Of two equal rules the later one is redundant.
      if (!is_comparable || !contains(rules[j], rules[i]) || (contains(rules[i], rules[j]) && i < j)) {
        continue;
      }
      const bool is_same = rules[i].policy == rules[j].policy;
      LintFinding& finding =
          context.add("redundant-rule", LintContext::object_name(*rules[i].policy), rules[i].rule->span,
                      fmt::format("{} rule {} is contained in {} rule {} of {}", to_string(direction), rules[i].number,
                                  to_string(direction), rules[j].number,
                                  is_same ? std::string("the same policy") : rules[j].policy->full_name()),
                      fmt::format("delete rule {}, or narrow the other one", rules[i].number));
      finding.related.push_back({rules[j].rule->span, "the rule that contains it"});
      break;
    }
  }
}

}  // namespace

void lint_redundant(LintContext& context) {
  for (const Direction direction : {Direction::ingress, Direction::egress}) {
    std::map<std::string, std::vector<Written>> by_namespace;
    for (const NetworkPolicy& policy : context.policies.network_policies) {
      if (policy.isolates(direction)) {
        for (std::size_t r = 0; r < policy.rules(direction).size(); ++r) {
          by_namespace[policy.name_space].push_back({&policy, &policy.rules(direction)[r], r});
        }
      }
    }
    for (const auto& [name_space, rules] : by_namespace) {
      if (rules.size() <= kMostCompared) {
        compare(context, direction, rules, true);
        continue;
      }
      context.notes.warning("compared-in-part",
                            fmt::format("redundant-rule: namespace {} has {} {} rules, more than {}: each is compared "
                                        "with those of its own policy only",
                                        name_space, rules.size(), to_string(direction), kMostCompared),
                            rules.front().policy->span);
      for (std::size_t begin = 0; begin < rules.size();) {
        std::size_t end = begin;
        while (end < rules.size() && rules[end].policy == rules[begin].policy) {
          ++end;
        }
        compare(context, direction,
                {rules.begin() + static_cast<std::ptrdiff_t>(begin), rules.begin() + static_cast<std::ptrdiff_t>(end)},
                false);
        begin = end;
      }
    }
  }
}

}  // namespace podwire::analysis
