#include "sim/des/sorter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace podwire::des {
namespace {

/// Sorts `events` by the sorter and by std::stable_sort, which is the order by definition.
void expect_sorted_alike(const std::vector<Event>& events, unsigned width_bits) {
  ChunkPool pool;
  ChunkList list;
  for (const Event& event : events) {
    list.push(event, pool);
  }
  std::vector<Event> expected = events;
  std::stable_sort(expected.begin(), expected.end(), [](const Event& a, const Event& b) { return a.is_before(b); });
  std::vector<Event> sorted(events.size());
  Sorter sorter;
  sorter.sort(list, events.size(), width_bits, sorted.data());
  ASSERT_EQ(sorted, expected) << events.size() << " events, " << width_bits << " bits";
}

/// `count` events of one bucket of 2^width_bits ps; few sources, so that some tie entirely and only insertion orders
/// them.
std::vector<Event> events_of_bucket(std::mt19937_64& random, std::size_t count, unsigned width_bits,
                                    std::int64_t spread) {
  std::vector<Event> events;
  const std::int64_t begin = std::int64_t{12'345} << width_bits;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto offset = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(spread));
    events.emplace_back(Time::from_ps(begin + offset), EventSource(static_cast<std::uint32_t>(random() % 5)), Kind(1),
                        i);
  }
  return events;
}

TEST(Sorter, SortsEveryNumberOfEventsStably) {
  constexpr std::uint64_t kSeed = 20'240;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  for (std::size_t count = 1; count <= 300; ++count) {
    for (const unsigned width_bits : {0u, 1u, 3u, 8u, 20u}) {
      const std::int64_t width = std::int64_t{1} << width_bits;
      expect_sorted_alike(events_of_bucket(random, count, width_bits, width), width_bits);
      expect_sorted_alike(events_of_bucket(random, count, width_bits, std::max<std::int64_t>(1, width / 256)),
                          width_bits);
    }
  }
}

// One slot with 31 events is still insertion-sorted, with 32 it is not; with 255 all counts still fit bytes.
TEST(Sorter, SortsCrowdedSlots) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  for (const std::size_t crowd : {30u, 31u, 32u, 33u, 64u, 200u}) {
    for (const std::size_t others : {0u, 1u, 55u, 56u, 100u}) {
      std::vector<Event> events = events_of_bucket(random, others, 20, 1 << 20);
      const std::vector<Event> crowded = events_of_bucket(random, crowd, 20, 4);
      events.insert(events.end(), crowded.begin(), crowded.end());
      std::shuffle(events.begin(), events.end(), random);
      expect_sorted_alike(events, 20);
    }
  }
}

}  // namespace
}  // namespace podwire::des
