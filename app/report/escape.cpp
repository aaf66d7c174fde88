#include "app/report/escape.hpp"

#include <charconv>

#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

bool is_number(std::string_view text) {
  double value = 0.0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && stop == text.data() + text.size();
}

}  // namespace

std::string csv_field(std::string_view text) {
  std::string field(text);
  if (!field.empty() && std::string_view("=+-@\t\r").find(field.front()) != std::string_view::npos &&
      !is_number(field)) {
    field.insert(field.begin(), '\'');
  }
  if (field.find_first_of(",\"\n\r") == std::string::npos) {
    return field;
  }
  std::string quoted = "\"";
  for (const char c : field) {
    quoted += c;
    if (c == '"') {
      quoted += '"';
    }
  }
  return quoted + "\"";
}

std::string md_code(std::string_view text, std::size_t limit) {
  if (text.empty()) {
    return "–";
  }
  std::string span = "`";
  for (const char c : printable(text, limit)) {
    // Within a table a bar ends the cell even in a code span, and escaping it fails behind a backslash.
    span += c == '`' ? "'" : c == '|' ? "¦" : std::string(1, c);
  }
  return span + "`";
}

std::string dot_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : printable(text, 1000)) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
    }
    quoted += c;
  }
  return quoted + "\"";
}

std::string mermaid_quoted(std::string_view text) {
  // Back quotes begin Markdown text, %%{ a directive wherever it stands, & and # entities; the rest ends the text or a
  // tag. Source: mermaid.js.org, flowchart syntax ("Special characters", "Entity codes to escape characters").
  constexpr std::string_view kSpecial = "\"#&<>`%\\;{}[]()|";
  std::string quoted = "\"";
  for (const char c : printable(text)) {
    if (c == '"') {
      quoted += "#quot;";
    } else if (kSpecial.find(c) != std::string_view::npos) {
      quoted += "#" + std::to_string(static_cast<int>(c)) + ";";
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    line += (i == 0 ? "" : ",") + csv_field(fields[i]);
  }
  return line + "\n";
}

}  // namespace podwire::report
