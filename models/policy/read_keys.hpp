// Which labels can matter: the keys that selectors read, and of whose pods. A key that a policy reads in its own
// namespace, or in those of its team, tells no pods of other namespaces apart; so a policy that reads a key for the
// first time changes the classes of the pods it may concern, and not those of a whole cluster.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "models/cluster/labels.hpp"
#include "models/policy/compiled.hpp"

namespace podwire::policy {

/// How many values lie in the ordered [first, last) pairs.
inline std::uint32_t size_of_ranges(std::span<const std::uint32_t> ranges) {
  std::uint32_t size = 0;
  for (std::size_t i = 0; i < ranges.size(); i += 2) {
    size += ranges[i + 1] - ranges[i];
  }
  return size;
}

class ReadKeys {
 public:
  /// A key and the namespace where it is read from now on, or kEverywhere.
  using Added = std::vector<std::pair<std::uint32_t, cluster::StringId>>;
  static constexpr std::uint32_t kEverywhere = Compiled::kNone;

  /// Makes room; numbers of strings and namespaces only ever grow.
  void resize(std::size_t strings, std::size_t namespaces) {
    is_everywhere_.resize(strings, false);
    by_namespace_.resize(namespaces);
  }

  /// A selector reads `key` of pods in these namespaces, as [first, last) pairs. Adds what is new. O(namespaces), or
  /// O(1) where they are many: then the key counts everywhere.
  void add(cluster::StringId key, std::span<const std::uint32_t> namespaces, Added& added) {
    if (is_everywhere_[key.index()]) {
      return;
    }
    if (size_of_ranges(namespaces) > kFewNamespaces) {
      is_everywhere_[key.index()] = true;
      ++everywhere_;
      added.emplace_back(kEverywhere, key);
      return;
    }
    for (std::size_t i = 0; i < namespaces.size(); i += 2) {
      for (std::uint32_t n = namespaces[i]; n < namespaces[i + 1]; ++n) {
        std::vector<cluster::StringId>& keys = by_namespace_[n];
        const auto at = std::lower_bound(keys.begin(), keys.end(), key);
        if (at == keys.end() || *at != key) {
          keys.insert(at, key);
          added.emplace_back(n, key);
        }
      }
    }
  }

  /// Another number whenever a key is added that counts in this namespace.
  std::uint32_t version(std::uint32_t name_space) const {
    return everywhere_ + static_cast<std::uint32_t>(by_namespace_[name_space].size());
  }

  /// Whether some selector may read the key of a pod in this namespace.
  bool contains(std::uint32_t name_space, cluster::StringId key) const {
    if (key.index() >= is_everywhere_.size()) {
      return false;
    }
    const std::vector<cluster::StringId>& keys = by_namespace_[name_space];
    return is_everywhere_[key.index()] || std::binary_search(keys.begin(), keys.end(), key);
  }

  std::size_t memory_bytes() const {
    std::size_t bytes = is_everywhere_.capacity() / 8 + by_namespace_.capacity() * sizeof(by_namespace_[0]);
    for (const std::vector<cluster::StringId>& keys : by_namespace_) {
      bytes += keys.capacity() * sizeof(cluster::StringId);
    }
    return bytes;
  }

 private:
  static constexpr std::uint32_t kFewNamespaces = 32;

  std::vector<bool> is_everywhere_;                           // by string
  std::uint32_t everywhere_ = 0;                              // how many are
  std::vector<std::vector<cluster::StringId>> by_namespace_;  // ascending
};

}  // namespace podwire::policy
