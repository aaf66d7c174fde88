// Puts one run together: underlay, network, transport, DNS, servers, clients; plays it; collects what it gave.
#include "models/workload/play.hpp"

#include <algorithm>
#include <optional>
#include <tuple>

#include "models/workload/changes.hpp"
#include "models/workload/clients.hpp"
#include "models/workload/played_cluster.hpp"
#include "models/workload/sampling.hpp"

namespace podwire::workload {

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
  PlayedCluster played({.engine = input.engine,
                        .timeline = input.timeline,
                        .underlay = input.underlay,
                        .seed = input.seed,
                        .externals = input.externals,
                        .plain_heap = input.plain_heap});
  des::Simulator& simulator = played.simulator;
  dataplane::Network& network = played.network;
  Servers servers(simulator, played.transport, input.workloads, played.cluster.pods.size(), input.seed);
  RequestLog requests(input);
  const Window window{.begin = Time::start() + input.warmup, .end = input.end()};
  Clients clients(simulator, network, played.transport, played.dns.resolver(), servers, input.workloads, input.seed,
                  window, requests);

  std::optional<Changes> changes;
  if (played.timeline) {
    changes.emplace(simulator, *played.timeline, network, played.dns.zone(), clients);
  }

  if (input.control != nullptr) {
    simulator.interrupt_with(&input.control->stop);
    simulator.report_progress(
        [&](const des::Progress& progress) {
          input.control->simulated_ps.store(progress.now.ps(), std::memory_order_relaxed);
        },
        des::Simulator::kPollEvents);
  }
  Sampler sampler(simulator, network, played.underlay, clients, input);
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
  if (played.timeline) {
    result.changes = change_rows(*played.timeline);
  }
  result.notes = clients.notes();
  for (const cluster::Assumption& note : service::notes(played.cluster)) {
    result.notes.push_back(note.text);
  }
  for (std::string& note : played.dns.notes()) {
    result.notes.push_back(std::move(note));
  }
  result.memory_bytes =
      network.memory_bytes() + played.transport.memory_bytes() + servers.memory_bytes() + clients.memory_bytes();
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
