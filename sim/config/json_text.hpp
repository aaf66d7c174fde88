// Scalars and texts as JSON, for what is written from documents that were read. What of a tree is written is the
// caller's affair.
#pragma once

#include <string>
#include <string_view>

#include "sim/config/document.hpp"

namespace podwire::config {

/// Appends `text` as a JSON string, quotes included. RFC 8259: control characters, quotes and backslashes are escaped;
/// bytes that are no UTF-8 do not occur in documents (readers refuse them).
void append_json_string(std::string& out, std::string_view text);

/// Appends a scalar or null as kubectl would turn it to JSON (go-yaml v2's types of plain scalars): `yes` is true,
/// 0x10 is 16, quoted text is a string; a bare y or n stays the letter, as readers of strings take it. Numbers without
/// a JSON form (.inf, .nan) are null. Sequences and mappings are no scalars: they give null too.
void append_json_scalar(std::string& out, Node node);

}  // namespace podwire::config
