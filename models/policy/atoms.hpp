// Address atoms: the intervals between the sorted boundaries of all ipBlocks. No ipBlock of the policy set can tell two
// addresses of one atom apart. Both families lie in one 128-bit space (IPv4 as ::ffff:a.b.c.d); their borders are
// always boundaries, so no atom holds both.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "models/policy/policy.hpp"
#include "sim/base/ip.hpp"

namespace podwire::policy {

using AtomId = Id<struct AtomTag>;

class Atoms {
 public:
  Atoms();
  /// Adds the boundaries of a block and its exceptions; call finish() after the last.
  void add(const IpBlock& block);
  void finish();

  std::size_t size() const { return starts_.size(); }
  /// O(log atoms).
  AtomId atom_of(IpAddress ip) const;
  /// First and last address.
  std::pair<IpAddress, IpAddress> range(AtomId atom) const;
  /// The atoms inside the block and outside its exceptions, as [begin, end) pairs in order. A block holds addresses of
  /// its own family only: ::/0 holds no IPv4 address.
  std::vector<std::uint32_t> ranges_of(const IpBlock& block) const;
  std::size_t memory_bytes() const { return starts_.capacity() * sizeof(IpAddress); }

 private:
  void add(const Cidr& cidr);
  std::pair<std::uint32_t, std::uint32_t> range_of(const Cidr& cidr) const;

  std::vector<IpAddress> starts_;  // ascending, the first is ::
};

}  // namespace podwire::policy
