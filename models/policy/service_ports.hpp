// What a selector peer opens of a Service where a plugin judges before translation: the port of the Service behind
// which a rule's port is. As the AWS network policy controller looks for it (aws/amazon-network-policy-controller-k8s
// pkg/resolvers/endpoints.go getMatchingServicePort, pkg/k8s/service_utils.go), which adds the cluster address of each
// Service that a rule's selectors match to what the rule opens.
//
// One port of a Service counts, the first: where two lead to the same target the other one stays closed. The controller
// asks the Service's pods in no order; here they are asked by id. Pods that declare different ports are not told apart.
#pragma once

#include <string>

#include "models/cluster/cluster.hpp"

namespace podwire::policy {

/// A rule's port: a name, or else a number.
struct RulePort {
  std::string name;
  Port number;
  auto operator<=>(const RulePort&) const = default;
};

/// The port of `service` that leads to `wanted`; none where none does. A port whose targetPort is written as the rule's
/// comes first; else what a pod behind the Service declares joins names and numbers. O(ports × backends).
Port service_port_for(const cluster::Cluster& cluster, const cluster::Service& service, IpProtocol protocol,
                      const RulePort& wanted);

/// Whether a selector matches a Service: not its pods' labels count, but the Service's own selector, as if it were
/// labels. A Service without a selector has none.
bool selects_service(const cluster::LabelSelector& selector, const cluster::Service& service);

}  // namespace podwire::policy
