// Findings as one JSON object.
#include "app/report/json.hpp"
#include "app/report/lint_report.hpp"

namespace podwire::report {
namespace {

void add_place(ordered_json& object, const Span& span, const SourceMap& sources) {
  const LintRegion region = region_of(span, sources, false);
  object["file"] = region.is_known() ? ordered_json(region.file) : ordered_json();
  object["line"] = region.is_known() ? ordered_json(region.line) : ordered_json();
  object["column"] = region.is_known() ? ordered_json(region.column) : ordered_json();
}

}  // namespace

std::string lint_json(const LintView& view) {
  ordered_json sets = ordered_json::array();
  for (const auto& [name, basis] : view.bases) {
    sets.push_back({{"policySet", name}, {"basis", basis_json(basis)}});
  }
  ordered_json findings = ordered_json::array();
  for (const analysis::LintFinding& finding : view.report.findings) {
    ordered_json one = {{"rule", finding.rule}, {"severity", to_string(finding.severity)}, {"object", finding.object}};
    add_place(one, finding.span, *view.sources);
    one["message"] = finding.message;
    one["remedy"] = finding.remedy;
    one["related"] = ordered_json::array();
    for (const analysis::LintPlace& place : finding.related) {
      ordered_json related = {{"text", place.text}};
      add_place(related, place.span, *view.sources);
      one["related"].push_back(std::move(related));
    }
    if (!finding.policy_sets.empty()) {
      one["policySets"] = finding.policy_sets;
    }
    findings.push_back(std::move(one));
  }
  ordered_json undecided = ordered_json::array();
  for (const analysis::LintDoubt& doubt : view.report.doubts) {
    ordered_json one = {{"rule", doubt.rule}, {"object", doubt.object}, {"because", doubt.because}};
    add_place(one, doubt.span, *view.sources);
    undecided.push_back(std::move(one));
  }
  const LintTotals totals = totals_of(view.report);
  return write_json({{"apiVersion", "podwire/v1"},
                     {"scenario", view.scenario},
                     {"policySets", std::move(sets)},
                     {"findings", std::move(findings)},
                     {"undecided", std::move(undecided)},
                     {"totals",
                      {{"errors", totals.errors},
                       {"warnings", totals.warnings},
                       {"infos", totals.infos},
                       {"suppressed", view.report.suppressed},
                       {"undecided", view.report.doubts.size()},
                       {"objects", view.report.objects}}}},
                    true);
}

}  // namespace podwire::report
