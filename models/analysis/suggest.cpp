// See the header.
#include "models/analysis/suggest.hpp"

#include <algorithm>

#include "models/analysis/suggest_impl.hpp"

namespace podwire::analysis {

std::optional<IpProtocol> protocol_of(flows::FlowProtocol protocol) {
  switch (protocol) {
    case flows::FlowProtocol::tcp:
      return IpProtocol::tcp;
    case flows::FlowProtocol::udp:
      return IpProtocol::udp;
    case flows::FlowProtocol::sctp:
      return IpProtocol::sctp;
    case flows::FlowProtocol::icmp:
    case flows::FlowProtocol::icmp6:
      break;
  }
  return std::nullopt;
}

void Evidence::add(const Evidence& other) {
  count += other.count;
  first = first == flows::kNoTime || (other.first != flows::kNoTime && other.first < first) ? other.first : first;
  last = std::max(last, other.last);
}

Suggester::Suggester(const cluster::Cluster& cluster, SuggestOptions options)
    : impl_(std::make_unique<Impl>(cluster, std::move(options))) {}
Suggester::~Suggester() = default;
Suggester::Suggester(Suggester&&) noexcept = default;

void Suggester::add(const flows::Connection& connection, std::uint64_t count) {
  impl_->add(connection, count);
}

Suggestion Suggester::suggest() const {
  return make_policies(*impl_);
}

}  // namespace podwire::analysis
