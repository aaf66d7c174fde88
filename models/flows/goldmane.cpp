// Calico's flow logs as JSON, three forms that share most names:
// - Whisker's API, listed ({"items": […]}) or streamed ("data: {…}"): whisker-backend/pkg/apis/v1/flows.go of
//   projectcalico/calico (FlowResponse: start_time, end_time, action, source_name, source_namespace, source_labels
//   joined by " | ", dest_…, protocol, dest_port, reporter); the list is {"total": …, "items": […]}
//   (lib/httpmachinery/pkg/apiutil/response.go). "flows" (FlowListResult of goldmane/proto/api.proto) is taken too.
// - Goldmane's emitter: json.Marshal of goldmane/proto's Flow, a flow a line: {"Key": {…, "proto", "reporter": 1,
//   "action": 1}, "start_time": seconds, "source_labels": […]}; enumerations as numbers (goldmane/proto/api.proto).
// - Felix's own logs (docs.tigera.io, flow logs): also source_name_aggr, source_ip, dest_ip, source_type wep, hep …
//
// A record counts connections of one kind over 15 s or more; its name is a pod's or its owner's generateName with "*".
// `action` is the ultimate one on the reporter's side. Ends outside the cluster are "pub" or "pvt" without an address.
#include <array>
#include <span>

#include "models/flows/line_parser.hpp"

namespace podwire::flows {
namespace {

class GoldmaneParser : public LineParser {
 public:
  LineResult parse(std::string_view line, Flow& flow) override;
  std::optional<LineResult> more(Flow& flow) override;

 private:
  void object(Flow& flow, bool may_be_list);
  bool member(std::string_view key, Flow& flow);
  bool end_member(std::string_view key, FlowEnd& end);
  void time(Flow& flow);
  void labels(FlowEnd& end);
  void label_text(std::string_view text, FlowEnd& end);
  void network(std::string_view name, FlowEnd& end);
  std::string_view word(std::span<const std::string_view> names);
  std::optional<LineResult> next_of_list(Flow& flow);
  LineResult judge(Flow& flow);
  void start_record();

  config::JsonLine json_;
  bool is_in_list_ = false;
  bool has_port_problem_ = false;
  bool has_address_problem_ = false;
  std::string_view action_;
  std::string_view reporter_;
  std::string_view protocol_;
  std::string_view source_type_;
  std::string_view destination_type_;
};

void GoldmaneParser::start_record() {
  has_port_problem_ = has_address_problem_ = false;
  action_ = reporter_ = protocol_ = source_type_ = destination_type_ = {};
}

LineResult GoldmaneParser::parse(std::string_view line, Flow& flow) {
  is_in_list_ = false;
  start_record();
  if (line.starts_with("data:")) {  // of a stream of server-sent events
    line.remove_prefix(5);
  } else if (line.starts_with("event:") || line.starts_with("id:") || line.starts_with(":") ||
             line.starts_with("retry:")) {
    return skipped(Skipped::other_event);
  }
  if (json_.begin(line) && json_.enter_object()) {
    object(flow, true);
  }
  if (is_in_list_) {
    const auto first = next_of_list(flow);
    return first ? *first : skipped(Skipped::other_event);
  }
  return json_.end() ? judge(flow) : damaged(json_.problem());
}

std::optional<LineResult> GoldmaneParser::more(Flow& flow) {
  return is_in_list_ ? next_of_list(flow) : std::nullopt;
}

std::optional<LineResult> GoldmaneParser::next_of_list(Flow& flow) {
  if (json_.next_item()) {
    start_record();
    if (!json_.is_object()) {
      json_.skip();
      return damaged("an item of the list is no flow");
    }
    json_.enter_object();
    object(flow, false);
    if (json_.problem().empty()) {
      return judge(flow);
    }
  }
  is_in_list_ = false;
  std::string_view key;
  while (json_.problem().empty() && json_.next_member(key)) {  // what follows the list
    json_.skip();
  }
  return json_.end() ? std::nullopt : std::optional(damaged(json_.problem()));
}

/// The members of an object that has been entered, up to a list in it.
void GoldmaneParser::object(Flow& flow, bool may_be_list) {
  std::string_view key;
  while (json_.next_member(key)) {
    if (may_be_list && (key == "items" || key == "flows") && json_.is_array()) {
      json_.enter_array();
      is_in_list_ = true;
      return;
    }
    if ((key == "Key" || key == "key" || key == "flow") && json_.is_object()) {
      json_.enter_object();
      std::string_view inner;
      while (json_.next_member(inner)) {
        const bool is_key = (inner == "Key" || inner == "key") && json_.is_object();
        if (!is_key) {
          member(inner, flow) ? true : json_.skip();
          continue;
        }
        json_.enter_object();
        std::string_view innermost;
        while (json_.next_member(innermost)) {
          member(innermost, flow) ? true : json_.skip();
        }
      }
    } else if (!member(key, flow)) {
      json_.skip();
    }
  }
}

std::string_view GoldmaneParser::word(std::span<const std::string_view> names) {
  std::string_view text;
  std::int64_t number = 0;
  if (json_.is_string()) {
    json_.take_string(text);
    return text;
  }
  const bool is_known = json_.take_integer(number) && number >= 0 && static_cast<std::size_t>(number) < names.size();
  return is_known ? names[static_cast<std::size_t>(number)] : std::string_view();
}

/// False when the key is none of ours; its value is then still to be skipped.
bool GoldmaneParser::member(std::string_view key, Flow& flow) {
  constexpr std::array<std::string_view, 4> kActions = {"", "Allow", "Deny", "Pass"};
  constexpr std::array<std::string_view, 3> kReporters = {"", "Src", "Dst"};
  constexpr std::array<std::string_view, 5> kTypes = {"", "wep", "hep", "ns", "net"};
  if (key == "start_time") {
    time(flow);
  } else if (key == "action") {
    action_ = word(kActions);
  } else if (key == "reporter") {
    reporter_ = word(kReporters);
  } else if (key == "proto" || key == "protocol") {
    json_.take_text(protocol_);
  } else if (key == "dest_port" || key == "source_port") {
    std::int64_t number = 0;
    const auto port = json_.take_integer(number) ? port_of(number) : std::optional<std::uint16_t>(0);
    has_port_problem_ = has_port_problem_ || !port;
    (key == "dest_port" ? flow.destination_port : flow.source_port) = port.value_or(0);
  } else if (key == "source_type") {
    source_type_ = word(kTypes);
  } else if (key == "dest_type") {
    destination_type_ = word(kTypes);
  } else if (key.starts_with("source_")) {
    return end_member(key.substr(7), flow.source);
  } else if (key.starts_with("dest_")) {
    return end_member(key.substr(5), flow.destination);
  } else {
    return false;
  }
  return true;
}

bool GoldmaneParser::end_member(std::string_view key, FlowEnd& end) {
  std::string_view text;
  const auto take = [&](std::string_view& field) {
    if (json_.take_string(text) && text != "-") {
      field = text;
    }
  };
  if (key == "name") {
    take(end.pod);
  } else if (key == "name_aggr") {
    std::string_view name;
    take(name);
    end.pod = end.pod.empty() ? name : end.pod;
  } else if (key == "namespace") {
    take(end.name_space);
    end.name_space = end.name_space == "Global" ? std::string_view() : end.name_space;  // Whisker's word for none
  } else if (key == "service_name") {
    take(end.service);
  } else if (key == "service_namespace") {
    take(end.service_namespace);
  } else if (key == "ip") {
    if (json_.take_string(text) && !text.empty() && text != "-") {
      const auto ip = IpAddress::parse(text);
      has_address_problem_ = has_address_problem_ || !ip;
      end.ip = ip.value_or(IpAddress());
    }
  } else if (key == "labels") {
    labels(end);
  } else {
    return false;
  }
  return true;
}

void GoldmaneParser::time(Flow& flow) {
  std::string_view text;
  flow.time = json_.take_text(text) ? parse_time(text) : kNoTime;
}

void GoldmaneParser::label_text(std::string_view text, FlowEnd& end) {
  constexpr std::string_view kBetween = " | ";
  while (!text.empty() && end.labels.size() < kMostLabels) {
    const std::size_t at = text.find(kBetween);
    const std::string_view label = text.substr(0, at);
    // Calico adds labels of its own (projectcalico.org/namespace, …/orchestrator).
    if (label.find('=') != std::string_view::npos && !label.starts_with("projectcalico.org/") &&
        !label.starts_with("pcns.")) {
      end.labels.push_back(label);
    }
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + kBetween.size());
  }
}

void GoldmaneParser::labels(FlowEnd& end) {
  std::string_view text;
  if (!json_.is_array()) {
    if (json_.take_string(text)) {
      label_text(text, end);
    }
    return;
  }
  json_.enter_array();
  while (json_.next_item()) {
    if (json_.take_string(text)) {
      label_text(text, end);
    }
  }
}

/// Names that stand for networks (protoToName of whisker-backend/pkg/handlers/v1/protoconvert.go).
void GoldmaneParser::network(std::string_view type, FlowEnd& end) {
  const bool is_public = end.pod == "pub" || end.pod == "PUBLIC NETWORK";
  const bool is_private = end.pod == "pvt" || end.pod == "PRIVATE NETWORK";
  if (end.name_space.empty() && (is_public || is_private)) {
    end.hint = !end.ip.is_unspecified() ? EndHint::world
               : is_public              ? EndHint::public_network
                                        : EndHint::private_network;
    end.pod = {};
  } else if (type == "hep") {
    end.hint = EndHint::remote_node;
  }
}

LineResult GoldmaneParser::judge(Flow& flow) {
  if (has_address_problem_) {
    return damaged("an address is none");
  }
  if (has_port_problem_) {
    return damaged("a port is no number from 0 to 65535");
  }
  const auto protocol = protocol_of(protocol_);
  if (!protocol) {
    return protocol_.empty() ? damaged("it holds no flow: its protocol is missing") : skipped(Skipped::not_ip);
  }
  if (flow.time == kNoTime) {
    return damaged("its start_time is missing or none");
  }
  flow.protocol = *protocol;
  if (*protocol <= FlowProtocol::sctp && flow.destination_port == 0) {
    return damaged("its dest_port is missing");
  }
  network(source_type_, flow.source);
  network(destination_type_, flow.destination);
  flow.is_reply = Known::no;
  flow.is_aggregate = true;
  flow.reporter = is_word(reporter_, "src")   ? Reporter::egress
                  : is_word(reporter_, "dst") ? Reporter::ingress
                                              : Reporter::unknown;
  flow.verdict = is_word(action_, "allow")  ? Recorded::forwarded
                 : is_word(action_, "deny") ? Recorded::dropped
                                            : Recorded::unknown;
  if (flow.verdict == Recorded::dropped) {
    flow.drop_cause = DropCause::policy;
    flow.drop_reason = "Deny";
  }
  return LineResult::flow;
}

}  // namespace

std::unique_ptr<LineParser> goldmane_parser() {
  return std::make_unique<GoldmaneParser>();
}

}  // namespace podwire::flows
