#include "models/policy/port_map.hpp"

#include <algorithm>
#include <tuple>

namespace podwire::policy {

namespace {

constexpr std::uint32_t kKeys = static_cast<std::uint32_t>(std::size(kProtocols)) << 16;

}  // namespace

/// Fills matching_ with the grants that hold for the peer, the least rule first.
void PortMaps::collect(Compiled& compiled, GroupId group, PeerId peer) {
  matching_.clear();
  const NamedPortsId named = compiled.names_for(group, peer);
  for (const std::uint32_t s : compiled.segments_of(group)) {
    for (const Grant& grant : compiled.segments[s].grants) {
      if (compiled.peer_matches(grant.peer, peer)) {
        const PortSetId ports = compiled.resolve(grant.ports, named);
        if (ports != PortSets::kEmpty) {
          matching_.push_back({.policy = grant.policy, .rule = grant.rule, .ports = ports});
        }
      }
    }
  }
  std::sort(matching_.begin(), matching_.end(), [](const Matching& a, const Matching& b) {
    return std::tie(a.policy, a.rule) < std::tie(b.policy, b.rule);
  });
}

/// Adds what of `piece` no earlier piece covers.
void PortMaps::add_piece(Piece piece) {
  auto at = std::lower_bound(pieces_.begin(), pieces_.end(), piece.first,
                             [](const Piece& p, std::uint32_t first) { return p.last < first; });
  std::uint32_t next = piece.first;
  while (next <= piece.last) {
    if (at == pieces_.end() || at->first > piece.last) {
      pieces_.insert(at, {.first = next, .last = piece.last, .policy = piece.policy, .rule = piece.rule});
      return;
    }
    if (at->first > next) {
      at = pieces_.insert(at, {.first = next, .last = at->first - 1, .policy = piece.policy, .rule = piece.rule}) + 1;
    }
    next = at->last + 1;
    ++at;
  }
}

void PortMaps::append_run(std::uint32_t first, const Verdict& verdict) {
  const std::uint32_t flags = static_cast<std::uint32_t>(verdict.rule) << 16 |
                              static_cast<std::uint32_t>(verdict.cause) << 8 |
                              static_cast<std::uint32_t>(verdict.action);
  if (!words_.empty() && words_[words_.size() - 2] == verdict.policy.value() && words_.back() == flags) {
    return;
  }
  words_.insert(words_.end(), {first, verdict.policy.value(), flags});
}

std::uint32_t PortMaps::evaluate(Compiled& compiled, GroupId group, PeerId peer) {
  collect(compiled, group, peer);
  pieces_.clear();
  for (const Matching& grant : matching_) {
    for (const PortSet::Range& range : compiled.port_sets[grant.ports].ranges) {
      // Port 0 is nobody's; it goes with port 1 so that whole protocols join into one run.
      const std::uint32_t first = range.first == 1 ? 0 : range.first;
      add_piece({.first = key_of(range.protocol, first),
                 .last = key_of(range.protocol, range.last),
                 .policy = grant.policy,
                 .rule = grant.rule});
    }
    if (grant.ports == PortSets::kAll) {
      break;
    }
  }
  const Verdict deny = {.action = Action::deny,
                        .cause = Cause::default_deny,
                        .policy = compiled.groups[group.index()].first_policy,
                        .tier = Tier::network_policy};
  words_.clear();
  std::uint32_t next = 0;
  for (const Piece& piece : pieces_) {
    if (piece.first > next) {
      append_run(next, deny);
    }
    append_run(piece.first,
               {.action = Action::allow, .cause = Cause::rule, .rule = piece.rule, .policy = piece.policy});
    next = piece.last + 1;
  }
  if (next < kKeys) {
    append_run(next, deny);
  }
  return maps_.intern(words_).id;
}

}  // namespace podwire::policy
