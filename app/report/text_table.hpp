// Columns of text for a terminal: cells are padded to the widest of their column, numbers to the right.
// Width is counted in code points, which is right for the names and signs that results hold; cells are escaped by
// whoever fills them (see escape.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace podwire::report {

/// Terminal colours, or none. Sparing: what failed, what passed, and what is beside the point.
class Style {
 public:
  explicit Style(bool has_color) : has_color_(has_color) {}
  std::string bold(std::string_view text) const { return wrap("1", text); }
  std::string dim(std::string_view text) const { return wrap("2", text); }
  std::string good(std::string_view text) const { return wrap("32", text); }
  std::string bad(std::string_view text) const { return wrap("1;31", text); }
  std::string doubtful(std::string_view text) const { return wrap("33", text); }
  bool has_color() const { return has_color_; }

 private:
  std::string wrap(std::string_view code, std::string_view text) const;
  bool has_color_;
};

enum class Align : std::uint8_t { left, right };

class TextTable {
 public:
  /// A column without a title anywhere gives a table without a head line.
  void column(std::string title, Align align = Align::left);
  /// One row; missing cells are empty. Cells may hold colour codes: they do not count for the width.
  void row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  /// The lines, each indented by `indent` spaces, without spaces at their ends.
  std::string to_string(std::size_t indent, const Style& style) const;

 private:
  struct Column {
    std::string title;
    Align align;
  };
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Code points of UTF-8 text that occupy a cell: colour codes do not.
std::size_t display_width(std::string_view text);

/// `text` broken at spaces into lines of at most `width`, continued after `indent` spaces.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width = 100);

}  // namespace podwire::report
