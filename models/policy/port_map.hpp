// Port maps: for every (protocol, port) a verdict, as hash-consed runs. A map covers the whole key space, so that a
// lookup is one search and a later tier only changes what the runs say.
//
// A map is known by the place of its first run. That run begins at key 0 as all first runs do, so its first word is
// free to tell how many runs there are: what a lookup reads is there in one load, mostly in one cache line.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/policy/compiled.hpp"
#include "models/policy/engine.hpp"
#include "models/policy/grant_index.hpp"
#include "models/policy/word_table.hpp"

namespace podwire::policy {

class PortMaps {
 public:
  /// The map of a group towards a peer. Of NetworkPolicies: the least (policy, rule) that grants each port, a default
  /// deny elsewhere. Of the other tiers: the first rule that matches. They are laid over one another from the last
  /// tier to the first, so that a Pass finds what it passes to.
  /// Rules stay what they are, so that the map does not depend on the view; `view` is any that the group is in force
  /// in, and tells the order of policies. The verdicts name policies by number.
  std::uint32_t evaluate(Compiled& compiled, const View& view, GroupId group, PeerId peer);
  /// `policy`, and the rival of a conflict, are numbers and not yet indices.
  Verdict lookup(std::uint32_t map, IpProtocol protocol, Port port) const {
    const std::uint32_t* run = maps_[0].data() + std::size_t{map} * kRunWords;
    const std::uint32_t key = key_of(protocol, port.number());
    // The run that holds the key is in [run, run + count); halved without branches, for they cannot be predicted. Nor
    // can the number of runs: three halvings, which settle up to eight, are always done (to one run they do
    // nothing), so that the branch is taken by larger maps alone.
    std::size_t count = run[0];
    const auto halve = [&] {
      const std::size_t half = count / 2;
      const std::uint32_t* const middle = run + half * kRunWords;
      run = *middle <= key ? middle : run;  // where one run is left, both are the same
      count -= half;
    };
    halve();
    halve();
    halve();
    while (count > 1) {
      halve();
    }
    const std::uint32_t flags = run[2];
    return {.action = static_cast<Action>(flags & 0xf),
            .cause = static_cast<Cause>(flags >> 8 & 0xff),
            .rule = static_cast<std::uint16_t>(flags >> 16),
            .policy = PolicyIndex(run[1]),
            .unmodelled = run[3],
            .tier = static_cast<Tier>(flags >> 4 & 0xf)};
  }
  std::size_t word_count() const { return maps_.word_count(); }
  std::size_t memory_bytes() const { return maps_.memory_bytes() + grant_indexes_.memory_bytes(); }
  void clear() { maps_.clear(); }

 private:
  /// First key (of the first run, whose key is 0: the number of runs); policy; rule, cause, tier, action; rival.
  static constexpr std::size_t kRunWords = 4;

  static std::uint32_t key_of(IpProtocol protocol, std::uint32_t port) {
    return static_cast<std::uint32_t>(protocol) << 16 | port;
  }

  struct Matching {
    PolicyNumber policy;
    std::uint16_t rule = 0;
    PortSetId ports;
  };
  /// A rule of the tier at hand that holds for the peer.
  struct TierRule {
    std::uint32_t level = 0;  // rules of one have one priority
    PolicyNumber policy;
    std::uint16_t rule = 0;
    RuleAction action = RuleAction::allow;
    bool is_uncertain = false;
    bool has_no_place = false;  // Segment::has_no_place
    PortSetId ports;
  };
  /// What of the tier's rules concerns a key, of those that have a place or of those that have none.
  struct Deciding {
    const TierRule* sure = nullptr;   // of the first policy that certainly matches
    const TierRule* rival = nullptr;  // of the first other of its priority that comes to something else
    const TierRule* doubt = nullptr;  // the first that may match
  };
  struct Piece {
    std::uint32_t first = 0;  // keys, inclusive
    std::uint32_t last = 0;
    PolicyNumber policy;
    std::uint16_t rule = 0;
  };
  /// A verdict for every key, as runs.
  struct Run {
    std::uint32_t first = 0;
    Verdict verdict;
  };
  using Runs = std::vector<Run>;

  void collect(Compiled& compiled, const View& view, GroupId group, PeerId peer);
  void add_piece(Piece piece);
  void evaluate_network_policies(Compiled& compiled, const View& view, GroupId group, PeerId peer);
  void collect_tier(Compiled& compiled, std::span<const std::uint32_t> segments, NamedPortsId named, PeerId peer);
  void lay_over(Compiled& compiled, std::span<const std::uint32_t> segments, Tier tier, NamedPortsId named,
                PeerId peer);
  Deciding find(const Compiled& compiled, std::uint32_t key, bool has_no_place, const Verdict& rest) const;
  Verdict judge(const Compiled& compiled, Tier tier, std::uint32_t key, const Verdict& rest) const;
  static void append(Runs& runs, std::uint32_t first, const Verdict& verdict);

  WordTable maps_;
  GrantIndexes grant_indexes_;
  std::vector<Matching> matching_;  // scratch, kept for its capacity
  std::vector<Piece> pieces_;       // disjoint, ascending
  std::vector<TierRule> tier_rules_;
  Runs runs_;
  std::vector<std::uint32_t> words_;
};

}  // namespace podwire::policy
