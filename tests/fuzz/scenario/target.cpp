// Scenario files in a folder of our own with manifests, policies and steps to name: loaded whole or
// refused with errors; nothing outside of the folder is ever read; the file written as JSON loads as the same scenario.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "app/scenario/load.hpp"
#include "sim/config/reader.hpp"
#include "tests/fuzz/oracle.hpp"

namespace podwire::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOutside = "what-lies-outside";
constexpr const char* kManifests = R"(
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: data}
spec:
  replicas: 1
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: i, ports: [{containerPort: 5432}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: data}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
)";
constexpr const char* kPolicy = R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
)";
constexpr const char* kStep = R"(
apiVersion: podwire/v1
kind: Step
delete: [shop/deployment/web]
)";

/// The folder around the file. It is left behind when the process is killed.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / fmt::format("podwire-fuzz-{}", ::getpid())) {
    fs::create_directories(path_ / "root/policies");
    write("outside.yaml", fmt::format("# {}\n", kOutside) + kPolicy);
    write("root/app.yaml", kManifests);
    write("root/policies/deny.yaml", kPolicy);
    write("root/step.yaml", kStep);
    fs::create_symlink(path_ / "outside.yaml", path_ / "root/link.yaml");
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  /// The scenario's path, once it says `text`.
  std::string scenario(const std::string& text) const {
    write("root/scenario.yaml", text);
    return (path_ / "root/scenario.yaml").string();
  }

 private:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  fs::path path_;
};

std::string describe(const scenario::Scenario& s) {
  const scenario::ScenarioFile& file = *s.file;
  std::string out = fmt::format("{} {} {} pods\n", s.name(), file.description,
                                s.clusters.empty() ? 0 : s.clusters.front()->cluster.pods.size());
  out += fmt::format("run {} {} {}\n", file.run.warmup.ps(), file.run.duration.ps(), file.run.seeds.size());
  for (const auto& state : s.clusters) {
    out += fmt::format("{} nodes, profile {}\n", state->cluster.nodes.size(), state->profile.name);
  }
  for (const scenario::PolicySetPlan& set : s.policy_sets) {
    out += fmt::format("{}: {} {} policies, {} workloads, {} expectations, timeline {}\n", set.name,
                       set.policies.network_policies.size(), set.policies.admin_policies.size(), set.workloads.size(),
                       set.expectations.size(), set.timeline != nullptr);
  }
  for (const scenario::WorkloadFile& w : file.workloads) {
    out += fmt::format("{} {} {} {} {}\n", w.spec.name, w.from.text, w.to.text, w.spec.timeout.ps(),
                       w.spec.response.count());
  }
  for (const scenario::EventFile& e : file.events) {
    out += fmt::format("{} {} {} {}\n", e.at.ps(), e.apply.size(), e.remove.size(), e.labels.size());
  }
  for (const scenario::ExpectationFile& e : file.expectations) {
    out += fmt::format("{} {} {} {}\n", e.from.text, e.to.text, e.workload.text, e.bounds.size());
  }
  return out;
}

/// Whether it asks for no more than an input of a second may cost; the limits themselves have tests of their own.
bool is_small(const std::string& text) {
  SourceMap sources;
  const Result<config::Document> document = config::parse_text(sources, "-", text, {.max_bytes = 1 << 16});
  if (!document) {
    return true;
  }
  for (const config::Node root : document->roots()) {
    scenario::Settings settings;
    Diagnostics ignored;
    const scenario::ScenarioFile file = scenario::read_scenario_file(root, settings, ignored);
    const cluster::ClusterOptions& options = file.cluster.options;
    if (options.node_count.value_or(0) > 60 || options.dns_replicas > 60) {
      return false;
    }
  }
  return true;
}

std::optional<scenario::Scenario> load(const Folder& folder, const std::string& text) {
  SourceMap sources;
  scenario::LoadOptions options;
  options.requires_scenario = true;
  const std::string path = folder.scenario(text);
  Result<scenario::Scenario> loaded = scenario::load(sources, {path}, options);
  check_result(loaded, sources, false);  // an empty input has no place
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const SourceId id(i);
    require(sources.name(id) == path || sources.text(id).find(kOutside) == std::string_view::npos,
            "a file outside of the folder was read: " + sources.name(id));
  }
  return loaded ? std::optional(std::move(loaded).value()) : std::nullopt;
}

void check(const std::string& text) {
  static const Folder folder;
  if (!is_small(text)) {
    return;
  }
  const std::optional<scenario::Scenario> loaded = load(folder, text);
  if (!loaded) {
    return;
  }
  require(!loaded->policy_sets.empty() && !loaded->clusters.empty(), "something to play was loaded");
  SourceMap sources;
  const Result<config::Document> document = config::parse_text(sources, "-", text);
  const config::Node root = document->roots().front();
  if (has_bare_letter(root)) {
    return;
  }
  const std::string json = json_of(*document, true);
  const std::optional<scenario::Scenario> again = load(folder, json);
  require(again.has_value(), "the JSON form of an accepted scenario is accepted: " + json);
  require(describe(*again) == describe(*loaded),
          "the JSON form loads otherwise:\n" + describe(*loaded) + "\nJSON:\n" + describe(*again));
}

}  // namespace
}  // namespace podwire::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 16'384) {
    podwire::fuzz::check(podwire::fuzz::text_of(data, size));
  }
  return 0;
}
