// Why packets were lost: every lost packet is counted in exactly one row of (reason, place, rule, account).
//
// A row is found by a hash of four integers and only when a packet is lost; names are made when a report asks for them.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <string_view>
#include <vector>

#include "models/policy/engine.hpp"

namespace podwire::dataplane {

enum class DropReason : std::uint8_t {
  policy_denied,     // `verdict` says by which rule; whether the sender was told depends on the profile
  policy_unknown,    // an object that is not modelled may decide: treated as denied, and said so
  service_rejected,  // a Service without endpoints: the sender is told by ICMP
  service_local,     // internalTrafficPolicy: Local without an endpoint on this node
  no_route,          // an address that nobody has
  mtu_exceeded,      // larger than the path carries, and not to be fragmented
  conntrack_full,    // the node's table had no room for a new entry
  queue_full,        // drop-tail at a port
  link_loss,         // the link's own loss
  closed,            // the socket it was for had been closed meanwhile
  no_listener,       // a UDP port nobody listens on: the sender is told by ICMP
  no_pod,            // from or to a pod that is not there: deleted, or not yet started
  start_window,      // a new pod's, before its node has programmed policies for it
};
inline constexpr std::size_t kDropReasonCount = 13;
/// "policy-denied" …
std::string_view to_string(DropReason reason);

/// Where a packet was lost: a machine (with the hook it met there) or a directed port of the underlay.
struct Place {
  enum class Kind : std::uint8_t { egress, ingress, host, port } kind = Kind::host;
  std::uint32_t index = 0;  // a host (topology::HostId) or a port (topology::PortId)
  auto operator<=>(const Place&) const = default;
};

struct DropRow {
  DropReason reason = DropReason::no_route;
  Place place;
  policy::Verdict verdict;    // for the two policy reasons; its direction is the place's
  std::uint32_t version = 0;  // of the view that gave the verdict
  std::uint32_t account = 0;  // FlowSpec::account of the flow, whichever way the packet went
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

/// The counters. O(1) a drop; rows in order of first occurrence.
class DropTable {
 public:
  void count(DropReason reason, Place place, const policy::Verdict& verdict, std::uint32_t account, std::uint32_t bytes,
             std::uint32_t version = 0);
  const std::vector<DropRow>& rows() const { return rows_; }
  std::uint64_t packets() const { return packets_; }
  std::uint64_t bytes() const { return bytes_; }
  /// Packets lost for `reason`, wherever.
  std::uint64_t packets(DropReason reason) const;

 private:
  struct Key {
    std::uint64_t high = 0;  // reason, place kind, cause, rule, account
    std::uint64_t low = 0;   // place index, policy
    std::uint32_t version = 0;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  boost::unordered_flat_map<Key, std::uint32_t, KeyHash> index_;
  std::vector<DropRow> rows_;
  std::uint64_t packets_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace podwire::dataplane
