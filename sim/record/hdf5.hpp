// HDF5 behind owned handles. Every call into the library happens under one lock of the process: handles, error stacks
// and caches are shared, and simulations run in threads. Private to sim/record.
#pragma once

#include <hdf5.h>

#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "sim/base/environment_error.hpp"
#include "sim/record/schema.hpp"

namespace podwire::record {

/// Holds the process-wide lock; the first one also tells the library to be silent and to leave our handles alone at
/// exit.
class LibraryLock {
 public:
  LibraryLock();

 private:
  std::unique_lock<std::recursive_mutex> lock_;
};

/// One HDF5 identifier with its closing function. Destroyed under the lock, which nests.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close closer) : id_(id), close_(closer) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() { close(); }
  hid_t id() const { return id_; }
  bool is_open() const { return id_ >= 0; }
  /// False if the library could not close it (a flush failed).
  bool close() {
    if (id_ < 0) {
      return true;
    }
    const LibraryLock lock;
    return close_(std::exchange(id_, H5I_INVALID_HID)) >= 0;
  }

 private:
  hid_t id_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

/// Takes the library's account of the last failure, its innermost cause; "" if there is none.
std::string last_failure();

/// Throws EnvironmentError ("cannot write <what>: <reason>") if `result` is negative.
void require(std::int64_t result, std::string_view what);
/// Owns `id`, or throws as require() does.
Handle own(hid_t id, Handle::Close close, std::string_view what);

/// Little-endian type in the file, which is this machine's too.
hid_t file_type(NumberType type);
/// A fixed-length UTF-8 string, padded with zeros; `length` ≥ 1 bytes.
Handle string_type(std::size_t length);

/// Writes one attribute; strings as fixed-length UTF-8.
void write_attribute(hid_t object, const std::string& name, const Value& value);
void write_attribute(hid_t object, const std::string& name, const std::vector<std::string>& values);
void write_attribute(hid_t object, const std::string& name, const std::vector<std::int64_t>& values);
/// "units" and "long_name", each unless empty.
void write_unit(hid_t object, const std::string& unit, const std::string& description);

/// Creation properties for groups and datasets: creation order tracked, no times.
Handle group_properties();
Handle dataset_properties();

}  // namespace podwire::record
