// Formats of diff where the input is against them: size of the Markdown, escapes of each format, order by severity.
#include "app/report/diff_report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "app/report/escape.hpp"

namespace podwire::report {
namespace {

DiffLine line_of(DiffSeverity severity, std::string source) {
  DiffLine line;
  line.severity = severity;
  line.change = "added";
  line.cause = "policy";
  line.source = std::move(source);
  line.destination = "b/api[Deployment]";
  line.before = "No Connections";
  line.after = "TCP 80";
  line.opened = "TCP 80";
  line.reasons = [] {
    return std::vector<DiffReason>{{"ingress", "TCP 80", "default deny ingress (b/deny)", "denied", "old.yaml:1",
                                    "b/allow ingress rule 0", "allowed", "new.yaml:2"}};
  };
  return line;
}

template <class Make>
std::string printed(Make make, const std::vector<DiffLine>& lines, const DiffTail& tail) {
  std::string text;
  const auto printer = make([&](std::string_view piece) { text += piece; });
  printer->begin({.before = "old|`side`", .after = "new"});
  for (const DiffLine& line : lines) {
    printer->row(line);
  }
  printer->end(tail);
  return text;
}

DiffTail tail_for(std::uint64_t rows) {
  DiffTail tail;
  tail.summary.totals.opened = rows;
  tail.summary.totals.added = rows;
  tail.result = "different";
  tail.fail_on = "any";
  return tail;
}

TEST(DiffMarkdown, StaysBelowGithubsLimitWhateverTheInput) {
  // 20,000 rows with names of 5,000 characters, policies and approvals to match.
  DiffLine line = line_of(DiffSeverity::opened, std::string(5'000, 'x'));
  line.destination = std::string(5'000, '|');
  std::vector<DiffLine> lines(10'000, line);
  line.severity = DiffSeverity::closed;
  lines.insert(lines.end(), 10'000, line);
  DiffTail tail = tail_for(20'000);
  tail.policies.assign(5'000, {.name = std::string(3'000, 'p'), .change = "changed", .after_place = "a.yaml:1"});
  tail.stale.assign(500, {.text = std::string(3'000, 's'), .owner = std::string(3'000, 'o'), .expires = "2026-01-01"});
  for (std::size_t i = 0; i < 3'000; ++i) {
    tail.summary.workloads.push_back({.name = std::string(500, 'w')});
  }
  const std::string text = printed(diff_md, lines, tail);
  EXPECT_LT(text.size(), 65'536u);
  EXPECT_GT(text.size(), 30'000u);  // and the room is used
  EXPECT_NE(text.find("20000 connections opened"), std::string::npos);
  EXPECT_NE(text.find("#### opened (10000)"), std::string::npos);
  EXPECT_NE(text.find("more of these are not shown"), std::string::npos);
  EXPECT_NE(text.find("not shown for want of space"), std::string::npos);
}

TEST(DiffMarkdown, PutsTheMostSevereFirstAndCountsWhatIsHidden) {
  std::vector<DiffLine> lines = {line_of(DiffSeverity::closed, "z/closed[Pod]"),
                                 line_of(DiffSeverity::opened, "z/in[Pod]"),
                                 line_of(DiffSeverity::opened_outside, "0.0.0.0-9.9.9.9[External]")};
  const std::string text = printed(diff_md, lines, tail_for(3));
  EXPECT_LT(text.find("[External]"), text.find("z/in[Pod]"));
  EXPECT_LT(text.find("z/in[Pod]"), text.find("z/closed[Pod]"));
}

TEST(DiffMarkdown, WhatIsApprovedHidesNothingThatIsNot) {
  // 2,000 approved rows of the worst severity would fill the comment several times.
  DiffLine approved = line_of(DiffSeverity::opened_outside, "0.0.0.0-9.9.9.9[External]");
  approved.is_approved = true;
  std::vector<DiffLine> lines(2'000, approved);
  lines.push_back(line_of(DiffSeverity::closed, "z/closed[Pod]"));
  const std::string text = printed(diff_md, lines, tail_for(2'001));
  EXPECT_LT(text.size(), 65'536u);
  EXPECT_LT(text.find("z/closed[Pod]"), text.find("#### approved: opened with the outside (2000)"))
      << text.substr(0, 999);
}

TEST(DiffMarkdown, TheListOfPoliciesHasRoomOfItsOwn) {
  const std::vector<DiffLine> lines(2'000, line_of(DiffSeverity::opened, std::string(150, 'x')));
  DiffTail tail = tail_for(2'000);
  // 40 policies of some 60 bytes a line: less than the 8,192 bytes that are kept for them.
  tail.policies.assign(40, {.name = "shop/allow-something", .change = "changed", .after_place = "a.yaml:1"});
  const std::string text = printed(diff_md, lines, tail);
  EXPECT_LT(text.size(), 65'536u);
  EXPECT_NE(text.find("#### policies (40)"), std::string::npos);
  EXPECT_EQ(text.find("and 40 more"), std::string::npos);
  std::size_t named = 0;
  for (std::size_t at = text.find("`shop/allow-something`"); at != std::string::npos;
       at = text.find("`shop/allow-something`", at + 1)) {
    ++named;
  }
  EXPECT_EQ(named, 40u);
}

TEST(DiffMarkdown, NamesAreNoMarkup) {
  EXPECT_EQ(md_code("a|b`c`@team <b>\nx", 100), "`a¦b'c'@team <b>\\x0ax`");
  EXPECT_EQ(md_code("", 100), "–");
  const std::string text = printed(diff_md, {line_of(DiffSeverity::opened, "@a|`b`")}, tail_for(1));
  EXPECT_NE(text.find("| `@a¦'b'` |"), std::string::npos) << text;
}

TEST(DiffDot, NamesAreQuoted) {
  EXPECT_EQ(dot_quoted("a\"b\\c\nd"), "\"a\\\"b\\\\c\\\\x0ad\"");
  const std::string text = printed(diff_dot, {line_of(DiffSeverity::opened, "a\" -> evil [x=\"")}, tail_for(1));
  EXPECT_NE(text.find("  \"a\\\" -> evil [x=\\\"\" -> \"b/api[Deployment]\" [label=\"TCP 80\", color=red];"),
            std::string::npos)
      << text;
}

TEST(DiffCsv, ARowThatLooksLikeAFormulaIsNone) {
  const std::string text = printed(diff_csv, {line_of(DiffSeverity::opened, "=HYPERLINK(1,2)")}, tail_for(1));
  EXPECT_NE(text.find("added,policy,\"'=HYPERLINK(1,2)\",b/api[Deployment],No Connections,TCP 80,TCP 80,,no,ingress,"
                      "default deny ingress (b/deny),old.yaml:1,b/allow ingress rule 0,new.yaml:2\n"),
            std::string::npos)
      << text;
}

TEST(DiffJson, IsOneObjectWithTotals) {
  DiffTail tail = tail_for(1);
  tail.policies.push_back({.name = "b/x", .change = "changed", .effect = analysis::PolicyChange::Effect::none});
  const auto object = nlohmann::json::parse(printed(diff_json, {line_of(DiffSeverity::opened, "\"\xff")}, tail));
  EXPECT_EQ(object["totals"]["opened"], 1);
  EXPECT_EQ(object["connections"].size(), 1u);
  EXPECT_EQ(object["connections"][0]["reasons"][0]["after"]["place"], "new.yaml:2");
  EXPECT_EQ(object["policies"][0]["affectsConnections"], false);
  EXPECT_EQ(object["result"], "different");
}

TEST(DiffTable, SaysTheAnswerFirstAndTheMostSevereRowsBeforeOthers) {
  const std::string text = printed(
      [](Sink sink) { return diff_table(std::move(sink), Style(false)); },
      {line_of(DiffSeverity::closed, "z/closed[Pod]"), line_of(DiffSeverity::opened, "z/in[Pod]")}, tail_for(2));
  EXPECT_EQ(text.substr(0, text.find('\n')), "old|`side` → new: 2 connections opened, 0 closed");
  EXPECT_LT(text.find("z/in[Pod]"), text.find("z/closed[Pod]"));
}

TEST(DiffAnswer, SaysWhenNothingDiffersAndWhichPoliciesChangedInVain) {
  DiffTail tail;
  EXPECT_EQ(diff_answer(tail), "no connection differs");
  tail.policies.assign(3, {.name = "b/x", .change = "changed"});
  EXPECT_EQ(diff_notes(tail), (std::vector<std::string>{"3 policies changed, no connection affected"}));
}

}  // namespace
}  // namespace podwire::report
