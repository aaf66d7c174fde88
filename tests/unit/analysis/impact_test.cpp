// Recorded connections under two sets of policies: what each outcome takes, what the backtest compares, what is
// covered.
#include "models/analysis/impact.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/policy_lab.hpp"

namespace podwire::analysis {
namespace {

using flows::Connection;
using flows::End;
using flows::EndKind;
using flows::Recorded;

constexpr flows::Nanoseconds kNoon = 1'772'366'400 * flows::kSecond;

std::string pods() {
  const std::string up = "phase: Running, podIP: 10.1.0.";
  return test::name_space("shop") + test::name_space("ops") +
         test::pod("shop", "web", "app: web", "", "nodeName: n", up + "2") +
         test::pod("shop", "api", "app: api", "{name: http, containerPort: 8080}", "nodeName: n", up + "3") +
         test::pod("shop", "idle", "app: idle", "", "nodeName: n", up + "4") +
         test::pod("ops", "agent", "app: agent", "", "nodeName: n", up + "5") +
         "---\n{apiVersion: v1, kind: Node, metadata: {name: n}, spec: {podCIDR: 10.1.0.0/24}, status: {addresses: "
         "[{type: "
         "InternalIP, address: 192.168.0.1}]}}\n"
         "---\n{apiVersion: v1, kind: Service, metadata: {name: api, namespace: shop}, spec: {clusterIP: 10.96.0.9, "
         "selector: {app: api}, ports: [{port: 80, targetPort: 8080}]}}\n";
}

std::string api_policy(const std::string& from, const std::string& ports = "[{port: 8080}]") {
  return test::network_policy(
      "shop", "api",
      "  podSelector: {matchLabels: {app: api}}\n  ingress: [{from: [" + from + "], ports: " + ports + "}]");
}
const std::string kFromWeb = "{podSelector: {matchLabels: {app: web}}}";
const std::string kFromAgent =
    "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}, podSelector: {}}";
const std::string kFromBlock = "{ipBlock: {cidr: 203.0.113.0/24}}";

/// What the log says of either side.
struct Record {
  Recorded egress = Recorded::unknown;
  Recorded ingress = Recorded::unknown;
  Recorded overall = Recorded::unknown;
  bool dropped_otherwise = false;
};

/// Web may dial api before; the agent may after.
class ImpactLab {
 public:
  explicit ImpactLab(const std::string& before = api_policy(kFromWeb),
                     const std::string& after = api_policy(kFromAgent))
      : before_(pods() + before), after_(pods() + after) {
    mapper_ = std::make_unique<flows::EndMapper>(before_.cluster(), flows::MappingOptions());
    impact_ = std::make_unique<Impact>(before_.engine(), after_.engine(), *mapper_, reasons_, ImpactOptions());
  }

  End pod(std::string_view name) const { return {.kind = EndKind::pod, .id = before_.end(name).pod.value()}; }
  static End outside(IpAddress ip) { return {.kind = EndKind::address, .id = 0, .ip = ip}; }

  static constexpr Record kPassed{.ingress = Recorded::forwarded};
  static constexpr Record kDropped{.ingress = Recorded::dropped};

  void add(const End& source, const End& destination, std::uint16_t port, Record record = kPassed,
           flows::FlowProtocol protocol = flows::FlowProtocol::tcp) {
    Connection connection;
    connection.first = connection.last = kNoon + (++count_) * flows::kSecond;
    connection.source = source;
    connection.destination = destination;
    connection.protocol = protocol;
    connection.destination_port = port;
    connection.egress = record.egress;
    connection.ingress = record.ingress;
    connection.overall = record.overall;
    connection.dropped_otherwise = record.dropped_otherwise;
    connection.drop_reason = record.ingress == Recorded::dropped ? 1 : 0;
    connection.line = static_cast<std::uint64_t>(count_);
    impact_->add(connection);
  }
  void add(std::string_view source, std::string_view destination, std::uint16_t port, Record record = kPassed) {
    add(pod(source), pod(destination), port, record);
  }
  flows::EndMapper& mapper() { return *mapper_; }
  ImpactReport report() const { return impact_->report(); }
  std::uint64_t total(ImpactOutcome outcome) const { return report().totals[static_cast<std::size_t>(outcome)]; }
  ImpactDoubt doubt() const {
    const ImpactReport all = report();
    for (std::size_t i = 1; i < kImpactDoubts; ++i) {
      if (all.doubts[i] > 0) {
        return static_cast<ImpactDoubt>(i);
      }
    }
    return ImpactDoubt::none;
  }
  std::string place(const Span& span) const { return after_.place(span); }

 private:
  test::PolicyLab before_;
  test::PolicyLab after_;
  std::vector<std::string> reasons_ = {"", "POLICY_DENIED"};
  std::unique_ptr<flows::EndMapper> mapper_;
  std::unique_ptr<Impact> impact_;
  std::int64_t count_ = 0;
};

TEST(Impact, WhatTheCandidateDeniesAndAllowsIsNew) {
  ImpactLab lab;
  lab.add("shop/web", "shop/api", 8080);
  lab.add("shop/web", "shop/api", 8080);
  lab.add("ops/agent", "shop/api", 8080, ImpactLab::kDropped);
  lab.add("shop/idle", "shop/api", 8080, ImpactLab::kDropped);
  lab.add("shop/api", "shop/web", 443);
  const ImpactReport report = lab.report();
  EXPECT_EQ(report.totals, (std::array<std::uint64_t, kImpactOutcomes>{2, 1, 0, 1, 1}));
  ASSERT_EQ(report.rows.size(), 4u);
  const ImpactRow& denied = report.rows[0];
  EXPECT_EQ(denied.outcome, ImpactOutcome::newly_denied);
  EXPECT_EQ(denied.source, "shop/web[Pod]");
  EXPECT_EQ(denied.destination, "shop/api[Pod]");
  EXPECT_EQ(denied.seen.count, 2u);
  EXPECT_EQ(denied.seen.first, kNoon + flows::kSecond);
  EXPECT_EQ(denied.seen.last, kNoon + 2 * flows::kSecond);
  EXPECT_EQ(denied.before.rule, "shop/api ingress rule 0");
  EXPECT_EQ(denied.after.rule, "default deny ingress (shop/api)");
  EXPECT_TRUE(denied.after.span.is_known());
  EXPECT_EQ(report.rows[1].outcome, ImpactOutcome::newly_allowed);
  EXPECT_EQ(report.rows[1].source, "ops/agent[Pod]");
  EXPECT_EQ(report.backtest.compared, 5u);
  EXPECT_EQ(report.backtest.agree, 5u);
}

TEST(Impact, WhatWasDroppedIsNeverNewlyDenied) {
  ImpactLab lab;
  // The policies in force allow it; it was dropped because conntrack was full.
  lab.add("shop/web", "shop/api", 8080, {.dropped_otherwise = true});
  EXPECT_EQ(lab.total(ImpactOutcome::newly_denied), 0u);
  EXPECT_EQ(lab.total(ImpactOutcome::still_denied), 1u);
  EXPECT_EQ(lab.report().dropped_anyway, 1u);
  EXPECT_EQ(lab.report().backtest.without_verdict, 1u);
}

TEST(Impact, WhereTheRecordContradictsTheModelNothingIsPredicted) {
  ImpactLab lab;
  lab.add("shop/web", "shop/api", 8080, ImpactLab::kDropped);  // allowed by the policies in force
  lab.add("ops/agent", "shop/api", 8080);                      // denied by them
  lab.add("ops/agent", "shop/api", 8080);
  const ImpactReport report = lab.report();
  EXPECT_EQ(report.totals[static_cast<std::size_t>(ImpactOutcome::unknown)], 3u);
  EXPECT_EQ(lab.doubt(), ImpactDoubt::contradiction);
  EXPECT_EQ(report.backtest.disagree(), 3u);
  ASSERT_EQ(report.backtest.disagreements.size(), 2u);  // the larger cause first
  EXPECT_EQ(report.backtest.disagreements[0].seen.count, 2u);
  EXPECT_EQ(report.backtest.disagreements[0].recorded, Recorded::forwarded);
  EXPECT_EQ(report.backtest.disagreements[0].rule, "default deny ingress (shop/api)");
  EXPECT_EQ(report.backtest.disagreements[0].example, "ops/agent → shop/api TCP 8080");
  EXPECT_EQ(report.backtest.disagreements[0].line, 2u);
  EXPECT_EQ(report.backtest.disagreements[1].drop_reason, "POLICY_DENIED");
  EXPECT_EQ(report.backtest.disagreements[1].rule, "shop/api ingress rule 0");
}

TEST(Impact, EachSideIsComparedWithWhatIsRecordedOfIt) {
  // Web's egress is closed: nothing can have arrived.
  const std::string locked = test::network_policy("shop", "web",
                                                  "  podSelector: {matchLabels: {app: web}}\n"
                                                  "  policyTypes: [Egress]");
  ImpactLab lab(locked, locked);
  lab.add("shop/web", "shop/api", 8080, {.egress = Recorded::dropped});
  lab.add("shop/web", "shop/api", 8080, {.overall = Recorded::dropped});
  EXPECT_EQ(lab.report().backtest.agree, 2u);
  lab.add("shop/web", "shop/api", 8080, {.ingress = Recorded::dropped});  // dropped, but on the wrong side
  lab.add("shop/web", "shop/api", 8080, {.egress = Recorded::forwarded});
  EXPECT_EQ(lab.report().backtest.disagree(), 2u);
}

TEST(Impact, UnmappedEndsAreListedWithCounts) {
  ImpactLab lab;
  const End ghost = lab.mapper().map({.name_space = "shop", .pod = "ghost"}, kNoon, "");
  lab.add(ghost, lab.pod("shop/api"), 8080);
  lab.add(ghost, lab.pod("shop/api"), 8080);
  const ImpactReport report = lab.report();
  EXPECT_EQ(report.totals[static_cast<std::size_t>(ImpactOutcome::unknown)], 2u);
  ASSERT_EQ(report.strangers.size(), 1u);
  EXPECT_EQ(report.strangers[0].name, "shop/ghost");
  EXPECT_EQ(report.strangers[0].seen.count, 2u);
  EXPECT_EQ(report.backtest.not_comparable, 2u);
}

TEST(Impact, AddressesOutsideAreToldApartWhereRulesDo) {
  ImpactLab lab(api_policy(kFromBlock), api_policy(kFromWeb));
  lab.add(ImpactLab::outside(IpAddress::v4(203, 0, 113, 7)), lab.pod("shop/api"), 8080);
  lab.add(ImpactLab::outside(IpAddress::v4(203, 0, 113, 8)), lab.pod("shop/api"), 8080);
  lab.add(ImpactLab::outside(IpAddress::v4(198, 51, 100, 7)), lab.pod("shop/api"), 8080, ImpactLab::kDropped);
  const ImpactReport report = lab.report();
  ASSERT_EQ(report.rows.size(), 2u);
  EXPECT_EQ(report.rows[0].source, "203.0.113.7 and others[External]");
  EXPECT_EQ(report.rows[0].seen.count, 2u);
  EXPECT_EQ(report.rows[1].source, "198.51.100.7[External]");
  EXPECT_EQ(report.rows[1].outcome, ImpactOutcome::still_denied);
}

TEST(Impact, ANetworkWithoutAddressesIsKnownWhereAllFareAlike) {
  const End network{.kind = EndKind::public_network, .id = 0};
  ImpactLab alike(api_policy(kFromWeb), api_policy(kFromAgent));
  alike.add(network, alike.pod("shop/api"), 8080, ImpactLab::kDropped);
  EXPECT_EQ(alike.total(ImpactOutcome::still_denied), 1u);
  ImpactLab split(api_policy(kFromBlock), api_policy(kFromBlock));
  split.add(network, split.pod("shop/api"), 8080);
  EXPECT_EQ(split.doubt(), ImpactDoubt::no_address);
  ImpactLab private_only(api_policy(kFromBlock), api_policy(kFromBlock));  // the block is public
  private_only.add({.kind = EndKind::private_network, .id = 0}, private_only.pod("shop/api"), 8080,
                   ImpactLab::kDropped);
  EXPECT_EQ(private_only.total(ImpactOutcome::still_denied), 1u);
}

TEST(Impact, AServiceIsJudgedAtItsBackends) {
  ImpactLab lab;
  const End service = lab.mapper().map({.ip = IpAddress::v4(10, 96, 0, 9)}, kNoon, "");
  ASSERT_EQ(service.kind, EndKind::service);
  lab.add(lab.pod("shop/web"), service, 80);
  EXPECT_EQ(lab.total(ImpactOutcome::newly_denied), 1u);
  EXPECT_EQ(lab.report().rows[0].destination, "shop/api (Service)");
  lab.add(lab.pod("shop/web"), service, 81);  // it has no such port
  EXPECT_EQ(lab.doubt(), ImpactDoubt::backends);
}

TEST(Impact, TheOwnNodeIsAlwaysLetIn) {
  ImpactLab lab;
  lab.add({.kind = EndKind::node, .id = 0}, lab.pod("shop/api"), 8080);
  EXPECT_EQ(lab.total(ImpactOutcome::still_allowed), 1u);
  EXPECT_EQ(lab.report().rows[0].source, "node n");
}

TEST(Impact, IcmpIsKnownWhereAllPortsAreOpenOrNoneIs) {
  const auto ping = [](ImpactLab& lab, std::string_view source) {
    lab.add(lab.pod(source), lab.pod("shop/api"), 0, {}, flows::FlowProtocol::icmp);
  };
  ImpactLab lab(api_policy(kFromWeb, "[]"), api_policy(kFromWeb));
  ping(lab, "shop/idle");
  EXPECT_EQ(lab.total(ImpactOutcome::still_denied), 1u);
  ping(lab, "shop/web");  // all ports before, one after
  EXPECT_EQ(lab.doubt(), ImpactDoubt::icmp);
  ImpactLab open("", "");
  ping(open, "shop/idle");
  EXPECT_EQ(open.total(ImpactOutcome::still_allowed), 1u);
}

TEST(Impact, CoverageNamesWhatTheFlowsDoNotTell) {
  const std::string idle = test::network_policy("shop", "idle", "  podSelector: {matchLabels: {app: idle}}");
  ImpactLab lab(api_policy(kFromWeb), api_policy(kFromWeb) + idle);
  lab.add("shop/web", "shop/api", 8080);
  const ImpactCoverage coverage = lab.report().coverage;
  EXPECT_EQ(coverage.silent, (std::vector<std::string>{"ops/agent[Pod]", "shop/idle[Pod]"}));
  EXPECT_EQ(coverage.workloads, 4u);
  ASSERT_EQ(coverage.unexercised_after.size(), 1u);
  EXPECT_EQ(coverage.unexercised_after[0].first, "shop/idle");
  EXPECT_TRUE(coverage.unexercised_before.empty());
  EXPECT_EQ(coverage.first, kNoon + flows::kSecond);
}

TEST(Impact, BeyondTheLimitOfPairsFlowsAreCountedWithoutARow) {
  test::PolicyLab lab(pods() + api_policy(kFromWeb));
  flows::EndMapper mapper(lab.cluster(), {});
  const std::vector<std::string> reasons = {""};
  Impact impact(lab.engine(), lab.engine(), mapper, reasons, {.most_pairs = 2});
  for (std::uint16_t port = 1; port <= 10; ++port) {
    Connection connection;
    connection.first = connection.last = kNoon;
    connection.source = {.kind = EndKind::pod, .id = lab.end("shop/api").pod.value()};
    connection.destination = {.kind = EndKind::pod, .id = lab.end("shop/web").pod.value()};
    connection.destination_port = port;
    impact.add(connection);
  }
  const ImpactReport report = impact.report();
  EXPECT_EQ(report.rows.size(), 2u);
  EXPECT_EQ(report.without_row, 8u);
  EXPECT_EQ(report.totals[static_cast<std::size_t>(ImpactOutcome::still_allowed)], 10u);
}

}  // namespace
}  // namespace podwire::analysis
