// `podwire run -o table`: for whoever looks at night. The answer first, then what it rests on, then reasons and places.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "app/report/matrix.hpp"
#include "app/report/run_report.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

using Status = scenario::ExpectationResult::Status;

constexpr std::size_t kShownDrops = 15;

std::string headline(const SetReport& set, const Style& style) {
  std::uint64_t requests = 0;
  std::uint64_t ok = 0;
  for (const WorkloadRow& row : set.merged.workloads) {
    requests += row.requests;
    ok += row.ok;
  }
  std::size_t passed = 0;
  for (const ExpectationLine& line : set.merged.expectations) {
    passed += line.result.status == Status::passed ? 1 : 0;
  }
  std::string text;
  if (requests > 0) {
    text = fmt::format("{} of {} requests succeeded", scenario::format_share(ok, requests), requests);
  }
  if (const std::size_t all = set.merged.expectations.size(); all > 0) {
    const std::string part = passed == all ? fmt::format("{} of {} expectations met", passed, all)
                                           : fmt::format("{} of {} expectations not met", all - passed, all);
    text += (text.empty() ? "" : "; ") + (passed == all ? style.good(part) : style.bad(part));
  }
  return fmt::format("{}{}{}\n", style.bold("policy set " + printable(set.name)), text.empty() ? "" : ": ", text);
}

std::string outcome_text(const std::vector<std::pair<std::string, std::uint64_t>>& outcomes) {
  std::vector<std::string> parts;
  for (const auto& [outcome, count] : outcomes) {
    parts.push_back(fmt::format("{} {}", outcome, count));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string workload_table(const RunView& view, const Style& style) {
  TextTable table;
  // What is read first stands first; names may be long and come last.
  table.column("workload");
  table.column("requests", Align::right);
  table.column("success", Align::right);
  table.folding_column("outcomes");
  table.folding_column("from");
  table.folding_column("to");
  for (const WorkloadRow& row : view.workloads) {
    const std::string success = scenario::format_share(row.ok, row.requests);
    table.row({printable(row.name, 40), std::to_string(row.requests),
               row.ok == row.requests ? success : style.bad(success), outcome_text(row.outcomes),
               printable(row.from, 60), printable(row.to, 60)});
  }
  return table.to_string(2, style);
}

// What changed when, when nodes acted on it, and how requests fared between.
std::string change_table(const RunView& view, const Style& style) {
  if (view.changes.empty()) {
    return "";
  }
  TextTable changes;
  changes.column("at", Align::right);
  changes.column("first node", Align::right);
  changes.column("last node", Align::right);
  changes.column("change");
  const auto cell = [](const std::optional<double>& seconds) {
    return seconds ? scenario::format_seconds(*seconds) : std::string("–");
  };
  for (const ChangeLine& line : view.changes) {
    changes.row({scenario::format_seconds(line.at), cell(line.first_enforced), cell(line.last_enforced),
                 printable(line.text, 200)});
  }
  TextTable phases;
  phases.column("workload");
  phases.column("from", Align::right);
  phases.column("requests", Align::right);
  phases.column("success", Align::right);
  phases.column("outcomes");
  for (const WorkloadRow& row : view.workloads) {
    std::string name = printable(row.name, 40);
    for (const PhaseRow& phase : row.phases) {
      const std::string success = scenario::format_share(phase.ok, phase.requests);
      phases.row({name, phase.begins, std::to_string(phase.requests),
                  phase.ok == phase.requests ? success : style.bad(success), outcome_text(phase.outcomes)});
      name.clear();
    }
  }
  return "\n" + changes.to_string(2, style) + "\n" + phases.to_string(2, style);
}

std::string latency_table(const RunView& view, const Style& style) {
  TextTable table;
  table.column("latency");
  table.column("");
  table.column("p50", Align::right);
  table.column("p90", Align::right);
  table.column("p99", Align::right);
  bool lacks_samples = false;
  const auto cell = [&](const std::optional<double>& seconds) {
    lacks_samples = lacks_samples || !seconds;
    return seconds ? scenario::format_seconds(*seconds) : std::string("–");
  };
  for (const WorkloadRow& row : view.workloads) {
    std::string name = printable(row.name, 40);
    const std::pair<std::string_view, const Latency*> phases[] = {
        {"dns", &row.dns}, {"connect", &row.connect}, {"total", &row.total}};
    for (const auto& [phase, latency] : phases) {
      if (latency->count > 0) {
        table.row({name, std::string(phase), cell(latency->p50), cell(latency->p90), cell(latency->p99)});
        name.clear();
      }
    }
  }
  if (table.empty()) {
    return "";
  }
  return "\n" + table.to_string(2, style) +
         (lacks_samples ? "  " + style.dim("–: too few requests (p50 needs 20, p90 100, p99 1000)") + "\n" : "");
}

std::string drop_table(const RunView& view, const Style& style) {
  if (view.drops.empty()) {
    return "";
  }
  TextTable table;
  table.column("packets lost", Align::right);
  table.column("reason");
  table.column("where");
  table.folding_column("rule");
  table.folding_column("workload");
  for (std::size_t i = 0; i < std::min(view.drops.size(), kShownDrops); ++i) {
    const DropLine& drop = view.drops[i];
    std::string rule = printable(drop.rule);
    if (!drop.place.empty()) {
      rule += fmt::format("{}{}", rule.empty() ? "" : " at ", printable(drop.place));
    }
    table.row({std::to_string(drop.packets), printable(drop.reason), printable(drop.where), rule,
               printable(drop.workload, 40)});
  }
  std::string out = "\n" + table.to_string(2, style);
  if (view.drops.size() > kShownDrops) {
    out += fmt::format("  and {} more kinds of losses (-o json lists all)\n", view.drops.size() - kShownDrops);
  }
  return out;
}

std::string expectation_text(const ExpectationLine& line, const Style& style) {
  const scenario::ExpectationResult& result = line.result;
  if (result.status == Status::passed) {
    return fmt::format("  {} {}: {}\n", style.good("✓"), printable(result.subject, 300),
                       printable(result.measured, 300));
  }
  const bool failed = result.status == Status::failed;
  std::string out = fmt::format("  {} {}\n", failed ? style.bad("✗") : style.doubtful("?"),
                                style.bold(printable(result.subject, 300)));
  const auto add = [&](std::string_view topic, const std::string& text) {
    if (!text.empty()) {
      out += fmt::format("      {:<9} {}\n", topic, wrapped(printable(text, 2000), 16, style.text_width()));
    }
  };
  add("expected", result.expected + (line.place.empty() ? "" : fmt::format("  ({})", line.place)));
  add("measured", result.measured);
  add("because", result.because + (line.rule_place.empty() ? "" : fmt::format(" at {}", line.rule_place)));
  if (line.seed_count > 1) {
    add("seeds", fmt::format("did not pass in {} of {}: {}", line.seeds.size(), line.seed_count,
                             fmt::join(line.seeds.begin(),
                                       line.seeds.begin() +
                                           static_cast<std::ptrdiff_t>(std::min<std::size_t>(line.seeds.size(), 10)),
                                       ", ")));
  }
  return out;
}

std::string expectations_text(const RunView& view, const Style& style) {
  if (view.expectations.empty()) {
    return "";
  }
  std::string out = "\n  " + style.dim("expectations") + "\n";
  for (const ExpectationLine& line : view.expectations) {
    out += expectation_text(line, style);
  }
  return out;
}

std::string set_table(const SetReport& set, const Style& style) {
  std::string out = headline(set, style) + basis_table(set.basis, style);
  if (has_unknown(set)) {
    out += "  " + style.doubtful("Connections marked ? are unknown; --ignore-kind KIND accepts a kind.") + "\n";
  }
  for (const std::string& note : set.merged.notes) {
    out += fmt::format("  {}       {}\n", style.dim("note"), wrapped(printable(note), 13, style.text_width()));
  }
  if (!set.merged.workloads.empty()) {
    out += "\n" + workload_table(set.merged, style) + change_table(set.merged, style) +
           latency_table(set.merged, style) + drop_table(set.merged, style);
  }
  out += "\n" + reach_matrix(set.reachability, style);
  return out + expectations_text(set.merged, style);
}

std::string count_line(const RunCounts& counts, const Style& style) {
  if (counts.expectations == 0) {
    return "";
  }
  const auto plural = [](std::size_t n, std::string_view word) {
    return fmt::format("{} {}{}", n, word, n == 1 ? "" : "s");
  };
  std::string text = fmt::format("{}, {}: {} passed, {} failed", plural(counts.scenarios, "scenario"),
                                 plural(counts.expectations, "expectation"), counts.passed, counts.failed);
  if (counts.inconclusive > 0) {
    text += fmt::format(", {} inconclusive", counts.inconclusive);
  }
  return "\n" +
         (counts.failed > 0         ? style.bad(text)
          : counts.inconclusive > 0 ? style.doubtful(text)
                                    : style.good(text)) +
         "\n";
}

}  // namespace

std::string run_table(const std::vector<RunReport>& reports, const Style& style) {
  std::string out;
  for (const RunReport& report : reports) {
    out += fmt::format("{}{}  {}\n", out.empty() ? "" : "\n", style.bold(printable(report.name)),
                       report.name == report.path ? "" : style.dim(printable(report.path)));
    for (const SetReport& set : report.policy_sets) {
      out += "\n" + set_table(set, style);
    }
  }
  return out + count_line(count(reports), style);
}

}  // namespace podwire::report
