// Sets of transport ports, and the pool that hash-conses them.
//
// A PortSet is a list of disjoint ranges per protocol; all algebra is a merge of two sorted lists. The pool gives equal
// sets equal ids and remembers unions and intersections, so that work on many pairs of classes touches few sets.
// Text form: as netpol-analyzer's connection lists write it (protocols in alphabetical order, `SCTP 1-65535,TCP 80`).
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "sim/base/id.hpp"
#include "sim/base/ip.hpp"

namespace podwire::policy {

/// A set of ports for each protocol, as ordered disjoint inclusive ranges.
struct PortSet {
  struct Range {
    IpProtocol protocol = IpProtocol::tcp;
    std::uint16_t first = 1;
    std::uint16_t last = 65535;
    auto operator<=>(const Range&) const = default;
  };
  std::vector<Range> ranges;  // sorted by protocol, first; disjoint and not adjacent
  static PortSet all();
  /// The set of all ports in `ranges`, which may overlap and stand in any order; port 0 is no port.
  static PortSet of(std::vector<Range> ranges);
  static PortSet whole(IpProtocol protocol) { return of({{.protocol = protocol, .first = 1, .last = 65535}}); }
  bool is_all() const;
  bool empty() const { return ranges.empty(); }
  bool contains(IpProtocol protocol, Port port) const;
  PortSet intersected_with(const PortSet& other) const;
  PortSet united_with(const PortSet& other) const;
  /// Every port that is not in the set.
  PortSet complement() const;
  /// `All Connections`, `No Connections`, or the protocols in alphabetical order: `TCP 80,443,8000-8099,UDP 53`; every
  /// port of a protocol is `TCP 1-65535`.
  std::string to_string() const;
  auto operator<=>(const PortSet&) const = default;
};

using PortSetId = Id<struct PortSetTag>;

/// Hash-consed port sets: ids are equal exactly when the sets are. References stay valid while the pool lives.
class PortSets {
 public:
  static constexpr PortSetId kEmpty{std::uint32_t{0}};
  static constexpr PortSetId kAll{std::uint32_t{1}};

  PortSets();
  PortSetId intern(PortSet set);
  const PortSet& operator[](PortSetId id) const { return sets_[id.index()]; }
  /// Both remembered: O(1) after the first time.
  PortSetId unite(PortSetId a, PortSetId b);
  PortSetId intersect(PortSetId a, PortSetId b);
  PortSetId complement(PortSetId a);
  std::size_t size() const { return sets_.size(); }
  std::size_t memory_bytes() const;

 private:
  std::deque<PortSet> sets_;
  boost::unordered_flat_map<std::uint64_t, std::vector<PortSetId>> by_hash_;
  boost::unordered_flat_map<std::uint64_t, PortSetId> unions_;  // lower id << 32 | higher id
  boost::unordered_flat_map<std::uint64_t, PortSetId> intersections_;
  std::vector<PortSetId> complements_;  // by set; none: not asked for yet
};

}  // namespace podwire::policy
