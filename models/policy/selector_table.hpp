// Label selectors compiled to interned words, and indexes that find by label what may match.
//
// A requirement becomes (key, operator, values) in the cluster's string ids; one that nothing in the cluster can fail
// is dropped, a selector that nothing can satisfy becomes "never". Two selectors that say the same thing in another
// order have one id.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/cluster/labels.hpp"
#include "models/policy/word_table.hpp"
#include "sim/base/id.hpp"

namespace podwire::policy {

using SelectorId = Id<struct SelectorTag>;

/// What a (key, value) pair is worth as a way into an index: how many items carry it.
class LabelCounts {
 public:
  void add(cluster::Label label) { ++counts_[key_of(label)]; }
  std::uint32_t operator[](cluster::Label label) const {
    const auto found = counts_.find(key_of(label));
    return found == counts_.end() ? 0 : found->second;
  }

 private:
  static std::uint64_t key_of(cluster::Label label) {
    return static_cast<std::uint64_t>(label.key.value()) << 32 | label.value.value();
  }
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> counts_;
};

class SelectorTable {
 public:
  /// Adds to `unknown`, when given, the strings that the cluster does not know: the selector's meaning rests on that.
  SelectorId intern(const cluster::LabelSelector& selector, const cluster::StringPool& strings,
                    std::vector<std::string>* unknown = nullptr);

  /// Whether the labels (sorted by key or not, keys unique) satisfy the selector.
  bool matches(SelectorId id, std::span<const cluster::Label> labels) const;
  bool matches_everything(SelectorId id) const { return table_[id.value()].empty(); }
  bool matches_nothing(SelectorId id) const;

  /// The labels one of which an item must carry to match: those of the rarest `in` requirement. Empty when there is
  /// no such requirement, and then everything is a candidate.
  std::vector<cluster::Label> entrances(SelectorId id, const LabelCounts& counts) const;
  /// Calls visit(StringId) for each key that the selector reads.
  template <class Visit>
  void for_each_key(SelectorId id, Visit visit) const {
    const std::span<const std::uint32_t> words = table_[id.value()];
    for (std::size_t i = 0; i + 2 < words.size(); i += 3 + words[i + 2]) {
      visit(cluster::StringId(words[i]));
    }
  }
  std::size_t size() const { return table_.size(); }
  std::size_t memory_bytes() const { return table_.memory_bytes(); }

 private:
  WordTable table_;  // requirements: key, operator, number of values, values ascending; or the single word kNever
};

/// Items under (label, namespace), sorted; an entry without a label is reached by namespace alone, one without a
/// namespace by label alone.
class LabelIndex {
 public:
  void add(cluster::Label label, std::uint32_t name_space, std::uint32_t item) {
    entries_.push_back({label.key.value(), label.value.value(), name_space, item});
  }
  void finish();
  /// Calls visit(namespace, item) for the entries of `label` in namespaces [first, last).
  template <class Visit>
  void for_each(cluster::Label label, std::uint32_t first, std::uint32_t last, Visit visit) const {
    const std::uint32_t key = label.key.value();
    const std::uint32_t value = label.value.value();
    for (std::size_t i = lower_bound({key, value, first, 0}); i < entries_.size(); ++i) {
      const Entry& entry = entries_[i];
      if (entry.key != key || entry.value != value || entry.name_space >= last) {
        break;
      }
      visit(entry.name_space, entry.item);
    }
  }
  std::size_t memory_bytes() const { return entries_.capacity() * sizeof(Entry); }

 private:
  struct Entry {
    std::uint32_t key, value, name_space, item;
    auto operator<=>(const Entry&) const = default;
  };
  std::size_t lower_bound(const Entry& entry) const;
  std::vector<Entry> entries_;
};

}  // namespace podwire::policy
