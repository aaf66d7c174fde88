// Puts one run together: underlay, network, transport, DNS, servers, clients; plays it; collects what it gave.
#include "models/workload/play.hpp"

#include <algorithm>
#include <optional>
#include <tuple>

#include "models/dns/dns.hpp"
#include "models/workload/changes.hpp"
#include "models/workload/clients.hpp"
#include "models/workload/sampling.hpp"

namespace podwire::workload {

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

namespace {

// Packets that an unchanged policy turned away before and after a change are one row to people.
void merge_equal(std::vector<DropRow>& rows) {
  const auto key = [](const DropRow& r) {
    return std::tie(r.reason, r.where, r.rule, r.workload, r.span.source, r.span.begin);
  };
  std::sort(rows.begin(), rows.end(), [&](const DropRow& a, const DropRow& b) { return key(a) < key(b); });
  std::size_t last = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (key(rows[i]) == key(rows[last])) {
      rows[last].packets += rows[i].packets;
    } else if (++last != i) {
      rows[last] = std::move(rows[i]);
    }
  }
  rows.resize(rows.empty() ? 0 : last + 1);
}

std::vector<ChangeRow> change_rows(const control::Timeline& timeline) {
  std::vector<ChangeRow> rows;
  for (control::Version version = 1; version <= timeline.change_count(); ++version) {
    const control::Change& change = timeline.change(version);
    rows.push_back({.text = change.text,
                    .made = change.made.since_start(),
                    .concerns_policy = change.concerns_policy,
                    .first_enforced = timeline.first_enforced(version).since_start(),
                    .last_enforced = timeline.last_enforced(version).since_start()});
  }
  return rows;
}

std::vector<DropRow> drop_rows(const dataplane::Network& network, std::size_t workloads) {
  std::vector<DropRow> rows;
  for (const dataplane::DropRow& row : network.drops().rows()) {
    const dataplane::DropText text = network.describe(row);
    rows.push_back({.reason = text.reason,
                    .where = text.where,
                    .rule = text.rule,
                    .span = text.span,
                    .workload = row.account < workloads ? WorkloadIndex(row.account) : WorkloadIndex(),
                    .packets = row.packets});
  }
  merge_equal(rows);
  std::sort(rows.begin(), rows.end(), [](const DropRow& a, const DropRow& b) {
    return std::tie(b.packets, a.reason, a.where, a.rule, a.workload) <
           std::tie(a.packets, b.reason, b.where, b.rule, b.workload);
  });
  return rows;
}

PacketCounts packet_counts(const dataplane::Network& network) {
  const dataplane::PacketCounts counts = network.audit();
  PODWIRE_CHECK(counts.is_conserved(), "dataplane", "packets sent = delivered + dropped + in flight");
  return {.sent = counts.sent,
          .delivered = counts.delivered,
          .dropped = counts.dropped,
          .in_flight = counts.in_flight,
          .hops = counts.hops};
}

}  // namespace

RunResult play(const RunInput& input) {
  PODWIRE_CHECK(input.engine != nullptr, "workload", "a run has a policy engine");
  const cluster::Cluster& cluster = input.timeline != nullptr ? *input.timeline->all : input.engine->cluster();
  des::Simulator simulator({.seed = input.seed, .plain_heap = input.plain_heap});
  const topology::Underlay underlay = build_underlay(input.underlay, cluster.nodes.size());
  control::ChangeLog log(static_cast<std::uint32_t>(cluster.nodes.size()));
  std::optional<control::Timeline> timeline;
  if (input.timeline != nullptr) {
    timeline.emplace(*input.timeline, input.seed);
  }
  dataplane::Network network(simulator,
                             {.cluster = &cluster,
                              .profile = &input.engine->profile(),
                              .engine = input.engine,
                              .log = &log,
                              .underlay = &underlay,
                              .timeline = timeline ? &*timeline : nullptr},
                             {.seed = input.seed, .underlay_mtu = input.underlay.mtu});
  transport::Transport transport(simulator, network, {.seed = input.seed});
  dns::DnsOptions dns_options;
  dns_options.seed = input.seed;
  dns_options.externals = input.externals;
  dns::Dns dns(simulator, transport, network, cluster, dns_options);
  if (timeline) {
    dns.zone().update(input.engine->cluster());  // that of the beginning, where all pods are not there yet
  }
  Servers servers(simulator, transport, input.workloads, cluster.pods.size(), input.seed);
  RequestLog requests(input);
  const Window window{.begin = Time::start() + input.warmup, .end = input.end()};
  Clients clients(simulator, network, transport, dns.resolver(), servers, input.workloads, input.seed, window,
                  requests);

  std::optional<Changes> changes;
  if (timeline) {
    changes.emplace(simulator, *timeline, network, dns.zone(), clients);
  }

  if (input.control != nullptr) {
    simulator.interrupt_with(&input.control->stop);
    simulator.report_progress(
        [&](const des::Progress& progress) {
          input.control->simulated_ps.store(progress.now.ps(), std::memory_order_relaxed);
        },
        des::Simulator::kPollEvents);
  }
  Sampler sampler(simulator, network, underlay, clients, input);
  clients.start();
  sampler.run_sampled();
  if (!simulator.was_stopped() && !sampler.is_interrupted()) {
    simulator.run_until(input.workloads.empty() ? input.end() : Time::never());
  }

  RunResult result;
  result.is_interrupted = (simulator.was_stopped() || sampler.is_interrupted()) && !clients.is_finished();
  if (result.is_interrupted) {
    clients.give_up();
  }
  result.drops = drop_rows(network, input.workloads.size());
  result.packets = packet_counts(network);
  result.events = simulator.event_count();
  result.fingerprint = simulator.fingerprint().value();
  result.simulated = simulator.now().since_start();
  if (timeline) {
    result.changes = change_rows(*timeline);
  }
  result.notes = clients.notes();
  for (const cluster::Assumption& note : service::notes(cluster)) {
    result.notes.push_back(note.text);
  }
  for (std::string& note : dns.notes()) {
    result.notes.push_back(std::move(note));
  }
  result.memory_bytes =
      network.memory_bytes() + transport.memory_bytes() + servers.memory_bytes() + clients.memory_bytes();
  result.workloads = clients.take_results();
  for (const WorkloadResult& workload : result.workloads) {
    std::uint64_t ended = 0;
    for (const std::uint64_t count : workload.outcomes) {
      ended += count;
    }
    PODWIRE_CHECK(ended == workload.requests, "workload", "every request ends in exactly one outcome");
  }
  requests.finish(result, sampler);
  return result;
}

}  // namespace podwire::workload
