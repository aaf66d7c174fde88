#include "sim/config/json_text.hpp"

#include <fmt/format.h>

#include <iterator>

#include "sim/config/scalar_types.hpp"

namespace podwire::config {

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void append_json_scalar(std::string& out, Node node) {
  if (!node.is_scalar()) {
    out += "null";
    return;
  }
  const std::string_view text = node.text();
  const bool is_letter = text.size() == 1 && std::string_view("yYnN").find(text[0]) != std::string_view::npos;
  switch (node.is_quoted() || is_letter ? PlainType::string : plain_type(text)) {
    case PlainType::null:
      out += "null";
      return;
    case PlainType::boolean:
      out += *plain_bool(text) ? "true" : "false";
      return;
    case PlainType::integer:
      out += fmt::format("{}", *plain_integer(text));
      return;
    case PlainType::number:
      if (const auto value = decimal(text)) {
        out += fmt::format("{}", *value);
      } else {
        out += "null";
      }
      return;
    case PlainType::string:
      append_json_string(out, text);
      return;
  }
}

}  // namespace podwire::config
