// The real experiment: getaddrinfo of this machine's glibc in a child process with a network and an /etc of its own,
// against name servers of the test's own on loopback addresses of that network. Each lookup has its own child, because
// the resolver's single-request mode outlives a lookup, and its own addresses, so that lookups can run side by side.
#pragma once

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <semaphore>
#include <tuple>

#include "tests/linux/dns/script.hpp"
#include "tests/linux/support/namespace.hpp"

namespace podwire::kernel {

using Clock = std::chrono::steady_clock;

/// The name servers of one script.
class ScriptedServers {
 public:
  /// `number` makes the addresses 127.x.y.1 … unique within the namespace. Sockets are made in the calling thread's.
  ScriptedServers(const Script& script, unsigned number) : script_(script), started_(Clock::now()) {
    for (unsigned s = 0; s < script.servers; ++s) {
      const std::string address = "127." + std::to_string(1 + number / 250) + "." + std::to_string(1 + number % 250) +
                                  "." + std::to_string(s + 1);
      addresses.push_back(address);
      if (script.is_closed(s)) {
        continue;
      }
      Handle socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      sockaddr_in local = {};
      local.sin_family = AF_INET;
      local.sin_port = htons(53);
      inet_pton(AF_INET, address.c_str(), &local.sin_addr);
      if (bind(socket.fd(), reinterpret_cast<sockaddr*>(&local), sizeof local) != 0) {
        throw std::runtime_error("bind " + address + ": " + std::strerror(errno));
      }
      polled_.push_back({socket.fd(), POLLIN, 0});
      numbers_.push_back(s);
      sockets_.push_back(std::move(socket));
    }
  }

  void start_clock() { started_ = Clock::now(); }

  /// Serves until `done`.
  void serve(const std::atomic<bool>& done) {
    while (!done) {
      if (poll(polled_.data(), polled_.size(), 20) <= 0) {
        continue;
      }
      for (std::size_t i = 0; i < polled_.size(); ++i) {
        if ((polled_[i].revents & POLLIN) != 0) {
          serve_one(polled_[i].fd, numbers_[i]);
        }
      }
    }
  }

  std::vector<std::string> addresses;
  std::vector<Asked> asked;

 private:
  void serve_one(int fd, unsigned server) {
    unsigned char query[512];
    sockaddr_in from = {};
    socklen_t from_size = sizeof from;
    const ssize_t size = recvfrom(fd, query, sizeof query, 0, reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 17) {
      return;
    }
    Asked one;
    std::size_t at = 12;  // past the header
    while (at < static_cast<std::size_t>(size) && query[at] != 0) {
      one.name += one.name.empty() ? "" : ".";
      one.name.append(reinterpret_cast<const char*>(query) + at + 1, query[at]);
      at += query[at] + 1u;
    }
    std::transform(one.name.begin(), one.name.end(), one.name.begin(),
                   [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
    one.type = query[at + 2] == 1 ? "A" : query[at + 2] == 28 ? "AAAA" : "other";
    one.server = server;
    one.socket = ntohs(from.sin_port);
    one.second = std::chrono::duration<double>(Clock::now() - started_).count();
    asked.push_back(one);
    const Reply reply = reply_to(script_, server, one.name, one.type, times_[{server, one.name, one.type}]++);
    if (reply != Reply::silence) {
      const std::string answer = message(query, at + 5, reply, server, one.type);
      sendto(fd, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), from_size);
    }
  }

  /// The answer: the query's header and question (`question_end` bytes) with its code and records.
  static std::string message(const unsigned char* query, std::size_t question_end, Reply reply, unsigned server,
                             const std::string& type) {
    std::string text(reinterpret_cast<const char*>(query), question_end);
    const int code = reply == Reply::nxdomain ? 3 : reply == Reply::servfail ? 2 : reply == Reply::refused ? 5 : 0;
    text[2] = static_cast<char>(0x85);         // QR, AA, RD
    text[3] = static_cast<char>(0x80 | code);  // RA
    std::fill(text.begin() + 6, text.begin() + 12, '\0');
    if (reply == Reply::addresses) {
      text[7] = 1;
      unsigned char address[16];
      const bool is_v4 = type == "A";
      inet_pton(is_v4 ? AF_INET : AF_INET6, address_of(server, type).c_str(), address);
      const std::size_t size = is_v4 ? 4 : 16;
      const char head[] = {
          '\xc0', 12, 0, static_cast<char>(is_v4 ? 1 : 28), 0, 1, 0, 0, 0, 5, 0, static_cast<char>(size)};
      text.append(head, sizeof head);
      text.append(reinterpret_cast<const char*>(address), size);
    }
    return text;
  }

  const Script& script_;
  Clock::time_point started_;
  std::vector<Handle> sockets_;
  std::vector<pollfd> polled_;
  std::vector<unsigned> numbers_;
  std::map<std::tuple<unsigned, std::string, std::string>, unsigned> times_;
};

namespace glibc_child {

inline void write_file(const char* path, const std::string& text) {
  const Handle file(::open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  if (!file.is_valid() || write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    _exit(70);
  }
}

/// In the child: an /etc of its own, no nscd, then the lookup; the outcome as words.
inline std::string look_up(const Namespace& network, const Script& script, const std::string& resolv_conf) {
  network.enter();
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", "/etc", "tmpfs", 0, nullptr) != 0) {
    _exit(71);
  }
  mount("tmpfs", "/run/nscd", "tmpfs", 0, nullptr);  // where there is none, there is no nscd
  mount("tmpfs", "/var/run/nscd", "tmpfs", 0, nullptr);
  write_file("/etc/resolv.conf", resolv_conf);
  write_file("/etc/nsswitch.conf", "hosts: dns\n");
  for (const char* name : {"LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES"}) {
    unsetenv(name);
  }
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(script.host.c_str(), "80", &hints, &found);
  if (code != 0) {
    return code == EAI_NONAME   ? "nxdomain"
           : code == EAI_NODATA ? "nodata"
           : code == EAI_AGAIN  ? "again"
           : code == EAI_FAIL   ? "fail"
                                : gai_strerror(code);
  }
  std::vector<std::string> addresses;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    char text[64];
    getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
    addresses.emplace_back(text);
  }
  std::sort(addresses.begin(), addresses.end());
  std::string words = "found";
  for (const std::string& address : addresses) {
    words += " " + address;
  }
  return words;
}

}  // namespace glibc_child

/// Plays one script with the real resolver. `number` is unique among those that run at one time.
inline Record play_really(Namespace& network, const Script& script, unsigned number) {
  std::unique_ptr<ScriptedServers> servers;
  network.in([&] { servers = std::make_unique<ScriptedServers>(script, number); });
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw std::runtime_error("pipe");
  }
  Handle reader(ends[0]);
  Handle writer(ends[1]);
  const std::string conf = script.resolv_conf(servers->addresses);
  std::atomic<bool> done = false;
  std::thread server([&] { servers->serve(done); });
  servers->start_clock();
  const Clock::time_point begin = Clock::now();
  const pid_t child = fork();
  if (child == 0) {
    const std::string words = glibc_child::look_up(network, script, conf);
    _exit(write(writer.fd(), words.data(), words.size()) == static_cast<ssize_t>(words.size()) ? 0 : 72);
  }
  int status = 0;
  waitpid(child, &status, 0);
  Record record;
  record.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  // Not until its end is reached: children forked meanwhile hold the pipe's other end too.
  std::string words(4096, '\0');
  words.resize(static_cast<std::size_t>(std::max<ssize_t>(0, read(reader.fd(), words.data(), words.size()))));
  done = true;
  server.join();
  record.asked = servers->asked;
  std::istringstream stream(status == 0 ? words : "child-failed-" + std::to_string(WEXITSTATUS(status)));
  for (std::string word; stream >> word;) {
    record.result.push_back(word);
  }
  return record;
}

/// Plays many scripts, `at_once` at a time.
inline std::vector<Record> play_really(Namespace& network, const std::vector<Script>& scripts, unsigned at_once) {
  std::vector<Record> records(scripts.size());
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < at_once; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; (i = next++) < scripts.size();) {
        records[i] = play_really(network, scripts[i], static_cast<unsigned>(i));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return records;
}

}  // namespace podwire::kernel
