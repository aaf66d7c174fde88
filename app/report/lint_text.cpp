// Findings for a terminal: place, severity, message, the source line, what to do; then what it rests on and the totals.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/report/lint_report.hpp"
#include "sim/base/text.hpp"
#include "sim/config/render.hpp"

namespace podwire::report {
namespace {

constexpr std::size_t kLongest = 2000;
constexpr std::size_t kMostPlaces = 3;
constexpr std::string_view kIndent = "    ";

std::string plural(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string severity_text(analysis::LintSeverity severity, const Style& style) {
  const std::string word(to_string(severity));
  return severity == analysis::LintSeverity::error     ? style.bad(word)
         : severity == analysis::LintSeverity::warning ? style.doubtful(word)
                                                       : style.dim(word);
}

std::string finding_text(const analysis::LintFinding& finding, const SourceMap& sources, const Style& style) {
  const std::string place = printable(sources.place(finding.span), kLongest);
  const std::string sets = sets_text(finding);
  std::string text = fmt::format(
      "{}{}: {}: {} {}\n", place.empty() ? "" : style.bold(place) + ": ", severity_text(finding.severity, style),
      printable(finding.object, kLongest),
      printable(finding.message, kLongest) + (sets.empty() ? "" : fmt::format(" ({})", printable(sets, kLongest))),
      style.dim(fmt::format("[{}]", finding.rule)));
  text += config::source_excerpt(
      {.code = {}, .message = {}, .span = finding.span, .hides_source_line = finding.hides_source_line}, sources,
      style.has_color());
  if (!finding.remedy.empty()) {
    text += fmt::format("{}help: {}\n", kIndent, printable(finding.remedy, kLongest));
  }
  for (std::size_t i = 0; i < std::min(finding.related.size(), kMostPlaces); ++i) {
    const analysis::LintPlace& related = finding.related[i];
    if (related.span.is_known()) {
      text += fmt::format("{}see {}: {}\n", kIndent, printable(sources.place(related.span), kLongest),
                          printable(related.text, kLongest));
    }
  }
  if (finding.related.size() > kMostPlaces) {
    text += fmt::format("{}and {}\n", kIndent, plural(finding.related.size() - kMostPlaces, "more place"));
  }
  return text;
}

}  // namespace

LintTotals totals_of(const analysis::LintReport& report) {
  LintTotals totals;
  for (const analysis::LintFinding& finding : report.findings) {
    switch (finding.severity) {
      case analysis::LintSeverity::error:
        ++totals.errors;
        break;
      case analysis::LintSeverity::warning:
        ++totals.warnings;
        break;
      case analysis::LintSeverity::info:
        ++totals.infos;
        break;
    }
  }
  return totals;
}

std::string sets_text(const analysis::LintFinding& finding) {
  return finding.policy_sets.empty() ? std::string()
                                     : fmt::format("in policy set{} {}", finding.policy_sets.size() == 1 ? "" : "s",
                                                   fmt::join(finding.policy_sets, ", "));
}

LintRegion region_of(const Span& span, const SourceMap& sources, bool in_characters) {
  if (!span.is_known()) {
    return {};
  }
  const LineColumn at = sources.locate(span.source, span.begin);
  const std::string_view line = sources.line(span.source, at.line);
  const std::size_t begin = std::min<std::size_t>(at.column - 1, line.size());
  const std::size_t end = std::min<std::size_t>(begin + (span.end - span.begin), line.size());
  const auto column = [&](std::size_t byte) {
    const std::string_view before = line.substr(0, byte);
    const auto continuation = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
    const auto hidden = in_characters ? std::count_if(before.begin(), before.end(), continuation) : 0;
    return static_cast<std::uint32_t>(byte - static_cast<std::size_t>(hidden)) + 1;
  };
  return {.file = sources.name(span.source),
          .line = at.line,
          .column = column(begin),
          .end_column = column(std::max(end, begin))};
}

std::string lint_text(const LintView& view, const Style& style) {
  std::string text;
  for (const analysis::LintFinding& finding : view.report.findings) {
    text += finding_text(finding, *view.sources, style) + "\n";
  }
  for (const analysis::LintDoubt& doubt : view.report.doubts) {
    text += fmt::format("{}: {} cannot be judged for {}: {} is not modelled\n",
                        printable(view.sources->place(doubt.span), kLongest), doubt.rule,
                        printable(doubt.object, kLongest), printable(doubt.because, kLongest));
  }
  if (!view.report.doubts.empty()) {
    text += "\n";
  }
  for (std::size_t i = 0; i < view.bases.size(); ++i) {
    const Basis& basis = view.bases[i].second;
    if (i > 0 && basis.cni == view.bases[0].second.cni) {
      continue;
    }
    text += fmt::format("{} {} under {}\n", style.dim("looked at"), plural(view.report.objects, "object"),
                        printable(basis.cni, kLongest));
  }
  if (!view.bases.empty() && !view.bases[0].second.ignored.empty()) {
    text += fmt::format("accepted as not modelled: {}\n",
                        printable(fmt::format("{}", fmt::join(view.bases[0].second.ignored, ", ")), kLongest));
  }
  const LintTotals totals = totals_of(view.report);
  text +=
      fmt::format("{}, {}, {} info", plural(totals.errors, "error"), plural(totals.warnings, "warning"), totals.infos);
  text += view.report.suppressed > 0 ? fmt::format("; {} suppressed", view.report.suppressed) : "";
  text += view.report.doubts.empty() ? "" : fmt::format("; {} undecided", view.report.doubts.size());
  return text + "\n";
}

}  // namespace podwire::report
