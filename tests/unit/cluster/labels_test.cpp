// Labels, label sets and selectors.
#include "models/cluster/labels.hpp"

#include <gtest/gtest.h>

#include "sim/config/document.hpp"

namespace podwire::cluster {
namespace {

class SelectorTest : public ::testing::Test {
 protected:
  LabelSetId set(std::vector<std::pair<std::string, std::string>> labels) {
    std::vector<Label> interned;
    for (const auto& [key, value] : labels) {
      interned.push_back({.key = strings_.intern(key), .value = strings_.intern(value)});
    }
    return sets_.intern(std::move(interned));
  }

  std::optional<LabelSelector> read(const std::string& yaml) {
    auto document = config::parse_text(sources_, "selector", yaml);
    EXPECT_TRUE(document.has_value());
    documents_.push_back(std::move(document).value());
    return read_label_selector(documents_.back().roots().at(0), "shop/service/x", diagnostics_);
  }

  bool matches(const std::string& yaml, LabelSetId labels) {
    const auto selector = read(yaml);
    EXPECT_TRUE(selector.has_value()) << yaml;
    return selector && selector->matches(labels, sets_, strings_);
  }

  SourceMap sources_;
  Diagnostics diagnostics_;
  StringPool strings_;
  LabelSets sets_;
  std::vector<config::Document> documents_;
};

TEST_F(SelectorTest, EmptySelectorMatchesEverything) {
  EXPECT_TRUE(matches("{}", set({})));
  EXPECT_TRUE(matches("{}", set({{"a", "b"}})));
  EXPECT_EQ(read("{}")->to_string(), "<everything>");
}

TEST_F(SelectorTest, AllRequirementsMustHold) {
  const auto labels = set({{"app", "web"}, {"tier", "front"}});
  EXPECT_TRUE(matches("matchLabels: {app: web, tier: front}", labels));
  EXPECT_FALSE(matches("matchLabels: {app: web, tier: back}", labels));
  EXPECT_FALSE(
      matches("matchLabels: {app: web}\nmatchExpressions: [{key: tier, operator: NotIn, values: [front]}]", labels));
}

TEST_F(SelectorTest, NegativeOperatorsHoldWhereTheKeyIsAbsent) {
  const auto bare = set({{"app", "web"}});
  EXPECT_TRUE(matches("matchExpressions: [{key: tier, operator: NotIn, values: [front]}]", bare));
  EXPECT_TRUE(matches("matchExpressions: [{key: tier, operator: DoesNotExist}]", bare));
  EXPECT_FALSE(matches("matchExpressions: [{key: app, operator: DoesNotExist}]", bare));
  EXPECT_FALSE(matches("matchExpressions: [{key: tier, operator: Exists}]", bare));
  EXPECT_FALSE(matches("matchExpressions: [{key: tier, operator: In, values: [front]}]", bare));
}

TEST_F(SelectorTest, EmptyValueIsAValue) {
  EXPECT_TRUE(matches("matchLabels: {app: \"\"}", set({{"app", ""}})));
  EXPECT_FALSE(matches("matchLabels: {app: \"\"}", set({})));
}

TEST_F(SelectorTest, IsWrittenAsKubectlDoes) {
  const auto selector = read(
      "matchLabels: {app: web}\nmatchExpressions: [{key: tier, operator: In, values: [b, a]}, {key: x, operator: "
      "Exists}, {key: debug, operator: DoesNotExist}, {key: z, operator: NotIn, values: [p, q]}]");
  EXPECT_EQ(selector->to_string(), "app=web,tier in (a,b),x,!debug,z notin (p,q)");
}

TEST_F(SelectorTest, NamesTheFirstRequirementThatFails) {
  const auto selector = read("matchLabels: {app: web, tier: back}");
  const Requirement* failing = selector->first_failing(set({{"app", "web"}}), sets_, strings_);
  ASSERT_NE(failing, nullptr);
  EXPECT_EQ(failing->key, "tier");
}

TEST_F(SelectorTest, MalformedSelectorsAreRefused) {
  EXPECT_FALSE(read("matchLabel: {app: web}"));                                       // unknown key
  EXPECT_FALSE(read("matchExpressions: [{key: a, operator: in, values: [b]}]"));      // operator's case
  EXPECT_FALSE(read("matchExpressions: [{key: a, operator: In}]"));                   // no values
  EXPECT_FALSE(read("matchExpressions: [{key: a, operator: Exists, values: [b]}]"));  // values
  EXPECT_FALSE(read("matchExpressions: [{operator: Exists}]"));                       // no key
  EXPECT_FALSE(read("matchLabels: {\"-a\": b}"));                                     // key syntax
  EXPECT_FALSE(read("matchLabels: {a: \"b c\"}"));                                    // value syntax
  EXPECT_EQ(diagnostics_.error_count(), 7u);                                          // one problem each
}

TEST(LabelSets, EqualSetsAreOneWhateverTheOrder) {
  StringPool strings;
  LabelSets sets;
  const Label a{.key = strings.intern("a"), .value = strings.intern("1")};
  const Label b{.key = strings.intern("b"), .value = strings.intern("2")};
  EXPECT_EQ(sets.intern({a, b}), sets.intern({b, a}));
  EXPECT_NE(sets.intern({a, b}), sets.intern({a}));
  EXPECT_EQ(sets.size(), 2u);
}

TEST(LabelSets, OfARepeatedKeyTheLastCounts) {
  StringPool strings;
  LabelSets sets;
  const StringId key = strings.intern("a");
  const LabelSetId id = sets.intern({{key, strings.intern("1")}, {key, strings.intern("2")}});
  EXPECT_EQ(sets[id].size(), 1u);
  EXPECT_EQ(strings[sets.value(id, key)], "2");
}

TEST(StringPool, CopyIsIndependent) {
  StringPool copy;
  {
    StringPool pool;
    pool.intern("one");
    pool.intern("two");
    copy = pool;
  }
  EXPECT_EQ(copy.find("two"), StringId(1u));
  EXPECT_EQ(copy[StringId(0u)], "one");
}

TEST(Names, FollowTheApisRules) {
  EXPECT_FALSE(invalid_dns_label("a-1"));
  EXPECT_TRUE(invalid_dns_label(""));
  EXPECT_TRUE(invalid_dns_label("A"));
  EXPECT_TRUE(invalid_dns_label("a-"));
  EXPECT_TRUE(invalid_dns_label("a.b"));
  EXPECT_FALSE(invalid_dns_label(std::string(63, 'a')));
  EXPECT_TRUE(invalid_dns_label(std::string(64, 'a')));
  EXPECT_FALSE(invalid_dns_subdomain("a.b-c.d"));
  EXPECT_TRUE(invalid_dns_subdomain("a..b"));
  EXPECT_TRUE(invalid_dns_subdomain("a.b."));
  EXPECT_TRUE(invalid_dns_subdomain("snake_case"));
  EXPECT_FALSE(invalid_label_key("app.kubernetes.io/name"));
  EXPECT_FALSE(invalid_label_key("A_b.C-d"));
  EXPECT_TRUE(invalid_label_key("App/name"));  // the prefix is a DNS name
  EXPECT_TRUE(invalid_label_key("a/b/c"));
  EXPECT_TRUE(invalid_label_key("a/"));
  EXPECT_TRUE(invalid_label_key("a/" + std::string(64, 'b')));
  EXPECT_FALSE(invalid_label_value(""));
  EXPECT_FALSE(invalid_label_value("v1.2_x"));
  EXPECT_TRUE(invalid_label_value("v1.2_"));
  EXPECT_TRUE(invalid_label_value(std::string(64, 'v')));
}

}  // namespace
}  // namespace podwire::cluster
