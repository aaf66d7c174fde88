// Sources, places, collected diagnostics, and Result's contract.
#include "sim/base/diagnostic.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "sim/base/check.hpp"
#include "sim/base/result.hpp"

namespace podwire {
namespace {

struct Place : ::testing::Test {
  SourceMap sources;
  SourceId add(std::string text) { return sources.add("a.yaml", std::move(text)); }
  std::string at(SourceId id, std::uint32_t offset) { return sources.place({id, offset, offset}); }
};

TEST_F(Place, LinesAndColumnsCountFromOne) {
  const SourceId id = add("ab\ncd\n");  // a0 b1 \n2 c3 d4 \n5
  EXPECT_EQ(at(id, 0), "a.yaml:1:1");
  EXPECT_EQ(at(id, 2), "a.yaml:1:3");  // the line break belongs to its line
  EXPECT_EQ(at(id, 3), "a.yaml:2:1");
  EXPECT_EQ(at(id, 6), "a.yaml:3:1");  // the end of the file
  EXPECT_EQ(sources.file_and_line({id, 4, 5}), "a.yaml:2");
}

TEST_F(Place, EmptySourceHasOneLine) {
  const SourceId id = add("");
  EXPECT_EQ(at(id, 0), "a.yaml:1:1");
  EXPECT_EQ(sources.line(id, 1), "");
  EXPECT_EQ(sources.line(id, 2), "");
}

TEST_F(Place, ColumnsCountBytes) {
  const SourceId id = add("ä: x");  // ä is two bytes
  EXPECT_EQ(at(id, 4), "a.yaml:1:5");
}

TEST_F(Place, LineComesWithoutItsBreak) {
  const SourceId id = add("one\r\ntwo\n\nfour");
  EXPECT_EQ(sources.line(id, 1), "one");
  EXPECT_EQ(sources.line(id, 2), "two");
  EXPECT_EQ(sources.line(id, 3), "");
  EXPECT_EQ(sources.line(id, 4), "four");
  EXPECT_EQ(sources.line(id, 5), "");
  EXPECT_EQ(sources.line(id, 0), "");
}

TEST_F(Place, UnknownSpanHasNoPlace) {
  EXPECT_FALSE(Span().is_known());
  EXPECT_EQ(sources.place({}), "");
  EXPECT_EQ(sources.file_and_line({}), "");
}

TEST_F(Place, TextsStayWhereTheyAreWhenSourcesAreAdded) {
  const SourceId first = add("first");
  const char* before = sources.text(first).data();
  for (int i = 0; i < 100; ++i) {
    add("another");
  }
  EXPECT_EQ(sources.text(first).data(), before);
  EXPECT_EQ(sources.size(), 101u);
}

TEST(Diagnostics, OnlyErrorsCountAsErrors) {
  Diagnostics diagnostics;
  diagnostics.warning("assumed", "namespace \"web\" is assumed");
  EXPECT_FALSE(diagnostics.has_errors());
  diagnostics.error("unknown-key", "unknown key \"podSelectr\"", {}, "did you mean \"podSelector\"?");
  diagnostics.add({.severity = Severity::note, .code = "note", .message = "seen"});
  EXPECT_EQ(diagnostics.error_count(), 1u);
  ASSERT_EQ(diagnostics.all().size(), 3u);
  EXPECT_EQ(diagnostics.all()[1].code, "unknown-key");
  EXPECT_EQ(diagnostics.all()[1].help, "did you mean \"podSelector\"?");
}

TEST(Diagnostics, AppendingKeepsOrderAndCount) {
  Diagnostics first;
  Diagnostics second;
  first.error("a", "first");
  second.warning("b", "second");
  second.error("c", "third");
  first.append(second);
  EXPECT_EQ(first.error_count(), 2u);
  ASSERT_EQ(first.all().size(), 3u);
  EXPECT_EQ(first.all()[2].message, "third");
}

TEST(Result, ValueMayComeWithWarnings) {
  Diagnostics diagnostics;
  diagnostics.warning("assumed", "x");
  const Result<int> result(5, diagnostics);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(*result, 5);
  EXPECT_EQ(result.diagnostics().all().size(), 1u);
}

TEST(Result, FailureHasNoValue) {
  Diagnostics diagnostics;
  diagnostics.error("bad", "x");
  Result<int> result(diagnostics);
  EXPECT_FALSE(result);
  EXPECT_THROW(static_cast<void>(result.value()), BrokenContract);
}

TEST(Result, ValueWithErrorsAndFailureWithoutAreBrokenContracts) {
  Diagnostics errors;
  errors.error("bad", "x");
  EXPECT_THROW(static_cast<void>(Result<int>(5, errors)), BrokenContract);
  EXPECT_THROW(static_cast<void>(Result<int>(Diagnostics())), BrokenContract);
}

TEST(Check, MessageNamesComponentConditionAndPlace) {
  const int pods = 3;
  try {
    PODWIRE_CHECK(pods == 4, "base", "four pods are expected");
    FAIL() << "the check passed";
  } catch (const BrokenContract& broken) {
    const std::string what = broken.what();
    EXPECT_EQ(what.find("base: four pods are expected (pods == 4 does not hold at diagnostic_test.cpp:"), 0u) << what;
  }
}

}  // namespace
}  // namespace podwire
