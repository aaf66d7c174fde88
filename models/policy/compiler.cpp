// What first() and next() share: segments out of parts, classes out of shapes, groups out of segments, entries of pods.
#include "models/policy/compiler.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "sim/base/check.hpp"

namespace podwire::policy {

namespace {

constexpr std::uint32_t kNone = Compiled::kNone;

std::uint32_t named_target(IpProtocol protocol, Port port) {
  return static_cast<std::uint32_t>(protocol) << 16 | port.number();
}

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

/// Keys that selectors have begun to read, and where.
ReadKeys::Added Compiler::mark_keys() {
  ReadKeys::Added added;
  read_keys_.resize(cluster_->strings.size(), cluster_->namespaces.size());
  for (; marked_segments_ < out_.segments.size(); ++marked_segments_) {
    const Segment& segment = out_.segments[marked_segments_];
    const std::uint32_t own = segment.name_space.value();
    const std::array alone = {own, own + 1};
    const std::span<const std::uint32_t> where = segment.tier == Tier::network_policy
                                                     ? std::span<const std::uint32_t>(alone)
                                                     : out_.namespace_sets[segment.namespaces];
    out_.selectors.for_each_key(segment.subject, [&](cluster::StringId key) { read_keys_.add(key, where, added); });
  }
  for (; marked_rules_ < out_.peer_rules.size(); ++marked_rules_) {
    const std::span<const std::uint32_t> words = out_.peer_rules[static_cast<std::uint32_t>(marked_rules_)];
    if (words[0] == Compiled::kPods) {
      out_.selectors.for_each_key(SelectorId(words[2]), [&](cluster::StringId key) {
        read_keys_.add(key, out_.namespace_sets[words[1]], added);
      });
    }
  }
  return added;
}

ClassId Compiler::classify(cluster::ShapeId id) {
  const cluster::PodShape& shape = cluster_->shapes[id.index()];
  if (is_stranger(shape)) {
    return {};
  }
  row_.clear();
  for (const cluster::Label& label : cluster_->label_sets[shape.labels]) {
    if (read_keys_.contains(shape.name_space.value(), label.key)) {
      row_.insert(row_.end(), {label.key.value(), label.value.value()});
    }
  }
  const std::uint32_t labels = out_.intern_labels(row_);
  const std::array words = {shape.name_space.value(), labels, named_ports_of(shape.pod_template)};
  return ClassId(out_.classes.intern(words).id);
}

/// The ports of a template whose names rules use. Of a name that repeats for a protocol the first counts, as in
/// Kubernetes (pkg/api/v1/pod FindPort).
std::uint32_t Compiler::named_ports_of(cluster::TemplateId id) {
  if (!id.is_valid()) {
    return out_.named_ports.intern({}).id;
  }
  std::uint32_t& known = names_by_template_[id.index()];
  if (known != kNone) {
    return known;
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (const cluster::ContainerPort& port : cluster_->templates[id.index()].ports) {
    const std::uint32_t name = port.name.empty() ? kNone : rules_.find_port_name(port.name);
    if (name == kNone) {
      continue;
    }
    const bool repeats = std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
      return pair.first == name && pair.second >> 16 == static_cast<std::uint32_t>(port.protocol);
    });
    if (!repeats) {
      pairs.emplace_back(name, named_target(port.protocol, port.number));
    }
  }
  std::sort(pairs.begin(), pairs.end());
  Words words;
  for (const auto& [name, target] : pairs) {
    words.insert(words.end(), {name, target});
  }
  known = out_.named_ports.intern(words).id;
  return known;
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
  bytes += read_keys_.memory_bytes();
  for (const auto& pods : pods_by_namespace_) {
    bytes += pods.capacity() * sizeof(cluster::PodId);
  }
  return bytes;
}

}  // namespace podwire::policy
