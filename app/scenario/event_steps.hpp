// What one event does to one set of pods and policies, from names and replica counts alone: which pods come and go,
// which policies and labels it names. Internal to the planning of timelines (events.cpp).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/scenario/events.hpp"

namespace podwire::scenario {

/// An owner of pods, or a bare pod.
struct OwnerKey {
  std::string name_space;
  cluster::WorkloadKind kind = cluster::WorkloadKind::pod;
  std::string name;
  auto operator<=>(const OwnerKey&) const = default;
  /// "shop/deployment/web"
  std::string text() const;
};

/// Ordinals of an owner's pods that are there, in the order in which they came, and how many there ever were.
struct Replicas {
  std::vector<std::uint32_t> live;
  std::uint32_t ever = 0;
};

/// By namespace and name.
using ServiceKey = std::pair<std::string, std::string>;

/// What the events so far have made of a set's objects; those that none has touched are as the set began.
struct SetObjects {
  std::map<OwnerKey, Replicas> replicas;
  std::map<ServiceKey, bool> services;     // whether it is there
  std::map<std::string, bool> namespaces;  // likewise
};

/// What an event does to one set.
struct Steps {
  std::vector<std::pair<OwnerKey, std::uint32_t>> appear;
  std::vector<std::pair<OwnerKey, std::uint32_t>> disappear;
  std::vector<ServiceKey> services_appear;
  std::vector<ServiceKey> services_disappear;
  std::vector<const cluster::Object*> policies;
  std::vector<const cluster::Object*> pod_labels;        // bare pods applied again
  std::vector<const cluster::Object*> namespace_labels;  // namespaces applied
  std::vector<Text> deleted_policies;
  std::vector<std::string> deleted_namespaces;
  std::vector<std::string> texts;
};

/// The workload of that name; none when there is none.
cluster::WorkloadId find_owner(const cluster::Cluster& cluster, const OwnerKey& key);

/// "a/b/c" at its slashes.
std::vector<std::string_view> parts_of(std::string_view text);

/// Takes applied and deleted objects one after the other. What it is given must outlive it.
class StepTaker {
 public:
  /// `start`: what all sets begin with.
  StepTaker(const cluster::ObjectStore& base, const cluster::Cluster& start);

  bool is_at_start(const OwnerKey& key) const { return find_owner(start_, key).is_valid(); }
  std::uint32_t count_at_start(const OwnerKey& key) const;
  /// Whether a layer or an event so far has defined the object.
  bool knows(const std::string& full_name) const { return objects_.contains(full_name); }

  /// `word`: what the event does to it, "apply" or "patch". `set`: what there is of one set, which follows.
  void take_apply(const cluster::Object& object, std::string_view word, SetObjects& set, Steps& steps,
                  Diagnostics& problems);
  /// `cluster`: what the set began with.
  void take_delete(const Text& text, const cluster::Cluster& cluster, SetObjects& set, Steps& steps,
                   Diagnostics& problems) const;
  /// Whether the namespace that a label change names is there; true of other objects, of which it knows nothing.
  bool check_label(const Text& object, const SetObjects& set, Diagnostics& problems) const;

 private:
  Replicas& replicas_of(const OwnerKey& key, SetObjects& set) const;
  bool has_namespace(const std::string& name, const SetObjects& set) const;
  bool has_service(const ServiceKey& key, const SetObjects& set) const;
  void scale(const OwnerKey& key, std::uint32_t wanted, SetObjects& set, Steps& steps) const;
  /// Whether the object is what it was when it was first defined, but for what an event may change.
  bool is_as_first(const cluster::Object& object, std::string_view field, std::string_view help, Diagnostics& problems);
  void apply_service(const cluster::Object& object, std::string_view word, SetObjects& set, Steps& steps,
                     Diagnostics& problems);
  void delete_service(const ServiceKey& key, const Text& text, SetObjects& set, Steps& steps,
                      Diagnostics& problems) const;
  void delete_owned_pod(const Text& text, cluster::PodId pod, const cluster::Cluster& cluster, SetObjects& set,
                        Steps& steps, Diagnostics& problems) const;
  void delete_namespace(const std::string& name, const Text& text, const cluster::Cluster& cluster, SetObjects& set,
                        Steps& steps, Diagnostics& problems) const;

  const cluster::Cluster& start_;
  std::map<std::string, const cluster::Object*> objects_;  // as first defined, in a layer or by an event
};

}  // namespace podwire::scenario
