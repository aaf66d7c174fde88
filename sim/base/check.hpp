// The always-on assertion. A broken contract is a bug of ours: it throws BrokenContract, which nothing in sim/ or
// models/ catches except the event loop, to add the simulated time, the event number and the seed; app/ turns it into
// exit code 3.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace podwire {

/// Thrown by PODWIRE_CHECK. what() names the component, the condition and the place in our code.
class BrokenContract : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void fail_check(std::string_view component, std::string_view condition, std::string_view message,
                             std::string_view file, int line);

}  // namespace podwire

/// Throws BrokenContract unless `condition`; `component` is the folder's name, `message` says what should hold.
#define PODWIRE_CHECK(condition, component, message)                             \
  do {                                                                           \
    if (!(condition)) [[unlikely]] {                                             \
      ::podwire::fail_check(component, #condition, message, __FILE__, __LINE__); \
    }                                                                            \
  } while (false)
