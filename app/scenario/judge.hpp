// What the policies say about one named connection: every kind of source pod against every kind of destination pod.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

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

/// The engines of a policy set: under the profile that is played, and under those that the plugin may as well be like.
class Judges {
 public:
  explicit Judges(const PolicySetPlan& plan);
  /// The same for another state of the policy set's timeline. Both must outlive the engines.
  Judges(const PolicySetPlan& plan, const cluster::Cluster& cluster, const policy::PolicySet& policies);
  policy::PolicyEngine& engine() { return *engines_.front(); }
  /// Unknown where the profiles disagree; `because` then names them and the values that make the difference.
  Judgement judge(const ConnectionSpec& connection);
  /// Engines and their profiles, the played one first.
  std::size_t size() const { return engines_.size(); }
  policy::PolicyEngine& engine(std::size_t i) { return *engines_[i]; }
  /// The values of the profile `other` that alone turn what `same` finds under the first profile into what it finds
  /// under that one: "policy.hairpin". Compiles the policies once for each value that the two differ in.
  std::vector<std::string> responsible(std::size_t other,
                                       const std::function<bool(policy::PolicyEngine&)>& is_as_other) const;

 private:
  const PolicySetPlan& plan_;
  const cluster::Cluster& cluster_;
  const policy::PolicySet& policies_;
  std::vector<std::unique_ptr<policy::PolicyEngine>> engines_;
};

/// An end of a connection as the engine takes it.
policy::Peer peer_of_pod(const cluster::Cluster& cluster, cluster::PodId pod);
policy::Peer peer_of_address(const cluster::Cluster& cluster, IpAddress address);

}  // namespace podwire::scenario
