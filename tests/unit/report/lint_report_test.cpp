// Lint findings in each format: what is escaped, what is never shown, where columns point.
#include "app/report/lint_report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/source_dir.hpp"

namespace podwire::report {
namespace {

// The finding stands on `ö` in line 2: byte column 8, character column 7.
constexpr std::string_view kText = "kind: Pod\nmë: - ö\nenv: [{name: A, value: s3cret}]\n";

LintView view_of(SourceMap& sources, std::string message, std::uint32_t begin = 17, std::uint32_t end = 19) {
  const SourceId source = sources.add("dir/a,b:c%.yaml", std::string(kText));
  LintView view{.scenario = "s", .version = "1.2", .bases = {}, .report = {}, .sources = &sources};
  view.report.findings.push_back({.rule = "redundant-rule",
                                  .severity = analysis::LintSeverity::warning,
                                  .object = "a/networkpolicy/p",
                                  .message = std::move(message),
                                  .remedy = "delete it",
                                  .span = {source, begin, end},
                                  .related = {{{source, 0, 4}, "the other"}},
                                  .hides_source_line = false,
                                  .policy_sets = {}});
  return view;
}

TEST(LintReport, TheTextHasThePlaceFirstThenTheLineAndACaretAndEndsWithTheTotals) {
  SourceMap sources;
  EXPECT_EQ(lint_text(view_of(sources, "it is"), Style(false)),
            "dir/a,b:c%.yaml:2:8: warning: a/networkpolicy/p: it is [redundant-rule]\n"
            "    më: - ö\n"
            "          ^\n"
            "    help: delete it\n"
            "    see dir/a,b:c%.yaml:1:1: the other\n"
            "\n"
            "0 errors, 1 warning, 0 info\n");
}

TEST(LintReport, ALineThatMayHoldASecretIsMasked) {
  SourceMap sources;
  const std::string text = lint_text(view_of(sources, "it is", 43, 49), Style(false));
  EXPECT_NE(text.find(":3:"), std::string::npos) << text;
  EXPECT_EQ(text.find("s3cret"), std::string::npos) << text;
}

TEST(LintReport, SarifHasRulesRegionsInCharactersAndEncodedPaths) {
  SourceMap sources;
  const auto json = nlohmann::json::parse(lint_sarif(view_of(sources, "it is")));
  EXPECT_EQ(json.at("version"), "2.1.0");
  const auto& run = json.at("runs").at(0);
  EXPECT_EQ(run.at("tool").at("driver").at("rules").size(), analysis::lint_rules().size());
  const auto& result = run.at("results").at(0);
  const std::size_t index = result.at("ruleIndex");
  EXPECT_EQ(run.at("tool").at("driver").at("rules").at(index).at("id"), "redundant-rule");
  EXPECT_EQ(result.at("level"), "warning");
  const auto& place = result.at("locations").at(0).at("physicalLocation");
  EXPECT_EQ(place.at("artifactLocation").at("uri"), "dir/a%2Cb%3Ac%25.yaml");
  EXPECT_EQ(place.at("region").at("startLine"), 2);
  EXPECT_EQ(place.at("region").at("startColumn"), 7);  // m ë : space - space ö
  EXPECT_EQ(place.at("region").at("endColumn"), 8);
  EXPECT_EQ(result.at("relatedLocations").size(), 1u);
}

TEST(LintReport, GithubCommandsCannotBeForgedByNames) {
  SourceMap sources;
  const std::string text = lint_github(view_of(sources, "100%\n::error::x"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_TRUE(
      text.starts_with("::warning file=dir/a%2Cb%3Ac%25.yaml,line=2,col=7,endColumn=8,"
                       "title=podwire redundant-rule::a/networkpolicy/p: 100%25"))
      << text;
}

TEST(LintReport, MarkdownCellsCannotBreakTheTable) {
  SourceMap sources;
  const std::string text = lint_markdown(view_of(sources, "a|b <script> @all"));
  EXPECT_NE(text.find("a\\|b &lt;script> \\@all"), std::string::npos) << text;
}

TEST(LintReport, JsonCountsWhatItLists) {
  SourceMap sources;
  const auto json = nlohmann::json::parse(lint_json(view_of(sources, "it is")));
  EXPECT_EQ(json.at("findings").size(), 1u);
  EXPECT_EQ(json.at("totals").at("warnings"), 1);
  EXPECT_EQ(json.at("findings").at(0).at("column"), 8);  // bytes
}

TEST(LintRulesReport, IsWhatTheDocumentShows) {
  std::ifstream file(std::filesystem::path(PODWIRE_SOURCE_DIR) / "docs" / "lint.md");
  std::stringstream document;
  document << file.rdbuf();
  EXPECT_EQ(document.str(), lint_rules_markdown()) << "write it anew: podwire lint --rules -o md > docs/lint.md";
}

}  // namespace
}  // namespace podwire::report
