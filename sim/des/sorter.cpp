#include "sim/des/sorter.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace podwire::des {

namespace {

// Counting places is quadratic: for so few only.
constexpr std::size_t kRankUpTo = 12;
static_assert(kRankUpTo <= Chunk::kEvents);
// Up to so many events, counts and places fit bytes. Eight bytes are then one word, so it takes little to have several
// slots an event, and then hardly two events share one.
constexpr std::size_t kFew = std::endian::native == std::endian::little ? 255 : kRankUpTo;
constexpr unsigned kFewSlotBits = 8;
constexpr std::uint64_t kBytesOfOne = 0x0101'0101'0101'0101;
constexpr std::uint64_t kBytesOf32AndMore = kBytesOfOne * 0xe0;
// A slot with more events than this is merge-sorted.
constexpr std::uint32_t kFullSlot = 24;
constexpr unsigned kMostSlotBits = 12;

std::uint64_t time_of(const Event& event) {
  return static_cast<std::uint64_t>(event.time().ps());
}

// One to two slots an event, as long as their counts stay in the L1 cache.
unsigned slot_bits_of(std::size_t count) {
  return std::min(static_cast<unsigned>(std::bit_width(count)), kMostSlotBits);
}

// Turns counts into where each slot begins; returns the greatest count.
std::uint32_t make_begins(std::vector<std::uint32_t>& slots) {
  std::uint32_t begin = 0;
  std::uint32_t fullest = 0;
  for (std::uint32_t& slot : slots) {
    fullest = std::max(fullest, slot);
    begin += std::exchange(slot, begin);
  }
  return fullest;
}

void insertion_sort(Event* begin, Event* end) {
  for (Event* next = begin + 1; next < end; ++next) {
    if (next[-1].time() < next->time()) {
      continue;
    }
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
  if (count > kRankUpTo) {
    if (count > kFew || !spread_few(list, count, width_bits, out)) {
      spread(list, count, width_bits, out);
    }
    return;
  }
  // All in one chunk. Each event's place is the number of events before it, counted without a branch to mispredict.
  const Event* const events = list.first()->events;
  std::uint32_t places[kRankUpTo] = {};
  for (std::uint32_t i = 1; i < count; ++i) {
    std::uint32_t place = 0;
    for (std::uint32_t j = 0; j < i; ++j) {
      const std::uint32_t is_earlier = events[i].is_before(events[j]) ? 1 : 0;
      places[j] += is_earlier;
      place += 1 - is_earlier;
    }
    places[i] = place;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    out[places[i]] = events[i];
  }
}

// False, and nothing done, if some slot would get 32 events or more: see spread.
bool Sorter::spread_few(const ChunkList& list, std::size_t count, unsigned width_bits, Event* out) {
  const unsigned slot_bits = std::min({kFewSlotBits, static_cast<unsigned>(std::bit_width(count)) + 2, width_bits});
  const unsigned shift = width_bits - slot_bits;
  const std::uint64_t mask = (std::uint64_t{1} << slot_bits) - 1;
  const auto slot_of = [&](const Event& event) { return static_cast<std::size_t>(time_of(event) >> shift & mask); };

  std::uint64_t words[(std::size_t{1} << kFewSlotBits) / 8];
  auto* const slots = reinterpret_cast<std::uint8_t*>(words);
  const std::size_t word_count = (mask >> 3) + 1;
  std::fill_n(words, word_count, 0);
  list.for_each([&](const Event& event) { ++slots[slot_of(event)]; });
  std::uint64_t before = 0;  // in each byte: events in the words before
  std::uint64_t crowded = 0;
  for (std::size_t w = 0; w < word_count; ++w) {
    const std::uint64_t counts = words[w];
    crowded |= counts;
    const std::uint64_t ends = counts * kBytesOfOne;  // byte i: counts of the bytes 0 to i
    words[w] = before + ends - counts;
    before += (ends >> 56) * kBytesOfOne;
  }
  if ((crowded & kBytesOf32AndMore) != 0) {
    return false;
  }
  list.for_each([&](const Event& event) { out[slots[slot_of(event)]++] = event; });
  insertion_sort(out, out + count);
  return true;
}

void Sorter::spread(const ChunkList& list, std::size_t count, unsigned width_bits, Event* out) {
  const unsigned slot_bits = std::min(slot_bits_of(count), width_bits);
  const unsigned shift = width_bits - slot_bits;
  const std::uint64_t mask = (std::uint64_t{1} << slot_bits) - 1;
  const auto slot_of = [&](const Event& event) { return static_cast<std::size_t>(time_of(event) >> shift & mask); };

  std::vector<std::uint32_t>& slots = slots_[0];
  slots.assign(static_cast<std::size_t>(mask) + 1, 0);
  bool is_sorted = true;
  Event previous = list.first()->events[0];
  const std::uint64_t first_time = time_of(previous);
  std::uint64_t differing = 0;
  list.for_each([&](const Event& event) {
    ++slots[slot_of(event)];
    is_sorted &= !event.is_before(previous);
    differing |= time_of(event) ^ first_time;
    previous = event;
  });
  if (is_sorted || differing == 0) {
    Event* end = out;
    list.for_each([&](const Event& event) { *end++ = event; });
    if (!is_sorted) {
      sort_array(out, end, 1);
    }
    return;
  }
  const std::uint32_t fullest = make_begins(slots);
  list.for_each([&](const Event& event) { out[slots[slot_of(event)]++] = event; });
  if (fullest <= kFullSlot) {
    insertion_sort(out, out + count);
  } else {
    sort_slots(out, slots, 1);
  }
}

void Sorter::sort_slots(Event* begin, const std::vector<std::uint32_t>& ends, std::size_t round) {
  std::uint32_t from = 0;
  for (const std::uint32_t to : ends) {
    if (to - from <= kFullSlot) {
      insertion_sort(begin + from, begin + to);
    } else {
      sort_array(begin + from, begin + to, round);
    }
    from = to;
  }
}

void Sorter::sort_array(Event* begin, Event* end, std::size_t round) {
  const auto count = static_cast<std::size_t>(end - begin);
  std::uint64_t times = 0;
  std::uint64_t sources = 0;
  for (const Event* event = begin; event != end; ++event) {
    times |= time_of(*event) ^ time_of(*begin);
    sources |= event->source().value() ^ begin->source().value();
  }
  if (times == 0 && sources == 0) {
    return;
  }
  if (round > kRounds || count < 2 * kFullSlot) {
    merge_sort(begin, end);
    return;
  }
  const auto key_of = [&](const Event& event) { return times != 0 ? time_of(event) : event.source().value(); };
  const auto key_bits = static_cast<unsigned>(std::bit_width(times != 0 ? times : sources));
  const unsigned slot_bits = std::min(slot_bits_of(count), key_bits);
  const unsigned shift = key_bits - slot_bits;
  const std::uint64_t mask = (std::uint64_t{1} << slot_bits) - 1;
  const auto slot_of = [&](const Event& event) { return static_cast<std::size_t>(key_of(event) >> shift & mask); };

  std::vector<std::uint32_t>& slots = slots_[round];
  slots.assign(static_cast<std::size_t>(mask) + 1, 0);
  for (const Event* event = begin; event != end; ++event) {
    ++slots[slot_of(*event)];
  }
  const std::uint32_t fullest = make_begins(slots);
  Event* const copy = scratch(count);
  std::copy(begin, end, copy);
  for (const Event* event = copy; event != copy + count; ++event) {
    begin[slots[slot_of(*event)]++] = *event;
  }
  if (fullest <= kFullSlot) {
    insertion_sort(begin, end);
  } else {
    sort_slots(begin, slots, round + 1);
  }
}

Event* Sorter::scratch(std::size_t count) {
  if (scratch_.size() < count) {
    scratch_.resize(count);
  }
  return scratch_.data();
}

void Sorter::merge_sort(Event* begin, Event* end) {
  constexpr std::size_t kBlock = 16;
  const auto count = static_cast<std::size_t>(end - begin);
  for (std::size_t at = 0; at < count; at += kBlock) {
    insertion_sort(begin + at, begin + std::min(at + kBlock, count));
  }
  Event* from = begin;
  Event* to = scratch(count);
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
