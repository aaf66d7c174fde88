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
/// names). Who pays what, so that the profiles' sums mean what their sources measured:
///   leaving a node   node-cpu + conntrack + egress-policy (if the sender is a pod)
///                    + service-nat (if this flow is translated on this node, in both directions)
///                    + encapsulate (another node, and the profile encapsulates) + nic-tx (another node)
///   arriving         node-cpu + conntrack + decapsulate (encapsulated) + ingress-policy (if the receiver is a pod)
///                    + deliver
/// nic-tx covers both network cards; wire and switches (switch-hop) come from the underlay, not from a profile.
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

/// How sure a number is, best first: measured on the user's own cluster, read in a named source, derived from such
/// numbers, or a guess.
enum class Certainty : std::uint8_t { calibrated, published, derived, guess };
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
  std::uint64_t max_entries_per_core = 0;  // kube-proxy: 32768 a core, where that is more than max_entries

  /// Entries that the table of a node with this many cores holds.
  std::uint64_t entries_for(std::uint32_t cores) const {
    const std::uint64_t by_cores = max_entries_per_core * cores;
    return by_cores > max_entries ? by_cores : max_entries;
  }
};

struct Profile {
  std::string name;    // "calico-vxlan"
  std::string title;   // one line for people
  std::string timing;  // "calibrated", "published" (or derived from such) or "guess": the worst of its step times
  PolicySemantics policy;
  Encapsulation encapsulation = Encapsulation::none;
  Bytes encapsulation_overhead;                       // on the wire, outer headers
  Bytes mtu;                                          // of a pod's interface on a 1500-byte underlay
  std::array<StepTime, kStepCount> steps = {};        // for a packet of a known flow
  std::array<StepTime, kStepCount> first_steps = {};  // added for a flow's first packet
  Duration service_nat_per_rule;  // iptables: × position of the Service among the rules, first packet only
  Duration policy_per_rule;  // × rules that apply to the pod on this side; first packet only, each side for itself
  ConntrackTimes conntrack;
  std::vector<Parameter> parameters;  // every value that a file or an override gave, in the order of the members above

  const StepTime& step(Step s) const { return steps[static_cast<std::size_t>(s)]; }
  const StepTime& first_step(Step s) const { return first_steps[static_cast<std::size_t>(s)]; }
};

/// Names of the compiled-in profiles, sorted.
std::vector<std::string> builtin_profiles();

/// A compiled-in profile. Errors: unknown-profile (with the nearest name).
Result<Profile> load_builtin(std::string_view name);

/// A profile with members of `overrides` (same shape as a profile file) laid over it; absent or null: none. An override
/// may be a bare value, which counts as a guess, or {value, certainty, source} as in a file. `span` is where the name
/// stands. Errors: unknown-profile, unknown-key and what reading values reports.
Result<Profile> load_profile(std::string_view name, config::Node overrides, Span span);

/// Reads one profile file; every value needs `source` and `certainty`. `extends` names a compiled-in profile that the
/// file's values are laid over; without it everything but `costs` and `firstPacket` is required. Errors: missing-key,
/// unknown-key, unknown-profile, what reading values reports.
Result<Profile> read_profile(config::Node root);

}  // namespace podwire::cni
