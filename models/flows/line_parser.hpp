// What the formats' parsers share. Private to models/flows.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "models/flows/flow.hpp"
#include "models/flows/reader.hpp"
#include "sim/config/json_lines.hpp"

namespace podwire::flows {

/// Turns lines of one format into records. A line may hold several (a list): parse() gives the first, more() the rest.
class LineParser {
 public:
  virtual ~LineParser() = default;
  /// Fills `flow` (which was cleared). damaged: reason() says why; skipped: kind() says what; loss: lost() how many.
  virtual LineResult parse(std::string_view line, Flow& flow) = 0;
  /// The next record of the same line; nothing when there is none.
  virtual std::optional<LineResult> more(Flow&) { return std::nullopt; }
  const std::string& reason() const { return reason_; }
  Skipped kind() const { return kind_; }
  std::uint64_t lost() const { return lost_; }

 protected:
  LineResult damaged(std::string reason) {
    reason_ = std::move(reason);
    return LineResult::damaged;
  }
  LineResult skipped(Skipped kind) {
    kind_ = kind;
    return LineResult::skipped;
  }
  std::string reason_;
  Skipped kind_ = Skipped::other_event;
  std::uint64_t lost_ = 0;
};

std::unique_ptr<LineParser> hubble_parser();
std::unique_ptr<LineParser> goldmane_parser();
/// `head` is the first line; `is_head` tells whether it names columns. Null when it is neither that nor a record.
std::unique_ptr<LineParser> csv_parser(std::string_view head, bool& is_head);

/// Labels of one end are cut off beyond this many.
inline constexpr std::size_t kMostLabels = 256;

/// "TCP", "tcp", "6" …; nothing for what no policy names.
std::optional<FlowProtocol> protocol_of(std::string_view text);
/// What a word says about the fate of packets, in any spelling that people use: forwarded, allow, dropped, deny …
std::optional<Recorded> verdict_of(std::string_view word);
/// ICMP's errors and answers belong to what another packet began (RFC 792, RFC 4443).
Known icmp_is_reply(FlowProtocol protocol, std::int16_t type);
/// Compares without regard to case; `lower` is lower case.
bool is_word(std::string_view text, std::string_view lower);
/// 0–65535, else nothing.
std::optional<std::uint16_t> port_of(std::int64_t number);

}  // namespace podwire::flows
