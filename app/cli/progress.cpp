#include "app/cli/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "app/cli/output.hpp"
#include "app/report/text_table.hpp"

namespace podwire::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;

extern "C" void note_interrupt(int) {
  interrupted = 1;
}

std::string remaining(double share, double seconds) {
  if (share < 0.02 || seconds < 2.0) {
    return "";
  }
  const double left = seconds / share * (1.0 - share);
  return left < 90.0 ? fmt::format(", {:.0f} s left", left) : fmt::format(", {:.0f} min left", left / 60.0);
}

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string bar_text(const std::string& what, double share, const std::string& detail, std::size_t width) {
  constexpr std::size_t kLongest = 30;
  constexpr std::size_t kShortest = 5;
  const std::string numbers = fmt::format("{:3.0f} %  {}", share * 100.0, detail);
  const std::size_t others = report::display_width(what) + report::display_width(numbers) + 4;  // brackets and spaces
  if (others + kShortest <= width) {
    const std::size_t length = std::min(kLongest, width - others);
    const auto filled = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(length));
    return fmt::format("{} [{}{}] {}", what, std::string(filled, '#'), std::string(length - filled, '.'), numbers);
  }
  // What it is about goes first; then the time that is left.
  return fmt::format("{:.{}}", numbers, width);
}

Progress::Progress(std::string what, bool is_quiet)
    : what_(std::move(what)),
      is_quiet_(is_quiet),
      is_terminal_(isatty(STDERR_FILENO) == 1),
      begin_(Clock::now()),
      next_(begin_ + (is_terminal_ ? std::chrono::milliseconds(500) : std::chrono::seconds(10))) {}

Progress::~Progress() {
  clear();
}

void Progress::update(double share, const std::string& detail) {
  const Clock::time_point now = Clock::now();
  if (is_quiet_ || now < next_) {
    return;
  }
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  if (is_terminal_) {
    draw_bar(share, detail, seconds);
    next_ = now + std::chrono::milliseconds(200);
  } else {
    write_all(STDERR_FILENO, fmt::format("podwire: {}: {:.0f} % played, {}{}\n", what_, share * 100.0, detail,
                                         remaining(share, seconds)));
    next_ = now + std::chrono::seconds(10);
  }
}

void Progress::draw_bar(double share, const std::string& detail, double seconds) {
  write_all(STDERR_FILENO,
            "\r\x1b[K" + bar_text(what_, share, detail + remaining(share, seconds), terminal_width() - 1));
  is_drawn_ = true;
}

void Progress::clear() {
  if (is_drawn_) {
    write_all(STDERR_FILENO, "\r\x1b[K");
    is_drawn_ = false;
  }
}

InterruptGuard::InterruptGuard() {
  interrupted = 0;
  struct sigaction action {};
  action.sa_handler = note_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one has the default effect
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool InterruptGuard::is_interrupted() {
  return interrupted != 0;
}

}  // namespace podwire::cli
