// Inputs that are too large to hold: bytes and lines as they come, from a regular file, packed or not, or from whoever
// reads standard input. Memory is one buffer, whatever the input's length.
//
// A line that is longer than the limit is skipped to its end and reported, never held. What gzip or zstd packed is
// unpacked on the way (RFC 1952, several members; RFC 8878, several frames); bytes after unpacking are limited too.
// Left out: seeking, and encodings other than UTF-8.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/config/files.hpp"

namespace podwire::config {

/// Gives up to `room` bytes; 0 at the end.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual std::size_t read(char* out, std::size_t room) = 0;
  /// What went wrong, in words that follow "FILE: "; "" when the end is the real end.
  const std::string& problem() const { return problem_; }

 protected:
  std::string problem_;
};

/// Bytes that a function gives, as ByteStream::read does: standard input, a test's text.
std::unique_ptr<ByteStream> stream_of(std::function<std::size_t(char* out, std::size_t room)> read);

/// Opens a regular file inside the allowed roots, unpacking what its name says is packed. Errors: those of read_file.
std::unique_ptr<ByteStream> open_stream(const std::filesystem::path& path, const FileAccess& access, Span from,
                                        Diagnostics& diagnostics);

/// The whole of such a file, at most access.limits.max_bytes after unpacking. Errors: those of read_file.
std::optional<std::string> read_whole(const std::filesystem::path& path, const FileAccess& access, Span from,
                                      Diagnostics& diagnostics);

/// Unpacks what `packed` gives. Precondition: a packing.
enum class Packing : std::uint8_t;
std::unique_ptr<ByteStream> unpacking(Packing packing, std::unique_ptr<ByteStream> packed);

struct LineLimits {
  std::size_t max_line = std::size_t{16} << 20;        // bytes
  std::uint64_t max_bytes = std::uint64_t{256} << 30;  // in all, after unpacking
};

/// Splits a stream at \n; a \r before it goes too.
class LineReader {
 public:
  enum class Got : std::uint8_t { line, too_long, end };

  explicit LineReader(std::unique_ptr<ByteStream> stream, LineLimits limits = {});

  /// The next line; the view holds until the next call.
  Got next(std::string_view& line);
  /// Of the line that next() gave last, from 1.
  std::uint64_t line_number() const { return line_number_; }
  std::uint64_t bytes() const { return bytes_; }
  /// Whether the last line had no line break: perhaps it was cut off.
  bool is_unfinished() const { return is_unfinished_; }
  /// What ended the stream early; "" when it ended by itself.
  const std::string& problem() const { return problem_.empty() ? stream_->problem() : problem_; }

 private:
  bool fill();
  Got finish(std::size_t size, std::size_t taken, std::string_view& line);

  std::unique_ptr<ByteStream> stream_;
  LineLimits limits_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;    // of what is not handed out yet
  std::size_t scanned_ = 0;  // no line break before this
  std::size_t end_ = 0;
  std::uint64_t line_number_ = 0;
  std::uint64_t bytes_ = 0;
  bool is_at_end_ = false;
  bool is_unfinished_ = false;
  std::string problem_;
};

}  // namespace podwire::config
