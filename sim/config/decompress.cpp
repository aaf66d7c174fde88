#include "sim/config/decompress.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "sim/base/check.hpp"

namespace podwire::config {
namespace {

constexpr std::string_view kCutOff = "it ends in the middle (cut off?)";
constexpr std::size_t kStep = 1 << 16;  // room made at a time when the text is still short

/// Makes room behind `filled` bytes, never beyond `most` + 1: the one byte more shows that there is too much.
void make_room(std::string& text, std::size_t filled, std::uint64_t most) {
  const std::uint64_t wanted = std::max<std::uint64_t>(filled + kStep, std::uint64_t{filled} * 2);
  text.resize(static_cast<std::size_t>(std::min(wanted, most + 1)));
}

struct InflateEnd {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

Unpacked gunzip(std::string_view packed, std::uint64_t most, std::string& text, std::size_t& filled,
                std::string& problem) {
  z_stream stream{};
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  PODWIRE_CHECK(inflateInit2(&stream, kGzipOnly) == Z_OK, "config", "zlib starts");
  const std::unique_ptr<z_stream, InflateEnd> owner(&stream);
  std::size_t taken = 0;
  for (;;) {
    if (filled == text.size()) {
      make_room(text, filled, most);
    }
    constexpr std::size_t kMostAtOnce = std::numeric_limits<uInt>::max();
    const std::size_t given = std::min(packed.size() - taken, kMostAtOnce);
    const std::size_t room = std::min(text.size() - filled, kMostAtOnce);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + taken));  // zlib only reads it
    stream.avail_in = static_cast<uInt>(given);
    stream.next_out = reinterpret_cast<Bytef*>(text.data() + filled);
    stream.avail_out = static_cast<uInt>(room);
    const int status = inflate(&stream, Z_NO_FLUSH);
    taken += given - stream.avail_in;
    filled += room - stream.avail_out;
    if (filled > most) {
      return Unpacked::too_large;
    }
    if (status == Z_STREAM_END) {
      const std::string_view rest = packed.substr(taken);
      if (rest.find_first_not_of('\0') == std::string_view::npos) {  // padding, as tapes and gzip itself have it
        return Unpacked::done;
      }
      if (!rest.starts_with("\x1f\x8b")) {
        problem = "something that is not gzip follows its end";
        return Unpacked::damaged;
      }
      PODWIRE_CHECK(inflateReset(&stream) == Z_OK, "config", "zlib starts again");
    } else if (status == Z_BUF_ERROR || (status == Z_OK && taken == packed.size() && stream.avail_out > 0)) {
      problem = kCutOff;
      return Unpacked::damaged;
    } else if (status != Z_OK) {
      problem = stream.msg == nullptr ? "it is damaged" : stream.msg;
      return Unpacked::damaged;
    }
  }
}

struct ZstdEnd {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

Unpacked unzstd(std::string_view packed, std::uint64_t most, std::string& text, std::size_t& filled,
                std::string& problem) {
  // The library refuses windows above 128 MiB by itself (ZSTD_d_windowLogMax), so a frame's header asks for no more.
  const std::unique_ptr<ZSTD_DStream, ZstdEnd> stream(ZSTD_createDStream());
  PODWIRE_CHECK(stream != nullptr, "config", "zstd starts");
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  for (;;) {
    if (filled == text.size()) {
      make_room(text, filled, most);
    }
    ZSTD_outBuffer out{text.data(), text.size(), filled};
    const std::size_t status = ZSTD_decompressStream(stream.get(), &out, &in);
    filled = out.pos;
    if (ZSTD_isError(status) != 0) {
      problem = ZSTD_getErrorName(status);
      return Unpacked::damaged;
    }
    if (filled > most) {
      return Unpacked::too_large;
    }
    if (status == 0 && in.pos == in.size) {  // a frame has ended, and nothing follows
      return Unpacked::done;
    }
    if (in.pos == in.size && out.pos < out.size) {
      problem = kCutOff;
      return Unpacked::damaged;
    }
  }
}

}  // namespace

std::string_view to_string(Packing packing) {
  constexpr std::string_view kNames[] = {"none", "gzip", "zstd"};
  return kNames[static_cast<std::size_t>(packing)];
}

Packing packing_of(const std::filesystem::path& path) {
  const std::filesystem::path ending = path.extension();
  return ending == ".gz" ? Packing::gzip : ending == ".zst" ? Packing::zstd : Packing::none;
}

std::filesystem::path without_packing(const std::filesystem::path& path) {
  return packing_of(path) == Packing::none ? path : path.parent_path() / path.stem();
}

Unpacked unpack(Packing packing, std::string_view packed, std::uint64_t most, std::size_t padding, std::string& text,
                std::string& problem) {
  PODWIRE_CHECK(packing != Packing::none, "config", "only what is packed is unpacked");
  const bool is_gzip = packing == Packing::gzip;
  text.clear();
  if (!packed.starts_with(is_gzip ? std::string_view("\x1f\x8b") : std::string_view("\x28\xb5\x2f\xfd"))) {
    problem = packed.empty() ? "it is empty" : "its first bytes are not " + std::string(to_string(packing)) + "'s";
    return Unpacked::damaged;
  }
  std::size_t filled = 0;
  const Unpacked result =
      is_gzip ? gunzip(packed, most, text, filled, problem) : unzstd(packed, most, text, filled, problem);
  text.resize(result == Unpacked::done ? filled : 0);
  text.reserve(text.size() + padding);
  return result;
}

}  // namespace podwire::config
