// One connection under one policy engine: both directions, Services through their backends, networks without an address
// through every address that they may be, ICMP. Private to impact.
#pragma once

#include <string>
#include <utility>

#include "models/analysis/impact.hpp"

namespace podwire::analysis {

/// What both directions say; the one that decided first.
struct PairVerdict {
  policy::Action action = policy::Action::allow;
  ImpactDoubt doubt = ImpactDoubt::none;
  policy::Action egress = policy::Action::allow;
  policy::Action ingress = policy::Action::allow;
  policy::Direction direction = policy::Direction::egress;
  policy::Verdict verdict = {};         // of that direction
  policy::Verdict egress_verdict = {};  // each direction's, for the backtest
  policy::Verdict ingress_verdict = {};
};

class ImpactJudge {
 public:
  explicit ImpactJudge(policy::PolicyEngine& engine) : engine_(engine) {}

  /// `source` and `destination` are ends of this engine's cluster; neither is unmapped.
  PairVerdict judge(const flows::End& source, const flows::End& destination, flows::FlowProtocol protocol,
                    std::uint16_t port);
  /// The rule that a verdict names, with its place.
  std::pair<std::string, Span> rule_of(policy::Direction direction, const policy::Verdict& verdict) const;

  policy::PolicyEngine& engine() { return engine_; }
  const policy::PolicyEngine& const_engine() const { return engine_; }
  const cluster::Cluster& cluster() const { return engine_.cluster(); }

 private:
  policy::Peer peer_of(const flows::End& end) const;
  void agree_on_family(policy::Peer& source, policy::Peer& destination) const;
  PairVerdict judge_peers(policy::Peer source, policy::Peer destination, flows::FlowProtocol protocol,
                          std::uint16_t port);
  PairVerdict judge_icmp(const policy::Peer& source, const policy::Peer& destination);
  PairVerdict judge_service(const policy::Peer& source, cluster::ServiceId service, flows::FlowProtocol protocol,
                            std::uint16_t port);
  template <class Judge>
  PairVerdict over_addresses(flows::EndKind kind, Judge judge);

  policy::PolicyEngine& engine_;
};

}  // namespace podwire::analysis
