// What impact keeps while connections come: kinds of ends, pairs with their verdicts and counts, disagreements. Private
// to impact.cpp (taking connections) and impact_summary.cpp (the report).
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "models/analysis/impact.hpp"
#include "models/analysis/impact_judge.hpp"

namespace podwire::analysis {

inline constexpr std::size_t kSlots = kImpactOutcomes + 1;  // unknown twice: by the model, and by contradiction
inline constexpr std::uint32_t kNone = 0xffff'ffff;

/// What the two engines can tell apart of an end, and what rows call it.
struct KindKey {
  std::array<std::uint32_t, 10> words{};
  bool operator==(const KindKey&) const = default;
};
struct KindHash {
  std::size_t operator()(const KindKey& key) const noexcept {
    std::uint64_t hash = 0;
    for (const std::uint32_t word : key.words) {
      hash = (hash ^ word) * 0x9e37'79b9'7f4a'7c15u;
      hash ^= hash >> 31;
    }
    return static_cast<std::size_t>(hash);
  }
};

struct Kind {
  flows::End example;       // in the cluster before
  bool has_others = false;  // of an address, a node
  bool is_node_traffic = false;
};

struct PairKey {
  std::uint32_t source = 0;
  std::uint32_t destination = 0;
  std::uint16_t port = 0;
  std::uint8_t protocol = 0;
  std::uint8_t relation = 0;  // 1: the same pod; 2: the destination is on the source's node
  bool operator==(const PairKey&) const = default;
};
struct PairHash {
  std::size_t operator()(const PairKey& key) const noexcept {
    std::uint64_t hash = (std::uint64_t{key.source} << 32 | key.destination) * 0x9e37'79b9'7f4a'7c15u;
    hash ^= hash >> 31;
    hash ^= std::uint64_t{key.port} << 16 | std::uint64_t{key.protocol} << 8 | key.relation;
    return static_cast<std::size_t>(hash * 0xc2b2'ae3d'27d4'eb4fu);
  }
};

struct Pair {
  PairKey key;
  PairVerdict before;
  PairVerdict after;
  std::array<ImpactSeen, kSlots> seen;
};

/// A pod's counterpart under the candidate.
struct Twin {
  flows::End end;
  bool is_known = false;
  bool is_gone = false;
};

using DisagreementKey = std::tuple<flows::Recorded, int, policy::Cause, std::uint32_t, std::uint16_t, std::uint32_t>;

/// What comparing one connection with the model gives.
struct Comparison {
  bool has_record = false;
  bool is_comparable = false;
  bool agrees = true;
  flows::Recorded recorded = flows::Recorded::unknown;  // of the side that disagrees
  int direction = -1;                                   // 0: egress, 1: ingress, -1: not told
};

struct Impact::Impl {
  Impl(policy::PolicyEngine& before_in, policy::PolicyEngine& after_in, const flows::EndMapper& mapper_in,
       const std::vector<std::string>& reasons_in, ImpactOptions options_in);

  void add(const flows::Connection& connection);
  std::uint32_t kind_of(const flows::End& end);
  KindKey key_of(const flows::End& end);
  flows::End twin_of(const flows::End& end, bool& is_gone);
  flows::End apart(const flows::End& end, const flows::End& other) const;
  Pair judge(const PairKey& key, const flows::End& source, const flows::End& destination, flows::FlowProtocol protocol);
  void mark_group(policy::PolicyEngine& engine, policy::GroupId group, std::vector<char>& marked,
                  boost::unordered_flat_set<std::uint32_t>& groups) const;
  void mark_end(policy::PolicyEngine& engine, const flows::End& end, policy::Direction direction,
                std::vector<char>& marked, boost::unordered_flat_set<std::uint32_t>& groups) const;
  void see_workload(const flows::End& end);
  void disagree(const flows::Connection& connection, const Pair& pair, const Comparison& comparison);
  void count(const flows::Connection& connection, Pair& pair, bool has_row);
  std::string name_of(std::uint32_t kind) const;
  std::string name_of(const flows::End& end) const;
  ImpactSide side_of(const ImpactJudge& judge, const PairVerdict& verdict) const;
  void write_rows(ImpactReport& report) const;
  void write_strangers(ImpactReport& report) const;
  void write_disagreements(ImpactReport& report) const;
  void write_coverage(ImpactReport& report) const;

  ImpactJudge before;
  ImpactJudge after;
  const flows::EndMapper& mapper;
  const std::vector<std::string>& reasons;
  ImpactOptions options;
  bool is_same_cluster;
  std::vector<Kind> kinds;
  boost::unordered_flat_map<KindKey, std::uint32_t, KindHash> kind_ids;
  std::vector<std::uint32_t> kind_of_pod;
  std::vector<Twin> twins;  // by pod
  boost::unordered_flat_map<PairKey, std::uint32_t, PairHash> pair_ids;
  std::vector<Pair> pairs;
  std::vector<char> has_traffic;  // by workload
  std::vector<char> marked_before, marked_after;
  boost::unordered_flat_set<std::uint32_t> groups_before, groups_after;
  std::vector<ImpactSeen> strangers;  // by id
  std::map<DisagreementKey, ImpactDisagreement> disagreements;
  ImpactReport totals;  // rows, strangers, disagreements and lists of the coverage are filled by report()
};

}  // namespace podwire::analysis
