// `podwire lint`: findings as text (place first, as compilers do), JSON, SARIF and GitHub annotations, and the table of
// rules itself. One summary for all of them; columns count bytes in the text and JSON, characters in SARIF.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/report/run_report.hpp"
#include "models/analysis/lint.hpp"

namespace podwire::report {

struct LintView {
  std::string scenario;                              // its name, or the inputs
  std::string version;                               // podwire's
  std::vector<std::pair<std::string, Basis>> bases;  // by policy set
  analysis::LintReport report;
  const SourceMap* sources = nullptr;
};

/// Findings of each severity.
struct LintTotals {
  std::size_t errors = 0;
  std::size_t warnings = 0;
  std::size_t infos = 0;
};
LintTotals totals_of(const analysis::LintReport& report);

std::string lint_text(const LintView& view, const Style& style);
std::string lint_json(const LintView& view);
/// SARIF 2.1.0 (OASIS), one run, all rules listed.
std::string lint_sarif(const LintView& view);
/// Workflow commands of GitHub Actions, one line a finding.
std::string lint_github(const LintView& view);
/// A table for a pull request's comment.
std::string lint_markdown(const LintView& view);

// The rules.
std::string lint_rules_text(const Style& style);
std::string lint_rules_json();
/// docs/lint.md.
std::string lint_rules_markdown();

/// One finding's place, for formats that have fields for it. Lines and columns count from 1; columns are characters
/// where `in_characters`, else bytes. The end is that of the first line if the span has several.
struct LintRegion {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t end_column = 0;
  bool is_known() const { return line > 0; }
};
LintRegion region_of(const Span& span, const SourceMap& sources, bool in_characters);

/// "in policy set a" or "", for findings that hold in some sets only.
std::string sets_text(const analysis::LintFinding& finding);

}  // namespace podwire::report
