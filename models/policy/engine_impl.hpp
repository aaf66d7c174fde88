// The inside of PolicyEngine, shared by engine.cpp (verdicts) and explain.cpp (reasons).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "models/policy/cell_memo.hpp"
#include "models/policy/compiled.hpp"
#include "models/policy/compiler.hpp"
#include "models/policy/engine.hpp"
#include "models/policy/map_entries.hpp"
#include "models/policy/port_map.hpp"

namespace podwire::policy {

/// What the states of one history share: content, and memos of it. Belongs to the first.
struct PolicyHistory {
  PolicyHistory(const cni::PolicySemantics& semantics) : compiler(compiled, semantics) {}
  Compiled compiled;
  Compiler compiler;
  CellMemo cells;
  PortMaps port_maps;
  const void* newest = nullptr;  // whose state a next one follows
};

struct PolicyEngine::Impl {
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  static constexpr std::size_t kMostPortMapWords = std::size_t{1} << 24;  // 64 MiB

  Impl(const cluster::Cluster& cluster_in, const PolicySet& policies_in, const cni::Profile& profile_in,
       const DomainTable* names);
  /// The state after `before`.
  Impl(Impl& before, const cluster::Cluster& cluster_in, const PolicySet& policies_in, const DomainTable* names,
       const PolicyChanges& changes);
  void find_unmodelled();
  /// Whether nothing but policies decides between these two: pods that policies see, of which `other` was dialled as
  /// what it is. So it is for nearly all that is asked, and then their entries tell group and peer.
  bool is_for_policies_alone(Direction direction, const Peer& subject, const Peer& other) const {
    return is_plain && subject.pod.is_valid() && other.pod.is_valid() && subject.pod != other.pod &&
           !(sees_services && direction == Direction::egress && other.is_through_service()) &&
           !view.pods[subject.pod.index()].is_stranger && !view.pods[other.pod.index()].is_node_traffic;
  }
  /// With indices for numbers.
  Verdict placed(Verdict verdict) const;

  struct Preliminary {
    Verdict verdict;
    GroupId group = {};  // when valid the group decides, and `verdict` says nothing
  };
  Preliminary preliminary(Direction direction, const Peer& subject, const Peer& other);
  std::uint32_t unmodelled_between(const Peer& subject, const Peer& other) const;
  PeerId peer_of(const Peer& end) const;
  /// The peer that `subject`'s rules are matched against: the other end as the plugin sees it at that point.
  PeerId seen_peer(Direction direction, const Peer& subject, const Peer& other);
  /// Whether egress sees the Service that was dialled, not the backend.
  bool sees_service(Direction direction, const Peer& other) const;
  /// The Service whose address that is, as far as rules of selectors know one; null otherwise.
  const cluster::Service* service_at(IpAddress ip) const;
  PeerId service_peer(IpAddress ip);
  bool is_own_node(const Peer& subject, const Peer& other) const;
  /// The port map of a cell.
  std::uint32_t cell(GroupId group, PeerId peer) {
    const std::uint32_t known = cells.find(group, peer);
    return known != CellMemo::kNone ? known : new_cell(group, peer);
  }
  std::uint32_t new_cell(GroupId group, PeerId peer);

  const cluster::Cluster* cluster;
  const PolicySet* policies;
  const cni::Profile* profile;
  const DomainTable* names;  // null: not known
  cni::PolicySemantics semantics;
  std::unique_ptr<PolicyHistory> owned;  // null: an earlier state's
  PolicyHistory& history;
  Compiled& compiled;
  CellMemo& cells;
  PortMaps& port_maps;
  View view;
  MapEntries map_entries;
  bool is_plain = false;       // the profile enforces all that policies say, and every object is modelled
  bool sees_services = false;  // egress is judged before a Service's address is translated
  struct KnownService {
    IpAddress ip;
    std::uint32_t service = 0;
    PeerId peer;  // none: not asked for yet
  };
  std::vector<KnownService> services;  // by address, where rules of selectors open them
  bool has_unmodelled = false;
  std::uint32_t unmodelled_everywhere = kNone;         // the first that reaches every namespace
  std::vector<std::uint32_t> unmodelled_by_namespace;  // the first in each
};

}  // namespace podwire::policy
