// The `cluster` part of a scenario: layers, nodes, plugin, DNS, address ranges, underlay.
#include <fmt/format.h>

#include <algorithm>

#include "app/scenario/file.hpp"
#include "models/dns/names.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

using workload::UnderlaySpec;

void read_nodes(Section section, cluster::ClusterOptions& options) {
  const auto most = static_cast<std::int64_t>(options.max_nodes);
  if (const auto count = section.integer("count", 1, most)) {
    options.node_count = static_cast<std::uint32_t>(*count);
  }
  if (const auto cores = section.integer("cores", 1, 1024)) {
    options.cores_per_node = static_cast<std::uint32_t>(*cores);
  }
  if (const auto length = section.integer("cidrMaskSize", 8, 126)) {
    options.node_mask_length = static_cast<unsigned>(*length);
  }
  section.finish();
}

// Names outside the cluster, each with its addresses, or {addresses, ttl}; an empty list is a name without any
// (NODATA).
void read_externals(Section section, std::string_view domain, dns::ExternalRecords& externals) {
  if (!section.node().is_mapping()) {
    return;  // not there, or reported
  }
  for (const config::Node member : section.node()) {
    const std::string name = dns::normalized(member.key());
    dns::ExternalRecord record;
    const auto read_addresses = [&](Section& from, std::string_view key) {
      for (const config::Node item : from.texts(key)) {
        if (const auto address = config::as_ip(item, section.object(), section.diagnostics())) {
          record.addresses.push_back(*address);
        }
      }
    };
    if (member.is_mapping()) {
      Section external = section.section(member.key(), "External name");
      external.require("addresses");
      read_addresses(external, "addresses");
      record.ttl = external.duration("ttl").value_or(record.ttl);
      external.finish();
    } else {
      read_addresses(section, member.key());
    }
    if (const auto wrong = cluster::invalid_dns_subdomain(name)) {
      section.error("bad-name", fmt::format("\"{}\" is no host name: {}", printable(member.key(), 80), *wrong), member);
    } else if (IpAddress::parse(name).has_value()) {
      section.error("bad-name", fmt::format("\"{}\" is an address, not a name", printable(member.key(), 80)), member);
    } else if (dns::is_within(name, domain)) {
      section.error("bad-name", fmt::format("\"{}\" lies within the cluster's own domain", printable(name, 80)), member,
                    "the cluster's DNS answers for its Services; externals are names outside of it");
    } else if (!externals.emplace(name, std::move(record)).second) {
      section.error("duplicate-name", fmt::format("\"{}\" is named twice", printable(name, 80)), member);
    }
  }
}

void read_dns(Section section, ClusterFile& file) {
  cluster::ClusterOptions& options = file.options;
  const auto replicas = section.integer("replicas", 0, 10'000);
  options.adds_dns = replicas.value_or(1) > 0;
  options.dns_replicas = static_cast<std::uint32_t>(replicas.value_or(options.dns_replicas));
  read_externals(section.section("externals"), dns::normalized(options.cluster_domain), file.externals);
  section.finish();
}

UnderlaySpec read_underlay(Section section) {
  UnderlaySpec underlay;
  const bool is_fabric = section.choice("preset", {"single-switch", "leaf-spine"}).value_or(0) == 1;
  const auto leaves = section.integer("leaves", 1, 4096);
  const auto spines = section.integer("spines", 1, 1024);
  if (is_fabric) {
    underlay.preset = UnderlaySpec::Preset::leaf_spine;
    underlay.leaves = static_cast<std::uint32_t>(leaves.value_or(2));
    underlay.spines = static_cast<std::uint32_t>(spines.value_or(2));
  } else if (leaves || spines) {
    section.error("bad-value", "leaves and spines belong to the preset leaf-spine",
                  section.get(leaves ? "leaves" : "spines"), "add `preset: leaf-spine`");
  }
  underlay.host_rate = section.bit_rate("nodeRate").value_or(underlay.host_rate);
  underlay.fabric_rate = section.bit_rate("fabricRate").value_or(underlay.fabric_rate);
  underlay.propagation = section.duration("propagation").value_or(underlay.propagation);
  underlay.switch_latency = section.duration("switchLatency").value_or(underlay.switch_latency);
  underlay.port_buffer = section.bytes("buffer").value_or(underlay.port_buffer);
  underlay.mtu = section.bytes("mtu").value_or(underlay.mtu);
  underlay.loss = section.fraction("loss").value_or(underlay.loss);
  underlay.edge_delay = section.duration("edgeDelay").value_or(underlay.edge_delay);
  constexpr std::int64_t kLeastMtu = 576;    // RFC 791: what every host must accept
  constexpr std::int64_t kMostMtu = 65'535;  // the IPv4 length field
  if (underlay.mtu.count() < kLeastMtu || underlay.mtu.count() > kMostMtu) {
    section.error("out-of-range",
                  fmt::format("mtu is {} bytes, not within {} to {}", underlay.mtu.count(), kLeastMtu, kMostMtu),
                  section.get("mtu"));
  }
  if (underlay.port_buffer < underlay.mtu) {
    section.error("out-of-range", "a port's buffer holds less than one packet of the MTU", section.get("buffer"));
  }
  section.finish();
  return underlay;
}

CniChoice read_cni(Section& section) {
  CniChoice cni{.profile = {"auto", {}}};
  const config::Node node = section.get("cni");
  if (node.is_scalar()) {
    cni.profile = {std::string(node.text()), node.span()};
  } else if (node.is_mapping()) {
    Section mapping = section.section("cni", "CNI");
    const config::Node profile = mapping.require("profile");
    if (const auto name = mapping.string("profile")) {
      cni.profile = {*name, profile.span()};
    }
    cni.overrides = {.profile = mapping.get("overrides"), .policy = mapping.get("policy")};
    mapping.finish();
  } else if (!node.is_null()) {
    section.error("wrong-type", "cni is a profile's name, or {profile, policy, overrides}", node,
                  "`podwire models` lists the profiles");
  }
  return cni;
}

void read_listens(Section& section, cluster::ClusterOptions& options) {
  for (Section& item : section.items("listens", "Listener")) {
    const config::Node target = item.require("workload");
    const auto name = item.string("workload");
    item.require("ports");
    for (const config::Node text : item.texts("ports")) {
      const auto port = parse_port(text.text());
      if (!port) {
        item.error("bad-value", fmt::format("\"{}\" is no port", printable(text.text(), 60)), text,
                   "for example 8080 or 53/UDP");
      } else if (name) {
        options.listens.push_back({*name, port->first, port->second, target.span()});
      }
    }
    item.finish();
  }
}

void read_version(Section& section, ClusterFile& file) {
  file.kubernetes_version = section.string("kubernetesVersion").value_or("auto");
  std::string_view rest = file.kubernetes_version;
  rest.remove_prefix(rest.starts_with('v') ? 1 : 0);
  const bool is_version = !rest.empty() && rest.find_first_not_of("0123456789.") == std::string_view::npos &&
                          std::count(rest.begin(), rest.end(), '.') >= 1 && rest.front() != '.' && rest.back() != '.';
  if (file.kubernetes_version != "auto" && !is_version) {
    section.error("bad-value", fmt::format("kubernetesVersion is \"{}\"", printable(file.kubernetes_version, 60)),
                  section.get("kubernetesVersion"), "for example \"1.29\", in quotes, or auto");
  }
}

}  // namespace

ClusterFile read_cluster_section(Section section) {
  ClusterFile file;
  file.span = section.span();
  section.require("from");
  for (const config::Node node : section.texts("from")) {
    file.from.push_back({std::string(node.text()), node.span()});
  }
  read_nodes(section.section("nodes"), file.options);
  read_version(section, file);
  file.cni = read_cni(section);
  if (const auto proxy = section.string("serviceProxy"); proxy && *proxy != "iptables") {
    const bool is_known = *proxy == "ipvs" || *proxy == "nftables" || *proxy == "ebpf";
    section.error(is_known ? "not-supported-yet" : "bad-value",
                  is_known ? fmt::format("serviceProxy {} is not supported yet", *proxy)
                           : fmt::format("serviceProxy is \"{}\"", printable(*proxy, 60)),
                  section.get("serviceProxy"), "use iptables");
  }
  file.options.adds_dns = true;
  file.underlay = read_underlay(section.section("underlay", "Underlay"));
  read_listens(section, file.options);
  file.options.pod_cidr = section.cidr("podCidr");
  file.options.service_cidr = section.cidr("serviceCidr");
  if (const auto domain = section.string("clusterDomain")) {
    file.options.cluster_domain = *domain;
    if (const auto wrong = cluster::invalid_dns_subdomain(*domain)) {
      section.error("bad-name", fmt::format("clusterDomain: {}", *wrong), section.get("clusterDomain"));
    }
  }
  read_dns(section.section("dns"), file);  // names are judged against the domain
  section.finish();
  return file;
}

}  // namespace podwire::scenario
