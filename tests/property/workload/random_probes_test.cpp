// Random small clusters and policies under several plugins: what a played mesh of probes says is what the policy engine
// says of both directions, for each pod, Service, protocol and port, a pod's probes of itself included.
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "models/workload/probes.hpp"
#include "tests/support/stage.hpp"

namespace podwire::workload {
namespace {

using policy::Action;
using policy::Direction;
using test::Stage;

constexpr int kPods = 6;
constexpr unsigned kSeeds = 25;
const char* const kSpaces[] = {"x", "y"};
const char* const kProfiles[] = {"spec",       "antrea-0.13", "antrea",      "calico-3.18",
                                 "cilium-1.9", "aws-vpc-cni", "kube-router", "ovn-kubernetes"};

std::string space_of(int pod) {
  return kSpaces[pod % 2];
}

// Pods listen on 80 (named after the protocol) for all three protocols; each has a Service of its own that
// forwards 81 to it. Nothing listens on the pods' own 81.
std::string manifests(std::mt19937& random) {
  std::string yaml;
  for (int p = 0; p < kPods; ++p) {
    const std::string name = "p" + std::to_string(p);
    yaml += "---\napiVersion: v1\nkind: Pod\nmetadata: {namespace: " + space_of(p) + ", name: " + name +
            ", labels: {pod: " + name + ", app: a" + std::to_string(random() % 2) + "}}\nspec:\n  nodeName: node-" +
            std::to_string(1 + random() % 3) + "\n  containers:\n  - name: main\n    ports:\n";
    for (const char* protocol : {"TCP", "UDP", "SCTP"}) {
      yaml += std::string("    - {name: serve-") +
              (protocol[0] == 'T'   ? "t"
               : protocol[0] == 'U' ? "u"
                                    : "s") +
              ", containerPort: 80, protocol: " + protocol + "}\n";
    }
    yaml += "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: " + space_of(p) + ", name: s" +
            std::to_string(p) + "}\nspec:\n  selector: {pod: " + name + "}\n  ports:\n";
    for (const char* protocol : {"TCP", "UDP", "SCTP"}) {
      yaml += std::string("  - {name: n") + protocol[0] + ", port: 81, targetPort: 80, protocol: " + protocol + "}\n";
    }
  }
  return yaml;
}

std::string one_of(std::mt19937& random, std::initializer_list<const char*> texts) {
  return *(texts.begin() + random() % texts.size());
}

std::string policies(std::mt19937& random) {
  std::string yaml;
  for (int i = 0; i < 3; ++i) {
    const bool is_ingress = random() % 2 == 0;
    std::string rules;
    for (unsigned r = 0; r < 1 + random() % 2; ++r) {
      const std::string peer = one_of(
          random, {"", "podSelector: {}", "podSelector: {matchLabels: {app: a0}}",
                   "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: x}}", "ipBlock: {cidr: 0.0.0.0/0}",
                   "ipBlock: {cidr: 10.96.0.0/12}", "ipBlock: {cidr: 10.244.0.0/16}"});
      const std::string port =
          one_of(random, {"", "port: 80", "port: 81", "port: 80, protocol: UDP", "port: 80, protocol: SCTP",
                          "port: serve-s, protocol: SCTP", "port: serve-t", "protocol: UDP"});
      rules += std::string(rules.empty() ? "" : ", ") + "{" +
               (peer.empty() ? "" : (is_ingress ? "from: [{" : "to: [{") + peer + "}]") +
               (peer.empty() || port.empty() ? "" : ", ") + (port.empty() ? "" : "ports: [{" + port + "}]") + "}";
    }
    yaml += "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: " +
            std::string(kSpaces[random() % 2]) + ", name: q" + std::to_string(i) +
            "}\nspec:\n  podSelector: " + one_of(random, {"{}", "{matchLabels: {app: a1}}"}) + "\n  policyTypes: [" +
            (is_ingress ? "Ingress]\n  ingress: [" : "Egress]\n  egress: [") + (random() % 4 == 0 ? "" : rules) + "]\n";
  }
  return yaml;
}

struct Expected {
  Probe probe;
  policy::Peer from;
  policy::Peer to;
  Port port;  // after translation
};

ProbeVerdict verdict_of(policy::PolicyEngine& engine, const Expected& it) {
  const IpProtocol protocol = it.probe.protocol;
  const bool is_allowed = engine.verdict(Direction::egress, it.from, it.to, protocol, it.port).is_allowed() &&
                          engine.verdict(Direction::ingress, it.to, it.from, protocol, it.port).is_allowed();
  if (!is_allowed) {
    return ProbeVerdict::denied;
  }
  return engine.cluster().listens(it.to.pod, protocol, it.port) ? ProbeVerdict::allowed : ProbeVerdict::refused;
}

TEST(RandomProbes, PlayedMeshIsWhatTheEngineSays) {
  std::size_t checked = 0;
  std::size_t by_verdict[4] = {};
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    std::mt19937 random(seed);
    const std::string world = manifests(random);
    const std::string rules = policies(random);
    const char* const profile = kProfiles[seed % std::size(kProfiles)];
    Stage stage(world, {.profile = profile, .nodes = 3, .adds_dns = false});
    const policy::PolicySet set = stage.read_policies(rules);
    policy::PolicyEngine engine(*stage.cluster, set, stage.profile);
    std::vector<Expected> expected;
    for (int s = 0; s < kPods; ++s) {
      const cluster::PodId source = stage.pod(space_of(s), "p" + std::to_string(s));
      const policy::Peer from{.pod = source, .ip = stage.cluster->pods[source.index()].ip};
      for (int d = 0; d < kPods; ++d) {
        const cluster::PodId destination = stage.pod(space_of(d), "p" + std::to_string(d));
        const IpAddress service =
            stage.cluster->services[stage.service(space_of(d), "s" + std::to_string(d)).index()].cluster_ip;
        for (const IpProtocol protocol : kProtocols) {
          const policy::Peer to{.pod = destination, .ip = stage.cluster->pods[destination.index()].ip};
          for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{81}}) {
            expected.push_back(
                {{.source = source, .address = to.ip, .host = {}, .protocol = protocol, .port = Port(port)},
                 from,
                 to,
                 Port(port)});
          }
          policy::Peer dialled = to;
          dialled.service_ip = service;
          dialled.service_port = Port(81);
          expected.push_back(
              {{.source = source, .address = service, .host = {}, .protocol = protocol, .port = Port(81)},
               from,
               dialled,
               Port(80)});
        }
      }
    }
    ProbeInput input;
    input.engine = &engine;
    input.seed = seed;
    input.meshes.emplace_back();
    for (const Expected& it : expected) {
      input.meshes.front().probes.push_back(it.probe);
    }
    const ProbeRun run = play_probes(input);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const ProbeVerdict wanted = verdict_of(engine, expected[i]);
      ASSERT_EQ(to_string(run.meshes[0].answers[i].verdict), to_string(wanted))
          << "seed " << seed << ", " << profile << ", " << stage.cluster->full_pod_name(expected[i].probe.source)
          << " to " << expected[i].probe.address.to_string() << " " << to_string(expected[i].probe.protocol) << " "
          << expected[i].probe.port.number() << "\n"
          << rules;
      ++by_verdict[static_cast<std::size_t>(wanted)];
      ++checked;
    }
    EXPECT_EQ(run.fingerprint, play_probes(input).fingerprint) << "seed " << seed;
  }
  std::cout << checked << " probes of seeds 1 to " << kSeeds << ": " << by_verdict[0] << " allowed, " << by_verdict[1]
            << " denied, " << by_verdict[2] << " refused\n";
  for (const std::size_t v : {0, 1, 2}) {
    EXPECT_GT(by_verdict[v], checked / 50);
  }
}

}  // namespace
}  // namespace podwire::workload
