#include "sim/config/render.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/config/confidential.hpp"

namespace podwire::config {
namespace {

constexpr std::size_t kWidth = 120;         // bytes of a source line shown
constexpr std::size_t kContextBefore = 60;  // of them before the caret, when the line is cut
constexpr std::size_t kLongestMessage = 2000;
constexpr std::string_view kMask = "•••";
constexpr std::string_view kIndent = "    ";

struct Style {
  bool on = false;
  std::string_view bold() const { return on ? "\x1b[1m" : ""; }
  std::string_view severity(Severity severity) const {
    return !on                             ? ""
           : severity == Severity::error   ? "\x1b[1;31m"
           : severity == Severity::warning ? "\x1b[1;33m"
                                           : "\x1b[1;36m";
  }
  std::string_view caret() const { return on ? "\x1b[1;32m" : ""; }
  std::string_view off() const { return on ? "\x1b[0m" : ""; }
};

std::string_view name_of(Severity severity) {
  return severity == Severity::error ? "error" : severity == Severity::warning ? "warning" : "note";
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

/// A piece of source for the terminal; a tab takes one column.
std::string shown(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '\t', ' ');
  return printable(spaced, 4 * kWidth);
}

/// The end of `key:` in a line that may hold a secret (dashes, key, colon), or the end of its indentation.
std::size_t end_of_key(std::string_view line) {
  std::size_t at = line.find_first_not_of(" \t-");
  if (at == std::string_view::npos) {
    return 0;
  }
  const std::size_t indentation = at;
  constexpr std::size_t kLongestKey = 63;
  const bool is_quoted = line[at] == '"';
  at += is_quoted ? 1 : 0;
  const std::size_t begin = at;
  while (at < line.size() && (std::isalnum(static_cast<unsigned char>(line[at])) != 0 || line[at] == '.' ||
                              line[at] == '_' || line[at] == '-' || line[at] == '/')) {
    ++at;
  }
  const std::size_t length = at - begin;
  at += is_quoted && at < line.size() && line[at] == '"' ? 1 : 0;
  const bool is_key = length > 0 && length <= kLongestKey && at < line.size() && line[at] == ':' &&
                      (at + 1 == line.size() || line[at + 1] == ' ' || is_quoted);
  return is_key ? at + 1 : indentation;
}

/// The source line and the caret line below it, each with a line break.
std::string excerpt(const Diagnostic& diagnostic, const SourceMap& sources, const Style& style) {
  const Span span = diagnostic.span;
  const LineColumn at = sources.locate(span.source, span.begin);
  std::string_view line = sources.line(span.source, at.line);
  std::size_t column = std::min<std::size_t>(at.column - 1, line.size());
  std::size_t length = std::max<std::size_t>(1, std::min<std::size_t>(span.end - span.begin, line.size() - column));
  const bool is_syntax = diagnostic.code.ends_with("-syntax") || diagnostic.code == "invalid-utf8";
  std::string masked;
  if (diagnostic.hides_source_line || may_hold_secret(sources.text(span.source), span.begin, is_syntax)) {
    const std::size_t key_end = end_of_key(line);
    const bool is_comment = line.find_first_not_of(" \t-") != std::string_view::npos && key_end == line.size();
    masked = fmt::format("{}{}{}", line.substr(0, key_end), key_end > 0 && line[key_end - 1] == ':' ? " " : "",
                         is_comment ? "" : kMask);
    if (column >= key_end) {  // the caret stands under the mask
      column = std::min(masked.size(), key_end + (key_end > 0 && line[key_end - 1] == ':' ? 1 : 0));
      length = std::min(kMask.size(), masked.size() - column);
    } else {
      length = std::min(length, key_end - column);
    }
    line = masked;
  }
  std::size_t first = 0;
  if (line.size() > kWidth && column > kContextBefore) {
    first = column - kContextBefore;
    while (first < column && is_continuation(line[first])) {
      ++first;
    }
  }
  std::size_t last = std::min(line.size(), first + kWidth);
  while (last < line.size() && last > column && is_continuation(line[last])) {
    --last;
  }
  std::string lead = first > 0 ? "…" : "";
  lead += shown(line.substr(first, column - first));
  const std::string marked = shown(line.substr(column, std::min(length, last > column ? last - column : 0)));
  const std::size_t tail_begin = std::min(last, column + length);
  const std::string tail = tail_begin < last ? shown(line.substr(tail_begin, last - tail_begin)) : "";
  std::string caret(std::max<std::size_t>(width_of(marked), 1), '~');
  caret[0] = '^';
  return fmt::format("{}{}{}{}{}\n{}{}{}{}{}\n", kIndent, lead, marked, tail, last < line.size() ? "…" : "", kIndent,
                     std::string(width_of(lead), ' '), style.caret(), caret, style.off());
}

std::string count_of(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string summary(std::size_t errors, std::size_t warnings, std::size_t left_out) {
  std::string text;
  if (errors > 0 || warnings == 0) {
    text = count_of(errors, "error");
  }
  if (warnings > 0) {
    text += (text.empty() ? "" : ", ") + count_of(warnings, "warning");
  }
  return left_out == 0 ? text : fmt::format("{} ({} not shown)", text, left_out);
}

std::string render_one(const Diagnostic& diagnostic, const SourceMap& sources, const RenderOptions& options) {
  const Style style{options.color};
  const bool has_place = diagnostic.span.is_known();
  const std::string place = has_place ? printable(sources.place(diagnostic.span), kLongestMessage) + ": " : "";
  const std::string message = printable(diagnostic.message, kLongestMessage);
  const std::string help = printable(diagnostic.help, kLongestMessage);
  if (options.short_form) {
    return fmt::format("{}{}: {} [{}]{}{}\n", place, name_of(diagnostic.severity), message, diagnostic.code,
                       help.empty() ? "" : "; ", help);
  }
  // The message leads; only what is not an error says so.
  const std::string kind =
      diagnostic.severity == Severity::error
          ? ""
          : fmt::format("{}{}:{} ", style.severity(diagnostic.severity), name_of(diagnostic.severity), style.off());
  std::string text = fmt::format("{}{}{}{}{}{}{}\n", style.bold(), place, style.off(), kind,
                                 diagnostic.severity == Severity::error ? style.severity(Severity::error) : "", message,
                                 diagnostic.severity == Severity::error ? style.off() : "");
  if (has_place && !sources.text(diagnostic.span.source).empty()) {
    text += excerpt(diagnostic, sources, style);
  }
  if (!help.empty()) {
    text += fmt::format("{}{}\n", kIndent, help);
  }
  return text;
}

}  // namespace

std::string source_excerpt(const Diagnostic& diagnostic, const SourceMap& sources, bool color) {
  const bool has_place = diagnostic.span.is_known() && !sources.text(diagnostic.span.source).empty();
  return has_place ? excerpt(diagnostic, sources, Style{color}) : std::string();
}

std::string render(const Diagnostics& diagnostics, const SourceMap& sources, const RenderOptions& options) {
  struct Entry {
    const Diagnostic* diagnostic;
    const Diagnostic* about;  // of a note the problem before it, whose place in the order it shares
  };
  std::vector<Entry> ordered;
  std::size_t warnings = 0;
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    const bool is_note = diagnostic.severity == Severity::note && !ordered.empty();
    ordered.push_back({&diagnostic, is_note ? ordered.back().about : &diagnostic});
    warnings += diagnostic.severity == Severity::warning ? 1 : 0;
  }
  if (ordered.empty()) {
    return {};
  }
  // What has no place (a missing file) comes first; equals stay in the order they were found.
  std::stable_sort(ordered.begin(), ordered.end(), [](const Entry& left, const Entry& right) {
    const Span a = left.about->span;
    const Span b = right.about->span;
    if (!a.is_known() || !b.is_known()) {
      return !a.is_known() && b.is_known();
    }
    return a.source != b.source ? a.source < b.source : a.begin < b.begin;
  });
  std::string text;
  const std::size_t count = std::min(options.limit, ordered.size());
  for (std::size_t i = 0; i < count; ++i) {
    text += render_one(*ordered[i].diagnostic, sources, options);
  }
  return text + summary(diagnostics.error_count(), warnings, ordered.size() - count) + "\n";
}

}  // namespace podwire::config
