// Reading of pods and pod templates; see pod_reader.hpp. Source of the rules: k8s.io/api core/v1 types.go and
// pkg/api/v1/pod (FindPort searches containers, then restartable init containers).
#include "models/cluster/pod_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::cluster {
namespace {

constexpr std::int64_t kMaxPort = 65'535;

std::optional<IpProtocol> read_protocol(config::Node node, const std::string& object, Diagnostics& diagnostics) {
  if (node.is_null()) {
    return IpProtocol::tcp;
  }
  const auto text = config::as_string(node, object, diagnostics);
  if (!text) {
    return std::nullopt;
  }
  for (const IpProtocol protocol : kProtocols) {
    if (*text == to_string(protocol)) {
      return protocol;
    }
  }
  diagnostics.add({.code = "bad-value",
                   .message = fmt::format("\"{}\" is no protocol", printable(*text, 40)),
                   .span = node.span(),
                   .object = object,
                   .field = node.path(),
                   .help = "TCP, UDP or SCTP"});
  return std::nullopt;
}

std::vector<ContainerPort> read_container_ports(config::ObjectReader& container, const std::string& object,
                                                Diagnostics& diagnostics) {
  std::vector<ContainerPort> ports;
  for (const config::Node item : container.list("ports")) {
    config::ObjectReader reader(item, object, diagnostics);
    const auto protocol = read_protocol(reader.get("protocol"), object, diagnostics);
    if (reader.get("containerPort").is_null()) {
      // The API refuses it; declared ports only inform, so the rest of the pod still means something.
      const bool is_misspelt = item.find("containerport").is_present();
      diagnostics.add({.severity = Severity::warning,
                       .code = "missing-key",
                       .message = "a port without \"containerPort\" is left out",
                       .span = item.span(),
                       .object = object,
                       .field = item.path(),
                       .help = is_misspelt ? "did you mean \"containerPort\"?" : "the API server refuses this object"});
      continue;
    }
    const auto number = reader.integer("containerPort", 1, kMaxPort);
    const auto name = reader.string("name");
    if (name && !name->empty() && std::ranges::find(ports, *name, &ContainerPort::name) != ports.end()) {
      diagnostics.add({.code = "duplicate-port-name",
                       .message = fmt::format("two ports of the container are called \"{}\"", printable(*name, 80)),
                       .span = reader.get("name").span(),
                       .object = object,
                       .field = reader.get("name").path(),
                       .help = "a policy or Service that names it could mean either; the API server refuses it"});
    }
    if (number && protocol) {
      ports.push_back(
          {.name = name.value_or(""), .protocol = *protocol, .number = Port(static_cast<std::uint16_t>(*number))});
    }
  }
  return ports;
}

// A probe's port: a number, or the name of one of the container's own ports.
void add_probe_port(config::Node port, const std::vector<ContainerPort>& own, const std::string& object,
                    Diagnostics& diagnostics, std::vector<ContainerPort>& probe_ports) {
  if (port.is_null()) {
    return;
  }
  if (port.is_quoted() || port.text().empty() || port.text()[0] < '0' || port.text()[0] > '9') {
    const auto name = config::as_string(port, object, diagnostics);
    for (const ContainerPort& candidate : own) {
      if (name && candidate.name == *name && candidate.protocol == IpProtocol::tcp) {
        probe_ports.push_back({.name = {}, .protocol = IpProtocol::tcp, .number = candidate.number});
        return;
      }
    }
    return;  // the kubelet's probe would fail; nothing listens for it
  }
  if (const auto number = config::as_integer(port, 1, kMaxPort, object, diagnostics)) {
    probe_ports.push_back(
        {.name = {}, .protocol = IpProtocol::tcp, .number = Port(static_cast<std::uint16_t>(*number))});
  }
}

void read_container(config::Node item, const std::string& object, Diagnostics& diagnostics, PodTemplate& out) {
  config::ObjectReader container(item, object, diagnostics);
  const std::vector<ContainerPort> own = read_container_ports(container, object, diagnostics);
  out.ports.insert(out.ports.end(), own.begin(), own.end());
  for (const std::string_view probe : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    const config::Node node = item.find(probe);
    for (const std::string_view action : {"httpGet", "tcpSocket", "grpc"}) {
      add_probe_port(node.find(action).find("port"), own, object, diagnostics, out.probe_ports);
    }
  }
}

void read_dns(config::ObjectReader& spec, PodTemplate& out) {
  if (!spec.get("dnsPolicy").is_null()) {
    // In the order of DnsPolicy.
    const auto policy = spec.choice("dnsPolicy", {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"});
    out.dns_policy = policy ? static_cast<DnsPolicy>(*policy) : DnsPolicy::cluster_first;
  }
  const config::Node dns_config = spec.get("dnsConfig");
  if (dns_config.is_null()) {
    return;
  }
  config::ObjectReader reader(dns_config, spec.object(), spec.diagnostics());
  out.dns_config.nameservers = reader.strings("nameservers");
  out.dns_config.searches = reader.strings("searches");
  for (const config::Node option : reader.list("options")) {
    config::ObjectReader pair(option, spec.object(), spec.diagnostics());
    pair.require("name");
    const auto name = pair.string("name");
    const auto value = pair.string("value");
    if (name) {
      out.dns_config.options.emplace_back(*name, value.value_or(""));
    }
  }
}

void read_placement(config::ObjectReader& spec, PodTemplate& out) {
  for (const config::Node member : spec.members("nodeSelector")) {
    if (const auto value = config::as_string(member, spec.object(), spec.diagnostics())) {
      out.node_selector.emplace_back(member.key(), *value);
    }
  }
  for (const config::Node item : spec.list("tolerations")) {
    config::ObjectReader reader(item, spec.object(), spec.diagnostics());
    Toleration toleration;
    toleration.key = reader.string("key").value_or("");
    toleration.value = reader.string("value").value_or("");
    toleration.effect = reader.string("effect").value_or("");
    if (!reader.get("operator").is_null()) {
      toleration.is_exists = reader.choice("operator", {"Equal", "Exists"}) == 1;
    }
    out.tolerations.push_back(std::move(toleration));
  }
}

}  // namespace

LabelSetId read_labels(config::Node labels, const std::string& object, ReadContext& context,
                       const std::vector<Label>& extra) {
  std::vector<Label> read;
  if (!labels.is_null() && !labels.is_mapping()) {
    context.diagnostics.add({.code = "wrong-type",
                             .message = "labels are a mapping of strings",
                             .span = labels.span(),
                             .object = object,
                             .field = labels.path()});
    return context.label_sets.intern(extra);
  }
  read.reserve(labels.size() + extra.size());
  for (const config::Node member : labels) {
    const auto value = config::as_string(member, object, context.diagnostics);
    const auto bad_key = invalid_label_key(member.key());
    const auto bad_value = value ? invalid_label_value(*value) : std::nullopt;
    if (bad_key) {
      context.diagnostics.add({.code = "bad-label-key",
                               .message = fmt::format("the label key \"{}\" {}", printable(member.key(), 80), *bad_key),
                               .span = member.key_span(),
                               .object = object,
                               .field = member.path()});
    } else if (bad_value) {
      context.diagnostics.add({.code = "bad-label-value",
                               .message = fmt::format("the label value \"{}\" {}", printable(*value, 80), *bad_value),
                               .span = member.span(),
                               .object = object,
                               .field = member.path()});
    } else if (value) {
      read.push_back({.key = context.strings.intern(member.key()), .value = context.strings.intern(*value)});
    }
  }
  read.insert(read.end(), extra.begin(), extra.end());
  return context.label_sets.intern(std::move(read));
}

void check_labels(config::Node labels, const std::string& object, Diagnostics& diagnostics) {
  StringPool strings;
  LabelSets label_sets;
  ReadContext context{.strings = strings, .label_sets = label_sets, .diagnostics = diagnostics};
  read_labels(labels, object, context);
}

PodTemplate read_pod_template(config::Node metadata, config::Node spec_node, const std::string& object,
                              ReadContext& context) {
  PodTemplate out;
  out.span = spec_node.is_present() ? spec_node.span() : metadata.span();
  out.labels = read_labels(metadata.find("labels"), object, context);
  config::ObjectReader spec(spec_node, object, context.diagnostics);
  for (const config::Node container : spec.list("containers")) {
    read_container(container, object, context.diagnostics, out);
  }
  for (const config::Node container : spec.list("initContainers")) {
    if (container.find("restartPolicy").text() == "Always") {  // a sidecar: runs as long as the pod
      read_container(container, object, context.diagnostics, out);
    }
  }
  out.is_host_network = spec.boolean("hostNetwork").value_or(false);
  read_dns(spec, out);
  read_placement(spec, out);
  out.service_account = spec.string("serviceAccountName").value_or("");
  if (out.service_account.empty()) {
    out.service_account = spec.string("serviceAccount").value_or("default");  // the name of old
  }
  out.hostname = spec.string("hostname").value_or("");
  out.subdomain = spec.string("subdomain").value_or("");
  return out;
}

std::optional<OwnerReference> read_controller(config::Node metadata, const std::string& object,
                                              Diagnostics& diagnostics) {
  config::ObjectReader reader(metadata, object, diagnostics);
  config::Node chosen;
  for (const config::Node reference : reader.list("ownerReferences")) {
    if (!chosen.is_present() ||
        (reference.find("controller").text() == "true" && chosen.find("controller").text() != "true")) {
      chosen = reference;
    }
  }
  if (!chosen.is_present()) {
    return std::nullopt;
  }
  config::ObjectReader reference(chosen, object, diagnostics);
  OwnerReference owner;
  owner.api_version = reference.string("apiVersion").value_or("");
  owner.kind = reference.string("kind").value_or("");
  owner.name = reference.string("name").value_or("");
  return owner.name.empty() ? std::nullopt : std::optional(owner);
}

namespace {

void read_addresses(config::ObjectReader& status, PodStatus& out) {
  const config::Node pod_ip = status.get("podIP");
  const auto add = [&](config::Node node) {
    if (node.is_null() || node.text().empty()) {
      return;
    }
    const auto ip = config::as_ip(node, status.object(), status.diagnostics());
    if (!ip || std::find(out.ips.begin(), out.ips.end(), *ip) != out.ips.end()) {
      return;
    }
    const auto same =
        std::find_if(out.ips.begin(), out.ips.end(), [&](IpAddress known) { return known.family() == ip->family(); });
    if (same != out.ips.end()) {
      status.diagnostics().add(
          {.code = "two-addresses-of-one-family",
           .message = fmt::format("a pod has one {} address, and this one has {} and {}", ip->is_v4() ? "IPv4" : "IPv6",
                                  same->to_string(), ip->to_string()),
           .span = node.span(),
           .object = status.object(),
           .field = node.path(),
           .help = "the API server takes at most one of each family, podIP among them"});
      return;
    }
    out.ips.push_back(*ip);
    out.ip_spans.push_back(node.span());
  };
  add(pod_ip);
  for (const config::Node item : status.list("podIPs")) {
    add(item.find("ip"));
  }
  if (const config::Node host = status.get("hostIP"); !host.is_null() && !host.text().empty()) {
    out.host_ip = config::as_ip(host, status.object(), status.diagnostics());
  }
}

}  // namespace

PodStatus read_pod_status(config::Node pod, const std::string& object, Diagnostics& diagnostics) {
  PodStatus out;
  config::ObjectReader spec(pod.find("spec"), object, diagnostics);
  out.node_name = spec.string("nodeName").value_or("");
  out.is_terminating = !pod.find("metadata").find("deletionTimestamp").is_null();
  config::ObjectReader status(pod.find("status"), object, diagnostics);
  read_addresses(status, out);
  if (!status.get("phase").is_null() && !status.get("phase").text().empty()) {
    // In the order of PodPhase.
    const auto phase = status.choice("phase", {"Pending", "Running", "Succeeded", "Failed", "Unknown"});
    out.phase = phase ? static_cast<PodPhase>(*phase) : PodPhase::running;
  }
  out.is_ready = out.phase == PodPhase::running;
  for (const config::Node condition : status.list("conditions")) {
    if (condition.find("type").text() == "Ready") {
      out.is_ready = condition.find("status").text() == "True";
    }
  }
  return out;
}

}  // namespace podwire::cluster
