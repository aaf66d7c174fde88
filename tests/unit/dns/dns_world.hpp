// A small cluster played end to end for DNS tests: manifests, policies, network, transport, DNS, and a log of results.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/control/change_log.hpp"
#include "models/dataplane/network.hpp"
#include "models/dns/dns.hpp"
#include "models/policy/engine.hpp"
#include "models/policy/policy.hpp"
#include "models/topology/underlay.hpp"
#include "models/transport/transport.hpp"
#include "sim/des/simulator.hpp"

namespace podwire::dns {

/// Results as tests look at them, copied out of the upcall.
struct Heard {
  std::uint64_t cookie = 0;
  LookupStatus status = LookupStatus::timeout;
  std::vector<IpAddress> addresses;
  std::uint32_t candidates = 0;
  std::uint32_t queries = 0xffff'ffff;  // nothing was heard
  Duration elapsed;
};

struct WorldOptions {
  std::string profile = "spec";
  std::uint32_t nodes = 3;
  std::uint32_t dns_replicas = 2;
  double loss = 0.0;
  bool adds_dns = true;
  DnsOptions dns;
};

class DnsWorld {
 public:
  explicit DnsWorld(std::string manifests, const WorldOptions& options = {})
      : cluster(make_cluster(std::move(manifests), options)),
        policies(std::move(policy::read_policies(store)).value()),
        profile(std::move(cni::load_builtin(options.profile)).value()),
        engine(cluster, policies, profile),
        log(static_cast<std::uint32_t>(cluster.nodes.size())),
        underlay(underlay_options(options)),
        network(simulator, engine, log, underlay, {}),
        transport(simulator, network, {}),
        dns(simulator, transport, network, cluster, options.dns) {
    dns.resolver().on_result<&DnsWorld::on_result>(*this);
  }

  dataplane::End pod(const std::string& name_space, const std::string& workload, std::size_t ordinal = 0) const {
    const auto id =
        cluster.find_workload(cluster.find_namespace(name_space), cluster::WorkloadKind::deployment, workload);
    return dataplane::End::pod(cluster.workloads[id.index()].pods[ordinal]);
  }
  IpAddress service_ip(const std::string& name_space, const std::string& name) const {
    return cluster.services[cluster.find_service(cluster.find_namespace(name_space), name).index()].cluster_ip;
  }

  LookupHandle start(dataplane::End client, const std::string& host, std::uint64_t identity = 1) {
    return dns.resolver().start(
        {.client = client, .host = dns.resolver().intern_host(host), .identity = identity, .cookie = identity});
  }
  /// Looks one name up and plays until nothing is left of the first `limit`.
  Heard lookup(dataplane::End client, const std::string& host, Duration limit = Duration::from_s(100)) {
    const std::size_t before = heard.size();
    start(client, host, ++identities_);
    simulator.run_until(simulator.now() + limit);
    return heard.size() == before + 1 ? heard.back() : Heard{};
  }

  cluster::ObjectStore store;
  SourceMap sources;
  cluster::Cluster cluster;
  policy::PolicySet policies;
  cni::Profile profile;
  policy::PolicyEngine engine;
  control::ChangeLog log;
  topology::Underlay underlay;
  des::Simulator simulator;
  dataplane::Network network;
  transport::Transport transport;
  Dns dns;
  std::vector<Heard> heard;

 private:
  cluster::Cluster make_cluster(std::string manifests, const WorldOptions& options) {
    Diagnostics diagnostics;
    store.add_layer(sources, {"-", "-", std::move(manifests), {}}, {}, diagnostics);
    PODWIRE_CHECK(!diagnostics.has_errors(), "test", diagnostics.all().front().message);
    cluster::ClusterOptions cluster_options;
    cluster_options.node_count = options.nodes;
    cluster_options.adds_dns = options.adds_dns;
    cluster_options.dns_replicas = options.dns_replicas;
    auto built = cluster::build_cluster(store, cluster_options);
    PODWIRE_CHECK(built.has_value(), "test", built.diagnostics().all().front().message);
    return std::move(built).value();
  }
  static topology::UnderlayOptions underlay_options(const WorldOptions& options) {
    topology::UnderlayOptions result;
    result.hosts = options.nodes;
    result.host_link.loss = options.loss;
    return result;
  }
  void on_result(const LookupResult& result) {
    heard.push_back({result.cookie,
                     result.status,
                     {result.addresses.begin(), result.addresses.end()},
                     result.candidates,
                     result.queries,
                     result.elapsed});
  }

  std::uint64_t identities_ = 0;
};

}  // namespace podwire::dns
