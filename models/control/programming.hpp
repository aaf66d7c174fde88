// How long a change takes until whoever acts on it has it in force: a node's policy agent, a node's kube-proxy,
// CoreDNS.
//
// A delay is a function of (seed, who, change), never of the order of draws: the same node takes the same time for the
// same change under every policy set. Left out: delays that grow with the number of rules or with the load.
#pragma once

#include <cstdint>
#include <vector>

#include "models/cni/profile.hpp"
#include "sim/base/time.hpp"
#include "sim/random/draw.hpp"

namespace podwire::control {

/// A distribution given by two quantiles. Equal: a constant.
struct Delay {
  enum class Shape : std::uint8_t { uniform, lognormal } shape = Shape::lognormal;
  Duration p50;
  Duration p99;
  /// At least zero.
  Duration draw(random::Draw draw) const;
};

struct Programming {
  Delay policy;                   // from the change at the API server to the rules of a node's agent
  Delay policy_with_except;       // … of a change that brings policies whose ipBlocks have an except
  Delay endpoints;                // … to the rules of a node's kube-proxy
  Delay names;                    // … to the records that CoreDNS answers with
  bool is_open_at_start = false;  // what a new pod may do until its node has programmed it: everything, or nothing
  Duration start_window;          // how long at most, and until the node has the pod's change
};

/// The profile's delays, and the ones of kube-proxy and CoreDNS that no profile changes.
Programming programming_of(const cni::Profile& profile);

/// What programming_of() adds to the profile's numbers, for `podwire models`.
std::vector<cni::Parameter> parameters();

}  // namespace podwire::control
