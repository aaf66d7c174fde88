// `podwire reach -o table`.
#include <fmt/format.h>

#include <algorithm>

#include "app/report/reach_report.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

class TablePrinter : public ReachPrinter {
 public:
  TablePrinter(Sink sink, const Style& style, const ReachShown& shown)
      : sink_(std::move(sink)), style_(style), shown_(shown) {}

  void begin_set(const std::string& name, const Basis& basis, const cluster::Cluster& cluster) override {
    // Rows are not kept, so the widths come from the names that may occur.
    constexpr std::size_t kExternalWidth = 41;  // 255.255.255.255-255.255.255.255[External]
    constexpr std::size_t kWidest = 60;
    width_ = basis.cluster.empty() ? 0 : kExternalWidth;
    for (std::size_t i = 0; i < cluster.workloads.size(); ++i) {
      width_ = std::max(width_, display_width(printable(cluster.workload_name(cluster::WorkloadId(i)))));
    }
    if (shown_.is_pod_level) {
      for (std::size_t i = 0; i < cluster.pods.size(); ++i) {
        width_ = std::max(width_, display_width(printable(cluster.full_pod_name(cluster::PodId(i)))));
      }
    }
    width_ = std::min(width_, kWidest);
    cluster_ = &cluster;
    has_exposure_ = false;
    sink_(is_first_ ? "" : "\n");
    is_first_ = false;
    sink_(
        fmt::format("{}\n", style_.bold(shown_.names_sets ? "policy set " + printable(name) : "allowed connections")));
    sink_(basis_table(basis, style_) + "\n");
  }

  void row(const analysis::ReachRow& row) override {
    const std::string source = printable(row.source.name);
    const std::string destination = printable(row.destination.name);
    std::string ports = connections_text(row);
    notes_varying_ = notes_varying_ || row.varies;
    ports += row.varies ? " *" : "";
    ports += row.is_unknown ? (row.ports->empty() ? ", but unknown" : ", perhaps") : "";
    sink_(fmt::format("  {} → {} {}\n", padded(source), padded(destination),
                      row.is_unknown ? style_.doubtful(ports) : ports));
  }

  void entry_points(const std::vector<analysis::EntryRow>& rows) override {
    note_varying();
    if (rows.empty()) {
      return;
    }
    sink_(fmt::format("\n{}\n", style_.bold("entry points")));
    for (const analysis::EntryRow& row : rows) {
      const std::string url = row.host + row.path;
      sink_(fmt::format("  {} → {} {}\n", padded(printable(row.source.empty() ? "nobody" : row.source)),
                        padded(printable(row.destination.empty() ? "nothing" : row.destination)),
                        printable(row.connections)));
      sink_("    " +
            wrapped(fmt::format("{}{}{} → service {}", printable(row.via), url.empty() ? "" : " ", printable(url),
                                printable(row.service.empty() ? "none" : row.service)),
                    4) +
            "\n");
      if (row.outcome != analysis::EntryRow::Outcome::allowed || !row.note.empty()) {
        const std::string text = printable(entry_outcome_text(row), kLongest);
        const bool is_doubtful = row.outcome == analysis::EntryRow::Outcome::unknown;
        sink_("    " + (is_doubtful ? style_.doubtful(wrapped(text, 4)) : wrapped(text, 4)) + "\n");
      }
    }
  }

  void exposure(const analysis::ExposureLine& line) override {
    note_varying();
    if (!has_exposure_) {
      sink_(fmt::format("\n{}\n", style_.bold("exposure to pods that do not exist yet")));
      has_exposure_ = true;
    }
    const std::string workload = printable(cluster_->workload_name(line.workload));
    std::string text =
        fmt::format("{}: {}", printable(line.region.to_string(), kLongest), printable(line.ports_text(), kLongest));
    text += line.varies ? " (not for all of its pods)" : "";
    text += line.is_unknown ? ", perhaps" : "";
    text += line.pods_now == 0 ? style_.dim(" (no pod now)") : "";
    sink_(
        fmt::format("  {} {} {}\n", padded(workload), line.direction == policy::Direction::ingress ? "←" : "→", text));
  }

  void unreached(const analysis::UnreachedUse& use) override {
    note_varying();
    const bool is_allowed = use.side.action == policy::Action::allow;
    if (!has_unreached_ && !is_allowed) {
      sink_(fmt::format("\n{}\n", style_.bold("used, and not allowed")));
      has_unreached_ = true;
    }
    const std::string ports = use.ports.to_string();
    sink_(fmt::format("  {} → {} {}\n", padded(printable(unreached_end(use, true))),
                      padded(printable(unreached_end(use, false))), is_allowed ? ports : style_.bad(ports)));
    if (!is_allowed) {
      const std::string text = unreached_text(use);
      sink_("    " +
            wrapped(printable(text.substr(text.find('(') + 1, text.size() - text.find('(') - 2), kLongest), 4) + "\n");
    }
  }

  void uses(const ReachUses& uses) override {
    note_varying();
    sink_("\n  " + wrapped(printable(uses_text(uses), 2000), 2) + "\n");
    for (const std::string& note : uses.notes) {
      sink_("  " + wrapped(printable(note, 2000), 4) + "\n");
    }
    has_unreached_ = false;
  }

  void end_set(const analysis::ReachSummary& summary) override {
    note_varying();
    if (shown_.is_used_only) {
      if (summary.unknown_rows > 0) {
        sink_("  " + style_.doubtful("some are unknown (see above; --ignore-kind accepts a kind)") + "\n");
      }
      return;
    }
    std::string line = fmt::format("\n  {} {} between {} {} and the outside", summary.rows,
                                   summary.rows == 1 ? "connection" : "connections", summary.ends,
                                   shown_.is_pod_level ? (summary.ends == 1 ? "pod" : "pods")
                                   : summary.ends == 1 ? "workload"
                                                       : "workloads");
    if (summary.unknown_rows > 0) {
      line += style_.doubtful(
          fmt::format("; {} of them unknown (see above; --ignore-kind accepts a kind)", summary.unknown_rows));
    }
    line += shown_.is_focused ? " (narrowed by --focus)" : "";
    sink_(line + "\n");
  }

 private:
  static constexpr std::size_t kLongest = 500;

  void note_varying() {
    if (notes_varying_) {
      sink_("  " +
            style_.dim(shown_.is_pod_level ? "* not always" : "* not between every two pods of these workloads") +
            "\n");
    }
    notes_varying_ = false;
  }

  std::string padded(const std::string& text) const {
    const std::size_t width = display_width(text);
    return text + std::string(width < width_ ? width_ - width : 0, ' ');
  }

  Sink sink_;
  Style style_;
  ReachShown shown_;
  bool is_first_ = true;
  bool notes_varying_ = false;
  std::size_t width_ = 0;
  const cluster::Cluster* cluster_ = nullptr;
  bool has_exposure_ = false;
  bool has_unreached_ = false;
};

}  // namespace

std::unique_ptr<ReachPrinter> reach_table(Sink sink, const Style& style, const ReachShown& shown) {
  return std::make_unique<TablePrinter>(std::move(sink), style, shown);
}

}  // namespace podwire::report
