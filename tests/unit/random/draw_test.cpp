#include "sim/random/draw.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <set>

#include "sim/base/check.hpp"

namespace podwire::random {
namespace {

constexpr Purpose kBackend("test/backend");
constexpr Purpose kPort("test/port");

TEST(Draw, IsAFunctionOfItsIdentityNotOfTheOrderOfDrawing) {
  const std::uint64_t early = draw(1, kBackend, 10, 2).bits();
  for (std::uint64_t who = 0; who < 100; ++who) {
    static_cast<void>(draw(1, kBackend, who).bits());
  }
  EXPECT_EQ(draw(1, kBackend, 10, 2).bits(), early);
  EXPECT_EQ(Stream(1, kBackend).draw(10, 2).bits(), early);
}

TEST(Draw, EachPartOfTheIdentityMatters) {
  std::set<std::uint64_t> seen;
  for (const std::uint64_t seed : {0u, 1u, 2u}) {
    for (const Purpose purpose : {kBackend, kPort}) {
      for (const std::uint64_t who : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32}) {
        for (const std::uint32_t which : {0u, 1u, 2u}) {
          seen.insert(draw(seed, purpose, who, which).bits());
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), 3u * 2 * 3 * 3);
}

TEST(Draw, GivesTheSameBitsOnEveryCompiler) {
  // Golden: recorded once, equal for gcc and clang at every level of optimisation.
  Draw golden = draw(42, kBackend, 7, 3);
  EXPECT_EQ(golden.bits(), 15440132092370172546u);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(draw(42, kBackend, 7, 3).exponential(1.0)), 4595578183950702389u);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(draw(42, kBackend, 7, 3).normal()), 4604414968865980943u);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(draw(42, kBackend, 7, 3).lognormal(1.0, 0.5)), 4609046610393873620u);
  EXPECT_EQ(draw(42, kBackend, 7, 3).exponential(Duration::from_ms(1)).ps(), 177'917'782);
}

TEST(Draw, ContinuesPastItsFirstBlock) {
  // A block is four 32-bit words; the fifth is another block's first.
  Draw long_draw = draw(1, kPort, 1);
  std::set<std::uint32_t> words;
  for (int i = 0; i < 64; ++i) {
    words.insert(long_draw.bits32());
  }
  EXPECT_EQ(words.size(), 64u);
}

TEST(Draw, BelowOneIsZeroAndBelowZeroABrokenContract) {
  EXPECT_EQ(draw(1, kPort, 1).below(1), 0u);
  EXPECT_THROW(draw(1, kPort, 1).below(0), BrokenContract);
  EXPECT_THROW(draw(1, kPort, 1).uniform(Duration::from_ps(5), Duration::from_ps(5)), BrokenContract);
}

TEST(Draw, ChanceIsCertainAtItsEnds) {
  for (std::uint64_t who = 0; who < 1'000; ++who) {
    EXPECT_FALSE(draw(1, kPort, who).chance(0.0));
    EXPECT_TRUE(draw(1, kPort, who).chance(1.0));
  }
}

TEST(Draw, TimesAreBoundedByTheLongestDuration) {
  for (std::uint64_t who = 0; who < 100; ++who) {
    EXPECT_GE(draw(1, kPort, who).exponential(Duration::max()), Duration::zero());
    EXPECT_LE(draw(1, kPort, who).lognormal(Duration::max(), 3.0), Duration::max());
    EXPECT_GE(draw(1, kPort, who).lognormal(Duration::max(), 3.0), Duration::zero());
  }
}

TEST(Identity, TellsPairsApart) {
  EXPECT_NE(identity(1, 2), identity(2, 1));
  EXPECT_EQ(identity(1, 2), (std::uint64_t{1} << 32) + 2);
}

}  // namespace
}  // namespace podwire::random
