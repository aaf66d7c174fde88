// posix_spawn with three pipes and one poll loop: what the child reads and writes may be larger than a pipe, so both
// must flow at once. Its standard input is a socket, because writing to a pipe whose reader has gone raises a signal.
#include "app/scenario/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it to us

namespace podwire::scenario {
namespace {

constexpr std::size_t kMostErrors = 4096;

class Ends {
 public:
  bool open_pipe() { return ::pipe2(ends_.data(), O_CLOEXEC) == 0; }
  bool open_socket() { return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) == 0; }
  Ends() = default;
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;
  ~Ends() {
    close(0);
    close(1);
  }
  int operator[](std::size_t i) const { return ends_[i]; }
  void close(std::size_t i) {
    if (ends_[i] >= 0) {
      ::close(std::exchange(ends_[i], -1));
    }
  }

 private:
  std::array<int, 2> ends_ = {-1, -1};
};

class Child {
 public:
  Child(const std::string& input, std::size_t most_output) : input_(input), most_output_(most_output) {}

  ChildResult run(const std::vector<std::string>& words) {
    if (!in_.open_socket() || !out_.open_pipe() || !err_.open_pipe() || !start(words)) {
      result_.problem = std::strerror(errno);  // NOLINT(concurrency-mt-unsafe)
      return std::move(result_);
    }
    result_.was_started = true;
    in_.close(1);
    out_.close(1);
    err_.close(1);
    if (input_.empty()) {
      in_.close(0);
    }
    while (out_[0] >= 0 || err_[0] >= 0) {
      step();
    }
    in_.close(0);
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    result_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return std::move(result_);
  }

 private:
  bool start(const std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (const std::string& word : words) {
      arguments.push_back(const_cast<char*>(word.c_str()));  // posix_spawn does not write to them
    }
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in_[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out_[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err_[1], STDERR_FILENO);
    const int problem = ::posix_spawnp(&process_, words.front().c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    errno = problem;
    return problem == 0;
  }

  void step() {
    std::array<pollfd, 3> waiting = {pollfd{in_[0], POLLOUT, 0}, pollfd{out_[0], POLLIN, 0},
                                     pollfd{err_[0], POLLIN, 0}};  // a negative descriptor is passed over
    if (::poll(waiting.data(), waiting.size(), -1) < 0) {
      return;  // EINTR
    }
    if (waiting[0].revents != 0) {
      const ssize_t count = ::send(in_[0], input_.data() + sent_, input_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
      sent_ += count > 0 ? static_cast<std::size_t>(count) : 0;
      if (sent_ == input_.size() || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        in_.close(0);
      }
    }
    if (waiting[1].revents != 0) {
      read_some(out_, result_.output, most_output_);
      if (result_.output.size() > most_output_ && !result_.is_too_large) {
        result_.is_too_large = true;
        ::kill(process_, SIGTERM);
      }
    }
    if (waiting[2].revents != 0) {
      read_some(err_, result_.errors, kMostErrors);
    }
  }

  /// Past `most` what comes is read and dropped, so that the child can go on to its end.
  static void read_some(Ends& from, std::string& text, std::size_t most) {
    std::array<char, 1 << 16> buffer;
    const ssize_t count = ::read(from[0], buffer.data(), buffer.size());
    if (count == 0 || (count < 0 && errno != EINTR)) {
      from.close(0);
    } else if (count > 0 && text.size() <= most) {
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }

  const std::string& input_;
  std::size_t most_output_;
  std::size_t sent_ = 0;
  Ends in_;
  Ends out_;
  Ends err_;
  pid_t process_ = -1;
  ChildResult result_;
};

}  // namespace

ChildResult run_child(const std::vector<std::string>& words, const std::string& input, std::size_t most_output) {
  return Child(input, most_output).run(words);
}

}  // namespace podwire::scenario
