#include "sim/base/check.hpp"

#include <fmt/format.h>

namespace podwire {

void fail_check(std::string_view component, std::string_view condition, std::string_view message, std::string_view file,
                int line) {
  const std::size_t slash = file.rfind('/');
  throw BrokenContract(fmt::format("{}: {} ({} does not hold at {}:{})", component, message, condition,
                                   slash == std::string_view::npos ? file : file.substr(slash + 1), line));
}

}  // namespace podwire
