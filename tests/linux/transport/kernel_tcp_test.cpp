// models/transport against this kernel's TCP and UDP: when SYNs are repeated, what refuses a connection, and in how
// many flights a response arrives.
#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <cmath>
#include <future>

#include "tests/linux/support/capture.hpp"
#include "tests/linux/transport/model.hpp"

namespace podwire::kernel {
namespace {

using transport::EventKind;
using transport::Failure;

/// Client and server namespaces joined by a veth pair.
struct Pair {
  Pair() {
    if (!client.is_valid() || !server.is_valid()) {
      why_not = "no network namespaces";
    } else if (!join(client, "toserver", "10.9.0.1/24", server, "toclient", "10.9.0.2/24")) {
      why_not = "no veth devices: " + client.last_output();
    }
  }
  /// A socket of the client's.
  Handle socket(int type) {
    Handle made;
    client.in([&] { made = Handle(::socket(AF_INET, type | SOCK_CLOEXEC, 0)); });
    return made;
  }
  /// connect() to the server; errno or 0.
  int connect_to(int fd, std::uint16_t port) {
    const sockaddr_in to = socket_address("10.9.0.2", port);
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 ? 0 : errno;
  }
  bool filter(Namespace& where, const std::string& rule) {
    return where.run("nft -f -",
                     "table inet t {\n chain i {\n type filter hook input priority 0;\n " + rule + "\n }\n}");
  }
  Namespace client;
  Namespace server;
  std::string why_not;
};

#define PODWIRE_PAIR(name)        \
  PODWIRE_NEEDS_NAMESPACES();     \
  Pair name;                      \
  if (!name.why_not.empty()) {    \
    GTEST_SKIP() << name.why_not; \
  }

#define PODWIRE_FILTER(pair, where, rule)                                   \
  if (!pair.filter(where, rule)) {                                          \
    GTEST_SKIP() << "nft is missing or refuses: " << (where).last_output(); \
  }

/// When SYNs to port 80 of the server were seen, from the first on.
std::vector<double> syn_times(const std::vector<Seen>& seen) {
  std::vector<double> times;
  for (const Seen& packet : seen) {
    if (packet.destination_port == 80 && (packet.flags & 0x12) == 2) {
      times.push_back(packet.second);
    }
  }
  for (std::size_t i = times.size(); i-- > 0;) {
    times[i] -= times[0];
  }
  return times;
}

std::vector<double> model_syn_times(transport::SynSchedule schedule) {
  transport::TransportOptions options;
  options.syn_schedule = schedule;
  ModelPair model(Duration::from_us(10), options);
  model.swallow_everything();
  model.transport.connect(model.to(model.peer(), 80));
  model.simulator.run_until(Time::start() + Duration::from_s(300));
  std::vector<double> times;
  for (const double second : model.swallowed) {
    times.push_back(second - model.swallowed.front());
  }
  EXPECT_EQ(model.heard.size(), 1u);
  EXPECT_EQ(model.heard.back().event.failure, Failure::timed_out);
  times.push_back(model.heard.back().second);
  return times;
}

/// SYNs of a connect() that nothing answers; `retries` as tcp_syn_retries, 0: the kernel's own, watched for `seconds`.
struct SynRun {
  std::vector<double> times;
  double failed_at = -1;
};
SynRun run_syns(Pair& pair, int retries, double seconds) {
  Capture capture(pair.server, "toclient");
  const Handle socket = pair.socket(SOCK_STREAM | (retries == 0 ? SOCK_NONBLOCK : 0));
  if (retries != 0) {
    setsockopt(socket.fd(), IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof retries);
  }
  const auto begin = Clock::now();
  SynRun run;
  if (pair.connect_to(socket.fd(), 80) == ETIMEDOUT) {
    run.failed_at = std::chrono::duration<double>(Clock::now() - begin).count();
  } else {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }
  run.times = syn_times(capture.stop());
  return run;
}

TEST(KernelTcp, RepeatsSynsByTheModelsSchedule) {
  PODWIRE_PAIR(pair);
  PODWIRE_FILTER(pair, pair.server, "tcp dport 80 drop");
  const std::string linear = pair.client.sysctl("net/ipv4/tcp_syn_linear_timeouts");
  if (!linear.empty() && linear != "4") {
    GTEST_SKIP() << "tcp_syn_linear_timeouts is " << linear << ", not the default";
  }
  const auto schedule = linear.empty() ? transport::SynSchedule::classic : transport::SynSchedule::linear;
  const std::vector<double> model = model_syn_times(schedule);
  const SynRun real = run_syns(pair, 0, 8.2);
  std::size_t expected = 0;
  while (model[expected] < 7.9) {
    ++expected;  // linear: 0 1 2 3 4 5 7; classic: 0 1 3 7
  }
  ASSERT_EQ(real.times.size(), expected);
  for (std::size_t i = 0; i < expected; ++i) {
    EXPECT_NEAR(real.times[i], model[i], 0.3) << i;
  }
}

TEST(KernelTcp, GivesUpByTheTimeThatDoublingAloneWouldHaveTaken) {
  PODWIRE_PAIR(pair);
  PODWIRE_FILTER(pair, pair.server, "tcp dport 80 drop");
  const bool is_linear = pair.client.sysctl("net/ipv4/tcp_syn_linear_timeouts") == "4";
  // With n retries connect() ends at the first timer at or after 2^(n+1) - 1 s: for n = 1 at 3 s, after SYNs at 0, 1, 2
  // (linear) or 0, 1 (classic). So it is time that counts, not n + 4 repetitions.
  const SynRun real = run_syns(pair, 1, 0);
  EXPECT_EQ(real.times.size(), is_linear ? 3u : 2u);
  EXPECT_NEAR(real.failed_at, 3, 0.5);
  // The model has the default alone, n = 6: not before 127 s. Linear timers are at 1 2 3 4 5 7 11 19 35 67 131.
  const std::vector<double> model =
      model_syn_times(is_linear ? transport::SynSchedule::linear : transport::SynSchedule::classic);
  EXPECT_EQ(model.size(), is_linear ? 12u : 8u);
  EXPECT_DOUBLE_EQ(std::round(model.back()), is_linear ? 131 : 127);
}

/// How a connect() ends for a client that does not block, and after how many seconds.
std::pair<int, double> try_connect(Pair& pair, std::uint16_t port) {
  const auto begin = Clock::now();
  const Handle socket = pair.socket(SOCK_STREAM | SOCK_NONBLOCK);
  int error = pair.connect_to(socket.fd(), port);
  if (error == EINPROGRESS) {
    pollfd polled = {socket.fd(), POLLOUT, 0};
    poll(&polled, 1, 5000);
    socklen_t size = sizeof error;
    getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  return {error, std::chrono::duration<double>(Clock::now() - begin).count()};
}

TEST(KernelTcp, IsRefusedAtOnceByAClosedPortAndByReject) {
  PODWIRE_PAIR(pair);
  PODWIRE_FILTER(pair, pair.server,
                 "tcp dport 81 reject\n tcp dport 82 reject with icmp admin-prohibited\n tcp dport 83 reject with tcp "
                 "reset");
  // Closed port and tcp-reset: RST. Plain reject: ICMP port unreachable, as kube-proxy's for Services without
  // endpoints. The model leaves out that ICMP errors to one address are limited to 1 a second after a burst of 6, and
  // that a blocking connect() on the same machine may overlook the first.
  const std::pair<std::uint16_t, int> cases[] = {
      {80, ECONNREFUSED}, {81, ECONNREFUSED}, {82, EHOSTUNREACH}, {83, ECONNREFUSED}};
  for (const auto& [port, expected] : cases) {
    const auto [error, seconds] = try_connect(pair, port);
    EXPECT_EQ(error, expected) << port;
    EXPECT_LT(seconds, 0.9) << port;  // before the second SYN
  }
  ModelPair model(Duration::from_us(10));
  model.transport.connect(model.to(model.peer(), 80));
  model.simulator.run_until(Time::start() + Duration::from_s(300));
  ASSERT_EQ(model.heard.size(), 1u);
  EXPECT_EQ(model.heard[0].event.failure, Failure::refused);
  EXPECT_LT(model.heard[0].second, 0.001);
}

TEST(KernelUdp, HearsOfAClosedPortOnTheNextCallAndStaysOpen) {
  PODWIRE_PAIR(pair);
  const Handle socket = pair.socket(SOCK_DGRAM);
  ASSERT_EQ(pair.connect_to(socket.fd(), 9), 0);
  ASSERT_EQ(send(socket.fd(), "x", 1, 0), 1);
  char buffer;
  EXPECT_EQ(recv(socket.fd(), &buffer, 1, 0), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  EXPECT_EQ(send(socket.fd(), "x", 1, 0), 1);  // reported once, then forgotten
  ModelPair model(Duration::from_us(10));
  const transport::SocketHandle end = model.transport.open_udp(model.to(model.peer(), 9));
  model.transport.send_datagram(end, 1, 0);
  model.simulator.run_until(Time::start() + Duration::from_s(1));
  ASSERT_EQ(model.heard.size(), 1u);
  EXPECT_EQ(model.heard[0].event.failure, Failure::refused);
  EXPECT_TRUE(model.transport.is_open(end));
}

// ---- slow start

struct Flights {
  std::vector<std::uint64_t> bytes;  // of each flight
};

/// Arrivals with a gap of more than half a round trip between them belong to different flights.
Flights group(const std::vector<std::pair<double, std::uint64_t>>& arrivals, double rtt) {
  Flights flights;
  double last = -1e9;
  for (const auto& [second, bytes] : arrivals) {
    if (second - last > rtt / 2) {
      flights.bytes.push_back(0);
    }
    flights.bytes.back() += bytes;
    last = second;
  }
  return flights;
}

constexpr int kOneWayMs = 60;

Flights model_flights(std::uint64_t response) {
  ModelPair model(Duration::from_ms(kOneWayMs));
  model.serve(80, response);
  const transport::SocketHandle socket = model.transport.connect(model.to(model.peer(), 80));
  model.transport.send(socket, 100);
  model.simulator.run_until(Time::start() + Duration::from_s(20));
  std::vector<std::pair<double, std::uint64_t>> arrivals;
  std::uint64_t before = 0;
  for (const auto& [event, second] : model.heard) {
    if (event.kind == EventKind::received) {
      arrivals.emplace_back(second, event.bytes - before);
      before = event.bytes;
    }
  }
  return group(arrivals, 2e-3 * kOneWayMs);
}

/// The server's half of one exchange: reads the request, sends the response.
void respond(int listener, std::uint64_t response) {
  const Handle socket(accept(listener, nullptr, nullptr));
  int size = 8 << 20;
  setsockopt(socket.fd(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  char request[100];
  recv(socket.fd(), request, sizeof request, MSG_WAITALL);
  const std::string data(response, 'x');
  send(socket.fd(), data.data(), data.size(), MSG_NOSIGNAL);
  recv(socket.fd(), request, 1, 0);  // until the client closes
}

TEST(KernelTcp, SendsAResponseInAsManyFlightsAsTheModel) {
  PODWIRE_NEEDS_NAMESPACES();
  Namespace client;
  Namespace wire;
  Namespace server;
  if (!join(client, "toserver", "10.9.0.1/24", wire, "toa", "0.0.0.0/32") ||
      !join(server, "toclient", "10.9.0.2/24", wire, "tob", "0.0.0.0/32")) {
    GTEST_SKIP() << "no veth devices: " << client.last_output() << server.last_output();
  }
  turn_off_offloads(client, "toserver");
  turn_off_offloads(server, "toclient");
  const DelayedWire delay(wire, "toa", "tob", std::chrono::milliseconds(kOneWayMs));
  const Handle listener = listen_in(server, "10.9.0.2", 80);
  ASSERT_TRUE(listener.is_valid());
  // Reno: CUBIC's HyStart leaves slow start early when a busy machine delays packets.
  setsockopt(listener.fd(), IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
  // The table of round trips: up to 10, 30, 70, 150, 310 segments of 1448 bytes, and one byte more than each.
  for (const std::uint64_t response : {14'480u, 14'481u, 43'440u, 43'441u, 101'360u, 101'361u, 217'200u, 448'880u}) {
    std::thread server_thread([&] { respond(listener.fd(), response); });
    Handle socket;
    client.in([&] { socket = Handle(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); });
    int size = 8 << 20;
    setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    const sockaddr_in to = socket_address("10.9.0.2", 80);
    ASSERT_EQ(connect(socket.fd(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    Capture capture(client, "toserver");
    ASSERT_EQ(send(socket.fd(), std::string(100, 'q').data(), 100, 0), 100);
    std::string data(response, '\0');
    ASSERT_EQ(recv(socket.fd(), data.data(), data.size(), MSG_WAITALL), static_cast<ssize_t>(response));
    std::vector<std::pair<double, std::uint64_t>> arrivals;
    for (const Seen& packet : capture.stop()) {
      if (packet.source_port == 80 && packet.payload > 0) {
        arrivals.emplace_back(packet.second, packet.payload);
      }
    }
    socket = Handle();
    server_thread.join();
    const Flights real = group(arrivals, 2e-3 * kOneWayMs);
    const Flights model = model_flights(response);
    std::string text;
    for (const auto& flights : {real, model}) {
      for (const std::uint64_t bytes : flights.bytes) {
        text += std::to_string(bytes) + " ";
      }
      text += "| ";
    }
    EXPECT_EQ(real.bytes.size(), model.bytes.size()) << response << ": kernel | model: " << text;
    EXPECT_EQ(real.bytes, model.bytes) << response << ": kernel | model: " << text;
  }
}

}  // namespace
}  // namespace podwire::kernel
