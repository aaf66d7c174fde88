#include "models/analysis/exposure_tiers.hpp"

#include <algorithm>
#include <map>

#include "models/analysis/diff.hpp"
#include "models/policy/deviations.hpp"

namespace podwire::analysis {

namespace {

using cluster::LabelSelector;
using cluster::Requirement;
using cluster::SelectorOperator;
using policy::PortSet;
using policy::RuleAction;

constexpr std::size_t kMostSteps = 200'000;  // regions × rules, of one workload and direction

bool is_same(const Requirement& a, const Requirement& b) {
  return a.key == b.key && a.op == b.op && a.values == b.values;
}

bool has(const std::optional<LabelSelector>& selector, const Requirement& wanted) {
  return selector && std::any_of(selector->requirements.begin(), selector->requirements.end(),
                                 [&](const Requirement& one) { return is_same(one, wanted); });
}

/// Whether whatever `inner` matches is matched by `outer`, as far as their texts show.
bool holds(const std::optional<LabelSelector>& outer, const std::optional<LabelSelector>& inner) {
  return !outer || std::all_of(outer->requirements.begin(), outer->requirements.end(),
                               [&](const Requirement& wanted) { return has(inner, wanted); });
}

/// Whether what `outer` leaves out is left out of `inner` too, or not in it.
bool covers_block(const policy::IpBlock& outer, const policy::IpBlock& inner) {
  return outer.cidr.contains(inner.cidr) && std::all_of(outer.except.begin(), outer.except.end(), [&](const Cidr& out) {
           return !out.overlaps(inner.cidr) || std::any_of(inner.except.begin(), inner.except.end(),
                                                           [&](const Cidr& hole) { return hole.contains(out); });
         });
}

bool contradicts(const Requirement& a, const Requirement& b) {
  if (a.key != b.key) {
    return false;
  }
  if (a.op == SelectorOperator::does_not_exist) {
    return b.op == SelectorOperator::in || b.op == SelectorOperator::exists;
  }
  if (a.op != SelectorOperator::in) {
    return false;
  }
  const auto is_in_b = [&](const std::string& value) {
    return std::find(b.values.begin(), b.values.end(), value) != b.values.end();
  };
  return (b.op == SelectorOperator::in && std::none_of(a.values.begin(), a.values.end(), is_in_b)) ||
         (b.op == SelectorOperator::not_in && std::all_of(a.values.begin(), a.values.end(), is_in_b));
}

bool contradict(const std::optional<LabelSelector>& a, const std::optional<LabelSelector>& b) {
  return a && b && std::any_of(a->requirements.begin(), a->requirements.end(), [&](const Requirement& one) {
           return std::any_of(b->requirements.begin(), b->requirements.end(), [&](const Requirement& other) {
             return contradicts(one, other) || contradicts(other, one);
           });
         });
}

std::optional<LabelSelector> joined(const std::optional<LabelSelector>& a, const std::optional<LabelSelector>& b) {
  if (!a || !b) {
    return a ? a : b;
  }
  LabelSelector result = *a;
  for (const Requirement& requirement : b->requirements) {
    if (!has(a, requirement)) {
      result.requirements.push_back(requirement);
    }
  }
  return result;
}

void add_region(std::vector<PodRegion>& regions, const PodRegion& region) {
  const std::string text = region.to_string();
  if (std::none_of(regions.begin(), regions.end(), [&](const PodRegion& one) { return one.to_string() == text; })) {
    regions.push_back(region);
  }
}

}  // namespace

TierExposure::TierExposure(const policy::PolicyEngine& engine, policy::Direction direction, cluster::ShapeId subject)
    : engine_(engine), cluster_(engine.cluster()), direction_(direction), subject_(subject) {
  admin_ = rules_of(policy::Tier::admin);
  baseline_ = rules_of(policy::Tier::baseline);
}

std::vector<TierExposure::Rule> TierExposure::rules_of(policy::Tier tier) {
  std::vector<Rule> rules;
  const cluster::PodShape& pod = cluster_.shapes[subject_.index()];
  const cluster::LabelSetId home = cluster_.namespaces[pod.name_space.index()].labels;
  std::optional<std::uint16_t> priority;
  for (const policy::AdminPolicy& policy : engine_.policies().admin_policies) {
    if (policy.tier != tier || policy.rules(direction_).empty() ||
        !policy::is_in_force(policy.kind, engine_.profile().policy) ||
        !policy.subject_namespaces.matches(home, cluster_.label_sets, cluster_.strings) ||
        !policy.subject_pods.matches(pod.labels, cluster_.label_sets, cluster_.strings)) {
      continue;
    }
    // Nobody knows which of equals comes first, nor where a baseline stands beside the others of its tier.
    const bool has_no_place = priority && policy.priority == policy::kBaselinePriority;
    is_open_to_doubt_ = is_open_to_doubt_ || priority == policy.priority || has_no_place;
    priority = policy.priority;
    for (const policy::AdminRule& rule : policy.rules(direction_)) {
      rules.push_back({.action = rule.action, .ports = ports_of(rule), .peers = peers_of(rule)});
    }
  }
  return rules;
}

// A name is the destination's: on egress that of a pod nobody knows.
PortSet TierExposure::ports_of(const policy::AdminRule& rule) {
  if (rule.ports.empty()) {
    return PortSet::all();
  }
  std::vector<PortSet::Range> ranges;
  for (const policy::PortRule& port : rule.ports) {
    if (port.is_all()) {
      ranges.push_back({.protocol = port.protocol});
    } else if (port.name.empty()) {
      const std::uint16_t first = port.first.number();
      ranges.push_back({port.protocol, first, port.last.is_valid() ? std::max(first, port.last.number()) : first});
    } else if (direction_ == policy::Direction::egress) {
      is_open_to_doubt_ = true;
    } else {
      for (const IpProtocol protocol : {IpProtocol::tcp, IpProtocol::udp, IpProtocol::sctp}) {
        const Port number = cluster_.named_port(subject_, protocol, port.name);
        if (number.is_valid() && (port.has_any_protocol || protocol == port.protocol)) {
          ranges.push_back({protocol, number.number(), number.number()});
        }
      }
    }
  }
  return PortSet::of(std::move(ranges));
}

// Nodes are no pods, and what names stand for is outside.
std::vector<PodRegion> TierExposure::peers_of(const policy::AdminRule& rule) const {
  using Kind = policy::AdminPeer::Kind;
  std::vector<PodRegion> regions;
  for (const policy::AdminPeer& peer : rule.peers) {
    PodRegion region;
    switch (peer.kind) {
      case Kind::pods:
        region.pod_selector = peer.pod_selector;
        [[fallthrough]];
      case Kind::namespaces:
        region.namespace_selector = peer.namespace_selector;
        regions.push_back(region);
        break;
      case Kind::networks:
        for (std::size_t i = 0; i < peer.networks.size() && engine_.profile().policy.ip_block_matches_pods; ++i) {
          region.block = policy::IpBlock{.cidr = peer.networks[i], .except = {}, .span = {}};
          regions.push_back(region);
        }
        break;
      case Kind::unknown:
        if (rule.action != RuleAction::allow) {
          regions.push_back(region);
        }
        break;
      case Kind::nodes:
      case Kind::domain_names:
        break;
    }
  }
  return regions;
}

bool TierExposure::covers(const PodRegion& outer, const PodRegion& inner) const {
  if (!outer.except.empty() || (!outer.name_space.empty() && outer.name_space != inner.name_space)) {
    return false;
  }
  if (outer.block && (!inner.block || !covers_block(*outer.block, *inner.block))) {
    return false;
  }
  const cluster::NamespaceId home =
      inner.name_space.empty() ? cluster::NamespaceId() : cluster_.find_namespace(inner.name_space);
  const bool has_namespace = outer.namespace_selector && home.is_valid()
                                 ? outer.namespace_selector->matches(cluster_.namespaces[home.index()].labels,
                                                                     cluster_.label_sets, cluster_.strings)
                                 : holds(outer.namespace_selector, inner.namespace_selector);
  return has_namespace && holds(outer.pod_selector, inner.pod_selector);
}

bool TierExposure::are_disjoint(const PodRegion& a, const PodRegion& b) const {
  if (!a.name_space.empty() && !b.name_space.empty() && a.name_space != b.name_space) {
    return true;
  }
  if (a.block && b.block && !a.block->cidr.overlaps(b.block->cidr)) {
    return true;
  }
  const auto is_barred = [&](const PodRegion& one, const PodRegion& other) {
    const cluster::NamespaceId home =
        one.name_space.empty() ? cluster::NamespaceId() : cluster_.find_namespace(one.name_space);
    return home.is_valid() && other.namespace_selector &&
           !other.namespace_selector->matches(cluster_.namespaces[home.index()].labels, cluster_.label_sets,
                                              cluster_.strings);
  };
  return is_barred(a, b) || is_barred(b, a) || contradict(a.namespace_selector, b.namespace_selector) ||
         contradict(a.pod_selector, b.pod_selector);
}

/// Precondition: they are not disjoint.
PodRegion TierExposure::both(const PodRegion& a, const PodRegion& b) const {
  PodRegion result = a;
  result.name_space = a.name_space.empty() ? b.name_space : a.name_space;
  const bool is_known = !result.name_space.empty() && cluster_.find_namespace(result.name_space).is_valid();
  result.namespace_selector = is_known ? std::nullopt : joined(a.namespace_selector, b.namespace_selector);
  result.pod_selector = joined(a.pod_selector, b.pod_selector);
  if (b.block) {
    const bool is_b_smaller = !a.block || a.block->cidr.contains(b.block->cidr);
    result.block = is_b_smaller ? b.block : a.block;
    if (a.block) {
      const std::vector<Cidr>& more = (is_b_smaller ? a : b).block->except;
      result.block->except.insert(result.block->except.end(), more.begin(), more.end());
    }
  }
  return result;
}

TierExposure::Through TierExposure::through(const PodRegion& region, const std::vector<Rule>& rules,
                                            std::vector<Piece> pieces) const {
  Through result;
  for (const Rule& rule : rules) {
    const bool is_decided =
        std::any_of(rule.peers.begin(), rule.peers.end(), [&](const PodRegion& peer) { return covers(peer, region); });
    std::vector<Piece> next;
    for (Piece& piece : pieces) {
      PortSet ports = piece.ports.intersected_with(rule.ports);
      if (ports.empty()) {
        next.push_back(std::move(piece));
        continue;
      }
      if (PortSet rest = ports_without(piece.ports, rule.ports); !rest.empty()) {
        next.push_back({std::move(rest), piece.except});
      }
      Piece touched{std::move(ports), std::move(piece.except)};
      if (!is_decided) {
        for (const PodRegion& peer : rule.peers) {
          // What an Allow takes out is granted anyway: what later rules grant to the rest is true of it too.
          if (rule.action != RuleAction::allow && !are_disjoint(peer, region)) {
            add_region(touched.except, peer);
          }
        }
        next.push_back(std::move(touched));
      } else if (rule.action != RuleAction::deny) {
        (rule.action == RuleAction::allow ? result.allowed : result.passed).push_back(std::move(touched));
      }
    }
    pieces = std::move(next);
  }
  result.left = std::move(pieces);
  return result;
}

std::vector<PodRegion> TierExposure::candidates(const std::vector<RegionGrant>& network_policies,
                                                bool is_isolated) const {
  std::vector<PodRegion> regions = {PodRegion()};
  const auto add_allowed = [&](const std::vector<Rule>& rules) {
    for (const Rule& rule : rules) {
      for (const PodRegion& peer : rule.peers) {
        if (rule.action == RuleAction::allow) {
          add_region(regions, peer);
        }
      }
    }
  };
  if (is_isolated) {
    for (const RegionGrant& grant : network_policies) {
      add_region(regions, grant.region);
    }
  } else {
    add_allowed(baseline_);
    for (const Rule& rule : baseline_) {
      for (const PodRegion& peer : rule.peers) {
        if (rule.action == RuleAction::pass) {
          add_region(regions, peer);
        }
      }
    }
  }
  const std::size_t later = regions.size();  // what comes after the admin tier
  add_allowed(admin_);
  for (const Rule& rule : admin_) {
    for (const PodRegion& peer : rule.peers) {
      for (std::size_t i = 0; i < later && rule.action == RuleAction::pass; ++i) {
        if (const PodRegion region = regions[i]; !are_disjoint(region, peer)) {
          add_region(regions, both(region, peer));
        }
      }
    }
  }
  return regions;
}

std::optional<std::vector<RegionGrant>> TierExposure::grants(const std::vector<RegionGrant>& network_policies,
                                                             bool is_isolated, const PortSet& ports) const {
  if (is_open_to_doubt_) {
    return std::nullopt;
  }
  const std::vector<PodRegion> regions = candidates(network_policies, is_isolated);
  if (regions.size() * (admin_.size() + baseline_.size() + network_policies.size()) > kMostSteps) {
    return std::nullopt;
  }
  std::vector<RegionGrant> result;
  const auto add = [&](PodRegion region, const std::vector<PodRegion>& except, PortSet granted,
                       std::set<std::pair<IpProtocol, std::string>> names) {
    region.except = except;
    if (!granted.empty() || !names.empty()) {
      result.push_back({std::move(region), std::move(granted), std::move(names)});
    }
  };
  for (const PodRegion& region : regions) {
    Through admin = through(region, admin_, {{ports, {}}});
    for (const Piece& piece : admin.allowed) {
      add(region, piece.except, piece.ports, {});
    }
    admin.left.insert(admin.left.end(), admin.passed.begin(), admin.passed.end());
    for (const Piece& piece : admin.left) {
      if (is_isolated) {
        for (const RegionGrant& grant : network_policies) {
          if (!covers(grant.region, region)) {
            continue;
          }
          if (!grant.names.empty() && piece.ports != ports) {
            return std::nullopt;  // the name's number may be one that a tier decides
          }
          add(region, piece.except, piece.ports.intersected_with(grant.ports), grant.names);
        }
        continue;
      }
      Through baseline = through(region, baseline_, {piece});
      for (const std::vector<Piece>* open : {&baseline.allowed, &baseline.passed, &baseline.left}) {
        for (const Piece& rest : *open) {
          add(region, rest.except, rest.ports, {});
        }
      }
    }
  }
  return result;
}

}  // namespace podwire::analysis
