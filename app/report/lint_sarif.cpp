// Findings as SARIF 2.1.0, as code scanning services read it. Source: OASIS, Static Analysis Results Interchange Format
// 2.1.0, sections 3.13 (log), 3.19 (tool component), 3.27 (result, 3.27.17 partialFingerprints), 3.30 (region: columns
// in the run's columnKind).
#include <fmt/format.h>

#include <algorithm>
#include <map>

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

/// The same for a finding whatever lines come and go above it: of the rule, the object and the number of findings that
/// share both before it. FNV-1a (isthe.com/chongo/tech/comp/fnv), 64 bits.
std::string fingerprint(const analysis::LintFinding& finding, std::size_t before) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : fmt::format("{}\n{}\n{}", finding.rule, finding.object, before)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return fmt::format("{:016x}", hash);
}

ordered_json result_json(const analysis::LintFinding& finding, const SourceMap& sources, std::size_t before) {
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
                         {"locations", ordered_json::array({std::move(location)})},
                         {"partialFingerprints", {{"ruleAndObject/v1", fingerprint(finding, before)}}}};
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
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> counts;
  for (const analysis::LintFinding& finding : view.report.findings) {
    results.push_back(result_json(finding, *view.sources, counts[{finding.rule, finding.object}]++));
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
