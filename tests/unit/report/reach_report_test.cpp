// Drawings of reach: names of every kind stay inside their quotes.
#include "app/report/reach_report.hpp"

#include <gtest/gtest.h>

#include <string>

#include "app/report/escape.hpp"

namespace podwire::report {
namespace {

TEST(MermaidQuoted, LeavesNothingThatEndsTheTextOrBeginsMarkup) {
  // 34 is the quote, 37 the percent sign, 60 and 62 the angle brackets, 96 the back quote, 35 the hash.
  EXPECT_EQ(mermaid_quoted("a\"] --> b[\"<b>%%{init}%%`#1"),
            "\"a#quot;#93; --#62; b#91;#quot;#60;b#62;#37;#37;#123;init#125;#37;#37;#96;#35;1\"");
  EXPECT_EQ(mermaid_quoted("line\nbreak").find('\n'), std::string::npos);
  EXPECT_EQ(mermaid_quoted("shop/web:80"), "\"shop/web:80\"");
}

struct Drawing {
  cluster::Cluster cluster;
  std::string text;
  ReachShown shown;

  Drawing() {
    for (const char* name : {"a", "b"}) {
      cluster.namespaces.push_back({.name = name});
      cluster::Workload workload;
      workload.name_space = cluster::NamespaceId(cluster.namespaces.size() - 1);
      workload.name = "web\"]";
      cluster.workloads.push_back(workload);
    }
  }
  template <class Make>
  std::string draw(Make make) {
    const auto printer = make([this](std::string_view piece) { text += piece; }, shown);
    const policy::PortSet ports = policy::PortSet::of({{IpProtocol::tcp, 80, 80}});
    printer->begin();
    printer->begin_set("current", {}, cluster);
    printer->row({.source = {.name = "0.0.0.0-255.255.255.255[External]", .workload = {}, .pod = {}},
                  .destination = {.name = "b/web", .workload = cluster::WorkloadId(std::size_t{1}), .pod = {}},
                  .ports = &ports});
    printer->end_set({});
    printer->end();
    return text;
  }
};

TEST(ReachMermaid, DrawsNamespacesAsSubgraphsAndArrowsWithPorts) {
  EXPECT_EQ(Drawing().draw(reach_mermaid),
            "flowchart LR\n"
            "  %% policy set \"current\"\n"
            "  x0([\"0.0.0.0-255.255.255.255#91;External#93;\"])\n"
            "  x0 -->|\"TCP 80\"| w1\n"
            "  subgraph ns0 [\"Namespace: a\"]\n"
            "    w0[\"web#quot;#93; #91;Pod#93;\"]\n"
            "  end\n"
            "  subgraph ns1 [\"Namespace: b\"]\n"
            "    w1[\"web#quot;#93; #91;Pod#93;\"]\n"
            "  end\n");
}

TEST(ReachDot, DrawsOnlyWhatWasTouchedWhenItIsFocused) {
  Drawing drawing;
  drawing.shown.is_focused = true;
  EXPECT_EQ(drawing.draw(reach_dot),
            "digraph reach {\n  rankdir=LR;\n  node [shape=box];\n  label=\"policy set current\";\n"
            "  x0 [label=\"0.0.0.0-255.255.255.255[External]\", shape=ellipse];\n"
            "  x0 -> w1 [label=\"TCP 80\"];\n"
            "  subgraph cluster_1 {\n    label=\"Namespace: b\";\n"
            "    w1 [label=\"web\\\"] [Pod]\"];\n  }\n}\n");
}

}  // namespace
}  // namespace podwire::report
