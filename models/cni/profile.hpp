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
/// A pod that dials a Service and is sent to itself: judged as between two pods, let through unasked, or, on egress,
/// with a destination that counts as an address outside the cluster (on ingress the source keeps its identity), or
/// judged where it leaves the pod and let in unasked.
enum class Hairpin : std::uint8_t { filtered, allowed, world, egress };
enum class EnforcementPoint : std::uint8_t { after_dnat, before_dnat };  // what egress sees of a flow to a Service
enum class NamedPortsOn : std::uint8_t { destination, source_pods };     // whose ports an ingress rule's names mean
enum class NamedPortInBlock : std::uint8_t { matches, dropped };         // a port name in a rule with an ipBlock
/// Which policies of the admin tiers are in force: all, those of policy.networking.k8s.io/v1alpha1 (AdminNetworkPolicy,
/// BaselineAdminNetworkPolicy), those of v1alpha2 (ClusterNetworkPolicy), none, AdminNetworkPolicy alone.
enum class AdminTiers : std::uint8_t { enforced, v1alpha1, v1alpha2, ignored, admin_alone };
enum class PodStart : std::uint8_t { closed, open };
enum class DelayShape : std::uint8_t { uniform, lognormal };

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

/// How long a change takes to be in force on one node: quantiles, and the distribution that has them. Both zero: at
/// once.
struct ProgrammingDelay {
  DelayShape shape = DelayShape::lognormal;
  Duration p50;
  Duration p99;
  Duration p99_with_except;  // of policies whose ipBlocks have an except; zero: as the others
};

/// Where a profile's policy semantics differ from the API's text (reference: policy-semantics section 4). The defaults
/// are the specification's. All but the last group is evaluated by PolicyEngine; the last group acts in time only.
struct PolicySemantics {
  bool is_enforced = true;  // false: policies have no effect at all
  AdminTiers admin_tiers = AdminTiers::enforced;
  bool ip_block_matches_pods = true;   // may an ipBlock peer match a pod's address?
  bool ip_block_matches_nodes = true;  // … a node's address, its hostNetwork pods included?
  bool except_is_honoured = true;      // false: `except` has no effect
  bool end_port_is_honoured = true;    // false: of a range only `port` counts
  bool named_sctp_ports_resolve = true;
  bool sctp_is_enforced = true;                    // false: SCTP is never filtered
  bool rejects_policies_with_sctp = false;         // a policy with any SCTP port entry is not in force at all
  bool rejects_policies_with_any_port = false;     // … with a port entry that has neither number nor name
  bool rejects_policies_with_named_ports = false;  // … with a port entry that has a name
  bool rejects_policies_with_except = false;       // … with an ipBlock that has an except
  bool rejects_policies_with_negation = false;     // … with a selector that asks NotIn or DoesNotExist
  bool rejects_policies_with_selectors = false;    // … with a peer that is no ipBlock
  NamedPortsOn named_ports_resolve_on = NamedPortsOn::destination;
  NamedPortInBlock ip_block_with_named_port = NamedPortInBlock::matches;
  EnforcementPoint enforcement_point = EnforcementPoint::after_dnat;
  /// Before translation: a selector peer of an egress rule opens the address of each Service whose own selector, taken
  /// as labels, it matches, on the Service port behind which the rule's port is. False: selectors match no Service.
  bool selectors_open_services = true;
  Hairpin hairpin = Hairpin::filtered;
  bool host_network_is_node = true;       // hostNetwork pods are neither subjects nor selector peers
  bool finished_pods_are_ignored = true;  // Succeeded and Failed pods have no connections
  bool own_node_is_allowed = true;        // a pod's own node may always reach it
  bool is_ipv4_only = false;
  std::uint64_t policy_map_entries = 0;  // a pod's policies that need more make its verdicts unknown; 0: no limit

  DenyAction deny_action = DenyAction::drop;
  EstablishedFlows established = EstablishedFlows::survive;
  bool judges_every_packet = false;       // no verdict is kept with a flow: a change takes effect with the next packet
  PodStart pod_start = PodStart::closed;  // a new pod's traffic until its policies are in force, …
  Duration pod_start_window;              // … so long after its start
  ProgrammingDelay programming_delay;
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

/// A plugin's version, 3.18.4 as {3, 18, 4}; what is not written is 0.
using Version = std::array<std::uint32_t, 3>;
/// "3.18", "v3.18.4-rc1", "1.14.2-eksbuild.1": the leading numbers count. Nothing when there are none.
std::optional<Version> parse_version(std::string_view text);

/// The versions that a profile's statements were made for, by minor release: the last's patch releases belong to it.
struct VersionRange {
  std::string first;   // "" : from the beginning
  std::string last;    // "" : no end known
  std::string source;  // why these
  bool holds(const Version& version) const;
  /// "3.18", "1.15 and later", "up to 2.1", "any"
  std::string to_string() const;
};

/// What releases before `below` do otherwise than a profile says.
struct OlderReleases {
  std::string below;  // "3.32"
  PolicySemantics policy;
  std::vector<Parameter> parameters;  // the values that differ: the rest of `policy` does not count
};

struct Profile {
  std::string name;    // "calico-vxlan"
  std::string title;   // one line for people
  std::string plugin;  // "calico": profiles of one plugin are neighbours by version; "" for what is no plugin
  VersionRange versions;
  std::vector<OlderReleases> older;
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

/// A compiled-in profile, by its name or a short one (calico, cilium). Errors: unknown-profile (with the nearest name).
Result<Profile> load_builtin(std::string_view name);

/// What a scenario lays over a profile; absent or null: nothing. A value may be bare, which counts as a guess, or
/// {value, certainty, source} as in a file.
struct Overrides {
  config::Node profile = {};  // members of a profile file
  config::Node policy = {};   // members of its `policy`
};

/// A profile with overrides laid over it. `name` has no version; `span` is where it stands. With a `version` it says
/// what that release does, as far as it knows of older ones; without, the newest. Errors: unknown-profile, unknown-key
/// and what reading values reports.
Result<Profile> load_profile(std::string_view name, const Overrides& overrides, Span span,
                             const std::optional<Version>& version = {});

/// The profiles under which a plugin of some version is judged, the nearest first: one where a profile holds for the
/// version, else its two neighbours by version.
struct Candidates {
  std::vector<Profile> profiles;  // never empty
  std::string note;  // "no profile was made for calico 3.22: it lies between calico-3.18 and calico-vxlan"; else ""
};

/// Profiles for `NAME` or `NAME@VERSION`, where NAME is a profile (whose plugin counts when it does not hold for the
/// version). Errors: those of load_profile; bad-version.
Result<Candidates> load_candidates(std::string_view name, const Overrides& overrides, Span span);

/// The paths of what two profiles' policy semantics differ in, in the order of the table: "policy.hairpin" …
std::vector<std::string> policy_differences(const Profile& a, const Profile& b);

/// Those of them that verdicts depend on; the others act in time alone.
std::vector<std::string> verdict_differences(const Profile& a, const Profile& b);

/// What depends on time under this profile, in one line; "" when it enforces nothing.
std::string in_time(const Profile& profile);

/// One value of a profile, for people who look for a name.
struct FieldDoc {
  std::string path;
  std::string values;    // "true, false", "drop, reject", "a number", "a duration"
  std::string unit;      // in which it is listed
  std::string standard;  // what profile spec has
  std::string source;    // of that
  std::string description;
};
std::vector<FieldDoc> field_docs();

/// `to` with one policy value taken from `from`, by its path.
void copy_policy_value(Profile& to, const Profile& from, std::string_view path);

/// Reads one profile file; every value needs `source` and `certainty`. `extends` names a compiled-in profile that the
/// file's values are laid over; without it everything but `costs` and `firstPacket` is required. Errors: missing-key,
/// unknown-key, unknown-profile, what reading values reports.
Result<Profile> read_profile(config::Node root);

}  // namespace podwire::cni
