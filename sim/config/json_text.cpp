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

void append_json(std::string& out, Node node) {
  if (!node.is_mapping() && !node.is_sequence()) {
    append_json_scalar(out, node);
    return;
  }
  bool is_first = true;
  out += node.is_mapping() ? '{' : '[';
  for (const Node child : node) {
    out += is_first ? "" : ",";
    is_first = false;
    if (node.is_mapping()) {
      append_json_string(out, child.key());
      out += ':';
    }
    append_json(out, child);
  }
  out += node.is_mapping() ? '}' : ']';
}

void append_json_merged(std::string& out, Node target, Node patch) {
  if (!patch.is_mapping()) {
    append_json(out, patch);
    return;
  }
  bool is_first = true;
  const auto member = [&](std::string_view key) {
    out += is_first ? "" : ",";
    is_first = false;
    append_json_string(out, key);
    out += ':';
  };
  out += '{';
  const Node kept = target.is_mapping() ? target : Node();
  for (const Node child : kept) {
    const Node change = patch.find(child.key());
    if (change.is_present() && change.is_null()) {
      continue;
    }
    member(child.key());
    if (change.is_present()) {
      append_json_merged(out, child, change);
    } else {
      append_json(out, child);
    }
  }
  for (const Node change : patch) {
    if (!change.is_null() && !kept.find(change.key()).is_present()) {
      member(change.key());
      append_json_merged(out, Node(), change);
    }
  }
  out += '}';
}

}  // namespace podwire::config
