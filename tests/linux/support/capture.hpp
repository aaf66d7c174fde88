// Watching and delaying packets in user space: a capture of TCP headers on one device, and a wire between two devices
// that holds every frame for a while (for kernels without the netem queue).
#pragma once

#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/linux/support/namespace.hpp"

namespace podwire::kernel {

using Clock = std::chrono::steady_clock;

/// A TCP packet that passed.
struct Seen {
  double second = 0;  // since the capture began
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t flags = 0;  // FIN 1, SYN 2, RST 4, ACK 16
  std::uint32_t payload = 0;
};

/// A packet socket on `device` of `network`, which sees what netfilter will drop as well.
inline Handle packet_socket(const Namespace& network, const std::string& device) {
  Handle socket;
  network.in([&] {
    Handle made(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    sockaddr_ll place = {};
    place.sll_family = AF_PACKET;
    place.sll_protocol = htons(ETH_P_ALL);
    place.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
    if (bind(made.fd(), reinterpret_cast<sockaddr*>(&place), sizeof place) == 0) {
      socket = std::move(made);
    }
  });
  return socket;
}

/// Sends and receives frames as they would cross a wire: no segmentation or checksum left to the hardware.
inline void turn_off_offloads(const Namespace& network, const std::string& device) {
  network.in([&] {
    const Handle socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    for (const int command : {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_STXCSUM}) {
      ethtool_value value = {static_cast<std::uint32_t>(command), 0};
      ifreq request = {};
      std::snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device.c_str());
      request.ifr_data = reinterpret_cast<char*>(&value);
      ioctl(socket.fd(), SIOCETHTOOL, &request);
    }
  });
}

class Capture {
 public:
  Capture(const Namespace& network, const std::string& device)
      : socket_(packet_socket(network, device)), begin_(Clock::now()) {
    const int size = 8 << 20;
    setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    thread_ = std::thread([this] { run(); });
  }
  ~Capture() { stop(); }
  /// What was seen; ends the capture.
  const std::vector<Seen>& stop() {
    done_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
    return seen_;
  }

 private:
  void run() {
    unsigned char frame[65'536];
    pollfd polled = {socket_.fd(), POLLIN, 0};
    for (;;) {
      if (poll(&polled, 1, done_ ? 0 : 20) <= 0) {
        if (done_) {
          return;  // with everything that had arrived
        }
        continue;
      }
      const ssize_t size = recv(socket_.fd(), frame, sizeof frame, 0);
      if (size < 54 || frame[12] != 8 || frame[13] != 0 || frame[23] != IPPROTO_TCP) {
        continue;
      }
      const unsigned char* const ip = frame + 14;
      const unsigned char* const tcp = ip + (ip[0] & 15) * 4;
      const auto two = [](const unsigned char* at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); };
      const std::uint32_t headers = (ip[0] & 15u) * 4 + (tcp[12] >> 4) * 4u;
      seen_.push_back({std::chrono::duration<double>(Clock::now() - begin_).count(), two(tcp), two(tcp + 2), tcp[13],
                       two(ip + 2) - headers});
    }
  }

  Handle socket_;
  Clock::time_point begin_;
  std::vector<Seen> seen_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

/// Carries frames between two devices of one namespace, each `delay` later.
class DelayedWire {
 public:
  DelayedWire(const Namespace& network, const std::string& a, const std::string& b, std::chrono::milliseconds delay)
      : a_(packet_socket(network, a)), b_(packet_socket(network, b)), delay_(delay) {
    for (const Handle* socket : {&a_, &b_}) {
      int size = 8 << 20;
      setsockopt(socket->fd(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    }
    threads_.emplace_back([this] { carry(a_.fd(), b_.fd()); });
    threads_.emplace_back([this] { carry(b_.fd(), a_.fd()); });
  }
  ~DelayedWire() {
    done_ = true;
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }

 private:
  struct Held {
    Clock::time_point due;
    std::string frame;
  };
  void carry(int from, int to) {
    std::deque<Held> held;
    std::string buffer(65'536, '\0');
    while (!done_) {
      pollfd polled = {from, POLLIN, 0};
      const auto now = Clock::now();
      int wait = 20;
      if (!held.empty()) {
        wait = static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(held.front().due - now).count());
      }
      if (poll(&polled, 1, std::max(0, std::min(wait, 20))) > 0) {
        sockaddr_ll who = {};
        socklen_t who_size = sizeof who;
        const ssize_t size =
            recvfrom(from, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&who), &who_size);
        if (size > 0 && who.sll_pkttype != PACKET_OUTGOING) {
          held.push_back({Clock::now() + delay_, buffer.substr(0, static_cast<std::size_t>(size))});
        }
      }
      while (!held.empty() && held.front().due <= Clock::now()) {
        send(to, held.front().frame.data(), held.front().frame.size(), 0);
        held.pop_front();
      }
    }
  }

  Handle a_;
  Handle b_;
  std::chrono::milliseconds delay_;
  std::atomic<bool> done_ = false;
  std::vector<std::thread> threads_;
};

inline sockaddr_in socket_address(const std::string& address, std::uint16_t port) {
  sockaddr_in result = {};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  inet_pton(AF_INET, address.c_str(), &result.sin_addr);
  return result;
}

/// A TCP socket that listens in `network`.
inline Handle listen_in(const Namespace& network, const std::string& address, std::uint16_t port) {
  Handle result;
  network.in([&] {
    Handle made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int one = 1;
    setsockopt(made.fd(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    const sockaddr_in local = socket_address(address, port);
    if (bind(made.fd(), reinterpret_cast<const sockaddr*>(&local), sizeof local) == 0 && listen(made.fd(), 64) == 0) {
      result = std::move(made);
    }
  });
  return result;
}

}  // namespace podwire::kernel
