// Address atoms: the intervals between the sorted boundaries of all ipBlocks. No ipBlock of the policy set can tell two
// addresses of one atom apart. Both families lie in one 128-bit space (IPv4 as ::ffff:a.b.c.d); their borders are
// always boundaries, so no atom holds both.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "models/policy/policy.hpp"
#include "sim/base/ip.hpp"

namespace podwire::policy {

using AtomId = Id<struct AtomTag>;

/// First and last address.
using AddressRange = std::pair<IpAddress, IpAddress>;

/// The addresses inside the block and outside its exceptions, in order, as few ranges as there are gaps allow. A block
/// holds addresses of its own family only: ::/0 holds no IPv4 address.
std::vector<AddressRange> ranges_of(const IpBlock& block);

class Atoms {
 public:
  Atoms();
  /// Adds the boundaries of ranges of addresses; call finish() after the last. Numbers of atoms change with it.
  void add(std::span<const AddressRange> ranges);
  void finish();

  std::size_t size() const { return starts_.size(); }
  IpAddress start(std::uint32_t atom) const { return starts_[atom]; }
  /// O(log atoms).
  AtomId atom_of(IpAddress ip) const;
  /// First and last address.
  AddressRange range(AtomId atom) const;
  std::size_t memory_bytes() const { return starts_.capacity() * sizeof(IpAddress); }

 private:
  std::vector<IpAddress> starts_;  // ascending, the first is ::
};

}  // namespace podwire::policy
