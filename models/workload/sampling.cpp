#include "models/workload/sampling.hpp"

#include <algorithm>

namespace podwire::workload {

Sampler::Sampler(des::Simulator& simulator, const dataplane::Network& network, const topology::Underlay& underlay,
                 const Clients& clients, const RunInput& input)
    : simulator_(simulator),
      network_(network),
      clients_(clients),
      input_(input),
      traffic_before_(input.workloads.size()),
      busy_before_(underlay.ports().size()),
      row_of_link_(underlay.ports().size(), -1) {}

void Sampler::run_sampled() {
  if (input_.sample <= Duration::zero() || input_.record_path.empty()) {
    return;
  }
  for (std::int64_t k = 1; k <= kMostSamples; ++k) {
    const Time until = Time::start() + input_.sample * k;
    if (input_.workloads.empty() && until > input_.end()) {
      return;
    }
    simulator_.run_until(until);
    if (simulator_.was_stopped()) {
      take(simulator_.now());  // the last interval is a short one
      return;
    }
    take(until);
    if (input_.control != nullptr) {  // a piece may be too short for the simulator to look up
      input_.control->simulated_ps.store(until.ps(), std::memory_order_relaxed);
      if (input_.control->stop.load(std::memory_order_relaxed)) {
        is_interrupted_ = true;
        return;
      }
    }
  }
}

void Sampler::take(Time now) {
  const double seconds = now.since_start().seconds();
  if (!times_.empty() && times_.back() >= seconds) {
    return;  // stopped at the very moment of the last sample
  }
  const dataplane::PacketCounts counts = network_.counts();
  sent_.push_back(static_cast<double>(counts.sent - before_.sent));
  delivered_.push_back(static_cast<double>(counts.delivered - before_.delivered));
  dropped_.push_back(static_cast<double>(counts.dropped - before_.dropped));
  in_flight_.push_back(static_cast<double>(counts.in_flight));
  before_ = counts;
  std::uint64_t entries = 0;
  std::uint64_t most = 0;
  for (std::size_t node = 0; node < network_.cluster().nodes.size(); ++node) {
    const std::uint64_t count = network_.unswept_conntrack_count(cluster::NodeId(node));
    entries += count;
    most = std::max(most, count);
  }
  conntrack_.push_back(static_cast<double>(entries));
  fullest_conntrack_.push_back(static_cast<double>(most));
  cpu_backlog_.push_back(network_.longest_cpu_backlog().seconds());
  take_links(now);
  for (std::size_t w = 0; w < traffic_before_.size(); ++w) {
    const Traffic& traffic = clients_.traffic(w);
    Traffic& before = traffic_before_[w];
    arrived_.push_back(static_cast<double>(traffic.arrived - before.arrived));
    ok_.push_back(static_cast<double>(traffic.ok - before.ok));
    failed_.push_back(static_cast<double>(traffic.failed - before.failed));
    open_.push_back(static_cast<double>(traffic.arrived - traffic.ok - traffic.failed));
    before = traffic;
  }
  times_.push_back(seconds);
}

// A line has worked for what it accepted less what it has still to send. Ties go to the port with the lower number.
void Sampler::take_links(Time now) {
  const double interval = now.since_start().seconds() - (times_.empty() ? 0.0 : times_.back());
  std::int64_t most = 0;
  std::size_t busiest = 0;
  for (std::size_t i = 0; i < busy_before_.size(); ++i) {
    const dataplane::OutputPort& port = network_.port(topology::PortId(i));
    const unsigned __int128 work = static_cast<unsigned __int128>(port.ps_per_byte_fixed) * port.bytes >> 32;
    const std::int64_t busy = static_cast<std::int64_t>(work) - port.server.backlog(now).ps();
    if (busy - busy_before_[i] > most) {
      most = busy - busy_before_[i];
      busiest = i;
    }
    busy_before_[i] = busy;
  }
  link_use_.push_back(std::min(1.0, Duration::from_ps(most).seconds() / interval));
  if (most == 0) {
    link_.push_back(-1.0);
    return;
  }
  std::int64_t& row = row_of_link_[busiest];
  if (row < 0) {
    row = static_cast<std::int64_t>(link_names_.size());
    link_names_.push_back(
        network_.place_name({.kind = dataplane::Place::Kind::port, .index = static_cast<std::uint32_t>(busiest)}));
  }
  link_.push_back(static_cast<double>(row));
}

record::SeriesGroup Sampler::network_series() const {
  const auto series = [](const char* name, const char* unit, const char* description,
                         const std::vector<double>& values) {
    return record::SeriesVariable{
        .name = name, .unit = unit, .description = description, .dimensions = {"time"}, .values = values};
  };
  record::SeriesGroup group;
  group.dimensions = {{.name = "time", .unit = "s", .numbers = times_, .labels = {}}};
  group.variables = {
      series("packets_sent", "", "packets sent in the interval that ends here", sent_),
      series("packets_delivered", "", "packets delivered in the interval", delivered_),
      series("packets_dropped", "", "packets lost in the interval", dropped_),
      series("packets_in_flight", "", "packets under way at this time", in_flight_),
      series("conntrack_entries", "", "entries in the nodes' conntrack tables, those just run out included",
             conntrack_),
      series("conntrack_entries_max", "", "entries in the fullest node's table", fullest_conntrack_),
      series("cpu_backlog_max", "s", "longest unfinished work of any node's core at this time", cpu_backlog_),
      series("link_utilisation_max", "", "share of the interval that the busiest link was sending", link_use_),
      series("busiest_link", "", "row of /objects/links; -1: no link carried anything", link_),
  };
  return group;
}

record::SeriesGroup Sampler::workload_series() const {
  const auto series = [](const char* name, const char* description, const std::vector<double>& values) {
    return record::SeriesVariable{
        .name = name, .unit = {}, .description = description, .dimensions = {"time", "workload"}, .values = values};
  };
  record::SeriesGroup group;
  record::Dimension workloads{.name = "workload", .unit = {}, .numbers = {}, .labels = {}};
  for (const WorkloadSpec& spec : input_.workloads) {
    workloads.labels.push_back(spec.name);
  }
  group.dimensions = {{.name = "time", .unit = "s", .numbers = times_, .labels = {}}, workloads};
  group.variables = {
      series("arrived", "requests that arrived in the interval that ends here, warm-up and drain included", arrived_),
      series("ok", "requests that succeeded in the interval", ok_),
      series("failed", "requests that ended otherwise in the interval", failed_),
      series("open", "requests under way at this time", open_),
  };
  return group;
}

}  // namespace podwire::workload
