#include "app/report/probe_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "app/report/escape.hpp"
#include "app/report/json.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

using scenario::ProbeRow;
using scenario::ProbeStep;
using workload::ProbeVerdict;

constexpr std::string_view kCorner = "from ↓ to →";
constexpr std::size_t kLeastColumns = 5;  // of one block of a table, however narrow the terminal
constexpr std::size_t kLongestList = 40;
constexpr std::size_t kTableWidth = 100;  // where destinations' names no longer fit, numbers stand for them

std::string sign(ProbeVerdict verdict, const Style& style) {
  switch (verdict) {
    case ProbeVerdict::allowed:
      return ".";
    case ProbeVerdict::denied:
      return style.bad("X");
    case ProbeVerdict::refused:
      return style.doubtful("r");
    case ProbeVerdict::unknown:
      break;
  }
  return style.doubtful("?");
}

struct Counts {
  std::size_t total = 0;
  std::size_t by[4] = {};
  void add(ProbeVerdict verdict) {
    ++total;
    ++by[static_cast<std::size_t>(verdict)];
  }
  std::size_t of(ProbeVerdict verdict) const { return by[static_cast<std::size_t>(verdict)]; }
};

Counts count(const ProbeStep& step) {
  Counts counts;
  for (const ProbeRow& row : step.rows) {
    counts.add(row.verdict);
  }
  return counts;
}

std::string counts_text(const Counts& counts) {
  std::string text = fmt::format("{} of {} allowed", counts.of(ProbeVerdict::allowed), counts.total);
  if (counts.of(ProbeVerdict::refused) > 0) {
    text += fmt::format(", {} refused", counts.of(ProbeVerdict::refused));
  }
  if (counts.of(ProbeVerdict::unknown) > 0) {
    text += fmt::format(", {} unknown", counts.of(ProbeVerdict::unknown));
  }
  return text;
}

const ProbeRow& row_at(const ProbeStep& step, std::size_t ports, std::size_t from, std::size_t to, std::size_t port) {
  return step.rows[(from * step.destinations.size() + to) * ports + port];
}

// Ports whose tables are the same, in order.
std::vector<std::vector<std::size_t>> alike(const ProbeStep& step, std::size_t ports) {
  std::vector<std::vector<std::size_t>> groups;
  std::map<std::vector<ProbeVerdict>, std::size_t> known;
  for (std::size_t port = 0; port < ports; ++port) {
    std::vector<ProbeVerdict> cells;
    for (std::size_t r = port; r < step.rows.size(); r += ports) {
      cells.push_back(step.rows[r].verdict);
    }
    const auto [at, is_new] = known.try_emplace(std::move(cells), groups.size());
    if (is_new) {
      groups.emplace_back();
    }
    groups[at->second].push_back(port);
  }
  return groups;
}

std::size_t table_width(const Style& style) {
  return style.width() == 0 ? kTableWidth : style.width();
}

std::size_t longest(const std::vector<std::string>& names) {
  std::size_t width = 0;
  for (const std::string& name : names) {
    width = std::max(width, display_width(printable(name)));
  }
  return width;
}

bool fits(const ProbeStep& step, const Style& style) {
  std::size_t width = 6 + longest(step.sources);
  for (const std::string& name : step.destinations) {
    width += 2 + display_width(printable(name));
  }
  return width <= table_width(style);
}

std::string named_grid(const ProbeStep& step, std::size_t ports, std::size_t port, const Style& style) {
  TextTable table;
  table.column(std::string(kCorner));
  for (const std::string& name : step.destinations) {
    table.column(printable(name));
  }
  for (std::size_t from = 0; from < step.sources.size(); ++from) {
    std::vector<std::string> cells = {printable(step.sources[from])};
    for (std::size_t to = 0; to < step.destinations.size(); ++to) {
      cells.push_back(sign(row_at(step, ports, from, to, port).verdict, style));
    }
    table.row(std::move(cells));
  }
  return table.to_string(4, style);
}

// Its beginning and its end: what tells pods of one owner apart stands there.
std::string shortened(std::string name, std::size_t width) {
  if (display_width(name) <= width) {
    return name;
  }
  const auto is_inside = [&](std::size_t at) { return (static_cast<unsigned char>(name[at]) & 0xC0u) == 0x80u; };
  std::size_t head = width - 1 - width / 2;
  while (head > 0 && is_inside(head)) {
    --head;
  }
  std::size_t tail = name.size() - width / 2;
  while (tail < name.size() && is_inside(tail)) {
    ++tail;
  }
  return name.substr(0, head) + "…" + name.substr(tail);
}

// Numbers for destinations, as close as they go, in as many blocks as the width asks for.
std::string numbered_grid(const ProbeStep& step, std::size_t ports, std::size_t port, const Style& style) {
  const std::size_t width = table_width(style);
  const std::size_t count = step.destinations.size();
  const std::size_t cell = 1 + std::to_string(count).size();
  const std::size_t head = std::max(display_width(kCorner), std::min(longest(step.sources), width / 2));
  const std::size_t columns = std::max(kLeastColumns, width > 5 + head ? (width - 5 - head) / cell : 0);
  const auto padded = [](std::size_t to, std::size_t from) { return std::string(to > from ? to - from : 0, ' '); };
  std::string out;
  for (std::size_t begin = 0; begin < count; begin += columns) {
    const std::size_t end = std::min(begin + columns, count);
    out += fmt::format("{}    {}{} ", begin == 0 ? "" : "\n", kCorner, padded(head, display_width(kCorner)));
    for (std::size_t to = begin; to < end; ++to) {
      out += fmt::format("{:>{}}", to + 1, cell);
    }
    out += "\n";
    for (std::size_t from = 0; from < step.sources.size(); ++from) {
      const std::string name = shortened(printable(step.sources[from]), head);
      out += "    " + name + padded(head, display_width(name)) + " ";
      for (std::size_t to = begin; to < end; ++to) {
        out += padded(cell, 1) + sign(row_at(step, ports, from, to, port).verdict, style);
      }
      out += "\n";
    }
  }
  return out;
}

// By names, because pods come and go between steps.
using Cells = std::map<std::tuple<std::string, std::string, std::size_t>, const ProbeRow*>;
Cells cells_of(const ProbeStep& step) {
  Cells cells;
  for (const ProbeRow& row : step.rows) {
    cells[{step.sources[row.source], step.destinations[row.destination], row.port}] = &row;
  }
  return cells;
}

std::string place_text(const ProbeView& view, const Span& span) {
  return span.is_known() ? fmt::format(" ({})", view.sources->file_and_line(span)) : "";
}

std::string changes(const ProbeView& view, const ProbeStep& before, const ProbeStep& after, const Style& style) {
  const Cells was = cells_of(before);
  TextTable table;
  for (const char* title : {"", "", "", "", ""}) {
    table.column(title);
  }
  std::size_t total = 0;
  Counts added;
  const Cells is = cells_of(after);
  for (const auto& [key, row] : is) {
    const auto at = was.find(key);
    if (at == was.end()) {
      added.add(row->verdict);
      continue;
    }
    if (at->second->verdict == row->verdict) {
      continue;
    }
    if (++total <= kLongestList) {
      table.row({printable(std::get<0>(key)), "→ " + printable(std::get<1>(key)),
                 view.options->ports[std::get<2>(key)].to_string(),
                 fmt::format("{} → {}", to_string(at->second->verdict), to_string(row->verdict)),
                 style.dim(printable(row->because, 100) + place_text(view, row->span))});
    }
  }
  const std::size_t gone = was.size() - (is.size() - added.total);
  std::string out = total == 0   ? "  no probe changed"
                    : total == 1 ? std::string("  1 probe changed")
                                 : fmt::format("  {} probes changed", total);
  out += added.total == 0 ? "" : fmt::format(", {} new: {} allowed", added.total, added.of(ProbeVerdict::allowed));
  out += gone == 0 ? "\n" : fmt::format(", {} gone\n", gone);
  out += total == 0 ? "" : table.to_string(4, style);
  return total <= kLongestList ? out : out + fmt::format("    and {} more\n", total - kLongestList);
}

std::string step_title(const ProbeStep& step, std::size_t number) {
  return number == 0 ? "step 0, as the input says" : fmt::format("step {}, {}", number, printable(step.text, 200));
}

std::string seconds(Duration span) {
  return fmt::format("{:.3f}s", static_cast<double>(span.ps()) * 1e-12);
}

std::size_t refused_in(const scenario::ProbeResult& result) {
  std::size_t refused = 0;
  for (const ProbeStep& step : result.steps) {
    refused += count(step).of(ProbeVerdict::refused);
  }
  return refused;
}

ordered_json comparison_json(const ProbeView& view) {
  const auto rows = [&](const std::vector<scenario::ProbeComparison::Row>& from) {
    ordered_json list = ordered_json::array();
    for (const auto& row : from) {
      list.push_back({{"step", row.step},
                      {"source", row.source},
                      {"destination", row.destination},
                      {"port", row.port},
                      {"expected", row.played},
                      {"measured", row.measured},
                      {"because", row.because},
                      {"place", row.span.is_known() ? view.sources->file_and_line(row.span) : ""}});
    }
    return list;
  };
  return {{"compared", view.comparison->compared},
          {"disagreements", rows(view.comparison->disagreements)},
          {"missing", rows(view.comparison->missing)}};
}

}  // namespace

std::string probe_table(const ProbeView& view, const Style& style) {
  const scenario::ProbeResult& result = *view.result;
  const std::size_t ports = view.options->ports.size();
  std::string out = style.bold("probes") + "\n";
  for (std::size_t s = 0; s < result.steps.size(); ++s) {
    out += fmt::format("  {}: {}\n", step_title(result.steps[s], s), counts_text(count(result.steps[s])));
  }
  out += basis_table(view.basis, style);
  for (std::size_t s = 0; s < result.steps.size(); ++s) {
    const ProbeStep& step = result.steps[s];
    out += fmt::format("\n{}: {}\n", style.bold(step_title(step, s)), counts_text(count(step)));
    if (s > 0) {
      out += "  " + style.dim(fmt::format("made at {}, probed from {}", seconds(step.changed), seconds(step.begun))) +
             "\n" + changes(view, result.steps[s - 1], step, style);
    }
    const bool has_names = fits(step, style);
    for (const auto& group : alike(step, ports)) {
      std::vector<std::string> names;
      for (const std::size_t port : group) {
        names.push_back(view.options->ports[port].to_string());
      }
      out += fmt::format(
          "\n  {}\n{}", fmt::join(names, ", "),
          has_names ? named_grid(step, ports, group.front(), style) : numbered_grid(step, ports, group.front(), style));
    }
    if (!has_names && (s == 0 || step.destinations != result.steps[s - 1].destinations)) {
      std::string legend;
      for (std::size_t to = 0; to < step.destinations.size(); ++to) {
        legend += fmt::format("{}{}={}", to == 0 ? "" : ", ", to + 1, printable(step.destinations[to]));
      }
      out += "\n    " + wrapped(legend, 4, style.text_width()) + "\n";
    }
  }
  out += "\n  . allowed, X denied";
  out += refused_in(result) > 0 ? fmt::format(", r refused: nothing listens there ({})", refused_in(result)) : "";
  const bool has_unknown = std::any_of(result.steps.begin(), result.steps.end(), [](const scenario::ProbeStep& step) {
    return std::any_of(step.rows.begin(), step.rows.end(),
                       [](const scenario::ProbeRow& row) { return row.verdict == workload::ProbeVerdict::unknown; });
  });
  out += has_unknown ? ", ? unknown" : "";
  out += "\n";
  for (const std::string& note : result.notes) {
    out += fmt::format("  note: {}\n", printable(note, 300));
  }
  if (view.comparison) {
    out += "\n" + comparison_text(view, style);
  }
  return out;
}

std::string probe_csv(const ProbeView& view) {
  std::string out = "step,source,destination,protocol,port,allowed\n";
  for (std::size_t s = 0; s < view.result->steps.size(); ++s) {
    const ProbeStep& step = view.result->steps[s];
    for (const ProbeRow& row : step.rows) {
      const scenario::ProbePort& port = view.options->ports[row.port];
      out += fmt::format("{},{},{},{},{},{}\n", s, csv_field(step.sources[row.source]),
                         csv_field(step.destinations[row.destination]), to_string(port.protocol), port.port.number(),
                         scenario::csv_verdict(row.verdict));
    }
  }
  return out;
}

std::string probe_json(const ProbeView& view) {
  ordered_json steps = ordered_json::array();
  for (std::size_t s = 0; s < view.result->steps.size(); ++s) {
    const ProbeStep& step = view.result->steps[s];
    const Counts counts = count(step);
    ordered_json rows = ordered_json::array();
    for (const ProbeRow& row : step.rows) {
      rows.push_back({{"source", step.sources[row.source]},
                      {"destination", step.destinations[row.destination]},
                      {"protocol", std::string(to_string(view.options->ports[row.port].protocol))},
                      {"port", view.options->ports[row.port].port.number()},
                      {"verdict", std::string(to_string(row.verdict))},
                      {"outcome", std::string(workload::to_string(row.outcome))},
                      {"because", row.because},
                      {"place", row.span.is_known() ? view.sources->file_and_line(row.span) : ""}});
    }
    steps.push_back({{"step", s},
                     {"change", step.text},
                     {"changed", static_cast<double>(step.changed.ps()) * 1e-12},
                     {"begun", static_cast<double>(step.begun.ps()) * 1e-12},
                     {"allowed", counts.of(ProbeVerdict::allowed)},
                     {"denied", counts.of(ProbeVerdict::denied)},
                     {"refused", counts.of(ProbeVerdict::refused)},
                     {"unknown", counts.of(ProbeVerdict::unknown)},
                     {"probes", std::move(rows)}});
  }
  ordered_json object{
      {"apiVersion", "podwire/v1"},      {"scenario", view.name},
      {"basis", basis_json(view.basis)}, {"fingerprint", fmt::format("{:016x}", view.result->fingerprint)},
      {"notes", view.result->notes},     {"steps", std::move(steps)}};
  if (view.comparison) {
    object["comparison"] = comparison_json(view);
  }
  return write_json(object, false);
}

std::string comparison_text(const ProbeView& view, const Style& style) {
  const scenario::ProbeComparison& comparison = *view.comparison;
  std::string out =
      fmt::format("{} of {} measured probes disagree", comparison.disagreements.size(), comparison.compared);
  out = comparison.disagreements.empty() ? out + "\n" : style.bad(out) + "\n";
  TextTable table;
  for (const char* title : {"step", "source", "destination", "port", "expected", "measured", "because"}) {
    table.column(title);
  }
  for (const auto& row : comparison.disagreements) {
    table.row({std::to_string(row.step), printable(row.source), printable(row.destination), row.port, row.played,
               row.measured, printable(row.because, 200) + place_text(view, row.span)});
  }
  out += comparison.disagreements.empty() ? "" : table.to_string(2, style);
  if (!comparison.missing.empty()) {
    out += fmt::format("{} {} on one side alone\n", comparison.missing.size(),
                       comparison.missing.size() == 1 ? "probe is" : "probes are");
    for (std::size_t i = 0; i < std::min(comparison.missing.size(), kLongestList); ++i) {
      const auto& row = comparison.missing[i];
      out += fmt::format("  {}: {},{},{},{}\n", row.played.empty() ? "measured, not played" : "played, not measured",
                         row.step, printable(row.source), printable(row.destination), row.port);
    }
    if (comparison.missing.size() > kLongestList) {
      out += fmt::format("  and {} more\n", comparison.missing.size() - kLongestList);
    }
  }
  return out;
}

}  // namespace podwire::report
