// What a clock would add to an answer that compares two states, for the verbs that have none. For one state: in_time()
// of profile.hpp.
#pragma once

#include <string>

#include "models/cni/profile.hpp"

namespace podwire::cni {

/// What becomes of open connections when policies change, and how long the change takes to be in force; "" when the
/// profile enforces nothing.
std::string change_in_time(const Profile& profile);

}  // namespace podwire::cni
