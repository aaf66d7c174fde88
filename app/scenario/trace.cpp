#include "app/scenario/trace.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

using cluster::Cluster;
using cluster::NamedTarget;

bool runs(const Cluster& cluster, cluster::PodId pod) {
  const cluster::Pod& it = cluster.pods[pod.index()];
  return it.phase == cluster::PodPhase::running && !it.ip.is_unspecified() && it.node.is_valid();
}

cluster::PodId first_running(const Cluster& cluster, const std::vector<cluster::PodId>& pods, cluster::PodId but) {
  cluster::PodId same;
  for (const cluster::PodId pod : pods) {
    if (runs(cluster, pod) && pod != but) {
      return pod;
    }
    same = runs(cluster, pod) ? pod : same;
  }
  return same;
}

cluster::PodId pod_of(const Cluster& cluster, const NamedTarget& named, cluster::PodId but) {
  switch (named.kind) {
    case NamedTarget::Kind::workload:
      return first_running(cluster, cluster.workloads[named.workload.index()].pods, but);
    case NamedTarget::Kind::pod:
      return runs(cluster, named.pod) ? named.pod : cluster::PodId();
    case NamedTarget::Kind::address: {
      const cluster::PodId pod = cluster.pod_at(named.address);
      return pod.is_valid() && runs(cluster, pod) ? pod : cluster::PodId();
    }
    case NamedTarget::Kind::service:
      break;
  }
  return {};
}

class Request {
 public:
  Request(const Cluster& cluster, const TraceRequest& request, Span span, Diagnostics& diagnostics)
      : cluster_(cluster), request_(request), span_(span), diagnostics_(diagnostics) {}

  bool fill(workload::TraceInput& input) {
    const auto source = cluster::resolve_name(cluster_, request_.source, true, span_, diagnostics_);
    if (!source) {
      return false;
    }
    input.protocol = request_.explanation->protocol;
    input.port = request_.explanation->port;
    input.source = pod_of(cluster_, *source, {});
    if (!input.source.is_valid()) {
      if (source->kind != NamedTarget::Kind::address) {
        return fail("not-a-client",
                    fmt::format("\"{}\" has no running pod that could send", printable(request_.source)));
      }
      input.external = source->address;
    }
    if (request_.host) {
      input.host = request_.host->host;
      return input.port.is_valid() ||
             fail("not-traceable", "give the port by its number: a host name has no port names");
    }
    const auto wanted = analysis::parse_destination(request_.destination, span_, diagnostics_);
    if (!wanted) {
      return false;
    }
    const auto to = cluster::resolve_name(cluster_, wanted->name, false, span_, diagnostics_);
    return to && dial(*to, *wanted, input);
  }

 private:
  bool dial(const NamedTarget& to, const analysis::DestinationText& wanted, workload::TraceInput& input) {
    if (to.kind == NamedTarget::Kind::service) {
      // An ExternalName's is the Service that it leads to.
      const cluster::ServiceId reached = request_.explanation->service;
      return dial_service(cluster_.services[(reached.is_valid() ? reached : to.service).index()], wanted, input);
    }
    if (!input.port.is_valid()) {  // a pod's port by its name: the explanation found it
      input.port = request_.explanation->paths.empty() ? Port() : request_.explanation->paths.front().port;
    }
    if (to.kind == NamedTarget::Kind::address) {
      input.address = to.address;
      return true;
    }
    const cluster::PodId pod = pod_of(cluster_, to, input.source);
    if (!pod.is_valid() || !input.port.is_valid()) {
      return fail("not-traceable", fmt::format("\"{}\" has no running pod to dial", printable(request_.destination)));
    }
    input.address = cluster_.pods[pod.index()].ip;
    return true;
  }

  bool dial_service(const cluster::Service& service, const analysis::DestinationText& wanted,
                    workload::TraceInput& input) {
    const cluster::ServicePort* found = nullptr;
    for (const cluster::ServicePort& port : service.ports) {
      const bool is_named = !wanted.port_name.empty() && port.name == wanted.port_name;
      if (port.protocol == wanted.protocol && (is_named || port.port == wanted.port)) {
        found = &port;
      }
    }
    input.port = found != nullptr ? found->port : wanted.port;
    const bool is_direct = service.is_headless || service.cluster_ip.is_unspecified() || !input.source.is_valid();
    if (!is_direct) {
      input.address = service.cluster_ip;
      return input.port.is_valid() || fail("not-traceable", "the Service has no port of that name");
    }
    // A headless name's addresses, whose port is not translated, or a load balancer: a ready backend, dialled directly.
    if (service.is_headless && found == nullptr) {
      found = service.ports.empty() ? nullptr : service.ports.data();
    }
    if (found != nullptr) {
      for (const cluster::Backend& backend : found->backends) {
        if (backend.is_ready) {
          input.address = backend.ip;
          input.port = service.is_headless && wanted.port_name.empty() ? input.port : backend.port;
          return true;
        }
      }
    }
    return fail("not-traceable", fmt::format("\"{}\" has no address to dial: no Service address and no ready backend",
                                             printable(request_.destination)));
  }

  bool fail(std::string code, std::string message) {
    diagnostics_.error(std::move(code), std::move(message), span_);
    return false;
  }

  const Cluster& cluster_;
  const TraceRequest& request_;
  Span span_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::optional<workload::TraceRun> trace(const Scenario& scenario, policy::PolicyEngine& engine,
                                        const TraceRequest& request, Span span, Diagnostics& diagnostics) {
  workload::TraceInput input;
  if (!Request(engine.cluster(), request, span, diagnostics).fill(input)) {
    return std::nullopt;
  }
  input.engine = &engine;
  input.underlay = scenario.file->cluster.underlay;
  input.externals = scenario.file->cluster.externals;
  input.seed = request.seed;
  return workload::play_trace(input);
}

}  // namespace podwire::scenario
