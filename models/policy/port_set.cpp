// Algebra on sorted range lists. Source of the text form: netpol-analyzer, pkg/netpol/internal/common/connectionset.go
// (protocols sorted by name, ports by number, `All Connections` and `No Connections`).
#include "models/policy/port_set.hpp"

#include <algorithm>
#include <utility>

#include "sim/base/check.hpp"

namespace podwire::policy {

namespace {

constexpr IpProtocol kByName[] = {IpProtocol::sctp, IpProtocol::tcp, IpProtocol::udp};

std::uint64_t hash_of(const PortSet& set) {
  std::uint64_t h = 0x9e37'79b9'7f4a'7c15u;
  for (const PortSet::Range& range : set.ranges) {
    const std::uint64_t word =
        static_cast<std::uint64_t>(range.protocol) << 32 | std::uint64_t{range.first} << 16 | range.last;
    h = (h ^ word) * 0xc2b2'ae3d'27d4'eb4fu;
    h ^= h >> 29;
  }
  return h;
}

std::uint64_t pair_key(PortSetId a, PortSetId b) {
  return static_cast<std::uint64_t>(std::min(a, b).value()) << 32 | std::max(a, b).value();
}

}  // namespace

PortSet PortSet::all() {
  PortSet set;
  for (const IpProtocol protocol : kProtocols) {
    set.ranges.push_back({.protocol = protocol, .first = 1, .last = 65535});
  }
  return set;
}

PortSet PortSet::of(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end());
  PortSet set;
  for (Range range : ranges) {
    range.first = std::max<std::uint16_t>(range.first, 1);
    if (range.first > range.last) {
      continue;
    }
    Range* previous = set.ranges.empty() ? nullptr : &set.ranges.back();
    if (previous != nullptr && previous->protocol == range.protocol && range.first <= int{previous->last} + 1) {
      previous->last = std::max(previous->last, range.last);
    } else {
      set.ranges.push_back(range);
    }
  }
  return set;
}

bool PortSet::is_all() const {
  return ranges.size() == std::size(kProtocols) &&
         std::all_of(ranges.begin(), ranges.end(), [](const Range& r) { return r.first == 1 && r.last == 65535; });
}

bool PortSet::contains(IpProtocol protocol, Port port) const {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& r) {
    return r.protocol == protocol && r.first <= port.number() && port.number() <= r.last;
  });
}

PortSet PortSet::intersected_with(const PortSet& other) const {
  PortSet result;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < ranges.size() && j < other.ranges.size()) {
    const Range& a = ranges[i];
    const Range& b = other.ranges[j];
    if (a.protocol == b.protocol) {
      const std::uint16_t first = std::max(a.first, b.first);
      const std::uint16_t last = std::min(a.last, b.last);
      if (first <= last) {
        result.ranges.push_back({.protocol = a.protocol, .first = first, .last = last});
      }
    }
    // The range that ends first can meet nothing further.
    if (std::pair(a.protocol, a.last) < std::pair(b.protocol, b.last)) {
      ++i;
    } else {
      ++j;
    }
  }
  return result;
}

PortSet PortSet::united_with(const PortSet& other) const {
  std::vector<Range> both = ranges;
  both.insert(both.end(), other.ranges.begin(), other.ranges.end());
  return of(std::move(both));
}

PortSet PortSet::complement() const {
  PortSet rest;
  std::size_t i = 0;
  for (const IpProtocol protocol : kProtocols) {
    std::uint32_t next = 1;
    for (; i < ranges.size() && ranges[i].protocol == protocol; ++i) {
      if (ranges[i].first > next) {
        rest.ranges.push_back({.protocol = protocol,
                               .first = static_cast<std::uint16_t>(next),
                               .last = static_cast<std::uint16_t>(ranges[i].first - 1)});
      }
      next = ranges[i].last + 1u;
    }
    if (next <= 65535) {
      rest.ranges.push_back({.protocol = protocol, .first = static_cast<std::uint16_t>(next), .last = 65535});
    }
  }
  return rest;
}

std::string PortSet::to_string() const {
  if (is_all()) {
    return "All Connections";
  }
  if (empty()) {
    return "No Connections";
  }
  std::string text;
  for (const IpProtocol protocol : kByName) {
    bool is_first = true;
    for (const Range& range : ranges) {
      if (range.protocol != protocol) {
        continue;
      }
      if (!text.empty()) {
        text += ',';
      }
      if (is_first) {
        text += podwire::to_string(protocol);
        text += ' ';
        is_first = false;
      }
      text += std::to_string(range.first);
      if (range.last != range.first) {
        text += '-';
        text += std::to_string(range.last);
      }
    }
  }
  return text;
}

PortSets::PortSets() {
  PODWIRE_CHECK(intern(PortSet()) == kEmpty && intern(PortSet::all()) == kAll, "policy",
                "the empty and the full set have fixed ids");
}

PortSetId PortSets::intern(PortSet set) {
  std::vector<PortSetId>& same_hash = by_hash_[hash_of(set)];
  for (const PortSetId id : same_hash) {
    if (sets_[id.index()] == set) {
      return id;
    }
  }
  const PortSetId id(sets_.size());
  sets_.push_back(std::move(set));
  same_hash.push_back(id);
  return id;
}

PortSetId PortSets::unite(PortSetId a, PortSetId b) {
  if (a == b || b == kEmpty || a == kAll) {
    return a;
  }
  if (a == kEmpty || b == kAll) {
    return b;
  }
  const std::uint64_t key = pair_key(a, b);
  if (const auto found = unions_.find(key); found != unions_.end()) {
    return found->second;
  }
  const PortSetId id = intern(sets_[a.index()].united_with(sets_[b.index()]));
  unions_.emplace(key, id);
  return id;
}

PortSetId PortSets::intersect(PortSetId a, PortSetId b) {
  if (a == b || a == kEmpty || b == kAll) {
    return a;
  }
  if (b == kEmpty || a == kAll) {
    return b;
  }
  const std::uint64_t key = pair_key(a, b);
  if (const auto found = intersections_.find(key); found != intersections_.end()) {
    return found->second;
  }
  const PortSetId id = intern(sets_[a.index()].intersected_with(sets_[b.index()]));
  intersections_.emplace(key, id);
  return id;
}

PortSetId PortSets::complement(PortSetId a) {
  if (a == kEmpty || a == kAll) {
    return a == kEmpty ? kAll : kEmpty;
  }
  if (complements_.size() <= a.index()) {
    complements_.resize(sets_.size());
  }
  if (complements_[a.index()].is_valid()) {
    return complements_[a.index()];
  }
  const PortSetId id = intern(sets_[a.index()].complement());
  complements_[a.index()] = id;
  return id;
}

std::size_t PortSets::memory_bytes() const {
  std::size_t bytes = (unions_.bucket_count() + intersections_.bucket_count()) * 16 + by_hash_.bucket_count() * 40 +
                      complements_.capacity() * sizeof(PortSetId);
  for (const PortSet& set : sets_) {
    bytes += sizeof(PortSet) + set.ranges.capacity() * sizeof(PortSet::Range);
  }
  return bytes;
}

}  // namespace podwire::policy
