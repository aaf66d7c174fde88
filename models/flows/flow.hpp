// One record of a flow log, whoever wrote it: who sent to whom, what was seen, what became of it.
//
// Texts are views into the reader's line and hold until its next record. A record is about packets in one direction, as
// seen at one end; merge.hpp puts records of one connection together. Left out: layer 7, bytes and durations.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/base/ip.hpp"

namespace podwire::flows {

/// Nanoseconds since 1970-01-01T00:00:00Z; int64 reaches to the year 2262.
using Nanoseconds = std::int64_t;
inline constexpr Nanoseconds kSecond = 1'000'000'000;
/// The record says no time.
inline constexpr Nanoseconds kNoTime = INT64_MIN;

/// What the log says an end is, beside its names.
enum class EndHint : std::uint8_t {
  none,
  host,             // the node that the record was made on
  remote_node,      // another node of the cluster
  world,            // outside the cluster
  public_network,   // outside, and the log keeps no address (Calico)
  private_network,  // likewise, in a private range
};

struct FlowEnd {
  std::string_view name_space = {};
  std::string_view pod = {};            // "web-7d77fb55cc-x2x7p"; "web-7d77fb55cc-*" where the log puts pods together
  std::string_view workload = {};       // of the top of the chain of owners
  std::string_view workload_kind = {};  // "Deployment"; "" when only the name is known
  std::string_view service = {};        // destination: the Service that was dialled
  std::string_view service_namespace = {};
  std::vector<std::string_view> labels = {};  // "app=web", without the source's prefix
  std::uint32_t identity = 0;                 // Cilium's; equal identities have equal labels
  IpAddress ip = {};
  EndHint hint = EndHint::none;
  void clear();
};

enum class FlowProtocol : std::uint8_t { tcp, udp, sctp, icmp, icmp6 };
/// "TCP", "UDP", "SCTP", "ICMP", "ICMPv6".
std::string_view to_string(FlowProtocol protocol);

/// The side whose policies the record is about.
enum class Reporter : std::uint8_t { unknown, egress, ingress };
enum class Recorded : std::uint8_t { unknown, forwarded, dropped };
/// Drops that say nothing of policies (a full conntrack table, a missing backend) are `other`.
enum class DropCause : std::uint8_t { none, policy, other };
enum class Known : std::uint8_t { unknown, no, yes };

struct Flow {
  Nanoseconds time = kNoTime;
  FlowEnd source = {};
  FlowEnd destination = {};
  FlowProtocol protocol = FlowProtocol::tcp;
  std::uint16_t source_port = 0;  // 0: not told
  std::uint16_t destination_port = 0;
  std::int16_t icmp_type = -1;
  Reporter reporter = Reporter::unknown;
  Recorded verdict = Recorded::unknown;
  DropCause drop_cause = DropCause::none;
  std::string_view drop_reason = {};  // as written
  Known is_reply = Known::unknown;
  bool opens = false;          // a SYN without ACK
  bool is_aggregate = false;   // of many connections, over a time (Calico)
  std::string_view node = {};  // where it was recorded
  void clear();
};

}  // namespace podwire::flows
