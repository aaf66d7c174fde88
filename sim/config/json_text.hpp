// Texts, scalars and trees as JSON, for what is written from documents that were read.
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

/// Appends a whole tree.
void append_json(std::string& out, Node node);

/// Appends `target` with a JSON merge patch (RFC 7386) laid over it: mappings are merged member by member, null takes a
/// member away, everything else replaces.
void append_json_merged(std::string& out, Node target, Node patch);

}  // namespace podwire::config
