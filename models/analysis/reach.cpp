#include "models/analysis/reach.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "models/analysis/reach_candidates.hpp"
#include "models/policy/compiled.hpp"
#include "models/policy/port_rows.hpp"

namespace podwire::analysis {

namespace {

using policy::AllowedPorts;
using policy::Compiled;
using policy::GroupId;
using policy::PodEntry;
using policy::PortRows;
using policy::PortSetId;
using policy::PortSets;

/// Pods of one end that policies cannot tell apart.
struct Variant {
  PodEntry entry;
  std::uint32_t pods = 0;
  std::uint32_t first_node = 0;  // in nodes_: where they run, sorted, each node once
  std::uint32_t node_count = 0;
  bool has_unplaced = false;  // some pod runs nowhere yet
};

/// A workload or a pod.
struct End {
  std::string name;
  cluster::WorkloadId workload;
  cluster::PodId pod;
  bool may_be_unknown = false;
  bool is_in_focus = true;
  std::uint32_t pods = 0;
  std::uint32_t first_variant = 0;  // in variants_
  std::uint32_t variant_count = 0;
};

/// A run of atoms of one family, or of both halves of the IPv6 space around the IPv4 one.
struct ExternalAtom {
  std::uint32_t atom = 0;
  IpAddress first;
  IpAddress last;
};

/// What has been found for one destination of the present source.
struct Found {
  PortSetId ports = PortSets::kEmpty;
  bool is_first = true;
  bool varies = false;
  bool is_open_to_doubt = false;  // the policies leave some port unknown
};
/// There is a pair, and nothing to be had.
constexpr Found kNothing = {.is_first = false};
constexpr IpFamily kFamilies[] = {IpFamily::v4, IpFamily::v6};

}  // namespace

bool is_left_out(const policy::PolicyEngine& engine, cluster::PodId pod) {
  const cluster::PodPhase phase = engine.cluster().pods[pod.index()].phase;
  return engine.profile().policy.finished_pods_are_ignored &&
         (phase == cluster::PodPhase::succeeded || phase == cluster::PodPhase::failed);
}

class Reach {
 public:
  Reach(policy::PolicyEngine& engine, const ReachOptions& options, const std::function<void(const ReachRow&)>& visit)
      : engine_(engine),
        cluster_(engine.cluster()),
        compiled_(engine.compiled()),
        rows_(engine),
        options_(options),
        is_enforced_(engine.profile().policy.is_enforced),
        has_two_families_(!cluster_.second_addresses.empty() && !engine.profile().policy.is_ipv4_only),
        unfiltered_(engine.profile().policy.sctp_is_enforced
                        ? PortSets::kEmpty
                        : compiled_.port_sets.intern(policy::PortSet::whole(IpProtocol::sctp))),
        visit_(visit),
        candidates_(compiled_, rows_, unfiltered_ != PortSets::kEmpty) {
    collect_ends();
    if (options_.includes_external) {
      collect_external();
    }
    found_.resize(ends_.size(), kNothing);
    found_v6_.resize(has_two_families_ ? ends_.size() : 0);
    for (const End& end : ends_) {
      candidates_.add_end(end.may_be_unknown);
      for (const Variant& variant : variants(end)) {
        candidates_.add_variant(variant.entry);
      }
    }
    candidates_.finish();
  }

  ReachSummary run() {
    if (options_.includes_external && wants_in()) {
      external_sources();
    }
    for (const End& source : ends_) {
      if (options_.includes_external && source.is_in_focus && wants_out()) {
        external_destinations(source);
      }
      if ((source.is_in_focus && wants_out()) || wants_in()) {
        destinations(source);
      }
    }
    summary_.ends = ends_.size();
    return summary_;
  }

 private:
  friend class ReachSweep;

  bool wants_in() const { return options_.focus == nullptr || options_.focus->wants_in; }
  bool wants_out() const { return options_.focus == nullptr || options_.focus->wants_out; }
  bool is_wanted(const End& source, const End& destination) const {
    return (source.is_in_focus && wants_out()) || (destination.is_in_focus && wants_in());
  }

  /// Whether the focus, if there is one, names the workload or one of these pods.
  bool is_in_focus(cluster::WorkloadId workload, std::span<const cluster::PodId> pods) const {
    if (options_.focus == nullptr) {
      return true;
    }
    const ReachFocus& focus = *options_.focus;
    return std::find(focus.workloads.begin(), focus.workloads.end(), workload) != focus.workloads.end() ||
           std::any_of(focus.pods.begin(), focus.pods.end(),
                       [&](cluster::PodId pod) { return std::find(pods.begin(), pods.end(), pod) != pods.end(); });
  }

  bool is_unknown_alone(cluster::NamespaceId name_space) const {
    return std::any_of(cluster_.unmodelled.begin(), cluster_.unmodelled.end(),
                       [&](const cluster::UnmodelledObject& object) {
                         return !object.name_space.is_valid() || object.name_space == name_space;
                       });
  }

  void collect_ends() {
    for (std::size_t w = 0; w < cluster_.workloads.size(); ++w) {
      const cluster::Workload& workload = cluster_.workloads[w];
      const cluster::WorkloadId id(w);
      if (!options_.is_pod_level) {
        add_end(cluster_.workload_name(id), id, {}, workload.pods);
        continue;
      }
      for (const cluster::PodId pod : workload.pods) {
        add_end(cluster_.full_pod_name(pod), id, pod, {&pod, 1});
      }
    }
  }

  void add_end(std::string name, cluster::WorkloadId workload, cluster::PodId pod,
               std::span<const cluster::PodId> pods) {
    End end;
    end.first_variant = static_cast<std::uint32_t>(variants_.size());
    std::vector<std::pair<PodEntry, cluster::NodeId>> entries;
    for (const cluster::PodId member : pods) {
      if (is_left_out(engine_, member)) {
        continue;
      }
      PodEntry entry = engine_.view().pods[member.index()];
      if (!is_enforced_) {
        entry.ingress = GroupId();
        entry.egress = GroupId();
      }
      entries.emplace_back(entry, cluster_.pods[member.index()].node);
    }
    if (entries.empty()) {
      return;
    }
    std::sort(entries.begin(), entries.end());
    for (const auto& [entry, node] : entries) {
      if (variants_.size() == end.first_variant || variants_.back().entry != entry) {
        variants_.push_back({.entry = entry, .first_node = static_cast<std::uint32_t>(nodes_.size())});
      }
      Variant& variant = variants_.back();
      ++variant.pods;
      variant.has_unplaced = variant.has_unplaced || !node.is_valid();
      if (node.is_valid() && (variant.node_count == 0 || nodes_.back() != node)) {
        nodes_.push_back(node);
        ++variant.node_count;
      }
    }
    end.name = std::move(name);
    end.workload = workload;
    end.pod = pod;
    end.is_in_focus = is_in_focus(workload, pods);
    end.pods = static_cast<std::uint32_t>(entries.size());
    end.variant_count = static_cast<std::uint32_t>(variants_.size()) - end.first_variant;
    const bool overflows = is_enforced_ && std::any_of(pods.begin(), pods.end(), [&](cluster::PodId member) {
                             return engine_.overflows_policy_map(member);
                           });
    end.may_be_unknown = overflows || is_unknown_alone(cluster_.workloads[workload.index()].name_space);
    ends_.push_back(std::move(end));
  }

  std::span<const Variant> variants(const End& end) const {
    return {variants_.data() + end.first_variant, end.variant_count};
  }

  /// The atoms of the families that the cluster's pods speak, and of IPv6 where that is asked for.
  void collect_external() {
    bool has_v4 = cluster_.pods.empty();
    bool has_v6 = false;
    for (const cluster::Pod& pod : cluster_.pods) {
      has_v4 = has_v4 || pod.ip.is_v4() || pod.ip.is_unspecified();
      has_v6 = has_v6 || (!pod.ip.is_v4() && !pod.ip.is_unspecified());
    }
    for (const auto& [pod, ip] : cluster_.second_addresses) {
      has_v4 = has_v4 || ip.is_v4();
      has_v6 = has_v6 || !ip.is_v4();
    }
    has_v6 = has_v6 || options_.includes_ipv6 || (options_.includes_named_ipv6 && names_ipv6(engine_.policies()));
    has_v6 = has_v6 && !engine_.profile().policy.is_ipv4_only;
    for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
      if (family == IpFamily::v4 ? !has_v4 : !has_v6) {
        continue;
      }
      for (std::uint32_t a = 0; a < engine_.view().addresses->atoms.size(); ++a) {
        const auto [first, last] = engine_.view().addresses->atoms.range(policy::AtomId(a));
        if (first.family() == family) {
          external_.push_back({.atom = a, .first = first, .last = last});
        }
      }
    }
  }

  /// Calls emit(first, last, found) for each longest run of neighbouring atoms that have the same.
  template <class Emit>
  void for_each_range(const std::vector<Found>& by_atom, Emit emit) const {
    for (std::size_t i = 0; i < external_.size();) {
      std::size_t j = i + 1;
      while (j < external_.size() && external_[j].first.family() == external_[i].first.family() &&
             by_atom[j].ports == by_atom[i].ports && by_atom[j].varies == by_atom[i].varies &&
             by_atom[j].is_open_to_doubt == by_atom[i].is_open_to_doubt) {
        ++j;
      }
      emit(external_[i].first, external_[j - 1].last, by_atom[i]);
      i = j;
    }
  }

  /// What rules grant, and what the profile does not filter.
  AllowedPorts with_unfiltered(AllowedPorts ports) {
    return {.certain = compiled_.port_sets.unite(ports.certain, unfiltered_),
            .possible = compiled_.port_sets.unite(ports.possible, unfiltered_)};
  }

  static void add(Found& found, PortSets& sets, const AllowedPorts& allowed) {
    const PortSetId ports = allowed.certain;
    found.is_open_to_doubt = found.is_open_to_doubt || allowed.certain != allowed.possible;
    if (found.is_first) {
      found.ports = ports;
      found.is_first = false;
    } else if (found.ports != ports) {
      found.varies = true;
      found.ports = sets.unite(found.ports, ports);
    }
  }

  /// What the end's own policies of a direction leave open to each external atom.
  void load_external(const End& end, policy::Direction direction) {
    by_atom_.assign(external_.size(), Found());
    for (const Variant& variant : variants(end)) {
      const GroupId group = variant.entry.group(direction);
      const std::span<const AllowedPorts> ports =
          group.is_valid() ? rows_.stranger_ports(group) : std::span<const AllowedPorts>();
      for (std::size_t i = 0; i < external_.size(); ++i) {
        add(by_atom_[i], compiled_.port_sets,
            group.is_valid() ? with_unfiltered(ports[external_[i].atom]) : AllowedPorts());
      }
    }
  }

  void external_sources() {
    for (const End& destination : ends_) {
      if (!destination.is_in_focus) {
        continue;
      }
      load_external(destination, policy::Direction::ingress);
      for_each_range(by_atom_, [&](IpAddress first, IpAddress last, const Found& found) {
        emit(external_end(first, last), named_end(destination), {.all = found}, destination.may_be_unknown);
      });
    }
  }

  void external_destinations(const End& source) {
    load_external(source, policy::Direction::egress);
    for_each_range(by_atom_, [&](IpAddress first, IpAddress last, const Found& found) {
      emit(named_end(source), external_end(first, last), {.all = found}, source.may_be_unknown);
    });
  }

  void destinations(const End& source) {
    load_source(source);
    for (const std::uint32_t d : touched_) {
      if (is_wanted(source, ends_[d])) {
        emit(named_end(source), named_end(ends_[d]), of_both_families(d),
             source.may_be_unknown || ends_[d].may_be_unknown);
      }
    }
  }

  /// Fills found_ for the destinations in touched_; towards all others there is nothing to be had.
  void load_source(const End& source) {
    loaded_ = &source;
    for (const std::uint32_t d : touched_) {
      found_[d] = kNothing;
      if (has_two_families_) {
        found_v6_[d] = Found();
      }
    }
    candidates_.start(static_cast<std::uint32_t>(&source - ends_.data()));
    for_each_load(source, [&](const Variant& from, IpFamily) { candidates_.look(from.entry); });
    touched_ = candidates_.candidates();
    for (const std::uint32_t d : touched_) {
      found_[d] = Found();
      if (has_two_families_) {
        found_v6_[d] = Found();
      }
    }
    for_each_load(source, [&](const Variant& from, IpFamily family) {
      std::vector<Found>& found = has_two_families_ && family == IpFamily::v6 ? found_v6_ : found_;
      for (const std::uint32_t d : touched_) {
        if (!is_wanted(source, ends_[d])) {
          continue;
        }
        for (const Variant& to : variants(ends_[d])) {
          if ((&source != &ends_[d] || &from != &to || from.pods > 1) && is_judged(from.entry, to.entry, family)) {
            add_pair(from, to, family, found[d]);
          }
        }
      }
    });
  }

  /// Calls use(variant, family) with the variant loaded as it is in each family that it speaks; where no pod of the
  /// cluster has two addresses once, in that of its first.
  template <class Use>
  void for_each_load(const End& source, Use use) {
    for (const Variant& from : variants(source)) {
      for (const IpFamily family : kFamilies) {
        if (has_two_families_ ? !from.entry.speaks(family) : family != from.entry.family) {
          continue;
        }
        rows_.load_source(from.entry.peer_in(family));
        if (from.entry.egress.is_valid()) {
          rows_.load_egress(from.entry.egress);
        }
        use(from, family);
      }
    }
  }

  /// Whether a pair is judged in this family of the source's: where both speak it, or in its first where none is
  /// shared.
  bool is_judged(const PodEntry& from, const PodEntry& to, IpFamily family) const {
    return !has_two_families_ || to.speaks(family) || from.is_of_one_family;
  }

  /// What the loaded source has of a destination.
  struct Sum {
    Found all;
    PortSetId ipv4 = {};  // none: the families do not differ
    PortSetId ipv6 = {};
  };
  Sum of_both_families(std::uint32_t destination) const {
    const Found& v4 = found_[destination];
    if (!has_two_families_ || found_v6_[destination].is_first) {
      return {.all = v4};
    }
    const Found& v6 = found_v6_[destination];
    if (v4.is_first) {
      return {.all = v6};
    }
    Sum sum{.all = {.ports = compiled_.port_sets.unite(v4.ports, v6.ports),
                    .is_first = false,
                    .varies = v4.varies || v6.varies,
                    .is_open_to_doubt = v4.is_open_to_doubt || v6.is_open_to_doubt}};
    if (v4.ports != v6.ports) {
      sum.ipv4 = v4.ports;
      sum.ipv6 = v6.ports;
    }
    return sum;
  }

  const policy::PortSet* set_of(PortSetId id) const { return id.is_valid() ? &compiled_.port_sets[id] : nullptr; }

  ReachSweep::Ports as_ports(const Sum& sum, bool is_unknown) const {
    return {.ports = sum.all.is_first ? nullptr : &compiled_.port_sets[sum.all.ports],
            .is_unknown = is_unknown,
            .varies = sum.all.varies,
            .ipv4 = set_of(sum.ipv4),
            .ipv6 = set_of(sum.ipv6)};
  }

  void add_pair(const Variant& from, const Variant& to, IpFamily family, Found& found) {
    const AllowedPorts out =
        from.entry.egress.is_valid() ? with_unfiltered(rows_.egress_ports(to.entry.peer_in(family))) : AllowedPorts();
    AllowedPorts in;
    if (to.entry.ingress.is_valid()) {
      in = with_unfiltered(rows_.ingress_ports(to.entry.ingress));
      if (from.entry.is_node_traffic && in.certain != PortSets::kAll && shares_node(from, to)) {
        // Where the two share a node everything passes, elsewhere what the rules say.
        add(found, compiled_.port_sets, out);
        if (from.node_count == 1 && to.node_count == 1 && !from.has_unplaced && !to.has_unplaced) {
          return;  // there is no elsewhere
        }
      }
    }
    PortSets& sets = compiled_.port_sets;
    add(found, sets, {sets.intersect(out.certain, in.certain), sets.intersect(out.possible, in.possible)});
  }

  std::span<const cluster::NodeId> nodes(const Variant& variant) const {
    return {nodes_.data() + variant.first_node, variant.node_count};
  }

  /// Whether traffic of one of `from`'s nodes reaches a pod of `to` on that very node.
  bool shares_node(const Variant& from, const Variant& to) const {
    const auto there = nodes(to);
    return engine_.profile().policy.own_node_is_allowed &&
           std::any_of(nodes(from).begin(), nodes(from).end(),
                       [&](cluster::NodeId node) { return std::binary_search(there.begin(), there.end(), node); });
  }

  static ReachEnd named_end(const End& end) { return {.name = end.name, .workload = end.workload, .pod = end.pod}; }

  ReachEnd external_end(IpAddress first, IpAddress last) {
    external_name_ = first.to_string() + "-" + last.to_string() + "[External]";
    return {.name = external_name_, .workload = {}, .pod = {}, .range = {first, last}};
  }

  void emit(const ReachEnd& source, const ReachEnd& destination, const Sum& sum, bool may_be_unknown) {
    const Found& found = sum.all;
    const bool is_unknown = may_be_unknown || found.is_open_to_doubt;
    if (found.is_first || (found.ports == PortSets::kEmpty && !is_unknown)) {
      return;
    }
    ++summary_.rows;
    summary_.unknown_rows += is_unknown ? 1 : 0;
    visit_({.source = source,
            .destination = destination,
            .ports = &compiled_.port_sets[found.ports],
            .is_unknown = is_unknown,
            .varies = found.varies,
            .ipv4 = set_of(sum.ipv4),
            .ipv6 = set_of(sum.ipv6)});
  }

  policy::PolicyEngine& engine_;
  const cluster::Cluster& cluster_;
  Compiled& compiled_;
  PortRows rows_;
  ReachOptions options_;
  bool is_enforced_;
  bool has_two_families_;  // some pod has
  PortSetId unfiltered_;   // ports that the plugin never filters
  std::function<void(const ReachRow&)> visit_;

  std::vector<End> ends_;
  std::vector<Variant> variants_;
  std::vector<cluster::NodeId> nodes_;
  std::vector<ExternalAtom> external_;
  std::vector<Found> by_atom_;
  ReachCandidates candidates_;
  std::span<const std::uint32_t> touched_;  // the loaded source's candidates
  // By destination; nothing for those that are not touched. In clusters where pods have addresses of both families
  // found_ is what holds over IPv4.
  std::vector<Found> found_;
  std::vector<Found> found_v6_;
  const End* loaded_ = nullptr;
  std::string external_name_;
  ReachSummary summary_;
};

std::string connections_text(const ReachRow& row) {
  if (!row.families_differ()) {
    return row.ports->to_string();
  }
  if (row.ipv4->empty() || row.ipv6->empty()) {
    return row.ports->to_string() + (row.ipv6->empty() ? " (IPv4 only)" : " (IPv6 only)");
  }
  return row.ipv4->to_string() + " (IPv4), " + row.ipv6->to_string() + " (IPv6)";
}

bool names_ipv6(const policy::PolicySet& policies) {
  const auto is_v6 = [](const Cidr& cidr) { return cidr.family() == IpFamily::v6; };
  const auto has_block = [&](const std::vector<policy::Rule>& rules) {
    return std::any_of(rules.begin(), rules.end(), [&](const policy::Rule& rule) {
      return std::any_of(rule.peers.begin(), rule.peers.end(),
                         [&](const policy::PeerRule& peer) { return peer.ip_block && is_v6(peer.ip_block->cidr); });
    });
  };
  const auto has_network = [&](const policy::AdminRule& rule) {
    return std::any_of(rule.peers.begin(), rule.peers.end(), [&](const policy::AdminPeer& peer) {
      return std::any_of(peer.networks.begin(), peer.networks.end(), is_v6);
    });
  };
  return std::any_of(policies.network_policies.begin(), policies.network_policies.end(),
                     [&](const policy::NetworkPolicy& p) { return has_block(p.ingress) || has_block(p.egress); }) ||
         std::any_of(policies.admin_policies.begin(), policies.admin_policies.end(), [&](const policy::AdminPolicy& p) {
           return std::any_of(p.egress.begin(), p.egress.end(), has_network);
         });
}

ReachSummary reach(policy::PolicyEngine& engine, const ReachOptions& options,
                   const std::function<void(const ReachRow&)>& visit) {
  return Reach(engine, options, visit).run();
}

ReachSweep::ReachSweep(policy::PolicyEngine& engine, const ReachOptions& options)
    : reach_(std::make_unique<Reach>(engine, options, nullptr)) {}
ReachSweep::~ReachSweep() = default;

std::size_t ReachSweep::size() const {
  return reach_->ends_.size();
}

ReachSweep::End ReachSweep::end(std::size_t index) const {
  const analysis::End& found = reach_->ends_[index];
  return {.name = found.name, .workload = found.workload, .pod = found.pod, .pods = found.pods};
}

bool ReachSweep::has_family(IpFamily family) const {
  return std::any_of(reach_->external_.begin(), reach_->external_.end(),
                     [&](const ExternalAtom& atom) { return atom.first.family() == family; });
}

void ReachSweep::load_source(std::size_t source) {
  reach_->load_source(reach_->ends_[source]);
}

ReachSweep::Ports ReachSweep::ports_to(std::size_t destination) const {
  const bool is_unknown = !reach_->cluster_.unmodelled.empty() &&  // the ends are large, and are mostly not needed
                          (reach_->loaded_->may_be_unknown || reach_->ends_[destination].may_be_unknown);
  return reach_->as_ports(reach_->of_both_families(static_cast<std::uint32_t>(destination)), is_unknown);
}

std::span<const std::uint32_t> ReachSweep::touched() const {
  return reach_->touched_;
}

void ReachSweep::outside(std::size_t index, policy::Direction direction, std::vector<Range>& ranges) {
  const analysis::End& found = reach_->ends_[index];
  ranges.clear();
  reach_->load_external(found, direction);
  reach_->for_each_range(reach_->by_atom_, [&](IpAddress first, IpAddress last, const Found& what) {
    ranges.push_back({{first, last}, reach_->as_ports({.all = what}, found.may_be_unknown)});
  });
}

}  // namespace podwire::analysis
