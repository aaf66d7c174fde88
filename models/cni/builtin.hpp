// The profile files' texts as the build compiled them in (see embed.cmake).
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace podwire::cni {

struct BuiltinText {
  std::string_view name;  // the file's name without .yaml
  std::string_view yaml;
};

/// In the order of the files' names.
std::span<const BuiltinText> builtin_texts();

}  // namespace podwire::cni
