// Columns of text for a terminal: cells are padded to the widest of their column, numbers to the right.
// Width is counted in code points, which is right for the names and signs that results hold; cells are escaped by
// whoever fills them (see escape.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace podwire::report {

/// Terminal colours, or none, and how wide the terminal is. Sparing: what failed, what passed, and what is beside the
/// point.
class Style {
 public:
  /// `width` in columns; 0: no terminal, lines may be as long as they are.
  explicit Style(bool has_color, std::size_t width = 0) : has_color_(has_color), width_(width) {}
  std::size_t width() const { return width_; }
  /// Where prose is broken: at 100 columns, or at the terminal's edge.
  std::size_t text_width() const { return width_ == 0 || width_ > 100 ? 100 : width_ < 40 ? 40 : width_; }
  std::string bold(std::string_view text) const { return wrap("1", text); }
  std::string dim(std::string_view text) const { return wrap("2", text); }
  std::string good(std::string_view text) const { return wrap("32", text); }
  std::string bad(std::string_view text) const { return wrap("1;31", text); }
  std::string doubtful(std::string_view text) const { return wrap("33", text); }
  bool has_color() const { return has_color_; }

 private:
  std::string wrap(std::string_view code, std::string_view text) const;
  bool has_color_;
  std::size_t width_;
};

enum class Align : std::uint8_t { left, right };

class TextTable {
 public:
  /// A column without a title anywhere gives a table without a head line.
  void column(std::string title, Align align = Align::left);
  /// Such a column's cells go to lines of their own below the row, with the title before them, where the terminal is
  /// too narrow for the whole table.
  void folding_column(std::string title);
  /// One row; missing cells are empty. Cells may hold colour codes: they do not count for the width.
  void row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  /// The lines, each indented by `indent` spaces, without spaces at their ends.
  std::string to_string(std::size_t indent, const Style& style) const;

 private:
  struct Column {
    std::string title;
    Align align;
    bool folds = false;
  };
  void add_folded(const std::vector<std::string>& row, std::size_t indent, const Style& style, std::string& out) const;
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Code points of UTF-8 text that occupy a cell: colour codes do not.
std::size_t display_width(std::string_view text);

/// `text` broken at spaces into lines of at most `width`, continued after `indent` spaces.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width = 100);

}  // namespace podwire::report
