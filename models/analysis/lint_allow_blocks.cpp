// One-sided-allow for rules that lead to many pairs: pairs that nothing tells apart are judged once.
//
//   subjects ─→ parts: what their own end can see of them, and which rules of the other ends' tiers match them
//   others   ─→ kinds: their group at the back, and which rules of the subjects' tiers match them
//   (kind, part) ─→ one answer, but for the subjects that rules with peers of the kind's NetworkPolicies name: those
//                   are found through the rules and judged each
//
// Exact: what is not decided by the above (an end on its node's network; an own end whose NetworkPolicies decide, since
// a tier passes on or the rule is a baseline's) is asked pair by pair, of one other a kind. Nothing is kept a pair:
// lists of denied pairs are compared by sums of hashes (64 bits).
#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "models/analysis/lint_allow.hpp"
#include "models/policy/compiled.hpp"
#include "models/policy/deviations.hpp"

namespace podwire::analysis::one_sided {
namespace {

using policy::AllowedPorts;
using policy::Direction;
using policy::GroupId;
using policy::PeerId;
using policy::PodEntry;
using policy::PortSet;
using policy::PortSetId;
using policy::PortSets;
using policy::TierListId;

constexpr std::uint32_t kNone = 0xffff'ffff;

std::uint64_t mixed(std::uint64_t x) {  // splitmix64's finish
  x += 0x9e37'79b9'7f4a'7c15u;
  x = (x ^ x >> 30) * 0xbf58'476d'1ce4'e5b9u;
  x = (x ^ x >> 27) * 0x94d0'49bb'1331'11ebu;
  return x ^ x >> 31;
}

struct End {
  PodKind kind;
  PodEntry entry;
  std::uint32_t unmodelled = kNone;
  std::uint32_t wanted = kNone;  // of a destination: what the items are there, in wanted_
  bool is_single = false;        // judged pair by pair
  std::uint32_t self = kNone;    // of an other: which subject it is
  std::uint32_t part = kNone;    // of a subject; none: single
};

/// Subjects that no other tells apart, unless its NetworkPolicies name them.
struct Part {
  std::vector<std::uint32_t> members;
  std::uint64_t hash = 0;
};

/// Others that no part of subjects tells apart.
struct Kind {
  std::vector<std::uint32_t> members;
  std::uint32_t own_sight = 0;  // what the own end sees of them
  bool is_unknown = false;      // at their end, whoever comes
};

/// Of one kind and item, how many subjects are in which state, and a hash of those that are denied.
struct Count {
  std::array<std::uint32_t, 4> of = {};
  std::uint64_t hash = 0;
  void add(State state, std::uint32_t subject) {
    ++of[static_cast<std::size_t>(state)];
    hash += state == State::denied ? mixed(subject) : 0;
  }
  std::uint32_t operator[](State state) const { return of[static_cast<std::size_t>(state)]; }
};

/// What the own end does about an item, where it is known for all of a part.
enum class Own : std::uint8_t { closed, open, depends };

class Blocks {
 public:
  Blocks(LintContext& context, policy::PortRows& rows, const Half& half)
      : context_(context), rows_(rows), compiled_(rows.compiled()), half_(half), pairs_(context) {
    const cni::PolicySemantics& semantics = context.profile.policy;
    unfiltered_ =
        semantics.sctp_is_enforced ? PortSets::kEmpty : compiled_.port_sets.intern(PortSet::whole(IpProtocol::sctp));
  }

  std::optional<std::vector<Told>> run() {
    see_ends();
    make_parts();
    make_kinds();
    totals_.resize(half_.items());
    for (std::uint32_t k = 0; k < kinds_.size(); ++k) {
      count(k);
      if (single_pairs_ > kMostSinglePairs) {
        return std::nullopt;
      }
    }
    doubt();
    std::map<std::pair<std::uint64_t, std::uint64_t>, Items> findings;  // denied pairs: how many, hash
    for (std::size_t i = 0; i < totals_.size(); ++i) {
      const Total& total = totals_[i];
      const bool is_open = total[State::open] + total[State::unknown] > 0;
      if (total[State::denied] > 0 && !(half_.is_wide && is_open)) {
        findings[{total[State::denied], total.hash}].push_back(i);
      }
    }
    std::vector<Told> told;
    for (const auto& [key, items] : findings) {
      told.push_back(tell(items));
    }
    return told;
  }

 private:
  struct Total {
    std::array<std::uint64_t, 4> of = {};
    std::uint64_t hash = 0;
    std::uint64_t operator[](State state) const { return of[static_cast<std::size_t>(state)]; }
  };

  // ---- what there is

  void see_ends() {
    const Direction back = half_.back();
    const bool is_to_others = half_.direction == Direction::egress;
    const bool knows_own_node = context_.profile.policy.own_node_is_allowed;
    const bool has_names = std::any_of(half_.ports->begin(), half_.ports->end(),
                                       [](const policy::PortRule& port) { return !port.name.empty(); });
    std::uint32_t same_wanted = kNone;   // of every destination
    std::vector<cluster::NodeId> nodes;  // of subjects that others on them may not filter
    const auto see = [&](const PodKind& kind, bool is_destination) {
      End end{.kind = kind, .entry = context_.engine.view().pods[kind.pod.index()]};
      end.unmodelled = context_.engine.unmodelled_between(context_.peer(kind), context_.peer(kind));
      end.is_single = end.entry.is_stranger;
      if (is_destination && same_wanted != kNone) {
        end.wanted = same_wanted;
      } else if (is_destination) {
        std::vector<std::uint32_t> ids;
        for (PortSet& ports : pairs_.granted(*half_.ports, kind)) {
          ids.push_back(compiled_.port_sets.intern(std::move(ports)).value());
        }
        end.wanted = wanted_ids_.intern(ids).id;
        same_wanted = has_names ? kNone : end.wanted;
      }
      return end;
    };
    std::map<cluster::PodId, std::uint32_t> subject_of;
    for (const PodKind& kind : half_.subjects) {
      subject_of.emplace(kind.pod, static_cast<std::uint32_t>(subjects_.size()));
      subjects_.push_back(see(kind, !is_to_others));
      // Whether it is let in may hinge on labels that the input does not define: that is asked of the very pair.
      subjects_.back().is_single |= context_.cluster.namespaces[kind.name_space.index()].is_assumed;
      if (subjects_.back().entry.is_stranger && knows_own_node && back == Direction::ingress) {
        nodes.push_back(context_.cluster.pods[kind.pod.index()].node);
      }
    }
    for (const PodKind& kind : half_.others) {
      others_.push_back(see(kind, is_to_others));
      End& end = others_.back();
      const auto self = subject_of.find(kind.pod);
      end.self = self == subject_of.end() ? kNone : self->second;
      const cluster::NodeId node = context_.cluster.pods[kind.pod.index()].node;
      end.is_single = end.is_single || std::find(nodes.begin(), nodes.end(), node) != nodes.end();
    }
  }

  static bool is_free(const End& end, Direction direction) {
    return end.entry.is_stranger || !end.entry.group(direction).is_valid();
  }
  const policy::Group& group_of(const End& end, Direction direction) const {
    return compiled_.groups[end.entry.group(direction).index()];
  }
  /// The lists of tiers that filter these ends.
  std::vector<TierListId> tier_lists_of(const std::vector<End>& ends, Direction direction) const {
    std::vector<TierListId> lists;
    for (const End& end : ends) {
      if (!is_free(end, direction) && group_of(end, direction).tiers.is_valid()) {
        lists.push_back(group_of(end, direction).tiers);
      }
    }
    std::sort(lists.begin(), lists.end());
    lists.erase(std::unique(lists.begin(), lists.end()), lists.end());
    return lists;
  }

  /// What a list of tiers sees of a peer: the rules that match it, and its names of ports where they count.
  std::uint32_t sight(TierListId list, PeerId peer) {
    const std::uint64_t key = static_cast<std::uint64_t>(list.value()) << 32 | peer.value();
    const auto [at, is_new] = sights_.try_emplace(key, 0);
    if (is_new) {
      std::vector<std::uint32_t> words = {list.value()};
      std::uint32_t place = 0;
      const policy::TierList& tiers = compiled_.tier_lists[list.index()];
      for (const std::uint32_t s : compiled_.tier_contents[tiers.content].subspan(3)) {
        for (const policy::Grant& grant : compiled_.segments[s].grants) {
          if (compiled_.peer_matches(grant.peer, peer)) {
            words.push_back(place);
            if (compiled_.has_names(grant.ports)) {
              words.push_back(names_of(peer));
            }
          }
          ++place;
        }
      }
      at->second = sight_ids_.intern(words).id;
    }
    return at->second;
  }
  std::uint32_t names_of(PeerId peer) const {
    const policy::ClassId id = compiled_.class_of(peer);
    return id.is_valid() ? compiled_.names_of(id).value() : kNone;
  }

  /// Whether rules without peers of the others' NetworkPolicies name ports, which the subjects may stand for.
  bool anyone_has_names() const {
    for (const End& other : others_) {
      if (is_free(other, half_.back())) {
        continue;
      }
      for (const std::uint32_t s : compiled_.segments_of(other.entry.group(half_.back()))) {
        const policy::Segment& segment = compiled_.segments[s];
        const bool has = segment.uses_named_ports &&
                         std::any_of(segment.grants.begin(), segment.grants.end(),
                                     [this](const policy::Grant& grant) { return compiled_.has_names(grant.ports); });
        if (has) {
          return true;
        }
      }
    }
    return false;
  }

  void make_parts() {
    const std::vector<TierListId> lists = tier_lists_of(others_, half_.back());
    const bool has_names = anyone_has_names();
    policy::WordTable ids;
    std::vector<std::uint32_t> words;
    for (std::uint32_t s = 0; s < subjects_.size(); ++s) {
      End& subject = subjects_[s];
      if (subject.is_single) {
        singles_.push_back(s);
        continue;
      }
      const bool is_own_free = is_free(subject, half_.direction);
      words = {subject.unmodelled, subject.wanted, has_names ? names_of(subject.entry.peer) : kNone,
               is_own_free ? kNone : group_of(subject, half_.direction).tiers.value(),
               is_own_free ? 2u : static_cast<std::uint32_t>(group_of(subject, half_.direction).is_isolated())};
      for (const TierListId list : lists) {
        words.push_back(sight(list, subject.entry.peer));
      }
      subject.part = ids.intern(words).id;
      parts_.resize(ids.size());
      parts_[subject.part].members.push_back(s);
      parts_[subject.part].hash += mixed(s);
    }
  }

  void make_kinds() {
    const std::vector<TierListId> lists = tier_lists_of(subjects_, half_.direction);
    policy::WordTable sights;
    std::vector<std::uint32_t> own_sight(others_.size());
    std::vector<std::uint32_t> words;
    for (std::uint32_t o = 0; o < others_.size(); ++o) {
      words = {others_[o].wanted};
      for (const TierListId list : lists) {
        words.push_back(sight(list, others_[o].entry.peer));
      }
      const auto [id, is_new] = sights.intern(words);
      own_sight[o] = id;
      if (is_new) {
        own_.push_back(own_of(others_[o]));
      }
    }
    bool depends = false;  // the own end on the very other
    for (const std::vector<Own>& all : own_) {
      depends = depends || std::find(all.begin(), all.end(), Own::depends) != all.end();
    }
    policy::WordTable ids;
    for (std::uint32_t o = 0; o < others_.size(); ++o) {
      const End& other = others_[o];
      const bool is_unknown = context_.engine.overflows_policy_map(other.kind.pod);
      const GroupId group = is_free(other, half_.back()) ? GroupId() : other.entry.group(half_.back());
      words = {group.value(),
               other.unmodelled,
               own_sight[o],
               is_unknown && group.is_valid() ? 1u : 0u,
               other.is_single ? o : kNone,
               depends ? other.entry.peer.value() : kNone};
      const auto [id, is_new] = ids.intern(words);
      if (is_new) {
        kinds_.push_back({.members = {}, .own_sight = own_sight[o], .is_unknown = words[3] != 0});
        kind_groups_.push_back(group);
      }
      kinds_[id].members.push_back(o);
      kind_of_.push_back(id);
    }
  }

  // ---- the own end

  /// What the subjects' end does about each (part, item) towards an other like this one.
  std::vector<Own> own_of(const End& other) {
    std::vector<Own> all(parts_.size() * half_.items(), Own::open);
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      const End& subject = subjects_[parts_[p].members.front()];
      if (is_free(subject, half_.direction)) {
        continue;
      }
      for (std::size_t i = 0; i < half_.items(); ++i) {
        const PortSetId wanted = wanted_of(subject, other, i);
        const auto lets = [&](PortSetId granted) {
          const PortSetId ports =
              compiled_.ports_for(subject.entry.group(half_.direction), other.entry.peer, granted).certain;
          return compiled_.port_sets.intersect(compiled_.port_sets.unite(ports, unfiltered_), wanted) !=
                 PortSets::kEmpty;
        };
        all[p * half_.items() + i] = lets(surely_granted(i, wanted)) ? Own::open
                                     : lets(PortSets::kAll)          ? Own::depends
                                                                     : Own::closed;
      }
    }
    return all;
  }

  /// What the subjects' NetworkPolicies grant of an item at least: the rule itself, if it is one of theirs in force.
  PortSetId surely_granted(std::size_t i, PortSetId wanted) {
    const cni::PolicySemantics& semantics = context_.profile.policy;
    if (half_.of_network == nullptr || policy::is_rejected(*half_.of_network, semantics)) {
      return PortSets::kEmpty;
    }
    if (half_.ports->empty()) {
      return wanted;
    }
    const policy::PortRule& item = (*half_.ports)[i];
    const bool is_plain = item.name.empty() && (semantics.end_port_is_honoured || item.last <= item.first);
    return is_plain ? wanted : PortSets::kEmpty;
  }

  PortSetId wanted_of(const End& subject, const End& other, std::size_t i) const {
    return PortSetId(wanted_ids_[half_.direction == Direction::egress ? other.wanted : subject.wanted][i]);
  }

  // ---- pairs

  /// What rules without peers of a group's NetworkPolicies give to a subject.
  PortSetId given_to_anyone(GroupId group, PeerId peer) {
    PortSetId ports = PortSets::kEmpty;
    for (const std::uint32_t s : compiled_.segments_of(group)) {
      for (const policy::Grant& grant : compiled_.segments[s].grants) {
        if (compiled_.peer_rules[grant.peer.value()][0] == policy::Compiled::kAny) {
          ports = compiled_.port_sets.unite(ports, compiled_.resolve(grant.ports, compiled_.names_for(group, peer)));
        }
      }
    }
    return ports;
  }

  /// Makes `named_` the subjects that rules with peers of the group name, by part.
  void find_named(GroupId group) {
    if (named_group_ == group && has_named_) {
      return;
    }
    has_named_ = true;
    named_group_ = group;
    if (is_named_.empty()) {
      named_.resize(parts_.size());
      is_named_.resize(subjects_.size(), false);
      for (std::uint32_t s = 0; s < subjects_.size(); ++s) {
        if (!subjects_[s].is_single) {
          subjects_by_peer_.emplace_back(subjects_[s].entry.peer, s);
        }
      }
      std::sort(subjects_by_peer_.begin(), subjects_by_peer_.end());
    }
    for (std::vector<std::uint32_t>& some : named_) {
      for (const std::uint32_t s : some) {
        is_named_[s] = false;
      }
      some.clear();
    }
    peers_.clear();
    if (group.is_valid()) {
      rows_.add_named_peers(group, peers_);
    }
    for (const PeerId peer : peers_) {
      auto at = std::lower_bound(subjects_by_peer_.begin(), subjects_by_peer_.end(), std::pair(peer, 0u));
      for (; at != subjects_by_peer_.end() && at->first == peer && !is_named_[at->second]; ++at) {
        is_named_[at->second] = true;
        named_[subjects_[at->second].part].push_back(at->second);
      }
    }
  }

  AllowedPorts ports_at(GroupId group, const End& subject, bool is_named) {
    if (!group.is_valid()) {
      return {PortSets::kAll, PortSets::kAll};
    }
    return is_named ? compiled_.ports_for(group, subject.entry.peer)
                    : compiled_.ports_for(group, subject.entry.peer, given_to_anyone(group, subject.entry.peer));
  }

  /// The states of the items for a pair with these ports at the back; `depends` is set where the own end decides.
  void judge(const Kind& kind, const End& subject, const AllowedPorts& ports, std::vector<State>& states,
             bool& depends) {
    const End& other = others_[kind.members.front()];
    const PortSetId certain = compiled_.port_sets.unite(ports.certain, unfiltered_);
    const bool is_unknown = kind.is_unknown || std::min(subject.unmodelled, other.unmodelled) != kNone ||
                            certain != compiled_.port_sets.unite(ports.possible, unfiltered_);
    depends = false;
    for (std::size_t i = 0; i < states.size(); ++i) {
      const PortSetId wanted = wanted_of(subject, other, i);
      states[i] = State::nothing;
      if (wanted == PortSets::kEmpty) {
        continue;
      }
      if (compiled_.port_sets.intersect(certain, wanted) != PortSets::kEmpty) {
        states[i] = State::open;
        continue;
      }
      const Own own = own_[kind.own_sight][subject.part * half_.items() + i];
      depends = depends || own == Own::depends;
      if (own == Own::open) {
        states[i] = is_unknown ? State::unknown : State::denied;
      }
    }
  }

  /// The states of one pair.
  void judge_one(const Kind& kind, std::uint32_t other, std::uint32_t s, std::vector<State>& states) {
    const End& subject = subjects_[s];
    bool depends = false;
    if (!subject.is_single && !others_[other].is_single) {
      const GroupId group = kind_groups_[kind_of_[kind.members.front()]];
      find_named(group);
      judge(kind, subject, ports_at(group, subject, is_named_[s]), states, depends);
    }
    if (depends || subject.is_single || others_[other].is_single) {
      ++single_pairs_;
      // Of the kind any other one will do, but not the subject itself, which no policy filters.
      const bool is_itself = others_[kind.members.front()].self == s && kind.members.size() > 1;
      states = pairs_.states(half_, subject.kind, others_[kind.members[is_itself ? 1 : 0]].kind);
    }
  }

  /// Visits the states of a kind's pairs: all of a part that is not named at once, others each.
  template <class Block, class One>
  void for_each_block(std::uint32_t k, Block block, One one) {
    const Kind& kind = kinds_[k];
    const std::uint32_t other = kind.members.front();
    std::vector<State>& states = states_;
    states.resize(half_.items());
    const auto visit_one = [&](std::uint32_t s) {
      judge_one(kind, other, s, states);
      one(s, states);
    };
    std::for_each(singles_.begin(), singles_.end(), visit_one);
    if (others_[other].is_single) {
      for (const Part& part : parts_) {
        std::for_each(part.members.begin(), part.members.end(), visit_one);
      }
      return;
    }
    const GroupId group = kind_groups_[k];
    find_named(group);
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      const std::vector<std::uint32_t> named = named_[p];
      if (named.size() < parts_[p].members.size()) {
        bool depends = false;
        const End& like = subjects_[parts_[p].members.front()];
        judge(kind, like, ports_at(group, like, false), states, depends);
        if (depends) {
          std::for_each(parts_[p].members.begin(), parts_[p].members.end(), visit_one);
          continue;
        }
        block(p, named, states);
      }
      std::for_each(named.begin(), named.end(), visit_one);
    }
  }

  void count(std::uint32_t k) {
    std::vector<Count>& counts = kind_counts_;
    counts.assign(half_.items(), {});
    for_each_block(
        k,
        [&](std::size_t p, const std::vector<std::uint32_t>& named, const std::vector<State>& states) {
          std::uint64_t hash = parts_[p].hash;
          for (const std::uint32_t s : named) {
            hash -= mixed(s);
          }
          for (std::size_t i = 0; i < states.size(); ++i) {
            counts[i].of[static_cast<std::size_t>(states[i])] +=
                static_cast<std::uint32_t>(parts_[p].members.size() - named.size());
            counts[i].hash += states[i] == State::denied ? hash : 0;
          }
        },
        [&](std::uint32_t s, const std::vector<State>& states) {
          for (std::size_t i = 0; i < states.size(); ++i) {
            counts[i].add(states[i], s);
          }
        });
    std::vector<State>& own = own_states_;
    own.resize(half_.items());
    for (const std::uint32_t o : kinds_[k].members) {
      const std::uint32_t self = others_[o].self;
      if (self != kNone) {
        judge_one(kinds_[k], o, self, own);
      }
      for (std::size_t i = 0; i < counts.size(); ++i) {
        Count its = counts[i];
        if (self != kNone) {
          --its.of[static_cast<std::size_t>(own[i])];
          its.hash -= own[i] == State::denied ? mixed(self) : 0;
        }
        for (std::size_t state = 0; state < its.of.size(); ++state) {
          totals_[i].of[state] += its.of[state];
        }
        totals_[i].hash += its[State::denied] > 0 ? mixed(mixed(its.hash) + o) : 0;
      }
    }
    counts_.insert(counts_.end(), counts.begin(), counts.end());
  }

  // ---- what is told

  /// Makes `marks_` say which subjects are in this state with an other, for any of these items.
  bool mark(std::uint32_t o, const Items& items, State state) {
    marks_.assign(subjects_.size(), false);
    const auto is_so = [&](const std::vector<State>& states) {
      return std::any_of(items.begin(), items.end(), [&](std::size_t i) { return states[i] == state; });
    };
    for_each_block(
        kind_of_[o],
        [&](std::size_t p, const std::vector<std::uint32_t>& named, const std::vector<State>& states) {
          if (is_so(states)) {
            for (const std::uint32_t s : parts_[p].members) {
              marks_[s] = true;
            }
            for (const std::uint32_t s : named) {
              marks_[s] = false;
            }
          }
        },
        [&](std::uint32_t s, const std::vector<State>& states) { marks_[s] = is_so(states); });
    if (others_[o].self != kNone) {
      marks_[others_[o].self] = false;
    }
    return std::find(marks_.begin(), marks_.end(), true) != marks_.end();
  }

  /// The first pair that is not known, unless the rule is written for many of whom some may talk.
  void doubt() {
    Items all;
    bool is_known = true;
    bool has_unknown = false;
    for (std::size_t i = 0; i < totals_.size(); ++i) {
      all.push_back(i);
      is_known = is_known && totals_[i][State::open] > 0;
      has_unknown = has_unknown || totals_[i][State::unknown] > 0;
    }
    for (std::uint32_t o = 0; has_unknown && !(half_.is_wide && is_known) && o < others_.size(); ++o) {
      const std::span<const Count> counts(counts_.data() + kind_of_[o] * half_.items(), half_.items());
      const bool may = std::any_of(counts.begin(), counts.end(), [](const Count& c) { return c[State::unknown] > 0; });
      if (may && mark(o, all, State::unknown)) {
        const auto first = std::find(marks_.begin(), marks_.end(), true) - marks_.begin();
        pairs_.doubt(half_, half_.subjects[static_cast<std::size_t>(first)], half_.others[o]);
        return;
      }
    }
  }

  Told tell(const Items& items) {
    Told told{.items = items, .first = {}, .pairs = {}, .deniers = {}};
    const std::size_t item = items.front();
    is_told_.assign(context_.policies.network_policies.size() + context_.policies.admin_policies.size(), false);
    const bool is_counted = has_one_kind_each(half_.subjects) && has_one_kind_each(half_.others);
    told.pair_count = is_counted ? totals_[item][State::denied] : 0;
    std::vector<bool> is_settled(kinds_.size(), false);      // its deniers are all told
    std::vector<bool> is_seen(subjects_.size() + 1, false);  // by their workload's first: of the other's workload
    std::vector<std::uint32_t> seen;
    for (std::uint32_t o = 0; o < others_.size(); ++o) {
      const bool is_next = o > 0 && half_.others[o].workload != half_.others[o - 1].workload;
      if (is_next || o == 0) {
        for (const std::uint32_t s : seen) {
          is_seen[s] = false;
        }
        seen.clear();
      }
      const std::uint32_t k = kind_of_[o];
      if (counts_[k * half_.items() + item][State::denied] == 0 ||
          (is_counted && is_settled[k] && told.pairs.size() == kMostListed) || !mark(o, {item}, State::denied)) {
        continue;
      }
      if (!is_settled[k]) {
        is_settled[k] = add_deniers(o, item, told);
      }
      std::uint32_t first_of_workload = 0;
      for (std::uint32_t s = 0; s < subjects_.size(); ++s) {
        if (s == 0 || half_.subjects[s].workload != half_.subjects[s - 1].workload) {
          first_of_workload = s;
        }
        if (!marks_[s] || is_seen[first_of_workload]) {
          continue;
        }
        is_seen[first_of_workload] = true;
        seen.push_back(first_of_workload);
        told.pair_count += is_counted ? 0 : 1;
        if (told.pairs.size() < kMostListed) {
          told.pairs.push_back(pairs_.text(half_, half_.subjects[s], half_.others[o]));
        } else if (is_counted) {
          break;
        }
      }
    }
    return told;
  }

  /// Kinds of one workload stand side by side.
  static bool has_one_kind_each(const std::vector<PodKind>& kinds) {
    return std::adjacent_find(kinds.begin(), kinds.end(), [](const PodKind& a, const PodKind& b) {
             return a.workload == b.workload;
           }) == kinds.end();
  }

  /// Those who deny the marked subjects an other; of a part it is the same for all. Returns whether the others of its
  /// kind have no further ones.
  bool add_deniers(std::uint32_t o, std::size_t item, Told& told) {
    std::vector<bool> is_asked(parts_.size(), false);
    for (std::uint32_t s = 0; s < subjects_.size(); ++s) {
      const std::uint32_t part = subjects_[s].part;
      if (!marks_[s] || (part != kNone && is_asked[part])) {
        continue;
      }
      if (part != kNone) {
        is_asked[part] = true;
      }
      const GroupId group = kind_groups_[kind_of_[o]];
      const bool is_plain = group.is_valid() && !compiled_.groups[group.index()].tiers.is_valid();
      std::vector<policy::PolicyIndex> by;
      if (is_plain && !told.first.ports.empty()) {
        by = context_.engine.policies_of(group);
      } else {
        const Denied one{half_.subjects[s], half_.others[o],
                         pairs_.ports_of(half_, told.items, half_.subjects[s], half_.others[o])};
        told.first = told.first.ports.empty() ? one : told.first;
        by = pairs_.deniers(one, half_.back());
      }
      for (const policy::PolicyIndex index : by) {
        if (!is_told_[index.index()]) {
          is_told_[index.index()] = true;
          told.deniers.push_back(index);
        }
      }
    }
    const std::uint32_t self = others_[o].self;
    if (self == kNone || subjects_[self].part == kNone || is_asked[subjects_[self].part]) {
      return true;
    }
    std::vector<State> states(half_.items());
    judge_one(kinds_[kind_of_[o]], o, self, states);
    return states[item] != State::denied;
  }

  LintContext& context_;
  policy::PortRows& rows_;
  policy::Compiled& compiled_;
  const Half& half_;
  Pairs pairs_;
  PortSetId unfiltered_;

  std::vector<End> subjects_;
  std::vector<End> others_;
  policy::WordTable wanted_ids_;  // PortSetId by item
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> sights_;
  policy::WordTable sight_ids_;

  std::vector<Part> parts_;
  std::vector<std::uint32_t> singles_;  // subjects
  std::vector<Kind> kinds_;
  std::vector<GroupId> kind_groups_;    // by kind; none: everyone is let in
  std::vector<std::uint32_t> kind_of_;  // by other
  std::vector<std::vector<Own>> own_;   // by what is seen of others; part × item
  std::vector<Count> counts_;           // kind × item
  std::vector<Count> kind_counts_;      // scratch, as are the next
  std::vector<State> states_;
  std::vector<State> own_states_;
  std::vector<Total> totals_;  // by item, of others and subjects that are not one pod
  std::size_t single_pairs_ = 0;

  bool has_named_ = false;
  GroupId named_group_;
  std::vector<std::vector<std::uint32_t>> named_;                   // by part
  std::vector<bool> is_named_;                                      // by subject
  std::vector<std::pair<PeerId, std::uint32_t>> subjects_by_peer_;  // sorted
  std::vector<PeerId> peers_;

  std::vector<bool> marks_;    // by subject
  std::vector<bool> is_told_;  // by policy: of the finding in the making
};

}  // namespace

std::optional<std::vector<Told>> judge_in_blocks(LintContext& context, policy::PortRows& rows, const Half& half) {
  return Blocks(context, rows, half).run();
}

}  // namespace podwire::analysis::one_sided
