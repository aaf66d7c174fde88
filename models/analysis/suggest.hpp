// suggest: the least NetworkPolicies under which what was seen goes on, and nothing else between workloads.
//
// Pods are selected by labels that outlive them: those of their owner's selector where it is known, else the template's
// without hashes, ordinals, versions and charts. Workloads that such labels cannot tell apart are one subject. For each
// namespace: a default deny of both directions, DNS for all its pods, and a policy for each subject that took part in a
// connection, one rule a peer, with the evidence for it. An edge (subject or address, subject or address, protocol,
// port) becomes a rule when it was seen often enough and never dropped: what was recorded as dropped is not legalised.
// What cannot be said by a NetworkPolicy (ICMP, ends that are not in the dump, pods without stable labels, nodes where
// the network plugin matches none by ipBlock) is a note.
//
// Left out: named ports, port ranges (each port seen is listed), names of hosts outside.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/cluster/objects.hpp"
#include "models/cni/profile.hpp"
#include "models/flows/merge.hpp"

namespace podwire::analysis {

/// How often an edge was seen, and when.
struct Evidence {
  std::uint64_t count = 0;
  flows::Nanoseconds first = flows::kNoTime;
  flows::Nanoseconds last = flows::kNoTime;
  void add(const Evidence& other);
};

/// Labels that pods of one subject have and no other pod of their namespace has. No requirement: every pod there.
using StableSelector = std::vector<cluster::Requirement>;

struct SuggestedPeer {
  bool is_every_pod = false;    // of every namespace
  std::string name_space = {};  // of pods; "" for addresses
  StableSelector pods = {};
  std::vector<Cidr> blocks = {};  // of addresses
  std::vector<Cidr> except = {};  // each within one of the blocks, and taken out of it
  std::string name = {};          // for the comment: "shop/web[Deployment]", "3 addresses outside"
};

struct SuggestedRule {
  SuggestedPeer peer;
  std::vector<std::pair<IpProtocol, Port>> ports;  // sorted
  Evidence evidence;
};

struct SuggestedPolicy {
  std::string name_space;
  std::string name;
  std::string subject = {};  // for the comment: the workloads it selects
  StableSelector pods = {};
  bool isolates_ingress = false;  // policyTypes
  bool isolates_egress = false;
  std::vector<SuggestedRule> ingress = {};
  std::vector<SuggestedRule> egress = {};
};

struct Suggestion {
  std::vector<SuggestedPolicy> policies;  // by namespace: default deny, DNS, subjects by name
  std::vector<std::string> notes;         // what was left out and why, most important first
  std::uint64_t connections = 0;          // taken
  std::uint64_t covered = 0;              // that the policies let pass by a rule made for them
};

struct SuggestOptions {
  std::uint64_t threshold = 1;          // an edge seen less often gets no rule
  std::vector<std::string> namespaces;  // empty: all but Kubernetes' own
  std::size_t most_addresses = 32;      // outside, in one rule; more become every address outside
  /// Where owners' selectors and the layers' objects are: may be null.
  const cluster::ObjectStore* objects = nullptr;
  /// The network plugin that is to enforce the policies; null: one that does what the API says.
  const cni::Profile* profile = nullptr;
};

/// Keys that change with a rollout, a replica or a release, and never select in a suggestion.
bool is_stable_label(std::string_view key);

/// Takes connections one by one; memory is the distinct edges.
class Suggester {
 public:
  /// The cluster and what the options point to must outlive it.
  Suggester(const cluster::Cluster& cluster, SuggestOptions options);
  ~Suggester();
  Suggester(Suggester&&) noexcept;

  /// `count` connections alike.
  void add(const flows::Connection& connection, std::uint64_t count = 1);
  Suggestion suggest() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace podwire::analysis
