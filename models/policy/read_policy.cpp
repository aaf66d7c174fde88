// Reading NetworkPolicy objects with the API server's own rules (kubernetes pkg/apis/networking/validation and
// apimachinery's IsValidPortName), stricter only in that unknown fields are errors. All problems of an object are
// reported, each at its place.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "models/policy/policy.hpp"
#include "models/policy/read_common.hpp"
#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::policy {

namespace {

using config::Node;
using config::ObjectReader;

constexpr std::size_t kMostRules = 65'535;  // a verdict names its rule in 16 bits

/// Whether the API would take the scalar for a number (an IntOrString decides by the JSON type).
bool is_number(Node node) {
  const std::string_view text = node.text();
  if (node.is_quoted() || text.empty()) {
    return false;
  }
  const std::string_view digits = text[0] == '-' || text[0] == '+' ? text.substr(1) : text;
  return !digits.empty() && std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

class PolicyReader {
 public:
  PolicyReader(const cluster::Object& object, Diagnostics& diagnostics)
      : object_(object), name_(object.full_name()), diagnostics_(diagnostics) {}

  std::optional<NetworkPolicy> read() {
    const std::size_t errors_before = diagnostics_.error_count();
    NetworkPolicy policy;
    policy.name_space = object_.name_space;
    policy.name = object_.name;
    policy.span = object_.span;
    ObjectReader root(object_.node, name_, diagnostics_);
    root.ignore({"apiVersion", "kind", "metadata", "status"});
    if (object_.api_version != "networking.k8s.io/v1") {
      root.error(
          "unsupported-api-version",
          fmt::format("NetworkPolicy is read in networking.k8s.io/v1, not in {}", printable(object_.api_version)),
          object_.node.find("apiVersion"));
    }
    read_spec(root.get("spec"), policy);
    root.finish();
    return diagnostics_.error_count() == errors_before ? std::optional(std::move(policy)) : std::nullopt;
  }

 private:
  void read_spec(Node node, NetworkPolicy& policy) {
    ObjectReader spec(node, name_, diagnostics_);
    // Absent selects every pod of the namespace, as {} does.
    if (auto selector = cluster::read_label_selector(spec.get("podSelector"), name_, diagnostics_)) {
      policy.pod_selector = std::move(*selector);
    }
    policy.ingress = read_rules(spec, "ingress", "from");
    policy.egress = read_rules(spec, "egress", "to");
    read_types(spec, policy);
    spec.finish();
  }

  /// Absent or empty: Ingress always, Egress only with egress rules (networking/v1 defaults.go).
  void read_types(ObjectReader& spec, NetworkPolicy& policy) {
    const std::vector<Node> types = spec.list("policyTypes");
    policy.isolates_ingress = types.empty();
    policy.isolates_egress = types.empty() && !policy.egress.empty();
    if (types.size() > 2) {
      spec.error("too-many-values", "policyTypes may list at most two types", spec.get("policyTypes"));
    }
    for (const Node type : types) {
      const auto text = config::as_string(type, name_, diagnostics_);
      if (!text) {
        continue;
      }
      if (*text == "Ingress") {
        policy.isolates_ingress = true;
      } else if (*text == "Egress") {
        policy.isolates_egress = true;
      } else {
        spec.error("bad-value", fmt::format("\"{}\" is no policy type", printable(*text, 80)), type,
                   "use Ingress or Egress");
      }
    }
  }

  std::vector<Rule> read_rules(ObjectReader& spec, std::string_view key, std::string_view peers_key) {
    const std::vector<Node> nodes = spec.list(key);
    std::vector<Rule> rules;
    if (nodes.size() > kMostRules) {
      spec.error("too-many-rules", fmt::format("{} has {} rules; at most {} are read", key, nodes.size(), kMostRules),
                 spec.get(key));
      return rules;
    }
    for (const Node node : nodes) {
      ObjectReader reader(node, name_, diagnostics_);
      Rule& rule = rules.emplace_back();
      rule.span = node.span();
      for (const Node peer : reader.list(peers_key)) {
        rule.peers.push_back(read_peer(peer));
      }
      for (const Node port : reader.list("ports")) {
        rule.ports.push_back(read_port(port));
      }
      reader.finish();
    }
    return rules;
  }

  PeerRule read_peer(Node node) {
    ObjectReader reader(node, name_, diagnostics_);
    PeerRule peer;
    peer.span = node.span();
    const Node pods = reader.get("podSelector");
    const Node namespaces = reader.get("namespaceSelector");
    const Node block = reader.get("ipBlock");
    // A null selector is an absent one, {} selects everything.
    if (!pods.is_null()) {
      peer.pod_selector = cluster::read_label_selector(pods, name_, diagnostics_);
    }
    if (!namespaces.is_null()) {
      peer.namespace_selector = cluster::read_label_selector(namespaces, name_, diagnostics_);
    }
    if (!block.is_null()) {
      peer.ip_block = read_block(block);
    }
    reader.finish();
    if (pods.is_null() && namespaces.is_null() && block.is_null()) {
      if (node.is_null() || (node.is_mapping() && node.size() == 0)) {
        reader.error("empty-peer", "a peer must name an ipBlock, a podSelector or a namespaceSelector", node,
                     "leave out the whole list to match every peer; `podSelector: {}` matches every pod of the "
                     "namespace");
      } else if (node.is_mapping()) {
        reader.error("empty-peer", "a peer must name an ipBlock, a podSelector or a namespaceSelector", node);
      }
    } else if (!block.is_null() && (!pods.is_null() || !namespaces.is_null())) {
      reader.error("conflicting-peer", "a peer with an ipBlock may not have selectors too", block,
                   "make two list items of them: they are ORed");
    }
    return peer;
  }

  std::optional<IpBlock> read_block(Node node) {
    ObjectReader reader(node, name_, diagnostics_);
    IpBlock block;
    block.span = node.span();
    const Node written = reader.require("cidr");
    const std::optional<Cidr> cidr = written.is_null() ? std::nullopt : read_block_cidr(written, name_, diagnostics_);
    for (const Node item : reader.list("except")) {
      const std::optional<Cidr> except = read_block_cidr(item, name_, diagnostics_);
      if (!cidr || !except) {
        continue;
      }
      if (except->family() != cidr->family() || !cidr->contains(except->first()) ||
          except->length() <= cidr->length()) {
        reader.error("except-outside-cidr",
                     fmt::format("except {} must lie strictly inside {}", except->to_string(), cidr->to_string()),
                     item);
        continue;
      }
      block.except.push_back(*except);
    }
    reader.finish();
    if (!cidr) {
      return std::nullopt;
    }
    block.cidr = *cidr;
    return block;
  }

  PortRule read_port(Node node) {
    ObjectReader reader(node, name_, diagnostics_);
    PortRule port;
    port.span = node.span();
    if (const auto protocol = reader.choice("protocol", {"TCP", "UDP", "SCTP"})) {
      port.protocol = kProtocols[*protocol];
    }
    const Node value = reader.get("port");
    if (is_number(value)) {
      if (const auto number = config::as_integer(value, 1, 65'535, name_, diagnostics_)) {
        port.first = Port(static_cast<std::uint16_t>(*number));
        port.last = port.first;
      }
    } else if (!value.is_null()) {
      read_port_name(reader, value, port);
    }
    read_end_port(reader, value, port);
    reader.finish();
    return port;
  }

  void read_port_name(ObjectReader& reader, Node value, PortRule& port) {
    const auto text = config::as_string(value, name_, diagnostics_);
    if (!text) {
      return;
    }
    if (const auto problem =
            text->empty() ? std::optional<std::string>("must not be empty") : invalid_port_name(*text)) {
      const bool is_quoted_number =
          std::all_of(text->begin(), text->end(), [](char c) { return c >= '0' && c <= '9'; });
      reader.error(
          "bad-port-name", fmt::format("port name \"{}\" {}", printable(*text, 80), *problem), value,
          is_quoted_number && !text->empty() ? "in quotes it is a name; leave the quotes out for a number" : "");
      return;
    }
    port.name = *text;
  }

  void read_end_port(ObjectReader& reader, Node first, PortRule& port) {
    const Node value = reader.get("endPort");
    if (value.is_null()) {
      return;
    }
    if (first.is_null() || !is_number(first)) {
      reader.error("bad-end-port",
                   first.is_null() ? "endPort needs a port to begin with" : "endPort needs a port that is a number",
                   value);
      return;
    }
    const auto number = config::as_integer(value, 1, 65'535, name_, diagnostics_);
    if (!number || !port.first.is_valid()) {
      return;
    }
    if (*number < port.first.number()) {
      reader.error("bad-end-port", fmt::format("endPort {} is below port {}", *number, port.first.number()), value);
      return;
    }
    port.last = Port(static_cast<std::uint16_t>(*number));
  }

  const cluster::Object& object_;
  std::string name_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::optional<NetworkPolicy> read_network_policy(const cluster::Object& object, Diagnostics& diagnostics) {
  return PolicyReader(object, diagnostics).read();
}

Result<PolicySet> read_policies(const cluster::ObjectStore& store) {
  Diagnostics diagnostics;
  PolicySet set;
  for (const cluster::Object* object : store.all("networking.k8s.io", "NetworkPolicy")) {
    if (auto policy = read_network_policy(*object, diagnostics)) {
      set.network_policies.push_back(std::move(*policy));
    }
  }
  for (const AdminKind kind :
       {AdminKind::admin_network_policy, AdminKind::baseline_admin_network_policy, AdminKind::cluster_network_policy}) {
    for (const cluster::Object* object : store.all("policy.networking.k8s.io", to_string(kind))) {
      if (auto policy = read_admin_policy(*object, diagnostics)) {
        set.admin_policies.push_back(std::move(*policy));
      }
    }
  }
  if (diagnostics.has_errors()) {
    return Result<PolicySet>(std::move(diagnostics));
  }
  std::sort(set.admin_policies.begin(), set.admin_policies.end(), precedes);
  warn_of_equal_priorities(set, diagnostics);
  std::sort(set.network_policies.begin(), set.network_policies.end(), [](const auto& a, const auto& b) {
    return std::tie(a.name_space, a.name) < std::tie(b.name_space, b.name);
  });
  return Result<PolicySet>(std::move(set), std::move(diagnostics));
}

}  // namespace podwire::policy
