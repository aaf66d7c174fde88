// What keeps a history of states compiled: content grows in `Compiled`, and each state gets a View.
//
//   policy ─→ part (rule_compiler.hpp) ─→ slot: a place for the segment of all policies with its key
//   pod shape ─→ class ─→ groups
//
// first() compiles a state whole, work done once a shape, once a class and once a policy. next() makes the view of the
// state that follows: parts of the policies that differ, their slots' segments, the groups of the classes these select,
// and the pods of those classes. Selectors that read another label, names of ports that no rule used, blocks that split
// an atom and strings that become known touch the pods (or policies) concerned and no others. Nothing is taken back: a
// label once read goes on to split classes, which costs room and changes no verdict.
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "models/policy/compiled.hpp"
#include "models/policy/difference.hpp"
#include "models/policy/read_keys.hpp"
#include "models/policy/rule_compiler.hpp"

namespace podwire::policy {

/// How a named port is kept in Compiled::named_ports.
inline std::uint32_t named_target(IpProtocol protocol, Port port) {
  return static_cast<std::uint32_t>(protocol) << 16 | port.number();
}

class Compiler {
 public:
  Compiler(Compiled& out, const cni::PolicySemantics& semantics);

  /// The first state. O(policies + shapes + pods + classes × segments that may select each).
  View first(const cluster::Cluster& cluster, const PolicySet& policies, const DomainTable* names);

  /// The state after the newest one, whose view is `before`. The cluster is a later snapshot of the same pods;
  /// `changes` names every policy that differs. O(what differs + pods of the namespaces whose pods it concerns), and a
  /// scan of all pods where the cluster, a label that selectors read, or an atom is new.
  View next(View& before, const cluster::Cluster& cluster, const PolicySet& policies, const DomainTable* names,
            const PolicyChanges& changes);

  /// The peer that a Service's address is where it is seen as such: rules of selectors open it by the Service's own
  /// selector. Of any state of the history, after it was compiled. O(ports that such rules name × backends).
  PeerId service_peer(const cluster::Cluster& cluster, const cluster::Service& service, const Addresses& addresses);

  std::size_t memory_bytes() const;

 private:
  using Words = std::vector<std::uint32_t>;

  /// The segment of the policies that share direction, namespace and subject; of an admin policy, its own.
  struct Slot {
    Direction direction = Direction::ingress;
    std::uint32_t name_space = Compiled::kNone;  // none: an admin policy's
    std::vector<PolicyNumber> policies;          // in the order of their names
    SegmentId now;                               // none: there are no policies
    std::vector<SegmentId> earlier;              // what it was: taken again where it is the same again
  };
  /// A slot whose segment is another one now.
  struct Replaced {
    std::uint32_t slot = 0;
    SegmentId before;
    SegmentId now;
  };

  // compile.cpp: the first state
  void check_order() const;
  void compile_parts();
  void make_segments();
  void make_groups();
  void make_view(View& view);

  // compiler.cpp, classes.cpp: what both need
  std::uint32_t slot_for(const Part& part, PolicyNumber number, Direction direction);
  SegmentId build_segment(const Slot& slot);
  void deduplicate(Segment& segment) const;
  bool is_before(PolicyNumber a, PolicyNumber b) const { return place_of(a) < place_of(b); }
  PolicyIndex place_of(PolicyNumber number) const {
    return places_->empty() ? PolicyIndex(number.value()) : (*places_)[number.index()];
  }
  Addresses make_addresses(const Atoms& atoms);
  void make_node_peers(Addresses& addresses);
  bool is_stranger(const cluster::PodShape& shape) const {
    return shape.is_host_network && semantics_.host_network_is_node;
  }
  bool is_finished(const cluster::Pod& pod) const {
    return pod.phase == cluster::PodPhase::succeeded || pod.phase == cluster::PodPhase::failed;
  }
  ReadKeys::Added mark_keys();
  ClassId classify(cluster::ShapeId shape);
  void describe(std::uint32_t name_space, std::span<const cluster::Label> labels, NamedPortsId named);
  void find_known_classes(std::uint32_t name_space);
  std::uint32_t class_version(std::uint32_t name_space) const {
    return read_keys_.version(name_space) + static_cast<std::uint32_t>(rules_.used_port_names());
  }
  std::uint32_t label_row_of(cluster::LabelSetId id);
  NamedPortsId named_ports_of(cluster::TemplateId id);
  bool take_up_port_names();
  std::uint32_t used_names_of(NamedPortsId named);
  GroupId group_of(Direction direction, std::span<const std::uint32_t> segments, std::uint32_t named);
  TierListId tier_list_of(const Group& group, std::span<const std::uint32_t> segments);
  PodEntry entry_of(cluster::PodId id, const Addresses& addresses);

  // classes.cpp: the next state
  void reclassify(std::vector<bool>& is_other_class);
  bool differs_from_class(const cluster::PodShape& shape, ClassId id, const ReadKeys::Added& keys, bool has_new_names);

  // recompile.cpp: the next state
  std::vector<PolicyNumber> renumber(const PolicySet& policies, const PolicyChanges& changes, View& before, View& view);
  bool renumber_network_policies(const PolicySet& policies, const PolicyChanges& changes,
                                 std::vector<PolicyNumber>& touched);
  bool renumber_admin_policies(const PolicySet& policies, const PolicyChanges& changes,
                               std::vector<PolicyNumber>& touched);
  PolicyNumber new_number();
  std::vector<cluster::NamespaceId> relabelled_namespaces(const cluster::Cluster& after) const;
  void add_dependants(std::span<const cluster::NamespaceId> relabelled, bool has_other_names,
                      std::vector<PolicyNumber>& touched);
  std::vector<Replaced> recompile_policies(std::vector<PolicyNumber> touched);
  void split_atoms(View& before, View& view, std::vector<AddressRange>& split);
  void regroup(std::span<const Replaced> replaced, std::vector<bool>& is_touched);
  using RegroupMemo = std::map<std::tuple<Direction, GroupId, std::uint32_t, std::uint32_t>, GroupId>;
  void regroup_class(std::uint32_t id, std::span<const Replaced> replaced, RegroupMemo& memo);
  GroupId group_after(Direction direction, GroupId group, std::uint32_t named, std::span<const Replaced> replaced,
                      std::uint32_t gains);
  std::array<GroupId, 2> groups_from_nothing(ClassId id);
  bool selects(const Segment& segment, ClassId id) const;
  void regroup_pod(View& view, cluster::PodId pod) const;
  void sort_for_evaluation(Words& segments) const;
  void index_namespaces();

  Compiled& out_;
  const cni::PolicySemantics semantics_;
  RuleCompiler rules_;
  const cluster::Cluster* cluster_ = nullptr;  // of the newest state, as are the policies
  const PolicySet* policies_ = nullptr;
  const DomainTable* names_ = nullptr;

  // Policies. By number:
  std::vector<Part> parts_;
  const std::vector<PolicyIndex>* places_ = nullptr;  // of the view in the making
  // by index:
  std::vector<PolicyNumber> network_numbers_;
  std::vector<PolicyNumber> admin_numbers_;
  // not in force:
  std::map<std::pair<std::string, std::string>, PolicyNumber> gone_network_;
  std::map<std::pair<AdminKind, std::string>, PolicyNumber> gone_admin_;

  // Segments.
  WordTable slot_keys_;  // direction, namespace, subject; of admin policies 2 + direction, number
  std::vector<Slot> slots_;

  // Classes.
  ReadKeys read_keys_;
  std::size_t marked_rules_ = 0;
  std::size_t marked_segments_ = 0;
  std::vector<NamedPortsId> names_by_template_;
  WordTable used_names_;                         // named ports as far as rules use them
  std::vector<std::uint32_t> used_by_named_;     // of these, by NamedPortsId; none: not asked for
  std::size_t port_names_ = 0;                   // used when that was found out
  std::vector<std::uint32_t> row_by_label_set_;  // none: not asked for
  WordTable class_keys_;                         // what tells classes apart: namespace, version of what is read there,
                                                 // used names, labels under the keys that are read
  std::vector<ClassId> class_by_key_;
  std::vector<std::uint32_t> keyed_version_;  // by namespace: of the keys under which its classes are found
  std::vector<ClassId> class_by_shape_;
  std::vector<std::array<GroupId, 2>> groups_by_class_;
  std::vector<ClassId> origins_;  // of the classes that this state adds: the class of their pods before; or none
  std::size_t atom_blocks_ = 0;   // blocks whose boundaries are atoms'
  Words row_;                     // scratch
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs_;

  // By namespace, made for the first change.
  bool is_indexed_ = false;
  std::vector<std::vector<std::uint32_t>> slots_by_namespace_;
  std::vector<std::uint32_t> admin_slots_;
  std::vector<std::vector<std::uint32_t>> classes_by_namespace_;
  std::vector<std::vector<cluster::PodId>> pods_by_namespace_;
};

}  // namespace podwire::policy
