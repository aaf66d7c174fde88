// What a machine's visit consists of, step by step: the one list behind the sums that packets are charged (set_visits,
// first_visit) and behind the steps that a trace shows. Included by the files that need it, never by users.
#pragma once

#include "models/dataplane/network.hpp"

namespace podwire::dataplane {

/// Calls take(step, visit) for each step that a packet of a known flow pays at this end. A packet between ends of one
/// machine is one visit, paid when it is sent, the receiver's part included. Precondition: the flow is resolved.
template <class Take>
void Network::each_step(const Flow& flow, policy::Direction direction, bool remote_is_subject, Take take) const {
  using cni::Step;
  if (machines_[flow.host].cores == 0) {
    return;
  }
  const auto pay = [&](Step s) { take(s, Visit{profile_.step(s).cost, profile_.step(s).latency}); };
  const auto pay_if = [&](bool is_taken, Step s) {
    if (is_taken) {
      pay(s);
    }
  };
  const bool is_local = (flow.flags & kFlowLocal) != 0;
  const bool is_out = direction == policy::Direction::egress;
  if (is_local && !is_out) {
    return;
  }
  const bool is_encapsulated = (flow.flags & kFlowEncapsulated) != 0;
  const bool is_subject_here = (flow.flags & kFlowSubject) != 0;
  pay(Step::node_cpu);
  pay_if((flow.flags & kFlowTranslated) != 0, Step::service_nat);
  pay_if(options_.tracks_connections, Step::conntrack);
  pay_if(is_subject_here, is_out ? Step::egress_policy : Step::ingress_policy);
  if (is_local) {
    pay(Step::node_cpu);
    pay_if(remote_is_subject, Step::ingress_policy);
  } else {
    pay_if(is_encapsulated, is_out ? Step::encapsulate : Step::decapsulate);
  }
  pay_if(is_local || !is_out, Step::deliver);
}

/// The same for what a first packet pays on top at one end; the Service's part is the translation's.
template <class Take>
void Network::each_first_step(const Flow& flow, policy::Direction direction, Take take) {
  using cni::Step;
  if (machines_[flow.host].cores == 0) {
    return;
  }
  const auto pay = [&](Step s) { take(s, Visit{profile_.first_step(s).cost, profile_.first_step(s).latency}); };
  const bool is_out = direction == policy::Direction::egress;
  pay(is_out ? Step::node_cpu : Step::deliver);
  if ((flow.flags & kFlowTracked) != 0) {
    pay(Step::conntrack);
  }
  if ((flow.flags & kFlowEncapsulated) != 0) {
    pay(is_out ? Step::encapsulate : Step::decapsulate);
  }
  if ((flow.flags & kFlowSubject) != 0) {
    const Step policy = is_out ? Step::egress_policy : Step::ingress_policy;
    pay(policy);
    if (profile_.policy_per_rule > Duration::zero()) {
      take(policy, Visit{profile_.policy_per_rule * rules_of(flow.local.pod_id(), direction, version_at(flow.host)),
                         Duration::zero()});
    }
  }
}

}  // namespace podwire::dataplane
