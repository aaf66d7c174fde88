#include "app/report/matrix.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

constexpr std::size_t kLargestMatrix = 12;
constexpr std::size_t kLongestList = 40;

std::string cell_text(const ReachRecord& line) {
  std::string text = line.connections == "All Connections"  ? "all"
                     : line.connections == "No Connections" ? "–"
                                                            : line.connections;
  text += line.varies ? " *" : "";
  return line.is_unknown ? (line.connections == "No Connections" ? "?" : text + " ?") : text;
}

bool is_external(const std::string& peer) {
  return peer.ends_with("[External]");
}

std::string list(const std::vector<ReachRecord>& lines, std::size_t shown, const Style& style) {
  TextTable table;
  table.column("from");
  table.column("to");
  table.folding_column("connections");
  for (std::size_t i = 0; i < std::min(lines.size(), shown); ++i) {
    table.row({printable(lines[i].source), printable(lines[i].destination), printable(cell_text(lines[i]))});
  }
  std::string out = table.to_string(2, style);
  if (lines.size() > shown) {
    out += fmt::format("  and {} more (`podwire reach` lists all)\n", lines.size() - shown);
  }
  return out;
}

}  // namespace

std::string reach_matrix(const std::vector<ReachRecord>& lines, const Style& style) {
  std::set<std::string> names;
  std::map<std::pair<std::string, std::string>, std::string> cells;
  std::vector<ReachRecord> external;
  for (const ReachRecord& line : lines) {
    if (is_external(line.source) || is_external(line.destination)) {
      external.push_back(line);
      continue;
    }
    names.insert(line.source);
    names.insert(line.destination);
    cells[{line.source, line.destination}] = cell_text(line);
  }
  if (lines.empty()) {
    return "  no connection is allowed\n";
  }
  if (names.size() > kLargestMatrix) {
    return list(lines, kLongestList, style);
  }
  TextTable table;
  table.column("from ↓ to →");
  std::size_t number = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    table.column(fmt::format("[{}]", i + 1));
  }
  for (const std::string& source : names) {
    std::vector<std::string> row = {fmt::format("[{}] {}", ++number, printable(source))};
    for (const std::string& destination : names) {
      const auto at = cells.find({source, destination});
      row.push_back(source == destination ? "·" : at == cells.end() ? "–" : printable(at->second, 60));
    }
    table.row(std::move(row));
  }
  std::string out = names.empty() ? "" : table.to_string(2, style);
  if (!external.empty()) {
    out += (out.empty() ? "" : "\n") + list(external, kLongestList, style);
  }
  return out;
}

}  // namespace podwire::report
