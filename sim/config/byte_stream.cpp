#include "sim/config/byte_stream.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sim/base/check.hpp"
#include "sim/base/text.hpp"
#include "sim/config/decompress.hpp"

namespace podwire::config {
namespace {

constexpr std::size_t kFirstBuffer = std::size_t{1} << 20;
constexpr std::size_t kPackedStep = std::size_t{1} << 16;
constexpr const char* kCutOff = "it ends in the middle (cut off?)";

class FunctionStream : public ByteStream {
 public:
  explicit FunctionStream(std::function<std::size_t(char*, std::size_t)> read) : read_(std::move(read)) {}
  std::size_t read(char* out, std::size_t room) override { return read_(out, room); }

 private:
  std::function<std::size_t(char*, std::size_t)> read_;
};

class FileStream : public ByteStream {
 public:
  explicit FileStream(int descriptor) : descriptor_(descriptor) {}
  ~FileStream() override { ::close(descriptor_); }
  FileStream(const FileStream&) = delete;
  FileStream& operator=(const FileStream&) = delete;

  std::size_t read(char* out, std::size_t room) override {
    for (;;) {
      const ssize_t count = ::read(descriptor_, out, room);
      if (count >= 0) {
        return static_cast<std::size_t>(count);
      }
      if (errno != EINTR) {
        problem_ = std::strerror(errno);
        return 0;
      }
    }
  }

 private:
  int descriptor_;
};

/// What both unpackers share: a window on the packed bytes.
class Unpacking : public ByteStream {
 public:
  explicit Unpacking(std::unique_ptr<ByteStream> packed) : packed_(std::move(packed)), window_(kPackedStep) {}

 protected:
  /// False when no packed byte is left.
  bool refill() {
    if (taken_ == filled_) {
      taken_ = 0;
      filled_ = packed_->read(window_.data(), window_.size());
    }
    return taken_ < filled_;
  }
  std::size_t fail(std::string problem) {
    problem_ = packed_->problem().empty() ? std::move(problem) : packed_->problem();
    is_done_ = true;
    return 0;
  }

  std::unique_ptr<ByteStream> packed_;
  std::vector<char> window_;
  std::size_t taken_ = 0;
  std::size_t filled_ = 0;
  bool is_done_ = false;
};

class Gunzip : public Unpacking {
 public:
  explicit Gunzip(std::unique_ptr<ByteStream> packed) : Unpacking(std::move(packed)) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    PODWIRE_CHECK(inflateInit2(&stream_, kGzipOnly) == Z_OK, "config", "zlib starts");
  }
  ~Gunzip() override { inflateEnd(&stream_); }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  std::size_t read(char* out, std::size_t room) override {
    while (!is_done_) {
      const bool has_input = refill();
      if (is_between_) {
        if (!begin_member(has_input)) {
          return 0;
        }
        continue;
      }
      stream_.next_in = reinterpret_cast<Bytef*>(window_.data() + taken_);
      stream_.avail_in = static_cast<uInt>(filled_ - taken_);
      stream_.next_out = reinterpret_cast<Bytef*>(out);
      stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(room, kFirstBuffer));
      const uInt given = stream_.avail_out;
      const int status = inflate(&stream_, Z_NO_FLUSH);
      taken_ = filled_ - stream_.avail_in;
      const std::size_t made = given - stream_.avail_out;
      if (status == Z_STREAM_END) {
        is_between_ = true;
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        return fail(stream_.msg == nullptr ? "it is damaged" : stream_.msg);
      } else if (made == 0 && !has_input) {
        return fail(is_fresh_ ? "it is empty" : kCutOff);
      }
      is_fresh_ = false;
      if (made > 0) {
        return made;
      }
    }
    return 0;
  }

 private:
  /// After a member: zero bytes are padding, as tapes and gzip itself have it; else another member begins.
  bool begin_member(bool has_input) {
    while (has_input && window_[taken_] == '\0') {
      ++taken_;
      has_input = refill();
    }
    if (!has_input) {
      is_done_ = true;
      return false;
    }
    if (window_[taken_] != '\x1f') {
      fail("something that is not gzip follows its end");
      return false;
    }
    PODWIRE_CHECK(inflateReset(&stream_) == Z_OK, "config", "zlib starts again");
    is_between_ = false;
    return true;
  }

  z_stream stream_{};
  bool is_between_ = false;
  bool is_fresh_ = true;
};

struct ZstdEnd {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

class Unzstd : public Unpacking {
 public:
  // The library refuses windows above 128 MiB by itself, so a frame's header asks for no more.
  explicit Unzstd(std::unique_ptr<ByteStream> packed) : Unpacking(std::move(packed)), stream_(ZSTD_createDStream()) {
    PODWIRE_CHECK(stream_ != nullptr, "config", "zstd starts");
  }

  std::size_t read(char* out, std::size_t room) override {
    while (!is_done_) {
      const bool has_input = refill();
      ZSTD_inBuffer in{window_.data(), filled_, taken_};
      ZSTD_outBuffer made{out, room, 0};
      const std::size_t status = ZSTD_decompressStream(stream_.get(), &made, &in);
      taken_ = in.pos;
      if (ZSTD_isError(status) != 0) {
        return fail(ZSTD_getErrorName(status));
      }
      if (made.pos > 0) {
        is_open_ = status != 0;
        return made.pos;
      }
      if (!has_input) {
        return is_open_ ? fail(is_fresh_ ? "it is empty" : kCutOff) : fail({});
      }
      is_fresh_ = false;
      is_open_ = status != 0;
    }
    return 0;
  }

 private:
  std::unique_ptr<ZSTD_DStream, ZstdEnd> stream_;
  bool is_open_ = true;  // a frame has begun and not ended, or none has begun
  bool is_fresh_ = true;
};

}  // namespace

std::unique_ptr<ByteStream> stream_of(std::function<std::size_t(char* out, std::size_t room)> read) {
  return std::make_unique<FunctionStream>(std::move(read));
}

std::unique_ptr<ByteStream> open_stream(const std::filesystem::path& path, const FileAccess& access, Span from,
                                        Diagnostics& diagnostics) {
  const int descriptor = open_regular_file(path, access, from, diagnostics);
  if (descriptor < 0) {
    return nullptr;
  }
  std::unique_ptr<ByteStream> stream = std::make_unique<FileStream>(descriptor);
  const Packing packing = packing_of(path);
  return packing == Packing::none ? std::move(stream) : unpacking(packing, std::move(stream));
}

std::optional<std::string> read_whole(const std::filesystem::path& path, const FileAccess& access, Span from,
                                      Diagnostics& diagnostics) {
  const std::uint64_t most = access.limits.max_bytes;
  const std::string shown = fmt::format("\"{}\"", printable(path.string(), 200));
  const auto too_large = [&] {
    diagnostics.error("too-large", fmt::format("{} holds more than {} bytes; at most that many are read", shown, most),
                      from);
    return std::nullopt;
  };
  const auto stream = open_stream(path, access, from, diagnostics);
  if (stream == nullptr) {
    return std::nullopt;
  }
  std::error_code unknown;  // the size of some files (/proc) is known only when they have been read
  if (const auto size = std::filesystem::file_size(path, unknown); !unknown && size > most) {
    return too_large();
  }
  std::string text;
  std::vector<char> buffer(kPackedStep);
  while (const std::size_t count = stream->read(buffer.data(), buffer.size())) {
    if (text.size() + count > most) {
      return too_large();
    }
    text.append(buffer.data(), count);
  }
  if (!stream->problem().empty()) {
    diagnostics.error("unreadable", fmt::format("{} cannot be read: {}", shown, stream->problem()), from);
    return std::nullopt;
  }
  return text;
}

std::unique_ptr<ByteStream> unpacking(Packing packing, std::unique_ptr<ByteStream> packed) {
  PODWIRE_CHECK(packing != Packing::none, "config", "only what is packed is unpacked");
  if (packing == Packing::gzip) {
    return std::make_unique<Gunzip>(std::move(packed));
  }
  return std::make_unique<Unzstd>(std::move(packed));
}

LineReader::LineReader(std::unique_ptr<ByteStream> stream, LineLimits limits)
    : stream_(std::move(stream)), limits_(limits), buffer_(std::min(kFirstBuffer, limits.max_line + 2)) {}

/// Makes room and reads once; false at the end of the stream.
bool LineReader::fill() {
  if (is_at_end_) {
    return false;
  }
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    scanned_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) {
    buffer_.resize(std::min(buffer_.size() * 2, limits_.max_line + 2));
  }
  const std::size_t count = stream_->read(buffer_.data() + end_, buffer_.size() - end_);
  bytes_ += count;
  end_ += count;
  if (bytes_ > limits_.max_bytes) {
    problem_ = fmt::format("it holds more than {} bytes; at most that many are read", limits_.max_bytes);
    end_ -= static_cast<std::size_t>(std::min<std::uint64_t>(count, bytes_ - limits_.max_bytes));
    is_at_end_ = true;
    return count > 0;
  }
  is_at_end_ = count == 0;
  return count > 0;
}

LineReader::Got LineReader::finish(std::size_t size, std::size_t taken, std::string_view& line) {
  const char* const at = buffer_.data() + begin_;
  line = std::string_view(at, size > 0 && at[size - 1] == '\r' ? size - 1 : size);
  begin_ += taken;
  scanned_ = begin_;
  return line.size() > limits_.max_line ? Got::too_long : Got::line;
}

LineReader::Got LineReader::next(std::string_view& line) {
  line = {};
  ++line_number_;
  bool is_skipping = false;
  for (;;) {
    const char* const found = static_cast<const char*>(std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_));
    if (found != nullptr) {
      const auto size = static_cast<std::size_t>(found - (buffer_.data() + begin_));
      const Got got = finish(size, size + 1, line);
      return is_skipping ? Got::too_long : got;
    }
    scanned_ = end_;
    if (end_ - begin_ > limits_.max_line + 1) {  // it cannot become short enough any more: let it go
      is_skipping = true;
      begin_ = end_;
    }
    if (fill()) {
      continue;
    }
    if (!is_at_end_) {
      continue;
    }
    if (begin_ == end_ && !is_skipping) {
      --line_number_;
      return Got::end;
    }
    is_unfinished_ = true;
    const Got got = finish(end_ - begin_, end_ - begin_, line);
    return is_skipping ? Got::too_long : got;
  }
}

}  // namespace podwire::config
