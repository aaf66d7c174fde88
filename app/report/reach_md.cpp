// `podwire reach -o md`: a table for each part. All that comes from the input stands in code spans: no markup, no
// mention of people, no links.
#include <fmt/format.h>

#include "app/report/escape.hpp"
#include "app/report/reach_report.hpp"

namespace podwire::report {
namespace {

constexpr std::size_t kCell = 160;  // bytes of a name

class MdPrinter : public ReachPrinter {
 public:
  MdPrinter(Sink sink, const ReachShown& shown) : sink_(std::move(sink)), shown_(shown) {}

  void begin_set(const std::string& name, const Basis& basis, const cluster::Cluster& cluster) override {
    cluster_ = &cluster;
    has_exposure_ = false;
    sink_(fmt::format("{}### Allowed connections{}\n\n", is_first_ ? "" : "\n",
                      shown_.names_sets ? ": " + md_code(name, kCell) : ""));
    is_first_ = false;
    sink_(fmt::format("- cluster: {}\n- policies: {}\n- network: {}\n", md_code(basis.cluster, 4 * kCell),
                      md_code(basis.policies, 4 * kCell), md_code(basis.cni, 2 * kCell)));
    for (const auto& [topic, text] : basis.assumptions) {
      sink_(fmt::format("- assumed: {}\n", md_code(text, 4 * kCell)));
    }
    for (const std::string& text : basis.unknown) {
      sink_(fmt::format("- not modelled: {}\n", md_code(text, 4 * kCell)));
    }
    for (const std::string& text : basis.ignored) {
      sink_(fmt::format("- ignored: {}\n", md_code(text, 4 * kCell)));
    }
    sink_("\n| source | destination | connections |\n|---|---|---|\n");
  }

  void row(const analysis::ReachRow& row) override {
    sink_(fmt::format("| {} | {} | {} |\n", md_code(row.source.name, kCell), md_code(row.destination.name, kCell),
                      md_code(reach_ports_text(row), 4 * kCell)));
  }

  void entry_points(const std::vector<analysis::EntryRow>& rows) override {
    if (rows.empty()) {
      return;
    }
    sink_(
        "\n#### Entry points\n\n| source | through | host and path | service | destination | connections | outcome |\n"
        "|---|---|---|---|---|---|---|\n");
    for (const analysis::EntryRow& row : rows) {
      sink_(fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", md_code(row.source, kCell), md_code(row.via, kCell),
                        md_code(row.host + row.path, kCell), md_code(row.service, kCell),
                        md_code(row.destination, kCell), md_code(row.connections, kCell),
                        md_code(entry_outcome_text(row), 4 * kCell)));
    }
  }

  void exposure(const analysis::ExposureLine& line) override {
    if (!has_exposure_) {
      sink_(
          "\n#### Exposure to pods that do not exist yet\n\n| workload | side | pods | connections | pods now |\n"
          "|---|---|---|---|---|\n");
      has_exposure_ = true;
    }
    sink_(fmt::format("| {} | {} | {} | {}{}{} | {} |\n", md_code(cluster_->workload_name(line.workload), kCell),
                      exposure_side(line), md_code(line.region.to_string(), 4 * kCell),
                      md_code(line.ports_text(), 4 * kCell), line.is_unknown ? " (unknown)" : "",
                      line.varies ? " (not for all of its pods)" : "", line.pods_now));
  }

  void unreached(const analysis::UnreachedUse& use) override {
    sink_(fmt::format("| {} | {} | {} |\n", md_code(unreached_end(use, true), kCell),
                      md_code(unreached_end(use, false), kCell), md_code(unreached_text(use), 4 * kCell)));
  }

  void uses(const ReachUses& uses) override {
    sink_(fmt::format("\n{}\n", md_code(uses_text(uses), 4 * kCell)));
    for (const std::string& note : uses.notes) {
      sink_(fmt::format("\n{}\n", md_code(note, 8 * kCell)));
    }
  }

  void end_set(const analysis::ReachSummary& summary) override {
    if (shown_.is_used_only) {
      return;
    }
    sink_(fmt::format("\n{} {}{}{}\n", summary.rows, summary.rows == 1 ? "connection" : "connections",
                      summary.unknown_rows > 0 ? fmt::format(", {} of them unknown", summary.unknown_rows) : "",
                      shown_.is_focused ? " (narrowed by --focus)" : ""));
  }

 private:
  Sink sink_;
  ReachShown shown_;
  const cluster::Cluster* cluster_ = nullptr;
  bool is_first_ = true;
  bool has_exposure_ = false;
};

}  // namespace

std::unique_ptr<ReachPrinter> reach_md(Sink sink, const ReachShown& shown) {
  return std::make_unique<MdPrinter>(std::move(sink), shown);
}

}  // namespace podwire::report
