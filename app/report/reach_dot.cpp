// `podwire reach -o dot`: a digraph for each policy set. Names stand in quoted strings, ids are ours.
#include <fmt/format.h>

#include "app/report/escape.hpp"
#include "app/report/reach_graph.hpp"

namespace podwire::report {
namespace {

class DotPrinter : public ReachGraph {
 public:
  using ReachGraph::ReachGraph;

 private:
  void open(const std::string& name) override {
    sink_(fmt::format("digraph reach {{\n  rankdir=LR;\n  node [shape=box];\n  label={};\n",
                      dot_quoted("policy set " + name)));
  }
  void outside_node(const std::string& id, const std::string& label) override {
    sink_(fmt::format("  {} [label={}, shape=ellipse];\n", id, dot_quoted(label)));
  }
  void arrow(const std::string& from, const std::string& to, const std::string& label, Line line) override {
    const std::string_view style = line == Line::solid    ? ""
                                   : line == Line::dashed ? ", style=dashed"
                                                          : ", style=dotted, color=red";
    sink_(fmt::format("  {} -> {} [label={}{}];\n", from, to, dot_quoted(label), style));
  }
  void begin_namespace(std::size_t number, const std::string& name) override {
    sink_(fmt::format("  subgraph cluster_{} {{\n    label={};\n", number, dot_quoted("Namespace: " + name)));
  }
  void node(const std::string& id, const std::string& label) override {
    sink_(fmt::format("    {} [label={}];\n", id, dot_quoted(label)));
  }
  void end_namespace() override { sink_("  }\n"); }
  void note(const std::string& text) override {
    sink_(fmt::format("  uses [label={}, shape=note];\n", dot_quoted(text)));
  }
  void close() override { sink_("}\n"); }
};

}  // namespace

std::unique_ptr<ReachPrinter> reach_dot(Sink sink, const ReachShown& shown) {
  return std::make_unique<DotPrinter>(std::move(sink), shown);
}

}  // namespace podwire::report
