#include "sim/record/run_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/record/hdf5.hpp"

namespace podwire::record {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestAttribute = 64 * 1024;
constexpr int kMostColumns = 1000;

Diagnostics problem(std::string message, std::string code = "bad-run-file") {
  Diagnostics diagnostics;
  diagnostics.error(std::move(code), std::move(message));
  return diagnostics;
}

bool is_fixed_string(hid_t type) {
  return H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0;
}

/// The text of a fixed-length string without its padding.
std::string unpadded(const char* bytes, std::size_t size) {
  const void* const zero = std::memchr(bytes, 0, size);
  return std::string(bytes, zero == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(zero) - bytes));
}

/// Collects names in creation order, if the group tracks it, of hard links only.
herr_t collect_name(hid_t, const char* name, const H5L_info_t* info, void* out) {
  if (info->type == H5L_TYPE_HARD) {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
  }
  return 0;
}

}  // namespace

class RunFile::Impl {
 public:
  /// A dataset that is stored in this file, with its type, its number of elements and its bytes in memory; or why not.
  struct Found {
    Handle dataset;
    Handle type;
    std::uint64_t count = 0;
    std::string why;
  };

  Found find(const std::string& path, std::size_t bytes_per_element) const;
  std::optional<Value> attribute(const std::string& path, const std::string& name) const;
  bool has_only_hard_links(const std::string& path) const;
  template <class T>
  Result<std::vector<T>> values(const std::string& path, hid_t memory_type) const;

  Handle file;
  std::string name;
  std::uint64_t file_bytes = 0;
  ReadLimits limits;
};

// A soft or external link on the way could lead anywhere.
bool RunFile::Impl::has_only_hard_links(const std::string& path) const {
  if (path == "/") {
    return true;
  }
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    H5L_info_t info;
    if (H5Lget_info(file.id(), part.c_str(), &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD) {
      return false;
    }
    if (slash == std::string::npos) {
      return true;
    }
  }
}

RunFile::Impl::Found RunFile::Impl::find(const std::string& path, std::size_t bytes_per_element) const {
  Found found;
  const auto fail = [&](std::string why) {
    found.why = fmt::format("{}: \"{}\" {}", name, printable(path), why);
    return std::move(found);
  };
  if (!has_only_hard_links(path)) {
    return fail("is not in the file");
  }
  found.dataset = Handle(H5Dopen2(file.id(), path.c_str(), H5P_DEFAULT), H5Dclose);
  if (!found.dataset.is_open()) {
    return fail("cannot be opened as a dataset");
  }
  const Handle creation(H5Dget_create_plist(found.dataset.id()), H5Pclose);
  const H5D_layout_t layout = creation.is_open() ? H5Pget_layout(creation.id()) : H5D_LAYOUT_ERROR;
  if ((layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED && layout != H5D_COMPACT) ||
      H5Pget_external_count(creation.id()) != 0) {
    return fail("is not stored in the file itself");
  }
  const Handle space(H5Dget_space(found.dataset.id()), H5Sclose);
  const hssize_t count = space.is_open() ? H5Sget_simple_extent_npoints(space.id()) : -1;
  found.type = Handle(H5Dget_type(found.dataset.id()), H5Tclose);
  if (count < 0 || !found.type.is_open()) {
    return fail("has no valid size or type");
  }
  found.count = static_cast<std::uint64_t>(count);
  const std::size_t width = std::max({bytes_per_element, H5Tget_size(found.type.id()), std::size_t{1}});
  // Deflate packs at most 1,032 to 1, so a size beyond that was never written.
  constexpr std::uint64_t kMostPacked = 1100;
  if (found.count > limits.max_bytes / width || found.count * width / kMostPacked > file_bytes + 1024 * 1024) {
    return fail(
        fmt::format("claims {} elements of {} bytes, more than the file can hold or is read", found.count, width));
  }
  return found;
}

template <class T>
Result<std::vector<T>> RunFile::Impl::values(const std::string& path, hid_t memory_type) const {
  Found found = find(path, sizeof(T));
  if (!found.why.empty()) {
    return Result<std::vector<T>>(problem(found.why));
  }
  const H5T_class_t type_class = H5Tget_class(found.type.id());
  const bool fits = type_class == H5T_INTEGER || (type_class == H5T_FLOAT && std::is_floating_point_v<T>);
  if (!fits) {
    return Result<std::vector<T>>(problem(fmt::format("{}: \"{}\" holds no {}", name, printable(path),
                                                      std::is_floating_point_v<T> ? "numbers" : "whole numbers")));
  }
  std::vector<T> values(found.count);
  if (!values.empty() && H5Dread(found.dataset.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
    return Result<std::vector<T>>(
        problem(fmt::format("{}: \"{}\" cannot be read: {}", name, printable(path), last_failure())));
  }
  return Result<std::vector<T>>(std::move(values));
}

std::optional<Value> RunFile::Impl::attribute(const std::string& path, const std::string& key) const {
  if (!has_only_hard_links(path) || H5Aexists_by_name(file.id(), path.c_str(), key.c_str(), H5P_DEFAULT) <= 0) {
    return std::nullopt;
  }
  const Handle attribute(H5Aopen_by_name(file.id(), path.c_str(), key.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  const Handle type(attribute.is_open() ? H5Aget_type(attribute.id()) : -1, H5Tclose);
  const Handle space(attribute.is_open() ? H5Aget_space(attribute.id()) : -1, H5Sclose);
  if (!type.is_open() || !space.is_open() || H5Sget_simple_extent_npoints(space.id()) != 1) {
    return std::nullopt;
  }
  const std::size_t size = H5Tget_size(type.id());
  if (is_fixed_string(type.id()) && size > 0 && size <= kLongestAttribute) {
    std::string bytes(size, '\0');
    return H5Aread(attribute.id(), type.id(), bytes.data()) < 0 ? std::nullopt
                                                                : std::optional<Value>(unpadded(bytes.data(), size));
  }
  const H5T_class_t type_class = H5Tget_class(type.id());
  if (type_class == H5T_FLOAT) {
    double number = 0;
    return H5Aread(attribute.id(), H5T_NATIVE_DOUBLE, &number) < 0 ? std::nullopt : std::optional<Value>(number);
  }
  if (type_class == H5T_INTEGER && H5Tget_sign(type.id()) == H5T_SGN_NONE) {
    std::uint64_t number = 0;
    return H5Aread(attribute.id(), H5T_NATIVE_UINT64, &number) < 0 ? std::nullopt : std::optional<Value>(number);
  }
  std::int64_t number = 0;
  return type_class != H5T_INTEGER || H5Aread(attribute.id(), H5T_NATIVE_INT64, &number) < 0
             ? std::nullopt
             : std::optional<Value>(number);
}

RunFile::RunFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RunFile::RunFile(RunFile&&) noexcept = default;
RunFile& RunFile::operator=(RunFile&&) noexcept = default;
RunFile::~RunFile() = default;

Result<RunFile> RunFile::open(const fs::path& path, ReadLimits limits) {
  const std::string name = fmt::format("\"{}\"", printable(path.string()));
  std::error_code missing;
  const fs::file_status status = fs::status(path, missing);
  if (!fs::exists(status)) {
    return Result<RunFile>(problem(fmt::format("no such file: {}", name), "no-such-file"));
  }
  if (!fs::is_regular_file(status)) {  // a FIFO would wait for ever
    return Result<RunFile>(problem(fmt::format("{} is not a regular file", name)));
  }
  auto impl = std::make_unique<Impl>();
  impl->name = name;
  impl->limits = limits;
  impl->file_bytes = fs::file_size(path, missing);
  const LibraryLock lock;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fclose_degree(access.id(), H5F_CLOSE_STRONG);
  impl->file = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose);
  if (!impl->file.is_open()) {
    return Result<RunFile>(problem(fmt::format("{} is no readable result file: {}", name, last_failure())));
  }
  const std::optional<Value> complete = impl->attribute("/", "complete");
  if (!complete.has_value() || *complete != Value(std::int64_t{1})) {
    return Result<RunFile>(problem(fmt::format("{} is not a complete result file", name)));
  }
  return Result<RunFile>(RunFile(std::move(impl)));
}

std::optional<Value> RunFile::attribute(const std::string& name) const {
  return attribute("/", name);
}

std::optional<Value> RunFile::attribute(const std::string& path, const std::string& name) const {
  const LibraryLock lock;
  return impl_->attribute(path, name);
}

std::vector<std::string> RunFile::names(const std::string& group) const {
  const LibraryLock lock;
  std::vector<std::string> names;
  if (!impl_->has_only_hard_links(group)) {
    return names;
  }
  const Handle opened(H5Gopen2(impl_->file.id(), group.c_str(), H5P_DEFAULT), H5Gclose);
  hsize_t position = 0;
  if (opened.is_open() &&
      H5Literate(opened.id(), H5_INDEX_CRT_ORDER, H5_ITER_INC, &position, collect_name, &names) < 0) {
    position = 0;  // not written by us: no creation order
    names.clear();
    H5Literate(opened.id(), H5_INDEX_NAME, H5_ITER_INC, &position, collect_name, &names);
  }
  return names;
}

Result<std::vector<std::int64_t>> RunFile::integers(const std::string& path) const {
  const LibraryLock lock;
  return impl_->values<std::int64_t>(path, H5T_NATIVE_INT64);
}

Result<std::vector<double>> RunFile::numbers(const std::string& path) const {
  const LibraryLock lock;
  return impl_->values<double>(path, H5T_NATIVE_DOUBLE);
}

Result<std::string> RunFile::text(const std::string& path) const {
  const LibraryLock lock;
  Impl::Found found = impl_->find(path, 1);
  if (found.why.empty() && (found.count != 1 || !is_fixed_string(found.type.id()))) {
    found.why = fmt::format("{}: \"{}\" is no text", impl_->name, printable(path));
  }
  if (!found.why.empty()) {
    return Result<std::string>(problem(found.why));
  }
  std::string bytes(H5Tget_size(found.type.id()), '\0');
  if (H5Dread(found.dataset.id(), found.type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0) {
    return Result<std::string>(problem(fmt::format("{}: \"{}\" cannot be read", impl_->name, printable(path))));
  }
  return Result<std::string>(unpadded(bytes.data(), bytes.size()));
}

Result<Table> RunFile::table(const std::string& path) const {
  const LibraryLock lock;
  Impl::Found found = impl_->find(path, 1);
  const auto fail = [&](std::string why) {
    return Result<Table>(
        problem(found.why.empty() ? fmt::format("{}: \"{}\" {}", impl_->name, printable(path), why) : found.why));
  };
  const int columns =
      found.why.empty() && H5Tget_class(found.type.id()) == H5T_COMPOUND ? H5Tget_nmembers(found.type.id()) : -1;
  if (columns < 1 || columns > kMostColumns) {
    return fail("is no table");
  }
  const std::size_t row_bytes = H5Tget_size(found.type.id());
  Table table;
  std::vector<std::size_t> offsets;
  std::vector<std::size_t> sizes;
  for (unsigned c = 0; c < static_cast<unsigned>(columns); ++c) {
    const Handle member(H5Tget_member_type(found.type.id(), c), H5Tclose);
    char* const raw_name = H5Tget_member_name(found.type.id(), c);
    TableColumn column{.name = raw_name == nullptr ? "" : raw_name};
    H5free_memory(raw_name);
    offsets.push_back(H5Tget_member_offset(found.type.id(), c));
    sizes.push_back(H5Tget_size(member.id()));
    if (is_fixed_string(member.id())) {
      column.type = CellType::text;
    } else if (H5Tequal(member.id(), H5T_IEEE_F64LE) > 0) {
      column.type = CellType::number;
    } else if (H5Tequal(member.id(), H5T_STD_I64LE) > 0) {
      column.type = CellType::integer;
    } else {
      return fail("has a column of an unknown type");
    }
    if (offsets.back() + sizes.back() > row_bytes) {
      return fail("has a column outside of its row");
    }
    const auto note = [&](const char* suffix) {
      const std::optional<Value> value = impl_->attribute(path, column.name + suffix);
      const auto* text = value.has_value() ? std::get_if<std::string>(&*value) : nullptr;
      return text == nullptr ? std::string() : *text;
    };
    column.unit = note(".units");
    column.description = note(".long_name");
    table.columns.push_back(std::move(column));
  }
  std::vector<char> bytes(found.count * row_bytes);
  if (!bytes.empty() && H5Dread(found.dataset.id(), found.type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0) {
    return fail("cannot be read");
  }
  for (std::size_t i = 0; i < found.count * table.columns.size(); ++i) {
    const std::size_t c = i % table.columns.size();
    const char* const cell = bytes.data() + i / table.columns.size() * row_bytes + offsets[c];
    if (table.columns[c].type == CellType::text) {
      table.cells.emplace_back(unpadded(cell, sizes[c]));
    } else if (table.columns[c].type == CellType::number) {
      double number = 0;
      std::memcpy(&number, cell, sizeof(number));
      table.cells.emplace_back(number);
    } else {
      std::int64_t number = 0;
      std::memcpy(&number, cell, sizeof(number));
      table.cells.emplace_back(number);
    }
  }
  return Result<Table>(std::move(table));
}

}  // namespace podwire::record
