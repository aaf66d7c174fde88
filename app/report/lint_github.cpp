// Findings as GitHub annotations (workflow commands), and as a Markdown table for a pull request's comment.
//
// A command ends at the line's end and its properties at commas and colons: names from manifests are percent-encoded as
// the runner expects (docs.github.com, "Workflow commands"; actions/toolkit, command.ts: escapeData, escapeProperty).
#include <fmt/format.h>

#include "app/report/lint_report.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

constexpr std::size_t kLongest = 4000;

std::string encoded(std::string_view text, bool is_property) {
  std::string out;
  for (const char c : printable(text, kLongest)) {
    const bool is_special = c == '%' || c == '\r' || c == '\n' || (is_property && (c == ':' || c == ','));
    out += is_special ? fmt::format("%{:02X}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return out;
}

std::string_view command_of(analysis::LintSeverity severity) {
  constexpr std::string_view kCommands[] = {"error", "warning", "notice"};
  return kCommands[static_cast<std::size_t>(severity)];
}

/// A cell: what Markdown or HTML would take for its own is escaped.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : printable(text, kLongest)) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (std::string_view("|`*_[]\\@#").find(c) != std::string_view::npos) {
      out += fmt::format("\\{}", c);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string lint_github(const LintView& view) {
  std::string text;
  for (const analysis::LintFinding& finding : view.report.findings) {
    const LintRegion region = region_of(finding.span, *view.sources, true);
    std::string properties;
    if (region.is_known() && region.file != "-") {
      properties = fmt::format("file={},line={},col={},endColumn={},", encoded(region.file, true), region.line,
                               region.column, region.end_column);
    }
    const std::string sets = sets_text(finding);
    const std::string message =
        fmt::format("{}: {}{}{}", finding.object, finding.message, sets.empty() ? "" : fmt::format(" ({})", sets),
                    finding.remedy.empty() ? "" : fmt::format(". {}", finding.remedy));
    text += fmt::format("::{} {}title=podwire {}::{}\n", command_of(finding.severity), properties,
                        encoded(finding.rule, true), encoded(message, false));
  }
  return text;
}

std::string lint_markdown(const LintView& view) {
  const LintTotals totals = totals_of(view.report);
  std::string text = fmt::format("{} errors, {} warnings, {} info, {} suppressed, {} undecided\n", totals.errors,
                                 totals.warnings, totals.infos, view.report.suppressed, view.report.doubts.size());
  if (view.report.findings.empty()) {
    return text;
  }
  text += "\n| severity | rule | place | what | what to do |\n|---|---|---|---|---|\n";
  for (const analysis::LintFinding& finding : view.report.findings) {
    const std::string sets = sets_text(finding);
    text += fmt::format("| {} | {} | {} | {}: {}{} | {} |\n", to_string(finding.severity), finding.rule,
                        cell(view.sources->file_and_line(finding.span)), cell(finding.object), cell(finding.message),
                        sets.empty() ? "" : cell(fmt::format(" ({})", sets)), cell(finding.remedy));
  }
  return text;
}

}  // namespace podwire::report
