#include "models/analysis/exposure.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "models/analysis/exposure_tiers.hpp"
#include "models/policy/compiled.hpp"
#include "models/policy/deviations.hpp"

namespace podwire::analysis {

namespace {

using policy::Direction;
using policy::GroupId;
using policy::PortSet;

constexpr std::string_view kNameLabel = "kubernetes.io/metadata.name";

bool restricts(const std::optional<cluster::LabelSelector>& selector) {
  return selector && !selector->matches_everything();
}

// "shop" for the selector `kubernetes.io/metadata.name in (shop)`.
std::string named_namespaces(const cluster::LabelSelector& selector) {
  if (selector.requirements.size() != 1 || selector.requirements[0].key != kNameLabel ||
      selector.requirements[0].op != cluster::SelectorOperator::in) {
    return {};
  }
  const auto& values = selector.requirements[0].values;
  return fmt::format("namespace{} {}", values.size() == 1 ? "" : "s", fmt::join(values, " and "));
}

/// What one region may have.
struct Grants {
  PodRegion region;
  PortSet ports;
  std::set<std::pair<IpProtocol, std::string>> names;
  std::set<std::size_t> variants;  // which of the workload's pods grant anything to it
  bool is_unknown = false;
};

class Finder {
 public:
  Finder(policy::PolicyEngine& engine, cluster::WorkloadId workload, Direction direction)
      : engine_(engine), cluster_(engine.cluster()), workload_(workload), direction_(direction) {}

  std::vector<ExposureLine> run() {
    std::vector<std::pair<GroupId, cluster::ShapeId>> seen;
    const cluster::Workload& workload = cluster_.workloads[workload_.index()];
    const bool is_touched = std::any_of(
        cluster_.unmodelled.begin(), cluster_.unmodelled.end(),
        [&](const auto& object) { return !object.name_space.is_valid() || object.name_space == workload.name_space; });
    for (const cluster::PodId pod : workload.pods) {
      if (is_left_out(engine_, pod)) {
        continue;
      }
      const policy::PodEntry& entry = engine_.view().pods[pod.index()];
      const std::pair key(engine_.profile().policy.is_enforced ? entry.group(direction_) : GroupId(),
                          cluster_.pods[pod.index()].shape);
      if (std::find(seen.begin(), seen.end(), key) == seen.end()) {
        variant_ = seen.size();
        seen.push_back(key);
        add_variant(key.first, key.second, is_touched);
      }
    }
    return lines(seen.size());
  }

 private:
  void add_variant(GroupId group, cluster::ShapeId shape, bool is_touched) {
    if (!group.is_valid()) {
      add({}, PortSet::all(), {}, is_touched);
      return;
    }
    const policy::Group& content = engine_.compiled().groups[group.index()];
    std::vector<RegionGrant> granted;
    for (const policy::PolicyIndex index : engine_.policies_of(group)) {
      const policy::NetworkPolicy& policy = engine_.policy(index);
      for (const policy::Rule& rule : policy.rules(direction_)) {
        add_rule(policy, rule, shape, granted);
      }
    }
    PortSet judged = PortSet::all();
    if (!semantics().sctp_is_enforced) {
      add({}, PortSet::whole(IpProtocol::sctp), {}, is_touched);
      judged = PortSet::whole(IpProtocol::sctp).complement();
    }
    if (content.tiers.is_valid()) {
      auto through = TierExposure(engine_, direction_, shape).grants(granted, content.is_isolated(), judged);
      if (!through) {
        add({}, PortSet::all(), {}, true);
        return;
      }
      granted = std::move(*through);
    } else if (!content.is_isolated()) {
      granted = {{.region = {}, .ports = judged}};
    }
    for (RegionGrant& grant : granted) {
      add(std::move(grant.region), grant.ports, grant.names, is_touched);
    }
  }

  void add_rule(const policy::NetworkPolicy& policy, const policy::Rule& rule, cluster::ShapeId shape,
                std::vector<RegionGrant>& granted) {
    const auto grant = [&](PodRegion region, bool is_block) {
      std::set<std::pair<IpProtocol, std::string>> names;
      PortSet ports = ports_of(rule, is_block, shape, names);
      granted.push_back({std::move(region), std::move(ports), std::move(names)});
    };
    if (rule.peers.empty()) {
      grant({}, false);
    }
    for (const policy::PeerRule& peer : rule.peers) {
      PodRegion region;
      if (peer.ip_block) {
        if (!semantics().ip_block_matches_pods) {
          continue;
        }
        region.block = policy::block_in_force(*peer.ip_block, semantics());
      } else {
        region.namespace_selector = peer.namespace_selector;
        region.pod_selector = peer.pod_selector;
        if (!peer.namespace_selector) {
          region.name_space = policy.name_space;
        }
      }
      grant(std::move(region), peer.ip_block.has_value());
    }
  }

  const cni::PolicySemantics& semantics() const { return engine_.profile().policy; }

  // The ports that are in force for a peer. Names of ports mean the destination's (unless the profile says otherwise):
  // on ingress this workload's, on egress those of whoever is reached.
  PortSet ports_of(const policy::Rule& rule, bool is_block, cluster::ShapeId shape,
                   std::set<std::pair<IpProtocol, std::string>>& names) const {
    const auto in_force = policy::ports_in_force(rule, is_block, semantics());
    if (!in_force) {
      return {};
    }
    if (in_force->empty()) {
      return PortSet::all();
    }
    const bool are_names_the_others =
        direction_ == Direction::egress || semantics().named_ports_resolve_on == cni::NamedPortsOn::source_pods;
    std::vector<PortSet::Range> ranges;
    for (const policy::PortRule& port : *in_force) {
      if (port.is_all()) {
        ranges.push_back({.protocol = port.protocol});
      } else if (port.name.empty()) {
        const std::uint16_t first = port.first.number();
        ranges.push_back({port.protocol, first, port.last.is_valid() ? std::max(first, port.last.number()) : first});
      } else if (are_names_the_others) {
        names.emplace(port.protocol, port.name);
      } else if (const Port number = cluster_.named_port(shape, port.protocol, port.name); number.is_valid()) {
        ranges.push_back({port.protocol, number.number(), number.number()});
      }
    }
    return PortSet::of(std::move(ranges));
  }

  void add(PodRegion region, const PortSet& ports, const std::set<std::pair<IpProtocol, std::string>>& names,
           bool is_unknown) {
    if (ports.empty() && names.empty()) {
      return;
    }
    Grants& grants = by_text_[region.to_string()];
    grants.region = std::move(region);
    grants.ports = grants.ports.united_with(ports);
    grants.names.insert(names.begin(), names.end());
    grants.variants.insert(variant_);
    grants.is_unknown = grants.is_unknown || is_unknown;
  }

  std::uint64_t pods_in(const PodRegion& region) const {
    std::uint64_t count = 0;
    for (std::size_t p = 0; p < cluster_.pods.size(); ++p) {
      const cluster::PodShape& shape = cluster_.shape(cluster::PodId(p));
      const IpAddress second = cluster_.second_address_of(cluster::PodId(p));
      const auto is_in = [&](IpAddress ip) { return region.contains(cluster_, shape.name_space, shape.labels, ip); };
      count += !shape.is_host_network && (is_in(cluster_.pods[p].ip) || (!second.is_unspecified() && is_in(second)));
    }
    return count;
  }

  std::vector<ExposureLine> lines(std::size_t variants) const {
    std::vector<ExposureLine> result;
    const std::string everyone = PodRegion().to_string();
    const auto open = by_text_.find(everyone);
    const auto add_line = [&](const Grants& grants) {
      result.push_back({.workload = workload_,
                        .direction = direction_,
                        .region = grants.region,
                        .ports = grants.ports,
                        .names = {grants.names.begin(), grants.names.end()},
                        .is_unknown = grants.is_unknown,
                        .varies = grants.variants.size() < variants,
                        .pods_now = pods_in(grants.region)});
    };
    if (open != by_text_.end()) {
      add_line(open->second);
    }
    for (const auto& [text, grants] : by_text_) {
      const bool is_covered =
          open != by_text_.end() && open->second.variants.size() == variants && variants == 1 &&
          grants.ports.united_with(open->second.ports) == open->second.ports &&
          std::includes(open->second.names.begin(), open->second.names.end(), grants.names.begin(), grants.names.end());
      if (text != everyone && !is_covered) {
        add_line(grants);
      }
    }
    return result;
  }

  policy::PolicyEngine& engine_;
  const cluster::Cluster& cluster_;
  cluster::WorkloadId workload_;
  Direction direction_;
  std::size_t variant_ = 0;
  std::map<std::string, Grants> by_text_;
};

}  // namespace

std::string PodRegion::to_string() const {
  const bool any_pod = !restricts(pod_selector);
  const bool any_namespace = name_space.empty() && !restricts(namespace_selector);
  std::string text;
  if (any_pod && any_namespace) {
    text = block ? "any pod" : "entire cluster";
  } else {
    std::string where = "any namespace";
    if (!name_space.empty()) {
      where = "namespace " + name_space;
    } else if (!any_namespace) {
      where = named_namespaces(*namespace_selector);
      where = where.empty() ? "any namespace with " + namespace_selector->to_string() : where;
    }
    text = fmt::format("{} in {}", any_pod ? "any pod" : "pods with " + pod_selector->to_string(), where);
  }
  if (block) {
    std::vector<std::string> out;
    for (const Cidr& cidr : block->except) {
      out.push_back(cidr.to_string());
    }
    text += fmt::format(" with an address in {}{}{}", block->cidr.to_string(), out.empty() ? "" : " except ",
                        fmt::join(out, ", "));
  }
  for (std::size_t i = 0; i < except.size(); ++i) {
    text += fmt::format("{} {}", i == 0 ? " but not" : " nor", except[i].to_string());
  }
  return text;
}

bool PodRegion::is_everything(const Cidr& pods) const {
  const bool holds_all_addresses =
      !block ||
      (block->cidr.family() == pods.family() && block->cidr.contains(pods.first()) &&
       block->cidr.contains(pods.last()) &&
       std::none_of(block->except.begin(), block->except.end(), [&](const Cidr& cidr) {
         return cidr.family() == pods.family() && (cidr.contains(pods.first()) || pods.contains(cidr.first()));
       }));
  return holds_all_addresses && except.empty() && name_space.empty() && !restricts(namespace_selector) &&
         !restricts(pod_selector);
}

bool PodRegion::contains(const cluster::Cluster& cluster, cluster::NamespaceId where, cluster::LabelSetId labels,
                         IpAddress ip) const {
  if (block && (ip.is_unspecified() || ip.family() != block->cidr.family() || !block->cidr.contains(ip) ||
                std::any_of(block->except.begin(), block->except.end(),
                            [&](const Cidr& cidr) { return cidr.family() == ip.family() && cidr.contains(ip); }))) {
    return false;
  }
  const cluster::Namespace& home = cluster.namespaces[where.index()];
  return (name_space.empty() || home.name == name_space) &&
         (!namespace_selector || namespace_selector->matches(home.labels, cluster.label_sets, cluster.strings)) &&
         (!pod_selector || pod_selector->matches(labels, cluster.label_sets, cluster.strings)) &&
         std::none_of(except.begin(), except.end(),
                      [&](const PodRegion& part) { return part.contains(cluster, where, labels, ip); });
}

std::string ExposureLine::ports_text() const {
  std::string text = ports.empty() && !names.empty() ? "" : ports.to_string();
  if (ports.is_all()) {
    return text;
  }
  for (const auto& [protocol, name] : names) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ",", podwire::to_string(protocol), name);
  }
  return text;
}

std::vector<ExposureLine> exposure_of(policy::PolicyEngine& engine, cluster::WorkloadId workload,
                                      policy::Direction direction) {
  return Finder(engine, workload, direction).run();
}

void find_exposure(policy::PolicyEngine& engine, const ReachFocus* focus,
                   const std::function<void(const ExposureLine&)>& visit) {
  const cluster::Cluster& cluster = engine.cluster();
  for (std::size_t w = 0; w < cluster.workloads.size(); ++w) {
    const cluster::WorkloadId id(w);
    const auto is_wanted = [&](Direction direction) {
      if (focus == nullptr) {
        return true;
      }
      const bool is_in_focus =
          std::find(focus->workloads.begin(), focus->workloads.end(), id) != focus->workloads.end() ||
          std::any_of(focus->pods.begin(), focus->pods.end(),
                      [&](cluster::PodId pod) { return cluster.pods[pod.index()].workload == id; });
      return is_in_focus && (direction == Direction::ingress ? focus->wants_in : focus->wants_out);
    };
    for (const Direction direction : {Direction::ingress, Direction::egress}) {
      if (is_wanted(direction)) {
        for (const ExposureLine& line : exposure_of(engine, id, direction)) {
          visit(line);
        }
      }
    }
  }
}

}  // namespace podwire::analysis
