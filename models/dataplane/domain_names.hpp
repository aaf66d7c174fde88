// What the nodes' policy agents know of domain names, for rules of the admin tiers that allow by name (domainNames).
//
// An agent reads the DNS answers that reach the pods of its node: from then on, for as long as the answer may be kept
// (its TTL), the answer's addresses belong to the name that was asked for. A rule by `*.example.org` allows the
// addresses of the names it matches that this node has learned, and no others; an address that no pod of the node ever
// asked for stays denied. Connections that are open keep what they were allowed. Invariants: only names that some rule
// could match are kept; a table of names is compiled once, however many nodes and moments share it.
// Left out: agents that ask DNS servers of their own accord, aliases that match a rule by their own name, the time that
// an agent takes to program an address (plugins hold the answer back until they have).
// Sources: network-policy-api site, DomainName; cilium Documentation/security/dns.rst (toFQDNs learns from answers to
// the endpoints of a node, by TTL).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "models/control/timeline.hpp"
#include "models/policy/engine.hpp"
#include "sim/base/ip.hpp"
#include "sim/base/time.hpp"

namespace podwire::dataplane {

class DomainNames {
 public:
  /// Patterns that egress rules of a policy set ask for, each once.
  static std::vector<std::string> patterns_of(const policy::PolicySet& policies);

  /// `patterns`: of every state that will be asked about. No patterns: nothing is ever learned.
  DomainNames(std::vector<std::string> patterns, std::uint32_t machines);

  bool is_needed() const { return !patterns_.empty(); }
  /// An answer reached a pod of this machine: `name` has these addresses until `until`.
  void see(std::uint16_t machine, std::string_view name, std::span<const IpAddress> addresses, Time until);
  /// The engine of a state with the names that a machine knows at `now`. Compiles when such a table is met for the
  /// first time. Times of one machine come in order.
  policy::PolicyEngine& engine(const control::View& state, std::uint16_t machine, Time now);
  /// Tables that were compiled.
  std::size_t table_count() const { return compiled_.size(); }

 private:
  using Known = std::map<std::pair<std::string, IpAddress>, Time>;  // name and address → until when
  struct Compiled {
    policy::DomainTable table;
    std::unique_ptr<policy::PolicyEngine> engine;
  };
  using Content = std::set<std::pair<std::string, IpAddress>>;

  std::vector<std::string> patterns_;
  std::vector<Known> known_;  // by machine
  // Engines of states come and go: a state is known by what it was compiled from.
  std::map<std::tuple<const cluster::Cluster*, const policy::PolicySet*, Content>, Compiled> compiled_;
};

}  // namespace podwire::dataplane
