// Runs the groups of lint rules, leaves out what was not asked for or is suppressed, and puts the rest in order.
#include "models/analysis/lint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "models/analysis/lint_context.hpp"

namespace podwire::analysis {
namespace {

constexpr std::string_view kAnnotation = "podwire/ignore";

/// Rule ids that an object's annotation lists.
std::set<std::string> ignored_by(const cluster::Object& object) {
  std::set<std::string> ids;
  std::string id;
  for (const char c : std::string(object.node.find("metadata").find("annotations").find(kAnnotation).text()) + ",") {
    if (c == ',' || c == ' ' || c == '\t' || c == '\n') {
      if (!id.empty()) {
        ids.insert(id);
      }
      id.clear();
    } else {
      id += c;
    }
  }
  return ids;
}

void warn_of_unknown_rules(const LintContext& context, Diagnostics& diagnostics) {
  for (const auto& [name, object] : context.objects()) {
    for (const std::string& id : ignored_by(*object)) {
      if (find_lint_rule(id) == nullptr) {
        diagnostics.add({.severity = Severity::warning,
                         .code = "unknown-rule",
                         .message = fmt::format("the annotation {} names a rule that does not exist", kAnnotation),
                         .span = object->node.find("metadata").find("annotations").find(kAnnotation).span(),
                         .object = name,
                         .help = "`podwire lint --rules` lists the rules"});
      }
    }
  }
}

/// The object itself, or its namespace, is annotated.
bool is_suppressed(const LintContext& context, const LintFinding& finding) {
  const auto ignores = [&](const std::string& name) {
    const cluster::Object* object = context.find_object(name);
    return object != nullptr && ignored_by(*object).contains(std::string(finding.rule));
  };
  const std::size_t slash = finding.object.find('/');
  return ignores(finding.object) ||
         (slash != std::string::npos && ignores("namespace/" + finding.object.substr(0, slash)));
}

bool is_wanted(const LintOptions& options, std::string_view rule) {
  const auto has = [&](const std::vector<std::string>& ids) {
    return std::find(ids.begin(), ids.end(), rule) != ids.end();
  };
  return (options.only.empty() || has(options.only)) && !has(options.skip);
}

auto order_of(const LintFinding& f) {
  return std::tie(f.severity, f.span.source, f.span.begin, f.rule, f.object, f.message);
}

/// One finding over all policy sets, with the sets it holds in.
class Collector {
 public:
  explicit Collector(std::size_t set_count) : set_count_(set_count) {}

  void add(LintFinding finding, const std::string& policy_set, bool is_suppressed) {
    const Key key(std::string(finding.rule), finding.span, finding.object, finding.message);
    const auto [at, is_new] = found_.try_emplace(key);
    if (is_new) {
      at->second.finding = std::move(finding);
      at->second.is_suppressed = is_suppressed;
    }
    std::vector<std::string>& sets = at->second.finding.policy_sets;
    if (sets.empty() || sets.back() != policy_set) {
      sets.push_back(policy_set);
    }
  }

  void finish(LintReport& report) {
    for (auto& [key, entry] : found_) {
      if (entry.is_suppressed) {
        ++report.suppressed;
        continue;
      }
      if (entry.finding.policy_sets.size() == set_count_) {
        entry.finding.policy_sets.clear();
      }
      report.findings.push_back(std::move(entry.finding));
    }
    std::stable_sort(report.findings.begin(), report.findings.end(),
                     [](const LintFinding& a, const LintFinding& b) { return order_of(a) < order_of(b); });
  }

 private:
  using Key = std::tuple<std::string, Span, std::string, std::string>;
  struct Entry {
    LintFinding finding;
    bool is_suppressed = false;
  };
  std::map<Key, Entry> found_;
  std::size_t set_count_;
};

}  // namespace

LintReport lint(std::span<const LintInput> inputs, const LintOptions& options, Diagnostics& diagnostics) {
  LintReport report;
  Collector collector(inputs.size());
  std::set<LintDoubt> doubts;
  std::set<std::string> objects;
  std::set<std::string> said;
  const bool some_have_policies = std::any_of(
      inputs.begin(), inputs.end(), [](const LintInput& input) { return !input.policies->network_policies.empty(); });
  for (const LintInput& input : inputs) {
    LintContext context(input);
    for (const auto group : {lint_selectors, lint_namespaces, lint_dns, lint_names, lint_ports, lint_allow,
                             lint_without_pods, lint_redundant, lint_isolation, lint_objects}) {
      group(context);
    }
    for (const Diagnostic& note : context.notes.all()) {
      const std::string_view rule = std::string_view(note.message).substr(0, note.message.find(':'));  // each begins so
      if (is_wanted(options, rule) &&
          said.insert(note.message).second) {  // once, though policy sets share the namespace
        diagnostics.add(note);
      }
    }
    for (const auto& [name, object] : context.objects()) {
      objects.insert(name);
    }
    if (&input == inputs.data() && options.obeys_annotations) {
      warn_of_unknown_rules(context, diagnostics);
    }
    // A set without policies beside sets that have some is there to show how things are without.
    const bool is_open_on_purpose = input.policies->network_policies.empty() && some_have_policies;
    for (LintFinding& finding : context.findings) {
      if (!is_wanted(options, finding.rule) ||
          (is_open_on_purpose && finding.rule == "namespace-without-default-deny")) {
        continue;
      }
      const bool is_quiet = options.obeys_annotations && is_suppressed(context, finding);
      collector.add(std::move(finding), input.policy_set, is_quiet);
    }
    for (LintDoubt& doubt : context.doubts) {
      if (is_wanted(options, doubt.rule)) {
        doubts.insert(std::move(doubt));
      }
    }
  }
  collector.finish(report);
  report.doubts.assign(doubts.begin(), doubts.end());
  report.objects = objects.size();
  return report;
}

}  // namespace podwire::analysis
