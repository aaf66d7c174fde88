#include "models/policy/deviations.hpp"

#include <algorithm>

namespace podwire::policy {

namespace {

bool has_negation(const cluster::LabelSelector& selector) {
  return std::any_of(selector.requirements.begin(), selector.requirements.end(), [](const cluster::Requirement& r) {
    return r.op == cluster::SelectorOperator::not_in || r.op == cluster::SelectorOperator::does_not_exist;
  });
}

}  // namespace

bool is_rejected(const NetworkPolicy& policy, const cni::PolicySemantics& semantics) {
  if (!semantics.rejects_policies_with_sctp && !semantics.rejects_policies_with_any_port &&
      !semantics.rejects_policies_with_named_ports && !semantics.rejects_policies_with_except &&
      !semantics.rejects_policies_with_negation && !semantics.rejects_policies_with_selectors) {
    return false;
  }
  if (semantics.rejects_policies_with_negation && has_negation(policy.pod_selector)) {
    return true;
  }
  const auto is_refused = [&](const PortRule& port) {
    return (semantics.rejects_policies_with_sctp && port.protocol == IpProtocol::sctp) ||
           (semantics.rejects_policies_with_any_port && port.is_all()) ||
           (semantics.rejects_policies_with_named_ports && !port.name.empty());
  };
  const auto is_refused_peer = [&](const PeerRule& peer) {
    return (semantics.rejects_policies_with_except && peer.ip_block && !peer.ip_block->except.empty()) ||
           (semantics.rejects_policies_with_selectors && !peer.ip_block) ||
           (semantics.rejects_policies_with_negation &&
            ((peer.pod_selector && has_negation(*peer.pod_selector)) ||
             (peer.namespace_selector && has_negation(*peer.namespace_selector))));
  };
  // The plugin parses the whole object: rules of a direction that the policy does not isolate count too.
  return std::any_of(std::begin(kDirections), std::end(kDirections), [&](Direction direction) {
    return std::any_of(policy.rules(direction).begin(), policy.rules(direction).end(), [&](const Rule& rule) {
      return std::any_of(rule.ports.begin(), rule.ports.end(), is_refused) ||
             std::any_of(rule.peers.begin(), rule.peers.end(), is_refused_peer);
    });
  });
}

bool is_in_force(AdminKind kind, const cni::PolicySemantics& semantics) {
  switch (semantics.admin_tiers) {
    case cni::AdminTiers::enforced:
      return true;
    case cni::AdminTiers::v1alpha1:
      return kind != AdminKind::cluster_network_policy;
    case cni::AdminTiers::v1alpha2:
      return kind == AdminKind::cluster_network_policy;
    case cni::AdminTiers::admin_alone:
      return kind == AdminKind::admin_network_policy;
    case cni::AdminTiers::ignored:
      break;
  }
  return false;
}

IpBlock block_in_force(const IpBlock& block, const cni::PolicySemantics& semantics) {
  IpBlock result = block;
  if (!semantics.except_is_honoured) {
    result.except.clear();
  }
  return result;
}

std::optional<PortRule> port_in_force(const PortRule& port, bool is_block, const cni::PolicySemantics& semantics) {
  const bool is_named = !port.name.empty();
  if (is_named && port.protocol == IpProtocol::sctp && !semantics.named_sctp_ports_resolve) {
    return std::nullopt;
  }
  if (is_named && is_block && semantics.ip_block_with_named_port == cni::NamedPortInBlock::dropped) {
    return std::nullopt;
  }
  PortRule result = port;
  if (!semantics.end_port_is_honoured) {
    result.last = Port();
  }
  return result;
}

std::optional<std::vector<PortRule>> ports_in_force(const Rule& rule, bool is_block,
                                                    const cni::PolicySemantics& semantics) {
  std::vector<PortRule> ports;
  for (const PortRule& port : rule.ports) {
    if (const auto entry = port_in_force(port, is_block, semantics)) {
      ports.push_back(*entry);
    }
  }
  if (ports.empty() && !rule.ports.empty()) {
    return std::nullopt;  // not an empty list, which would mean every port
  }
  return ports;
}

}  // namespace podwire::policy
