// Policies of every tier, from text to verdicts: what the readers accept compiles, and the engine agrees with the naive
// evaluator on pods, nodes and addresses around every boundary. A first line `#NAME` chooses the profile; others are
// judged by the specification.
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <vector>

#include "models/policy/engine.hpp"
#include "models/policy/policy.hpp"
#include "tests/fuzz/oracle.hpp"
#include "tests/property/policy/naive_evaluator.hpp"

namespace podwire::fuzz {
namespace {

using policy::Direction;
using test::NaiveEnd;

constexpr config::Limits kLimits{.max_bytes = 1 << 17, .max_depth = 60, .max_alias_nodes = 2'000, .max_documents = 100};
constexpr std::size_t kMostEnds = 10;
constexpr std::size_t kMostPorts = 8;

/// Read from one text; `policies` is there if everything was accepted.
struct Read {
  SourceMap sources;
  cluster::ObjectStore store;
  std::optional<cluster::Cluster> cluster;
  std::optional<policy::PolicySet> policies;

  explicit Read(const std::string& text) {
    Diagnostics diagnostics;
    store.add_layer(sources, {.path = "-", .shown_as = "in.yaml", .text = text, .span = {}}, {.limits = kLimits},
                    diagnostics);
    check_diagnostics(diagnostics, sources);
    if (diagnostics.has_errors()) {
      return;
    }
    cluster::ClusterOptions options;
    options.max_pods = 40;
    options.max_nodes = 8;
    auto built = cluster::build_cluster(store, options);
    if (built) {
      cluster = std::move(built).value();
    }
    auto read = policy::read_policies(store);
    check_result(read, sources);
    if (cluster && read) {
      policies = std::move(read).value();
    }
  }
};

/// The cluster in the naive evaluator's terms. Nodes come first under their ids, their further addresses after them.
test::SmallCluster simplified(const cluster::Cluster& c) {
  const auto labels_of = [&](cluster::LabelSetId id) {
    test::LabelMap labels;
    for (const cluster::Label label : c.label_sets[id]) {
      labels[std::string(c.strings[label.key])] = std::string(c.strings[label.value]);
    }
    return labels;
  };
  test::SmallCluster small;
  for (const cluster::Namespace& n : c.namespaces) {
    small.namespaces[n.name] = labels_of(n.labels);
  }
  for (const cluster::Node& node : c.nodes) {
    small.node_addresses.push_back(node.addresses.empty() ? IpAddress() : node.addresses.front());
    small.node_labels.push_back(labels_of(node.labels));
  }
  for (const cluster::Node& node : c.nodes) {
    for (std::size_t i = 1; i < node.addresses.size(); ++i) {
      small.node_addresses.push_back(node.addresses[i]);
      small.node_labels.push_back(labels_of(node.labels));
    }
  }
  for (std::size_t p = 0; p < c.pods.size(); ++p) {
    const cluster::PodId id(p);
    const cluster::Pod& pod = c.pods[p];
    small.pods.push_back({.name_space = c.namespaces[c.namespace_of(id).index()].name,
                          .name = c.pod_name(id),
                          .labels = labels_of(c.shape(id).labels),
                          .ports = c.pod_template(id).ports,
                          .ip = pod.ip,
                          .node = pod.node.is_valid() ? static_cast<int>(pod.node.index()) : -1,
                          .is_host_network = c.shape(id).is_host_network,
                          .phase = pod.phase});
  }
  return small;
}

void add_around(std::set<IpAddress>& addresses, const Cidr& cidr) {
  addresses.insert(cidr.first());
  addresses.insert(cidr.last());
}

/// Pods, nodes, and addresses at the edges of what policies name.
std::vector<NaiveEnd> ends_of(const cluster::Cluster& c, const policy::PolicySet& policies) {
  std::vector<NaiveEnd> ends;
  for (std::size_t p = 0; p < std::min<std::size_t>(c.pods.size(), 6); ++p) {
    ends.push_back({.pod = static_cast<int>(p)});
  }
  std::set<IpAddress> addresses = {IpAddress::v4(198, 51, 100, 7), *IpAddress::parse("2001:db8::9")};
  for (const policy::NetworkPolicy& policy : policies.network_policies) {
    for (const Direction direction : policy::kDirections) {
      for (const policy::Rule& rule : policy.rules(direction)) {
        for (const policy::PeerRule& peer : rule.peers) {
          if (peer.ip_block) {
            add_around(addresses, peer.ip_block->cidr);
            for (const Cidr& except : peer.ip_block->except) {
              add_around(addresses, except);
            }
          }
        }
      }
    }
  }
  for (const policy::AdminPolicy& policy : policies.admin_policies) {
    for (const policy::AdminRule& rule : policy.egress) {
      for (const policy::AdminPeer& peer : rule.peers) {
        for (const Cidr& network : peer.networks) {
          add_around(addresses, network);
        }
      }
    }
  }
  if (!c.nodes.empty() && !c.nodes.front().addresses.empty()) {
    ends.push_back({.node = 0, .ip = c.nodes.front().addresses.front()});
  }
  for (const IpAddress ip : addresses) {
    const bool is_anybodys = c.pod_at(ip).is_valid() || ip.is_unspecified() || c.node_at(ip).is_valid();
    if (!is_anybodys && ends.size() < kMostEnds) {
      ends.push_back({.ip = ip});
    }
  }
  return ends;
}

void add_ports(std::set<std::uint16_t>& ports, const std::vector<policy::PortRule>& rules) {
  for (const policy::PortRule& rule : rules) {
    for (const Port port : {rule.first, rule.last}) {
      if (port.is_valid()) {
        ports.insert(port.number());
        ports.insert(static_cast<std::uint16_t>(std::min(65'535, port.number() + 1)));
      }
    }
  }
}

std::vector<std::uint16_t> ports_of(const cluster::Cluster& c, const policy::PolicySet& policies) {
  std::set<std::uint16_t> ports = {53, 80};
  for (const Direction direction : policy::kDirections) {
    for (const policy::NetworkPolicy& policy : policies.network_policies) {
      for (const policy::Rule& rule : policy.rules(direction)) {
        add_ports(ports, rule.ports);
      }
    }
    for (const policy::AdminPolicy& policy : policies.admin_policies) {
      for (const policy::AdminRule& rule : policy.rules(direction)) {
        add_ports(ports, rule.ports);
      }
    }
  }
  for (const cluster::PodTemplate& pod_template : c.templates) {
    for (const cluster::ContainerPort& port : pod_template.ports) {
      ports.insert(port.number.number());
    }
  }
  // Evenly over what there is, so that neither end is always left out.
  const std::vector<std::uint16_t> all(ports.begin(), ports.end());
  std::vector<std::uint16_t> some;
  for (std::size_t i = 0; i < all.size(); i += 1 + all.size() / kMostPorts) {
    some.push_back(all[i]);
  }
  return some;
}

policy::Peer peer_of(const NaiveEnd& end) {
  return {.pod = end.pod < 0 ? cluster::PodId() : cluster::PodId(static_cast<std::size_t>(end.pod)),
          .node = end.node < 0 ? cluster::NodeId() : cluster::NodeId(static_cast<std::size_t>(end.node)),
          .ip = end.ip};
}

std::string name_of(const cluster::Cluster& c, const NaiveEnd& end) {
  return end.pod < 0 ? end.ip.to_string() : c.full_pod_name(cluster::PodId(static_cast<std::size_t>(end.pod)));
}

class Comparison {
 public:
  Comparison(const cluster::Cluster& cluster, const policy::PolicySet& policies, const cni::Profile& profile)
      : cluster_(cluster),
        small_(simplified(cluster)),
        engine_(cluster, policies, profile),
        naive_(small_, policies, profile.policy) {}

  void run() {
    const std::vector<NaiveEnd> ends = ends_of(cluster_, engine_.policies());
    const std::vector<std::uint16_t> ports = ports_of(cluster_, engine_.policies());
    for (const NaiveEnd& subject : ends) {
      for (const NaiveEnd& other : ends) {
        for (const Direction direction : policy::kDirections) {
          if (subject.pod >= 0) {
            compare(direction, subject, other, ports);
          }
        }
      }
    }
  }

 private:
  void compare(Direction direction, const NaiveEnd& subject, const NaiveEnd& other,
               const std::vector<std::uint16_t>& ports) {
    bool is_unknown = false;
    const policy::PortSet allowed = engine_.allowed_ports(direction, peer_of(subject), peer_of(other), is_unknown);
    for (const IpProtocol protocol : kProtocols) {
      for (const std::uint16_t port : ports) {
        const policy::Verdict found =
            engine_.verdict(direction, peer_of(subject), peer_of(other), protocol, Port(port));
        if (found.cause == policy::Cause::unmodelled || found.cause == policy::Cause::map_overflow) {
          continue;  // not the policies' own concern
        }
        const test::NaiveVerdict expected = naive_.verdict(direction, subject, other, protocol, port);
        const bool agrees = found.action == expected.action &&
                            (expected.is_entangled || (found.cause == expected.cause && found.tier == expected.tier));
        require(agrees && allowed.contains(protocol, Port(port)) == expected.is_allowed,
                fmt::format("{} of {} with {} on {} {}: {} {}, the naive evaluator says {} {}; allowed {}",
                            to_string(direction), name_of(cluster_, subject), name_of(cluster_, other),
                            to_string(protocol), port, static_cast<int>(found.action), to_string(found.cause),
                            static_cast<int>(expected.action), to_string(expected.cause), allowed.to_string()));
      }
    }
    const Port port(ports.front());
    const auto explanation = engine_.explain(direction, peer_of(subject), peer_of(other), IpProtocol::tcp, port);
    require(!explanation.text.empty(), "a verdict has a reason");
  }

  const cluster::Cluster& cluster_;
  test::SmallCluster small_;
  policy::PolicyEngine engine_;
  test::NaiveEvaluator naive_;
};

std::string describe(const cluster::LabelSelector& selector) {
  std::string out = "{";
  for (const cluster::Requirement& r : selector.requirements) {
    out += fmt::format("{} {} {};", r.key, static_cast<int>(r.op), fmt::join(r.values, ","));
  }
  return out + "}";
}

std::string describe(const std::vector<policy::PortRule>& ports) {
  std::string out;
  for (const policy::PortRule& port : ports) {
    out += fmt::format(" {}{}:{}-{}:{}", static_cast<int>(port.protocol), port.has_any_protocol ? "*" : "",
                       port.first.is_valid() ? port.first.number() : 0, port.last.is_valid() ? port.last.number() : 0,
                       port.name);
  }
  return out;
}

std::string describe(const policy::PeerRule& peer) {
  std::string out = "peer";
  if (peer.ip_block) {
    out += " " + peer.ip_block->cidr.to_string();
    for (const Cidr& except : peer.ip_block->except) {
      out += "-" + except.to_string();
    }
  }
  out += peer.pod_selector ? " pods" + describe(*peer.pod_selector) : "";
  return out + (peer.namespace_selector ? " namespaces" + describe(*peer.namespace_selector) : "") + "\n";
}

std::string describe(const policy::AdminPeer& peer) {
  std::string out = fmt::format("peer {} {}{}{}", static_cast<int>(peer.kind), describe(peer.namespace_selector),
                                describe(peer.pod_selector), describe(peer.node_selector));
  for (const Cidr& network : peer.networks) {
    out += " " + network.to_string();
  }
  return out + fmt::format(" {}\n", fmt::join(peer.domain_names, ","));
}

/// Everything that policies say, without places.
std::string describe(const policy::PolicySet& set) {
  std::string out;
  for (const policy::NetworkPolicy& p : set.network_policies) {
    out += fmt::format("{} {} {}{}\n", p.full_name(), describe(p.pod_selector), p.isolates_ingress, p.isolates_egress);
    for (const Direction direction : policy::kDirections) {
      for (const policy::Rule& rule : p.rules(direction)) {
        out += fmt::format("{}{}\n", to_string(direction), describe(rule.ports));
        for (const policy::PeerRule& peer : rule.peers) {
          out += describe(peer);
        }
      }
    }
  }
  for (const policy::AdminPolicy& p : set.admin_policies) {
    out += fmt::format("{} {} {} {} {}\n", p.full_name(), static_cast<int>(p.tier), p.priority,
                       describe(p.subject_namespaces), describe(p.subject_pods));
    for (const Direction direction : policy::kDirections) {
      for (const policy::AdminRule& rule : p.rules(direction)) {
        out += fmt::format("{} {} {}{}\n", to_string(direction), rule.name, static_cast<int>(rule.action),
                           describe(rule.ports));
        for (const policy::AdminPeer& peer : rule.peers) {
          out += describe(peer);
        }
      }
    }
  }
  return out;
}

const cni::Profile& profile_for(std::string_view text) {
  static const std::vector<cni::Profile> profiles = [] {
    std::vector<cni::Profile> all;
    for (const std::string& name : cni::builtin_profiles()) {
      all.push_back(cni::load_builtin(name).value());
    }
    return all;
  }();
  static const cni::Profile specification = cni::load_builtin("spec").value();
  const std::string_view line = text.substr(0, text.find('\n'));
  for (const cni::Profile& profile : profiles) {
    if (line.starts_with('#') && line.substr(1) == profile.name) {
      return profile;
    }
  }
  return specification;
}

void check_json_form(const std::string& text, const policy::PolicySet& expected) {
  SourceMap sources;
  const Result<config::Document> document = config::parse_text(sources, "in.yaml", text, kLimits);
  const auto& roots = document->roots();
  if (std::any_of(roots.begin(), roots.end(), has_bare_letter)) {
    return;
  }
  const std::string json = json_of(*document, true);
  const Read again(json);
  require(again.policies.has_value(), "the JSON form of accepted policies is accepted: " + json);
  require(describe(*again.policies) == describe(expected), "the JSON form says something else: " + json);
}

}  // namespace
}  // namespace podwire::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace podwire;
  if (size > 16'384) {
    return 0;
  }
  const std::string text = fuzz::text_of(data, size);
  const fuzz::Read read(text);
  if (!read.policies) {
    return 0;
  }
  fuzz::check_json_form(text, *read.policies);
  fuzz::Comparison(*read.cluster, *read.policies, fuzz::profile_for(text)).run();
  return 0;
}
