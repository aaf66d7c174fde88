#include "app/cli/options.hpp"

#include <gtest/gtest.h>

namespace podwire::cli {
namespace {

struct OptionsTest : testing::Test {
  std::string problem;
  std::optional<CommandLine> parse(const std::vector<std::string>& words, const char* verb = "run") {
    problem.clear();
    return parse_command_line(*find_verb(verb), words, problem);
  }
};

TEST_F(OptionsTest, OptionsAndWordsMayBeMixed) {
  const auto line = parse({"a", "-o", "json=x.json", "b", "--set", "c=1", "--set", "d=2", "-q", "-j", "3"});
  ASSERT_TRUE(line) << problem;
  EXPECT_EQ(line->words, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(line->load.settings, (std::vector<std::string>{"c=1", "d=2"}));
  EXPECT_TRUE(line->is_quiet);
  EXPECT_EQ(line->jobs, 3u);
  ASSERT_EQ(line->outputs.size(), 1u);
  EXPECT_EQ(line->outputs[0].file, "x.json");
}

TEST_F(OptionsTest, ADashIsAWordAndAValue) {
  const auto line = parse({"-", "-f", "-"});
  ASSERT_TRUE(line) << problem;
  EXPECT_EQ(line->words, std::vector<std::string>{"-"});
  EXPECT_EQ(line->files, std::vector<std::string>{"-"});
}

TEST_F(OptionsTest, NegativeNumbersAreRefused) {
  for (const char* option : {"--seed", "--jobs"}) {
    EXPECT_FALSE(parse({"x", option, "-1"})) << option;
    EXPECT_FALSE(parse({"x", std::string(option) + "=-1"})) << option;
    EXPECT_FALSE(problem.empty());
  }
}

TEST_F(OptionsTest, AbbreviationsAreNotGuessed) {
  EXPECT_FALSE(parse({"x", "--out", "json"}));
  EXPECT_FALSE(parse({"x", "--see", "1"}));
}

TEST_F(OptionsTest, AnUnknownOptionIsNamedWithTheNearestOne) {
  EXPECT_FALSE(parse({"x", "--outptu", "json"}));
  EXPECT_NE(problem.find("did you mean --output?"), std::string::npos) << problem;
}

TEST_F(OptionsTest, AnOptionOfAnotherVerbIsUnknown) {
  EXPECT_FALSE(parse({"x", "--seed", "1"}, "reach"));
}

TEST_F(OptionsTest, AMissingValueIsNamed) {
  EXPECT_FALSE(parse({"x", "--seed"}));
  EXPECT_NE(problem.find("--seed"), std::string::npos) << problem;
}

TEST_F(OptionsTest, SeedsMayBeRangesAndLists) {
  EXPECT_EQ(parse({"x", "--seed", "1..3,9"})->load.seeds, (std::vector<std::uint64_t>{1, 2, 3, 9}));
}

TEST_F(OptionsTest, ListsAreWrittenWithCommasOrRepeated) {
  const auto line = parse({"x", "-p", "a,b", "--policy-set", "c", "--ignore-kind", "K,L"});
  ASSERT_TRUE(line) << problem;
  EXPECT_EQ(line->load.policy_sets, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(line->load.ignored_kinds, (std::vector<std::string>{"K", "L"}));
}

TEST_F(OptionsTest, OnlyOneFormatGoesToStandardOutput) {
  EXPECT_FALSE(parse({"x", "-o", "table", "-o", "json"}));
  EXPECT_TRUE(parse({"x", "-o", "table", "-o", "json=a", "-o", "csv=b"}));
  EXPECT_FALSE(parse({"x", "-o", "csv=a", "-o", "json=a"}));
  EXPECT_FALSE(parse({"x", "-o", "xml"}));
  EXPECT_FALSE(parse({"x", "-o", "json="}));
}

TEST_F(OptionsTest, EveryVerbHasHelpWithExamples) {
  for (const VerbDoc& verb : verbs()) {
    const std::string help = verb_help(verb);
    EXPECT_NE(help.find("usage: podwire " + std::string(verb.name)), std::string::npos);
    EXPECT_NE(help.find("examples:"), std::string::npos);
    EXPECT_NE(overall_help().find(std::string(verb.name)), std::string::npos);
    EXPECT_TRUE(parse({"-h"}, std::string(verb.name).c_str())->wants_help) << verb.name;
  }
}

}  // namespace
}  // namespace podwire::cli
