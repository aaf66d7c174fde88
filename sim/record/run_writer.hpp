// Writes the result file of one run.
//
// The file has the name `<path>.partial` until close(): then it is marked complete, synced and renamed, so that a file
// of the final name is always whole, whenever the process dies. A writer destroyed without close() removes its file. No
// wall-clock times are stored and everything is written in a fixed order: the same run gives the same bytes.
//
// All calls come from one thread, the simulation's; streams compress and write on a thread of the writer's own. What
// the environment refuses (disk full) is thrown as EnvironmentError by the next call; the partial file is removed.
#pragma once

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "sim/base/check.hpp"
#include "sim/record/schema.hpp"

namespace podwire::record {

class RunWriter;

struct RunWriterOptions {
  std::size_t rows_per_block = 65'536;  // also the datasets' chunk
  std::size_t blocks_per_stream = 4;    // ≥ 2: one is filled while others are written
  int compression = 1;                  // zlib level
};

/// Where rows of one stream go; cheap to move, valid until the writer is closed or destroyed.
template <class Row>
class RowStream {
 public:
  RowStream() = default;
  /// Copies the row; every rows_per_block rows a block goes to the writer's thread. Allocates nothing.
  void append(const Row& row) {
    if (cursor_ == end_) [[unlikely]] {
      next_block();
    }
    std::memcpy(cursor_, &row, sizeof(Row));
    cursor_ += sizeof(Row);
    *used_ = cursor_;
  }

 private:
  friend class RunWriter;
  void next_block();

  RunWriter* writer_ = nullptr;
  std::size_t stream_ = 0;
  std::byte* cursor_ = nullptr;
  std::byte* end_ = nullptr;
  std::byte** used_ = nullptr;  // the writer's own account of the cursor, for close()
};

class RunWriter {
 public:
  /// Creates `<path>.partial`, replacing one that a killed run left. Throws EnvironmentError.
  explicit RunWriter(std::filesystem::path path, RunWriterOptions options = {});
  RunWriter(const RunWriter&) = delete;
  RunWriter& operator=(const RunWriter&) = delete;
  ~RunWriter();

  /// An attribute of the root: provenance. A text of more than 60,000 bytes goes into write_text.
  void set_attribute(const std::string& name, const Value& value);
  /// A long text as a dataset: the resolved scenario.
  void write_text(const std::string& path, std::string_view text);
  /// A short table as a compound dataset; groups on the way are created.
  void write_table(const std::string& path, const Table& table);
  /// Arrays with their dimensions as a group that netCDF-4 and xarray read.
  void write_series(const std::string& path, const SeriesGroup& series);

  /// A long table. `spec.row_bytes` is filled in; columns must lie within Row.
  template <class Row>
  RowStream<Row> add_stream(StreamSpec spec) {
    static_assert(std::is_trivially_copyable_v<Row>);
    spec.row_bytes = sizeof(Row);
    RowStream<Row> stream;
    stream.writer_ = this;
    stream.stream_ = open_stream(std::move(spec));
    stream.used_ = cursor_of(stream.stream_);
    return stream;
  }

  /// Writes what is left, marks the file complete, syncs and renames it. Throws EnvironmentError. Nothing may follow.
  void close();

 private:
  template <class Row>
  friend class RowStream;
  class Impl;

  std::size_t open_stream(StreamSpec spec);
  std::byte** cursor_of(std::size_t stream);
  /// Hands over the stream's block if it has one, and gives it an empty one: [first, second).
  std::pair<std::byte*, std::byte*> exchange_block(std::size_t stream);

  std::unique_ptr<Impl> impl_;
};

template <class Row>
void RowStream<Row>::next_block() {
  PODWIRE_CHECK(writer_ != nullptr, "record", "a stream comes from add_stream()");
  const auto [begin, end] = writer_->exchange_block(stream_);
  cursor_ = begin;
  end_ = end;
}

}  // namespace podwire::record
