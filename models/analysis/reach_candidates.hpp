// Which pairs reach looks at: from a source, the destinations where it may find something. All others are told apart by
// looking at neither of them, so that reach costs what its rows cost and not workloads².
//
// A pair has ports that both sides let through. A side's rules with peers lead to some; its rules without peers (and a
// pod that no policy isolates) let everyone have the same ports. So the candidates are those that rules with peers of
// either side lead to, and those where what both sides let everyone have has ports in common. Internal to this folder.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "models/policy/compiled.hpp"
#include "models/policy/port_rows.hpp"

namespace podwire::analysis {

/// Ends are numbered from 0. Usage: add_end() and add_variant() for each, finish(); then for each source start(),
/// look() once a variant, with that variant loaded into the rows, and candidates().
class ReachCandidates {
 public:
  /// `looks_at_all`: nothing can be left out (some ports are never filtered). All of it outlives the object.
  ReachCandidates(policy::Compiled& compiled, policy::PortRows& rows, bool looks_at_all)
      : compiled_(compiled), rows_(rows), looks_at_all_(looks_at_all) {}

  /// The next end. `is_always`: it is everybody's candidate, and everybody is its.
  void add_end(bool is_always);
  /// Pods of the end added last.
  void add_variant(const policy::PodEntry& entry);
  void finish();

  void start(std::uint32_t source);
  void look(const policy::PodEntry& from);
  /// Ascending, the source among them; valid until the next start().
  std::span<const std::uint32_t> candidates();

 private:
  /// Ends by something of their variants.
  struct Index {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> entries;
    std::vector<std::uint32_t> begins;
    void finish(std::size_t count);
    std::span<const std::pair<std::uint32_t, std::uint32_t>> of(std::uint32_t key) const;
  };

  /// Whether the rules of NetworkPolicies alone do not tell where something of the group may be found.
  bool has_tiers(policy::GroupId group) const { return compiled_.groups[group.index()].tiers.is_valid(); }
  void touch(std::uint32_t end) {
    if (rounds_[end] != round_) {
      rounds_[end] = round_;
      touched_.push_back(end);
    }
  }

  policy::Compiled& compiled_;
  policy::PortRows& rows_;
  const bool looks_at_all_;

  Index by_peer_;
  Index by_group_;                                                // of ingress
  std::map<policy::PortSetId, std::vector<std::uint32_t>> open_;  // by what some of their pods let everyone have
  std::size_t open_count_ = 0;                                    // of all of them
  std::vector<bool> is_always_;                                   // by end
  std::vector<std::uint32_t> always_;

  std::uint32_t source_ = 0;
  std::vector<std::uint32_t> rounds_;  // by end: the last one that touched it
  std::uint32_t round_ = 0;
  std::vector<std::uint32_t> touched_;
};

}  // namespace podwire::analysis
