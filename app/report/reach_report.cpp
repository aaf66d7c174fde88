#include "app/report/reach_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/report/escape.hpp"
#include "app/report/json.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

class TablePrinter : public ReachPrinter {
 public:
  TablePrinter(Sink sink, const Style& style, bool names_sets)
      : sink_(std::move(sink)), style_(style), names_sets_(names_sets) {}

  void begin_set(const std::string& name, const Basis& basis, const cluster::Cluster& cluster) override {
    // Rows are not kept, so the widths come from the names that may occur.
    constexpr std::size_t kExternalWidth = 41;  // 255.255.255.255-255.255.255.255[External]
    constexpr std::size_t kWidest = 60;
    width_ = basis.cluster.empty() ? 0 : kExternalWidth;
    for (std::size_t i = 0; i < cluster.workloads.size(); ++i) {
      width_ = std::max(width_, display_width(printable(cluster.workload_name(cluster::WorkloadId(i)))));
    }
    width_ = std::min(width_, kWidest);
    sink_(is_first_ ? "" : "\n");
    is_first_ = false;
    sink_(fmt::format("{}\n", style_.bold(names_sets_ ? "policy set " + printable(name) : "allowed connections")));
    sink_(basis_table(basis, style_) + "\n");
  }

  void row(const analysis::ReachRow& row) override {
    const std::string source = printable(row.source.name);
    const std::string destination = printable(row.destination.name);
    std::string ports = row.ports->to_string();
    notes_varying_ = notes_varying_ || row.varies;
    ports += row.varies ? " *" : "";
    ports += row.is_unknown ? (row.ports->empty() ? ", but unknown" : ", perhaps") : "";
    sink_(fmt::format("  {} → {} {}\n", padded(source), padded(destination),
                      row.is_unknown ? style_.doubtful(ports) : ports));
  }

  void end_set(const analysis::ReachSummary& summary) override {
    if (notes_varying_) {
      sink_("  " + style_.dim("* not between every two pods of these workloads") + "\n");
    }
    std::string line = fmt::format("\n  {} {} between {} workloads and the outside", summary.rows,
                                   summary.rows == 1 ? "connection" : "connections", summary.ends);
    if (summary.unknown_rows > 0) {
      line += style_.doubtful(
          fmt::format("; {} of them unknown (see above; --ignore-kind accepts a kind)", summary.unknown_rows));
    }
    sink_(line + "\n");
    notes_varying_ = false;
  }

 private:
  std::string padded(const std::string& text) const {
    const std::size_t width = display_width(text);
    return text + std::string(width < width_ ? width_ - width : 0, ' ');
  }

  Sink sink_;
  Style style_;
  bool names_sets_;
  bool is_first_ = true;
  bool notes_varying_ = false;
  std::size_t width_ = 0;
};

class JsonPrinter : public ReachPrinter {
 public:
  JsonPrinter(Sink sink, std::string scenario) : sink_(std::move(sink)), scenario_(std::move(scenario)) {}

  void begin() override {
    sink_(fmt::format("{{\"apiVersion\":\"podwire/v1\",\"scenario\":{},\"policySets\":[", inline_json(scenario_)));
  }
  void begin_set(const std::string& name, const Basis& basis, const cluster::Cluster&) override {
    sink_(fmt::format("{}\n{{\"policySet\":{},\n\"basis\":{},\n\"reachability\":[", is_first_set_ ? "" : ",",
                      inline_json(name), inline_json(basis_json(basis))));
    is_first_set_ = false;
    is_first_row_ = true;
  }
  void row(const analysis::ReachRow& row) override {
    ordered_json object{
        {"source", row.source.name}, {"destination", row.destination.name}, {"connections", row.ports->to_string()}};
    if (row.is_unknown) {
      object["unknown"] = true;
    }
    if (row.varies) {
      object["varies"] = true;
    }
    sink_(fmt::format("{}\n{}", is_first_row_ ? "" : ",", inline_json(object)));
    is_first_row_ = false;
  }
  void end_set(const analysis::ReachSummary&) override { sink_("\n]}"); }
  void end() override { sink_("\n]}\n"); }

 private:
  static std::string inline_json(const ordered_json& value) {
    std::string text = write_json(value, false);
    text.pop_back();  // the line break
    return text;
  }

  Sink sink_;
  std::string scenario_;
  bool is_first_set_ = true;
  bool is_first_row_ = true;
};

class CsvPrinter : public ReachPrinter {
 public:
  CsvPrinter(Sink sink, bool names_sets) : sink_(std::move(sink)), names_sets_(names_sets) {}

  void begin() override {
    sink_(names_sets_ ? "policySet,source,destination,connections\n" : "source,destination,connections\n");
  }
  void begin_set(const std::string& name, const Basis&, const cluster::Cluster&) override { name_ = name; }
  void row(const analysis::ReachRow& row) override {
    // A row that only may exist must not look like one that does.
    const std::string ports = row.ports->to_string() + (row.is_unknown ? " (unknown)" : "");
    std::vector<std::string> fields = {std::string(row.source.name), std::string(row.destination.name), ports};
    if (names_sets_) {
      fields.insert(fields.begin(), name_);
    }
    sink_(csv_line(fields));
  }
  void end_set(const analysis::ReachSummary&) override {}

 private:
  Sink sink_;
  bool names_sets_;
  std::string name_;
};

}  // namespace

std::unique_ptr<ReachPrinter> reach_table(Sink sink, const Style& style, bool names_sets) {
  return std::make_unique<TablePrinter>(std::move(sink), style, names_sets);
}

std::unique_ptr<ReachPrinter> reach_json(Sink sink, const std::string& scenario_name) {
  return std::make_unique<JsonPrinter>(std::move(sink), scenario_name);
}

std::unique_ptr<ReachPrinter> reach_csv(Sink sink, bool names_sets) {
  return std::make_unique<CsvPrinter>(std::move(sink), names_sets);
}

}  // namespace podwire::report
