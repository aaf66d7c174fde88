// `podwire reach -o mermaid`: a flowchart for each policy set, as documents draw network flows. Mermaid refuses a chart
// of more than 500 arrows (maxEdges) and lets no chart raise that limit, so further ones are counted in a node.
// Several policy sets are several charts, each after a comment with its name.
#include <fmt/format.h>

#include "app/report/escape.hpp"
#include "app/report/reach_graph.hpp"

namespace podwire::report {
namespace {

constexpr std::uint64_t kMostArrows = 500;

class MermaidPrinter : public ReachGraph {
 public:
  using ReachGraph::ReachGraph;

 private:
  void open(const std::string& name) override {
    arrows_ = 0;
    // The name goes through the same escapes: a comment ends at a line break, which they write out.
    sink_(fmt::format("flowchart LR\n  %% policy set {}\n", mermaid_quoted(name)));
  }
  void outside_node(const std::string& id, const std::string& label) override {
    if (arrows_ < kMostArrows) {
      sink_(fmt::format("  {}([{}])\n", id, mermaid_quoted(label)));
    }
  }
  void arrow(const std::string& from, const std::string& to, const std::string& label, Line line) override {
    if (++arrows_ > kMostArrows) {
      return;
    }
    const std::string_view shape = line == Line::solid ? "-->" : line == Line::dashed ? "-.->" : "--x";
    sink_(fmt::format("  {} {}|{}| {}\n", from, shape, mermaid_quoted(label), to));
  }
  void begin_namespace(std::size_t number, const std::string& name) override {
    sink_(fmt::format("  subgraph ns{} [{}]\n", number, mermaid_quoted("Namespace: " + name)));
  }
  void node(const std::string& id, const std::string& label) override {
    sink_(fmt::format("    {}[{}]\n", id, mermaid_quoted(label)));
  }
  void end_namespace() override { sink_("  end\n"); }
  void note(const std::string& text) override { sink_(fmt::format("  uses>{}]\n", mermaid_quoted(text))); }
  void close() override {
    if (arrows_ > kMostArrows) {
      sink_(fmt::format("  more[{}]\n", mermaid_quoted(fmt::format("{} further connections are not drawn: narrow the "
                                                                   "chart with --focus",
                                                                   arrows_ - kMostArrows))));
    }
  }

  std::uint64_t arrows_ = 0;
};

}  // namespace

std::unique_ptr<ReachPrinter> reach_mermaid(Sink sink, const ReachShown& shown) {
  return std::make_unique<MermaidPrinter>(std::move(sink), shown);
}

}  // namespace podwire::report
