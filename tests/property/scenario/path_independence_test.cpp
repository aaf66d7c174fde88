// The way does not matter: after any sequence of events, every verdict is what compiling the objects that are left,
// from nothing, gives, and so are the Services and their backends. The engine that answers was made by difference,
// state by state. Random worlds of Deployments, pods, Services, namespaces and policies; random applies, deletes and
// labels; a namespace that comes and goes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include "app/scenario/batch.hpp"
#include "app/scenario/load.hpp"
#include "models/cluster/snapshot.hpp"
#include "models/policy/engine.hpp"
#include "sim/config/render.hpp"
#include "tests/unit/scenario/scratch_folder.hpp"

namespace podwire::scenario {
namespace {

using Labels = std::map<std::string, std::string>;

std::string text_of(const Labels& labels) {
  std::string out = "{";
  for (const auto& [key, value] : labels) {
    out += (out.size() > 1 ? ", " : "") + key + ": \"" + value + "\"";
  }
  return out + "}";
}

// The objects as they are meant to be, and the manifests that say so.
struct World {
  std::map<std::string, Labels> namespaces;
  struct Deployment {
    Labels labels;
    unsigned replicas = 1;
  };
  std::map<std::pair<std::string, std::string>, Deployment> deployments;
  std::map<std::pair<std::string, std::string>, Labels> pods;
  std::map<std::pair<std::string, std::string>, std::string> policies;  // spec
  std::set<std::pair<std::string, std::string>> services;               // the name says what they select

  static std::string name_space(const std::string& name, const Labels& labels) {
    return "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + ", labels: " + text_of(labels) + "}\n";
  }
  static std::string deployment(const std::pair<std::string, std::string>& key, const Deployment& it) {
    return "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: " + key.first + ", name: " + key.second +
           "}\nspec: {replicas: " + std::to_string(it.replicas) + ", selector: {matchLabels: " + text_of(it.labels) +
           "}, template: {metadata: {labels: " + text_of(it.labels) + "}, spec: {containers: []}}}\n";
  }
  static std::string pod(const std::pair<std::string, std::string>& key, const Labels& labels) {
    return "---\napiVersion: v1\nkind: Pod\nmetadata: {namespace: " + key.first + ", name: " + key.second +
           ", labels: " + text_of(labels) + "}\nspec: {containers: []}\n";
  }
  static std::string service(const std::pair<std::string, std::string>& key) {
    return "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: " + key.first + ", name: " + key.second +
           "}\nspec: {selector: {app: " + key.second.substr(1) + "}, ports: [{port: 80}]}\n";
  }
  static std::string policy(const std::pair<std::string, std::string>& key, const std::string& spec) {
    return "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: " + key.first +
           ", name: " + key.second + "}\nspec: " + spec + "\n";
  }
  std::string manifests() const {
    std::string out;
    for (const auto& [name, labels] : namespaces) {
      out += name_space(name, labels);
    }
    for (const auto& [key, it] : deployments) {
      out += deployment(key, it);
    }
    for (const auto& [key, labels] : pods) {
      out += pod(key, labels);
    }
    for (const auto& [key, spec] : policies) {
      out += policy(key, spec);
    }
    for (const auto& key : services) {
      out += service(key);
    }
    return out;
  }
  void erase_space(const std::string& name) {
    namespaces.erase(name);
    const auto is_in = [&](const auto& entry) { return entry.first.first == name; };
    std::erase_if(deployments, is_in);
    std::erase_if(pods, is_in);
    std::erase_if(policies, is_in);
    std::erase_if(services, [&](const auto& key) { return key.first == name; });
  }
};

class RandomHistory {
 public:
  explicit RandomHistory(unsigned seed) : random_(seed) {
    for (const char* name : {"n0", "n1", "n2"}) {
      world.namespaces[name] = labels();
    }
    for (int i = 0; i < 3; ++i) {
      world.deployments[{space(), "d" + std::to_string(i)}] = {deployment_labels(), 1 + pick(3)};
      world.pods[{space(), "p" + std::to_string(i)}] = labels();
      world.policies[{space(), "q" + std::to_string(i)}] = policy();
      world.services.insert(service_key());
    }
  }

  /// One change of the world; returns the event's body and fills `file` with what it applies.
  std::string step(const std::string& name, std::string& file) {
    switch (pick(12)) {
      case 0:
      case 1: {
        const std::pair key(space(), "q" + std::to_string(pick(6)));
        world.policies[key] = policy();
        file = World::policy(key, world.policies[key]);
        return "apply: " + name;
      }
      case 2:
        if (!world.policies.empty()) {
          const auto at = any(world.policies);
          const std::string text = at->first.first + "/networkpolicy/" + at->first.second;
          world.policies.erase(at);
          return "delete: " + text;
        }
        break;
      case 3:
        if (!world.deployments.empty()) {
          const auto at = any(world.deployments);
          at->second.replicas = pick(5);
          file = World::deployment(at->first, at->second);
          return "apply: " + name;
        }
        break;
      case 4: {
        const std::pair key(space(), "new" + name.substr(0, name.find('.')));
        world.deployments[key] = {deployment_labels(), 1 + pick(2)};
        file = World::deployment(key, world.deployments[key]);
        return "apply: " + name;
      }
      case 5: {
        const std::pair key(space(), "p" + std::to_string(pick(6)));
        world.pods[key] = labels();
        file = World::pod(key, world.pods[key]);
        return "apply: " + name;
      }
      case 6:
        if (!world.pods.empty()) {
          const auto at = any(world.pods);
          const std::string text = at->first.first + "/pod/" + at->first.second;
          world.pods.erase(at);
          return "delete: " + text;
        }
        break;
      case 7:
        if (!world.pods.empty()) {
          const auto at = any(world.pods);
          const std::string text = at->first.first + "/pod/" + at->first.second;
          return "label: [{object: " + text + ", " + relabel(at->second) + "}]";
        }
        break;
      case 8: {
        const std::pair key = service_key();
        if (world.services.insert(key).second || pick(4) == 0) {
          file = World::service(key);
          return "apply: " + name;
        }
        world.services.erase(key);
        return "delete: " + key.first + "/service/" + key.second;
      }
      case 9:
        if (world.namespaces.contains("n2")) {
          world.erase_space("n2");
          return "delete: namespace/n2";
        }
        world.namespaces["n2"] = labels();
        file = World::name_space("n2", world.namespaces["n2"]);
        return "apply: " + name;
      default: {
        const auto at = any(world.namespaces);
        return "label: [{object: namespace/" + at->first + ", " + relabel(at->second) + "}]";
      }
    }
    return step(name, file);
  }

  World world;

 private:
  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }
  std::pair<std::string, std::string> service_key() {
    return {space(), std::string("s") + static_cast<char>('a' + pick(3))};
  }
  // Nothing comes into a namespace that has been deleted.
  std::string space() { return "n" + std::to_string(pick(world.namespaces.contains("n2") ? 3 : 2)); }
  template <class Map>
  typename Map::iterator any(Map& map) {
    return std::next(map.begin(), pick(static_cast<unsigned>(map.size())));
  }
  Labels labels() {
    Labels out;
    for (const char* key : {"app", "tier"}) {
      if (pick(3) != 0) {
        out[key] = std::string(1, static_cast<char>('a' + pick(3)));
      }
    }
    return out;
  }
  // The API wants a selector that selects the template.
  Labels deployment_labels() {
    Labels out = labels();
    out["app"] = std::string(1, static_cast<char>('a' + pick(3)));
    return out;
  }
  std::string relabel(Labels& labels) {
    const std::string key = pick(2) == 0 ? "app" : "tier";
    if (labels.contains(key) && pick(2) == 0) {
      labels.erase(key);
      return "remove: [" + key + "]";
    }
    labels[key] = std::string(1, static_cast<char>('a' + pick(3)));
    return "set: {" + key + ": " + labels[key] + "}";
  }
  std::string selector() {
    Labels wanted = labels();
    return "{matchLabels: " + text_of(wanted) + "}";
  }
  std::string peer() {
    switch (pick(4)) {
      case 0:
        return "{ipBlock: {cidr: 10.244." + std::to_string(pick(3)) + ".0/24}}";
      case 1:
        return "{podSelector: " + selector() + "}";
      case 2:
        return "{namespaceSelector: " + selector() + "}";
      default:
        return "{namespaceSelector: " + selector() + ", podSelector: " + selector() + "}";
    }
  }
  std::string policy() {
    const bool is_ingress = pick(2) == 0;
    std::string out = "{podSelector: " + selector() + ", policyTypes: [" + (is_ingress ? "Ingress" : "Egress") + "]";
    if (pick(3) != 0) {
      out += std::string(is_ingress ? ", ingress: [{from: [" : ", egress: [{to: [") + peer() + ", " + peer() + "]";
      out += pick(2) == 0 ? "}]" : ", ports: [{port: 80}]}]";
    }
    return out + "}";
  }

  std::mt19937 random_;
};

// Live pods by owner: replicas of one owner are alike but for their addresses.
std::map<std::string, std::vector<cluster::PodId>> pods_by_owner(const cluster::Cluster& cluster) {
  std::map<std::string, std::vector<cluster::PodId>> out;
  for (std::uint32_t p = 0; p < cluster.pods.size(); ++p) {
    if (cluster::is_there(cluster, cluster::PodId(p))) {
      out[cluster.workload_name(cluster.pods[p].workload)].push_back(cluster::PodId(p));
    }
  }
  return out;
}

// Services by name, with the owners of their backends.
std::map<std::string, std::multiset<std::string>> services_of(const cluster::Cluster& cluster) {
  std::map<std::string, std::multiset<std::string>> out;
  for (std::size_t s = 0; s < cluster.services.size(); ++s) {
    const cluster::Service& service = cluster.services[s];
    if (service.is_there && !service.is_added) {
      std::multiset<std::string>& owners = out[cluster.service_name(cluster::ServiceId(s))];
      for (const cluster::Backend& backend : service.ports[0].backends) {
        owners.insert(cluster.workload_name(cluster.pods[backend.pod.index()].workload));
      }
    }
  }
  return out;
}

int count_of_histories() {
  const char* text = std::getenv("PODWIRE_PROPERTY_HISTORIES");
  return text != nullptr ? std::atoi(text) : 60;
}

TEST(PathIndependence, FinalVerdictsAreThoseOfTheFinalObjects) {
  std::size_t verdicts = 0;
  std::size_t denied = 0;
  for (int seed = 1; seed <= count_of_histories(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    test::ScratchFolder folder;
    RandomHistory history(static_cast<unsigned>(seed));
    folder.write("m/all.yaml", history.world.manifests());
    std::string spec =
        "apiVersion: podwire/v1\nkind: Scenario\nspec:\n  cluster:\n    from: m\n    nodes: {count: 3}\n    dns: "
        "{replicas: 0}\n";
    spec +=
        "    cni: {profile: spec, overrides: {policy: {ipBlockMatchesPods: false}}}\n  run: {duration: 60s}\n  "
        "events:\n";
    const int steps = 1 + seed % 12;
    for (int i = 1; i <= steps; ++i) {
      std::string file;
      const std::string name = "e" + std::to_string(i) + ".yaml";
      const std::string body = history.step(name, file);
      if (!file.empty()) {
        folder.write(name, file);
      }
      spec += "    - {at: " + std::to_string(i) + "s, " + body + "}\n";
    }
    folder.write("scenario.yaml", spec);
    folder.write("final/all.yaml", history.world.manifests());
    SourceMap sources;
    auto walked = load(sources, {folder.path()}, {});
    ASSERT_TRUE(walked) << config::render(walked.diagnostics(), sources, {.short_form = true}) << spec;
    auto final_state = load(sources, {folder.path("final")}, {.settings = {}, .cni = "spec"});
    ASSERT_TRUE(final_state) << config::render(final_state.diagnostics(), sources, {.short_form = true});
    const PolicySetPlan& plan = walked->policy_sets.front();
    const PolicySetPlan& fresh = final_state->policy_sets.front();
    ASSERT_NE(plan.timeline, nullptr);
    const cluster::Cluster& last = *plan.timeline->clusters.back();
    const auto states = states_of(*plan.timeline, plan.profile());
    policy::PolicyEngine& after = states->engine(static_cast<control::Version>(states->size() - 1));
    policy::PolicyEngine anew(fresh.cluster(), fresh.policies, plan.profile());
    const auto owners = pods_by_owner(last);
    const auto fresh_owners = pods_by_owner(fresh.cluster());
    ASSERT_EQ(owners.size(), fresh_owners.size()) << spec;
    for (const auto& [name, pods] : owners) {
      ASSERT_TRUE(fresh_owners.contains(name)) << name << "\n" << spec;
      ASSERT_EQ(pods.size(), fresh_owners.at(name).size()) << name << "\n" << spec;
    }
    ASSERT_EQ(services_of(last), services_of(fresh.cluster())) << spec;
    for (const auto& [from, from_pods] : owners) {
      for (const auto& [to, to_pods] : owners) {
        for (const cluster::PodId source : from_pods) {
          for (const cluster::PodId target : to_pods) {
            if (from == to && (from_pods.size() < 2 || source == target)) {
              continue;
            }
            const cluster::PodId fresh_source = fresh_owners.at(from).front();
            const cluster::PodId fresh_target = from == to ? fresh_owners.at(to).back() : fresh_owners.at(to).front();
            for (const policy::Direction direction : {policy::Direction::egress, policy::Direction::ingress}) {
              for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{81}}) {
                const bool is_egress = direction == policy::Direction::egress;
                const auto ask = [&](policy::PolicyEngine& engine, cluster::PodId a, cluster::PodId b) {
                  return engine.verdict(direction, {.pod = is_egress ? a : b}, {.pod = is_egress ? b : a},
                                        IpProtocol::tcp, Port(port));
                };
                const policy::Verdict a = ask(after, source, target);
                const policy::Verdict b = ask(anew, fresh_source, fresh_target);
                ASSERT_EQ(a.action, b.action) << from << " to " << to << "\n" << spec;
                ASSERT_EQ(after.deciding_rule(direction, a), anew.deciding_rule(direction, b))
                    << from << " to " << to << "\n"
                    << spec;
                ++verdicts;
                denied += a.is_allowed() ? 0 : 1;
              }
            }
          }
        }
      }
    }
  }
  std::cout << verdicts << " verdicts, " << denied << " denied, seeds 1 to " << count_of_histories() << "\n";
  EXPECT_GT(verdicts, 5'000u);
  EXPECT_GT(denied, verdicts / 20);
}

}  // namespace
}  // namespace podwire::scenario
