#include "sim/des/sorter.hpp"

#include <algorithm>
#include <bit>

namespace podwire::des {

namespace {

// Measured on the hold model: below this, spreading costs more than it saves.
constexpr std::size_t kSpreadFrom = 24;
// A slot with more events than this is merge-sorted.
constexpr std::uint32_t kFullSlot = 24;
constexpr unsigned kMostSlotBits = 12;

void insertion_sort(Event* begin, Event* end) {
  for (Event* next = begin + 1; next < end; ++next) {
    const Event event = *next;
    Event* hole = next;
    for (; hole != begin && event.is_before(hole[-1]); --hole) {
      *hole = hole[-1];
    }
    *hole = event;
  }
}

}  // namespace

void Sorter::sort(const ChunkList& list, std::size_t count, unsigned width_bits, Event* out) {
  if (count >= kSpreadFrom) {
    spread(list, count, width_bits, out);
    return;
  }
  Event* end = out;
  list.for_each([&](const Event& event) {
    Event* hole = end++;
    for (; hole != out && event.is_before(hole[-1]); --hole) {
      *hole = hole[-1];
    }
    *hole = event;
  });
}

void Sorter::spread(const ChunkList& list, std::size_t count, unsigned width_bits, Event* out) {
  const auto count_bits = static_cast<unsigned>(std::bit_width(count));
  const unsigned slot_bits = std::min({count_bits, kMostSlotBits, width_bits});
  const unsigned shift = width_bits - slot_bits;
  const std::uint64_t mask = (std::uint64_t{1} << slot_bits) - 1;
  const auto slot_of = [&](const Event& event) {
    return static_cast<std::size_t>(static_cast<std::uint64_t>(event.time().ps()) >> shift & mask);
  };

  slots_.assign(static_cast<std::size_t>(mask) + 1, 0);
  std::uint32_t* const slots = slots_.data();
  bool is_sorted = true;
  Event previous;
  list.for_each([&](const Event& event) {
    ++slots[slot_of(event)];
    is_sorted &= !event.is_before(previous);
    previous = event;
  });
  if (is_sorted) {
    list.for_each([&](const Event& event) { *out++ = event; });
    return;
  }
  std::uint32_t begin = 0;
  std::uint32_t fullest = 0;
  for (std::uint32_t& slot : slots_) {
    fullest = std::max(fullest, slot);
    begin += std::exchange(slot, begin);
  }
  list.for_each([&](const Event& event) { out[slots[slot_of(event)]++] = event; });
  if (fullest <= kFullSlot) {
    insertion_sort(out, out + count);
    return;
  }
  std::uint32_t from = 0;
  for (const std::uint32_t to : slots_) {  // each slot now points past its last event
    if (to - from <= kFullSlot) {
      insertion_sort(out + from, out + to);
    } else {
      merge_sort(out + from, out + to);
    }
    from = to;
  }
}

void Sorter::merge_sort(Event* begin, Event* end) {
  constexpr std::size_t kBlock = 16;
  const auto count = static_cast<std::size_t>(end - begin);
  for (std::size_t at = 0; at < count; at += kBlock) {
    insertion_sort(begin + at, begin + std::min(at + kBlock, count));
  }
  scratch_.resize(std::max(scratch_.size(), count));
  Event* from = begin;
  Event* to = scratch_.data();
  for (std::size_t width = kBlock; width < count; width *= 2) {
    for (std::size_t at = 0; at < count; at += 2 * width) {
      const Event* left = from + at;
      const Event* const left_end = from + std::min(at + width, count);
      const Event* right = left_end;
      const Event* const right_end = from + std::min(at + 2 * width, count);
      Event* out = to + at;
      while (left != left_end && right != right_end) {
        const bool takes_right = right->is_before(*left);
        *out++ = takes_right ? *right : *left;
        right += takes_right ? 1 : 0;
        left += takes_right ? 0 : 1;
      }
      out = std::copy(left, left_end, out);
      std::copy(right, right_end, out);
    }
    std::swap(from, to);
  }
  if (from != begin) {
    std::copy(from, from + count, begin);
  }
}

}  // namespace podwire::des
