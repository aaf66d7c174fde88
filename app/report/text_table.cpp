#include "app/report/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace podwire::report {

std::string Style::wrap(std::string_view code, std::string_view text) const {
  return has_color_ && !text.empty() ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      const std::size_t end = text.find('m', i);
      if (end == std::string_view::npos) {
        break;
      }
      i = end;
      continue;
    }
    // Every byte but the continuation bytes of UTF-8 begins a code point.
    width += (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80 ? 0 : 1;
  }
  return width;
}

void TextTable::column(std::string title, Align align) {
  columns_.push_back({std::move(title), align});
}

void TextTable::folding_column(std::string title) {
  columns_.push_back({std::move(title), Align::left, true});
}

void TextTable::add_folded(const std::vector<std::string>& row, std::size_t indent, const Style& style,
                           std::string& out) const {
  constexpr std::size_t kDeeper = 4;
  std::size_t widest = 0;
  for (const Column& column : columns_) {
    widest = column.folds ? std::max(widest, display_width(column.title)) : widest;
  }
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    if (columns_[c].folds && !row[c].empty()) {
      const std::string title = columns_[c].title + std::string(widest - display_width(columns_[c].title), ' ');
      out += std::string(indent + kDeeper, ' ') + style.dim(title) + "  " +
             wrapped(row[c], indent + kDeeper + widest + 2, style.text_width()) + "\n";
    }
  }
}

void TextTable::row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::to_string(std::size_t indent, const Style& style) const {
  std::vector<std::size_t> widths;
  bool has_head = false;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = display_width(columns_[c].title);
    has_head = has_head || width > 0;
    for (const auto& row : rows_) {
      width = std::max(width, display_width(row[c]));
    }
    widths.push_back(width);
  }
  std::size_t natural = indent;
  for (const std::size_t width : widths) {
    natural += width + 2;
  }
  const bool is_folded = style.width() > 0 && natural > style.width() + 2;
  std::string out;
  const auto add_line = [&](const auto& cell_of) {
    std::string line(indent, ' ');
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (is_folded && columns_[c].folds) {
        continue;
      }
      const std::string cell = cell_of(c);
      const std::string padding(widths[c] - display_width(cell), ' ');
      line += columns_[c].align == Align::right ? padding + cell : cell + padding;
      line += c + 1 < columns_.size() ? "  " : "";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  if (has_head) {
    // Colour after padding, so that codes stay out of the widths.
    add_line([&](std::size_t c) { return style.dim(columns_[c].title); });
  }
  for (const auto& row : rows_) {
    add_line([&](std::size_t c) { return row[c]; });
    if (is_folded) {
      add_folded(row, indent, style, out);
    }
  }
  return out;
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string out;
  std::size_t used = indent;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    const std::size_t word_width = display_width(word);
    if (used > indent && used + 1 + word_width > width) {
      out += "\n" + std::string(indent, ' ');
      used = indent;
    } else if (!out.empty() && used > indent) {
      out += ' ';
      ++used;
    }
    out += word;
    used += word_width;
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return out;
}

}  // namespace podwire::report
