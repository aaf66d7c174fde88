#include "sim/record/hdf5.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <mutex>

#include "sim/base/check.hpp"

namespace podwire::record {
namespace {

static_assert(std::endian::native == std::endian::little, "chunks are written as they lie in memory");

constexpr std::size_t kLongestAttribute = 60'000;  // an attribute lives in its object's header, of at most 64 KiB

// Recursive, because a Handle closes itself wherever it dies.
std::recursive_mutex& library_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

herr_t collect(unsigned, const H5E_error2_t* error, void* out) {
  auto& text = *static_cast<std::string*>(out);
  if (text.empty() && error->desc != nullptr) {
    text = error->desc;
  }
  return 0;
}

}  // namespace

LibraryLock::LibraryLock() : lock_(library_mutex()) {
  static const bool kReady = [] {
    H5dont_atexit();  // a file that could not be closed must not be touched again while the process ends
    H5open();
    H5PLset_loading_state(0);  // no filter plugins: a file could name any
    return true;
  }();
  (void)kReady;
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // the error stack is the thread's own
}

std::string last_failure() {
  const LibraryLock lock;
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, collect, &text);
  H5Eclear2(H5E_DEFAULT);  // the stack is the thread's and would not be freed with it
  // The file driver's account holds addresses and times; the system's message is what matters.
  constexpr std::string_view kMark = "error message = '";
  if (const std::size_t begin = text.find(kMark); begin != std::string::npos) {
    const std::size_t end = text.find('\'', begin + kMark.size());
    return text.substr(begin + kMark.size(), end == std::string::npos ? end : end - begin - kMark.size());
  }
  return text;
}

void require(std::int64_t result, std::string_view what) {
  if (result < 0) {
    const std::string reason = last_failure();
    throw EnvironmentError(
        fmt::format("cannot write {}: {}", what, reason.empty() ? "the HDF5 library failed" : reason));
  }
}

Handle own(hid_t id, Handle::Close close, std::string_view what) {
  require(id, what);
  return Handle(id, close);
}

hid_t file_type(NumberType type) {
  switch (type) {
    case NumberType::i8:
      return H5T_STD_I8LE;
    case NumberType::i16:
      return H5T_STD_I16LE;
    case NumberType::i32:
      return H5T_STD_I32LE;
    case NumberType::i64:
      return H5T_STD_I64LE;
    case NumberType::u8:
      return H5T_STD_U8LE;
    case NumberType::u16:
      return H5T_STD_U16LE;
    case NumberType::u32:
      return H5T_STD_U32LE;
    case NumberType::u64:
      return H5T_STD_U64LE;
    case NumberType::f32:
      return H5T_IEEE_F32LE;
    case NumberType::f64:
      return H5T_IEEE_F64LE;
  }
  return H5I_INVALID_HID;
}

Handle string_type(std::size_t length) {
  Handle type = own(H5Tcopy(H5T_C_S1), H5Tclose, "a string type");
  require(H5Tset_size(type.id(), std::max<std::size_t>(length, 1)), "a string type");
  require(H5Tset_cset(type.id(), H5T_CSET_UTF8), "a string type");
  require(H5Tset_strpad(type.id(), H5T_STR_NULLPAD), "a string type");
  return type;
}

namespace {

void write_raw(hid_t object, const std::string& name, hid_t type, hid_t space, const void* bytes) {
  const Handle attribute =
      own(H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose, "the attribute " + name);
  require(H5Awrite(attribute.id(), type, bytes), "the attribute " + name);
}

}  // namespace

void write_attribute(hid_t object, const std::string& name, const Value& value) {
  const Handle space = own(H5Screate(H5S_SCALAR), H5Sclose, name);
  if (const auto* text = std::get_if<std::string>(&value)) {
    PODWIRE_CHECK(text->size() <= kLongestAttribute, "record", "a long text is a dataset, not an attribute");
    std::string bytes = *text;
    bytes.resize(std::max<std::size_t>(bytes.size(), 1));
    write_raw(object, name, string_type(bytes.size()).id(), space.id(), bytes.data());
  } else if (const auto* number = std::get_if<double>(&value)) {
    write_raw(object, name, H5T_IEEE_F64LE, space.id(), number);
  } else if (const auto* natural = std::get_if<std::uint64_t>(&value)) {
    write_raw(object, name, H5T_STD_U64LE, space.id(), natural);
  } else {
    write_raw(object, name, H5T_STD_I64LE, space.id(), &std::get<std::int64_t>(value));
  }
}

void write_attribute(hid_t object, const std::string& name, const std::vector<std::string>& values) {
  std::size_t length = 1;
  for (const std::string& value : values) {
    length = std::max(length, value.size());
  }
  PODWIRE_CHECK(!values.empty() && length * values.size() <= kLongestAttribute, "record", "names fit an attribute");
  std::string bytes(length * values.size(), '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::memcpy(bytes.data() + i * length, values[i].data(), values[i].size());
  }
  const hsize_t count = values.size();
  const Handle space = own(H5Screate_simple(1, &count, nullptr), H5Sclose, name);
  write_raw(object, name, string_type(length).id(), space.id(), bytes.data());
}

void write_attribute(hid_t object, const std::string& name, const std::vector<std::int64_t>& values) {
  const hsize_t count = values.size();
  const Handle space = own(H5Screate_simple(1, &count, nullptr), H5Sclose, name);
  write_raw(object, name, H5T_STD_I64LE, space.id(), values.data());
}

void write_unit(hid_t object, const std::string& unit, const std::string& description) {
  if (!unit.empty()) {
    write_attribute(object, "units", Value(unit));
  }
  if (!description.empty()) {
    write_attribute(object, "long_name", Value(description));
  }
}

Handle group_properties() {
  Handle properties = own(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, "group properties");
  require(H5Pset_link_creation_order(properties.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), "properties");
  require(H5Pset_attr_creation_order(properties.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), "properties");
  require(H5Pset_obj_track_times(properties.id(), 0), "properties");
  return properties;
}

Handle dataset_properties() {
  Handle properties = own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "dataset properties");
  require(H5Pset_attr_creation_order(properties.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), "properties");
  require(H5Pset_obj_track_times(properties.id(), 0), "properties");
  return properties;
}

}  // namespace podwire::record
