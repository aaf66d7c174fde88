// What the CNI profiles say of headers and timeouts, against this kernel's VXLAN device and connection tracking.
#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <cmath>

#include "models/transport/impl.hpp"
#include "tests/linux/support/capture.hpp"
#include "tests/support/town.hpp"

namespace podwire::kernel {
namespace {

/// Two namespaces with a VXLAN device each over a veth pair of 1500 bytes.
struct Overlay {
  Overlay() {
    if (!join(a, "under-a", "10.9.0.1/24", b, "under-b", "10.9.0.2/24")) {
      why_not = "no veth devices: " + a.last_output();
    } else if (!add(a, "under-a", "10.9.0.1", "10.9.0.2", "10.10.0.1") ||
               !add(b, "under-b", "10.9.0.2", "10.9.0.1", "10.10.0.2")) {
      why_not = "no vxlan devices: " + a.last_output() + b.last_output();
    }
  }
  static bool add(Namespace& where, const std::string& device, const std::string& local, const std::string& remote,
                  const std::string& inner) {
    return where.run("ip link add dev overlay type vxlan id 1 dstport 8472 local " + local + " remote " + remote +
                     " dev " + device + " && ip address add " + inner +
                     "/24 dev overlay && ip link set dev overlay up");
  }
  /// Sends datagrams of 700 bytes from a to b.
  void send_datagrams(int count) const {
    a.in([&] {
      const Handle socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      const sockaddr_in to = socket_address("10.10.0.2", 9);
      const std::string payload(700, 'x');
      for (int i = 0; i < count; ++i) {
        sendto(socket.fd(), payload.data(), payload.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
      }
    });
  }
  /// "bytes" or "packets" that a device of a has sent, as `ip` counts them; 0 when it does not say.
  std::uint64_t sent(const std::string& device, const std::string& what) {
    a.run("ip -s -j link show dev " + device);
    const std::string& text = a.last_output();
    const std::size_t begin = text.find("\"tx\":{");
    const std::size_t at = begin == std::string::npos ? begin : text.find("\"" + what + "\":", begin);
    return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + what.size() + 3, nullptr, 10);
  }
  Namespace a;
  Namespace b;
  std::string why_not;
};

/// The largest segment's payload on the way between two pods of different machines.
std::uint32_t model_segment(const char* profile) {
  test::Town town(test::pod_yaml("shop", "client", 0) + test::pod_yaml("shop", "server", 1), {.profile = profile});
  transport::ConnectOptions options;
  options.source = town.pod("shop", "client");
  options.destination = town.ip("shop", "server");
  options.port = Port(8080);
  const transport::SocketHandle socket = town.transport().connect(options);
  return town.network().path_mtu(socket) - transport::kHeaderBytes;
}

TEST(KernelVxlan, LeavesSegmentsOf1398BytesAsTheModelDoes) {
  PODWIRE_NEEDS_NAMESPACES();
  Overlay overlay;
  if (!overlay.why_not.empty()) {
    GTEST_SKIP() << overlay.why_not;
  }
  const Handle listener = listen_in(overlay.b, "10.10.0.2", 80);
  Handle client;
  overlay.a.in([&] { client = Handle(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); });
  const sockaddr_in to = socket_address("10.10.0.2", 80);
  ASSERT_EQ(connect(client.fd(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  tcp_info info = {};
  socklen_t size = sizeof info;
  getsockopt(client.fd(), IPPROTO_TCP, TCP_INFO, &info, &size);
  EXPECT_EQ(info.tcpi_snd_mss, 1398u);  // 1450 - IPv4 20 - TCP 20 - timestamps 12
  for (const char* profile : {"calico-vxlan", "cilium-vxlan", "flannel"}) {
    EXPECT_EQ(model_segment(profile), info.tcpi_snd_mss) << profile;
  }
}

TEST(KernelVxlan, AddsTheProfilesOverheadToEachPacket) {
  PODWIRE_NEEDS_NAMESPACES();
  Overlay overlay;
  if (!overlay.why_not.empty()) {
    GTEST_SKIP() << overlay.why_not;
  }
  overlay.send_datagrams(1);  // neighbours know each other then
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const std::uint64_t bytes_above = overlay.sent("overlay", "bytes");
  const std::uint64_t bytes_below = overlay.sent("under-a", "bytes");
  const std::uint64_t packets_above = overlay.sent("overlay", "packets");
  const std::uint64_t packets_below = overlay.sent("under-a", "packets");
  if (packets_above == 0 || packets_below == 0) {
    GTEST_SKIP() << "ip -s -j shows no counters";
  }
  overlay.send_datagrams(10000);  // so many that the stray packets of neighbour discovery do not shift the mean
  const auto above = static_cast<double>(overlay.sent("overlay", "packets") - packets_above);
  const auto below = static_cast<double>(overlay.sent("under-a", "packets") - packets_below);
  EXPECT_NEAR(above, 10000, 100);
  EXPECT_NEAR(below, above, 100);
  // `ip` counts the inner packet above with or without its Ethernet header of 14 bytes; sizes tell: 700 + 8 + 20.
  const double size_above = static_cast<double>(overlay.sent("overlay", "bytes") - bytes_above) / above;
  const double size_below = static_cast<double>(overlay.sent("under-a", "bytes") - bytes_below) / below;
  // Without the overlay the frame would be the inner packet with one Ethernet header.
  const double overhead = size_below - (700 + 8 + 20 + 14);
  EXPECT_NEAR(overhead, 50, 1.5) << size_above << " above, " << size_below << " below";
  for (const char* name : {"calico-vxlan", "cilium-vxlan", "flannel"}) {
    const cni::Profile profile = std::move(cni::load_builtin(name)).value();
    EXPECT_NEAR(static_cast<double>(profile.encapsulation_overhead.count()), overhead, 1.5) << name;
  }
}

TEST(KernelConntrack, HasTheTimeoutsOfTheProfiles) {
  PODWIRE_NEEDS_NAMESPACES();
  const Namespace fresh;  // the defaults are each namespace's own
  const std::string prefix = "net/netfilter/nf_conntrack_";
  if (fresh.sysctl(prefix + "udp_timeout").empty()) {
    GTEST_SKIP() << "no nf_conntrack in this kernel";
  }
  const cni::ConntrackTimes times = std::move(cni::load_builtin("spec")).value().conntrack;
  // kube-proxy changes tcp_established (to a day) and tcp_close_wait (to an hour): there profile and kernel differ.
  const std::pair<const char*, Duration> expected[] = {
      {"tcp_timeout_syn_sent", times.tcp_syn_sent},   {"tcp_timeout_syn_recv", times.tcp_syn_recv},
      {"tcp_timeout_fin_wait", times.tcp_fin_wait},   {"tcp_timeout_last_ack", times.tcp_last_ack},
      {"tcp_timeout_time_wait", times.tcp_time_wait}, {"tcp_timeout_close", times.tcp_close},
      {"udp_timeout", times.udp_unreplied},           {"udp_timeout_stream", times.udp_stream}};
  for (const auto& [name, time] : expected) {
    EXPECT_EQ(fresh.sysctl(prefix + name), std::to_string(time.ps() / 1'000'000'000'000)) << name;
  }
  EXPECT_EQ(fresh.sysctl(prefix + "tcp_timeout_established"), "432000");
  EXPECT_EQ(fresh.sysctl(prefix + "tcp_timeout_close_wait"), "60");
}

}  // namespace
}  // namespace podwire::kernel
