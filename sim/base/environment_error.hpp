// What the environment refuses: a full disk, a missing permission. Thrown where a user's input is not to blame and no
// contract of ours is broken; caught in app/ and python/ only, which show what() and exit.
#pragma once

#include <stdexcept>

namespace podwire {

/// what() says what was being done, with the path and the system's reason.
class EnvironmentError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace podwire
