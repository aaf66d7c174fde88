// Layers packed by gzip or zstd. What a packed file holds is unknown until it is unpacked, so the limit on bytes is
// checked while that goes on: a small file that would fill the memory is refused when it passes the limit, not after.
// Sources: RFC 1952 (gzip, several members make one text), RFC 8878 (zstd, several frames likewise).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace podwire::config {

enum class Packing : std::uint8_t { none, gzip, zstd };
/// "gzip", "zstd".
std::string_view to_string(Packing packing);

/// What the name promises: .gz or .zst.
Packing packing_of(const std::filesystem::path& path);
/// The name without that ending: "pods.json.gz" gives "pods.json".
std::filesystem::path without_packing(const std::filesystem::path& path);

enum class Unpacked : std::uint8_t { done, too_large, damaged };

/// Unpacks the whole of `packed` into `text`, which has room for `padding` more bytes when done. At most `most` bytes:
/// one more is too_large. `problem` then tells what is wrong with damaged input, in words that follow "…: ".
Unpacked unpack(Packing packing, std::string_view packed, std::uint64_t most, std::size_t padding, std::string& text,
                std::string& problem);

}  // namespace podwire::config
