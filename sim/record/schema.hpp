// What can be recorded, described by the caller: this folder knows nothing of Kubernetes.
//
// Streams are long tables written while a run plays, one dataset per column; tables are short, one compound dataset;
// series are arrays over named dimensions, as netCDF-4 has them. Units are written as xarray reads them: "s", "ns",
// "byte".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace podwire::record {

enum class NumberType : std::uint8_t { i8, i16, i32, i64, u8, u16, u32, u64, f32, f64 };

/// Bytes of one number.
constexpr std::size_t size_of(NumberType type) {
  constexpr std::size_t kSizes[] = {1, 2, 4, 8, 1, 2, 4, 8, 4, 8};
  return kSizes[static_cast<std::size_t>(type)];
}

/// The NumberType of a C++ number; enums count as their underlying type.
template <class T>
constexpr NumberType number_type() {
  if constexpr (std::is_enum_v<T>) {
    return number_type<std::underlying_type_t<T>>();
  } else if constexpr (std::is_floating_point_v<T>) {
    return sizeof(T) == 4 ? NumberType::f32 : NumberType::f64;
  } else {
    static_assert(std::is_integral_v<T>);
    constexpr int kLog = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return static_cast<NumberType>(kLog + (std::is_signed_v<T> ? 0 : 4));
  }
}

/// One number of a stream's row.
struct StreamColumn {
  std::string name;
  NumberType type = NumberType::i64;
  std::size_t offset = 0;  // in the row struct: offsetof
  std::string unit = {};
  std::string description = {};
  std::vector<std::string> names = {};  // of an enum: names[value]
};

/// A long table: rows are fixed-size structs, appended while the run plays.
struct StreamSpec {
  std::string path;       // "/requests": columns become /requests/<name>
  std::string dimension;  // "request": what a row is; no column has this name
  std::size_t row_bytes = 0;
  std::vector<StreamColumn> columns;
};

/// Describes a member of a row struct: PODWIRE_STREAM_COLUMN(Row, latency, "ns", "from … to …").
#define PODWIRE_STREAM_COLUMN(Row, member, unit, description)                                                        \
  ::podwire::record::StreamColumn {                                                                                  \
#member, ::podwire::record::number_type < decltype(Row::member)>(), offsetof(Row, member), unit, description, {} \
  }

using Value = std::variant<std::int64_t, std::uint64_t, double, std::string>;

enum class CellType : std::uint8_t { integer, number, text };

struct TableColumn {
  std::string name;
  CellType type = CellType::integer;
  std::string unit = {};
  std::string description = {};
};

/// A short table, row by row: cells[row × columns + column], each of its column's type.
struct Table {
  std::vector<TableColumn> columns;
  std::vector<Value> cells;
  std::size_t rows() const { return columns.empty() ? 0 : cells.size() / columns.size(); }
};

/// One axis of a group of series: numbers with a unit (time), or labels (links, nodes).
struct Dimension {
  std::string name;
  std::string unit = {};
  std::vector<double> numbers = {};
  std::vector<std::string> labels = {};
  std::size_t size() const { return labels.empty() ? numbers.size() : labels.size(); }
};

/// An array over some of the group's dimensions, row-major.
struct SeriesVariable {
  std::string name;
  std::string unit = {};
  std::string description = {};
  std::vector<std::string> dimensions;
  std::vector<double> values;
};

struct SeriesGroup {
  std::vector<Dimension> dimensions;
  std::vector<SeriesVariable> variables;
};

}  // namespace podwire::record
