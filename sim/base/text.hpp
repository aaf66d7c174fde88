// Small text helpers that several folders need: safe display of foreign names, and the nearest known word.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace podwire {

/// `text` fit for a terminal line: control characters (C0, DEL, C1), bidirectional overrides and invalid UTF-8 are
/// written as \xNN or \u{NNNN}; longer than `limit` bytes it is cut with "…". Names come from strangers.
std::string printable(std::string_view text, std::size_t limit = 200);

/// The candidate closest to `word` by optimal string alignment distance, or "" if none is within a third of its length
/// (at least 1, at most 3 edits). Ties go to the earlier candidate. O(|word| × total length).
std::string nearest_word(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace podwire
