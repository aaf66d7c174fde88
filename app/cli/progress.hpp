// How far long work is, on standard error: a bar on a terminal, a line every ten seconds elsewhere, nothing when quiet.
// Also the one place that turns SIGINT and SIGTERM into a flag.
#pragma once

#include <chrono>
#include <string>

namespace podwire::cli {

class Progress {
 public:
  /// `what` is named in each line ("three-tier").
  Progress(std::string what, bool is_quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Shows `share` (0 to 1) with `detail` ("3 of 15 runs"), if it is time for it.
  void update(double share, const std::string& detail);
  /// Takes the bar away.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  void draw_bar(double share, const std::string& detail, double seconds);

  std::string what_;
  bool is_quiet_;
  bool is_terminal_;
  bool is_drawn_ = false;
  Clock::time_point begin_;
  Clock::time_point next_;
};

/// The bar in at most `width` columns: the bar itself shrinks first, then the name goes.
std::string bar_text(const std::string& what, double share, const std::string& detail, std::size_t width);

/// While one lives, SIGINT and SIGTERM set a flag instead of ending the process; a second one ends it at once.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  static bool is_interrupted();
};

}  // namespace podwire::cli
