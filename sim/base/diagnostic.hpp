// What is wrong with an input, and where: the one form in which every reader of user files reports.
//
// A Span is two byte offsets into a source; line and column are computed only when a diagnostic is shown, so that spans
// on millions of objects cost 12 bytes each. Rendering (caret, colours) is in sim/config.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/id.hpp"

namespace podwire {

using SourceId = Id<struct SourceTag>;

/// Bytes [begin, end) of a source. An invalid source means "no place"; begin == end points between two bytes.
struct Span {
  SourceId source;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  bool is_known() const { return source.is_valid(); }
  auto operator<=>(const Span&) const = default;
};

/// A place as people read it; both count from 1, columns in bytes.
struct LineColumn {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

/// The texts that spans point into. Texts live as long as the map; a source is never removed.
class SourceMap {
 public:
  /// `name` is the path as the user wrote it, or "-" for standard input.
  SourceId add(std::string name, std::string text);
  const std::string& name(SourceId id) const { return sources_[id.index()]->name; }
  std::string_view text(SourceId id) const { return sources_[id.index()]->text; }
  /// O(log lines) after a first call that indexes the source's lines.
  LineColumn locate(SourceId id, std::uint32_t offset) const;
  /// The line (from 1) without its line break.
  std::string_view line(SourceId id, std::uint32_t number) const;
  /// `file:line:column` of the span's begin, or "" for an unknown span.
  std::string place(const Span& span) const;
  /// `file:line`.
  std::string file_and_line(const Span& span) const;
  std::size_t size() const { return sources_.size(); }

 private:
  struct Source {
    std::string name;
    std::string text;
    std::vector<std::uint32_t> line_starts;  // filled on first use
  };
  const std::vector<std::uint32_t>& line_starts(SourceId id) const;
  std::vector<std::unique_ptr<Source>> sources_;
};

enum class Severity : std::uint8_t { note, warning, error };

/// One problem of an input. `message` says what is wrong, `help` what to do; neither quotes confidential values.
struct Diagnostic {
  Severity severity = Severity::error;
  std::string code;     // stable, kebab-case: "unknown-key"
  std::string message;  // no trailing period, no place
  Span span = {};
  std::string object = {};  // "backend/networkpolicy/allow-web" when known
  std::string field = {};   // "spec.ingress[0].ports[1].port" when known
  std::string help = {};
  bool hides_source_line = false;  // the line may hold a secret: show the place, not the text
};

/// Collects every problem of an input before anything stops.
class Diagnostics {
 public:
  void add(Diagnostic diagnostic);
  void error(std::string code, std::string message, Span span = {}, std::string help = {});
  void warning(std::string code, std::string message, Span span = {}, std::string help = {});
  bool has_errors() const { return errors_ > 0; }
  std::size_t error_count() const { return errors_; }
  const std::vector<Diagnostic>& all() const { return all_; }
  void append(const Diagnostics& other);

 private:
  std::vector<Diagnostic> all_;
  std::size_t errors_ = 0;
};

}  // namespace podwire
