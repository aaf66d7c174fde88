// Linear probing; the hash mixes each word by a multiplication, as FNV does, with a final avalanche (MurmurHash3's
// fmix32), since many keys differ in their last word only.
#include "models/policy/word_table.hpp"

#include <algorithm>

#include "sim/base/check.hpp"

namespace podwire::policy {

namespace {

std::uint32_t hash_of(std::span<const std::uint32_t> words) {
  std::uint64_t h = 0xcbf2'9ce4'8422'2325u;
  for (const std::uint32_t word : words) {
    h = (h ^ word) * 0x9e37'79b9'7f4a'7c15u;
    h ^= h >> 32;
  }
  auto folded = static_cast<std::uint32_t>(h ^ (h >> 32));
  folded ^= folded >> 16;
  folded *= 0x85eb'ca6bu;
  folded ^= folded >> 13;
  return folded;
}

}  // namespace

WordTable::Interned WordTable::intern(std::span<const std::uint32_t> words) {
  const std::uint32_t hash = hash_of(words);
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  for (; slots_[slot] != kEmptySlot; slot = (slot + 1) & mask) {
    const std::uint32_t id = slots_[slot];
    if (hashes_[id] == hash && std::ranges::equal((*this)[id], words)) {
      return {id, false};
    }
  }
  const auto id = static_cast<std::uint32_t>(size());
  PODWIRE_CHECK(id < kEmptySlot, "policy", "a table holds fewer than 2^32 - 1 sequences");
  slots_[slot] = id;
  hashes_.push_back(hash);
  words_.insert(words_.end(), words.begin(), words.end());
  begins_.push_back(words_.size());
  if (size() * 2 > slots_.size()) {
    grow();
  }
  return {id, true};
}

void WordTable::grow() {
  slots_.assign(slots_.size() * 2, kEmptySlot);
  const std::size_t mask = slots_.size() - 1;
  for (std::uint32_t id = 0; id < size(); ++id) {
    std::size_t slot = hashes_[id] & mask;
    while (slots_[slot] != kEmptySlot) {
      slot = (slot + 1) & mask;
    }
    slots_[slot] = id;
  }
}

void WordTable::clear() {
  words_.clear();
  begins_.assign(1, 0);
  hashes_.clear();
  std::fill(slots_.begin(), slots_.end(), kEmptySlot);
}

}  // namespace podwire::policy
