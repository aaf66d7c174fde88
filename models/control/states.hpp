// The compiled policies of the states of one run: each is made out of the one before it when somebody first asks, and
// freed when every observer has passed it.
//
// One run's thread owns it. States that differ in nothing that policies see share an engine. A freed state still tells
// names and places of its policies (PolicyEngine::release()), which is all that reports ask of it. Left out: clusters
// and policy sets, which the runs of a batch share.
#pragma once

#include <memory>
#include <vector>

#include "models/control/change_log.hpp"
#include "models/policy/difference.hpp"
#include "models/policy/engine.hpp"

namespace podwire::control {

class States {
 public:
  /// One state; all of it outlives the run.
  struct State {
    const cluster::Cluster* cluster = nullptr;
    const policy::PolicySet* policies = nullptr;
    const policy::PolicyChanges* changes = nullptr;  // from the state before; null: they are compared
  };

  /// `keeps_all`: none is freed, for those who ask about the past.
  States(std::vector<State> states, const cni::Profile& profile, bool keeps_all = false);

  /// Makes the states up to `version` where that has not been done. O(what they differ in).
  policy::PolicyEngine& engine(Version version);

  /// By state: when it is first asked for, nobody will ask for those before this one.
  void free_before(std::vector<Version> slowest) { slowest_ = std::move(slowest); }

  std::size_t size() const { return states_.size(); }
  /// How many engines there are that have not been freed.
  std::size_t live_count() const { return engines_.size() - freed_; }

 private:
  void make(Version version);

  std::vector<State> states_;
  const cni::Profile& profile_;
  bool keeps_all_;
  std::vector<Version> slowest_;  // empty: nothing is known
  std::vector<std::unique_ptr<policy::PolicyEngine>> engines_;
  std::vector<std::size_t> engine_of_;  // by state, of those made
  std::size_t freed_ = 0;               // engines, from the first
};

/// A state's engine, made when it is first used.
class EngineRef {
 public:
  EngineRef(policy::PolicyEngine* engine = nullptr) : engine_(engine) {}
  EngineRef(States& states, Version version) : states_(&states), version_(version) {}
  policy::PolicyEngine& operator*() const { return engine_ != nullptr ? *engine_ : states_->engine(version_); }
  policy::PolicyEngine* operator->() const { return &**this; }

 private:
  policy::PolicyEngine* engine_ = nullptr;
  States* states_ = nullptr;
  Version version_ = 0;
};

}  // namespace podwire::control
