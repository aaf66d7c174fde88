#include "models/control/states.hpp"

#include <algorithm>
#include <utility>

#include "sim/base/check.hpp"

namespace podwire::control {

States::States(std::vector<State> states, const cni::Profile& profile, bool keeps_all)
    : states_(std::move(states)), profile_(profile), keeps_all_(keeps_all) {
  PODWIRE_CHECK(!states_.empty(), "control", "a run has a first state");
}

policy::PolicyEngine& States::engine(Version version) {
  while (engine_of_.size() <= version) {
    make(static_cast<Version>(engine_of_.size()));
  }
  return *engines_[engine_of_[version]];
}

void States::make(Version version) {
  const State& state = states_[version];
  if (version == 0) {
    engines_.push_back(std::make_unique<policy::PolicyEngine>(*state.cluster, *state.policies, profile_));
  } else if (const State& before = states_[version - 1];
             state.cluster != before.cluster || state.policies != before.policies) {
    const policy::PolicyChanges none;
    engines_.push_back(std::make_unique<policy::PolicyEngine>(engines_.back()->next(
        *state.cluster, *state.policies, nullptr, state.policies == before.policies ? &none : state.changes)));
  }
  engine_of_.push_back(engines_.size() - 1);
  if (keeps_all_ || version >= slowest_.size()) {
    return;
  }
  // Everybody may have passed this state too, where several changes are made at one time: it is kept as the newest.
  for (const std::size_t needed = engine_of_[std::min(slowest_[version], version)]; freed_ < needed; ++freed_) {
    engines_[freed_]->release();
  }
}

}  // namespace podwire::control
