#include "models/flows/reader.hpp"

#include <fmt/format.h>

#include <array>

#include "models/flows/line_parser.hpp"

namespace podwire::flows {
namespace {

/// The format of a line of JSON, by the keys that only one log has.
LogFormat format_of(config::JsonLine& json, std::string_view line) {
  std::string_view key;
  LogFormat format = LogFormat::unknown;
  if (!json.begin(line) || !json.is_object() || !json.enter_object()) {
    return format;
  }
  while (json.next_member(key)) {
    for (const std::string_view known :
         {"flow", "lost_events", "lostEvents", "node_status", "nodeStatus", "agent_event", "verdict", "IP"}) {
      format = key == known ? LogFormat::hubble : format;
    }
    for (const std::string_view known : {"Key", "key", "source_name", "source_name_aggr", "items", "flows"}) {
      format = key == known && format == LogFormat::unknown ? LogFormat::goldmane : format;
    }
    json.skip();
  }
  return json.end() ? format : LogFormat::unknown;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

struct FlowReader::Impl {
  Impl(std::string name_in, std::unique_ptr<config::ByteStream> stream, config::LineLimits limits)
      : name(std::move(name_in)), lines(std::move(stream), limits), max_line(limits.max_line) {}

  std::string name;
  config::LineReader lines;
  std::size_t max_line;
  config::JsonLine json;
  std::unique_ptr<LineParser> parser;
  LogFormat format = LogFormat::unknown;
  LogStatistics statistics;
  bool is_in_line = false;  // the parser may have more records of its line

  bool take(LineResult result);
  void damaged(std::string reason);
  bool choose(std::string_view line, bool& is_head);
  bool next_in_line(Flow& flow);
};

void FlowReader::Impl::damaged(std::string reason) {
  ++statistics.damaged;
  if (statistics.first_damaged.size() < kMostDamaged) {
    statistics.first_damaged.push_back({lines.line_number(), std::move(reason)});
  }
}

/// Chooses the parser by a line; false when it tells nothing.
bool FlowReader::Impl::choose(std::string_view line, bool& is_head) {
  is_head = false;
  const std::size_t first = line.find_first_not_of(" \t");
  if (line[first] != '{' && line[first] != '[' && !line.starts_with("data:")) {
    parser = csv_parser(line, is_head);
    format = parser == nullptr ? LogFormat::unknown : LogFormat::csv;
    return parser != nullptr;
  }
  format = line.starts_with("data:") ? LogFormat::goldmane : format_of(json, line);
  if (format == LogFormat::unknown) {
    return false;
  }
  parser = format == LogFormat::hubble ? hubble_parser() : goldmane_parser();
  return true;
}

bool FlowReader::Impl::take(LineResult result) {
  switch (result) {
    case LineResult::flow:
      ++statistics.records;
      return true;
    case LineResult::skipped:
      ++statistics.skipped[static_cast<std::size_t>(parser->kind())];
      return false;
    case LineResult::loss:
      ++statistics.loss_reports;
      statistics.lost_events += parser->lost();
      return false;
    case LineResult::damaged:
      statistics.is_cut_off = statistics.is_cut_off || lines.is_unfinished();
      damaged(parser->reason());
      return false;
  }
  return false;
}

bool FlowReader::Impl::next_in_line(Flow& flow) {
  while (is_in_line) {
    flow.clear();
    const auto result = parser->more(flow);
    is_in_line = result.has_value();
    if (result && take(*result)) {
      return true;
    }
  }
  return false;
}

FlowReader::FlowReader(std::string name, std::unique_ptr<config::ByteStream> stream, config::LineLimits limits)
    : impl_(std::make_unique<Impl>(std::move(name), std::move(stream), limits)) {}
FlowReader::~FlowReader() = default;
FlowReader::FlowReader(FlowReader&&) noexcept = default;
FlowReader& FlowReader::operator=(FlowReader&&) noexcept = default;

bool FlowReader::next(Flow& flow) {
  Impl& self = *impl_;
  if (self.next_in_line(flow)) {
    return true;
  }
  std::string_view line;
  for (;;) {
    const config::LineReader::Got got = self.lines.next(line);
    if (got == config::LineReader::Got::end) {
      self.statistics.problem = self.lines.problem();
      return false;
    }
    if (got == config::LineReader::Got::too_long) {
      ++self.statistics.lines;
      self.damaged(fmt::format("the line is longer than {} bytes (a record a line is read; `jq -c` writes it so)",
                               self.max_line));
      continue;
    }
    if (self.lines.line_number() == 1 && line.starts_with("\xef\xbb\xbf")) {
      line.remove_prefix(3);
    }
    if (is_blank(line)) {
      continue;
    }
    bool is_head = false;
    if (self.parser == nullptr && !self.choose(line, is_head)) {
      ++self.statistics.lines;
      self.damaged(
          "it is no flow of Hubble or Calico, a whole record a line (`jq -c .` writes it so), and no CSV table "
          "with time, source, destination and port");
      continue;
    }
    if (is_head) {
      continue;
    }
    ++self.statistics.lines;
    flow.clear();
    const LineResult result = self.parser->parse(line, flow);
    self.is_in_line = true;
    if (self.take(result) || self.next_in_line(flow)) {
      return true;
    }
  }
}

const std::string& FlowReader::name() const {
  return impl_->name;
}
LogFormat FlowReader::format() const {
  return impl_->format;
}
std::uint64_t FlowReader::line_number() const {
  return impl_->lines.line_number();
}
const LogStatistics& FlowReader::statistics() const {
  return impl_->statistics;
}

std::string_view to_string(LogFormat format) {
  constexpr std::array<std::string_view, 4> kNames = {"unknown", "Hubble", "Calico", "CSV"};
  return kNames[static_cast<std::size_t>(format)];
}

std::string_view to_string(Skipped kind) {
  constexpr std::array<std::string_view, kSkippedKinds> kNames = {"layer 7", "socket translation", "other events",
                                                                  "other protocols"};
  return kNames[static_cast<std::size_t>(kind)];
}

bool is_word(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != lower[i]) {
      return false;
    }
  }
  return true;
}

std::optional<FlowProtocol> protocol_of(std::string_view text) {
  struct Name {
    std::string_view word;
    FlowProtocol protocol;
  };
  // Numbers: IANA, Assigned Internet Protocol Numbers.
  constexpr Name kNames[] = {
      {"tcp", FlowProtocol::tcp},      {"6", FlowProtocol::tcp},       {"udp", FlowProtocol::udp},
      {"17", FlowProtocol::udp},       {"sctp", FlowProtocol::sctp},   {"132", FlowProtocol::sctp},
      {"icmp", FlowProtocol::icmp},    {"1", FlowProtocol::icmp},      {"icmpv4", FlowProtocol::icmp},
      {"icmpv6", FlowProtocol::icmp6}, {"icmp6", FlowProtocol::icmp6}, {"58", FlowProtocol::icmp6}};
  for (const Name& name : kNames) {
    if (is_word(text, name.word)) {
      return name.protocol;
    }
  }
  return std::nullopt;
}

std::optional<Recorded> verdict_of(std::string_view word) {
  for (const std::string_view known :
       {"forwarded", "allow", "allowed", "accept", "accepted", "pass", "permit", "true"}) {
    if (is_word(word, known)) {
      return Recorded::forwarded;
    }
  }
  for (const std::string_view known : {"dropped", "drop", "deny", "denied", "reject", "rejected", "block", "false"}) {
    if (is_word(word, known)) {
      return Recorded::dropped;
    }
  }
  return word.empty() || is_word(word, "unknown") || word == "-" ? std::optional(Recorded::unknown) : std::nullopt;
}

Known icmp_is_reply(FlowProtocol protocol, std::int16_t type) {
  if (protocol == FlowProtocol::icmp) {
    // Echo, timestamp and information requests begin something; all else answers or reports (RFC 792).
    return type == 8 || type == 13 || type == 15 || type == 17 ? Known::no : type < 0 ? Known::unknown : Known::yes;
  }
  return type == 128 ? Known::no : type < 0 ? Known::unknown : Known::yes;  // RFC 4443; neighbour discovery too
}

std::optional<std::uint16_t> port_of(std::int64_t number) {
  return number >= 0 && number <= 65'535 ? std::optional(static_cast<std::uint16_t>(number)) : std::nullopt;
}

}  // namespace podwire::flows
