#include "app/scenario/settings.hpp"

#include <gtest/gtest.h>

#include "sim/config/render.hpp"

namespace podwire::scenario {
namespace {

struct SettingsTest : testing::Test {
  SourceMap sources;
  Diagnostics diagnostics;
  Settings settings;
  config::Document document;

  Section section(const std::string& yaml) {
    auto parsed = config::parse_text(sources, "scenario.yaml", yaml);
    document = std::move(parsed).value();
    return Section(document.roots().front(), {""}, "Scenario", settings, diagnostics);
  }
  void set(const std::string& text) { settings.add(sources, text, diagnostics); }
  std::string messages() { return config::render(diagnostics, sources, {.short_form = true}); }
};

TEST_F(SettingsTest, ASettingReplacesTheFilesValue) {
  set("nodes.count=10");
  Section top = section("nodes: {count: 3}");
  EXPECT_EQ(top.section("nodes").integer("count", 1, 100), 10);
}

TEST_F(SettingsTest, ASettingFillsASectionThatTheFileLacks) {
  set("nodes.count=10");
  Section top = section("other: 1");
  EXPECT_EQ(top.section("nodes").integer("count", 1, 100), 10);
}

TEST_F(SettingsTest, TheLastSettingOfAPathWins) {
  set("count=10");
  set("count=11");
  EXPECT_EQ(section("count: 3").integer("count", 1, 100), 11);
}

TEST_F(SettingsTest, APathMayBeginWithSpec) {
  set("spec.count=4");
  EXPECT_EQ(section("count: 3").integer("count", 1, 100), 4);
}

TEST_F(SettingsTest, AnItemIsNamedByItsNameOrItsIndex) {
  set("workloads.browse.rate=5/s");
  set("workloads[1].rate=7/s");
  Section top = section("workloads: [{name: browse, rate: 1/s}, {name: query, rate: 1/s}]");
  auto items = top.items("workloads", "Workload");
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].rate("rate"), 5.0);
  EXPECT_EQ(items[1].rate("rate"), 7.0);
  settings.finish(diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << messages();
}

TEST_F(SettingsTest, ASettingMayAddAMember) {
  set("policySets.open={base: none}");
  Section top = section("policySets: {current: {base: cluster}}");
  auto entries = top.entries("policySets", "Policy set");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[1].first, "open");
  EXPECT_EQ(entries[1].second.string("base"), "none");
}

TEST_F(SettingsTest, AWrongValueIsReportedAtTheCommandLine) {
  set("nodes.count=ten");
  Section top = section("nodes: {count: 3}");
  EXPECT_FALSE(top.section("nodes").integer("count", 1, 100));
  EXPECT_NE(messages().find("--set nodes.count:1:"), std::string::npos) << messages();
}

TEST_F(SettingsTest, AnUnknownPathIsAnErrorWithTheNearestOne) {
  set("nodes.cuont=10");
  Section top = section("nodes: {count: 3}");
  top.section("nodes").integer("count", 1, 100);
  settings.finish(diagnostics);
  ASSERT_TRUE(diagnostics.has_errors());
  EXPECT_EQ(diagnostics.all()[0].code, "unknown-setting");
  EXPECT_NE(diagnostics.all()[0].help.find("nodes.count"), std::string::npos);
}

TEST_F(SettingsTest, ASettingWithoutPathOrValueIsRefused) {
  set("nodes.count");
  set("=3");
  set("nodes.count=");
  EXPECT_EQ(diagnostics.error_count(), 3u) << messages();
}

TEST_F(SettingsTest, KeysThatNobodyReadsAreReportedOnce) {
  Section top = section("nodes: 1\nnods: 2");
  top.get("nodes");
  top.finish();
  EXPECT_EQ(diagnostics.error_count(), 1u) << messages();
}

}  // namespace
}  // namespace podwire::scenario
