// Labels and selectors. Strings are interned once a cluster, label sets are hash-consed, so that matching compares
// integers and a million replicas of one Deployment share one label set.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/id.hpp"
#include "sim/config/document.hpp"

namespace podwire::cluster {

using StringId = Id<struct StringTag>;
using LabelSetId = Id<struct LabelSetTag>;

/// Interned strings; ids are dense, in order of first use. Views stay valid while the pool lives.
class StringPool {
 public:
  StringPool() = default;
  StringPool(StringPool&&) = default;
  StringPool& operator=(StringPool&&) = default;
  StringPool(const StringPool& other);  // O(size): the index points into the strings
  StringPool& operator=(const StringPool& other);
  StringId intern(std::string_view text);
  /// The id of a string that was interned, else none: such a string can match nothing in this cluster.
  StringId find(std::string_view text) const;
  std::string_view operator[](StringId id) const { return strings_[id.index()]; }
  std::size_t size() const { return strings_.size(); }

 private:
  std::deque<std::string> strings_;  // addresses are stable
  boost::unordered_flat_map<std::string_view, StringId> ids_;
};

struct Label {
  StringId key;
  StringId value;
  auto operator<=>(const Label&) const = default;
};

/// Hash-consed label sets, each sorted by key id, keys unique.
class LabelSets {
 public:
  /// `labels` in any order; of a repeated key the last counts.
  LabelSetId intern(std::vector<Label> labels);
  std::span<const Label> operator[](LabelSetId id) const;
  /// The value under `key`, or none.
  StringId value(LabelSetId id, StringId key) const;
  std::size_t size() const { return ranges_.size(); }

 private:
  struct Range {
    std::uint32_t begin = 0;
    std::uint32_t count = 0;
  };
  std::vector<Label> labels_;  // all sets, one after another
  std::vector<Range> ranges_;
  boost::unordered_flat_map<std::uint64_t, std::vector<LabelSetId>> by_hash_;
};

enum class SelectorOperator : std::uint8_t { in, not_in, exists, does_not_exist };

/// One requirement of a selector, in the words of the manifest. matchLabels entries are `in` with one value.
struct Requirement {
  std::string key = {};
  SelectorOperator op = SelectorOperator::in;
  std::vector<std::string> values = {};  // sorted, unique; empty for exists and does_not_exist
  Span span = {};                        // where it is written
  auto operator<=>(const Requirement&) const = default;
};

/// A metav1.LabelSelector: all requirements must hold; none at all matches everything.
struct LabelSelector {
  std::vector<Requirement> requirements;
  Span span;
  bool matches_everything() const { return requirements.empty(); }
  /// `NotIn` and `DoesNotExist` hold for sets that lack the key (apimachinery labels.Requirement.Matches).
  bool matches(LabelSetId labels, const LabelSets& sets, const StringPool& strings) const;
  /// The first requirement that does not hold, or null.
  const Requirement* first_failing(LabelSetId labels, const LabelSets& sets, const StringPool& strings) const;
  /// As kubectl writes selectors: `app=web,tier in (a,b),!debug`; `<everything>` when empty.
  std::string to_string() const;
};

/// Reads matchLabels and matchExpressions as the API validates them (unknown keys, operators, values for Exists, key
/// and value syntax). Errors name `object`.
std::optional<LabelSelector> read_label_selector(config::Node node, const std::string& object,
                                                 Diagnostics& diagnostics);

/// Checks of names as apimachinery's validation has them; nothing when valid, else what is wrong.
std::optional<std::string> invalid_label_key(std::string_view key);
std::optional<std::string> invalid_label_value(std::string_view value);
std::optional<std::string> invalid_dns_label(std::string_view name);      // RFC 1123 label, 63
std::optional<std::string> invalid_dns_subdomain(std::string_view name);  // RFC 1123 subdomain, 253

}  // namespace podwire::cluster
