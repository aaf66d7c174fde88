// Hubble's flows as JSON. Field names: api/v1/flow/flow.proto and api/v1/observer/observer.proto of cilium/cilium
// (GetFlowsResponse: flow, node_status, lost_events; ExportEvent also agent_event, debug_event; both with node_name and
// time), written with the proto names (the exporter, `hubble observe -o json`) or in protobuf's camelCase.
//
// What counts as a policy's verdict: FORWARDED, REDIRECTED (to the proxy: layer 4 let it pass) and DROPPED with
// POLICY_DENIED (133) or POLICY_DENY (181); other drops are no policy's. AUDIT passed although policies deny, TRACED
// and trace points FROM_* come before policies: unknown. is_reply may be absent, and then nothing is known. Labels
// carry their source ("k8s:app=web") and further ones of Cilium's own, which are left out; what Cilium's label filter
// keeps out of identities is not there.
#include <array>
#include <span>

#include "models/flows/line_parser.hpp"

namespace podwire::flows {
namespace {

using config::JsonLine;

/// Of a key in proto's or protobuf JSON's spelling.
bool is_key(std::string_view key, std::string_view proto, std::string_view json) {
  return key == proto || key == json;
}

class HubbleParser : public LineParser {
 public:
  LineResult parse(std::string_view line, Flow& flow) override;

 private:
  void wrapper(Flow& flow, bool& has_flow);
  void member(std::string_view key, Flow& flow);
  void verdict(Flow& flow);
  void time(Flow& flow);
  void addresses(Flow& flow);
  void layer4(Flow& flow);
  void ports(Flow& flow);
  void end_point(FlowEnd& end);
  void labels(FlowEnd& end);
  void label(std::string_view text, FlowEnd& end);
  void workloads(FlowEnd& end);
  void service(FlowEnd& end);
  void losses();
  LineResult judge(Flow& flow);

  /// A word, or a number that stands for one of `names`.
  std::string_view word(std::span<const std::string_view> names);

  JsonLine json_;
  bool has_other_event_ = false;
  bool has_loss_ = false;
  bool has_protocol_ = false;
  bool has_address_problem_ = false;
  bool has_port_problem_ = false;
  bool is_before_policy_ = false;
  bool is_deprecated_reply_ = false;
  std::int64_t drop_number_ = 0;
  std::string_view type_;
  std::string_view verdict_;
  std::string_view direction_;
  std::string_view point_;
};

LineResult HubbleParser::parse(std::string_view line, Flow& flow) {
  has_other_event_ = has_loss_ = has_protocol_ = has_address_problem_ = has_port_problem_ = false;
  is_before_policy_ = is_deprecated_reply_ = false;
  drop_number_ = 0;
  lost_ = 0;
  type_ = verdict_ = direction_ = point_ = {};
  bool has_flow = false;
  if (json_.begin(line) && json_.enter_object()) {
    wrapper(flow, has_flow);
  }
  if (!json_.end()) {
    return damaged(json_.problem());
  }
  if (has_loss_) {
    return LineResult::loss;
  }
  if (!has_flow) {
    return has_other_event_ ? skipped(Skipped::other_event) : damaged("it holds no flow");
  }
  return judge(flow);
}

void HubbleParser::wrapper(Flow& flow, bool& has_flow) {
  std::string_view key;
  Nanoseconds outer_time = kNoTime;
  std::string_view outer_node;
  while (json_.next_member(key)) {
    if (key == "flow" && json_.is_object()) {
      has_flow = true;
      json_.enter_object();
      while (json_.next_member(key)) {
        member(key, flow);
      }
    } else if (is_key(key, "lost_events", "lostEvents")) {
      has_loss_ = has_loss_ || json_.is_object();
      if (json_.is_object()) {
        losses();
      } else {
        json_.skip();
      }
    } else if (is_key(key, "node_status", "nodeStatus") || is_key(key, "agent_event", "agentEvent") ||
               is_key(key, "debug_event", "debugEvent")) {
      has_other_event_ = true;
      json_.skip();
    } else if (has_flow && key == "time") {
      std::string_view text;
      outer_time = json_.take_text(text) ? parse_time(text) : kNoTime;
    } else if (has_flow && is_key(key, "node_name", "nodeName")) {
      json_.take_string(outer_node);
    } else {  // of a bare flow, or what stands before "flow"
      has_flow = has_flow || key == "verdict" || key == "IP";
      member(key, flow);
    }
  }
  flow.time = flow.time == kNoTime ? outer_time : flow.time;
  flow.node = flow.node.empty() ? outer_node : flow.node;
}

std::string_view HubbleParser::word(std::span<const std::string_view> names) {
  std::string_view text;
  if (json_.is_string()) {
    json_.take_string(text);
    return text;
  }
  std::int64_t number = 0;
  const bool is_known = json_.take_integer(number) && number >= 0 && static_cast<std::size_t>(number) < names.size();
  return is_known ? names[static_cast<std::size_t>(number)] : std::string_view();
}

void HubbleParser::member(std::string_view key, Flow& flow) {
  constexpr std::array<std::string_view, 4> kTypes = {"UNKNOWN_TYPE", "L3_L4", "L7", "SOCK"};
  constexpr std::array<std::string_view, 8> kVerdicts = {"VERDICT_UNKNOWN", "FORWARDED",  "DROPPED", "ERROR",
                                                         "AUDIT",           "REDIRECTED", "TRACED",  "TRANSLATED"};
  constexpr std::array<std::string_view, 3> kDirections = {"TRAFFIC_DIRECTION_UNKNOWN", "INGRESS", "EGRESS"};
  bool value = false;
  if (key == "time") {
    time(flow);
  } else if (key == "verdict") {
    verdict_ = word(kVerdicts);
  } else if (key == "IP") {
    addresses(flow);
  } else if (key == "l4") {
    layer4(flow);
  } else if (key == "source") {
    end_point(flow.source);
  } else if (key == "destination") {
    end_point(flow.destination);
  } else if (key == "Type" || key == "type") {
    type_ = word(kTypes);
  } else if (is_key(key, "node_name", "nodeName")) {
    json_.take_string(flow.node);
  } else if (is_key(key, "is_reply", "isReply")) {
    if (json_.take_bool(value)) {
      flow.is_reply = value ? Known::yes : Known::no;
    }
  } else if (key == "reply") {  // false is also said where nothing is known
    is_deprecated_reply_ = json_.take_bool(value) && value;
  } else if (is_key(key, "traffic_direction", "trafficDirection")) {
    direction_ = word(kDirections);
  } else if (is_key(key, "drop_reason_desc", "dropReasonDesc")) {
    std::int64_t number = 0;
    if (json_.is_string()) {
      json_.take_string(flow.drop_reason);
    } else if (json_.take_integer(number)) {
      drop_number_ = number;
    }
  } else if (is_key(key, "drop_reason", "dropReason")) {
    json_.take_integer(drop_number_);
  } else if (is_key(key, "trace_observation_point", "traceObservationPoint")) {
    // Numbers of the enumeration: 5 to 10 are FROM_*.
    std::int64_t number = 0;
    if (json_.is_string()) {
      json_.take_string(point_);
      is_before_policy_ = point_.starts_with("FROM_");
    } else {
      is_before_policy_ = json_.take_integer(number) && number >= 5 && number <= 10;
      point_ = number == 101 ? "TO_ENDPOINT" : "";
    }
  } else if (is_key(key, "destination_service", "destinationService")) {
    service(flow.destination);
  } else {
    json_.skip();
  }
}

void HubbleParser::time(Flow& flow) {
  std::string_view text;
  if (!json_.is_object()) {
    flow.time = json_.take_text(text) ? parse_time(text) : kNoTime;
    return;
  }
  std::int64_t seconds = -1;  // as Go's own JSON writes a Timestamp
  std::int64_t nanoseconds = 0;
  json_.enter_object();
  while (json_.next_member(text)) {
    text == "seconds" ? json_.take_integer(seconds) : text == "nanos" ? json_.take_integer(nanoseconds) : json_.skip();
  }
  const bool is_sane = seconds >= 0 && seconds <= 9'000'000'000 && nanoseconds >= 0 && nanoseconds < kSecond;
  flow.time = is_sane ? seconds * kSecond + nanoseconds : kNoTime;
}

void HubbleParser::addresses(Flow& flow) {
  std::string_view key;
  std::string_view text;
  if (!json_.is_object()) {
    json_.skip();
    return;
  }
  json_.enter_object();
  while (json_.next_member(key)) {
    if (key != "source" && key != "destination") {
      json_.skip();
      continue;
    }
    IpAddress& ip = key == "source" ? flow.source.ip : flow.destination.ip;
    if (json_.take_string(text) && !text.empty()) {
      const auto parsed = IpAddress::parse(text);
      has_address_problem_ = has_address_problem_ || !parsed;
      ip = parsed.value_or(IpAddress());
    }
  }
}

void HubbleParser::layer4(Flow& flow) {
  struct Name {
    std::string_view key;
    FlowProtocol protocol;
  };
  constexpr Name kNames[] = {{"TCP", FlowProtocol::tcp},
                             {"UDP", FlowProtocol::udp},
                             {"SCTP", FlowProtocol::sctp},
                             {"ICMPv4", FlowProtocol::icmp},
                             {"ICMPv6", FlowProtocol::icmp6}};
  std::string_view key;
  if (!json_.is_object()) {
    json_.skip();
    return;
  }
  json_.enter_object();
  while (json_.next_member(key)) {
    bool is_known = false;
    for (const Name& name : kNames) {
      if (name.key == key && json_.is_object()) {
        is_known = true;
        has_protocol_ = true;
        flow.protocol = name.protocol;
        ports(flow);
        break;
      }
    }
    if (!is_known) {
      json_.skip();
    }
  }
}

void HubbleParser::ports(Flow& flow) {
  std::string_view key;
  json_.enter_object();
  bool has_ack = false;
  bool has_syn = false;
  bool has_flags = false;
  while (json_.next_member(key)) {
    std::int64_t number = 0;
    if (is_key(key, "source_port", "sourcePort") || is_key(key, "destination_port", "destinationPort")) {
      std::uint16_t& port = key[0] == 's' ? flow.source_port : flow.destination_port;
      const auto taken = json_.take_integer(number) ? port_of(number) : std::nullopt;
      has_port_problem_ = has_port_problem_ || !taken;
      port = taken.value_or(0);
    } else if (key == "type") {
      flow.icmp_type = json_.take_integer(number) && number >= 0 && number < 256 ? static_cast<std::int16_t>(number)
                                                                                 : std::int16_t{-1};
    } else if (key == "flags" && json_.is_object()) {
      has_flags = true;
      json_.enter_object();
      while (json_.next_member(key)) {
        bool value = false;
        json_.take_bool(value);
        has_syn = has_syn || (key == "SYN" && value);
        has_ack = has_ack || (key == "ACK" && value);
      }
    } else {
      json_.skip();
    }
  }
  if (has_flags && has_syn && flow.is_reply == Known::unknown) {  // RFC 9293 section 3.5
    flow.is_reply = has_ack ? Known::yes : Known::no;
  }
  flow.opens = has_syn && !has_ack;
}

void HubbleParser::end_point(FlowEnd& end) {
  std::string_view key;
  if (!json_.is_object()) {
    json_.skip();
    return;
  }
  json_.enter_object();
  while (json_.next_member(key)) {
    std::int64_t number = 0;
    if (key == "namespace") {
      json_.take_string(end.name_space);
    } else if (is_key(key, "pod_name", "podName")) {
      json_.take_string(end.pod);
    } else if (key == "identity") {
      end.identity =
          json_.take_integer(number) && number >= 0 && number <= 0xffff'ffff ? static_cast<std::uint32_t>(number) : 0;
    } else if (key == "labels" && json_.is_array()) {
      labels(end);
    } else if (key == "workloads" && json_.is_array()) {
      workloads(end);
    } else {
      json_.skip();
    }
  }
  if (end.hint == EndHint::none && end.pod.empty()) {
    // Reserved identities: pkg/identity/numericidentity.go (host 1, world 2, remote-node 6, kube-apiserver 7,
    // world-ipv4 9, world-ipv6 10).
    end.hint = end.identity == 1                                              ? EndHint::host
               : end.identity == 6 || end.identity == 7                       ? EndHint::remote_node
               : end.identity == 2 || end.identity == 9 || end.identity == 10 ? EndHint::world
                                                                              : EndHint::none;
  }
}

void HubbleParser::labels(FlowEnd& end) {
  std::string_view text;
  json_.enter_array();
  while (json_.next_item()) {
    if (json_.take_string(text) && end.labels.size() < kMostLabels) {
      label(text, end);
    }
  }
}

void HubbleParser::label(std::string_view text, FlowEnd& end) {
  if (text.starts_with("reserved:")) {
    text.remove_prefix(9);
    // kube-apiserver comes beside world or a node's label, which says where it is.
    const EndHint hint = text == "host"                                                    ? EndHint::host
                         : text == "remote-node"                                           ? EndHint::remote_node
                         : text == "world" || text == "world-ipv4" || text == "world-ipv6" ? EndHint::world
                                                                                           : EndHint::none;
    end.hint = hint == EndHint::none ? end.hint : hint;
    return;
  }
  if (text.starts_with("k8s:")) {
    text.remove_prefix(4);
    if (!text.starts_with("io.cilium.") && !text.starts_with("io.kubernetes.pod.namespace=")) {
      end.labels.push_back(text);
    }
  }
}

void HubbleParser::workloads(FlowEnd& end) {
  std::string_view key;
  json_.enter_array();
  for (bool is_first = true; json_.next_item(); is_first = false) {
    if (!is_first || !json_.is_object()) {
      json_.skip();
      continue;
    }
    json_.enter_object();
    while (json_.next_member(key)) {
      key == "name"   ? json_.take_string(end.workload)
      : key == "kind" ? json_.take_string(end.workload_kind)
                      : json_.skip();
    }
  }
}

void HubbleParser::service(FlowEnd& end) {
  std::string_view key;
  if (!json_.is_object()) {
    json_.skip();
    return;
  }
  json_.enter_object();
  while (json_.next_member(key)) {
    key == "name"        ? json_.take_string(end.service)
    : key == "namespace" ? json_.take_string(end.service_namespace)
                         : json_.skip();
  }
}

void HubbleParser::losses() {
  std::string_view key;
  json_.enter_object();
  while (json_.next_member(key)) {
    std::int64_t number = 0;
    if (is_key(key, "num_events_lost", "numEventsLost")) {
      lost_ = json_.take_integer(number) && number > 0 ? static_cast<std::uint64_t>(number) : 0;
    } else {
      json_.skip();
    }
  }
}

LineResult HubbleParser::judge(Flow& flow) {
  if (type_ == "L7") {
    return skipped(Skipped::layer7);
  }
  if (type_ == "SOCK" || verdict_ == "TRANSLATED") {
    return skipped(Skipped::socket);
  }
  if (has_address_problem_) {
    return damaged("an address is none");
  }
  if (has_port_problem_) {
    return damaged("a port is no number from 0 to 65535");
  }
  if (!has_protocol_ || (flow.source.ip.is_unspecified() && flow.source.pod.empty())) {
    return skipped(Skipped::not_ip);
  }
  if (flow.time == kNoTime) {
    return damaged("its time is missing or none");
  }
  if (flow.protocol <= FlowProtocol::sctp && flow.destination_port == 0) {
    return damaged("its destination port is missing");
  }
  if (flow.protocol > FlowProtocol::sctp) {
    flow.is_reply = flow.is_reply == Known::yes ? Known::yes : icmp_is_reply(flow.protocol, flow.icmp_type);
  }
  if (is_deprecated_reply_ && flow.is_reply == Known::unknown) {
    flow.is_reply = Known::yes;
  }
  verdict(flow);
  return LineResult::flow;
}

void HubbleParser::verdict(Flow& flow) {
  constexpr std::int64_t kPolicyDenied = 133;
  constexpr std::int64_t kPolicyDeny = 181;
  if (verdict_ == "FORWARDED" || verdict_ == "REDIRECTED") {
    flow.verdict = is_before_policy_ ? Recorded::unknown : Recorded::forwarded;
  } else if (verdict_ == "DROPPED" || verdict_ == "ERROR") {
    flow.verdict = Recorded::dropped;
    const bool is_policy = flow.drop_reason.empty()
                               ? drop_number_ == kPolicyDenied || drop_number_ == kPolicyDeny
                               : flow.drop_reason == "POLICY_DENIED" || flow.drop_reason == "POLICY_DENY" ||
                                     flow.drop_reason.starts_with("Policy denied");  // before the enumeration
    flow.drop_cause = is_policy && verdict_ == "DROPPED" ? DropCause::policy : DropCause::other;
    if (is_policy && flow.drop_reason.empty()) {
      flow.drop_reason = drop_number_ == kPolicyDenied ? "POLICY_DENIED" : "POLICY_DENY";
    }
  }
  flow.reporter = direction_ == "EGRESS"                               ? Reporter::egress
                  : direction_ == "INGRESS" || point_ == "TO_ENDPOINT" ? Reporter::ingress
                                                                       : Reporter::unknown;
}

}  // namespace

std::unique_ptr<LineParser> hubble_parser() {
  return std::make_unique<HubbleParser>();
}

}  // namespace podwire::flows
