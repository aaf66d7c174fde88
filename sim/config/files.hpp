// Finding and reading input files. Files come from strangers: only regular files inside the allowed roots are read,
// after links are resolved; folders are walked in name order; sizes are checked before reading, and while unpacking
// what gzip (.gz) or zstd (.zst) packed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sim/base/diagnostic.hpp"
#include "sim/config/document.hpp"

namespace podwire::config {

/// Where files may lie. An empty list allows every place (paths given on the command line name their own roots).
struct FileAccess {
  std::vector<std::filesystem::path> roots = {};  // canonical folders
  std::size_t max_files = 50'000;                 // found below one folder
  std::size_t max_folder_depth = 32;
  Limits limits = {};
};

/// The .yaml, .yml and .json files, packed ones (.gz, .zst) too, that `path` names (a file, or a folder walked
/// recursively, in byte order of their relative paths; hidden entries skipped). Errors: no-such-file,
/// not-a-regular-file, outside-root, no-manifests (an empty folder), too-many-files, unreadable. `from` is the span of
/// the field that named the path, for the message.
std::vector<std::filesystem::path> list_files(const std::filesystem::path& path, const FileAccess& access, Span from,
                                              Diagnostics& diagnostics);

/// Reads and parses one file, unpacked if its name ends in .gz or .zst (the limit on bytes is for what it then holds);
/// `shown_as` is its name in messages. "-" is standard input, read by the caller.
std::optional<Document> read_file(SourceMap& sources, const std::filesystem::path& path, std::string shown_as,
                                  const FileAccess& access, Span from, Diagnostics& diagnostics);

/// Opens a regular file inside the allowed roots for reading: the descriptor, which the caller closes, or -1 after an
/// error (those of read_file but too-large).
int open_regular_file(const std::filesystem::path& path, const FileAccess& access, Span from, Diagnostics& diagnostics);

}  // namespace podwire::config
