// The way into a group with very many grants: by a label that a peer must carry to match, so that a first verdict looks
// at the grants that may hold for the peer and not at all of them.
//
// An index is a memo of content: it is made for a group that is asked about again and again, stays true, and is bounded
// in all; a group without one is looked through. Only NetworkPolicies: admin policies are few, and their order counts.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <vector>

#include "models/policy/compiled.hpp"
#include "models/policy/selector_table.hpp"

namespace podwire::policy {

class GrantIndex {
 public:
  /// `counts`: how many classes carry a label; the fewer, the better a way in.
  GrantIndex(const Compiled& compiled, GroupId group, const LabelCounts& counts);

  /// Calls visit(grant) for each grant that may match the peer, each once, in no order.
  template <class Visit>
  void for_each_candidate(const Compiled& compiled, PeerId peer, Visit visit) const {
    const auto visit_at = [&](std::uint32_t, std::uint32_t place) {
      visit(compiled.segments[places_[place].segment].grants[places_[place].grant]);
    };
    by_label_.for_each({}, 0, 1, visit_at);  // those that ask for no label
    if (const ClassId id = compiled.class_of(peer); id.is_valid()) {
      compiled.for_each_read_label(id, [&](const cluster::Label& label) { by_label_.for_each(label, 0, 1, visit_at); });
    }
  }
  std::size_t memory_bytes() const { return by_label_.memory_bytes() + places_.capacity() * sizeof(Place); }

 private:
  struct Place {
    std::uint32_t segment = 0;
    std::uint32_t grant = 0;
  };
  LabelIndex by_label_;  // of places_
  std::vector<Place> places_;
};

/// The indexes of the groups that are worth it.
class GrantIndexes {
 public:
  /// Null: the group is small, or has not been asked about often, or there is no room left.
  const GrantIndex* of(const Compiled& compiled, GroupId group);
  std::size_t memory_bytes() const { return bytes_ + by_group_.bucket_count() * sizeof(Entry); }

 private:
  struct Entry {
    std::uint32_t questions = 0;
    std::uint32_t index = Compiled::kNone;  // in indexes_
  };
  boost::unordered_flat_map<std::uint32_t, Entry> by_group_;  // large groups alone
  std::vector<GrantIndex> indexes_;
  LabelCounts counts_;     // of the classes there were when the first index was made
  std::size_t bytes_ = 0;  // of them
};

}  // namespace podwire::policy
