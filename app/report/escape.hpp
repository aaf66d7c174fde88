// Names come from strangers' manifests: each output format has its own way of being deceived by them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace podwire::report {

/// One CSV field (RFC 4180): quoted when it holds a comma, a quote or a line break. A text that a spreadsheet would
/// take for a formula (it begins with = + - @, a tab or a carriage return) gets an apostrophe in front; numbers do not.
std::string csv_field(std::string_view text);

/// A Markdown code span, fit for a table cell: nothing in it is markup, a mention or a link. Control characters are
/// written out, back quotes become apostrophes, bars become broken bars, and past `limit` bytes it is cut with "…".
/// Nothing gives "–".
std::string md_code(std::string_view text, std::size_t limit);

/// A quoted DOT string.
std::string dot_quoted(std::string_view text);

/// A quoted Mermaid text, for a node, a subgraph or an arrow: what Mermaid or its HTML labels would take for markup, a
/// directive or the end of the text is an entity (#quot;, #35; …). Past 200 bytes it is cut.
std::string mermaid_quoted(std::string_view text);

/// One CSV line with its line break.
std::string csv_line(const std::vector<std::string>& fields);

}  // namespace podwire::report
