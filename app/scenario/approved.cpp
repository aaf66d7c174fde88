// Reading and applying approved changes; see approved.hpp.
#include "app/scenario/approved.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::scenario {
namespace {

using analysis::DiffCause;
using policy::PortSet;

template <class T>
bool read_number(std::string_view text, T& value) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && error == std::errc() && stop == text.data() + text.size();
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) {
    text.remove_prefix(1);
  }
  while (text.ends_with(' ')) {
    text.remove_suffix(1);
  }
  return text;
}

/// "80" or "8000-8099".
bool read_range(std::string_view text, PortSet::Range& range) {
  const std::size_t dash = text.find('-');
  return read_number(text.substr(0, dash), range.first) &&
         (dash == text.npos ? read_number(text, range.last) : read_number(text.substr(dash + 1), range.last)) &&
         range.first >= 1 && range.first <= range.last;
}

/// A name as reach writes it, or addresses: a CIDR, one address, FIRST-LAST with or without [External].
std::optional<Approval::End> parse_end(std::string_view text) {
  constexpr std::string_view kExternal = "[External]";
  if (text.ends_with(kExternal)) {
    text.remove_suffix(kExternal.size());
  } else if (text.ends_with(']') && text.find('/') != text.npos && text.find('[') > text.find('/')) {
    return Approval::End{.name = std::string(text)};
  }
  if (const auto cidr = Cidr::parse(text)) {
    return Approval::End{.name = "", .range = {cidr->first(), cidr->last()}};
  }
  const std::size_t dash = text.find('-');
  const auto first = IpAddress::parse(text.substr(0, dash));
  const auto last = dash == text.npos ? first : IpAddress::parse(text.substr(dash + 1));
  if (!first || !last || first->family() != last->family() || *last < *first) {
    return std::nullopt;
  }
  return Approval::End{.name = "", .range = {*first, *last}};
}

bool covers(const Approval::End& approved, const analysis::DiffEnd& end) {
  if (!end.is_external) {
    return approved.name == end.name;
  }
  return approved.name.empty() && approved.range.first.family() == end.range.first.family() &&
         approved.range.first <= end.range.first && end.range.second <= approved.range.second;
}

class EntryReader {
 public:
  EntryReader(config::Node node, std::size_t number, Diagnostics& diagnostics)
      : reader_(node, fmt::format("approved change {}", number), diagnostics), node_(node) {}

  std::optional<Approval> read() {
    Approval entry;
    entry.span = node_.span();
    entry.source = text("source");
    entry.destination = text("destination");
    entry.connections = text("connections");
    const auto change =
        reader_.require("change").is_null() ? std::nullopt : reader_.choice("change", {"opened", "closed"});
    entry.is_opening = change.value_or(0) == 0;
    entry.owner = text("owner");
    entry.reason = text("reason");
    const std::string expires = text("expires");
    end("source", entry.source, entry.from);
    end("destination", entry.destination, entry.to);
    if (entry.connections == "*") {
      entry.ports = PortSet::all();
    } else if (const auto ports = parse_connections(entry.connections)) {
      entry.ports = *ports;
    } else if (!entry.connections.empty()) {
      reader_.error("bad-value", fmt::format("\"{}\" names no connections", printable(entry.connections, 80)),
                    reader_.get("connections"), "write them as diff does (TCP 80,443,8000-8099,UDP 53), or * for all");
      is_good_ = false;
    }
    if (const auto date = parse_date(expires)) {
      entry.expires = *date;
    } else if (!expires.empty()) {
      reader_.error("bad-date", fmt::format("\"{}\" is no day of the calendar", printable(expires, 40)),
                    reader_.get("expires"), "write it as 2026-12-31");
      is_good_ = false;
    }
    reader_.finish();
    return is_good_ && change ? std::optional(std::move(entry)) : std::nullopt;
  }

 private:
  std::string text(std::string_view key) {
    const config::Node node = reader_.require(key);
    const auto value = node.is_null() ? std::nullopt : reader_.string(key);
    if (node.is_present() && (node.is_null() || (value && trimmed(*value).empty()))) {
      reader_.error("bad-value", fmt::format("\"{}\" is empty", key), node);
    }
    is_good_ = is_good_ && value && !trimmed(*value).empty();
    return std::string(trimmed(value.value_or("")));
  }

  void end(std::string_view key, const std::string& written, Approval::End& into) {
    if (written.empty()) {
      return;
    }
    if (const auto parsed = parse_end(written)) {
      into = *parsed;
      return;
    }
    reader_.error("bad-value", fmt::format("\"{}\" is neither a workload nor addresses", printable(written, 80)),
                  reader_.get(key),
                  "write it as diff does: namespace/name[Deployment], a CIDR, or FIRST-LAST for addresses outside");
    is_good_ = false;
  }

  config::ObjectReader reader_;
  config::Node node_;
  bool is_good_ = true;
};

}  // namespace

std::string Date::to_string() const {
  return fmt::format("{:04}-{:02}-{:02}", year, month, day);
}

std::optional<Date> parse_date(std::string_view text) {
  Date date;
  if (text.size() != 10 || text[4] != '-' || text[7] != '-' || !read_number(text.substr(0, 4), date.year) ||
      !read_number(text.substr(5, 2), date.month) || !read_number(text.substr(8, 2), date.day) || date.year < 1) {
    return std::nullopt;
  }
  const std::chrono::year_month_day day{std::chrono::year(date.year), std::chrono::month(date.month),
                                        std::chrono::day(date.day)};
  return day.ok() ? std::optional(date) : std::nullopt;
}

std::optional<PortSet> parse_connections(std::string_view text) {
  if (text == "All Connections") {
    return PortSet::all();
  }
  std::vector<PortSet::Range> ranges;
  std::optional<IpProtocol> protocol;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view item = trimmed(text.substr(0, comma));
    if (const std::size_t space = item.find(' '); space != item.npos) {
      protocol = parse_protocol(item.substr(0, space));
      item = trimmed(item.substr(space + 1));
    }
    PortSet::Range range;
    if (!protocol || !read_range(item, range)) {
      return std::nullopt;
    }
    range.protocol = *protocol;
    ranges.push_back(range);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return ranges.empty() ? std::nullopt : std::optional(PortSet::of(std::move(ranges)));
}

Unapproved Approvals::judge(const analysis::DiffRow& row) {
  Unapproved left{.opened = row.opened, .closed = row.closed};
  if (row.cause == DiffCause::unknown) {
    return left;
  }
  for (Approval& entry : entries_) {
    const PortSet& change = entry.is_opening ? row.opened : row.closed;
    if (!covers(entry.from, row.source) || !covers(entry.to, row.destination) ||
        change.intersected_with(entry.ports).empty()) {
      continue;
    }
    ++entry.matches;
    if (!is_expired(entry)) {
      PortSet& rest = entry.is_opening ? left.opened : left.closed;
      rest = analysis::ports_without(rest, entry.ports);
    }
  }
  return left;
}

std::vector<Approval> read_approvals(const config::Document& document, Diagnostics& diagnostics) {
  std::vector<Approval> entries;
  std::size_t number = 0;
  const auto read_list = [&](config::Node list) {
    for (const config::Node item : list) {
      ++number;
      if (!item.is_mapping()) {
        diagnostics.error("wrong-type", fmt::format("approved change {} is a mapping", number), item.span(),
                          "source, destination, connections, change, owner, reason, expires");
        continue;
      }
      if (auto entry = EntryReader(item, number, diagnostics).read()) {
        entries.push_back(std::move(*entry));
      }
    }
  };
  for (const config::Node root : document.roots()) {
    if (root.is_sequence()) {
      read_list(root);
      continue;
    }
    if (!root.is_mapping()) {
      diagnostics.error("wrong-type", "approved changes are a list", root.span());
      continue;
    }
    config::ObjectReader reader(root, "approved changes", diagnostics);
    const config::Node list = reader.require("entries");
    reader.finish();
    if (list.is_present() && !list.is_sequence() && !list.is_null()) {
      diagnostics.error("wrong-type", "\"entries\" is a list", list.span());
    } else {
      read_list(list);
    }
  }
  return entries;
}

}  // namespace podwire::scenario
