// Makes a sorted run of one bucket's events: stable by (time, source), linear where times are spread evenly.
//
// Few events are placed by counting, or insertion-sorted. Many are first spread over about as many slots as
// there are events by the next bits of their times (a counting sort, so stable), after which an insertion sort has
// almost nothing to move. A slot that is too full for that is spread again by the bits in which its times differ, or,
// all at one time, its sources; after three rounds it is merge-sorted, so the worst case is O(n log n).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/des/chunk_list.hpp"
#include "sim/des/event.hpp"

namespace podwire::des {

/// Sorts buckets; keeps its scratch memory.
class Sorter {
 public:
  /// Copies the `count` events of `list`, whose times agree in all but their lowest `width_bits` bits, sorted to `out`.
  void sort(const ChunkList& list, std::size_t count, unsigned width_bits, Event* out);

 private:
  static constexpr std::size_t kRounds = 3;

  bool spread_few(const ChunkList& list, std::size_t count, unsigned width_bits, Event* out);
  void spread(const ChunkList& list, std::size_t count, unsigned width_bits, Event* out);
  void sort_array(Event* begin, Event* end, std::size_t round);
  void sort_slots(Event* begin, const std::vector<std::uint32_t>& ends, std::size_t round);
  void merge_sort(Event* begin, Event* end);
  Event* scratch(std::size_t count);

  std::array<std::vector<std::uint32_t>, kRounds + 1> slots_;  // one for each round, the first one's for the list
  std::vector<Event> scratch_;
};

}  // namespace podwire::des
