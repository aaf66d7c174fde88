// Clusters from manifests written in the test.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "sim/config/render.hpp"

namespace podwire::cluster::testing {

/// Layers of YAML and what became of them.
struct Loaded {
  SourceMap sources;
  ObjectStore store;
  Diagnostics diagnostics;

  explicit Loaded(std::initializer_list<std::string> layers) {
    int number = 0;
    for (const std::string& text : layers) {
      store.add_layer(sources, {.path = "-", .shown_as = "layer" + std::to_string(number++), .text = text, .span = {}},
                      {}, diagnostics);
    }
  }
  std::string rendered(const Diagnostics& shown) const { return config::render(shown, sources, {.short_form = true}); }
};

/// A cluster that must build; failing that the test fails and an empty one is returned.
inline Cluster cluster_of(std::initializer_list<std::string> layers, const ClusterOptions& options = {},
                          Diagnostics* warnings = nullptr) {
  Loaded loaded(layers);
  EXPECT_FALSE(loaded.diagnostics.has_errors()) << loaded.rendered(loaded.diagnostics);
  auto result = build_cluster(loaded.store, options);
  if (!result) {
    ADD_FAILURE() << loaded.rendered(result.diagnostics());
    return {};
  }
  if (warnings != nullptr) {
    *warnings = result.diagnostics();
  }
  return std::move(result).value();
}

/// The codes of the errors and warnings that loading and building give, in order.
inline std::vector<std::string> codes_of(std::initializer_list<std::string> layers,
                                         const ClusterOptions& options = {}) {
  Loaded loaded(layers);
  if (!loaded.diagnostics.has_errors()) {
    loaded.diagnostics.append(build_cluster(loaded.store, options).diagnostics());
  }
  std::vector<std::string> codes;
  for (const Diagnostic& diagnostic : loaded.diagnostics.all()) {
    codes.push_back(diagnostic.code);
  }
  return codes;
}

inline const Workload& workload(const Cluster& cluster, std::string_view name_space, WorkloadKind kind,
                                std::string_view name) {
  const WorkloadId id = cluster.find_workload(cluster.find_namespace(name_space), kind, name);
  PODWIRE_CHECK(id.is_valid(), "test", "the workload exists");
  return cluster.workloads[id.index()];
}

inline const Service& service(const Cluster& cluster, std::string_view name_space, std::string_view name) {
  const ServiceId id = cluster.find_service(cluster.find_namespace(name_space), name);
  PODWIRE_CHECK(id.is_valid(), "test", "the Service exists");
  return cluster.services[id.index()];
}

inline std::vector<std::string> workload_names(const Cluster& cluster) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < cluster.workloads.size(); ++i) {
    names.push_back(cluster.workload_name(WorkloadId(i)));
  }
  return names;
}

/// A label's value on a pod, or "" without it.
inline std::string label_of(const Cluster& cluster, PodId pod, std::string_view key) {
  const StringId id = cluster.strings.find(key);
  const StringId value = id.is_valid() ? cluster.label_sets.value(cluster.shape(pod).labels, id) : StringId::none();
  return value.is_valid() ? std::string(cluster.strings[value]) : std::string();
}

/// A Deployment in namespace `shop`, labelled app=NAME, with one container that declares 8080.
inline std::string deployment(const std::string& name, int replicas = 1, const std::string& spec_lines = "") {
  return "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", namespace: shop}\nspec:\n" +
         "  replicas: " + std::to_string(replicas) + "\n  selector: {matchLabels: {app: " + name + "}}\n" +
         "  template:\n    metadata: {labels: {app: " + name + "}}\n    spec:\n" + spec_lines +
         "      containers: [{name: main, ports: [{containerPort: 8080, name: http}]}]\n";
}

/// A Node object; `more` are further lines of spec, indented by two.
inline std::string node(const std::string& name, const std::string& labels = "{}", const std::string& more = "") {
  return "---\napiVersion: v1\nkind: Node\nmetadata: {name: " + name + ", labels: " + labels + "}\nspec:\n" +
         (more.empty() ? "  providerID: none\n" : more);
}

}  // namespace podwire::cluster::testing
