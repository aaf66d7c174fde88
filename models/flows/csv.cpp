// Flows as a CSV table (RFC 4180, without line breaks in fields), for what no other format covers: a firewall's export,
// a query's result, a list by hand.
//
//   time,source,destination,port,protocol,verdict
//   2026-03-01T09:00:00Z,shop/web-0,shop/api-0,8080,TCP,forwarded
//
// Columns are found by their names in the head line, in any order; without a head line they stand as above. source and
// destination are an address, a pod (namespace/name) or a workload (namespace/kind/name). Optional: protocol (TCP),
// verdict, source_port, direction (egress, ingress), node.
#include <array>
#include <charconv>

#include "models/flows/line_parser.hpp"

namespace podwire::flows {
namespace {

enum class Column : std::uint8_t {
  time,
  source,
  destination,
  port,
  protocol,
  verdict,
  source_port,
  direction,
  node,
  other,
};
constexpr std::size_t kColumns = 10;
constexpr std::size_t kMostColumns = 256;

Column column_of(std::string_view name) {
  struct Name {
    std::string_view word;
    Column column;
  };
  constexpr Name kNames[] = {{"time", Column::time},
                             {"timestamp", Column::time},
                             {"start", Column::time},
                             {"source", Column::source},
                             {"src", Column::source},
                             {"destination", Column::destination},
                             {"dest", Column::destination},
                             {"dst", Column::destination},
                             {"port", Column::port},
                             {"destination_port", Column::port},
                             {"dest_port", Column::port},
                             {"dst_port", Column::port},
                             {"dport", Column::port},
                             {"protocol", Column::protocol},
                             {"proto", Column::protocol},
                             {"verdict", Column::verdict},
                             {"action", Column::verdict},
                             {"source_port", Column::source_port},
                             {"src_port", Column::source_port},
                             {"sport", Column::source_port},
                             {"direction", Column::direction},
                             {"reporter", Column::direction},
                             {"node", Column::node}};
  for (const Name& known : kNames) {
    if (is_word(name, known.word)) {
      return known.column;
    }
  }
  return Column::other;
}

/// The fields of a line; quoted ones without their quotes, in `scratch` where quotes are doubled. False when a quote is
/// not closed or there are too many.
bool split(std::string_view line, std::vector<std::string_view>& fields, std::string& scratch) {
  fields.clear();
  scratch.clear();
  scratch.reserve(line.size());
  std::size_t at = 0;
  for (;;) {
    if (fields.size() == kMostColumns) {
      return false;
    }
    if (at < line.size() && line[at] == '"') {
      const std::size_t begin = scratch.size();
      for (++at;; ++at) {
        if (at >= line.size()) {
          return false;
        }
        if (line[at] == '"') {
          if (at + 1 >= line.size() || line[at + 1] != '"') {
            break;
          }
          ++at;
        }
        scratch += line[at];
      }
      fields.push_back(std::string_view(scratch).substr(begin));
      ++at;
      if (at < line.size() && line[at] != ',') {
        return false;
      }
    } else {
      const std::size_t end = std::min(line.find(',', at), line.size());
      std::string_view field = line.substr(at, end - at);
      while (!field.empty() && field.front() == ' ') {
        field.remove_prefix(1);
      }
      while (!field.empty() && field.back() == ' ') {
        field.remove_suffix(1);
      }
      fields.push_back(field);
      at = end;
    }
    if (at >= line.size()) {
      return true;
    }
    ++at;
  }
}

/// Fills an end from a word; false when it is none.
bool read_end(std::string_view text, FlowEnd& end) {
  if (text.empty()) {
    return false;
  }
  if (const auto ip = IpAddress::parse(text)) {
    end.ip = *ip;
    return true;
  }
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size()) {
    return false;
  }
  end.name_space = text.substr(0, slash);
  const std::string_view rest = text.substr(slash + 1);
  const std::size_t second = rest.find('/');
  if (second == std::string_view::npos) {
    end.pod = rest;
    return true;
  }
  end.workload_kind = rest.substr(0, second);
  end.workload = rest.substr(second + 1);
  if (is_word(end.workload_kind, "service") || is_word(end.workload_kind, "svc")) {
    end.service = end.workload;
    end.service_namespace = end.name_space;
    end.name_space = end.workload = end.workload_kind = {};
    return !end.service.empty();
  }
  return !end.workload.empty();
}

std::optional<std::uint16_t> read_port(std::string_view text) {
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stop == text.data() + text.size() ? port_of(number) : std::nullopt;
}

class CsvParser : public LineParser {
 public:
  explicit CsvParser(std::vector<Column> columns) : columns_(std::move(columns)) {}

  LineResult parse(std::string_view line, Flow& flow) override {
    if (!split(line, fields_, scratch_)) {
      return damaged("a quote is not closed, or there are too many fields");
    }
    std::array<std::string_view, kColumns> values{};
    for (std::size_t i = 0; i < std::min(fields_.size(), columns_.size()); ++i) {
      values[static_cast<std::size_t>(columns_[i])] = fields_[i];
    }
    const auto value = [&](Column column) { return values[static_cast<std::size_t>(column)]; };
    flow.time = parse_time(value(Column::time));
    if (flow.time == kNoTime) {
      return damaged("its time is missing or none (write 2026-03-01T09:00:00Z, or seconds since 1970)");
    }
    if (!read_end(value(Column::source), flow.source) || !read_end(value(Column::destination), flow.destination)) {
      return damaged("an end is no address, namespace/pod or namespace/kind/name");
    }
    if (flow.source.ip.is_unspecified() && flow.source.pod.empty() && flow.source.workload.empty()) {
      return damaged("a Service is no source");
    }
    const std::string_view protocol = value(Column::protocol);
    const auto known = protocol.empty() ? std::optional(FlowProtocol::tcp) : protocol_of(protocol);
    if (!known) {
      return skipped(Skipped::not_ip);
    }
    flow.protocol = *known;
    const auto port = read_port(value(Column::port));
    if (*known <= FlowProtocol::sctp && (!port || *port == 0)) {
      return damaged("its port is no number from 1 to 65535");
    }
    flow.destination_port = port.value_or(0);
    flow.source_port = read_port(value(Column::source_port)).value_or(0);
    const auto verdict = verdict_of(value(Column::verdict));
    if (!verdict) {
      return damaged("its verdict is neither forwarded nor dropped");
    }
    flow.verdict = *verdict;
    if (flow.verdict == Recorded::dropped) {
      flow.drop_cause = DropCause::policy;
      flow.drop_reason = "dropped";
    }
    const std::string_view direction = value(Column::direction);
    flow.reporter = is_word(direction, "egress") || is_word(direction, "src")    ? Reporter::egress
                    : is_word(direction, "ingress") || is_word(direction, "dst") ? Reporter::ingress
                                                                                 : Reporter::unknown;
    flow.node = value(Column::node);
    flow.is_reply = Known::no;
    return LineResult::flow;
  }

 private:
  std::vector<Column> columns_;
  std::vector<std::string_view> fields_;
  std::string scratch_;
};

}  // namespace

std::unique_ptr<LineParser> csv_parser(std::string_view head, bool& is_head) {
  std::vector<std::string_view> fields;
  std::string scratch;
  is_head = false;
  if (!split(head, fields, scratch) || fields.size() < 4) {
    return nullptr;
  }
  std::vector<Column> columns;
  std::array<std::size_t, kColumns> seen{};
  for (const std::string_view field : fields) {
    columns.push_back(column_of(field));
    ++seen[static_cast<std::size_t>(columns.back())];
  }
  const auto has = [&](Column column) { return seen[static_cast<std::size_t>(column)] == 1; };
  if (has(Column::time) && has(Column::source) && has(Column::destination) && has(Column::port)) {
    is_head = true;
    return std::make_unique<CsvParser>(std::move(columns));
  }
  if (parse_time(fields[0]) == kNoTime) {
    return nullptr;
  }
  return std::make_unique<CsvParser>(
      std::vector{Column::time, Column::source, Column::destination, Column::port, Column::protocol, Column::verdict});
}

}  // namespace podwire::flows
