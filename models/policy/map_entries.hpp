// How many entries a pod's policies take in the policy map of a plugin that has one (Cilium): one for each identity
// that a rule's peer matches and each port prefix. An identity is a namespace with a pod's labels, as the cluster has
// them.
//
// A lower bound: an ipBlock counts once for each range of addresses without gaps, which may take several prefixes, and
// rules that end up with the same entry are counted once only where they say the same.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <vector>

#include "models/policy/compiled.hpp"

namespace podwire::policy {

class MapEntries {
 public:
  /// Whether the pod's policies need more than `limit` entries, both directions together. Remembers the answer. O(1)
  /// warm; cold O(rules of the pod × classes in the namespaces they look at).
  bool overflow(const cluster::Cluster& cluster, Compiled& compiled, const View& view, cluster::PodId pod,
                std::uint64_t limit);

 private:
  void count_identities(const cluster::Cluster& cluster, const Compiled& compiled, const View& view);
  std::uint64_t of_group(Compiled& compiled, GroupId group);
  std::uint64_t of_rule(const Compiled& compiled, PeerRuleId rule);

  std::vector<std::uint32_t> identities_;      // by class
  std::vector<std::vector<ClassId>> classes_;  // by namespace
  std::vector<std::uint8_t> known_;            // by pod: 0 not yet, 1 fits, 2 does not
  boost::unordered_flat_map<std::uint32_t, std::uint64_t> by_group_;
  boost::unordered_flat_map<std::uint32_t, std::uint64_t> by_rule_;
};

}  // namespace podwire::policy
