#include "models/policy/atoms.hpp"

#include <algorithm>

namespace podwire::policy {

namespace {

constexpr IpAddress kFirstV4 = IpAddress::v4(0);
constexpr IpAddress kLastV4 = IpAddress::v4(0xffff'ffff);

/// `ranges` without the addresses of `hole`.
std::vector<AddressRange> without(const std::vector<AddressRange>& ranges, const AddressRange& hole) {
  std::vector<AddressRange> rest;
  for (const AddressRange& range : ranges) {
    if (hole.second < range.first || range.second < hole.first) {
      rest.push_back(range);
      continue;
    }
    if (range.first < hole.first) {
      rest.emplace_back(range.first, hole.first.minus_one());
    }
    if (hole.second < range.second) {
      rest.emplace_back(hole.second.plus(1), range.second);
    }
  }
  return rest;
}

}  // namespace

std::vector<AddressRange> ranges_of(const IpBlock& block) {
  std::vector<AddressRange> ranges = {{block.cidr.first(), block.cidr.last()}};
  if (block.cidr.family() == IpFamily::v6) {
    ranges = without(ranges, {kFirstV4, kLastV4});
  }
  for (const Cidr& except : block.except) {
    if (except.family() == block.cidr.family()) {
      ranges = without(ranges, {except.first(), except.last()});
    }
  }
  return ranges;
}

Atoms::Atoms() : starts_{IpAddress(), kFirstV4, kLastV4.plus(1)} {}

void Atoms::add(std::span<const AddressRange> ranges) {
  for (const auto& [first, last] : ranges) {
    starts_.push_back(first);
    if (const IpAddress next = last.plus(1); !next.is_unspecified()) {
      starts_.push_back(next);
    }
  }
}

void Atoms::finish() {
  std::sort(starts_.begin(), starts_.end());
  starts_.erase(std::unique(starts_.begin(), starts_.end()), starts_.end());
  starts_.shrink_to_fit();
}

AtomId Atoms::atom_of(IpAddress ip) const {
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), ip);
  return AtomId(static_cast<std::size_t>(after - starts_.begin() - 1));
}

AddressRange Atoms::range(AtomId atom) const {
  const std::size_t next = atom.index() + 1;
  return {starts_[atom.index()], next < starts_.size() ? starts_[next].minus_one() : IpAddress().minus_one()};
}

}  // namespace podwire::policy
