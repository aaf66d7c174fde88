// Cluster DNS that podwire adds when the layers bring none: kubeadm's CoreDNS.
//
// Source: k8s.io/kubernetes cmd/kubeadm/app/phases/addons/dns/manifests.go (ports 53/UDP, 53/TCP, 9153/TCP, readiness
// 8181, liveness 8080, dnsPolicy Default, two replicas, Service at the tenth address).
#include <fmt/format.h>

#include "models/cluster/build.hpp"

namespace podwire::cluster {
namespace {

ContainerPort container_port(std::string name, IpProtocol protocol, std::uint16_t number) {
  return {.name = std::move(name), .protocol = protocol, .number = Port(number)};
}

ServicePort service_port(std::string name, IpProtocol protocol, std::uint16_t number) {
  return {.name = std::move(name),
          .protocol = protocol,
          .port = Port(number),
          .target = {.number = Port(number), .name = {}},
          .node_port = {},
          .backends = {},
          .span = {}};
}

bool is_dns_namespace(const Object& object) {
  return object.name_space == kDnsNamespace;
}

bool is_dns_label(config::Node metadata) {
  return metadata.find("labels").find("k8s-app").text() == "kube-dns";
}

}  // namespace

PodTemplate coredns_template(ReadContext context) {
  PodTemplate out;
  out.labels = context.label_sets.intern(
      {{.key = context.strings.intern("k8s-app"), .value = context.strings.intern("kube-dns")}});
  out.ports = {container_port("dns", IpProtocol::udp, 53), container_port("dns-tcp", IpProtocol::tcp, 53),
               container_port("metrics", IpProtocol::tcp, 9153)};
  out.probe_ports = {container_port("", IpProtocol::tcp, 8080), container_port("", IpProtocol::tcp, 8181)};
  out.dns_policy = DnsPolicy::use_default;
  out.node_selector = {{"kubernetes.io/os", "linux"}};
  out.tolerations = {
      {.key = "CriticalAddonsOnly", .value = {}, .effect = {}, .is_exists = true},
      {.key = "node-role.kubernetes.io/control-plane", .value = {}, .effect = "NoSchedule", .is_exists = true}};
  out.service_account = "coredns";
  return out;
}

Service kube_dns_service(NamespaceId kube_system) {
  Service service;
  service.name_space = kube_system;
  service.name = "kube-dns";
  service.ports = {service_port("dns", IpProtocol::udp, 53), service_port("dns-tcp", IpProtocol::tcp, 53),
                   service_port("metrics", IpProtocol::tcp, 9153)};
  service.selector = LabelSelector{
      .requirements = {{.key = "k8s-app", .op = SelectorOperator::in, .values = {"kube-dns"}, .span = {}}}, .span = {}};
  service.is_added = true;
  return service;
}

void decide_dns(BuildState& state) {
  if (!state.options.adds_dns) {
    return;
  }
  bool has_pods = false;
  for (const Object& object : state.store.objects()) {
    const config::Node metadata = object.node.find("metadata");
    if (object.kind == "Service" && object.group().empty() &&
        ((object.name_space == "openshift-dns" && object.name == "dns-default") ||
         (is_dns_namespace(object) && (object.name == "kube-dns" || is_dns_label(metadata))))) {
      return;
    }
    const config::Node pod_template = object.node.find("spec").find("template");
    has_pods = has_pods ||
               (is_dns_namespace(object) && ((object.kind == "Pod" && is_dns_label(metadata)) ||
                                             is_dns_label(pod_template.find("metadata")) || object.name == "coredns"));
  }
  state.adds_dns_service = true;
  state.adds_dns_workload = !has_pods;
  state.assume("dns", has_pods ? "added Service kube-system/kube-dns: the layers bring DNS pods and no Service for them"
                               : fmt::format("added Deployment kube-system/coredns ({} replicas) and Service "
                                             "kube-system/kube-dns: the layers bring no cluster DNS",
                                             state.options.dns_replicas));
}

}  // namespace podwire::cluster
