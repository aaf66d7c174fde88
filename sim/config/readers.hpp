// The two readers that fill a Tree; document.cpp chooses between them. Private to sim/config.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sim/base/diagnostic.hpp"
#include "sim/config/document.hpp"

namespace podwire::config {

class Tree;
class TreeBuilder;

/// Readable bytes that the JSON reader needs behind the text.
inline constexpr std::size_t kJsonPadding = 64;

enum class JsonOutcome : std::uint8_t {
  done,          // read, or failed with errors that are JSON's own
  perhaps_yaml,  // not JSON, but something YAML's flow style allows: comments, trailing commas, bare words
};

/// Reads the source's text from `start`; `is_padded` says that kJsonPadding bytes behind it may be read.
JsonOutcome read_json(Tree& tree, std::size_t start, bool is_padded, const Limits& limits, Diagnostics& diagnostics);

/// Reads the source's text from `start` as a YAML stream, document by document: each by the fast reader if it is simple
/// (and `use_fast`), else by libfyaml. A document with a syntax error is reported and the next one read.
void read_yaml(Tree& tree, std::size_t start, const Limits& limits, Diagnostics& diagnostics, bool use_fast = true);

/// The fast reader: the document in [begin, end), if it is one that is read without doubt; otherwise false and no
/// change.
bool read_simple_yaml(Tree& tree, std::size_t begin, std::size_t end, const Limits& limits);

/// Expands the merge key of the open mapping, if it has one: `merge_keys` counts those still to expand, `alias_nodes`
/// the nodes added to this document. False after an error that ends the document.
bool expand_merge_key(TreeBuilder& builder, const Limits& limits, Diagnostics& diagnostics, std::uint32_t& merge_keys,
                      std::uint32_t& alias_nodes);

/// Replaces libfyaml's message by a clearer one with help, if it is known.
void word_syntax_error(std::string& message, std::string& help);

bool is_valid_utf8(std::string_view text);

}  // namespace podwire::config
