// The logs are filled when the run begins: all changes are known, and a delay is a function of who and which.
#include "models/control/timeline.hpp"

#include <algorithm>
#include <utility>

namespace podwire::control {

Timeline::Timeline(const TimelineInput& input, std::uint64_t seed)
    : input_(input),
      policy_(static_cast<std::uint32_t>(input.all->nodes.size())),
      endpoints_(policy_.observer_count()),
      names_(1) {
  PODWIRE_CHECK(input.views.size() == input.changes.size() + 1, "control", "a state follows each change");
  const random::Stream policy_draws(seed, random::Purpose("control/policy"));
  const random::Stream endpoint_draws(seed, random::Purpose("control/endpoints"));
  const random::Stream name_draws(seed, random::Purpose("control/names"));
  const std::uint32_t nodes = policy_.observer_count();
  for (const Change& change : input.changes) {
    std::vector<Duration> policy(nodes, Duration::zero());
    std::vector<Duration> endpoints(nodes, Duration::zero());
    for (std::uint32_t n = 0; n < nodes; ++n) {
      if (change.concerns_policy) {
        const Delay& delay = change.has_except ? input.programming.policy_with_except : input.programming.policy;
        policy[n] = delay.draw(policy_draws.draw(n, change.number));
      }
      if (change.concerns_endpoints) {
        endpoints[n] = input.programming.endpoints.draw(endpoint_draws.draw(n, change.number));
      }
    }
    policy_.append(change.made, policy);
    endpoints_.append(change.made, endpoints);
    const Duration names =
        change.concerns_endpoints ? input.programming.names.draw(name_draws.draw(0, change.number)) : Duration::zero();
    names_.append(change.made, std::vector<Duration>{names});
  }
  if (input.states != nullptr) {
    // A state is first asked for when its change has been made: from then on nobody acts on what all have passed.
    std::vector<Version> slowest;
    for (Version version = 0; version <= policy_.last(); ++version) {
      slowest.push_back(policy_.slowest(policy_.made(version)));
    }
    input.states->free_before(std::move(slowest));
  }
}

Version Timeline::current(Time now) const {
  const auto& changes = input_.changes;
  const auto next = std::upper_bound(changes.begin(), changes.end(), now,
                                     [](Time time, const Change& change) { return time < change.made; });
  return static_cast<Version>(next - changes.begin());
}

Time Timeline::first_enforced(Version version) const {
  Time first = Time::never();
  for (std::uint32_t n = 0; n < policy_.observer_count(); ++n) {
    first = std::min(first, policy_.applied(n, version));
  }
  return first;
}

Time Timeline::last_enforced(Version version) const {
  Time last = Time::start();
  for (std::uint32_t n = 0; n < policy_.observer_count(); ++n) {
    last = std::max(last, policy_.applied(n, version));
  }
  return last;
}

}  // namespace podwire::control
