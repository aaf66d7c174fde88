// A CNI profile: what a network plugin costs and where it departs from the specification, as data with a source beside
// every number. One YAML file a profile under models/cni/profiles/, compiled in, overridable in a scenario.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/quantity.hpp"
#include "sim/base/result.hpp"
#include "sim/base/time.hpp"
#include "sim/config/document.hpp"

namespace podwire::cni {

/// The named steps of a node CPU visit and of the wire, in the order a packet meets them (traces and `models` use these
/// names).
enum class Step : std::uint8_t {
  egress_policy,
  service_nat,
  conntrack,
  encapsulate,
  node_cpu,  // the stack itself: socket, veth, routing
  nic_tx,
  switch_hop,
  decapsulate,
  ingress_policy,
  deliver,
};
inline constexpr std::size_t kStepCount = 10;
std::string_view to_string(Step step);  // "egress-policy" …

/// `cost` occupies the core, `latency` does not: one number cannot fit both round-trip time and capacity.
struct StepTime {
  Duration cost;
  Duration latency;
};

enum class Encapsulation : std::uint8_t { none, vxlan, geneve, ipip, wireguard };
enum class DenyAction : std::uint8_t { drop, reject };
enum class EstablishedFlows : std::uint8_t { survive, cut };

/// How sure a number is: read in a named source, derived from such numbers, or a guess.
enum class Certainty : std::uint8_t { published, derived, guess };
std::string_view to_string(Certainty certainty);

/// One parameter as `podwire models` lists it.
struct Parameter {
  std::string path;  // "costs.service-nat.cost"
  std::string value;
  std::string unit;
  Certainty certainty = Certainty::guess;
  std::string source;
  std::string description;
};

/// Where a profile's policy semantics differ from the API's text (reference: policy-semantics section 4).
struct PolicySemantics {
  bool is_enforced = true;                // false: policies have no effect at all
  bool ip_block_matches_pods = true;      // may an ipBlock peer match a pod's address?
  bool host_network_is_node = true;       // hostNetwork pods are neither subjects nor selector peers
  bool finished_pods_are_ignored = true;  // Succeeded and Failed pods have no connections
  bool is_ipv4_only = false;
  DenyAction deny_action = DenyAction::drop;
  EstablishedFlows established = EstablishedFlows::survive;
  bool own_node_is_allowed = true;  // a pod's own node may always reach it
};

struct ConntrackTimes {
  Duration tcp_syn_sent, tcp_syn_recv, tcp_established, tcp_fin_wait, tcp_close_wait, tcp_last_ack, tcp_time_wait,
      tcp_close;
  Duration udp_unreplied, udp_stream;
  std::uint64_t max_entries = 131'072;
};

struct Profile {
  std::string name;    // "calico-vxlan"
  std::string title;   // one line for people
  std::string timing;  // "calibrated", "published" or "guess": the worst of its numbers
  PolicySemantics policy;
  Encapsulation encapsulation = Encapsulation::none;
  Bytes encapsulation_overhead;                       // on the wire, outer headers
  Bytes mtu;                                          // of a pod's interface on a 1500-byte underlay
  std::array<StepTime, kStepCount> steps = {};        // for a packet of a known flow
  std::array<StepTime, kStepCount> first_steps = {};  // added for a flow's first packet
  Duration service_nat_per_rule;  // iptables: × position of the Service among the rules, first packet only
  Duration policy_per_rule;       // first packet only
  ConntrackTimes conntrack;
  std::vector<Parameter> parameters;  // every number above, in file order

  const StepTime& step(Step s) const { return steps[static_cast<std::size_t>(s)]; }
  const StepTime& first_step(Step s) const { return first_steps[static_cast<std::size_t>(s)]; }
};

/// Names of the compiled-in profiles, sorted.
std::vector<std::string> builtin_profiles();

/// A compiled-in profile. Errors: unknown-profile (with the nearest name).
Result<Profile> load_builtin(std::string_view name);

/// A profile with members of `overrides` (same shape as a profile file) laid over it; absent or null: none.
Result<Profile> load_profile(std::string_view name, config::Node overrides, Span span);

/// Reads one profile file; every number needs `source` and `certainty`.
Result<Profile> read_profile(config::Node root);

}  // namespace podwire::cni
