// Dense 32-bit ids: an index into one vector, typed so that a pod is never taken for a node.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace podwire {

/// An index into the vector that holds the things of kind `Tag`; default-constructed it names nothing.
template <class Tag>
class Id {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffff;

  constexpr Id() = default;
  constexpr explicit Id(std::uint32_t value) : value_(value) {}
  constexpr explicit Id(std::size_t value) : value_(static_cast<std::uint32_t>(value)) {}
  static constexpr Id none() { return Id(); }

  constexpr bool is_valid() const { return value_ != kNone; }
  constexpr std::uint32_t value() const { return value_; }
  constexpr std::size_t index() const { return value_; }
  constexpr auto operator<=>(const Id&) const = default;

 private:
  std::uint32_t value_ = kNone;
};

}  // namespace podwire

template <class Tag>
struct std::hash<podwire::Id<Tag>> {
  std::size_t operator()(podwire::Id<Tag> id) const noexcept {
    return static_cast<std::size_t>(id.value()) * 0x9e37'79b9'7f4a'7c15u;
  }
};
