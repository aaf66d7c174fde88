// Network namespaces for tests against the real kernel. They have no names: a namespace is held by a file descriptor of
// this process alone, so it is gone with the process, however that ends, and there is nothing to clean up.
// Nothing here reaches the machine's own network: a new namespace has a loopback device and what the test adds.
// Work inside one is done by a thread (in_namespace) or a child process; sockets keep the namespace they were made in.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace podwire::kernel {

/// A file descriptor that is closed with its owner.
class Handle {
 public:
  Handle() = default;
  explicit Handle(int fd) : fd_(fd) {}
  Handle(Handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  int fd() const { return fd_; }
  bool is_valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

class Namespace {
 public:
  /// A fresh one with `lo` up; invalid where the kernel does not give one (see why_not).
  Namespace() {
    std::thread([this] {
      if (unshare(CLONE_NEWNET) != 0) {
        why_not_ = std::string("no new network namespace: ") + std::strerror(errno);
        return;
      }
      fd_ = Handle(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    }).join();
    if (fd_.is_valid() && !run("ip link set lo up")) {
      why_not_ = "ip (iproute2) is missing or does not work: " + last_output_;
      fd_ = Handle();
    }
  }

  bool is_valid() const { return fd_.is_valid(); }
  const std::string& why_not() const { return why_not_; }
  int fd() const { return fd_.fd(); }
  /// As `ip … netns PATH` takes it.
  std::string path() const { return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_.fd()); }

  /// Runs `work` in a thread that lives in this namespace, and waits for it.
  void in(const std::function<void()>& work) const {
    std::exception_ptr error;
    std::thread([&] {
      try {
        enter();
        work();
      } catch (...) {
        error = std::current_exception();
      }
    }).join();
    if (error) {
      std::rethrow_exception(error);
    }
  }

  /// The calling thread's (or child process's) network is this one from now on.
  void enter() const {
    if (setns(fd_.fd(), CLONE_NEWNET) != 0) {
      throw std::runtime_error(std::string("setns: ") + std::strerror(errno));
    }
  }

  /// Runs a shell command inside; false when it failed, with its output in last_output(). `input` goes to its stdin.
  bool run(const std::string& command, std::string_view input = {}) {
    bool is_good = false;
    in([&] {
      // popen's child is forked by this thread and so lives in its namespace.
      std::string text = "{ " + command + "; } 2>&1";
      if (!input.empty()) {
        text = "{ " + command + "; } 2>&1 <<'PODWIRE_END'\n" + std::string(input) + "\nPODWIRE_END\n";
      }
      FILE* const pipe = popen(text.c_str(), "r");
      last_output_.clear();
      if (pipe == nullptr) {
        return;
      }
      std::array<char, 4096> buffer;
      for (std::size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
        last_output_.append(buffer.data(), n);
      }
      is_good = pclose(pipe) == 0;
    });
    return is_good;
  }
  const std::string& last_output() const { return last_output_; }

  /// A file under /proc/sys as this namespace sees it; "" when there is none.
  std::string sysctl(const std::string& path) const {
    std::string text;
    in([&] {
      std::ifstream file("/proc/sys/" + path);
      file >> text;
    });
    return text;
  }

 private:
  Handle fd_;
  std::string why_not_;
  std::string last_output_;
};

/// Joins two namespaces by a pair of devices with addresses: `name` in each. False with the reason in a.last_output().
inline bool join(Namespace& a, const std::string& name_a, const std::string& cidr_a, Namespace& b,
                 const std::string& name_b, const std::string& cidr_b) {
  return a.run("ip link add dev " + name_a + " type veth peer name " + name_b + " netns " + b.path()) &&
         a.run("ip address add " + cidr_a + " dev " + name_a + " && ip link set dev " + name_a + " up") &&
         (b.run("ip address add " + cidr_b + " dev " + name_b + " && ip link set dev " + name_b + " up") ||
          a.run("echo '" + b.last_output() + "'; false"));
}

/// Why these tests cannot run here, or "": they need root and network namespaces.
inline std::string unmet() {
  if (geteuid() != 0) {
    return "needs root for network namespaces";
  }
  const Namespace probe;
  return probe.is_valid() ? "" : probe.why_not();
}

}  // namespace podwire::kernel

/// Skips the test, saying why, where the kernel or the user's rights do not allow it.
#define PODWIRE_NEEDS_NAMESPACES()                                              \
  do {                                                                          \
    if (const std::string unmet = ::podwire::kernel::unmet(); !unmet.empty()) { \
      GTEST_SKIP() << unmet;                                                    \
    }                                                                           \
  } while (false)
