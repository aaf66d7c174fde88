// Selectors against selectors, compared with every set of labels that their words can tell apart.
#include "models/analysis/lint_described.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace podwire::analysis {
namespace {

using cluster::LabelSelector;
using cluster::Requirement;
using cluster::SelectorOperator;

/// Requirements on one key over the values x and y: In and NotIn of each non-empty set, Exists, DoesNotExist.
std::vector<Requirement> requirements_on(const std::string& key) {
  std::vector<Requirement> all = {{.key = key, .op = SelectorOperator::exists},
                                  {.key = key, .op = SelectorOperator::does_not_exist}};
  for (const SelectorOperator op : {SelectorOperator::in, SelectorOperator::not_in}) {
    for (const std::vector<std::string>& values : {std::vector<std::string>{"x"}, {"y"}, {"x", "y"}}) {
      all.push_back({.key = key, .op = op, .values = values});
    }
  }
  return all;
}

/// No requirement, one, and each pair of the keys a and b or of a twice.
std::vector<LabelSelector> selectors() {
  std::vector<LabelSelector> all = {{}};
  for (const Requirement& first : requirements_on("a")) {
    all.push_back({.requirements = {first}, .span = {}});
    for (const std::string key : {"a", "b"}) {
      for (const Requirement& second : requirements_on(key)) {
        all.push_back({.requirements = {first, second}, .span = {}});
      }
    }
  }
  return all;
}

/// Label sets over a and b, each absent, x, y or z: all that these selectors can tell apart.
struct Labels {
  cluster::StringPool strings;
  cluster::LabelSets sets;
  std::vector<cluster::LabelSetId> all;

  Labels() {
    for (const char* a : {"", "x", "y", "z"}) {
      for (const char* b : {"", "x", "y", "z"}) {
        std::vector<cluster::Label> labels;
        if (*a != 0) {
          labels.push_back({strings.intern("a"), strings.intern(a)});
        }
        if (*b != 0) {
          labels.push_back({strings.intern("b"), strings.intern(b)});
        }
        all.push_back(sets.intern(std::move(labels)));
      }
    }
  }
  bool matches(const LabelSelector& selector, cluster::LabelSetId labels) const {
    return selector.matches(labels, sets, strings);
  }
};

TEST(LintDescribed, ImpliesAndExcludesNeverSayMoreThanEveryLabelSetShows) {
  const Labels labels;
  const std::vector<LabelSelector> all = selectors();
  std::size_t implied = 0;
  std::size_t excluded = 0;
  for (const LabelSelector& a : all) {
    for (const LabelSelector& b : all) {
      bool always = true;
      bool never = true;
      for (const cluster::LabelSetId set : labels.all) {
        const bool in_a = labels.matches(a, set);
        const bool in_b = labels.matches(b, set);
        always = always && (!in_a || in_b);
        never = never && !(in_a && in_b);
      }
      EXPECT_TRUE(always || !implies(a, b)) << a.to_string() << " does not imply " << b.to_string();
      EXPECT_TRUE(never || !excludes(a, b)) << a.to_string() << " does not exclude " << b.to_string();
      if (a.requirements.size() == 1 && b.requirements.size() == 1) {
        // One requirement each: nothing is left untold.
        EXPECT_EQ(implies(a, b), always) << a.to_string() << " against " << b.to_string();
        EXPECT_EQ(excludes(a, b), never) << a.to_string() << " against " << b.to_string();
      }
      implied += implies(a, b) ? 1 : 0;
      excluded += excludes(a, b) ? 1 : 0;
    }
  }
  EXPECT_GT(implied, all.size());
  EXPECT_GT(excluded, all.size());
}

TEST(LintDescribed, ABlockHoldsPodsWhereItHasPrivateAddressesThatNoExceptTakesOut) {
  cluster::Cluster cluster;
  cluster.pod_cidr = *Cidr::parse("10.244.0.0/16");
  const auto block = [](std::string_view cidr, std::vector<std::string_view> except = {}) {
    policy::IpBlock result{.cidr = *Cidr::parse(cidr), .except = {}, .span = {}};
    for (const std::string_view hole : except) {
      result.except.push_back(*Cidr::parse(hole));
    }
    return result;
  };
  EXPECT_TRUE(may_hold_pods(cluster, block("0.0.0.0/0")));
  EXPECT_TRUE(may_hold_pods(cluster, block("0.0.0.0/0", {"10.0.0.0/8"})));
  EXPECT_FALSE(may_hold_pods(cluster, block("0.0.0.0/0", {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"})));
  EXPECT_TRUE(may_hold_pods(cluster, block("10.1.2.3/32")));
  EXPECT_FALSE(may_hold_pods(cluster, block("10.1.2.0/24", {"10.1.0.0/16"})));
  EXPECT_FALSE(may_hold_pods(cluster, block("203.0.113.0/24")));
  EXPECT_TRUE(may_hold_pods(cluster, block("::/0")));
  cluster.pod_cidr = *Cidr::parse("203.0.113.0/25");
  EXPECT_TRUE(may_hold_pods(cluster, block("203.0.113.0/24")));
}

}  // namespace
}  // namespace podwire::analysis
