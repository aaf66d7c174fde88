// From one policy to what it contributes: the segments it belongs to and its grants, in interned content.
//
// What a policy comes to depends on the cluster through three things only, and each is remembered so that a change
// recompiles no other policy: the namespaces that its namespace selectors match, strings that no object has yet, and,
// for admin policies, domain names. Everything else of it is content.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/policy/compiled.hpp"
#include "models/policy/service_ports.hpp"

namespace podwire::policy {

/// A policy's share, by direction.
struct Part {
  Tier tier = Tier::none;                 // none: it selects no pod, or is not in force
  std::uint16_t priority = 0;             // of an admin policy
  std::uint32_t where = Compiled::kNone;  // its namespace; of an admin policy its subject's namespace set
  SelectorId subject = {};
  std::array<bool, 2> has_segment = {false, false};  // isolates, or of an admin policy has rules
  std::array<bool, 2> uses_named_ports = {false, false};
  std::array<std::vector<Grant>, 2> grants = {};     // in the order of rules
  std::vector<SelectorId> namespace_selectors = {};  // that it looks through
  bool reads_domains = false;
  bool operator==(const Part&) const = default;
};

class RuleCompiler {
 public:
  RuleCompiler(Compiled& out, const cni::PolicySemantics& semantics) : out_(out), semantics_(semantics) {}

  /// The state to compile against; both outlive the next call of this.
  void look_at(const cluster::Cluster& cluster, const DomainTable* names);

  Part compile(PolicyNumber number, const NetworkPolicy& policy);
  Part compile(PolicyNumber number, const AdminPolicy& policy);

  /// Namespaces have other labels than before: the selectors that match others now, ascending.
  std::vector<SelectorId> relabel(std::span<const cluster::NamespaceId> namespaces);
  /// Policies that named a string which the cluster knows now and did not know when they were compiled.
  std::vector<PolicyNumber> awaken();

  /// How many names of ports rules use.
  std::size_t used_port_names() const { return used_port_names_; }
  bool is_port_name_used(std::uint32_t name) const { return is_port_name_used_[name]; }
  /// The number of a port name, used or not.
  std::uint32_t intern_port_name(const std::string& name) {
    const auto [entry, is_new] = port_names_.try_emplace(name, static_cast<std::uint32_t>(port_names_.size()));
    if (is_new) {
      is_port_name_used_.push_back(false);
    }
    return entry->second;
  }
  /// The ports of rules that open Services, with the names they have in port specs.
  const std::map<RulePort, std::uint32_t>& service_ports() const { return service_ports_; }

 private:
  using Words = std::vector<std::uint32_t>;

  std::uint32_t find_namespace(std::string_view name) const;
  SelectorId intern(const cluster::LabelSelector& selector);
  void add_rule(Part& part, Direction direction, std::uint16_t number, const Rule& rule);
  PeerRuleId peer_rule(const PeerRule& peer, std::uint32_t name_space);
  /// Whether what its domain names stand for is known.
  bool is_resolved(const AdminPeer& peer) const;
  PeerRuleId admin_peer(const AdminPeer& peer, RuleAction action);
  PeerRuleId plain_rule(Compiled::PeerKind kind);
  PeerRuleId block_rule(Compiled::PeerKind kind, const std::vector<Cidr>& cidrs);
  PeerRuleId pods_rule(std::uint32_t namespaces, const cluster::LabelSelector& selector);
  std::vector<Cidr> cidrs_of(const AdminPeer& peer) const;
  std::uint32_t namespaces_matching(const cluster::LabelSelector& selector);
  std::uint32_t find_matches(SelectorId selector);
  void index_namespaces();
  PortSpecId port_spec(const std::vector<PortRule>& ports);
  PortSpecId port_spec(bool is_every_port, std::vector<PortSet::Range> ranges,
                       std::vector<std::pair<std::uint32_t, std::uint32_t>> names);
  PortSpecId service_port_spec(const std::vector<PortRule>& ports);
  bool opens_services(Direction direction) const {
    return direction == Direction::egress && semantics_.selectors_open_services &&
           semantics_.enforcement_point == cni::EnforcementPoint::before_dnat;
  }
  PeerRuleId services_rule(PeerRuleId pods);

  Compiled& out_;
  const cni::PolicySemantics& semantics_;
  const cluster::Cluster* cluster_ = nullptr;
  const DomainTable* names_ = nullptr;  // null: not known

  PolicyNumber number_;   // being compiled
  Part* part_ = nullptr;  // likewise
  std::vector<std::string> unknown_;
  std::vector<std::pair<std::string, PolicyNumber>> sleeping_;  // strings that nothing has, and who named them
  std::size_t string_count_ = 0;

  boost::unordered_flat_map<std::string, std::uint32_t> port_names_;
  std::vector<bool> is_port_name_used_;  // by number: rules use it
  std::size_t used_port_names_ = 0;
  std::map<RulePort, std::uint32_t> service_ports_;
  std::vector<std::uint32_t> sets_;  // by selector: the namespaces it matches; none: not asked for
  bool has_index_ = false;
  bool is_index_stale_ = false;  // label changes end its use
  LabelIndex namespace_index_;
  LabelCounts namespace_counts_;
};

}  // namespace podwire::policy
