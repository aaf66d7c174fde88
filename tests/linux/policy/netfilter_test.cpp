// models/policy against netfilter: random policies as nftables rules on a router between namespaces that stand for
// pods; every pair connects for real on every port, and the verdict engine must have said so (profile `spec`).
#include <gtest/gtest.h>

#include "models/cni/profile.hpp"
#include "models/policy/engine.hpp"
#include "tests/linux/policy/world.hpp"
#include "tests/linux/support/capture.hpp"

namespace podwire::kernel {
namespace {

/// Pods as namespaces, each with an address of its own, routed by one more namespace, as Calico does it.
class Pods {
 public:
  std::string build() {
    if (!host.run("echo 1 > /proc/sys/net/ipv4/ip_forward && echo 0 > /proc/sys/net/ipv4/icmp_ratelimit")) {
      return "no forwarding: " + host.last_output();
    }
    for (unsigned p = 0; p < kPods; ++p) {
      const std::string ip = address(p);
      const std::string device = "pod" + std::to_string(p);
      if (!join(host, device, "169.254.1.1/32", pods[p], "eth0", ip + "/32") ||
          !host.run("ip route add " + ip + "/32 dev " + device) ||
          !pods[p].run("ip route add 169.254.1.1 dev eth0 && ip route add default via 169.254.1.1")) {
        return "no routed veth devices: " + host.last_output() + pods[p].last_output();
      }
      for (const std::uint16_t port : kTcpPorts) {
        listeners_.push_back(listen_in(pods[p], ip, port));
      }
      pods[p].in([&] {
        Handle socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        const sockaddr_in local = socket_address(ip, kUdpPort);
        if (bind(socket.fd(), reinterpret_cast<const sockaddr*>(&local), sizeof local) == 0) {
          echoes_.push_back(std::move(socket));
        }
      });
    }
    echo_thread_ = std::thread([this] { echo(); });
    return echoes_.size() == kPods ? "" : "no UDP sockets";
  }
  ~Pods() {
    done_ = true;
    if (echo_thread_.joinable()) {
      echo_thread_.join();
    }
  }

  static std::string address(unsigned p) { return "10.77.0." + std::to_string(p + 1); }

  /// 0, or the errno that a connection (or a datagram and its echo) ended in.
  int attempt(unsigned from, unsigned to, bool is_tcp, std::uint16_t port) {
    int error = 0;
    pods[from].in([&] {
      const Handle socket(::socket(AF_INET, (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
      const timeval patience = {5, 0};
      setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
      const linger abort = {1, 0};
      setsockopt(socket.fd(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
      const sockaddr_in remote = socket_address(address(to), port);
      if (connect(socket.fd(), reinterpret_cast<const sockaddr*>(&remote), sizeof remote) != 0) {
        error = errno;
      } else if (!is_tcp) {
        char byte = 'x';
        if (send(socket.fd(), &byte, 1, 0) != 1 || recv(socket.fd(), &byte, 1, 0) != 1) {
          error = errno;
        }
      }
    });
    return error;
  }

  Namespace host;
  std::array<Namespace, kPods> pods;

 private:
  void echo() {
    std::vector<pollfd> polled;
    for (const Handle& socket : echoes_) {
      polled.push_back({socket.fd(), POLLIN, 0});
    }
    while (!done_) {
      if (poll(polled.data(), polled.size(), 20) <= 0) {
        continue;
      }
      for (const pollfd& one : polled) {
        char byte;
        sockaddr_in from = {};
        socklen_t size = sizeof from;
        if ((one.revents & POLLIN) != 0 &&
            recvfrom(one.fd, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &size) == 1) {
          sendto(one.fd, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), size);
        }
      }
    }
  }

  std::vector<Handle> listeners_;
  std::vector<Handle> echoes_;
  std::atomic<bool> done_ = false;
  std::thread echo_thread_;
};

TEST(Netfilter, ConnectsWhatTheVerdictsAllow) {
  PODWIRE_NEEDS_NAMESPACES();
  Pods pods;
  if (const std::string why_not = pods.build(); !why_not.empty()) {
    GTEST_SKIP() << why_not;
  }
  constexpr std::uint64_t kFirstSeed = 100;
  constexpr std::uint64_t kWorlds = 15;
  const cni::Profile profile = cni::load_builtin("spec").value();
  unsigned allowed = 0;
  unsigned denied = 0;
  for (std::uint64_t seed = kFirstSeed; seed < kFirstSeed + kWorlds; ++seed) {
    const World world(seed);
    if (!pods.host.run("nft -f -", world.nftables())) {
      GTEST_SKIP() << "nft is missing or refuses: " << pods.host.last_output();
    }
    const cluster::Cluster cluster = world.cluster.build();
    policy::PolicyEngine engine(cluster, world.policies, profile);
    const auto expect_one = [&](unsigned from, unsigned to, IpProtocol protocol, std::uint16_t port) {
      const policy::Peer source{.pod = cluster::PodId(from)};
      const policy::Peer destination{.pod = cluster::PodId(to)};
      const bool is_allowed =
          engine.verdict(policy::Direction::egress, source, destination, protocol, Port(port)).is_allowed() &&
          engine.verdict(policy::Direction::ingress, destination, source, protocol, Port(port)).is_allowed();
      ++(is_allowed ? allowed : denied);
      const int error = pods.attempt(from, to, protocol == IpProtocol::tcp, port);
      // Rejections are told apart from closed ports' by UDP's admin-prohibited; TCP's are resets, because a blocking
      // connect() on one machine overlooks an ICMP error for its first SYN.
      const int denied_as = protocol == IpProtocol::tcp ? ECONNREFUSED : EHOSTUNREACH;
      EXPECT_EQ(error, is_allowed ? 0 : denied_as)
          << "seed " << seed << ": pod-" << from << " to pod-" << to << " port " << port << "\n"
          << world.nftables();
      return error == (is_allowed ? 0 : denied_as);
    };
    for (unsigned from = 0; from < kPods; ++from) {
      for (unsigned to = 0; to < kPods; ++to) {
        if (from == to) {
          continue;  // never reaches the router
        }
        for (const std::uint16_t port : kTcpPorts) {
          ASSERT_TRUE(expect_one(from, to, IpProtocol::tcp, port));
        }
        ASSERT_TRUE(expect_one(from, to, IpProtocol::udp, kUdpPort));
      }
    }
  }
  std::printf("%u connections made, %u denied, seeds %llu to %llu\n", allowed, denied,
              static_cast<unsigned long long>(kFirstSeed), static_cast<unsigned long long>(kFirstSeed + kWorlds - 1));
  EXPECT_GT(allowed, 200u);  // both sides were tried
  EXPECT_GT(denied, 200u);
}

}  // namespace
}  // namespace podwire::kernel
