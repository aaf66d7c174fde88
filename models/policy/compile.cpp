// From policies and pod shapes to hash-consed content, in four passes: atoms, segments with their grants, classes,
// groups. Work is done once a shape and once a class, never once a (policy, pod): segments are found for a class
// through an index by namespace and by the rarest label their subject selector asks for.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "models/policy/compiled.hpp"
#include "models/policy/deviations.hpp"
#include "sim/base/check.hpp"

namespace podwire::policy {

namespace {

using Words = std::vector<std::uint32_t>;

constexpr std::uint32_t kNone = Compiled::kNone;

std::uint32_t named_target(IpProtocol protocol, Port port) {
  return static_cast<std::uint32_t>(protocol) << 16 | port.number();
}

}  // namespace

class Compiler {
 public:
  Compiler(Compiled& out, const cluster::Cluster& cluster, const PolicySet& policies,
           const cni::PolicySemantics& semantics, const DomainTable* names)
      : out_(out), cluster_(cluster), policies_(policies), semantics_(semantics), names_(names) {}

  void run() {
    out_.names_on_peers = semantics_.named_ports_resolve_on == cni::NamedPortsOn::source_pods;
    check_order();
    make_atoms();
    // Segments are numbered in the order of evaluation.
    add_admin_policies(Tier::admin);
    for (std::size_t i = 0; i < policies_.network_policies.size(); ++i) {
      add_policy(PolicyIndex(i));
    }
    for (Segment& segment : out_.segments) {
      deduplicate(segment);
    }
    add_admin_policies(Tier::baseline);
    make_classes();
    index_segments();
    make_groups();
    make_view();
  }

 private:
  void check_order() const {
    const std::vector<NetworkPolicy>& all = policies_.network_policies;
    const bool is_sorted = std::is_sorted(all.begin(), all.end(), [](const NetworkPolicy& a, const NetworkPolicy& b) {
      return std::tie(a.name_space, a.name) < std::tie(b.name_space, b.name);
    });
    PODWIRE_CHECK(is_sorted, "policy", "a policy set is sorted by namespace and name");
    PODWIRE_CHECK(std::is_sorted(policies_.admin_policies.begin(), policies_.admin_policies.end(), precedes), "policy",
                  "the admin policies of a set stand in the order of evaluation");
  }

  void make_atoms() {
    for (const NetworkPolicy& policy : policies_.network_policies) {
      for (const Direction direction : {Direction::ingress, Direction::egress}) {
        for (const Rule& rule : policy.rules(direction)) {
          for (const PeerRule& peer : rule.peers) {
            if (peer.ip_block) {
              out_.atoms.add(*peer.ip_block);
            }
          }
        }
      }
    }
    for (const AdminPolicy& policy : policies_.admin_policies) {
      for (const Direction direction : {Direction::ingress, Direction::egress}) {
        for (const AdminRule& rule : policy.rules(direction)) {
          for (const AdminPeer& peer : rule.peers) {
            for (const Cidr& cidr : cidrs_of(peer)) {
              out_.atoms.add({.cidr = cidr, .except = {}, .span = {}});
            }
          }
        }
      }
    }
    out_.atoms.finish();
    // Strangers first, so that the peer of an atom has the atom's number; the last is a stranger without an address.
    for (std::uint32_t atom = 0; atom < out_.atoms.size(); ++atom) {
      out_.peers.intern(std::array{kNone, atom});
    }
    out_.no_address = PeerId(out_.peers.intern(std::array{kNone, kNone}).id);
    if (!semantics_.ip_block_matches_nodes) {
      make_node_peers();
    }
    out_.stranger_count = static_cast<std::uint32_t>(out_.peers.size());
  }

  void make_node_peers() {
    const auto add = [this](IpAddress ip) {
      const std::uint32_t atom = out_.atoms.atom_of(ip).value();
      out_.node_peers.emplace_back(ip, PeerId(out_.peers.intern(std::array{Compiled::kNodeOnly, atom}).id));
    };
    for (const cluster::Node& node : cluster_.nodes) {
      std::for_each(node.addresses.begin(), node.addresses.end(), add);
    }
    for (const cluster::Pod& pod : cluster_.pods) {
      if (is_stranger(cluster_.shapes[pod.shape.index()]) && !pod.ip.is_unspecified()) {
        add(pod.ip);  // its node's address, wherever that comes from
      }
    }
    std::sort(out_.node_peers.begin(), out_.node_peers.end());
    out_.node_peers.erase(std::unique(out_.node_peers.begin(), out_.node_peers.end()), out_.node_peers.end());
  }

  static Cidr alone(IpAddress ip) { return Cidr(ip, ip.is_v4() ? 32 : 128); }

  /// The addresses an admin peer names; none for a peer of pods and for domain names that are not resolved.
  std::vector<Cidr> cidrs_of(const AdminPeer& peer) const {
    std::vector<Cidr> all = peer.networks;
    if (peer.kind == AdminPeer::Kind::nodes) {
      for (const cluster::Node& node : cluster_.nodes) {
        if (peer.node_selector.matches(node.labels, cluster_.label_sets, cluster_.strings)) {
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

  std::uint32_t namespace_index(std::string_view name) const {
    const auto found = std::lower_bound(cluster_.namespaces.begin(), cluster_.namespaces.end(), name,
                                        [](const cluster::Namespace& n, std::string_view v) { return n.name < v; });
    return found != cluster_.namespaces.end() && found->name == name
               ? static_cast<std::uint32_t>(found - cluster_.namespaces.begin())
               : kNone;
  }

  void add_policy(PolicyIndex index) {
    const NetworkPolicy& policy = policies_.network_policies[index.index()];
    const std::uint32_t name_space = namespace_index(policy.name_space);
    const SelectorId subject = out_.selectors.intern(policy.pod_selector, cluster_.strings);
    if (name_space == kNone || out_.selectors.matches_nothing(subject)) {
      return;  // selects no pod
    }
    if (is_rejected(policy, semantics_)) {
      return;  // what it selects stays as open as without it
    }
    for (const Direction direction : {Direction::ingress, Direction::egress}) {
      if (!policy.isolates(direction)) {
        continue;
      }
      Segment& segment = segment_of(direction, name_space, subject);
      segment.policies.push_back(index);
      const std::vector<Rule>& rules = policy.rules(direction);
      PODWIRE_CHECK(rules.size() <= 0xffff, "policy", "a policy has at most 65,535 rules in a direction");
      for (std::size_t r = 0; r < rules.size(); ++r) {
        add_rule(segment, index, static_cast<std::uint16_t>(r), rules[r], name_space);
      }
    }
  }

  void add_admin_policies(Tier tier) {
    if (semantics_.admin_tiers == cni::AdminTiers::ignored) {
      return;
    }
    for (std::size_t i = 0; i < policies_.admin_policies.size(); ++i) {
      const AdminPolicy& policy = policies_.admin_policies[i];
      if (policy.tier != tier) {
        continue;
      }
      const PolicyIndex index(policies_.network_policies.size() + i);
      const std::uint32_t namespaces = namespaces_matching(policy.subject_namespaces);
      const SelectorId subject = out_.selectors.intern(policy.subject_pods, cluster_.strings);
      if (out_.namespace_sets[namespaces].empty() || out_.selectors.matches_nothing(subject)) {
        continue;  // selects no pod
      }
      for (const Direction direction : {Direction::ingress, Direction::egress}) {
        if (!policy.rules(direction).empty()) {
          Segment& segment = out_.segments.emplace_back();
          segment.direction = direction;
          segment.tier = tier;
          segment.priority = policy.priority;
          segment.namespaces = namespaces;
          segment.subject = subject;
          segment.policies = {index};
          add_admin_rules(segment, index, policy.rules(direction));
        }
      }
    }
  }

  void add_admin_rules(Segment& segment, PolicyIndex policy, const std::vector<AdminRule>& rules) {
    for (std::size_t r = 0; r < rules.size(); ++r) {
      const PortSpecId ports = port_spec(rules[r].ports);
      segment.uses_named_ports = segment.uses_named_ports || out_.has_names(ports);
      for (const AdminPeer& peer : rules[r].peers) {
        if (const PeerRuleId id = admin_peer(peer, rules[r].action); id.is_valid()) {
          segment.grants.push_back({.peer = id,
                                    .ports = ports,
                                    .policy = policy,
                                    .rule = static_cast<std::uint16_t>(r),
                                    .action = rules[r].action,
                                    .is_uncertain = peer.kind == AdminPeer::Kind::domain_names && !is_resolved(peer)});
        }
      }
    }
  }

  bool is_resolved(const AdminPeer& peer) const { return names_ != nullptr && names_->resolves(peer.domain_names); }

  /// None when nothing in this cluster can match.
  PeerRuleId admin_peer(const AdminPeer& peer, RuleAction action) {
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

  PeerRuleId plain_rule(Compiled::PeerKind kind) {
    return PeerRuleId(out_.peer_rules.intern(std::array<std::uint32_t, 1>{kind}).id);
  }

  PeerRuleId block_rule(Compiled::PeerKind kind, const std::vector<Cidr>& cidrs) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> intervals;
    for (const Cidr& cidr : cidrs) {
      const Words ranges = out_.atoms.ranges_of({.cidr = cidr, .except = {}, .span = {}});
      for (std::size_t i = 0; i < ranges.size(); i += 2) {
        intervals.emplace_back(ranges[i], ranges[i + 1]);
      }
    }
    std::sort(intervals.begin(), intervals.end());
    Words merged;
    for (const auto& [first, last] : intervals) {
      if (!merged.empty() && first <= merged.back()) {
        merged.back() = std::max(merged.back(), last);
      } else {
        merged.insert(merged.end(), {first, last});
      }
    }
    if (merged.empty()) {
      return {};
    }
    const std::uint32_t block = out_.ip_blocks.intern(merged).id;
    return PeerRuleId(out_.peer_rules.intern(std::array<std::uint32_t, 2>{kind, block}).id);
  }

  PeerRuleId pods_rule(std::uint32_t namespaces, const cluster::LabelSelector& selector) {
    const SelectorId pods = out_.selectors.intern(selector, cluster_.strings);
    if (out_.selectors.matches_nothing(pods) || out_.namespace_sets[namespaces].empty()) {
      return {};
    }
    return PeerRuleId(
        out_.peer_rules.intern(std::array<std::uint32_t, 3>{Compiled::kPods, namespaces, pods.value()}).id);
  }

  Segment& segment_of(Direction direction, std::uint32_t name_space, SelectorId subject) {
    const auto [id, is_new] =
        segment_keys_.intern(std::array{static_cast<std::uint32_t>(direction), name_space, subject.value()});
    if (is_new) {
      segments_by_key_.push_back(out_.segments.size());
      Segment& segment = out_.segments.emplace_back();
      segment.direction = direction;
      segment.name_space = cluster::NamespaceId(name_space);
      segment.subject = subject;
    }
    return out_.segments[segments_by_key_[id]];
  }

  void add_rule(Segment& segment, PolicyIndex policy, std::uint16_t number, const Rule& rule,
                std::uint32_t name_space) {
    const auto add = [&](PeerRuleId peer, bool is_block) {
      const auto in_force = ports_in_force(rule, is_block, semantics_);
      if (peer.is_valid() && in_force) {
        const PortSpecId ports = port_spec(*in_force);
        segment.uses_named_ports = segment.uses_named_ports || out_.has_names(ports);
        segment.grants.push_back({.peer = peer, .ports = ports, .policy = policy, .rule = number});
      }
    };
    if (rule.peers.empty()) {
      add(PeerRuleId(out_.peer_rules.intern(std::array<std::uint32_t, 1>{Compiled::kAny}).id), false);
      return;
    }
    for (const PeerRule& peer : rule.peers) {
      add(peer_rule(peer, name_space), peer.ip_block.has_value());
    }
  }

  /// None when nothing in this cluster can match.
  PeerRuleId peer_rule(const PeerRule& peer, std::uint32_t name_space) {
    if (peer.ip_block) {
      const Words ranges = out_.atoms.ranges_of(block_in_force(*peer.ip_block, semantics_));
      if (ranges.empty()) {
        return {};
      }
      const std::uint32_t block = out_.ip_blocks.intern(ranges).id;
      return PeerRuleId(out_.peer_rules.intern(std::array<std::uint32_t, 2>{Compiled::kIpBlock, block}).id);
    }
    const std::uint32_t spaces = peer.namespace_selector
                                     ? namespaces_matching(*peer.namespace_selector)
                                     : out_.namespace_sets.intern(std::array{name_space, name_space + 1}).id;
    return pods_rule(spaces, peer.pod_selector.value_or(cluster::LabelSelector()));
  }

  /// The namespaces a selector matches, as ranges; found through the rarest label it asks for.
  std::uint32_t namespaces_matching(const cluster::LabelSelector& selector) {
    if (!has_namespace_index_) {
      index_namespaces();
    }
    const SelectorId id = out_.selectors.intern(selector, cluster_.strings);
    if (const auto known = sets_by_selector_.find(id.value()); known != sets_by_selector_.end()) {
      return known->second;
    }
    std::vector<std::uint32_t> found;
    const auto count = static_cast<std::uint32_t>(cluster_.namespaces.size());
    const auto consider = [&](std::uint32_t n, std::uint32_t) {
      if (out_.selectors.matches(id, cluster_.label_sets[cluster_.namespaces[n].labels])) {
        found.push_back(n);
      }
    };
    const std::vector<cluster::Label> entrances = out_.selectors.entrances(id, namespace_counts_);
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
    const std::uint32_t set = out_.namespace_sets.intern(ranges).id;
    sets_by_selector_.emplace(id.value(), set);
    return set;
  }

  void index_namespaces() {
    has_namespace_index_ = true;
    for (std::uint32_t n = 0; n < cluster_.namespaces.size(); ++n) {
      for (const cluster::Label& label : cluster_.label_sets[cluster_.namespaces[n].labels]) {
        namespace_index_.add(label, n, 0);
        namespace_counts_.add(label);
      }
    }
    namespace_index_.finish();
  }

  PortSpecId port_spec(const std::vector<PortRule>& ports) {
    std::vector<PortSet::Range> ranges;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> names;
    for (const PortRule& port : ports) {
      if (!port.name.empty()) {
        const auto [entry, is_new] = port_names_.try_emplace(port.name, static_cast<std::uint32_t>(port_names_.size()));
        for (const IpProtocol protocol : kProtocols) {
          if (port.has_any_protocol || protocol == port.protocol) {
            names.emplace_back(entry->second, static_cast<std::uint32_t>(protocol));
          }
        }
      } else if (port.is_all()) {
        ranges.push_back({.protocol = port.protocol, .first = 1, .last = 65535});
      } else {
        const Port last = port.last.is_valid() ? port.last : port.first;
        ranges.push_back({.protocol = port.protocol, .first = port.first.number(), .last = last.number()});
      }
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    const PortSetId numbers = ports.empty() ? PortSets::kAll : out_.port_sets.intern(PortSet::of(std::move(ranges)));
    Words words = {numbers.value()};
    for (const auto& [name, protocol] : names) {
      words.insert(words.end(), {name, protocol});
    }
    return PortSpecId(out_.port_specs.intern(words).id);
  }

  /// Rules that say the same stand once, under the least (policy, rule).
  static void deduplicate(Segment& segment) {
    if (segment.tier != Tier::network_policy) {
      return;  // there the order counts
    }
    const auto by_content = [](const Grant& a, const Grant& b) {
      return std::tie(a.peer, a.ports, a.policy, a.rule) < std::tie(b.peer, b.ports, b.policy, b.rule);
    };
    std::sort(segment.grants.begin(), segment.grants.end(), by_content);
    const auto end = std::unique(segment.grants.begin(), segment.grants.end(),
                                 [](const Grant& a, const Grant& b) { return a.peer == b.peer && a.ports == b.ports; });
    segment.grants.erase(end, segment.grants.end());
    std::sort(segment.grants.begin(), segment.grants.end(), [](const Grant& a, const Grant& b) {
      return std::tie(a.policy, a.rule, a.peer, a.ports) < std::tie(b.policy, b.rule, b.peer, b.ports);
    });
    segment.grants.shrink_to_fit();
  }

  bool is_stranger(const cluster::PodShape& shape) const {
    return shape.is_host_network && semantics_.host_network_is_node;
  }

  void make_classes() {
    mark_keys();
    names_by_template_.assign(cluster_.templates.size(), kNone);
    class_by_shape_.assign(cluster_.shapes.size(), ClassId());
    Words row;
    for (std::size_t s = 0; s < cluster_.shapes.size(); ++s) {
      const cluster::PodShape& shape = cluster_.shapes[s];
      if (is_stranger(shape)) {
        continue;
      }
      row.clear();
      for (const cluster::Label& label : cluster_.label_sets[shape.labels]) {
        if (label.key.index() < reads_key_.size() && reads_key_[label.key.index()]) {
          row.insert(row.end(), {label.key.value(), label.value.value()});
        }
      }
      const std::uint32_t labels = out_.intern_labels(row);
      const std::array words = {shape.name_space.value(), labels, named_ports_of(shape.pod_template)};
      class_by_shape_[s] = ClassId(out_.classes.intern(words).id);
    }
  }

  void mark_keys() {
    reads_key_.assign(cluster_.strings.size(), false);
    const auto mark = [this](cluster::StringId key) { reads_key_[key.index()] = true; };
    for (const Segment& segment : out_.segments) {
      out_.selectors.for_each_key(segment.subject, mark);
    }
    for (std::uint32_t rule = 0; rule < out_.peer_rules.size(); ++rule) {
      const std::span<const std::uint32_t> words = out_.peer_rules[rule];
      if (words[0] == Compiled::kPods) {
        out_.selectors.for_each_key(SelectorId(words[2]), mark);
      }
    }
  }

  /// The ports of a template whose names rules use. Of a name that repeats for a protocol the first counts, as in
  /// Kubernetes (pkg/api/v1/pod FindPort).
  std::uint32_t named_ports_of(cluster::TemplateId id) {
    if (!id.is_valid()) {
      return out_.named_ports.intern({}).id;
    }
    std::uint32_t& known = names_by_template_[id.index()];
    if (known != kNone) {
      return known;
    }
    std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
    for (const cluster::ContainerPort& port : cluster_.templates[id.index()].ports) {
      const auto name = port_names_.find(port.name);
      if (port.name.empty() || name == port_names_.end()) {
        continue;
      }
      const bool repeats = std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
        return pair.first == name->second && pair.second >> 16 == static_cast<std::uint32_t>(port.protocol);
      });
      if (!repeats) {
        pairs.emplace_back(name->second, named_target(port.protocol, port.number));
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

  void index_segments() {
    LabelCounts counts;
    for (std::uint32_t c = 0; c < out_.classes.size(); ++c) {
      for (const cluster::Label& label : out_.labels_of(ClassId(c))) {
        counts.add(label);
      }
    }
    for (std::size_t s = 0; s < out_.segments.size(); ++s) {
      const Segment& segment = out_.segments[s];
      if (segment.tier != Tier::network_policy) {
        index_admin_segment(static_cast<std::uint32_t>(s));
        continue;
      }
      std::vector<cluster::Label> entrances = out_.selectors.entrances(segment.subject, counts);
      if (entrances.empty()) {
        entrances.emplace_back();
      }
      for (const cluster::Label& label : entrances) {
        segment_index_.add(label, segment.name_space.value(), static_cast<std::uint32_t>(s));
      }
    }
    segment_index_.finish();
  }

  /// Subjects of admin policies are namespaces first: each namespace knows the segments that may select its pods.
  void index_admin_segment(std::uint32_t s) {
    admin_segments_.resize(cluster_.namespaces.size());
    const std::span<const std::uint32_t> spaces = out_.namespace_sets[out_.segments[s].namespaces];
    for (std::size_t i = 0; i < spaces.size(); i += 2) {
      for (std::uint32_t n = spaces[i]; n < spaces[i + 1]; ++n) {
        admin_segments_[n].push_back(s);
      }
    }
  }

  void make_groups() {
    groups_by_class_.resize(out_.classes.size());
    for (std::uint32_t c = 0; c < out_.classes.size(); ++c) {
      const std::uint32_t name_space = out_.classes[c][0];
      const std::span<const cluster::Label> labels = out_.labels_of(ClassId(c));
      std::array<Words, 2> selected;  // by direction
      const auto consider = [&](std::uint32_t, std::uint32_t s) {
        const Segment& segment = out_.segments[s];
        if (out_.selectors.matches(segment.subject, labels)) {
          selected[static_cast<std::size_t>(segment.direction)].push_back(s);
        }
      };
      segment_index_.for_each({}, name_space, name_space + 1, consider);
      for (const cluster::Label& label : labels) {
        segment_index_.for_each(label, name_space, name_space + 1, consider);
      }
      if (!admin_segments_.empty()) {
        for (const std::uint32_t s : admin_segments_[name_space]) {
          consider(0, s);
        }
      }
      for (const Direction direction : {Direction::ingress, Direction::egress}) {
        groups_by_class_[c][static_cast<std::size_t>(direction)] =
            group_of(direction, selected[static_cast<std::size_t>(direction)], out_.classes[c][2]);
      }
    }
  }

  GroupId group_of(Direction direction, Words& selected, std::uint32_t named) {
    if (selected.empty()) {
      return {};
    }
    std::sort(selected.begin(), selected.end());
    const auto uses_own_names = [&](std::uint32_t s) {
      const Segment& segment = out_.segments[s];
      return segment.uses_named_ports && (segment.tier != Tier::network_policy || !out_.names_on_peers);
    };
    const bool uses_names =
        direction == Direction::ingress && std::any_of(selected.begin(), selected.end(), uses_own_names);
    Words words = {static_cast<std::uint32_t>(direction), uses_names ? named : kNone};
    words.insert(words.end(), selected.begin(), selected.end());
    const auto [id, is_new] = out_.group_contents.intern(words);
    if (is_new) {
      Group& group = out_.groups.emplace_back();
      group.direction = direction;
      group.named_ports = NamedPortsId(words[1]);
      group.content = id;
      for (const std::uint32_t s : selected) {
        const Segment& segment = out_.segments[s];
        if (segment.tier == Tier::admin) {
          ++group.admin_count;
        } else if (segment.tier == Tier::network_policy) {
          ++group.network_policy_count;
          group.first_policy =
              group.first_policy.is_valid() ? std::min(group.first_policy, segment.policies[0]) : segment.policies[0];
        }
      }
      group.tiers = tier_list_of(group, selected);
    }
    return GroupId(id);
  }

  TierListId tier_list_of(const Group& group, const Words& selected) {
    Words words = {static_cast<std::uint32_t>(group.direction), kNone, group.admin_count};
    for (const std::uint32_t s : selected) {
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

  void make_view() {
    std::vector<PodEntry>& entries = out_.view.pods;
    entries.resize(cluster_.pods.size());
    for (std::size_t p = 0; p < cluster_.pods.size(); ++p) {
      const cluster::Pod& pod = cluster_.pods[p];
      PodEntry& entry = entries[p];
      const bool is_finished = pod.phase == cluster::PodPhase::succeeded || pod.phase == cluster::PodPhase::failed;
      entry.is_node_traffic = is_stranger(cluster_.shapes[pod.shape.index()]);
      entry.is_stranger = entry.is_node_traffic || (is_finished && semantics_.finished_pods_are_ignored);
      if (entry.is_stranger) {
        entry.peer = pod.ip.is_unspecified() ? out_.no_address
                     : entry.is_node_traffic ? out_.stranger_at(pod.ip)
                                             : out_.peer_at(pod.ip);
        continue;
      }
      const ClassId id = class_by_shape_[pod.shape.index()];
      const bool has_atom = semantics_.ip_block_matches_pods && !pod.ip.is_unspecified();
      entry.peer =
          PeerId(out_.peers.intern(std::array{id.value(), has_atom ? out_.atoms.atom_of(pod.ip).value() : kNone}).id);
      entry.ingress = groups_by_class_[id.index()][static_cast<std::size_t>(Direction::ingress)];
      entry.egress = groups_by_class_[id.index()][static_cast<std::size_t>(Direction::egress)];
    }
  }

  Compiled& out_;
  const cluster::Cluster& cluster_;
  const PolicySet& policies_;
  const cni::PolicySemantics& semantics_;
  const DomainTable* names_;  // null: not known

  WordTable segment_keys_;  // direction, namespace, subject selector
  std::vector<std::size_t> segments_by_key_;
  boost::unordered_flat_map<std::string, std::uint32_t> port_names_;
  boost::unordered_flat_map<std::uint32_t, std::uint32_t> sets_by_selector_;
  bool has_namespace_index_ = false;
  LabelIndex namespace_index_;
  LabelCounts namespace_counts_;
  LabelIndex segment_index_;
  std::vector<std::vector<std::uint32_t>> admin_segments_;  // by namespace; empty: there are none
  std::vector<bool> reads_key_;
  std::vector<std::uint32_t> names_by_template_;
  std::vector<ClassId> class_by_shape_;
  std::vector<std::array<GroupId, 2>> groups_by_class_;
};

Compiled::Compiled(const cluster::Cluster& cluster, const PolicySet& policies, const cni::PolicySemantics& semantics,
                   const DomainTable* names) {
  Compiler(*this, cluster, policies, semantics, names).run();
}

}  // namespace podwire::policy
