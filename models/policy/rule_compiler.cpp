// Policies to parts; see the header. What a plugin does not put in force is left out here (deviations.hpp).
#include "models/policy/rule_compiler.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "models/policy/deviations.hpp"
#include "sim/base/check.hpp"

namespace podwire::policy {

namespace {

Cidr alone(IpAddress ip) {
  return Cidr(ip, ip.is_v4() ? 32 : 128);
}

}  // namespace

void RuleCompiler::look_at(const cluster::Cluster& cluster, const DomainTable* names) {
  if (cluster_ == nullptr) {
    string_count_ = cluster.strings.size();
  }
  cluster_ = &cluster;
  names_ = names;
}

std::vector<PolicyNumber> RuleCompiler::awaken() {
  std::vector<PolicyNumber> found;
  if (cluster_->strings.size() == string_count_) {
    return found;
  }
  string_count_ = cluster_->strings.size();
  std::erase_if(sleeping_, [&](const auto& entry) {
    const bool is_known = cluster_->strings.find(entry.first).is_valid();
    if (is_known) {
      found.push_back(entry.second);
    }
    return is_known;
  });
  return found;
}

std::uint32_t RuleCompiler::find_namespace(std::string_view name) const {
  const auto found = std::lower_bound(cluster_->namespaces.begin(), cluster_->namespaces.end(), name,
                                      [](const cluster::Namespace& n, std::string_view v) { return n.name < v; });
  return found != cluster_->namespaces.end() && found->name == name
             ? static_cast<std::uint32_t>(found - cluster_->namespaces.begin())
             : Compiled::kNone;
}

SelectorId RuleCompiler::intern(const cluster::LabelSelector& selector) {
  const SelectorId id = out_.selectors.intern(selector, cluster_->strings, &unknown_);
  for (std::string& text : unknown_) {
    sleeping_.emplace_back(std::move(text), number_);
  }
  unknown_.clear();
  return id;
}

Part RuleCompiler::compile(PolicyNumber number, const NetworkPolicy& policy) {
  Part part;
  number_ = number;
  part_ = &part;
  part.where = find_namespace(policy.name_space);
  part.subject = intern(policy.pod_selector);
  if (part.where == Compiled::kNone || out_.selectors.matches_nothing(part.subject)) {
    return part;  // selects no pod
  }
  if (is_rejected(policy, semantics_)) {
    return part;  // what it selects stays as open as without it
  }
  part.tier = Tier::network_policy;
  for (const Direction direction : kDirections) {
    if (!policy.isolates(direction)) {
      continue;
    }
    part.has_segment[static_cast<std::size_t>(direction)] = true;
    const std::vector<Rule>& rules = policy.rules(direction);
    PODWIRE_CHECK(rules.size() <= 0xffff, "policy", "a policy has at most 65,535 rules in a direction");
    for (std::size_t r = 0; r < rules.size(); ++r) {
      add_rule(part, direction, static_cast<std::uint16_t>(r), rules[r]);
    }
  }
  return part;
}

Part RuleCompiler::compile(PolicyNumber number, const AdminPolicy& policy) {
  Part part;
  if (!is_in_force(policy.kind, semantics_)) {
    return part;
  }
  number_ = number;
  part_ = &part;
  part.priority = policy.priority;
  part.where = namespaces_matching(policy.subject_namespaces);
  part.subject = intern(policy.subject_pods);
  if (out_.namespace_sets[part.where].empty() || out_.selectors.matches_nothing(part.subject)) {
    return part;  // selects no pod
  }
  part.tier = policy.tier;
  for (const Direction direction : kDirections) {
    const auto d = static_cast<std::size_t>(direction);
    const std::vector<AdminRule>& rules = policy.rules(direction);
    part.has_segment[d] = !rules.empty();
    for (std::size_t r = 0; r < rules.size(); ++r) {
      const PortSpecId ports = port_spec(rules[r].ports);
      part.uses_named_ports[d] = part.uses_named_ports[d] || out_.has_names(ports);
      for (const AdminPeer& peer : rules[r].peers) {
        const bool has_domains = peer.kind == AdminPeer::Kind::domain_names;
        part.reads_domains = part.reads_domains || has_domains;
        if (const PeerRuleId id = admin_peer(peer, rules[r].action); id.is_valid()) {
          part.grants[d].push_back({.peer = id,
                                    .ports = ports,
                                    .policy = number,
                                    .rule = static_cast<std::uint16_t>(r),
                                    .action = rules[r].action,
                                    .is_uncertain = has_domains && !is_resolved(peer)});
          if (const PeerRuleId services = opens_services(direction) ? services_rule(id) : PeerRuleId();
              services.is_valid()) {
            part.grants[d].push_back({.peer = services,
                                      .ports = service_port_spec(rules[r].ports),
                                      .policy = number,
                                      .rule = static_cast<std::uint16_t>(r),
                                      .action = rules[r].action});
          }
        }
      }
    }
  }
  return part;
}

void RuleCompiler::add_rule(Part& part, Direction direction, std::uint16_t number, const Rule& rule) {
  const auto d = static_cast<std::size_t>(direction);
  const auto add = [&](PeerRuleId peer, bool is_block) {
    const auto in_force = ports_in_force(rule, is_block, semantics_);
    if (peer.is_valid() && in_force) {
      const PortSpecId ports = port_spec(*in_force);
      part.uses_named_ports[d] = part.uses_named_ports[d] || out_.has_names(ports);
      part.grants[d].push_back({.peer = peer, .ports = ports, .policy = number_, .rule = number});
      if (const PeerRuleId services = opens_services(direction) ? services_rule(peer) : PeerRuleId();
          services.is_valid()) {
        part.grants[d].push_back(
            {.peer = services, .ports = service_port_spec(*in_force), .policy = number_, .rule = number});
      }
    }
  };
  if (rule.peers.empty()) {
    add(plain_rule(Compiled::kAny), false);
    return;
  }
  for (const PeerRule& peer : rule.peers) {
    add(peer_rule(peer, part.where), peer.ip_block.has_value());
  }
}

/// None when nothing in this cluster can match.
PeerRuleId RuleCompiler::peer_rule(const PeerRule& peer, std::uint32_t name_space) {
  if (peer.ip_block) {
    const std::vector<AddressRange> ranges = ranges_of(block_in_force(*peer.ip_block, semantics_));
    if (ranges.empty()) {
      return {};
    }
    const std::uint32_t block = out_.intern_block(ranges);
    return PeerRuleId(out_.peer_rules.intern(std::array<std::uint32_t, 2>{Compiled::kIpBlock, block}).id);
  }
  const std::uint32_t spaces = peer.namespace_selector
                                   ? namespaces_matching(*peer.namespace_selector)
                                   : out_.namespace_sets.intern(std::array{name_space, name_space + 1}).id;
  return pods_rule(spaces, peer.pod_selector.value_or(cluster::LabelSelector()));
}

bool RuleCompiler::is_resolved(const AdminPeer& peer) const {
  return names_ != nullptr && names_->resolves(peer.domain_names);
}

/// None when nothing in this cluster can match.
PeerRuleId RuleCompiler::admin_peer(const AdminPeer& peer, RuleAction action) {
  switch (peer.kind) {
    case AdminPeer::Kind::namespaces:
    case AdminPeer::Kind::pods:
      return pods_rule(namespaces_matching(peer.namespace_selector), peer.pod_selector);
    case AdminPeer::Kind::domain_names:
      return !is_resolved(peer) ? plain_rule(Compiled::kStrangers) : block_rule(Compiled::kIpBlock, cidrs_of(peer));
    case AdminPeer::Kind::networks:
      return block_rule(Compiled::kIpBlock, cidrs_of(peer));
    case AdminPeer::Kind::nodes:
      return block_rule(Compiled::kNodes, cidrs_of(peer));
    case AdminPeer::Kind::unknown:
      break;
  }
  return action == RuleAction::allow ? PeerRuleId() : plain_rule(Compiled::kAny);  // fails closed
}

PeerRuleId RuleCompiler::plain_rule(Compiled::PeerKind kind) {
  return PeerRuleId(out_.peer_rules.intern(std::array<std::uint32_t, 1>{kind}).id);
}

PeerRuleId RuleCompiler::block_rule(Compiled::PeerKind kind, const std::vector<Cidr>& cidrs) {
  std::vector<AddressRange> ranges;
  for (const Cidr& cidr : cidrs) {
    const std::vector<AddressRange> added = ranges_of({.cidr = cidr, .except = {}, .span = {}});
    ranges.insert(ranges.end(), added.begin(), added.end());
  }
  std::sort(ranges.begin(), ranges.end());
  std::vector<AddressRange> merged;
  for (const auto& [first, last] : ranges) {
    // The end of the address space has nothing after it.
    const bool is_whole = !merged.empty() && merged.back().second.plus(1).is_unspecified();
    if (!merged.empty() && (is_whole || first <= merged.back().second.plus(1))) {
      merged.back().second = std::max(merged.back().second, last);
    } else {
      merged.emplace_back(first, last);
    }
  }
  if (merged.empty()) {
    return {};
  }
  const std::uint32_t block = out_.intern_block(merged);
  return PeerRuleId(out_.peer_rules.intern(std::array<std::uint32_t, 2>{kind, block}).id);
}

PeerRuleId RuleCompiler::pods_rule(std::uint32_t namespaces, const cluster::LabelSelector& selector) {
  const SelectorId pods = intern(selector);
  if (out_.selectors.matches_nothing(pods) || out_.namespace_sets[namespaces].empty()) {
    return {};
  }
  return PeerRuleId(out_.peer_rules.intern(std::array<std::uint32_t, 3>{Compiled::kPods, namespaces, pods.value()}).id);
}

/// The Services that a rule of selectors matches; none of another rule.
PeerRuleId RuleCompiler::services_rule(PeerRuleId pods) {
  const std::span<const std::uint32_t> words = out_.peer_rules[pods.value()];
  if (words[0] != Compiled::kPods) {
    return {};
  }
  const std::array<std::uint32_t, 3> same = {Compiled::kServices, words[1], words[2]};
  return PeerRuleId(out_.peer_rules.intern(same).id);
}

/// The addresses an admin peer names; none for a peer of pods and for domain names that are not resolved.
std::vector<Cidr> RuleCompiler::cidrs_of(const AdminPeer& peer) const {
  std::vector<Cidr> all = peer.networks;
  if (peer.kind == AdminPeer::Kind::nodes) {
    for (const cluster::Node& node : cluster_->nodes) {
      if (peer.node_selector.matches(node.labels, cluster_->label_sets, cluster_->strings)) {
        std::transform(node.addresses.begin(), node.addresses.end(), std::back_inserter(all), alone);
      }
    }
  }
  if (peer.kind == AdminPeer::Kind::domain_names && names_ != nullptr) {
    for (const DomainTable::Entry& entry : names_->entries) {
      if (std::any_of(peer.domain_names.begin(), peer.domain_names.end(),
                      [&](const std::string& pattern) { return domain_matches(pattern, entry.name); })) {
        std::transform(entry.addresses.begin(), entry.addresses.end(), std::back_inserter(all), alone);
      }
    }
  }
  return all;
}

/// The namespaces a selector matches, as ranges; remembered.
std::uint32_t RuleCompiler::namespaces_matching(const cluster::LabelSelector& selector) {
  const SelectorId id = intern(selector);
  part_->namespace_selectors.push_back(id);
  if (id.index() >= sets_.size()) {
    sets_.resize(id.index() + 1, Compiled::kNone);
  }
  if (sets_[id.index()] == Compiled::kNone) {
    sets_[id.index()] = find_matches(id);
  }
  return sets_[id.index()];
}

/// Through the rarest label it asks for, or by looking at every namespace.
std::uint32_t RuleCompiler::find_matches(SelectorId id) {
  std::vector<std::uint32_t> found;
  const auto count = static_cast<std::uint32_t>(cluster_->namespaces.size());
  const auto consider = [&](std::uint32_t n, std::uint32_t) {
    if (out_.selectors.matches(id, cluster_->label_sets[cluster_->namespaces[n].labels])) {
      found.push_back(n);
    }
  };
  if (!has_index_ && !is_index_stale_) {
    index_namespaces();
  }
  const std::vector<cluster::Label> entrances =
      is_index_stale_ ? std::vector<cluster::Label>() : out_.selectors.entrances(id, namespace_counts_);
  for (const cluster::Label& label : entrances) {
    namespace_index_.for_each(label, 0, count, consider);
  }
  if (entrances.empty()) {
    for (std::uint32_t n = 0; n < count; ++n) {
      consider(n, 0);
    }
  }
  std::sort(found.begin(), found.end());
  Words ranges;
  for (const std::uint32_t n : found) {
    if (!ranges.empty() && ranges.back() == n) {
      ++ranges.back();
    } else {
      ranges.insert(ranges.end(), {n, n + 1});
    }
  }
  return out_.namespace_sets.intern(ranges).id;
}

void RuleCompiler::index_namespaces() {
  has_index_ = true;
  for (std::uint32_t n = 0; n < cluster_->namespaces.size(); ++n) {
    for (const cluster::Label& label : cluster_->label_sets[cluster_->namespaces[n].labels]) {
      namespace_index_.add(label, n, 0);
      namespace_counts_.add(label);
    }
  }
  namespace_index_.finish();
}

std::vector<SelectorId> RuleCompiler::relabel(std::span<const cluster::NamespaceId> namespaces) {
  std::vector<SelectorId> changed;
  if (namespaces.empty()) {
    return changed;
  }
  is_index_stale_ = true;
  for (std::uint32_t s = 0; s < sets_.size(); ++s) {
    if (sets_[s] == Compiled::kNone) {
      continue;
    }
    const bool differs = std::any_of(namespaces.begin(), namespaces.end(), [&](cluster::NamespaceId n) {
      return is_inside(out_.namespace_sets[sets_[s]], n.value()) !=
             out_.selectors.matches(SelectorId(s), cluster_->label_sets[cluster_->namespaces[n.index()].labels]);
    });
    if (differs) {
      sets_[s] = find_matches(SelectorId(s));
      changed.emplace_back(s);
    }
  }
  return changed;
}

PortSpecId RuleCompiler::port_spec(const std::vector<PortRule>& ports) {
  std::vector<PortSet::Range> ranges;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> names;
  for (const PortRule& port : ports) {
    if (!port.name.empty()) {
      const std::uint32_t name = intern_port_name(port.name);
      used_port_names_ += is_port_name_used_[name] ? 0 : 1;
      is_port_name_used_[name] = true;
      for (const IpProtocol protocol : kProtocols) {
        if (port.has_any_protocol || protocol == port.protocol) {
          names.emplace_back(name, static_cast<std::uint32_t>(protocol));
        }
      }
    } else if (port.is_all()) {
      ranges.push_back({.protocol = port.protocol, .first = 1, .last = 65535});
    } else {
      const Port last = port.last.is_valid() ? port.last : port.first;
      ranges.push_back({.protocol = port.protocol, .first = port.first.number(), .last = last.number()});
    }
  }
  return port_spec(ports.empty(), std::move(ranges), std::move(names));
}

/// The same as Services have it: each port stands for one of the Service's. The end of a range is taken as it is
/// written, whatever the port it begins with leads to (endpoints.go: Port is looked up, EndPort copied).
PortSpecId RuleCompiler::service_port_spec(const std::vector<PortRule>& ports) {
  std::vector<PortSet::Range> ranges;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> names;
  for (const PortRule& port : ports) {
    if (port.is_all()) {
      ranges.push_back({.protocol = port.protocol, .first = 1, .last = 65535});
      continue;
    }
    const auto next = static_cast<std::uint32_t>(service_ports_.size()) | Compiled::kServiceName;
    const auto [entry, is_new] = service_ports_.try_emplace({.name = port.name, .number = port.first}, next);
    const std::uint32_t last = port.last > port.first ? port.last.number() : 0u;
    for (const IpProtocol protocol : kProtocols) {
      if (port.has_any_protocol || protocol == port.protocol) {
        names.emplace_back(entry->second, last << 16 | static_cast<std::uint32_t>(protocol));
      }
    }
  }
  return port_spec(ports.empty(), std::move(ranges), std::move(names));
}

PortSpecId RuleCompiler::port_spec(bool is_every_port, std::vector<PortSet::Range> ranges,
                                   std::vector<std::pair<std::uint32_t, std::uint32_t>> names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const PortSetId numbers = is_every_port ? PortSets::kAll : out_.port_sets.intern(PortSet::of(std::move(ranges)));
  Words words = {numbers.value()};
  for (const auto& [name, protocol] : names) {
    words.insert(words.end(), {name, protocol});
  }
  return PortSpecId(out_.port_specs.intern(words).id);
}

}  // namespace podwire::policy
