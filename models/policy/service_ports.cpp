#include "models/policy/service_ports.hpp"

#include <algorithm>
#include <vector>

namespace podwire::policy {

namespace {

std::vector<cluster::PodId> pods_behind(const cluster::Service& service) {
  std::vector<cluster::PodId> pods;
  for (const cluster::ServicePort& port : service.ports) {
    for (const cluster::Backend& backend : port.backends) {
      if (backend.pod.is_valid()) {
        pods.push_back(backend.pod);
      }
    }
  }
  std::sort(pods.begin(), pods.end());
  pods.erase(std::unique(pods.begin(), pods.end()), pods.end());
  return pods;
}

/// Without a targetPort it is the port itself.
Port target_number(const cluster::ServicePort& port) {
  return port.target.number.is_valid() ? port.target.number : port.port;
}

/// The rule's port with both its name and its number, as far as a pod declares them; none: it declares no such name.
RulePort declared(const cluster::Cluster& cluster, cluster::PodId pod, IpProtocol protocol, const RulePort& wanted) {
  for (const cluster::ContainerPort& port : cluster.pod_template(pod).ports) {
    if (port.protocol == protocol && (wanted.name.empty() ? port.number == wanted.number : port.name == wanted.name)) {
      return {.name = port.name, .number = port.number};
    }
  }
  return wanted.name.empty() ? wanted : RulePort();
}

}  // namespace

Port service_port_for(const cluster::Cluster& cluster, const cluster::Service& service, IpProtocol protocol,
                      const RulePort& wanted) {
  for (const cluster::ServicePort& port : service.ports) {
    const bool is_as_written = port.target.name == wanted.name;  // both without a name are numbers
    if (port.protocol == protocol && is_as_written && (!wanted.name.empty() || target_number(port) == wanted.number)) {
      return port.port;
    }
  }
  for (const cluster::PodId pod : pods_behind(service)) {
    const RulePort known = declared(cluster, pod, protocol, wanted);
    for (const cluster::ServicePort& port : service.ports) {
      const bool leads_there =
          port.target.name.empty() ? target_number(port) == known.number : port.target.name == known.name;
      if (port.protocol == protocol && known.number.is_valid() && leads_there) {
        return port.port;
      }
    }
  }
  return {};
}

bool selects_service(const cluster::LabelSelector& selector, const cluster::Service& service) {
  return std::all_of(
      selector.requirements.begin(), selector.requirements.end(), [&](const cluster::Requirement& requirement) {
        const cluster::Requirement* own = nullptr;
        for (std::size_t i = 0; service.selector && i < service.selector->requirements.size(); ++i) {
          const cluster::Requirement& label = service.selector->requirements[i];
          own = label.key == requirement.key ? &label : own;
        }
        const bool is_listed = own != nullptr && !own->values.empty() &&
                               std::find(requirement.values.begin(), requirement.values.end(), own->values.front()) !=
                                   requirement.values.end();
        switch (requirement.op) {
          case cluster::SelectorOperator::in:
            return is_listed;
          case cluster::SelectorOperator::not_in:
            return !is_listed;
          case cluster::SelectorOperator::exists:
            return own != nullptr;
          case cluster::SelectorOperator::does_not_exist:
            return own == nullptr;
        }
        return false;
      });
}

}  // namespace podwire::policy
