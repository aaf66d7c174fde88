// podwire lint: the mistakes that people make, with their places.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/cli/cli.hpp"
#include "app/report/lint_report.hpp"
#include "models/analysis/lint.hpp"
#include "sim/base/text.hpp"

namespace podwire::cli {
namespace {

using analysis::LintSeverity;

/// The least severity that fails; none: nothing does. False when the word is no use.
bool read_threshold(const CommandLine& line, std::optional<LintSeverity>& threshold) {
  threshold.reset();
  if (line.fail_on == "none") {
    return true;
  }
  for (const LintSeverity severity : {LintSeverity::error, LintSeverity::warning, LintSeverity::info}) {
    if (line.fail_on == to_string(severity)) {
      threshold = severity;
      return true;
    }
  }
  say(fmt::format("--fail-on: \"{}\" is not error, warning, info or none", printable(line.fail_on, 40)));
  return false;
}

bool are_rules(const std::vector<std::string>& ids, std::string_view option) {
  std::vector<std::string_view> known;
  for (const analysis::LintRule& rule : analysis::lint_rules()) {
    known.push_back(rule.id);
  }
  for (const std::string& id : ids) {
    if (analysis::find_lint_rule(id) == nullptr) {
      const std::string nearest = nearest_word(id, known);
      say(fmt::format(
          "{}: no rule is called \"{}\"{}", option, printable(id, 60),
          nearest.empty() ? "; `podwire lint --rules` lists them" : fmt::format("; did you mean \"{}\"?", nearest)));
      return false;
    }
  }
  return true;
}

Exit list_rules(const CommandLine& line) {
  return write_outputs(line, [](Format format, const report::Style& style) {
    switch (format) {
      case Format::json:
        return report::lint_rules_json();
      case Format::md:
        return report::lint_rules_markdown();
      default:
        return report::lint_rules_text(style);
    }
  });
}

std::string text_of(const report::LintView& view, Format format, const report::Style& style) {
  switch (format) {
    case Format::json:
      return report::lint_json(view);
    case Format::sarif:
      return report::lint_sarif(view);
    case Format::github:
      return report::lint_github(view);
    case Format::md:
      return report::lint_markdown(view);
    default:
      return report::lint_text(view, style);
  }
}

}  // namespace

Exit verb_lint(const CommandLine& line) {
  std::optional<LintSeverity> threshold;
  if (!read_threshold(line, threshold) || !are_rules(line.rules, "--rule") ||
      !are_rules(line.skipped_rules, "--skip")) {
    return Exit::bad_input;
  }
  const std::vector<std::string> paths = paths_of(line);
  if (line.lists_rules) {
    if (!paths.empty()) {
      say("lint --rules lists the rules and reads no input");
      return Exit::bad_input;
    }
    return list_rules(line);
  }
  if (paths.empty()) {
    say("lint: which manifests or scenario? Give files or folders, or - for standard input");
    return Exit::bad_input;
  }
  scenario::LoadOptions options = line.load;
  options.adds_dns = true;
  options.keeps_objects = true;
  SourceMap sources;
  const auto scenario = load_input(sources, paths, options, line);
  if (!scenario) {
    return Exit::bad_input;
  }
  report::LintView view{
      .scenario = scenario->name(), .version = PODWIRE_VERSION, .bases = {}, .report = {}, .sources = &sources};
  std::vector<analysis::LintInput> inputs;
  for (const scenario::PolicySetPlan& plan : scenario->policy_sets) {
    inputs.push_back({.policy_set = plan.name,
                      .cluster = &plan.cluster(),
                      .policies = &plan.policies,
                      .profile = &plan.profile(),
                      .stores = plan.stores});
    view.bases.emplace_back(plan.name, report::basis_of(*scenario, plan, sources, false));
    view.bases.back().second.in_time.clear();  // findings are about what is written
  }
  Diagnostics notes;
  view.report = analysis::lint(
      inputs, {.only = line.rules, .skip = line.skipped_rules, .obeys_annotations = !line.ignores_annotations}, notes);
  show(notes, sources, line);
  const bool fails = threshold && std::any_of(view.report.findings.begin(), view.report.findings.end(),
                                              [&](const auto& f) { return f.severity <= *threshold; });
  // A rule that could not have failed the build leaves nothing open.
  const bool is_undecided =
      threshold && std::any_of(view.report.doubts.begin(), view.report.doubts.end(), [&](const auto& doubt) {
        return analysis::find_lint_rule(doubt.rule)->severity <= *threshold;
      });
  Exit exit = is_undecided ? Exit::inconclusive : Exit::ok;
  exit = worse(exit, fails ? Exit::failed : Exit::ok);
  return worse(exit, write_outputs(line, [&](Format format, const report::Style& style) {
                 return text_of(view, format, style);
               }));
}

}  // namespace podwire::cli
