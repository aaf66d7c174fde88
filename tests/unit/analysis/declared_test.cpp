// Declared connections under two sets of policies, and what of reach's rows is used.
#include "models/analysis/declared.hpp"

#include <gtest/gtest.h>

#include "models/analysis/used_edges.hpp"
#include "tests/support/policy_lab.hpp"

namespace podwire::analysis {
namespace {

using test::name_space;
using test::network_policy;
using test::pod;
using test::PolicyLab;
using Lines = std::vector<std::string>;

std::string pods() {
  return name_space("a") + pod("a", "web", "app: web", "", "", "podIP: 10.244.0.1") +
         pod("a", "api", "app: api", "{containerPort: 80}", "", "podIP: 10.244.0.2") +
         pod("a", "db", "app: db", "{containerPort: 5432}", "", "podIP: 10.244.0.3");
}
const std::string kOnlyApi = network_policy("a", "db",
                                            "  podSelector: {matchLabels: {app: db}}\n"
                                            "  ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: "
                                            "[{port: 5432}]}]");

flows::End pod_end(const cluster::Cluster& cluster, std::string_view name) {
  return {.kind = flows::EndKind::pod, .id = cluster.find_pod(cluster.find_namespace("a"), name).value()};
}

DeclaredConnection meant(const cluster::Cluster& cluster, std::string_view from, std::string_view to,
                         std::uint16_t port) {
  DeclaredConnection connection;
  connection.source = cluster.pods[pod_end(cluster, from).id].workload;
  connection.ends = {pod_end(cluster, to)};
  connection.destination = cluster.workload_name(cluster.pods[connection.ends.front().id].workload);
  connection.port = Port(port);
  return connection;
}

Lines outcomes(const DeclaredImpact& impact) {
  Lines lines;
  for (const DeclaredRow& row : impact.rows) {
    lines.push_back(std::string(to_string(row.outcome)) + ": " + row.source + " → " + row.connection.destination);
  }
  return lines;
}

TEST(DeclaredImpact, WhatTheCandidateDeniesIsNewlyDenied) {
  PolicyLab before(pods());
  PolicyLab after(pods() + kOnlyApi);
  const auto in = [](PolicyLab& lab) {
    const cluster::Cluster& cluster = lab.engine().cluster();
    return std::vector{meant(cluster, "web", "db", 5432), meant(cluster, "api", "db", 5432)};
  };
  const DeclaredImpact impact = judge_declared(before.engine(), after.engine(), in(before), in(after));
  EXPECT_EQ(outcomes(impact), (Lines{"newly denied: a/web[Pod] → a/db[Pod]", "still allowed: a/api[Pod] → a/db[Pod]"}));
  EXPECT_EQ(impact.rows[0].after.rule, "default deny ingress (a/db)");
}

TEST(DeclaredImpact, WhatIsOnlyDeclaredByTheCandidateIsJudgedUnderItAlone) {
  PolicyLab before(pods());
  PolicyLab after(pods() + kOnlyApi);
  const std::vector old = {meant(before.engine().cluster(), "web", "api", 80)};
  const std::vector now = {meant(after.engine().cluster(), "web", "db", 5432),
                           meant(after.engine().cluster(), "api", "db", 5432)};
  const DeclaredImpact impact = judge_declared(before.engine(), after.engine(), old, now);
  EXPECT_EQ(outcomes(impact), (Lines{"newly denied: a/web[Pod] → a/db[Pod]", "still allowed: a/api[Pod] → a/db[Pod]"}));
  EXPECT_FALSE(impact.rows[0].before.has_value());
  EXPECT_EQ(impact.no_longer, 1u);
}

TEST(DeclaredImpact, ANameOutsideIsKnownWhereAllAddressesFareAlike) {
  PolicyLab before(pods());
  PolicyLab after(pods() + network_policy("a", "web",
                                          "  podSelector: {matchLabels: {app: web}}\n  policyTypes: [Egress]\n"
                                          "  egress: [{to: [{ipBlock: {cidr: 198.51.100.0/24}}]}]"));
  DeclaredConnection outside = meant(before.engine().cluster(), "web", "db", 443);
  outside.destination = "pay.example.com[External]";
  outside.is_outside = true;
  outside.ends = {{.kind = flows::EndKind::public_network}, {.kind = flows::EndKind::private_network}};
  const DeclaredImpact impact =
      judge_declared(before.engine(), after.engine(), std::vector{outside}, std::vector{outside});
  ASSERT_EQ(impact.rows.size(), 1u);
  EXPECT_EQ(impact.rows[0].before->action, policy::Action::allow);  // nothing isolates web
  EXPECT_EQ(impact.rows[0].outcome, ImpactOutcome::unknown);        // one block is allowed, and the name may lie there
  EXPECT_EQ(impact.rows[0].doubt, ImpactDoubt::no_address);
}

TEST(DeclaredImpact, FlowsAreComparedWithWhatIsDeclared) {
  PolicyLab lab(pods());
  const cluster::Cluster& cluster = lab.engine().cluster();
  const std::vector now = {meant(cluster, "web", "api", 80), meant(cluster, "api", "db", 5432)};
  DeclaredImpact impact = judge_declared(lab.engine(), lab.engine(), now, now);
  ImpactReport recorded;
  const auto row = [&](std::string source, std::string destination, std::uint16_t port, std::uint64_t count) {
    ImpactRow& added = recorded.rows.emplace_back();
    added.source = std::move(source);
    added.destination = std::move(destination);
    added.port = port;
    added.seen.count = count;
  };
  row("a/web[Pod]", "a/api[Pod]", 80, 7);
  row("a/web[Pod]", "a/db[Pod]", 5432, 3);            // nobody declares it
  row("203.0.113.7[External]", "a/web[Pod]", 80, 9);  // and that nobody could
  compare_with_flows(impact, recorded, cluster);
  EXPECT_EQ(impact.declared_in_cluster, 2u);
  EXPECT_EQ(impact.without_flow, 1u);  // api → db
  ASSERT_EQ(impact.undeclared.size(), 1u);
  EXPECT_EQ(impact.undeclared[0].destination, "a/db[Pod]");
  EXPECT_EQ(impact.undeclared[0].seen.count, 3u);
}

TEST(UsedEdges, RowsAreNarrowedAndWhatIsDeniedStays) {
  PolicyLab lab(pods() + kOnlyApi);
  const cluster::Cluster& cluster = lab.engine().cluster();
  UsedEdges edges(cluster);
  edges.add(meant(cluster, "web", "api", 80));
  edges.add(meant(cluster, "web", "db", 5432));  // denied by kOnlyApi
  flows::Connection outside;
  outside.source = pod_end(cluster, "api");
  outside.destination = {.kind = flows::EndKind::address, .ip = IpAddress::v4(198, 51, 100, 7)};
  outside.destination_port = 443;
  edges.add(outside);
  outside.destination = {.kind = flows::EndKind::unmapped, .id = 0};
  edges.add(outside);
  for (int round = 0; round < 2; ++round) {  // each policy set begins anew
    edges.begin();
    Lines used;
    std::uint64_t unused = 0;
    reach(lab.engine(), {}, [&](const ReachRow& row) {
      const policy::PortSet ports = edges.used_of(row);
      if (ports.empty()) {
        ++unused;
      } else {
        used.push_back(std::string(row.source.name) + " → " + std::string(row.destination.name) + " " +
                       ports.to_string());
      }
    });
    EXPECT_EQ(used,
              (Lines{"a/api[Pod] → 0.0.0.0-255.255.255.255[External] TCP 443", "a/web[Pod] → a/api[Pod] TCP 80"}));
    // From outside to api and web; to outside from db and web; api → db, api → web, db → api, db → web.
    EXPECT_EQ(unused, 8u);
    const std::vector<UnreachedUse> denied = edges.unreached(lab.engine());
    ASSERT_EQ(denied.size(), 1u);
    EXPECT_EQ(denied[0].source + " → " + denied[0].destination + " " + denied[0].ports.to_string(),
              "a/web[Pod] → a/db[Pod] TCP 5432");
    EXPECT_EQ(denied[0].side.action, policy::Action::deny);
    EXPECT_EQ(denied[0].side.rule, "default deny ingress (a/db)");
  }
  EXPECT_EQ(edges.totals().uses, 4u);
  EXPECT_EQ(edges.totals().unplaced, 1u);
}

}  // namespace
}  // namespace podwire::analysis
