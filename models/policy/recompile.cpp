// The state that follows, by difference: see compiler.hpp. Everything here is found again from content alone, so that
// the result does not depend on the way: a class's groups are the segments of its namespace that select it, whichever
// of them changed when.
#include <algorithm>
#include <tuple>

#include "models/policy/compiler.hpp"
#include "sim/base/check.hpp"

namespace podwire::policy {

namespace {

constexpr std::uint32_t kNone = Compiled::kNone;
constexpr std::size_t kMostReplaced = 32;  // segments of one namespace; beyond, its classes look at all of them
constexpr std::size_t kMostEarlier = 16;   // forms of a segment that are compared with a new one

template <class T>
void sort_unique(std::vector<T>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

bool is_in(std::span<const AddressRange> ranges, IpAddress ip) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), ip,
                                      [](IpAddress value, const AddressRange& range) { return value < range.first; });
  return after != ranges.begin() && ip <= std::prev(after)->second;
}

}  // namespace

View Compiler::next(View& before, const cluster::Cluster& cluster, const PolicySet& policies, const DomainTable* names,
                    const PolicyChanges& changes) {
  PODWIRE_CHECK(
      cluster.pods.size() == cluster_->pods.size() && cluster.namespaces.size() == cluster_->namespaces.size() &&
          cluster.shapes.size() >= cluster_->shapes.size() && cluster.strings.size() >= cluster_->strings.size(),
      "policy", "a state follows one of the same pods, as a later snapshot");
  View view;
  view.pods.follow(before.pods);
  index_namespaces();
  const std::vector<cluster::NamespaceId> relabelled = relabelled_namespaces(cluster);
  const bool has_other_names = names != names_ || names != nullptr;  // what a table says may have changed in place
  const cluster::Cluster& earlier = *cluster_;
  cluster_ = &cluster;
  names_ = names;
  rules_.look_at(cluster, names);

  std::vector<PolicyNumber> touched = renumber(policies, changes, before, view);
  policies_ = &policies;
  add_dependants(relabelled, has_other_names, touched);
  const std::vector<Replaced> replaced = recompile_policies(std::move(touched));

  std::vector<AddressRange> split;
  split_atoms(before, view, split);
  std::vector<bool> is_other_class;  // by shape; empty: none is
  reclassify(is_other_class);
  std::vector<bool> is_touched(cluster.namespaces.size(), false);
  regroup(replaced, is_touched);

  const bool is_scan = &cluster != &earlier || !split.empty() || !is_other_class.empty();
  const auto renew = [&](std::size_t p) {
    if (const PodEntry entry = entry_of(cluster::PodId(p), *view.addresses); entry != view.pods[p]) {
      view.pods.set(p, entry);
    }
  };
  for (std::size_t p = 0; is_scan && p < cluster.pods.size(); ++p) {
    const cluster::Pod& was = earlier.pods[p];
    const cluster::Pod& is = cluster.pods[p];
    if (was.shape != is.shape || is_finished(was) != is_finished(is) || was.ip != is.ip ||
        (!is_other_class.empty() && is_other_class[is.shape.index()]) || is_in(split, is.ip)) {
      renew(p);
    }
  }
  for (const auto& [id, ip] : cluster.second_addresses) {  // they stay what they are
    if (is_scan && is_in(split, ip)) {
      renew(id.index());
    }
  }
  for (std::size_t n = 0; n < is_touched.size(); ++n) {
    if (is_touched[n]) {
      for (const cluster::PodId pod : pods_by_namespace_[n]) {
        regroup_pod(view, pod);
      }
    }
  }
  view.pods.take_rest(before.pods);
  return view;
}

/// A pod whose peer is up to date and whose class may have other groups.
void Compiler::regroup_pod(View& view, cluster::PodId pod) const {
  PodEntry entry = view.pods[pod.index()];
  if (entry.is_stranger) {
    return;
  }
  const auto& [ingress, egress] = groups_by_class_[out_.class_of(entry.peer).index()];
  if (entry.ingress != ingress || entry.egress != egress) {
    entry.ingress = ingress;
    entry.egress = egress;
    view.pods.set(pod.index(), entry);
  }
}

PolicyNumber Compiler::new_number() {
  parts_.emplace_back();
  return PolicyNumber(parts_.size() - 1);
}

/// Numbers for the new set's policies; those of the policies that differ.
std::vector<PolicyNumber> Compiler::renumber(const PolicySet& policies, const PolicyChanges& changes, View& before,
                                             View& view) {
  std::vector<PolicyNumber> touched;
  const bool are_networks_moved = renumber_network_policies(policies, changes, touched);
  const bool are_admins_moved = renumber_admin_policies(policies, changes, touched);
  if (!are_networks_moved && !are_admins_moved) {
    view.places.take(before.places);
    places_ = &*view.places;
    return touched;
  }
  std::vector<PolicyIndex> places(parts_.size());
  std::size_t index = 0;
  for (const std::vector<PolicyNumber>* numbers : {&network_numbers_, &admin_numbers_}) {
    for (const PolicyNumber number : *numbers) {
      places[number.index()] = PolicyIndex(index++);
    }
  }
  view.places = Handed<std::vector<PolicyIndex>>(std::move(places));
  places_ = &*view.places;
  return touched;
}

/// What lies between two names that differ is the same in both sets. Whether a policy stands elsewhere now.
bool Compiler::renumber_network_policies(const PolicySet& policies, const PolicyChanges& changes,
                                         std::vector<PolicyNumber>& touched) {
  const auto& olds = policies_->network_policies;
  const auto& news = policies.network_policies;
  const auto find = [](const std::vector<NetworkPolicy>& all, const auto& key) {
    return static_cast<std::size_t>(std::lower_bound(all.begin(), all.end(), key,
                                                     [](const NetworkPolicy& policy, const auto& wanted) {
                                                       return std::tie(policy.name_space, policy.name) <
                                                              std::tie(wanted.first, wanted.second);
                                                     }) -
                                    all.begin());
  };
  bool is_moved = false;
  std::vector<PolicyNumber> numbers;
  numbers.reserve(news.size());
  std::size_t from = 0;
  for (const auto& key : changes.network_policies) {
    const std::size_t old_at = find(olds, key);
    const std::size_t new_at = find(news, key);
    const auto is_at = [&](const std::vector<NetworkPolicy>& all, std::size_t i) {
      return i < all.size() && all[i].name_space == key.first && all[i].name == key.second;
    };
    const bool was = is_at(olds, old_at);
    const bool is = is_at(news, new_at);
    numbers.insert(numbers.end(), network_numbers_.begin() + static_cast<std::ptrdiff_t>(from),
                   network_numbers_.begin() + static_cast<std::ptrdiff_t>(old_at));
    PODWIRE_CHECK(numbers.size() == new_at, "policy", "every policy that differs is named");
    from = old_at + (was ? 1 : 0);
    is_moved = is_moved || was != is;
    const auto gone = gone_network_.find(key);
    const PolicyNumber number = was                           ? network_numbers_[old_at]
                                : gone != gone_network_.end() ? gone->second
                                : is                          ? new_number()
                                                              : PolicyNumber();
    if (!number.is_valid()) {
      continue;
    }
    if (is) {
      numbers.push_back(number);
    } else {
      gone_network_.emplace(key, number);
    }
    touched.push_back(number);
  }
  numbers.insert(numbers.end(), network_numbers_.begin() + static_cast<std::ptrdiff_t>(from), network_numbers_.end());
  PODWIRE_CHECK(numbers.size() == news.size(), "policy", "every policy that differs is named");
  network_numbers_ = std::move(numbers);
  return is_moved;
}

/// They move when a priority changes, and there are few: all are looked up.
bool Compiler::renumber_admin_policies(const PolicySet& policies, const PolicyChanges& changes,
                                       std::vector<PolicyNumber>& touched) {
  if (changes.admin_policies.empty()) {
    return false;
  }
  for (std::size_t i = 0; i < policies_->admin_policies.size(); ++i) {
    const AdminPolicy& policy = policies_->admin_policies[i];
    gone_admin_.emplace(std::pair(policy.kind, policy.name), admin_numbers_[i]);
  }
  admin_numbers_.clear();
  for (const AdminPolicy& policy : policies.admin_policies) {
    const auto [at, is_new] = gone_admin_.emplace(std::pair(policy.kind, policy.name), PolicyNumber());
    if (is_new) {
      at->second = new_number();
    }
    admin_numbers_.push_back(at->second);
  }
  for (const auto& key : changes.admin_policies) {
    if (const auto known = gone_admin_.find(key); known != gone_admin_.end()) {
      touched.push_back(known->second);
    }
  }
  return true;
}

std::vector<cluster::NamespaceId> Compiler::relabelled_namespaces(const cluster::Cluster& after) const {
  std::vector<cluster::NamespaceId> found;
  for (std::size_t n = 0; &after != cluster_ && n < after.namespaces.size(); ++n) {
    if (after.namespaces[n].labels != cluster_->namespaces[n].labels) {
      found.emplace_back(n);
    }
  }
  return found;
}

/// Policies that have not changed and come to something else.
void Compiler::add_dependants(std::span<const cluster::NamespaceId> relabelled, bool has_other_names,
                              std::vector<PolicyNumber>& touched) {
  const std::vector<PolicyNumber> awake = rules_.awaken();
  touched.insert(touched.end(), awake.begin(), awake.end());
  const std::vector<SelectorId> selectors = rules_.relabel(relabelled);
  if (selectors.empty() && !has_other_names) {
    return;
  }
  for (std::size_t number = 0; number < parts_.size(); ++number) {
    const Part& part = parts_[number];
    const bool is_concerned =
        std::any_of(part.namespace_selectors.begin(), part.namespace_selectors.end(),
                    [&](SelectorId id) { return std::binary_search(selectors.begin(), selectors.end(), id); });
    if (is_concerned || (has_other_names && part.reads_domains)) {
      touched.emplace_back(number);
    }
  }
}

/// New parts for these policies; the slots whose segment is another one for it.
std::vector<Compiler::Replaced> Compiler::recompile_policies(std::vector<PolicyNumber> touched) {
  sort_unique(touched);
  std::vector<std::uint32_t> slots;
  const std::size_t network_count = policies_->network_policies.size();
  const auto for_each_slot = [&](PolicyNumber number, auto visit) {
    const Part& part = parts_[number.index()];
    for (const Direction direction : kDirections) {
      if (part.has_segment[static_cast<std::size_t>(direction)]) {
        const std::uint32_t slot = slot_for(part, number, direction);
        visit(slots_[slot].policies);
        slots.push_back(slot);
      }
    }
  };
  for (const PolicyNumber number : touched) {
    const PolicyIndex place = place_of(number);
    Part part = !place.is_valid() ? Part()
                : place.index() < network_count
                    ? rules_.compile(number, policies_->network_policies[place.index()])
                    : rules_.compile(number, policies_->admin_policies[place.index() - network_count]);
    if (part == parts_[number.index()]) {
      continue;
    }
    for_each_slot(number, [&](std::vector<PolicyNumber>& policies) { std::erase(policies, number); });
    parts_[number.index()] = std::move(part);
    for_each_slot(number, [&](std::vector<PolicyNumber>& policies) {
      policies.insert(std::upper_bound(policies.begin(), policies.end(), number,
                                       [this](PolicyNumber a, PolicyNumber b) { return is_before(a, b); }),
                      number);
    });
  }
  sort_unique(slots);
  std::vector<Replaced> replaced;
  for (const std::uint32_t s : slots) {
    Slot& slot = slots_[s];
    const SegmentId was = slot.now;
    if (slot.earlier.size() > kMostEarlier) {
      slot.earlier.erase(slot.earlier.begin());
    }
    if (was.is_valid() && std::find(slot.earlier.begin(), slot.earlier.end(), was) == slot.earlier.end()) {
      slot.earlier.push_back(was);
    }
    slot.now = slot.policies.empty() ? SegmentId() : build_segment(slot);
    if (slot.now != was) {
      replaced.push_back({.slot = s, .before = was, .now = slot.now});
    }
  }
  return replaced;
}

/// Fills `split` with the upper parts of atoms that new boundaries split.
void Compiler::split_atoms(View& before, View& view, std::vector<AddressRange>& split) {
  Atoms atoms = before.addresses->atoms;
  const std::size_t count = atoms.size();
  for (; atom_blocks_ < out_.block_count(); ++atom_blocks_) {
    atoms.add(out_.ranges_of_block(static_cast<std::uint32_t>(atom_blocks_)));
  }
  atoms.finish();
  if (atoms.size() == count) {
    view.addresses.take(before.addresses);
    return;
  }
  const std::size_t known = out_.atom_starts.size();
  view.addresses = Handed<Addresses>(make_addresses(atoms));
  for (std::uint32_t atom = 0; atom < atoms.size(); ++atom) {
    if (view.addresses->numbers[atom] >= known) {
      split.push_back(atoms.range(AtomId(atom)));
    }
  }
}

/// Groups of the classes whose namespaces have another segment, and of new classes: as their origins, or from nothing.
void Compiler::regroup(std::span<const Replaced> replaced, std::vector<bool>& is_touched) {
  std::vector<std::uint32_t> without_origin;
  for (std::uint32_t c = static_cast<std::uint32_t>(groups_by_class_.size()); c < out_.classes.size(); ++c) {
    const ClassId origin = origins_[c + origins_.size() - out_.classes.size()];
    const std::array groups = origin.is_valid() ? groups_by_class_[origin.index()] : std::array<GroupId, 2>();
    groups_by_class_.push_back(groups);
    if (origin.is_valid()) {
      classes_by_namespace_[out_.classes[c].name_space].push_back(c);
    } else {
      without_origin.push_back(c);
    }
  }
  std::vector<bool> sees_all(is_touched.size(), false);  // an admin policy's subject
  std::vector<std::pair<std::uint32_t, Replaced>> by_namespace;
  std::vector<Replaced> admins;
  const auto touch = [&](const Segment& segment) {
    const std::span<const std::uint32_t> spaces = out_.namespace_sets[segment.namespaces];
    for (std::size_t i = 0; i < spaces.size(); i += 2) {
      std::fill(sees_all.begin() + spaces[i], sees_all.begin() + spaces[i + 1], true);
    }
  };
  for (const Replaced& one : replaced) {
    if (slots_[one.slot].name_space != kNone) {
      by_namespace.emplace_back(slots_[one.slot].name_space, one);
      continue;
    }
    admins.push_back(one);
    for (const SegmentId id : {one.before, one.now}) {
      if (id.is_valid()) {
        touch(out_.segments[id.index()]);
      }
    }
  }
  std::stable_sort(by_namespace.begin(), by_namespace.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::size_t at = 0;
  for (std::uint32_t n = 0; n < is_touched.size() && !replaced.empty(); ++n) {
    std::vector<Replaced> here = sees_all[n] ? admins : std::vector<Replaced>();
    for (; at < by_namespace.size() && by_namespace[at].first == n; ++at) {
      here.push_back(by_namespace[at].second);
    }
    if (!here.empty()) {
      is_touched[n] = true;
      RegroupMemo memo;
      for (const std::uint32_t id : classes_by_namespace_[n]) {
        regroup_class(id, here, memo);
      }
    }
  }
  for (const std::uint32_t c : without_origin) {
    classes_by_namespace_[out_.classes[c].name_space].push_back(c);
    groups_by_class_[c] = groups_from_nothing(ClassId(c));
  }
}

bool Compiler::selects(const Segment& segment, ClassId id) const {
  return (segment.tier == Tier::network_policy ||
          is_inside(out_.namespace_sets[segment.namespaces], out_.classes[id.index()].name_space)) &&
         out_.selectors.matches(segment.subject, out_.labels_of(id));
}

/// `memo` is of one namespace: classes of one group that gain the same segments have one group again.
void Compiler::regroup_class(std::uint32_t id, std::span<const Replaced> replaced, RegroupMemo& memo) {
  if (replaced.size() > kMostReplaced) {
    groups_by_class_[id] = groups_from_nothing(ClassId(id));
    return;
  }
  for (const Direction direction : kDirections) {
    GroupId& group = groups_by_class_[id][static_cast<std::size_t>(direction)];
    std::uint32_t gains = 0;
    for (std::size_t i = 0; i < replaced.size(); ++i) {
      const SegmentId now = replaced[i].now;
      if (slots_[replaced[i].slot].direction == direction && now.is_valid() &&
          selects(out_.segments[now.index()], ClassId(id))) {
        gains |= 1u << i;
      }
    }
    const std::uint32_t named = out_.classes[id].named_ports.value();
    const auto [known, is_new] = memo.try_emplace(std::tuple(direction, group, named, gains), GroupId());
    if (is_new) {
      known->second = group_after(direction, group, named, replaced, gains);
    }
    group = known->second;
  }
}

GroupId Compiler::group_after(Direction direction, GroupId group, std::uint32_t named,
                              std::span<const Replaced> replaced, std::uint32_t gains) {
  Words segments;
  if (group.is_valid()) {
    const auto all = out_.group_contents[out_.groups[group.index()].content].subspan(2);
    segments.assign(all.begin(), all.end());
  }
  for (std::size_t i = 0; i < replaced.size(); ++i) {
    if (replaced[i].before.is_valid()) {
      std::erase(segments, replaced[i].before.value());
    }
  }
  for (std::size_t i = 0; i < replaced.size(); ++i) {
    if ((gains >> i & 1u) != 0) {
      segments.push_back(replaced[i].now.value());
    }
  }
  sort_for_evaluation(segments);
  return group_of(direction, segments, named);
}

std::array<GroupId, 2> Compiler::groups_from_nothing(ClassId id) {
  std::array<Words, 2> found;
  const auto consider = [&](std::uint32_t s) {
    const SegmentId now = slots_[s].now;
    if (now.is_valid() && selects(out_.segments[now.index()], id)) {
      found[static_cast<std::size_t>(slots_[s].direction)].push_back(now.value());
    }
  };
  const std::uint32_t named = out_.classes[id.index()].named_ports.value();
  for (const std::uint32_t s : slots_by_namespace_[out_.classes[id.index()].name_space]) {
    consider(s);
  }
  for (const std::uint32_t s : admin_slots_) {
    consider(s);
  }
  std::array<GroupId, 2> groups;
  for (const Direction direction : kDirections) {
    const auto d = static_cast<std::size_t>(direction);
    sort_for_evaluation(found[d]);
    groups[d] = group_of(direction, found[d], named);
  }
  return groups;
}

/// Admin tier by place, NetworkPolicies by number, baseline tier by place.
void Compiler::sort_for_evaluation(Words& segments) const {
  const auto rank = [this](std::uint32_t s) {
    const Segment& segment = out_.segments[s];
    const bool is_admin = segment.tier != Tier::network_policy;
    return std::pair(segment.tier, is_admin ? place_of(segment.policies.front()).value() : s);
  };
  std::sort(segments.begin(), segments.end(), [&](std::uint32_t a, std::uint32_t b) { return rank(a) < rank(b); });
}

void Compiler::index_namespaces() {
  if (is_indexed_) {
    return;
  }
  is_indexed_ = true;
  slots_by_namespace_.resize(cluster_->namespaces.size());
  classes_by_namespace_.resize(cluster_->namespaces.size());
  pods_by_namespace_.resize(cluster_->namespaces.size());
  for (std::uint32_t s = 0; s < slots_.size(); ++s) {
    (slots_[s].name_space != kNone ? slots_by_namespace_[slots_[s].name_space] : admin_slots_).push_back(s);
  }
  for (std::uint32_t c = 0; c < out_.classes.size(); ++c) {
    classes_by_namespace_[out_.classes[c].name_space].push_back(c);
  }
  for (std::size_t p = 0; p < cluster_->pods.size(); ++p) {
    const cluster::PodShape& shape = cluster_->shapes[cluster_->pods[p].shape.index()];
    pods_by_namespace_[shape.name_space.index()].emplace_back(p);
  }
}

}  // namespace podwire::policy
