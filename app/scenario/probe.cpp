// From a loaded scenario to probes, and from answers to words.
#include "app/scenario/probe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "app/scenario/batch.hpp"
#include "app/scenario/judge.hpp"
#include "models/cluster/snapshot.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

using cluster::Cluster;
using cluster::PodId;
using cluster::ServiceId;
using policy::Direction;
using workload::ProbeVerdict;

struct Destination {
  std::string name;
  IpAddress ip;  // a pod's, or a Service's own
  std::optional<std::size_t> host = {};
};

// One mesh with the names of its ends.
struct Plan {
  std::vector<std::pair<std::string, PodId>> sources;
  std::vector<Destination> destinations;
};

class MeshPlanner {
 public:
  MeshPlanner(const PolicySetPlan& plan, const ProbeOptions& options) : options_(options) {
    const std::size_t states = plan.timeline == nullptr ? 1 : plan.timeline->clusters.size();
    for (std::size_t s = 0; s < states; ++s) {
      add(plan.timeline == nullptr ? plan.cluster() : *plan.timeline->clusters[s]);
    }
  }
  std::vector<Plan> plans;
  std::vector<std::string> hosts;
  std::vector<std::string> notes;

 private:
  // What podwire added (CoreDNS and its Service) is no part of the mesh.
  void add(const Cluster& state) {
    Plan& plan = plans.emplace_back();
    for (std::uint32_t p = 0; p < state.pods.size(); ++p) {
      const cluster::Pod& pod = state.pods[p];
      if (!cluster::is_there(state, PodId(p)) || pod.phase != cluster::PodPhase::running || pod.ip.is_unspecified() ||
          state.workloads[pod.workload.index()].is_added) {
        continue;
      }
      plan.sources.emplace_back(state.full_pod_name(PodId(p)), PodId(p));
    }
    std::sort(plan.sources.begin(), plan.sources.end());
    if (options_.target == ProbeTarget::pod) {
      for (const auto& [name, pod] : plan.sources) {
        plan.destinations.push_back({.name = name, .ip = state.pods[pod.index()].ip});
      }
      return;
    }
    for (std::uint32_t s = 0; s < state.services.size(); ++s) {
      add_service(plan, state, ServiceId(s));
    }
    std::sort(plan.destinations.begin(), plan.destinations.end(),
              [](const Destination& a, const Destination& b) { return a.name < b.name; });
  }

  void add_service(Plan& plan, const Cluster& state, ServiceId id) {
    const cluster::Service& service = state.services[id.index()];
    if (service.is_added || !service.is_there) {
      return;
    }
    const bool has_address = !service.cluster_ip.is_unspecified();
    if (service.type == cluster::ServiceType::external_name ||
        (options_.target == ProbeTarget::service_ip && !has_address)) {
      const std::string note = fmt::format("{} is not probed: it has no address of its own", state.service_name(id));
      if (std::find(notes.begin(), notes.end(), note) == notes.end()) {
        notes.push_back(note);
      }
      return;
    }
    Destination& added = plan.destinations.emplace_back();
    added.name = state.service_name(id);
    added.ip = service.cluster_ip;
    if (options_.target == ProbeTarget::service) {
      // Written with its final dot, as one name: the search list would add questions and no answer.
      const std::string host = fmt::format("{}.{}.svc.{}.", service.name,
                                           state.namespaces[service.name_space.index()].name, state.cluster_domain);
      const auto at = std::find(hosts.begin(), hosts.end(), host);
      added.host = static_cast<std::size_t>(at - hosts.begin());
      if (at == hosts.end()) {
        hosts.push_back(host);
      }
    }
  }

  const ProbeOptions& options_;
};

workload::Mesh mesh_of(const Plan& plan, const ProbeOptions& options) {
  workload::Mesh mesh;
  mesh.at = options.at;
  mesh.probes.reserve(plan.sources.size() * plan.destinations.size() * options.ports.size());
  for (const auto& [name, pod] : plan.sources) {
    for (const Destination& destination : plan.destinations) {
      for (const ProbePort& port : options.ports) {
        mesh.probes.push_back({.source = pod,
                               .address = destination.host ? IpAddress() : destination.ip,
                               .host = destination.host,
                               .protocol = port.protocol,
                               .port = port.port});
      }
    }
  }
  return mesh;
}

// What a probe met besides what lost it: of one that was let through both directions' reasons.
void explain(policy::PolicyEngine& engine, PodId source, const Destination& destination, const ProbePort& port,
             const workload::ProbeAnswer& answer, bool explains_allowed, ProbeRow& row) {
  const Cluster& cluster = engine.cluster();
  row.because = answer.rule;
  row.span = answer.span;
  if (answer.server.is_unspecified()) {
    if (row.because.empty()) {
      row.because = std::string(workload::to_string(answer.outcome));
    }
    return;
  }
  if (!explains_allowed || (answer.verdict != ProbeVerdict::allowed && answer.verdict != ProbeVerdict::refused)) {
    return;
  }
  const policy::Peer from = {.pod = source, .node = {}, .ip = cluster.address_of(source, answer.server)};
  policy::Peer to = peer_of_address(cluster, answer.server);
  if (const cluster::ServiceId service = cluster.service_at(destination.ip); service.is_valid()) {
    to.service_ip = destination.ip;
    to.service_port = port.port;
  }
  const auto egress = engine.explain(Direction::egress, from, to, port.protocol, answer.server_port);
  const auto ingress = engine.explain(Direction::ingress, to, from, port.protocol, answer.server_port);
  row.because = fmt::format("egress: {}; ingress: {}", egress.text, ingress.text);
  row.span = ingress.span.is_known() ? ingress.span : egress.span;
}

struct Engines {
  std::unique_ptr<policy::PolicyEngine> only;  // without a timeline
  std::unique_ptr<control::States> states;
  control::TimelineInput timeline;
  policy::PolicyEngine& at(std::size_t state) {
    return only != nullptr ? *only : states->engine(static_cast<control::Version>(state));
  }
};

workload::ProbeRun play(const Scenario& scenario, const PolicySetPlan& plan, const cni::Profile& profile,
                        const MeshPlanner& planner, const ProbeOptions& options, Engines& engines) {
  workload::ProbeInput input;
  if (plan.timeline == nullptr) {
    engines.only = std::make_unique<policy::PolicyEngine>(plan.cluster(), plan.policies, profile);
  } else {
    engines.states = states_of(*plan.timeline, profile, true);
    engines.timeline = timeline_of(*plan.timeline, profile, Duration::zero(), *engines.states);
    input.timeline = &engines.timeline;
  }
  input.engine = &engines.at(0);
  input.hosts = planner.hosts;
  for (const Plan& mesh : planner.plans) {
    input.meshes.push_back(mesh_of(mesh, options));
  }
  input.meshes.front().at.reset();
  input.underlay = scenario.file->cluster.underlay;
  input.externals = scenario.file->cluster.externals;
  input.seed = options.seed;
  return workload::play_probes(input);
}

}  // namespace

std::string ProbePort::to_string() const {
  return fmt::format("{}/{}", podwire::to_string(protocol), port.number());
}

std::optional<ProbePort> parse_probe_port(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return std::nullopt;
  }
  std::string name(text.substr(0, slash));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  const auto protocol = parse_protocol(name);
  unsigned number = 0;
  const std::string_view digits = text.substr(slash + 1);
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (!protocol || error != std::errc() || stop != digits.data() + digits.size() || number == 0 || number > 65'535) {
    return std::nullopt;
  }
  return ProbePort{.protocol = *protocol, .port = Port(static_cast<std::uint16_t>(number))};
}

std::string_view csv_verdict(ProbeVerdict verdict) {
  return verdict == ProbeVerdict::allowed ? "true" : verdict == ProbeVerdict::unknown ? "unknown" : "false";
}

ProbeResult probe(const Scenario& scenario, const PolicySetPlan& plan, const ProbeOptions& options) {
  const MeshPlanner planner(plan, options);
  Engines engines;
  const workload::ProbeRun run = play(scenario, plan, plan.profile(), planner, options, engines);
  std::vector<workload::ProbeRun> others;
  for (const cni::Profile& other : plan.state->others) {
    Engines theirs;
    others.push_back(play(scenario, plan, other, planner, options, theirs));
  }
  ProbeResult result{.steps = {}, .notes = run.notes, .fingerprint = run.fingerprint};
  result.notes.insert(result.notes.end(), planner.notes.begin(), planner.notes.end());
  for (std::size_t s = 0; s < planner.plans.size(); ++s) {
    const Plan& mesh = planner.plans[s];
    ProbeStep& step = result.steps.emplace_back();
    step.text = s == 0 ? "" : plan.timeline->changes[s - 1].text;
    step.changed = run.meshes[s].changed;
    step.begun = run.meshes[s].begun;
    std::size_t index = 0;
    for (std::uint32_t from = 0; from < mesh.sources.size(); ++from) {
      step.sources.push_back(mesh.sources[from].first);
      for (std::uint32_t to = 0; to < mesh.destinations.size(); ++to) {
        for (std::uint32_t port = 0; port < options.ports.size(); ++port, ++index) {
          const workload::ProbeAnswer& answer = run.meshes[s].answers[index];
          ProbeRow& row = step.rows.emplace_back();
          row = {.source = from,
                 .destination = to,
                 .port = port,
                 .verdict = answer.verdict,
                 .outcome = answer.outcome,
                 .because = {},
                 .span = {}};
          explain(engines.at(s), mesh.sources[from].second, mesh.destinations[to], options.ports[port], answer,
                  options.explains_allowed, row);
          for (std::size_t o = 0; o < others.size(); ++o) {
            const ProbeVerdict other = others[o].meshes[s].answers[index].verdict;
            if (other != answer.verdict && csv_verdict(other) != csv_verdict(answer.verdict)) {
              row.verdict = ProbeVerdict::unknown;
              row.because = fmt::format("profile {} says {}, {} says {}", plan.profile().name,
                                        workload::to_string(answer.verdict), plan.state->others[o].name,
                                        workload::to_string(other));
            }
          }
        }
      }
    }
    for (const Destination& destination : mesh.destinations) {
      step.destinations.push_back(destination.name);
    }
  }
  return result;
}

}  // namespace podwire::scenario
