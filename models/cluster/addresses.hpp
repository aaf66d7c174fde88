// Hands out addresses and blocks of addresses in a fixed order, around those that are taken.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/base/ip.hpp"

namespace podwire::cluster {

/// 2^(bits of the family − length) as far as it fits 64 bits.
std::uint64_t address_count(const Cidr& cidr);

/// Addresses of a node's block that pods can have: all but the network, the bridge and the broadcast address.
inline std::uint64_t usable_addresses(const Cidr& cidr) {
  const std::uint64_t all = address_count(cidr);
  return all > 3 ? all - 3 : 0;
}

/// The `index`-th block of `length` within `cidr`. Precondition: it lies inside.
Cidr block_at(const Cidr& cidr, unsigned length, std::uint64_t index);

/// Cuts blocks of one size from a CIDR in ascending order, skipping those that overlap a reserved one.
/// O(reserved log reserved) to set up, O(1) amortised a block.
class BlockCutter {
 public:
  BlockCutter(Cidr from, unsigned length, std::vector<Cidr> reserved);
  /// The next free block; nothing when the CIDR is used up.
  std::optional<Cidr> next();

 private:
  Cidr from_;
  unsigned length_ = 0;
  std::uint64_t index_ = 0;
  std::uint64_t blocks_ = 0;
  std::vector<Cidr> reserved_;  // sorted by first address
  std::size_t passed_ = 0;      // reserved ones that end before every later block
};

/// The smallest CIDR that holds all of `blocks` (same family, at least one).
Cidr covering(const std::vector<Cidr>& blocks);

}  // namespace podwire::cluster
