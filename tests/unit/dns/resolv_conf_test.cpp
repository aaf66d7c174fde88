// resolv.conf by dnsPolicy, merged with dnsConfig, cut by the kubelet's limits (kubernetes-networking, section 1.1).
#include "models/dns/resolv_conf.hpp"

#include <gtest/gtest.h>

namespace podwire::dns {
namespace {

using cluster::DnsPolicy;
using Strings = std::vector<std::string>;
using Addresses = std::vector<IpAddress>;

const IpAddress kClusterDns = IpAddress::v4(10, 96, 0, 10);
const IpAddress kHostDns = IpAddress::v4(192, 168, 0, 1);

HostResolvConf host() {
  return HostResolvConf{{kHostDns}, {"corp.example"}, {{"timeout", "1"}, {"rotate", ""}}};
}

ResolvConf conf_of(const cluster::PodTemplate& pod) {
  return resolv_conf(pod, "shop", {kClusterDns}, "cluster.local", host());
}

cluster::PodTemplate with_policy(DnsPolicy policy, bool is_host_network = false) {
  cluster::PodTemplate pod;
  pod.dns_policy = policy;
  pod.is_host_network = is_host_network;
  return pod;
}

TEST(ResolvConf, ClusterFirstUsesTheClustersServerAndSearchListAndOnlyNdotsFive) {
  const ResolvConf conf = conf_of(with_policy(DnsPolicy::cluster_first));
  EXPECT_EQ(conf.nameservers, Addresses{kClusterDns});
  EXPECT_EQ(conf.searches, (Strings{"shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example"}));
  EXPECT_EQ(conf.ndots, 5u);
  EXPECT_EQ(conf.timeout_s, 5u);  // the host's options are dropped
  EXPECT_FALSE(conf.rotates);
}

TEST(ResolvConf, ClusterFirstOnTheHostNetworkReadsTheHostsFile) {
  const ResolvConf conf = conf_of(with_policy(DnsPolicy::cluster_first, true));
  EXPECT_EQ(conf.nameservers, Addresses{kHostDns});
  EXPECT_EQ(conf.searches, Strings{"corp.example"});
  EXPECT_EQ(conf.ndots, 1u);
  EXPECT_EQ(conf.timeout_s, 1u);
  EXPECT_TRUE(conf.rotates);
}

TEST(ResolvConf, ClusterFirstWithHostNetUsesTheClustersServerThere) {
  EXPECT_EQ(conf_of(with_policy(DnsPolicy::cluster_first_with_host_net, true)).nameservers, Addresses{kClusterDns});
}

TEST(ResolvConf, DefaultReadsTheHostsFile) {
  EXPECT_EQ(conf_of(with_policy(DnsPolicy::use_default)), resolv_conf(host()));
}

TEST(ResolvConf, NoneHasOnlyWhatThePodBrings) {
  cluster::PodTemplate pod = with_policy(DnsPolicy::none);
  EXPECT_TRUE(conf_of(pod).nameservers.empty());
  pod.dns_config = {{"8.8.8.8"}, {"example.com"}, {{"ndots", "2"}}};
  const ResolvConf conf = conf_of(pod);
  EXPECT_EQ(conf.nameservers, Addresses{IpAddress::v4(8, 8, 8, 8)});
  EXPECT_EQ(conf.searches, Strings{"example.com"});
  EXPECT_EQ(conf.ndots, 2u);
}

TEST(ResolvConf, WithoutAClusterServerClusterFirstFallsBackToTheHost) {
  const ResolvConf conf = resolv_conf(with_policy(DnsPolicy::cluster_first), "shop", {}, "cluster.local", host());
  EXPECT_EQ(conf.nameservers, Addresses{kHostDns});
}

TEST(ResolvConf, DnsConfigAppendsWithoutRepeatingAndItsOptionsWin) {
  cluster::PodTemplate pod = with_policy(DnsPolicy::cluster_first);
  pod.dns_config = {{"10.96.0.10", "1.1.1.1"},
                    {"cluster.local", "example.com."},
                    {{"ndots", "1"}, {"single-request-reopen", ""}, {"attempts", "9"}}};
  const ResolvConf conf = conf_of(pod);
  EXPECT_EQ(conf.nameservers, (Addresses{kClusterDns, IpAddress::v4(1, 1, 1, 1)}));
  EXPECT_EQ(conf.searches,
            (Strings{"shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example", "example.com"}));
  EXPECT_EQ(conf.ndots, 1u);
  EXPECT_EQ(conf.attempts, 5u);  // glibc's cap
  EXPECT_TRUE(conf.is_single_request_reopen);
}

TEST(ResolvConf, KubeletsLimitsCutFromTheEnd) {
  cluster::PodTemplate pod = with_policy(DnsPolicy::cluster_first);
  pod.dns_config.nameservers = {"1.1.1.1", "2.2.2.2", "3.3.3.3"};
  for (int i = 0; i < 40; ++i) {
    pod.dns_config.searches.push_back("d" + std::to_string(i) + ".example");
  }
  const ResolvConf conf = conf_of(pod);
  EXPECT_EQ(conf.nameservers.size(), 3u);
  EXPECT_EQ(conf.nameservers.back(), IpAddress::v4(2, 2, 2, 2));
  // 3 cluster domains, 1 of the host, 28 of the 40.
  ASSERT_EQ(conf.searches.size(), 32u);
  EXPECT_EQ(conf.searches.back(), "d27.example");
  EXPECT_EQ(conf.dropped.size(), 1u + 12u);
}

TEST(ResolvConf, SearchListEndsAt2048CharactersAndLosesOverlongEntries) {
  cluster::PodTemplate pod = with_policy(DnsPolicy::none);
  pod.dns_config.searches.push_back(std::string(254, 'x'));
  for (char c = 'a'; c < 'a' + 9; ++c) {
    pod.dns_config.searches.push_back(std::string(250, c));
  }
  // 8 entries of 250 and 7 spaces are 2007 characters, 9 would be 2258.
  const ResolvConf conf = conf_of(pod);
  ASSERT_EQ(conf.searches.size(), 8u);
  EXPECT_EQ(conf.searches.back(), std::string(250, 'h'));
}

}  // namespace
}  // namespace podwire::dns
