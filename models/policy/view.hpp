// What is the case in one state of a cluster: which peer and groups each pod has, how addresses fall into atoms, and
// where each policy stands in its set. Content (compiled.hpp) knows nothing of time; views do.
//
// A state that follows another one shares all that has not changed. What a view refers to belongs to the newest view
// that refers to it, and is handed over when a newer one is made: so states are freed oldest first, or all at once, and
// nothing is counted.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "models/policy/atoms.hpp"
#include "models/policy/engine.hpp"

namespace podwire::policy {

/// A policy's number for as long as a history of states lasts: of one namespace and name (admin: kind and name) it is
/// always the same. In the first state it is the policy's index.
using PolicyNumber = Id<struct PolicyNumberTag>;

/// A pod in a view.
struct PodEntry {
  PeerId peer;      // at its first address
  PeerId second;    // at its address of the other family; none: it has no such address
  GroupId ingress;  // none: not isolated
  GroupId egress;
  bool is_stranger = false;      // neither subject nor selector peer: its address is all that counts
  bool is_node_traffic = false;  // a hostNetwork pod that counts as its node
  // What follows tells pods apart only in clusters where some pod has two addresses.
  bool is_of_one_family = false;
  IpFamily family = IpFamily::v4;  // of the first address

  /// The peer at the address of this family; of a pod without one, at its first.
  PeerId peer_in(IpFamily wanted) const { return second.is_valid() && wanted != family ? second : peer; }
  /// The same for a Peer's `ip`.
  PeerId peer_for(IpAddress ip) const {
    return second.is_valid() && !ip.is_unspecified() && ip.family() != family ? second : peer;
  }
  /// Whether the pod can talk in this family. One without addresses stands for either.
  bool speaks(IpFamily wanted) const { return !is_of_one_family || wanted == family; }
  GroupId group(Direction d) const { return d == Direction::ingress ? ingress : egress; }
  auto operator<=>(const PodEntry&) const = default;
};

/// Entries by PodId, in pages that states share until one of their pods changes.
class PodPages {
 public:
  const PodEntry& operator[](std::size_t pod) const { return (*pages_[pod / kPage])[pod % kPage]; }
  std::size_t size() const { return count_; }

  /// Pages of its own for `count` pods.
  void start(std::size_t count);
  /// Shows the pages of `before`; set() then writes on copies. take_rest() ends it.
  void follow(const PodPages& before);
  /// Only after start() or follow().
  void set(std::size_t pod, const PodEntry& entry);
  /// Takes over the pages that were not copied.
  void take_rest(PodPages& before);
  /// Of the pages that belong to this view.
  std::size_t memory_bytes() const;

 private:
  static constexpr std::size_t kPage = 256;
  using Page = std::array<PodEntry, kPage>;
  std::vector<Page*> pages_;
  std::vector<std::unique_ptr<Page>> owned_;  // null: another view's
  std::size_t count_ = 0;
};

/// Something that states share until one of them needs another.
template <class T>
class Handed {
 public:
  Handed() = default;
  explicit Handed(T value) : owned_(std::make_unique<T>(std::move(value))), now_(owned_.get()) {}
  const T& operator*() const { return *now_; }
  const T* operator->() const { return now_; }
  /// Shares what `before` has, and owns it from now on.
  void take(Handed& before) {
    now_ = before.now_;
    owned_ = std::move(before.owned_);
  }
  bool is_owner() const { return owned_ != nullptr; }

 private:
  std::unique_ptr<T> owned_;
  const T* now_ = nullptr;
};

/// How addresses fall into atoms, and the peers of those that are no pod's.
struct Addresses {
  Atoms atoms;
  std::vector<std::uint32_t> numbers;                    // by atom: its number in Compiled::atom_starts
  std::vector<PeerId> strangers;                         // by atom
  std::vector<std::pair<IpAddress, PeerId>> node_peers;  // by address, where ipBlocks do not match nodes; else empty

  std::uint32_t number_at(IpAddress ip) const { return numbers[atoms.atom_of(ip).index()]; }
  /// The peer of an address that is no pod's.
  PeerId peer_at(IpAddress ip) const { return strangers[atoms.atom_of(ip).index()]; }
  /// The peer of an address that is no pod's and may be a node's.
  PeerId stranger_at(IpAddress ip) const;
  std::size_t memory_bytes() const;
};

struct View {
  PodPages pods;
  Handed<Addresses> addresses;
  Handed<std::vector<PolicyIndex>> places;  // by policy number, none: not in force; empty: a number is an index
  PolicyIndex place_of(PolicyNumber number) const {
    return !number.is_valid() || places->empty() ? PolicyIndex(number.value()) : (*places)[number.index()];
  }
  std::size_t memory_bytes() const;
};

}  // namespace podwire::policy
