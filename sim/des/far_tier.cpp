#include "sim/des/far_tier.hpp"

#include <algorithm>

#include "sim/base/check.hpp"

namespace podwire::des {

std::uint64_t FarTier::earliest() const {
  PODWIRE_CHECK(filled_ != 0, "des", "an empty tier has no earliest event");
  std::uint64_t earliest = kEmptyFloor;
  lists_[static_cast<std::size_t>(std::countr_zero(filled_))].for_each(
      [&](const Event& event) { earliest = std::min(earliest, static_cast<std::uint64_t>(event.time().ps())); });
  return earliest;
}

void FarTier::rebase(std::uint64_t base) {
  PODWIRE_CHECK(base <= base_, "des", "rebasing only lowers the base");
  std::array<ChunkList, 64> lists = std::exchange(lists_, {});
  const std::uint64_t filled = std::exchange(filled_, 0);
  base_ = base;
  size_ = 0;
  floor_ = kEmptyFloor;
  for (std::uint64_t left = filled; left != 0; left &= left - 1) {
    lists[static_cast<std::size_t>(std::countr_zero(left))].consume(pool_, [&](const Event& event) { push(event); });
  }
}

}  // namespace podwire::des
