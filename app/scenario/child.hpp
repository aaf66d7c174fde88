// Another program, run without a shell: its words, what it reads, what it writes. Only git.cpp needs one.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace podwire::scenario {

struct ChildResult {
  bool was_started = false;   // false: `problem` says why
  bool is_too_large = false;  // it was stopped because it wrote more than allowed
  int exit_code = -1;         // -1: ended by a signal
  std::string output;
  std::string errors;   // the first few lines
  std::string problem;  // "No such file or directory"
};

/// Runs `words[0]`, found on the path, with the words after it; waits for its end. It sees this process's environment,
/// so that git finds its configuration.
ChildResult run_child(const std::vector<std::string>& words, const std::string& input, std::size_t most_output);

}  // namespace podwire::scenario
