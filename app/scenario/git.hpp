// Manifests of a git revision, read through git's plumbing (rev-parse, ls-tree, cat-file) as a child process without a
// shell. The working tree is not touched and no hook or filter runs. Links are not followed, submodules are not read:
// both are errors where a manifest may be behind them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/diagnostic.hpp"
#include "sim/config/files.hpp"

namespace podwire::scenario {

/// `REV:PATH`: PATH counts from the top of the repository, or from the present folder when it begins with ./ or ../.
struct GitPath {
  std::string revision;
  std::string path;
};

/// Takes a word apart at its first colon. Nothing when it has none, or begins with / ./ or ../ as paths with colons may
/// be written.
std::optional<GitPath> parse_git_path(std::string_view text);

struct GitFiles {
  std::vector<std::pair<std::string, std::string>> files;  // name as messages show it ("main:policies/a.yaml"), text
  bool exists = true;  // false: the revision has no such path; not reported, because the other side may have it
};

/// The .yaml, .yml and .json files, packed ones (.gz, .zst) too, at or below the path, in byte order of their names,
/// hidden ones skipped. Errors: no-git, not-a-repository, unknown-revision, unreadable, too-many-files, too-large,
/// not-a-regular-file.
std::optional<GitFiles> read_git_files(const GitPath& path, const config::FileAccess& access, Diagnostics& diagnostics);

}  // namespace podwire::scenario
