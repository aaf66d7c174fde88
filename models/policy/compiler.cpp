// What first() and next() share: segments out of parts, groups out of segments, entries of pods. Classes: classes.cpp.
#include "models/policy/compiler.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "sim/base/check.hpp"

namespace podwire::policy {

namespace {

constexpr std::uint32_t kNone = Compiled::kNone;

}  // namespace

Compiler::Compiler(Compiled& out, const cni::PolicySemantics& semantics)
    : out_(out), semantics_(semantics), rules_(out, semantics_) {
  out_.names_on_peers = semantics_.named_ports_resolve_on == cni::NamedPortsOn::source_pods;
  out_.no_address = PeerId(out_.peers.intern(std::array{kNone, kNone}).id);
}

std::uint32_t Compiler::slot_for(const Part& part, PolicyNumber number, Direction direction) {
  const auto way = static_cast<std::uint32_t>(direction);
  const bool is_shared = part.tier == Tier::network_policy;
  const auto [id, is_new] = is_shared ? slot_keys_.intern(std::array{way, part.where, part.subject.value()})
                                      : slot_keys_.intern(std::array{2 + way, number.value()});
  if (is_new) {
    Slot& slot = slots_.emplace_back();
    slot.direction = direction;
    slot.name_space = is_shared ? part.where : kNone;
    if (is_indexed_) {
      (is_shared ? slots_by_namespace_[part.where] : admin_slots_).push_back(id);
    }
  }
  return id;
}

SegmentId Compiler::build_segment(const Slot& slot) {
  const auto d = static_cast<std::size_t>(slot.direction);
  const Part& like = parts_[slot.policies.front().index()];
  Segment segment;
  segment.direction = slot.direction;
  segment.tier = like.tier;
  segment.subject = like.subject;
  if (like.tier == Tier::network_policy) {
    segment.name_space = cluster::NamespaceId(like.where);
  } else {
    segment.priority = like.priority;
    segment.namespaces = like.where;
  }
  segment.policies = slot.policies;
  for (const PolicyNumber number : slot.policies) {
    const Part& part = parts_[number.index()];
    segment.uses_named_ports = segment.uses_named_ports || part.uses_named_ports[d];
    segment.grants.insert(segment.grants.end(), part.grants[d].begin(), part.grants[d].end());
  }
  deduplicate(segment);
  for (const SegmentId known : slot.earlier) {
    if (out_.segments[known.index()] == segment) {
      return known;
    }
  }
  out_.segments.push_back(std::move(segment));
  return SegmentId(out_.segments.size() - 1);
}

/// Rules that say the same stand once, under the least (policy, rule).
void Compiler::deduplicate(Segment& segment) const {
  if (segment.tier != Tier::network_policy || segment.grants.size() < 2) {
    return;  // of admin policies the order counts
  }
  const auto comes_first = [this](const Grant& a, const Grant& b) {
    return a.policy == b.policy ? a.rule < b.rule : is_before(a.policy, b.policy);
  };
  std::stable_sort(segment.grants.begin(), segment.grants.end(), [&](const Grant& a, const Grant& b) {
    return std::tie(a.peer, a.ports) != std::tie(b.peer, b.ports)
               ? std::tie(a.peer, a.ports) < std::tie(b.peer, b.ports)
               : comes_first(a, b);
  });
  const auto end = std::unique(segment.grants.begin(), segment.grants.end(),
                               [](const Grant& a, const Grant& b) { return a.peer == b.peer && a.ports == b.ports; });
  segment.grants.erase(end, segment.grants.end());
  std::sort(segment.grants.begin(), segment.grants.end(), [&](const Grant& a, const Grant& b) {
    return a.policy == b.policy ? std::tie(a.rule, a.peer, a.ports) < std::tie(b.rule, b.peer, b.ports)
                                : is_before(a.policy, b.policy);
  });
  segment.grants.shrink_to_fit();
}

/// New atoms get the next numbers; an atom that begins where one began before keeps that one's.
Addresses Compiler::make_addresses(const Atoms& atoms) {
  Addresses addresses;
  addresses.atoms = atoms;
  addresses.numbers.resize(atoms.size(), kNone);
  for (std::uint32_t number = 0; number < out_.atom_starts.size(); ++number) {
    addresses.numbers[atoms.atom_of(out_.atom_starts[number]).index()] = number;
  }
  for (std::uint32_t atom = 0; atom < atoms.size(); ++atom) {
    std::uint32_t& number = addresses.numbers[atom];
    if (number == kNone) {
      number = static_cast<std::uint32_t>(out_.atom_starts.size());
      out_.atom_starts.push_back(atoms.start(atom));
    }
    addresses.strangers.emplace_back(out_.peers.intern(std::array{kNone, number}).id);
  }
  if (!semantics_.ip_block_matches_nodes) {
    make_node_peers(addresses);
  }
  return addresses;
}

void Compiler::make_node_peers(Addresses& addresses) {
  const auto add = [&](IpAddress ip) {
    const std::array words = {Compiled::kNodeOnly, addresses.number_at(ip)};
    addresses.node_peers.emplace_back(ip, PeerId(out_.peers.intern(words).id));
  };
  for (const cluster::Node& node : cluster_->nodes) {
    std::for_each(node.addresses.begin(), node.addresses.end(), add);
  }
  for (const cluster::Pod& pod : cluster_->pods) {
    if (is_stranger(cluster_->shapes[pod.shape.index()]) && !pod.ip.is_unspecified()) {
      add(pod.ip);  // its node's address, wherever that comes from
    }
  }
  for (const auto& [id, ip] : cluster_->second_addresses) {
    if (is_stranger(cluster_->shapes[cluster_->pods[id.index()].shape.index()])) {
      add(ip);
    }
  }
  std::sort(addresses.node_peers.begin(), addresses.node_peers.end());
  addresses.node_peers.erase(std::unique(addresses.node_peers.begin(), addresses.node_peers.end()),
                             addresses.node_peers.end());
}

/// `segments` in the order of evaluation.
GroupId Compiler::group_of(Direction direction, std::span<const std::uint32_t> segments, std::uint32_t named) {
  if (segments.empty()) {
    return {};
  }
  const auto uses_own_names = [&](std::uint32_t s) {
    const Segment& segment = out_.segments[s];
    return segment.uses_named_ports && (segment.tier != Tier::network_policy || !out_.names_on_peers);
  };
  const bool uses_names =
      direction == Direction::ingress && std::any_of(segments.begin(), segments.end(), uses_own_names);
  Words words = {static_cast<std::uint32_t>(direction), uses_names ? named : kNone};
  words.insert(words.end(), segments.begin(), segments.end());
  const auto [id, is_new] = out_.group_contents.intern(words);
  if (is_new) {
    Group& group = out_.groups.emplace_back();
    group.direction = direction;
    group.named_ports = NamedPortsId(words[1]);
    group.content = id;
    for (const std::uint32_t s : segments) {
      const Segment& segment = out_.segments[s];
      if (segment.tier == Tier::admin) {
        ++group.admin_count;
      } else if (segment.tier == Tier::network_policy) {
        ++group.network_policy_count;
        const PolicyNumber least = segment.policies.front();
        group.first_policy =
            group.first_policy.is_valid() && is_before(group.first_policy, least) ? group.first_policy : least;
      }
    }
    group.tiers = tier_list_of(group, segments);
  }
  return GroupId(id);
}

TierListId Compiler::tier_list_of(const Group& group, std::span<const std::uint32_t> segments) {
  Words words = {static_cast<std::uint32_t>(group.direction), kNone, group.admin_count};
  for (const std::uint32_t s : segments) {
    if (out_.segments[s].tier != Tier::network_policy) {
      words.push_back(s);
      words[1] = out_.segments[s].uses_named_ports ? group.named_ports.value() : words[1];
    }
  }
  if (words.size() == 3) {
    return {};
  }
  const auto [id, is_new] = out_.tier_contents.intern(words);
  if (is_new) {
    out_.tier_lists.push_back({.direction = group.direction, .named_ports = NamedPortsId(words[1]), .content = id});
  }
  return TierListId(id);
}

PodEntry Compiler::entry_of(cluster::PodId id, const Addresses& addresses) {
  const cluster::Pod& pod = cluster_->pods[id.index()];
  const bool are_two_told = !cluster_->second_addresses.empty();
  const IpAddress second = are_two_told ? cluster_->second_address_of(id) : IpAddress();
  PodEntry entry;
  if (are_two_told && !pod.ip.is_unspecified()) {
    entry.is_of_one_family = second.is_unspecified();
    entry.family = pod.ip.family();
  }
  entry.is_node_traffic = is_stranger(cluster_->shapes[pod.shape.index()]);
  entry.is_stranger = entry.is_node_traffic || (is_finished(pod) && semantics_.finished_pods_are_ignored);
  if (entry.is_stranger) {
    const auto stranger_at = [&](IpAddress ip) {
      return entry.is_node_traffic ? addresses.stranger_at(ip) : addresses.peer_at(ip);
    };
    entry.peer = pod.ip.is_unspecified() ? out_.no_address : stranger_at(pod.ip);
    entry.second = second.is_unspecified() ? PeerId() : stranger_at(second);
    return entry;
  }
  const ClassId its_class = class_by_shape_[pod.shape.index()];
  const auto peer_at = [&](IpAddress ip) {
    const bool has_atom = semantics_.ip_block_matches_pods && !ip.is_unspecified();
    return PeerId(out_.peers.intern(std::array{its_class.value(), has_atom ? addresses.number_at(ip) : kNone}).id);
  };
  entry.peer = peer_at(pod.ip);
  entry.second = second.is_unspecified() ? PeerId() : peer_at(second);
  entry.ingress = groups_by_class_[its_class.index()][static_cast<std::size_t>(Direction::ingress)];
  entry.egress = groups_by_class_[its_class.index()][static_cast<std::size_t>(Direction::egress)];
  return entry;
}

PeerId Compiler::service_peer(const cluster::Cluster& cluster, const cluster::Service& service,
                              const Addresses& addresses) {
  constexpr std::uint32_t kNobodys = 0xffff'fffe;  // a value that no object of the cluster has
  std::vector<std::pair<std::uint32_t, std::uint32_t>> labels;
  for (std::size_t i = 0; service.selector && i < service.selector->requirements.size(); ++i) {
    const cluster::Requirement& label = service.selector->requirements[i];
    const cluster::StringId key = cluster.strings.find(label.key);
    const cluster::StringId value =
        label.values.empty() ? cluster::StringId() : cluster.strings.find(label.values.front());
    if (key.is_valid()) {
      labels.emplace_back(key.value(), value.is_valid() ? value.value() : kNobodys);
    }
  }
  std::sort(labels.begin(), labels.end());
  row_.clear();
  for (const auto& [key, value] : labels) {
    row_.insert(row_.end(), {key, value});
  }
  const std::uint32_t row = out_.intern_labels(row_);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> opened;
  for (const auto& [wanted, name] : rules_.service_ports()) {
    for (const IpProtocol protocol : kProtocols) {
      if (const Port port = service_port_for(cluster, service, protocol, wanted); port.is_valid()) {
        opened.emplace_back(name, named_target(protocol, port));
      }
    }
  }
  std::sort(opened.begin(), opened.end());
  row_.clear();
  for (const auto& [name, target] : opened) {
    row_.insert(row_.end(), {name, target});
  }
  const std::array face = {service.name_space.value(), row, out_.named_ports.intern(row_).id};
  const std::array peer = {kNone, addresses.number_at(service.cluster_ip), out_.services.intern(face).id};
  return PeerId(out_.peers.intern(peer).id);
}

std::size_t Compiler::memory_bytes() const {
  std::size_t bytes = parts_.capacity() * sizeof(Part) + slots_.capacity() * sizeof(Slot) + slot_keys_.memory_bytes();
  for (const Part& part : parts_) {
    bytes += (part.grants[0].capacity() + part.grants[1].capacity()) * sizeof(Grant) +
             part.namespace_selectors.capacity() * sizeof(SelectorId);
  }
  for (const Slot& slot : slots_) {
    bytes += slot.policies.capacity() * sizeof(PolicyNumber) + slot.earlier.capacity() * sizeof(SegmentId);
  }
  bytes += class_by_shape_.capacity() * sizeof(ClassId) + groups_by_class_.capacity() * sizeof(groups_by_class_[0]);
  bytes += read_keys_.memory_bytes() + class_keys_.memory_bytes() + class_by_key_.capacity() * sizeof(ClassId) +
           row_by_label_set_.capacity() * 4;
  for (const auto& pods : pods_by_namespace_) {
    bytes += pods.capacity() * sizeof(cluster::PodId);
  }
  return bytes;
}

}  // namespace podwire::policy
