// See the header.
#include "models/workload/played_cluster.hpp"

#include "sim/base/check.hpp"

namespace podwire::workload {
namespace {

const cluster::Cluster& cluster_of(const PlayedClusterInput& input) {
  PODWIRE_CHECK(input.engine != nullptr, "workload", "what is played has a policy engine");
  return input.timeline != nullptr ? *input.timeline->all : input.engine->cluster();
}

dns::DnsOptions dns_options(const PlayedClusterInput& input) {
  dns::DnsOptions options;
  options.seed = input.seed;
  options.externals = input.externals;
  return options;
}

}  // namespace

topology::Underlay build_underlay(const UnderlaySpec& spec, std::size_t nodes) {
  topology::UnderlayOptions options;
  const bool is_fabric = spec.preset == UnderlaySpec::Preset::leaf_spine;
  options.preset = is_fabric ? topology::Preset::leaf_spine : topology::Preset::single_switch;
  options.hosts = static_cast<std::uint32_t>(nodes);
  options.leaves = is_fabric ? spec.leaves : 1;
  options.spines = is_fabric ? spec.spines : 0;
  options.host_link = {
      .rate = spec.host_rate, .propagation = spec.propagation, .buffer = spec.port_buffer, .loss = spec.loss};
  options.fabric_link = {
      .rate = spec.fabric_rate, .propagation = spec.propagation, .buffer = spec.port_buffer, .loss = spec.loss};
  options.edge_link.propagation = spec.edge_delay;
  options.switch_latency = spec.switch_latency;
  return topology::Underlay(options);
}

PlayedCluster::PlayedCluster(const PlayedClusterInput& input)
    : input_(input),
      cluster(cluster_of(input_)),
      simulator({.seed = input_.seed, .plain_heap = input_.plain_heap}),
      underlay(build_underlay(input_.underlay, cluster.nodes.size())),
      log(static_cast<std::uint32_t>(cluster.nodes.size())),
      timeline(input_.timeline != nullptr
                   ? std::optional<control::Timeline>(std::in_place, *input_.timeline, input_.seed)
                   : std::nullopt),
      names(domain_names(*input_.engine, input_.timeline)),
      network(simulator,
              {.cluster = &cluster,
               .profile = &input_.engine->profile(),
               .engine = input_.engine,
               .log = &log,
               .underlay = &underlay,
               .timeline = timeline ? &*timeline : nullptr,
               .names = &names},
              {.seed = input_.seed, .underlay_mtu = input_.underlay.mtu}),
      transport(simulator, network, {.seed = input_.seed}),
      dns(simulator, transport, network, cluster, dns_options(input_)),
      learning(simulator, network, dns.resolver(), names) {
  if (timeline) {
    dns.zone().update(input_.engine->cluster());  // that of the beginning, where all pods are not there yet
  }
}

}  // namespace podwire::workload
