// What the policies say about one named connection: every kind of source pod against every kind of destination pod.
#pragma once

#include <string>

#include "app/scenario/load.hpp"
#include "models/policy/engine.hpp"

namespace podwire::scenario {

struct Judgement {
  Verdict verdict = Verdict::allowed;
  bool is_mixed = false;  // pods differ (or, without a port, ports do); `verdict` is then the first pair's
  std::string measured;   // "denied", "allowed for 2 of 3 pods", "TCP 80 alone"
  std::string because;    // "ingress: default deny (backend/default-deny-all)"; both sides for what is allowed
  Span span;              // of the deciding rule or policy; unknown when none decided
};

/// Pods of one shape are judged once: they cannot be told apart by policies. O(shapes of source × destinations).
Judgement judge(policy::PolicyEngine& engine, const ConnectionSpec& connection);

/// An end of a connection as the engine takes it.
policy::Peer peer_of_pod(const cluster::Cluster& cluster, cluster::PodId pod);
policy::Peer peer_of_address(const cluster::Cluster& cluster, IpAddress address);

}  // namespace podwire::scenario
