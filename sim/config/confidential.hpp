// Which parts of an input may hold secrets: values under env, annotations and data, and all of Secrets and ConfigMaps.
// One list for the tree (is_confidential in scalar_types.hpp) and for source lines (render.cpp). Private to sim/config.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace podwire::config {

/// Keys whose values, at any depth below, are never shown.
inline constexpr std::array<std::string_view, 6> kConfidentialKeys = {"env",        "annotations", "data",
                                                                      "stringData", "binaryData",  "envFrom"};
/// Kinds whose objects are never shown beyond their keys.
inline constexpr std::array<std::string_view, 2> kConfidentialKinds = {"Secret", "ConfigMap"};

inline bool is_confidential_key(std::string_view key) {
  return std::find(kConfidentialKeys.begin(), kConfidentialKeys.end(), key) != kConfidentialKeys.end();
}
inline bool is_confidential_kind(std::string_view kind) {
  return std::find(kConfidentialKinds.begin(), kConfidentialKinds.end(), kind) != kConfidentialKinds.end();
}

/// Judges source lines by their text alone, since a broken file has no tree.
///
/// A line's values are masked when the line or a line that encloses it by indentation names a confidential key, or when
/// its document (from `---` to `---`) is a Secret or ConfigMap or holds one in a list. Where indentation says nothing
/// (text that begins with a bracket) or cannot be trusted (`after_syntax_error`), one confidential key anywhere in the
/// document is enough. It errs on the side of masking.
bool may_hold_secret(std::string_view text, std::uint32_t offset, bool after_syntax_error);

}  // namespace podwire::config
