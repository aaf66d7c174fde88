// The mistakes that people make in manifests and policies, found without a clock: one table of rules, and findings that
// point at the very field.
//
// Rules are grouped by what they look at, one group a file (lint_selectors.cpp, lint_dns.cpp …). Verdicts come from the
// compiled engine, so that a finding says what the packets of a run would meet. A rule that an unmodelled object may
// overrule says so (undecided) instead of guessing. What the input lacks is not blamed on it: rules that need pods are
// silent where the input has none. Texts are as the input has them; whoever prints them escapes them. Values of env
// and annotations never appear, but for host names. Source: reference policy-semantics, sections 1, 4 and 7.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/cni/profile.hpp"
#include "models/policy/policy.hpp"

namespace podwire::analysis {

enum class LintSeverity : std::uint8_t { error, warning, info };  // worst first
/// "error", "warning", "info".
std::string_view to_string(LintSeverity severity);

/// One rule, as the program and the documentation know it.
struct LintRule {
  std::string_view id;  // "or-instead-of-and"
  LintSeverity severity = LintSeverity::warning;
  std::string_view summary;      // one line
  std::string_view description;  // what it is, and why it bites
  std::string_view remedy;       // what to do, in general
  std::string_view bad;          // YAML
  std::string_view good;
};

/// All rules, sorted by id.
std::span<const LintRule> lint_rules();
/// The rule, or null.
const LintRule* find_lint_rule(std::string_view id);

/// A further place that a finding is about.
struct LintPlace {
  Span span;
  std::string text;  // "the other rule"
};

struct LintFinding {
  std::string_view rule;  // id, of lint_rules()
  LintSeverity severity = LintSeverity::warning;
  std::string object;   // "backend/networkpolicy/allow-web"
  std::string message;  // one line, no final period
  std::string remedy;   // for this very case
  Span span;
  std::vector<LintPlace> related;
  bool hides_source_line = false;        // the line may hold a secret
  std::vector<std::string> policy_sets;  // where it holds, when that is not all of them
};

/// A rule that could not be decided for an object.
struct LintDoubt {
  std::string_view rule;
  std::string object;   // that the rule looked at
  std::string because;  // the unmodelled object
  Span span;            // of that object
  auto operator<=>(const LintDoubt&) const = default;
};

/// One policy set over its cluster. All of it outlives the call.
struct LintInput {
  std::string policy_set;
  const cluster::Cluster* cluster = nullptr;
  const policy::PolicySet* policies = nullptr;
  const cni::Profile* profile = nullptr;
  std::vector<const cluster::ObjectStore*> stores;  // the layers, then what the policy set applies
  std::size_t pairs_one_by_one = 512;  // up to which one-sided-allow looks at each pair of a rule: speed alone
};

struct LintOptions {
  std::vector<std::string> only = {};  // rule ids; empty: all
  std::vector<std::string> skip = {};
  bool obeys_annotations = true;  // podwire/ignore
};

struct LintReport {
  std::vector<LintFinding> findings;  // by severity, then file, line and rule
  std::vector<LintDoubt> doubts;
  std::size_t suppressed = 0;
  std::size_t objects = 0;  // looked at
};

/// Runs the rules over all policy sets; a finding that several sets share appears once. Warnings about annotations that
/// name no rule go to `diagnostics` (unknown-rule), and so does what redundant-rule and one-sided-allow do
/// not compare (compared-in-part). Time: rules that compare pods work on one pod of each kind that policies can tell
/// apart.
LintReport lint(std::span<const LintInput> inputs, const LintOptions& options, Diagnostics& diagnostics);

}  // namespace podwire::analysis
