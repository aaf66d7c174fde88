// The first state of a history, compiled whole: parts, segments, atoms, classes, groups, pods. Work is done once a
// shape and once a class, never once a (policy, pod): segments are found for a class through an index by namespace and
// by the rarest label their subject selector asks for, and once for all classes of a namespace that subject selectors
// cannot tell apart.
#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "models/policy/compiler.hpp"
#include "sim/base/check.hpp"

namespace podwire::policy {

namespace {

constexpr std::uint32_t kNone = Compiled::kNone;

/// Finds the segments that may select a class.
class SegmentFinder {
 public:
  SegmentFinder(const Compiled& compiled, std::size_t namespaces) : compiled_(compiled) {
    LabelCounts counts;
    for (std::uint32_t c = 0; c < compiled.classes.size(); ++c) {
      compiled.for_each_read_label(ClassId(c), [&](const cluster::Label& label) { counts.add(label); });
    }
    for (std::uint32_t s = 0; s < compiled.segments.size(); ++s) {
      const Segment& segment = compiled.segments[s];
      compiled.selectors.for_each_key(segment.subject, [this](cluster::StringId key) { keys_.push_back(key); });
      if (segment.tier != Tier::network_policy) {
        add_admin(s, namespaces);
        continue;
      }
      std::vector<cluster::Label> entrances = compiled.selectors.entrances(segment.subject, counts);
      if (entrances.empty()) {
        entrances.emplace_back();
      }
      for (const cluster::Label& label : entrances) {
        index_.add(label, segment.name_space.value(), s);
      }
    }
    index_.finish();
    std::sort(keys_.begin(), keys_.end());
    keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
  }

  /// The class's namespace and its labels as far as subject selectors read them.
  void describe(ClassId id, std::vector<std::uint32_t>& words) const {
    words = {compiled_.classes[id.index()].name_space};
    for (const cluster::Label& label : compiled_.labels_of(id)) {
      if (std::binary_search(keys_.begin(), keys_.end(), label.key)) {
        words.insert(words.end(), {label.key.value(), label.value.value()});
      }
    }
  }

  /// The segments that select the class, ascending, by direction.
  std::array<std::vector<std::uint32_t>, 2> find(ClassId id) const {
    std::array<std::vector<std::uint32_t>, 2> found;
    const std::uint32_t name_space = compiled_.classes[id.index()].name_space;
    const std::span<const cluster::Label> labels = compiled_.labels_of(id);
    const auto consider = [&](std::uint32_t, std::uint32_t s) {
      const Segment& segment = compiled_.segments[s];
      if (compiled_.selectors.matches(segment.subject, labels)) {
        found[static_cast<std::size_t>(segment.direction)].push_back(s);
      }
    };
    index_.for_each({}, name_space, name_space + 1, consider);
    compiled_.for_each_read_label(
        id, [&](const cluster::Label& label) { index_.for_each(label, name_space, name_space + 1, consider); });
    if (!admin_.empty()) {
      for (const std::uint32_t s : admin_[name_space]) {
        consider(0, s);
      }
    }
    std::sort(found[0].begin(), found[0].end());
    std::sort(found[1].begin(), found[1].end());
    return found;
  }

 private:
  /// Subjects of admin policies are namespaces first: each namespace knows the segments that may select its pods.
  void add_admin(std::uint32_t s, std::size_t namespaces) {
    admin_.resize(namespaces);
    const std::span<const std::uint32_t> spaces = compiled_.namespace_sets[compiled_.segments[s].namespaces];
    for (std::size_t i = 0; i < spaces.size(); i += 2) {
      for (std::uint32_t n = spaces[i]; n < spaces[i + 1]; ++n) {
        admin_[n].push_back(s);
      }
    }
  }

  const Compiled& compiled_;
  LabelIndex index_;
  std::vector<std::vector<std::uint32_t>> admin_;  // by namespace; empty: there are none
  std::vector<cluster::StringId> keys_;            // that subject selectors read, sorted
};

}  // namespace

View Compiler::first(const cluster::Cluster& cluster, const PolicySet& policies, const DomainTable* names) {
  cluster_ = &cluster;
  policies_ = &policies;
  names_ = names;
  View view;
  view.places = Handed<std::vector<PolicyIndex>>(std::vector<PolicyIndex>());
  places_ = &*view.places;
  check_order();
  rules_.look_at(cluster, names);
  compile_parts();
  make_segments();
  Atoms atoms;
  for (; atom_blocks_ < out_.block_count(); ++atom_blocks_) {
    atoms.add(out_.ranges_of_block(static_cast<std::uint32_t>(atom_blocks_)));
  }
  atoms.finish();
  view.addresses = Handed<Addresses>(make_addresses(atoms));
  mark_keys();
  take_up_port_names();
  for (std::uint32_t n = 0; n < cluster.namespaces.size(); ++n) {
    keyed_version_.push_back(class_version(n));
  }
  for (std::size_t s = 0; s < cluster.shapes.size(); ++s) {
    class_by_shape_.push_back(classify(cluster::ShapeId(s)));
  }
  make_groups();
  make_view(view);
  return view;
}

void Compiler::check_order() const {
  const std::vector<NetworkPolicy>& all = policies_->network_policies;
  const bool is_sorted = std::is_sorted(all.begin(), all.end(), [](const NetworkPolicy& a, const NetworkPolicy& b) {
    return std::tie(a.name_space, a.name) < std::tie(b.name_space, b.name);
  });
  PODWIRE_CHECK(is_sorted, "policy", "a policy set is sorted by namespace and name");
  PODWIRE_CHECK(std::is_sorted(policies_->admin_policies.begin(), policies_->admin_policies.end(), precedes), "policy",
                "the admin policies of a set stand in the order of evaluation");
}

/// Numbers are indices here.
void Compiler::compile_parts() {
  const std::size_t count = policies_->network_policies.size() + policies_->admin_policies.size();
  parts_.reserve(count);
  for (const NetworkPolicy& policy : policies_->network_policies) {
    network_numbers_.emplace_back(parts_.size());
    parts_.push_back(rules_.compile(network_numbers_.back(), policy));
  }
  for (const AdminPolicy& policy : policies_->admin_policies) {
    admin_numbers_.emplace_back(parts_.size());
    parts_.push_back(rules_.compile(admin_numbers_.back(), policy));
  }
}

/// Numbered in the order of evaluation, so that a group's ascending list is in order.
void Compiler::make_segments() {
  const auto add_admin = [this](Tier tier) {
    for (const PolicyNumber number : admin_numbers_) {
      for (const Direction direction : kDirections) {
        const Part& part = parts_[number.index()];
        if (part.tier == tier && part.has_segment[static_cast<std::size_t>(direction)]) {
          Slot& slot = slots_[slot_for(part, number, direction)];
          slot.policies = {number};
          slot.now = build_segment(slot);
        }
      }
    }
  };
  add_admin(Tier::admin);
  const std::size_t first = slots_.size();
  for (const PolicyNumber number : network_numbers_) {
    for (const Direction direction : kDirections) {
      const Part& part = parts_[number.index()];
      if (part.has_segment[static_cast<std::size_t>(direction)]) {
        slots_[slot_for(part, number, direction)].policies.push_back(number);
      }
    }
  }
  for (std::size_t s = first; s < slots_.size(); ++s) {
    slots_[s].now = build_segment(slots_[s]);
  }
  add_admin(Tier::baseline);
}

void Compiler::make_groups() {
  struct Selected {
    std::array<Words, 2> segments;  // by direction
    std::uint32_t named = kNone;    // with which these were found last
    std::array<GroupId, 2> groups;
  };
  const SegmentFinder finder(out_, cluster_->namespaces.size());
  WordTable kinds;  // of classes, as subject selectors see them
  std::vector<Selected> selected;
  groups_by_class_.resize(out_.classes.size());
  for (std::uint32_t c = 0; c < out_.classes.size(); ++c) {
    finder.describe(ClassId(c), row_);
    const auto [kind, is_new] = kinds.intern(row_);
    const std::uint32_t named = out_.classes[c].named_ports.value();
    if (is_new) {
      selected.push_back({.segments = finder.find(ClassId(c)), .groups = {}});
    }
    Selected& its = selected[kind];
    if (is_new || its.named != named) {
      its.named = named;
      for (const Direction direction : kDirections) {
        const auto d = static_cast<std::size_t>(direction);
        its.groups[d] = group_of(direction, its.segments[d], named);
      }
    }
    groups_by_class_[c] = its.groups;
  }
}

void Compiler::make_view(View& view) {
  view.pods.start(cluster_->pods.size());
  for (std::size_t p = 0; p < cluster_->pods.size(); ++p) {
    view.pods.set(p, entry_of(cluster::PodId(p), *view.addresses));
  }
}

}  // namespace podwire::policy
