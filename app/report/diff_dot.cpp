// `podwire diff -o dot`: a graph of what differs. Red: opened; orange: unknown; blue: closed; grey: came or went with a
// workload; dashed: it is no more. A graph of thousands of edges helps nobody, so the less severe ones are cut off.
#include <fmt/format.h>

#include <array>

#include "app/report/diff_report.hpp"
#include "app/report/escape.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

constexpr std::size_t kMostEdges = 2'000;

class DotPrinter : public DiffPrinter {
 public:
  explicit DotPrinter(Sink sink) : sink_(std::move(sink)) {}

  void begin(const DiffHead& head) override { head_ = head; }

  void row(const DiffLine& line) override {
    auto& edges = edges_[static_cast<std::size_t>(line.severity)];
    ++rows_;
    if (edges.size() >= kMostEdges) {
      return;
    }
    constexpr std::string_view kColors[] = {"red", "red", "orange", "blue", "gray40", "gray40"};
    const bool is_gone = line.after == "No Connections";
    edges.push_back(fmt::format("  {} -> {} [label={}, color={}{}];\n", dot_quoted(line.source),
                                dot_quoted(line.destination), dot_quoted(diff_ports_text(line)),
                                kColors[static_cast<std::size_t>(line.severity)], is_gone ? ", style=dashed" : ""));
  }

  void end(const DiffTail& tail) override {
    std::size_t written = 0;
    std::string text;
    for (const auto& edges : edges_) {
      for (const std::string& edge : edges) {
        if (written < kMostEdges) {
          text += edge;
          ++written;
        }
      }
    }
    std::string title = fmt::format("{} → {}: {}", head_.before, head_.after, diff_answer(tail));
    if (written < rows_) {
      title += fmt::format(" ({} of {} shown)", written, rows_);
    }
    sink_(fmt::format("digraph diff {{\n  rankdir=LR;\n  node [shape=box];\n  label={};\n{}}}\n", dot_quoted(title),
                      text));
  }

 private:
  Sink sink_;
  DiffHead head_;
  std::array<std::vector<std::string>, kDiffSeverities> edges_;
  std::uint64_t rows_ = 0;
};

}  // namespace

std::unique_ptr<DiffPrinter> diff_dot(Sink sink) {
  return std::make_unique<DotPrinter>(std::move(sink));
}

}  // namespace podwire::report
