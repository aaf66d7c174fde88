// Pods with addresses of both families: what each static verb makes of policies that treat the two otherwise.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/analysis/diff.hpp"
#include "models/analysis/explain.hpp"
#include "models/analysis/reach.hpp"
#include "tests/support/policy_lab.hpp"

namespace podwire::analysis {
namespace {

using test::name_space;
using test::network_policy;
using test::PolicyLab;
using Lines = std::vector<std::string>;

std::string pod_at(const std::string& name, const std::string& first, const std::string& second = "") {
  return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: a, labels: {app: " + name +
         "}}\nspec: {nodeName: n1, containers: [{name: c, image: i, ports: [{containerPort: 5432}]}]}\n" +
         "status: {phase: Running, podIP: \"" + first + "\", podIPs: [{ip: \"" + first + "\"}" +
         (second.empty() ? "" : ", {ip: \"" + second + "\"}") + "]}\n";
}

/// web and db have two addresses, old has one.
std::string town() {
  return name_space("a") + pod_at("web", "10.1.0.1", "fd00:1::1") + pod_at("db", "10.1.0.2", "fd00:1::2") +
         pod_at("old", "10.1.0.3");
}

/// db lets in whom `from` names.
std::string db_from(const std::string& ingress) {
  return network_policy("a", "db", "  podSelector: {matchLabels: {app: db}}\n  ingress: [" + ingress + "]");
}
const char* const kV4 = "{from: [{ipBlock: {cidr: 10.1.0.0/24}}], ports: [{port: 5432}]}";
const char* const kV6 = "{from: [{ipBlock: {cidr: 'fd00:1::/64'}}], ports: [{port: 5433}]}";

Lines rows_to_db(PolicyLab& lab) {
  Lines lines;
  reach(lab.engine(), {.includes_external = false}, [&](const ReachRow& row) {
    if (row.destination.name == "a/db[Pod]") {
      lines.push_back(std::string(row.source.name) + " : " + connections_text(row) + (row.varies ? " (varies)" : ""));
    }
  });
  return lines;
}

TEST(DualStack, ABlockOfOneFamilyLeavesTheOtherDenied) {
  PolicyLab lab(town() + db_from(kV4));
  // old has IPv4 alone, so there is nothing that could differ.
  EXPECT_EQ(rows_to_db(lab), (Lines{"a/old[Pod] : TCP 5432", "a/web[Pod] : TCP 5432 (IPv4 only)"}));
}

TEST(DualStack, EachFamilysPortsAreShown) {
  PolicyLab lab(town() + db_from(std::string(kV4) + ", " + kV6));
  EXPECT_EQ(rows_to_db(lab), (Lines{"a/old[Pod] : TCP 5432", "a/web[Pod] : TCP 5432 (IPv4), TCP 5433 (IPv6)"}));
}

TEST(DualStack, SelectorsKnowNoFamilies) {
  PolicyLab lab(town() + db_from("{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}"));
  EXPECT_EQ(rows_to_db(lab), (Lines{"a/web[Pod] : TCP 5432"}));
}

TEST(DualStack, PluginsWhoseBlocksMatchNoPodsDenyBoth) {
  PolicyLab lab(town() + db_from(kV4), "cilium-vxlan");
  EXPECT_EQ(rows_to_db(lab), Lines{});
}

TEST(DualStack, OutsideAddressesOfBothFamiliesAreListed) {
  PolicyLab lab(town() + db_from(kV4));
  Lines lines;
  reach(lab.engine(), {}, [&](const ReachRow& row) {
    if (row.source.is_external() && row.destination.name == "a/web[Pod]") {
      lines.push_back(std::string(row.source.name) + " : " + connections_text(row));
    }
  });
  EXPECT_EQ(lines, (Lines{"0.0.0.0-255.255.255.255[External] : All Connections",
                          "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff[External] : All Connections"}));
}

ConnectionExplanation explained(PolicyLab& lab, std::string_view source, std::string_view destination) {
  Diagnostics diagnostics;
  const auto result = explain(lab.engine(), source, destination, {}, diagnostics);
  EXPECT_TRUE(result.has_value());
  return result.value_or(ConnectionExplanation());
}

TEST(DualStack, ExplainShowsBothFamiliesWhereTheyDiffer) {
  PolicyLab lab(town() + db_from(kV4));
  const ConnectionExplanation both = explained(lab, "a/web", "a/db:5432");
  EXPECT_EQ(both.answer, Answer::depends);
  ASSERT_EQ(both.paths.size(), 2u);
  EXPECT_EQ(both.paths[0].family, IpFamily::v4);
  EXPECT_EQ(both.paths[0].action, policy::Action::allow);
  EXPECT_EQ(both.paths[1].family, IpFamily::v6);
  EXPECT_EQ(both.paths[1].action, policy::Action::deny);
  EXPECT_EQ(both.paths[1].ingress.nearest.at(0).criterion, "ipBlock 10.1.0.0/24 does not hold fd00:1::1");
  // Where they fare alike one path is enough.
  const ConnectionExplanation alike = explained(lab, "a/db", "a/web:5432");
  ASSERT_EQ(alike.paths.size(), 1u);
  EXPECT_FALSE(alike.paths[0].family.has_value());
}

TEST(DualStack, ExplainTakesALiteralAddressOfEitherFamily) {
  PolicyLab lab(town() + db_from(kV4));
  EXPECT_EQ(explained(lab, "a/web", "10.1.0.2:5432").answer, Answer::allowed);
  EXPECT_EQ(explained(lab, "a/web", "[fd00:1::2]:5432").answer, Answer::denied);
  EXPECT_EQ(explained(lab, "fd00:1::1", "a/db:5432").answer, Answer::denied);
  const ConnectionExplanation none = explained(lab, "a/old", "[fd00:1::2]:5432");
  EXPECT_EQ(none.notes.at(0),
            "a/old and a/db have no address family in common: policies are asked, but nothing can pass");
}

struct DiffText {
  std::string text;
  DiffTotals totals;
};

/// "source => destination : before → after, opened …, closed … (IPv6)".
DiffText changes(const std::string& before, const std::string& after) {
  PolicyLab old_lab(before);
  PolicyLab new_lab(after);
  DiffText result;
  result.totals = diff(old_lab.engine(), new_lab.engine(), {.includes_external = false}, [&](const DiffRow& row) {
                    result.text += row.source.name + " => " + row.destination.name + " : " + row.before.to_string() +
                                   " → " + row.after.to_string() + ", opened " + row.opened.to_string() +
                                   (row.family ? *row.family == IpFamily::v4 ? " (IPv4)" : " (IPv6)" : "") + "\n";
                    EXPECT_EQ(row.reasons().size(), 1u);
                  }).totals;
  return result;
}

TEST(DualStack, DiffFindsWhatOneFamilyAloneGains) {
  const char* const kV6Too = "{from: [{ipBlock: {cidr: 'fd00:1::/64'}}], ports: [{port: 5432}]}";
  const DiffText found = changes(town() + db_from(kV4), town() + db_from(std::string(kV4) + ", " + kV6Too));
  EXPECT_EQ(found.text, "a/web[Pod] => a/db[Pod] : No Connections → TCP 5432, opened TCP 5432 (IPv6)\n");
  EXPECT_EQ(found.totals.opened, 1u);
  EXPECT_EQ(found.totals.changed, 1u) << "IPv4 was open before";
}

TEST(DualStack, DiffTellsNoFamilyWhereBothChangeAlike) {
  const std::string open = town() + db_from("{ports: [{port: 5432}]}");
  const std::string shut = town() + db_from("{from: [{podSelector: {matchLabels: {app: nobody}}}]}");
  EXPECT_EQ(changes(shut, open).text,
            "a/old[Pod] => a/db[Pod] : No Connections → TCP 5432, opened TCP 5432\n"
            "a/web[Pod] => a/db[Pod] : No Connections → TCP 5432, opened TCP 5432\n");
}

}  // namespace
}  // namespace podwire::analysis
