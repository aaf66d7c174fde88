// Suggestions on random clusters and random traffic, written as a manifest, read again and asked pair by pair: what was
// seen often enough and never dropped is let pass, and everything else between pods is closed, lookups apart. Labels
// overlap, include each other and are the same, so that selectors must tell apart what can be told apart. Nodes and
// pods on their network take part, and so do addresses between the nodes', under profiles whose ipBlocks match nodes or
// pods and under those whose do not; lists of addresses are at times too long to write.
#include "models/analysis/suggest.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include "app/report/suggest_report.hpp"
#include "tests/support/policy_lab.hpp"

namespace podwire::analysis {
namespace {

using test::PolicyLab;

constexpr std::uint16_t kPorts[] = {80, 443, 5432};
constexpr std::uint64_t kThreshold = 3;
constexpr const char* kProfiles[] = {"spec", "calico-vxlan", "cilium-vxlan", "cilium-1.14", "cilium-1.9"};
constexpr const char* kNodes[] = {"192.168.0.10", "192.168.0.11"};
constexpr const char* kOutside[] = {"198.51.100.1", "198.51.100.2", "192.168.0.77"};  // the last beside the nodes

std::uint64_t cluster_count() {
  if (const char* text = std::getenv("PODWIRE_PROPERTY_CLUSTERS")) {
    return std::strtoull(text, nullptr, 10);
  }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
  return 40;
#else
  return 400;
#endif
}

std::uint64_t first_seed() {
  const char* text = std::getenv("PODWIRE_PROPERTY_FIRST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
}

using Labels = std::map<std::string, std::string>;

struct Town {
  std::mt19937_64 random;
  std::string manifests;
  std::vector<std::pair<std::string, Labels>> workloads;  // namespace, stable labels
  std::vector<std::string> names;

  explicit Town(std::uint64_t seed) : random(seed) {}
  std::uint64_t below(std::uint64_t limit) { return random() % limit; }

  void build() {
    for (std::size_t n = 0; n < std::size(kNodes); ++n) {
      const std::string number = std::to_string(n);
      manifests += "---\n{apiVersion: v1, kind: Node, metadata: {name: n" + number + "}, spec: {podCIDR: 10.244." +
                   number + ".0/24}, status: {addresses: [{type: InternalIP, address: " + kNodes[n] +
                   "}], conditions: [{type: Ready, status: 'True'}]}}\n";
    }
    for (const char* name_space : {"a", "b", "c"}) {
      manifests += test::name_space(name_space);
      const std::uint64_t count = 1 + below(5);
      for (std::uint64_t w = 0; w < count; ++w) {
        Labels labels;
        for (const char* key : {"app", "tier", "track"}) {
          if (below(3) > 0) {
            labels[key] = below(2) == 0 ? "x" : "y";
          }
        }
        const std::string name = "w" + std::to_string(w);
        std::string text;
        for (const auto& [key, value] : labels) {
          text += key + ": " + value + ", ";
        }
        // A pod each, as a dump has them: with labels of the revision, which must not select.
        const std::uint64_t pods = 1 + below(2);
        for (std::uint64_t p = 0; p < pods; ++p) {
          manifests += "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "-" + std::to_string(p) +
                       ", namespace: " + name_space + ", labels: {" + text + "pod-template-hash: h" +
                       std::to_string(w) +
                       "}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: " + name +
                       ", controller: true}]}\nspec: {containers: [{name: c, image: i}]}\n";
        }
        workloads.emplace_back(name_space, labels);
        names.push_back(name);
      }
    }
    manifests += test::pod("a", "host", "app: x", "", "hostNetwork: true, nodeName: n1");
    manifests +=
        test::name_space("kube-system") +
        test::pod("kube-system", "dns", "k8s-app: kube-dns", "{containerPort: 53, protocol: UDP}") +
        "---\n{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system}, spec: "
        "{clusterIP: 10.96.0.10, selector: {k8s-app: kube-dns}, ports: [{name: u, port: 53, protocol: UDP}]}}\n";
  }
  /// Workloads that stable labels cannot tell apart are one.
  std::size_t subject(std::size_t workload) const {
    for (std::size_t i = 0; i < workload; ++i) {
      if (workloads[i] == workloads[workload]) {
        return i;
      }
    }
    return workload;
  }
};

struct Traffic {
  std::uint64_t passed = 0;
  std::uint64_t own_node = 0;  // of these
  std::uint64_t dropped = 0;
  bool is_covered() const { return passed >= kThreshold && dropped == 0; }
};

void check(std::uint64_t seed, std::size_t& allowed, std::size_t& denied) {
  SCOPED_TRACE("seed " + std::to_string(seed) + " (PODWIRE_PROPERTY_FIRST_SEED)");
  Town town(seed);
  town.build();
  const std::string profile = kProfiles[town.below(std::size(kProfiles))];
  const cni::Profile semantics = cni::load_builtin(profile).value();
  const bool has_node_rules = semantics.policy.ip_block_matches_nodes;
  ASSERT_TRUE(semantics.policy.own_node_is_allowed);
  SCOPED_TRACE(profile);
  PolicyLab lab(town.manifests, profile);
  const cluster::Cluster& cluster = lab.cluster();
  const std::size_t count = town.workloads.size();
  const std::size_t first_node = count + std::size(kOutside);
  const std::size_t ends_count = first_node + std::size(kNodes);
  const auto is_node = [&](std::size_t w) { return w >= first_node; };
  const auto pods_of = [&](std::size_t w) {
    const auto name_space = cluster.find_namespace(town.workloads[w].first);
    const auto id = cluster.find_workload(name_space, cluster::WorkloadKind::replica_set, town.names[w]);
    EXPECT_TRUE(id.is_valid());
    return cluster.workloads[id.index()].pods;
  };
  // By subject; then addresses outside, then nodes.
  std::map<std::tuple<std::size_t, std::size_t, std::uint16_t>, Traffic> truth;
  std::map<std::size_t, Traffic> lookups;
  const std::size_t most_addresses = town.below(2) == 0 ? 32 : 1;
  Suggester suggester(cluster, {.threshold = kThreshold, .most_addresses = most_addresses, .profile = &semantics});
  const auto address = [&](std::size_t w) { return is_node(w) ? kNodes[w - first_node] : kOutside[w - count]; };
  const auto end = [&](std::size_t w) -> flows::End {
    if (w < count) {
      const auto pods = pods_of(w);
      return {.kind = flows::EndKind::pod, .id = pods[town.below(pods.size())].value()};
    }
    if (!is_node(w)) {
      return {.kind = flows::EndKind::address, .ip = *IpAddress::parse(address(w))};
    }
    const cluster::PodId host = cluster.find_pod(cluster.find_namespace("a"), "host");
    return w == first_node + 1 && town.below(2) == 0
               ? flows::End{.kind = flows::EndKind::pod, .id = host.value()}
               : flows::End{.kind = flows::EndKind::node, .id = static_cast<std::uint32_t>(w - first_node)};
  };
  const std::uint64_t edges = town.below(3 * count + 1);
  for (std::uint64_t e = 0; e < edges; ++e) {
    const std::size_t from = town.below(ends_count);
    const std::size_t to = from < count ? town.below(ends_count) : town.below(count);
    const std::uint16_t port = kPorts[town.below(std::size(kPorts))];
    const std::uint64_t times = 1 + town.below(5);
    const bool is_dropped = town.below(6) == 0;
    flows::Connection connection;
    connection.source = end(from);
    connection.destination = end(to);
    connection.destination_port = port;
    (town.below(2) == 0 ? connection.egress : connection.ingress) =
        is_dropped ? flows::Recorded::dropped : flows::Recorded::forwarded;
    suggester.add(connection, times);
    const auto subject = [&](std::size_t w) { return w < count ? town.subject(w) : w; };
    Traffic& seen = truth[{subject(from), subject(to), port}];
    (is_dropped ? seen.dropped : seen.passed) += times;
    const bool is_own =
        is_node(from) && cluster.pods[connection.destination.id].node == cluster::NodeId(from - first_node);
    seen.own_node += is_own && !is_dropped ? times : 0;
  }
  for (std::size_t w = 0; w < count; ++w) {
    flows::Connection lookup;
    lookup.source = end(w);
    lookup.destination = {.kind = flows::EndKind::service, .id = cluster.dns_service.value()};
    lookup.protocol = flows::FlowProtocol::udp;
    lookup.destination_port = 53;
    const bool is_dropped = town.below(8) == 0;
    lookup.egress = is_dropped ? flows::Recorded::dropped : flows::Recorded::forwarded;
    suggester.add(lookup);
    Traffic& seen = lookups[town.subject(w)];
    (is_dropped ? seen.dropped : seen.passed) += 1;
  }
  const Suggestion suggestion = suggester.suggest();
  const std::string manifest =
      report::suggest_yaml({.inputs = {"random"}, .version = "test", .suggestion = suggestion});
  PolicyLab after(town.manifests + manifest, profile);
  ASSERT_FALSE(::testing::Test::HasFailure()) << manifest;
  EXPECT_EQ(manifest.find("pod-template-hash"), std::string::npos);
  EXPECT_EQ(manifest.find("no labels that outlive"), std::string::npos) << "labels, or their absence, tell all apart";
  const auto ends_of = [&](std::size_t w) {
    std::vector<std::string> ends;
    if (w >= count) {
      return std::vector<std::string>{address(w)};
    }
    for (const cluster::PodId pod : pods_of(w)) {
      ends.push_back(cluster.full_pod_name(pod));
    }
    return ends;
  };
  const bool is_widened = manifest.find("too many to list") != std::string::npos;
  bool has_hopeless = false;  // recorded, and no rule can allow it
  for (std::size_t from = 0; from < ends_count; ++from) {
    for (std::size_t to = 0; to < (from < count ? ends_count : count); ++to) {
      const bool has_outside = (from >= count && !is_node(from)) || (to >= count && !is_node(to));
      const bool is_beyond_rules = !has_node_rules && (is_node(from) || is_node(to));
      for (const std::uint16_t port : kPorts) {
        const std::size_t source = from < count ? town.subject(from) : from;
        const std::size_t destination = to < count ? town.subject(to) : to;
        const auto seen = truth.find({source, destination, port});
        const bool is_covered = seen != truth.end() && seen->second.is_covered();
        if (has_outside && is_widened && !is_covered && (seen == truth.end() || seen->second.dropped == 0)) {
          continue;  // a rule for every address outside may let it pass
        }
        has_hopeless = has_hopeless || (is_beyond_rules && seen != truth.end() && seen->second.dropped == 0 &&
                                        seen->second.passed > seen->second.own_node);
        for (const std::string& a : ends_of(from)) {
          for (const std::string& b : ends_of(to)) {
            if (a == b) {
              continue;  // a pod always reaches itself
            }
            const bool is_own =
                is_node(from) && cluster.pods[lab.end(b).pod.index()].node == cluster::NodeId(from - first_node);
            const bool expected = is_own || (is_covered && !is_beyond_rules);
            ++(expected ? allowed : denied);
            ASSERT_EQ(after.allows(a, b, std::to_string(port)), expected) << a << " -> " << b << ":" << port << "\n"
                                                                          << manifest;
          }
        }
      }
    }
  }
  EXPECT_EQ(manifest.find("no NetworkPolicy can allow them") != std::string::npos, has_hopeless) << manifest;
  for (std::size_t w = 0; w < count; ++w) {
    const Traffic& seen = lookups[town.subject(w)];
    for (const std::string& pod : ends_of(w)) {
      // With a namespace's DNS rule every pod has it; where some subject's lookups were dropped, the others alone.
      ASSERT_EQ(after.allows(pod, "kube-system/dns", "53/UDP"), seen.dropped == 0) << pod << "\n" << manifest;
    }
  }
}

TEST(Suggest, LetsPassWhatWasSeenAndClosesTheRest) {
  const std::uint64_t first = first_seed();
  const std::uint64_t clusters = cluster_count();
  std::cout << "seeds " << first << " to " << first + clusters - 1 << "\n";
  std::size_t allowed = 0;
  std::size_t denied = 0;
  for (std::uint64_t seed = first; seed < first + clusters; ++seed) {
    check(seed, allowed, denied);
    if (HasFatalFailure() || HasNonfatalFailure()) {
      return;
    }
  }
  std::cout << allowed << " pairs let pass, " << denied << " closed\n";
  EXPECT_GT(allowed, 10 * clusters);
  EXPECT_GT(denied, 100 * clusters);
}

// Calico's logs say "private" for addresses that are nobody's, and pods' addresses lie in private ranges: a rule for
// the ranges must not open the pods, nor Services.
TEST(Suggest, RulesForAddressesThatTheLogDoesNotTellLeavePodsOut) {
  const std::string manifests = test::name_space("a") + test::pod("a", "web", "app: web", "{containerPort: 80}") +
                                test::name_space("b") + test::pod("b", "other", "app: other");
  PolicyLab lab(manifests);
  for (const flows::EndKind kind : {flows::EndKind::private_network, flows::EndKind::public_network}) {
    Suggester suggester(lab.cluster(), {});
    flows::Connection connection;
    connection.source = {.kind = kind, .id = 0};
    connection.destination = {.kind = flows::EndKind::pod,
                              .id = lab.cluster().find_pod(lab.cluster().find_namespace("a"), "web").value()};
    connection.destination_port = 80;
    connection.ingress = flows::Recorded::forwarded;
    suggester.add(connection);
    const std::string manifest =
        report::suggest_yaml({.inputs = {"one"}, .version = "test", .suggestion = suggester.suggest()});
    PolicyLab after(manifests + manifest);
    const bool is_private = kind == flows::EndKind::private_network;
    EXPECT_EQ(after.ingress("10.9.9.9", "a/web", "80").is_allowed(), is_private) << manifest;
    EXPECT_EQ(after.ingress("172.20.0.1", "a/web", "80").is_allowed(), is_private) << manifest;
    EXPECT_EQ(after.ingress("198.51.100.1", "a/web", "80").is_allowed(), !is_private) << manifest;
    EXPECT_FALSE(after.ingress("b/other", "a/web", "80").is_allowed()) << manifest;
  }
}

}  // namespace
}  // namespace podwire::analysis
