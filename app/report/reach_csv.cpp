// `podwire reach -o csv`: three columns; where entry points or exposure are wanted too, six more, in which connections
// between workloads leave the new ones empty.
#include <fmt/format.h>

#include "app/report/escape.hpp"
#include "app/report/reach_report.hpp"

namespace podwire::report {
namespace {

class CsvPrinter : public ReachPrinter {
 public:
  CsvPrinter(Sink sink, const ReachShown& shown)
      : sink_(std::move(sink)),
        shown_(shown),
        is_wide_((shown.has_entry_points || shown.has_exposure) && !shown.is_used_only) {}

  void begin() override {
    sink_(fmt::format("{}source,destination,connections{}\n", shown_.names_sets ? "policySet," : "",
                      is_wide_              ? ",via,host,path,service,outcome,note"
                      : shown_.is_used_only ? ",verdict,rule"
                                            : ""));
  }
  void begin_set(const std::string& name, const Basis&, const cluster::Cluster& cluster) override {
    name_ = name;
    cluster_ = &cluster;
  }
  void row(const analysis::ReachRow& row) override {
    // A row that only may exist must not look like one that does.
    std::vector<std::string> fields = {std::string(row.source.name), std::string(row.destination.name),
                                       row.ports->to_string() + (row.is_unknown ? " (unknown)" : "")};
    if (shown_.is_used_only) {
      fields.insert(fields.end(), {row.is_unknown ? "unknown" : "allowed", ""});
    }
    write(std::move(fields));
  }
  void entry_points(const std::vector<analysis::EntryRow>& rows) override {
    for (const analysis::EntryRow& row : rows) {
      write({row.source, row.destination, row.connections, row.via, row.host, row.path, row.service,
             std::string(to_string(row.outcome)), row.note});
    }
  }
  void exposure(const analysis::ExposureLine& line) override {
    std::string region = "{" + line.region.to_string() + "}";
    std::string workload = cluster_->workload_name(line.workload);
    if (line.direction == policy::Direction::egress) {
      std::swap(region, workload);
    }
    write({region, workload, line.ports_text(), "exposure", "", "", "", line.is_unknown ? "unknown" : "allowed",
           line.varies ? "not for all of its pods" : ""});
  }
  void unreached(const analysis::UnreachedUse& use) override {
    constexpr std::string_view kWords[] = {"allowed", "denied", "unknown"};
    write({unreached_end(use, true), unreached_end(use, false), use.ports.to_string(),
           std::string(kWords[static_cast<std::size_t>(use.side.action)]), use.side.rule});
  }
  void end_set(const analysis::ReachSummary&) override {}

 private:
  void write(std::vector<std::string> fields) {
    constexpr std::size_t kWide = 9;
    if (is_wide_) {
      fields.resize(kWide);
    }
    if (shown_.names_sets) {
      fields.insert(fields.begin(), name_);
    }
    sink_(csv_line(fields));
  }

  Sink sink_;
  ReachShown shown_;
  bool is_wide_;
  std::string name_;
  const cluster::Cluster* cluster_ = nullptr;
};

}  // namespace

std::unique_ptr<ReachPrinter> reach_csv(Sink sink, const ReachShown& shown) {
  return std::make_unique<CsvPrinter>(std::move(sink), shown);
}

}  // namespace podwire::report
