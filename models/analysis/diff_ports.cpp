// Small parts of diff: names, and the difference of two sets of ports.
#include "models/analysis/diff.hpp"

namespace podwire::analysis {

using policy::PortSet;

std::string_view to_string(DiffCause cause) {
  constexpr std::string_view kNames[] = {"policy", "unknown", "workload-added", "workload-removed"};
  return kNames[static_cast<std::size_t>(cause)];
}

std::string_view to_string(ChangeKind kind) {
  constexpr std::string_view kNames[] = {"added", "removed", "changed"};
  return kNames[static_cast<std::size_t>(kind)];
}

PortSet ports_without(const PortSet& a, const PortSet& b) {
  PortSet result;
  auto other = b.ranges.begin();
  for (PortSet::Range range : a.ranges) {
    bool is_left = true;
    while (is_left && other != b.ranges.end()) {
      if (std::pair(other->protocol, other->last) < std::pair(range.protocol, range.first)) {
        ++other;
        continue;
      }
      if (std::pair(range.protocol, range.last) < std::pair(other->protocol, other->first)) {
        break;
      }
      if (range.first < other->first) {
        result.ranges.push_back({range.protocol, range.first, static_cast<std::uint16_t>(other->first - 1)});
      }
      is_left = range.last > other->last;
      range.first = is_left ? static_cast<std::uint16_t>(other->last + 1) : range.last;
    }
    if (is_left) {
      result.ranges.push_back(range);
    }
  }
  return result;
}

}  // namespace podwire::analysis
