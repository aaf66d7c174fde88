// Id and IdSet at their edges: word boundaries, sets of different length, the invalid id.
#include "sim/base/id.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <type_traits>
#include <vector>

#include "sim/base/check.hpp"
#include "sim/base/id_set.hpp"

namespace podwire {
namespace {

using PodId = Id<struct PodTag>;
using NodeId = Id<struct NodeTag>;

std::vector<std::uint32_t> listed(const IdSet<PodTag>& set) {
  std::vector<std::uint32_t> ids;
  set.for_each([&](PodId id) { ids.push_back(id.value()); });
  return ids;
}

IdSet<PodTag> set_of(std::initializer_list<std::uint32_t> values) {
  IdSet<PodTag> set;
  for (const std::uint32_t value : values) {
    set.insert(PodId(value));
  }
  return set;
}

TEST(Id, DefaultNamesNothing) {
  EXPECT_FALSE(PodId().is_valid());
  EXPECT_EQ(PodId(), PodId::none());
  EXPECT_TRUE(PodId(std::uint32_t{0}).is_valid());
  EXPECT_LT(PodId(std::uint32_t{7}), PodId::none());  // sorts after every valid id
}

TEST(Id, IsFourBytesAndTyped) {
  EXPECT_EQ(sizeof(PodId), 4u);
  EXPECT_FALSE((std::is_convertible_v<PodId, NodeId>));
  EXPECT_FALSE((std::is_convertible_v<std::uint32_t, PodId>));
}

TEST(IdSet, NewSetIsEmpty) {
  IdSet<PodTag> set;
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.size(), 0u);
  EXPECT_FALSE(set.contains(PodId(std::uint32_t{0})));
}

TEST(IdSet, ListsIdsInOrderAcrossWords) {
  EXPECT_EQ(listed(set_of({128, 63, 0, 64, 63})), (std::vector<std::uint32_t>{0, 63, 64, 128}));
}

TEST(IdSet, IsEmptyAgainAfterItsLastIdLeft) {
  auto set = set_of({200});
  set.erase(PodId(std::uint32_t{200}));
  set.erase(PodId(std::uint32_t{5'000}));  // never was in it
  EXPECT_TRUE(set.empty());
  EXPECT_FALSE(set.contains(PodId(std::uint32_t{200})));
}

TEST(IdSet, InvalidIdIsInNoSet) {
  auto set = set_of({1});
  EXPECT_FALSE(set.contains(PodId::none()));
  EXPECT_THROW(set.insert(PodId::none()), BrokenContract);
}

TEST(IdSet, UnionGrowsTheShorterSet) {
  auto set = set_of({1});
  set.insert_all(set_of({2, 300}));
  EXPECT_EQ(listed(set), (std::vector<std::uint32_t>{1, 2, 300}));
  set.insert_all(set_of({3}));
  EXPECT_EQ(set.size(), 4u);
}

TEST(IdSet, IntersectionDropsWhatTheShorterSetCannotHold) {
  auto set = set_of({1, 2, 300});
  set.keep_only(set_of({2, 3}));
  EXPECT_EQ(listed(set), (std::vector<std::uint32_t>{2}));
}

}  // namespace
}  // namespace podwire
