#include "models/policy/atoms.hpp"

#include <algorithm>

namespace podwire::policy {

namespace {

constexpr IpAddress kFirstV4 = IpAddress::v4(0);
constexpr IpAddress kAfterV4 = IpAddress(0, 0x0001'0000'0000'0000u);

using Interval = std::pair<std::uint32_t, std::uint32_t>;

/// `intervals` without [first, last).
std::vector<Interval> without(const std::vector<Interval>& intervals, Interval hole) {
  std::vector<Interval> rest;
  for (const auto& [first, last] : intervals) {
    if (first < std::min(last, hole.first)) {
      rest.emplace_back(first, std::min(last, hole.first));
    }
    if (std::max(first, hole.second) < last) {
      rest.emplace_back(std::max(first, hole.second), last);
    }
  }
  return rest;
}

}  // namespace

Atoms::Atoms() : starts_{IpAddress(), kFirstV4, kAfterV4} {}

void Atoms::add(const Cidr& cidr) {
  starts_.push_back(cidr.first());
  if (const IpAddress next = cidr.last().plus(1); !next.is_unspecified()) {
    starts_.push_back(next);
  }
}

void Atoms::add(const IpBlock& block) {
  add(block.cidr);
  for (const Cidr& except : block.except) {
    add(except);
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

std::pair<IpAddress, IpAddress> Atoms::range(AtomId atom) const {
  const std::size_t next = atom.index() + 1;
  return {starts_[atom.index()], next < starts_.size() ? starts_[next].minus_one() : IpAddress().minus_one()};
}

std::pair<std::uint32_t, std::uint32_t> Atoms::range_of(const Cidr& cidr) const {
  return {atom_of(cidr.first()).value(), atom_of(cidr.last()).value() + 1};
}

std::vector<std::uint32_t> Atoms::ranges_of(const IpBlock& block) const {
  std::vector<Interval> intervals = {range_of(block.cidr)};
  if (block.cidr.family() == IpFamily::v6) {
    intervals = without(intervals, {atom_of(kFirstV4).value(), atom_of(kAfterV4).value()});
  }
  for (const Cidr& except : block.except) {
    if (except.family() == block.cidr.family()) {
      intervals = without(intervals, range_of(except));
    }
  }
  std::vector<std::uint32_t> words;
  for (const auto& [first, last] : intervals) {
    words.push_back(first);
    words.push_back(last);
  }
  return words;
}

}  // namespace podwire::policy
