// What policies see of a flow through a Service: hairpins, plugins that judge before translation; and how SCTP's
// handshake and a rejecting plugin look from the client.
#include <gtest/gtest.h>

#include "tests/support/town.hpp"

namespace podwire::dataplane {
namespace {

using test::Recorder;
using test::Town;
using test::TownOptions;
using transport::EventKind;
using transport::Failure;

const IpAddress kWebAddress = IpAddress::v4(10, 96, 7, 7);

// Two pods on one node and on another; each listens on 8080 for every protocol; a Service before b/server alone.
std::string pod(const std::string& name_space, const std::string& name, int node) {
  return "---\napiVersion: v1\nkind: Pod\nmetadata: {namespace: " + name_space + ", name: " + name +
         ", labels: {app: " + name + "}}\nspec:\n  nodeName: node-" + std::to_string(node) +
         "\n  containers:\n  - name: main\n    ports: [{containerPort: 8080}, {containerPort: 8080, protocol: SCTP}]\n";
}
const std::string kPods = pod("a", "client", 1) + pod("b", "server", 2) +
                          "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: b, name: web}\nspec:\n"
                          "  selector: {app: server}\n  clusterIP: 10.96.7.7\n  ports:\n"
                          "  - {name: t, port: 80, targetPort: 8080}\n"
                          "  - {name: s, port: 80, targetPort: 8080, protocol: SCTP}\n";

std::string policy(const std::string& name_space, const std::string& spec) {
  return "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: " + name_space +
         ", name: p}\nspec: {podSelector: {}, " + spec + "}\n";
}
const std::string kNobodyMayCome = policy("b", "policyTypes: [Ingress]");
const std::string kServiceRangeAlone = "policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.96.0.0/12}}]}]";

/// Whether a TCP connection is made, or how it failed.
struct Dialled {
  bool is_connected = false;
  Failure failure = Failure::none;
};
Dialled dial(const std::string& policies, void (*adjust)(cni::Profile&), const std::string& name_space,
             const std::string& name, IpAddress to, std::uint16_t port) {
  TownOptions options;
  options.adjust = adjust;
  Town town(kPods + policies, options);
  Recorder client(town);
  Recorder server(town);
  town.transport().serve_all(IpProtocol::tcp, server.id);
  town.transport().connect({.source = town.pod(name_space, name),
                            .destination = to.is_unspecified() ? town.ip("b", "server") : to,
                            .port = Port(port),
                            .identity = {.who = 1, .which = 0},
                            .application = client.id,
                            .cookie = 1});
  town.run_for(Duration::from_ms(900));
  const auto* failed = client.first(EventKind::failed);
  return {client.count(EventKind::connected) == 1, failed == nullptr ? Failure::none : failed->event.failure};
}

void filtered(cni::Profile& profile) {
  profile.policy.hairpin = cni::Hairpin::filtered;
}
void let_in(cni::Profile& profile) {
  profile.policy.hairpin = cni::Hairpin::allowed;
}
void world(cni::Profile& profile) {
  profile.policy.hairpin = cni::Hairpin::world;
}
void let_in_on_ingress(cni::Profile& profile) {
  profile.policy.hairpin = cni::Hairpin::egress;
}
void before_dnat(cni::Profile& profile) {
  profile.policy.enforcement_point = cni::EnforcementPoint::before_dnat;
}
void rejecting(cni::Profile& profile) {
  profile.policy.deny_action = cni::DenyAction::reject;
}

TEST(ServicePolicy, HairpinIsFilteredWhereTheProfileSaysSo) {
  EXPECT_FALSE(dial(kNobodyMayCome, filtered, "b", "server", kWebAddress, 80).is_connected);
  EXPECT_TRUE(dial(kNobodyMayCome, let_in, "b", "server", kWebAddress, 80).is_connected);
  // Without the Service between, a pod always reaches itself.
  EXPECT_TRUE(dial(kNobodyMayCome, filtered, "b", "server", {}, 8080).is_connected);
  EXPECT_TRUE(dial("", filtered, "b", "server", kWebAddress, 80).is_connected);
}

TEST(ServicePolicy, HairpinIsJudgedWhereItLeavesAloneWhereTheProfileSaysSo) {
  EXPECT_TRUE(dial(kNobodyMayCome, let_in_on_ingress, "b", "server", kWebAddress, 80).is_connected);
  EXPECT_FALSE(
      dial(policy("b", "policyTypes: [Egress]"), let_in_on_ingress, "b", "server", kWebAddress, 80).is_connected);
}

TEST(ServicePolicy, HairpinCountsAsTheWorldOnEgressAndAsThePodOnIngress) {
  // The pod's own address is outside the block, the Service's inside.
  EXPECT_TRUE(dial(policy("b", kServiceRangeAlone), world, "b", "server", kWebAddress, 80).is_connected);
  EXPECT_FALSE(dial(policy("b", kServiceRangeAlone), filtered, "b", "server", kWebAddress, 80).is_connected);
  // A peer rule that names every pod does not match the world …
  const std::string any_pod = "to: [{namespaceSelector: {}}]";
  EXPECT_FALSE(
      dial(policy("b", "policyTypes: [Egress], egress: [{" + any_pod + "}]"), world, "b", "server", kWebAddress, 80)
          .is_connected);
  // … and on ingress the source is a pod again.
  EXPECT_TRUE(dial(policy("b", "policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]"), world, "b", "server",
                   kWebAddress, 80)
                  .is_connected);
}

TEST(ServicePolicy, EgressBeforeTranslationSeesWhatWasDialled) {
  EXPECT_TRUE(dial(policy("a", kServiceRangeAlone), before_dnat, "a", "client", kWebAddress, 80).is_connected);
  EXPECT_FALSE(dial(policy("a", kServiceRangeAlone), nullptr, "a", "client", kWebAddress, 80).is_connected);
  EXPECT_FALSE(dial(policy("a", kServiceRangeAlone), before_dnat, "a", "client", {}, 8080).is_connected);
}

TEST(ServicePolicy, EgressBeforeTranslationOpensServicesBehindSelectorsByThePortTheyLeadTo) {
  const auto to_server = [](const std::string& port) {
    return policy("a",
                  "policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: "
                  "server}}}], ports: [{port: " +
                      port + "}]}]");
  };
  EXPECT_TRUE(dial(to_server("8080"), before_dnat, "a", "client", kWebAddress, 80).is_connected);
  EXPECT_FALSE(dial(to_server("80"), before_dnat, "a", "client", kWebAddress, 80).is_connected);
}

TEST(ServicePolicy, RejectingPluginAnswersTheClientAtOnce) {
  EXPECT_EQ(dial(kNobodyMayCome, rejecting, "a", "client", kWebAddress, 80).failure, Failure::refused);
  EXPECT_EQ(dial(policy("a", "policyTypes: [Egress]"), rejecting, "a", "client", kWebAddress, 80).failure,
            Failure::refused);
  EXPECT_EQ(dial(kNobodyMayCome, nullptr, "a", "client", kWebAddress, 80).failure, Failure::none);
}

/// An SCTP INIT through the Service; the server answers it.
struct Associated {
  std::size_t answers = 0;
  std::uint64_t init_bytes = 0;
  std::uint64_t tracked_soon = 0;
  std::uint64_t tracked_late = 0;
};
Associated associate(const std::string& policies, void (*adjust)(cni::Profile&)) {
  TownOptions options;
  options.adjust = adjust;
  Town town(kPods + policies, options);
  Recorder client(town);
  Recorder server(town);
  town.transport().serve_all(IpProtocol::sctp, server.id);
  server.then = [&](const transport::Event& event) {
    if (event.kind == EventKind::received) {
      town.transport().send_datagram(event.socket, 200, event.tag);
      town.transport().close_udp(event.socket);
    }
  };
  const auto socket = town.transport().open_datagrams({.source = town.pod("a", "client"),
                                                       .destination = kWebAddress,
                                                       .port = Port(80),
                                                       .identity = {.who = 1, .which = 0},
                                                       .application = client.id,
                                                       .cookie = 1},
                                                      IpProtocol::sctp);
  town.transport().send_datagram(socket, 20, 7);
  town.run_for(Duration::from_s(1));
  Associated out;
  out.answers = client.count(EventKind::received);
  out.init_bytes = server.entries.empty() ? 0 : server.entries.front().event.bytes;
  const cluster::NodeId node = town.cluster().pods[town.pod("a", "client").pod_id().index()].node;
  out.tracked_soon = town.network().conntrack_count(node);
  town.run_for(Duration::from_s(3));
  out.tracked_late = town.network().conntrack_count(node);
  return out;
}

TEST(ServicePolicy, SctpHandshakeCrossesAServiceAndLeavesConntrackAfterThreeSeconds) {
  const Associated open = associate("", nullptr);
  EXPECT_EQ(open.answers, 1u);
  EXPECT_EQ(open.init_bytes, 20u);  // the chunk, without the common header and IP's
  EXPECT_EQ(open.tracked_soon, 1u);
  EXPECT_EQ(open.tracked_late, 0u);  // COOKIE_WAIT: 3 s; UDP's entry would have lived for 30 s
}

TEST(ServicePolicy, SctpIsFilteredAsAProtocolOfItsOwn) {
  const std::string tcp_alone =
      policy("b", "policyTypes: [Ingress], ingress: [{ports: [{protocol: TCP, port: 8080}]}]");
  const std::string sctp = policy("b", "policyTypes: [Ingress], ingress: [{ports: [{protocol: SCTP, port: 8080}]}]");
  EXPECT_EQ(associate(tcp_alone, nullptr).answers, 0u);
  EXPECT_EQ(associate(sctp, nullptr).answers, 1u);
  EXPECT_EQ(associate(tcp_alone, [](cni::Profile& p) { p.policy.sctp_is_enforced = false; }).answers, 1u);
}

}  // namespace
}  // namespace podwire::dataplane
