#include "sim/base/diagnostic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "sim/base/check.hpp"

namespace podwire {

SourceId SourceMap::add(std::string name, std::string text) {
  PODWIRE_CHECK(text.size() < std::numeric_limits<std::uint32_t>::max(), "base", "a span's offsets have 32 bits");
  sources_.push_back(std::make_unique<Source>(Source{std::move(name), std::move(text), {}}));
  return SourceId(sources_.size() - 1);
}

const std::vector<std::uint32_t>& SourceMap::line_starts(SourceId id) const {
  Source& source = *sources_[id.index()];
  if (source.line_starts.empty()) {
    source.line_starts.push_back(0);
    for (std::size_t at = source.text.find('\n'); at != std::string::npos; at = source.text.find('\n', at + 1)) {
      source.line_starts.push_back(static_cast<std::uint32_t>(at + 1));
    }
  }
  return source.line_starts;
}

LineColumn SourceMap::locate(SourceId id, std::uint32_t offset) const {
  const auto& starts = line_starts(id);
  const auto after = std::upper_bound(starts.begin(), starts.end(), offset);
  const auto line = static_cast<std::uint32_t>(after - starts.begin());
  return {line, offset - starts[line - 1] + 1};
}

std::string_view SourceMap::line(SourceId id, std::uint32_t number) const {
  const auto& starts = line_starts(id);
  if (number == 0 || number > starts.size()) {
    return {};
  }
  const std::string_view text = sources_[id.index()]->text;
  const std::size_t begin = starts[number - 1];
  const std::size_t end = number < starts.size() ? starts[number] - 1 : text.size();
  std::string_view line = text.substr(begin, end - begin);
  if (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  return line;
}

std::string SourceMap::place(const Span& span) const {
  if (!span.is_known()) {
    return {};
  }
  const LineColumn at = locate(span.source, span.begin);
  return fmt::format("{}:{}:{}", name(span.source), at.line, at.column);
}

std::string SourceMap::file_and_line(const Span& span) const {
  return span.is_known() ? fmt::format("{}:{}", name(span.source), locate(span.source, span.begin).line)
                         : std::string();
}

void Diagnostics::add(Diagnostic diagnostic) {
  errors_ += diagnostic.severity == Severity::error ? 1 : 0;
  all_.push_back(std::move(diagnostic));
}

void Diagnostics::error(std::string code, std::string message, Span span, std::string help) {
  add({.severity = Severity::error,
       .code = std::move(code),
       .message = std::move(message),
       .span = span,
       .help = std::move(help)});
}

void Diagnostics::warning(std::string code, std::string message, Span span, std::string help) {
  add({.severity = Severity::warning,
       .code = std::move(code),
       .message = std::move(message),
       .span = span,
       .help = std::move(help)});
}

void Diagnostics::append(const Diagnostics& other) {
  for (const Diagnostic& diagnostic : other.all_) {
    add(diagnostic);
  }
}

}  // namespace podwire
