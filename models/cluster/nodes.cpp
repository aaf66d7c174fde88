// Nodes: Node objects, nodes that pods of a dump name, and generated ones.
//
// Without Node objects and without a count there are three nodes, or as many as the pods need at 110 a node (the
// kubelet's default, k8s.io/kubernetes pkg/kubelet/apis/config/v1beta1/defaults.go). With a count, generated nodes fill
// up to it. A node's addresses and pod CIDR are completed later (addresses.cpp).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "models/cluster/addresses.hpp"
#include "models/cluster/build.hpp"
#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::cluster {
namespace {

constexpr std::uint32_t kDefaultNodes = 3;
constexpr std::uint32_t kPodsPerNode = 110;
constexpr std::uint32_t kNoLimit = 0xffff'ffff;

Label label(ReadContext& context, std::string_view key, std::string_view value) {
  return {.key = context.strings.intern(key), .value = context.strings.intern(value)};
}

// Cores of a quantity: "4", "3920m"; nothing for other forms.
std::optional<std::uint32_t> whole_cores(std::string_view text) {
  std::uint32_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view rest(stop, static_cast<std::size_t>(text.data() + text.size() - stop));
  if (error != std::errc() || (!rest.empty() && rest != "m")) {
    return std::nullopt;
  }
  return std::max(1u, rest == "m" ? number / 1000 : number);
}

class NodeReader {
 public:
  explicit NodeReader(BuildState& state) : state_(state), context_(state.reading()) {}

  void read(const Object& object) {
    const std::string name = object.full_name();
    config::ObjectReader metadata(object.node.find("metadata"), name, state_.diagnostics);
    config::ObjectReader spec(object.node.find("spec"), name, state_.diagnostics);
    config::ObjectReader status(object.node.find("status"), name, state_.diagnostics);
    Node node = made(object.name, metadata.get("labels"), name);
    node.cpu_cores = state_.options.cores_per_node;
    node.span = object.span;
    std::uint32_t limit = kNoLimit;
    read_cidr(spec, node);
    if (!node.pod_cidr.first().is_unspecified()) {
      limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, usable_addresses(node.pod_cidr)));
    }
    read_taints(spec, node);
    read_status(status, node, limit);
    if (spec.boolean("unschedulable").value_or(false)) {
      node.taints.push_back({.key = "node.kubernetes.io/unschedulable", .value = {}, .effect = "NoSchedule"});
    }
    if (!node.is_ready) {
      node.taints.push_back({.key = "node.kubernetes.io/not-ready", .value = {}, .effect = "NoSchedule"});
    }
    add(std::move(node), limit);
  }

  void generate(std::string name) {
    Node node = made(name, {}, name);
    node.cpu_cores = state_.options.cores_per_node;
    node.is_generated = true;
    add(std::move(node), kNoLimit);
  }

 private:
  Node made(const std::string& name, config::Node labels, const std::string& object) {
    // The kubelet sets these; what a manifest says counts.
    std::vector<Label> automatic;
    const auto set_unless_given = [&](std::string_view key, std::string_view value) {
      if (!labels.find(key).is_present()) {
        automatic.push_back(label(context_, key, value));
      }
    };
    set_unless_given("kubernetes.io/hostname", name);
    for (const std::string_view prefix : {"", "beta."}) {  // the kubelet still sets the old ones beside
      set_unless_given(fmt::format("{}kubernetes.io/os", prefix), "linux");
      set_unless_given(fmt::format("{}kubernetes.io/arch", prefix), "amd64");
    }
    Node node;
    node.name = name;
    node.labels = read_labels(labels, object, context_, automatic);
    for (const std::string_view key : {"topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"}) {
      if (node.zone.empty()) {
        node.zone = labels.find(key).text();
      }
    }
    return node;
  }

  void read_cidr(config::ObjectReader& spec, Node& node) {
    const auto list = spec.list("podCIDRs");
    config::Node given = spec.get("podCIDR");
    if (given.is_null()) {
      given = list.empty() ? config::Node() : list.front();
    }
    if (given.is_null() || given.text().empty()) {
      return;
    }
    node.pod_cidr = config::as_cidr(given, spec.object(), state_.diagnostics).value_or(Cidr());
    for (const config::Node other : list) {
      if (other.text() == given.text()) {
        continue;
      }
      const auto cidr = config::as_cidr(other, spec.object(), state_.diagnostics);
      if (cidr && cidr->family() != node.pod_cidr.family()) {
        node.second_pod_cidr = *cidr;
      }
    }
  }

  void read_taints(config::ObjectReader& spec, Node& node) {
    for (const config::Node item : spec.list("taints")) {
      config::ObjectReader taint(item, spec.object(), state_.diagnostics);
      taint.require("key");
      taint.require("effect");
      const auto key = taint.string("key");
      const auto value = taint.string("value");
      const auto effect = taint.string("effect");
      if (key && effect) {
        node.taints.push_back({.key = *key, .value = value.value_or(""), .effect = *effect});
      }
    }
  }

  void read_status(config::ObjectReader& status, Node& node, std::uint32_t& limit) {
    for (const config::Node address : status.list("addresses")) {
      if (address.find("type").text() == "InternalIP") {
        config::ObjectReader entry(address, status.object(), state_.diagnostics);
        const config::Node text = entry.require("address");
        const auto ip = text.is_null() ? std::nullopt : config::as_ip(text, status.object(), state_.diagnostics);
        if (ip) {
          node.addresses.push_back(*ip);
        }
      }
    }
    std::ranges::stable_sort(node.addresses, {}, [](IpAddress ip) { return ip.is_v4() ? 0 : 1; });
    for (const config::Node condition : status.list("conditions")) {
      if (condition.find("type").text() == "Ready") {
        node.is_ready = condition.find("status").text() == "True";
      }
    }
    const config::Node capacity = status.get("capacity");
    node.cpu_cores = whole_cores(capacity.find("cpu").text()).value_or(node.cpu_cores);
    for (const config::Node resources : {status.get("allocatable"), capacity}) {
      const auto pods = whole_cores(resources.find("pods").text());
      limit = pods ? std::min(limit, *pods) : limit;
    }
  }

  void add(Node node, std::uint32_t limit) {
    ClusterIndex::add_node(state_.cluster, node.name, NodeId(state_.cluster.nodes.size()));
    state_.cluster.nodes.push_back(std::move(node));
    state_.node_limits.push_back(limit);
  }

  BuildState& state_;
  ReadContext context_;
};

// Pods that live on some node, DaemonSets apart.
std::uint64_t count_pods(const BuildState& state) {
  std::uint64_t count = 0;
  for (const WorkloadDraft& draft : state.drafts) {
    count += draft.live.size();
    if (draft.live.empty()) {
      count += draft.is_added ? state.options.dns_replicas : draft.owner ? draft.owner->replicas : 0;
    }
  }
  return count;
}

}  // namespace

void read_nodes(BuildState& state) {
  NodeReader reader(state);
  for (const Object* object : state.store.all("", "Node")) {
    reader.read(*object);
  }
  const bool has_objects = !state.cluster.nodes.empty();

  std::set<std::string> mentioned;
  for (const WorkloadDraft& draft : state.drafts) {
    for (const LivePod& pod : draft.live) {
      const std::string& name = pod.status.node_name;
      if (!name.empty() && !state.cluster.find_node(name).is_valid()) {
        mentioned.insert(name);
      }
    }
    const std::string_view wanted = draft.owner ? draft.owner->template_spec.find("nodeName").text() : "";
    if (draft.live.empty() && !wanted.empty() && !state.cluster.find_node(wanted).is_valid()) {
      mentioned.emplace(wanted);
    }
  }
  for (const std::string& name : mentioned) {
    reader.generate(name);
  }
  if (!mentioned.empty()) {
    state.assume("nodes", fmt::format("assumed {} node{} that pods run on and no manifest defines: {}",
                                      mentioned.size(), mentioned.size() == 1 ? "" : "s",
                                      printable(fmt::format("{}", fmt::join(mentioned, ", ")))));
  }

  const auto existing = static_cast<std::uint32_t>(state.cluster.nodes.size());
  std::uint64_t wanted = existing;
  if (state.options.node_count) {
    wanted = *state.options.node_count;
  } else if (!has_objects && mentioned.empty()) {
    wanted = std::max<std::uint64_t>(kDefaultNodes, (count_pods(state) + kPodsPerNode - 1) / kPodsPerNode);
  }
  if (std::max<std::uint64_t>(wanted, existing) > state.options.max_nodes) {
    state.diagnostics.error("too-many-nodes",
                            fmt::format("{} nodes are more than the limit of {}",
                                        std::max<std::uint64_t>(wanted, existing), state.options.max_nodes));
    return;
  }
  for (std::uint32_t number = 1; state.cluster.nodes.size() < wanted; ++number) {
    std::string name = fmt::format("node-{}", number);
    if (!state.cluster.find_node(name).is_valid()) {
      reader.generate(std::move(name));
    }
  }
  if (!state.options.node_count && wanted > existing) {
    state.assume("nodes", fmt::format("assumed {} nodes: no Node objects and no node count", wanted));
  } else if (wanted > existing && existing > 0) {
    state.assume("nodes", fmt::format("added {} nodes to the {} of the layers", wanted - existing, existing));
  }
  if (state.cluster.nodes.empty()) {
    state.diagnostics.error("no-nodes", "a cluster needs at least one node");
  }
}

}  // namespace podwire::cluster
