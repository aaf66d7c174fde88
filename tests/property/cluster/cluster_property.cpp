// Random clusters against naive oracles: who a selector means, where pods may go, what they are called and addressed,
// and who stands behind a Service. A failure prints its seed.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "models/cluster/scheduler.hpp"
#include "models/cluster/shape_index.hpp"
#include "tests/unit/cluster/fixture.hpp"

namespace podwire::cluster {
namespace {

using Labels = std::map<std::string, std::string>;

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }
  bool chance(std::size_t percent) { return below(100) < percent; }

 private:
  std::mt19937_64 engine_;
};

const std::vector<std::string> kKeys = {"app", "tier", "team"};
const std::vector<std::string> kValues = {"a", "b", "c", ""};

Labels random_labels(Random& random) {
  Labels labels;
  for (const std::string& key : kKeys) {
    if (random.chance(60)) {
      labels[key] = kValues[random.below(kValues.size())];
    }
  }
  return labels;
}

std::string yaml_of(const Labels& labels) {
  std::string text = "{";
  for (const auto& [key, value] : labels) {
    text += fmt::format("{}{}: \"{}\"", text.size() > 1 ? ", " : "", key, value);
  }
  return text + "}";
}

// metav1.LabelSelector's text, word for word.
bool naive_match(const LabelSelector& selector, const Labels& labels) {
  for (const Requirement& r : selector.requirements) {
    const bool has = labels.contains(r.key);
    const bool listed = has && std::set<std::string>(r.values.begin(), r.values.end()).contains(labels.at(r.key));
    const bool holds = r.op == SelectorOperator::in       ? listed
                       : r.op == SelectorOperator::not_in ? !listed
                       : r.op == SelectorOperator::exists ? has
                                                          : !has;
    if (!holds) {
      return false;
    }
  }
  return true;
}

TEST(SelectorProperty, AgreesWithTheNaiveMatcher) {
  std::size_t matched = 0;
  for (std::uint64_t seed = 1; seed <= 5000; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    StringPool strings;
    LabelSets sets;
    LabelSelector selector;
    for (std::size_t i = random.below(4); i > 0; --i) {
      Requirement r;
      r.key = random.chance(90) ? kKeys[random.below(kKeys.size())] : "never";
      r.op = static_cast<SelectorOperator>(random.below(4));
      if (r.op == SelectorOperator::in || r.op == SelectorOperator::not_in) {
        std::set<std::string> values;
        for (std::size_t n = 1 + random.below(3); n > 0; --n) {
          values.insert(kValues[random.below(kValues.size())]);
        }
        r.values.assign(values.begin(), values.end());
      }
      selector.requirements.push_back(std::move(r));
    }
    for (int i = 0; i < 10; ++i) {
      const Labels labels = random_labels(random);
      std::vector<Label> interned;
      for (const auto& [key, value] : labels) {
        interned.push_back({.key = strings.intern(key), .value = strings.intern(value)});
      }
      const LabelSetId id = sets.intern(std::move(interned));
      const bool expected = naive_match(selector, labels);
      matched += expected ? 1 : 0;
      EXPECT_EQ(selector.matches(id, sets, strings), expected) << selector.to_string() << " on " << yaml_of(labels);
    }
  }
  EXPECT_GT(matched, 5'000u);  // both answers occur often among 50,000
  EXPECT_LT(matched, 45'000u);
}

// `limits`: how many pods each node takes, from its `pods` and its /28, which has 16 − 3 addresses for them.
std::string random_nodes(Random& random, std::size_t count, std::vector<std::size_t>& limits) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text +=
        fmt::format("---\napiVersion: v1\nkind: Node\nmetadata: {{name: n{}, labels: {{disk: {}, zone: {}}}}}\nspec:\n",
                    i, random.chance(50) ? "ssd" : "hdd", random.chance(50) ? "east" : "west");
    const bool has_block = random.chance(30);
    text += has_block ? fmt::format("  podCIDR: 10.50.{}.0/28\n", i) : "  providerID: none\n";
    limits.push_back(has_block ? 13 : 1'000'000);
    if (random.chance(40)) {
      text += fmt::format("  taints: [{{key: {}, value: t, effect: {}}}]\n", random.chance(50) ? "k" : "l",
                          random.chance(70) ? "NoSchedule" : "PreferNoSchedule");
    }
    if (random.chance(30)) {
      const std::size_t pods = 1 + random.below(8);
      limits.back() = std::min(limits.back(), pods);
      text += fmt::format("status: {{allocatable: {{pods: \"{}\"}}}}\n", pods);
    }
  }
  return text;
}

std::string random_workloads(Random& random, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    std::string spec = random.chance(15) ? "      hostNetwork: true\n" : "";
    if (random.chance(40)) {
      spec += fmt::format("      nodeSelector: {{{}}}\n", random.chance(50) ? "disk: ssd" : "zone: east");
    }
    if (random.chance(40)) {
      spec += fmt::format("      tolerations: [{{key: {}, operator: Exists}}]\n", random.chance(50) ? "k" : "l");
    }
    text += testing::deployment(fmt::format("w{}", i), static_cast<int>(random.below(12)), spec);
  }
  return text;
}

TEST(SchedulingProperty, EveryPodIsOnAFittingNodeWithAnAddressOfItsOwn) {
  std::size_t pending = 0;
  std::size_t placed = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const std::size_t node_count = 1 + random.below(6);
    std::vector<std::size_t> limits;
    const std::string nodes = random_nodes(random, node_count, limits);
    const Cluster cluster = testing::cluster_of({nodes + random_workloads(random, 1 + random.below(8))});
    std::vector<std::size_t> count(cluster.nodes.size(), 0);
    std::set<IpAddress> seen;
    for (std::size_t i = 0; i < cluster.pods.size(); ++i) {
      const Pod& pod = cluster.pods[i];
      if (!pod.node.is_valid()) {
        ++pending;
        EXPECT_EQ(pod.phase, PodPhase::pending);
        EXPECT_TRUE(pod.ip.is_unspecified());
        continue;
      }
      ++placed;
      ++count[pod.node.index()];
      EXPECT_TRUE(fits_node(cluster, cluster.pod_template(PodId(i)), pod.node));
      const Node& node = cluster.nodes[pod.node.index()];
      if (cluster.shape(PodId(i)).is_host_network) {
        EXPECT_EQ(pod.ip, node.addresses.front());
      } else {
        EXPECT_TRUE(node.pod_cidr.contains(pod.ip)) << pod.ip.to_string();
        EXPECT_TRUE(seen.insert(pod.ip).second) << pod.ip.to_string();
        EXPECT_EQ(cluster.pod_at(pod.ip), PodId(i));
      }
    }
    for (std::size_t a = 0; a < cluster.nodes.size(); ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        EXPECT_FALSE(cluster.nodes[a].pod_cidr.overlaps(cluster.nodes[b].pod_cidr));
        EXPECT_NE(cluster.nodes[a].addresses.front(), cluster.nodes[b].addresses.front());
      }
      EXPECT_LE(count[a], limits[a]);
    }
    // A pod is pending only if every node that fits it is full.
    for (std::size_t i = 0; i < cluster.pods.size(); ++i) {
      for (std::size_t n = 0; !cluster.pods[i].node.is_valid() && n < cluster.nodes.size(); ++n) {
        if (fits_node(cluster, cluster.pod_template(PodId(i)), NodeId(n))) {
          EXPECT_EQ(count[n], limits[n]) << "node " << n;
        }
      }
    }
  }
  EXPECT_GT(placed, 3'000u);
  EXPECT_GT(pending, 100u);
}

TEST(SchedulingProperty, UnconstrainedPodsSpreadEvenly) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    ClusterOptions options;
    options.node_count = static_cast<std::uint32_t>(1 + random.below(20));
    std::string text;
    for (std::size_t i = 0; i < 5; ++i) {
      text += testing::deployment(fmt::format("w{}", i), static_cast<int>(random.below(40)));
    }
    const Cluster cluster = testing::cluster_of({text}, options);
    std::vector<std::size_t> count(cluster.nodes.size(), 0);
    for (const Pod& pod : cluster.pods) {
      ++count[pod.node.index()];
    }
    const auto [least, most] = std::ranges::minmax(count);
    EXPECT_LE(most - least, 1u);
  }
}

struct NaivePod {
  std::string name_space;
  Labels labels;
  bool is_ready = true;
  bool is_finished = false;
  int http = 0;  // the number behind the name, 0 without
};

TEST(ServiceProperty, BackendsAgreeWithTheNaiveJoin) {
  std::size_t found = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    std::map<std::string, NaivePod> pods;  // by address
    std::string text;
    for (std::size_t i = 0; i < 20; ++i) {
      NaivePod pod{.name_space = random.chance(50) ? "one" : "two",
                   .labels = random_labels(random),
                   .is_ready = random.chance(80),
                   .is_finished = random.chance(10),
                   .http = random.chance(70) ? static_cast<int>(8000 + random.below(3)) : 0};
      const std::string ip = fmt::format("10.244.9.{}", i + 1);
      text += fmt::format(
          "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{}, namespace: {}, labels: {}}}\nspec: {{nodeName: n1, "
          "containers: [{{name: c, ports: [{}]}}]}}\nstatus: {{phase: {}, podIP: {}, conditions: [{{type: Ready, "
          "status: \"{}\"}}]}}\n",
          i, pod.name_space, yaml_of(pod.labels),
          pod.http ? fmt::format("{{name: http, containerPort: {}}}", pod.http) : "",
          pod.is_finished ? "Succeeded" : "Running", ip, pod.is_ready ? "True" : "False");
      pods.emplace(ip, std::move(pod));
    }
    struct NaiveService {
      std::string name_space;
      Labels selector;
      bool publishes = false;
      bool by_name = false;
    };
    std::vector<NaiveService> services;
    for (std::size_t i = 0; i < 8; ++i) {
      NaiveService s{.name_space = random.chance(50) ? "one" : "two",
                     .selector = random_labels(random),
                     .publishes = random.chance(20),
                     .by_name = random.chance(50)};
      if (s.selector.empty()) {
        s.selector["app"] = "a";
      }
      text += fmt::format(
          "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s{}, namespace: {}}}\nspec: {{selector: {}, "
          "publishNotReadyAddresses: {}, ports: [{{port: 80, targetPort: {}}}]}}\n",
          i, s.name_space, yaml_of(s.selector), s.publishes, s.by_name ? "http" : "1234");
      services.push_back(std::move(s));
    }
    const Cluster cluster = testing::cluster_of({text});
    for (std::size_t i = 0; i < services.size(); ++i) {
      const NaiveService& naive = services[i];
      std::set<std::string> expected;
      for (const auto& entry_of_pod : pods) {
        const auto& ip = entry_of_pod.first;
        const auto& pod = entry_of_pod.second;
        const bool selected = std::ranges::all_of(naive.selector, [&](const auto& entry) {
          const auto at = pod.labels.find(entry.first);
          return at != pod.labels.end() && at->second == entry.second;
        });
        const int port = naive.by_name ? pod.http : 1234;
        if (selected && pod.name_space == naive.name_space && !pod.is_finished && port != 0) {
          expected.insert(fmt::format("{}:{} {}", ip, port, pod.is_ready || naive.publishes));
        }
      }
      std::set<std::string> actual;
      for (const Backend& b : testing::service(cluster, naive.name_space, fmt::format("s{}", i)).ports[0].backends) {
        actual.insert(fmt::format("{}:{} {}", b.ip.to_string(), b.port.number(), b.is_ready));
      }
      found += expected.size();
      EXPECT_EQ(actual, expected);
    }
  }
  EXPECT_GT(found, 1'000u);
}

TEST(ShapeIndexProperty, FindsTheShapesThatMatchOneByOne) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    std::string text;
    for (std::size_t i = 0; i < 15; ++i) {
      text += fmt::format(
          "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{}, namespace: {}, labels: {}}}\nspec: "
          "{{containers: []}}\n",
          i, random.chance(50) ? "one" : "two", yaml_of(random_labels(random)));
    }
    const Cluster cluster = testing::cluster_of({text});
    const ShapeIndex index(cluster);
    for (int i = 0; i < 20; ++i) {
      LabelSelector selector;
      for (const auto& [key, value] : random_labels(random)) {
        selector.requirements.push_back({.key = key, .op = SelectorOperator::in, .values = {value}});
      }
      const NamespaceId name_space(random.below(cluster.namespaces.size()));
      std::vector<ShapeId> expected;
      for (std::size_t s = 0; s < cluster.shapes.size(); ++s) {
        if (cluster.shapes[s].name_space == name_space &&
            selector.matches(cluster.shapes[s].labels, cluster.label_sets, cluster.strings)) {
          expected.push_back(ShapeId(s));
        }
      }
      EXPECT_EQ(index.selected_by(name_space, selector), expected);
    }
    std::size_t pods = 0;
    for (std::size_t s = 0; s < cluster.shapes.size(); ++s) {
      for (const PodId pod : index.pods(ShapeId(s))) {
        EXPECT_EQ(cluster.pods[pod.index()].shape, ShapeId(s));
        ++pods;
      }
    }
    EXPECT_EQ(pods, cluster.pods.size());
  }
}

}  // namespace
}  // namespace podwire::cluster
