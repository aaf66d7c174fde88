#include "models/flows/flow.hpp"

#include <array>

namespace podwire::flows {

void FlowEnd::clear() {
  std::vector<std::string_view> kept = std::move(labels);  // its memory serves the next record
  kept.clear();
  *this = FlowEnd();
  labels = std::move(kept);
}

void Flow::clear() {
  FlowEnd from = std::move(source);
  FlowEnd to = std::move(destination);
  from.clear();
  to.clear();
  *this = Flow();
  source = std::move(from);
  destination = std::move(to);
}

std::string_view to_string(FlowProtocol protocol) {
  constexpr std::array<std::string_view, 5> kNames = {"TCP", "UDP", "SCTP", "ICMP", "ICMPv6"};
  return kNames[static_cast<std::size_t>(protocol)];
}

}  // namespace podwire::flows
