// Result<T>: what reading a user's input gives. Either a value (perhaps with warnings) or at least one error.
// Inside a reader, problems are collected in a Diagnostics that is passed along; only public entry points wrap it.
#pragma once

#include <optional>
#include <utility>

#include "sim/base/check.hpp"
#include "sim/base/diagnostic.hpp"

namespace podwire {

template <class T>
class [[nodiscard]] Result {
 public:
  /// A value with what was noticed on the way; `diagnostics` holds no errors.
  Result(T value, Diagnostics diagnostics = {}) : value_(std::move(value)), diagnostics_(std::move(diagnostics)) {
    PODWIRE_CHECK(!diagnostics_.has_errors(), "base", "a result with a value has no errors");
  }
  /// A failure; `diagnostics` holds at least one error.
  explicit Result(Diagnostics diagnostics) : diagnostics_(std::move(diagnostics)) {
    PODWIRE_CHECK(diagnostics_.has_errors(), "base", "a failed result names an error");
  }

  bool has_value() const { return value_.has_value(); }
  explicit operator bool() const { return has_value(); }
  T& value() & {
    PODWIRE_CHECK(has_value(), "base", "value() of a failed result");
    return *value_;
  }
  const T& value() const& {
    PODWIRE_CHECK(has_value(), "base", "value() of a failed result");
    return *value_;
  }
  T&& value() && {
    PODWIRE_CHECK(has_value(), "base", "value() of a failed result");
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Diagnostics& diagnostics() const { return diagnostics_; }

 private:
  std::optional<T> value_;
  Diagnostics diagnostics_;
};

}  // namespace podwire
