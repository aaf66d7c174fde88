// Reads result files, which may come from strangers: everything is checked against limits before memory is asked for,
// and what could reach outside the file (external links and storage, virtual datasets, plugins) is refused. Problems
// are Diagnostics with code "bad-run-file". The HDF5 library itself is trusted to survive the bytes it parses.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/base/result.hpp"
#include "sim/record/schema.hpp"

namespace podwire::record {

struct ReadLimits {
  std::uint64_t max_bytes = std::uint64_t{4} << 30;  // of one dataset in memory
};

class RunFile {
 public:
  /// Opens a complete result file. Errors: no-such-file, bad-run-file (not HDF5, truncated, not complete).
  static Result<RunFile> open(const std::filesystem::path& path, ReadLimits limits = {});
  RunFile(RunFile&&) noexcept;
  RunFile& operator=(RunFile&&) noexcept;
  ~RunFile();

  /// An attribute of the root, or nothing.
  std::optional<Value> attribute(const std::string& name) const;
  /// Names in a group, in creation order; empty if there is no such group.
  std::vector<std::string> names(const std::string& group) const;
  /// An attribute of any object ("units" of "/requests/latency"), or nothing.
  std::optional<Value> attribute(const std::string& path, const std::string& name) const;

  /// A dataset of whole numbers (that fit int64) or of any numbers; arrays are flattened row by row.
  Result<std::vector<std::int64_t>> integers(const std::string& path) const;
  Result<std::vector<double>> numbers(const std::string& path) const;
  /// A compound dataset, with the units and descriptions of its columns.
  Result<Table> table(const std::string& path) const;
  /// A text dataset.
  Result<std::string> text(const std::string& path) const;

 private:
  class Impl;
  explicit RunFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace podwire::record
