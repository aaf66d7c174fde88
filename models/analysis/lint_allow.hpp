// What the two ways of judging a half of a connection share: pair by pair (lint_allow.cpp), and by blocks of pairs that
// have the same answer (lint_allow_blocks.cpp). Both tell the same; the second is for rules that lead to many pairs.
// Internal to one-sided-allow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/analysis/lint_context.hpp"
#include "models/policy/port_rows.hpp"

namespace podwire::analysis::one_sided {

/// Items of a rule's ports, as indices, which one finding is about; with no items, 0 stands for every port.
using Items = std::vector<std::size_t>;

/// One peer of an allowing rule.
struct Half {
  std::string policy;  // its name in messages
  std::string object;  // and as an object
  policy::Direction direction = policy::Direction::egress;
  const std::vector<policy::PortRule>* ports = nullptr;
  Span span;
  std::vector<PodKind> subjects;
  std::vector<PodKind> others;
  bool is_wide = false;                               // written for many: one pair that may talk is enough
  const policy::NetworkPolicy* of_network = nullptr;  // the rule's policy; null: of an admin tier
  std::size_t items() const { return std::max<std::size_t>(1, ports->size()); }
  policy::Direction back() const {
    return direction == policy::Direction::ingress ? policy::Direction::egress : policy::Direction::ingress;
  }
};

/// One pair of ends whose other side denies these ports.
struct Denied {
  PodKind subject;
  PodKind other;
  policy::PortSet ports;
};

/// What there is to say of items that the same pairs of ends are denied.
struct Told {
  Items items;
  Denied first;                              // in the order of others, then of subjects
  std::vector<std::string> pairs;            // "source → destination", each once: the first kMostListed
  std::size_t pair_count = 0;                // of all of them
  std::vector<policy::PolicyIndex> deniers;  // each once, in the order of the pairs
};
constexpr std::size_t kMostListed = 4;

/// What the other end says to one item for one pair.
enum class State : std::uint8_t {
  nothing,  // the item has no port there, or the rule's own end denies it
  open,
  unknown,
  denied,
};

/// Questions about one pair.
class Pairs {
 public:
  explicit Pairs(LintContext& context) : context_(context) {}

  /// The ports that each item of a rule's ports grants towards a destination.
  std::vector<policy::PortSet> granted(const std::vector<policy::PortRule>& ports, const PodKind& destination) const;
  /// The state of each item.
  std::vector<State> states(const Half& half, const PodKind& subject, const PodKind& other);
  /// The ports of these items for the pair.
  policy::PortSet ports_of(const Half& half, const Items& items, const PodKind& subject, const PodKind& other) const;
  /// What denies the first of these ports: a policy of another tier, or those that isolate the other end.
  std::vector<policy::PolicyIndex> deniers(const Denied& one, policy::Direction back);
  std::string text(const Half& half, const PodKind& subject, const PodKind& other) const;
  void doubt(const Half& half, const PodKind& subject, const PodKind& other);

 private:
  std::vector<policy::PolicyIndex> isolating(const PodKind& kind, policy::Direction direction);

  LintContext& context_;
};

/// The same as pair by pair. Nothing where it would come to more than kMostSinglePairs pairs that have to be looked at
/// singly all the same. O(subjects + others + pairs that rules of NetworkPolicies name + groups × kinds of subjects).
std::optional<std::vector<Told>> judge_in_blocks(LintContext& context, policy::PortRows& rows, const Half& half);
constexpr std::size_t kMostSinglePairs = 20'000'000;

}  // namespace podwire::analysis::one_sided
