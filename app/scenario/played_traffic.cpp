#include "app/scenario/played_traffic.hpp"

#include <vector>

#include "app/scenario/lookup.hpp"
#include "models/policy/engine.hpp"

namespace podwire::scenario {
namespace {

using flows::End;
using flows::EndKind;
using workload::Outcome;
using workload::Target;

End pod_end(cluster::PodId pod) {
  return {.kind = EndKind::pod, .id = pod.value()};
}

End address_end(const cluster::Cluster& cluster, IpAddress ip) {
  if (const cluster::PodId pod = cluster.pod_at(ip); pod.is_valid()) {
    return pod_end(pod);
  }
  if (const cluster::ServiceId service = cluster.service_at(ip); service.is_valid()) {
    return {.kind = EndKind::service, .id = service.value()};
  }
  if (const cluster::NodeId node = cluster.node_at(ip); node.is_valid()) {
    return {.kind = EndKind::node, .id = node.value()};
  }
  return {.kind = EndKind::address, .ip = ip};
}

flows::FlowProtocol protocol_of(IpProtocol protocol) {
  return protocol == IpProtocol::tcp   ? flows::FlowProtocol::tcp
         : protocol == IpProtocol::udp ? flows::FlowProtocol::udp
                                       : flows::FlowProtocol::sctp;
}

class Traffic {
 public:
  Traffic(const PolicySetPlan& plan, const dns::ExternalRecords& externals,
          const std::function<void(const flows::Connection&, std::uint64_t)>& visit)
      : cluster_(plan.cluster()),
        externals_(externals),
        visit_(visit),
        engine_(plan.cluster(), plan.policies, plan.profile()) {}

  void loop(const workload::WorkloadSpec& spec, const workload::WorkloadResult& result) {
    const auto count = [&](Outcome outcome) { return result.outcomes[static_cast<std::size_t>(outcome)]; };
    const End source = source_of(spec);
    const std::uint64_t answered = count(Outcome::ok);
    const std::uint64_t silent = count(Outcome::connect_timeout);
    if (spec.to.kind == Target::Kind::host && cluster_.dns_service.is_valid()) {
      const End dns{.kind = EndKind::service, .id = cluster_.dns_service.value()};
      // Whoever came to a handshake, or heard that there is no such name, was answered.
      tell(source, dns, IpProtocol::udp, Port(53), result.requests - count(Outcome::dns_timeout), false);
      tell(source, dns, IpProtocol::udp, Port(53), count(Outcome::dns_timeout), true);
    }
    if (!spec.to.port.is_valid()) {
      return;
    }
    for (const End& destination : destinations(spec)) {
      tell(source, destination, spec.to.protocol, spec.to.port, answered, false);
      tell(source, destination, spec.to.protocol, spec.to.port, silent, true);
    }
  }

  /// One connection to each end, and one lookup where there is one to make.
  void asked(const workload::WorkloadSpec& spec) {
    const End source = source_of(spec);
    if (spec.to.kind == Target::Kind::host && cluster_.dns_service.is_valid()) {
      tell(source, {.kind = EndKind::service, .id = cluster_.dns_service.value()}, IpProtocol::udp, Port(53), 1, false);
    }
    if (!spec.to.port.is_valid()) {
      return;
    }
    for (const End& destination : destinations(spec)) {
      tell(source, destination, spec.to.protocol, spec.to.port, 1, false);
    }
  }

 private:
  static End source_of(const workload::WorkloadSpec& spec) {
    return spec.from.is_external() ? End{.kind = EndKind::address, .ip = spec.from.external}
                                   : pod_end(spec.from.pods.front());
  }

  std::vector<End> destinations(const workload::WorkloadSpec& spec) {
    const Target& to = spec.to;
    switch (to.kind) {
      case Target::Kind::service:
        return {{.kind = EndKind::service, .id = to.service.value()}};
      case Target::Kind::address:
        return {address_end(cluster_, to.address)};
      case Target::Kind::pods: {
        std::vector<End> ends;
        for (const cluster::PodId pod : to.pods) {
          if (ends.empty() || cluster_.pods[pod.index()].workload != cluster_.pods[ends.back().id].workload) {
            ends.push_back(pod_end(pod));
          }
        }
        return ends;
      }
      case Target::Kind::host:
        break;
    }
    if (spec.from.is_external()) {
      return {};
    }
    Diagnostics problems;
    const auto lookup =
        look_up(engine_, cluster_.full_pod_name(spec.from.pods.front()), to.host, externals_, {}, problems);
    if (!lookup || !lookup->is_found() || lookup->answer().addresses.empty()) {
      return {};
    }
    return {address_end(cluster_, lookup->answer().addresses.front())};
  }

  void tell(const End& source, const End& destination, IpProtocol protocol, Port port, std::uint64_t count,
            bool is_dropped) {
    if (count == 0) {
      return;
    }
    flows::Connection connection;
    connection.source = source;
    connection.destination = destination;
    connection.protocol = protocol_of(protocol);
    connection.destination_port = port.number();
    connection.overall = is_dropped ? flows::Recorded::dropped : flows::Recorded::forwarded;
    visit_(connection, count);
  }

  const cluster::Cluster& cluster_;
  const dns::ExternalRecords& externals_;
  const std::function<void(const flows::Connection&, std::uint64_t)>& visit_;
  policy::PolicyEngine engine_;
};

}  // namespace

void each_played(const PolicySetPlan& plan, const workload::RunResult& result, const dns::ExternalRecords& externals,
                 const std::function<void(const flows::Connection&, std::uint64_t count)>& visit) {
  Traffic traffic(plan, externals, visit);
  for (std::size_t w = 0; w < plan.workloads.size() && w < result.workloads.size(); ++w) {
    traffic.loop(plan.workloads[w], result.workloads[w]);
  }
}

void each_asked(const PolicySetPlan& plan, const dns::ExternalRecords& externals,
                const std::function<void(const flows::Connection&)>& visit) {
  const std::function<void(const flows::Connection&, std::uint64_t)> one = [&](const flows::Connection& connection,
                                                                               std::uint64_t) { visit(connection); };
  Traffic traffic(plan, externals, one);
  for (const workload::WorkloadSpec& spec : plan.workloads) {
    traffic.asked(spec);
  }
}

}  // namespace podwire::scenario
