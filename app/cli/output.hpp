// Where results go: standard output or files, whole or not at all.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace podwire::cli {

enum class Format : std::uint8_t { table, json, csv, md, dot, text, sarif, github, mermaid, yaml };
std::string_view to_string(Format format);
/// What every verb writes.
inline constexpr Format kCommonFormats[] = {Format::table, Format::json, Format::csv};

/// One `-o FORMAT[=FILE]`.
struct OutputRequest {
  Format format = Format::table;
  std::string file;  // "": standard output
};

/// Parses `-o` texts; without any, the first of `formats` on standard output. Nothing and `problem` when one is
/// malformed, when two want standard output, when two name one file, or when the format is none of `formats`.
std::optional<std::vector<OutputRequest>> parse_outputs(const std::vector<std::string>& texts, std::string& problem,
                                                        std::span<const Format> formats = kCommonFormats);

/// Whether `file` can probably be written; asked before long work. "" or what is wrong.
std::string problem_with_file(const std::string& file);

/// Writes `text` to a file descriptor to its end. "" when done, or when the reader went away (EPIPE: it has what it
/// wants); else what is wrong ("No space left on device").
std::string write_all(int descriptor, std::string_view text);

/// One output being written, in pieces: results may be larger than memory. A regular file appears under its name only
/// when it is complete; after a problem nothing more is written.
class OutputWriter {
 public:
  explicit OutputWriter(const OutputRequest& request);
  ~OutputWriter();
  OutputWriter(const OutputWriter&) = delete;
  OutputWriter& operator=(const OutputWriter&) = delete;

  void write(std::string_view text);
  /// Writes what is left and puts the file in place. "" when done, else what is wrong.
  std::string finish();

 private:
  void flush();

  OutputRequest request_;
  std::string temporary_;  // "": written in place
  std::string buffer_;
  std::string problem_;
  int descriptor_ = -1;
};

}  // namespace podwire::cli
