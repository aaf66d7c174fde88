// Packed files (.gz, .zst) are unpacked as on disk. Object ids are asked for first, so that what a user typed never
// stands where git takes options.
#include "app/scenario/git.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/scenario/child.hpp"
#include "sim/base/text.hpp"
#include "sim/config/decompress.hpp"

namespace podwire::scenario {
namespace {

constexpr std::size_t kMostListing = std::size_t{64} << 20;

struct Entry {
  std::string mode;
  std::string id;
  std::uint64_t size = 0;
  std::string path;
};

bool has_manifest_name(std::string_view path) {
  const std::string extension = config::without_packing(path).extension().string();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

bool is_hidden(std::string_view path) {
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

std::string first_line(const std::string& text) {
  return printable(text.substr(0, text.find('\n')), 300);
}

class GitReader {
 public:
  GitReader(const GitPath& path, const config::FileAccess& access, Diagnostics& diagnostics)
      : path_(path), access_(access), diagnostics_(diagnostics), shown_(path.revision + ":" + path.path) {}

  std::optional<GitFiles> read() {
    if (!check_revision()) {
      return std::nullopt;
    }
    const std::string id = line_of({"rev-parse", "--verify", "--quiet", path_.revision + ":" + path_.path});
    if (id.empty()) {
      return GitFiles{.files = {}, .exists = false};
    }
    if (line_of({"cat-file", "-t", id}) == "blob") {
      std::uint64_t size = 0;
      const std::string text = line_of({"cat-file", "-s", id});
      std::from_chars(text.data(), text.data() + text.size(), size);
      return contents({Entry{.mode = "100644", .id = id, .size = size, .path = ""}});
    }
    const auto entries = list(id);
    return entries ? contents(*entries) : std::nullopt;
  }

 private:
  ChildResult git(std::vector<std::string> words, const std::string& input = {}, std::size_t most = kMostListing) {
    words.insert(words.begin(), "git");
    return run_child(words, input, most);
  }

  /// The one line that a command answers with; "" when it fails.
  std::string line_of(std::vector<std::string> words) {
    const ChildResult result = git(std::move(words));
    return result.exit_code == 0 ? result.output.substr(0, result.output.find('\n')) : std::string();
  }

  std::nullopt_t problem(std::string code, std::string message, std::string help = {}) {
    diagnostics_.error(std::move(code), std::move(message), {}, std::move(help));
    return std::nullopt;
  }

  bool check_revision() {
    const ChildResult repository = git({"rev-parse", "--git-dir"});
    if (!repository.was_started) {
      problem("no-git", fmt::format("\"{}\": git cannot be started: {}", printable(shown_), repository.problem),
              "install git, or check the revision out into a folder and give that");
      return false;
    }
    if (repository.exit_code != 0) {
      problem("not-a-repository",
              fmt::format("\"{}\" is REV:PATH, and the present folder is in no git repository that can be read ({})",
                          printable(shown_), first_line(repository.errors)),
              "run podwire inside the repository; a file or folder with a colon in its name is written with ./ in "
              "front");
      return false;
    }
    // A revision that looks like an option must not become one.
    const bool is_sound = !path_.revision.empty() && !path_.revision.starts_with('-');
    if (!is_sound || line_of({"rev-parse", "--verify", "--quiet", path_.revision + "^{tree}"}).empty()) {
      problem(
          "unknown-revision",
          fmt::format("\"{}\": the repository has no revision \"{}\"", printable(shown_), printable(path_.revision)),
          "fetch it first if it is a remote one (a shallow clone has few); a file or folder with a colon in its "
          "name is written with ./ in front");
      return false;
    }
    return true;
  }

  std::optional<std::vector<Entry>> list(const std::string& id) {
    // Without --full-tree a subfolder of the working tree would cut the listing.
    const ChildResult result = git({"ls-tree", "-r", "-l", "-z", "--full-tree", id});
    if (result.exit_code != 0 || result.is_too_large) {
      return problem(result.is_too_large ? "too-many-files" : "unreadable",
                     fmt::format("\"{}\" cannot be listed: {}", printable(shown_),
                                 result.is_too_large ? "it is too long" : first_line(result.errors)));
    }
    std::vector<Entry> entries;
    for (std::string_view rest = result.output; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\0'), rest.size());
      if (!add(rest.substr(0, end), entries)) {
        return std::nullopt;
      }
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return entries;
  }

  /// "100644 blob 2f1…   123\tfolder/file.yaml"
  bool add(std::string_view line, std::vector<Entry>& entries) {
    const std::size_t tab = line.find('\t');
    const std::string_view path = tab == std::string_view::npos ? std::string_view() : line.substr(tab + 1);
    std::vector<std::string_view> fields;
    for (std::string_view head = line.substr(0, std::min(tab, line.size())); !head.empty();) {
      const std::size_t space = std::min(head.find(' '), head.size());
      if (space > 0) {
        fields.push_back(head.substr(0, space));
      }
      head.remove_prefix(std::min(space + 1, head.size()));
    }
    if (fields.size() < 4 || path.empty()) {
      problem("unreadable", fmt::format("\"{}\": git's listing is not understood", printable(shown_)));
      return false;
    }
    if (is_hidden(path)) {
      return true;
    }
    const std::string_view mode = fields[0];
    const bool is_link = mode == "120000";
    // A link without an extension may lead to a folder of manifests.
    const bool may_matter = has_manifest_name(path) || path.substr(path.rfind('/') + 1).find('.') == path.npos;
    if ((is_link && may_matter) || mode == "160000") {
      problem("not-a-regular-file",
              fmt::format("\"{}\" is a {}", printable(shown_name(path)), is_link ? "link" : "submodule"),
              "podwire reads regular files of a revision only; check it out into a folder and give that");
      return false;
    }
    if (!has_manifest_name(path) || is_link) {
      return true;
    }
    if (entries.size() >= access_.max_files) {
      problem("too-many-files", fmt::format("more than {} files below \"{}\"", access_.max_files, printable(shown_)));
      return false;
    }
    Entry entry{.mode = std::string(mode), .id = std::string(fields[2]), .path = std::string(path)};
    std::from_chars(fields[3].data(), fields[3].data() + fields[3].size(), entry.size);
    entries.push_back(std::move(entry));
    return true;
  }

  std::string shown_name(std::string_view below) const {
    const bool needs_slash = !below.empty() && !shown_.ends_with('/') && !shown_.ends_with(':');
    return fmt::format("{}{}{}", shown_, needs_slash ? "/" : "", below);
  }

  std::optional<GitFiles> contents(const std::vector<Entry>& entries) {
    std::string ids;
    std::uint64_t total = 0;
    for (const Entry& entry : entries) {
      ids += entry.id + "\n";
      total += entry.size;
    }
    if (total > access_.limits.max_bytes) {
      return problem("too-large", fmt::format("the files of \"{}\" have {} bytes; at most {} are read",
                                              printable(shown_), total, access_.limits.max_bytes));
    }
    GitFiles result;
    if (entries.empty()) {
      return result;
    }
    constexpr std::size_t kHead = 100;  // of an answer: id, type, size
    const ChildResult answer = git({"cat-file", "--batch"}, ids, total + entries.size() * kHead);
    std::string_view rest = answer.output;
    std::uint64_t unpacked = 0;
    for (const Entry& entry : entries) {
      const std::size_t line_end = rest.find('\n');
      const std::string expected = fmt::format("{} blob {}", entry.id, entry.size);
      if (answer.exit_code != 0 || rest.substr(0, line_end) != expected || rest.size() < line_end + entry.size + 2) {
        return problem("unreadable", fmt::format("\"{}\" cannot be read: {}", printable(shown_name(entry.path)),
                                                 first_line(answer.errors)));
      }
      rest.remove_prefix(line_end + 1);
      std::string text(rest.substr(0, entry.size));
      rest.remove_prefix(entry.size + 1);
      if (!unpack(shown_name(entry.path), access_.limits.max_bytes - unpacked, text)) {
        return std::nullopt;
      }
      unpacked += text.size();
      result.files.emplace_back(shown_name(entry.path), std::move(text));
    }
    return result;
  }

  bool unpack(const std::string& name, std::uint64_t most, std::string& text) {
    const config::Packing packing = config::packing_of(name);
    if (packing == config::Packing::none) {
      if (text.size() > most) {
        problem("too-large", fmt::format("\"{}\": the revision's files hold too many bytes", printable(name)));
      }
      return text.size() <= most;
    }
    std::string whole;
    std::string reason;
    switch (config::unpack(packing, text, most, 0, whole, reason)) {
      case config::Unpacked::done:
        text = std::move(whole);
        return true;
      case config::Unpacked::too_large:
        problem("too-large", fmt::format("\"{}\" holds more than {} bytes when unpacked", printable(name), most));
        return false;
      case config::Unpacked::damaged:
        break;
    }
    problem("unreadable", fmt::format("\"{}\" cannot be unpacked: {}", printable(name), reason));
    return false;
  }

  const GitPath& path_;
  const config::FileAccess& access_;
  Diagnostics& diagnostics_;
  std::string shown_;
};

}  // namespace

std::optional<GitPath> parse_git_path(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.starts_with('/') || text.starts_with("./") || text.starts_with("../")) {
    return std::nullopt;
  }
  std::string_view path = text.substr(colon + 1);
  while (path.ends_with('/')) {
    path.remove_suffix(1);
  }
  return GitPath{.revision = std::string(text.substr(0, colon)), .path = std::string(path == "." ? "" : path)};
}

std::optional<GitFiles> read_git_files(const GitPath& path, const config::FileAccess& access,
                                       Diagnostics& diagnostics) {
  return GitReader(path, access, diagnostics).read();
}

}  // namespace podwire::scenario
