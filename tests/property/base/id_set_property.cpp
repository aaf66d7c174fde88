// IdSet against std::set under random operations.
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "sim/base/id_set.hpp"

namespace podwire {
namespace {

using Set = IdSet<struct AnyTag>;
using AnyId = Id<AnyTag>;

void expect_same(const Set& set, const std::set<std::uint32_t>& oracle) {
  std::vector<std::uint32_t> listed;
  set.for_each([&](AnyId id) { listed.push_back(id.value()); });
  ASSERT_EQ(listed, std::vector<std::uint32_t>(oracle.begin(), oracle.end()));
  ASSERT_EQ(set.size(), oracle.size());
  ASSERT_EQ(set.empty(), oracle.empty());
}

TEST(IdSetProperty, BehavesAsAnOrderedSet) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Set sets[2];
    std::set<std::uint32_t> oracles[2];
    const auto range = static_cast<std::uint32_t>(1 + random() % 400);
    for (int step = 0; step < 100; ++step) {
      const std::size_t which = random() % 2;
      const auto value = static_cast<std::uint32_t>(random() % range);
      switch (random() % 8) {
        case 0:
          sets[which].erase(AnyId(value));
          oracles[which].erase(value);
          break;
        case 1:
          sets[which].insert_all(sets[1 - which]);
          oracles[which].insert(oracles[1 - which].begin(), oracles[1 - which].end());
          break;
        case 2:
          sets[which].keep_only(sets[1 - which]);
          std::erase_if(oracles[which], [&](std::uint32_t v) { return !oracles[1 - which].contains(v); });
          break;
        default:
          sets[which].insert(AnyId(value));
          oracles[which].insert(value);
      }
      ASSERT_EQ(sets[which].contains(AnyId(value)), oracles[which].contains(value));
      expect_same(sets[which], oracles[which]);
    }
  }
}

}  // namespace
}  // namespace podwire
