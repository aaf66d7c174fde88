// Between DNS and policies: the answers that reach pods are told to their nodes' agents, which learn from them what
// names in rules stand for (dataplane::DomainNames). In a run whose policies name no domain nothing is told.
#pragma once

#include "models/control/timeline.hpp"
#include "models/dataplane/domain_names.hpp"
#include "models/dataplane/network.hpp"
#include "models/dns/resolver.hpp"
#include "models/policy/engine.hpp"
#include "sim/des/simulator.hpp"

namespace podwire::workload {

/// The names that the rules of a run ask for. `timeline` may be null.
dataplane::DomainNames domain_names(const policy::PolicyEngine& engine, const control::TimelineInput* timeline);

class NameLearning {
 public:
  /// All arguments outlive it.
  NameLearning(des::Simulator& simulator, const dataplane::Network& network, dns::Resolver& resolver,
               dataplane::DomainNames& names);
  NameLearning(const NameLearning&) = delete;
  NameLearning& operator=(const NameLearning&) = delete;

 private:
  void on_heard(const dns::Resolver::Heard& heard);

  des::Simulator& simulator_;
  const dataplane::Network& network_;
  dataplane::DomainNames& names_;
};

}  // namespace podwire::workload
