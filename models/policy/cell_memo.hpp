// The bounded memo of cells: (group, peer) → port map. Four cells a cache line; the oldest of a line makes room. It
// grows by doubling up to a fixed size and only ever forgets, so a miss costs time, never correctness.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "models/policy/engine.hpp"

namespace podwire::policy {

class CellMemo {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  static constexpr std::size_t kWays = 4;

  CellMemo() : lines_(kFirstLines) {}

  /// The port map remembered for the cell, or kNone.
  std::uint32_t find(GroupId group, PeerId peer) const {
    const Line& line = lines_[line_of(group, peer)];
    const std::uint64_t key = key_of(group.value(), peer.value());
    // Which way it is cannot be predicted: no branches.
    std::uint32_t map = kNone;
    for (std::size_t way = 0; way < kWays; ++way) {
      map = line.keys[way] == key ? line.maps[way] : map;
    }
    return map;
  }

  void insert(GroupId group, PeerId peer, std::uint32_t map) {
    if (++inserted_ > lines_.size() * kWays / 2 && lines_.size() < kMostLines) {
      grow();
    }
    put(lines_[line_of(group, peer)], key_of(group.value(), peer.value()), map);
  }

  /// Forgets everything and keeps its size.
  void clear() {
    inserted_ = 0;
    lines_.assign(lines_.size(), Line());
  }
  std::size_t memory_bytes() const { return lines_.capacity() * sizeof(Line); }

 private:
  static constexpr std::uint64_t kNoKey = ~std::uint64_t{0};
  static constexpr std::size_t kFirstLines = 64;
  static constexpr std::size_t kMostLines = std::size_t{1} << 17;  // 512 Ki cells in 8 MiB

  struct alignas(64) Line {
    std::array<std::uint64_t, kWays> keys = {kNoKey, kNoKey, kNoKey, kNoKey};
    std::array<std::uint32_t, kWays> maps = {kNone, kNone, kNone, kNone};
    std::uint32_t oldest = 0;
  };

  static std::uint64_t key_of(std::uint32_t group, std::uint32_t peer) {
    return static_cast<std::uint64_t>(group) << 32 | peer;
  }
  std::size_t line_of(GroupId group, PeerId peer) const {
    const std::uint64_t h = key_of(group.value(), peer.value()) * 0x9e37'79b9'7f4a'7c15u;
    return (h ^ h >> 29) * 0xc2b2'ae3d'27d4'eb4fu >> 40 & (lines_.size() - 1);
  }
  static void put(Line& line, std::uint64_t key, std::uint32_t map) {
    line.keys[line.oldest] = key;
    line.maps[line.oldest] = map;
    line.oldest = (line.oldest + 1) % kWays;
  }
  void grow() {
    std::vector<Line> old(lines_.size() * 2);
    old.swap(lines_);
    for (const Line& line : old) {
      for (std::size_t way = 0; way < kWays; ++way) {
        if (line.maps[way] != kNone) {
          const GroupId group(static_cast<std::uint32_t>(line.keys[way] >> 32));
          const PeerId peer(static_cast<std::uint32_t>(line.keys[way]));
          put(lines_[line_of(group, peer)], line.keys[way], line.maps[way]);
        }
      }
    }
  }

  std::vector<Line> lines_;
  std::size_t inserted_ = 0;
};

}  // namespace podwire::policy
