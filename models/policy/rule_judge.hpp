// Judges rules as they were written, criterion by criterion, for explanations: what held, and the first that did not.
// Slow on purpose; verdicts come from the compiled form.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "models/policy/deviations.hpp"
#include "models/policy/engine.hpp"
#include "models/policy/engine_impl.hpp"
#include "models/policy/service_ports.hpp"
#include "sim/base/text.hpp"

namespace podwire::policy {

/// How one criterion, or a chain of them, went.
struct Judgement {
  bool holds = true;
  unsigned criteria = 0;      // passed
  unsigned requirements = 0;  // passed, of the selectors
  bool is_uncertain = false;  // holds if an unresolved name is this address's
  std::string failure = {};   // the first criterion that failed
  Span span = {};
};

inline std::string labels_text(const cluster::Cluster& cluster, cluster::LabelSetId labels) {
  std::vector<std::string> texts;
  for (const cluster::Label& label : cluster.label_sets[labels]) {
    texts.push_back(
        fmt::format("{}={}", printable(cluster.strings[label.key]), printable(cluster.strings[label.value])));
  }
  std::sort(texts.begin(), texts.end());
  return texts.empty() ? "no labels" : fmt::format("labels: {}", fmt::join(texts, ","));
}

inline std::string requirement_text(const cluster::Requirement& requirement) {
  cluster::LabelSelector alone;
  alone.requirements = {requirement};
  return printable(alone.to_string());
}

/// Judges rules for one connection.
class RuleJudge {
 public:
  struct Question {
    const PodEntry* other_entry = nullptr;      // null: no pod
    const cluster::Service* service = nullptr;  // whose address `other` is, where selectors know it; null otherwise
    Direction direction = Direction::ingress;
    Peer subject;
    Peer other;                 // as it is seen
    bool is_node_only = false;  // it is a node, and ipBlocks match none
    IpProtocol protocol = IpProtocol::tcp;
    Port port;                           // as it is seen
    const DomainTable* names = nullptr;  // null: not known
  };
  RuleJudge(const PolicyEngine& engine, const Question& q)
      : engine_(engine),
        cluster_(engine.cluster()),
        other_(q.other),
        destination_(q.direction == Direction::ingress ? q.subject : q.other),
        is_destination_stranger_(q.direction == Direction::egress &&
                                 (q.other_entry == nullptr || q.other_entry->is_stranger)),
        semantics_(engine.profile().policy),
        is_named_by_other_(q.direction == Direction::ingress &&
                           semantics_.named_ports_resolve_on == cni::NamedPortsOn::source_pods),
        is_node_only_(q.is_node_only),
        other_entry_(q.other_entry),
        service_(q.service),
        protocol_(q.protocol),
        port_(q.port),
        names_(q.names) {}

  /// Each peer with the ports that are in force for it.
  Judgement judge(const NetworkPolicy& policy, const Rule& rule) const {
    if (rule.peers.empty()) {
      return with(judge_policy_ports(rule, false), {.criteria = 2});
    }
    return best_peer(rule.peers, [&](const PeerRule& peer) {
      const bool is_block = peer.ip_block.has_value();
      return with(service_ != nullptr && !is_block ? judge_service_ports(rule.ports, rule.span, true)
                                                   : judge_policy_ports(rule, is_block),
                  judge_peer(policy, peer));
    });
  }

  /// Of the admin and baseline tiers.
  Judgement judge(const AdminRule& rule) const {
    const auto judge_one = [&](const AdminPeer& peer) {
      const bool is_of_pods = peer.kind == AdminPeer::Kind::namespaces || peer.kind == AdminPeer::Kind::pods;
      return with(service_ != nullptr && is_of_pods ? judge_service_ports(rule.ports, rule.span, false)
                                                    : judge_ports(rule.ports, rule.span),
                  judge_peer(peer, rule.action));
    };
    return rule.peers.empty() ? with(judge_ports(rule.ports, rule.span), {.criteria = 2})
                              : best_peer(rule.peers, judge_one);
  }

 private:
  bool is_selectable() const { return other_entry_ != nullptr && !other_entry_->is_stranger; }

  IpAddress other_ip() const { return address_of(cluster_, other_); }

  std::string service_text() const {
    return printable(cluster_.namespaces[service_->name_space.index()].name + "/" + service_->name);
  }
  std::string other_text() const {
    return other_.pod.is_valid() ? printable(cluster_.full_pod_name(other_.pod)) : other_.ip.to_string();
  }

  static Judgement with(const Judgement& ports, Judgement peer) {
    if (ports.holds) {
      ++peer.criteria;
    } else if (peer.holds) {
      peer.holds = false;
      peer.is_uncertain = false;
      peer.failure = ports.failure;
      peer.span = ports.span;
    }
    return peer;
  }

  template <class Peers, class Judge>
  static Judgement best_peer(const Peers& peers, Judge judge_one) {
    if (peers.empty()) {
      return {.criteria = 2};
    }
    Judgement best = judge_one(peers.front());
    for (std::size_t i = 1; i < peers.size() && (!best.holds || best.is_uncertain); ++i) {
      Judgement next = judge_one(peers[i]);
      const bool is_nearer = std::pair(next.criteria, next.requirements) > std::pair(best.criteria, best.requirements);
      if (next.holds ? !best.holds || !next.is_uncertain : !best.holds && is_nearer) {
        best = std::move(next);
      }
    }
    return best;
  }

  Judgement judge_peer(const AdminPeer& peer, RuleAction action) const {
    const auto failed = [&](std::string text) {
      return Judgement{.holds = false, .failure = std::move(text), .span = peer.span};
    };
    switch (peer.kind) {
      case AdminPeer::Kind::namespaces:
      case AdminPeer::Kind::pods:
        return judge_admin_pods(peer);
      case AdminPeer::Kind::nodes:
        return judge_nodes(peer);
      case AdminPeer::Kind::networks:
        return judge_networks(peer);
      case AdminPeer::Kind::domain_names: {
        const std::string names = fmt::format("domainNames {}", fmt::join(peer.domain_names, ", "));
        if (names_ == nullptr || !names_->resolves(peer.domain_names)) {
          return is_selectable() ? failed(names + " mean addresses outside the cluster")
                                 : Judgement{.criteria = 2, .is_uncertain = true};
        }
        if (std::string text = no_address_text(names, "match"); !text.empty()) {
          return failed(std::move(text));
        }
        if (is_named(peer)) {
          return {.criteria = 2};
        }
        return failed(fmt::format("{} do not resolve to {}", names, other_ip().to_string()));
      }
      case AdminPeer::Kind::unknown:
        break;
    }
    return action == RuleAction::allow ? failed("the peer's field is not known, and an Accept by it matches nothing")
                                       : Judgement{.criteria = 2};
  }

  bool is_named(const AdminPeer& peer) const {
    for (const DomainTable::Entry& entry : names_->entries) {
      const bool is_asked = std::any_of(peer.domain_names.begin(), peer.domain_names.end(),
                                        [&](const std::string& p) { return domain_matches(p, entry.name); });
      if (is_asked && std::find(entry.addresses.begin(), entry.addresses.end(), other_ip()) != entry.addresses.end()) {
        return true;
      }
    }
    return false;
  }

  Judgement judge_admin_pods(const AdminPeer& peer) const {
    if (service_ != nullptr) {
      return judge_service({.namespace_selector = &peer.namespace_selector, .pod_selector = &peer.pod_selector});
    }
    if (!is_selectable()) {
      const std::string selectors = peer.kind == AdminPeer::Kind::pods
                                        ? "podSelector " + printable(peer.pod_selector.to_string())
                                        : "namespaces " + printable(peer.namespace_selector.to_string());
      return {.holds = false, .failure = not_selectable(selectors), .span = peer.span};
    }
    const cluster::PodShape& shape = cluster_.shape(other_.pod);
    const cluster::Namespace& name_space = cluster_.namespaces[shape.name_space.index()];
    const bool is_pods = peer.kind == AdminPeer::Kind::pods;
    Judgement result = judge_selector(peer.namespace_selector, is_pods ? "namespaceSelector" : "namespaces",
                                      name_space.labels, "namespace " + printable(name_space.name));
    if (!result.holds) {
      return result;
    }
    const unsigned so_far = result.requirements;
    result = judge_selector(peer.pod_selector, "podSelector", shape.labels, "pod " + other_text());
    result.requirements += so_far;
    result.criteria = result.holds ? 2 : 1;
    return result;
  }

  Judgement judge_nodes(const AdminPeer& peer) const {
    for (const cluster::Node& node : cluster_.nodes) {
      const auto& all = node.addresses;
      if (!is_selectable() && std::find(all.begin(), all.end(), other_ip()) != all.end()) {
        Judgement result = judge_selector(peer.node_selector, "nodes", node.labels, "node " + printable(node.name));
        result.criteria = result.holds ? 2 : 1;
        return result;
      }
    }
    return {.holds = false,
            .failure = fmt::format("nodes {} means nodes, and {} is none", printable(peer.node_selector.to_string()),
                                   other_text()),
            .span = peer.span};
  }

  /// Why the other end is known by no address; "" where it is.
  std::string no_address_text(std::string_view what, std::string_view matches) const {
    if (is_selectable() && !semantics_.ip_block_matches_pods) {
      return fmt::format("{} {} no pod under the profile {}", what, matches, engine_.profile().name);
    }
    if (is_node_only_) {
      return fmt::format("{} {} no node under the profile {}", what, matches, engine_.profile().name);
    }
    if (other_ip().is_unspecified()) {
      return fmt::format("{} cannot match {}, which has no address", what, other_text());
    }
    return {};
  }

  Judgement judge_networks(const AdminPeer& peer) const {
    std::vector<std::string> written;
    for (const Cidr& cidr : peer.networks) {
      written.push_back(cidr.to_string());
    }
    const std::string name = fmt::format("networks {}", fmt::join(written, ", "));
    std::string failure = no_address_text(name, "match");
    if (!failure.empty()) {
      // Nothing by address matches.
    } else if (std::any_of(peer.networks.begin(), peer.networks.end(),
                           [&](const Cidr& cidr) { return cidr.contains(other_ip()); })) {
      return {.criteria = 2};
    } else {
      failure = fmt::format("{} do not hold {}", name, other_ip().to_string());
    }
    return {.holds = false, .failure = std::move(failure), .span = peer.span};
  }

  Judgement judge_peer(const NetworkPolicy& policy, const PeerRule& peer) const {
    return peer.ip_block ? judge_block(*peer.ip_block) : judge_selectors(policy, peer);
  }

  Judgement judge_block(const IpBlock& block) const {
    const std::string name = "ipBlock " + block.cidr.to_string();
    if (std::string text = no_address_text(name, "matches"); !text.empty()) {
      return {.holds = false, .failure = std::move(text), .span = block.span};
    }
    const auto failed = [&](unsigned criteria, std::string text) {
      return Judgement{.holds = false, .criteria = criteria, .failure = std::move(text), .span = block.span};
    };
    const IpAddress ip = other_ip();
    if (block.cidr.family() != ip.family() || !block.cidr.contains(ip)) {
      return failed(0, fmt::format("{} does not hold {}", name, ip.to_string()));
    }
    for (const Cidr& except : block_in_force(block, semantics_).except) {
      if (except.family() == ip.family() && except.contains(ip)) {
        return failed(1, fmt::format("{} excepts {}, which holds {}", name, except.to_string(), ip.to_string()));
      }
    }
    return {.criteria = 2};
  }

  /// What selectors ask of a Service's address.
  struct ServiceSelectors {
    const cluster::LabelSelector* namespace_selector = nullptr;  // null: those of `name_space`
    const cluster::LabelSelector* pod_selector = nullptr;        // null: all
    std::string_view name_space = {};
    Span span = {};
  };
  Judgement judge_service(const ServiceSelectors& wanted) const {
    const cluster::Namespace& name_space = cluster_.namespaces[service_->name_space.index()];
    Judgement result;
    if (wanted.namespace_selector != nullptr) {
      result = judge_selector(*wanted.namespace_selector, "namespaceSelector", name_space.labels,
                              "namespace " + printable(name_space.name));
    } else if (name_space.name != wanted.name_space) {
      result = {.holds = false,
                .failure = fmt::format("a podSelector without a namespaceSelector opens Services of namespace {} only, "
                                       "not {}",
                                       printable(wanted.name_space), service_text()),
                .span = wanted.span};
    }
    if (!result.holds) {
      return result;
    }
    result.criteria = 1;
    if (wanted.pod_selector != nullptr && !selects_service(*wanted.pod_selector, *service_)) {
      result.holds = false;
      result.failure = fmt::format(
          "podSelector {} does not match Service {} ({})", printable(wanted.pod_selector->to_string()), service_text(),
          service_->selector ? "its selector: " + printable(service_->selector->to_string()) : "it has no selector");
      result.span = wanted.pod_selector->span;
    }
    result.criteria += result.holds ? 1 : 0;
    return result;
  }

  /// Which of the Service's ports a rule's ports open.
  Judgement judge_service_ports(const std::vector<PortRule>& ports, Span rule_span, bool is_of_network_policy) const {
    std::vector<std::string> accepted;
    for (const PortRule& wanted : ports) {
      const auto in_force = is_of_network_policy ? port_in_force(wanted, false, semantics_) : wanted;
      if (!in_force || (wanted.protocol != protocol_ && !wanted.has_any_protocol)) {
        accepted.push_back(port_text(wanted));
        continue;
      }
      const Port first =
          service_port_for(cluster_, *service_, protocol_, {.name = in_force->name, .number = in_force->first});
      if (in_force->is_all() ||
          (first.is_valid() && first <= port_ &&
           port_ <= (in_force->last > in_force->first ? std::max(first, in_force->last) : first))) {
        return {};
      }
      accepted.push_back(fmt::format("{} ({})", port_text(wanted),
                                     first.is_valid()
                                         ? fmt::format("port {} of the Service leads there", first.number())
                                         : "no port of the Service leads there"));
    }
    if (accepted.empty()) {
      return {};
    }
    return {.holds = false,
            .failure = fmt::format("port {} {} of Service {} is not behind {}", to_string(protocol_), port_.number(),
                                   service_text(), fmt::join(accepted, ", ")),
            .span = ports.front().span.is_known() ? ports.front().span : rule_span};
  }

  Judgement judge_selectors(const NetworkPolicy& policy, const PeerRule& peer) const {
    if (service_ != nullptr) {
      return judge_service({.namespace_selector = peer.namespace_selector ? &*peer.namespace_selector : nullptr,
                            .pod_selector = peer.pod_selector ? &*peer.pod_selector : nullptr,
                            .name_space = policy.name_space,
                            .span = peer.span});
    }
    if (!is_selectable()) {
      return {.holds = false, .failure = not_selectable(selectors_text(peer)), .span = peer.span};
    }
    const cluster::PodShape& shape = cluster_.shape(other_.pod);
    const cluster::Namespace& name_space = cluster_.namespaces[shape.name_space.index()];
    Judgement result;
    if (peer.namespace_selector) {
      result = judge_selector(*peer.namespace_selector, "namespaceSelector", name_space.labels,
                              "namespace " + printable(name_space.name));
    } else if (name_space.name != policy.name_space) {
      result = {.holds = false,
                .failure = fmt::format("podSelector {} without a namespaceSelector selects pods of namespace {} only, "
                                       "not of {}",
                                       printable(peer.pod_selector->to_string()), printable(policy.name_space),
                                       printable(name_space.name)),
                .span = peer.pod_selector->span};
    }
    if (!result.holds) {
      return result;
    }
    result.criteria = 1;
    if (peer.pod_selector) {
      const unsigned so_far = result.requirements;
      result = judge_selector(*peer.pod_selector, "podSelector", shape.labels, "pod " + other_text());
      result.requirements += so_far;
      result.criteria = 1;
    }
    result.criteria += result.holds ? 1 : 0;
    return result;
  }

  Judgement judge_selector(const cluster::LabelSelector& selector, std::string_view field, cluster::LabelSetId labels,
                           const std::string& whom) const {
    Judgement result;
    for (const cluster::Requirement& requirement : selector.requirements) {
      cluster::LabelSelector alone;
      alone.requirements = {requirement};
      if (alone.matches(labels, cluster_.label_sets, cluster_.strings)) {
        ++result.requirements;
      } else if (result.holds) {
        result.holds = false;
        result.failure = fmt::format("{} {} does not match {} ({})", field, requirement_text(requirement), whom,
                                     labels_text(cluster_, labels));
        result.span = requirement.span.is_known() ? requirement.span : selector.span;
      }
    }
    return result;
  }

  static std::string selectors_text(const PeerRule& peer) {
    return peer.pod_selector ? "podSelector " + printable(peer.pod_selector->to_string())
                             : "namespaceSelector " + printable(peer.namespace_selector->to_string());
  }

  std::string not_selectable(const std::string& selectors) const {
    if (other_entry_ == nullptr) {
      return fmt::format("{} selects pods, and {} is no pod's address", selectors, other_text());
    }
    return fmt::format(
        "{} does not select {}, which {}", selectors, other_text(),
        other_entry_->is_node_traffic ? "uses its node's network and counts as the node" : "has finished");
  }

  Judgement judge_ports(const std::vector<PortRule>& ports, Span rule_span) const {
    if (ports.empty()) {
      return {};
    }
    std::vector<std::string> accepted;
    for (const PortRule& wanted : ports) {
      if (accepts(wanted)) {
        return {};
      }
      accepted.push_back(port_text(wanted));
    }
    return {.holds = false,
            .failure = fmt::format("port {} {} is not among {}", to_string(protocol_), port_.number(),
                                   fmt::join(accepted, ", ")),
            .span = ports.front().span.is_known() ? ports.front().span : rule_span};
  }

  /// Of a NetworkPolicy, as the plugin takes them.
  Judgement judge_policy_ports(const Rule& rule, bool is_block) const {
    std::vector<std::string> accepted;
    for (const PortRule& wanted : rule.ports) {
      const auto in_force = port_in_force(wanted, is_block, semantics_);
      if (in_force && accepts(*in_force, is_named_by_other_)) {
        return {};
      }
      accepted.push_back(in_force ? port_text(*in_force, is_named_by_other_)
                                  : fmt::format("{} {} (a name that the profile {} does not resolve{})",
                                                to_string(wanted.protocol), printable(wanted.name),
                                                engine_.profile().name, is_block ? " for an ipBlock" : ""));
    }
    if (accepted.empty()) {
      return {};
    }
    return {.holds = false,
            .failure = fmt::format("port {} {} is not among {}", to_string(protocol_), port_.number(),
                                   fmt::join(accepted, ", ")),
            .span = rule.ports.front().span.is_known() ? rule.ports.front().span : rule.span};
  }

  bool accepts(const PortRule& wanted, bool is_by_other = false) const {
    if (wanted.protocol != protocol_ && !wanted.has_any_protocol) {
      return false;
    }
    if (!wanted.name.empty()) {
      return named_port(wanted, is_by_other) == port_ && port_.is_valid();
    }
    return wanted.is_all() || (wanted.first <= port_ && port_ <= std::max(wanted.first, wanted.last));
  }

  /// The number the name has on the destination (`is_by_other`: on the other end); none where it has none.
  Port named_port(const PortRule& wanted, bool is_by_other) const {
    const cluster::PodId owner = is_by_other ? other_.pod : destination_.pod;
    if (!owner.is_valid() || (is_by_other ? !is_selectable() : is_destination_stranger_)) {
      return {};
    }
    for (const cluster::ContainerPort& port : cluster_.pod_template(owner).ports) {
      if (port.name == wanted.name && port.protocol == (wanted.has_any_protocol ? protocol_ : wanted.protocol)) {
        return port.number;
      }
    }
    return {};
  }

  std::string port_text(const PortRule& wanted, bool is_by_other = false) const {
    const std::string_view protocol = to_string(wanted.has_any_protocol ? protocol_ : wanted.protocol);
    if (!wanted.name.empty()) {
      const Port number = named_port(wanted, is_by_other);
      const std::string name = printable(wanted.name);
      return number.is_valid() ? fmt::format("{} {} ({})", protocol, name, number.number())
                               : fmt::format("{} {} (a name the {} does not declare)", protocol, name,
                                             is_by_other ? "source" : "destination");
    }
    if (wanted.is_all()) {
      return fmt::format("{} 1-65535", protocol);
    }
    return wanted.last > wanted.first ? fmt::format("{} {}-{}", protocol, wanted.first.number(), wanted.last.number())
                                      : fmt::format("{} {}", protocol, wanted.first.number());
  }

  const PolicyEngine& engine_;
  const cluster::Cluster& cluster_;
  Peer other_;
  Peer destination_;
  bool is_destination_stranger_;
  const cni::PolicySemantics& semantics_;
  bool is_named_by_other_;           // names in NetworkPolicies mean the other end's ports
  bool is_node_only_;                // the other end is a node, and ipBlocks match none
  const PodEntry* other_entry_;      // null: no pod
  const cluster::Service* service_;  // whose address the other end is, where selectors know it
  IpProtocol protocol_;
  Port port_;
  const DomainTable* names_;  // null: not known
};

}  // namespace podwire::policy
