#include "models/cluster/addresses.hpp"

#include <algorithm>
#include <bit>

#include "sim/base/check.hpp"

namespace podwire::cluster {
namespace {

unsigned bits_of(IpFamily family) {
  return family == IpFamily::v4 ? 32 : 128;
}

}  // namespace

std::uint64_t address_count(const Cidr& cidr) {
  const unsigned host_bits = bits_of(cidr.family()) - cidr.length();
  return host_bits >= 64 ? ~std::uint64_t{0} : std::uint64_t{1} << host_bits;
}

Cidr block_at(const Cidr& cidr, unsigned length, std::uint64_t index) {
  const unsigned shift = bits_of(cidr.family()) - length;
  const IpAddress base = cidr.first();
  if (shift >= 64) {
    return Cidr(IpAddress(base.high() + (index << (shift - 64)), base.low()), length);
  }
  return Cidr(base.plus(index << shift), length);
}

BlockCutter::BlockCutter(Cidr from, unsigned length, std::vector<Cidr> reserved)
    : from_(from), length_(length), reserved_(std::move(reserved)) {
  PODWIRE_CHECK(length >= from.length(), "cluster", "blocks are no larger than what they are cut from");
  const unsigned bits = length - from.length();
  blocks_ = bits >= 64 ? ~std::uint64_t{0} : std::uint64_t{1} << bits;
  // CIDRs nest or are disjoint: after sorting, one that lies inside its predecessor adds nothing.
  std::ranges::sort(reserved_, [](const Cidr& a, const Cidr& b) {
    return a.first() != b.first() ? a.first() < b.first() : a.length() < b.length();
  });
  std::vector<Cidr> outer;
  for (const Cidr& cidr : reserved_) {
    if (outer.empty() || !outer.back().contains(cidr)) {
      outer.push_back(cidr);
    }
  }
  reserved_ = std::move(outer);
}

std::optional<Cidr> BlockCutter::next() {
  while (index_ < blocks_) {
    const Cidr block = block_at(from_, length_, index_);
    while (passed_ < reserved_.size() && reserved_[passed_].last() < block.first()) {
      ++passed_;
    }
    if (passed_ == reserved_.size() || !block.overlaps(reserved_[passed_])) {
      ++index_;
      return block;
    }
    // Past the reserved block in one step: a /12 inside a /8 would otherwise cost thousands.
    const unsigned inner = reserved_[passed_].length();
    const std::uint64_t covered = inner < length_ && length_ - inner < 64 ? std::uint64_t{1} << (length_ - inner) : 1;
    index_ += std::min(covered, blocks_ - index_);
  }
  return std::nullopt;
}

Cidr covering(const std::vector<Cidr>& blocks) {
  PODWIRE_CHECK(!blocks.empty(), "cluster", "something to cover");
  IpAddress first = blocks.front().first();
  IpAddress last = blocks.front().last();
  for (const Cidr& block : blocks) {
    first = std::min(first, block.first());
    last = std::max(last, block.last());
  }
  const int common = first.high() != last.high() ? std::countl_zero(first.high() ^ last.high())
                                                 : 64 + std::countl_zero(first.low() ^ last.low());
  const unsigned unused = first.is_v4() ? 96 : 0;
  return Cidr(first, std::max(static_cast<unsigned>(common), unused) - unused);
}

}  // namespace podwire::cluster
