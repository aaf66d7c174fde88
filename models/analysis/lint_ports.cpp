// Rules about ports: service-port-not-target-port, unknown-named-port.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>

#include "models/analysis/lint_context.hpp"

namespace podwire::analysis {
namespace {

using policy::Direction;
using policy::NetworkPolicy;

/// A Service port that is translated to another number on some pods.
struct Translated {
  cluster::ServiceId service;
  Port target;
};

class PortRules {
 public:
  explicit PortRules(LintContext& context) : context_(context), cluster_(context.cluster) {
    for (std::size_t s = 0; s < cluster_.services.size(); ++s) {
      const cluster::Service& service = cluster_.services[s];
      if (service.is_headless) {
        continue;  // nothing is translated
      }
      for (const cluster::ServicePort& port : service.ports) {
        for (const cluster::Backend& backend : port.backends) {
          if (backend.pod.is_valid() && backend.port != port.port) {
            translated_[{cluster_.pods[backend.pod.index()].shape, port.protocol, port.port}] = {cluster::ServiceId(s),
                                                                                                 backend.port};
          }
        }
      }
    }
  }

  /// `of_selectors_alone`: of rules none of whose peers is an ipBlock.
  void policy(const NetworkPolicy& policy, Direction direction, bool of_selectors_alone = false) {
    for (const policy::Rule& rule : policy.rules(direction)) {
      const bool has_block = std::any_of(rule.peers.begin(), rule.peers.end(),
                                         [](const policy::PeerRule& peer) { return peer.ip_block.has_value(); });
      if (rule.ports.empty() || !policy.isolates(direction) || (of_selectors_alone && has_block)) {
        continue;
      }
      std::vector<PodKind> destinations;
      if (direction == Direction::ingress) {
        destinations = context_.subjects_of(policy);
      } else {
        for (const policy::PeerRule& peer : rule.peers) {
          const std::vector<PodKind> more = context_.peers_of(policy, peer);
          destinations.insert(destinations.end(), more.begin(), more.end());
        }
      }
      if (destinations.empty()) {
        continue;
      }
      for (const policy::PortRule& port : rule.ports) {
        if (!port.name.empty()) {
          named_port(policy, rule, port, destinations);
        } else if (port.first.is_valid() && port.first == port.last) {
          service_port(policy, rule, port, destinations);
        }
      }
    }
  }

  /// Named ports of the admin tiers mean every protocol.
  void policy(const policy::AdminPolicy& policy, Direction direction) {
    for (const policy::AdminRule& rule : policy.rules(direction)) {
      std::vector<PodKind> destinations;
      if (direction == Direction::ingress) {
        add_pods(policy.subject_namespaces, policy.subject_pods, destinations);
      } else {
        for (const policy::AdminPeer& peer : rule.peers) {
          if (peer.kind == policy::AdminPeer::Kind::namespaces || peer.kind == policy::AdminPeer::Kind::pods) {
            add_pods(peer.namespace_selector, peer.pod_selector, destinations);
          }
        }
      }
      for (const policy::PortRule& port : rule.ports) {
        const bool is_declared_somehow = std::any_of(std::begin(kProtocols), std::end(kProtocols), [&](IpProtocol p) {
          return is_declared(port.name, p, destinations);
        });
        if (!port.name.empty() && !destinations.empty() && !is_declared_somehow) {
          context_.add("unknown-named-port", policy.full_name(), port.span,
                       fmt::format("port {} is declared by no container of {}: it matches nothing", port.name,
                                   workloads(destinations)),
                       declared_names(destinations));
        }
      }
    }
  }

  void services() {
    for (std::size_t s = 0; s < cluster_.services.size(); ++s) {
      const cluster::Service& service = cluster_.services[s];
      if (!service.selector || service.is_added) {
        continue;
      }
      std::vector<PodKind> selected;
      for (const PodKind& kind : context_.kinds_in(service.name_space)) {
        if (context_.is_matched(*service.selector, kind)) {
          selected.push_back(kind);
        }
      }
      for (const cluster::ServicePort& port : service.ports) {
        if (port.target.name.empty() || selected.empty() || is_declared(port.target.name, port.protocol, selected)) {
          continue;
        }
        context_.add(
            "unknown-named-port", fmt::format("{}/service/{}", context_.name_of(service.name_space), service.name),
            port.span,
            fmt::format("targetPort {} of {} is declared by no container of {} as a {} port", port.target.name,
                        cluster_.service_name(cluster::ServiceId(s)), workloads(selected), to_string(port.protocol)),
            declared_names(selected));
      }
    }
  }

 private:
  void add_pods(const cluster::LabelSelector& spaces, const cluster::LabelSelector& pods, std::vector<PodKind>& out) {
    for (const cluster::NamespaceId name_space : context_.namespaces_matching(spaces)) {
      for (const PodKind& kind : context_.kinds_in(name_space)) {
        if (context_.is_matched(pods, kind)) {
          out.push_back(kind);
        }
      }
    }
  }

  bool is_declared(const std::string& name, IpProtocol protocol, const std::vector<PodKind>& pods) const {
    return std::any_of(pods.begin(), pods.end(),
                       [&](const PodKind& kind) { return cluster_.named_port(kind.shape, protocol, name).is_valid(); });
  }

  std::string workloads(const std::vector<PodKind>& pods) const {
    std::vector<std::string> names;
    for (const PodKind& kind : pods) {
      std::string name = cluster_.workload_name(kind.workload);
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(std::move(name));
      }
    }
    return listed(names);
  }

  std::string declared_names(const std::vector<PodKind>& pods) const {
    std::vector<std::string> names;
    for (const PodKind& kind : pods) {
      for (const cluster::ContainerPort& port : cluster_.pod_template(kind.pod).ports) {
        std::string text = port.name.empty()
                               ? fmt::format("{} {} (unnamed)", to_string(port.protocol), port.number.number())
                               : fmt::format("{} {} ({})", to_string(port.protocol), port.name, port.number.number());
        if (std::find(names.begin(), names.end(), text) == names.end()) {
          names.push_back(std::move(text));
        }
      }
    }
    return names.empty() ? "the containers declare no port: use the number, or declare and name it"
                         : fmt::format("the containers declare {}", listed(names, 6));
  }

  void named_port(const NetworkPolicy& policy, const policy::Rule& rule, const policy::PortRule& port,
                  const std::vector<PodKind>& destinations) {
    (void)rule;
    if (!is_declared(port.name, port.protocol, destinations)) {
      context_.add("unknown-named-port", LintContext::object_name(policy), port.span,
                   fmt::format("port {} is declared by no container of {} as a {} port: it grants nothing", port.name,
                               workloads(destinations), to_string(port.protocol)),
                   declared_names(destinations));
    }
  }

  void service_port(const NetworkPolicy& policy, const policy::Rule& rule, const policy::PortRule& port,
                    const std::vector<PodKind>& destinations) {
    for (const PodKind& kind : destinations) {
      const auto at = translated_.find({kind.shape, port.protocol, port.first});
      if (at == translated_.end() || cluster_.listens(kind.pod, port.protocol, port.first)) {
        continue;
      }
      const Port target = at->second.target;
      const bool is_allowed_too = std::any_of(rule.ports.begin(), rule.ports.end(), [&](const policy::PortRule& other) {
        return other.protocol == port.protocol &&
               ((other.first <= target && target <= other.last) || (other.is_all()) ||
                (!other.name.empty() && cluster_.named_port(kind.shape, port.protocol, other.name) == target));
      });
      if (is_allowed_too) {
        continue;
      }
      context_.add("service-port-not-target-port", LintContext::object_name(policy), port.span,
                   fmt::format("{} is the port of Service {}, which sends it to port {} of {}: policies see {}, and "
                               "nothing listens on {}",
                               port_text(port), cluster_.service_name(at->second.service), target.number(),
                               cluster_.workload_name(kind.workload), target.number(), port.first.number()),
                   fmt::format("`- {{protocol: {}, port: {}}}`", to_string(port.protocol), target.number()));
      return;
    }
  }

  LintContext& context_;
  const cluster::Cluster& cluster_;
  std::map<std::tuple<cluster::ShapeId, IpProtocol, Port>, Translated> translated_;
};

}  // namespace

void lint_ports(LintContext& context) {
  PortRules rules(context);
  // Where policies are enforced before the Service's address is replaced, they do see its port; but what selectors
  // open of Services is found by the port behind.
  const bool egress_sees_services = context.profile.policy.enforcement_point == cni::EnforcementPoint::before_dnat;
  for (const NetworkPolicy& policy : context.policies.network_policies) {
    rules.policy(policy, Direction::ingress);
    if (!egress_sees_services || context.profile.policy.selectors_open_services) {
      rules.policy(policy, Direction::egress, egress_sees_services);
    }
  }
  for (const policy::AdminPolicy& policy : context.policies.admin_policies) {
    rules.policy(policy, Direction::ingress);
    rules.policy(policy, Direction::egress);
  }
  rules.services();
}

}  // namespace podwire::analysis
