// Who gets which address: nodes, node CIDRs, pods.
//
// What objects say is honoured: node InternalIPs and podCIDRs, pods' status.podIP. The rest is filled in around it, in
// order of id: node CIDRs cut from the cluster CIDR, pods from .2 of their node's (.1 is the node's bridge),
// hostNetwork pods get the node's address. Defaults: kubeadm's with flannel, 10.244.0.0/16 and /24 a node; both are
// widened when the cluster needs more, and that is recorded as an assumption.
#include <fmt/format.h>

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>

#include "models/cluster/addresses.hpp"
#include "models/cluster/build.hpp"
#include "sim/base/text.hpp"

namespace podwire::cluster {
namespace {

constexpr std::uint64_t kFirstPod = 2;        // .0 is the network, .1 the bridge
constexpr std::uint64_t kSpareAddresses = 3;  // those and the broadcast address
constexpr std::uint64_t kNodesPerLastByte = 254;

Cidr cidr(std::string_view text) {
  return *Cidr::parse(text);
}

bool is_finished(const Pod& pod) {
  return pod.phase == PodPhase::succeeded || pod.phase == PodPhase::failed;
}

class AddressStage {
 public:
  explicit AddressStage(BuildState& state) : state_(state), cluster_(state.cluster) {}

  void run() {
    choose_service_cidr();
    if (!note_taken()) {
      return;
    }
    count_pods();
    if (!choose_pod_cidr() || !address_nodes() || !cut_node_cidrs()) {
      return;
    }
    address_pods();
    add_second_addresses();
    tell_of_second_addresses();
  }

 private:
  bool fail(std::string code, std::string message, std::string help = {}) {
    state_.diagnostics.error(std::move(code), std::move(message), {}, std::move(help));
    return false;
  }

  bool is_v6() const { return cluster_.pod_cidr.family() == IpFamily::v6; }

  // A dump's ClusterIPs may lie elsewhere than our default: then the /16 around the first of them.
  void choose_service_cidr() {
    if (state_.options.service_cidr) {
      cluster_.service_cidr = *state_.options.service_cidr;
      return;
    }
    const bool is_v6_wanted = state_.options.pod_cidr && state_.options.pod_cidr->family() == IpFamily::v6;
    cluster_.service_cidr = cidr(is_v6_wanted ? "fd00:10:96::/112" : "10.96.0.0/12");
    for (const Object* object : state_.store.all("", "Service")) {
      const auto ip = IpAddress::parse(object->node.find("spec").find("clusterIP").text());
      if (!ip) {
        continue;
      }
      if (!cluster_.service_cidr.contains(*ip)) {
        cluster_.service_cidr = Cidr(*ip, ip->is_v4() ? 16 : 112);
        state_.assume("addresses", fmt::format("assumed the service CIDR {} from the layers' ClusterIPs",
                                               cluster_.service_cidr.to_string()));
      }
      return;
    }
  }

  using Owners = boost::unordered_flat_map<IpAddress, PodId, std::hash<IpAddress>>;

  void take(Owners& owners, IpAddress ip, PodId pod, Span span, std::string field) {
    taken_.insert(ip);
    const auto [at, is_new] = owners.try_emplace(ip, pod);
    if (!is_new) {
      state_.diagnostics.add({.code = "duplicate-pod-ip",
                              .message = fmt::format("the pods {} and {} have the same address {}",
                                                     printable(cluster_.full_pod_name(at->second)),
                                                     printable(cluster_.full_pod_name(pod)), ip.to_string()),
                              .span = span,
                              .object = printable(cluster_.full_pod_name(pod)),
                              .field = std::move(field)});
    }
  }

  bool note_taken() {
    Owners owners;
    for (std::size_t i = 0; i < cluster_.pods.size(); ++i) {
      const Pod& pod = cluster_.pods[i];
      if (pod.ip.is_unspecified() || is_finished(pod) || cluster_.shapes[pod.shape.index()].is_host_network) {
        continue;
      }
      take(owners, pod.ip, PodId(i), state_.ip_spans[i], "status.podIP");
    }
    for (std::size_t i = 0; i < cluster_.second_addresses.size(); ++i) {
      const auto [id, ip] = cluster_.second_addresses[i];
      const Pod& pod = cluster_.pods[id.index()];
      if (!is_finished(pod) && !cluster_.shapes[pod.shape.index()].is_host_network) {
        take(owners, ip, id, state_.second_ip_spans[i], "status.podIPs");
      }
    }
    for (const Node& node : cluster_.nodes) {
      taken_.insert(node.addresses.begin(), node.addresses.end());
    }
    return !state_.diagnostics.has_errors();
  }

  bool needs_address(const Pod& pod, PodId id) const {
    return pod.ip.is_unspecified() && pod.node.is_valid() && !state_.is_pinned[id.index()] &&
           !cluster_.shapes[pod.shape.index()].is_host_network;
  }

  void count_pods() {
    wanted_.assign(cluster_.nodes.size(), 0);
    for (std::size_t i = 0; i < cluster_.pods.size(); ++i) {
      if (needs_address(cluster_.pods[i], PodId(i))) {
        ++wanted_[cluster_.pods[i].node.index()];
      }
    }
  }

  unsigned family_bits() const { return is_v6() ? 128 : 32; }

  bool choose_pod_cidr() {
    std::vector<Cidr> given;
    for (const Node& node : cluster_.nodes) {
      if (!node.pod_cidr.first().is_unspecified()) {
        given.push_back(node.pod_cidr);
      }
    }
    if (state_.options.pod_cidr) {
      cluster_.pod_cidr = *state_.options.pod_cidr;
    } else if (!given.empty()) {
      const IpFamily family = given.front().family();
      std::erase_if(given, [&](const Cidr& c) { return c.family() != family; });
      const Cidr cover = covering(given);
      const unsigned widest = family == IpFamily::v4 ? 16 : 56;
      cluster_.pod_cidr = Cidr(cover.first(), std::min(cover.length(), widest));
      state_.assume("addresses", fmt::format("assumed the cluster CIDR {} around the nodes' podCIDRs",
                                             cluster_.pod_cidr.to_string()));
    } else {
      cluster_.pod_cidr = cidr("10.244.0.0/16");
    }
    if (state_.options.pod_cidr && state_.options.service_cidr &&
        state_.options.pod_cidr->overlaps(*state_.options.service_cidr)) {
      return fail("overlapping-cidrs",
                  fmt::format("the pod CIDR {} and the service CIDR {} overlap", state_.options.pod_cidr->to_string(),
                              state_.options.service_cidr->to_string()));
    }
    return true;
  }

  // InternalIPs for nodes that have none, from a private block that nothing else uses.
  bool address_nodes() {
    std::vector<Cidr> candidates = {cidr("192.168.0.0/16"), cidr("172.16.0.0/12"), cidr("10.0.0.0/14"),
                                    cidr("100.64.0.0/10")};
    if (is_v6()) {
      candidates = {cidr("fd00:c0a8::/64"), cidr("fd00:ac10::/64")};
    }
    const auto clashes = [&](const Cidr& block) {
      return block.overlaps(cluster_.pod_cidr) || block.overlaps(cluster_.service_cidr) ||
             std::ranges::any_of(cluster_.nodes, [&](const Node& n) {
               return !n.pod_cidr.first().is_unspecified() && block.overlaps(n.pod_cidr);
             });
    };
    const auto free = std::ranges::find_if_not(candidates, clashes);
    if (free == candidates.end()) {
      return fail("address-space-exhausted", "no private block is left for the nodes' own addresses");
    }
    node_block_ = *free;
    std::uint64_t index = 0;
    for (Node& node : cluster_.nodes) {
      while (node.addresses.empty()) {
        const std::uint64_t offset = index / kNodesPerLastByte * 256 + index % kNodesPerLastByte + 1;
        ++index;
        if (offset >= address_count(node_block_)) {
          return fail("address-space-exhausted", "more nodes than their address block holds");
        }
        if (const IpAddress ip = node_block_.first().plus(offset); taken_.insert(ip).second) {
          node.addresses.push_back(ip);
        }
      }
    }
    return true;
  }

  // The mask that lets the fullest node without a podCIDR hold its pods.
  unsigned node_mask() {
    unsigned length =
        std::clamp(is_v6() && state_.options.node_mask_length <= 32 ? 64u : state_.options.node_mask_length, 1u,
                   family_bits() - 2);
    std::uint64_t most = 0;
    for (std::size_t i = 0; i < cluster_.nodes.size(); ++i) {
      if (cluster_.nodes[i].pod_cidr.first().is_unspecified()) {
        most = std::max<std::uint64_t>(most, wanted_[i]);
      }
    }
    const unsigned asked = length;
    while (length > 1 && family_bits() - length < 64 &&
           (std::uint64_t{1} << (family_bits() - length)) < most + kSpareAddresses) {
      --length;
    }
    if (length != asked) {
      state_.assume("addresses",
                    fmt::format("gave each node a /{} instead of a /{}: one holds {} pods", length, asked, most));
    }
    return length;
  }

  bool cut_node_cidrs() {
    std::vector<Cidr> reserved = {node_block_, cluster_.service_cidr};
    std::size_t missing = 0;
    for (const Node& node : cluster_.nodes) {
      if (node.pod_cidr.first().is_unspecified()) {
        ++missing;
      } else if (node.pod_cidr.family() == cluster_.pod_cidr.family()) {
        reserved.push_back(node.pod_cidr);
      }
    }
    if (missing == 0) {
      return true;
    }
    std::erase_if(reserved, [&](const Cidr& c) { return c.family() != cluster_.pod_cidr.family(); });
    const unsigned length = node_mask();
    std::vector<Cidr> sources = {cluster_.pod_cidr};
    if (!state_.options.pod_cidr && !is_v6()) {
      sources.insert(sources.end(), {cidr("10.128.0.0/9"), cidr("10.0.0.0/8")});
    }
    for (const Cidr& source : sources) {
      if (length < source.length()) {
        continue;
      }
      const auto blocks = cut(source, length, reserved, missing);
      if (blocks.size() < missing) {
        continue;
      }
      if (source != cluster_.pod_cidr) {
        state_.assume("addresses", fmt::format("widened the cluster CIDR from {} to {} for {} nodes of /{}",
                                               cluster_.pod_cidr.to_string(), source.to_string(), missing, length));
        cluster_.pod_cidr = source;
      }
      auto next = blocks.begin();
      for (Node& node : cluster_.nodes) {
        if (node.pod_cidr.first().is_unspecified()) {
          node.pod_cidr = *next++;
        }
      }
      return true;
    }
    return fail(
        "address-space-exhausted",
        fmt::format("{} nodes of /{} do not fit the cluster CIDR {}", missing, length, cluster_.pod_cidr.to_string()),
        "give a wider pod CIDR or a longer node mask");
  }

  static std::vector<Cidr> cut(const Cidr& source, unsigned length, const std::vector<Cidr>& reserved,
                               std::size_t count) {
    std::vector<Cidr> blocks;
    BlockCutter cutter(source, length, reserved);
    while (blocks.size() < count) {
      const auto block = cutter.next();
      if (!block) {
        break;
      }
      blocks.push_back(*block);
    }
    return blocks;
  }

  void address_pods() {
    std::vector<std::uint64_t> next(cluster_.nodes.size(), kFirstPod);
    std::vector<std::uint32_t> left_out(cluster_.nodes.size(), 0);
    for (std::size_t i = 0; i < cluster_.pods.size(); ++i) {
      Pod& pod = cluster_.pods[i];
      if (pod.ip.is_unspecified() && pod.node.is_valid() && !state_.is_pinned[i] &&
          cluster_.shapes[pod.shape.index()].is_host_network) {
        pod.ip = cluster_.nodes[pod.node.index()].addresses.front();
      }
      if (!needs_address(pod, PodId(i))) {
        continue;
      }
      pod.ip = next_free(cluster_.nodes[pod.node.index()].pod_cidr, next[pod.node.index()]);
      left_out[pod.node.index()] += pod.ip.is_unspecified() ? 1 : 0;
      if (!pod.ip.is_unspecified() && !cluster_.nodes[pod.node.index()].second_pod_cidr.first().is_unspecified()) {
        generated_.emplace_back(i);
      }
    }
    for (std::size_t i = 0; i < left_out.size(); ++i) {
      if (left_out[i] > 0) {
        state_.diagnostics.add(
            {.code = "address-space-exhausted",
             .message = fmt::format("{} pods on node {} find no address left in its podCIDR {}", left_out[i],
                                    printable(cluster_.nodes[i].name), cluster_.nodes[i].pod_cidr.to_string()),
             .span = cluster_.nodes[i].span,
             .object = printable("node/" + cluster_.nodes[i].name),
             .field = "spec.podCIDR"});
      }
    }
  }

  /// The block's next address that nobody has, from `offset` on; unspecified where none is left.
  IpAddress next_free(const Cidr& block, std::uint64_t& offset) const {
    const std::uint64_t end = address_count(block) - 1;  // the last is the broadcast address
    while (offset < end && taken_.contains(block.first().plus(offset))) {
      ++offset;
    }
    return offset < end ? block.first().plus(offset++) : IpAddress();
  }

  /// Pods that we give an address get one of the other family too where their node has a block for it.
  void add_second_addresses() {
    std::vector<std::uint64_t> next(cluster_.nodes.size(), kFirstPod);
    for (const PodId id : generated_) {
      const std::size_t node = cluster_.pods[id.index()].node.index();
      if (const IpAddress ip = next_free(cluster_.nodes[node].second_pod_cidr, next[node]); !ip.is_unspecified()) {
        cluster_.second_addresses.emplace_back(id, ip);
      }
    }
    std::sort(cluster_.second_addresses.begin(), cluster_.second_addresses.end());
  }

  void tell_of_second_addresses() {
    const auto& all = cluster_.second_addresses;
    if (!all.empty()) {
      state_.assume("addresses",
                    fmt::format("{} pod{} addresses of both families ({}{}): what policies say covers both; in a run, "
                                "Services and DNS know the first",
                                all.size(), all.size() == 1 ? " has" : "s have",
                                cluster_.full_pod_name(all.front().first), all.size() == 1 ? "" : " and others"));
    }
  }

  BuildState& state_;
  Cluster& cluster_;
  std::vector<PodId> generated_;  // pods that got an address on a node with a second block
  Cidr node_block_;
  boost::unordered_flat_set<IpAddress, std::hash<IpAddress>> taken_;
  std::vector<std::uint32_t> wanted_;  // by node: pods that need an address from its block
};

}  // namespace

void assign_addresses(BuildState& state) {
  AddressStage(state).run();
}

}  // namespace podwire::cluster
