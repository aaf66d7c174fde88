// Manifests and dumps to a Cluster: refused with errors, or a cluster whose parts point at one another as they should,
// and which the same objects written as JSON give too; what Ingresses and routes let in is read or refused.
#include <algorithm>
#include <set>
#include <vector>

#include "models/analysis/entry_points.hpp"
#include "models/cluster/cluster.hpp"
#include "models/cluster/snapshot.hpp"
#include "tests/fuzz/oracle.hpp"

namespace podwire::fuzz {
namespace {

constexpr config::Limits kLimits{.max_bytes = 1 << 18, .max_depth = 60, .max_alias_nodes = 2'000, .max_documents = 200};

// Small, so that a manifest of a few bytes cannot ask for a large cluster.
cluster::ClusterOptions options_of(std::string_view text) {
  cluster::ClusterOptions options;
  options.max_pods = 300;
  options.max_nodes = 60;
  options.adds_dns = text.size() % 2 == 0;
  return options;
}

struct Built {
  SourceMap sources;
  cluster::ObjectStore store;
  std::optional<Result<cluster::Cluster>> cluster;

  explicit Built(const std::string& text, const cluster::ClusterOptions& options) {
    Diagnostics diagnostics;
    store.add_layer(sources, {.path = "-", .shown_as = "in.yaml", .text = text, .span = {}}, {.limits = kLimits},
                    diagnostics);
    check_diagnostics(diagnostics, sources);
    if (!diagnostics.has_errors()) {
      cluster.emplace(cluster::build_cluster(store, options));
      // What is wrong with the DNS that podwire adds stands nowhere.
      check_result(*cluster, sources, !options.adds_dns);
    }
  }
  bool is_accepted() const { return cluster && cluster->has_value(); }
  const cluster::Cluster& value() const { return **cluster; }
};

std::string labels_of(const cluster::Cluster& c, cluster::LabelSetId id) {
  std::vector<std::string> labels;
  for (const cluster::Label label : c.label_sets[id]) {
    labels.push_back(fmt::format("{}={}", c.strings[label.key], c.strings[label.value]));
  }
  std::sort(labels.begin(), labels.end());
  std::string out;
  for (const std::string& label : labels) {
    out += label + ",";
  }
  return out;
}

/// Everything that verdicts and packets depend on, without places.
std::string describe(const cluster::Cluster& c) {
  std::string out = fmt::format("{} {}\n", c.pod_cidr.to_string(), c.service_cidr.to_string());
  for (const cluster::Namespace& n : c.namespaces) {
    out += fmt::format("namespace {} {} {}\n", n.name, n.is_assumed, labels_of(c, n.labels));
  }
  for (const cluster::Node& n : c.nodes) {
    out += fmt::format("node {} {} {} {} {}\n", n.name, n.pod_cidr.to_string(), n.is_ready, n.cpu_cores,
                       labels_of(c, n.labels));
  }
  for (std::size_t p = 0; p < c.pods.size(); ++p) {
    const cluster::PodId id(p);
    const cluster::Pod& pod = c.pods[p];
    out += fmt::format("pod {} {} node {} {} {} {} {} ports", c.full_pod_name(id), c.workload_name(pod.workload),
                       pod.node.is_valid() ? static_cast<int>(pod.node.index()) : -1, pod.ip.to_string(),
                       static_cast<int>(pod.phase), pod.is_ready, labels_of(c, c.shape(id).labels));
    for (const cluster::ContainerPort& port : c.pod_template(id).ports) {
      out += fmt::format(" {}:{}/{}", port.name, port.number.number(), static_cast<int>(port.protocol));
    }
    out += '\n';
  }
  for (std::size_t s = 0; s < c.services.size(); ++s) {
    const cluster::Service& service = c.services[s];
    out += fmt::format("service {} {} {} {}\n", c.service_name(cluster::ServiceId(s)), static_cast<int>(service.type),
                       service.cluster_ip.to_string(), service.external_name);
    for (const cluster::ServicePort& port : service.ports) {
      out += fmt::format("  {} {}", port.name, port.port.number());
      for (const cluster::Backend& backend : port.backends) {
        out += fmt::format(" {}:{}{}", backend.ip.to_string(), backend.port.number(), backend.is_ready ? "" : "?");
      }
      out += '\n';
    }
  }
  for (const cluster::UnmodelledObject& object : c.unmodelled) {
    out += fmt::format("unmodelled {}\n", object.full_name);
  }
  for (const auto& [kind, count] : c.skipped_kinds) {
    out += fmt::format("skipped {} {}\n", kind, count);
  }
  return out;
}

void check_cluster(const cluster::Cluster& c) {
  require(std::is_sorted(c.namespaces.begin(), c.namespaces.end(),
                         [](const auto& a, const auto& b) { return a.name < b.name; }),
          "namespaces are sorted");
  require(c.pods.size() <= 300 && c.nodes.size() <= 60, "limits hold");
  std::set<IpAddress> taken;
  std::set<std::string> names;
  for (std::size_t p = 0; p < c.pods.size(); ++p) {
    const cluster::PodId id(p);
    const cluster::Pod& pod = c.pods[p];
    require(pod.shape.index() < c.shapes.size() && pod.workload.index() < c.workloads.size(), "pods have a shape");
    require(!pod.node.is_valid() || pod.node.index() < c.nodes.size(), "a pod's node exists");
    const auto& listed = c.workloads[pod.workload.index()].pods;
    require(std::binary_search(listed.begin(), listed.end(), id), "a workload lists its pods");
    require(c.find_pod(c.namespace_of(id), c.pod_name(id)) == id, "a pod is found by its name: " + c.full_pod_name(id));
    require(names.insert(c.full_pod_name(id)).second, "pods' names are unique: " + c.full_pod_name(id));
    if (!pod.ip.is_unspecified() && cluster::is_there(c, id) && !c.shape(id).is_host_network) {
      require(taken.insert(pod.ip).second, "two running pods share " + pod.ip.to_string());
    }
  }
  for (const cluster::Service& service : c.services) {
    for (const cluster::ServicePort& port : service.ports) {
      for (const cluster::Backend& backend : port.backends) {
        require(!backend.pod.is_valid() || backend.pod.index() < c.pods.size(), "a backend's pod exists");
      }
    }
  }
}

void check_names(const cluster::Cluster& c) {
  for (std::size_t p = 0; p < std::min<std::size_t>(c.pods.size(), 20); ++p) {
    const cluster::PodId id(p);
    Diagnostics diagnostics;
    const std::string name = fmt::format("{}/pod/{}", c.namespaces[c.namespace_of(id).index()].name, c.pod_name(id));
    const auto target = cluster::resolve_name(c, name, false, {}, diagnostics);
    require(target && (target->pod == id || target->workload == c.pods[p].workload), "a name resolves: " + name);
  }
}

/// What Ingresses, HTTPRoutes and Services let in: no more of it than a few times the text.
void check_entry_points(const Built& built) {
  Diagnostics diagnostics;
  const analysis::EntryPoints entries = analysis::read_entry_points(built.store, built.value(), diagnostics);
  check_diagnostics(diagnostics, built.sources);
  for (const analysis::EntryPoint& point : entries.points) {
    require(point.span.is_known(), "an entry point has a place");
    require(!point.service.empty() || !point.problem.empty() || diagnostics.has_errors(),
            "an entry point leads to a Service, or says why not");
  }
}

}  // namespace
}  // namespace podwire::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace podwire;
  const std::string text = fuzz::text_of(data, size);
  const cluster::ClusterOptions options = fuzz::options_of(text);
  const fuzz::Built built(text, options);
  if (!built.is_accepted()) {
    return 0;
  }
  fuzz::check_cluster(built.value());
  fuzz::check_names(built.value());
  fuzz::check_entry_points(built);
  SourceMap sources;
  const Result<config::Document> document = config::parse_text(sources, "in.yaml", text, fuzz::kLimits);
  const auto& roots = document->roots();
  if (std::none_of(roots.begin(), roots.end(), fuzz::has_bare_letter)) {
    const std::string json = fuzz::json_of(*document, true);
    const fuzz::Built again(json, options);
    fuzz::require(again.is_accepted(), "the JSON form of accepted objects is accepted: " + json);
    const std::string expected = fuzz::describe(built.value());
    const std::string found = fuzz::describe(again.value());
    fuzz::require(expected == found, "the JSON form gives another cluster:\n" + expected + "\nJSON:\n" + found);
  }
  return 0;
}
