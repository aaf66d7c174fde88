// Findings as SARIF 2.1.0, as code scanning services read it. Source: OASIS, Static Analysis Results Interchange Format
// 2.1.0, sections 3.13 (log), 3.19 (tool component), 3.27 (result), 3.30 (region: columns in the run's columnKind).
#include <fmt/format.h>

#include <algorithm>

#include "app/report/json.hpp"
#include "app/report/lint_report.hpp"
#include "app/report/sarif.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

std::string_view level_of(analysis::LintSeverity severity) {
  constexpr std::string_view kLevels[] = {"error", "warning", "note"};
  return kLevels[static_cast<std::size_t>(severity)];
}

ordered_json rules_json() {
  ordered_json rules = ordered_json::array();
  for (const analysis::LintRule& rule : analysis::lint_rules()) {
    rules.push_back({{"id", rule.id},
                     {"shortDescription", {{"text", rule.summary}}},
                     {"fullDescription", {{"text", rule.description}}},
                     {"help",
                      {{"text", rule.remedy},
                       {"markdown", fmt::format("{}\n\nBad:\n\n```yaml\n{}```\n\nGood:\n\n```yaml\n{}```\n",
                                                rule.remedy, rule.bad, rule.good)}}},
                     {"defaultConfiguration", {{"level", level_of(rule.severity)}}}});
  }
  return rules;
}

ordered_json result_json(const analysis::LintFinding& finding, const SourceMap& sources) {
  const auto rules = analysis::lint_rules();
  const auto at = std::find_if(rules.begin(), rules.end(), [&](const auto& r) { return r.id == finding.rule; });
  const std::string sets = sets_text(finding);
  std::string text = fmt::format("{}{}", finding.message, sets.empty() ? "" : fmt::format(" ({})", sets));
  if (!finding.remedy.empty()) {
    text += fmt::format(". {}", finding.remedy);
  }
  ordered_json location = sarif_location(finding.span, sources);
  location["logicalLocations"] = ordered_json::array({{{"fullyQualifiedName", finding.object}, {"kind", "object"}}});
  ordered_json result = {{"ruleId", finding.rule},
                         {"ruleIndex", at - rules.begin()},
                         {"level", level_of(finding.severity)},
                         {"message", {{"text", printable(text, 4000)}}},
                         {"locations", ordered_json::array({std::move(location)})}};
  ordered_json related = ordered_json::array();
  for (const analysis::LintPlace& place : finding.related) {
    if (place.span.is_known()) {
      ordered_json one = sarif_location(place.span, sources);
      one["id"] = related.size();
      one["message"] = {{"text", printable(place.text, 4000)}};
      related.push_back(std::move(one));
    }
  }
  if (!related.empty()) {
    result["relatedLocations"] = std::move(related);
  }
  return result;
}

}  // namespace

std::string lint_sarif(const LintView& view) {
  ordered_json results = ordered_json::array();
  for (const analysis::LintFinding& finding : view.report.findings) {
    results.push_back(result_json(finding, *view.sources));
  }
  ordered_json run = {{"tool", {{"driver", {{"name", "podwire"}, {"version", view.version}, {"rules", rules_json()}}}}},
                      {"columnKind", "unicodeCodePoints"},
                      {"results", std::move(results)}};
  return write_json({{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                     {"version", "2.1.0"},
                     {"runs", ordered_json::array({std::move(run)})}},
                    true);
}

}  // namespace podwire::report
