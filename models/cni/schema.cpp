// The table of a profile's values.
#include "models/cni/schema.hpp"

#include <algorithm>

#include "sim/base/check.hpp"

namespace podwire::cni {

namespace {

constexpr std::string_view kEncapsulations[] = {"none", "vxlan", "geneve", "ipip", "wireguard"};
constexpr std::string_view kDenyActions[] = {"drop", "reject"};
constexpr std::string_view kEstablished[] = {"survive", "cut"};
constexpr std::string_view kHairpins[] = {"filtered", "allowed", "world", "egress"};
constexpr std::string_view kEnforcementPoints[] = {"after-dnat", "before-dnat"};
constexpr std::string_view kNamedPortsOn[] = {"destination", "source-pods"};
constexpr std::string_view kNamedPortInBlock[] = {"matches", "dropped"};
constexpr std::string_view kAdminTiers[] = {"enforced", "v1alpha1", "v1alpha2", "ignored", "admin-alone"};
constexpr std::string_view kPodStarts[] = {"closed", "open"};
constexpr std::string_view kDelayShapes[] = {"uniform", "lognormal"};

std::span<const std::string_view> words_for(const DenyAction*) {
  return kDenyActions;
}
std::span<const std::string_view> words_for(const EstablishedFlows*) {
  return kEstablished;
}
std::span<const std::string_view> words_for(const Hairpin*) {
  return kHairpins;
}
std::span<const std::string_view> words_for(const EnforcementPoint*) {
  return kEnforcementPoints;
}
std::span<const std::string_view> words_for(const NamedPortsOn*) {
  return kNamedPortsOn;
}
std::span<const std::string_view> words_for(const NamedPortInBlock*) {
  return kNamedPortInBlock;
}
std::span<const std::string_view> words_for(const AdminTiers*) {
  return kAdminTiers;
}
std::span<const std::string_view> words_for(const PodStart*) {
  return kPodStarts;
}
std::span<const std::string_view> words_for(const DelayShape*) {
  return kDelayShapes;
}
std::span<const std::string_view> words_for(const Encapsulation*) {
  return kEncapsulations;
}
std::span<const std::string_view> words_for(const void*) {
  return {};
}

/// What each step stands for, for `podwire models`.
std::string_view meaning(Step step) {
  switch (step) {
    case Step::egress_policy:
      return "policy hook where a pod's packets leave";
    case Step::service_nat:
      return "rewriting the addresses of a flow to a Service";
    case Step::conntrack:
      return "connection tracking, once a node";
    case Step::encapsulate:
      return "adding the outer headers";
    case Step::node_cpu:
      return "the stack itself: socket, veth, routing";
    case Step::nic_tx:
      return "both network cards together";
    case Step::switch_hop:
      return "a switch (the underlay's value counts)";
    case Step::decapsulate:
      return "removing the outer headers";
    case Step::ingress_policy:
      return "policy hook where packets enter a pod";
    case Step::deliver:
      return "handing over to the receiving pod and waking it";
  }
  return "";
}

void add_policy(Profile& profile, std::vector<Field>& fields) {
  PolicySemantics& policy = profile.policy;
  const auto add = [&](std::string path, Field::Member member, std::string description) {
    fields.push_back({"policy." + std::move(path), "", member, true, false, std::move(description)});
  };
  add("isEnforced", &policy.is_enforced, "false: policies have no effect at all");
  add("adminTiers", &policy.admin_tiers,
      "which policies of policy.networking.k8s.io are in force: enforced (all), v1alpha1 (AdminNetworkPolicy, "
      "BaselineAdminNetworkPolicy), admin-alone (AdminNetworkPolicy), v1alpha2 (ClusterNetworkPolicy) or ignored "
      "(none)");
  add("ipBlockMatchesPods", &policy.ip_block_matches_pods, "an ipBlock peer may match a pod's address");
  add("ipBlockMatchesNodes", &policy.ip_block_matches_nodes,
      "an ipBlock peer may match a node's address, its hostNetwork pods included");
  add("exceptIsHonoured", &policy.except_is_honoured, "false: the except of an ipBlock has no effect");
  add("endPortIsHonoured", &policy.end_port_is_honoured, "false: of a range only port counts");
  add("namedSctpPortsResolve", &policy.named_sctp_ports_resolve, "false: a port name under SCTP grants nothing");
  add("sctpIsEnforced", &policy.sctp_is_enforced, "false: SCTP is never filtered");
  add("rejectsPoliciesWithSctp", &policy.rejects_policies_with_sctp,
      "a policy with any SCTP port entry is rejected whole: what it selects stays open");
  add("rejectsPoliciesWithAnyPort", &policy.rejects_policies_with_any_port,
      "a policy with a port entry that has neither number nor name is rejected whole");
  add("rejectsPoliciesWithNamedPorts", &policy.rejects_policies_with_named_ports,
      "a policy with a port entry that has a name is rejected whole");
  add("rejectsPoliciesWithExcept", &policy.rejects_policies_with_except,
      "a policy with an except in an ipBlock is rejected whole");
  add("rejectsPoliciesWithNegation", &policy.rejects_policies_with_negation,
      "a policy with NotIn or DoesNotExist in a selector is rejected whole");
  add("rejectsPoliciesWithSelectors", &policy.rejects_policies_with_selectors,
      "a policy with a peer that is no ipBlock is rejected whole");
  add("namedPortsResolveOn", &policy.named_ports_resolve_on,
      "whose ports the names in ingress rules mean: destination, or source-pods");
  add("ipBlockWithNamedPort", &policy.ip_block_with_named_port,
      "a port name in a rule with an ipBlock: matches where the destination has it, or dropped for that peer");
  add("enforcementPoint", &policy.enforcement_point,
      "what egress rules see of a connection to a Service: after-dnat the pod and its port, before-dnat the Service's "
      "address and port");
  add("selectorsOpenServices", &policy.selectors_open_services,
      "before-dnat alone: a selector peer opens the address of each Service whose own selector, taken as labels, it "
      "matches, on the Service port behind which the rule's port is; false: only ipBlock opens Services");
  add("hairpin", &policy.hairpin,
      "a pod that a Service sends to itself: filtered as between two pods, allowed, egress (judged where it leaves "
      "and let in unasked), or world (on egress only ipBlock can match it)");
  add("hostNetworkIsNode", &policy.host_network_is_node, "hostNetwork pods are neither subjects nor selector peers");
  add("finishedPodsAreIgnored", &policy.finished_pods_are_ignored, "Succeeded and Failed pods have no connections");
  add("ownNodeIsAllowed", &policy.own_node_is_allowed, "a pod's own node may always reach it");
  add("isIpv4Only", &policy.is_ipv4_only, "IPv6 traffic and blocks are not considered");
  add("policyMapEntries", &policy.policy_map_entries,
      "entries of a pod's policy map, above which its verdicts are unknown; 0: no limit");
  add("denyAction", &policy.deny_action, "what a denied packet meets: drop, or reject with an ICMP error");
  add("establishedFlows", &policy.established, "what a policy change does to flows that it denies: survive or cut");
  add("judgesEveryPacket", &policy.judges_every_packet,
      "no verdict is kept with a flow: a change takes effect with the next packet");
  add("podStart", &policy.pod_start, "a new pod until its policies are in force: closed (nothing passes) or open");
  fields.push_back({"policy.podStartWindow", "s", &policy.pod_start_window, true, false,
                    "how long after a pod's start podStart lasts, at most"});
  add("programmingDelay.shape", &policy.programming_delay.shape,
      "distribution of the time until a change is in force on a node, by its quantiles: uniform or lognormal");
  fields.push_back({"policy.programmingDelay.p50", "s", &policy.programming_delay.p50, true, false,
                    "median time until a policy change is in force on a node"});
  fields.push_back({"policy.programmingDelay.p99", "s", &policy.programming_delay.p99, true, false,
                    "the time that 99 % of nodes keep to until a policy change is in force"});
  fields.push_back({"policy.programmingDelay.p99WithExcept", "s", &policy.programming_delay.p99_with_except, true,
                    false, "p99 for policies with an except in an ipBlock; 0: as the others"});
}

void add_steps(Profile& profile, std::vector<Field>& fields, const std::string& section,
               std::array<StepTime, kStepCount>& steps, std::string_view when) {
  for (std::size_t i = 0; i < kStepCount; ++i) {
    const auto step = static_cast<Step>(i);
    const std::string prefix = section + "." + std::string(to_string(step)) + ".";
    const std::string text = std::string(meaning(step)) + ", " + std::string(when);
    fields.push_back({prefix + "cost", "us", &steps[i].cost, false, true, text + ": core time"});
    fields.push_back({prefix + "latency", "us", &steps[i].latency, false, true, text + ": delay beside the core"});
  }
  if (&steps == &profile.first_steps) {
    fields.push_back({section + ".serviceNatPerRule", "us", &profile.service_nat_per_rule, false, true,
                      "core time for each KUBE-SERVICES rule before the Service's, first packet"});
    fields.push_back({section + ".policyPerRule", "us", &profile.policy_per_rule, false, true,
                      "core time for each policy rule of the pod on a side, first packet"});
  }
}

void add_conntrack(Profile& profile, std::vector<Field>& fields) {
  ConntrackTimes& times = profile.conntrack;
  const auto add = [&](std::string path, std::string_view unit, Field::Member member, std::string description) {
    fields.push_back({"conntrack." + std::move(path), unit, member, true, false, std::move(description)});
  };
  const auto add_timeout = [&](const std::string& path, Duration& member, const std::string& state) {
    add(path, "s", &member, "an entry in state " + state + " lives so long without a packet");
  };
  add_timeout("tcpSynSent", times.tcp_syn_sent, "TCP SYN_SENT");
  add_timeout("tcpSynRecv", times.tcp_syn_recv, "TCP SYN_RECV");
  add_timeout("tcpEstablished", times.tcp_established, "TCP ESTABLISHED");
  add_timeout("tcpFinWait", times.tcp_fin_wait, "TCP FIN_WAIT");
  add_timeout("tcpCloseWait", times.tcp_close_wait, "TCP CLOSE_WAIT");
  add_timeout("tcpLastAck", times.tcp_last_ack, "TCP LAST_ACK");
  add_timeout("tcpTimeWait", times.tcp_time_wait, "TCP TIME_WAIT");
  add_timeout("tcpClose", times.tcp_close, "TCP CLOSE");
  add_timeout("udpUnreplied", times.udp_unreplied, "UDP, one direction only");
  add_timeout("udpStream", times.udp_stream, "UDP, a stream");
  add("maxEntries", "", &times.max_entries, "entries of a node's table, at least");
  add("maxEntriesPerCore", "", &times.max_entries_per_core, "entries of a node's table for each core, if more");
}

/// `ps` in units of 10^digits picoseconds, exactly.
std::string decimal(std::int64_t ps, int digits) {
  std::string text = std::to_string(ps);
  while (static_cast<int>(text.size()) <= digits) {
    text.insert(text.begin(), '0');
  }
  text.insert(text.size() - static_cast<std::size_t>(digits), 1, '.');
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') {
    text.pop_back();
  }
  return text;
}

}  // namespace

std::string_view to_string(Step step) {
  switch (step) {
    case Step::egress_policy:
      return "egress-policy";
    case Step::service_nat:
      return "service-nat";
    case Step::conntrack:
      return "conntrack";
    case Step::encapsulate:
      return "encapsulate";
    case Step::node_cpu:
      return "node-cpu";
    case Step::nic_tx:
      return "nic-tx";
    case Step::switch_hop:
      return "switch";
    case Step::decapsulate:
      return "decapsulate";
    case Step::ingress_policy:
      return "ingress-policy";
    case Step::deliver:
      return "deliver";
  }
  return "";
}

std::string_view to_string(Certainty certainty) {
  switch (certainty) {
    case Certainty::calibrated:
      return "calibrated";
    case Certainty::published:
      return "published";
    case Certainty::derived:
      return "derived";
    case Certainty::guess:
      return "guess";
  }
  return "";
}

std::vector<Field> fields_of(Profile& profile) {
  std::vector<Field> fields;
  add_policy(profile, fields);
  fields.push_back(
      {"encapsulation.kind", "", &profile.encapsulation, true, false, "how packets cross to another node"});
  fields.push_back({"encapsulation.overhead", "B", &profile.encapsulation_overhead, true, false,
                    "bytes that the outer headers add to an IP packet on the wire"});
  fields.push_back({"mtu", "B", &profile.mtu, true, false, "of a pod's interface, on a 1500-byte underlay"});
  add_steps(profile, fields, "costs", profile.steps, "each packet");
  add_steps(profile, fields, "firstPacket", profile.first_steps, "added for a flow's first packet");
  add_conntrack(profile, fields);
  return fields;
}

std::span<const std::string_view> choices(const Field::Member& member) {
  return std::visit([](const auto* value) { return words_for(value); }, member);
}

namespace {

struct ListedValue {
  const Field& field;
  std::string operator()(const Duration* value) const { return decimal(value->ps(), field.unit == "s" ? 12 : 6); }
  std::string operator()(const Bytes* value) const { return std::to_string(value->count()); }
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const std::uint64_t* value) const { return std::to_string(*value); }
  template <class Choice>
  std::string operator()(const Choice* value) const {
    const auto words = choices(field.member);
    const auto index = static_cast<std::size_t>(*value);
    PODWIRE_CHECK(index < words.size(), "cni", "each enumerator has its word");
    return std::string(words[index]);
  }
};

}  // namespace

std::string listed_value(const Field& field) {
  return std::visit(ListedValue{field}, field.member);
}

}  // namespace podwire::cni
