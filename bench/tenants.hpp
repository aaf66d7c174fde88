// The generator of large clusters, by name: Tenants. Manifests as text, so that a benchmark can begin where it likes.
//
// A namespace is a tenant with `workloads` Deployments of `replicas` pods. Labels are the usual ones: app, tier (web,
// api, db …), version and pod-template-hash on pods, team (one in ten namespaces shares it) and env on namespaces.
// Each namespace has `policies` NetworkPolicies: a default deny of both directions; DNS and the team's namespaces for
// everyone's egress; then, in turn, an app from the app before it; an app from the same app of the team's namespaces;
// an app from a block of addresses with a hole; a tier to a tier by a named port. With `is_each_its_own` pods are
// objects of their own with a label of their own that a policy of the namespace reads: no two share a class.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/policy/policy.hpp"
#include "sim/base/check.hpp"

namespace podwire::bench {

struct Tenants {
  unsigned namespaces = 5'000;
  unsigned workloads = 5;
  unsigned replicas = 4;
  unsigned policies = 4;
  bool is_each_its_own = false;
  bool has_default_deny = true;  // else p0 is of egress alone

  unsigned pods() const { return namespaces * workloads * replicas; }
  static std::string name_of(unsigned n) { return fmt::format("tenant-{:05}", n); }

  /// In texts of a thousand namespaces: a file holds at most 100,000 documents.
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (unsigned n = 0; n < namespaces; n += 1'000) {
      all.push_back(text(n, std::min(namespaces, n + 1'000)));
    }
    return all;
  }

  std::string text(unsigned first, unsigned last) const {
    std::string out;
    for (unsigned n = first; n < last; ++n) {
      out += fmt::format(
          "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {}, labels: {{team: team-{}, env: {}}}}}\n",
          name_of(n), n / 10, n % 3 == 0 ? "dev" : "prod");
      for (unsigned w = 0; w < workloads; ++w) {
        add_workload(n, w, out);
      }
      for (unsigned p = 0; p < policies; ++p) {
        out += policy(n, p);
      }
    }
    return out;
  }

  /// One policy; `port` differs from 8080 in a changed one.
  std::string policy(unsigned n, unsigned p, unsigned port = 8080) const {
    const std::string head = fmt::format(
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{}, namespace: {}}}\nspec: ", p,
        name_of(n));
    const unsigned app = p % workloads;
    if (p == 0) {
      return head +
             fmt::format("{{podSelector: {{}}, policyTypes: [{}Egress]}}\n", has_default_deny ? "Ingress, " : "");
    }
    if (p == 1) {
      return head +
             fmt::format(
                 "{{podSelector: {{}}, policyTypes: [Egress], egress: [{{ports: [{{port: 53, protocol: UDP}}, {{port: "
                 "53}}]}}, {{to: [{{namespaceSelector: {{matchLabels: {{team: team-{}}}}}}}]}}]}}\n",
                 n / 10);
    }
    if (is_each_its_own && p == 2) {
      return head + fmt::format(
                        "{{podSelector: {{matchLabels: {{pod: pod-{}-0-0}}}}, ingress: [{{ports: [{{port: {}}}]}}]}}\n",
                        n, port);
    }
    switch (p % 4) {
      case 2:
        return head + fmt::format(
                          "{{podSelector: {{matchLabels: {{app: app-{}}}}}, ingress: [{{from: [{{podSelector: "
                          "{{matchLabels: {{app: app-{}}}}}}}], ports: [{{port: {}}}]}}]}}\n",
                          app, (app + workloads - 1) % workloads, port);
      case 3:
        return head + fmt::format(
                          "{{podSelector: {{matchLabels: {{app: app-{0}}}}}, ingress: [{{from: "
                          "[{{namespaceSelector: {{matchLabels: {{team: team-{1}}}}}, podSelector: {{matchLabels: "
                          "{{app: app-{0}}}}}}}], ports: [{{port: {2}}}]}}]}}\n",
                          app, n / 10, port);
      case 0:
        return head + fmt::format(
                          "{{podSelector: {{matchLabels: {{app: app-{}}}}}, ingress: [{{from: [{{ipBlock: {{cidr: "
                          "10.{}.0.0/16, except: [10.{}.{}.0/24]}}}}], ports: [{{port: {}}}]}}]}}\n",
                          app, n % 250, n % 250, n % 13, port);
      default:
        return head +
               "{podSelector: {matchLabels: {tier: web}}, policyTypes: [Ingress], ingress: [{from: "
               "[{podSelector: {matchLabels: {tier: api}}}], ports: [{port: http}]}]}\n";
    }
  }

 private:
  static std::string_view tier_of(unsigned w) {
    constexpr std::string_view kTiers[] = {"web", "api", "db", "cache", "batch"};
    return kTiers[w % 5];
  }

  void add_workload(unsigned n, unsigned w, std::string& out) const {
    const std::string labels = fmt::format("app: app-{}, tier: {}, version: v{}", w, tier_of(w), (n + w) % 7);
    if (!is_each_its_own) {
      out += fmt::format(
          "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: app-{0}, namespace: {1}}}\nspec: {{replicas: "
          "{2}, selector: {{matchLabels: {{app: app-{0}}}}}, template: {{metadata: {{labels: {{{3}}}}}, spec: "
          "{{containers: [{{name: main, ports: [{{name: http, containerPort: {4}}}]}}]}}}}}}\n",
          w, name_of(n), replicas, labels, 8080 + w);
      return;
    }
    for (unsigned r = 0; r < replicas; ++r) {
      out += fmt::format(
          "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: pod-{0}-{1}, namespace: {2}, labels: {{{3}, pod: "
          "pod-{4}-{0}-{1}}}}}\nspec: {{containers: [{{name: main, ports: [{{name: http, containerPort: {5}}}]}}]}}\n",
          w, r, name_of(n), labels, n, 8080 + w);
    }
  }
};

/// Parsed objects.
struct Objects {
  SourceMap sources;
  cluster::ObjectStore store;
  explicit Objects(const std::vector<std::string>& texts) {
    Diagnostics diagnostics;
    for (const std::string& text : texts) {
      store.add_layer(sources, {.path = "-", .shown_as = "bench", .text = text, .span = {}}, {}, diagnostics);
    }
    PODWIRE_CHECK(!diagnostics.has_errors(), "bench", diagnostics.all().front().message);
  }
};

/// A cluster and its policies.
struct Town {
  cluster::Cluster cluster;
  policy::PolicySet policies;

  explicit Town(const cluster::ObjectStore& store, std::uint32_t nodes = 5'000) {
    cluster::ClusterOptions options;
    options.node_count = nodes;
    auto built = cluster::build_cluster(store, options);
    PODWIRE_CHECK(built.has_value(), "bench", built.diagnostics().all().front().message);
    cluster = std::move(*built);
    auto read = policy::read_policies(store);
    PODWIRE_CHECK(read.has_value(), "bench", read.diagnostics().all().front().message);
    policies = std::move(*read);
  }
};

}  // namespace podwire::bench
