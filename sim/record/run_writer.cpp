#include "sim/record/run_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5_hl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <system_error>
#include <utility>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/record/block_queue.hpp"
#include "sim/record/hdf5.hpp"

namespace podwire::record {
namespace {

namespace fs = std::filesystem;

/// One stream's datasets. `rows` belongs to the writer's thread while blocks are queued.
struct Stream {
  StreamSpec spec;
  std::vector<Handle> datasets;
  std::uint64_t rows = 0;
  Block current;  // being filled by the simulation
  bool has_block = false;
  std::byte* cursor = nullptr;  // end of the filled part of `current`
};

/// The byte planes of one column of a block, as HDF5's shuffle filter lays them out, padded with zeros to a whole
/// chunk.
void shuffle_column(const Block& block, const StreamColumn& column, std::size_t row_bytes, std::size_t chunk_rows,
                    std::vector<unsigned char>& planes) {
  const std::size_t width = size_of(column.type);
  planes.assign(chunk_rows * width, 0);
  const auto* const rows = reinterpret_cast<const unsigned char*>(block.bytes.get()) + column.offset;
  for (std::size_t plane = 0; plane < width; ++plane) {
    unsigned char* const out = planes.data() + plane * chunk_rows;
    for (std::size_t row = 0; row < block.rows; ++row) {
      out[row] = rows[row * row_bytes + plane];
    }
  }
}

void sync(const fs::path& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const int reason = errno;
  if (file >= 0) {
    ::close(file);
  }
  if (!synced) {
    throw EnvironmentError(
        fmt::format("cannot write \"{}\": {}", printable(path.string()), std::generic_category().message(reason)));
  }
}

}  // namespace

class RunWriter::Impl {
 public:
  Impl(fs::path path, RunWriterOptions options);
  ~Impl();

  template <class Work>
  auto guarded(std::string_view what, Work work);
  void write_block(const Block& block);
  std::size_t open_stream(StreamSpec spec);
  void write_table(const std::string& path, const Table& table);
  void write_series(const std::string& path, const SeriesGroup& series);
  void write_text(const std::string& path, std::string_view text);
  void finish_streams();
  void close();
  Handle create_group(const std::string& path);
  void attach_dimension(hid_t dataset, hid_t scale, unsigned index, const std::string& what);

  fs::path path_;
  fs::path partial_;
  RunWriterOptions options_;
  Handle file_;
  std::deque<Stream> streams_;  // stable addresses
  bool is_done_ = false;
  bool has_failed_ = false;
  std::unique_ptr<BlockQueue> queue_;
};

RunWriter::Impl::Impl(fs::path path, RunWriterOptions options)
    : path_(std::move(path)), partial_(path_), options_(options) {
  PODWIRE_CHECK(options_.rows_per_block > 0 && options_.blocks_per_stream >= 2, "record", "a ring has two blocks");
  partial_ += ".partial";
  std::error_code ignored;
  fs::remove(partial_, ignored);  // of a killed run; EXCL below keeps us from following a link
  const LibraryLock lock;
  const std::string name = fmt::format("\"{}\"", printable(partial_.string()));
  const Handle access = own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, name);
  // The 1.8 format: the first with creation order, and the newest that every reader has.
  require(H5Pset_libver_bounds(access.id(), H5F_LIBVER_V18, H5F_LIBVER_V18), name);
  require(H5Pset_fclose_degree(access.id(), H5F_CLOSE_STRONG), name);
  const Handle creation = own(H5Pcreate(H5P_FILE_CREATE), H5Pclose, name);
  require(H5Pset_link_creation_order(creation.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), name);
  require(H5Pset_attr_creation_order(creation.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), name);
  require(H5Pset_obj_track_times(creation.id(), 0), name);
  file_ = own(H5Fcreate(partial_.c_str(), H5F_ACC_EXCL, creation.id(), access.id()), H5Fclose, name);
  queue_ = std::make_unique<BlockQueue>([this](const Block& block) { write_block(block); });
}

RunWriter::Impl::~Impl() {
  queue_.reset();  // the thread ends before anything it uses
  if (is_done_) {
    return;
  }
  // On a full disk the library cannot flush, and a file that it cannot close stays in its caches for good. Truncated,
  // the file gives its space back first.
  if (has_failed_) {
    const int file = ::open(partial_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file >= 0) {
      [[maybe_unused]] const int truncated = ::ftruncate(file, 0);
      ::close(file);
    }
  }
  streams_.clear();
  file_.close();
  std::error_code ignored;
  fs::remove(partial_, ignored);
}

// Runs `work` under the library's lock after the queue is empty, so that the file grows in one order; remembers
// failures.
template <class Work>
auto RunWriter::Impl::guarded(std::string_view what, Work work) {
  PODWIRE_CHECK(!is_done_, "record", what);
  try {
    queue_->drain();
    const LibraryLock lock;
    return work();
  } catch (const EnvironmentError&) {
    has_failed_ = true;
    throw;
  }
}

// The writer's thread: shuffle and compress without the lock, write whole chunks under it.
void RunWriter::Impl::write_block(const Block& block) {
  Stream& stream = streams_[block.stream];
  const std::size_t chunk_rows = options_.rows_per_block;
  std::vector<unsigned char> planes;
  std::vector<unsigned char> packed;
  for (std::size_t i = 0; i < stream.spec.columns.size(); ++i) {
    const StreamColumn& column = stream.spec.columns[i];
    shuffle_column(block, column, stream.spec.row_bytes, chunk_rows, planes);
    uLongf size = compressBound(static_cast<uLong>(planes.size()));
    packed.resize(size);
    const int status =
        compress2(packed.data(), &size, planes.data(), static_cast<uLong>(planes.size()), options_.compression);
    PODWIRE_CHECK(status == Z_OK, "record", "zlib compresses into a buffer of its own bound");
    const std::string name = stream.spec.path + "/" + column.name;
    const LibraryLock lock;
    const hsize_t extent = stream.rows + block.rows;
    require(H5Dset_extent(stream.datasets[i].id(), &extent), name);
    const hsize_t offset = stream.rows;
    require(H5Dwrite_chunk(stream.datasets[i].id(), H5P_DEFAULT, 0, &offset, size, packed.data()), name);
  }
  stream.rows += block.rows;
}

Handle RunWriter::Impl::create_group(const std::string& path) {
  const Handle links = own(H5Pcreate(H5P_LINK_CREATE), H5Pclose, path);
  const Handle properties = group_properties();
  // One level at a time: groups created on the way would get default properties.
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string above = path.substr(0, slash);
    if (H5Lexists(file_.id(), above.c_str(), H5P_DEFAULT) <= 0) {
      own(H5Gcreate2(file_.id(), above.c_str(), links.id(), properties.id(), H5P_DEFAULT), H5Gclose, above);
    }
  }
  if (path.size() > 1 && H5Lexists(file_.id(), path.c_str(), H5P_DEFAULT) <= 0) {
    return own(H5Gcreate2(file_.id(), path.c_str(), links.id(), properties.id(), H5P_DEFAULT), H5Gclose, path);
  }
  return own(H5Gopen2(file_.id(), path.c_str(), H5P_DEFAULT), H5Gclose, path);
}

std::size_t RunWriter::Impl::open_stream(StreamSpec spec) {
  return guarded("a stream is added before close()", [&] {
    const Handle group = create_group(spec.path);
    const Handle properties = dataset_properties();
    const hsize_t chunk = options_.rows_per_block;
    const hsize_t none = 0;
    const hsize_t unlimited = H5S_UNLIMITED;
    require(H5Pset_chunk(properties.id(), 1, &chunk), spec.path);
    require(H5Pset_shuffle(properties.id()), spec.path);
    require(H5Pset_deflate(properties.id(), static_cast<unsigned>(options_.compression)), spec.path);
    const Handle space = own(H5Screate_simple(1, &none, &unlimited), H5Sclose, spec.path);
    Stream stream;
    for (const StreamColumn& column : spec.columns) {
      PODWIRE_CHECK(column.name != spec.dimension, "record", "a column has not the name of the rows' dimension");
      PODWIRE_CHECK(column.offset + size_of(column.type) <= spec.row_bytes, "record", "columns lie within the row");
      Handle dataset = own(H5Dcreate2(group.id(), column.name.c_str(), file_type(column.type), space.id(), H5P_DEFAULT,
                                      properties.id(), H5P_DEFAULT),
                           H5Dclose, spec.path + "/" + column.name);
      write_unit(dataset.id(), column.unit, column.description);
      if (!column.names.empty()) {  // CF conventions 3.5: flag_values and flag_meanings
        std::vector<std::int64_t> values;
        std::string meanings;
        for (std::size_t i = 0; i < column.names.size(); ++i) {
          values.push_back(static_cast<std::int64_t>(i));
          meanings += (i == 0 ? "" : " ") + column.names[i];
        }
        write_attribute(dataset.id(), "names", column.names);
        write_attribute(dataset.id(), "flag_values", values);
        write_attribute(dataset.id(), "flag_meanings", Value(meanings));
      }
      stream.datasets.push_back(std::move(dataset));
    }
    const std::size_t number = queue_->add_stream(options_.blocks_per_stream, options_.rows_per_block * spec.row_bytes);
    stream.spec = std::move(spec);
    streams_.push_back(std::move(stream));
    return number;
  });
}

void RunWriter::Impl::attach_dimension(hid_t dataset, hid_t scale, unsigned index, const std::string& what) {
  require(H5DSattach_scale(dataset, scale, index), what);
}

// A row's dimension has no values of its own: netCDF-4 writes such a dimension as an empty scale with this name.
void RunWriter::Impl::finish_streams() {
  for (Stream& stream : streams_) {
    if (stream.has_block) {
      stream.current.rows =
          static_cast<std::size_t>(stream.cursor - stream.current.bytes.get()) / stream.spec.row_bytes;
      queue_->put(std::move(stream.current));
      stream.has_block = false;
    }
  }
  queue_->drain();
  const LibraryLock lock;
  for (Stream& stream : streams_) {
    const std::string name = stream.spec.path + "/" + stream.spec.dimension;
    const hsize_t rows = stream.rows;
    const Handle space = own(H5Screate_simple(1, &rows, nullptr), H5Sclose, name);
    const Handle properties = dataset_properties();
    const Handle scale =
        own(H5Dcreate2(file_.id(), name.c_str(), H5T_IEEE_F32BE, space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
            H5Dclose, name);
    const std::string label = fmt::format("This is a netCDF dimension but not a netCDF variable. {:9}", rows);
    require(H5DSset_scale(scale.id(), label.c_str()), name);
    for (const Handle& dataset : stream.datasets) {
      attach_dimension(dataset.id(), scale.id(), 0, name);
    }
    stream.datasets.clear();
  }
}

void RunWriter::Impl::write_table(const std::string& path, const Table& table) {
  guarded("a table is written before close()", [&] {
    const std::size_t columns = table.columns.size();
    PODWIRE_CHECK(columns > 0 && table.cells.size() % columns == 0, "record", "a table is rectangular");
    create_group(path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)));
    std::vector<Handle> types;
    std::vector<std::size_t> offsets;
    std::size_t row_bytes = 0;
    for (std::size_t c = 0; c < columns; ++c) {
      std::size_t length = 1;
      if (table.columns[c].type == CellType::text) {
        for (std::size_t at = c; at < table.cells.size(); at += columns) {
          length = std::max(length, std::get<std::string>(table.cells[at]).size());
        }
      }
      const CellType type = table.columns[c].type;
      types.push_back(type == CellType::text
                          ? string_type(length)
                          : own(H5Tcopy(type == CellType::integer ? H5T_STD_I64LE : H5T_IEEE_F64LE), H5Tclose, path));
      offsets.push_back(row_bytes);
      row_bytes += type == CellType::text ? length : 8;
    }
    const Handle compound = own(H5Tcreate(H5T_COMPOUND, row_bytes), H5Tclose, path);
    for (std::size_t c = 0; c < columns; ++c) {
      require(H5Tinsert(compound.id(), table.columns[c].name.c_str(), offsets[c], types[c].id()), path);
    }
    std::vector<char> bytes(row_bytes * table.rows(), '\0');
    for (std::size_t i = 0; i < table.cells.size(); ++i) {
      char* const out = bytes.data() + i / columns * row_bytes + offsets[i % columns];
      switch (table.columns[i % columns].type) {
        case CellType::text: {
          const std::string& text = std::get<std::string>(table.cells[i]);
          std::memcpy(out, text.data(), text.size());
          break;
        }
        case CellType::number:
          std::memcpy(out, &std::get<double>(table.cells[i]), sizeof(double));
          break;
        case CellType::integer:
          std::memcpy(out, &std::get<std::int64_t>(table.cells[i]), sizeof(std::int64_t));
          break;
      }
    }
    const hsize_t rows = table.rows();
    const Handle space = own(H5Screate_simple(1, &rows, nullptr), H5Sclose, path);
    const Handle properties = dataset_properties();
    const Handle dataset =
        own(H5Dcreate2(file_.id(), path.c_str(), compound.id(), space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
            H5Dclose, path);
    if (rows > 0) {
      require(H5Dwrite(dataset.id(), compound.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), path);
    }
    for (const TableColumn& column : table.columns) {
      if (!column.unit.empty()) {
        write_attribute(dataset.id(), column.name + ".units", Value(column.unit));
      }
      if (!column.description.empty()) {
        write_attribute(dataset.id(), column.name + ".long_name", Value(column.description));
      }
    }
  });
}

void RunWriter::Impl::write_series(const std::string& path, const SeriesGroup& series) {
  guarded("series are written before close()", [&] {
    const Handle group = create_group(path);
    std::vector<Handle> scales;
    for (const Dimension& dimension : series.dimensions) {
      const std::string name = path + "/" + dimension.name;
      const hsize_t size = dimension.size();
      const Handle space = own(H5Screate_simple(1, &size, nullptr), H5Sclose, name);
      std::size_t length = 1;
      for (const std::string& label : dimension.labels) {
        length = std::max(length, label.size());
      }
      std::string bytes(length * dimension.labels.size(), '\0');
      for (std::size_t i = 0; i < dimension.labels.size(); ++i) {
        std::memcpy(bytes.data() + i * length, dimension.labels[i].data(), dimension.labels[i].size());
      }
      const Handle type = dimension.labels.empty() ? own(H5Tcopy(H5T_IEEE_F64LE), H5Tclose, name) : string_type(length);
      const Handle properties = dataset_properties();
      Handle scale = own(H5Dcreate2(group.id(), dimension.name.c_str(), type.id(), space.id(), H5P_DEFAULT,
                                    properties.id(), H5P_DEFAULT),
                         H5Dclose, name);
      const void* const values =
          dimension.labels.empty() ? static_cast<const void*>(dimension.numbers.data()) : bytes.data();
      if (size > 0) {
        require(H5Dwrite(scale.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values), name);
      }
      write_unit(scale.id(), dimension.unit, "");
      require(H5DSset_scale(scale.id(), dimension.name.c_str()), name);
      scales.push_back(std::move(scale));
    }
    for (const SeriesVariable& variable : series.variables) {
      const std::string name = path + "/" + variable.name;
      std::vector<hsize_t> sizes;
      std::vector<std::size_t> which;
      std::size_t count = 1;
      for (const std::string& dimension : variable.dimensions) {
        const auto found = std::find_if(series.dimensions.begin(), series.dimensions.end(),
                                        [&](const Dimension& candidate) { return candidate.name == dimension; });
        PODWIRE_CHECK(found != series.dimensions.end(), "record", "a variable's dimensions belong to its group");
        which.push_back(static_cast<std::size_t>(found - series.dimensions.begin()));
        sizes.push_back(found->size());
        count *= found->size();
      }
      PODWIRE_CHECK(count == variable.values.size() && !sizes.empty(), "record", "values fill their dimensions");
      const Handle space = own(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), H5Sclose, name);
      const Handle properties = dataset_properties();
      const Handle dataset = own(H5Dcreate2(group.id(), variable.name.c_str(), H5T_IEEE_F64LE, space.id(), H5P_DEFAULT,
                                            properties.id(), H5P_DEFAULT),
                                 H5Dclose, name);
      if (count > 0) {
        require(H5Dwrite(dataset.id(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, variable.values.data()), name);
      }
      write_unit(dataset.id(), variable.unit, variable.description);
      for (std::size_t i = 0; i < which.size(); ++i) {
        attach_dimension(dataset.id(), scales[which[i]].id(), static_cast<unsigned>(i), name);
      }
    }
  });
}

void RunWriter::Impl::write_text(const std::string& path, std::string_view text) {
  guarded("a text is written before close()", [&] {
    create_group(path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)));
    std::string bytes(text);
    bytes.resize(std::max<std::size_t>(bytes.size(), 1));
    const Handle space = own(H5Screate(H5S_SCALAR), H5Sclose, path);
    const Handle type = string_type(bytes.size());
    const Handle properties = dataset_properties();
    const Handle dataset =
        own(H5Dcreate2(file_.id(), path.c_str(), type.id(), space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
            H5Dclose, path);
    require(H5Dwrite(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), path);
  });
}

void RunWriter::Impl::close() {
  PODWIRE_CHECK(!is_done_, "record", "a run is closed once");
  try {
    finish_streams();
    {
      const LibraryLock lock;
      const std::string name = fmt::format("\"{}\"", printable(partial_.string()));
      write_attribute(file_.id(), "complete", Value(std::int64_t{1}));
      require(H5Fflush(file_.id(), H5F_SCOPE_LOCAL), name);
      require(file_.close() ? 0 : -1, name);
    }
    sync(partial_, O_RDONLY);
    std::error_code problem;
    fs::rename(partial_, path_, problem);
    if (problem) {
      throw EnvironmentError(fmt::format("cannot write \"{}\": {}", printable(path_.string()), problem.message()));
    }
    is_done_ = true;
    const fs::path folder = path_.parent_path();
    sync(folder.empty() ? fs::path(".") : folder, O_RDONLY | O_DIRECTORY);
  } catch (const EnvironmentError&) {
    has_failed_ = true;
    throw;
  }
}

RunWriter::RunWriter(fs::path path, RunWriterOptions options)
    : impl_(std::make_unique<Impl>(std::move(path), options)) {}

RunWriter::~RunWriter() = default;

void RunWriter::set_attribute(const std::string& name, const Value& value) {
  impl_->guarded("an attribute is set before close()", [&] { write_attribute(impl_->file_.id(), name, value); });
}

void RunWriter::write_text(const std::string& path, std::string_view text) {
  impl_->write_text(path, text);
}
void RunWriter::write_table(const std::string& path, const Table& table) {
  impl_->write_table(path, table);
}
void RunWriter::write_series(const std::string& path, const SeriesGroup& series) {
  impl_->write_series(path, series);
}
void RunWriter::close() {
  impl_->close();
}
std::size_t RunWriter::open_stream(StreamSpec spec) {
  return impl_->open_stream(std::move(spec));
}
std::byte** RunWriter::cursor_of(std::size_t stream) {
  return &impl_->streams_[stream].cursor;
}

std::pair<std::byte*, std::byte*> RunWriter::exchange_block(std::size_t number) {
  Stream& stream = impl_->streams_[number];
  if (stream.has_block) {
    stream.current.rows = impl_->options_.rows_per_block;
    stream.has_block = false;
    impl_->queue_->put(std::move(stream.current));
  }
  try {
    stream.current = impl_->queue_->take(number);
  } catch (const EnvironmentError&) {
    impl_->has_failed_ = true;
    throw;
  }
  stream.has_block = true;
  stream.cursor = stream.current.bytes.get();
  return {stream.cursor, stream.cursor + impl_->options_.rows_per_block * stream.spec.row_bytes};
}

}  // namespace podwire::record
