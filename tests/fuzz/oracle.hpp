// What every fuzz target holds against every input: it is accepted with a result or refused with an error, each
// diagnostic has a place in the text, and a document that was accepted says the same in its JSON form. An oracle that
// fails prints what it saw and aborts, which libFuzzer and ctest both take for a failure.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sim/base/diagnostic.hpp"
#include "sim/base/result.hpp"
#include "sim/config/document.hpp"
#include "sim/config/render.hpp"
#include "sim/config/scalar_types.hpp"

namespace podwire::fuzz {

inline std::string text_of(const std::uint8_t* data, std::size_t size) {
  return size == 0 ? std::string() : std::string(reinterpret_cast<const char*>(data), size);
}

/// Aborts with the message unless `holds`.
inline void require(bool holds, std::string_view message) {
  if (!holds) {
    std::fprintf(stderr, "oracle: %.*s\n", static_cast<int>(message.size()), message.data());
    std::abort();
  }
}

/// Every diagnostic is complete, lies in the text it points into, and can be shown. `needs_place`: all of them concern
/// something that is written.
inline void check_diagnostics(const Diagnostics& diagnostics, const SourceMap& sources, bool needs_place = true) {
  std::size_t errors = 0;
  for (const Diagnostic& d : diagnostics.all()) {
    require(!d.code.empty() && !d.message.empty(), "a diagnostic has a code and a message");
    require(d.span.is_known() || !needs_place, fmt::format("{} has no place: {}", d.code, d.message));
    if (d.span.is_known()) {
      require(d.span.begin <= d.span.end && d.span.end <= sources.text(d.span.source).size(),
              fmt::format("{} points outside of the text: {}", d.code, d.message));
    }
    errors += d.severity == Severity::error ? 1 : 0;
  }
  require(errors == diagnostics.error_count(), "errors are counted");
  const std::string shown = config::render(diagnostics, sources);
  require(shown.find('\x1b') == std::string::npos, "a control character reaches the terminal");
}

/// Either a value without errors or an error without a value.
template <class T>
void check_result(const Result<T>& result, const SourceMap& sources, bool needs_place = true) {
  require(result.has_value() != result.diagnostics().has_errors(), "accepted or refused, and not both");
  check_diagnostics(result.diagnostics(), sources, needs_place);
}

inline void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

/// A plain scalar as the JSON value that kubectl's reader makes of it.
inline void append_json_plain(std::string& out, std::string_view text) {
  switch (config::plain_type(text)) {
    case config::PlainType::null:
      out += "null";
      return;
    case config::PlainType::boolean:
      out += *config::plain_bool(text) ? "true" : "false";
      return;
    case config::PlainType::integer:
      if (const auto value = config::plain_integer(text)) {
        out += fmt::format("{}", *value);
        return;
      }
      break;
    case config::PlainType::number:
      if (const auto value = config::decimal(text)) {
        out += fmt::format("{}", *value);
        return;
      }
      break;  // .inf and numbers beyond 64 bits: no JSON
    case config::PlainType::string:
      break;
  }
  append_json_string(out, text);
}

/// The node as JSON. `types_scalars`: plain scalars as the values they stand for, else as strings.
inline void append_json(std::string& out, config::Node node, bool types_scalars) {
  switch (node.kind()) {
    case config::NodeKind::null:
      out += "null";
      return;
    case config::NodeKind::scalar:
      if (types_scalars && !node.is_quoted()) {
        append_json_plain(out, node.text());
      } else {
        append_json_string(out, node.text());
      }
      return;
    case config::NodeKind::sequence:
    case config::NodeKind::mapping:
      break;
  }
  const bool is_mapping = node.is_mapping();
  out += is_mapping ? '{' : '[';
  bool is_first = true;
  for (const config::Node child : node) {
    out += is_first ? "" : ", ";
    is_first = false;
    if (is_mapping) {
      append_json_string(out, child.key());
      out += ": ";
    }
    append_json(out, child, types_scalars);
  }
  out += is_mapping ? '}' : ']';
}

/// All documents, one JSON value a line.
inline std::string json_of(const config::Document& document, bool types_scalars) {
  std::string out;
  for (const config::Node root : document.roots()) {
    append_json(out, root, types_scalars);
    out += '\n';
  }
  return out;
}

/// Whether a plain y or n occurs: a letter where a string is wanted, a boolean elsewhere, so that JSON has no one form.
inline bool has_bare_letter(config::Node node) {
  if (node.is_scalar()) {
    const std::string_view text = node.text();
    return !node.is_quoted() && (text == "y" || text == "Y" || text == "n" || text == "N");
  }
  for (const config::Node child : node) {
    if (has_bare_letter(child)) {
      return true;
    }
  }
  return false;
}

}  // namespace podwire::fuzz
