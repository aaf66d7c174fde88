// Classes of pods: what selectors and rules cannot tell apart. A class is described by one of its pods, the model, with
// all of its labels and named ports; so a key or a port name that is read for the first time concerns those pods alone
// that differ from their class's model under it. Most clusters have none: the pods of a workload are alike.
//
// Content never changes: a class keeps its model, and whatever was found out about it was found out by keys under which
// all of its pods agreed then. Left out: putting classes together again when a key is no longer read.
#include <algorithm>

#include "models/policy/compiler.hpp"

namespace podwire::policy {

namespace {

constexpr std::uint32_t kNone = Compiled::kNone;

}  // namespace

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
  out_.is_key_read.resize(cluster_->strings.size(), false);
  for (const auto& [where, key] : added) {
    out_.is_key_read[key.index()] = true;
  }
  return added;
}

/// The class of a shape, known or new. Classes are found by what is read of them; after another key is read, those of a
/// namespace are entered again when first one of its shapes is asked about.
ClassId Compiler::classify(cluster::ShapeId id) {
  const cluster::PodShape& shape = cluster_->shapes[id.index()];
  if (is_stranger(shape)) {
    return {};
  }
  const std::uint32_t name_space = shape.name_space.value();
  if (keyed_version_[name_space] != class_version(name_space)) {
    find_known_classes(name_space);
  }
  const NamedPortsId named = named_ports_of(shape.pod_template);
  describe(name_space, cluster_->label_sets[shape.labels], named);
  const auto [key, is_new] = class_keys_.intern(row_);
  if (is_new) {
    class_by_key_.emplace_back(out_.classes.size());
    out_.classes.push_back({.name_space = name_space, .label_row = label_row_of(shape.labels), .named_ports = named});
  }
  return class_by_key_[key];
}

/// Fills `row_` with what tells classes apart.
void Compiler::describe(std::uint32_t name_space, std::span<const cluster::Label> labels, NamedPortsId named) {
  row_.assign({name_space, class_version(name_space), used_names_of(named)});
  for (const cluster::Label& label : labels) {
    if (read_keys_.contains(name_space, label.key)) {
      row_.insert(row_.end(), {label.key.value(), label.value.value()});
    }
  }
}

void Compiler::find_known_classes(std::uint32_t name_space) {
  keyed_version_[name_space] = class_version(name_space);
  for (const std::uint32_t c : classes_by_namespace_[name_space]) {
    describe(name_space, out_.labels_of(ClassId(c)), out_.names_of(ClassId(c)));
    if (class_keys_.intern(row_).is_new) {
      class_by_key_.emplace_back(c);
    }
  }
}

std::uint32_t Compiler::label_row_of(cluster::LabelSetId id) {
  if (id.index() >= row_by_label_set_.size()) {
    row_by_label_set_.resize(cluster_->label_sets.size(), kNone);
  }
  std::uint32_t& row = row_by_label_set_[id.index()];
  if (row == kNone) {
    row = out_.add_label_row(cluster_->label_sets[id]);
  }
  return row;
}

/// The named ports of a template, whether rules use the names or not. Of a name that repeats for a protocol the first
/// counts, as in Kubernetes (pkg/api/v1/pod FindPort).
NamedPortsId Compiler::named_ports_of(cluster::TemplateId id) {
  if (!id.is_valid()) {
    return NamedPortsId(out_.named_ports.intern({}).id);
  }
  if (id.index() >= names_by_template_.size()) {
    names_by_template_.resize(cluster_->templates.size());
  }
  NamedPortsId& known = names_by_template_[id.index()];
  if (known.is_valid()) {
    return known;
  }
  pairs_.clear();
  for (const cluster::ContainerPort& port : cluster_->templates[id.index()].ports) {
    if (port.name.empty()) {
      continue;
    }
    const std::uint32_t name = rules_.intern_port_name(port.name);
    const bool repeats = std::any_of(pairs_.begin(), pairs_.end(), [&](const auto& pair) {
      return pair.first == name && pair.second >> 16 == static_cast<std::uint32_t>(port.protocol);
    });
    if (!repeats) {
      pairs_.emplace_back(name, named_target(port.protocol, port.number));
    }
  }
  std::sort(pairs_.begin(), pairs_.end());
  row_.clear();
  for (const auto& [name, target] : pairs_) {
    row_.insert(row_.end(), {name, target});
  }
  known = NamedPortsId(out_.named_ports.intern(row_).id);
  return known;
}

/// Whether rules use names of ports that they did not use before.
bool Compiler::take_up_port_names() {
  if (port_names_ == rules_.used_port_names()) {
    return false;
  }
  port_names_ = rules_.used_port_names();
  used_by_named_.clear();
  return true;
}

/// The named ports as far as rules use them.
std::uint32_t Compiler::used_names_of(NamedPortsId named) {
  if (named.index() >= used_by_named_.size()) {
    used_by_named_.resize(out_.named_ports.size(), kNone);
  }
  std::uint32_t& known = used_by_named_[named.index()];
  if (known == kNone) {
    Words words;
    const std::span<const std::uint32_t> all = out_.named_ports[named.value()];
    for (std::size_t i = 0; i < all.size(); i += 2) {
      if (rules_.is_port_name_used(all[i])) {
        words.insert(words.end(), {all[i], all[i + 1]});
      }
    }
    known = used_names_.intern(words).id;
  }
  return known;
}

/// Whether the shape differs from its class's model under a key that is read from now on, or in a port name.
bool Compiler::differs_from_class(const cluster::PodShape& shape, ClassId id, const ReadKeys::Added& keys,
                                  bool has_new_names) {
  const PodClass& its = out_.classes[id.index()];
  if (has_new_names) {
    const NamedPortsId named = named_ports_of(shape.pod_template);
    if (named != its.named_ports && used_names_of(named) != used_names_of(its.named_ports)) {
      return true;
    }
  }
  if (label_row_of(shape.labels) == its.label_row) {
    return false;
  }
  const std::span<const cluster::Label> labels = out_.labels_of(id);
  const auto differs_where = [&](std::uint32_t where) {
    auto key = std::lower_bound(keys.begin(), keys.end(), std::pair(where, cluster::StringId(0u)));
    for (; key != keys.end() && key->first == where; ++key) {
      const auto found = std::find_if(labels.begin(), labels.end(),
                                      [&](const cluster::Label& label) { return label.key == key->second; });
      const cluster::StringId value = found == labels.end() ? cluster::StringId() : found->value;
      if (cluster_->label_sets.value(shape.labels, key->second) != value) {
        return true;
      }
    }
    return false;
  };
  return differs_where(its.name_space) || differs_where(ReadKeys::kEverywhere);
}

/// Classes of new shapes, and of those that a label or a port name which was not read before tells from their class's
/// model. Their new class remembers the one before: what selected that one and has not changed does not read what they
/// differ in.
void Compiler::reclassify(std::vector<bool>& is_other_class) {
  origins_.clear();
  ReadKeys::Added keys = mark_keys();
  std::sort(keys.begin(), keys.end());
  const bool has_new_names = take_up_port_names();
  const std::size_t known = class_by_shape_.size();
  class_by_shape_.resize(cluster_->shapes.size());
  for (std::size_t s = keys.empty() && !has_new_names ? known : 0; s < cluster_->shapes.size(); ++s) {
    const ClassId was = s < known ? class_by_shape_[s] : ClassId();
    if (s < known && (!was.is_valid() || !differs_from_class(cluster_->shapes[s], was, keys, has_new_names))) {
      continue;
    }
    const ClassId id = classify(cluster::ShapeId(s));
    if (id.is_valid() && id.index() == groups_by_class_.size() + origins_.size()) {
      origins_.push_back(was);
    }
    if (s < known && id != was) {
      is_other_class.resize(cluster_->shapes.size(), false);
      is_other_class[s] = true;
    }
    class_by_shape_[s] = id;
  }
}

}  // namespace podwire::policy
