#include "models/workload/recording.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/workload/sampling.hpp"

namespace podwire::workload {
namespace {

std::int64_t nanoseconds(Time time) {
  return time == Time::never() ? -1 : time.ns();
}
std::int32_t index_of(cluster::PodId pod) {
  return pod.is_valid() ? static_cast<std::int32_t>(pod.value()) : -1;
}

record::TableColumn text(const char* name, const char* description = "") {
  return {.name = name, .type = record::CellType::text, .unit = {}, .description = description};
}
record::TableColumn integer(const char* name, const char* description = "") {
  return {.name = name, .type = record::CellType::integer, .unit = {}, .description = description};
}
record::Value number(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

}  // namespace

RequestLog::RequestLog(const RunInput& input) : input_(input) {
  if (input.record_path.empty()) {
    return;
  }
  writer_ = std::make_unique<record::RunWriter>(input.record_path);
  const policy::PolicyEngine& engine = *input.engine;
  writer_->set_attribute("format", std::string("podwire/v1"));
  writer_->set_attribute("policy_set", engine.policies().name);
  writer_->set_attribute("cni_profile", engine.profile().name);
  writer_->set_attribute("seed", static_cast<std::int64_t>(input.seed));
  writer_->set_attribute("warmup_ns", input.warmup.ns());
  writer_->set_attribute("duration_ns", input.duration.ns());
  writer_->write_text("/provenance", input.provenance);

  std::vector<record::StreamColumn> columns = {
      PODWIRE_STREAM_COLUMN(Row, arrived, "ns", "when it arrived, since the start of the run"),
      PODWIRE_STREAM_COLUMN(Row, resolved, "ns", "when its name was resolved; -1: no name, or never"),
      PODWIRE_STREAM_COLUMN(Row, dialled, "ns", "when its first SYN or datagram was sent; -1: never"),
      PODWIRE_STREAM_COLUMN(Row, established, "ns", "when its connection was established; -1: never, or UDP"),
      PODWIRE_STREAM_COLUMN(Row, ended, "ns", "when it ended"),
      PODWIRE_STREAM_COLUMN(Row, client, "", "row of /objects/pods; -1: outside the cluster"),
      PODWIRE_STREAM_COLUMN(Row, server, "",
                            "row of /objects/pods: whom its packets were sent to; -1: nobody, or outside"),
      PODWIRE_STREAM_COLUMN(Row, ordinal, "", "its number among its workload's arrivals, from 0"),
      PODWIRE_STREAM_COLUMN(Row, workload, "", "row of /objects/workloads"),
      PODWIRE_STREAM_COLUMN(Row, outcome, "", "how it ended"),
  };
  columns.back().names.assign(std::begin(kOutcomeNames), std::end(kOutcomeNames));
  rows_ = writer_->add_stream<Row>({.path = "/requests", .dimension = "request", .row_bytes = 0, .columns = columns});
}

void RequestLog::add(const RequestEntry& entry) {
  if (writer_ == nullptr) {
    return;
  }
  rows_.append({.arrived = nanoseconds(entry.arrived),
                .resolved = nanoseconds(entry.resolved),
                .dialled = nanoseconds(entry.dialled),
                .established = nanoseconds(entry.established),
                .ended = nanoseconds(entry.ended),
                .client = index_of(entry.client),
                .server = index_of(entry.server),
                .ordinal = entry.ordinal,
                .workload = static_cast<std::uint16_t>(entry.workload),
                .outcome = static_cast<std::uint8_t>(entry.outcome)});
}

void RequestLog::write_objects() {
  const cluster::Cluster& cluster = input_.engine->cluster();
  record::Table pods{.columns = {text("name"), text("workload"), text("node"), text("ip")}, .cells = {}};
  for (std::size_t i = 0; i < cluster.pods.size(); ++i) {
    const cluster::Pod& pod = cluster.pods[i];
    pods.cells.emplace_back(cluster.full_pod_name(cluster::PodId(i)));
    pods.cells.emplace_back(cluster.workload_name(pod.workload));
    pods.cells.emplace_back(pod.node.is_valid() ? cluster.nodes[pod.node.index()].name : std::string());
    pods.cells.emplace_back(pod.ip.is_unspecified() ? std::string() : pod.ip.to_string());
  }
  writer_->write_table("/objects/pods", pods);
  record::Table workloads{.columns = {text("name"), text("kind"), text("from"), text("to")}, .cells = {}};
  for (const WorkloadSpec& spec : input_.workloads) {
    workloads.cells.insert(workloads.cells.end(),
                           {spec.name, std::string(to_string(spec.kind)), spec.from.name, spec.to.name});
  }
  writer_->write_table("/objects/workloads", workloads);
}

void RequestLog::write_summary(const RunResult& result) {
  record::Table summary{.columns = {text("workload"), integer("requests")}, .cells = {}};
  for (const std::string_view name : kOutcomeNames) {
    summary.columns.push_back(integer(std::string(name).c_str()));
  }
  for (std::size_t w = 0; w < result.workloads.size(); ++w) {
    summary.cells.emplace_back(input_.workloads[w].name);
    summary.cells.emplace_back(number(result.workloads[w].requests));
    for (const std::uint64_t count : result.workloads[w].outcomes) {
      summary.cells.emplace_back(number(count));
    }
  }
  writer_->write_table("/summary", summary);
  const std::pair<const char*, std::uint64_t> counts[] = {{"sent", result.packets.sent},
                                                          {"delivered", result.packets.delivered},
                                                          {"dropped", result.packets.dropped},
                                                          {"in_flight", result.packets.in_flight},
                                                          {"hops", result.packets.hops}};
  record::Table packets{.columns = {text("counter"), integer("packets")}, .cells = {}};
  for (const auto& [name, count] : counts) {
    packets.cells.insert(packets.cells.end(), {std::string(name), number(count)});
  }
  writer_->write_table("/packets", packets);
}

void RequestLog::write_drops(const RunResult& result) {
  record::Table drops{
      .columns = {text("reason"), text("where"), text("rule"), text("workload", "whose packets; empty: nobody's"),
                  integer("packets", "whole run, warm-up included")},
      .cells = {}};
  for (const DropRow& row : result.drops) {
    const std::string workload = row.workload.is_valid() ? input_.workloads[row.workload.index()].name : std::string();
    drops.cells.insert(drops.cells.end(), {row.reason, row.where, row.rule, workload, number(row.packets)});
  }
  writer_->write_table("/drops", drops);
  record::Table reachability{.columns = {text("source"), text("destination"), text("connections")}, .cells = {}};
  for (const ReachabilityRow& row : input_.reachability) {
    reachability.cells.insert(reachability.cells.end(), {row.source, row.destination, row.connections});
  }
  writer_->write_table("/reachability", reachability);
}

// A change's text lists what it did object by object: "apply backend/networkpolicy/late; scale frontend/deployment/web
// 3 → 5".
void RequestLog::write_changes(const RunResult& result) {
  record::Table changes{
      .columns = {integer("change", "its number in this run, from 1"), integer("made", "ns since the start of the run"),
                  text("policy_set"), text("what", "apply, delete, label, patch, scale, start …"), text("object"),
                  text("detail", "of scale: the replicas before and after"),
                  integer("first_enforced", "ns; by the first node; -1: it concerns no policy"),
                  integer("last_enforced", "ns; by the last node; -1 likewise")},
      .cells = {}};
  for (std::size_t i = 0; i < result.changes.size(); ++i) {
    const ChangeRow& row = result.changes[i];
    for (std::size_t begin = 0; begin <= row.text.size();) {
      const std::size_t end = std::min(row.text.find("; ", begin), row.text.size());
      const std::string part = row.text.substr(begin, end - begin);
      const std::size_t space = std::min(part.find(' '), part.size());
      const std::string rest = space < part.size() ? part.substr(space + 1) : std::string();
      const std::size_t name = std::min(rest.find(' '), rest.size());
      changes.cells.insert(changes.cells.end(),
                           {number(i + 1), row.made.ns(), input_.engine->policies().name, part.substr(0, space),
                            rest.substr(0, name), name < rest.size() ? rest.substr(name + 1) : std::string(),
                            row.concerns_policy ? row.first_enforced.ns() : std::int64_t{-1},
                            row.concerns_policy ? row.last_enforced.ns() : std::int64_t{-1}});
      begin = end + 2;
    }
  }
  writer_->write_table("/changes", changes);
}

void RequestLog::write_histograms(const RunResult& result) {
  const std::pair<const char*, stats::Histogram WorkloadResult::*> parts[] = {
      {"dns", &WorkloadResult::dns}, {"connect", &WorkloadResult::connect}, {"total", &WorkloadResult::total}};
  for (const auto& [name, member] : parts) {
    record::Table buckets{.columns = {integer("workload", "row of /objects/workloads"), integer("lower", "picoseconds"),
                                      integer("upper", "picoseconds, inclusive"), integer("count")},
                          .cells = {}};
    for (std::size_t w = 0; w < result.workloads.size(); ++w) {
      (result.workloads[w].*member).for_each_bucket([&](std::int64_t lower, std::int64_t upper, std::uint64_t count) {
        buckets.cells.insert(buckets.cells.end(), {number(w), lower, upper, number(count)});
      });
    }
    writer_->write_table(fmt::format("/histograms/{}", name), buckets);
  }
}

void RequestLog::finish(const RunResult& result, const Sampler& sampler) {
  if (writer_ == nullptr) {
    return;
  }
  write_objects();
  write_summary(result);
  write_drops(result);
  if (!result.changes.empty()) {
    write_changes(result);
  }
  write_histograms(result);
  if (sampler.size() > 0) {
    record::Table links{.columns = {text("name")}, .cells = {}};
    for (const std::string& name : sampler.link_names()) {
      links.cells.emplace_back(name);
    }
    writer_->write_table("/objects/links", links);
    writer_->write_series("/series/network", sampler.network_series());
    writer_->write_series("/series/workloads", sampler.workload_series());
  }
  writer_->set_attribute("fingerprint", fmt::format("{:016x}", result.fingerprint));
  writer_->set_attribute("events", static_cast<std::int64_t>(result.events));
  writer_->set_attribute("simulated_ns", result.simulated.ns());
  writer_->set_attribute("interrupted", std::int64_t{result.is_interrupted});
  writer_->close();
}

}  // namespace podwire::workload
