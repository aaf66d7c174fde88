// A whole small cluster in motion, from manifests written in the test: objects, policies, profile, network, transport,
// and a recorder of what applications hear.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/dataplane/network.hpp"
#include "models/policy/engine.hpp"
#include "models/transport/transport.hpp"
#include "sim/config/render.hpp"

namespace podwire::test {

struct TownOptions {
  std::string profile = "spec";
  std::uint32_t nodes = 3;
  topology::UnderlayOptions underlay = {};
  dataplane::NetworkOptions network = {};
  transport::TransportOptions transport = {};
  des::SimulatorOptions simulator = {};
  void (*adjust)(cni::Profile&) = nullptr;  // changes to the profile
};

class Town {
 public:
  explicit Town(const std::string& manifests, TownOptions options = {}) : profile_(profile_of(options)) {
    store_.add_layer(sources_, {.path = "-", .shown_as = "town.yaml", .text = manifests, .span = {}}, {}, diagnostics_);
    cluster::ClusterOptions cluster_options;
    cluster_options.node_count = options.nodes;
    auto built = cluster::build_cluster(store_, cluster_options);
    diagnostics_.append(built.diagnostics());
    PODWIRE_CHECK(!diagnostics_.has_errors(), "test",
                  config::render(diagnostics_, sources_, {.short_form = true}).c_str());
    cluster_ = std::make_unique<cluster::Cluster>(std::move(built).value());
    policies_ = std::move(policy::read_policies(store_)).value();
    engine_ = std::make_unique<policy::PolicyEngine>(*cluster_, policies_, profile_);
    log_ = std::make_unique<control::ChangeLog>(static_cast<std::uint32_t>(cluster_->nodes.size()));
    options.underlay.hosts = static_cast<std::uint32_t>(cluster_->nodes.size());
    underlay_ = std::make_unique<topology::Underlay>(options.underlay);
    simulator_ = std::make_unique<des::Simulator>(options.simulator);
    network_ = std::make_unique<dataplane::Network>(*simulator_, *engine_, *log_, *underlay_, options.network);
    transport_ = std::make_unique<transport::Transport>(*simulator_, *network_, options.transport);
  }

  const cluster::Cluster& cluster() const { return *cluster_; }
  dataplane::Network& network() { return *network_; }
  transport::Transport& transport() { return *transport_; }
  des::Simulator& simulator() { return *simulator_; }
  policy::PolicyEngine& engine() { return *engine_; }
  const SourceMap& sources() const { return sources_; }
  control::ChangeLog& log() { return *log_; }

  dataplane::End pod(std::string_view name_space, std::string_view name) const {
    const cluster::PodId id = cluster_->find_pod(cluster_->find_namespace(name_space), name);
    PODWIRE_CHECK(id.is_valid(), "test", "the pod exists");
    return dataplane::End::pod(id);
  }
  IpAddress ip(std::string_view name_space, std::string_view name) const {
    return cluster_->pods[pod(name_space, name).pod_id().index()].ip;
  }
  IpAddress service_ip(std::string_view name_space, std::string_view name) const {
    return cluster_->services[cluster_->find_service(cluster_->find_namespace(name_space), name).index()].cluster_ip;
  }
  void run_for(Duration span) { simulator_->run_until(simulator_->now() + span); }

 private:
  static cni::Profile profile_of(const TownOptions& options) {
    cni::Profile profile = std::move(cni::load_builtin(options.profile)).value();
    if (options.adjust != nullptr) {
      options.adjust(profile);
    }
    return profile;
  }

  SourceMap sources_;
  Diagnostics diagnostics_;
  cluster::ObjectStore store_;
  cni::Profile profile_;
  std::unique_ptr<cluster::Cluster> cluster_;
  policy::PolicySet policies_;
  std::unique_ptr<policy::PolicyEngine> engine_;
  std::unique_ptr<control::ChangeLog> log_;
  std::unique_ptr<topology::Underlay> underlay_;
  std::unique_ptr<des::Simulator> simulator_;
  std::unique_ptr<dataplane::Network> network_;
  std::unique_ptr<transport::Transport> transport_;
};

/// An application that writes down what it hears.
class Recorder {
 public:
  struct Entry {
    Time at;
    transport::Event event;
  };
  explicit Recorder(Town& town)
      : id(town.transport().add_application<&Recorder::on_event>(*this)), simulator_(town.simulator()) {}
  void on_event(const transport::Event& event) {
    entries.push_back({simulator_.now(), event});
    if (then) {
      then(event);
    }
  }
  std::size_t count(transport::EventKind kind) const {
    std::size_t n = 0;
    for (const Entry& entry : entries) {
      n += entry.event.kind == kind ? 1 : 0;
    }
    return n;
  }
  /// The first event of a kind, or null.
  const Entry* first(transport::EventKind kind) const {
    for (const Entry& entry : entries) {
      if (entry.event.kind == kind) {
        return &entry;
      }
    }
    return nullptr;
  }

  std::vector<Entry> entries;
  std::function<void(const transport::Event&)> then;
  transport::ApplicationId id;

 private:
  des::Simulator& simulator_;
};

/// A manifest of one bare pod that listens on TCP and UDP 8080, on the node of that number.
inline std::string pod_yaml(const std::string& name_space, const std::string& name, int node,
                            const std::string& labels = "app: any") {
  return "---\napiVersion: v1\nkind: Pod\nmetadata: {namespace: " + name_space + ", name: " + name + ", labels: {" +
         labels + "}}\nspec:\n  nodeName: node-" + std::to_string(node) +
         "\n  containers:\n  - name: main\n    ports: [{containerPort: 8080}, {containerPort: 8080, protocol: UDP}]\n";
}

}  // namespace podwire::test
