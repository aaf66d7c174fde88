// Rules by domain name in a run: a node knows the addresses that DNS answers to its own pods gave, for their TTL.
#include <gtest/gtest.h>

#include <optional>

#include "tests/support/stage.hpp"

namespace podwire::workload {
namespace {

using test::at_address;
using test::at_host;
using test::from_pods;
using test::loop;
using test::Stage;

std::string pod(const std::string& name, const std::string& node) {
  return "---\n{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: " + name +
         ", labels: {app: web}}, spec: {nodeName: " + node + ", containers: [{name: c, image: i}]}}\n";
}

// Both pods may ask DNS and dial names of example.org; everything else outside is denied.
const std::string kPolicies =
    "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: names}\nspec:\n"
    "  tier: Admin\n  priority: 10\n  subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: "
    "web}}}}\n"
    "  egress:\n"
    "  - {action: Accept, to: [{domainNames: ['*.example.org']}], protocols: [{tcp: {destinationPort: {number: "
    "443}}}]}\n"
    "  - {action: Accept, to: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}\n"
    "  - {action: Deny, to: [{networks: ['0.0.0.0/0']}]}\n";

const IpAddress kAddress = IpAddress::v4(198, 51, 100, 7);

struct World {
  World() : stage(pod("one", "node-1") + pod("two", "node-2")) { stage.policies = stage.read_policies(kPolicies); }
  RunInput input(Duration duration) const {
    RunInput input;
    input.duration = duration;
    input.externals = {{"api.example.org", {kAddress}}, {"other.example.net", {IpAddress::v4(198, 51, 100, 8)}}};
    return input;
  }
  Stage stage;
};

WorkloadSpec tcp(Source from, Target to, double per_second) {
  WorkloadSpec spec = loop(std::move(from), std::move(to), RequestKind::tcp_probe);
  spec.arrivals.per_second = per_second;
  return spec;
}

TEST(DomainNamesInARun, ResolvedNameIsAllowedAndAnotherDomainIsNot) {
  World world;
  const Source from = from_pods({world.stage.pod("shop", "one")});
  const auto played = world.stage.play(
      {tcp(from, at_host("api.example.org", 443), 2.0), tcp(from, at_host("other.example.net", 443), 2.0),
       tcp(from, at_host("api.example.org", 80), 2.0)},
      world.input(Duration::from_s(2)));
  EXPECT_EQ(played.workloads[0].count(Outcome::ok), played.workloads[0].requests);
  EXPECT_EQ(played.workloads[1].count(Outcome::connect_timeout), played.workloads[1].requests);
  EXPECT_EQ(played.workloads[2].count(Outcome::connect_timeout), played.workloads[2].requests);  // another port
  EXPECT_GT(played.workloads[0].requests, 0u);
}

TEST(DomainNamesInARun, AddressNobodyOfTheNodeAskedForIsDenied) {
  // Pod one asks; pod two, on the other node, dials the address without a lookup.
  World world;
  const auto played =
      world.stage.play({tcp(from_pods({world.stage.pod("shop", "one")}), at_host("api.example.org", 443), 4.0),
                        tcp(from_pods({world.stage.pod("shop", "two")}), at_address(kAddress, 443), 4.0)},
                       world.input(Duration::from_s(2)));
  EXPECT_EQ(played.workloads[0].count(Outcome::ok), played.workloads[0].requests);
  EXPECT_EQ(played.workloads[1].count(Outcome::ok), 0u);
  const bool names_rule = std::any_of(played.drops.begin(), played.drops.end(), [](const DropRow& row) {
    return row.rule == "clusternetworkpolicy/names egress rule 2";
  });
  EXPECT_TRUE(names_rule);
}

// One lookup in 100 s, at the start, and the address dialled once a second by the same pod: connections begin while the
// answer holds and no later. The lookup's loop arrives every 100 s, first half an interval in: at 50 s.
void expect_known_for(World& world, std::optional<Duration> said, std::int64_t seconds) {
  SCOPED_TRACE(seconds);
  const Source from = from_pods({world.stage.pod("shop", "one")});
  RunInput input = world.input(Duration::from_s(100));
  if (said) {
    input.externals["api.example.org"].ttl = *said;
  }
  const test::Played played = world.stage.play_rows(
      {tcp(from, at_host("api.example.org", 443), 0.01), tcp(from, at_address(kAddress, 443), 1.0)}, input);
  std::int64_t learned = -1;
  for (const test::RequestRow& row : played.rows) {
    if (row.workload == 0 && row.resolved >= 0) {
      learned = row.resolved;
    }
  }
  ASSERT_GE(learned, 0);
  std::int64_t in_time = 0;
  for (const test::RequestRow& row : played.rows) {
    if (row.workload != 1) {
      continue;
    }
    const bool is_known = row.dialled >= learned && row.dialled < learned + seconds * 1'000'000'000;
    EXPECT_EQ(row.how() == Outcome::ok, is_known) << row.dialled;
    in_time += is_known ? 1 : 0;
  }
  EXPECT_GE(in_time, seconds - 1);
}

TEST(DomainNamesInARun, AddressIsForgottenWithItsTtl) {
  World world;
  expect_known_for(world, {}, 30);                      // 300 s, capped by CoreDNS's cache
  expect_known_for(world, Duration::from_s(12), 12);    // as the outside server says
  expect_known_for(world, Duration::from_s(1), 5);      // the least that the cache plugin says
  expect_known_for(world, Duration::from_s(3600), 30);  // the most
}

}  // namespace
}  // namespace podwire::workload
