// POSIX calls rather than streams: a file is opened once without blocking, checked by its descriptor, and only then
// read, so that nothing can be swapped for a FIFO, a device or a link out of the root between the check and the use.
#include "sim/config/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <system_error>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/config/decompress.hpp"
#include "sim/config/readers.hpp"

namespace podwire::config {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  int number() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

std::string shown(const fs::path& path) {
  return fmt::format("\"{}\"", printable(path.string(), 200));
}

bool is_below(const fs::path& path, const fs::path& root) {
  const auto [end, rest] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return end == root.end() || (std::next(end) == root.end() && end->empty());  // a root written with a final '/'
}

/// The path without links, if it exists and lies in an allowed root.
std::optional<fs::path> resolve(const fs::path& path, const FileAccess& access, Span from, Diagnostics& diagnostics) {
  std::error_code problem;
  fs::path real = fs::canonical(path, problem);
  if (problem == std::errc::too_many_symbolic_link_levels) {
    diagnostics.error("no-such-file", fmt::format("{} is a link that leads back to itself", shown(path)), from);
    return std::nullopt;
  }
  if (problem == std::errc::permission_denied) {
    diagnostics.error("unreadable", fmt::format("{} cannot be read: permission denied", shown(path)), from);
    return std::nullopt;
  }
  if (problem) {
    diagnostics.error("no-such-file", fmt::format("no such file or folder: {}", shown(path)), from);
    return std::nullopt;
  }
  if (!access.roots.empty() && std::none_of(access.roots.begin(), access.roots.end(),
                                            [&](const fs::path& root) { return is_below(real, root); })) {
    diagnostics.error("outside-root", fmt::format("{} leads outside the scenario's folder", shown(path)), from,
                      "copy it there, or allow its folder with --allow-path");
    return std::nullopt;
  }
  return real;
}

bool has_manifest_name(const fs::path& path) {
  const std::string extension = without_packing(path).extension().string();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

class FolderWalk {
 public:
  FolderWalk(const FileAccess& access, Span from, Diagnostics& diagnostics)
      : access_(access), from_(from), diagnostics_(diagnostics) {}

  /// Adds the files below `folder` in byte order of their names; false once a limit ends the walk. Recursion is bounded
  /// by max_folder_depth, and a link back to a folder that is being walked is an error.
  bool walk(const fs::path& folder, const fs::path& real, std::size_t depth);
  std::vector<fs::path> take_files() { return std::move(files_); }

 private:
  bool add(const fs::path& path, std::size_t depth);

  const FileAccess& access_;
  Span from_;
  Diagnostics& diagnostics_;
  std::vector<fs::path> files_;
  std::set<fs::path> open_;  // real paths of the folders being walked
  std::size_t entries_ = 0;
};

bool FolderWalk::walk(const fs::path& folder, const fs::path& real, std::size_t depth) {
  if (depth > access_.max_folder_depth) {
    diagnostics_.error("too-many-files",
                       fmt::format("{}: folders nested more than {} deep", shown(folder), access_.max_folder_depth),
                       from_);
    return false;
  }
  if (!open_.insert(real).second) {
    diagnostics_.error("too-many-files", fmt::format("{} is a link to a folder that contains it", shown(folder)), from_,
                       "remove the link");
    return true;
  }
  std::error_code problem;
  std::vector<std::string> names;
  const std::size_t most_entries = access_.max_files * 4 + 1000;  // other files may lie there too
  for (fs::directory_iterator entry(folder, problem), end; !problem && entry != end; entry.increment(problem)) {
    std::string name = entry->path().filename().string();
    if (++entries_ > most_entries) {
      diagnostics_.error("too-many-files", fmt::format("more than {} entries below one folder", most_entries), from_);
      return false;
    }
    if (!name.starts_with('.')) {
      names.push_back(std::move(name));
    }
  }
  if (problem) {
    diagnostics_.error("unreadable", fmt::format("the folder {} cannot be read: {}", shown(folder), problem.message()),
                       from_);
  }
  // A folder sorts as its name with a '/', so that relative paths come out in byte order.
  std::vector<std::pair<std::string, std::string>> keyed;
  for (std::string& name : names) {
    std::error_code ignored;
    const bool is_folder = fs::is_directory(folder / name, ignored);
    keyed.emplace_back(is_folder ? name + "/" : name, std::move(name));
  }
  std::sort(keyed.begin(), keyed.end());
  for (const auto& [key, name] : keyed) {
    if (!add(folder / name, depth)) {
      return false;
    }
  }
  open_.erase(real);
  return true;
}

bool FolderWalk::add(const fs::path& path, std::size_t depth) {
  std::error_code problem;
  const fs::file_status status = fs::status(path, problem);
  const bool is_folder = status.type() == fs::file_type::directory;
  if (!is_folder && !has_manifest_name(path)) {
    return true;
  }
  const std::optional<fs::path> real = resolve(path, access_, from_, diagnostics_);
  if (!real.has_value()) {
    return true;
  }
  if (is_folder) {
    return walk(path, *real, depth + 1);
  }
  if (status.type() != fs::file_type::regular) {
    diagnostics_.error("not-a-regular-file", fmt::format("{} is not a regular file", shown(path)), from_);
    return true;
  }
  if (files_.size() >= access_.max_files) {
    diagnostics_.error("too-many-files", fmt::format("more than {} files below one folder", access_.max_files), from_);
    return false;
  }
  files_.push_back(path);
  return true;
}

/// Puts what `text` holds, packed, in its place; false after an error.
bool unpack_in_place(Packing packing, const fs::path& path, std::uint64_t most, Span from, std::string& text,
                     Diagnostics& diagnostics) {
  std::string whole;
  std::string problem;
  switch (unpack(packing, text, most, kJsonPadding + 1, whole, problem)) {
    case Unpacked::done:
      text = std::move(whole);
      return true;
    case Unpacked::too_large:
      diagnostics.error(
          "too-large",
          fmt::format("{} holds more than {} bytes when unpacked; at most that many are read", shown(path), most),
          from);
      return false;
    case Unpacked::damaged:
      diagnostics.error("unreadable", fmt::format("{} cannot be unpacked: {}", shown(path), problem), from,
                        fmt::format("`{} {}` tells more; fetch or pack it again",
                                    packing == Packing::gzip ? "gzip -t" : "zstd -t", printable(path.string(), 200)));
      return false;
  }
  return false;
}

/// Reads the whole regular file behind `file`; false (and errno) on an error, or when it is longer than `most`.
bool read_all(int file, std::size_t expected, std::uint64_t most, std::string& text) {
  text.reserve(expected + kJsonPadding + 1);  // so that the JSON reader needs no copy
  text.resize(expected);
  std::size_t filled = 0;
  for (;;) {
    if (filled == text.size()) {  // perhaps it grew, or its size is not known before (/proc)
      if (filled > most) {
        errno = EFBIG;
        return false;
      }
      text.resize(filled + (expected == 0 ? 4096 : 1));
    }
    const ssize_t count = ::read(file, text.data() + filled, text.size() - filled);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return false;
    }
    if (count == 0) {
      text.resize(filled);
      return true;
    }
    filled += static_cast<std::size_t>(count);
  }
}

}  // namespace

std::vector<fs::path> list_files(const fs::path& path, const FileAccess& access, Span from, Diagnostics& diagnostics) {
  const std::optional<fs::path> real = resolve(path, access, from, diagnostics);
  if (!real.has_value()) {
    return {};
  }
  std::error_code problem;
  const fs::file_type type = fs::status(*real, problem).type();
  if (type == fs::file_type::regular) {
    return {path};
  }
  if (type != fs::file_type::directory) {
    diagnostics.error("not-a-regular-file", fmt::format("{} is neither a regular file nor a folder", shown(path)),
                      from);
    return {};
  }
  const std::size_t errors_before = diagnostics.error_count();
  FolderWalk walk(access, from, diagnostics);
  walk.walk(path, *real, 0);
  std::vector<fs::path> files = walk.take_files();
  if (files.empty() && diagnostics.error_count() == errors_before) {
    diagnostics.error(
        "no-manifests",
        fmt::format("no .yaml, .yml or .json file (or one of them with .gz or .zst) below {}", shown(path)), from);
  }
  return files;
}

int open_regular_file(const fs::path& path, const FileAccess& access, Span from, Diagnostics& diagnostics) {
  const std::optional<fs::path> real = resolve(path, access, from, diagnostics);
  if (!real.has_value()) {
    return -1;
  }
  // O_NONBLOCK: opening a FIFO must not wait for a writer. O_NOFOLLOW: the resolved path has no link left at its end.
  Descriptor file(::open(real->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY));
  struct stat status {};
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) {
    // A socket or a device without a driver fails here already.
    struct stat named {};
    const int reason = errno;
    if (::stat(real->c_str(), &named) == 0 && !S_ISREG(named.st_mode)) {
      diagnostics.error("not-a-regular-file", fmt::format("{} is not a regular file", shown(path)), from);
    } else {
      diagnostics.error("unreadable", fmt::format("{} cannot be read: {}", shown(path), std::strerror(reason)), from);
    }
    return -1;
  }
  if (!S_ISREG(status.st_mode)) {
    diagnostics.error("not-a-regular-file",
                      fmt::format("{} is {}", shown(path), S_ISDIR(status.st_mode) ? "a folder" : "not a regular file"),
                      from);
    return -1;
  }
  return file.release();
}

std::optional<Document> read_file(SourceMap& sources, const fs::path& path, std::string shown_as,
                                  const FileAccess& access, Span from, Diagnostics& diagnostics) {
  const Descriptor file(open_regular_file(path, access, from, diagnostics));
  struct stat status {};
  if (file.number() < 0) {
    return std::nullopt;
  }
  if (::fstat(file.number(), &status) != 0) {
    diagnostics.error("unreadable", fmt::format("{} cannot be read: {}", shown(path), std::strerror(errno)), from);
    return std::nullopt;
  }
  const std::uint64_t most = access.limits.max_bytes;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  std::string text;
  if (size > most || !read_all(file.number(), static_cast<std::size_t>(size), most, text)) {
    if (size > most || errno == EFBIG) {
      diagnostics.error("too-large", fmt::format("{} has {} bytes; at most {} are read", shown(path), size, most),
                        from);
    } else {
      diagnostics.error("unreadable", fmt::format("{} cannot be read: {}", shown(path), std::strerror(errno)), from);
    }
    return std::nullopt;
  }
  if (const Packing packing = packing_of(path);
      packing != Packing::none && !unpack_in_place(packing, path, most, from, text, diagnostics)) {
    return std::nullopt;
  }
  Result<Document> document = parse_text(sources, std::move(shown_as), std::move(text), access.limits);
  diagnostics.append(document.diagnostics());
  return document.has_value() ? std::optional<Document>(std::move(document).value()) : std::nullopt;
}

}  // namespace podwire::config
